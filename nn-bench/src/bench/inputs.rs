//! The digits that workloads learn from.

use std::path::Path;

use ndarray::Array2;
use nn_data::{DataError, mnist};

/// Training images of MNIST that are used, where the files are there.
const IMAGES: usize = 10_000;

/// What a suite may learn from.
#[derive(Debug)]
pub struct Inputs {
    /// Images × 784, in [0, 1].
    pub digits: Array2<f32>,
    /// What they are, for the report.
    pub description: String,
}

impl Inputs {
    /// None, for suites that learn nothing.
    pub fn none() -> Self {
        Self { digits: Array2::zeros((0, 0)), description: "uniform random numbers".to_string() }
    }

    /// The first 10,000 training images of MNIST from this folder, or without one the 4,000 that are part of this
    /// program.
    ///
    /// # Errors
    ///
    /// If the folder does not hold MNIST, or files are damaged.
    pub fn load(data: Option<&Path>) -> Result<Self, DataError> {
        let Some(folder) = data else {
            let (train, _) = mnist::embedded()?;
            let description = format!(
                "the {} embedded MNIST digits, as no --data or NN_DATA_DIR names a folder with all of them: \
                 an epoch is that much shorter",
                train.len()
            );
            return Ok(Self { digits: train.to_f32(), description });
        };
        let (train, _) = mnist::load(folder)?;
        let first: Vec<usize> = (0..IMAGES.min(train.len())).collect();
        let (digits, count) = (train.rows(&first)?.to_f32(), first.len());
        Ok(Self { digits, description: format!("the first {count} training images of MNIST") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_folder_the_embedded_digits_are_taken_and_named() {
        let inputs = Inputs::load(None).unwrap();
        assert_eq!(inputs.digits.dim(), (4000, 784));
        assert!(inputs.description.contains("4000 embedded"), "{}", inputs.description);
        let temporary = tempfile::tempdir().unwrap();
        assert!(Inputs::load(Some(temporary.path())).is_err());
    }
}
