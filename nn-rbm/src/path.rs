//! A path of distributions from independent units to a model.

use crate::{
    Boltzmann, EnergyModel, Layered,
    units::{Units, between},
};
use nn_core::Tensor;

/// Distributions with parameters (1 − β)·base + β·model, from a base without weights (β = 0) to the model (β = 1).
///
/// For Bernoulli units this is the path of Salakhutdinov and Murray (2008): biases (1 − β)·a₀ + β·a, weights β·W.
#[derive(Debug)]
pub struct Path {
    layers: Vec<Box<dyn Units>>,
}

/// One distribution of a path.
#[derive(Debug)]
pub struct PathPoint {
    layers: Vec<Box<dyn Units>>,
    beta: f64,
}

impl Path {
    /// A path that starts at these visible units without input, and at hidden units of zero bias.
    ///
    /// Good visible units have the means of the data ([`Bernoulli::with_means`](crate::units::Bernoulli::with_means)):
    /// the closer the base, the smaller the error. They are of the family of the model's.
    pub fn new(model: &dyn EnergyModel, visible: Box<dyn Units>) -> Path {
        let zeroed = |units: &&dyn Units| {
            let mut units = units.duplicate();
            units.visit_mut(&mut |_, tensor| tensor.assign(0.0));
            units
        };
        let hidden = model.layered().layers[1..].iter().map(zeroed).collect::<Vec<_>>();
        Path { layers: std::iter::once(visible).chain(hidden).collect() }
    }

    /// A path that starts at the model's own visible units without input: no data are needed.
    pub fn from_model(model: &dyn EnergyModel) -> Path {
        Path::new(model, model.layered().layers[0].duplicate())
    }

    /// A point to be moved along the path.
    pub fn start(&self) -> PathPoint {
        PathPoint { layers: self.layers.iter().map(|units| units.duplicate()).collect(), beta: 0.0 }
    }

    /// Moves a point to β.
    pub fn go(&self, point: &mut PathPoint, model: &dyn EnergyModel, beta: f64) {
        for ((from, to), at) in self.layers.iter().zip(model.layered().layers).zip(&mut point.layers) {
            between(&**from, to, beta, &mut **at);
        }
        point.beta = beta;
    }
}

impl PathPoint {
    /// The distribution at this point, of a machine with these weights.
    pub fn distribution<'a>(&'a self, weights: &'a Tensor) -> Boltzmann<'a> {
        let (visible, hidden) = (&*self.layers[0], &*self.layers[1]);
        Boltzmann { visible, hidden, weights, scale: self.beta as f32 }
    }

    /// The distribution at this point, of a model with the weights of this one.
    pub fn layered<'a>(&'a self, model: &Layered<'a>) -> Layered<'a> {
        let layers = self.layers.iter().map(|units| &**units).collect();
        Layered { layers, connections: model.connections.clone(), scale: self.beta as f32 }
    }

    /// β
    pub fn beta(&self) -> f64 {
        self.beta
    }
}
