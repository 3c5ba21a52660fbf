//! Cells mapped as by an experimenter who sees only white noise and spikes.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use nn_core::Key;
use nn_data::{DataError, Whitening, WhiteningKind};
use nn_sparse::GaborFit;
use rayon::prelude::*;

use super::Recipe;
use super::cells::Cells;
use super::comparison::{fit, values};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Spikes a stimulus, in the mean.
const RATE: f64 = 0.5;
/// How often spikes are given to other stimuli, to see what variances chance makes.
const SHUFFLES: u64 = 6;
/// Standard deviations over shuffles by which a variance has to exceed the extremes that chance makes: a cell has hundreds of
/// directions.
const BEYOND: f64 = 4.4;
/// Where the planted cell looks, as shares of the side; its frequency in cycles a pixel and its widths in pixels.
pub(super) const PLANTED: GaborFit = GaborFit {
    centre: [0.0; 2],
    orientation: 0.7,
    frequency: 0.17,
    deviations: [1.8, 2.2],
    phase: 0.5,
    amplitude: 1.0,
    explained: 1.0,
};

/// What spikes say of a cell.
pub(super) struct Map {
    pub name: String,
    /// The filters that the cell was made of, filters × pixels.
    pub made_of: Array2<f64>,
    pub spikes: usize,
    /// The mean stimulus before a spike. Stimuli have variance 1.
    pub average: Array1<f64>,
    /// Its length over what chance gives, √(pixels · Σ n²)/Σ n for n spikes a stimulus.
    pub against_chance: f64,
    /// |cosine| of it and the first filter.
    pub average_cosine: f64,
    /// Variances of the stimuli before spikes along their principal directions, by falling size; 1 is that of all stimuli.
    pub variances: Vec<f64>,
    /// Above the first and below the second is no such variance by chance: the mean of the largest, or of the least, over shuffles
    /// that give spikes to other stimuli, and 4.4 of its standard deviations.
    pub chance: [f64; 2],
    /// Directions of variances above and below all of chance, a row each, pixels across.
    pub above: Array2<f64>,
    pub below: usize,
    /// The mean share of the filters' squares that lies in the directions above chance.
    pub overlap: f64,
}

/// A planted simple and a planted complex cell, then learned ones.
pub(super) fn maps(
    run: &Run,
    recipe: &Recipe,
    cells: &Cells,
    [of_stimuli, of_spikes]: [Key; 2],
) -> Result<Vec<Map>, RunError> {
    let (side, mapped) = (recipe.side, recipe.mapped);
    let pixels = side * side;
    let stimuli = Array2::from_shape_fn((recipe.stimuli, pixels), |(case, pixel)| {
        of_stimuli.normal((case * pixels + pixel) as u64) as f32
    });
    let mut wanted = vec![
        ("planted simple".to_string(), planted(side, 1), Kind::Simple),
        ("planted complex".to_string(), planted(side, 2), Kind::Complex),
    ];
    for unit in 0..mapped.min(cells.simple.nrows()) {
        let filter = cells.simple.select(Axis(0), &[unit]);
        wanted.push((format!("simple {}", unit + 1), filter, Kind::Simple));
    }
    for cell in 0..mapped.min(recipe.units / recipe.pool) {
        let rows: Vec<usize> = (cell * recipe.pool..(cell + 1) * recipe.pool).collect();
        wanted.push((format!("complex {}", cell + 1), cells.pooled.select(Axis(0), &rows), Kind::Complex));
    }
    let doing = "mapping cells";
    let progress = run.progress(doing, wanted.len() as u64);
    let mut maps = Vec::with_capacity(wanted.len());
    for (number, (name, made_of, kind)) in wanted.into_iter().enumerate() {
        if run.interrupted() {
            return Err(run.stop_without_saving());
        }
        let key = of_spikes.fold_in(number as u64);
        maps.push(Map::of(name, stimuli.view(), made_of, kind, key).while_doing(doing)?);
        progress.set(number as u64 + 1);
    }
    Ok(maps)
}

/// How a cell makes a rate of its filters' outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// max(0, y) of one filter.
    Simple,
    /// Σ y².
    Complex,
}

