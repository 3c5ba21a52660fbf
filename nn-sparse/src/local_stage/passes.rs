//! The objective of a local stage and its gradients.

use nn_core::layer::room;
use nn_core::{ACC, Batch, Device, OLD, Operand, Over, Product, Reduction, Sum, Tensor, View, Window, x};

use super::LocalStage;
use crate::objective::Value;

/// What an evaluation leaves behind; its size follows the cases.
#[derive(Debug)]
pub(super) struct Room {
    /// a, cases × (positions · maps).
    outputs: Tensor,
    /// √(ε + Σ a²), cases × (pools · maps).
    roots: Tensor,
    /// W₂ · a of each position, cases × (positions · values of a field).
    rebuilt: Tensor,
    /// W₂·a − x, and then ∂f/∂(W₂·a), cases × pixels.
    residual: Tensor,
    /// ∂f/∂a, cases × (positions · maps).
    delta: Tensor,
    /// The value in parts: of each pixel and of each pool.
    reconstruction: Tensor,
    sparsity: Tensor,
}

impl Room {
    pub(super) fn new(device: &Device) -> Room {
        let [outputs, roots, rebuilt, residual, delta, reconstruction, sparsity] =
            [(); 7].map(|()| device.zeros(0, 0));
        Room { outputs, roots, rebuilt, residual, delta, reconstruction, sparsity }
    }

    /// The mean of ‖W₂·a − x‖².
    pub(super) fn reconstruction(&self) -> Value<'_> {
        Value::sum_of(vec![&self.reconstruction])
    }

    /// λ times the mean of Σ √(ε + Σ a²).
    pub(super) fn sparsity(&self) -> Value<'_> {
        Value::sum_of(vec![&self.sparsity])
    }
}

impl LocalStage {
    /// Computes the value, which lies in the room afterwards. Two products of positions × cases × values of a field × maps.
    pub(super) fn evaluate(&self, inputs: View<'_>, into: &mut Room) {
        let (cases, positions, units) = (inputs.rows(), self.fields.count(), self.pools.image_len());
        let share = 1.0 / cases as f64;
        let pixels = self.fields.image_len();
        let outputs = room(&mut into.outputs, cases, units);
        outputs.product(encoded(inputs, &self.fields, &self.encoder), ACC);

        let pools = self.pools.count() * self.pools.channels;
        let roots = room(&mut into.roots, cases, pools);
        let over = Over::Windows(self.pools);
        roots.reduce(
            [cases, units],
            over,
            Reduction::Sum,
            x(&*outputs).square(),
            (ACC + self.epsilon).sqrt(),
        );
        let weighed = ACC * (self.sparsity_weight * share);
        let sparsity = room(&mut into.sparsity, 1, pools);
        sparsity.reduce([cases, pools], Over::Rows, Reduction::Sum, &*roots, weighed);

        let rebuilt = room(&mut into.rebuilt, cases, positions * self.fields.patch_len());
        rebuilt.product(decoded(outputs, &self.fields, &self.decoder), ACC);
        let residual = room(&mut into.residual, cases, pixels);
        residual.view_mut().fold(&self.fields, rows_of(rebuilt.view(), positions), ACC - inputs);
        let squares = x(&*residual).square();
        let reconstruction = room(&mut into.reconstruction, 1, pixels);
        reconstruction.reduce([cases, pixels], Over::Rows, Reduction::Sum, squares, ACC * share);
    }

    /// ∂f/∂W₁ and ∂f/∂W₂ after [`evaluate`](Self::evaluate), once: with s = 2/n · (W₂·a − x),
    ///
    /// ∂f/∂W₂ = s·aᵀ, ∂f/∂a = W₂ᵀ·s + λ/n · a ⊙ Σ over the pools of a unit of (ε + Σ a²)^−½, ∂f/∂W₁ = x·(∂f/∂a)ᵀ,
    ///
    /// each at its own position. Three products more.
    pub(super) fn gradients<'a>(&self, inputs: View<'a>, from: &'a mut Room) -> [Sum<'a>; 2] {
        let (cases, units) = (inputs.rows(), self.pools.image_len());
        let share = 1.0 / cases as f64;
        from.residual.assign(OLD * (2.0 * share));
        let delta = room(&mut from.delta, cases, units);
        let inverse = 1.0 / rows_of(from.roots.view(), self.pools.count()).repeated();
        delta.view_mut().fold(&self.pools, inverse, ACC * &from.outputs * (self.sparsity_weight * share));
        delta.product(encoded(from.residual.view(), &self.fields, &self.decoder), OLD + ACC);
        let Room { outputs, residual, delta, .. } = &*from;
        [
            filter_gradient(inputs, &self.fields, delta).into(),
            filter_gradient(residual.view(), &self.fields, outputs).into(),
        ]
    }
}

/// Wᵀ of the patch at each position: cases × (positions · maps).
fn encoded<'a>(images: View<'a>, fields: &Window, weights: &'a Tensor) -> Product<'a> {
    let batch = Batch { blocks: fields.count(), left_rows: true, right_rows: true, out_rows: false };
    Product::batched(Operand::patches(images, fields), weights.view().into(), batch)
}

/// W of the units at each position: cases × (positions · values of a field).
fn decoded<'a>(outputs: &'a Tensor, fields: &Window, weights: &'a Tensor) -> Product<'a> {
    let batch = Batch { blocks: fields.count(), left_rows: false, right_rows: false, out_rows: false };
    Product::batched(outputs.view().into(), weights.t(), batch)
}

/// The patch at each position times what belongs to its units, summed over cases: (positions · values of a field) × maps.
fn filter_gradient<'a>(images: View<'a>, fields: &Window, units: &'a Tensor) -> Product<'a> {
    let batch = Batch { blocks: fields.count(), left_rows: false, right_rows: false, out_rows: true };
    Product::batched(Operand::patches(images, fields).t(), units.view().into(), batch)
}

/// A row for each position.
fn rows_of(view: View<'_>, positions: usize) -> View<'_> {
    if positions == 1 { view } else { view.split_rows(positions) }
}
