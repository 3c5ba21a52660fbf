//! What is measured on a model: its map, and its predictor beside exact codes.

use std::time::Instant;

use ndarray::{Array2, ArrayView2, Axis};
use nn_core::Key;
use nn_sparse::topography::{self, Difference, EnergyCorrelation, Smoothness};
use nn_sparse::{Cell, GaborFit, GratingTuning, PredictiveDecomposition, Status};
use rayon::prelude::*;

use super::Recipe;
use super::learning::Point;
use crate::run_error::{RunError, WhileDoing};

/// R² of a Gabor function above which orientation, frequency and phase of an atom are taken to be known.
pub(super) const KNOWN: f64 = 0.7;
/// Directions and phases of gratings.
const ORIENTATIONS: usize = 24;
const PHASES: usize = 36;
/// Frequencies of gratings, in cycles a pixel.
const FREQUENCIES: [f64; 8] = [0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.28, 0.35];
/// How often each way to codes is timed; the fastest counts.
const TIMED: usize = 3;
/// Held-out patches that are timed.
const CASES: usize = 500;

/// What a map may be smooth in.
pub(super) const PROPERTIES: [(&str, &str, Difference); 3] = [
    ("orientation", "orientation (radians)", Difference::Orientation),
    ("frequency", "log₂ of the frequency", Difference::Plain),
    ("phase", "phase (radians)", Difference::Phase),
];

/// A model, and what was found out about it.
pub(super) struct Analysed {
    pub name: &'static str,
    pub curve: Vec<Point>,
    /// Units × pixels.
    pub atoms: Array2<f64>,
    /// W, units × pixels.
    pub filters: Array2<f64>,
    pub fits: Vec<GaborFit>,
    /// Of orientation, log₂ of the frequency and phase; none where too few atoms are known.
    pub smoothness: [Option<Smoothness>; 3],
    /// Of exact shares.
    pub energies: EnergyCorrelation,
    /// Median over atoms of the kurtosis of exact shares.
    pub kurtosis: f64,
    /// Median over windows of the modulation of their answers over phases, by the filters of the predictor.
    pub modulation: f64,
    pub codes: CodesMeasured,
}

/// Exact codes of held-out patches, and predicted ones.
pub(super) struct CodesMeasured {
    pub energy: f64,
    /// ‖z − F‖² over ‖z‖², of all patches.
    pub prediction_error: f64,
    /// The share of the patches' squares that is left when atoms are added up: by exact codes, by predicted ones.
    pub left: [f64; 2],
    /// Seconds a patch on one thread, exact and predicted.
    pub seconds: [f64; 2],
    pub worst_gap: f64,
    pub unconverged: usize,
}

