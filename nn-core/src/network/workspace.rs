//! What passes through a network.

use super::Network;
use crate::{Device, Tensor};

/// Outputs, δ and what layers save, for a number of cases: made at the first pass and kept as long as that number stays.
#[derive(Debug, Default)]
pub struct Workspace {
    cases: usize,
    /// Of each layer, cases × its outputs once it was run.
    pub(super) outputs: Vec<Tensor>,
    /// Of each layer.
    pub(super) saved: Vec<Vec<Tensor>>,
    /// Of the last layers, as many as were asked for, cases × their outputs.
    pub(super) deltas: Vec<Tensor>,
    /// Of the loss.
    pub(super) scratch: Vec<Tensor>,
}

impl Workspace {
    /// Nothing yet.
    pub fn new() -> Workspace {
        Workspace::default()
    }

    /// The outputs of each layer after the last pass forward, cases × outputs.
    pub fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    /// Makes room for so many cases, unless it is there.
    pub(super) fn fit(&mut self, network: &Network, device: &Device, cases: usize) {
        if self.cases == cases && self.outputs.len() == network.layers().len() {
            return;
        }
        let layers = || network.layers().iter().map(|(_, layer)| layer);
        self.cases = cases;
        self.outputs = layers().map(|_| device.zeros(0, 0)).collect();
        self.saved = layers().map(|layer| layer.saved(device, cases)).collect();
        self.deltas = Vec::new();
        self.scratch = network.loss.scratch(device, cases);
    }

    /// With room for δ of the layers from `first` on and no others.
    pub(super) fn with_deltas(&mut self, first: usize) -> &mut Workspace {
        let wanted = &self.outputs[first..];
        if self.deltas.len() != wanted.len() {
            let room = |outputs: &Tensor| outputs.device().zeros(outputs.rows(), outputs.columns());
            self.deltas = wanted.iter().map(room).collect();
        }
        self
    }
}
