//! Whether units that share pools are active together.

use ndarray::{Array2, Axis, Slice};
use nn_conv::Tiled;
use nn_core::{Dataset, Layer, Pass};
use nn_sparse::topography::energy_correlation;

use crate::run_error::{RunError, WhileDoing};

/// Images looked at.
const IMAGES: usize = 500;
/// Positions on a side looked at, in the middle of the image.
const MIDDLE: usize = 8;

/// The mean correlation, over images, of the energies y² of units of one map whose positions touch.
pub(super) fn neighbor_correlation(layer: &Tiled, white: &Dataset) -> Result<f64, RunError> {
    let doing = "correlating energies";
    let images = white.first(IMAGES).inputs;
    let (device, cases) = (images.device(), images.rows());
    let (mut outputs, mut saved) = (device.zeros(cases, layer.outputs()), layer.saved(device, cases));
    layer.forward(images.view(), &mut outputs, &mut saved, Pass::Testing);
    let outputs = outputs.to_array_f64().while_doing(doing)?;
    let (positions, maps) = (layer.window().positions(), layer.maps());
    let [down, across] = positions.map(|side| side.min(MIDDLE));
    let [top, left] = positions.map(|side| (side - side.min(MIDDLE)) / 2);
    let mut middle = Array2::zeros((cases, down * across * maps));
    for row in 0..down {
        let from = ((top + row) * positions[1] + left) * maps;
        let width = across * maps;
        let line = outputs.slice_axis(Axis(1), Slice::from(from..from + width));
        middle.slice_axis_mut(Axis(1), Slice::from(row * width..(row + 1) * width)).assign(&line);
    }
    let unit = |row: usize, column: usize, map: usize| (row * across + column) * maps + map;
    let mut pairs = Vec::new();
    for (row, column, map) in (0..down)
        .flat_map(|row| (0..across).flat_map(move |column| (0..maps).map(move |map| (row, column, map))))
    {
        if column + 1 < across {
            pairs.push([unit(row, column, map), unit(row, column + 1, map)]);
        }
        if row + 1 < down {
            pairs.push([unit(row, column, map), unit(row + 1, column, map)]);
        }
    }
    Ok(energy_correlation(middle.view(), &pairs).while_doing(doing)?.neighbors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::tiled_cnn::features::Architecture;
    use nn_core::{Binarize, Device, Key};

    /// Images with the same patch at all positions, and with others at each: energies of a convolution are equal, or go their
    /// own ways.
    #[test]
    fn energies_of_equal_patches_go_together() {
        let (device, key) = (Device::cpu(), Key::new(1));
        let architecture = Architecture { filter: 3, white: 4, maps: 2, pool: 3, step: 1 };
        let layer = architecture.white_tiled(&device, 12, 1, key.fold_in(1)).unwrap();
        let of = |positions: usize| {
            let value =
                |(case, at): (usize, usize)| key.normal((case * 400 + at % (4 * positions)) as u64) as f32;
            let white = Array2::from_shape_fn((400, 10 * 10 * 4), value);
            let white = Dataset::new(&device, white.view(), Binarize::Never).unwrap();
            neighbor_correlation(&layer, &white).unwrap()
        };
        assert!((of(1) - 1.0).abs() < 1e-6);
        // A mean of 224 correlations of 400 cases each.
        assert!(of(100).abs() < 4.0 / (224.0 * 400.0f64).sqrt());
    }
}
