//! The layer and parameter files of cuda-convnet, as networks and optimisers of this workspace.
//!
//! A layer file has a section for each layer: its type, what feeds it, sizes and first weights. A parameter file has
//! sections of the same names: rates, momenta, weight decay, strengths of normalisations. Both are read as they are, of
//! cuda-convnet and cuda-convnet2, where they describe a chain of layers that are here; anything else is refused with
//! file, line, section, parameter and what is allowed. Which types and parameters: `docs/convnet-files.md`.
//!
//! ```
//! use nn_conv::convnet::Convnet;
//! use nn_core::{Device, Key, SupervisedLearner, parameters::count};
//! use std::path::Path;
//!
//! let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/convnet");
//! let convnet = Convnet::read(&folder.join("layers-80sec.cfg"), &folder.join("layer-params-80sec.cfg"))?;
//! let network = convnet.network(&Device::cpu(), [32, 32, 3], Key::new(1))?;
//! assert_eq!((count(&network), network.outputs()), (145_578, 10));
//! let optimizer = convnet.optimizer(&network, &[])?;
//! let learner = SupervisedLearner::new(network, optimizer);
//! # let _ = learner;
//! # Ok::<(), nn_core::Error>(())
//! ```
//!
//! Source: A. Krizhevsky, cuda-convnet (2011) and cuda-convnet2 (2014), their parsers and kernels.

mod assembly;
mod chain;
mod description;
mod ini;
mod layer_type;
mod neuron;
mod rate;
#[cfg(test)]
mod tests;

use chain::Chain;
use description::Description;
use ini::{IniFile, Section};
use nn_core::{Device, Error, Key, Loss, Network, Parameters, Penalty, Sgd, SgdRule, parameters::is_weights};
use std::path::Path;

/// A network as a layer and a parameter file describe it.
#[derive(Clone, Debug)]
pub struct Convnet {
    /// From the images on.
    layers: Vec<Description>,
    /// Of the layer file.
    cost: Section,
    loss: Loss,
    /// What the gradient of the loss is multiplied by.
    coefficient: f64,
}

impl Convnet {
    /// Reads the two files.
    ///
    /// # Errors
    /// [`Error::File`] for a file that cannot be read, [`Error::Setting`] for what it says.
    pub fn read(layers: &Path, parameters: &Path) -> Result<Convnet, Error> {
        Convnet::of(&IniFile::read(layers)?, &IniFile::read(parameters)?)
    }

    /// The same from texts, which errors call by these names: a name and its text, of each file.
    ///
    /// # Errors
    /// [`Error::Setting`] for what they say.
    pub fn parse(layers: [&str; 2], parameters: [&str; 2]) -> Result<Convnet, Error> {
        let [layers, parameters] = [layers, parameters].map(|[name, text]| IniFile::parse(name, text));
        Convnet::of(&layers?, &parameters?)
    }

    fn of(layers: &IniFile, parameters: &IniFile) -> Result<Convnet, Error> {
        let chain = Chain::of(layers)?;
        let described = chain.layers.iter().map(|node| Description::read(node, parameters));
        let described: Vec<Description> = described.collect::<Result<_, _>>()?;
        let name = &chain.cost.section.name;
        let Some(own) = parameters.section(name) else {
            let allowed = "a cost needs it, with coeff";
            return Err(Error::setting(&format!("{}: [{name}]", parameters.name), "missing", allowed));
        };
        chain.cost.kind.check_parameters(own)?;
        let coefficient = own.real("coeff", None, "it must be a number above 0", |value| value > 0.0)?;
        // Σ (y − t)² is twice the loss that is called squared error here.
        let coefficient = if chain.loss == Loss::SquaredError { 2.0 * coefficient } else { coefficient };
        Ok(Convnet { layers: described, cost: chain.cost.section.clone(), loss: chain.loss, coefficient })
    }

    /// The name of the cost.
    pub fn cost(&self) -> &str {
        &self.cost.name
    }

    /// Channels of the images, if the first layer sees images; a fully connected one sees values.
    pub fn channels(&self) -> Option<usize> {
        self.layers.first().and_then(|layer| layer.channels)
    }

    /// The network for images of height × width × channels, with first weights drawn.
    ///
    /// # Errors
    /// [`Error::Setting`] for windows larger than their images, channels that are not those of the images, and whatever else
    /// does not fit.
    pub fn network(&self, device: &Device, image: [usize; 3], key: Key) -> Result<Network, Error> {
        let layers = assembly::layers(&self.layers, device, image, key)?;
        let network = Network::new(layers, self.loss).map_err(|error| self.cost.place(error))?;
        if self.loss == Loss::SquaredError && network.inputs() != network.outputs() {
            let given = format!("of {} values", network.outputs());
            let allowed = format!("what is compared with images has their {} values", network.inputs());
            return Err(self.cost.wrong("inputs", given, &allowed));
        }
        Ok(network)
    }

    /// The optimiser for a network that was made by [`network`](Convnet::network), with a rule for each tensor:
    /// u ← mom·u + eps·(mean gradient of coeff·cost) − wc·eps·w, w ← w + u, biases without decay. Where eps is 0, parameters
    /// stay as they are.
    ///
    /// `progress` says from which update on how far training is, 0 to 1, for rates that depend on it; without any entry they
    /// stay those of the beginning.
    ///
    /// # Errors
    /// [`Error::Setting`] if the network is another, or updates do not rise.
    pub fn optimizer(&self, network: &Network, progress: &[(u64, f64)]) -> Result<Sgd, Error> {
        let mut sgd = Sgd::new(network, 0.0, 0.0, Penalty::default())?;
        for layer in &self.layers {
            let Some(learned) = &layer.learned else { continue };
            for name in names_under(network, &layer.section.name) {
                let rule = learned.rules[usize::from(!is_weights(&name))];
                let rate = rule.rate.schedule(progress, self.coefficient);
                let decay = Penalty::l2((rule.decay / self.coefficient) as f32);
                let rule = SgdRule::new(rate, rule.momentum, decay);
                sgd = sgd.with_rule(&name, rule).map_err(|error| layer.section.place(error))?;
            }
        }
        Ok(sgd)
    }
}

/// The parameters of a layer of the network.
fn names_under(network: &Network, layer: &str) -> Vec<String> {
    let mut names = Vec::new();
    network.visit(&mut |name, _| {
        if nn_core::parameters::is_under(layer, name) {
            names.push(name.to_string());
        }
    });
    names
}
