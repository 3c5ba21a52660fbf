//! Architectures ranked by what random weights make of them, and by training.

mod report;
mod square_pooling;

use nn_core::{Device, Key, Loss, Network};

use crate::experiment::{Experiment, ProfileInfo};
use crate::features::{FeatureLearning, Outcome};
use crate::grey_images::{Amounts, GreyImages, GreySet, Preparation};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use report::{best_inputs, describe, report};
use square_pooling::Architecture;

/// The experiment.
#[derive(Debug)]
pub struct SaxeArchitectures;

/// Units whose best inputs are shown.
const SHOWN: usize = 12;
/// Purposes of keys.
const IMAGES: u64 = 1;
const FILTERS: u64 = 2;
const TRAINING: u64 = 3;
const ASCENT: u64 = 4;
const BOOTSTRAP: u64 = 5;

/// What a profile sets.
struct Recipe {
    set: GreySet,
    amounts: Amounts,
    architectures: Vec<Architecture>,
    /// The architecture whose units are shown.
    shown: usize,
    seeds: u64,
    learning: FeatureLearning,
}

/// As for the random filters of Jarrett and others.
const PREPARATION: Preparation = Preparation { surround: 9, margin: 0 };

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let of = Architecture::new;
        let default = Recipe {
            set: GreySet::Digits,
            amounts: Amounts { of_each_class: 20, tests: usize::MAX },
            architectures: vec![
                of(3, 8, 3, 3),
                of(3, 8, 12, 6),
                of(6, 16, 3, 3),
                of(6, 16, 6, 3),
                of(6, 16, 12, 6),
                of(10, 16, 4, 4),
                of(10, 16, 9, 5),
                of(16, 16, 6, 3),
            ],
            shown: 3,
            seeds: 5,
            learning: FeatureLearning::default(),
        };
        let learning = default.learning;
        match profile {
            "quick" => Recipe {
                amounts: Amounts { of_each_class: 10, tests: 300 },
                architectures: vec![of(3, 4, 12, 6), of(6, 8, 3, 3), of(6, 8, 6, 3), of(16, 4, 6, 6)],
                shown: 2,
                seeds: 2,
                learning: FeatureLearning { epochs: 15, ..learning },
                ..default
            },
            "full" => Recipe {
                set: GreySet::Cifar10,
                amounts: Amounts { of_each_class: 200, tests: 5000 },
                architectures: vec![
                    of(4, 16, 4, 4),
                    of(4, 16, 8, 4),
                    of(4, 16, 14, 14),
                    of(4, 48, 8, 4),
                    of(8, 16, 4, 4),
                    of(8, 16, 8, 4),
                    of(8, 16, 12, 12),
                    of(8, 48, 8, 4),
                    of(14, 16, 4, 4),
                    of(14, 16, 8, 4),
                    of(14, 16, 19, 19),
                    of(14, 48, 8, 4),
                ],
                shown: 5,
                seeds: 3,
                learning: FeatureLearning { epochs: 20, batch: 50, ..learning },
            },
            _ => default,
        }
    }
}

/// What became of an architecture, seed by seed.
#[derive(Default)]
struct Errors {
    random: Vec<Outcome>,
    trained: Vec<Outcome>,
}

impl Experiment for SaxeArchitectures {
    fn name(&self) -> &'static str {
        "saxe-architectures"
    }

    fn title(&self) -> &'static str {
        "Random weights tell good architectures from bad ones"
    }

    fn summary(&self) -> &'static str {
        "convolution, squares and their roots over pools in several sizes: error with random weights against error after training, rank correlation, best inputs of random and trained units"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "4 architectures, 10 labelled digits a class, 2 seeds",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "8 architectures, 20 labelled digits a class, 5 seeds",
                duration: "under 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "12 architectures, 200 labelled grey images a class of CIFAR-10, 3 seeds",
                duration: "about 10 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let images = GreyImages::load(run, recipe.set)?;
        describe(run, &recipe, images.classes());
        let (key, side, learning) = (Key::new(run.seed), images.side(PREPARATION), recipe.learning);
        let task =
            |device: &Device, key: Key| images.task(device, recipe.amounts, PREPARATION, key.fold_in(IMAGES));
        let device = run.device(|device| {
            let data = task(device, key)?.train;
            let layers = recipe.architectures[recipe.shown].layers(device, side, key)?;
            let learner = learning.learner(learning.network(layers, &data)?, data.len());
            Ok(Trial::new(learner.while_doing("setting up training")?, &data, learning.batch))
        })?;

        let mut found: Vec<Errors> = recipe.architectures.iter().map(|_| Errors::default()).collect();
        for seed in 0..recipe.seeds {
            let key = key.fold_in(seed);
            let (task, key_of_training) = (task(&device, key)?, key.fold_in(TRAINING));
            for (number, (architecture, errors)) in recipe.architectures.iter().zip(&mut found).enumerate() {
                let layers = || architecture.layers(&device, side, key.fold_in(FILTERS));
                let stage = |word: &str| format!("seed{}-architecture{}-{word}", seed + 1, number + 1);
                let random = learning.random(run, &stage("random"), layers()?, &task, key_of_training)?;
                let (trained, network) =
                    learning.trained(run, &stage("trained"), layers()?, &task, key_of_training)?;
                errors.random.push(random);
                errors.trained.push(trained);
                if seed == 0 && number == recipe.shown {
                    let random = Network::new(layers()?, Loss::SquaredError)?;
                    best_inputs(run, &device, *architecture, [&random, &network], key.fold_in(ASCENT))?;
                }
            }
        }
        report(run, &recipe, &found, key.fold_in(BOOTSTRAP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_fits_its_images() {
        for (profile, side) in [("quick", 28), ("default", 28), ("full", 32)] {
            let recipe = Recipe::of(profile);
            assert!(recipe.shown < recipe.architectures.len());
            for architecture in &recipe.architectures {
                let layers = architecture.layers(&Device::cpu(), side, Key::new(1));
                assert!(layers.is_ok(), "{profile}: {architecture:?}");
            }
        }
    }
}
