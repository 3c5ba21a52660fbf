//! Parts of images at random places, for every minibatch anew.

use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut1, Axis};
use rand_core::RngCore;

use crate::augment::Crop;
use crate::{DataError, Images};

/// Images of which parts of one size are cut out at random places, mirrored or not, as numbers:
/// (pixel − mean) / unit.
///
/// The mean is a part of the mean image, the one at its centre, wherever the part of the image lies: cuda-convnet's
/// rule, which leaves the mean of a place within the part to be learned.
#[derive(Clone, Debug)]
pub struct RandomCrops {
    images: Images,
    /// Height and width of a part.
    size: [usize; 2],
    mirror: bool,
    /// One value for each of a part.
    mean: Array1<f32>,
    unit: f32,
}

impl RandomCrops {
    /// Parts of `size` (height, width), as the pixels are: 0 to 255. With `mirror` half of those that are drawn are
    /// mirrored left to right.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for parts that are empty or larger than the images.
    pub fn new(images: Images, size: [usize; 2], mirror: bool) -> Result<Self, DataError> {
        let outer = [images.height(), images.width()];
        if size.contains(&0) || size[0] > outer[0] || size[1] > outer[1] {
            return Err(DataError::Setting {
                name: "the size of crops",
                value: format!("{} by {}", size[0], size[1]),
                allowed: format!("give 1 by 1 to {} by {}, the size of the images", outer[0], outer[1]),
            });
        }
        let mean = Array1::zeros(size[0] * size[1] * images.channels());
        Ok(Self { images, size, mirror, mean, unit: 1.0 })
    }

    /// Moves of whole images by up to `reach` pixels along each axis, none mirrored; what comes in from beyond the edge
    /// is 0. Of `reach` 2 there are 25, equally likely.
    ///
    /// # Errors
    ///
    /// As [`Images::with_border`].
    pub fn shifts(images: &Images, reach: usize) -> Result<Self, DataError> {
        Self::new(images.with_border(reach)?, [images.height(), images.width()], false)
    }

    /// Less the centre of this mean image, which has a value for each of an image.
    ///
    /// # Panics
    ///
    /// If the mean is of images of another size.
    #[track_caller]
    pub fn less(mut self, mean: ArrayView1<'_, f32>) -> Self {
        let images = &self.images;
        let image = mean.to_shape([images.height(), images.width(), images.channels()]);
        let image = image.unwrap_or_else(|_| {
            panic!("a mean of {} values for images of {}", mean.len(), images.pixels().ncols())
        });
        self.mean = self.centre().apply(image.view()).flatten().into_owned();
        self
    }

    /// Divided by this number: 255 for values in [0, 1].
    ///
    /// # Panics
    ///
    /// If it is 0 or not finite.
    #[track_caller]
    pub fn divided_by(mut self, unit: f32) -> Self {
        assert!(unit.is_finite() && unit != 0.0, "values divided by {unit}");
        self.unit = unit;
        self
    }

    /// The images that parts are cut out of.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// Values of a part: height · width · channels.
    pub fn columns(&self) -> usize {
        self.mean.len()
    }

    /// The part at the centre, not mirrored.
    pub fn centre(&self) -> Crop {
        Crop::centre([self.images.height(), self.images.width()], self.size)
    }

    /// Writes a part of the image in this row, at a place that is drawn, into `out`. Two draws, and a third one where
    /// parts are mirrored.
    ///
    /// # Panics
    ///
    /// If there is no such row, or `out` has not one value for each of a part.
    #[track_caller]
    pub fn draw_into<R: RngCore + ?Sized>(&self, row: usize, generator: &mut R, out: ArrayViewMut1<'_, f32>) {
        let mut crop = Crop::draw([self.images.height(), self.images.width()], self.size, generator);
        crop.mirrored &= self.mirror;
        self.write(row, crop, out);
    }

