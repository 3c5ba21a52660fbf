//! Gaussian noise whose amplitude falls with the frequency as that of natural images does, but without their edges: what
//! is learned from it comes from the spectrum alone.

use ndarray::{Array3, Axis};
use rand_core::RngCore;

use crate::DataError;
use crate::augment::normal;
use crate::fourier;

/// Pixels along a side, at most.
const LARGEST_SIDE: usize = 1 << 13;

/// An image of `size` (height, width) × 1 whose amplitude at frequency f is proportional to f^−exponent: 1 as in natural
/// images, 0 for white noise. Periodic, of mean 0 and mean square 1. Two draws a pixel.
///
/// # Errors
///
/// [`DataError::Setting`] for a side of 0 or above 8,192, an image of one pixel, an exponent beyond −4 to 4.
pub fn draw<R: RngCore + ?Sized>(
    size: [usize; 2],
    exponent: f64,
    generator: &mut R,
) -> Result<Array3<f32>, DataError> {
    let [height, width] = super::checked_size(size, LARGEST_SIDE)?;
    if !(-4.0..=4.0).contains(&exponent) || height * width == 1 {
        let allowed = "give -4 to 4, and more than one pixel".into();
        return Err(DataError::Setting {
            name: "the exponent of the spectrum",
            value: exponent.to_string(),
            allowed,
        });
    }
    let mut image = Array3::from_shape_simple_fn((height, width, 1), || normal(generator) as f32);
    let gain = |frequency: f64| if frequency > 0.0 { frequency.powf(-exponent) } else { 0.0 };
    fourier::filter(image.index_axis_mut(Axis(2), 0), gain);
    let square = image.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / image.len() as f64;
    image.mapv_inplace(|value| (f64::from(value) / square.sqrt()) as f32);
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    /// Mean squares of the image below and above a frequency.
    fn power(image: &Array3<f32>, frequency: f64) -> [f64; 2] {
        [true, false].map(|low| {
            let mut part = image.clone();
            let pass = |f: f64| f64::from(u8::from((f < frequency) == low));
            fourier::filter(part.index_axis_mut(Axis(2), 0), pass);
            part.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / part.len() as f64
        })
    }

    #[test]
    fn the_spectrum_is_as_asked_for() {
        let draw = |exponent| draw([96, 64], exponent, &mut Pcg64::seed_from_u64(1)).unwrap();
        let white = power(&draw(0.0), 0.25);
        // A disc of radius 1/4 in a square of side 1, of 6,143 coefficients.
        assert!((white[0] - std::f64::consts::PI / 16.0).abs() < 0.04, "{white:?}");
        assert!((white[0] + white[1] - 1.0).abs() < 1e-5);
        // Of power 1/f² every octave holds as much: from 1/16 to 1/8 as from 1/8 to 1/4.
        let natural = draw(1.0);
        let below = [1.0 / 16.0, 0.125, 0.25].map(|frequency| power(&natural, frequency)[0]);
        let ratio = (below[2] - below[1]) / (below[1] - below[0]);
        assert!((0.8..1.25).contains(&ratio), "{below:?}");
    }

    #[test]
    fn settings_are_checked() {
        let mut generator = Pcg64::seed_from_u64(1);
        assert!(draw([0, 4], 1.0, &mut generator).is_err());
        assert!(draw([1, 1], 1.0, &mut generator).is_err());
        assert!(draw([4, 4], f64::NAN, &mut generator).is_err());
    }
}
