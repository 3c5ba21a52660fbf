//! Principal component analysis, what every compressing model is compared with.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use nn_core::Key;

/// The linear code with the least squared error: mean and the leading directions of the covariance.
#[derive(Clone, Debug)]
pub struct PrincipalComponents {
    mean: Array1<f64>,
    /// Values × components, orthonormal columns.
    directions: Array2<f64>,
}

/// Rounds of orthogonal iteration: of a direction that is left out, a part of (λ / λₖ)^ROUNDS remains.
const ROUNDS: usize = 100;

impl PrincipalComponents {
    /// The components of these cases (cases × values), found by orthogonal iteration on the covariance from random
    /// directions: as many as asked for, or one a value if there are fewer values. Costs values² · (cases + components · rounds).
    pub fn of(cases: ArrayView2<'_, f32>, components: usize, key: Key) -> PrincipalComponents {
        let values = cases.ncols();
        let cases = cases.mapv(f64::from);
        let mean = cases.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(values));
        let centred = cases - &mean;
        let covariance = centred.t().dot(&centred) / centred.nrows().max(1) as f64;
        let shape = (values, components.min(values));
        let draw = |(i, j)| key.normal((i * shape.1 + j) as u64);
        let mut directions = orthonormal(Array2::from_shape_fn(shape, draw));
        for _ in 0..ROUNDS {
            directions = orthonormal(covariance.dot(&directions));
        }
        PrincipalComponents { mean, directions }
    }

    /// Cases by way of their codes: mean + (x − mean)·D·Dᵀ.
    pub fn reconstruct(&self, cases: ArrayView2<'_, f32>) -> Array2<f32> {
        let codes = (cases.mapv(f64::from) - &self.mean).dot(&self.directions);
        (codes.dot(&self.directions.t()) + &self.mean).mapv(|value| value as f32)
    }
}

/// Gram–Schmidt, each column made orthogonal to those before it twice, because once loses digits. A column that depends
/// on them becomes 0.
fn orthonormal(mut columns: Array2<f64>) -> Array2<f64> {
    for at in 0..columns.ncols() {
        let (before, mut rest) = columns.view_mut().split_at(Axis(1), at);
        let mut column = rest.column_mut(0);
        let length = column.dot(&column).sqrt();
        for _ in 0..2 {
            let shadow = before.dot(&before.t().dot(&column));
            column -= &shadow;
        }
        let left = column.dot(&column).sqrt();
        column.mapv_inplace(|value| if left > 1e-12 * length { value / left } else { 0.0 });
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    fn error(components: usize, cases: &Array2<f32>) -> f32 {
        let found = PrincipalComponents::of(cases.view(), components, Key::new(1));
        (found.reconstruct(cases.view()) - cases).mapv(|value| value * value).sum()
    }

    /// Points around (1, 2, 3) along (3, 4, 0) and, less, (0, 0, 1): what is left out is the smaller variance.
    #[test]
    fn components_by_hand() {
        let (a, b) = ([0.6f32, 0.8, 0.0], [0.0f32, 0.0, 1.0]);
        let point = |s: f32, t: f32| [1.0 + s * a[0] + t * b[0], 2.0 + s * a[1] + t * b[1], 3.0 + t * b[2]];
        let cases = arr2(&[point(5.0, 0.0), point(-5.0, 0.0), point(0.0, 1.0), point(0.0, -1.0)]);
        assert!((error(0, &cases) - 52.0).abs() < 1e-4);
        assert!((error(1, &cases) - 2.0).abs() < 1e-4);
        assert!(error(2, &cases) < 1e-8);
        // More than there are: nothing is lost, and nothing is not a number.
        assert!(error(9, &cases) < 1e-8);
    }

    #[test]
    fn cases_without_variance_are_their_mean() {
        assert_eq!(error(2, &Array2::from_elem((4, 3), 0.5)), 0.0);
    }
}
