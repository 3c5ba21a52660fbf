//! How well classes are told apart: error rates, the confusion matrix, the cases that went most wrong.

use crate::Error;
use ndarray::{Array2, ArrayView1, ArrayView2};

/// How often cases of each class were taken for each class.
///
/// A case belongs to the class of its largest prediction. Where n predictions share the maximum, each of their classes has
/// 1/n of the case, which agrees with [`error_rate`](crate::loss::error_rate).
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    /// True class × predicted class.
    pub counts: Array2<f64>,
}

impl ConfusionMatrix {
    /// Compares predictions (cases × classes: probabilities, or anything else that is largest for the class predicted) with
    /// the class of each case.
    ///
    /// # Errors
    /// [`Error::Data`] for another number of labels than of cases, a label that is no class, or a prediction that is not a
    /// number.
    pub fn new(predictions: ArrayView2<'_, f32>, labels: &[usize]) -> Result<ConfusionMatrix, Error> {
        check(predictions, labels)?;
        let mut counts = Array2::zeros((predictions.ncols(), predictions.ncols()));
        for (case, &label) in predictions.rows().into_iter().zip(labels) {
            let winners = winners(case);
            for &class in &winners {
                counts[[label, class]] += 1.0 / winners.len() as f64;
            }
        }
        Ok(ConfusionMatrix { counts })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.counts.nrows()
    }

    /// The share of cases classified wrongly; `None` without cases.
    pub fn error_rate(&self) -> Option<f64> {
        share(self.counts.sum() - self.counts.diag().sum(), self.counts.sum())
    }

    /// The share of the cases of each class that is classified wrongly; `None` for a class without a case.
    pub fn class_error_rates(&self) -> Vec<Option<f64>> {
        let rate = |class: usize| {
            let cases = self.counts.row(class).sum();
            share(cases - self.counts[[class, class]], cases)
        };
        (0..self.classes()).map(rate).collect()
    }

    /// The share of what was taken for each class that belongs to it; `None` for a class that was never predicted.
    pub fn precisions(&self) -> Vec<Option<f64>> {
        let rate = |class: usize| share(self.counts[[class, class]], self.counts.column(class).sum());
        (0..self.classes()).map(rate).collect()
    }
}

/// A case that was classified wrongly.
#[derive(Clone, Debug, PartialEq)]
pub struct Mistake {
    /// Its number.
    pub case: usize,
    /// The class that it belongs to.
    pub label: usize,
    /// The first of the classes with the largest prediction.
    pub predicted: usize,
    /// That prediction.
    pub confidence: f32,
}

/// The wrongly classified cases with the largest predictions, most confident first, at most so many; equally confident
/// ones in their order.
///
/// # Errors
/// As [`ConfusionMatrix::new`].
pub fn most_wrong(
    predictions: ArrayView2<'_, f32>,
    labels: &[usize],
    at_most: usize,
) -> Result<Vec<Mistake>, Error> {
    check(predictions, labels)?;
    let mut mistakes = Vec::new();
    for (number, (case, &label)) in predictions.rows().into_iter().zip(labels).enumerate() {
        let winners = winners(case);
        if !winners.contains(&label) {
            let predicted = winners[0];
            mistakes.push(Mistake { case: number, label, predicted, confidence: case[predicted] });
        }
    }
    mistakes.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    mistakes.truncate(at_most);
    Ok(mistakes)
}

/// All classes whose prediction is the largest.
fn winners(case: ArrayView1<'_, f32>) -> Vec<usize> {
    let largest = case.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (0..case.len()).filter(|&class| case[class] == largest).collect()
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Refuses labels that are no class.
pub(crate) fn check_labels(labels: &[usize], classes: usize) -> Result<(), Error> {
    match labels.iter().enumerate().find(|(_, label)| **label >= classes) {
        None => Ok(()),
        Some((case, label)) => {
            let range = format!("the {classes} classes are numbered from 0");
            Err(Error::Data(format!("label {label} of case {case} is no class: {range}")))
        }
    }
}

fn check(predictions: ArrayView2<'_, f32>, labels: &[usize]) -> Result<(), Error> {
    let [cases, classes] = [predictions.nrows(), predictions.ncols()];
    if cases != labels.len() {
        return Err(Error::Data(format!("{} labels for {cases} predictions: each needs one", labels.len())));
    }
    check_labels(labels, classes)?;
    if let Some(((case, class), _)) = predictions.indexed_iter().find(|(_, value)| value.is_nan()) {
        return Err(Error::Data(format!("the prediction of class {class} for case {case} is not a number")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, loss::error_rate};
    use ndarray::arr2;

    fn predictions() -> Array2<f32> {
        arr2(&[[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.5, 0.0], [0.9, 0.1, 0.0], [0.0, 0.95, 0.05]])
    }

    /// Class 2 has no case and is never predicted: there is no rate, rather than one that is not a number.
    #[test]
    fn counts_and_rates_by_hand() {
        let matrix = ConfusionMatrix::new(predictions().view(), &[0, 1, 0, 1, 0]).unwrap();
        assert_eq!(matrix.counts, arr2(&[[1.5, 1.5, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]));
        assert_eq!(matrix.error_rate(), Some(0.5));
        assert_eq!(matrix.class_error_rates(), [Some(0.5), Some(0.5), None]);
        assert_eq!(matrix.precisions(), [Some(0.6), Some(0.4), None]);
        assert_eq!(ConfusionMatrix::new(Array2::zeros((0, 2)).view(), &[]).unwrap().error_rate(), None);
    }

    #[test]
    fn the_error_rate_is_that_of_the_device() {
        let device = Device::cpu();
        let targets =
            arr2(&[[1.0f32, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]);
        let (outputs, targets) = (device.tensor(&predictions()), device.tensor(&targets));
        assert!((error_rate(outputs.view(), targets.view()).unwrap() - 0.5).abs() < 1e-6);
    }

    #[test]
    fn the_most_confident_mistakes_come_first() {
        let mistakes = most_wrong(predictions().view(), &[0, 1, 0, 1, 0], 9).unwrap();
        let found: Vec<_> = mistakes.iter().map(|m| (m.case, m.label, m.predicted, m.confidence)).collect();
        assert_eq!(found, [(4, 0, 1, 0.95), (3, 1, 0, 0.9)]);
        assert_eq!(most_wrong(predictions().view(), &[0, 1, 0, 1, 0], 1).unwrap().len(), 1);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |predictions: Array2<f32>, labels: &[usize]| {
            ConfusionMatrix::new(predictions.view(), labels).unwrap_err().to_string()
        };
        assert_eq!(message(predictions(), &[0]), "1 labels for 5 predictions: each needs one");
        let wanted = "label 3 of case 1 is no class: the 3 classes are numbered from 0";
        assert_eq!(message(predictions(), &[0, 3, 0, 0, 0]), wanted);
        assert!(message(arr2(&[[0.0, f32::NAN]]), &[0]).contains("class 1 for case 0"));
    }
}
