//! Dead leaves: images of discs that lie on top of each other.
//!
//! Discs of one grey each fall at random places until they cover everything. Their radii r have a density that falls as
//! r⁻³ between two bounds, which makes the image look alike at every scale between them. Such images share with natural
//! ones the spectrum, the edges and the heavy tails of filter outputs (Lee, Mumford and Huang, "Occlusion models for
//! natural images", 2001).

use ndarray::{Array2, Array3};
use rand_core::RngCore;

use crate::DataError;
use crate::uniform::fraction;

/// Values along a side of a pixel that it is the mean of: edges are not jagged.
const WITHIN: usize = 2;

/// Pixels along a side, at most.
const LARGEST_SIDE: usize = 1 << 13;

/// An image of `size` (height, width) × 1 with greys in [0, 1), whose discs have radii between `radii` in pixels; 1 and a
/// quarter of the side are sensible.
///
/// The discs are drawn from the top one downwards, and no more where all is covered, so that the image is an exact draw.
/// Four draws a disc.
///
/// # Errors
///
/// [`DataError::Setting`] for a side of 0 or above 8,192, and for radii that are not 0.5 ≤ least < largest ≤ 8,192.
pub fn draw<R: RngCore + ?Sized>(
    size: [usize; 2],
    radii: [f64; 2],
    generator: &mut R,
) -> Result<Array3<f32>, DataError> {
    let [height, width] = super::checked_size(size, LARGEST_SIDE)?;
    let [least, largest] = radii;
    if !(0.5 <= least && least < largest && largest <= LARGEST_SIDE as f64) {
        let allowed = format!("give two numbers from 0.5 to {LARGEST_SIDE}, the smaller one first");
        let value = format!("{least} to {largest}");
        return Err(DataError::Setting { name: "the radii of dead leaves", value, allowed });
    }
    let (rows, columns) = (height * WITHIN, width * WITHIN);
    let mut greys = Array2::<f32>::from_elem((rows, columns), f32::NAN);
    let mut uncovered = rows * columns;
    while uncovered > 0 {
        // 1/r² is uniform between those of the bounds.
        let share = fraction(generator);
        let radius = (share / (largest * largest) + (1.0 - share) / (least * least)).sqrt().recip();
        let radius = radius * WITHIN as f64;
        let margin = largest * WITHIN as f64;
        let place =
            |side: usize, generator: &mut R| fraction(generator) * (side as f64 + 2.0 * margin) - margin;
        let (y, x) = (place(rows, generator), place(columns, generator));
        let grey = fraction(generator) as f32;
        for row in within(y - radius, y + radius, rows) {
            let half = (radius * radius - (row as f64 + 0.5 - y).powi(2)).max(0.0).sqrt();
            for column in within(x - half, x + half, columns) {
                let value = &mut greys[(row, column)];
                if value.is_nan() {
                    *value = grey;
                    uncovered -= 1;
                }
            }
        }
    }
    Ok(Array3::from_shape_fn((height, width, 1), |(y, x, _)| {
        let of_row = |row: usize| (0..WITHIN).map(|u| greys[(row, x * WITHIN + u)]).sum::<f32>();
        (0..WITHIN).map(|v| of_row(y * WITHIN + v)).sum::<f32>() / (WITHIN * WITHIN) as f32
    }))
}

/// The pixels, of so many, whose centres lie between two numbers.
fn within(from: f64, to: f64, count: usize) -> std::ops::Range<usize> {
    let first = (from - 0.5).ceil().max(0.0) as usize;
    first..((to - 0.5).floor() + 1.0).clamp(first as f64, (count as f64).max(first as f64)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn pixels_are_uniform_and_neighbours_mostly_alike() {
        let mut generator = Pcg64::seed_from_u64(1);
        let (mut sum, mut squares, mut alike, images) = (0.0, 0.0, 0, 400);
        for _ in 0..images {
            let image = draw([8, 8], [1.0, 8.0], &mut generator).unwrap();
            let value = f64::from(image[(0, 0, 0)]);
            assert!(image.iter().all(|value| (0.0..1.0).contains(value)));
            (sum, squares) = (sum + value, squares + value * value);
            alike += usize::from(image[(4, 4, 0)] == image[(4, 5, 0)]);
        }
        let mean = sum / f64::from(images);
        // Mean 1/2, standard error √(1/12/400); the variance at most 1/12, as edges are averaged.
        assert!((mean - 0.5).abs() < 5.0 * 0.0145, "{mean}");
        let variance = squares / f64::from(images) - mean * mean;
        assert!((0.05..0.1).contains(&variance), "{variance}");
        assert!(alike > 100, "{alike}");
    }

    #[test]
    fn draws_are_repeatable_and_settings_are_checked() {
        let drawn = |seed| draw([20, 30], [1.0, 10.0], &mut Pcg64::seed_from_u64(seed)).unwrap();
        assert_eq!(drawn(1).dim(), (20, 30, 1));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let mut generator = Pcg64::seed_from_u64(1);
        for (size, radii) in
            [([0, 4], [1.0, 2.0]), ([4, 4], [2.0, 1.0]), ([4, 4], [0.1, 1.0]), ([4, 4], [f64::NAN, 1.0])]
        {
            assert!(draw(size, radii, &mut generator).is_err(), "{size:?} {radii:?}");
        }
    }
}
