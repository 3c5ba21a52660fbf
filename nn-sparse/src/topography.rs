//! Whether a map of units is one: neighbours that are alike, and active together.

use std::f64::consts::{PI, TAU};

use ndarray::{Array1, Array2, ArrayView2, Axis};
use nn_core::{Error, Key};

/// A property of a unit that neighbours may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// |a − b|, for the logarithm of a frequency.
    Plain,
    /// The angle between directions without sense, 0 to π/2; π/4 by chance.
    Orientation,
    /// The angle between phases, 0 to π; π/2 by chance.
    Phase,
}

impl Difference {
    /// Between two values, angles in radians.
    pub fn between(self, a: f64, b: f64) -> f64 {
        let around = |period: f64| {
            let apart = (a - b).rem_euclid(period);
            apart.min(period - apart)
        };
        match self {
            Difference::Plain => (a - b).abs(),
            Difference::Orientation => around(PI),
            Difference::Phase => around(TAU),
        }
    }
}

/// How much neighbours differ, against what they would if units were anywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothness {
    /// The mean difference of neighbours.
    pub neighbors: f64,
    /// Its mean over shuffles.
    pub shuffled: f64,
    /// Its standard deviation over shuffles.
    pub deviation: f64,
    /// (neighbors − shuffled) / deviation: below −5 is a map beyond doubt, near 0 none.
    pub z: f64,
}

/// The difference of neighbours in a property of units, where it is known (such as the orientation of those that a Gabor
/// function fits), against so many shuffles of the known values among the units that have one.
///
/// # Errors
///
/// [`Error::Data`] if no neighbours are both known, [`Error::Setting`] for fewer than two shuffles.
///
/// # Panics
///
/// If a pair names a unit that is not there.
pub fn smoothness(
    values: &[Option<f64>],
    pairs: &[[usize; 2]],
    difference: Difference,
    shuffles: usize,
    key: Key,
) -> Result<Smoothness, Error> {
    if shuffles < 2 {
        return Err(Error::setting("number of shuffles", shuffles, "it must be at least 2"));
    }
    let known: Vec<usize> = (0..values.len()).filter(|&unit| values[unit].is_some()).collect();
    let mut property: Vec<f64> = known.iter().filter_map(|&unit| values[unit]).collect();
    let place = |unit: usize| values[unit].and_then(|_| known.binary_search(&unit).ok());
    let pairs: Vec<[usize; 2]> = pairs.iter().filter_map(|&[a, b]| Some([place(a)?, place(b)?])).collect();
    if pairs.is_empty() {
        return Err(Error::Data(
            "no two neighbours have a known value; nothing can be said of their difference".into(),
        ));
    }
    let mean = |property: &[f64]| {
        let differences = pairs.iter().map(|&[a, b]| difference.between(property[a], property[b]));
        differences.sum::<f64>() / pairs.len() as f64
    };
    let neighbors = mean(&property);
    let found: Vec<f64> = (0..shuffles)
        .map(|shuffle| {
            let key = key.fold_in(shuffle as u64);
            for last in (1..property.len()).rev() {
                let other = (f64::from(key.uniform(last as u64)) * (last + 1) as f64) as usize;
                property.swap(last, other.min(last));
            }
            mean(&property)
        })
        .collect();
    let shuffled = found.iter().sum::<f64>() / shuffles as f64;
    let squares: f64 = found.iter().map(|value| (value - shuffled).powi(2)).sum();
    let deviation = (squares / (shuffles - 1) as f64).sqrt();
    let z = if deviation > 0.0 { (neighbors - shuffled) / deviation } else { 0.0 };
    Ok(Smoothness { neighbors, shuffled, deviation, z })
}

/// Means of the correlations of the energies y_i² and y_j² over cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyCorrelation {
    /// Over the pairs that are given.
    pub neighbors: f64,
    /// Over all pairs.
    pub all: f64,
}

/// Whether the energies of neighbours go together, from outputs, cases × units. A unit whose energy never changes has a
/// correlation of 0 with every other.
///
/// # Errors
///
/// [`Error::Data`] for fewer than two cases or units, or no pairs.
pub fn energy_correlation(
    outputs: ArrayView2<'_, f64>,
    pairs: &[[usize; 2]],
) -> Result<EnergyCorrelation, Error> {
    let (cases, units) = outputs.dim();
    if cases < 2 || units < 2 || pairs.is_empty() {
        let pairs = pairs.len();
        return Err(Error::Data(format!(
            "{cases} cases of {units} units and {pairs} pairs; correlations need two cases, two units and a pair"
        )));
    }
    let mut energies = outputs.mapv(|y| y * y);
    for mut energy in energies.axis_iter_mut(Axis(1)) {
        let mean = energy.sum() / cases as f64;
        energy -= mean;
        let length = energy.dot(&energy).sqrt();
        energy.mapv_inplace(|value| if length > 0.0 { value / length } else { 0.0 });
    }
    let correlations: Array2<f64> = energies.t().dot(&energies);
    let of_pairs: f64 = pairs.iter().map(|&[a, b]| correlations[(a, b)]).sum();
    let all = (correlations.sum() - correlations.diag().sum()) / (units * (units - 1)) as f64;
    Ok(EnergyCorrelation { neighbors: of_pairs / pairs.len() as f64, all })
}

