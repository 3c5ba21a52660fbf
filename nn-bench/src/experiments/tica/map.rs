//! What is measured on a map.

use ndarray::{Array1, Array2};
use nn_core::{ACC, Key, Tensor};
use nn_data::Whitening;
use nn_sparse::gabor::noise_filter;
use nn_sparse::topography::{self, Difference, EnergyCorrelation, Smoothness};
use nn_sparse::{Cell, GaborFit, GratingTuning, Neighborhood};
use rayon::prelude::*;

use super::Recipe;
use crate::run_error::{RunError, WhileDoing};

/// R² of a Gabor function above which orientation, frequency and phase of a unit are taken to be known.
pub(super) const KNOWN: f64 = 0.7;
/// Directions and phases of gratings.
const ORIENTATIONS: usize = 30;
const PHASES: usize = 60;
/// Frequencies of gratings, in cycles a pixel.
const FREQUENCIES: [f64; 9] = [0.04, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.28, 0.35];

/// What both analyses share.
pub(super) struct Map<'a> {
    pub recipe: &'a Recipe,
    pub neighborhood: &'a Neighborhood,
    pub whitening: &'a Whitening,
    /// Whitened patches.
    pub inputs: &'a Tensor,
}

/// Filters, and what was found out about them.
pub(super) struct Analysed {
    pub name: &'static str,
    /// The patches that units stand for, units × pixels.
    pub features: Array2<f32>,
    pub fits: Vec<GaborFit>,
    /// Of orientation, log₂ of the frequency and phase; none where too few units are known.
    pub smoothness: [Option<Smoothness>; 3],
    pub energies: EnergyCorrelation,
    pub kurtosis: Array1<f64>,
    pub tuning: GratingTuning,
}

/// What a map may be smooth in.
pub(super) const PROPERTIES: [(&str, &str, Difference); 3] = [
    ("orientation", "orientation (radians)", Difference::Orientation),
    ("frequency", "log₂ of the frequency", Difference::Plain),
    ("phase", "phase (radians)", Difference::Phase),
];

impl Map<'_> {
    pub fn analyse(&self, name: &'static str, weights: &Tensor, key: Key) -> Result<Analysed, RunError> {
        let (doing, side) = ("analysing the map", self.recipe.side);
        let white = weights.to_array().while_doing(doing)?;
        let mean = self.whitening.mean().mapv(|value| value as f32);
        // Of a PCA without ε: the columns of the pseudo-inverse of filters that are orthonormal on white patches.
        let features = self.whitening.invert(white.view()) - &mean;
        let filters = white.mapv(f64::from).dot(&self.whitening.matrix());
        let fits: Vec<GaborFit> = (0..features.nrows())
            .into_par_iter()
            .map(|unit| fit(features.row(unit).mapv(f64::from), side))
            .collect();
        let known = |of: fn(&GaborFit) -> f64| -> Vec<Option<f64>> {
            fits.iter().map(|fit| (fit.explained > KNOWN && fit.frequency > 0.0).then(|| of(fit))).collect()
        };
        let values =
            [known(|fit| fit.orientation), known(|fit| fit.frequency.log2()), known(|fit| fit.phase)];
        // Neighbours are units that touch, whatever the pools.
        let near = Neighborhood::grid(self.recipe.grid, 1, nn_sparse::Edge::Torus).while_doing(doing)?;
        let adjacent = adjacent(&near);
        let mut smoothness = [None; 3];
        for ((found, values), (number, (_, _, difference))) in
            smoothness.iter_mut().zip(&values).zip(PROPERTIES.iter().enumerate())
        {
            let key = key.fold_in(number as u64);
            *found = topography::smoothness(values, &adjacent, *difference, self.recipe.shuffles, key).ok();
        }
        let mut outputs = weights.device().zeros(self.inputs.rows(), weights.rows());
        outputs.product(self.inputs.dot(weights.t()), ACC);
        let outputs = outputs.to_array_f64().while_doing(doing)?;
        let energies = topography::energy_correlation(outputs.view(), &adjacent).while_doing(doing)?;
        let kurtosis = topography::kurtosis(outputs.view());
        let size = [side; 2];
        let tuning =
            GratingTuning::new(filters.view(), size, self.neighborhood, ORIENTATIONS, &FREQUENCIES, PHASES);
        let tuning = tuning.while_doing(doing)?;
        Ok(Analysed { name, features, fits, smoothness, energies, kurtosis, tuning })
    }
}

/// The pairs of units of a map with pools of 3 × 3 that are in each other's pool.
fn adjacent(near: &Neighborhood) -> Vec<[usize; 2]> {
    let (matrix, units) = (near.matrix(), near.units());
    let pairs = (0..units).flat_map(|a| (a + 1..units).map(move |b| [a, b]));
    pairs.filter(|&[a, b]| matrix[(a, b)] > 0.0).collect()
}

fn fit(filter: Array1<f64>, side: usize) -> GaborFit {
    let filter = filter.into_shape_with_order((side, side)).expect("a filter of side × side pixels");
    GaborFit::of(filter.view())
}

impl Analysed {
    /// The share of units that a Gabor function explains better than this.
    pub fn share_above(&self, bound: f64) -> f64 {
        share_above(&self.fits, bound)
    }

    /// The median over all units of a figure of their answers.
    pub fn median_answer(
        &self,
        cell: impl Fn(usize) -> Cell + Sync,
        of: impl Fn(&nn_sparse::Answer) -> f64 + Sync,
    ) -> f64 {
        let figures = (0..self.fits.len()).into_par_iter().map(|unit| of(&self.tuning.answer(cell(unit))));
        median(figures.collect())
    }
}

fn share_above(fits: &[GaborFit], bound: f64) -> f64 {
    fits.iter().filter(|fit| fit.explained > bound).count() as f64 / fits.len().max(1) as f64
}

/// The one in the middle; of an even number the upper one.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The share of white and of smooth noise that a Gabor function explains better than [`KNOWN`].
pub(super) fn noise_controls(recipe: &Recipe, key: Key) -> [f64; 2] {
    [0.0, 1.0].map(|smoothing| {
        let key = key.fold_in(smoothing as u64);
        let draw = |number: usize| {
            GaborFit::of(noise_filter([recipe.side; 2], smoothing, key.fold_in(number as u64)).view())
        };
        let fits: Vec<GaborFit> = (0..recipe.units()).into_par_iter().map(draw).collect();
        share_above(&fits, KNOWN)
    })
}
