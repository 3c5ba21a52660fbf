//! The gradient of the negative log-likelihood: data statistics against model statistics.
//!
//! ∂(−log p(v))/∂θ = ⟨∂F/∂θ⟩_data − ⟨∂F/∂θ⟩_model. For the weights that is ⟨S(v)ᵀE[h|v]⟩_model − ⟨S(v)ᵀE[h|v]⟩_data,
//! both sums in one pass, which the optimiser stores straight into its velocity.

use crate::{Offsets, Rbm, Sparsity};
use nn_core::{ACC, Expr, OLD, Over, Product, Reduction, Sum, Tensor, x};

/// One of the two sides: states and what they weigh.
#[derive(Clone, Copy, Debug)]
pub struct Phase<'a> {
    /// Visible states or means, cases × visible.
    pub visible: &'a Tensor,
    /// E[h | visible] of the same states, cases × hidden.
    pub hidden: &'a Tensor,
    /// Weight of each case, cases × 1, summing to one; without, all weigh the same.
    pub weights: Option<&'a Tensor>,
}

impl Phase<'_> {
    /// What a sum over cases has to be multiplied with inside (cases × 1, or a number) to be a mean.
    fn weight(&self, factor: f64) -> Expr<'_> {
        match self.weights {
            None => Expr::from(factor / self.visible.rows() as f64),
            Some(weights) => x(weights) * factor,
        }
    }
}

/// Both sides of the gradient.
#[derive(Clone, Copy, Debug)]
pub struct Phases<'a> {
    /// What the data say.
    pub data: Phase<'a>,
    /// What the model says.
    pub model: Phase<'a>,
}

/// Makes gradients from phases, in memory that it keeps from update to update.
#[derive(Debug, Default)]
pub struct GradientAssembly {
    /// Gradients of the parameters of visible and of hidden units.
    units: [Vec<Tensor>; 2],
    /// For each phase: S(v), where it is not the state.
    statistics: [Option<Tensor>; 2],
    /// For each phase: hidden means times the weights of their cases and less their offsets, where there are any.
    hidden: [Option<Tensor>; 2],
    /// The gradient of the weights, where it is needed as values.
    matrix: Option<Tensor>,
    /// ⟨h⟩_model − ⟨h⟩_data, 1 × hidden, where it is needed.
    difference: Option<Tensor>,
}

