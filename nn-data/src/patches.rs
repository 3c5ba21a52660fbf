//! Small rectangles of images as rows, and images put together from them.
//!
//! Images are height × width × channels. A patch is a row in the same order, the channel last:
//! `(y · width + x) · channels + c`.

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, ArrayViewMut1, Slice};
use rand_core::RngCore;

use crate::DataError;
use crate::uniform::below;

/// Which patches are drawn at random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PatchDraw {
    /// Height and width.
    pub size: [usize; 2],
    /// How many.
    pub count: usize,
    /// Pixels along the edge of an image that no patch touches.
    pub border: usize,
    /// Patches whose values have a smaller standard deviation than this are drawn again: flat ones teach nothing. 0
    /// takes all.
    pub least_deviation: f64,
}

/// So many draws in a row may be too flat before that is an error.
const PATIENCE: usize = 10_000;

impl PatchDraw {
    /// Patches of random images at random places: count × (height · width · channels). Every image is as likely, and
    /// every place within it. Three draws for each patch that is tried.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for an empty size, no image, images of several numbers of channels, an image smaller than
    /// the patch with its border, and if 10,000 patches in a row are too flat.
    pub fn draw<R: RngCore + ?Sized>(
        &self,
        images: &[Array3<f32>],
        generator: &mut R,
    ) -> Result<Array2<f32>, DataError> {
        let Some(first) = images.first() else {
            return Err(setting("the number of images for patches", 0, "give at least one image"));
        };
        let channels = first.dim().2;
        for image in images {
            let (height, width, found) = image.dim();
            if found != channels {
                let allowed = format!("the first image has {channels}, and all have to have as many");
                return Err(setting("the number of channels of an image", found, &allowed));
            }
            let inner = [height, width].map(|side| side.saturating_sub(2 * self.border));
            check_size(self.size, inner)?;
        }
        let mut patches = Array2::zeros((self.count, self.size[0] * self.size[1] * channels));
        for mut row in patches.rows_mut() {
            let mut tries = 0;
            loop {
                let image = &images[below(generator, images.len() as u64) as usize];
                let place = |side: usize, patch: usize, generator: &mut R| {
                    self.border + below(generator, (side - 2 * self.border - patch + 1) as u64) as usize
                };
                let top = place(image.dim().0, self.size[0], generator);
                let left = place(image.dim().1, self.size[1], generator);
                copy(image.view(), [top, left], self.size, &mut row);
                if deviation(row.iter().copied()) >= self.least_deviation {
                    break;
                }
                tries += 1;
                if tries == PATIENCE {
                    let allowed = format!("{PATIENCE} patches in a row vary less; give a smaller one");
                    return Err(setting("the least deviation of patches", self.least_deviation, &allowed));
                }
            }
        }
        Ok(patches)
    }
}

/// All patches of an image at steps of `stride` pixels, in reading order: positions × (height · width · channels). The
/// last column and row of positions lie at the edge, whether or not the steps end there, so that every pixel is in a
/// patch if the stride is not longer than a patch.
///
/// # Errors
///
/// [`DataError::Setting`] for an empty size, one larger than the image, a stride of 0.
pub fn all_patches(
    image: ArrayView3<'_, f32>,
    size: [usize; 2],
    stride: usize,
) -> Result<Array2<f32>, DataError> {
    let (height, width, channels) = image.dim();
    let places = places([height, width], size, stride)?;
    let mut patches = Array2::zeros((places.len(), size[0] * size[1] * channels));
    for (place, mut row) in places.into_iter().zip(patches.rows_mut()) {
        copy(image, place, size, &mut row);
    }
    Ok(patches)
}

/// The image (height, width, channels) that these are [`all_patches`] of; where patches overlap, their mean. A pixel
/// that no patch covers is 0.
///
/// # Errors
///
/// As [`all_patches`], and [`DataError::RowLength`] or [`DataError::Setting`] for patches of another size or number.
pub fn assemble(
    patches: ArrayView2<'_, f32>,
    [height, width, channels]: [usize; 3],
    size: [usize; 2],
    stride: usize,
) -> Result<Array3<f32>, DataError> {
    let places = places([height, width], size, stride)?;
    let wanted = size[0] * size[1] * channels;
    if patches.ncols() != wanted {
        let wanted_by = format!("patches of {} by {} pixels with {channels} channels", size[0], size[1]);
        let origin = "patches of an image".into();
        return Err(DataError::RowLength { origin, found: patches.ncols(), wanted_by, wanted });
    }
    if patches.nrows() != places.len() {
        let allowed = format!("an image of {height} by {width} pixels has {} of them", places.len());
        return Err(setting("the number of patches", patches.nrows(), &allowed));
    }
    let mut sums = Array3::<f64>::zeros((height, width, channels));
    let mut counts = Array2::<f64>::zeros((height, width));
    for ([top, left], row) in places.into_iter().zip(patches.rows()) {
        let mut values = row.iter();
        for y in top..top + size[0] {
            for x in left..left + size[1] {
                counts[(y, x)] += 1.0;
                for (c, &value) in (0..channels).zip(&mut values) {
                    sums[(y, x, c)] += f64::from(value);
                }
            }
        }
    }
    Ok(Array3::from_shape_fn(sums.dim(), |(y, x, c)| (sums[(y, x, c)] / counts[(y, x)].max(1.0)) as f32))
}

