//! Gibbs chains of a deep Boltzmann machine.

use super::Dbm;
use crate::{EnergyModel, Layered};
use nn_core::{Error, Key, Parameters, Tensor};
use std::ops::Range;

/// Chains, as many as one likes, kept from update to update: states of all layers.
///
/// A sweep draws the even layers given the odd ones and then the odd ones. What is needed between sweeps are the odd
/// layers, and these are the [`Parameters`], `layer1`, `layer3`, … .
#[derive(Debug)]
pub struct Chains {
    /// Chains × units of each layer.
    states: Vec<Tensor>,
    /// E[odd layers | even layers] of the last sweep, and a label that is clamped; of other even layers nothing.
    means: Vec<Tensor>,
    /// The layers that are drawn: all, or all but a label that is clamped.
    free: Range<usize>,
}

impl Chains {
    /// So many chains, their hidden units drawn without input.
    ///
    /// # Errors
    /// Without a chain.
    pub fn new(dbm: &Dbm, chains: usize, key: Key) -> Result<Chains, Error> {
        if chains == 0 {
            return Err(Error::setting("chains", chains, "at least one is needed"));
        }
        let at = Layered { scale: 0.0, ..dbm.layered() };
        let (mut states, means) = (at.room(chains), at.room(chains));
        at.sweep(0..at.layers.len(), &mut states, key);
        Ok(Chains { states, means, free: 0..at.layers.len() })
    }

    /// A chain for each of these labels (one-hot, cases × classes), which stay: the others move to p(v, h | label).
    ///
    /// # Errors
    /// Without labels in the model, for another number of classes or without a label.
    pub fn with_labels(dbm: &Dbm, labels: &Tensor, key: Key) -> Result<Chains, Error> {
        if dbm.classes() != Some(labels.columns()) {
            let classes = dbm.classes().map_or("no label".to_string(), |n| format!("{n} classes"));
            let allowed = format!("the machine has {classes}");
            return Err(Error::setting("classes of the labels", labels.columns(), &allowed));
        }
        let mut chains = Chains::new(dbm, labels.rows(), key)?;
        chains.free.end -= 1;
        let label = chains.free.end;
        chains.states[label].assign(labels);
        chains.means[label].assign(labels);
        Ok(chains)
    }

    /// Moves the chains by so many Gibbs sweeps, which leave the distribution of the machine as it is. Waits for nothing.
    pub fn gibbs(&mut self, dbm: &Dbm, sweeps: u64, key: Key) {
        let at = dbm.layered();
        for sweep in 0..sweeps {
            let key = key.fold_in(sweep);
            for layer in at.half(0).filter(|layer| self.free.contains(layer)) {
                at.sample(layer, &mut self.states, key.fold_in(layer as u64));
            }
            for layer in at.half(1).filter(|layer| self.free.contains(layer)) {
                let (units, mean) = (at.layers[layer], &mut self.means[layer]);
                at.with_states(layer, &mut self.states, |input, own| {
                    units.mean(input, mean.view_mut());
                    units.sample_around(mean.view(), input, key.fold_in(layer as u64), own.view_mut());
                });
            }
        }
    }

    /// States of all layers, chains × units of each: after a sweep, and as far as the chains have mixed, draws of all
    /// layers together.
    pub fn states(&self) -> &[Tensor] {
        &self.states
    }

    /// E[v | h₁] of the chains, chains × visible: smoother to look at than states.
    pub fn mean_visible(&self, dbm: &Dbm) -> Tensor {
        let at = dbm.layered();
        let mut out = dbm.device().zeros(self.states[0].rows(), self.states[0].columns());
        at.with_input(0, None, Some(&self.states[1]), |input| at.layers[0].mean(input, out.view_mut()));
        out
    }

    /// What stands for the model in the gradient: states of even layers and the means of odd layers given them, which have
    /// less noise. Every pair of joined layers has one of each.
    pub(super) fn statistics(&self) -> Vec<&Tensor> {
        let of =
            |layer: usize| if layer.is_multiple_of(2) { &self.states[layer] } else { &self.means[layer] };
        (0..self.states.len()).map(of).collect()
    }
}

impl Parameters for Chains {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (layer, states) in self.states.iter().enumerate().skip(1).step_by(2) {
            see(&format!("layer{layer}"), states);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (layer, states) in self.states.iter_mut().enumerate().skip(1).step_by(2) {
            see(&format!("layer{layer}"), states);
        }
    }
}
