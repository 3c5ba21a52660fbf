//! A linear classifier on pixels and on the pooling units of each layer.

use ndarray::Array2;
use nn_core::{ACC, Binarize, Cases, Dataset, Device, Key, OLD, Over, Reduction, Tensor, Window, x};
use nn_data::Images;
use nn_rbm::ConvolutionalDbn;
use nn_rbm::convolutional::Geometry;

use super::{Recipe, features};
use crate::digits::{self, CLASSES, Digits, SIDE};
use crate::linear_classifier::Classified;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::standardization::Standardization;

/// Blank pixels around a digit whose features are classified: half a filter, as filters have learned from digits without.
pub(super) const BORDER: usize = 4;

/// The features that are classified.
pub(super) const FEATURES: [(&str, &str); 4] =
    [("pixels", "pixels"), ("layer1", "first layer"), ("layer2", "second layer"), ("layers", "both layers")];

/// Errors for each number of labels, in the order of [`FEATURES`].
pub(super) type Found = Vec<(usize, [Classified; 4])>;

impl Recipe {
    /// Errors with each number of labels.
    pub(super) fn classify(
        &self,
        run: &Run,
        dbn: &ConvolutionalDbn,
        digits: &Digits,
        device: &Device,
        key: Key,
    ) -> Result<Found, RunError> {
        let doing = "classifying digits";
        let timer = run.phase(doing);
        let most = self.labels.iter().max().copied().unwrap_or_default();
        let train = digits.train.first_of_each_class(most / CLASSES).while_doing(doing)?;
        let first: Vec<usize> = (0..self.tests.min(digits.test.len())).collect();
        let test = digits.test.rows(&first).while_doing(doing)?;
        let wide = dbn.of_size(SIDE + 2 * BORDER, SIDE + 2 * BORDER).while_doing(doing)?;
        let of = |images: &Images| -> Result<(Vec<Tensor>, Vec<usize>), RunError> {
            let pixels = images.to_f32();
            let pooled = features(&wide, &device.tensor(&bordered(&pixels)));
            let pixels = device.tensor(&pixels);
            let layers = pooled.iter().zip(wide.layers()).zip(WINDOWS);
            let layers = layers.map(|((pooled, rbm), windows)| seen(rbm.geometry(), pooled, windows));
            Ok((std::iter::once(pixels).chain(layers).collect(), digits::classes_of(images)))
        };
        let ((train, classes), (test, test_classes)) = (of(&train)?, of(&test)?);
        let mut found = Vec::new();
        for &labels in self.labels {
            let chosen = first_of_each(&classes, labels / CLASSES);
            let labelled: Vec<usize> = chosen.iter().map(|case| classes[*case]).collect();
            let mut errors = Vec::new();
            for (number, parts) in [vec![0], vec![1], vec![2], vec![1, 2]].into_iter().enumerate() {
                let [mut learned, mut tested] = [vec![], vec![]];
                for part in parts {
                    let mut own = device.zeros(chosen.len(), train[part].columns());
                    own.view_mut().gather(&train[part], &chosen);
                    let standard = Standardization::of(&own).while_doing(doing)?;
                    learned.push(standard.apply(&own));
                    tested.push(standard.apply(&test[part]));
                }
                let learned = beside(&learned, &labelled)?;
                let tested = beside(&tested, &test_classes)?;
                let key = key.fold_in(number as u64);
                errors.push(self.classifier.test(run, &learned, &tested, key)?);
            }
            if let [pixels, first, second, both] = errors[..] {
                found.push((labels, [pixels, first, second, both]));
            }
        }
        drop(timer);
        Ok(found)
    }
}

/// The first cases of each class.
fn first_of_each(classes: &[usize], count: usize) -> Vec<usize> {
    let mut left = [count; CLASSES];
    let take = |case: &usize| {
        let left = &mut left[classes[*case]];
        *left > 0 && {
            *left -= 1;
            true
        }
    };
    (0..classes.len()).filter(take).collect()
}

/// Digits within a border of blank pixels, so that filters meet strokes near the edge with each of their parts.
fn bordered(digits: &Array2<f32>) -> Array2<f32> {
    let side = SIDE + 2 * BORDER;
    Array2::from_shape_fn((digits.nrows(), side * side), |(digit, at)| {
        let inside = |place: usize| place.checked_sub(BORDER).filter(|&place| place < SIDE);
        match (inside(at / side), inside(at % side)) {
            (Some(row), Some(column)) => digits[(digit, row * SIDE + column)],
            _ => 0.0,
        }
    })
}

