//! Statistics of an image that local contrast normalisation changes.

use ndarray::{Array2, ArrayView2, Axis, Slice, Zip};

/// How far apart pixels are that are correlated.
pub(super) const DISTANCES: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Of one image, or means over several.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statistics {
    /// Variance of the deviation in blocks over its squared mean.
    pub contrast_variation: f64,
    /// E[x⁴]/E[x²]² − 3 of pixels less their mean.
    pub kurtosis: f64,
    /// Of pixels of one row, so far apart.
    pub correlations: [f64; DISTANCES.len()],
    /// Of their squares, after the mean of the image was subtracted.
    pub square_correlations: [f64; DISTANCES.len()],
}

impl Statistics {
    /// Of an image that is wider than the largest distance. Local contrast is the deviation in blocks of `block` × `block`
    /// pixels that do not overlap.
    pub(super) fn of(image: ArrayView2<'_, f32>, block: usize) -> Statistics {
        let values = image.mapv(f64::from);
        let centred = &values - values.mean().unwrap_or(0.0);
        let squares = centred.mapv(|value| value * value);
        let variance = squares.mean().unwrap_or(0.0);
        let fourth = squares.mapv(|square| square * square).mean().unwrap_or(0.0);
        let local: Vec<f64> =
            centred.exact_chunks((block, block)).into_iter().map(|part| part.std(0.0)).collect();
        let count = local.len().max(1) as f64;
        let mean = local.iter().sum::<f64>() / count;
        let spread = local.iter().map(|deviation| (deviation - mean).powi(2)).sum::<f64>() / count;
        let share = |above: f64, below: f64| if below > 0.0 { above / below } else { 0.0 };
        Statistics {
            contrast_variation: share(spread, mean * mean),
            kurtosis: share(fourth, variance * variance) - 3.0,
            correlations: DISTANCES.map(|distance| correlation(&centred, distance)),
            square_correlations: DISTANCES.map(|distance| correlation(&squares, distance)),
        }
    }

    pub(super) fn plus(&self, other: &Statistics) -> Statistics {
        self.with(other, |a, b| a + b)
    }

    pub(super) fn over(&self, count: usize) -> Statistics {
        self.with(self, |a, _| a / count as f64)
    }

    fn with(&self, other: &Statistics, combine: impl Fn(f64, f64) -> f64) -> Statistics {
        let all = |a: &[f64; DISTANCES.len()], b: &[f64; DISTANCES.len()]| {
            std::array::from_fn(|at| combine(a[at], b[at]))
        };
        Statistics {
            contrast_variation: combine(self.contrast_variation, other.contrast_variation),
            kurtosis: combine(self.kurtosis, other.kurtosis),
            correlations: all(&self.correlations, &other.correlations),
            square_correlations: all(&self.square_correlations, &other.square_correlations),
        }
    }
}

/// Of values with those so many columns further right; 0 where they do not vary.
fn correlation(values: &Array2<f64>, distance: usize) -> f64 {
    let width = values.ncols();
    assert!(width > distance, "an image of {width} columns for pixels {distance} apart");
    let left = values.slice_axis(Axis(1), Slice::from(..width - distance));
    let right = values.slice_axis(Axis(1), Slice::from(distance..));
    let [mean_left, mean_right] = [&left, &right].map(|part| part.mean().unwrap_or(0.0));
    let (mut both, mut of_left, mut of_right) = (0.0, 0.0, 0.0);
    Zip::from(&left).and(&right).for_each(|a, b| {
        let (a, b) = (a - mean_left, b - mean_right);
        both += a * b;
        of_left += a * a;
        of_right += b * b;
    });
    let product = (of_left * of_right).sqrt();
    if product > 0.0 { both / product } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::Key;

    fn noise(width: usize, height: usize) -> Array2<f32> {
        let key = Key::new(1);
        Array2::from_shape_fn((height, width), |(y, x)| key.normal((y * width + x) as u64) as f32)
    }

    /// Independent normal pixels: nothing goes together. Bounds are five standard errors, √(24/n) of the kurtosis and
    /// 1/√n of a correlation; the deviation in blocks of 64 pixels varies by 1/(2·63) of its squared mean.
    #[test]
    fn noise_has_none_of_it() {
        let found = Statistics::of(noise(192, 192).view(), 8);
        assert!(found.kurtosis.abs() < 5.0 * (24.0f64 / 36864.0).sqrt(), "{found:?}");
        let bound = 5.0 / 30_000f64.sqrt();
        let small = |values: &[f64]| values.iter().all(|value| value.abs() < bound);
        assert!(small(&found.correlations) && small(&found.square_correlations), "{found:?}");
        assert!((found.contrast_variation - 1.0 / 126.0).abs() < 0.002, "{found:?}");
    }

    /// Noise whose deviation is 1 in the left half and 3 in the right one: E[x⁴] = 3 · (1 + 81)/2, E[x²] = 5, deviations of
    /// mean 2 and variance 1. Its squares go together, and it does not.
    #[test]
    fn contrast_that_varies_is_seen() {
        let mut image = noise(256, 256);
        image.slice_axis_mut(Axis(1), Slice::from(128..)).mapv_inplace(|value| 3.0 * value);
        let found = Statistics::of(image.view(), 8);
        assert!((found.kurtosis - (123.0 / 25.0 - 3.0)).abs() < 0.2, "{found:?}");
        assert!((found.contrast_variation - 0.25).abs() < 0.02, "{found:?}");
        // Cov(x², y²) = Var of the variance = 16; Var(x²) = 123 − 25 = 98.
        assert!((found.square_correlations[0] - 16.0 / 98.0).abs() < 0.03, "{found:?}");
        assert!(found.correlations[0].abs() < 0.03, "{found:?}");
        let mean = found.plus(&found).over(2);
        assert!((mean.kurtosis - found.kurtosis).abs() < 1e-12);
    }

    #[test]
    fn a_flat_image_has_statistics() {
        let found = Statistics::of(Array2::from_elem((40, 40), 0.5f32).view(), 5);
        assert_eq!((found.contrast_variation, found.correlations[0]), (0.0, 0.0));
    }
}
