//! Several views of a case: crops at fixed places, mirrored or not.

use crate::committee::mean;
use ndarray::{Array2, ArrayView2};
use nn_core::{Device, Error, Network, Tensor};

/// One view: which part of an image, and whether left and right are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageView {
    /// Rows above the part.
    pub top: usize,
    /// Columns left of it.
    pub left: usize,
    /// Whether it is mirrored after it is cut out.
    pub mirrored: bool,
}

/// Views of one size, for testing a network on each and averaging what it says.
///
/// Images are rows of cases, channel last, as everywhere; they are cut on the host.
#[derive(Clone, Debug)]
pub struct Views {
    /// Height, width, channels.
    image: [usize; 3],
    /// Height and width.
    crop: [usize; 2],
    views: Vec<ImageView>,
}

impl Views {
    /// These views of height × width pixels of images of height × width × channels.
    ///
    /// # Errors
    /// [`Error::Setting`] without views, for an empty one, or one that does not lie inside the image.
    pub fn new(image: [usize; 3], crop: [usize; 2], views: Vec<ImageView>) -> Result<Views, Error> {
        let [height, width, _] = image;
        if image.contains(&0) {
            return Err(Error::setting("image", format!("{image:?}"), "it has pixels and channels"));
        }
        if crop.contains(&0) || crop[0] > height || crop[1] > width {
            let given = format!("{}×{}", crop[0], crop[1]);
            let allowed = format!("views are from 1×1 to the image of {height}×{width}");
            return Err(Error::setting("crop", given, &allowed));
        }
        if views.is_empty() {
            return Err(Error::setting("views", 0, "there is at least one"));
        }
        if let Some(out) = views.iter().find(|v| v.top > height - crop[0] || v.left > width - crop[1]) {
            let allowed = format!("offsets are at most {} and {}", height - crop[0], width - crop[1]);
            return Err(Error::setting("view", format!("at {}, {}", out.top, out.left), &allowed));
        }
        Ok(Views { image, crop, views })
    }

    /// The four corners and the centre, then the same five mirrored: the 10 views of cuda-convnet.
    ///
    /// # Errors
    /// [`Error::Setting`] for views larger than the image.
    pub fn corners_and_center(image: [usize; 3], crop: [usize; 2]) -> Result<Views, Error> {
        let [bottom, right] = margins(image, crop);
        let places = [(0, 0), (0, right), (bottom / 2, right / 2), (bottom, 0), (bottom, right)];
        let views = [false, true]
            .into_iter()
            .flat_map(|mirrored| places.map(|(top, left)| ImageView { top, left, mirrored }));
        Views::new(image, crop, views.collect())
    }

    /// A grid of 3 × 3 places from edge to edge, not mirrored: the 9 views of cuda-convnet2 for CIFAR-10.
    ///
    /// # Errors
    /// [`Error::Setting`] for views larger than the image.
    pub fn grid_of_nine(image: [usize; 3], crop: [usize; 2]) -> Result<Views, Error> {
        let [bottom, right] = margins(image, crop);
        let steps = |end: usize| [0, end / 2, end];
        let views = steps(bottom)
            .into_iter()
            .flat_map(|top| steps(right).map(|left| ImageView { top, left, mirrored: false }));
        Views::new(image, crop, views.collect())
    }

    /// The centre alone, as in testing on one view.
    ///
    /// # Errors
    /// [`Error::Setting`] for views larger than the image.
    pub fn center(image: [usize; 3], crop: [usize; 2]) -> Result<Views, Error> {
        let [bottom, right] = margins(image, crop);
        Views::new(image, crop, vec![ImageView { top: bottom / 2, left: right / 2, mirrored: false }])
    }

    /// Which views there are.
    pub fn views(&self) -> &[ImageView] {
        &self.views
    }

    /// Values of a view: height · width · channels.
    pub fn view_len(&self) -> usize {
        self.crop[0] * self.crop[1] * self.image[2]
    }

    /// A view of every image, cases × (height · width · channels) of the view.
    ///
    /// # Panics
    /// If there is no view of this number, or the rows do not hold images of the stated size.
    #[track_caller]
    pub fn of(&self, images: ArrayView2<'_, f32>, number: usize) -> Array2<f32> {
        let ([height, width, channels], [_, across]) = (self.image, self.crop);
        assert!(
            images.ncols() == height * width * channels,
            "{} values in images of {:?}",
            images.ncols(),
            self.image
        );
        let ImageView { top, left, mirrored } = self.views[number];
        Array2::from_shape_fn((images.nrows(), self.view_len()), |(case, value)| {
            let (pixel, channel) = (value / channels, value % channels);
            let (row, column) = (pixel / across, pixel % across);
            let column = if mirrored { across - 1 - column } else { column };
            images[[case, ((top + row) * width + left + column) * channels + channel]]
        })
    }

