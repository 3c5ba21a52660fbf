//! Features from digits without labels that help to tell other digits apart, of which few have labels.

mod autoencoder;
mod classification;
mod filters;
mod report;

use nn_core::{Dataset, Device, Key, LatentModel, Tensor, latent};
use nn_data::Images;

use crate::digits::{DigitSet, Digits, classes_of};
use crate::experiment::{Experiment, ProfileInfo};
use crate::linear_classifier::LinearClassifier;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use autoencoder::Encoder;
use classification::{Accuracies, Labelled, Split};
use filters::{Bank, Filtering};

/// The experiment.
#[derive(Debug)]
pub struct SelfTaught;

// Purposes of keys.
const PATCHES: u64 = 1;
const FILTERS: u64 = 2;
const AUTOENCODER: u64 = 3;
const SUBSETS: u64 = 4;
const RANDOM_FILTERS: u64 = 5;
const RANDOM_UNITS: u64 = 6;
const SOFTMAX: u64 = 7;

/// Digits below this are told apart; the others have no labels.
const CLASSES: usize = 5;

/// Kinds of features: words of metrics and of the page.
const KINDS: [(&str, &str); 5] = [
    ("pixels", "pixels"),
    ("random_filters", "random filters"),
    ("rica", "filters of reconstruction ICA"),
    ("random_units", "random hidden units"),
    ("autoencoder", "sparse autoencoder"),
];

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    /// Digits without labels at most.
    unlabelled: usize,
    tests: usize,
    /// Labelled digits of each class; [`usize::MAX`] stands for all that there are.
    labels: &'static [usize],
    /// Choices of the labelled digits, and of random filters and units.
    seeds: u64,
    filtering: Filtering,
    encoder: Encoder,
    /// Updates of the softmax, or as many as `classifier` has epochs if those are more.
    updates: u64,
    classifier: LinearClassifier,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            digits: DigitSet::Embedded,
            unlabelled: usize::MAX,
            tests: usize::MAX,
            labels: &[3, 10, 30, 100, 300, usize::MAX],
            seeds: 5,
            filtering: Filtering {
                side: 9,
                maps: 32,
                pool: 5,
                patches: 20_000,
                epsilon: 0.01,
                sparsity: 5e-4,
                smoothing: 1e-2,
                steps: 300,
            },
            encoder: Encoder {
                hidden: 200,
                target: 0.1,
                weight: 3.0,
                decay: 3e-3,
                epochs: 150,
                batch: 200,
                rate: 0.005,
            },
            updates: 2000,
            classifier: LinearClassifier { epochs: 20, batch: 20, rate: 4.0, decays: &[1e-3, 1e-4, 1e-5] },
        };
        match profile {
            "quick" => Recipe {
                unlabelled: 500,
                tests: 250,
                labels: &[3, 10],
                seeds: 2,
                filtering: Filtering { maps: 16, patches: 2_000, steps: 60, ..default.filtering },
                encoder: Encoder { hidden: 50, epochs: 20, batch: 100, ..default.encoder },
                updates: 300,
                ..default
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                labels: &[10, 30, 100, 300, 1000, usize::MAX],
                filtering: Filtering { patches: 50_000, ..default.filtering },
                encoder: Encoder { epochs: 40, batch: 500, ..default.encoder },
                classifier: LinearClassifier { epochs: 10, ..default.classifier },
                ..default
            },
            _ => default,
        }
    }
}

/// What a model makes of the labelled and the test digits.
struct Features {
    train: Tensor,
    test: Tensor,
}

impl Features {
    fn of(pixels: &Features, make: impl Fn(&Tensor) -> Tensor) -> Features {
        Features { train: make(&pixels.train), test: make(&pixels.test) }
    }

    fn of_codes(pixels: &Features, model: &impl LatentModel) -> Features {
        Features::of(pixels, |pixels| latent::codes(model, pixels.view()))
    }
}

