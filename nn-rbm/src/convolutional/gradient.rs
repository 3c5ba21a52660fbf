//! The gradient of the negative log-likelihood of a convolutional machine.

use super::{ConvolutionalRbm, MapSparsity};
use crate::{Phases, kept::keep_or_make, units::Units};
use nn_core::{ACC, Expr, OLD, Operand, Over, Reduction, Sum, Tensor, x};

/// Makes gradients from phases, in memory that it keeps from update to update.
///
/// They are those of −log p(v), a mean over cases, divided by the number of positions of a filter:
/// (⟨patchᵀh⟩_model − ⟨patchᵀh⟩_data) of the filters, ⟨h⟩_model − ⟨h⟩_data of the hidden biases, means over cases and
/// positions, times τ for real visible units. Rates so do not depend on the size of images.
#[derive(Debug, Default)]
pub struct ConvolutionalGradient {
    /// S(v) of each phase, where it is not the state.
    statistics: [Option<Tensor>; 2],
    weights: Option<Tensor>,
    visible: Vec<Tensor>,
    hidden: Vec<Tensor>,
    /// ⟨h⟩_data of each map, 1 × maps.
    activity: Option<Tensor>,
}

impl ConvolutionalGradient {
    /// The gradient by every parameter of `rbm`, in visiting order. Phases whose cases weigh differently are refused.
    ///
    /// # Panics
    /// If a phase has weights of its cases.
    pub fn gradients<'a>(
        &'a mut self,
        rbm: &ConvolutionalRbm,
        phases: &Phases<'_>,
        sparsity: Option<&MapSparsity>,
    ) -> Vec<Sum<'a>> {
        let device = rbm.device();
        for (gradients, units) in
            [(&mut self.visible, &*rbm.visible), (&mut self.hidden, &rbm.hidden as &dyn Units)]
        {
            if gradients.is_empty() {
                units.visit(&mut |_, tensor| gradients.push(device.zeros(1, tensor.columns())));
            }
        }
        self.by_weights(rbm, phases);
        for (side, phase) in [&phases.data, &phases.model].into_iter().enumerate() {
            let share = [1.0, -1.0][side] / (phase.visible.rows() * rbm.geometry.map_len()) as f64;
            // Of units whose variance stays the gradient does not read the input.
            let (nothing, keep) = (Sum::from(phase.visible), side as f32);
            let visible = phase.visible.view().split_rows(rbm.geometry.pixels());
            rbm.visible.energy_gradients(visible, &nothing, &Expr::from(share), keep, &mut self.visible);
            let units = phase.hidden.view().split_rows(rbm.geometry.map_len());
            let grid = [units.rows(), units.columns()];
            let activity = keep_or_make(&mut self.activity, device, 1, grid[1]);
            let then = ACC * (1.0 / grid[0] as f64);
            activity.reduce(grid, Over::Rows, Reduction::Sum, x(units), then);
            let sign = [-1.0, 1.0][side];
            let mut change = x(&*activity) * &rbm.hidden.precision * sign;
            if let Some(sparsity) = sparsity.filter(|_| side == 0) {
                change = change + (x(&*activity) - sparsity.target()) * sparsity.cost();
            }
            self.hidden[0].assign(if side == 0 { change } else { OLD + change });
        }
        let weights = self.weights.as_ref().into_iter();
        weights.chain(&self.visible).chain(&self.hidden).map(Sum::from).collect()
    }

    fn by_weights(&mut self, rbm: &ConvolutionalRbm, phases: &Phases<'_>) {
        let (device, window) = (rbm.device(), rbm.geometry.window());
        for (side, phase) in [&phases.data, &phases.model].into_iter().enumerate() {
            assert!(phase.weights.is_none(), "cases of a convolutional machine weigh the same");
            if !rbm.visible.plain_statistic() {
                let [rows, columns] = [phase.visible.rows(), phase.visible.columns()];
                rbm.statistic(phase.visible, keep_or_make(&mut self.statistics[side], device, rows, columns));
            }
        }
        let term = |side: usize| {
            let phase = [&phases.data, &phases.model][side];
            let statistic = self.statistics[side].as_ref().unwrap_or(phase.visible);
            let share = 1.0 / (phase.visible.rows() * rbm.geometry.map_len()) as f32;
            let hidden = phase.hidden.view().split_rows(window.count());
            Operand::patches(statistic, &window).t().dot(hidden) * share
        };
        let product = term(1) - term(0);
        let [rows, columns] = product.shape();
        let mut expanded = device.zeros(rows, columns);
        expanded.product(product, ACC);
        let out = keep_or_make(&mut self.weights, device, rbm.weights.rows(), rbm.weights.columns());
        rbm.expansion.contract(expanded, out);
    }
}
