//! Draws from the normal distribution.

use rand_core::RngCore;

use crate::uniform::fraction;

/// A draw from the normal distribution of mean 0 and variance 1, by Box and Muller's transform of two
/// uniform ones. Two 64-bit draws; the second value that the transform could give is not kept.
pub fn normal<R: RngCore + ?Sized>(generator: &mut R) -> f64 {
    // 1 - u lies in (0, 1]: its logarithm is finite.
    let radius = (-2.0 * (1.0 - fraction(generator)).ln()).sqrt();
    radius * (std::f64::consts::TAU * fraction(generator)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn moments_are_those_of_the_normal_distribution() {
        let mut generator = Pcg64::seed_from_u64(1);
        let draws: Vec<f64> = (0..100_000).map(|_| normal(&mut generator)).collect();
        let moment = |power| draws.iter().map(|value| value.powi(power)).sum::<f64>() / draws.len() as f64;
        // Five standard errors: the powers have variances 1, 2, 15 and 96.
        for (power, expected, variance) in [(1, 0.0, 1.0f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let bound = 5.0 * (variance / draws.len() as f64).sqrt();
            assert!((moment(power) - expected).abs() < bound, "{power}: {}", moment(power));
        }
    }
}
