//! Layers one after the other, and a loss.

mod passes;
mod prediction;
mod workspace;

pub use prediction::Evaluation;
pub use workspace::Workspace;

use crate::{
    Device, Error, Key, Loss, Parameters, Tensor,
    init::Initialization,
    layer::{Activation, Dense, Layer},
    parameters::{visit_mut_under, visit_under},
};

/// A layer and its name.
pub type NamedLayer = (String, Box<dyn Layer>);

/// A layer with a name, for [`Network::new`].
pub fn named(name: &str, layer: impl Layer + 'static) -> NamedLayer {
    (name.to_string(), Box::new(layer))
}

/// Layers, each fed by the one before it, and the loss of what the last one gives.
///
/// Parameters: those of each layer under its name, such as `hidden1.weights`. What passes through lies in a [`Workspace`]
/// beside the network. A pass back costs a product for every layer but those up to the first one with parameters, whose
/// input gradient nobody needs; the slope of each layer is part of the store of the product above it.
///
/// ```
/// use ndarray::arr2;
/// use nn_core::{
///     Activation, Dataset, Device, Fit, Key, Learner, Loss, Network, Penalty, Sgd, SupervisedLearner,
///     init::Initialization,
/// };
/// use std::sync::atomic::AtomicBool;
///
/// // Exclusive or, by a hidden layer of four units.
/// let device = Device::cpu();
/// let inputs = arr2(&[[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
/// let data = Dataset::labelled(&device, inputs.view(), &[0, 1, 1, 0], 2)?;
/// let start = Initialization::Normal { deviation: 0.5 };
/// let sizes = [2, 4, 2];
/// let network = Network::perceptron(&device, &sizes, Activation::Tanh, start, Loss::CrossEntropy, Key::new(1))?;
/// let sgd = Sgd::new(&network, 0.2, 0.9, Penalty::default())?;
/// let mut learner = SupervisedLearner::new(network, sgd);
/// Fit::new(600, 4, Key::new(2)).run(&mut learner, &data, &mut [], &AtomicBool::new(false))?;
/// let probabilities = learner.network.predict(data.inputs().view()).to_array()?;
/// assert!(probabilities[[0, 0]] > 0.9 && probabilities[[1, 1]] > 0.9);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Network {
    layers: Vec<NamedLayer>,
    /// What is made small.
    pub loss: Loss,
}

impl Network {
    /// A network of these layers, from the inputs on.
    ///
    /// # Errors
    /// [`Error::Setting`] without layers, or for a layer whose name is not one of its own or whose inputs are not the
    /// outputs of the layer before it.
    pub fn new(layers: Vec<NamedLayer>, loss: Loss) -> Result<Network, Error> {
        if layers.is_empty() {
            return Err(Error::setting("layers of a network", 0, "it needs at least one"));
        }
        for (index, (name, layer)) in layers.iter().enumerate() {
            if name.is_empty() || name.contains('.') || layers[..index].iter().any(|(other, _)| other == name)
            {
                let allowed = "it must be a word without dots that no other layer has";
                return Err(Error::setting(
                    &format!("name of layer {}", index + 1),
                    format!("`{name}`"),
                    allowed,
                ));
            }
            if let Some((below, before)) = index.checked_sub(1).map(|below| &layers[below])
                && before.outputs() != layer.inputs()
            {
                let allowed = format!("layer {below} before it has {} outputs", before.outputs());
                return Err(Error::setting(&format!("inputs of layer {name}"), layer.inputs(), &allowed));
            }
        }
        Ok(Network { layers, loss })
    }

    /// A multilayer perceptron: dense layers `hidden1`, `hidden2`, … with this activation between `sizes[0]` inputs and
    /// as many outputs as the last size says, which the layer `output` gives to the loss without an activation.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than two sizes or an impossible one.
    pub fn perceptron(
        device: &Device,
        sizes: &[usize],
        activation: Activation,
        initialization: Initialization,
        loss: Loss,
        key: Key,
    ) -> Result<Network, Error> {
        let mut layers = Vec::new();
        for (index, pair) in sizes.windows(2).enumerate() {
            let last = index + 2 == sizes.len();
            let (name, activation) = match last {
                true => ("output".to_string(), Activation::Identity),
                false => (format!("hidden{}", index + 1), activation),
            };
            let key = key.fold_in(index as u64);
            layers.push(named(&name, Dense::new(device, pair[0], pair[1], activation, initialization, key)?));
        }
        Network::new(layers, loss)
    }

    /// The layers with their names.
    pub fn layers(&self) -> &[NamedLayer] {
        &self.layers
    }

    /// The layers, to be put together otherwise.
    pub fn into_layers(self) -> Vec<NamedLayer> {
        self.layers
    }

    /// The network with other layers in the place of its last one: how a supervised network grows layer by layer.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn with_new_top(mut self, layers: Vec<NamedLayer>) -> Result<Network, Error> {
        self.layers.pop();
        self.layers.extend(layers);
        Network::new(self.layers, self.loss)
    }

    /// Values of a case that goes in.
    pub fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |(_, layer)| layer.inputs())
    }

    /// Values of a case that comes out.
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |(_, layer)| layer.outputs())
    }
}

impl Parameters for Network {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (name, layer) in &self.layers {
            visit_under(name, &**layer as &dyn Parameters, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (name, layer) in &mut self.layers {
            visit_mut_under(name, &mut **layer as &mut dyn Parameters, see);
        }
    }
}

#[cfg(test)]
mod tests;
