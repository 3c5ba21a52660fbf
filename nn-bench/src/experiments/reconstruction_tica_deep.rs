//! A unit that answers to one class of objects, in a deep stack that saw no labels.

mod controls;
mod invariance;
mod objects;
mod pictures;
mod repetition;
mod report;
mod scenes;
mod selectivity;
mod stack;

use nn_conv::Ascent;
use nn_core::{Binarize, Dataset, Device, Key};
use nn_data::augment::AffineRanges;

use crate::experiment::{Experiment, ProfileInfo};
use crate::natural_images::NaturalSet;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use objects::ObjectSet;
use repetition::Repetition;
use scenes::{Composition, Shares, Sources, halves};
use stack::{Stacking, StageShape};

/// The experiment.
#[derive(Debug)]
pub struct ReconstructionTicaDeep;

// Purposes of keys.
const PHOTOGRAPHS: u64 = 1;
const REPETITIONS: u64 = 2;
const TRIAL: u64 = 3;
const ASCENT: u64 = 4;
const CURVES: u64 = 5;

/// Starts from which the best input of the unit is searched.
const STARTS: usize = 8;
/// Objects whose responses make up the curves of invariance.
const CURVE_OBJECTS: usize = 200;

/// What a profile sets.
#[derive(Clone, Debug)]
struct Recipe {
    objects: ObjectSet,
    clutter: NaturalSet,
    /// Times that everything is done, each with random numbers of its own.
    repetitions: u64,
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
        let first = StageShape {
            field: 8,
            stride: 2,
            maps: 8,
            pool: 3,
            pool_stride: 2,
            surround: Some(5),
            sparsity_weight: 0.5,
            epochs: 10,
            rate: 1e-3,
        };
        let top = |sparsity_weight| StageShape {
            field: 6,
            stride: 1,
            maps: 16,
            pool: 1,
            pool_stride: 1,
            surround: None,
            sparsity_weight,
            epochs: 40,
            rate: 3e-3,
        };
        let stacking = |sparsity_weight| Stacking {
            stages: vec![first, top(sparsity_weight)],
            epsilon: 0.01,
            batch: 50,
        };
        let default = Recipe {
            objects: ObjectSet::Digits,
            clutter: NaturalSet::Embedded,
            repetitions: 5,
            training: 800,
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
            stacking: stacking(50.0),
            templates: 800,
        };
        match profile {
            "quick" => Recipe { repetitions: 1, tests: 800, templates: 200, ..default },
            "full" => Recipe {
                objects: ObjectSet::Clothes,
                clutter: NaturalSet::Folder,
                training: 4000,
                tests: 10_000,
                // Over five times as many updates, the smaller λ leaves the top mixtures that answer to no class.
                stacking: stacking(100.0),
                templates: 1000,
                ..default
            },
            _ => default,
        }
    }

    /// What scenes for training and for testing are made of.
    fn sources(&self, run: &mut Run, key: Key) -> Result<[Sources; 2], RunError> {
        let photographs = self.clutter.load(run, key)?;
        let [train, test] = self.objects.load(run)?;
        let of = |objects, right| Sources { objects, photographs: halves(&photographs, right) };
        Ok([of(train, false), of(test, true)])
    }

    /// The device of the run, which `auto` chooses by the learning of the first stage.
    fn device(&self, run: &mut Run, sources: &Sources, key: Key) -> Result<Device, RunError> {
        let Composition { side, .. } = self.composition;
        let (class, batch) = (self.objects.class(), self.stacking.batch);
        let scenes = self.composition.draw(sources, class, self.learned_shares, batch, key)?;
        run.device(|device| {
            let data = Dataset::new(device, scenes.images.view(), Binarize::Never)?;
            let learner = self.stacking.learner(device, [side, side, 1], 0, data.len(), key)?;
            Ok(Trial::new(learner, &data, batch))
        })
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
        "two stages of untied local filters, with pools and contrast normalisation between them, learned by reconstruction TICA from scenes without labels: the unit at the top that answers best to objects of one class, judged on scenes that had no part in choosing it, against shuffled labels, random filters, linear filters, one stage, and no normalisation; its best input, and what it is indifferent to"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "800 scenes of 32 × 32 pixels, digits on photographs, once",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "800 scenes of 32 × 32 pixels, digits on photographs, 4,000 test scenes, 5 times",
                duration: "under 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "4,000 scenes, the clothes of Fashion-MNIST on the photographs in `natural` within the folder of data, 10,000 test scenes, 5 times",
                duration: "about 3 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let (key, side) = (Key::new(run.seed), recipe.composition.side);
        report::describe(run, &recipe).while_doing("describing the stack")?;
        let sources = recipe.sources(run, key.fold_in(PHOTOGRAPHS))?;
        let device = recipe.device(run, &sources[0], key.fold_in(TRIAL))?;
        let carry_out = |run: &Run, number: u64| {
            let key = key.fold_in(REPETITIONS).fold_in(number);
            Repetition::carry_out(run, &recipe, &sources, &device, number, key)
        };
        // Of the first one there are pictures; of the others, the figures.
        let first = carry_out(run, 0)?;
        let mut outcomes = vec![first.outcome.clone()];
        for number in 1..recipe.repetitions {
            outcomes.push(carry_out(run, number)?.outcome);
        }
        report::accuracies(run, &outcomes)?;
        let found = &first.outcome.found;
        pictures::scenes(run, &recipe, &first.training, &first.tests)?;
        pictures::responses(run, &first.tests, found, &first.responses, side)?;
        pictures::stages(run, &recipe, [&first.deep, &first.plain])?;

        let timer = run.phase("looking for the best input");
        let (network, units) = (&first.deep.network, [found.unit; STARTS]);
        let best = Ascent::default().optimal_inputs(&device, network, &units, key.fold_in(ASCENT));
        pictures::best_input(run, &best.while_doing("looking for the best input")?, side)?;
        drop(timer);
        let timer = run.phase("measuring invariance");
        let for_tests = &sources[1];
        let labels = for_tests.objects.labels().unwrap_or_default();
        let of_class = (0..labels.len()).filter(|&row| labels[row] == recipe.objects.class());
        let objects: Vec<usize> = of_class.take(CURVE_OBJECTS).collect();
        let key = key.fold_in(CURVES);
        let (curves, ground) =
            invariance::curves(&device, network, found.unit, recipe.composition, for_tests, &objects, key)?;
        drop(timer);
        pictures::invariance(run, &curves, ground)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
