//! What joins two layers of units.

use nn_core::{ACC, OLD, Product, Tensor, View};

/// W between the units below and those above, linear in both: their energy is −S(below)·W·aboveᵀ.
///
/// A tensor is one, a matrix of units below × units above. Others have fewer weights than W has places: the energy and its
/// gradient are those of W, which need not be made.
///
/// # How to add a connection
///
/// Write the five methods, of which three compute: up, its transpose down, and the derivative of their common energy by the
/// weights. Here two halves of the units below send to two halves of those above by the same weights, so W has two equal
/// blocks and two of zeros:
///
/// ```
/// use ndarray::array;
/// use nn_core::{ACC, Device, OLD, Product, Tensor, View};
/// use nn_rbm::Connection;
///
/// #[derive(Debug)]
/// struct Halves(Tensor);
///
/// impl Connection for Halves {
///     fn weights(&self) -> &Tensor {
///         &self.0
///     }
///     fn weights_mut(&mut self) -> &mut Tensor {
///         &mut self.0
///     }
///     fn add_up(&self, below: View<'_>, out: &mut Tensor) {
///         out.view_mut().split_rows(2).product(below.split_rows(2).dot(&self.0), OLD + ACC);
///     }
///     fn add_down(&self, above: View<'_>, out: &mut Tensor) {
///         out.view_mut().split_rows(2).product(above.split_rows(2).dot(self.0.t()), OLD + ACC);
///     }
///     fn pairs<'a>(&self, below: View<'a>, above: View<'a>) -> Product<'a> {
///         below.split_rows(2).t().dot(above.split_rows(2))
///     }
/// }
///
/// let device = Device::reference();
/// let halves = Halves(device.tensor(&array![[2.0f32], [3.0]]));
/// let (below, mut above) = (device.tensor(&array![[1.0f32, 0.0, 1.0, 1.0]]), device.zeros(1, 2));
/// halves.add_up(below.view(), &mut above);
/// assert_eq!(above.to_array().unwrap(), array![[2.0, 5.0]]);
/// ```
///
/// Its test is that of `nn-rbm/tests/shape_gradients.rs`: the gradient by shared weights is the sum of those by every copy of them, and
/// exact by enumeration of a tiny machine.
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
