//! What filters look at, and how many of them.

use crate::geometry::check_window;
use nn_core::{Device, Error, Key, Tensor, Window, init::Initialization};

/// `maps` filters behind a window: what a convolution, an untied and a tiled layer have in common.
///
/// A filter has one weight for each value of a patch: kernel height · kernel width · channels of them. Filters are the
/// columns of a matrix, its rows ordered by (row of the kernel, column of the kernel, channel).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters {
    /// The geometry; `Window::ceil` where the last window may hang over the edge, as in cuda-convnet.
    pub window: Window,
    /// Filters at each position, which is values of the output at each position.
    pub maps: usize,
}

impl Filters {
    /// So many filters behind this window.
    pub fn new(window: Window, maps: usize) -> Filters {
        Filters { window, maps }
    }

    /// Refuses what has no output.
    pub(crate) fn check(&self, layer: &str) -> Result<(), Error> {
        check_window(layer, &self.window)?;
        if self.maps == 0 {
            return Err(Error::setting(&format!("{layer}: maps"), 0, "there is at least one"));
        }
        Ok(())
    }

    /// Values of one output: positions · maps.
    ///
    /// # Panics
    /// If the window does not fit its images.
    #[track_caller]
    pub fn outputs(&self) -> usize {
        self.window.count() * self.maps
    }

    /// Drawn filters, `sets` of them below each other. The fans are those of one filter: patch length, and maps ·
    /// kernel area.
    pub(crate) fn weights(
        &self,
        device: &Device,
        sets: usize,
        initialization: Initialization,
        key: Key,
    ) -> Result<Tensor, Error> {
        let (patch, area) = (self.window.patch_len(), self.window.kernel[0] * self.window.kernel[1]);
        let fans = [patch, area * self.maps];
        if let (Initialization::Sparse { .. }, 2..) = (initialization, sets) {
            // As many weights into each unit: every set is drawn by itself.
            let mut weights = device.zeros(sets * patch, self.maps);
            for set in 0..sets {
                let part =
                    initialization.tensor(device, [patch, self.maps], fans, key.fold_in(set as u64))?;
                weights.row_range_mut(set * patch..(set + 1) * patch).assign(&part);
            }
            return Ok(weights);
        }
        initialization.tensor(device, [sets * patch, self.maps], fans, key)
    }
}
