//! What keeps weights small: decay and max-norm. Both act on parameters whose name ends in `weights`.

use crate::{ACC, Error, Expr, OLD, Over, Reduction, Tensor, expr::x};
use serde::{Deserialize, Serialize};

/// Pulls and bounds on the weights, in units of the loss for one case (not of the sum over a batch).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Penalty {
    /// λ₁ of λ₁·Σ|w|, 0 for none.
    pub l1: f32,
    /// λ₂ of ½·λ₂·Σw², 0 for none.
    pub l2: f32,
    /// Largest Euclidean length of the weights into one unit (a column of the matrix), if bounded.
    pub max_norm: Option<f32>,
}

impl Penalty {
    /// Weight decay: ½·λ·Σw².
    pub fn l2(lambda: f32) -> Penalty {
        Penalty { l2: lambda, ..Penalty::default() }
    }

    /// Refuses negative or non-finite settings.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the setting.
    pub fn check(&self) -> Result<(), Error> {
        for (name, value) in [("penalty.l1", self.l1), ("penalty.l2", self.l2)] {
            if !(0.0..f32::INFINITY).contains(&value) {
                return Err(Error::setting(name, value, "it must be zero or positive"));
            }
        }
        match self.max_norm {
            Some(bound) if bound.is_nan() || bound <= 0.0 => {
                Err(Error::setting("penalty.max_norm", bound, "it must be positive"))
            }
            _ => Ok(()),
        }
    }

    /// Adds the gradient of the penalty to that of the loss: loss + λ₂·w + λ₁·sign(w).
    pub fn add_gradient<'a>(&self, loss: Expr<'a>, weights: &'a Tensor) -> Expr<'a> {
        let mut sum = loss;
        if self.l2 > 0.0 {
            sum = sum + x(weights) * self.l2;
        }
        if self.l1 > 0.0 {
            let sign = Expr::from(0.0).less(x(weights)) - x(weights).less(0.0);
            sum = sum + sign * self.l1;
        }
        sum
    }

    /// Shortens every column that is longer than the bound: w ← w · min(1, bound / ‖w‖). `factor` is memory for the factors,
    /// made when it is first needed.
    pub fn bound(&self, weights: &mut Tensor, factor: &mut Option<Tensor>) {
        let Some(bound) = self.max_norm else { return };
        let grid = [weights.rows(), weights.columns()];
        let factor = factor.get_or_insert_with(|| weights.device().zeros(1, grid[1]));
        let shorten = (Expr::from(bound) / (ACC + 1e-30).sqrt()).min(1.0);
        factor.reduce(grid, Over::Rows, Reduction::Sum, x(&*weights).square(), shorten);
        weights.assign(OLD * &*factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use ndarray::arr2;

    #[test]
    fn max_norm_shortens_only_long_columns() {
        let mut weights = Device::cpu().tensor(&arr2(&[[3.0f32, 0.3], [4.0, 0.4]]));
        Penalty { max_norm: Some(2.0), ..Penalty::default() }.bound(&mut weights, &mut None);
        let values = weights.to_array().unwrap();
        assert!((values[[0, 0]] - 1.2).abs() < 1e-6 && (values[[1, 0]] - 1.6).abs() < 1e-6);
        assert_eq!([values[[0, 1]], values[[1, 1]]], [0.3, 0.4]);
    }

    #[test]
    fn the_gradient_of_the_penalty() {
        let device = Device::reference();
        let weights = device.tensor(&arr2(&[[2.0f32, -3.0, 0.0]]));
        let mut out = device.zeros(1, 3);
        let penalty = Penalty { l1: 0.5, l2: 0.25, max_norm: None };
        out.assign(penalty.add_gradient(Expr::from(1.0), &weights));
        assert_eq!(out.to_array().unwrap(), arr2(&[[2.0, -0.25, 1.0]]));
    }
}
