//! Model cells of the primary visual cortex, learned from natural patches, against what Gabor functions predict of them.

mod answers;
mod cells;
mod comparison;
mod mapping;
mod report;

use nn_core::{Binarize, Dataset, Device, Key, Parameters, Penalty, Sgd};
use nn_sparse::{ObjectiveLearner, OrthonormalDescent};

use crate::experiment::{Experiment, ProfileInfo};
use crate::natural_images::NaturalSet;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use cells::{Cells, White};
use comparison::Compared;

/// The experiment.
#[derive(Debug)]
pub struct V1;

// Purposes of keys.
const PATCHES: u64 = 1;
const SIMPLE: u64 = 2;
const POOLED: u64 = 3;
const NOISE: u64 = 4;
const STIMULI: u64 = 5;
const SPIKES: u64 = 6;

/// What a profile sets.
struct Recipe {
    set: NaturalSet,
    /// Pixels on a side of a patch.
    side: usize,
    patches: usize,
    /// Simple cells, and filters of complex cells.
    units: usize,
    /// Filters of a complex cell.
    pool: usize,
    /// Steps of FastICA and of subspace ICA, at most.
    steps: [u64; 2],
    /// Patches of white noise that cells are mapped with.
    stimuli: usize,
    /// Learned cells of each kind that are mapped.
    mapped: usize,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            set: NaturalSet::Embedded,
            side: 16,
            patches: 40_000,
            units: 100,
            pool: 4,
            steps: [200, 300],
            stimuli: 60_000,
            mapped: 4,
        };
        match profile {
            "quick" => Recipe {
                set: NaturalSet::DeadLeaves,
                side: 8,
                patches: 4_000,
                units: 36,
                steps: [40, 40],
                stimuli: 6_000,
                mapped: 1,
                ..default
            },
            "full" => Recipe { set: NaturalSet::Folder, side: 20, patches: 80_000, units: 160, ..default },
            _ => default,
        }
    }
}

impl Experiment for V1 {
    fn name(&self) -> &'static str {
        "v1"
    }

    fn title(&self) -> &'static str {
        "Linear and energy models of cells, against what Gabor functions predict"
    }

    fn summary(&self) -> &'static str {
        "independent components and subspaces of natural patches as simple and complex cells: answers to gratings against those of the Gabor functions and pairs in quadrature that fit them, widths of tuning, invariance to phase; cells mapped by white noise and spikes; noise as control"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "36 simple and 9 complex cells, 4,000 patches of 8 × 8 pixels of dead leaves",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "100 simple and 25 complex cells, 40,000 patches of 16 × 16 pixels of two photographs",
                duration: "about 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "160 simple and 40 complex cells, 80,000 patches of 20 × 20 pixels of the photographs in `natural` within the folder of data",
                duration: "about 5 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        report::describe(run, &recipe);
        let white = White::make(run, &recipe, key.fold_in(PATCHES))?;
        let device = run.device(|device| trial(device, &recipe, &white))?;
        let cells = Cells::learn(run, &recipe, &device, &white, key)?;

        let timer = run.phase("answers to gratings");
        let (side, pool) = (recipe.side, recipe.pool);
        let doing = "comparing cells with Gabor functions";
        let noise = |smoothing, purpose| {
            comparison::noise(recipe.units, side, smoothing, key.fold_in(NOISE).fold_in(purpose))
        };
        let (white_noise, smooth_noise) = (noise(0.0, 0), noise(1.0, 1));
        let simple = [
            Compared::simple("FastICA", "simple", &cells.simple, side).while_doing(doing)?,
            Compared::simple("white noise", "simple_white_noise", &white_noise, side).while_doing(doing)?,
            Compared::simple("smooth noise", "simple_smooth_noise", &smooth_noise, side)
                .while_doing(doing)?,
        ];
        let complex = [
            Compared::pools("subspaces", "complex", &cells.pooled, side, pool).while_doing(doing)?,
            Compared::pools("FastICA in any groups", "complex_grouped", &cells.simple, side, pool)
                .while_doing(doing)?,
            Compared::pools("smooth noise", "complex_smooth_noise", &smooth_noise, side, pool)
                .while_doing(doing)?,
        ];
        drop(timer);
        report::cells(run, &recipe, &cells, &simple[0], &complex[0])?;
        answers::report(run, &simple, &complex)?;

        let timer = run.phase("mapping by white noise");
        let maps = mapping::maps(run, &recipe, &cells, [key.fold_in(STIMULI), key.fold_in(SPIKES)])?;
        drop(timer);
        report::maps(run, &recipe, &maps)
    }
}

/// Evaluations of the objective of subspaces with gradient, which most of a step consists of.
fn trial(device: &Device, recipe: &Recipe, white: &White) -> Result<Trial, RunError> {
    let doing = "setting up subspaces";
    let data = Dataset::new(device, white.patches.view(), Binarize::Never).while_doing(doing)?;
    let objective = cells::subspaces(device, recipe).while_doing(doing)?;
    let start = OrthonormalDescent::new(&objective, Key::new(0)).while_doing(doing)?.weights().duplicate();
    let sgd = |parameters: &dyn Parameters| Sgd::new(parameters, 0.1, 0.0, Penalty::default());
    let learner = ObjectiveLearner::new(objective, start, sgd).while_doing(doing)?;
    Ok(Trial::new(learner, &data, white.patches.nrows()))
}
