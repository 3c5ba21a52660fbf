//! Persistent contrastive divergence whose chains are driven by fast weights.

use super::{GradientEstimator, keep_or_make, persistent::start};
use crate::{Phase, Phases, Rbm};
use nn_core::{ACC, Error, Key, OLD, Parameters, Tensor, x};

/// Fast PCD (Tieleman and Hinton, 2009): the chains see W + W_fast, where W_fast learns with a rate of its own and decays
/// by a factor every update. It raises the energy where the chains are, so that they move on.
///
/// Where it departs from the paper: only the weights have a fast part, not the biases.
#[derive(Debug)]
pub struct FastPersistent {
    rate: f32,
    decay: f32,
    /// Hidden states, chains × hidden.
    chains: Tensor,
    /// W_fast
    fast: Tensor,
    /// W + W_fast
    driven: Tensor,
    visible: Option<Tensor>,
    data_hidden: Option<Tensor>,
    model_hidden: Option<Tensor>,
}

impl FastPersistent {
    /// Chains with a fast learning rate (about that of the weights) and the decay of fast weights (usually 0.95).
    ///
    /// # Errors
    /// If there is no chain, the rate is negative, the decay is not in [0, 1), or the visible units are such that their
    /// statistic is not their state.
    pub fn new(rbm: &Rbm, chains: usize, rate: f32, decay: f32, key: Key) -> Result<FastPersistent, Error> {
        if chains == 0 {
            return Err(Error::setting("persistent chains", chains, "there must be at least one"));
        }
        if !(0.0..f32::INFINITY).contains(&rate) {
            return Err(Error::setting("fast learning rate", rate, "it must be zero or positive"));
        }
        if !(0.0..1.0).contains(&decay) {
            return Err(Error::setting("decay of fast weights", decay, "it must lie in [0, 1)"));
        }
        if !rbm.visible.plain_statistic() {
            let rule = "fast weights are for units whose statistic is their state; use persistent chains";
            return Err(Error::setting("visible units", rbm.visible.kind(), rule));
        }
        let matrix = || rbm.device().zeros(rbm.visible.len(), rbm.hidden.len());
        let (fast, driven, chains) = (matrix(), matrix(), start(rbm, chains, key));
        let nothing = || None;
        Ok(FastPersistent {
            rate,
            decay,
            chains,
            fast,
            driven,
            visible: nothing(),
            data_hidden: nothing(),
            model_hidden: nothing(),
        })
    }
}

impl GradientEstimator for FastPersistent {
    fn phases<'a>(&'a mut self, rbm: &Rbm, batch: &'a Tensor, _: u64, key: Key) -> Phases<'a> {
        let (chains, hidden_units) = (self.chains.rows(), rbm.hidden.len());
        let data_hidden = keep_or_make(&mut self.data_hidden, rbm, batch.rows(), hidden_units);
        let visible = keep_or_make(&mut self.visible, rbm, chains, rbm.visible.len());
        let model_hidden = keep_or_make(&mut self.model_hidden, rbm, chains, hidden_units);
        let distribution = rbm.distribution();
        distribution.mean_hidden(batch, data_hidden);
        self.driven.assign(x(&rbm.weights) + &self.fast);
        let driven = crate::Boltzmann { weights: &self.driven, ..distribution };
        driven.sample_visible(&self.chains, key.fold_in(0), visible);
        driven.sample_hidden(visible, key.fold_in(1), &mut self.chains);
        distribution.mean_hidden(visible, model_hidden);
        let (of_data, of_model) = (1.0 / batch.rows() as f32, 1.0 / chains as f32);
        let gradient = visible.t().dot(&*model_hidden) * of_model - batch.t().dot(&*data_hidden) * of_data;
        self.fast.product(gradient, OLD * self.decay - ACC * self.rate);
        Phases {
            data: Phase { visible: batch, hidden: data_hidden, weights: None },
            model: Phase { visible, hidden: model_hidden, weights: None },
        }
    }
}

impl Parameters for FastPersistent {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("chains", &self.chains);
        see("fast", &self.fast);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("chains", &mut self.chains);
        see("fast", &mut self.fast);
    }
}
