//! Distorted copies of training images, drawn once.

use ndarray::{Array2, Axis, concatenate};
use nn_core::Key;
use nn_data::augment::{AffineRanges, map_images};

use crate::run_error::{RunError, WhileDoing};

/// Images, a row of height × width × channels each, and then so many copies of each, distorted within these ranges, with
/// the labels of all. What comes in from beyond an edge is 0.
///
/// # Errors
/// If the ranges are none.
pub fn with_copies(
    originals: Array2<f32>,
    labels: Vec<usize>,
    size: [usize; 3],
    ranges: AffineRanges,
    copies: usize,
    key: Key,
) -> Result<(Array2<f32>, Vec<usize>), RunError> {
    let doing = "distorting copies of images";
    let mut parts = Vec::new();
    for copy in 0..copies {
        let mut generator = key.fold_in(copy as u64).generator();
        let maps: Result<Vec<_>, _> = labels.iter().map(|_| ranges.draw(&mut generator)).collect();
        let maps = maps.while_doing(doing)?;
        parts.push(map_images(originals.view(), size, size, |case, image, out| {
            maps[case].displacement(size[0], size[1]).apply_into(image, 0.0, out);
        }));
    }
    let views: Vec<_> =
        std::iter::once(originals.view()).chain(parts.iter().map(|part| part.view())).collect();
    let all = concatenate(Axis(0), &views).while_doing(doing)?;
    let labels = labels.iter().cycle().take(all.nrows()).copied().collect();
    Ok((all, labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One light pixel in each of three images, away from the edges.
    #[test]
    fn copies_are_shifted_and_keep_their_labels() {
        let (side, place) = (9, 4 * 9 + 5);
        let light = |(case, at): (usize, usize)| if at == place { 1.0 + case as f32 } else { 0.0 };
        let images = Array2::from_shape_fn((3, side * side), light);
        let with = |translation: f32| {
            let shifts = AffineRanges { translation, ..AffineRanges::default() };
            with_copies(images.clone(), vec![3, 1, 4], [side, side, 1], shifts, 2, Key::new(1)).unwrap()
        };
        let (all, labels) = with(2.0);
        assert_eq!((all.nrows(), labels), (9, vec![3, 1, 4, 3, 1, 4, 3, 1, 4]));
        assert_eq!(all.slice_axis(Axis(0), ndarray::Slice::from(0..3)), images);
        for (row, image) in all.rows().into_iter().enumerate() {
            // Linear interpolation loses nothing inside the image, and nothing moves further than asked for.
            assert!((image.sum() - 1.0 - (row % 3) as f32).abs() < 1e-5, "{row}");
            let near = |at: usize| (at / side).abs_diff(4) <= 2 && (at % side).abs_diff(5) <= 2;
            assert!(image.iter().enumerate().all(|(at, value)| *value == 0.0 || near(at)), "{row}");
        }
        assert_ne!(all.row(3), images.row(0));
        assert_ne!(all.row(3), all.row(6));
        assert_eq!(with(0.0).0.row(3), images.row(0));
    }
}
