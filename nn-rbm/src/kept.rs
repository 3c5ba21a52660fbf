//! Memory that is kept from update to update.

use nn_core::{Device, Tensor};

/// A tensor of this shape, the one that is kept where it has it already.
pub(crate) fn keep_or_make<'a>(
    kept: &'a mut Option<Tensor>,
    device: &Device,
    rows: usize,
    columns: usize,
) -> &'a mut Tensor {
    if kept.as_ref().is_none_or(|tensor| tensor.rows() != rows || tensor.columns() != columns) {
        *kept = Some(device.zeros(rows, columns));
    }
    kept.as_mut().expect("was just made")
}

/// Tensors of as many rows as there are cases and these numbers of columns, those that are kept where they fit.
pub(crate) fn keep_or_make_all<'a>(
    kept: &'a mut Vec<Tensor>,
    device: &Device,
    rows: usize,
    columns: impl Iterator<Item = usize>,
) -> &'a mut [Tensor] {
    if kept.first().is_none_or(|tensor| tensor.rows() != rows) {
        *kept = columns.map(|columns| device.zeros(rows, columns)).collect();
    }
    kept
}
