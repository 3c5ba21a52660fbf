//! Who errs where: columns, and committees of some of them.

use ndarray::Array2;
use nn_core::classification::ConfusionMatrix;

use crate::run_error::{RunError, WhileDoing};

/// What columns say of the test images, each images × classes, and what is right.
pub(super) struct Verdicts<'a> {
    pub(super) predictions: &'a [Array2<f32>],
    pub(super) labels: &'a [usize],
}

impl Verdicts<'_> {
    /// The confusions of the committee of the columns of these numbers.
    fn confusions(&self, members: &[usize]) -> Result<ConfusionMatrix, RunError> {
        ConfusionMatrix::new(self.mean(members).view(), self.labels).while_doing("counting errors")
    }

    fn mean(&self, members: &[usize]) -> Array2<f32> {
        let mut sum = Array2::zeros(self.predictions[members[0]].dim());
        members.iter().for_each(|member| sum += &self.predictions[*member]);
        sum / members.len() as f32
    }

    /// Error of a committee in percent.
    pub(super) fn error_percent(&self, members: &[usize]) -> Result<f64, RunError> {
        Ok(100.0 * self.confusions(members)?.error_rate().unwrap_or_default())
    }

    /// Mean error, in percent, over all committees of `size` columns.
    pub(super) fn mean_error_of(&self, size: usize) -> Result<f64, RunError> {
        let columns = self.predictions.len();
        let (mut sum, mut count) = (0.0, 0.0);
        for chosen in 0..1u32 << columns {
            if chosen.count_ones() as usize == size {
                let members: Vec<usize> = (0..columns).filter(|column| chosen >> column & 1 == 1).collect();
                sum += self.error_percent(&members)?;
                count += 1.0;
            }
        }
        Ok(sum / count)
    }

    /// Errors of a committee on the images of each class.
    pub(super) fn errors_by_class(&self, members: &[usize]) -> Result<Vec<f64>, RunError> {
        let counts = self.confusions(members)?.counts;
        Ok((0..counts.nrows()).map(|class| counts.row(class).sum() - counts[[class, class]]).collect())
    }

    /// For each number of columns that are wrong, from none to all: how many images there are, and on how many of these
    /// the committee of all is wrong.
    pub(super) fn by_wrong_columns(&self) -> Vec<(usize, usize)> {
        let all: Vec<usize> = (0..self.predictions.len()).collect();
        let committee = self.mean(&all);
        let mut counts = vec![(0, 0); all.len() + 1];
        for (case, label) in self.labels.iter().enumerate() {
            let wrong = |predictions: &Array2<f32>| {
                let row = predictions.row(case);
                row.iter().enumerate().any(|(class, value)| class != *label && *value >= row[*label])
            };
            let columns = self.predictions.iter().filter(|predictions| wrong(predictions)).count();
            counts[columns].0 += 1;
            counts[columns].1 += usize::from(wrong(&committee));
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    /// Three images of classes 0, 1, 0 and three columns.
    fn predictions() -> [Array2<f32>; 3] {
        [
            arr2(&[[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]),
            arr2(&[[0.4, 0.6], [0.1, 0.9], [0.3, 0.7]]),
            arr2(&[[0.9, 0.1], [0.3, 0.7], [0.9, 0.1]]),
        ]
    }

    #[test]
    fn errors_of_columns_and_committees_by_hand() {
        let predictions = predictions();
        let verdicts = Verdicts { predictions: &predictions, labels: &[0, 1, 0] };
        let percent = |members: &[usize]| verdicts.error_percent(members).unwrap();
        let third = 100.0 / 3.0;
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        near(percent(&[0]), 2.0 * third);
        near(percent(&[1]), 2.0 * third);
        near(percent(&[2]), 0.0);
        // Means: [0.73, 0.27], [0.33, 0.67], [0.47, 0.53].
        near(percent(&[0, 1, 2]), third);
        near(verdicts.mean_error_of(1).unwrap(), 4.0 * third / 3.0);
        near(verdicts.mean_error_of(3).unwrap(), third);
        // Pairs: [.65 .35][.35 .65][.25 .75] one wrong; 0, 2: [.9][.45 .55][.55 .45] none; 1, 2: [.65][.2 .8][.6 .4] none.
        near(verdicts.mean_error_of(2).unwrap(), third / 3.0);
        assert_eq!(verdicts.errors_by_class(&[0, 1, 2]).unwrap(), [1.0, 0.0]);
        assert_eq!(verdicts.errors_by_class(&[0]).unwrap(), [1.0, 1.0]);
    }

    #[test]
    fn images_are_counted_by_how_many_columns_err() {
        let predictions = predictions();
        let verdicts = Verdicts { predictions: &predictions, labels: &[0, 1, 0] };
        // The first image: column 1 errs; the second: column 0; the third: both, and the committee.
        assert_eq!(verdicts.by_wrong_columns(), [(0, 0), (2, 0), (1, 1), (0, 0)]);
    }
}
