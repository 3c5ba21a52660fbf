//! What keeps the codes of an autoencoder near zero.

use crate::{ACC, Activation, Error, Expr, Over, Reduction, Tensor, View, ViewMut, x};
use serde::{Deserialize, Serialize};

/// Mean activities are held this far from 0 and 1, where the divergence has no finite slope.
const EDGE: f64 = 1e-6;

/// A penalty Ω on the codes h (cases × codes) that is added to the mean loss of the cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SparsityPenalty {
    /// Ω = 0
    #[default]
    None,
    /// Ω = β Σ_j KL(ρ ‖ ρ̂_j) = β Σ_j (ρ log(ρ/ρ̂_j) + (1 − ρ) log((1 − ρ)/(1 − ρ̂_j))), with ρ̂_j the mean of h_j over the cases.
    ///
    /// ∂Ω/∂h = (β/cases)(−ρ/ρ̂ + (1 − ρ)/(1 − ρ̂)): the mean over all cases comes before the slope of any. ρ̂ is held
    /// between 10⁻⁶ and 1 − 10⁻⁶; beyond, Ω is constant, but its slope is that at the bound, so that dead units come back.
    /// For logistic codes. A minibatch has to be large beside 1/ρ, or the mean over it says little. Source: Ng, "Sparse
    /// autoencoder", CS294A lecture notes, 2011.
    Divergence {
        /// ρ in (0, 1).
        target: f64,
        /// β ≥ 0.
        weight: f64,
    },
    /// Ω = (λ/cases) Σ |h|, whose slope at 0 is taken as 0.
    Absolute {
        /// λ ≥ 0.
        weight: f64,
    },
    /// Ω = (λ/cases) Σ √(h² + ε), which has a slope everywhere.
    SmoothAbsolute {
        /// λ ≥ 0.
        weight: f64,
        /// ε > 0, in the unit of h².
        smoothing: f64,
    },
}

impl SparsityPenalty {
    /// Refuses numbers out of range, and a divergence of codes that are no probabilities.
    pub(super) fn check(self, activation: Activation) -> Result<(), Error> {
        let (SparsityPenalty::Divergence { weight, .. }
        | SparsityPenalty::Absolute { weight }
        | SparsityPenalty::SmoothAbsolute { weight, .. }) = self
        else {
            return Ok(());
        };
        if !(0.0..f64::INFINITY).contains(&weight) {
            return Err(Error::setting("weight of sparsity", weight, "it must be 0 or above, and finite"));
        }
        match self {
            SparsityPenalty::Divergence { target, .. } if !(target > 0.0 && target < 1.0) => {
                Err(Error::setting("target of sparsity", target, "it must lie between 0 and 1"))
            }
            SparsityPenalty::Divergence { .. } if activation != Activation::Logistic => {
                let allowed = "a divergence from a target is for Logistic codes, which lie between 0 and 1";
                Err(Error::setting("activation", format!("{activation:?}"), allowed))
            }
            SparsityPenalty::SmoothAbsolute { smoothing, .. }
                if !(smoothing > 0.0 && smoothing.is_finite()) =>
            {
                Err(Error::setting("smoothing of sparsity", smoothing, "it must be above 0, and finite"))
            }
            _ => Ok(()),
        }
    }

    /// pull (1 × codes) = what the divergence adds to ∂/∂h of each case. Nothing is done for other penalties.
    pub(super) fn prepare(self, codes: &Tensor, pull: &mut Tensor) {
        if let Some(slope) = self.pull_of_sum(codes.rows()) {
            let grid = [codes.rows(), codes.columns()];
            pull.reduce(grid, Over::Rows, Reduction::Sum, codes, slope);
        }
    }

