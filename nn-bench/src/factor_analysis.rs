//! Factor analysis, the linear model of real values that shape models are compared with.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use nn_core::Key;

/// x = W·z + μ + noise, z ~ N(0, I), noise ~ N(0, Ψ) with a variance of its own for each value.
#[derive(Clone, Debug)]
pub struct FactorAnalysis {
    mean: Array1<f64>,
    /// W, values × factors.
    loadings: Array2<f64>,
    /// The diagonal of Ψ.
    noise: Array1<f64>,
}

/// Variances of the noise are at least this: pixels that never change have none.
const LEAST_NOISE: f64 = 1e-4;

impl FactorAnalysis {
    /// Fits so many factors to these cases (cases × values) by so many rounds of expectation and maximisation in double
    /// precision (Rubin and Thayer, 1982), from small drawn loadings. A round costs cases · values · factors.
    pub fn fit(cases: ArrayView2<'_, f32>, factors: usize, rounds: usize, key: Key) -> FactorAnalysis {
        let cases = cases.mapv(f64::from);
        let mean = cases.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(cases.ncols()));
        let centred = cases - &mean;
        let variances = centred.mapv(|x| x * x).mean_axis(Axis(0)).unwrap_or_else(|| mean.clone());
        let draw = |(i, j)| 0.1 * key.normal((i * factors + j) as u64);
        let mut model = FactorAnalysis {
            loadings: Array2::from_shape_fn((mean.len(), factors), draw),
            noise: variances.mapv(|variance| variance.max(LEAST_NOISE)),
            mean,
        };
        for _ in 0..rounds {
            model.improve(&centred, &variances);
        }
        model
    }

    /// E[z zᵀ] and E[z] of the cases, then the loadings and the noise that suit them best.
    fn improve(&mut self, centred: &Array2<f64>, variances: &Array1<f64>) {
        let (cases, all) = (centred.nrows() as f64, Array1::from_elem(self.mean.len(), 1.0));
        let (covariance, weighted) = self.posterior(all.view());
        let means = centred.dot(&weighted).dot(&covariance);
        let second = &covariance * cases + means.t().dot(&means);
        let cross = centred.t().dot(&means);
        self.loadings = cross.dot(&inverse(second));
        let explained = (&self.loadings * &cross).sum_axis(Axis(1)) / cases;
        self.noise = (variances - &explained).mapv(|variance| variance.max(LEAST_NOISE));
    }

    /// The covariance of z given the values where `known` is 1, (I + WᵀΨ⁻¹W)⁻¹, and Ψ⁻¹W of these.
    fn posterior(&self, known: ArrayView1<'_, f64>) -> (Array2<f64>, Array2<f64>) {
        let share = (&known / &self.noise).insert_axis(Axis(1));
        let weighted = &self.loadings * &share;
        let precision = Array2::eye(self.loadings.ncols()) + self.loadings.t().dot(&weighted);
        (inverse(precision), weighted)
    }

    /// E[x | the values where `known` is 1] of each case.
    pub fn complete(&self, cases: ArrayView2<'_, f32>, known: ArrayView1<'_, f32>) -> Array2<f64> {
        let (covariance, weighted) = self.posterior(known.mapv(f64::from).view());
        let centred = cases.mapv(f64::from) - &self.mean;
        centred.dot(&weighted).dot(&covariance).dot(&self.loadings.t()) + &self.mean
    }

    /// Number of factors.
    pub fn factors(&self) -> usize {
        self.loadings.ncols()
    }
}

