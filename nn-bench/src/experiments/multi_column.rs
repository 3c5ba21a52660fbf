//! Columns that see images prepared in different ways, and the mean of what they say.

mod preparation;
mod report;
mod verdicts;

use nn_conv::{Committee, Convolution, Filters, Pool, Pooling};
use nn_core::init::Initialization;
use nn_core::layer::Dense;
use nn_core::network::named;
use nn_core::{
    Activation, Dataset, Device, Error, Key, Loss, Network, Penalty, Schedule, Sgd, SupervisedLearner,
    Window, checkpoint,
};
use nn_data::Images;
use nn_data::augment::AffineRanges;

use crate::cifar_files;
use crate::copies::with_copies;
use crate::digits::{CLASSES, DigitSet, Digits, classes_of};
use crate::experiment::{Experiment, ProfileInfo};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;
use preparation::Preparation;
use report::{describe, preparations, report};

/// The experiment.
#[derive(Debug)]
pub struct MultiColumn;

const BATCH: usize = 100;
/// Training images that a column is measured on.
const WATCHED: usize = 1000;
/// Images that are shown as the columns see them.
const SHOWN: usize = 12;
/// Purposes of keys, within a column.
const WEIGHTS: u64 = 1;
const COPIES: u64 = 2;
const TRAINING: u64 = 3;

/// What a profile sets.
struct Recipe {
    /// The digits; none: the photographs of CIFAR-10.
    digits: Option<DigitSet>,
    /// Training and test images of these that are used.
    cases: [usize; 2],
    columns: Vec<Preparation>,
    /// Pixels on a side of what a column sees.
    side: usize,
    maps: [usize; 2],
    /// Pixels on a side of the filters, and of the pools, of the two convolutions.
    filters: [usize; 2],
    pools: [usize; 2],
    hidden: usize,
    /// Distorted copies of each image, and how far they are distorted.
    copies: usize,
    ranges: AffineRanges,
    epochs: u64,
    rate: f32,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        use Preparation::{Contrast, LocalContrast, None as AsTheyAre, Width};
        let default = Recipe {
            digits: Some(DigitSet::Embedded),
            cases: [usize::MAX; 2],
            columns: vec![AsTheyAre, Width(10), Width(14), Width(18), Width(20)],
            side: 29,
            maps: [20, 40],
            filters: [4, 5],
            pools: [2, 3],
            hidden: 150,
            copies: 2,
            ranges: AffineRanges { rotation: 0.15, scale: 0.1, shear: 0.1, translation: 1.5 },
            epochs: 8,
            rate: 0.05,
        };
        match profile {
            "quick" => Recipe {
                cases: [800, 400],
                columns: vec![AsTheyAre, Width(12), Width(18)],
                maps: [6, 12],
                hidden: 40,
                copies: 0,
                epochs: 6,
                ..default
            },
            "full" => Recipe {
                digits: Some(DigitSet::Full),
                columns: std::iter::once(AsTheyAre).chain([10, 12, 14, 16, 18, 20].map(Width)).collect(),
                copies: 1,
                epochs: 10,
                ..default
            },
            "cifar10" => Recipe {
                digits: None,
                columns: vec![AsTheyAre, Contrast, LocalContrast],
                side: 32,
                maps: [32, 64],
                filters: [5, 5],
                pools: [2, 2],
                copies: 0,
                epochs: 10,
                rate: 0.02,
                ..default
            },
            _ => default,
        }
    }

    fn network(&self, device: &Device, channels: usize, key: Key) -> Result<Network, Error> {
        let start = Initialization::GlorotUniform { gain: 1.0 };
        let (mut layers, mut side, mut below) = (Vec::new(), self.side, channels);
        for (index, ((filter, pool), maps)) in
            self.filters.into_iter().zip(self.pools).zip(self.maps).enumerate()
        {
            let filters = Filters::new(Window::new(side, side, below, filter), maps);
            let key = key.fold_in(index as u64);
            let convolution = Convolution::new(device, filters, Activation::Identity, start, key)?;
            side = side + 1 - filter;
            // Rectified after the maximum, which is the same as before it and less work.
            let window = Window::new(side, side, maps, pool).stride(pool);
            let pooling = Pooling::new(window, Pool::Max, Activation::RectifiedLinear)?;
            layers.push(named(&format!("conv{}", index + 1), convolution));
            layers.push(named(&format!("pool{}", index + 1), pooling));
            side /= pool;
            below = maps;
        }
        let dense = |inputs: usize, outputs: usize, activation: Activation, key: Key| {
            Dense::new(device, inputs, outputs, activation, start, key)
        };
        let inputs = side * side * below;
        layers
            .push(named("hidden", dense(inputs, self.hidden, Activation::RectifiedLinear, key.fold_in(2))?));
        layers.push(named("output", dense(self.hidden, CLASSES, Activation::Identity, key.fold_in(3))?));
        Network::new(layers, Loss::CrossEntropy)
    }

    fn learner(
        &self,
        device: &Device,
        channels: usize,
        cases: usize,
        key: Key,
    ) -> Result<SupervisedLearner<Sgd>, RunError> {
        let doing = "setting up a column";
        let network = self.network(device, channels, key.fold_in(WEIGHTS)).while_doing(doing)?;
        let updates = self.epochs * (cases / BATCH) as u64;
        let rate = Schedule::Linear { from: self.rate, to: 0.0, updates };
        let sgd = Sgd::new(&network, rate, 0.9, Penalty::l2(5e-4)).while_doing(doing)?;
        Ok(SupervisedLearner::new(network, sgd))
    }

    /// Training and test images.
    fn images(&self, run: &mut Run) -> Result<[Images; 2], RunError> {
        let all = match self.digits {
            Some(set) => {
                let Digits { train, test } = Digits::load(run, set)?;
                [train, test]
            }
            None => cifar_files::load(run)?.into(),
        };
        let [train, test] = all;
        let first = |images: Images, count: usize| {
            images.rows(&(0..images.len().min(count)).collect::<Vec<_>>()).while_doing("choosing images")
        };
        Ok([first(train, self.cases[0])?, first(test, self.cases[1])?])
    }

    /// Training images as a column sees them, with their copies.
    fn data(
        &self,
        device: &Device,
        images: &Images,
        preparation: Preparation,
        key: Key,
    ) -> Result<Dataset, RunError> {
        let inputs = preparation.apply(device, images, self.side)?;
        let (size, key) = ([self.side, self.side, images.channels()], key.fold_in(COPIES));
        let (inputs, labels) = with_copies(inputs, classes_of(images), size, self.ranges, self.copies, key)?;
        Dataset::labelled(device, inputs.view(), &labels, CLASSES).while_doing("uploading the images")
    }
}

