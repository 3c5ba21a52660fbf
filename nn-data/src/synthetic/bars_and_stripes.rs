//! Bars and stripes: square images of whole lines.
//!
//! With probability 1/2 each, an image consists of whole rows or of whole columns; then each of the `side`
//! lines is on or off with probability 1/2 (MacKay, "Information Theory, Inference, and Learning Algorithms",
//! 2003, chapter 43). There are 2^side patterns of rows and as many of columns, but the image that is all off
//! and the one that is all on are among both. So there are two conventions, both in use:
//!
//! - by draw, as above: all 2^(side + 1) outcomes are equally likely, and those two images have twice the
//!   probability of any other: see [`probabilities`] and [`draw`];
//! - by distinct image: all 2^(side + 1) − 2 images are equally likely: use the rows of [`patterns`] as they
//!   are.
//!
//! Likelihoods under the two differ; say which one is meant.

use ndarray::Array2;
use rand_core::RngCore;

use crate::DataError;

/// Largest side whose patterns are listed: 8190 images.
pub const LARGEST_LISTED_SIDE: usize = 12;

/// Largest side of which images are drawn.
pub const LARGEST_DRAWN_SIDE: usize = 64;

/// All distinct images of the given side, 1 to [`LARGEST_LISTED_SIDE`]: (2^(side + 1) − 2) × side², each 0 or
/// 1, pixels in row-major order.
///
/// First the 2^side images of rows, number k with row r on where bit r of k is set, from all off to all on;
/// then the images of columns in the same order, without those two.
///
/// # Errors
///
/// [`DataError::Setting`] for a side out of range.
pub fn patterns(side: usize) -> Result<Array2<f32>, DataError> {
    check_side(side, LARGEST_LISTED_SIDE)?;
    let of_rows = 1 << side;
    Ok(Array2::from_shape_fn((2 * of_rows - 2, side * side), |(index, pixel)| {
        if index < of_rows {
            line_is_on(index as u64, pixel / side)
        } else {
            line_is_on((index - of_rows + 1) as u64, pixel % side)
        }
    }))
}

/// The probability of each image of [`patterns`] by draw: 2^−side for all off and all on, half of that for
/// every other. They sum to 1.
///
/// # Errors
///
/// [`DataError::Setting`] for a side out of range.
pub fn probabilities(side: usize) -> Result<Vec<f64>, DataError> {
    check_side(side, LARGEST_LISTED_SIDE)?;
    let of_rows: usize = 1 << side;
    let single = 0.5 / of_rows as f64;
    Ok((0..2 * of_rows - 2)
        .map(|index| if index == 0 || index == of_rows - 1 { 2.0 * single } else { single })
        .collect())
}

/// Independent images of the given side, 1 to [`LARGEST_DRAWN_SIDE`], by draw: `count` × side².
///
/// One 32-bit and one 64-bit draw an image; the highest bits are used.
///
/// # Errors
///
/// [`DataError::Setting`] for a side out of range.
pub fn draw<R: RngCore + ?Sized>(
    side: usize,
    count: usize,
    generator: &mut R,
) -> Result<Array2<f32>, DataError> {
    check_side(side, LARGEST_DRAWN_SIDE)?;
    let mut images = Array2::zeros((count, side * side));
    for mut image in images.rows_mut() {
        let in_columns = generator.next_u32() >> 31 == 1;
        let lines = generator.next_u64() >> (64 - side);
        for (pixel, value) in image.iter_mut().enumerate() {
            *value = line_is_on(lines, if in_columns { pixel % side } else { pixel / side });
        }
    }
    Ok(images)
}

fn line_is_on(lines: u64, line: usize) -> f32 {
    (lines >> line & 1) as f32
}

fn check_side(side: usize, largest: usize) -> Result<(), DataError> {
    if (1..=largest).contains(&side) {
        return Ok(());
    }
    let allowed = format!("give 1 to {largest}");
    Err(DataError::Setting { name: "the side of bars and stripes", value: side.to_string(), allowed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;
    use std::collections::BTreeSet;

    fn bits(image: ndarray::ArrayView1<'_, f32>) -> Vec<u8> {
        image.iter().map(|&value| value as u8).collect()
    }

    #[test]
    fn side_two_is_as_written_by_hand() {
        let expected = ndarray::array![
            [0.0, 0.0, 0.0, 0.0],
            [1.0, 1.0, 0.0, 0.0],
            [0.0, 0.0, 1.0, 1.0],
            [1.0, 1.0, 1.0, 1.0],
            [1.0, 0.0, 1.0, 0.0],
            [0.0, 1.0, 0.0, 1.0],
        ];
        assert_eq!(patterns(2).unwrap(), expected);
        assert_eq!(probabilities(2).unwrap(), [0.25, 0.125, 0.125, 0.25, 0.125, 0.125]);
        assert_eq!(patterns(1).unwrap(), ndarray::array![[0.0], [1.0]]);
        assert_eq!(probabilities(1).unwrap(), [0.5, 0.5]);
    }

    #[test]
    fn lists_are_complete_and_without_repetition() {
        for side in 1..=8 {
            let list = patterns(side).unwrap();
            let distinct: BTreeSet<Vec<u8>> = list.rows().into_iter().map(bits).collect();
            assert_eq!(distinct.len(), (2 << side) - 2);
            assert_eq!(distinct.len(), list.nrows());
            let probabilities = probabilities(side).unwrap();
            assert_eq!(probabilities.len(), list.nrows());
            assert_eq!(probabilities.iter().sum::<f64>(), 1.0);
        }
    }

    #[test]
    fn frequencies_of_draws_follow_the_probabilities() {
        let (side, count) = (3, 64_000);
        let list: Vec<Vec<u8>> = patterns(side).unwrap().rows().into_iter().map(bits).collect();
        let mut counts = vec![0.0; list.len()];
        for image in draw(side, count, &mut Pcg64::seed_from_u64(9)).unwrap().rows() {
            let image = bits(image);
            counts[list.iter().position(|listed| *listed == image).unwrap()] += 1.0;
        }
        let expected = probabilities(side).unwrap().into_iter().map(|probability| probability * count as f64);
        let chi_square: f64 = expected.zip(counts).map(|(e, found)| (found - e).powi(2) / e).sum();
        // 13 degrees of freedom: 34.5 is exceeded with probability 0.001.
        assert!(chi_square < 34.5, "{chi_square}");
    }

    #[test]
    fn sides_out_of_range_are_refused() {
        for side in [0, LARGEST_LISTED_SIDE + 1, usize::MAX] {
            assert!(patterns(side).unwrap_err().to_string().contains("give 1 to 12"));
            assert!(probabilities(side).is_err());
        }
        let mut generator = Pcg64::seed_from_u64(10);
        assert!(draw(0, 1, &mut generator).is_err() && draw(65, 1, &mut generator).is_err());
        assert_eq!(draw(64, 2, &mut generator).unwrap().dim(), (2, 4096));
    }
}
