//! A target for how often hidden units of a map are on.

use nn_core::Error;

/// Pulls the mean activity of the hidden units of every map towards p: cost · (⟨P(h = 1 | v)⟩ − p) is added to the gradient
/// of its bias alone, the mean over positions and the data of one update (Lee et al., 2009).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MapSparsity {
    target: f32,
    cost: f32,
}

impl MapSparsity {
    /// A target p in (0, 1) for single units, of which a block has C², and the cost.
    ///
    /// # Errors
    /// For values out of range.
    pub fn new(target: f32, cost: f32) -> Result<MapSparsity, Error> {
        if !(target > 0.0 && target < 1.0) {
            let allowed = "it must lie between 0 and 1, both excluded";
            return Err(Error::setting("sparsity target", target, allowed));
        }
        if !(0.0..f32::INFINITY).contains(&cost) {
            return Err(Error::setting("sparsity cost", cost, "it must be zero or positive"));
        }
        Ok(MapSparsity { target, cost })
    }

    /// p
    pub fn target(&self) -> f32 {
        self.target
    }

    /// The factor on the pull.
    pub fn cost(&self) -> f32 {
        self.cost
    }
}
