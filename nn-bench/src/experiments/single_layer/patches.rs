//! Patches of images, brought to one contrast.

use ndarray::{Array2, ArrayViewMut1, ArrayViewMut2, Axis};
use nn_core::Key;
use nn_data::{Images, contrast};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::{OFFSET, SIDE};

/// Draws that are made for one patch before a patch of one colour is taken, too.
const DRAWS: u64 = 100;

/// Positions of a patch in an image: rows and columns of them.
pub(super) fn positions(images: &Images) -> [usize; 2] {
    [images.height() + 1 - SIDE, images.width() + 1 - SIDE]
}

/// Values of a patch.
pub(super) fn values(images: &Images) -> usize {
    SIDE * SIDE * images.channels()
}

/// So many patches from random images and positions, of one contrast, patches × values. Patches of one colour, such as the
/// ground of digits, are drawn anew.
pub(super) fn random(images: &Images, count: usize, key: Key) -> Array2<f32> {
    let mut patches = Array2::zeros((count, values(images)));
    let [rows, columns] = positions(images);
    for (number, mut patch) in patches.rows_mut().into_iter().enumerate() {
        for draw in 0..DRAWS {
            let key = key.fold_in(number as u64).fold_in(draw);
            let below = |which: u64, bound: usize| {
                ((f64::from(key.uniform(which)) * bound as f64) as usize).min(bound - 1)
            };
            copy(images, below(0, images.len()), [below(1, rows), below(2, columns)], patch.view_mut());
            if patch.iter().any(|value| *value != patch[0]) {
                break;
            }
        }
    }
    normalize(patches.view_mut());
    patches
}

/// All patches of these images, image after image and row after row of positions, of one contrast.
///
/// # Panics
/// If `out` is not (images · positions) × values.
pub(super) fn all(images: &Images, which: std::ops::Range<usize>, mut out: ArrayViewMut2<'_, f32>) {
    let [rows, columns] = positions(images);
    assert_eq!(out.dim(), (which.len() * rows * columns, values(images)), "a row for each position");
    let parts: Vec<_> = out.axis_chunks_iter_mut(Axis(0), rows * columns).collect();
    parts.into_par_iter().zip(which).for_each(|(mut part, image)| {
        for (position, patch) in part.rows_mut().into_iter().enumerate() {
            copy(images, image, [position / columns, position % columns], patch);
        }
        normalize(part);
    });
}

/// The mean of each patch taken off, and it divided by √(variance + 10) in units of a grey value.
fn normalize(mut patches: ArrayViewMut2<'_, f32>) {
    contrast::remove_mean(patches.view_mut());
    contrast::normalize_variance(patches, OFFSET);
}

fn copy(images: &Images, image: usize, [top, left]: [usize; 2], mut patch: ArrayViewMut1<'_, f32>) {
    let (channels, pixels) = (images.channels(), images.pixels());
    let pixels = pixels.row(image);
    let mut out = patch.iter_mut();
    for row in top..top + SIDE {
        let first = (row * images.width() + left) * channels;
        let pixels = pixels.iter().skip(first).take(SIDE * channels);
        pixels.zip(&mut out).for_each(|(pixel, out)| *out = f32::from(*pixel));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        let key = Key::new(1);
        let pixels = Array2::from_shape_fn((3, 9 * 8 * 2), |(image, place)| {
            // The first image has one colour.
            if image == 0 { 7 } else { (255.0 * key.uniform((image * 1000 + place) as u64)) as u8 }
        });
        Images::new(pixels, [9, 8, 2], Some(vec![0, 1, 2]), 3, "test").unwrap()
    }

    #[test]
    fn all_patches_stand_in_the_order_of_their_positions() {
        let images = images();
        assert_eq!((positions(&images), values(&images)), ([4, 3], 72));
        let mut found = Array2::zeros((2 * 12, 72));
        all(&images, 1..3, found.view_mut());
        // Image 2, position (3, 1): by the definition.
        let value = |row: usize, column: usize, channel: usize| {
            f64::from(images.pixels()[(2, ((3 + row) * 8 + 1 + column) * 2 + channel)])
        };
        let of = |at: usize| value(at / 12, at / 2 % 6, at % 2);
        let mean = (0..72).map(of).sum::<f64>() / 72.0;
        let variance = (0..72).map(|at| (of(at) - mean).powi(2)).sum::<f64>() / 71.0;
        for at in 0..72 {
            let expected = (of(at) - mean) / (variance + 10.0).sqrt();
            let found = f64::from(found[(12 + 3 * 3 + 1, at)]);
            assert!((found - expected).abs() < 1e-5, "{at}: {found} {expected}");
        }
    }

    #[test]
    fn random_patches_are_patches_of_some_contrast() {
        let images = images();
        let mut every = Array2::zeros((3 * 12, 72));
        all(&images, 0..3, every.view_mut());
        let drawn = random(&images, 40, Key::new(2));
        for patch in drawn.rows() {
            assert!(every.rows().into_iter().skip(12).any(|other| other == patch));
        }
        assert!(drawn.rows().into_iter().skip(1).any(|patch| patch != drawn.row(0)));
        assert_eq!(drawn, random(&images, 40, Key::new(2)));
    }
}
