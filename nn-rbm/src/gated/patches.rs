//! Patches of images in the order of hidden units: block after block.

use crate::convolutional::{Geometry, geometry::Expansion};
use ndarray::Array2;
use nn_core::{ACC, Device, Operand, Tensor, Window};

/// Takes patches of P = w² · channels values, one for each position of a map, and adds them up into images again.
///
/// What a block sees times a matrix of zeros and ones are the patches of its units beside each other. So one product
/// writes (cases · blocks) × (C² · P), which is the same memory as (cases · positions) × P with positions in the order of
/// the hidden units, and its transpose leads back.
#[derive(Debug)]
pub(super) struct Patches {
    window: Window,
    /// What a block sees × (C² · P).
    selection: Tensor,
    len: usize,
    positions: usize,
}

impl Patches {
    pub(super) fn new(device: &Device, geometry: Geometry) -> Patches {
        let len = geometry.filter * geometry.filter * geometry.channels;
        let selection = Expansion::new(geometry).expand(&device.tensor(&Array2::eye(len)));
        Patches { window: geometry.window(), selection, len, positions: geometry.map_len() }
    }

    /// P
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// (cases · positions) × P
    #[track_caller]
    pub(super) fn of(&self, images: &Tensor) -> Tensor {
        let mut out = images.device().zeros(images.rows() * self.window.count(), self.selection.columns());
        out.product(Operand::patches(images, &self.window).dot(&self.selection), ACC);
        out.reshape(images.rows() * self.positions, self.len)
    }

    /// out (cases × image) = Σ of patches, (cases · positions) × P, where they lie: the adjoint of [`Patches::of`].
    pub(super) fn fold(&self, patches: Tensor, out: &mut Tensor) {
        let blocks = out.rows() * self.window.count();
        let patches = patches.reshape(blocks, self.selection.columns());
        let mut fields = out.device().zeros(blocks, self.selection.rows());
        fields.product(patches.dot(self.selection.t()), ACC);
        out.view_mut().fold(&self.window, &fields, ACC);
    }
}
