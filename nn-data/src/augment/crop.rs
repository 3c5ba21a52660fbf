//! Parts of images, mirrored or not.

use ndarray::{Array3, ArrayView3, ArrayViewMut3, Axis};
use rand_core::RngCore;

use crate::uniform::{below, with_probability};

/// A rectangle of an image, mirrored left to right or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crop {
    /// First row, from 0.
    pub top: usize,
    /// First column, from 0.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Whether the columns are taken from right to left.
    pub mirrored: bool,
}

impl Crop {
    /// A part of `size` (height, width) of an image of size `outer`, every position equally likely, mirrored
    /// with probability 1/2.
    ///
    /// Three draws: row, column, mirroring. With a border of b on each side, the rows are 0 to 2 b: for
    /// CIFAR-10, cuda-convnet takes 24 by 24 of 32 by 32, so b = 4 and nine positions along each side.
    ///
    /// # Panics
    ///
    /// If the part is larger than the image.
    #[track_caller]
    pub fn draw<R: RngCore + ?Sized>(outer: [usize; 2], size: [usize; 2], generator: &mut R) -> Self {
        let [down, right] = freedom(outer, size);
        let top = below(generator, down as u64 + 1) as usize;
        let left = below(generator, right as u64 + 1) as usize;
        let mirrored = with_probability(generator, 0.5);
        Self { top, left, height: size[0], width: size[1], mirrored }
    }

    /// The part of `size` (height, width) in the middle of an image of size `outer`, not mirrored: what is
    /// tested on, and what fits a mean image to cropped ones. Where the border is odd, the smaller half is at
    /// the top and at the left.
    ///
    /// # Panics
    ///
    /// If the part is larger than the image.
    #[track_caller]
    pub fn centre(outer: [usize; 2], size: [usize; 2]) -> Self {
        let [down, right] = freedom(outer, size);
        Self { top: down / 2, left: right / 2, height: size[0], width: size[1], mirrored: false }
    }

    /// The same part the other way round.
    pub fn mirror(self) -> Self {
        Self { mirrored: !self.mirrored, ..self }
    }

    /// This part of an image: height × width × channels.
    ///
    /// # Panics
    ///
    /// If the image does not contain it.
    #[track_caller]
    pub fn apply<T: Clone>(&self, image: ArrayView3<'_, T>) -> Array3<T> {
        self.view(image).as_standard_layout().into_owned()
    }

    /// As [`apply`](Self::apply), into an image that is there already.
    ///
    /// # Panics
    ///
    /// If the image does not contain the part, or `out` has another size.
    #[track_caller]
    pub fn apply_into<T: Clone>(&self, image: ArrayView3<'_, T>, mut out: ArrayViewMut3<'_, T>) {
        let part = self.view(image);
        assert_eq!(part.dim(), out.dim(), "a part of an image and the place for it differ in size");
        out.assign(&part);
    }

    #[track_caller]
    pub(super) fn view<'a, T>(&self, image: ArrayView3<'a, T>) -> ArrayView3<'a, T> {
        let (height, width, _) = image.dim();
        let inside = self.top + self.height <= height && self.left + self.width <= width;
        assert!(inside, "{self:?} is not inside of an image of {height} by {width}");
        let mut part = image;
        part.slice_axis_inplace(Axis(0), (self.top..self.top + self.height).into());
        part.slice_axis_inplace(Axis(1), (self.left..self.left + self.width).into());
        if self.mirrored {
            part.invert_axis(Axis(1));
        }
        part
    }
}

/// The ten views of cuda-convnet: the corners and the centre, then the same five mirrored. The answers of a
/// network to them are averaged.
///
/// The five are: top left, top right, centre, bottom left, bottom right.
///
/// # Panics
///
/// If the views are larger than the image.
#[track_caller]
pub fn ten_views(outer: [usize; 2], size: [usize; 2]) -> [Crop; 10] {
    let [down, right] = freedom(outer, size);
    let corners = [(0, 0), (0, right), (down / 2, right / 2), (down, 0), (down, right)];
    std::array::from_fn(|view| {
        let (top, left) = corners[view % 5];
        Crop { top, left, height: size[0], width: size[1], mirrored: view >= 5 }
    })
}

