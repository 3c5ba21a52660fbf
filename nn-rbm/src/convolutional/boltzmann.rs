//! The Boltzmann distribution of a convolutional machine.

use super::ConvolutionalRbm;
use crate::units::Units;
use nn_core::{ACC, Key, Operand, Product, Sum, Tensor, View, ViewMut, Window};

/// Conditionals of a [`ConvolutionalRbm`], whose filters are laid out for them.
///
/// Upwards one product over patches that nobody stores; downwards one product, written down, and folded into images.
#[derive(Debug)]
pub struct ConvolutionalBoltzmann<'a> {
    rbm: &'a ConvolutionalRbm,
    window: Window,
    /// What a block sees × its units.
    filters: Tensor,
}

impl<'a> ConvolutionalBoltzmann<'a> {
    pub(super) fn new(rbm: &'a ConvolutionalRbm) -> ConvolutionalBoltzmann<'a> {
        let filters = rbm.expansion.expand(&rbm.weights);
        ConvolutionalBoltzmann { rbm, window: rbm.geometry.window(), filters }
    }

    /// Calls `work` with the input of hidden units, τ·W̃*v + T, (cases · blocks) × units of a block; T is the input of the
    /// pooling units from above, cases × (blocks · maps).
    pub(super) fn with_hidden_input<T>(
        &self,
        visible: &Tensor,
        from_above: Option<&Tensor>,
        work: impl FnOnce(&Sum<'_>) -> T,
    ) -> T {
        let sum = |statistic: View<'_>| {
            let product = self.patches(statistic);
            let Some(from_above) = from_above else { return work(&Sum::from(product)) };
            let [rows, columns] = product.shape();
            let mut input = self.filters.device().zeros(rows, columns);
            input.product(product, ACC + from_above.view().split_rows(self.window.count()).repeated());
            work(&Sum::from(&input))
        };
        if self.rbm.visible.plain_statistic() {
            return sum(visible.view());
        }
        let mut statistic = self.filters.device().zeros(visible.rows(), visible.columns());
        self.rbm.statistic(visible, &mut statistic);
        sum(statistic.view())
    }

    /// What each block sees times its filters, (cases · blocks) × units of a block.
    pub(super) fn patches<'b>(&'b self, statistic: View<'b>) -> Product<'b> {
        Operand::patches(statistic, &self.window).dot(&self.filters)
    }

    /// Hidden units of a matrix cases × hidden as (cases · blocks) × units of a block.
    fn blocks<'b>(&self, hidden: &'b mut Tensor) -> ViewMut<'b> {
        hidden.view_mut().split_rows(self.window.count())
    }

    /// out = E[h | v, T], cases × hidden
    pub fn mean_hidden(&self, visible: &Tensor, from_above: Option<&Tensor>, out: &mut Tensor) {
        self.with_hidden_input(visible, from_above, |input| self.rbm.hidden.mean(input, self.blocks(out)));
    }

    /// out ~ p(h | v, T)
    pub fn sample_hidden(&self, visible: &Tensor, from_above: Option<&Tensor>, key: Key, out: &mut Tensor) {
        self.with_hidden_input(visible, from_above, |input| {
            self.rbm.hidden.sample(input, key, self.blocks(out));
        });
    }

    /// mean = E[h | v] and sample ~ p(h | v)
    pub fn mean_and_sample_hidden(&self, visible: &Tensor, key: Key, mean: &mut Tensor, sample: &mut Tensor) {
        self.with_hidden_input(visible, None, |input| {
            self.rbm.hidden.mean(input, self.blocks(mean));
            let mean = mean.view().split_rows(self.window.count());
            self.rbm.hidden.sample_around(mean, input, key, self.blocks(sample));
        });
    }

    /// out (cases × visible) = Σ over hidden units of h times their filters, where they lie on the image.
    pub fn visible_input(&self, hidden: &Tensor, out: &mut Tensor) {
        let hidden = hidden.view().split_rows(self.window.count());
        let mut patches = self.filters.device().zeros(hidden.rows(), self.filters.rows());
        patches.product(hidden.dot(self.filters.t()), ACC);
        out.view_mut().fold(&self.window, &patches, ACC);
    }

    fn with_visible_input(
        &self,
        hidden: &Tensor,
        out: &mut Tensor,
        work: impl FnOnce(&Sum<'_>, ViewMut<'_>),
    ) {
        let mut input = self.filters.device().zeros(out.rows(), out.columns());
        self.visible_input(hidden, &mut input);
        let pixels = self.rbm.geometry.pixels();
        work(&Sum::Values(input.view().split_rows(pixels), 1.0), out.view_mut().split_rows(pixels));
    }

    /// out = E[v | h], cases × visible
    pub fn mean_visible(&self, hidden: &Tensor, out: &mut Tensor) {
        self.with_visible_input(hidden, out, |input, out| self.rbm.visible.mean(input, out));
    }

    /// out ~ p(v | h)
    pub fn sample_visible(&self, hidden: &Tensor, key: Key, out: &mut Tensor) {
        self.with_visible_input(hidden, out, |input, out| self.rbm.visible.sample(input, key, out));
    }

    /// out (cases × 1) = F(v) = E(v) − Σ K(input of h), so that p(v) = e^(−F(v)) / Z.
    pub fn free_energy(&self, visible: &Tensor, out: &mut Tensor) {
        let [units, blocks] = self.rbm.layers();
        let mut input = self.filters.device().zeros(visible.rows(), self.rbm.geometry.hidden_len());
        self.with_hidden_input(visible, None, |sum| sum.store(self.blocks(&mut input), ACC));
        blocks.cumulant(&Sum::from(&input), -1.0, 0.0, out.view_mut());
        units.energy(visible.view(), 1.0, 1.0, out.view_mut());
    }
}