    /// What the divergence adds to ∂/∂h of each of so many cases, `ACC` being the sum of [`term`](SparsityPenalty::term).
    pub(super) fn pull_of_sum(self, cases: usize) -> Option<Expr<'static>> {
        let SparsityPenalty::Divergence { target, weight } = self else { return None };
        let cases = cases as f64;
        let slope = (1.0 - target) / (1f64 - mean_activity(cases)) - target / mean_activity(cases);
        Some(slope * (weight / cases))
    }

    /// gradient + ∂Ω/∂h for codes of some of so many cases, after [`prepare`](SparsityPenalty::prepare).
    pub(super) fn add_gradient<'a>(
        self,
        gradient: Expr<'a>,
        codes: View<'a>,
        pull: &'a Tensor,
        cases: usize,
    ) -> Expr<'a> {
        let share = |weight: f64| weight / cases as f64;
        match self {
            SparsityPenalty::None => gradient,
            SparsityPenalty::Divergence { .. } => gradient + pull,
            SparsityPenalty::Absolute { weight } => {
                let sign = Expr::from(0.0).less(x(codes)) - x(codes).less(0.0);
                gradient + sign * share(weight)
            }
            SparsityPenalty::SmoothAbsolute { weight, smoothing } => {
                gradient + x(codes) / (x(codes).square() + smoothing).sqrt() * share(weight)
            }
        }
    }

    /// What is summed over the cases for Ω of each code: h, |h| or √(h² + ε).
    pub(super) fn term(self, codes: View<'_>) -> Expr<'_> {
        match self {
            SparsityPenalty::None => 0.0.into(),
            SparsityPenalty::Divergence { .. } => x(codes),
            SparsityPenalty::Absolute { .. } => x(codes).abs(),
            SparsityPenalty::SmoothAbsolute { smoothing, .. } => (x(codes).square() + smoothing).sqrt(),
        }
    }

    /// Ω of a code of so many cases, `ACC` being the sum of [`term`](SparsityPenalty::term).
    pub(super) fn of_sum(self, cases: usize) -> Expr<'static> {
        let cases = cases as f64;
        match self {
            SparsityPenalty::None => 0.0.into(),
            SparsityPenalty::Divergence { target, weight } => {
                let entropy = target * target.ln() + (1.0 - target) * (1.0 - target).ln();
                let on = mean_activity(cases).log() * target;
                let off = (1f64 - mean_activity(cases)).log() * (1.0 - target);
                (entropy - on - off) * weight
            }
            SparsityPenalty::Absolute { weight } | SparsityPenalty::SmoothAbsolute { weight, .. } => {
                ACC * (weight / cases)
            }
        }
    }

    /// out (1 × codes) = Ω of each code. Waits for nothing.
    pub fn of_codes(self, codes: View<'_>, out: ViewMut<'_>) {
        let grid = [codes.rows(), codes.columns()];
        out.reduce(grid, Over::Rows, Reduction::Sum, self.term(codes), self.of_sum(codes.rows()));
    }
}

/// ρ̂ of the sum over so many cases.
fn mean_activity(cases: f64) -> Expr<'static> {
    (ACC * (1.0 / cases)).max(EDGE).min(1.0 - EDGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use ndarray::arr2;

    #[test]
    fn penalties_by_hand() {
        let device = Device::reference();
        let of = |sparsity: SparsityPenalty, codes: &Tensor| {
            let mut out = device.zeros(1, 2);
            sparsity.of_codes(codes.view(), out.view_mut());
            out.to_array_f64().unwrap()
        };
        let codes = device.tensor_f64(&arr2(&[[0.25, -3.0], [0.75, 1.0]]));
        assert_eq!(of(SparsityPenalty::None, &codes), arr2(&[[0.0, 0.0]]));
        assert_eq!(of(SparsityPenalty::Absolute { weight: 0.5 }, &codes), arr2(&[[0.25, 1.0]]));
        let smooth = of(SparsityPenalty::SmoothAbsolute { weight: 2.0, smoothing: 7.0 }, &codes);
        assert!((smooth[[0, 1]] - (4.0 + 8f64.sqrt())).abs() < 1e-12);
        // Means of 0.5, and one that is held at 10⁻⁶: KL(0.25 ‖ ½) = 0.25 log ½ + 0.75 log 1.5.
        let codes = device.tensor_f64(&arr2(&[[0.25, 0.0], [0.75, 0.0]]));
        let found = of(SparsityPenalty::Divergence { target: 0.25, weight: 3.0 }, &codes);
        assert!((found[[0, 0]] - 3.0 * (0.25 * 0.5f64.ln() + 0.75 * 1.5f64.ln())).abs() < 1e-12);
        let held = 0.25 * (0.25f64 / EDGE).ln() + 0.75 * (0.75 / (1.0 - EDGE)).ln();
        assert!((found[[0, 1]] - 3.0 * held).abs() < 1e-9);
        // Where the mean is the target there is no divergence.
        assert!(of(SparsityPenalty::Divergence { target: 0.5, weight: 1.0 }, &codes)[[0, 0]].abs() < 1e-15);
    }

    /// A unit that is never on is pulled up by a finite slope.
    #[test]
    fn dead_units_are_pulled_back() {
        let device = Device::cpu();
        let (codes, mut pull) = (device.zeros(4, 1), device.zeros(1, 1));
        let sparsity = SparsityPenalty::Divergence { target: 0.1, weight: 1.0 };
        sparsity.prepare(&codes, &mut pull);
        let found = pull.to_array().unwrap()[[0, 0]];
        assert!((f64::from(found) / (0.25 * (0.9 - 0.1 / EDGE)) - 1.0).abs() < 1e-3, "{found}");
    }
}
