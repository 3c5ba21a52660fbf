//! Deep Boltzmann machines of any depth.
//!
//! - [`Dbm`]: the model. [`pretraining`]: composing it of restricted machines that were trained for it.
//! - [`MeanField`]: the variational posterior and the lower bound on log p(v). [`Chains`]: Gibbs chains, free or with
//!   labels clamped.
//! - [`DbmLearner`]: joint training by mean field and persistent chains; [`LayerOffsets`]: centring, with which it works
//!   without pretraining, too; [`LayerSparsity`]: targets for hidden activity.
//! - [`Dbm::classifier`]: discriminative fine-tuning. log Z comes from [`ais`](crate::ais) and
//!   [`partition`](crate::partition) as for restricted machines. [`Dbm::log_probability`]: log p(v) itself, by clamping v.
//!
//! ```
//! use nn_core::init::Initialization::Normal;
//! use nn_core::{Binarize, Dataset, Device, Fit, Key, Penalty, Schedule, Sgd};
//! use nn_rbm::dbm::{Chains, Dbm, DbmLearner, LayerOffsets};
//! use nn_rbm::{Path, ais::Ais, ais::Betas, units::Bernoulli};
//!
//! // Bars and stripes of 3×3 pixels by hidden layers of 10 and 6 units, trained together from the beginning.
//! let device = Device::cpu();
//! let patterns = nn_data::synthetic::bars_and_stripes::patterns(3)?;
//! let data = Dataset::new(&device, patterns.view(), Binarize::Never)?;
//! let (visible, start) = (Box::new(Bernoulli::new(&device, 9)), Normal { deviation: 0.1 });
//! let dbm = Dbm::new(&device, visible, &[10, 6], None, start, Key::new(1))?;
//! let chains = Chains::new(&dbm, 100, Key::new(2))?;
//! let rate = Schedule::Linear { from: 0.1, to: 0.0, updates: 2000 };
//! let sgd = Sgd::new(&dbm, rate, 0.0, Penalty::default())?;
//! let mut learner = DbmLearner::new(dbm, chains, sgd);
//! learner.offsets = Some(LayerOffsets::new(&learner.dbm, 0.01)?);
//! Fit::new(2000, 14, Key::new(3)).run(&mut learner, &data, &mut [], &false.into())?;
//! let dbm = &learner.dbm;
//! let ais = Ais::new(Path::from_model(dbm), Betas::uniform(200)?);
//! let log_z = ais.forward(dbm, 100, Key::new(4))?.log_partition;
//! let bound = dbm.lower_bound(data.inputs().view(), log_z, 20)?;
//! assert!(bound > -5.0); // −9·log 2 = −6.2 at first, −log 14 = −2.6 at best
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chains;
mod clamped;
mod fine_tuning;
mod gradient;
mod learner;
mod mean_field;
mod offsets;
pub mod pretraining;
mod sparsity;

pub use chains::Chains;
pub use gradient::LayerGradients;
pub use learner::DbmLearner;
pub use mean_field::{MeanField, Settled};
pub use offsets::LayerOffsets;
pub use sparsity::LayerSparsity;

use crate::{
    Connection, EnergyModel, Layered,
    units::{Bernoulli, Softmax, Units},
};
use nn_core::{
    Device, Error, Key, Parameters, Tensor,
    init::Initialization,
    parameters::{visit_mut_under, visit_under},
};

/// A deep Boltzmann machine (Salakhutdinov and Hinton, 2009): visible units, layers of binary hidden units, and if
/// wanted a label on top of the last of them; each layer is joined to the next by a connection, which is a
/// matrix of weights but for the first one of a [`shape`](crate::shape) machine.
///
/// E(v, h₁, …) = E(v) + Σ E(hₗ) − S(v)·W₁·h₁ᵀ − h₁·W₂·h₂ᵀ − … . Unlike in a belief network nothing is directed: every
/// hidden layer gets input from below and from above.
///
/// Parameters: `visible.…`, then for each layer above it, named `hidden1`, `hidden2`, …, `label`, its `….weights` from the
/// layer below (units below × units) and its `….biases`.
#[derive(Debug)]
pub struct Dbm {
    /// Visible units, hidden layers, and the label if there is one.
    pub(crate) layers: Vec<Box<dyn Units>>,
    /// Wₗ between layer l and the next.
    pub(crate) connections: Vec<Box<dyn Connection>>,
    pub(crate) labelled: bool,
}

