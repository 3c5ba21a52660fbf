//! Features less their means and of a known length: what a softmax learns from at a known rate.

use nn_core::{
    ACC, Device, Error, Expr, Layer, Over, Parameters, Pass, Reduction, Sum, Tensor, View, ViewMut, x,
};

/// y = (x − m) · s for fixed m, 1 × features, and a fixed number s. No parameters.
#[derive(Debug)]
pub struct Standardization {
    means: Tensor,
    factor: f64,
}

impl Standardization {
    /// With m the means of these features (cases × features), and s such that the mean of |y|² over these cases is 1.
    /// The same s for all features: what is weak beside others stays so. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn of(features: &Tensor) -> Result<Standardization, Error> {
        let (grid, cases) = ([features.rows(), features.columns()], features.rows() as f64);
        let mut means = features.device().zeros(1, grid[1]);
        means.reduce(grid, Over::Rows, Reduction::Sum, features, ACC * (1.0 / cases));
        let mut variances = features.device().zeros(1, grid[1]);
        let squares = (x(features) - &means).square();
        variances.reduce(grid, Over::Rows, Reduction::Sum, squares, ACC * (1.0 / cases));
        let squared_length = variances.to_array_f64()?.sum();
        let factor = if squared_length > 0.0 { squared_length.sqrt().recip() } else { 1.0 };
        Ok(Standardization { means, factor })
    }

    /// These features (cases × features) standardised.
    pub fn apply(&self, features: &Tensor) -> Tensor {
        let mut out = features.device().zeros(features.rows(), features.columns());
        self.forward(features.view(), &mut out, &mut [], Pass::Testing);
        out
    }
}

impl Parameters for Standardization {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl Layer for Standardization {
    fn inputs(&self) -> usize {
        self.means.columns()
    }
    fn outputs(&self) -> usize {
        self.inputs()
    }
    fn saved(&self, _: &Device, _: usize) -> Vec<Tensor> {
        Vec::new()
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, _: &mut [Tensor], _: Pass) {
        outputs.assign((x(inputs) - &self.means) * self.factor);
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        _: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        input_gradient.assign(then.with_acc(&(x(delta) * self.factor)));
    }
    fn gradients<'a>(&self, _: View<'a>, _: &'a Tensor, _: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use nn_core::init::Initialization;
    use nn_core::layer::Dense;
    use nn_core::network::{Workspace, named};
    use nn_core::{Activation, Key, Loss, Network, check_gradient};

    #[test]
    fn features_have_no_mean_and_a_length_of_one() {
        let features = Device::reference().tensor_f64(&arr2(&[[1.0, 5.0], [7.0, 13.0]]));
        let standardization = Standardization::of(&features).unwrap();
        // Less means of 4 and 9: ∓3 and ∓4, of length 5.
        let found = standardization.apply(&features).to_array_f64().unwrap();
        assert!((&found - &arr2(&[[-0.6, -0.8], [0.6, 0.8]])).iter().all(|off| off.abs() < 1e-12), "{found}");
        let constant = Standardization::of(&Device::reference().full(3, 2, 4.0)).unwrap();
        assert_eq!(constant.apply(&features).to_array_f64().unwrap(), arr2(&[[-3.0, 1.0], [3.0, 9.0]]));
    }

    #[test]
    fn the_gradient_below_it() {
        let (device, draw) = (Device::reference(), Initialization::Normal { deviation: 0.5 });
        let [inputs, targets] =
            [(4, 1), (2, 2)].map(|(columns, seed)| draw.dense(&device, 5, columns, Key::new(seed)));
        let (inputs, targets) = (inputs.unwrap(), targets.unwrap());
        let below = Dense::new(&device, 4, 2, Activation::Tanh, draw, Key::new(3)).unwrap();
        let layers =
            vec![named("below", below), named("standardization", Standardization::of(&targets).unwrap())];
        let mut network = Network::new(layers, Loss::SquaredError).unwrap();
        let mut workspace = Workspace::new();
        network.forward(inputs.view(), &mut workspace, Pass::Testing);
        let sums = network.backward(inputs.view(), targets.view(), &mut workspace);
        let stored = sums.iter().map(|sum| {
            let mut values = device.zeros(sum.shape()[0], sum.shape()[1]);
            sum.store(values.view_mut(), ACC);
            values
        });
        let gradients: Vec<Tensor> = stored.collect();
        let loss = |network: &Network| Ok(network.evaluate(inputs.view(), targets.view())?.loss);
        assert!(check_gradient(&mut network, &gradients, loss).unwrap().relative < 1e-6);
    }
}
