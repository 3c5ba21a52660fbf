//! Whether two quantities order the same things alike: Spearman's rank correlation and how sure it is.

use nn_core::Key;

/// Resamples of the bootstrap.
const RESAMPLES: u64 = 10_000;
/// The part of the resamples that lies below the interval, and above it: 95 % are inside.
const TAIL: f64 = 0.025;

/// A rank correlation with a confidence interval of 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankCorrelation {
    /// ρ, from −1 to 1.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl RankCorrelation {
    /// Of pairs, with the interval between the 2.5th and the 97.5th percentile of ρ in resamples of as many pairs, drawn
    /// with replacement (Efron, "Bootstrap methods", 1979). Resamples without a correlation are left out. None where the
    /// pairs themselves have none.
    ///
    /// Of few pairs the interval is rough, and as a rule too narrow.
    pub fn of(pairs: &[(f64, f64)], key: Key) -> Option<RankCorrelation> {
        let value = spearman(pairs)?;
        let mut resampled: Vec<f64> = (0..RESAMPLES)
            .filter_map(|resample| {
                let key = key.fold_in(resample);
                let draw = |at: usize| (key.uniform(at as u64) * pairs.len() as f32) as usize;
                let drawn: Vec<_> = (0..pairs.len()).map(|at| pairs[draw(at).min(pairs.len() - 1)]).collect();
                spearman(&drawn)
            })
            .collect();
        resampled.sort_by(f64::total_cmp);
        let at = |share: f64| resampled.get((share * resampled.len() as f64) as usize).copied();
        Some(RankCorrelation { value, low: at(TAIL)?, high: at(1.0 - TAIL)? })
    }
}

/// ρ = the correlation of the ranks, where equal values share the mean of their ranks; none where all values of one side
/// are equal.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let left = ranks(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
    let right = ranks(&pairs.iter().map(|pair| pair.1).collect::<Vec<_>>());
    let middle = (pairs.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>()
    };
    let scale = (product(&left, &left) * product(&right, &right)).sqrt();
    (scale > 0.0).then(|| product(&left, &right) / scale)
}

/// The rank of each value, from 0; equal values have the mean of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count() as f64;
        let equal = values.iter().filter(|other| *other == value).count() as f64;
        below + (equal - 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_by_hand() {
        let rising = [(1.0, 10.0), (2.0, 100.0), (3.0, 1000.0)];
        assert_eq!(spearman(&rising), Some(1.0));
        assert_eq!(spearman(&rising.map(|(x, y)| (x, -y))), Some(-1.0));
        // Rank differences 1, 1, 0, 0: 1 − 6 · 2 / (4 · 15).
        let swapped = [(1.0, 2.0), (2.0, 1.0), (3.0, 3.0), (4.0, 4.0)];
        assert!((spearman(&swapped).unwrap() - 0.8).abs() < 1e-12);
        // Ranks 0, 1.5, 1.5, 3 against 0, 1, 2, 3: 4.5 / √(4.5 · 5).
        let tied = [(1.0, 1.0), (2.0, 2.0), (2.0, 3.0), (4.0, 4.0)];
        assert!((spearman(&tied).unwrap() - 0.9f64.sqrt()).abs() < 1e-12);
        assert_eq!(spearman(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(spearman(&[]), None);
    }

    /// Of two distinct pairs a resample has both, in which case ρ is ±1, or no correlation.
    #[test]
    fn intervals_of_certain_and_of_uncertain_orders() {
        let certain = RankCorrelation::of(&[(1.0, 1.0), (2.0, 2.0)], Key::new(1)).unwrap();
        assert_eq!(certain, RankCorrelation { value: 1.0, low: 1.0, high: 1.0 });
        let key = Key::new(2);
        let random: Vec<_> =
            (0..40).map(|i| (f64::from(key.uniform(i)), f64::from(key.uniform(100 + i)))).collect();
        let found = RankCorrelation::of(&random, Key::new(3)).unwrap();
        assert!(found.low < found.value && found.value < found.high, "{found:?}");
        // Independent ranks: the standard deviation of ρ is 1 / √39, and the interval is about four of them wide.
        let width = (found.high - found.low) * 39f64.sqrt();
        assert!((3.0..5.0).contains(&width), "{found:?}");
        assert_eq!(RankCorrelation::of(&random, Key::new(3)), Some(found));
        assert_eq!(RankCorrelation::of(&[(1.0, 1.0), (1.0, 2.0)], key), None);
    }
}
