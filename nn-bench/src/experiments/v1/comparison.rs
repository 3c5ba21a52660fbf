//! Answers of cells to gratings, beside those of the Gabor functions that fit their filters.

use std::f64::consts::{FRAC_PI_2, PI};

use ndarray::{Array2, ArrayView1};
use nn_core::{Error, Key};
use nn_sparse::gabor::noise_filter;
use nn_sparse::topography::Difference;
use nn_sparse::{Answer, Cell, GaborFit, GratingTuning, Neighborhood, tuning_curve};
use rayon::prelude::*;

/// Directions and phases of gratings.
const ORIENTATIONS: usize = 36;
const PHASES: usize = 36;
/// Frequencies of gratings: so many from this one on, in cycles a pixel, four an octave.
const FREQUENCIES: usize = 15;
const LOWEST: f64 = 0.04;

/// A cell and its prediction.
pub(super) struct Pair {
    /// Of the filter that the prediction is made from.
    pub fit: GaborFit,
    pub measured: Answer,
    pub predicted: Answer,
    /// Of mean answers to all orientations and frequencies.
    pub correlation: f64,
    /// The same with the prediction of another cell.
    pub of_another: f64,
}

/// Cells of one kind.
pub(super) struct Compared {
    /// What they are.
    pub name: &'static str,
    /// In the words of metrics.
    pub metric: &'static str,
    pub pairs: Vec<Pair>,
    /// Of the gratings, in radians and cycles a pixel.
    pub orientations: Vec<f64>,
    pub frequencies: Vec<f64>,
}

impl Compared {
    /// Simple cells, max(0, w·x), against the Gabor function that fits w.
    pub fn simple(
        name: &'static str,
        metric: &'static str,
        filters: &Array2<f64>,
        side: usize,
    ) -> Result<Self, Error> {
        let fits = fits(filters, side);
        let rows: Vec<_> = fits.iter().map(|fit| values(fit, side)).collect();
        let alone = Neighborhood::alone(filters.nrows())?;
        let measured = tuning(filters, side, &alone)?;
        let predicted = tuning(&stacked(&rows), side, &alone)?;
        Ok(Self::of(name, metric, fits, [measured, predicted], Cell::Simple))
    }

    /// Complex cells, √Σ(w·x)² over filters that follow each other, against the energy of a pair in quadrature: the Gabor
    /// function that fits a filter of the pool best, and the same turned by a quarter of a wave.
    pub fn pools(
        name: &'static str,
        metric: &'static str,
        filters: &Array2<f64>,
        side: usize,
        pool: usize,
    ) -> Result<Self, Error> {
        let of_filters = fits(filters, side);
        let best = |fits: &[GaborFit]| {
            fits.iter().copied().reduce(|best, fit| if fit.explained > best.explained { fit } else { best })
        };
        let fits: Vec<GaborFit> = of_filters.chunks_exact(pool).filter_map(best).collect();
        let rows: Vec<_> = fits
            .iter()
            .flat_map(|fit| {
                [0.0, FRAC_PI_2].map(|turn| values(&GaborFit { phase: fit.phase + turn, ..*fit }, side))
            })
            .collect();
        let measured = tuning(filters, side, &Neighborhood::subspaces(filters.nrows(), pool)?)?;
        let predicted = tuning(&stacked(&rows), side, &Neighborhood::subspaces(rows.len(), 2)?)?;
        Ok(Self::of(name, metric, fits, [measured, predicted], Cell::Pool))
    }

    fn of(
        name: &'static str,
        metric: &'static str,
        fits: Vec<GaborFit>,
        [measured, predicted]: [GratingTuning; 2],
        cell: fn(usize) -> Cell,
    ) -> Self {
        let (orientations, frequencies) = (measured.orientations().to_vec(), measured.frequencies().to_vec());
        let cells = fits.len();
        let pair = |(at, fit): (usize, GaborFit)| {
            let found = measured.means(cell(at));
            let against = |other: usize| correlation(&found, &predicted.means(cell(other)));
            Pair {
                fit,
                measured: measured.answer(cell(at)),
                predicted: predicted.answer(cell(at)),
                correlation: against(at),
                of_another: against((at + 1) % cells),
            }
        };
        let pairs = fits.into_par_iter().enumerate().map(pair).collect();
        Self { name, metric, pairs, orientations, frequencies }
    }

    /// The figure in the middle of those that are known; none if none is.
    pub fn median(&self, of: impl Fn(&Pair) -> Option<f64>) -> Option<f64> {
        let mut known: Vec<f64> = self.pairs.iter().filter_map(of).collect();
        known.sort_by(f64::total_cmp);
        known.get(known.len() / 2).copied()
    }

    /// The share of cells of which that holds.
    pub fn share(&self, holds: impl Fn(&Pair) -> bool) -> f64 {
        self.pairs.iter().filter(|pair| holds(pair)).count() as f64 / self.pairs.len().max(1) as f64
    }

    /// Half widths at half height over orientations, in degrees, of the cell and of its prediction.
    pub fn half_widths(&self, pair: &Pair) -> [Option<f64>; 2] {
        let width = |answer: &Answer| tuning_curve::half_width(&answer.over_orientations, PI);
        [&pair.measured, &pair.predicted].map(|answer| width(answer).map(f64::to_degrees))
    }

    /// Widths at half height over frequencies, in octaves, of the cell and of its prediction.
    pub fn octaves(&self, pair: &Pair) -> [Option<f64>; 2] {
        [&pair.measured, &pair.predicted]
            .map(|answer| tuning_curve::octaves(&self.frequencies, &answer.over_frequencies))
    }
}

