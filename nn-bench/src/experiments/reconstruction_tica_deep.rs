//! A unit that answers to one class of objects, in a deep stack that saw no labels.

mod controls;
mod invariance;
mod pictures;
mod report;
mod scenes;
mod selectivity;
mod stack;

use nn_conv::Ascent;
use nn_core::{Binarize, Dataset, Key, Tensor};
use nn_data::augment::AffineRanges;

use crate::digits::{DigitSet, Digits};
use crate::experiment::{Experiment, ProfileInfo};
use crate::natural_images::NaturalSet;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use controls::Controls;
use scenes::{Composition, Shares, Sources, halves};
use stack::{Kind, Stacking, StageShape};

/// The experiment.
#[derive(Debug)]
pub struct ReconstructionTicaDeep;

// Purposes of keys.
const PHOTOGRAPHS: u64 = 1;
const TRAINING: u64 = 2;
const TESTS: u64 = 3;
const FILTERS: u64 = 4;
const SHUFFLE: u64 = 5;
const ASCENT: u64 = 6;
const CURVES: u64 = 7;

/// The stacks that are compared.
const DEEP: Kind = Kind { name: "deep", trained: true, normalised: true };
const PLAIN: Kind = Kind { name: "plain", trained: true, normalised: false };
const RANDOM: Kind = Kind { name: "random", trained: false, normalised: true };

/// Starts from which the best input of the unit is searched.
const STARTS: usize = 8;
/// Objects whose responses make up the curves of invariance.
const CURVE_OBJECTS: usize = 200;

/// What a profile sets.
#[derive(Clone, Debug)]
struct Recipe {
    digits: DigitSet,
    clutter: NaturalSet,
    class: u8,
    /// Scenes without labels.
    training: usize,
    /// Scenes with labels; half of them choose unit and threshold, the others judge.
    tests: usize,
    learned_shares: Shares,
    tested_shares: Shares,
    composition: Composition,
    stacking: Stacking,
    /// Training scenes that are tried as linear filters.
    templates: usize,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let stage = |[field, stride, maps, pool, pool_stride]: [usize; 5],
                     surround,
                     sparsity_weight,
                     epochs,
                     rate| {
            StageShape { field, stride, maps, pool, pool_stride, surround, sparsity_weight, epochs, rate }
        };
        let default = Recipe {
            digits: DigitSet::Embedded,
            clutter: NaturalSet::Embedded,
            class: 0,
            training: 4000,
            tests: 4000,
            learned_shares: Shares { class: 0.2, other: 0.1 },
            tested_shares: Shares { class: 0.4, other: 0.3 },
            composition: Composition {
                side: 32,
                moves: AffineRanges { translation: 2.0, ..AffineRanges::default() },
                clutter: 0.4,
                amplitude: 3.0,
                contrasts: 6.0,
            },
            stacking: Stacking {
                stages: vec![
                    stage([8, 2, 8, 3, 2], Some(5), 0.1, 6, 1e-3),
                    stage([3, 1, 16, 2, 1], Some(3), 10.0, 20, 3e-3),
                    stage([3, 1, 16, 1, 1], None, 50.0, 50, 3e-3),
                ],
                epsilon: 0.01,
                batch: 50,
            },
            templates: 1000,
        };
        match profile {
            "quick" => Recipe { training: 800, tests: 800, templates: 200, ..default },
            "full" => {
                Recipe { digits: DigitSet::Full, clutter: NaturalSet::Folder, tests: 10_000, ..default }
            }
            _ => default,
        }
    }

    /// What scenes for training and for testing are made of.
    fn sources(&self, run: &mut Run, key: Key) -> Result<[Sources; 2], RunError> {
        let photographs = self.clutter.load(run, key)?;
        let Digits { train, test } = Digits::load(run, self.digits)?;
        let of = |objects, right| Sources { objects, photographs: halves(&photographs, right) };
        Ok([of(train, false), of(test, true)])
    }
}

