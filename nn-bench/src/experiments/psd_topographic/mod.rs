//! Predictive sparse decomposition on a map, and without one.

mod learning;
mod measures;
mod report;

use ndarray::{Array2, ArrayView2, Axis, Slice};
use nn_core::{Error, Key};
use nn_data::frequency_filter;
use nn_sparse::{Dictionary, Neighborhood, PredictiveDecomposition, PredictiveSettings};

use crate::experiment::{Experiment, ProfileInfo};
use crate::natural_images::{NaturalSet, PatchRecipe};
use crate::run::{Backend, Run};
use crate::run_error::{RunError, WhileDoing};
use learning::Learning;
use measures::Analysed;

/// The experiment.
#[derive(Debug)]
pub struct PsdTopographic;

// Purposes of keys.
const PATCHES: u64 = 1;
const ATOMS: u64 = 2;
const SHUFFLES: u64 = 3;
const NOISE: u64 = 4;

/// Standard deviation of a pixel: shares are then mostly below 1, where the predictor is not yet saturated.
const DEVIATION: f32 = 0.15;
/// Standard deviations beyond which pixels are cut off.
const LIMIT: f32 = 5.0;

/// What a profile sets.
struct Recipe {
    set: NaturalSet,
    /// Pixels on a side of a patch.
    side: usize,
    /// Patches to learn from, and others.
    cases: [usize; 2],
    /// Height and width of the map.
    grid: [usize; 2],
    /// Side and stride of windows, and the deviation of their weights.
    window: (usize, usize, f64),
    /// λ with windows and without.
    lambdas: [f64; 2],
    /// Rates of the atoms at first, with windows and without: the inverse of the squares of shares, which are smaller where more
    /// of them are used.
    rates: [f32; 2],
    epochs: u64,
    shuffles: usize,
}

/// ε under the roots of windows.
const EPSILON: f64 = 1e-4;
/// κ.
const KAPPA: f64 = 1.0;
/// Of the relative gap while learning, and where codes are measured.
const TOLERANCES: [f64; 2] = [1e-3, 1e-6];
const BATCH: usize = 100;
/// Patches that first atoms are sums of.
const SUMMANDS: usize = 1_000;

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            set: NaturalSet::Embedded,
            side: 12,
            cases: [30_000, 2_000],
            grid: [16, 16],
            window: (6, 2, 1.5),
            lambdas: [0.35, 0.2],
            rates: [40.0, 15.0],
            epochs: 8,
            shuffles: 500,
        };
        match profile {
            "quick" => Recipe {
                set: NaturalSet::DeadLeaves,
                side: 8,
                cases: [2_000, 300],
                grid: [6, 8],
                window: (4, 2, 1.0),
                epochs: 2,
                shuffles: 200,
                ..default
            },
            "full" => Recipe { set: NaturalSet::Folder, cases: [100_000, 5_000], ..default },
            _ => default,
        }
    }

    fn units(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    fn windows(&self) -> Result<Neighborhood, Error> {
        let (side, stride, deviation) = self.window;
        Neighborhood::windows(self.grid, side, stride, deviation)
    }

    /// With windows or without, from atoms that are sums of patches with normal weights: noise of the patches' spectrum.
    fn model(
        &self,
        topographic: bool,
        tolerance: f64,
        patches: ArrayView2<'_, f64>,
        key: Key,
    ) -> Result<PredictiveDecomposition, Error> {
        let patches = patches.slice_axis(Axis(0), Slice::from(..SUMMANDS.min(patches.nrows())));
        let count = patches.nrows();
        let weights = Array2::from_shape_fn((self.units(), count), |(atom, patch)| {
            key.normal((atom * count + patch) as u64)
        });
        let atoms = weights.dot(&patches);
        let lambda = self.lambdas[usize::from(!topographic)];
        let settings = PredictiveSettings { tolerance, ..PredictiveSettings::new(lambda, KAPPA) };
        let model = PredictiveDecomposition::new(&Dictionary::new(atoms)?, settings)?;
        if topographic { model.with_windows(&self.windows()?, EPSILON) } else { Ok(model) }
    }
}

impl Experiment for PsdTopographic {
    fn name(&self) -> &'static str {
        "psd-topographic"
    }

    fn title(&self) -> &'static str {
        "A map of atoms, and a function that predicts their shares"
    }

    fn summary(&self) -> &'static str {
        "predictive sparse decomposition of natural patches with a penalty that windows on a torus share, against the same without windows: a map of orientations, Gabor functions fitted to atoms beside noise, how well and how fast the predictor stands in for exact codes"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "6 × 8 atoms on 2,000 patches of 8 × 8 pixels of dead leaves",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "16 × 16 atoms on 30,000 patches of 12 × 12 pixels of two photographs",
                duration: "less than 2 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "the same on 100,000 patches of the photographs in `natural` within the folder of data",
                duration: "about 5 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        // Codes are searched for on the host, in double precision.
        if !matches!(run.backend, Backend::Cpu | Backend::Reference | Backend::Auto) {
            return Err(run.backend_unsupported());
        }
        let (recipe, key) = (Recipe::of(&run.profile), Key::new(run.seed));
        report::describe(run, &recipe);
        let patches = patches(run, &recipe, key.fold_in(PATCHES))?;
        let (training, held_out) = patches.view().split_at(Axis(0), recipe.cases[0]);
        let mut found = Vec::new();
        for (name, topographic) in [("topographic", true), ("plain", false)] {
            let rate = recipe.rates[usize::from(!topographic)];
            let learning = Learning { name, epochs: recipe.epochs, batch: BATCH, rate, key };
            let [loose, tight] = TOLERANCES;
            let model = |tolerance| {
                let model = recipe.model(topographic, tolerance, training, key.fold_in(ATOMS));
                model.while_doing("setting up the model")
            };
            let mut learner = model(loose)?;
            let curve = learning.run(run, &mut learner, training, held_out)?;
            // The same atoms and predictor, with codes as good as they are said to be.
            let learned = learning.learned(run, model(tight)?)?;
            let timer = run.phase("analysing");
            let shuffles = key.fold_in(SHUFFLES).fold_in(u64::from(topographic));
            found.push(Analysed::of(name, &recipe, &learned, held_out, curve, shuffles)?);
            drop(timer);
        }
        report::report(run, &recipe, &found, key.fold_in(NOISE))
    }
}

/// Patches to learn from and others below each other, cases × pixels.
fn patches(run: &mut Run, recipe: &Recipe, key: Key) -> Result<Array2<f64>, RunError> {
    let _timer = run.phase("making patches");
    let images = recipe.set.load(run, key)?;
    let draw = PatchRecipe {
        side: recipe.side,
        count: recipe.cases.iter().sum(),
        cutoff: frequency_filter::CUTOFF,
        limit: LIMIT,
        deviation: DEVIATION,
    };
    Ok(draw.draw(&images, key).while_doing("making patches")?.mapv(f64::from))
}

/// Rows as filters of single precision, for pictures and fits.
fn single(rows: ArrayView2<'_, f64>) -> Array2<f32> {
    rows.mapv(|value| value as f32)
}
