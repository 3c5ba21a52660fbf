//! Altered copies of images, so that a learner sees more of them than there are, and several views of one for
//! testing.
//!
//! Each alteration is a plain value, drawn from a generator, and what it does to an image depends on that
//! value alone: [`Crop`] with mirroring and [multi-view testing](ten_views), [`Displacement`] for
//! [elastic](Elastic) and [affine](Affine) distortions, shifts of [colours](ColourNoise).
//!
//! [`RandomCrops`] holds images and cuts a part out of one whenever a minibatch needs it.
//!
//! An image is height × width × channels, which is how a row of this crate's data stands in memory;
//! [`map_images`] goes through the rows of a batch.
//!
//! ```
//! use nn_data::augment::{Crop, map_images};
//! use rand_core::SeedableRng;
//!
//! let batch = ndarray::Array2::<f32>::zeros((128, 32 * 32 * 3));
//! let mut generator = rand_pcg::Pcg64::seed_from_u64(1);
//! let cropped = map_images(batch.view(), [32, 32, 3], [24, 24, 3], |_case, image, out| {
//!     Crop::draw([32, 32], [24, 24], &mut generator).apply_into(image, out);
//! });
//! assert_eq!(cropped.dim(), (128, 24 * 24 * 3));
//! ```

mod affine;
mod colour_noise;
mod crop;
mod displacement;
mod elastic;
mod mean_image;
mod normal;
mod random_crops;

pub use affine::{Affine, AffineRanges};
pub use colour_noise::{ColourNoise, shift_colours};
pub use crop::{Crop, nine_views, ten_views};
pub use displacement::Displacement;
pub use elastic::Elastic;
pub use mean_image::mean_image;
pub use normal::normal;
pub use random_crops::RandomCrops;

use ndarray::{Array2, ArrayView2, ArrayView3, ArrayViewMut3, Axis};

/// Shows every image of a batch, with its number and the place of the result, to `alter`.
///
/// `images` has an image of `size` (height, width, channels) a row, the result one of `altered`, zero where
/// nothing is written.
///
/// # Panics
///
/// If the rows do not have the length that `size` asks for.
#[track_caller]
pub fn map_images<T: Clone + Default>(
    images: ArrayView2<'_, T>,
    size: [usize; 3],
    altered: [usize; 3],
    mut alter: impl FnMut(usize, ArrayView3<'_, T>, ArrayViewMut3<'_, T>),
) -> Array2<T> {
    let values: usize = size.iter().product();
    assert_eq!(images.ncols(), values, "rows of {} values hold no images of {size:?}", images.ncols());
    let mut out = Array2::default((images.nrows(), altered.iter().product()));
    for (case, mut row) in out.axis_iter_mut(Axis(0)).enumerate() {
        let image = images.row(case);
        let image = image.to_shape(size).expect("the length of the row was checked");
        let place =
            row.view_mut().into_shape_with_order(altered).expect("rows of a new array are contiguous");
        alter(case, image.view(), place);
    }
    out
}
