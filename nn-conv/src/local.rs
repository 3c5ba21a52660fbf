//! The locally connected layer: filters that are not shared.

use crate::{
    Filters,
    activate::{activate, kept},
    geometry::rows_of,
};
use nn_core::layer::room;
use nn_core::{
    ACC, Activation, Batch, Device, Error, Expr, Key, Layer, Operand, Over, Parameters, Pass, Product,
    Reduction, Sum, Tensor, View, ViewMut, Window, init::Initialization,
};

/// y\[p, m\] = f(Σ patch\[p, q\] · W\[p\]\[q, m\] + b\[p, m\]): a convolution with filters of its own at each position p.
///
/// Shapes and geometry are those of a [`Convolution`](crate::Convolution). Parameters: `weights` (positions · patch
/// length) × maps, the filters of one position below those of the other; `biases` 1 × (positions · maps).
///
/// Every pass is one product in blocks, a block for each position over all cases.
#[derive(Debug)]
pub struct Local {
    /// W, (positions · patch length) × maps.
    pub weights: Tensor,
    /// b, 1 × (positions · maps).
    pub biases: Tensor,
    /// f
    pub activation: Activation,
    window: Window,
}

impl Local {
    /// A layer with drawn weights and biases of zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for a window that does not fit its images, no maps, or a parameter of the activation or of
    /// the first values.
    pub fn new(
        device: &Device,
        filters: Filters,
        activation: Activation,
        initialization: Initialization,
        key: Key,
    ) -> Result<Local, Error> {
        filters.check("untied layer")?;
        let weights = filters.weights(device, filters.window.count(), initialization, key)?;
        Local::with_parameters(filters.window, weights, device.zeros(1, filters.outputs()), activation)
    }

    /// A layer with these weights ((positions · patch length) × maps) and biases (1 × positions · maps).
    ///
    /// # Errors
    /// [`Error::Setting`] for a window that does not fit its images, no maps, or a parameter of the activation.
    ///
    /// # Panics
    /// If weights, biases and window do not fit each other.
    #[track_caller]
    pub fn with_parameters(
        window: Window,
        weights: Tensor,
        biases: Tensor,
        activation: Activation,
    ) -> Result<Local, Error> {
        let filters = Filters { window, maps: weights.columns() };
        filters.check("untied layer")?;
        activation.check()?;
        assert!(
            weights.rows() == window.count() * window.patch_len()
                && [biases.rows(), biases.columns()] == [1, filters.outputs()],
            "weights {weights:?} and biases {biases:?} for {window:?}"
        );
        Ok(Local::of_parts(window, weights, biases, activation))
    }

    pub(crate) fn of_parts(window: Window, weights: Tensor, biases: Tensor, activation: Activation) -> Local {
        Local { weights, biases, activation, window }
    }

    /// The same layer with biases of this value, such as 1 before rectified units.
    pub fn with_biases(mut self, value: f32) -> Local {
        self.biases.assign(value);
        self
    }

    /// The geometry.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Maps of the output.
    pub fn maps(&self) -> usize {
        self.weights.columns()
    }
}

/// The patches of each position times the filters of this position: cases × (positions · maps).
pub(crate) fn responses<'a>(inputs: View<'a>, window: &Window, weights: &'a Tensor) -> Product<'a> {
    let batch = Batch { blocks: window.count(), left_rows: true, right_rows: true, out_rows: false };
    Product::batched(Operand::patches(inputs, window), weights.view().into(), batch)
}

/// The gradient of the filters of each position: (positions · patch length) × maps.
pub(crate) fn filter_gradient<'a>(inputs: View<'a>, window: &Window, delta: &'a Tensor) -> Product<'a> {
    let batch = Batch { blocks: window.count(), left_rows: false, right_rows: false, out_rows: true };
    Product::batched(Operand::patches(inputs, window).t(), delta.view().into(), batch)
}

/// The gradient of the patches, cases × (positions · patch length): the same memory as patches below each other.
pub(crate) fn patch_gradient<'a>(delta: &'a Tensor, window: &Window, weights: &'a Tensor) -> Product<'a> {
    let batch = Batch { blocks: window.count(), left_rows: false, right_rows: false, out_rows: false };
    Product::batched(delta.view().into(), weights.t(), batch)
}

impl Parameters for Local {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
        see("biases", &self.biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
        see("biases", &mut self.biases);
    }
}

/// Saved: the gradient of the patches, made by the first pass back; that of the biases; a where the slope needs it.
impl Layer for Local {
    fn inputs(&self) -> usize {
        self.window.image_len()
    }
    fn outputs(&self) -> usize {
        self.biases.columns()
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let mut saved = vec![device.zeros(0, 0), device.zeros(1, self.outputs())];
        saved.extend(kept(self.activation, device, cases, self.outputs()));
        saved
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        activate(self.activation, outputs, saved.get_mut(2), |out, f| {
            out.product(responses(inputs, &self.window, &self.weights), f.apply(ACC + &self.biases));
        });
    }
    fn slope<'a>(&self, gradient: Expr<'a>, outputs: &'a Tensor, saved: &'a [Tensor]) -> Expr<'a> {
        self.activation.slope(gradient, outputs, saved.get(2))
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let positions = self.window.count();
        let patches = room(&mut saved[0], delta.rows(), positions * self.window.patch_len());
        patches.product(patch_gradient(delta, &self.window, &self.weights), ACC);
        input_gradient.fold(&self.window, rows_of(patches.view(), positions), then);
    }
    fn gradients<'a>(&self, inputs: View<'a>, delta: &'a Tensor, saved: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        let biases = &mut saved[1];
        biases.reduce([delta.rows(), delta.columns()], Over::Rows, Reduction::Sum, delta, ACC);
        vec![filter_gradient(inputs, &self.window, delta).into(), Sum::from(&*biases)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_tests::{check_layer, numbers};

    #[test]
    fn gradients_and_devices_agree() {
        for (name, window, activation) in [
            ("valid", Window::new(4, 5, 2, 3), Activation::Identity),
            ("padded", Window::new(3, 3, 2, 3).padding(1), Activation::Tanh),
            ("hanging over", Window::new(4, 4, 2, 3).stride(2).ceil(), Activation::Absolute),
        ] {
            let new = |device: &Device| {
                let (filters, draw) = (Filters::new(window, 3), Initialization::default());
                Ok(Box::new(Local::new(device, filters, activation, draw, Key::new(1))?) as Box<_>)
            };
            check_layer(name, new, &numbers(3, window.image_len(), 5), Pass::Testing);
        }
    }

    #[test]
    fn a_window_larger_than_the_image_is_refused() {
        let (filters, draw) = (Filters::new(Window::new(3, 3, 1, 4), 2), Initialization::default());
        let layer = Local::new(&Device::cpu(), filters, Activation::Identity, draw, Key::new(1));
        let message = layer.unwrap_err().to_string();
        assert!(message.starts_with("untied layer: kernel is 4×4, but an image of 3×3"), "{message}");
    }
}