/// A Gabor function in the middle and, if two are asked for, its other half in quadrature, of length 1.
fn planted(side: usize, filters: usize) -> Array2<f64> {
    let middle = 0.5 * (side as f64 - 1.0);
    let mut rows = Array2::zeros((filters, side * side));
    for (number, mut row) in rows.rows_mut().into_iter().enumerate() {
        let phase = PLANTED.phase + number as f64 * std::f64::consts::FRAC_PI_2;
        let made = values(&GaborFit { centre: [middle; 2], phase, ..PLANTED }, side);
        let length = made.iter().map(|value| value * value).sum::<f64>().sqrt();
        row.iter_mut().zip(made).for_each(|(out, value)| *out = value / length);
    }
    rows
}

impl Map {
    /// Of a cell whose spikes are Poisson, of a rate in proportion to what it makes of a stimulus.
    ///
    /// With white stimuli the mean before a spike of max(0, w·x), w of length 1, is √(π/2)·w; before one of Σ (w_k·x)² it is 0,
    /// and the variance along each of K orthonormal filters is 1 + 2/K where it is 1 elsewhere (Schwartz, Pillow, Rust and
    /// Simoncelli, "Spike-triggered neural characterization", 2006).
    fn of(
        name: String,
        stimuli: ArrayView2<'_, f32>,
        made_of: Array2<f64>,
        kind: Kind,
        key: Key,
    ) -> Result<Self, DataError> {
        let outputs = stimuli.dot(&made_of.mapv(|value| value as f32).t());
        let drive = |row: ndarray::ArrayView1<'_, f32>| match kind {
            Kind::Simple => f64::from(row[0].max(0.0)),
            Kind::Complex => row.iter().map(|&y| f64::from(y).powi(2)).sum(),
        };
        let drives: Vec<f64> = outputs.rows().into_iter().map(drive).collect();
        let mean = drives.iter().sum::<f64>() / drives.len() as f64;
        let scale = if mean > 0.0 { RATE / mean } else { 0.0 };
        let counts: Vec<usize> = drives
            .iter()
            .enumerate()
            .map(|(case, drive)| poisson(drive * scale, f64::from(key.uniform(case as u64))))
            .collect();
        let spikes: usize = counts.iter().sum();
        let squares: usize = counts.iter().map(|count| count * count).sum();
        // One row a spike.
        let before_spikes = |shift: usize| -> Result<Whitening, DataError> {
            let cases = counts.len();
            let rows: Vec<usize> = (0..cases)
                .flat_map(|case| std::iter::repeat_n((case + shift) % cases, counts[case]))
                .collect();
            Whitening::of(stimuli.select(Axis(0), &rows).view(), WhiteningKind::Pca, 0.0, None)
        };
        let found = before_spikes(0)?;
        let shifts: Vec<usize> = (0..SHUFFLES)
            .map(|shuffle| {
                let draw = f64::from(key.fold_in(shuffle).uniform(0));
                1 + (draw * (counts.len() - 1) as f64) as usize
            })
            .collect();
        let chance: Vec<[f64; 2]> = shifts
            .into_par_iter()
            .map(|shift| before_spikes(shift).map(|shuffled| extremes(shuffled.variances())))
            .collect::<Result<_, _>>()?;
        let edge = |side: usize, sign: f64| {
            let [mean, deviation] = mean_and_deviation(chance.iter().map(|extremes| extremes[side]));
            mean + sign * BEYOND * deviation
        };
        let chance = [edge(0, 1.0), edge(1, -1.0)];
        let average = found.mean().clone();
        let length = average.dot(&average).sqrt();
        let first = made_of.row(0);
        let variances = found.variances().to_vec();
        let count = |outside: &dyn Fn(f64) -> bool| variances.iter().filter(|&&v| outside(v)).count();
        let (above, below) = (count(&|v| v > chance[0]), count(&|v| v < chance[1]));
        let above = found.directions().slice_axis(Axis(0), ndarray::Slice::from(..above)).to_owned();
        Ok(Self {
            name,
            spikes,
            against_chance: length * spikes as f64 / ((average.len() * squares) as f64).sqrt(),
            average_cosine: (average.dot(&first) / (length * first.dot(&first).sqrt())).abs(),
            overlap: overlap(&made_of, &above),
            made_of,
            average,
            variances,
            chance,
            above,
            below,
        })
    }

    /// A Gabor function fitted to the mean before a spike.
    pub fn fit(&self, side: usize) -> GaborFit {
        fit(self.average.view(), side)
    }
}

