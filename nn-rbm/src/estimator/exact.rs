//! The exact gradient, by enumeration.

use super::{GradientEstimator, keep_or_make};
use crate::{Phase, Phases, Rbm, partition::all_states};
use nn_core::{ACC, Error, Key, OLD, Over, Parameters, Reduction, Tensor, x};

/// Every visible state with its exact probability as the model phase: for tiny models and as the oracle of estimators.
///
/// Needs visible units with finitely many states, at most [`Exact::LARGEST`] in all.
#[derive(Debug)]
pub struct Exact {
    states: Tensor,
    probabilities: Tensor,
    largest: Tensor,
    hidden: Tensor,
    data_hidden: Option<Tensor>,
}

impl Exact {
    /// Largest number of visible states: 2¹⁶.
    pub const LARGEST: u64 = 1 << 16;

    /// The exact gradient of this machine.
    ///
    /// # Errors
    /// If the visible units have more states, or are not discrete.
    pub fn new(rbm: &Rbm) -> Result<Exact, Error> {
        let states = all_states(&*rbm.visible, rbm.device(), Self::LARGEST)?;
        let column = |columns| rbm.device().zeros(states.rows(), columns);
        let (probabilities, hidden) = (column(1), column(rbm.hidden.len()));
        Ok(Exact { probabilities, largest: rbm.device().zeros(1, 1), hidden, states, data_hidden: None })
    }
}

impl GradientEstimator for Exact {
    fn phases<'a>(&'a mut self, rbm: &Rbm, batch: &'a Tensor, _: u64, _: Key) -> Phases<'a> {
        let data_hidden = keep_or_make(&mut self.data_hidden, rbm, batch.rows(), rbm.hidden.len());
        let distribution = rbm.distribution();
        distribution.mean_hidden(batch, data_hidden);
        distribution.mean_hidden(&self.states, &mut self.hidden);
        // p(v) = e^(−F(v) − max) / Σ e^(−F(v) − max)
        let (grid, p) = ([self.states.rows(), 1], &mut self.probabilities);
        distribution.free_energy(&self.states, p);
        self.largest.reduce(grid, Over::Rows, Reduction::Max, -x(&*p), ACC);
        p.assign((-OLD - &self.largest).exp());
        self.largest.reduce(grid, Over::Rows, Reduction::Sum, &*p, ACC);
        p.assign(OLD / &self.largest);
        Phases {
            data: Phase { visible: batch, hidden: data_hidden, weights: None },
            model: Phase { visible: &self.states, hidden: &self.hidden, weights: Some(&self.probabilities) },
        }
    }
}

impl Parameters for Exact {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}
