//! Which digits have labels, and what a softmax learns from them.

use nn_core::{Binarize, Cases, Dataset, Device, Key, Tensor};
use nn_data::uniform::permutation;
use nn_data::{DataError, Images};

use super::{CLASSES, Features, KINDS, Recipe};
use crate::digits::{Digits, classes_of};
use crate::linear_classifier::LinearClassifier;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::seed_mean::SeedMean;
use crate::standardization::Standardization;

/// Digits 5 to 9, whose labels nobody sees, and digits 0 to 4.
pub(super) struct Split {
    pub(super) unlabelled: Images,
    pub(super) train: Images,
    pub(super) test: Images,
}

impl Split {
    /// With so many digits without labels, and so many test digits, at most.
    pub(super) fn of(digits: &Digits, unlabelled: usize, tests: usize) -> Result<Split, DataError> {
        let of = |images: &Images, wanted: bool, most: usize| {
            let classes = classes_of(images);
            let chosen = (0..classes.len()).filter(|&case| (classes[case] < CLASSES) == wanted);
            images.rows(&chosen.take(most).collect::<Vec<_>>())
        };
        Ok(Split {
            unlabelled: of(&digits.train, false, unlabelled)?,
            train: of(&digits.train, true, usize::MAX)?,
            test: of(&digits.test, true, tests)?,
        })
    }
}

/// The classes of the digits that can have labels, and of the test digits.
pub(super) struct Labelled {
    pub(super) train: Vec<usize>,
    pub(super) test: Vec<usize>,
}

impl Labelled {
    /// So many random digits of each class, in random order.
    pub(super) fn choose(&self, of_each_class: usize, key: Key) -> Vec<usize> {
        let mut left = [of_each_class; CLASSES];
        let mut order = permutation(self.train.len(), &mut key.generator());
        order.retain(|&case| {
            let left = &mut left[self.train[case]];
            let taken = *left > 0;
            *left = left.saturating_sub(1);
            taken
        });
        order
    }

    /// Percent of the test digits that a softmax gets right which learned from the chosen ones. Features are
    /// standardised by what they are for these.
    pub(super) fn accuracy(
        &self,
        run: &Run,
        recipe: &Recipe,
        features: &Features,
        chosen: &[usize],
        key: Key,
    ) -> Result<f64, RunError> {
        let doing = "learning from few labels";
        let device = features.train.device();
        let mut own = device.zeros(chosen.len(), features.train.columns());
        own.view_mut().gather(&features.train, chosen);
        let standard = Standardization::of(&own).while_doing(doing)?;
        let own_classes: Vec<usize> = chosen.iter().map(|&case| self.train[case]).collect();
        let train = with_classes(device, standard.apply(&own), &own_classes).while_doing(doing)?;
        let test = with_classes(device, standard.apply(&features.test), &self.test).while_doing(doing)?;
        let classifier = recipe.classifier;
        let in_an_epoch = (chosen.len() / classifier.batch.min(chosen.len())) as u64;
        let epochs = recipe.updates.div_ceil(in_an_epoch).max(classifier.epochs);
        let classified = LinearClassifier { epochs, ..classifier }.test(run, &train, &test, key)?;
        Ok(100.0 - classified.test_error)
    }
}

fn with_classes(device: &Device, inputs: Tensor, classes: &[usize]) -> Result<Dataset, nn_core::Error> {
    let one_hot = |(case, class): (usize, usize)| if classes[case] == class { 1.0 } else { 0.0 };
    let targets = device.tensor(&ndarray::Array2::from_shape_fn((classes.len(), CLASSES), one_hot));
    Dataset::on_device(Cases::new(inputs, targets), Binarize::Never)
}

/// Percent right of each seed, for each number of labels and each of [`KINDS`].
pub(super) struct Accuracies {
    found: Vec<[Vec<f64>; KINDS.len()]>,
    /// Labelled digits of all classes together.
    pub(super) labelled: Vec<usize>,
}

impl Accuracies {
    pub(super) fn new(numbers: usize) -> Accuracies {
        Accuracies { found: vec![Default::default(); numbers], labelled: vec![0; numbers] }
    }

    pub(super) fn put(&mut self, number: usize, kind: usize, labelled: usize, right: f64) {
        self.found[number][kind].push(right);
        self.labelled[number] = labelled;
    }

    pub(super) fn of(&self, number: usize, kind: usize) -> SeedMean {
        SeedMean::of(&self.found[number][kind])
    }

    /// How much more is right with one kind than with another, seed by seed.
    pub(super) fn gain(&self, number: usize, kind: usize, over: usize) -> SeedMean {
        let found = &self.found[number];
        let gains = found[kind].iter().zip(&found[over]).map(|(one, other)| one - other);
        SeedMean::of(&gains.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_of_each_class_as_asked_for_and_as_there_are() {
        let train: Vec<usize> = (0..40).map(|case| if case < 36 { case % 4 } else { 4 }).collect();
        let labelled = Labelled { train, test: Vec::new() };
        let counts = |chosen: &[usize]| {
            let of = |class| chosen.iter().filter(|&&case| labelled.train[case] == class).count();
            [0, 1, 2, 3, 4].map(of)
        };
        let few = labelled.choose(6, Key::new(1));
        assert_eq!(counts(&few), [6, 6, 6, 6, 4]);
        let distinct: std::collections::HashSet<_> = few.iter().collect();
        assert_eq!(distinct.len(), 28);
        assert_ne!(few, labelled.choose(6, Key::new(2)));
        assert_eq!(labelled.choose(usize::MAX, Key::new(1)).len(), 40);
    }

    #[test]
    fn gains_are_of_the_same_seed() {
        let mut accuracies = Accuracies::new(1);
        for (kind, right) in [(0, 80.0), (2, 83.0), (0, 90.0), (2, 95.0)] {
            accuracies.put(0, kind, 50, right);
        }
        assert_eq!(accuracies.gain(0, 2, 0), SeedMean { mean: 4.0, standard_error: 1.0 });
        assert_eq!((accuracies.of(0, 0).mean, accuracies.labelled[0]), (85.0, 50));
    }
}
