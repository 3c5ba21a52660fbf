//! The gradient of −log p(y | x) of a gated machine.

use super::{GatedRbm, GivenPatches};
use crate::{Phases, convolutional::MapSparsity, kept::keep_or_make, units::Units};
use nn_core::{ACC, Expr, OLD, Over, Reduction, Sum, Tensor, x};

/// Makes gradients from phases, in memory that it keeps from update to update.
///
/// They are those of −log p(y | x), a mean over cases, divided by the number of positions of a patch. For the weights of
/// map k that is Σ over cases and positions of (patch of x)ᵀ · (z·patch of y of the model − z·patch of y of the data). As
/// both phases are given the same x, it is one product.
#[derive(Debug, Default)]
pub struct GatedGradient {
    /// z · (patch of y) of the model less that of the data, (cases · positions) × K · P.
    differences: Option<Tensor>,
    visible: Vec<Tensor>,
    /// ⟨z⟩ of each map, 1 × maps.
    activity: Option<Tensor>,
    hidden: Vec<Tensor>,
}

impl GatedGradient {
    /// The gradient by every parameter of `rbm`, in visiting order. `given` are the images x of the
    /// cases; both phases have a row for each of them: y in `visible`, E[z | x, y] in `hidden`.
    ///
    /// # Panics
    /// If a phase has other cases than `given`, or weights of its cases.
    pub fn gradients<'a>(
        &'a mut self,
        rbm: &GatedRbm,
        given: &'a GivenPatches,
        phases: &Phases<'_>,
        sparsity: Option<&MapSparsity>,
    ) -> Vec<Sum<'a>> {
        let (device, len) = (rbm.device(), given.0.columns());
        for (gradients, units) in
            [(&mut self.visible, &rbm.visible as &dyn Units), (&mut self.hidden, &rbm.hidden)]
        {
            if gradients.is_empty() {
                units.visit(&mut |_, tensor| gradients.push(device.zeros(1, tensor.columns())));
            }
        }
        let rows = given.0.rows();
        let differences = keep_or_make(&mut self.differences, device, rows, rbm.weights.columns());
        for (side, phase) in [&phases.data, &phases.model].into_iter().enumerate() {
            assert!(phase.weights.is_none(), "cases of a gated machine weigh the same");
            let (sign, share) = ([1.0, -1.0][side], 1.0 / rows as f64);
            // As the variance stays, the gradient does not read the input.
            let (nothing, keep) = (Sum::from(phase.visible), side as f32);
            let pixels = phase.visible.view().split_rows(rbm.geometry.pixels());
            rbm.visible.energy_gradients(
                pixels,
                &nothing,
                &Expr::from(sign * share),
                keep,
                &mut self.visible,
            );

            let units = phase.hidden.view().split_rows(rbm.geometry.map_len());
            let activity = keep_or_make(&mut self.activity, device, 1, rbm.geometry.maps);
            activity.reduce([rows, units.columns()], Over::Rows, Reduction::Sum, x(units), ACC * share);
            let mut change = x(&*activity) * -sign;
            if let Some(sparsity) = sparsity.filter(|_| side == 0) {
                change = change + (x(&*activity) - sparsity.target()) * sparsity.cost();
            }
            self.hidden[0].assign(if side == 0 { change } else { OLD + change });

            let patches = rbm.patches.of(phase.visible);
            let gated = units.grouped(len) * patches.view().repeated();
            differences.assign(if side == 0 { -gated } else { OLD + gated });
        }
        let weights = given.0.t().dot(&*differences) * (1.0 / rows as f32);
        std::iter::once(Sum::from(weights))
            .chain(self.visible.iter().chain(&self.hidden).map(Sum::from))
            .collect()
    }
}
