//! Shifts of the colours of whole images along the directions in which colours vary.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut3};
use rand_core::RngCore;

use crate::DataError;
use crate::augment::normal;
use crate::eigen::Eigen;

/// The principal directions of the colours of a set of images (Krizhevsky, Sutskever and Hinton, "ImageNet
/// classification with deep convolutional neural networks", 2012).
///
/// To every pixel of an image the same colour is added: the sum over the directions pᵢ of αᵢ σᵢ pᵢ, where σᵢ
/// is the standard deviation of the colours along pᵢ and αᵢ is drawn anew for each image from a normal
/// distribution of standard deviation `strength`, 0.1 in the paper. (The paper multiplies by σᵢ², which
/// depends on the unit of colours; its code by σᵢ.)
#[derive(Clone, Debug, PartialEq)]
pub struct ColourNoise {
    /// σᵢ pᵢ, a row each, by falling σᵢ.
    components: Array2<f32>,
}

impl ColourNoise {
    /// From images, one a row, of `channels` values a pixel.
    ///
    /// # Errors
    ///
    /// [`DataError::RowLength`] for rows that are no whole pixels, [`DataError::Setting`] if there is no
    /// pixel.
    pub fn of(pixels: ArrayView2<'_, u8>, channels: usize) -> Result<Self, DataError> {
        let count = pixels.len().checked_div(channels).unwrap_or(0);
        if count == 0 {
            let (value, allowed) = (count.to_string(), "give images with at least one channel".into());
            return Err(DataError::Setting { name: "the number of pixels", value, allowed });
        }
        if !pixels.ncols().is_multiple_of(channels) {
            return Err(DataError::RowLength {
                origin: "images for colour noise".into(),
                found: pixels.ncols(),
                wanted_by: format!("pixels of {channels} channels"),
                wanted: pixels.ncols().next_multiple_of(channels),
            });
        }
        let (mut sums, mut products) =
            (Array1::<u64>::zeros(channels), Array2::<u64>::zeros((channels, channels)));
        for image in pixels.rows() {
            for pixel in image.exact_chunks(channels) {
                for (first, &value) in pixel.iter().enumerate() {
                    sums[first] += u64::from(value);
                    for (second, &other) in pixel.iter().enumerate() {
                        products[(first, second)] += u64::from(value) * u64::from(other);
                    }
                }
            }
        }
        let means = sums.mapv(|sum| sum as f64 / count as f64);
        let covariance = Array2::from_shape_fn((channels, channels), |(first, second)| {
            products[(first, second)] as f64 / count as f64 - means[first] * means[second]
        });
        let Eigen { values, vectors: mut components } = Eigen::of(covariance);
        for (mut component, &value) in components.rows_mut().into_iter().zip(&values) {
            component *= value.max(0.0).sqrt();
        }
        let components = components.mapv(|value| value as f32);
        Ok(Self { components })
    }

    /// From the directions, a row each, and the standard deviation along each.
    ///
    /// # Panics
    ///
    /// If they differ in number.
    #[track_caller]
    pub fn new(deviations: ArrayView1<'_, f32>, directions: ArrayView2<'_, f32>) -> Self {
        assert_eq!(deviations.len(), directions.nrows(), "directions and their deviations differ in number");
        let mut components = directions.to_owned();
        for (mut component, &deviation) in components.rows_mut().into_iter().zip(deviations) {
            component *= deviation;
        }
        Self { components }
    }

    /// The directions times the standard deviations along them, a row each.
    pub fn components(&self) -> ArrayView2<'_, f32> {
        self.components.view()
    }

    /// Draws the colour to add to an image, one value a channel, in the unit of the pixels.
    pub fn draw<R: RngCore + ?Sized>(&self, strength: f32, generator: &mut R) -> Array1<f32> {
        let factors =
            Array1::from_shape_simple_fn(self.components.nrows(), || strength * normal(generator) as f32);
        factors.dot(&self.components)
    }
}

/// Adds a colour to every pixel of an image, height × width × channels.
///
/// # Panics
///
/// If the colour has another number of channels.
#[track_caller]
pub fn shift_colours(mut image: ArrayViewMut3<'_, f32>, colour: ArrayView1<'_, f32>) {
    assert_eq!(image.dim().2, colour.len(), "an image and the colour to add differ in channels");
    image += &colour;
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn components_have_the_covariance_of_the_pixels() {
        let pixels = Array2::from_shape_fn((7, 12), |(n, value)| ((n * 37 + value * value * 11) % 251) as u8);
        let noise = ColourNoise::of(pixels.view(), 3).unwrap();
        let colours = pixels.mapv(f64::from).into_shape_with_order((28, 3)).unwrap();
        let centred = &colours - &colours.mean_axis(ndarray::Axis(0)).unwrap();
        let covariance = centred.t().dot(&centred) / 28.0;
        let components = noise.components().mapv(f64::from);
        let rebuilt = components.t().dot(&components);
        assert!((&rebuilt - &covariance).iter().all(|value| value.abs() < 1e-2), "{rebuilt} {covariance}");
        // Directions are orthogonal, the strongest first.
        let products = components.dot(&components.t());
        assert!(
            products[(0, 1)].abs() < 1e-2 && products[(1, 2)].abs() < 1e-2 && products[(0, 2)].abs() < 1e-2
        );
        assert!(products[(0, 0)] >= products[(1, 1)] && products[(1, 1)] >= products[(2, 2)]);
    }

    #[test]
    fn draws_have_the_stated_deviation_and_are_added_to_all_pixels() {
        let noise = ColourNoise::new(array![2.0, 5.0].view(), array![[1.0, 0.0], [0.0, 1.0]].view());
        let mut generator = Pcg64::seed_from_u64(1);
        let draws: Vec<Array1<f32>> = (0..20_000).map(|_| noise.draw(0.1, &mut generator)).collect();
        for (channel, expected) in [(0, 0.2f32), (1, 0.5)] {
            let square = draws.iter().map(|colour| colour[channel].powi(2)).sum::<f32>() / draws.len() as f32;
            // The relative error of a variance of 20,000 draws is 1 %; five of them.
            assert!((square / expected.powi(2) - 1.0).abs() < 0.05, "{square}");
        }
        assert!(noise.draw(0.0, &mut generator).iter().all(|&value| value == 0.0));
        let mut image = Array3::from_shape_fn((2, 2, 2), |(y, x, _)| (y * 2 + x) as f32);
        shift_colours(image.view_mut(), array![10.0, -1.0].view());
        assert_eq!(image, array![[[10.0, -1.0], [11.0, 0.0]], [[12.0, 1.0], [13.0, 2.0]]]);
    }

    #[test]
    fn images_without_whole_pixels_are_refused() {
        let pixels = Array2::zeros((2, 4));
        assert!(matches!(ColourNoise::of(pixels.view(), 3), Err(DataError::RowLength { wanted: 6, .. })));
        assert!(matches!(ColourNoise::of(pixels.view(), 0), Err(DataError::Setting { .. })));
        let flat = ColourNoise::of(pixels.view(), 2).unwrap();
        assert!(flat.components().iter().all(|&value| value == 0.0));
    }
}
