//! The machine as a model with a code: hidden means up, visible means down; to be stacked and made a network.

use crate::{Rbm, units::Units};
use ndarray::Array2;
use nn_core::{ACC, Activation, DenseLatentModel, Error, LatentModel, Tensor, View, ViewMut, layer::Dense};

impl LatentModel for Rbm {
    fn inputs(&self) -> usize {
        self.visible.len()
    }
    fn codes(&self) -> usize {
        self.hidden.len()
    }
    /// codes = E[h | v]
    fn encode(&self, inputs: View<'_>, codes: ViewMut<'_>) {
        self.distribution().with_hidden_input(inputs, |input| self.hidden.mean(input, codes));
    }
    /// inputs = E[v | h]
    fn decode(&self, codes: View<'_>, inputs: ViewMut<'_>) {
        self.visible.mean(&self.distribution().visible_input(codes), inputs);
    }
}

/// Layers of Bernoulli units (logistic) and Gaussian ones (the identity).
impl DenseLatentModel for Rbm {
    fn encoder_layer(&self) -> Result<Dense, Error> {
        let (activation, biases) = activation(&*self.hidden)?;
        Dense::with_parameters(weights_of_states(&*self.visible, &self.weights), biases, activation)
    }

    fn decoder_layer(&self) -> Result<Dense, Error> {
        let (activation, biases) = activation(&*self.visible)?;
        Dense::with_parameters(self.weights.transposed()?, biases, activation)
    }
}

/// M with v·M = S(v)·W: the weights, times the factors of a statistic that is linear in v.
pub(crate) fn weights_of_states(visible: &dyn Units, weights: &Tensor) -> Tensor {
    if visible.plain_statistic() {
        return weights.duplicate();
    }
    let (device, units) = (weights.device(), visible.len());
    let identity = device.tensor(&Array2::eye(units));
    let (mut statistic, mut out) = (device.zeros(units, units), device.zeros(units, weights.columns()));
    visible.statistic(identity.view(), statistic.view_mut());
    out.product(statistic.dot(weights), ACC);
    out
}

/// The function and the biases of which E[s | input] = f(input + biases), for units that have them.
pub(crate) fn activation(units: &dyn Units) -> Result<(Activation, Tensor), Error> {
    let refusal = || {
        let allowed = "only Bernoulli and Gaussian units make a layer of a network";
        Error::setting("units", units.kind(), allowed)
    };
    let (activation, biases) = units.mean_activation().ok_or_else(refusal)?;
    Ok((activation, biases.duplicate()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bernoulli, Gaussian, Rectified, Softmax};
    use nn_core::{Device, Key, Loss, Stack, init, latent::codes, latent::reconstructions};

    fn noise(device: &Device, rows: usize, columns: usize, seed: u64) -> Tensor {
        init::normal(device, rows, columns, 0.7, Key::new(seed))
    }

    fn binary(device: &Device, visible: usize, hidden: usize, seed: u64) -> Rbm {
        let units = |count, seed| Box::new(Bernoulli { biases: noise(device, 1, count, seed) });
        let (visible, hidden) = (units(visible, seed), units(hidden, seed + 1));
        let mut rbm = Rbm::new(device, visible, hidden, Key::new(seed)).unwrap();
        rbm.weights = noise(device, rbm.visible.len(), rbm.hidden.len(), seed + 2);
        rbm
    }

    fn gaussian(device: &Device, visible: usize, hidden: usize) -> Rbm {
        let mut units = Gaussian::new(device, visible, 1.0).unwrap();
        units.means = noise(device, 1, visible, 20);
        units.log_variances = noise(device, 1, visible, 21);
        Rbm { visible: Box::new(units), ..binary(device, visible, hidden, 22) }
    }

    fn near(a: &Tensor, b: &Tensor) -> bool {
        let difference = a.to_array_f64().unwrap() - b.to_array_f64().unwrap();
        difference.iter().all(|difference| difference.abs() < 1e-12)
    }

    /// Codes and reconstructions are the means of the machine, and the layers compute the same, also from units with a
    /// variance each.
    #[test]
    fn layers_compute_the_means() {
        let device = Device::reference();
        for rbm in [binary(&device, 5, 4, 1), gaussian(&device, 5, 4)] {
            let inputs = noise(&device, 3, 5, 9);
            let hidden = rbm.mean_hidden(&inputs);
            assert!(near(&codes(&rbm, inputs.view()), &hidden));
            assert!(near(&reconstructions(&rbm, inputs.view()), &rbm.mean_visible(&hidden)));
            let (mut up, mut down) = (device.zeros(3, 4), device.zeros(3, 5));
            rbm.encoder_layer().unwrap().apply(inputs.view(), up.view_mut());
            rbm.decoder_layer().unwrap().apply(hidden.view(), down.view_mut());
            assert!(near(&up, &hidden) && near(&down, &rbm.mean_visible(&hidden)));
        }
    }

    /// Machines on top of each other unroll to an autoencoder that reconstructs as they do.
    #[test]
    fn a_stack_unrolls() {
        let device = Device::reference();
        let stack = Stack::new(vec![binary(&device, 6, 4, 1), binary(&device, 4, 2, 5)]).unwrap();
        let inputs = noise(&device, 3, 6, 9);
        let network = stack.unrolled(None, Loss::BinaryCrossEntropy).unwrap();
        assert!(near(&network.predict(inputs.view()), &reconstructions(&stack, inputs.view())));
        let real = Stack::new(vec![gaussian(&device, 6, 4)]).unwrap();
        let network = real.unrolled(None, Loss::SquaredError).unwrap();
        assert!(near(&network.predict(inputs.view()), &reconstructions(&real, inputs.view())));
        assert!(real.unrolled(None, Loss::BinaryCrossEntropy).is_err());
    }

    #[test]
    fn units_without_a_layer_are_refused() {
        let device = Device::cpu();
        let hidden: [Box<dyn Units>; 2] =
            [Box::new(Rectified::new(&device, 3)), Box::new(Softmax::new(&device, 1, 3).unwrap())];
        for hidden in hidden {
            let kind = hidden.kind();
            let rbm = Rbm::new(&device, Box::new(Bernoulli::new(&device, 2)), hidden, Key::new(1)).unwrap();
            let wanted =
                format!("units is {kind}, but only Bernoulli and Gaussian units make a layer of a network");
            assert_eq!(rbm.encoder_layer().unwrap_err().to_string(), wanted);
            assert!(rbm.decoder_layer().is_ok());
        }
    }
}
