//! The activation at the end of a layer, in the store of whatever the layer computes.

use nn_core::{Activation, Device, Tensor, x};

/// Where a = a(x) is kept for activations whose slope needs it: the last of the saved tensors, or none.
pub(crate) fn kept(activation: Activation, device: &Device, cases: usize, outputs: usize) -> Option<Tensor> {
    activation.slope_needs_input().then(|| device.zeros(cases, outputs))
}

/// Stores f(a) in `outputs`. `compute(out, f)` stores f(a) in `out`; where a is kept, it is asked for a first.
pub(crate) fn activate(
    activation: Activation,
    outputs: &mut Tensor,
    kept: Option<&mut Tensor>,
    compute: impl FnOnce(&mut Tensor, Activation),
) {
    let Some(a) = kept else { return compute(outputs, activation) };
    compute(a, Activation::Identity);
    outputs.assign(activation.apply(x(&*a)));
}
