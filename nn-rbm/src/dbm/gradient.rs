//! The gradient of a deep machine: data statistics against model statistics.

use super::{Dbm, LayerOffsets, LayerSparsity};
use crate::EnergyModel;
use nn_core::{ACC, Expr, OLD, Product, Sum, Tensor, x};

/// Makes gradients of −log p(v), or of the bound that stands for it, in memory that is kept from update to update.
///
/// For weights ⟨S(sₗ)ᵀsₗ₊₁⟩_model − ⟨S(sₗ)ᵀsₗ₊₁⟩_data, both in one pass; of a connection that shares them, summed over
/// its copies. Centred, with offsets c, ⟨(sₗ − cₗ)ᵀ(sₗ₊₁ − cₗ₊₁)⟩
/// instead, and for biases ∂bₗ − ∂Wₗ·cₗ₊₁ − ∂Wₗ₋₁ᵀ·cₗ₋₁: the gradient of the machine whose energy is a function of s − c,
/// carried over to this one. Its direction does not change when data are flipped.
#[derive(Debug, Default)]
pub struct LayerGradients {
    /// Gradients of the parameters of each layer of units.
    units: Vec<Vec<Tensor>>,
    /// S(v) of data and of model, where it is not the state.
    statistics: [Option<Tensor>; 2],
    /// Gradients of the weights, where they are needed as values.
    matrices: Vec<Tensor>,
}

impl LayerGradients {
    /// The gradient by every parameter, in visiting order, from states or means of every layer: of the data phase and of the
    /// model, each a mean over its own rows. Of layers that are joined, states and means must be such that the mean of their
    /// product is meant: independent of each other given the row, or one the mean given the other. Sparsity adds its own.
    pub fn gradients<'a>(
        &'a mut self,
        dbm: &Dbm,
        data: &[&'a Tensor],
        model: &[&'a Tensor],
        offsets: Option<&LayerOffsets>,
        sparsity: Option<&'a LayerSparsity>,
    ) -> Vec<Sum<'a>> {
        let at = dbm.layered();
        if self.units.is_empty() {
            for units in &at.layers {
                let mut gradients = Vec::new();
                units.visit(&mut |_, tensor| gradients.push(dbm.device().zeros(1, tensor.columns())));
                self.units.push(gradients);
            }
        }
        for (keep, (sign, states)) in [(1.0, data), (-1.0, model)].into_iter().enumerate() {
            for (layer, units) in at.layers.iter().enumerate() {
                let weight = Expr::from(sign / states[layer].rows() as f64);
                let below = layer.checked_sub(1).map(|below| states[below]);
                let (own, out) = (states[layer].view(), &mut self.units[layer]);
                at.with_input(layer, below, states.get(layer + 1).copied(), |input| {
                    units.energy_gradients(own, input, &weight, keep as f32, out);
                });
            }
        }
        if !at.layers[0].plain_statistic() {
            for (kept, states) in self.statistics.iter_mut().zip([data[0], model[0]]) {
                let out = crate::kept::keep_or_make(kept, dbm.device(), states.rows(), states.columns());
                at.layers[0].statistic(states.view(), out.view_mut());
            }
        }
        if let Some(offsets) = offsets {
            self.centre(dbm, data, model, offsets, sparsity);
        }
        for (layer, gradients) in self.units.iter_mut().enumerate() {
            if let Some(of_layer) = sparsity.and_then(|sparsity| sparsity.of(layer)) {
                // The first parameter of hidden units is their bias.
                gradients[0].assign(OLD + x(of_layer.pull()));
            }
        }
        let this: &'a LayerGradients = self;
        let mut gradients = Vec::new();
        for (layer, units) in this.units.iter().enumerate() {
            if let Some(below) = layer.checked_sub(1) {
                gradients.push(match offsets {
                    Some(_) => Sum::from(&this.matrices[below]),
                    None => Sum::from(products(dbm, &this.statistics, below, data, model, sparsity)),
                });
            }
            gradients.extend(units.iter().map(Sum::from));
        }
        gradients
    }

    fn centre(
        &mut self,
        dbm: &Dbm,
        data: &[&Tensor],
        model: &[&Tensor],
        offsets: &LayerOffsets,
        sparsity: Option<&LayerSparsity>,
    ) {
        let LayerGradients { units, statistics, matrices } = self;
        let offsets = &offsets.offsets;
        if matrices.is_empty() {
            *matrices = dbm.weights().iter().map(|w| dbm.device().zeros(w.rows(), w.columns())).collect();
        }
        for (layer, matrix) in matrices.iter_mut().enumerate() {
            // The energy of a unit is −b·s, so that its gradient is d = ⟨s⟩_model − ⟨s⟩_data; and Σ (s − c)ᵀ(t − e) is
            // Σ sᵀt − cᵀΣt − Σsᵀe up to what drops out of the difference of the phases.
            let (below, above) = (&units[layer][0], &units[layer + 1][0]);
            let corrections = offsets[layer].t().dot(above) + below.t().dot(&offsets[layer + 1]);
            let mut centred = products(dbm, statistics, layer, data, model, sparsity) - corrections;
            if let Some(of_layer) = sparsity.and_then(|sparsity| sparsity.of(layer + 1)) {
                // ⟨m − c⟩ instead of ⟨m⟩ here, too.
                centred = centred - offsets[layer].t().dot(of_layer.pull());
            }
            matrix.product(centred, ACC);
        }
        for (layer, matrix) in matrices.iter().enumerate() {
            units[layer][0].product(offsets[layer + 1].dot(matrix.t()), OLD - ACC);
            units[layer + 1][0].product(offsets[layer].dot(matrix), OLD - ACC);
        }
    }
}

/// ⟨S(sₗ)ᵀsₗ₊₁⟩_model − ⟨S(sₗ)ᵀsₗ₊₁⟩_data, and the pull of sparsity.
fn products<'b>(
    dbm: &Dbm,
    statistics: &'b [Option<Tensor>; 2],
    layer: usize,
    data: &[&'b Tensor],
    model: &[&'b Tensor],
    sparsity: Option<&'b LayerSparsity>,
) -> Product<'b> {
    let [of_data, of_model] = [(data, &statistics[0]), (model, &statistics[1])].map(|(states, statistic)| {
        let below = statistic.as_ref().filter(|_| layer == 0).unwrap_or(states[layer]);
        dbm.connections[layer].pairs(below.view(), states[layer + 1].view()) * (1.0 / below.rows() as f32)
    });
    match sparsity.and_then(|sparsity| sparsity.of(layer + 1)) {
        Some(of_layer) => {
            let pull = dbm.connections[layer].pairs(of_layer.mean_below().view(), of_layer.pull().view());
            of_model - of_data + pull
        }
        None => of_model - of_data,
    }
}
