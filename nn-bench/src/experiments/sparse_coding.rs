//! A dictionary of which patches of images are sums of few atoms.

mod atoms;
mod learning;
mod patches;
mod report;

use nn_core::Key;
use nn_sparse::{DictionaryLearner, Lasso};

use crate::experiment::{Experiment, ProfileInfo};
use crate::run::{Backend, Run};
use crate::run_error::{RunError, WhileDoing};
use learning::Learning;
use patches::{Images, Patches};
use report::{describe, report};

/// The experiment.
#[derive(Debug)]
pub struct SparseCoding;

/// Purposes of keys.
const IMAGES: u64 = 1;
const TRAINING: u64 = 2;
const HELD_OUT: u64 = 3;
const ATOMS: u64 = 4;
const NOISE: u64 = 5;

/// What a profile sets.
struct Recipe {
    images: Images,
    /// Pixels on a side of a patch.
    side: usize,
    /// Patches to learn from, and others.
    cases: [usize; 2],
    atoms: usize,
    lambda: f64,
    batch: usize,
    epochs: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            images: Images::DeadLeaves { count: 24, side: 256 },
            side: 12,
            cases: [40_000, 5_000],
            atoms: 192,
            lambda: 1.5,
            batch: 200,
            epochs: 10,
        };
        match profile {
            "quick" => Recipe {
                images: Images::DeadLeaves { count: 6, side: 128 },
                side: 8,
                cases: [4_000, 500],
                atoms: 80,
                epochs: 4,
                ..default
            },
            "full" => Recipe {
                images: Images::Natural,
                cases: [60_000, 10_000],
                lambda: 2.5,
                epochs: 10,
                ..default
            },
            _ => default,
        }
    }

    /// Weight of a share in units of the standard deviation of a pixel.
    fn lasso(&self) -> Result<Lasso, RunError> {
        Lasso::new(self.lambda).while_doing("setting up the codes")
    }
}

impl Experiment for SparseCoding {
    fn name(&self) -> &'static str {
        "sparse-coding"
    }

    fn title(&self) -> &'static str {
        "Patches of images as sums of few atoms"
    }

    fn summary(&self) -> &'static str {
        "an overcomplete dictionary learned from patches of images: localised, oriented edges, how well Gabor functions fit them beside noise, and patches as sums of few of them"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "80 atoms of 8×8 pixels, 4,000 patches of dead leaves, 4 epochs",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "192 atoms of 12×12 pixels, 40,000 patches of dead leaves, 10 epochs",
                duration: "less than a minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "192 atoms of 12×12 pixels, 60,000 patches of natural photographs, 10 epochs",
                duration: "about 2 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        // Solvers branch at every step: they compute on the host, in double precision.
        if !matches!(run.backend, Backend::Cpu | Backend::Reference | Backend::Auto) {
            return Err(run.backend_unsupported());
        }
        let (recipe, key) = (Recipe::of(&run.profile), Key::new(run.seed));
        describe(run, &recipe);
        let patches = {
            let _timer = run.phase("making patches");
            Patches::make(run, &recipe, key)?
        };
        let learner = DictionaryLearner::from_samples(
            patches.training.view(),
            recipe.atoms,
            recipe.lasso()?,
            key.fold_in(ATOMS),
        );
        let mut learner = learner.while_doing("drawing the first atoms")?;
        let learning = Learning { epochs: recipe.epochs, batch: recipe.batch, key };
        let curve = learning.run(run, &mut learner, &patches)?;
        report(run, &recipe, &patches, &learner, &curve, key.fold_in(NOISE))
    }
}
