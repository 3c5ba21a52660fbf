//! What workloads learn from: digits, photographs.

use std::path::Path;

use ndarray::{Array2, Array3};
use nn_core::Key;
use nn_data::image_folder::photographs;
use nn_data::synthetic::dead_leaves;
use nn_data::{DataError, mnist};

/// Training images of MNIST that are used, where the files are there.
const IMAGES: usize = 10_000;
/// The folder of natural photographs within that of the data, and how many of them are used.
const PHOTOGRAPHS: (&str, usize) = ("natural", 40);
/// Images of dead leaves in their place, their sides, and the radii of their discs.
const LEAVES: (usize, [usize; 2], [f64; 2]) = (12, [256, 256], [2.0, 64.0]);

/// What a suite learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Random numbers.
    Numbers,
    /// Handwritten digits.
    Digits,
    /// Patches of photographs.
    Photographs,
}

/// What suites may learn from.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Images × 784, in [0, 1].
    pub digits: Array2<f32>,
    /// Height × width × 1 each, in [0, 1].
    pub photographs: Vec<Array3<f32>>,
    /// What the digits and the photographs are, for the report.
    pub descriptions: [String; 2],
}

impl Inputs {
    /// None, for suites that learn nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// What these sources need. Digits are the first 10,000 training images of MNIST from this folder, or without one the
    /// 4,000 that are part of this program; photographs the first 40 in its part `natural`, or without that images of dead
    /// leaves.
    ///
    /// # Errors
    ///
    /// If the folder does not hold MNIST although digits are needed, or files are damaged.
    pub fn load(data: Option<&Path>, sources: &[Source]) -> Result<Self, DataError> {
        let mut inputs = Self::none();
        if sources.contains(&Source::Digits) {
            (inputs.digits, inputs.descriptions[0]) = digits(data)?;
        }
        if sources.contains(&Source::Photographs) {
            (inputs.photographs, inputs.descriptions[1]) = images(data)?;
        }
        Ok(inputs)
    }

    /// What a source is, for the report.
    pub fn describe(&self, source: Source) -> &str {
        match source {
            Source::Numbers => "uniform random numbers",
            Source::Digits => &self.descriptions[0],
            Source::Photographs => &self.descriptions[1],
        }
    }
}

fn digits(data: Option<&Path>) -> Result<(Array2<f32>, String), DataError> {
    let Some(folder) = data else {
        let (train, _) = mnist::embedded()?;
        let description = format!(
            "the {} embedded MNIST digits, as no --data or NN_DATA_DIR names a folder with all of them: \
             an epoch is that much shorter",
            train.len()
        );
        return Ok((train.to_f32(), description));
    };
    let (train, _) = mnist::load(folder)?;
    let first: Vec<usize> = (0..IMAGES.min(train.len())).collect();
    let (digits, count) = (train.rows(&first)?.to_f32(), first.len());
    Ok((digits, format!("the first {count} training images of MNIST")))
}

fn images(data: Option<&Path>) -> Result<(Vec<Array3<f32>>, String), DataError> {
    let (name, most) = PHOTOGRAPHS;
    if let Some(folder) = data.map(|folder| folder.join(name)).filter(|folder| folder.is_dir()) {
        let images: Vec<_> = photographs(&folder)?.into_iter().take(most).map(|one| one.pixels).collect();
        let description = format!("patches of {} natural photographs", images.len());
        return Ok((images, description));
    }
    let (count, size, radii) = LEAVES;
    let mut generator = Key::new(1).generator();
    let images = (0..count).map(|_| dead_leaves::draw(size, radii, &mut generator));
    let description = format!(
        "patches of {count} images of dead leaves, as no --data or NN_DATA_DIR names a folder with photographs in its \
         part `{name}`"
    );
    Ok((images.collect::<Result<_, _>>()?, description))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_folder_the_embedded_digits_are_taken_and_named() {
        let inputs = Inputs::load(None, &[Source::Digits]).unwrap();
        assert_eq!((inputs.digits.dim(), inputs.photographs.len()), ((4000, 784), 0));
        let description = inputs.describe(Source::Digits);
        assert!(description.contains("4000 embedded"), "{description}");
        let temporary = tempfile::tempdir().unwrap();
        assert!(Inputs::load(Some(temporary.path()), &[Source::Digits]).is_err());
    }

    #[test]
    fn without_photographs_dead_leaves_are_taken_and_named() {
        let temporary = tempfile::tempdir().unwrap();
        for data in [None, Some(temporary.path())] {
            let inputs = Inputs::load(data, &[Source::Photographs]).unwrap();
            assert_eq!((inputs.digits.len(), inputs.photographs.len()), (0, 12));
            assert!(inputs.describe(Source::Photographs).contains("dead leaves"));
        }
    }
}