impl Pair {
    /// How far the best orientation is from that of the Gabor function, in degrees.
    pub fn turned(&self) -> f64 {
        Difference::Orientation.between(self.measured.best.orientation, self.fit.orientation).to_degrees()
    }

    /// How far the best frequency is from that of the Gabor function, in octaves; none of a Gabor function without a wave.
    pub fn shifted(&self) -> Option<f64> {
        (self.fit.frequency > 0.0).then(|| (self.measured.best.frequency / self.fit.frequency).log2().abs())
    }
}

/// Filters of noise, count × pixels, smoothed by a Gaussian of this deviation.
pub(super) fn noise(count: usize, side: usize, smoothing: f64, key: Key) -> Array2<f64> {
    let rows: Vec<_> = (0..count as u64)
        .map(|number| noise_filter([side; 2], smoothing, key.fold_in(number)).into_iter().collect())
        .collect();
    stacked(&rows)
}

fn stacked(rows: &[Vec<f64>]) -> Array2<f64> {
    let values = rows.first().map_or(0, Vec::len);
    Array2::from_shape_fn((rows.len(), values), |(row, at)| rows[row][at])
}

fn fits(filters: &Array2<f64>, side: usize) -> Vec<GaborFit> {
    (0..filters.nrows()).into_par_iter().map(|unit| fit(filters.row(unit), side)).collect()
}

/// A Gabor function for a filter of side × side pixels.
pub(super) fn fit(filter: ArrayView1<'_, f64>, side: usize) -> GaborFit {
    GaborFit::of(Array2::from_shape_fn((side, side), |(y, x)| filter[y * side + x]).view())
}

/// The pixels of a Gabor function less their mean, as patches are without theirs.
pub(super) fn values(fit: &GaborFit, side: usize) -> Vec<f64> {
    let values: Vec<f64> = fit.values([side; 2]).into_iter().collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.into_iter().map(|value| value - mean).collect()
}

fn tuning(filters: &Array2<f64>, side: usize, pools: &Neighborhood) -> Result<GratingTuning, Error> {
    let frequencies: Vec<f64> = (0..FREQUENCIES).map(|at| LOWEST * 2f64.powf(at as f64 / 4.0)).collect();
    GratingTuning::new(filters.view(), [side; 2], pools, ORIENTATIONS, &frequencies, PHASES)
}

/// Pearson's; 0 where one side does not vary.
fn correlation(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let centred = |values: &Array2<f64>| values - values.mean().unwrap_or(0.0);
    let (a, b) = (centred(a), centred(b));
    let product = |a: &Array2<f64>, b: &Array2<f64>| (a * b).sum();
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    if scale > 0.0 { product(&a, &b) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn gabor(orientation: f64, phase: f64) -> GaborFit {
        let (centre, deviations) = ([5.5; 2], [2.0, 2.5]);
        GaborFit { centre, orientation, frequency: 0.2, deviations, phase, amplitude: 1.0, explained: 1.0 }
    }

    /// Cells that are Gabor functions answer as predicted, and those of noise do not.
    #[test]
    fn gabor_functions_predict_themselves() {
        let angles = [0.3, 1.2, 2.0, 2.6];
        let rows: Vec<_> = angles.map(|angle| values(&gabor(angle, angle), 12)).to_vec();
        let simple = Compared::simple("made", "made", &stacked(&rows), 12).unwrap();
        for pair in &simple.pairs {
            assert!(pair.correlation > 0.995 && pair.of_another < 0.5, "{}", pair.correlation);
            assert!(pair.turned() < 3.0 && pair.shifted().unwrap() < 0.15, "{:?}", pair.measured.best);
            let [measured, predicted] = simple.half_widths(pair).map(Option::unwrap);
            assert!((measured - predicted).abs() < 1.0, "{measured} {predicted}");
            assert!(pair.measured.f1_f0 > 1.5);
        }
        let noise = noise(6, 12, 0.0, Key::new(1));
        let noise = Compared::simple("noise", "noise", &noise, 12).unwrap();
        assert!(noise.median(|pair| Some(pair.correlation)).unwrap() < 0.9);
    }

    /// A pool of a pair in quadrature is predicted; one of a single phase has the same tuning and no invariance.
    #[test]
    fn pairs_in_quadrature_are_predicted() {
        let of = |turn: f64| {
            let rows = [0.4, 1.9].map(|angle| [0.0, turn].map(|turn| values(&gabor(angle, 0.2 + turn), 12)));
            Compared::pools("made", "made", &stacked(&rows.concat()), 12, 2).unwrap()
        };
        for (turn, invariant) in [(FRAC_PI_2, true), (0.0, false)] {
            let pools = of(turn);
            assert_eq!(pools.pairs.len(), 2);
            for Pair { measured, predicted, correlation, .. } in &pools.pairs {
                assert!(*correlation > 0.98 && predicted.modulation < 0.1, "{correlation}");
                assert_eq!(measured.modulation < 0.1, invariant, "{}", measured.modulation);
            }
        }
    }

    #[test]
    fn correlations_by_hand() {
        let a = array![[1.0, 2.0], [3.0, 4.0]];
        assert!((correlation(&a, &(&a * -3.0 + 7.0)) + 1.0).abs() < 1e-12);
        assert_eq!(correlation(&a, &array![[1.0, 1.0], [1.0, 1.0]]), 0.0);
        assert!((correlation(&a, &array![[1.0, 0.0], [0.0, 1.0]])).abs() < 1e-12);
    }
}