    /// The mean over the views of what a network predicts, cases × outputs. Waits for nothing.
    ///
    /// # Panics
    /// As [`Views::of`], or if the views are not of the size of the network's inputs.
    #[track_caller]
    pub fn predict(&self, network: &Network, device: &Device, images: ArrayView2<'_, f32>) -> Tensor {
        let of = |view| network.predict(device.tensor(&self.of(images, view)).view());
        mean((0..self.views.len()).map(of))
    }
}

/// Pixels by which a view may move down and to the right.
fn margins([height, width, _]: [usize; 3], crop: [usize; 2]) -> [usize; 2] {
    [height.saturating_sub(crop[0]), width.saturating_sub(crop[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(views: &Views) -> Vec<(usize, usize, bool)> {
        views.views().iter().map(|view| (view.top, view.left, view.mirrored)).collect()
    }

    #[test]
    fn places_of_the_ten_and_the_nine_views() {
        let ten = Views::corners_and_center([32, 32, 3], [24, 24]).unwrap();
        let places = [(0, 0), (0, 8), (4, 4), (8, 0), (8, 8)];
        let expected: Vec<_> = [false, true].iter().flat_map(|&m| places.map(|(y, x)| (y, x, m))).collect();
        assert_eq!(at(&ten), expected);
        let nine = Views::grid_of_nine([32, 32, 3], [24, 24]).unwrap();
        assert_eq!(at(&nine)[..4], [(0, 0, false), (0, 4, false), (0, 8, false), (4, 0, false)]);
        assert_eq!(nine.views().len(), 9);
        assert_eq!(at(&Views::center([32, 32, 3], [24, 24]).unwrap()), [(4, 4, false)]);
    }

    #[test]
    fn a_mirrored_view_by_hand() {
        // Pixels of 2 channels, 10·pixel + channel, in an image of 2 × 3.
        let images = Array2::from_shape_fn((1, 12), |(_, i)| (10 * (i / 2) + i % 2) as f32);
        let view = |mirrored| ImageView { top: 1, left: 1, mirrored };
        let views = Views::new([2, 3, 2], [1, 2], vec![view(false), view(true)]).unwrap();
        assert_eq!(views.of(images.view(), 0).into_raw_vec_and_offset().0, [40.0, 41.0, 50.0, 51.0]);
        assert_eq!(views.of(images.view(), 1).into_raw_vec_and_offset().0, [50.0, 51.0, 40.0, 41.0]);
    }

    #[test]
    fn predictions_are_averaged_over_views() {
        use nn_core::{Activation, Key, Loss, init::Initialization};
        let device = Device::reference();
        let (draw, loss) = (Initialization::Normal { deviation: 1.0 }, Loss::CrossEntropy);
        let network =
            Network::perceptron(&device, &[4, 3], Activation::Tanh, draw, loss, Key::new(1)).unwrap();
        let images = Array2::from_shape_fn((2, 9), |(case, pixel)| (case * 3 + pixel) as f32 * 0.1);
        let views = Views::corners_and_center([3, 3, 1], [2, 2]).unwrap();
        let found = views.predict(&network, &device, images.view()).to_array_f64().unwrap();
        let one = |view| network.predict(device.tensor(&views.of(images.view(), view)).view());
        let sum = (0..10).map(|view| one(view).to_array_f64().unwrap()).reduce(|sum, other| sum + other);
        assert!((found - sum.unwrap() / 10.0).iter().all(|difference| difference.abs() < 1e-12));
    }

    #[test]
    fn views_outside_the_image_are_refused() {
        let message = |image, crop, views| Views::new(image, crop, views).unwrap_err().to_string();
        let view = ImageView { top: 0, left: 9, mirrored: false };
        let outside = message([32, 32, 3], [24, 24], vec![view]);
        assert_eq!(outside, "view is at 0, 9, but offsets are at most 8 and 8");
        assert!(message([32, 32, 3], [24, 24], vec![]).contains("views is 0"));
        let larger = Views::corners_and_center([32, 32, 3], [33, 24]).unwrap_err().to_string();
        assert_eq!(larger, "crop is 33×24, but views are from 1×1 to the image of 32×32");
    }
}
