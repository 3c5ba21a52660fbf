//! From seconds of rounds to medians and ratios.

use serde::Serialize;

/// The seconds of one unit of work in each round, in the order of the rounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// The middle one; between the two middle ones of an even number.
    pub median_s: f64,
    /// The smallest.
    pub min_s: f64,
    /// All of them.
    pub rounds_s: Vec<f64>,
    /// Units of work in one round; their mean counts as the time of one.
    pub units_per_round: u32,
}

impl Timings {
    /// Of the seconds of one unit, one number a round.
    pub fn new(rounds_s: Vec<f64>, units_per_round: u32) -> Self {
        let min_s = rounds_s.iter().copied().fold(f64::INFINITY, f64::min);
        Self { median_s: median(&rounds_s), min_s, rounds_s, units_per_round }
    }
}

/// How many times as long a peer took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Median of the peer by our median.
    pub of_medians: f64,
    /// The smallest quotient of one round.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Ratio {
    /// Peer by ours. Rounds are compared with their neighbours in time only.
    pub fn of(peer: &Timings, ours: &Timings) -> Self {
        let quotients = peer.rounds_s.iter().zip(&ours.rounds_s).map(|(peer, ours)| peer / ours);
        let (min, max) = quotients
            .fold((f64::INFINITY, 0.0f64), |(min, max), quotient| (min.min(quotient), max.max(quotient)));
        Self { of_medians: peer.median_s / ours.median_s, min, max }
    }
}

/// The middle value, NaN of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_even_and_no_numbers() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_ratio_is_of_medians_and_its_range_of_pairs() {
        let ours = Timings::new(vec![1.0, 2.0, 4.0], 1);
        let peer = Timings::new(vec![3.0, 3.0, 16.0], 1);
        assert_eq!((ours.median_s, ours.min_s), (2.0, 1.0));
        assert_eq!(Ratio::of(&peer, &ours), Ratio { of_medians: 1.5, min: 1.5, max: 4.0 });
    }
}
