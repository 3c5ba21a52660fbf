//! Gratings, and how units answer to them.

use std::f64::consts::{PI, TAU};

use ndarray::{Array1, Array2, ArrayView2};
use nn_core::Error;

use crate::neighborhood::Neighborhood;

/// A wave across a whole patch: cos(2πf·(x cos θ + y sin θ) + φ), from the centre of the patch, y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grating {
    /// θ, the direction in which the wave runs, in [0, π).
    pub orientation: f64,
    /// f, cycles a pixel.
    pub frequency: f64,
    /// φ.
    pub phase: f64,
}

impl Grating {
    /// Its pixels, row after row.
    pub fn values(&self, [height, width]: [usize; 2]) -> Array1<f64> {
        let (sine, cosine) = self.orientation.sin_cos();
        let centre = |side: usize| 0.5 * (side as f64 - 1.0);
        Array1::from_shape_fn(height * width, |pixel| {
            let (y, x) = ((pixel / width) as f64 - centre(height), (pixel % width) as f64 - centre(width));
            (TAU * self.frequency * (x * cosine + y * sine) + self.phase).cos()
        })
    }
}

/// The answers of linear filters, and of the pools of their energies, to gratings of many orientations, frequencies and phases,
/// as experimenters measure cells (the protocol of Hyvärinen, Hurri and Hoyer, "Natural Image Statistics", 2009).
///
/// A simple unit answers max(0, y), a cell that cannot fire less than not at all; a pool answers √(Σ_j H_ij y_j²). An answer as
/// the grating drifts by is described by F1/F0, the amplitude at the grating's own frequency over the mean: π/2 of a simple
/// unit with a linear filter, below 1 of what is called a complex cell. A pool cannot tell a grating from its negative, so
/// that its F1 is 0 whatever it pools: what shows whether it is invariant is its modulation, (max − min)/(max + min) over
/// phases, 1 of a single filter squared and 0 of a perfect pair in quadrature.
#[derive(Clone, Debug)]
pub struct GratingTuning {
    orientations: Vec<f64>,
    frequencies: Vec<f64>,
    phases: usize,
    /// Answers y of filters to cosine and sine, (orientations · frequencies) × filters: all phases follow from them.
    cosines: Array2<f64>,
    sines: Array2<f64>,
    pools: Array2<f64>,
}

/// The answer of a unit as its best grating drifts by.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The orientation and frequency to which it answers most, in the mean over phases.
    pub best: Grating,
    /// Answers to the phases, from 0 on in equal steps of a whole turn.
    pub over_phases: Vec<f64>,
    /// Mean answers over phases to the orientations, at the best frequency.
    pub over_orientations: Vec<f64>,
    /// Mean answers over phases to the frequencies, at the best orientation.
    pub over_frequencies: Vec<f64>,
    /// F1/F0.
    pub f1_f0: f64,
    /// (max − min)/(max + min) over phases.
    pub modulation: f64,
}

/// Units to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// max(0, y) of a filter.
    Simple(usize),
    /// √(y²) of a filter: what pooling begins with.
    Squared(usize),
    /// √(H y²) of a pool.
    Pool(usize),
}

impl GratingTuning {
    /// Of these filters (units × pixels of height × width), over so many orientations and phases and these frequencies, in
    /// cycles a pixel. Costs 2 · orientations · frequencies · units · pixels multiplications.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for filters that are not of that many pixels or units, [`Error::Setting`] for no orientations or
    /// frequencies, or fewer than four phases.
    pub fn new(
        filters: ArrayView2<'_, f64>,
        size: [usize; 2],
        neighborhood: &Neighborhood,
        orientations: usize,
        frequencies: &[f64],
        phases: usize,
    ) -> Result<Self, Error> {
        if filters.dim() != (neighborhood.units(), size[0] * size[1]) {
            let ((found, pixels), units) = (filters.dim(), neighborhood.units());
            let [height, width] = size;
            return Err(Error::Data(format!(
                "{found} filters of {pixels} pixels; the map has {units} units, whose patches are {height} by {width}"
            )));
        }
        if orientations == 0 || frequencies.is_empty() || phases < 4 {
            let given =
                format!("{orientations} orientations, {} frequencies, {phases} phases", frequencies.len());
            return Err(Error::setting(
                "gratings",
                given,
                "there must be an orientation, a frequency and four phases",
            ));
        }
        let orientations: Vec<f64> =
            (0..orientations).map(|at| PI * at as f64 / orientations as f64).collect();
        let answers = |phase: f64| {
            let mut gratings = Array2::zeros((orientations.len() * frequencies.len(), filters.ncols()));
            for (at, mut row) in gratings.rows_mut().into_iter().enumerate() {
                let orientation = orientations[at / frequencies.len()];
                let frequency = frequencies[at % frequencies.len()];
                row.assign(&Grating { orientation, frequency, phase }.values(size));
            }
            gratings.dot(&filters.t())
        };
        let (cosines, sines) = (answers(0.0), answers(-0.5 * PI));
        let pools = neighborhood.matrix();
        Ok(Self { frequencies: frequencies.to_vec(), phases, cosines, sines, pools, orientations })
    }

    /// The orientations, in [0, π).
    pub fn orientations(&self) -> &[f64] {
        &self.orientations
    }

    /// The frequencies, in cycles a pixel.
    pub fn frequencies(&self) -> &[f64] {
        &self.frequencies
    }

    /// Mean answers of a unit over phases, orientations × frequencies.
    ///
    /// # Panics
    ///
    /// If there is no such unit.
    pub fn means(&self, cell: Cell) -> Array2<f64> {
        let mean = |grating: usize| self.drifting(cell, grating).iter().sum::<f64>() / self.phases as f64;
        let columns = self.frequencies.len();
        Array2::from_shape_fn((self.orientations.len(), columns), |(row, column)| {
            mean(row * columns + column)
        })
    }

