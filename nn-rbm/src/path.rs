//! A path of distributions from independent units to a model.

use crate::{
    Boltzmann, Rbm,
    units::{Units, between},
};
use nn_core::Tensor;

/// Distributions with parameters (1 − β)·base + β·model, from a base without weights (β = 0) to the model (β = 1).
///
/// For Bernoulli units this is the path of Salakhutdinov and Murray (2008): biases (1 − β)·a₀ + β·a, weights β·W.
#[derive(Debug)]
pub struct Path {
    visible: Box<dyn Units>,
    hidden: Box<dyn Units>,
}

/// One distribution of a path.
#[derive(Debug)]
pub struct PathPoint {
    visible: Box<dyn Units>,
    hidden: Box<dyn Units>,
    beta: f64,
}

impl Path {
    /// A path that starts at these visible units without input, and at hidden units of zero bias.
    ///
    /// Good visible units have the means of the data ([`Bernoulli::with_means`](crate::units::Bernoulli::with_means)):
    /// the closer the base, the smaller the error. They are of the family of the model's.
    pub fn new(rbm: &Rbm, visible: Box<dyn Units>) -> Path {
        let mut hidden = rbm.hidden.duplicate();
        hidden.visit_mut(&mut |_, tensor| tensor.assign(0.0));
        Path { visible, hidden }
    }

    /// A path that starts at the model's own visible units without input: no data are needed.
    pub fn from_model(rbm: &Rbm) -> Path {
        Path::new(rbm, rbm.visible.duplicate())
    }

    /// A point to be moved along the path.
    pub fn start(&self) -> PathPoint {
        PathPoint { visible: self.visible.duplicate(), hidden: self.hidden.duplicate(), beta: 0.0 }
    }

    /// Moves a point to β.
    pub fn go(&self, point: &mut PathPoint, rbm: &Rbm, beta: f64) {
        between(&*self.visible, &*rbm.visible, beta, &mut *point.visible);
        between(&*self.hidden, &*rbm.hidden, beta, &mut *point.hidden);
        point.beta = beta;
    }
}

impl PathPoint {
    /// The distribution at this point, of a model with these weights.
    pub fn distribution<'a>(&'a self, weights: &'a Tensor) -> Boltzmann<'a> {
        Boltzmann { visible: &*self.visible, hidden: &*self.hidden, weights, scale: self.beta as f32 }
    }

    /// β
    pub fn beta(&self) -> f64 {
        self.beta
    }
}