/// The inverse of a symmetric matrix whose eigenvalues are positive, by elimination, which needs no exchange of rows then.
fn inverse(mut matrix: Array2<f64>) -> Array2<f64> {
    let size = matrix.nrows();
    for at in 0..size {
        let pivot = matrix[[at, at]];
        matrix[[at, at]] = 1.0;
        matrix.row_mut(at).mapv_inplace(|x| x / pivot);
        let row = matrix.row(at).to_owned();
        for other in (0..size).filter(|other| *other != at) {
            let factor = std::mem::replace(&mut matrix[[other, at]], 0.0);
            matrix.row_mut(other).scaled_add(-factor, &row);
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 400 cases of 6 values by 2 factors.
    fn cases() -> Array2<f32> {
        let (key, noise) = (Key::new(1), Key::new(2));
        let loading = |value: usize, factor: usize| Key::new(3).normal((2 * value + factor) as u64);
        Array2::from_shape_fn((400, 6), |(case, value)| {
            let z = [0, 1].map(|factor| key.normal((2 * case + factor) as u64));
            let signal = z[0] * loading(value, 0) + z[1] * loading(value, 1);
            (0.5 + signal + 0.3 * noise.normal((6 * case + value) as u64)) as f32
        })
    }

    fn covariance(model: &FactorAnalysis) -> Array2<f64> {
        model.loadings.dot(&model.loadings.t()) + Array2::from_diag(&model.noise)
    }

    #[test]
    fn a_matrix_times_its_inverse() {
        let root = Array2::from_shape_fn((5, 5), |(i, j)| Key::new(4).normal((5 * i + j) as u64));
        let matrix = root.dot(&root.t()) + Array2::<f64>::eye(5);
        let off = inverse(matrix.clone()).dot(&matrix) - Array2::<f64>::eye(5);
        assert!(off.iter().all(|off| off.abs() < 1e-10), "{off}");
    }

    /// log p rises from round to round, and the covariance comes close to that of the cases.
    #[test]
    fn rounds_raise_the_likelihood() {
        let cases = cases();
        let centred = cases.mapv(f64::from) - &cases.mapv(f64::from).mean_axis(Axis(0)).unwrap();
        let of_cases = centred.t().dot(&centred) / 400.0;
        let log_likelihood = |rounds: usize| {
            let model = covariance(&FactorAnalysis::fit(cases.view(), 2, rounds, Key::new(5)));
            // log det by the pivots of elimination.
            let (mut left, mut log_determinant) = (model.clone(), 0.0);
            for at in 0..6 {
                log_determinant += left[[at, at]].ln();
                let row = left.row(at).to_owned();
                for other in at + 1..6 {
                    let factor = left[[other, at]] / row[at];
                    left.row_mut(other).scaled_add(-factor, &row);
                }
            }
            -0.5 * (log_determinant + (inverse(model) * &of_cases).sum())
        };
        let found: Vec<f64> = [0, 1, 2, 5, 20, 200].map(log_likelihood).to_vec();
        assert!(found.windows(2).all(|pair| pair[1] > pair[0] - 1e-9), "{found:?}");
        assert!(found[5] > found[0] + 1.0, "{found:?}");
        // Rounds are slow where the noise is small beside the signal.
        let model = FactorAnalysis::fit(cases.view(), 2, 5000, Key::new(5));
        let off = covariance(&model) - &of_cases;
        assert!(off.iter().all(|off| off.abs() < 0.05), "{off}");
    }

    /// What is unknown is Σ_uk·Σ_kk⁻¹·(x_k − μ_k) + μ_u, from the covariance of all values.
    #[test]
    fn unknown_values_follow_from_known_ones() {
        let cases = cases();
        let model = FactorAnalysis::fit(cases.view(), 2, 50, Key::new(6));
        let (known, unknown) = ([0, 2, 5], [1, 3, 4]);
        let mask = Array1::from_shape_fn(6, |value| f32::from(u8::from(known.contains(&value))));
        let found = model.complete(cases.view(), mask.view());
        let covariance = covariance(&model);
        let part = |rows: &[usize]| covariance.select(Axis(0), rows).select(Axis(1), &known);
        let map = part(&unknown).dot(&inverse(part(&known)));
        for case in 0..5 {
            let x = known.map(|value| f64::from(cases[[case, value]]) - model.mean[value]);
            let wanted = map.dot(&Array1::from(x.to_vec()));
            for (at, value) in unknown.into_iter().enumerate() {
                let off = found[[case, value]] - wanted[at] - model.mean[value];
                assert!(off.abs() < 1e-9, "case {case}, value {value}: {off}");
            }
        }
    }
}