impl Experiment for SelfTaught {
    fn name(&self) -> &'static str {
        "self-taught"
    }

    fn title(&self) -> &'static str {
        "Digits that have no labels teach features for other digits"
    }

    fn summary(&self) -> &'static str {
        "convolutional filters by reconstruction ICA and a sparse autoencoder, learned from digits 5 to 9 without labels: a softmax on their features of digits 0 to 4, against pixels and random features of the same shape, over the number of labels"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "16 filters and 50 hidden units from 500 digits, 3 and 10 labels of each class, 2 seeds",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "32 filters and 200 hidden units from 2,000 digits, 3 labels of each class to all, 5 seeds",
                duration: "about 3 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "the same from all digits 5 to 9 of MNIST, 10 labels of each class to all, 5 seeds",
                duration: "some tens of minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        report::describe(run, &recipe);
        let doing = "choosing digits";
        let digits = Digits::load(run, recipe.digits)?;
        let Split { unlabelled, train, test } =
            Split::of(&digits, recipe.unlabelled, recipe.tests).while_doing(doing)?;
        report::describe_digits(run, &unlabelled, &train, &test);
        let upload = |device: &Device, images: &Images| {
            Dataset::new(device, images.to_f32().view(), nn_core::Binarize::Never).while_doing(doing)
        };
        let encoder_key = key.fold_in(AUTOENCODER);
        let device = run.device(|device| {
            let data = upload(device, &unlabelled)?;
            let learner = recipe.encoder.learner(&data, encoder_key).while_doing("setting up")?;
            Ok(Trial::new(learner, &data, recipe.encoder.batch))
        })?;

        let filtering = recipe.filtering;
        let patches = filtering.patches(&unlabelled, key.fold_in(PATCHES))?;
        let learned_filters = filtering.learn(run, &device, &patches, key.fold_in(FILTERS))?;
        let data = upload(&device, &unlabelled)?;
        let (autoencoder, figures) = recipe.encoder.learn(run, &data, encoder_key)?;

        let timer = run.phase("computing features");
        let pixels = Features { train: device.tensor(&train.to_f32()), test: device.tensor(&test.to_f32()) };
        let convolved = |bank: &Bank| -> Result<Features, RunError> {
            let network = filtering.network(&device, &patches.whitening, bank)?;
            Ok(Features::of(&pixels, |pixels| filters::pooled(&network, pixels)))
        };
        let rica = convolved(&learned_filters)?;
        let encoded = Features::of_codes(&pixels, &autoencoder);
        drop(timer);

        let labelled = Labelled { train: classes_of(&train), test: classes_of(&test) };
        let total = recipe.seeds * recipe.labels.len() as u64;
        let progress = run.progress("learning from few labels", total);
        let timer = run.phase("learning from few labels");
        let mut accuracies = Accuracies::new(recipe.labels.len());
        let mut first_random = None;
        for seed in 0..recipe.seeds {
            let key = key.fold_in(SUBSETS).fold_in(seed);
            let random_filters = filtering.random(key.fold_in(RANDOM_FILTERS));
            let random = convolved(&random_filters)?;
            first_random.get_or_insert(random_filters);
            let units = recipe.encoder.model(&device, pixels.train.columns(), key.fold_in(RANDOM_UNITS));
            let units = Features::of_codes(&pixels, &units.while_doing("drawing hidden units")?);
            for (number, &labels) in recipe.labels.iter().enumerate() {
                let chosen = labelled.choose(labels, key);
                for (kind, features) in [&pixels, &random, &rica, &units, &encoded].into_iter().enumerate() {
                    let key = key.fold_in(SOFTMAX);
                    let right = labelled.accuracy(run, &recipe, features, &chosen, key)?;
                    accuracies.put(number, kind, chosen.len(), right);
                }
                progress.set(seed * recipe.labels.len() as u64 + number as u64 + 1);
            }
        }
        drop((timer, progress));
        report::report(run, &recipe, &accuracies)?;
        let random_filters = first_random.as_ref().unwrap_or(&learned_filters);
        report::pictures(run, filtering, [&learned_filters, random_filters], &autoencoder)?;
        report::course(run, &learned_filters, &figures)
    }
}