/// The largest and the least.
fn extremes(values: &Array1<f64>) -> [f64; 2] {
    values.iter().fold([f64::NEG_INFINITY, f64::INFINITY], |[high, low], &v| [high.max(v), low.min(v)])
}

/// Of some values: their mean and standard deviation.
fn mean_and_deviation(values: impl ExactSizeIterator<Item = f64> + Clone) -> [f64; 2] {
    let count = values.len() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    [mean, (squares / (count - 1.0)).sqrt()]
}

/// The share of the squares of these filters that lies in orthonormal directions: 1 if they span all of the filters.
fn overlap(filters: &Array2<f64>, directions: &Array2<f64>) -> f64 {
    let square = |matrix: &Array2<f64>| matrix.iter().map(|value| value * value).sum::<f64>();
    square(&filters.dot(&directions.t())) / square(filters)
}

/// How many spikes a rate gives, from a uniform draw, by inversion.
fn poisson(rate: f64, draw: f64) -> usize {
    let (mut count, mut share) = (0, (-rate).exp());
    let mut sum = share;
    while draw >= sum && share > 1e-12 {
        count += 1;
        share *= rate / count as f64;
        sum += share;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    const SIDE: usize = 8;

    fn stimuli(count: usize) -> Array2<f32> {
        Array2::from_shape_fn((count, SIDE * SIDE), |(case, at)| {
            Key::new(5).normal((case * 64 + at) as u64) as f32
        })
    }

    /// √(π/2) along the filter; a standard deviation is √(2/spikes).
    #[test]
    fn the_average_finds_a_simple_cell() {
        let map = Map::of("simple".into(), stimuli(8000).view(), planted(SIDE, 1), Kind::Simple, Key::new(6))
            .unwrap();
        assert!(map.spikes > 3700 && map.spikes < 4300, "{}", map.spikes);
        let along = map.average.dot(&map.made_of.row(0));
        assert!((along - FRAC_PI_2.sqrt()).abs() < 4.0 * (2.0 / map.spikes as f64).sqrt(), "{along}");
        assert!(map.average_cosine > 0.98 && map.against_chance > 5.5, "{}", map.average_cosine);
        // The variance along the filter is 2 − π/2, less than chance.
        assert!(map.below == 1 && map.above.is_empty(), "{:?}", map.variances);
        assert!((map.variances[63] - 0.43).abs() < 0.05, "{}", map.variances[63]);
    }

    /// No average, and two directions of variance 2.
    #[test]
    fn variances_find_a_pair_in_quadrature() {
        let made_of = planted(SIDE, 2);
        let map =
            Map::of("complex".into(), stimuli(8000).view(), made_of, Kind::Complex, Key::new(7)).unwrap();
        assert!(map.against_chance < 1.3, "{}", map.against_chance);
        assert_eq!((map.above.nrows(), map.below), (2, 0), "{:?} {:?}", map.variances, map.chance);
        assert!(map.variances[..2].iter().all(|v| (v - 2.0).abs() < 0.25), "{:?}", &map.variances[..3]);
        assert!(map.overlap > 0.85, "{}", map.overlap);
    }

    #[test]
    fn spikes_are_poisson() {
        for rate in [0.0, 0.3, 2.0, 9.0] {
            let draws = 20_000u64;
            let counts: Vec<f64> =
                (0..draws).map(|at| poisson(rate, f64::from(Key::new(8).uniform(at))) as f64).collect();
            let mean = counts.iter().sum::<f64>() / draws as f64;
            let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / draws as f64;
            let bound = 4.0 * (rate / draws as f64).sqrt();
            assert!(
                (mean - rate).abs() <= bound && (variance - rate).abs() <= 0.06 * rate,
                "{rate}: {mean} {variance}"
            );
        }
        assert_eq!([poisson(0.5, 0.6), poisson(0.5, 0.61)], [0, 1]);
        assert_eq!(mean_and_deviation([1.0, 2.0, 6.0].into_iter()), [3.0, 7f64.sqrt()]);
    }
}
