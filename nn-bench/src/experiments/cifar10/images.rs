//! The images of a recipe: CIFAR-10, or digits in colours.

use std::sync::Arc;

use ndarray::{Array1, Array2, Axis};
use nn_core::{Dataset, Device, Key};
use nn_data::augment::RandomCrops;
use nn_data::{DataError, Images};

use super::recipe::Recipe;
use super::{CHANNELS, CLASSES, SIDE};
use crate::augmentation::{centred, cropped};
use crate::cifar_files;
use crate::digits::{DigitSet, Digits};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

impl Recipe {
    /// Training and test images.
    pub fn images(&self, run: &mut Run, key: Key) -> Result<(Images, Images), RunError> {
        let doing = "loading images";
        if let Some([train, test]) = self.coloured_digits {
            let digits = Digits::load(run, DigitSet::Embedded)?;
            let train = coloured(&digits.train, train, key.fold_in(0)).while_doing(doing)?;
            return Ok((train, coloured(&digits.test, test, key.fold_in(1)).while_doing(doing)?));
        }
        cifar_files::load(run)
    }

    /// What the network sees of these images, pixels less the mean.
    pub fn parts(&self, images: Images, mean: &Array1<f32>) -> Result<Arc<RandomCrops>, DataError> {
        let crops = RandomCrops::new(images, [self.side(); 2], self.crop.is_some())?;
        Ok(Arc::new(crops.less(mean.view())))
    }

    /// Training data: other parts for each minibatch, or always the whole images.
    pub fn data(&self, device: &Device, parts: &Arc<RandomCrops>) -> Result<Dataset, RunError> {
        if self.crop.is_some() { cropped(device, parts) } else { centred(device, parts) }
    }
}

/// The images of the first files of five.
pub(super) fn of_files(images: &Images, files: usize) -> Result<Images, DataError> {
    images.rows(&(0..images.len() * files / 5).collect::<Vec<_>>())
}

/// The first of these digits in the middle of images of CIFAR's size, each in a colour of its own before a background of
/// another.
fn coloured(digits: &Images, count: usize, key: Key) -> Result<Images, DataError> {
    let rows: Vec<usize> = (0..count.min(digits.len())).collect();
    let digits = digits.rows(&rows)?;
    let (height, width) = (digits.height(), digits.width());
    let margin = [(SIDE - height) / 2, (SIDE - width) / 2];
    let mut pixels = Array2::<u8>::zeros((digits.len(), SIDE * SIDE * CHANNELS));
    for (case, (mut image, digit)) in pixels.axis_iter_mut(Axis(0)).zip(digits.pixels().rows()).enumerate() {
        let draw = |channel: usize| key.fold_in(case as u64).uniform(channel as u64);
        for (place, value) in image.iter_mut().enumerate() {
            let (pixel, channel) = (place / CHANNELS, place % CHANNELS);
            let row = (pixel / SIDE).checked_sub(margin[0]).filter(|row| *row < height);
            let column = (pixel % SIDE).checked_sub(margin[1]).filter(|column| *column < width);
            let ink = row.zip(column).map_or(0, |(row, column)| digit[row * width + column]);
            // Dark backgrounds and light digits.
            let (background, colour) = (100.0 * draw(channel), 155.0 + 100.0 * draw(CHANNELS + channel));
            *value = (background + (colour - background) * f32::from(ink) / 255.0).round() as u8;
        }
    }
    let labels = digits.labels().map(<[u8]>::to_vec);
    Images::new(pixels, [SIDE, SIDE, CHANNELS], labels, CLASSES, "coloured digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coloured_digits_are_light_on_dark() {
        let mut pixels = Array2::zeros((2, 28 * 28));
        pixels[[1, 0]] = 255;
        let digits = Images::new(pixels, [28, 28, 1], Some(vec![3, 4]), 10, "test").unwrap();
        let images = coloured(&digits, 2, Key::new(1)).unwrap();
        assert_eq!((images.len(), images.labels()), (2, Some(&[3, 4][..])));
        // The first pixel of a digit is two rows and columns from the corner.
        let value = |case: usize, row: usize, column: usize, channel: usize| {
            images.pixels()[[case, (row * SIDE + column) * CHANNELS + channel]]
        };
        for channel in 0..CHANNELS {
            assert!(value(1, 2, 2, channel) >= 155 && value(1, 0, 0, channel) <= 100);
            assert_eq!(value(0, 2, 2, channel), value(0, 31, 31, channel));
        }
    }
}