impl Dbm {
    /// A machine with hidden layers of these sizes and drawn weights, biases of hidden units and label zero.
    ///
    /// For joint training without pretraining the weights should not be too small, such as normal with a standard
    /// deviation of 0.1: the gradient of those between hidden layers is in proportion to them at first.
    ///
    /// # Errors
    /// Without a hidden layer, for a layer without units, no classes, or impossible first values.
    pub fn new(
        device: &Device,
        visible: Box<dyn Units>,
        hidden: &[usize],
        classes: Option<usize>,
        initialization: Initialization,
        key: Key,
    ) -> Result<Dbm, Error> {
        if hidden.is_empty() {
            return Err(Error::setting("hidden layers", 0, "a deep Boltzmann machine needs at least one"));
        }
        let mut layers = vec![visible];
        for &units in hidden {
            layers.push(Box::new(Bernoulli::new(device, units)));
        }
        if let Some(classes) = classes {
            layers.push(Box::new(Softmax::new(device, 1, classes)?));
        }
        if let Some(empty) = layers.iter().position(|units| units.is_empty()) {
            return Err(Error::setting(&format!("units of layer {empty}"), 0, "a layer needs at least one"));
        }
        let mut connections: Vec<Box<dyn Connection>> = Vec::new();
        for (index, pair) in layers.windows(2).enumerate() {
            let key = key.fold_in(index as u64);
            let weights = initialization.dense(device, pair[0].len(), pair[1].len(), key)?;
            connections.push(Box::new(weights));
        }
        Ok(Dbm { layers, connections, labelled: classes.is_some() })
    }

    /// Where the machine lives.
    pub fn device(&self) -> &Device {
        self.connections[0].weights().device()
    }

    /// The layers from the visible one on, the label last.
    pub fn layers(&self) -> &[Box<dyn Units>] {
        &self.layers
    }

    /// Wₗ between layer l and the next, from the visible units on.
    pub fn weights(&self) -> Vec<&Tensor> {
        self.connections.iter().map(|joint| joint.weights()).collect()
    }

    /// Number of hidden layers.
    pub fn depth(&self) -> usize {
        self.connections.len() - usize::from(self.labelled)
    }

    /// Number of classes, if there is a label.
    pub fn classes(&self) -> Option<usize> {
        self.labelled.then(|| self.layers[self.layers.len() - 1].len())
    }

    /// Pulls parameters back into their bounds after an update.
    fn constrain(&mut self) {
        self.layers.iter_mut().for_each(|units| units.constrain());
    }

    fn name(&self, layer: usize) -> String {
        match layer {
            0 => "visible".to_string(),
            layer if layer > self.depth() => "label".to_string(),
            layer => format!("hidden{layer}"),
        }
    }
}

impl EnergyModel for Dbm {
    fn layered(&self) -> Layered<'_> {
        let layers = self.layers.iter().map(|units| &**units).collect();
        Layered { layers, connections: self.connections.iter().map(|joint| &**joint).collect(), scale: 1.0 }
    }
}

impl Parameters for Dbm {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (layer, units) in self.layers.iter().enumerate() {
            let name = self.name(layer);
            if layer > 0 {
                see(&format!("{name}.weights"), self.connections[layer - 1].weights());
            }
            visit_under(&name, units, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        let names: Vec<String> = (0..self.layers.len()).map(|layer| self.name(layer)).collect();
        for (layer, (units, name)) in self.layers.iter_mut().zip(names).enumerate() {
            if layer > 0 {
                see(&format!("{name}.weights"), self.connections[layer - 1].weights_mut());
            }
            visit_mut_under(&name, units, see);
        }
    }
}
