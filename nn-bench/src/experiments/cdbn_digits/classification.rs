//! A linear classifier on pixels and on the pooling units of each layer.

use nn_core::{ACC, Binarize, Cases, Dataset, Device, Key, Over, Reduction, Tensor, Window};
use nn_data::Images;
use nn_rbm::ConvolutionalDbn;

use super::{Recipe, features};
use crate::digits::{self, CLASSES, Digits};
use crate::linear_classifier::Classified;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::standardization::Standardization;

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
        let of = |images: &Images| -> Result<(Vec<Tensor>, Vec<usize>), RunError> {
            let pixels = device.tensor(&images.to_f32());
            let mut layers = features(dbn, &pixels);
            layers[0] = summed(dbn, &layers[0]);
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

/// Features beside each other, with their classes.
fn beside(parts: &[Tensor], classes: &[usize]) -> Result<Dataset, RunError> {
    let columns = parts.iter().map(Tensor::columns).sum();
    let device = parts[0].device();
    let mut inputs = device.zeros(parts[0].rows(), columns);
    let mut start = 0;
    for part in parts {
        inputs.column_range_mut(start..start + part.columns()).assign(part);
        start += part.columns();
    }
    let one_hot = |(case, class): (usize, usize)| if classes[case] == class { 1.0 } else { 0.0 };
    let targets = device.tensor(&ndarray::Array2::from_shape_fn((classes.len(), CLASSES), one_hot));
    Dataset::on_device(Cases::new(inputs, targets), Binarize::Never).while_doing("classifying digits")
}

/// Windows over the pooling units of the first layer, whose sums its classifier sees: 3×3 units, step 2.
fn windows(dbn: &ConvolutionalDbn) -> Window {
    let geometry = dbn.layers()[0].geometry();
    let [down, across] = geometry.blocks();
    Window::new(down, across, geometry.maps, 3).stride(2)
}

/// The sums over [`windows`] of the pooling units of the first layer.
fn summed(dbn: &ConvolutionalDbn, pooled: &Tensor) -> Tensor {
    let window = windows(dbn);
    let mut out = pooled.device().zeros(pooled.rows(), window.count() * window.channels);
    let grid = [pooled.rows(), pooled.columns()];
    out.reduce(grid, Over::Windows(window), Reduction::Sum, pooled, ACC);
    out
}
