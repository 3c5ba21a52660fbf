//! Binary units.

use super::{Elementwise, Units};
use ndarray::{Array2, ArrayView1};
use nn_core::{Activation, Device, Expr, Key, Parameters, Tensor};

/// Units that are 0 or 1.
///
/// E(s) = −b·s, K(x) = log(1 + e^(x + b)), mean σ(x + b), sample 1 with that probability, statistic s.
#[derive(Debug)]
pub struct Bernoulli {
    /// b, 1 × units.
    pub biases: Tensor,
}

impl Bernoulli {
    /// Units with biases of zero.
    pub fn new(device: &Device, units: usize) -> Bernoulli {
        Bernoulli { biases: device.zeros(1, units) }
    }

    /// Units whose means without input are the given ones, smoothed: b = log(p / (1 − p)) with
    /// p = (mean + 0.05) / 1.1, so that a pixel that is never on keeps a bias of about −3.
    pub fn with_means(device: &Device, means: ArrayView1<'_, f32>) -> Bernoulli {
        let logit = |j: usize| {
            let p = (f64::from(means[j]) + 0.05) / 1.1;
            (p / (1.0 - p)).ln() as f32
        };
        Bernoulli { biases: device.tensor(&Array2::from_shape_fn((1, means.len()), |(_, j)| logit(j))) }
    }
}

impl Parameters for Bernoulli {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("biases", &self.biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("biases", &mut self.biases);
    }
}

impl Elementwise for Bernoulli {
    fn units(&self) -> usize {
        self.biases.columns()
    }
    fn name(&self) -> &'static str {
        "Bernoulli"
    }
    fn mean_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a> {
        (input + &self.biases).logistic()
    }
    fn mean_activation_of(&self) -> Option<(Activation, &Tensor)> {
        Some((Activation::Logistic, &self.biases))
    }
    fn sample_of<'a>(&'a self, input: Expr<'a>, key: Key) -> Expr<'a> {
        self.mean_of(input).bernoulli(key)
    }
    fn sample_from_mean<'a>(&'a self, mean: Expr<'a>, key: Key) -> Option<Expr<'a>> {
        Some(mean.bernoulli(key))
    }
    fn cumulant_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a> {
        (input + &self.biases).softplus()
    }
    fn energy_of<'a>(&'a self, state: Expr<'a>) -> Expr<'a> {
        -(state * &self.biases)
    }
    fn energy_gradients_of<'a>(&'a self, state: Expr<'a>, _: Expr<'a>) -> Vec<Expr<'a>> {
        vec![-state]
    }
    fn is_binary(&self) -> bool {
        true
    }
    fn copy(&self) -> Box<dyn Units> {
        Box::new(Bernoulli { biases: self.biases.duplicate() })
    }
}
