//! White patches of photographs.

use ndarray::{Array2, Array3};
use nn_core::Key;
use nn_data::{DataError, PatchDraw, Whitening, WhiteningKind, contrast};

/// What is added to the variances before whitening, as a share of their mean.
const EPSILON: f64 = 0.01;

/// So many patches of this side from random places of these images: less their means, whitened (ZCA), of variance 1 on
/// average.
///
/// # Errors
///
/// If images are smaller than patches, or all patches are flat.
pub fn white(images: &[Array3<f32>], side: usize, count: usize, key: Key) -> Result<Array2<f32>, DataError> {
    let draw = PatchDraw { size: [side, side], count, border: 0, least_deviation: 0.0 };
    let mut patches = draw.draw(images, &mut key.generator())?;
    contrast::remove_mean(patches.view_mut());
    let epsilon = EPSILON * mean_square(&patches);
    let white = Whitening::of(patches.view(), WhiteningKind::Zca, epsilon, None)?.apply(patches.view());
    let deviation = mean_square(&white).sqrt();
    Ok(white.mapv(|value| (f64::from(value) / deviation) as f32))
}

fn mean_square(patches: &Array2<f32>) -> f64 {
    patches.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / patches.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_white_and_of_variance_one() {
        let key = Key::new(1);
        // Neighbours have much in common.
        let noise = Array2::from_shape_fn((80, 80), |(y, x)| key.normal((y * 80 + x) as u64) as f32);
        let image = Array3::from_shape_fn((78, 78, 1), |(y, x, _)| {
            noise[(y, x)] + noise[(y + 1, x)] + noise[(y, x + 1)] + noise[(y + 2, x + 2)]
        });
        let patches = white(&[image], 4, 4000, key).unwrap();
        assert!((mean_square(&patches) - 1.0).abs() < 1e-6);
        let covariance = patches.t().dot(&patches) / 4000.0;
        // All but the mean, which is 0, and what ε takes from the weakest directions.
        for ((row, column), &found) in covariance.indexed_iter() {
            let wanted = (if row == column { 1.0 } else { 0.0 }) - 1.0 / 16.0;
            assert!((found - wanted * 16.0 / 15.0).abs() < 0.1, "{row} {column}: {found}");
        }
    }
}