/// Where patches begin, in reading order.
fn places(image: [usize; 2], size: [usize; 2], stride: usize) -> Result<Vec<[usize; 2]>, DataError> {
    check_size(size, image)?;
    if stride == 0 {
        return Err(setting("the stride of patches", stride, "give at least 1 pixel"));
    }
    let along = |side: usize| {
        let last = image[side] - size[side];
        (0..last).step_by(stride).chain([last]).collect::<Vec<_>>()
    };
    let columns = along(1);
    Ok(along(0).into_iter().flat_map(|top| columns.iter().map(move |&left| [top, left])).collect())
}

fn copy(
    image: ArrayView3<'_, f32>,
    [top, left]: [usize; 2],
    size: [usize; 2],
    row: &mut ArrayViewMut1<'_, f32>,
) {
    let begin = [top, left];
    let part = image.slice_each_axis(|along| match along.axis.index() {
        axis @ 0..2 => Slice::from(begin[axis]..begin[axis] + size[axis]),
        _ => Slice::from(..),
    });
    row.iter_mut().zip(&part).for_each(|(out, &value)| *out = value);
}

/// √ of the mean square of what differs from the mean.
fn deviation(values: impl ExactSizeIterator<Item = f32> + Clone) -> f64 {
    let count = values.len() as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    (values.map(|value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count).sqrt()
}

fn check_size(size: [usize; 2], image: [usize; 2]) -> Result<(), DataError> {
    if (0..2).all(|side| (1..=image[side]).contains(&size[side])) {
        return Ok(());
    }
    let allowed =
        format!("give 1 by 1 to {} by {}, what the image has within its border", image[0], image[1]);
    Err(setting("the size of patches", format!("{} by {}", size[0], size[1]), &allowed))
}

fn setting(name: &'static str, value: impl ToString, allowed: &str) -> DataError {
    DataError::Setting { name, value: value.to_string(), allowed: allowed.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;
    use std::collections::BTreeSet;

    /// Values 100 · row + 10 · column + channel.
    fn image() -> Array3<f32> {
        Array3::from_shape_fn((4, 5, 2), |(y, x, c)| (100 * y + 10 * x + c) as f32)
    }

    #[test]
    fn all_patches_by_hand() {
        let patches = all_patches(image().view(), [2, 2], 2).unwrap();
        // Columns begin at 0, 2 and, at the edge, 3; rows at 0 and 2.
        assert_eq!(patches.dim(), (6, 8));
        assert_eq!(patches.row(2).to_vec(), [30.0, 31.0, 40.0, 41.0, 130.0, 131.0, 140.0, 141.0]);
        assert_eq!(patches[[3, 0]], 200.0);
    }

    #[test]
    fn patches_make_the_image_and_overlaps_are_averaged() {
        for (size, stride) in [([2, 2], 1), ([2, 3], 2), ([4, 5], 3)] {
            let patches = all_patches(image().view(), size, stride).unwrap();
            assert_eq!(assemble(patches.view(), [4, 5, 2], size, stride).unwrap(), image());
        }
        let mut patches = all_patches(image().view(), [4, 3], 2).unwrap();
        patches[[0, 4]] += 1.0; // row 0, column 2, channel 0, which the second patch covers too
        let assembled = assemble(patches.view(), [4, 5, 2], [4, 3], 2).unwrap();
        assert_eq!(assembled[[0, 2, 0]], 20.5);
        assert_eq!(assembled[[0, 1, 0]], 10.0);
    }

    #[test]
    fn draws_reach_every_place_within_the_border_and_are_repeatable() {
        let draw = PatchDraw { size: [2, 2], count: 200, border: 1, least_deviation: 0.0 };
        let drawn = |seed| draw.draw(&[image()], &mut Pcg64::seed_from_u64(seed)).unwrap();
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let corners: BTreeSet<u32> = drawn(1).column(0).iter().map(|&value| value as u32).collect();
        assert_eq!(corners, BTreeSet::from([110, 120]));
    }

    #[test]
    fn flat_patches_are_drawn_again() {
        let half = Array3::from_shape_fn((8, 8, 1), |(_, x, _)| if x < 4 { 0.5 } else { x as f32 });
        let draw = PatchDraw { size: [2, 2], count: 100, border: 0, least_deviation: 0.1 };
        let patches = draw.draw(&[half], &mut Pcg64::seed_from_u64(1)).unwrap();
        assert!(patches.rows().into_iter().all(|row| row[0] != row[1]));
        let flat = draw.draw(&[Array3::zeros((8, 8, 1))], &mut Pcg64::seed_from_u64(1));
        assert!(flat.unwrap_err().to_string().contains("vary less"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(all_patches(image().view(), [5, 2], 1).is_err());
        assert!(all_patches(image().view(), [0, 2], 1).is_err());
        assert!(all_patches(image().view(), [2, 2], 0).is_err());
        let patches = all_patches(image().view(), [2, 2], 1).unwrap();
        assert!(assemble(patches.view(), [4, 5, 1], [2, 2], 1).is_err());
        assert!(assemble(patches.view(), [4, 6, 2], [2, 2], 1).is_err());
        let draw = PatchDraw { size: [2, 2], count: 1, border: 2, least_deviation: 0.0 };
        let mut generator = Pcg64::seed_from_u64(1);
        assert!(draw.draw(&[image()], &mut generator).is_err());
        assert!(draw.draw(&[], &mut generator).is_err());
        let grey = Array3::zeros((8, 8, 1));
        let mixed = PatchDraw { border: 0, ..draw }.draw(&[image(), grey], &mut generator);
        assert!(mixed.unwrap_err().to_string().contains("channels"));
    }
}