/// The nine views of cuda-convnet2: the border's start, middle and end along each side, row by row, none
/// mirrored.
///
/// # Panics
///
/// If the views are larger than the image.
#[track_caller]
pub fn nine_views(outer: [usize; 2], size: [usize; 2]) -> [Crop; 9] {
    let [down, right] = freedom(outer, size);
    std::array::from_fn(|view| Crop {
        top: [0, down / 2, down][view / 3],
        left: [0, right / 2, right][view % 3],
        height: size[0],
        width: size[1],
        mirrored: false,
    })
}

/// By how many pixels a part can be moved down and to the right.
#[track_caller]
fn freedom(outer: [usize; 2], size: [usize; 2]) -> [usize; 2] {
    assert!(
        size[0] <= outer[0] && size[1] <= outer[1],
        "a part of {size:?} pixels was asked for of an image of {outer:?}"
    );
    [outer[0] - size[0], outer[1] - size[1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    /// 100 · row + 10 · column + channel.
    fn image(height: usize, width: usize) -> Array3<f32> {
        Array3::from_shape_fn((height, width, 2), |(y, x, c)| (100 * y + 10 * x + c) as f32)
    }

    #[test]
    fn parts_have_the_stated_pixels() {
        let crop = Crop { top: 1, left: 2, height: 1, width: 2, mirrored: false };
        assert_eq!(crop.apply(image(3, 5).view()), ndarray::array![[[120.0, 121.0], [130.0, 131.0]]]);
        let mirrored = crop.mirror().apply(image(3, 5).view());
        assert_eq!(mirrored, ndarray::array![[[130.0, 131.0], [120.0, 121.0]]]);
        assert!(mirrored.is_standard_layout());
        let mut out = Array3::zeros((1, 2, 2));
        crop.mirror().apply_into(image(3, 5).view(), out.view_mut());
        assert_eq!(out, mirrored);
    }

    #[test]
    fn mirroring_twice_changes_nothing() {
        let whole = Crop::centre([4, 7], [4, 7]).mirror();
        let twice = whole.apply(whole.apply(image(4, 7).view()).view());
        assert_eq!(twice, image(4, 7));
    }

    #[test]
    fn all_positions_and_both_directions_are_drawn_and_repeatable() {
        let draws = |seed| {
            let mut generator = Pcg64::seed_from_u64(seed);
            (0..2000).map(|_| Crop::draw([32, 32], [24, 28], &mut generator)).collect::<Vec<_>>()
        };
        let drawn = draws(1);
        assert_eq!(drawn, draws(1));
        assert_ne!(drawn, draws(2));
        let tops: std::collections::BTreeSet<usize> = drawn.iter().map(|crop| crop.top).collect();
        let lefts: std::collections::BTreeSet<usize> = drawn.iter().map(|crop| crop.left).collect();
        assert_eq!((tops, lefts), ((0..=8).collect(), (0..=4).collect()));
        // Binomial with 2000 tosses: five standard deviations are 112.
        let mirrored = drawn.iter().filter(|crop| crop.mirrored).count();
        assert!(mirrored.abs_diff(1000) < 112, "{mirrored}");
    }

    #[test]
    fn views_are_those_of_cuda_convnet() {
        let places = |views: &[Crop]| views.iter().map(|view| (view.top, view.left)).collect::<Vec<_>>();
        let ten = ten_views([32, 32], [24, 24]);
        assert_eq!(places(&ten[..5]), [(0, 0), (0, 8), (4, 4), (8, 0), (8, 8)]);
        assert_eq!(places(&ten[..5]), places(&ten[5..]));
        assert!(ten[..5].iter().all(|view| !view.mirrored) && ten[5..].iter().all(|view| view.mirrored));
        let nine = nine_views([32, 32], [24, 24]);
        let expected = [(0, 0), (0, 4), (0, 8), (4, 0), (4, 4), (4, 8), (8, 0), (8, 4), (8, 8)];
        assert_eq!(places(&nine), expected);
        assert_eq!(Crop::centre([32, 32], [24, 24]), nine[4]);
        let odd = Crop::centre([5, 8], [2, 3]);
        assert_eq!((odd.top, odd.left), (1, 2));
    }

    #[test]
    #[should_panic(expected = "a part of [33, 2] pixels was asked for of an image of [32, 32]")]
    fn parts_larger_than_the_image_are_refused() {
        Crop::centre([32, 32], [33, 2]);
    }
}
