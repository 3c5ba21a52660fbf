//! Division of images into parts for training, validation and test.

use rand_core::RngCore;

use crate::uniform::permutation;
use crate::{DataError, Images};

/// How large the parts are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SplitSizes {
    /// Numbers of images; together at most as many as there are. What is beyond them is left out.
    Counts {
        /// For training.
        train: usize,
        /// For validation.
        validation: usize,
        /// For test.
        test: usize,
    },
    /// Fractions of the images, each in [0, 1] and together at most 1.
    ///
    /// The drawn order is cut at the rounded running sums of the fractions times the number of images: no
    /// part is off by more than one image, and fractions that sum to 1 leave none out.
    Fractions {
        /// For training.
        train: f64,
        /// For validation.
        validation: f64,
        /// For test.
        test: f64,
    },
}

/// Rows of each part, ascending; no row is in two of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitRows {
    /// For training.
    pub train: Vec<usize>,
    /// For validation.
    pub validation: Vec<usize>,
    /// For test.
    pub test: Vec<usize>,
}

/// The three parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// For training.
    pub train: Images,
    /// For validation.
    pub validation: Images,
    /// For test.
    pub test: Images,
}

/// Draws which of `count` rows belong to which part: a permutation of all rows is cut into the three parts,
/// and each is sorted. All divisions into parts of these sizes are equally likely.
///
/// # Errors
///
/// [`DataError::Setting`] if the sizes are more than there is, or fractions are not in [0, 1].
pub fn split_rows<R: RngCore + ?Sized>(
    count: usize,
    sizes: SplitSizes,
    generator: &mut R,
) -> Result<SplitRows, DataError> {
    let [first, second, third] = boundaries(count, sizes)?;
    let order = permutation(count, generator);
    let sorted = |part: &[usize]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        part
    };
    Ok(SplitRows {
        train: sorted(&order[..first]),
        validation: sorted(&order[first..second]),
        test: sorted(&order[second..third]),
    })
}

fn boundaries(count: usize, sizes: SplitSizes) -> Result<[usize; 3], DataError> {
    let refused = |name, value, allowed| Err(DataError::Setting { name, value, allowed });
    match sizes {
        SplitSizes::Counts { train, validation, test } => {
            let second = train.checked_add(validation);
            match (second, second.and_then(|sum| sum.checked_add(test))) {
                (Some(second), Some(third)) if third <= count => Ok([train, second, third]),
                _ => refused(
                    "the sum of the split counts",
                    format!("{train} + {validation} + {test}"),
                    format!("give counts that together are at most the {count} images there are"),
                ),
            }
        }
        SplitSizes::Fractions { train, validation, test } => {
            let valid = [train, validation, test].iter().all(|part| (0.0..=1.0).contains(part));
            // Decimal fractions such as 0.7, 0.2 and 0.1 need not sum to 1 exactly.
            if !valid || train + validation + test > 1.0 + 1e-9 {
                return refused(
                    "the sum of the split fractions",
                    format!("{train} + {validation} + {test}"),
                    "give fractions from 0 to 1 that together are at most 1".into(),
                );
            }
            let sums = [train, train + validation, train + validation + test];
            Ok(sums.map(|sum| ((sum * count as f64).round() as usize).min(count)))
        }
    }
}

impl Images {
    /// Divides the images at random into parts for training, validation and test; within each part they keep
    /// their order. See [`split_rows`].
    ///
    /// # Errors
    ///
    /// Those of [`split_rows`].
    pub fn split<R: RngCore + ?Sized>(
        &self,
        sizes: SplitSizes,
        generator: &mut R,
    ) -> Result<Split, DataError> {
        let rows = split_rows(self.len(), sizes, generator)?;
        Ok(Split {
            train: self.rows(&rows.train)?,
            validation: self.rows(&rows.validation)?,
            test: self.rows(&rows.test)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    fn drawn(count: usize, sizes: SplitSizes) -> Result<SplitRows, DataError> {
        split_rows(count, sizes, &mut Pcg64::seed_from_u64(3))
    }

    #[test]
    fn parts_are_disjoint_ascending_and_repeatable() {
        let sizes = SplitSizes::Counts { train: 50, validation: 30, test: 10 };
        let rows = drawn(100, sizes).unwrap();
        assert_eq!(rows, drawn(100, sizes).unwrap());
        assert_ne!(rows, split_rows(100, sizes, &mut Pcg64::seed_from_u64(4)).unwrap());
        assert_eq!((rows.train.len(), rows.validation.len(), rows.test.len()), (50, 30, 10));
        assert!([&rows.train, &rows.validation, &rows.test].iter().all(|part| part.is_sorted()));
        let mut all = [rows.train, rows.validation, rows.test].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 90);
        assert!(all.iter().all(|&row| row < 100));
    }

    #[test]
    fn fractions_that_sum_to_one_leave_nothing_out() {
        for count in 0..200 {
            let rows =
                drawn(count, SplitSizes::Fractions { train: 0.7, validation: 0.2, test: 0.1 }).unwrap();
            let parts = [(rows.train.len(), 0.7), (rows.validation.len(), 0.2), (rows.test.len(), 0.1)];
            assert_eq!(parts.iter().map(|part| part.0).sum::<usize>(), count);
            assert!(parts.iter().all(|&(size, part)| (size as f64 - part * count as f64).abs() < 1.0 + 1e-9));
        }
    }

    #[test]
    fn images_go_with_their_labels() {
        let pixels = Array2::from_shape_fn((20, 1), |(n, _)| n as u8);
        let labels = (0..20).collect();
        let images = Images::new(pixels, [1, 1, 1], Some(labels), 20, "x").unwrap();
        let sizes = SplitSizes::Fractions { train: 0.5, validation: 0.25, test: 0.25 };
        let split = images.split(sizes, &mut Pcg64::seed_from_u64(5)).unwrap();
        assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (10, 5, 5));
        for part in [&split.train, &split.validation, &split.test] {
            assert_eq!(part.pixels().column(0).to_vec(), part.labels().unwrap());
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        let error =
            drawn(9, SplitSizes::Counts { train: 5, validation: 3, test: 2 }).unwrap_err().to_string();
        assert!(error.contains("5 + 3 + 2") && error.contains("the 9 images"), "{error}");
        let huge = SplitSizes::Counts { train: usize::MAX, validation: 1, test: 0 };
        assert!(drawn(9, huge).is_err());
        for (train, validation, test) in [(0.8, 0.2, 0.1), (-0.1, 0.5, 0.5), (f64::NAN, 0.0, 0.0)] {
            assert!(drawn(9, SplitSizes::Fractions { train, validation, test }).is_err());
        }
    }
}
