//! Passes through directed layers.

use super::Directed;
use crate::kept::keep_or_make_all;
use nn_core::{Device, Expr, Key, Tensor, View};

fn device(layer: &Directed) -> &Device {
    layer.recognition.weights.device()
}

/// states[l] ~ q(h_{l+1} | h_l) from the data on; each layer folds its number into the key.
pub(super) fn ascend(lower: &[Directed], inputs: View<'_>, states: &mut Vec<Tensor>, key: Key) {
    let Some(first) = lower.first() else { return };
    let columns = lower.iter().map(|layer| layer.recognition.weights.columns());
    let states = keep_or_make_all(states, device(first), inputs.rows(), columns);
    for (index, layer) in lower.iter().enumerate() {
        let (below, above) = states.split_at_mut(index);
        let given = below.last().map_or(inputs, Tensor::view);
        layer.recognition.sample(given, key.fold_in(index as u64), above[0].view_mut());
    }
}

/// states[l] ~ p(h_l | h_{l+1}) down to the layer under `lower[0]`, from the formula `top` on a grid of cases × units,
/// which becomes the last of the states.
pub(super) fn descend(
    lower: &[Directed],
    device: &Device,
    top: Expr<'_>,
    grid: [usize; 2],
    states: &mut Vec<Tensor>,
    key: Key,
) {
    let columns = lower.iter().map(|layer| layer.recognition.weights.rows()).chain([grid[1]]);
    let states = keep_or_make_all(states, device, grid[0], columns);
    states[lower.len()].assign(top);
    for (index, layer) in lower.iter().enumerate().rev() {
        let (below, above) = states.split_at_mut(index + 1);
        layer.generative.sample(above[0].view(), key.fold_in(index as u64), below[index].view_mut());
    }
}