    /// This part of every image, images × [`columns`](Self::columns).
    ///
    /// # Panics
    ///
    /// If it is not inside of the images, or not of the size of the others.
    #[track_caller]
    pub fn view(&self, crop: Crop) -> Array2<f32> {
        assert_eq!([crop.height, crop.width], self.size, "a part of another size");
        let mut out = Array2::zeros((self.images.len(), self.columns()));
        for (row, part) in out.axis_iter_mut(Axis(0)).enumerate() {
            self.write(row, crop, part);
        }
        out
    }

    fn write(&self, row: usize, crop: Crop, mut out: ArrayViewMut1<'_, f32>) {
        let image = self.images.pixels().index_axis_move(Axis(0), row);
        let size = [self.images.height(), self.images.width(), self.images.channels()];
        let image = image.into_shape_with_order(size).expect("an image has so many values");
        assert_eq!(out.len(), self.columns(), "a part and the place for it differ in size");
        let part = crop.view(image);
        for ((value, pixel), mean) in out.iter_mut().zip(&part).zip(&self.mean) {
            *value = (f32::from(*pixel) - mean) / self.unit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;
    use std::collections::BTreeSet;

    /// Pixels 10 · row + column, and 100 more in the second image; two channels, the second one 1 more.
    fn images() -> Images {
        let pixels = Array2::from_shape_fn((2, 4 * 5 * 2), |(image, value)| {
            (100 * image + 10 * (value / 10) + value / 2 % 5 + value % 2) as u8
        });
        Images::new(pixels, [4, 5, 2], None, 1, "test").unwrap()
    }

    #[test]
    fn the_centre_by_hand_less_the_mean_of_the_centre() {
        let crops = RandomCrops::new(images(), [2, 3], true).unwrap();
        let centre = crops.view(crops.centre());
        assert_eq!(
            centre.row(1).to_vec(),
            [111, 112, 112, 113, 113, 114, 121, 122, 122, 123, 123, 124].map(|v| v as f32)
        );
        let mean = Array1::from_shape_fn(40, |value| value as f32);
        let crops = crops.less(mean.view()).divided_by(2.0);
        // The centre of the mean begins in row 1 and column 1: at value 12.
        assert_eq!(crops.view(crops.centre())[[1, 0]], (111.0 - 12.0) / 2.0);
        let corner = Crop { top: 0, left: 0, mirrored: true, ..crops.centre() };
        assert_eq!(crops.view(corner)[[1, 0]], (102.0 - 12.0) / 2.0);
    }

    #[test]
    fn every_part_is_drawn_and_repeatable() {
        let drawn = |mirror: bool, seed: u64| {
            let crops = RandomCrops::new(images(), [2, 3], mirror).unwrap();
            let mut generator = Pcg64::seed_from_u64(seed);
            let draw = |_| {
                let mut part = Array1::zeros(12);
                crops.draw_into(0, &mut generator, part.view_mut());
                part.map(|value| *value as u8).to_vec()
            };
            (0..1000).map(draw).collect::<Vec<_>>()
        };
        assert_eq!(drawn(true, 1), drawn(true, 1));
        assert_ne!(drawn(true, 1), drawn(true, 2));
        let different = |mirror| drawn(mirror, 1).into_iter().collect::<BTreeSet<_>>().len();
        assert_eq!((different(false), different(true)), (3 * 3, 2 * 3 * 3));
    }

    #[test]
    fn shifts_bring_in_zeros() {
        let pixels = Array2::from_shape_vec((1, 4), vec![51, 102, 153, 204]).unwrap();
        let images = Images::new(pixels, [2, 2, 1], None, 1, "test").unwrap();
        let shifts = RandomCrops::shifts(&images, 1).unwrap().divided_by(255.0);
        assert_eq!(shifts.view(shifts.centre()), images.to_f32());
        let moved = shifts.view(Crop { top: 0, ..shifts.centre() });
        assert_eq!(moved.row(0).to_vec(), [0.0, 0.0, 51.0 / 255.0, 102.0 / 255.0]);
    }

    #[test]
    fn parts_larger_than_the_image_are_refused() {
        let message = RandomCrops::new(images(), [5, 3], false).unwrap_err().to_string();
        assert!(message.contains("5 by 3") && message.contains("4 by 5"), "{message}");
        assert!(RandomCrops::new(images(), [0, 3], false).is_err());
    }
}
