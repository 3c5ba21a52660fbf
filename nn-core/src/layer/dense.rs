//! The fully connected layer.

use super::{Activation, Layer, Pass};
use crate::{
    ACC, Device, Error, Expr, Key, Over, Parameters, Reduction, Sum, Tensor, View, ViewMut,
    init::Initialization, x,
};

/// y = f(x·W + b)
///
/// Parameters: `weights` inputs × outputs, `biases` 1 × outputs. Forward is one product, biases and activation in its
/// store; backward is one product for ∂L/∂x, one for ∂L/∂W (which the optimiser carries out) and a sum of rows for
/// ∂L/∂b.
#[derive(Debug)]
pub struct Dense {
    /// W, inputs × outputs.
    pub weights: Tensor,
    /// b, 1 × outputs.
    pub biases: Tensor,
    /// f
    pub activation: Activation,
}

impl Dense {
    /// A layer with drawn weights and biases of zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for no inputs or outputs, or a parameter of the activation or of the first values.
    pub fn new(
        device: &Device,
        inputs: usize,
        outputs: usize,
        activation: Activation,
        initialization: Initialization,
        key: Key,
    ) -> Result<Dense, Error> {
        for (name, count) in [("inputs", inputs), ("outputs", outputs)] {
            if count == 0 {
                return Err(Error::setting(name, count, "a dense layer needs at least one"));
            }
        }
        let weights = initialization.dense(device, inputs, outputs, key)?;
        Dense::with_parameters(weights, device.zeros(1, outputs), activation)
    }

    /// A layer with these weights (inputs × outputs) and biases (1 × outputs).
    ///
    /// # Errors
    /// [`Error::Setting`] for a parameter of the activation.
    ///
    /// # Panics
    /// If weights and biases do not fit.
    #[track_caller]
    pub fn with_parameters(weights: Tensor, biases: Tensor, activation: Activation) -> Result<Dense, Error> {
        activation.check()?;
        assert!(
            biases.rows() == 1 && biases.columns() == weights.columns(),
            "biases {biases:?} beside weights {weights:?}"
        );
        Ok(Dense { weights, biases, activation })
    }

    /// The same layer with biases of this value, such as 1 before rectified units.
    pub fn with_biases(mut self, value: f32) -> Dense {
        self.biases.assign(value);
        self
    }

    /// y of these cases.
    pub fn apply(&self, inputs: View<'_>, outputs: ViewMut<'_>) {
        outputs.product(inputs.dot(&self.weights), self.activation.apply(ACC + &self.biases));
    }

    /// A copy of the layer.
    pub fn duplicate(&self) -> Dense {
        let (weights, biases) = (self.weights.duplicate(), self.biases.duplicate());
        Dense { weights, biases, activation: self.activation }
    }
}

impl Parameters for Dense {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
        see("biases", &self.biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
        see("biases", &mut self.biases);
    }
}

/// Saved: the gradient of the biases, and a = x·W + b where the slope needs it.
impl Layer for Dense {
    fn inputs(&self) -> usize {
        self.weights.rows()
    }
    fn outputs(&self) -> usize {
        self.weights.columns()
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let mut saved = vec![device.zeros(1, self.outputs())];
        if self.activation.slope_needs_input() {
            saved.push(device.zeros(cases, self.outputs()));
        }
        saved
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        let Some(a) = saved.get_mut(1) else { return self.apply(inputs, outputs.view_mut()) };
        a.product(inputs.dot(&self.weights), ACC + &self.biases);
        outputs.assign(self.activation.apply(x(&*a)));
    }
    /// f(c·(x·W) + b)
    fn forward_scaled(&self, inputs: View<'_>, factor: f32, outputs: &mut Tensor) -> bool {
        outputs
            .view_mut()
            .product(inputs.dot(&self.weights), self.activation.apply(ACC * factor + &self.biases));
        true
    }
    fn slope<'a>(&self, gradient: Expr<'a>, outputs: &'a Tensor, saved: &'a [Tensor]) -> Expr<'a> {
        self.activation.slope(gradient, outputs, saved.get(1))
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        _: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        input_gradient.product(delta.dot(self.weights.t()), then);
    }
    fn gradients<'a>(&self, inputs: View<'a>, delta: &'a Tensor, saved: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        let grid = [delta.rows(), delta.columns()];
        let biases = &mut saved[0];
        biases.reduce(grid, Over::Rows, Reduction::Sum, delta, ACC);
        vec![inputs.t().dot(delta).into(), Sum::from(&*biases)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn outputs_by_hand() {
        let device = Device::reference();
        let weights = device.tensor_f64(&arr2(&[[1.0, -1.0], [0.5, 2.0]]));
        let biases = device.tensor_f64(&arr2(&[[0.25, -0.5]]));
        let dense = Dense::with_parameters(weights, biases, Activation::RectifiedLinear).unwrap();
        let inputs = device.tensor_f64(&arr2(&[[2.0, 1.0], [1.0, -4.0]]));
        let mut outputs = device.zeros(2, 2);
        dense.apply(inputs.view(), outputs.view_mut());
        assert_eq!(outputs.to_array_f64().unwrap(), arr2(&[[2.75, 0.0], [0.0, 0.0]]));
    }

    #[test]
    fn an_empty_layer_is_refused() {
        let device = Device::cpu();
        let new = |inputs, outputs| {
            let initialization = Initialization::default();
            Dense::new(&device, inputs, outputs, Activation::Tanh, initialization, Key::new(1))
        };
        assert_eq!(new(0, 3).unwrap_err().to_string(), "inputs is 0, but a dense layer needs at least one");
        assert!(new(3, 0).unwrap_err().to_string().starts_with("outputs is 0"));
    }
}
