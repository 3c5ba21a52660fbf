//! A target for how often hidden units are on.

use crate::{Phases, Rbm};
use nn_core::{ACC, Device, Error, Expr, OLD, Over, Parameters, Reduction, Tensor, x};

/// Pulls the mean activity q of every hidden unit towards p (Hinton, 2010, section 11): q ← d·q + (1 − d)·⟨E[h|v]⟩, and
/// cost·(q − p) is added to the gradient of the bias, ⟨v⟩·cost·(q − p) to that of the weights. For a deep machine see
/// [`LayerSparsity`](crate::dbm::LayerSparsity).
#[derive(Debug)]
pub struct Sparsity {
    target: f32,
    cost: f32,
    decay: f32,
    activity: Tensor,
    pull: Tensor,
    mean_below: Tensor,
    weights: bool,
}

impl Sparsity {
    /// A target p in (0, 1), the cost, and the decay d of the running mean (usually 0.9).
    ///
    /// # Errors
    /// For values out of range.
    pub fn new(rbm: &Rbm, target: f32, cost: f32, decay: f32) -> Result<Sparsity, Error> {
        Sparsity::of_layer(rbm.device(), [rbm.visible.len(), rbm.hidden.len()], target, cost, decay)
    }

    /// Of a layer of hidden units, given the numbers of units below it and of its own.
    pub(crate) fn of_layer(
        device: &Device,
        [below, units]: [usize; 2],
        target: f32,
        cost: f32,
        decay: f32,
    ) -> Result<Sparsity, Error> {
        if !(target > 0.0 && target < 1.0) {
            return Err(Error::setting(
                "sparsity target",
                target,
                "it must lie between 0 and 1, both excluded",
            ));
        }
        if !(0.0..f32::INFINITY).contains(&cost) {
            return Err(Error::setting("sparsity cost", cost, "it must be zero or positive"));
        }
        if !(0.0..1.0).contains(&decay) {
            return Err(Error::setting("sparsity decay", decay, "it must lie in [0, 1)"));
        }
        let row = |columns| device.zeros(1, columns);
        let mut activity = row(units);
        activity.assign(target);
        Ok(Sparsity {
            target,
            cost,
            decay,
            activity,
            pull: row(units),
            mean_below: row(below),
            weights: true,
        })
    }

    /// The same with a pull on the biases alone (Lee, Ekanadham and Ng, 2008).
    pub fn on_biases(self) -> Sparsity {
        Sparsity { weights: false, ..self }
    }

    /// Takes in what the data phase saw.
    pub fn follow(&mut self, phases: &Phases<'_>) {
        self.follow_means(phases.data.visible, phases.data.hidden);
    }

    /// Takes in the means of the layer and the states or means of the one below, cases × units.
    pub(crate) fn follow_means(&mut self, below: &Tensor, hidden: &Tensor) {
        let cases = hidden.rows() as f32;
        let moved = OLD * self.decay + ACC * ((1.0 - self.decay) / cases);
        self.activity.reduce([hidden.rows(), hidden.columns()], Over::Rows, Reduction::Sum, hidden, moved);
        self.pull.assign((x(&self.activity) - self.target) * self.cost);
        if self.weights {
            let mean: Expr<'_> = ACC * (1.0 / cases);
            self.mean_below.reduce([below.rows(), below.columns()], Over::Rows, Reduction::Sum, below, mean);
        }
    }

    /// cost·(q − p), 1 × hidden.
    pub(crate) fn pull(&self) -> &Tensor {
        &self.pull
    }

    /// ⟨v⟩, or of a deep machine the means of the layer below, 1 × units; 0 where biases alone are pulled.
    pub(crate) fn mean_below(&self) -> &Tensor {
        &self.mean_below
    }

    /// q, 1 × hidden.
    pub fn activity(&self) -> &Tensor {
        &self.activity
    }
}

impl Parameters for Sparsity {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("activity", &self.activity);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("activity", &mut self.activity);
    }
}
