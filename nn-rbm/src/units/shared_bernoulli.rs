//! Binary units of which those at the same place of every group share a bias.

use super::{Elementwise, Units};
use nn_core::{Device, Expr, Key, Parameters, Tensor};

/// Groups of units that are 0 or 1, as [`Bernoulli`](super::Bernoulli), with the same biases in every group: unit j of a
/// group of n has the bias b\[j\], its state is column group · n + j.
#[derive(Debug)]
pub struct SharedBernoulli {
    /// b, 1 × units of a group.
    pub biases: Tensor,
    groups: usize,
}

impl SharedBernoulli {
    /// So many groups of units with biases of zero.
    pub fn new(device: &Device, groups: usize, units: usize) -> SharedBernoulli {
        SharedBernoulli { biases: device.zeros(1, units), groups }
    }

    fn all<'a>(&'a self) -> Expr<'a> {
        self.biases.view().repeated()
    }
}

impl Parameters for SharedBernoulli {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("biases", &self.biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("biases", &mut self.biases);
    }
}

impl Elementwise for SharedBernoulli {
    fn units(&self) -> usize {
        self.groups * self.biases.columns()
    }
    fn name(&self) -> &'static str {
        "Bernoulli with shared biases"
    }
    fn mean_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a> {
        (input + self.all()).logistic()
    }
    fn sample_of<'a>(&'a self, input: Expr<'a>, key: Key) -> Expr<'a> {
        self.mean_of(input).bernoulli(key)
    }
    fn sample_from_mean<'a>(&'a self, mean: Expr<'a>, key: Key) -> Option<Expr<'a>> {
        Some(mean.bernoulli(key))
    }
    fn cumulant_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a> {
        (input + self.all()).softplus()
    }
    fn energy_of<'a>(&'a self, state: Expr<'a>) -> Expr<'a> {
        -(state * self.all())
    }
    fn energy_gradients_of<'a>(&'a self, state: Expr<'a>, _: Expr<'a>) -> Vec<Expr<'a>> {
        vec![-state]
    }
    fn is_binary(&self) -> bool {
        true
    }
    fn copy(&self) -> Box<dyn Units> {
        Box::new(SharedBernoulli { biases: self.biases.duplicate(), groups: self.groups })
    }
}
