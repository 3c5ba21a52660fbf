//! Slopes of the mean energy.

use ndarray::{Array2, ArrayView2, Axis};

use super::{PredictiveDecomposition, Predictor};
use crate::Codes;

/// ∂/∂D and, in the shape of a predictor, ∂/∂W, ∂/∂b and ∂/∂g of the mean of E over samples.
pub(super) struct Gradients {
    pub atoms: Array2<f64>,
    pub predictor: Predictor,
}

impl Gradients {
    /// With z held fixed. Where z is the minimum these are also the slopes of the mean of min over z of E. With t = tanh(W·x + b)
    /// and δ = κ(F − z), means over samples:
    ///
    /// ∂/∂d_k = −z_k(x − Σ z_j d_j), ∂/∂g = δ ⊙ t, ∂/∂b = δ ⊙ g ⊙ (1 − t²) = u, ∂/∂W = u·xᵀ.
    pub fn at(model: &PredictiveDecomposition, samples: ArrayView2<'_, f64>, codes: &Codes) -> Self {
        let share = 1.0 / samples.nrows() as f64;
        let (codes, predictor) = (codes.to_dense(), &model.predictor);
        let residual = &samples - &codes.dot(&model.atoms);
        let atoms = codes.t().dot(&residual) * -share;
        let squashed = predictor.squashed(samples);
        let delta = (&squashed * &predictor.gains - &codes) * (model.settings.kappa * share);
        let gains = (&delta * &squashed).sum_axis(Axis(0));
        let inner = delta * &predictor.gains * squashed.mapv(|value| 1.0 - value * value);
        let (weights, biases) = (inner.t().dot(&samples), inner.sum_axis(Axis(0)));
        Self { atoms, predictor: Predictor { weights, biases, gains } }
    }
}
