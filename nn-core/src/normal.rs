//! The standard normal distribution where its tails matter: log Φ(x) and Φ⁻¹(e^y), both in double precision.

use std::f64::consts::{PI, SQRT_2};

/// log Φ(x), accurate in both tails.
///
/// For x > −5 from the complementary error function; below from the continued fraction of Mills' ratio,
/// Φ(x) = φ(x) / (t + 1/(t + 2/(t + 3/…))) with t = −x.
pub(crate) fn log_cdf(x: f64) -> f64 {
    if x.is_nan() {
        f64::NAN
    } else if x > 5.0 {
        (-0.5 * erfc(x / SQRT_2)).ln_1p()
    } else if x > -5.0 {
        (0.5 * erfc(-x / SQRT_2)).ln()
    } else {
        let t = -x;
        let fraction = (1..=60).rev().fold(t, |tail, k| t + f64::from(k) / tail);
        -0.5 * (x * x + (2.0 * PI).ln()) - fraction.ln()
    }
}

/// The complementary error function, by its series near zero and its continued fraction beyond.
fn erfc(x: f64) -> f64 {
    let z = x.abs();
    let positive = if z < 2.5 {
        // erf(z) = 2/√π · e^(−z²) · Σ 2ⁿ z^(2n+1) / (1·3·5…(2n+1)): all terms positive, no cancellation.
        let (mut term, mut sum, mut n) = (z, z, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * z * z / (2.0 * n + 1.0);
            sum += term;
        }
        1.0 - 2.0 / PI.sqrt() * (-z * z).exp() * sum
    } else {
        let t = z * SQRT_2;
        let fraction = (1..=80).rev().fold(t, |tail, k| t + f64::from(k) / tail);
        (-z * z).exp() * SQRT_2 / PI.sqrt() / fraction
    };
    if x < 0.0 { 2.0 - positive } else { positive }
}

/// Φ⁻¹(e^y) for y ≤ 0: the z with log Φ(z) = y, by Newton's method on log Φ, which is concave.
pub(crate) fn quantile_of_log(y: f64) -> f64 {
    if y.is_nan() || y > 0.0 {
        return f64::NAN;
    }
    if y == 0.0 {
        return f64::INFINITY;
    }
    // Above the median work on the other tail, where the logarithm still has digits.
    if y > -std::f64::consts::LN_2 {
        return -quantile_of_log((-y.exp_m1()).ln());
    }
    // Start at or right of the root: the bound Φ(z) < e^(−z²/2) for z < 0 starts Newton's method left of it.
    let mut z = -(-2.0 * y).sqrt();
    for _ in 0..60 {
        let log_cdf = log_cdf(z);
        // d log Φ / dz = φ(z) / Φ(z)
        let slope = (-0.5 * (z * z + (2.0 * PI).ln()) - log_cdf).exp();
        let step = (log_cdf - y) / slope;
        z -= step;
        if step.abs() < 1e-14 * (1.0 + z.abs()) {
            break;
        }
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_cdf_has_known_values() {
        // Φ(0) = 1/2, Φ(1.959963984540054) = 0.975, Φ(−1) = 0.15865525393145707
        for (x, p) in [(0.0, 0.5), (1.959963984540054, 0.975), (-1.0, 0.15865525393145707)] {
            assert!((log_cdf(x) - f64::ln(p)).abs() < 1e-14, "{x}");
        }
        // log Φ(−10) and log Φ(−40), from the asymptotic series to twelve digits.
        assert!((log_cdf(-10.0) + 53.23128515051247).abs() < 1e-9);
        assert!((log_cdf(-40.0) + 804.6084420137538).abs() < 1e-9);
    }

    #[test]
    fn both_branches_meet() {
        for x in [-5.0f64, 5.0] {
            let (below, above) = (log_cdf(x - 1e-9), log_cdf(x + 1e-9));
            assert!((below - above).abs() < 2e-8, "{x}: {below} {above}");
        }
    }

    #[test]
    fn the_quantile_inverts() {
        for step in 1..400 {
            let z = -20.0 + 0.06 * f64::from(step);
            let back = quantile_of_log(log_cdf(z));
            assert!((back - z).abs() < 1e-7 * (1.0 + z.abs()), "{z}: {back}");
        }
    }
}