    /// How a unit answers.
    ///
    /// # Panics
    ///
    /// If there is no such unit.
    pub fn answer(&self, cell: Cell) -> Answer {
        let means = self.means(cell);
        let best =
            means.indexed_iter().fold((0, 0), |best, (at, mean)| if *mean > means[best] { at } else { best });
        let (row, column) = best;
        let over_phases = self.drifting(cell, row * self.frequencies.len() + column);
        let [mut even, mut odd] = [0.0; 2];
        for (phase, answer) in over_phases.iter().enumerate() {
            let (sine, cosine) = (TAU * phase as f64 / self.phases as f64).sin_cos();
            (even, odd) = (even + answer * cosine, odd + answer * sine);
        }
        let amplitude = 2.0 * even.hypot(odd) / self.phases as f64;
        let (low, high) = over_phases
            .iter()
            .fold((f64::INFINITY, 0.0f64), |(low, high), &answer| (answer.min(low), answer.max(high)));
        let share = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
        Answer {
            best: Grating {
                orientation: self.orientations[row],
                frequency: self.frequencies[column],
                phase: 0.0,
            },
            f1_f0: share(amplitude, means[best]),
            modulation: share(high - low, high + low),
            over_phases,
            over_orientations: means.column(column).to_vec(),
            over_frequencies: means.row(row).to_vec(),
        }
    }

    /// Answers as a grating drifts by, from phase 0 on.
    fn drifting(&self, cell: Cell, grating: usize) -> Vec<f64> {
        let phase = |step: usize| TAU * step as f64 / self.phases as f64;
        (0..self.phases).map(|step| self.at(cell, grating, phase(step))).collect()
    }

    fn at(&self, cell: Cell, grating: usize, phase: f64) -> f64 {
        let (sine, cosine) = phase.sin_cos();
        // cos(a + φ) = cos a · cos φ − sin a · sin φ; the sines are those of −cos(a + π/2) = cos(a − π/2).
        let output =
            |unit: usize| self.cosines[(grating, unit)] * cosine - self.sines[(grating, unit)] * sine;
        match cell {
            Cell::Simple(unit) => output(unit).max(0.0),
            Cell::Squared(unit) => output(unit).abs(),
            Cell::Pool(pool) => {
                let weights = self.pools.row(pool);
                let energies = weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
                energies.map(|(unit, weight)| weight * output(unit).powi(2)).sum::<f64>().sqrt()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GaborFit;

    fn gabor(phase: f64, orientation: f64) -> GaborFit {
        GaborFit {
            centre: [7.5, 7.5],
            orientation,
            frequency: 0.15,
            deviations: [2.5, 2.5],
            phase,
            amplitude: 1.0,
            explained: 1.0,
        }
    }

    fn tuning(filters: [GaborFit; 2]) -> GratingTuning {
        let rows: Vec<f64> = filters.iter().flat_map(|filter| filter.values([16, 16]).into_iter()).collect();
        let filters = Array2::from_shape_vec((2, 256), rows).unwrap();
        let pool = Neighborhood::subspaces(2, 2).unwrap();
        let frequencies: Vec<f64> = (1..=9).map(|at| 0.03 * f64::from(at)).collect();
        GratingTuning::new(filters.view(), [16, 16], &pool, 24, &frequencies, 24).unwrap()
    }

    #[test]
    fn a_pair_in_quadrature_is_a_complex_cell() {
        let orientation = PI / 3.0;
        let tuning = tuning([gabor(0.0, orientation), gabor(0.5 * PI, orientation)]);
        let simple = tuning.answer(Cell::Simple(0));
        assert!(
            (simple.best.orientation - orientation).abs() < 1e-9
                && (simple.best.frequency - 0.15).abs() < 1e-9
        );
        assert!((simple.f1_f0 - 0.5 * PI).abs() < 0.02, "{}", simple.f1_f0);
        assert!((tuning.answer(Cell::Squared(0)).modulation - 1.0).abs() < 1e-9);
        let pool = tuning.answer(Cell::Pool(0));
        assert!(pool.f1_f0 < 1e-9 && pool.modulation < 0.05, "{pool:?}");
        assert!((pool.best.orientation - orientation).abs() < 1e-9);
        assert!(pool.over_frequencies[4] >= pool.over_frequencies.iter().fold(0.0, |a: f64, &b| a.max(b)));
        assert_eq!(pool.over_frequencies[4], pool.over_orientations[8]);
        // Tuned: across, it answers hardly.
        let across = (tuning.orientations().len() / 2 + 8) % 24;
        assert!(pool.over_orientations[across] < 0.05 * pool.over_orientations[8], "{pool:?}");
    }

    #[test]
    fn filters_of_one_phase_pool_to_no_invariance() {
        let tuning = tuning([gabor(0.3, 0.5), gabor(0.3, 0.5)]);
        assert!(tuning.answer(Cell::Pool(0)).modulation > 0.9);
    }

    #[test]
    fn gratings_that_say_nothing_are_refused() {
        let pool = Neighborhood::alone(1).unwrap();
        let filters = Array2::ones((1, 9));
        let tuning = |size, phases| {
            GratingTuning::new(filters.view(), size, &pool, 4, &[0.1], phases).err().map(|e| e.to_string())
        };
        assert!(tuning([3, 3], 4).is_none());
        assert!(tuning([3, 4], 4).unwrap().contains("1 filters of 9 pixels"));
        assert!(tuning([3, 3], 3).unwrap().contains("3 phases"));
    }
}
