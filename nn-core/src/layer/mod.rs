//! Maps with a known derivative, from which networks are built.
//!
//! A layer turns cases × inputs into cases × outputs. It owns its parameters and nothing else: outputs, deltas and what
//! it saves on the way belong to whoever runs it, so that parameters can change while gradients, which are only products
//! still to be carried out, are read.
//!
//! # Writing a layer
//!
//! Three formulas: what comes out, ∂L/∂x and ∂L/∂θ, both from δ. One factor for each value, y = s·x:
//!
//! ```
//! use nn_core::layer::{Dense, Layer, Pass};
//! use nn_core::network::{Workspace, named};
//! use nn_core::{ACC, Activation, Device, Error, Expr, Key, Loss, Network, Over, Parameters, Reduction, Sum, Tensor};
//! use nn_core::{View, ViewMut, check_gradient, init::Initialization, x};
//!
//! #[derive(Debug)]
//! struct Scale { factors: Tensor }
//!
//! impl Parameters for Scale {
//!     fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) { see("factors", &self.factors) }
//!     fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) { see("factors", &mut self.factors) }
//! }
//!
//! impl Layer for Scale {
//!     fn inputs(&self) -> usize { self.factors.columns() }
//!     fn outputs(&self) -> usize { self.factors.columns() }
//!     fn saved(&self, device: &Device, _cases: usize) -> Vec<Tensor> { vec![device.zeros(1, self.inputs())] }
//!     fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, _: &mut [Tensor], _: Pass) {
//!         outputs.assign(x(inputs) * &self.factors);
//!     }
//!     fn backward(&self, _: View<'_>, delta: &Tensor, _: &mut [Tensor], input_gradient: ViewMut<'_>, then: Expr<'_>) {
//!         input_gradient.assign(then.with_acc(&(x(delta) * &self.factors)));
//!     }
//!     fn gradients<'a>(&self, inputs: View<'a>, delta: &'a Tensor, saved: &'a mut [Tensor]) -> Vec<Sum<'a>> {
//!         let grid = [delta.rows(), delta.columns()];
//!         saved[0].reduce(grid, Over::Rows, Reduction::Sum, x(inputs) * delta, ACC);
//!         vec![Sum::from(&saved[0])]
//!     }
//! }
//!
//! // It trains on every backend. Its gradient is checked in double precision:
//! let device = Device::reference();
//! let draw = Initialization::Normal { deviation: 0.5 };
//! let top = Dense::new(&device, 4, 3, Activation::Identity, draw, Key::new(1))?;
//! let layers = vec![named("scale", Scale { factors: device.full(1, 4, 0.7) }), named("top", top)];
//! let mut network = Network::new(layers, Loss::SquaredError)?;
//! let (inputs, targets) = (draw.dense(&device, 5, 4, Key::new(2))?, draw.dense(&device, 5, 3, Key::new(3))?);
//! let mut workspace = Workspace::new();
//! network.forward(inputs.view(), &mut workspace, Pass::Testing);
//! let sums = network.backward(inputs.view(), targets.view(), &mut workspace);
//! let gradients: Vec<Tensor> = sums.iter().map(|sum| {
//!     let mut values = device.zeros(sum.shape()[0], sum.shape()[1]);
//!     sum.store(values.view_mut(), ACC);
//!     values
//! }).collect();
//! let loss = |network: &Network| Ok(network.evaluate(inputs.view(), targets.view())?.loss);
//! assert!(check_gradient(&mut network, &gradients, loss)?.relative < 1e-6);
//! # Ok::<(), Error>(())
//! ```

mod activation;
mod dense;
mod dropout;
mod softmax;

pub use activation::{Activation, Elementwise};
pub use dense::Dense;
pub use dropout::Dropout;
pub use softmax::Softmax;

use crate::{Device, Expr, Key, Parameters, Sum, Tensor, View, ViewMut};

/// Scratch of this shape, made where it has another: what a pass needs is made when it first runs, so that a network that is
/// only used has no room for learning.
pub fn room(tensor: &mut Tensor, rows: usize, columns: usize) -> &mut Tensor {
    if [tensor.rows(), tensor.columns()] != [rows, columns] {
        *tensor = tensor.device().zeros(rows, columns);
    }
    tensor
}

/// What a layer is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Learning; whatever the layer draws, it draws with this key.
    Training(Key),
    /// Using what was learned: no draws, expected values instead.
    Testing,
}

/// A map with a known derivative.
///
/// With outputs y = f(a), where a = a(x; θ) is what the activation f is applied to, let δ = ∂L/∂a = f′(a) · ∂L/∂y. Whoever
/// runs the layer stores ∂L/∂y through [`slope`](Layer::slope), so that the derivative of the activation costs no pass of
/// its own, and hands δ to the other two.
pub trait Layer: Parameters + std::fmt::Debug + Send {
    /// Values of a case that goes in.
    fn inputs(&self) -> usize;

    /// Values of a case that comes out.
    fn outputs(&self) -> usize;

    /// Tensors for so many cases in which [`forward`](Layer::forward) leaves what the other two need, and in which these
    /// leave gradients that are no products. None for many layers.
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let _ = (device, cases);
        Vec::new()
    }

    /// y = f(a(x))
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], pass: Pass);

    /// c, if all that the layer does in testing is y = c·x, so that the layer after it may see to that.
    fn factor(&self) -> Option<f32> {
        None
    }

    /// y = f(a(c·x)) in testing, with nothing saved. `false` says that nothing was done, as a layer has no better way than
    /// to be given c·x.
    fn forward_scaled(&self, inputs: View<'_>, factor: f32, outputs: &mut Tensor) -> bool {
        let _ = (inputs, factor, outputs);
        false
    }

    /// δ from ∂L/∂y, as a formula of the outputs: for the logistic function, `gradient · y · (1 − y)`.
    fn slope<'a>(&self, gradient: Expr<'a>, outputs: &'a Tensor, saved: &'a [Tensor]) -> Expr<'a> {
        let _ = (outputs, saved);
        gradient
    }

    /// ∂L/∂x = δ · ∂a/∂x, stored as then(`ACC`).
    fn backward(
        &self,
        inputs: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    );

    /// ∂L/∂θ summed over the cases, in the order in which the layer shows its parameters.
    fn gradients<'a>(&self, inputs: View<'a>, delta: &'a Tensor, saved: &'a mut [Tensor]) -> Vec<Sum<'a>>;
}
