//! The Boltzmann distribution of two layers of units and the weights between them.

use crate::units::Units;
use nn_core::{Key, Sum, Tensor, View};

/// p(v, h) ∝ exp(S(v)·βW·S(h)ᵀ − E(v) − E(h)), borrowed from a model or from a point on a path between two models.
///
/// An [`Rbm`](crate::Rbm) is this with β = 1; the intermediate distributions of annealed importance sampling and of
/// parallel tempering are this with their own biases and β. Visible states are cases × visible units, hidden states
/// cases × hidden units.
#[derive(Clone, Copy, Debug)]
pub struct Boltzmann<'a> {
    /// The visible layer.
    pub visible: &'a dyn Units,
    /// The hidden layer, whose statistic is its state.
    pub hidden: &'a dyn Units,
    /// W, visible × hidden.
    pub weights: &'a Tensor,
    /// β, the factor on the weights.
    pub scale: f32,
}

impl<'a> Boltzmann<'a> {
    /// Calls `work` with the input of the hidden units, βS(v)·W.
    pub fn with_hidden_input<T>(&self, visible: View<'_>, work: impl FnOnce(&Sum<'_>) -> T) -> T {
        if self.visible.plain_statistic() {
            return work(&Sum::from(visible.dot(self.weights)).scaled(self.scale));
        }
        let mut statistic = self.weights.device().zeros(visible.rows(), visible.columns());
        self.visible.statistic(visible, statistic.view_mut());
        work(&Sum::from(statistic.dot(self.weights)).scaled(self.scale))
    }

    /// The input of the visible units, βh·Wᵀ.
    pub fn visible_input<'b>(&'b self, hidden: View<'b>) -> Sum<'b> {
        Sum::from(hidden.dot(self.weights.t())).scaled(self.scale)
    }

    /// out = E[h | v]
    pub fn mean_hidden(&self, visible: &Tensor, out: &mut Tensor) {
        self.with_hidden_input(visible.view(), |input| self.hidden.mean(input, out.view_mut()));
    }

    /// out ~ p(h | v)
    pub fn sample_hidden(&self, visible: &Tensor, key: Key, out: &mut Tensor) {
        self.with_hidden_input(visible.view(), |input| self.hidden.sample(input, key, out.view_mut()));
    }

    /// mean = E[h | v] and sample ~ p(h | v), from one product where the family allows it.
    pub fn mean_and_sample_hidden(&self, visible: &Tensor, key: Key, mean: &mut Tensor, sample: &mut Tensor) {
        self.with_hidden_input(visible.view(), |input| {
            self.hidden.mean(input, mean.view_mut());
            self.hidden.sample_around(mean.view(), input, key, sample.view_mut());
        });
    }

    /// out = E[v | h]
    pub fn mean_visible(&self, hidden: &Tensor, out: &mut Tensor) {
        self.visible.mean(&self.visible_input(hidden.view()), out.view_mut());
    }

    /// out ~ p(v | h)
    pub fn sample_visible(&self, hidden: &Tensor, key: Key, out: &mut Tensor) {
        self.visible.sample(&self.visible_input(hidden.view()), key, out.view_mut());
    }

    /// One Gibbs sweep: h ~ p(h | v), then v ~ p(v | h). Leaves the distribution of v as it should be if it is.
    pub fn sweep(&self, visible: &mut Tensor, hidden: &mut Tensor, key: Key) {
        self.sample_hidden(visible, key.fold_in(0), hidden);
        self.sample_visible(hidden, key.fold_in(1), visible);
    }

    /// out (cases × 1) = F(v) = E(v) − Σ K(input of h), so that p(v) = e^(−F(v)) / Z.
    pub fn free_energy(&self, visible: &Tensor, out: &mut Tensor) {
        self.with_hidden_input(visible.view(), |input| {
            self.hidden.cumulant(input, -1.0, 0.0, out.view_mut())
        });
        self.visible.energy(visible.view(), 1.0, 1.0, out.view_mut());
    }

    /// As [`Boltzmann::free_energy`], where S(v)·W (without β) is there already.
    pub(crate) fn free_energy_of_input(&self, visible: &Tensor, input: &Tensor, out: &mut Tensor) {
        self.hidden.cumulant(&Sum::Values(input.view(), self.scale), -1.0, 0.0, out.view_mut());
        self.visible.energy(visible.view(), 1.0, 1.0, out.view_mut());
    }

    /// out (cases × 1) = E(h) − Σ K(input of v), so that p(h) = e^(−out) / Z.
    pub fn free_energy_of_hidden(&self, hidden: &Tensor, out: &mut Tensor) {
        self.visible.cumulant(&self.visible_input(hidden.view()), -1.0, 0.0, out.view_mut());
        self.hidden.energy(hidden.view(), 1.0, 1.0, out.view_mut());
    }
}
