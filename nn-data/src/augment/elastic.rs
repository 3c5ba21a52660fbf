//! Elastic distortions, as if the paper were rubber.

use ndarray::Array2;
use rand_core::RngCore;

use crate::DataError;
use crate::augment::Displacement;
use crate::uniform::fraction;

/// Smooth random displacements (Simard, Steinkraus and Platt, "Best practices for convolutional neural
/// networks applied to visual document analysis", 2003).
///
/// Each component of the displacement of each pixel is drawn uniformly from [-1, 1], smoothed by a Gaussian
/// of standard deviation sigma (cut at three of them, its weights summing to 1), and multiplied by alpha. A
/// pixel is then displaced by about 0.16 · alpha / sigma pixels (standard deviation) along each axis; 34 and 4
/// suit digits of 28 by 28. The draws go on beyond the edge, so that pixels there move as much as others.
///
/// (The paper also scales by the norm of a field without saying which; here alpha is the only scale.)
#[derive(Clone, Debug, PartialEq)]
pub struct Elastic {
    alpha: f32,
    /// Weights of the Gaussian, an odd number of them.
    weights: Vec<f32>,
}

impl Elastic {
    /// With smoothness `sigma` in pixels, above 0 and at most 100, and strength `alpha`, finite.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`].
    pub fn new(sigma: f32, alpha: f32) -> Result<Self, DataError> {
        let refused = |name, value: f32, allowed: &str| {
            Err(DataError::Setting { name, value: value.to_string(), allowed: allowed.into() })
        };
        if !(sigma > 0.0 && sigma <= 100.0) {
            return refused(
                "the smoothness of distortions",
                sigma,
                "give more than 0 and at most 100 pixels",
            );
        }
        if !alpha.is_finite() {
            return refused("the strength of distortions", alpha, "give a number, 0 for none");
        }
        let reach = (3.0 * sigma).ceil() as i32;
        let weight = |at: i32| (-0.5 * (at as f32 / sigma).powi(2)).exp();
        let total: f32 = (-reach..=reach).map(weight).sum();
        Ok(Self { alpha, weights: (-reach..=reach).map(|at| weight(at) / total).collect() })
    }

    /// A displacement for images of height × width; the field of rows is drawn first, each in row-major
    /// order.
    pub fn draw<R: RngCore + ?Sized>(&self, height: usize, width: usize, generator: &mut R) -> Displacement {
        let down = self.field(height, width, generator);
        let right = self.field(height, width, generator);
        Displacement::new(down, right)
    }

    fn field<R: RngCore + ?Sized>(&self, height: usize, width: usize, generator: &mut R) -> Array2<f32> {
        let beyond = self.weights.len() - 1;
        let draws = Array2::from_shape_simple_fn((height + beyond, width + beyond), || {
            (2.0 * fraction(generator) - 1.0) as f32
        });
        let smooth = |at: &dyn Fn(usize) -> f32| -> f32 {
            self.weights.iter().enumerate().map(|(offset, weight)| weight * at(offset)).sum()
        };
        let rows = Array2::from_shape_fn((height + beyond, width), |(row, column)| {
            smooth(&|offset| draws[(row, column + offset)])
        });
        Array2::from_shape_fn((height, width), |(row, column)| {
            self.alpha * smooth(&|offset| rows[(row + offset, column)])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    fn drawn(sigma: f32, alpha: f32, seed: u64) -> Displacement {
        Elastic::new(sigma, alpha).unwrap().draw(60, 50, &mut Pcg64::seed_from_u64(seed))
    }

    #[test]
    fn strength_zero_changes_nothing() {
        let image = ndarray::Array3::from_shape_fn((60, 50, 1), |(y, x, _)| (y * 50 + x) as f32);
        assert_eq!(drawn(4.0, 0.0, 1).apply(image.view(), -1.0), image);
    }

    #[test]
    fn displacements_have_the_stated_size_and_smoothness() {
        // Of independent draws of variance 1/3, a Gaussian keeps 1 / (4 π σ²).
        let expected = 34.0 / 3f32.sqrt() / (2.0 * 4.0 * std::f32::consts::PI.sqrt());
        let mut squares = Vec::new();
        for seed in 0..40 {
            let field = drawn(4.0, 34.0, seed);
            let [down, right] = field.fields();
            squares.extend([down, right].map(|field| field.mapv(|value| value * value).mean().unwrap()));
            let step = down.windows((2, 1)).into_iter().map(|pair| (pair[(0, 0)] - pair[(1, 0)]).abs());
            assert!(step.fold(0.0, f32::max) < 4.0 * expected / 4.0, "neighbours move together");
        }
        let deviation = (squares.iter().sum::<f32>() / squares.len() as f32).sqrt();
        assert!((deviation / expected - 1.0).abs() < 0.1, "{deviation} {expected}");
    }

    #[test]
    fn equal_generators_give_equal_fields() {
        assert_eq!(drawn(2.0, 5.0, 3), drawn(2.0, 5.0, 3));
        assert_ne!(drawn(2.0, 5.0, 3), drawn(2.0, 5.0, 4));
        let [down, right] = drawn(2.0, 5.0, 3).fields().map(Clone::clone);
        assert_ne!(down, right);
    }

    #[test]
    fn settings_without_a_meaning_are_refused() {
        for (sigma, alpha) in [(0.0, 1.0), (f32::NAN, 1.0), (1e9, 1.0), (1.0, f32::INFINITY)] {
            assert!(matches!(Elastic::new(sigma, alpha), Err(DataError::Setting { .. })));
        }
    }
}