impl GradientAssembly {
    /// The gradient by every parameter of `rbm`, in visiting order.
    ///
    /// With offsets it is the centred gradient (Melchior, Fischer and Wiskott, 2016), whose direction does not change
    /// when the data are flipped; with offsets of zero it is the plain one. Sparsity adds its own.
    pub fn gradients<'a>(
        &'a mut self,
        rbm: &Rbm,
        phases: &Phases<'a>,
        offsets: Option<&'a Offsets>,
        sparsity: Option<&'a Sparsity>,
    ) -> Vec<Sum<'a>> {
        self.allocate(rbm);
        for (side, phase) in [&phases.data, &phases.model].into_iter().enumerate() {
            let (weight, keep) = (phase.weight([1.0, -1.0][side]), side as f32);
            let down = Sum::from(phase.hidden.dot(rbm.weights.t()));
            rbm.visible.energy_gradients(phase.visible.view(), &down, &weight, keep, &mut self.units[0]);
            rbm.distribution().with_hidden_input(phase.visible.view(), |up| {
                rbm.hidden.cumulant_gradients(phase.hidden.view(), up, &weight, keep, &mut self.units[1]);
            });
            self.prepare(side, rbm, phase, offsets);
        }
        if let Some(sparsity) = sparsity {
            // The first parameter of hidden units is their bias.
            self.units[1][0].assign(OLD + x(sparsity.pull()));
        }
        if let Some(offsets) = offsets {
            self.centre(rbm, phases, offsets, sparsity);
        }
        let this: &'a GradientAssembly = self;
        let weights = match (&this.matrix, offsets) {
            (Some(matrix), Some(_)) => Sum::from(matrix),
            _ => Sum::from(this.weights(phases, sparsity)),
        };
        std::iter::once(weights).chain(this.units.iter().flatten().map(Sum::from)).collect()
    }

    fn allocate(&mut self, rbm: &Rbm) {
        for (gradients, units) in self.units.iter_mut().zip([&rbm.visible, &rbm.hidden]) {
            if gradients.is_empty() {
                units.visit(&mut |_, tensor| gradients.push(rbm.device().zeros(1, tensor.columns())));
            }
        }
    }

    /// Fills what the product of the weights needs beside the states themselves.
    fn prepare(&mut self, side: usize, rbm: &Rbm, phase: &Phase<'_>, offsets: Option<&Offsets>) {
        let like = |tensor: &Tensor| rbm.device().zeros(tensor.rows(), tensor.columns());
        let fits =
            |kept: &Option<Tensor>, tensor: &Tensor| kept.as_ref().is_some_and(|k| k.rows() == tensor.rows());
        if !rbm.visible.plain_statistic() {
            if !fits(&self.statistics[side], phase.visible) {
                self.statistics[side] = Some(like(phase.visible));
            }
            if let Some(out) = &mut self.statistics[side] {
                rbm.visible.statistic(phase.visible.view(), out.view_mut());
            }
        }
        if phase.weights.is_none() && offsets.is_none() {
            self.hidden[side] = None;
            return;
        }
        if !fits(&self.hidden[side], phase.hidden) {
            self.hidden[side] = Some(like(phase.hidden));
        }
        if let Some(out) = &mut self.hidden[side] {
            let mut formula = x(phase.hidden);
            if let Some(offsets) = offsets {
                formula = formula - &offsets.hidden;
            }
            if let Some(weights) = phase.weights {
                formula = formula * weights;
            }
            out.assign(formula);
        }
    }

    /// ⟨S(v)ᵀh⟩_model − ⟨S(v)ᵀh⟩_data, and the pull of sparsity.
    fn weights<'b>(&'b self, phases: &Phases<'b>, sparsity: Option<&'b Sparsity>) -> Product<'b> {
        let term = |side: usize, phase: &Phase<'b>| {
            let visible = self.statistics[side].as_ref().unwrap_or(phase.visible);
            let hidden = self.hidden[side].as_ref().unwrap_or(phase.hidden);
            let share = if phase.weights.is_some() { 1.0 } else { 1.0 / phase.visible.rows() as f32 };
            visible.t().dot(hidden) * share
        };
        let product = term(1, &phases.model) - term(0, &phases.data);
        match sparsity {
            Some(sparsity) => product + sparsity.mean_below().t().dot(sparsity.pull()),
            None => product,
        }
    }

    /// ⟨(v − μ)(h − λ)⟩ instead of ⟨v·h⟩, and biases that go with it: ∂a − ∂W·λ and ∂b − ∂Wᵀ·μ.
    fn centre(&mut self, rbm: &Rbm, phases: &Phases<'_>, offsets: &Offsets, sparsity: Option<&Sparsity>) {
        let device = rbm.device();
        let mut difference = self.difference.take().unwrap_or_else(|| device.zeros(1, rbm.hidden.len()));
        for (phase, factor, keep) in [(&phases.model, 1.0, 0.0), (&phases.data, -1.0, 1.0)] {
            let (grid, formula) =
                ([phase.hidden.rows(), phase.hidden.columns()], x(phase.hidden) * phase.weight(factor));
            difference.reduce(grid, Over::Rows, Reduction::Sum, formula, OLD * keep + ACC);
        }
        let mut matrix =
            self.matrix.take().unwrap_or_else(|| device.zeros(rbm.visible.len(), rbm.hidden.len()));
        // Σ (v − μ)(h − λ) = Σ v(h − λ) − μ Σ (h − λ), and λ drops out of the difference of the last sums.
        let mut product = self.weights(phases, sparsity) - offsets.visible.t().dot(&difference);
        if let Some(sparsity) = sparsity {
            // ⟨v − μ⟩ instead of ⟨v⟩ here, too.
            product = product - offsets.visible.t().dot(sparsity.pull());
        }
        matrix.product(product, ACC);
        self.units[0][0].product(offsets.hidden.dot(matrix.t()), OLD - ACC);
        self.units[1][0].product(offsets.visible.dot(&matrix), OLD - ACC);
        (self.difference, self.matrix) = (Some(difference), Some(matrix));
    }
}
