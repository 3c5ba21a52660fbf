//! Persistent contrastive divergence: chains that are never restarted.

use super::{GradientEstimator, keep_or_make};
use crate::{Phase, Phases, Rbm};
use nn_core::{Error, Key, Parameters, Tensor};

/// PCD-k, or stochastic maximum likelihood (Younes 1989, Tieleman 2008).
///
/// The chains are states of the hidden units, as many as one likes whatever the batch; an update moves each by k sweeps
/// v ~ p(v|h), h ~ p(h|v) under the current model. The visible states of the last sweep and the means of the hidden
/// units given them are the model phase.
#[derive(Debug)]
pub struct Persistent {
    k: u32,
    /// Hidden states, chains × hidden.
    chains: Tensor,
    visible: Option<Tensor>,
    data_hidden: Option<Tensor>,
    model_hidden: Option<Tensor>,
}

impl Persistent {
    /// This many chains, started at hidden states drawn without input and moved k sweeps an update.
    ///
    /// # Errors
    /// If there is no chain or no sweep.
    pub fn new(rbm: &Rbm, chains: usize, k: u32, key: Key) -> Result<Persistent, Error> {
        if chains == 0 || k == 0 {
            return Err(Error::setting(
                "persistent chains",
                format!("{chains} moved by {k}"),
                "both must be positive",
            ));
        }
        Ok(Persistent {
            k,
            chains: start(rbm, chains, key),
            visible: None,
            data_hidden: None,
            model_hidden: None,
        })
    }

    /// The hidden states of the chains.
    pub fn chains(&self) -> &Tensor {
        &self.chains
    }
}

/// Hidden states drawn without input from below.
pub(super) fn start(rbm: &Rbm, chains: usize, key: Key) -> Tensor {
    let nothing = rbm.device().zeros(chains, rbm.visible.len());
    rbm.sample_hidden(&nothing, key)
}

impl GradientEstimator for Persistent {
    fn phases<'a>(&'a mut self, rbm: &Rbm, batch: &'a Tensor, _: u64, key: Key) -> Phases<'a> {
        let (chains, hidden_units) = (self.chains.rows(), rbm.hidden.len());
        let data_hidden = keep_or_make(&mut self.data_hidden, rbm, batch.rows(), hidden_units);
        let visible = keep_or_make(&mut self.visible, rbm, chains, rbm.visible.len());
        let model_hidden = keep_or_make(&mut self.model_hidden, rbm, chains, hidden_units);
        let distribution = rbm.distribution();
        distribution.mean_hidden(batch, data_hidden);
        let last = u64::from(self.k) - 1;
        for sweep in 0..last {
            distribution.sample_visible(&self.chains, key.fold_in(2 * sweep), visible);
            distribution.sample_hidden(visible, key.fold_in(2 * sweep + 1), &mut self.chains);
        }
        distribution.sample_visible(&self.chains, key.fold_in(2 * last), visible);
        distribution.mean_and_sample_hidden(
            visible,
            key.fold_in(2 * last + 1),
            model_hidden,
            &mut self.chains,
        );
        Phases {
            data: Phase { visible: batch, hidden: data_hidden, weights: None },
            model: Phase { visible, hidden: model_hidden, weights: None },
        }
    }
}

impl Parameters for Persistent {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("chains", &self.chains);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("chains", &mut self.chains);
    }
}
