//! The weights of a network by their name, for pictures.

use ndarray::Array2;
use nn_core::Parameters;

use crate::run_error::{RunError, WhileDoing};

/// The parameter of this name, such as `conv1.weights`, if there is one. Waits for the device.
///
/// # Errors
/// If the device failed.
pub fn find(network: &dyn Parameters, name: &str) -> Result<Option<Array2<f32>>, RunError> {
    let mut found = None;
    network.visit(&mut |other, tensor| {
        if other == name {
            found = Some(tensor);
        }
    });
    found.map(|tensor| tensor.to_array()).transpose().while_doing("reading weights for a picture")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::{Activation, Device, Key, Loss, Network, init::Initialization};

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        let (device, draw) = (Device::cpu(), Initialization::default());
        let sizes = [3, 2, 4];
        let network =
            Network::perceptron(&device, &sizes, Activation::Tanh, draw, Loss::CrossEntropy, Key::new(1));
        let network = network.unwrap();
        assert_eq!(find(&network, "hidden1.weights").unwrap().unwrap().dim(), (3, 2));
        assert_eq!(find(&network, "output.biases").unwrap().unwrap().dim(), (1, 4));
        assert!(find(&network, "output").unwrap().is_none());
    }
}