/// Features beside each other, with their classes.
fn beside(parts: &[Tensor], classes: &[usize]) -> Result<Dataset, RunError> {
    let (inputs, device) = (columns_beside(parts), parts[0].device());
    let one_hot = |(case, class): (usize, usize)| if classes[case] == class { 1.0 } else { 0.0 };
    let targets = device.tensor(&Array2::from_shape_fn((classes.len(), CLASSES), one_hot));
    Dataset::on_device(Cases::new(inputs, targets), Binarize::Never).while_doing("classifying digits")
}

/// Windows over the pooling units of each layer, of which its classifier sees the means: their sides and steps.
pub(super) const WINDOWS: [&[[usize; 2]]; 2] = [&[[3, 1], [5, 2]], &[[1, 1]]];

/// Added to the sum of squares over maps before it divides.
pub(super) const SMALL: f32 = 0.01;

/// What a classifier sees of pooling units p (cases × positions · maps): means m over windows, for each size of windows one
/// after the other, and at each position all maps divided by √(Σ over maps of m² + 0.01), so that a thin stroke counts as a
/// thick one.
fn seen(geometry: &Geometry, pooled: &Tensor, windows: &[[usize; 2]]) -> Tensor {
    let (device, cases, maps) = (pooled.device(), pooled.rows(), geometry.maps);
    let [down, across] = geometry.blocks();
    let parts: Vec<Tensor> = windows
        .iter()
        .map(|&[side, step]| {
            let window = Window::new(down, across, maps, side).stride(step);
            let (positions, share) = (window.count(), 1.0 / (side * side) as f32);
            let mut means = device.zeros(cases, positions * maps);
            let grid = [cases, pooled.columns()];
            means.reduce(grid, Over::Windows(window), Reduction::Sum, pooled, ACC * share);
            let mut means = means.reshape(cases * positions, maps);
            let mut lengths = device.zeros(cases * positions, 1);
            let squares = x(&means).square();
            let length = (ACC + SMALL).sqrt();
            lengths.reduce([cases * positions, maps], Over::Columns, Reduction::Sum, squares, length);
            means.assign(OLD / &lengths);
            means.reshape(cases, positions * maps)
        })
        .collect();
    columns_beside(&parts)
}

/// Tensors of as many rows, beside each other.
fn columns_beside(parts: &[Tensor]) -> Tensor {
    let columns = parts.iter().map(Tensor::columns).sum();
    let mut all = parts[0].device().zeros(parts[0].rows(), columns);
    let mut start = 0;
    for part in parts {
        all.column_range_mut(start..start + part.columns()).assign(part);
        start += part.columns();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_within_their_border() {
        let digits = Array2::from_shape_fn((2, SIDE * SIDE), |(digit, at)| (digit * 1000 + at) as f32 + 1.0);
        let wide = bordered(&digits);
        assert_eq!((wide.dim(), wide.sum()), ((2, 36 * 36), digits.sum()));
        for (digit, row, column) in [(0, 0, 0), (0, 27, 27), (1, 5, 9)] {
            assert_eq!(wide[(digit, (row + 4) * 36 + column + 4)], digits[(digit, row * 28 + column)]);
        }
    }

    /// By the definition, one position after the other.
    #[test]
    fn classifiers_see_means_of_windows_that_are_of_one_length_over_the_maps() {
        let geometry = Geometry { height: 10, width: 8, channels: 1, filter: 1, maps: 3, block: 2 };
        let (key, device) = (Key::new(4), Device::reference());
        let value = |(case, at): (usize, usize)| f64::from(key.uniform((case * 100 + at) as u64));
        let pooled = Array2::from_shape_fn((2, 5 * 4 * 3), value);
        let found = seen(&geometry, &device.tensor_f64(&pooled), &[[3, 1], [1, 1]]);
        let found = found.to_array_f64().unwrap();
        assert_eq!(found.dim(), (2, (3 * 2 + 5 * 4) * 3));
        for (case, row, column) in [(0, 0, 0), (1, 2, 1), (1, 1, 0)] {
            let of = |map: usize| {
                let unit = |tap: usize| (row + tap / 3) * 4 + column + tap % 3;
                (0..9).map(|tap| pooled[(case, unit(tap) * 3 + map)]).sum::<f64>() / 9.0
            };
            let length = ((0..3).map(|map| of(map).powi(2)).sum::<f64>() + 0.01).sqrt();
            for map in 0..3 {
                let off = found[(case, (row * 2 + column) * 3 + map)] - of(map) / length;
                assert!(off.abs() < 1e-6, "{off}");
            }
        }
        let at = (1, 3 * 2 * 3 + 7);
        let length = (6..9).map(|place| pooled[(1, place)].powi(2)).sum::<f64>() + 0.01;
        assert!((found[at] - pooled[(1, 7)] / length.sqrt()).abs() < 1e-6);
    }
}
