//! Random parts of labelled images with equally many of each class: for learning curves and for validation.

use rand_core::RngCore;

use crate::uniform::permutation;
use crate::{DataError, Images};

impl Images {
    /// `count` images of each class, drawn at random, in the order in which they stand here.
    ///
    /// Each class is shuffled as a whole and its first `count` are taken: equal generators give parts that
    /// contain those of smaller `count`, as learning curves should have them.
    ///
    /// # Errors
    ///
    /// [`DataError::Unlabelled`], and [`DataError::TooFewOfClass`] if a class has fewer.
    pub fn draw_of_each_class<R: RngCore + ?Sized>(
        &self,
        count: usize,
        generator: &mut R,
    ) -> Result<Self, DataError> {
        self.rows(&self.drawn_rows(count, generator)?)
    }

    /// Divides the images into parts for training and validation, the latter with `validation` images of each
    /// class, drawn at random; both keep the order in which the images stand here.
    ///
    /// # Errors
    ///
    /// Those of [`draw_of_each_class`](Self::draw_of_each_class).
    pub fn split_each_class<R: RngCore + ?Sized>(
        &self,
        validation: usize,
        generator: &mut R,
    ) -> Result<(Self, Self), DataError> {
        let drawn = self.drawn_rows(validation, generator)?;
        let rest: Vec<usize> = (0..self.len()).filter(|row| drawn.binary_search(row).is_err()).collect();
        Ok((self.rows(&rest)?, self.rows(&drawn)?))
    }

    /// Rows of `count` images of each class, ascending.
    fn drawn_rows<R: RngCore + ?Sized>(
        &self,
        count: usize,
        generator: &mut R,
    ) -> Result<Vec<usize>, DataError> {
        let action = "drawing images by class";
        let labels = self.labels().ok_or(DataError::Unlabelled { action })?;
        let mut rows_of = vec![Vec::new(); self.classes()];
        for (row, &label) in labels.iter().enumerate() {
            rows_of[usize::from(label)].push(row);
        }
        let mut drawn = Vec::new();
        for (class, rows) in rows_of.iter().enumerate() {
            if rows.len() < count {
                return Err(DataError::TooFewOfClass { class, found: rows.len(), wanted: count });
            }
            let order = permutation(rows.len(), generator);
            drawn.extend(order[..count].iter().map(|&at| rows[at]));
        }
        drawn.sort_unstable();
        Ok(drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    /// Forty images numbered through, of classes 0, 1, 2, 0, ...
    fn images() -> Images {
        let labels = (0..40).map(|row| row % 3).collect();
        Images::new(Array2::from_shape_fn((40, 1), |(row, _)| row as u8), [1, 1, 1], Some(labels), 3, "x")
            .unwrap()
    }

    fn drawn(count: usize, seed: u64) -> Vec<u8> {
        let part = images().draw_of_each_class(count, &mut Pcg64::seed_from_u64(seed)).unwrap();
        assert_eq!(part.class_counts().unwrap(), [count; 3]);
        part.pixels().column(0).to_vec()
    }

    #[test]
    fn parts_are_balanced_repeatable_and_nested() {
        for count in 0..13 {
            let (small, large) = (drawn(count, 1), drawn(count + 1, 1));
            assert!(small.is_sorted() && small.iter().all(|row| large.contains(row)), "{count}");
        }
        assert_eq!(drawn(5, 1), drawn(5, 1));
        assert_ne!(drawn(5, 1), drawn(5, 2));
    }

    #[test]
    fn every_image_is_equally_likely() {
        let mut counts = [0u32; 40];
        for seed in 0..3000 {
            drawn(3, seed).into_iter().for_each(|row| counts[usize::from(row)] += 1);
        }
        for (row, &count) in counts.iter().enumerate() {
            let probability = 3.0 / if row % 3 == 0 { 14.0 } else { 13.0 };
            let deviation = (3000.0f64 * probability * (1.0 - probability)).sqrt();
            assert!((f64::from(count) - 3000.0 * probability).abs() < 5.0 * deviation, "{row}: {count}");
        }
    }

    #[test]
    fn a_split_leaves_nothing_out() {
        let (train, validation) = images().split_each_class(4, &mut Pcg64::seed_from_u64(2)).unwrap();
        assert_eq!(validation.class_counts().unwrap(), [4; 3]);
        let mut all = [train.pixels().column(0).to_vec(), validation.pixels().column(0).to_vec()].concat();
        assert!(train.pixels().column(0).to_vec().is_sorted() && train.len() == 28);
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<u8>>());
    }

    #[test]
    fn classes_with_too_few_examples_are_named() {
        let mut generator = Pcg64::seed_from_u64(3);
        let error = images().draw_of_each_class(14, &mut generator).unwrap_err();
        assert!(matches!(error, DataError::TooFewOfClass { class: 1, found: 13, wanted: 14 }), "{error}");
        let none = Images::new(Array2::zeros((2, 1)), [1, 1, 1], Some(vec![0, 0]), 2, "x").unwrap();
        let error = none.split_each_class(1, &mut generator).unwrap_err().to_string();
        assert!(error.starts_with("class 1 has 0 examples, but 1 were asked for"), "{error}");
        let unlabelled = Images::new(Array2::zeros((2, 1)), [1, 1, 1], None, 2, "x").unwrap();
        assert!(matches!(unlabelled.split_each_class(1, &mut generator), Err(DataError::Unlabelled { .. })));
    }
}
