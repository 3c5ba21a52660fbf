//! What joins two layers of units.

use nn_core::{ACC, OLD, Product, Tensor, View};

/// W between the units below and those above, linear in both: their energy is −S(below)·W·aboveᵀ.
///
/// A tensor is one, a matrix of units below × units above. Others have fewer weights than W has places: the energy and its
/// gradient are those of W, which need not be made.
pub trait Connection: std::fmt::Debug + Send + Sync {
    /// The weights, as they are learned.
    fn weights(&self) -> &Tensor;

    /// The weights, to be changed.
    fn weights_mut(&mut self) -> &mut Tensor;

    /// W, units below × units above, where that is what the weights are.
    fn matrix(&self) -> Option<&Tensor> {
        None
    }

    /// out (cases × units above) += S·W, for statistics of the units below. Waits for nothing.
    fn add_up(&self, below: View<'_>, out: &mut Tensor);

    /// out (cases × units below) += h·Wᵀ, for states of the units above. Waits for nothing.
    fn add_down(&self, above: View<'_>, out: &mut Tensor);

    /// Σ over cases of ∂(S·W·hᵀ)/∂weights, of the shape of the weights.
    fn pairs<'a>(&self, below: View<'a>, above: View<'a>) -> Product<'a>;
}

impl Connection for Tensor {
    fn weights(&self) -> &Tensor {
        self
    }
    fn weights_mut(&mut self) -> &mut Tensor {
        self
    }
    fn matrix(&self) -> Option<&Tensor> {
        Some(self)
    }
    fn add_up(&self, below: View<'_>, out: &mut Tensor) {
        out.product(below.dot(self), OLD + ACC);
    }
    fn add_down(&self, above: View<'_>, out: &mut Tensor) {
        out.product(above.dot(self.t()), OLD + ACC);
    }
    fn pairs<'a>(&self, below: View<'a>, above: View<'a>) -> Product<'a> {
        below.t().dot(above)
    }
}
