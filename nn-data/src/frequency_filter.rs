//! Whitening of whole images by their frequencies.

use ndarray::{Array3, ArrayViewMut3, Axis};

use crate::DataError;
use crate::fourier;

/// f₀ of Olshausen and Field, in cycles a pixel.
pub const CUTOFF: f64 = 0.4;

/// Multiplies each frequency f by f · exp(−(f/f₀)⁴), channel by channel, with f₀ the `cutoff` in cycles a pixel. The rise
/// evens out the spectrum of natural images, whose amplitude falls as 1/f; the fall removes the corners of the spectrum,
/// where there is most noise (Olshausen and Field, "Emergence of simple-cell receptive field properties by learning a
/// sparse code for natural images", 1996). The image is height × width × channels and taken as periodic. The result has
/// mean 0; bring it to a variance by [`scale_to_variance`].
///
/// # Errors
///
/// [`DataError::Setting`] for a cutoff that is not positive.
pub fn whiten(mut image: ArrayViewMut3<'_, f32>, cutoff: f64) -> Result<(), DataError> {
    if cutoff.is_nan() || cutoff <= 0.0 {
        let allowed = "give a positive number of cycles a pixel; 0.4 is usual".into();
        return Err(DataError::Setting {
            name: "the cutoff of the filter",
            value: cutoff.to_string(),
            allowed,
        });
    }
    if !image.is_empty() {
        for channel in image.axis_iter_mut(Axis(2)) {
            fourier::filter(channel, |frequency| frequency * (-(frequency / cutoff).powi(4)).exp());
        }
    }
    Ok(())
}

/// Multiplies all images by one number, after which the mean of their squares is `variance`: 0.1 in the paper. Images that
/// are 0 stay so.
pub fn scale_to_variance(images: &mut [Array3<f32>], variance: f64) {
    let count: usize = images.iter().map(Array3::len).sum();
    let squares: f64 = images.iter().flatten().map(|&value| f64::from(value).powi(2)).sum();
    if squares > 0.0 {
        let factor = (variance * count as f64 / squares).sqrt();
        images.iter_mut().flatten().for_each(|value| *value = (f64::from(*value) * factor) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    #[test]
    fn a_wave_is_scaled_by_the_gain_of_the_paper() {
        let wave =
            Array3::from_shape_fn((8, 20, 2), |(_, x, c)| (TAU * x as f64 / 5.0).sin() as f32 + c as f32);
        let mut whitened = wave.clone();
        whiten(whitened.view_mut(), 0.4).unwrap();
        let gain = 0.2 * (-1.0f64 / 16.0).exp();
        for (&found, &value) in whitened.index_axis(Axis(2), 1).iter().zip(wave.index_axis(Axis(2), 0)) {
            assert!((f64::from(found) - gain * f64::from(value)).abs() < 1e-6);
        }
        let mut images = [whitened, wave * 3.0];
        scale_to_variance(&mut images, 0.1);
        let squares: f64 = images.iter().flatten().map(|&value| f64::from(value).powi(2)).sum();
        assert!((squares / 640.0 - 0.1).abs() < 1e-6);
    }

    #[test]
    fn nothing_stays_nothing_and_bad_cutoffs_are_refused() {
        let mut images = [Array3::<f32>::from_elem((4, 4, 1), 0.5)];
        assert!(
            whiten(images[0].view_mut(), 0.0).is_err() && whiten(images[0].view_mut(), f64::NAN).is_err()
        );
        whiten(images[0].view_mut(), CUTOFF).unwrap();
        assert!(images[0].iter().all(|value| value.abs() < 1e-7));
        let mut empty = [Array3::<f32>::zeros((4, 4, 1)), Array3::zeros((0, 4, 1))];
        whiten(empty[1].view_mut(), CUTOFF).unwrap();
        scale_to_variance(&mut empty, 0.1);
        assert!(empty[0].iter().all(|&value| value == 0.0));
    }
}