impl Experiment for ReconstructionTicaDeep {
    fn name(&self) -> &'static str {
        "reconstruction-tica-deep"
    }

    fn title(&self) -> &'static str {
        "A unit that answers to one class of objects, learned without labels"
    }

    fn summary(&self) -> &'static str {
        "three stages of untied local filters, pools and contrast normalisation, learned by reconstruction TICA from scenes without labels: the unit at the top that answers best to objects of one class, judged on scenes that had no part in choosing it, against shuffled labels, random filters, linear filters, one stage, and no normalisation; its best input, and what it is indifferent to"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "800 scenes of 32 × 32 pixels, digits on photographs",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "4,000 scenes of 32 × 32 pixels, digits on photographs",
                duration: "under 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "the same with all of MNIST, on the photographs in `natural` within the folder of data, 10,000 test scenes",
                duration: "about 1 minute on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let (key, side) = (Key::new(run.seed), recipe.composition.side);
        report::describe(run, &recipe).while_doing("describing the stack")?;
        let [for_training, for_tests] = recipe.sources(run, key.fold_in(PHOTOGRAPHS))?;
        let timer = run.phase("composing scenes");
        let Recipe { composition, class, learned_shares, tested_shares, .. } = recipe;
        let draw = |sources: &Sources, shares: Shares, count: usize, purpose: u64| {
            composition.draw(sources, class, shares, count, key.fold_in(purpose))
        };
        let training = draw(&for_training, learned_shares, recipe.training, TRAINING)?;
        let tests = draw(&for_tests, tested_shares, recipe.tests, TESTS)?;
        drop(timer);
        pictures::scenes(run, &recipe, &training, &tests)?;

        let filter_key = key.fold_in(FILTERS);
        let device = run.device(|device| {
            let data = Dataset::new(device, training.images.view(), Binarize::Never)?;
            let learner = recipe.stacking.learner(device, [side, side, 1], 0, data.len(), filter_key)?;
            Ok(Trial::new(learner, &data, recipe.stacking.batch))
        })?;
        let images = device.tensor(&training.images);
        let build = |run: &Run, kind: Kind| recipe.stacking.build(run, kind, &images, side, filter_key);
        let deep = build(run, DEEP)?;
        let plain = build(run, PLAIN)?;
        let random = build(run, RANDOM)?;

        let timer = run.phase("choosing units");
        let shown = device.tensor(&tests.images);
        let controls = Controls {
            tests: &tests,
            shown: &shown,
            templates: rows(&images, recipe.templates.min(images.rows())),
        };
        let (found, responses) = controls.top(&deep)?;
        let compared = vec![
            (
                "shuffled_labels",
                "unit chosen by shuffled labels",
                controls.shuffled(&deep, key.fold_in(SHUFFLE))?,
            ),
            ("random_filters", "stack of random filters", controls.top(&random)?.0),
            ("linear_filter", "best linear filter", controls.linear(&deep)?),
            ("one_stage", "one stage", controls.first_stage(&deep)?),
            ("no_normalisation", "stack without normalisation", controls.top(&plain)?.0),
        ];
        drop(timer);
        report::accuracies(run, &tests, &found, &compared)?;
        pictures::responses(run, &tests, &found, &responses, side)?;
        pictures::stages(run, &recipe, [&deep, &plain])?;

        let timer = run.phase("looking for the best input");
        let units = [found.unit; STARTS];
        let best = Ascent::default().optimal_inputs(&device, &deep.network, &units, key.fold_in(ASCENT));
        pictures::best_input(run, &best.while_doing("looking for the best input")?, side)?;
        drop(timer);
        let timer = run.phase("measuring invariance");
        let labels = for_tests.objects.labels().unwrap_or_default();
        let of_class = (0..labels.len()).filter(|&row| labels[row] == class);
        let objects: Vec<usize> = of_class.take(CURVE_OBJECTS).collect();
        let key = key.fold_in(CURVES);
        let (curves, ground) =
            invariance::curves(&device, &deep.network, found.unit, composition, &for_tests, &objects, key)?;
        drop(timer);
        pictures::invariance(run, &curves, ground)
    }
}

/// The first rows.
fn rows(tensor: &Tensor, count: usize) -> Tensor {
    let mut first = tensor.device().zeros(count, tensor.columns());
    first.assign(tensor.row_range(0..count));
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::Device;

    #[test]
    fn every_stage_fits_what_the_one_below_leaves() {
        for profile in ["quick", "default", "full"] {
            let recipe = Recipe::of(profile);
            let shapes = recipe.stacking.shapes(recipe.composition.side).unwrap();
            assert_eq!(shapes.len(), recipe.stacking.stages.len());
            let device = Device::cpu();
            let mut image = [recipe.composition.side, recipe.composition.side, 1];
            for (stage, left) in shapes.into_iter().enumerate() {
                assert!(
                    recipe.stacking.learner(&device, image, stage, 100, Key::new(1)).is_ok(),
                    "{profile}"
                );
                image = left;
            }
        }
    }
}
