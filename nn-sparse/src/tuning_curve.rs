//! How sharply a unit is tuned: widths of curves of answers.

/// Half of the width at half height of a curve over angles in equal steps around a whole circle of this period, such as π for
/// orientations: the mean of the distances from the largest answer to where answers have fallen to its half, on either side, with
/// straight lines between the steps. In the unit of the period.
///
/// None for a curve that does not fall to half its largest answer within half a turn on both sides, or has no positive answer.
pub fn half_width(curve: &[f64], period: f64) -> Option<f64> {
    let steps = curve.len();
    let top = largest(curve)?;
    let at = |offset: isize| curve[(top as isize + offset).rem_euclid(steps as isize) as usize];
    let half = 0.5 * curve[top];
    let side = |sign: isize| crossing(|step| at(sign * step as isize), steps / 2, half);
    Some(0.5 * (side(1)? + side(-1)?) * period / steps as f64)
}

/// The width at half height of a curve over rising frequencies, in octaves: log₂ of the ratio of the frequencies above and below
/// the best one at which answers have fallen to half of the largest, with straight lines between logarithms of frequencies.
///
/// None for a curve that does not fall to half its largest answer on both sides, or has no positive answer.
///
/// # Panics
///
/// If there are not as many answers as frequencies.
#[track_caller]
pub fn octaves(frequencies: &[f64], curve: &[f64]) -> Option<f64> {
    assert_eq!(frequencies.len(), curve.len(), "answers and frequencies differ in number");
    let top = largest(curve)?;
    let half = 0.5 * curve[top];
    let above = crossing(|step| curve[top + step], curve.len() - 1 - top, half)?;
    let below = crossing(|step| curve[top - step], top, half)?;
    let logarithm = |place: f64| {
        let (low, share) = (place.floor() as usize, place.fract());
        let high = (low + 1).min(frequencies.len() - 1);
        (1.0 - share) * frequencies[low].log2() + share * frequencies[high].log2()
    };
    Some(logarithm(top as f64 + above) - logarithm(top as f64 - below))
}

/// The place of the largest answer, if that is positive: the first of several.
fn largest(curve: &[f64]) -> Option<usize> {
    let top = (0..curve.len()).fold(0, |top, at| if curve[at] > curve[top] { at } else { top });
    curve.get(top).filter(|answer| **answer > 0.0).map(|_| top)
}

/// After how many steps, at most so many, answers have fallen to the half.
fn crossing(at: impl Fn(usize) -> f64, steps: usize, half: f64) -> Option<f64> {
    let step = (1..=steps).find(|&step| at(step) <= half)?;
    let (before, after) = (at(step - 1), at(step));
    Some(step as f64 - (half - after) / (before - after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cell, GaborFit, GratingTuning, Neighborhood};
    use std::f64::consts::{LN_2, PI, TAU};

    #[test]
    fn widths_by_hand() {
        // Falls to the half after 2 steps to the right and 1.5 to the left.
        let curve = [1.0, 3.0, 4.0, 3.0, 2.0, 0.0, 0.0, 0.0];
        assert!((half_width(&curve, 8.0).unwrap() - 1.75).abs() < 1e-12);
        // The same around the edge.
        let turned = [3.0, 2.0, 0.0, 0.0, 0.0, 1.0, 3.0, 4.0];
        assert!((half_width(&turned, 8.0).unwrap() - 1.75).abs() < 1e-12);
        assert_eq!(half_width(&[4.0, 3.0, 2.5, 3.0], 4.0), None);
        assert_eq!(half_width(&[0.0; 5], 1.0), None);
        assert_eq!(half_width(&[], 1.0), None);
        let frequencies = [0.05, 0.1, 0.2, 0.4];
        assert!((octaves(&frequencies, &[0.0, 2.0, 4.0, 0.0]).unwrap() - 1.5).abs() < 1e-12);
        assert_eq!(octaves(&frequencies, &[3.0, 2.5, 4.0, 0.0]), None);
        assert_eq!(octaves(&frequencies, &[0.0, 2.0, 3.0, 4.0]), None);
    }

    /// Of a Gabor function of some cycles: answers to gratings follow its spectrum, exp(−½(2π)²(σ_u²Δ_u² + σ_v²Δ_v²)) at a
    /// distance Δ from its own frequency.
    #[test]
    fn widths_of_a_gabor_function_are_those_of_its_spectrum() {
        let (frequency, deviations) = (0.2, [3.0, 2.5]);
        let gabor = GaborFit {
            centre: [11.5; 2],
            orientation: PI / 4.0,
            frequency,
            deviations,
            phase: 0.4,
            amplitude: 1.0,
            explained: 1.0,
        };
        let filter = gabor.values([24, 24]).into_shape_with_order((1, 576)).unwrap();
        let frequencies: Vec<f64> = (0..60).map(|step| 0.1 * 2f64.powf(step as f64 / 30.0)).collect();
        let alone = Neighborhood::alone(1).unwrap();
        let tuning = GratingTuning::new(filter.view(), [24, 24], &alone, 180, &frequencies, 8).unwrap();
        let answer = tuning.answer(Cell::Simple(0));

        let reach = (2.0 * LN_2).sqrt() / (TAU * deviations[0]);
        let wanted = ((frequency + reach) / (frequency - reach)).log2();
        let found = octaves(&frequencies, &answer.over_frequencies).unwrap();
        assert!((found - wanted).abs() < 0.02, "{found} octaves, not {wanted}");

        let drop = |angle: f64| {
            let along = deviations[0] * frequency * (angle.cos() - 1.0);
            let across = deviations[1] * frequency * angle.sin();
            TAU * TAU * (along * along + across * across)
        };
        let (mut low, mut high) = (0.0, 0.5 * PI);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if drop(middle) < 2.0 * LN_2 { low = middle } else { high = middle }
        }
        let found = half_width(&answer.over_orientations, PI).unwrap();
        assert!((found - low).abs() < 0.01, "{found}, not {low}");
    }
}
