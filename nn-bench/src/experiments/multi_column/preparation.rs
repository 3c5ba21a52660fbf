//! What is done to images before a column sees them.

use ndarray::{Array2, ArrayView3};
use nn_conv::LocalContrastNormalization;
use nn_core::network::named;
use nn_core::{Device, Loss, Network};
use nn_data::Images;
use nn_data::augment::{Affine, map_images};

use crate::run_error::{RunError, WhileDoing};

/// How images are prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preparation {
    /// Not at all.
    None,
    /// A digit is stretched or pressed to so many columns, and moved to the middle.
    Width(usize),
    /// The darkest value of an image becomes 0, the brightest 1.
    Contrast,
    /// Local contrast normalisation over a surround of 9 × 9.
    LocalContrast,
}

impl Preparation {
    pub(super) fn name(self) -> String {
        match self {
            Preparation::None => "as they are".to_string(),
            Preparation::Width(columns) => format!("{columns} columns wide"),
            Preparation::Contrast => "full contrast".to_string(),
            Preparation::LocalContrast => "local contrast".to_string(),
        }
    }

    /// The images, a row each, in the middle of squares of `side` × `side`, prepared.
    pub(super) fn apply(
        self,
        device: &Device,
        images: &Images,
        side: usize,
    ) -> Result<Array2<f32>, RunError> {
        let channels = images.channels();
        let (given, size) = ([images.height(), images.width(), channels], [side, side, channels]);
        let margin = [(side - given[0]) / 2, (side - given[1]) / 2];
        let squares = map_images(images.to_f32().view(), given, size, |_, image, mut out| {
            for ((row, column, channel), value) in image.indexed_iter() {
                out[(row + margin[0], column + margin[1], channel)] = *value;
            }
        });
        match self {
            Preparation::None => Ok(squares),
            Preparation::Width(columns) => Ok(map_images(squares.view(), size, size, |_, image, out| {
                widened(image, columns).displacement(side, side).apply_into(image, 0.0, out);
            })),
            Preparation::Contrast => {
                let mut squares = squares;
                for mut image in squares.rows_mut() {
                    let darkest = image.iter().copied().fold(f32::INFINITY, f32::min);
                    let brightest = image.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let range = if brightest > darkest { brightest - darkest } else { 1.0 };
                    image.mapv_inplace(|value| (value - darkest) / range);
                }
                Ok(squares)
            }
            Preparation::LocalContrast => {
                let doing = "normalising the contrast of images";
                let normalization = LocalContrastNormalization::new(size, 9, 9.0 / 5.0).while_doing(doing)?;
                let network = Network::new(vec![named("contrast", normalization)], Loss::SquaredError);
                let network = network.while_doing(doing)?;
                network.activity(device.tensor(&squares).view(), 1).to_array().while_doing(doing)
            }
        }
    }
}

/// The map that makes a digit, light on a ground of 0, `columns` wide and moves it to the middle.
fn widened(image: ArrayView3<'_, f32>, columns: usize) -> Affine {
    let width = image.dim().1;
    let has_ink =
        |column: &usize| image.index_axis(ndarray::Axis(1), *column).iter().any(|value| *value > 0.0);
    let Some(left) = (0..width).find(has_ink) else { return Affine::NONE };
    let right = (0..width).rfind(has_ink).unwrap_or(left);
    let factor = columns as f32 / (right + 1 - left) as f32;
    // From the middle of the image to that of the digit.
    let off = (left + right) as f32 / 2.0 - (width as f32 - 1.0) / 2.0;
    Affine { scale: [1.0, factor], translation: [0.0, -factor * off], ..Affine::NONE }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block of 8 rows and 4 columns at the left of 12 × 12 pixels.
    fn block() -> Images {
        let ink = |(_, at): (usize, usize)| {
            let (row, column) = (at / 12, at % 12);
            if (2..10).contains(&row) && (1..5).contains(&column) { 255 } else { 0 }
        };
        Images::new(Array2::from_shape_fn((1, 144), ink), [12, 12, 1], Some(vec![0]), 1, "x").unwrap()
    }

    #[test]
    fn digits_get_the_width_asked_for_in_the_middle() {
        for columns in [2, 4, 8] {
            let found = Preparation::Width(columns).apply(&Device::cpu(), &block(), 12).unwrap();
            let image = found.to_shape([12, 12]).unwrap();
            let middle = image.row(5);
            assert!((middle.sum() - columns as f32).abs() < 0.51, "{columns}: {middle}");
            let mirrored: Vec<f32> = middle.iter().rev().copied().collect();
            assert!(middle.iter().zip(mirrored).all(|(a, b)| (a - b).abs() < 1e-5), "{columns}: {middle}");
            // Rows stay.
            assert_eq!((image[(1, 5)], image[(2, 5)], image[(9, 6)], image[(10, 6)]), (0.0, 1.0, 1.0, 0.0));
        }
    }

    #[test]
    fn images_stand_in_larger_squares() {
        let found = Preparation::None.apply(&Device::cpu(), &block(), 15).unwrap();
        let image = found.to_shape([15, 15]).unwrap();
        assert_eq!((image.sum(), image[(3, 2)], image[(2, 2)], image[(3, 1)]), (32.0, 1.0, 0.0, 0.0));
    }

    #[test]
    fn contrasts_fill_the_range_and_nothing_stays_nothing() {
        let pixels = ndarray::arr2(&[[50u8, 100, 150, 100], [7, 7, 7, 7]]);
        let images = Images::new(pixels, [2, 2, 1], None, 1, "x").unwrap();
        let found = Preparation::Contrast.apply(&Device::cpu(), &images, 2).unwrap();
        assert!(
            (found - ndarray::arr2(&[[0.0, 0.5, 1.0, 0.5], [0.0; 4]])).iter().all(|off| off.abs() < 1e-6)
        );
        let blank = Images::new(Array2::zeros((1, 144)), [12, 12, 1], None, 1, "x").unwrap();
        for preparation in [Preparation::Width(5), Preparation::Contrast, Preparation::LocalContrast] {
            let found = preparation.apply(&Device::cpu(), &blank, 12).unwrap();
            assert!(found.iter().all(|value| *value == 0.0), "{preparation:?}");
        }
    }
}