impl Analysed {
    pub fn of(
        name: &'static str,
        recipe: &Recipe,
        model: &PredictiveDecomposition,
        held_out: ArrayView2<'_, f64>,
        curve: Vec<Point>,
        key: Key,
    ) -> Result<Self, RunError> {
        let (doing, side) = ("analysing the map", recipe.side);
        let atoms = model.atoms().to_owned();
        let fit = |atom: usize| {
            GaborFit::of(Array2::from_shape_fn((side, side), |(y, x)| atoms[(atom, y * side + x)]).view())
        };
        let fits: Vec<GaborFit> = (0..atoms.nrows()).into_par_iter().map(fit).collect();
        let known = |of: fn(&GaborFit) -> f64| -> Vec<Option<f64>> {
            fits.iter().map(|fit| (fit.explained > KNOWN && fit.frequency > 0.0).then(|| of(fit))).collect()
        };
        let values =
            [known(|fit| fit.orientation), known(|fit| fit.frequency.log2()), known(|fit| fit.phase)];
        let adjacent = adjacent(recipe.grid);
        let mut smoothness = [None; 3];
        for (number, (_, _, difference)) in PROPERTIES.iter().enumerate() {
            let key = key.fold_in(number as u64);
            let found = topography::smoothness(&values[number], &adjacent, *difference, recipe.shuffles, key);
            smoothness[number] = found.ok();
        }
        let exact = model.encode(held_out).while_doing(doing)?;
        let shares = exact.codes.to_dense();
        let energies = topography::energy_correlation(shares.view(), &adjacent).while_doing(doing)?;
        let kurtosis = median(topography::kurtosis(shares.view()).to_vec());

        let predictor = model.predictor();
        let filters = predictor.weights().to_owned();
        let windows = recipe.windows().while_doing(doing)?;
        // What the predictor makes of weak patterns: F is g ⊙ W·x there, but for b.
        let slopes = &filters * &predictor.gains().insert_axis(Axis(1));
        let tuning =
            GratingTuning::new(slopes.view(), [side; 2], &windows, ORIENTATIONS, &FREQUENCIES, PHASES);
        let tuning = tuning.while_doing(doing)?;
        let modulations = (0..windows.pools()).into_par_iter();
        let modulation = modulations.map(|pool| tuning.answer(Cell::Pool(pool)).modulation).collect();

        let predicted = predictor.predict(held_out);
        let square = |matrix: &Array2<f64>| matrix.iter().map(|value| value * value).sum::<f64>();
        let all = square(&held_out.to_owned());
        let left = |codes: &Array2<f64>| square(&(&held_out - &codes.dot(&atoms))) / all;
        let codes = CodesMeasured {
            energy: exact.mean_objective(),
            prediction_error: model.relative_prediction_error(held_out, &exact.codes),
            left: [left(&shares), left(&predicted)],
            seconds: seconds(model, held_out)?,
            worst_gap: exact.worst_gap(),
            unconverged: exact.count(Status::Unconverged),
        };
        let modulation = median(modulation);
        Ok(Self { name, curve, atoms, filters, fits, smoothness, energies, kurtosis, modulation, codes })
    }

    /// The share of atoms that a Gabor function explains better than this.
    pub fn share_above(&self, bound: f64) -> f64 {
        let above = self.fits.iter().filter(|fit| fit.explained > bound).count();
        above as f64 / self.fits.len().max(1) as f64
    }
}

/// Seconds a patch for exact codes and for predicted ones, on one thread.
fn seconds(model: &PredictiveDecomposition, held_out: ArrayView2<'_, f64>) -> Result<[f64; 2], RunError> {
    let doing = "timing codes";
    let cases = held_out.slice_axis(Axis(0), ndarray::Slice::from(..CASES.min(held_out.nrows())));
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().while_doing(doing)?;
    alone.install(|| {
        let mut fastest = [f64::INFINITY; 2];
        for _ in 0..TIMED {
            let began = Instant::now();
            model.encode(cases).while_doing(doing)?;
            fastest[0] = fastest[0].min(began.elapsed().as_secs_f64());
            let began = Instant::now();
            std::hint::black_box(model.predictor().predict(cases));
            fastest[1] = fastest[1].min(began.elapsed().as_secs_f64());
        }
        Ok(fastest.map(|seconds| seconds / cases.nrows() as f64))
    })
}

/// The pairs of units of a torus that touch, also at corners.
fn adjacent([height, width]: [usize; 2]) -> Vec<[usize; 2]> {
    let apart = |a: usize, b: usize, length: usize| a.abs_diff(b).min(length - a.abs_diff(b));
    let units = height * width;
    (0..units)
        .flat_map(|a| (a + 1..units).map(move |b| [a, b]))
        .filter(|&[a, b]| apart(a / width, b / width, height).max(apart(a % width, b % width, width)) == 1)
        .collect()
}

/// The one in the middle; of an even number the upper one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_a_torus_have_eight_neighbours() {
        let pairs = adjacent([4, 5]);
        assert_eq!(pairs.len(), 4 * 5 * 8 / 2);
        let of_corner: Vec<usize> = pairs.iter().filter(|pair| pair[0] == 0).map(|pair| pair[1]).collect();
        assert_eq!(of_corner, [1, 4, 5, 6, 9, 15, 16, 19]);
        assert_eq!(median(vec![3.0, 1.0, 2.0, 9.0]), 3.0);
    }
}