impl Experiment for MultiColumn {
    fn name(&self) -> &'static str {
        "multi-column"
    }

    fn title(&self) -> &'static str {
        "A committee of networks errs less than any of them"
    }

    fn summary(&self) -> &'static str {
        "convolutional networks trained apart on images prepared in different ways, such as digits of different widths: errors of the columns, of the committee, and who errs where"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "3 small columns, 6 epochs of 800 digits",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "5 columns, 8 epochs of 4,000 digits and 2 distorted copies of each",
                duration: "about 3 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "7 columns, 10 epochs of MNIST and a distorted copy of each digit",
                duration: "about 1 hour on 2 cores",
            },
            ProfileInfo {
                name: "cifar10",
                what: "3 columns with other contrasts, 10 epochs of CIFAR-10 each",
                duration: "about 1 hour on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let [train, test] = recipe.images(run)?;
        describe(run, &recipe, [train.len(), test.len()]);
        let (key, channels) = (Key::new(run.seed), train.channels());
        let device = run.device(|device| {
            let rows: Vec<usize> = (0..BATCH.min(train.len())).collect();
            let few = train.rows(&rows).while_doing("choosing images")?;
            let data = recipe.data(device, &few, recipe.columns[0], key)?;
            Ok(Trial::new(recipe.learner(device, channels, data.len(), key)?, &data, BATCH))
        })?;

        let (mut networks, mut inputs) = (Vec::new(), Vec::new());
        for (column, preparation) in recipe.columns.iter().enumerate() {
            let key = key.fold_in(column as u64);
            let data = recipe.data(&device, &train, *preparation, key)?;
            let tests = preparation.apply(&device, &test, recipe.side)?;
            let tests = Dataset::labelled(&device, tests.view(), &classes_of(&test), CLASSES)
                .while_doing("uploading the images")?;
            let mut learner = recipe.learner(&device, channels, data.len(), key)?;
            let training = Training {
                stage: &format!("column{}", column + 1),
                epochs: recipe.epochs,
                batch: BATCH,
                key: key.fold_in(TRAINING),
                measure_every: 1,
                save_every: 1,
            };
            let watched: Vec<usize> = (0..WATCHED.min(train.len())).collect();
            let mut on_train = training.measure(&data, "train ", data.cases(&watched, key));
            training.run_with(run, &mut learner, &data, &mut [&mut on_train])?;
            networks.push(learner.network);
            inputs.push(tests);
        }
        let committee = Committee::new(networks).while_doing("putting the committee together")?;
        preparations(run, &recipe, &inputs, channels)?;
        report(run, &recipe, &committee, &inputs, &test)?;
        let header = checkpoint::Header::new("multi-column model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, &committee)
            .while_doing("saving the model")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::parameters::count;

    /// 29 − 3 = 26, 13, 9, 3 pixels: 20 · 17 + 40 · 501 + 150 · 361 + 10 · 151.
    #[test]
    fn columns_have_the_published_size() {
        let recipe = Recipe::of("default");
        let network = recipe.network(&Device::cpu(), 1, Key::new(1)).unwrap();
        assert_eq!(count(&network), 20 * 17 + 40 * 501 + 150 * 361 + 10 * 151);
        for profile in ["quick", "full", "cifar10"] {
            let recipe = Recipe::of(profile);
            let channels = if recipe.digits.is_some() { 1 } else { 3 };
            assert!(recipe.network(&Device::cpu(), channels, Key::new(1)).is_ok(), "{profile}");
        }
    }
}
