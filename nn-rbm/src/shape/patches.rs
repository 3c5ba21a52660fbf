//! Overlapping patches of an image whose weights are shared.

use crate::Connection;
use nn_core::{
    ACC, Device, Error, Key, OLD, Operand, Product, Rounding, Tensor, View, Window, init::Initialization,
};

/// Patches of equal size that cover an image, each sharing a strip with its neighbours.
///
/// Along an axis n patches of p pixels start (size − overlap)/n pixels apart, p = (size − overlap)/n + overlap, so that the
/// first and the last one touch the edges: for 32 pixels, 2 patches and an overlap of 4 they are of 18 pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches {
    /// Pixels down.
    pub height: usize,
    /// Pixels across.
    pub width: usize,
    /// Patches down and across.
    pub grid: [usize; 2],
    /// Pixels that neighbouring patches share, down and across.
    pub overlap: usize,
}

impl Patches {
    /// Two by two patches.
    pub fn new(height: usize, width: usize, overlap: usize) -> Patches {
        Patches { height, width, grid: [2, 2], overlap }
    }

    /// The window whose positions are the patches.
    ///
    /// # Errors
    /// If there is no patch, the overlap is not less than the image, or the rest of a side cannot be divided by the
    /// patches along it.
    pub fn window(&self) -> Result<Window, Error> {
        let (mut kernel, mut stride) = ([0; 2], [0; 2]);
        for (axis, (side, name)) in [(self.height, "down"), (self.width, "across")].into_iter().enumerate() {
            let (count, overlap) = (self.grid[axis], self.overlap);
            if count == 0 || overlap >= side || !(side - overlap).is_multiple_of(count) {
                let given = format!("{count} with an overlap of {overlap}");
                let rule = format!(
                    "at least one patch must divide the {side} pixels without the overlap evenly, such as 2 patches of \
                     32 pixels with an overlap of 4"
                );
                return Err(Error::setting(&format!("patches {name}"), given, &rule));
            }
            stride[axis] = (side - overlap) / count;
            kernel[axis] = stride[axis] + overlap;
        }
        let (padding, rounding) = ([0; 2], Rounding::Floor);
        Ok(Window { height: self.height, width: self.width, channels: 1, kernel, stride, padding, rounding })
    }
}

/// The connection of an image to groups of units, one group for each patch, by the same weights.
///
/// Unit j of group g, column g·units + j, gets Σ patch_g\[q\]·W\[q, j\]; a pixel under several patches gets what all of them
/// send down. Patches are read in place; what is sent down is written as patches and folded into images.
#[derive(Debug)]
pub struct SharedPatches {
    /// W, pixels of a patch × units of a group.
    weights: Tensor,
    window: Window,
}

impl SharedPatches {
    /// A connection with drawn weights to so many units for each patch.
    ///
    /// # Errors
    /// As [`Patches::window`], without units, or for impossible first values.
    pub fn new(
        device: &Device,
        patches: Patches,
        units: usize,
        initialization: Initialization,
        key: Key,
    ) -> Result<SharedPatches, Error> {
        let window = patches.window()?;
        if units == 0 {
            return Err(Error::setting("units of a patch", units, "a patch needs at least one"));
        }
        let weights = initialization.dense(device, window.patch_len(), units, key)?;
        Ok(SharedPatches { weights, window })
    }
}

impl Connection for SharedPatches {
    fn weights(&self) -> &Tensor {
        &self.weights
    }
    fn weights_mut(&mut self) -> &mut Tensor {
        &mut self.weights
    }
    fn add_up(&self, below: View<'_>, out: &mut Tensor) {
        let product = Operand::patches(below, &self.window).dot(&self.weights);
        out.view_mut().split_rows(self.window.count()).product(product, OLD + ACC);
    }
    fn add_down(&self, above: View<'_>, out: &mut Tensor) {
        let groups = above.split_rows(self.window.count());
        let mut patches = out.device().zeros(groups.rows(), self.window.patch_len());
        patches.product(groups.dot(self.weights.t()), ACC);
        out.view_mut().fold(&self.window, &patches, OLD + ACC);
    }
    fn pairs<'a>(&self, below: View<'a>, above: View<'a>) -> Product<'a> {
        Operand::patches(below, &self.window).t().dot(above.split_rows(self.window.count()))
    }
}
