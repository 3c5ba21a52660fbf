//! Rectified linear units with an exact distribution.

use super::{Elementwise, Units};
use nn_core::{Device, Expr, Key, Parameters, Tensor};

/// Units on the half line s ≥ 0: E(s) = s²/2 − b·s.
///
/// Given input x, the state is normal with mean x + b and variance 1, cut off below zero. With y = x + b:
/// K = y²/2 + ½ log 2π + log Φ(y), mean y + φ(y)/Φ(y), sample y − Φ⁻¹(u·Φ(y)) for uniform u, statistic s.
///
/// Nair and Hinton (2010) sample max(0, y + noise), the noise having variance σ(y): a fast approximation to the sum of
/// infinitely many binary copies of a unit, which is the conditional of no finite energy function. The truncated
/// normal has the same shape (linear above, nothing below), and is the exact conditional of this energy, so that free
/// energies, annealed importance sampling and enumeration agree.
#[derive(Debug)]
pub struct Rectified {
    /// b, 1 × units.
    pub biases: Tensor,
}

const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;

/// Below this, y²/2 and log Φ(y) all but cancel: mean and K come from the continued fraction of their difference.
const TAIL: f64 = -5.0;

/// Below this, Φ⁻¹ returns almost y: samples come from the expansion of the tail, good to 2·10⁻⁵.
const FAR_TAIL: f64 = -20.0;

/// t + n/(t + (n + 1)/(t + …)) for t = −y, at least 5, which makes Φ(y)/φ(y) = 1/(t + 1/(t + 2/(t + …))) (Laplace); what
/// follows the eighth term is replaced by its fixed point, good to 3·10⁻⁹.
fn fraction<'a>(y: &Expr<'a>, n: u32) -> Expr<'a> {
    let t = || (-y.clone()).max(-TAIL);
    let rest = (t() + (t().square() + 36.0).sqrt()) * 0.5;
    (n..=8).rev().fold(rest, |rest, k| t() + f64::from(k) / rest)
}

/// `tail` where y lies below a bound, else `body`; both must be finite wherever y is.
fn either<'a>(y: &Expr<'a>, bound: f64, tail: Expr<'a>, body: Expr<'a>) -> Expr<'a> {
    let below = y.clone().less(bound);
    below.clone() * tail + (1.0 - below) * body
}

impl Rectified {
    /// Units with biases of zero.
    pub fn new(device: &Device, units: usize) -> Rectified {
        Rectified { biases: device.zeros(1, units) }
    }
}

impl Parameters for Rectified {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("biases", &self.biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("biases", &mut self.biases);
    }
}

impl Elementwise for Rectified {
    fn units(&self) -> usize {
        self.biases.columns()
    }
    fn name(&self) -> &'static str {
        "rectified"
    }
    fn mean_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a> {
        let y = input + &self.biases;
        let body = y.clone().max(TAIL);
        // φ(y)/Φ(y) = exp(−y²/2 − ½ log 2π − log Φ(y)); in the tail y + φ(y)/Φ(y) = 1/(t + 2/(t + 3/(t + …))).
        let ratio = (-(body.clone().square() * 0.5) - HALF_LOG_TAU - body.clone().log_normal_cdf()).exp();
        either(&y, TAIL, 1.0 / fraction(&y, 2), body + ratio)
    }
    fn sample_of<'a>(&'a self, input: Expr<'a>, key: Key) -> Expr<'a> {
        let y = input + &self.biases;
        let log_uniform = || (1.0f64 - Expr::Uniform(key)).log();
        let body = y.clone().max(FAR_TAIL);
        let quantile = (log_uniform() + body.clone().log_normal_cdf()).normal_quantile_of_log();
        // log P(state > s) = −(x² − t²)/2 − log(x/t) + O(s/t³) with t = −y and x = t + s: solved for x² first without the
        // second term, then with it; s = (x² − t²)/(x + t) does not cancel.
        let t = (-y.clone()).max(-FAR_TAIL);
        let squared = t.clone().square();
        let rise = -(log_uniform() * 2.0);
        let rise = rise.clone() - (1.0f64 + rise / squared.clone()).log();
        let tail = rise.clone() / ((squared + rise).sqrt() + t);
        either(&y, FAR_TAIL, tail, body - quantile).max(0.0)
    }
    fn cumulant_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a> {
        let y = input + &self.biases;
        let body = y.clone().max(TAIL);
        let body = body.clone().square() * 0.5 + HALF_LOG_TAU + body.log_normal_cdf();
        either(&y, TAIL, -fraction(&y, 1).log(), body)
    }
    fn energy_of<'a>(&'a self, state: Expr<'a>) -> Expr<'a> {
        state.clone() * (state * 0.5 - &self.biases)
    }
    fn energy_gradients_of<'a>(&'a self, state: Expr<'a>, _: Expr<'a>) -> Vec<Expr<'a>> {
        vec![-state]
    }
    fn copy(&self) -> Box<dyn Units> {
        Box::new(Rectified { biases: self.biases.duplicate() })
    }
}
