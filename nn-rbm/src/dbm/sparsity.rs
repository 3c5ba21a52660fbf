//! Targets for how often the hidden units of a deep machine are on.

use super::Dbm;
use crate::Sparsity;
use nn_core::{
    Error, Parameters, Tensor,
    parameters::{visit_mut_under, visit_under},
};

/// Pulls the mean activity q of every unit of a hidden layer towards the target p of its layer, as [`Sparsity`] does: with m
/// for the means of mean field, q ← d·q + (1 − d)·⟨m⟩, and cost·(q − p) is added to the gradient of the bias,
/// ⟨m_below⟩·cost·(q − p) to that of the weights from the layer below.
///
/// Parameters: `layer1.activity`, `layer2.activity`, … .
#[derive(Debug)]
pub struct LayerSparsity {
    layers: Vec<Sparsity>,
}

impl LayerSparsity {
    /// Targets in (0, 1) of the hidden layers from the first on (usually 0.2 and 0.1), the cost (0.001), and the decay d of
    /// the running means (0.9).
    ///
    /// # Errors
    /// For more targets than hidden layers, values out of range, or if weights are shared.
    pub fn new(dbm: &Dbm, targets: &[f32], cost: f32, decay: f32) -> Result<LayerSparsity, Error> {
        if targets.len() > dbm.depth() {
            let rule = format!("the machine has hidden layers: {}", dbm.depth());
            return Err(Error::setting("number of sparsity targets", targets.len(), &rule));
        }
        if dbm.connections.iter().any(|joint| joint.matrix().is_none()) {
            let rule = "targets are for layers joined by a matrix";
            return Err(Error::setting("sparsity", "shared weights", rule));
        }
        let sizes = dbm.layers().windows(2).map(|pair| [pair[0].len(), pair[1].len()]);
        let layer = |(sizes, &target)| Sparsity::of_layer(dbm.device(), sizes, target, cost, decay);
        Ok(LayerSparsity { layers: sizes.zip(targets).map(layer).collect::<Result<_, _>>()? })
    }

    /// Takes in the means of the data phase, one tensor for each layer.
    pub fn follow(&mut self, data: &[Tensor]) {
        for (sparsity, pair) in self.layers.iter_mut().zip(data.windows(2)) {
            sparsity.follow_means(&pair[0], &pair[1]);
        }
    }

    /// Of a hidden layer, counted from 1, if it has a target.
    pub(super) fn of(&self, layer: usize) -> Option<&Sparsity> {
        self.layers.get(layer.checked_sub(1)?)
    }
}

impl Parameters for LayerSparsity {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (index, sparsity) in self.layers.iter().enumerate() {
            visit_under(&format!("layer{}", index + 1), sparsity, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (index, sparsity) in self.layers.iter_mut().enumerate() {
            visit_mut_under(&format!("layer{}", index + 1), sparsity, see);
        }
    }
}
