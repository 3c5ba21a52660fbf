//! Tiled filters of white patches, as filters of pixels, and the pools on them.

use ndarray::{Array2, Array3, ArrayView1, Axis, Slice};
use nn_conv::{Convolution, Filters, Pool, Pooling, Tiled};
use nn_core::init::Initialization;
use nn_core::network::{NamedLayer, named};
use nn_core::{Activation, Device, Error, Key, Loss, Network, Tensor, Window};
use nn_data::{PatchDraw, Whitening, WhiteningKind};

use crate::run_error::{RunError, WhileDoing};

/// The size of filters and pools.
#[derive(Clone, Copy, Debug)]
pub(super) struct Architecture {
    /// Pixels on a side of a filter.
    pub(super) filter: usize,
    /// Principal components of a patch that filters see.
    pub(super) white: usize,
    pub(super) maps: usize,
    /// Units on a side of a pool.
    pub(super) pool: usize,
    /// Units between two pools of the network. Pretraining has a pool at every unit.
    pub(super) step: usize,
}

/// Patches that whitening is made from.
const PATCHES: usize = 20_000;

impl Architecture {
    /// Positions on a side of the output of filters, on images of this side.
    pub(super) fn positions(self, side: usize) -> usize {
        side + 1 - self.filter
    }

    /// Pools on the outputs of filters at so many positions on a side.
    pub(super) fn pools(self, positions: usize) -> Window {
        Window::new(positions, positions, self.maps, self.pool)
    }

    /// Random filters of pixels, of length about 1.
    pub(super) fn tiled(self, device: &Device, side: usize, tile: usize, key: Key) -> Result<Tiled, Error> {
        let filters = Filters::new(Window::new(side, side, 1, self.filter), self.maps);
        let draw = Initialization::Normal { deviation: 1.0 / self.filter as f64 };
        Tiled::new(device, filters, tile, Activation::Identity, draw, key)
    }

    /// Random filters of white patches, on [images of these](WhitePatches::images).
    pub(super) fn white_tiled(
        self,
        device: &Device,
        side: usize,
        tile: usize,
        key: Key,
    ) -> Result<Tiled, RunError> {
        let positions = self.positions(side);
        let filters = Filters::new(Window::new(positions, positions, self.white, 1), self.maps);
        let draw = Initialization::Normal { deviation: 1.0 };
        Tiled::new(device, filters, tile, Activation::Identity, draw, key)
            .while_doing("setting up the filters")
    }

    /// Filters, and the roots of sums of squares over pools.
    pub(super) fn layers(self, filters: Tiled) -> Result<Vec<NamedLayer>, Error> {
        let [positions, _] = filters.window().positions();
        let window = self.pools(positions).stride(self.step);
        let pooling = Pooling::new(window, Pool::Norm(2.0), Activation::Identity)?;
        Ok(vec![named("filters", filters), named("pool", pooling)])
    }
}

/// What makes patches of images white: z = V·(p − m), their principal components, each of variance 1.
pub(super) struct WhitePatches {
    whitening: Whitening,
    side: usize,
    filter: usize,
}

impl WhitePatches {
    /// Of these images (one a row, square, grey), at all places.
    pub(super) fn of(
        pixels: &Array2<f32>,
        side: usize,
        architecture: Architecture,
        key: Key,
    ) -> Result<WhitePatches, RunError> {
        let doing = "whitening patches";
        let image =
            |row: ArrayView1<'_, f32>| Array3::from_shape_fn((side, side, 1), |(y, x, _)| row[y * side + x]);
        let images: Vec<Array3<f32>> = pixels.rows().into_iter().map(image).collect();
        let size = [architecture.filter; 2];
        let draw = PatchDraw { size, count: PATCHES, border: 0, least_deviation: 0.0 };
        let patches = draw.draw(&images, &mut key.generator()).while_doing(doing)?;
        let kept = Some(architecture.white);
        let whitening = Whitening::of(patches.view(), WhiteningKind::Pca, 0.0, kept).while_doing(doing)?;
        Ok(WhitePatches { whitening, side, filter: architecture.filter })
    }

    fn window(&self) -> Window {
        Window::new(self.side, self.side, 1, self.filter)
    }

    /// −V·m, 1 × components.
    fn shift(&self) -> Array2<f64> {
        self.whitening.matrix().dot(self.whitening.mean()).insert_axis(Axis(0)).mapv(|value| -value)
    }

    /// The white patches of each image, as an image with a pixel for each patch and a channel for each component.
    pub(super) fn images(
        &self,
        device: &Device,
        pixels: &Array2<f32>,
        at_once: usize,
    ) -> Result<Tensor, RunError> {
        let doing = "whitening images";
        let weights = device.tensor_f64(&self.whitening.matrix().reversed_axes());
        let biases = device.tensor_f64(&self.shift());
        let convolution = Convolution::with_parameters(self.window(), weights, biases, Activation::Identity);
        let layers = vec![named("white", convolution.while_doing(doing)?)];
        let network = Network::new(layers, Loss::SquaredError).while_doing(doing)?;
        let pixels = device.tensor(pixels);
        let mut white = device.zeros(pixels.rows(), network.outputs());
        for start in (0..pixels.rows()).step_by(at_once) {
            let rows = start..pixels.rows().min(start + at_once);
            white.row_range_mut(rows.clone()).assign(&network.activity(pixels.row_range(rows), 1));
        }
        Ok(white)
    }

