//! How well a single unit tells a class from everything else.

use ndarray::{ArrayView2, Axis};

use crate::seed_mean::SeedMean;

/// Thresholds that are tried, equally spaced between the least and the largest response of a unit.
const THRESHOLDS: usize = 20;

/// The unit and the threshold that were best on the first half of the cases, and what they are on the second.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selectivity {
    pub(super) unit: usize,
    /// The unit answers "of the class" above it.
    pub(super) threshold: f32,
    /// Right answers on the half they were chosen on, in percent: too high, as the best of many.
    pub(super) chosen_accuracy: f64,
    /// For each case of the other half, whether the answer is right.
    pub(super) right: Vec<bool>,
}

impl Selectivity {
    /// Of units' responses, cases × units. Of equals the first unit, and the lowest threshold, is taken. `told` are the labels
    /// by which both are chosen, `of_class` those by which the second half is judged: the same ones, but for a control.
    pub(super) fn of(responses: ArrayView2<'_, f32>, of_class: &[bool], told: &[bool]) -> Selectivity {
        let half = responses.nrows() / 2;
        let (mut best, mut unit, mut threshold) = (0, 0, f32::INFINITY);
        for (number, column) in responses.axis_iter(Axis(1)).enumerate() {
            let chosen_on: Vec<f32> = column.iter().take(half).copied().collect();
            let least = chosen_on.iter().copied().fold(f32::INFINITY, f32::min);
            let most = chosen_on.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for step in 0..THRESHOLDS {
                let tried = least + (most - least) * step as f32 / (THRESHOLDS - 1) as f32;
                let right =
                    chosen_on.iter().zip(told).filter(|(value, is)| (**value > tried) == **is).count();
                if right > best {
                    (best, unit, threshold) = (right, number, tried);
                }
            }
        }
        let answers = responses.column(unit).into_iter().zip(of_class).skip(half);
        Selectivity {
            unit,
            threshold,
            chosen_accuracy: 100.0 * best as f64 / half.max(1) as f64,
            right: answers.map(|(value, is)| (*value > threshold) == *is).collect(),
        }
    }

    /// Right answers on cases that had no part in the choice, in percent, and the standard error √(p(1 − p)/n) of it.
    pub(super) fn accuracy(&self) -> [f64; 2] {
        share(self.right.iter().copied())
    }

    /// By how many points it is more often right than another one on the same cases, and the standard error of that: of the
    /// mean of differences case by case.
    pub(super) fn margin(&self, other: &Selectivity) -> [f64; 2] {
        let count = self.right.len().max(1) as f64;
        let pairs = self.right.iter().zip(&other.right);
        let difference =
            pairs.map(|(ours, theirs)| f64::from(u8::from(*ours)) - f64::from(u8::from(*theirs)));
        let (sum, squares) = difference.fold((0.0, 0.0), |(sum, squares), d| (sum + d, squares + d * d));
        let mean = sum / count;
        [100.0 * mean, 100.0 * ((squares / count - mean * mean).max(0.0) / count).sqrt()]
    }
}

/// The share of the second half that "never of the class" is right on, in percent, and its standard error.
pub(super) fn never(of_class: &[bool]) -> [f64; 2] {
    share(of_class.iter().skip(of_class.len() / 2).map(|is| !is))
}

/// The mean of a figure over repetitions, each with its standard error e, and the standard error of the mean: the larger of what
/// the repetitions themselves show of it and √(Σ e²)/n, that of the scenes alone. At least one repetition.
pub(super) fn mean(figures: &[[f64; 2]]) -> [f64; 2] {
    let values: Vec<f64> = figures.iter().map(|[value, _]| *value).collect();
    let SeedMean { mean, standard_error } = SeedMean::of(&values);
    let of_scenes = figures.iter().map(|[_, error]| error * error).sum::<f64>().sqrt() / figures.len() as f64;
    [mean, standard_error.max(of_scenes)]
}

fn share(right: impl Iterator<Item = bool>) -> [f64; 2] {
    let (count, good) =
        right.fold((0.0f64, 0.0), |(count, good), is| (count + 1.0, good + f64::from(u8::from(is))));
    let share = good / count.max(1.0);
    [100.0 * share, 100.0 * (share * (1.0 - share) / count.max(1.0)).sqrt()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use nn_core::Key;

    /// Unit 3 of five is the label and a little noise; the others are noise.
    fn planted(cases: usize) -> (Array2<f32>, Vec<bool>) {
        let key = Key::new(1);
        let of_class: Vec<bool> = (0..cases).map(|case| key.fold_in(1).uniform(case as u64) < 0.4).collect();
        let responses = Array2::from_shape_fn((cases, 5), |(case, unit)| {
            let signal = if unit == 3 && of_class[case] { 4.0 } else { 0.0 };
            key.normal((case * 5 + unit) as u64) as f32 + signal
        });
        (responses, of_class)
    }

    #[test]
    fn the_unit_of_the_class_is_found_and_judged_on_other_cases() {
        let (responses, of_class) = planted(4000);
        let found = Selectivity::of(responses.view(), &of_class, &of_class);
        assert_eq!((found.unit, found.right.len()), (3, 2000));
        // Two normal densities four deviations apart: 97.7 % at best.
        let [accuracy, error] = found.accuracy();
        assert!((accuracy - 97.7).abs() < 1.5 && (found.chosen_accuracy - 97.7).abs() < 1.5, "{accuracy}");
        assert!((error - (accuracy * (100.0 - accuracy) / 2000.0).sqrt()).abs() < 1e-9);
        // In the other direction nothing is as good as never saying yes, about 60 %.
        let turned = Selectivity::of(responses.mapv(|value| -value).view(), &of_class, &of_class);
        assert!((turned.accuracy()[0] - never(&of_class)[0]).abs() < 3.0);
        let [margin, margin_error] = found.margin(&turned);
        assert!((margin - (accuracy - turned.accuracy()[0])).abs() < 1e-9 && margin_error < 1.5);
        assert_eq!(found.margin(&found), [0.0, 0.0]);
    }

    #[test]
    fn shuffled_labels_choose_nothing_of_use() {
        let (responses, of_class) = planted(4000);
        let shuffled: Vec<bool> = (0..4000).map(|case| of_class[(case + 777) % 4000]).collect();
        let found = Selectivity::of(responses.view(), &of_class, &shuffled);
        assert!(found.accuracy()[0] < 65.0 && found.chosen_accuracy < 65.0, "{found:?}");
    }

    #[test]
    fn a_mean_is_as_unsure_as_scenes_and_repetitions_make_it() {
        assert_eq!(mean(&[[80.0, 2.0]]), [80.0, 2.0]);
        // Repetitions that agree by chance: √(3² + 4²)/2.
        assert_eq!(mean(&[[80.0, 3.0], [80.0, 4.0]]), [80.0, 2.5]);
        // Deviations ±5: variance 50, halved.
        assert_eq!(mean(&[[80.0, 3.0], [90.0, 4.0]]), [85.0, 5.0]);
    }

    #[test]
    fn never_is_right_on_all_distractors() {
        let [share, error] = never(&[true, true, true, false, false, false]);
        assert!((share - 100.0).abs() < 1e-12 && error == 0.0);
        assert!((never(&[false, true, true, false])[0] - 50.0).abs() < 1e-12);
    }
}
