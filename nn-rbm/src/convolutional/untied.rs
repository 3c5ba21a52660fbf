//! The same models with a weight of its own for each connection.

use super::{ConvolutionalDbn, ConvolutionalRbm};
use crate::{
    Connection, EnergyModel, Layered, Rbm,
    units::{Shared, Units},
};
use ndarray::Array2;
use nn_core::{ACC, Parameters, Tensor, parameters::visit_mut_under, parameters::visit_under, x};

/// Layers of units joined by plain weights, made of a [`ConvolutionalDbn`].
///
/// Parameters: `layer0.…` and so on as the units name them, `weights0`, … between them.
#[derive(Debug)]
pub struct Untied {
    /// The layers from the visible one on.
    pub layers: Vec<Box<dyn Units>>,
    /// Between each layer and the next, units × units.
    pub weights: Vec<Tensor>,
}

impl EnergyModel for Untied {
    fn layered(&self) -> Layered<'_> {
        let layers = self.layers.iter().map(|units| &**units).collect();
        let connections = self.weights.iter().map(|weights| weights as &dyn Connection).collect();
        Layered { layers, connections, scale: 1.0 }
    }
}

impl Parameters for Untied {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (number, units) in self.layers.iter().enumerate() {
            visit_under(&format!("layer{number}"), units, see);
        }
        self.weights.iter().enumerate().for_each(|(number, tensor)| see(&format!("weights{number}"), tensor));
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (number, units) in self.layers.iter_mut().enumerate() {
            visit_mut_under(&format!("layer{number}"), units, see);
        }
        let weights = self.weights.iter_mut().enumerate();
        weights.for_each(|(number, tensor)| see(&format!("weights{number}"), tensor));
    }
}

impl ConvolutionalRbm {
    /// The plain machine of the same distribution: every hidden unit has a copy of its filter at its place, visible ×
    /// hidden weights in all. For annealed importance sampling and enumeration, as long as they fit into memory.
    pub fn untied(&self) -> Rbm {
        let [visible, hidden] = self.layers();
        Rbm { visible: Box::new(visible), hidden: Box::new(hidden), weights: self.untied_weights() }
    }

    /// W with S(v)·W the input of all hidden units, image × hidden.
    fn untied_weights(&self) -> Tensor {
        let identity = self.device().tensor(&Array2::eye(self.geometry.image_len()));
        let mut weights = self.device().zeros(identity.rows(), self.geometry.hidden_len());
        let at = self.distribution();
        weights.view_mut().split_rows(self.geometry.block_count()).product(at.patches(identity.view()), ACC);
        weights
    }
}

impl ConvolutionalDbn {
    /// The plain model of the same joint distribution. As [`ConvolutionalRbm::untied`].
    pub fn untied(&self) -> Untied {
        let [visible, _] = self.layers()[0].layers();
        let mut untied = Untied { layers: vec![Box::new(visible)], weights: vec![] };
        for (below, rbm) in self.layers().iter().enumerate() {
            let mut hidden = rbm.hidden.clone_units();
            if let Some(above) = self.layers().get(below + 1) {
                // Biases of pooling units are biases of all units of their blocks.
                above.visible.visit(&mut |_, biases| {
                    hidden.biases.assign(nn_core::OLD + x(biases) / &rbm.hidden.precision);
                });
            }
            untied.layers.push(Box::new(Shared::new(Box::new(hidden), rbm.geometry.block_count())));
            let weights = rbm.untied_weights();
            untied.weights.push(match below.checked_sub(1) {
                None => weights,
                Some(lower) => {
                    let rows = self.layers()[lower].geometry.pooling_units();
                    let mut spread = rbm.device().zeros(rows.len(), weights.columns());
                    spread.view_mut().gather(&weights, &rows);
                    spread
                }
            });
        }
        untied
    }
}
