//! Contrastive divergence: short chains that start at the data.

use super::{GradientEstimator, keep_or_make};
use crate::{Phase, Phases, Rbm};
use nn_core::{Error, Key, Parameters, Tensor};

/// CD-k (Hinton, 2002): k Gibbs sweeps from the batch. The last visible states enter by their means, which has less
/// noise (by samples where variances are learned, which means do not show); k may grow during training.
///
/// Inputs may count several times in one direction: in a machine that will be part of a deep one, see
/// [`pretraining`](crate::dbm::pretraining).
#[derive(Debug)]
pub struct ContrastiveDivergence {
    /// Sweeps from this update on: `[(0, 1)]` is CD-1 throughout. The first entry stands at update 0.
    sweeps: Vec<(u64, u32)>,
    /// How often inputs count, upwards and downwards.
    scales: [f32; 2],
    data_hidden: Option<Tensor>,
    hidden: Option<Tensor>,
    visible: Option<Tensor>,
    model_hidden: Option<Tensor>,
}

impl ContrastiveDivergence {
    /// CD-k with a constant number of sweeps.
    ///
    /// # Errors
    /// If k is 0.
    pub fn new(k: u32) -> Result<ContrastiveDivergence, Error> {
        Self::with_schedule(vec![(0, k)])
    }

    /// CD with k given from certain updates on, such as `[(0, 1), (6000, 3), (12000, 10)]`.
    ///
    /// # Errors
    /// If the first entry is not at update 0, entries do not rise, or a k is 0.
    pub fn with_schedule(sweeps: Vec<(u64, u32)>) -> Result<ContrastiveDivergence, Error> {
        let rises = sweeps.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if sweeps.first().is_none_or(|(from, _)| *from != 0) || !rises || sweeps.iter().any(|(_, k)| *k == 0)
        {
            let rule = "k must be at least 1, and updates must start at 0 and rise";
            return Err(Error::setting("sweeps of contrastive divergence", format!("{sweeps:?}"), rule));
        }
        Ok(ContrastiveDivergence {
            sweeps,
            scales: [1.0, 1.0],
            data_hidden: None,
            hidden: None,
            visible: None,
            model_hidden: None,
        })
    }

    /// With inputs of hidden units times `up` and of visible ones times `down`.
    pub(crate) fn with_scales(self, up: f32, down: f32) -> ContrastiveDivergence {
        ContrastiveDivergence { scales: [up, down], ..self }
    }

    /// k at this update.
    pub fn sweeps_at(&self, update: u64) -> u32 {
        self.sweeps.iter().take_while(|(from, _)| *from <= update).last().map_or(1, |(_, k)| *k)
    }
}

impl GradientEstimator for ContrastiveDivergence {
    fn phases<'a>(&'a mut self, rbm: &Rbm, batch: &'a Tensor, update: u64, key: Key) -> Phases<'a> {
        let k = self.sweeps_at(update);
        let (cases, hidden_units) = (batch.rows(), rbm.hidden.len());
        let data_hidden = keep_or_make(&mut self.data_hidden, rbm, cases, hidden_units);
        let hidden = keep_or_make(&mut self.hidden, rbm, cases, hidden_units);
        let visible = keep_or_make(&mut self.visible, rbm, cases, rbm.visible.len());
        let model_hidden = keep_or_make(&mut self.model_hidden, rbm, cases, hidden_units);
        let [up, down] = self.scales.map(|scale| crate::Boltzmann { scale, ..rbm.distribution() });
        up.mean_and_sample_hidden(batch, key.fold_in(0), data_hidden, hidden);
        for sweep in 1..u64::from(k) {
            down.sample_visible(hidden, key.fold_in(2 * sweep - 1), visible);
            up.sample_hidden(visible, key.fold_in(2 * sweep), hidden);
        }
        if rbm.visible.means_suffice() {
            down.mean_visible(hidden, visible);
        } else {
            down.sample_visible(hidden, key.fold_in(2 * u64::from(k) - 1), visible);
        }
        up.mean_hidden(visible, model_hidden);
        Phases {
            data: Phase { visible: batch, hidden: data_hidden, weights: None },
            model: Phase { visible, hidden: model_hidden, weights: None },
        }
    }
}

impl Parameters for ContrastiveDivergence {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}