/// E[(y − ȳ)⁴]/E[(y − ȳ)²]² − 3 of each unit, from outputs, cases × units: 0 of normal ones (± √(24/cases)), positive of sparse
/// ones. 0 of a unit that never changes.
pub fn kurtosis(outputs: ArrayView2<'_, f64>) -> Array1<f64> {
    let cases = outputs.nrows().max(1) as f64;
    outputs.map_axis(Axis(0), |unit| {
        let mean = unit.sum() / cases;
        let moment = |power: i32| unit.iter().map(|y| (y - mean).powi(power)).sum::<f64>() / cases;
        let variance = moment(2);
        if variance > 0.0 { moment(4) / (variance * variance) - 3.0 } else { 0.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Edge, Neighborhood};

    #[test]
    fn angles_are_compared_around_the_circle() {
        assert!((Difference::Orientation.between(0.1, PI - 0.1) - 0.2).abs() < 1e-12);
        assert!((Difference::Phase.between(-PI + 0.1, PI - 0.1) - 0.2).abs() < 1e-12);
        assert!((Difference::Phase.between(0.0, PI) - PI).abs() < 1e-12);
        assert_eq!(Difference::Plain.between(1.0, 3.5), 2.5);
    }

    #[test]
    fn a_smooth_map_is_told_from_a_shuffled_one() {
        let pairs = Neighborhood::grid([8, 8], 1, Edge::Open).unwrap().pairs();
        let key = Key::new(3);
        let smooth: Vec<_> = (0..64).map(|unit| Some((unit / 8) as f64 * 0.2)).collect();
        let found = smoothness(&smooth, &pairs, Difference::Orientation, 200, key).unwrap();
        assert!(found.z < -5.0 && found.neighbors < found.shuffled, "{found:?}");
        let random: Vec<_> = (0..64).map(|unit| Some(PI * f64::from(key.uniform(1000 + unit)))).collect();
        let found = smoothness(&random, &pairs, Difference::Orientation, 200, key).unwrap();
        assert!(found.z.abs() < 3.0 && (found.shuffled - PI / 4.0).abs() < 0.1, "{found:?}");
        // Where units are unknown, only the others count: two values that are neighbours differ as much in any order.
        let few = [Some(0.0), None, Some(1.0), Some(9.0)];
        let found = smoothness(&few, &[[0, 1], [0, 2]], Difference::Plain, 300, key).unwrap();
        assert_eq!(found.neighbors, 1.0);
        assert!((found.shuffled - 18.0 / 3.0).abs() < 0.6, "{found:?}");
        assert!(smoothness(&few, &[[0, 1]], Difference::Plain, 300, key).is_err());
        assert!(smoothness(&few, &[[0, 2]], Difference::Plain, 1, key).is_err());
    }

    /// Three units of which the first two share their scale: the correlation of energies of s·a and s·b, a and b normal, is
    /// (E s⁴ − 1)/(3·E s⁴ − 1) for E s² = 1; here s² is 0 or 2, so that E s⁴ = 2: 1/5.
    #[test]
    fn energies_and_kurtosis_of_a_known_distribution() {
        let (key, cases) = (Key::new(8), 40_000);
        let outputs = Array2::from_shape_fn((cases, 3), |(case, unit)| {
            let scale = if key.fold_in(1).uniform(case as u64) < 0.5 { 0.0 } else { 2f64.sqrt() };
            key.normal((case * 3 + unit) as u64) * if unit < 2 { scale } else { 1.0 }
        });
        let found = energy_correlation(outputs.view(), &[[0, 1]]).unwrap();
        assert!((found.neighbors - 0.2).abs() < 0.02 && (found.all - 0.2 / 3.0).abs() < 0.02, "{found:?}");
        let kurtosis = kurtosis(outputs.view());
        // 3·E s⁴ − 3 = 3; bounds are four standard deviations.
        assert!((kurtosis[0] - 3.0).abs() < 0.4, "{kurtosis}");
        assert!(kurtosis[2].abs() < 4.0 * (24.0 / cases as f64).sqrt(), "{kurtosis}");
        assert_eq!(super::kurtosis(Array2::ones((5, 1)).view())[0], 0.0);
        assert!(energy_correlation(outputs.view(), &[]).is_err());
    }
}