    /// The layer that does to pixels what `layer` does to white patches: filters Vᵀ·U and biases −U·V·m for filters U.
    pub(super) fn on_pixels(&self, layer: &Tiled) -> Result<Tiled, RunError> {
        let doing = "setting up the filters";
        let (device, maps, tile) = (layer.weights.device(), layer.maps(), layer.tile());
        let (matrix, shift) = (self.whitening.matrix(), self.shift());
        let (components, patch) = matrix.dim();
        let rows = |set: usize, count: usize| Slice::from(set * count..(set + 1) * count);
        let white = layer.weights.to_array_f64().while_doing(doing)?;
        let mut biases = layer.biases.to_array_f64().while_doing(doing)?;
        let mut weights = Array2::zeros((layer.sets() * patch, maps));
        for set in 0..layer.sets() {
            let filters = white.slice_axis(Axis(0), rows(set, components));
            weights.slice_axis_mut(Axis(0), rows(set, patch)).assign(&matrix.t().dot(&filters));
            let mut biases = biases.slice_axis_mut(Axis(0), rows(set, 1));
            biases += &shift.dot(&filters);
        }
        let (filters, draw) = (Filters::new(self.window(), maps), Initialization::Zeros);
        let tiled = Tiled::new(device, filters, tile, layer.activation, draw, Key::new(0));
        let mut tiled = tiled.while_doing(doing)?;
        tiled.weights.view_mut().write_f64(weights.view());
        tiled.biases.view_mut().write_f64(biases.view());
        Ok(tiled)
    }

    /// The patches that the filters of some maps stand for, V⁺·u for a filter u: a row of the grid is a row of each map's
    /// tile, side by side.
    pub(super) fn stand_for(&self, layer: &Tiled, maps: usize) -> Result<Array2<f32>, RunError> {
        let white = layer.weights.to_array().while_doing("reading filters for a picture")?;
        let (components, tile) = (self.whitening.outputs(), layer.tile());
        let mut rows = Array2::zeros((tile * tile * maps, components));
        for (at, mut row) in rows.rows_mut().into_iter().enumerate() {
            let (down, map, across) = (at / (tile * maps), at / tile % maps, at % tile);
            let first = (down * tile + across) * components;
            row.assign(&white.column(map).slice_axis(Axis(0), Slice::from(first..first + components)));
        }
        let mean = self.whitening.mean().mapv(|value| value as f32);
        Ok(self.whitening.invert(rows.view()) - &mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Architecture = Architecture { filter: 5, white: 6, maps: 3, pool: 3, step: 2 };

    fn patches() -> (WhitePatches, Array2<f32>) {
        let (key, side) = (Key::new(4), 9);
        let pixels = Array2::from_shape_fn((30, side * side), |(i, j)| {
            key.normal((i * side * side + j) as u64) as f32
        });
        // Pixels that go with their neighbours.
        let blurred = Array2::from_shape_fn(pixels.dim(), |(i, j)| {
            pixels[[i, j]] + pixels[[i, (j + 1) % 81]] + pixels[[i, (j + 9) % 81]]
        });
        (WhitePatches::of(&blurred, side, SMALL, Key::new(1)).unwrap(), blurred)
    }

    #[test]
    fn filters_of_pixels_do_what_filters_of_white_patches_do() {
        let (patches, pixels) = patches();
        let device = Device::reference();
        let white = patches.images(&device, &pixels, 7).unwrap();
        let values = white.to_array_f64().unwrap().into_shape_with_order((30 * 25, 6)).unwrap();
        let covariance = values.t().dot(&values) / (30.0 * 25.0);
        // All patches are not quite those that were drawn.
        let off = (&covariance - &Array2::<f64>::eye(6)).iter().fold(0.0f64, |a, b| a.max(b.abs()));
        assert!(off < 0.1, "{covariance}");
        for tile in [1, 2, 5] {
            let layer = SMALL.white_tiled(&device, 9, tile, Key::new(2)).unwrap().with_biases(0.3);
            let on_pixels = patches.on_pixels(&layer).unwrap();
            let of = |layer: Tiled, inputs: &Tensor| {
                let network = Network::new(vec![named("filters", layer)], Loss::SquaredError).unwrap();
                network.activity(inputs.view(), 1).to_array_f64().unwrap()
            };
            let (found, expected) = (of(on_pixels, &device.tensor(&pixels)), of(layer, &white));
            assert!((found - expected).iter().all(|off| off.abs() < 1e-9), "tile {tile}");
        }
    }

    /// 9 − 4 = 5 positions and 2 pools on a side.
    #[test]
    fn sizes_by_hand() {
        let device = Device::cpu();
        let layers = SMALL.layers(SMALL.tiled(&device, 9, 2, Key::new(1)).unwrap()).unwrap();
        let outputs: Vec<_> = layers.iter().map(|(_, layer)| layer.outputs()).collect();
        assert_eq!(outputs, [5 * 5 * 3, 2 * 2 * 3]);
    }

    /// Whitening takes the patch that a filter stands for back to the filter.
    #[test]
    fn filters_stand_for_patches_in_the_order_of_the_picture() {
        let (patches, _) = patches();
        let device = Device::reference();
        let layer = SMALL.white_tiled(&device, 9, 2, Key::new(2)).unwrap();
        let weights = layer.weights.to_array_f64().unwrap();
        let shown = patches.stand_for(&layer, 2).unwrap().mapv(f64::from);
        assert_eq!(shown.dim(), (2 * 2 * 2, 25));
        let matrix = patches.whitening.matrix();
        // The second row of the picture: set 2 and 3 of the first map, set 2 and 3 of the second.
        for (row, set, map) in [(4, 2, 0), (5, 3, 0), (6, 2, 1), (7, 3, 1)] {
            let answer = matrix.dot(&shown.row(row));
            let filter =
                weights.column(map).slice_axis(Axis(0), Slice::from(set * 6..(set + 1) * 6)).to_owned();
            assert!((&answer - &filter).iter().all(|off| off.abs() < 1e-4), "{row}: {answer} {filter}");
        }
    }
}
