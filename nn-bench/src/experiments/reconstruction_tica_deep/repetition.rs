//! The whole of it once: scenes, stacks, and the unit against its controls.

use ndarray::Array2;
use nn_core::{Device, Key, Tensor};

use super::Recipe;
use super::controls::Controls;
use super::scenes::{Scenes, Shares, Sources};
use super::selectivity::{Selectivity, never};
use super::stack::{Kind, Stack};
use crate::run::Run;
use crate::run_error::RunError;

// Purposes of keys.
const TRAINING: u64 = 1;
const TESTS: u64 = 2;
const FILTERS: u64 = 3;
const SHUFFLE: u64 = 4;

/// The stacks that are compared.
const DEEP: Kind = Kind { name: "deep", trained: true, normalised: true };
const PLAIN: Kind = Kind { name: "plain", trained: true, normalised: false };
const RANDOM: Kind = Kind { name: "random", trained: false, normalised: true };

/// What the unit is compared with: the beginning of the names of metrics, and words.
pub(super) const CONTROLS: [(&str, &str); 5] = [
    ("shuffled_labels", "unit chosen by shuffled labels"),
    ("random_filters", "stack of random filters"),
    ("linear_filter", "best linear filter"),
    ("one_stage", "one stage"),
    ("no_normalisation", "stack without normalisation"),
];

/// How often which unit was right.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// The best unit of the deep stack.
    pub(super) found: Selectivity,
    /// What [`CONTROLS`] names.
    pub(super) controls: [Selectivity; 5],
    /// "Never of the class", in percent, and its standard error.
    pub(super) never: [f64; 2],
}

/// One repetition.
#[derive(Debug)]
pub(super) struct Repetition {
    pub(super) training: Scenes,
    pub(super) tests: Scenes,
    pub(super) deep: Stack,
    pub(super) plain: Stack,
    /// Of the deep stack's top to the test scenes.
    pub(super) responses: Array2<f32>,
    pub(super) outcome: Outcome,
}

impl Repetition {
    /// With randomness of its own; everything but photographs and objects is drawn anew.
    ///
    /// # Errors
    /// As [`Stacking::build`](super::stack::Stacking::build), and if scenes cannot be composed.
    pub(super) fn carry_out(
        run: &Run,
        recipe: &Recipe,
        [for_training, for_tests]: &[Sources; 2],
        device: &Device,
        number: u64,
        key: Key,
    ) -> Result<Repetition, RunError> {
        let timer = run.phase("composing scenes");
        let draw = |sources: &Sources, shares: Shares, count: usize, purpose: u64| {
            recipe.composition.draw(sources, recipe.objects.class(), shares, count, key.fold_in(purpose))
        };
        let training = draw(for_training, recipe.learned_shares, recipe.training, TRAINING)?;
        let tests = draw(for_tests, recipe.tested_shares, recipe.tests, TESTS)?;
        drop(timer);

        let (images, side) = (device.tensor(&training.images), recipe.composition.side);
        let build =
            |kind: Kind| recipe.stacking.build(run, kind, number, &images, side, key.fold_in(FILTERS));
        let (deep, plain, random) = (build(DEEP)?, build(PLAIN)?, build(RANDOM)?);

        let timer = run.phase("choosing units");
        let shown = device.tensor(&tests.images);
        let templates = rows(&images, recipe.templates.min(images.rows()));
        let controls = Controls { tests: &tests, shown: &shown, templates };
        let (found, responses) = controls.top(&deep)?;
        let compared = [
            controls.shuffled(&deep, key.fold_in(SHUFFLE))?,
            controls.top(&random)?.0,
            controls.linear(&deep)?,
            controls.first_stage(&deep)?,
            controls.top(&plain)?.0,
        ];
        drop(timer);
        let outcome = Outcome { found, controls: compared, never: never(&tests.of_class) };
        Ok(Repetition { training, tests, deep, plain, responses, outcome })
    }
}

/// The first rows.
fn rows(tensor: &Tensor, count: usize) -> Tensor {
    let mut first = tensor.device().zeros(count, tensor.columns());
    first.assign(tensor.row_range(0..count));
    first
}
