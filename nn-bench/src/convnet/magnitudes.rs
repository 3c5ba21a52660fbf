//! How large parameters are, and by how much the last update changed them: the first thing to look at when a network does
//! not learn.

use nn_core::{Error, Parameters, Sgd, SupervisedLearner, Tensor};

/// Mean magnitudes of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Magnitude {
    /// Such as `conv1.weights`.
    pub name: String,
    /// Of its values.
    pub value: f64,
    /// Of their last increments.
    pub increment: f64,
}

/// The magnitudes of all parameters. Waits for the device.
///
/// # Errors
/// If the device failed.
pub fn magnitudes(learner: &SupervisedLearner<Sgd>) -> Result<Vec<Magnitude>, Error> {
    let (mut values, mut increments) = (Vec::new(), Vec::new());
    learner.network.visit(&mut |name, tensor| values.push((name.to_string(), tensor)));
    learner.optimizer.visit(&mut |_, tensor| increments.push(tensor));
    let magnitude = |((name, value), increment): ((String, &Tensor), &Tensor)| {
        Ok(Magnitude { name, value: mean_magnitude(value)?, increment: mean_magnitude(increment)? })
    };
    values.into_iter().zip(increments).map(magnitude).collect()
}

fn mean_magnitude(tensor: &Tensor) -> Result<f64, Error> {
    Ok(tensor.to_array_f64()?.mapv(f64::abs).mean().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use nn_core::{Activation, Device, Learner, Loss, Network, Penalty, layer::Dense, network::named};

    /// The gradient of ½·(w·x + b)² at x = 3, w = −2, b = 1 is −15 by w and −5 by b.
    #[test]
    fn magnitudes_by_hand() {
        let device = Device::reference();
        let (weights, biases) = (device.full(1, 1, -2.0), device.full(1, 1, 1.0));
        let dense = Dense::with_parameters(weights, biases, Activation::Identity).unwrap();
        let network = Network::new(vec![named("fc", dense)], Loss::SquaredError).unwrap();
        let sgd = Sgd::new(&network, 0.125, 0.0, Penalty::default()).unwrap();
        let mut learner = SupervisedLearner::new(network, sgd);
        let cases = nn_core::Cases::new(device.tensor(&arr2(&[[3.0f32]])), device.zeros(1, 1));
        learner.update(&cases, 0, nn_core::Key::new(1));
        let found = magnitudes(&learner).unwrap();
        let expected = [("fc.weights", 0.125, 1.875), ("fc.biases", 1.625, 0.625)];
        let expected =
            expected.map(|(name, value, increment)| Magnitude { name: name.into(), value, increment });
        assert_eq!(found, expected);
    }
}
