//! Deep belief networks: directed layers under a restricted Boltzmann machine.
//!
//! - [`Dbn`]: the model; it grows machine by machine. [`GreedyLearner`] trains the topmost one.
//! - [`UpDownLearner`]: fine-tuning of all layers by wake and sleep phases.
//! - [`LowerBound`]: of log p(v).
//!
//! ```
//! use nn_core::{Binarize, Dataset, Device, Fit, Key, Penalty, Sgd};
//! use nn_rbm::dbn::{Dbn, GreedyLearner, UpDownLearner};
//! use nn_rbm::{Rbm, estimator::ContrastiveDivergence, partition::log_partition};
//!
//! // Bars and stripes of 3×3 pixels by 9 hidden units, and on these the same machine upside down.
//! let device = Device::cpu();
//! let patterns = nn_data::synthetic::bars_and_stripes::patterns(3)?;
//! let data = Dataset::new(&device, patterns.view(), Binarize::Never)?;
//! let mut dbn = Dbn::new(Rbm::bernoulli(&device, 9, 9, Key::new(1))?);
//! for layer in 0..2 {
//!     if layer > 0 {
//!         dbn = dbn.add_transposed(9, None, Key::new(2))?;
//!     }
//!     let sgd = Sgd::new(&dbn.top, 0.1, 0.5, Penalty::default())?;
//!     let mut greedy = GreedyLearner::new(dbn, ContrastiveDivergence::new(1)?, sgd);
//!     Fit::new(1000, 14, Key::new(2)).run(&mut greedy, &data, &mut [], &false.into())?;
//!     dbn = greedy.into_dbn();
//! }
//! // All layers together: wake, top, sleep.
//! let sgd = Sgd::new(&dbn, 0.01, 0.0, Penalty::default())?;
//! let mut learner = UpDownLearner::new(dbn, ContrastiveDivergence::new(3)?, sgd);
//! Fit::new(1000, 14, Key::new(3)).run(&mut learner, &data, &mut [], &false.into())?;
//! let dbn = learner.dbn;
//! let bound = dbn.lower_bound(data.inputs(), log_partition(&dbn.top)?, 100, Key::new(4))?;
//! assert!(bound.log_probability > -5.0); // −9·log 2 = −6.2 at first, −log 14 = −2.6 at best
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bound;
mod directed;
mod greedy;
mod layers;
mod up_down;

pub use bound::LowerBound;
pub use directed::Directed;
pub use greedy::GreedyLearner;
pub use up_down::UpDownLearner;

use crate::{
    Completion, Rbm, labels,
    units::{Bernoulli, Joined, Softmax, Units},
};
use layers::{ascend, descend};
use ndarray::Array2;
use nn_core::{
    Error, Key, Parameters, Stack, Tensor, View,
    parameters::{visit_mut_under, visit_under},
    x,
};

/// A deep belief network (Hinton, Osindero and Teh, 2006).
///
/// p(v, h₁ … h_L) = p(v | h₁) · p(h₁ | h₂) · … · p(h_{L−1}, h_L), where the last factor is a machine, the top, and all
/// others are directed layers. The hidden layers are binary. Inference is by q(h₁ | v) · q(h₂ | h₁) · … . With
/// labels the top sees them as a softmax group beside h_{L−1}: p(…, h_{L−1}, y, h_L).
///
/// Parameters: `1.recognition.…` and `1.generative.…`, `2.…`, … of the directed layers from the data on, and `top.…`;
/// with labels the biases of its visible units are `top.visible.units.biases` and `top.visible.label.biases`.
#[derive(Debug)]
pub struct Dbn {
    /// The directed layers, from the data on.
    pub lower: Vec<Directed>,
    /// The machine on top of them.
    pub top: Rbm,
    classes: Option<usize>,
}

impl Dbn {
    /// A network that so far is a single machine.
    pub fn new(rbm: Rbm) -> Dbn {
        Dbn { lower: Vec::new(), top: rbm, classes: None }
    }

    /// Puts a new machine of so many hidden units on the hidden units of the top, which becomes a directed layer. The new
    /// weights are normal as in [`Rbm::new`]; its visible units keep their biases. Waits for the device.
    ///
    /// With `classes` it has a label beside its visible units, and nothing can be put on it any more.
    ///
    /// # Errors
    /// If the top has labels or hidden units that are not Bernoulli, there are no new units or no classes, or the device
    /// failed.
    pub fn add(self, hidden: usize, classes: Option<usize>, key: Key) -> Result<Dbn, Error> {
        let hidden = Box::new(Bernoulli::new(self.top.device(), hidden));
        let top = Rbm::new(self.top.device(), self.joined(classes)?, hidden, key)?;
        self.on_directed(top, classes)
    }

    /// As [`Dbn::add`], where the new machine begins as the top upside down: its weights are Wᵀ, its hidden units those
    /// that are now visible. Hidden units beyond these have drawn weights, as in [`Dbn::add`]. Waits for the device.
    ///
    /// Without units beyond, p(h) of the new machine is that of the old one, so that p(v) does not change, q(h | v) is
    /// still exact for the layer that was added last, and the lower bound on log p(v) is what it was; drawn weights, which
    /// are small, move it by next to nothing. Whatever raises the new machine's log-likelihood of h ~ q(h | v) from here on
    /// raises the bound. Weights between labels and units of the machine below start at zero, which changes nothing of
    /// this.
    ///
    /// # Errors
    /// As [`Dbn::add`], or if the visible units of the top are not Bernoulli or more than the new hidden ones.
    pub fn add_transposed(self, hidden: usize, classes: Option<usize>, key: Key) -> Result<Dbn, Error> {
        let (device, below) = (self.top.device(), &self.top.visible);
        if below.kind() != "Bernoulli" {
            let rule = "hidden units are binary, so only a binary layer can be repeated; add a drawn one";
            return Err(Error::setting("units of the transposed layer", below.kind(), rule));
        }
        if hidden < below.len() {
            let rule =
                format!("the machine below has {} visible units, each of which needs one", below.len());
            return Err(Error::setting("hidden units of the transposed layer", hidden, &rule));
        }
        let (units, repeated) = (self.top.hidden.len(), below.len());
        let mut hidden = Bernoulli::new(device, hidden);
        below.visit(&mut |_, biases| hidden.biases.column_range_mut(0..repeated).assign(biases));
        let mut top = Rbm::new(device, self.joined(classes)?, Box::new(hidden), key)?;
        let mut weights = device.zeros(top.visible.len(), repeated);
        weights.row_range_mut(0..units).assign(&self.top.weights.transposed()?);
        top.weights.column_range_mut(0..repeated).assign(&weights);
        self.on_directed(top, classes)
    }

    /// The hidden units of the top as visible ones of the next, beside a label if there are classes.
    fn joined(&self, classes: Option<usize>) -> Result<Box<dyn Units>, Error> {
        if let Some(classes) = self.classes {
            let rule = "labels stand at the top; give them to the last machine only";
            return Err(Error::setting("classes below the top", classes, rule));
        }
        if self.top.hidden.kind() != "Bernoulli" {
            let rule = "the hidden layers of a deep belief network are of Bernoulli units";
            return Err(Error::setting("hidden units", self.top.hidden.kind(), rule));
        }
        let units = self.top.hidden.duplicate();
        let Some(classes) = classes else { return Ok(units) };
        let label = Box::new(Softmax::new(self.top.device(), 1, classes)?);
        Ok(Box::new(Joined::new(vec![("units", units), ("label", label)])))
    }

    fn on_directed(mut self, top: Rbm, classes: Option<usize>) -> Result<Dbn, Error> {
        self.lower.push(Directed::of(&self.top)?);
        Ok(Dbn { lower: self.lower, top, classes })
    }

    /// The number of classes, if the top has labels.
    pub fn classes(&self) -> Option<usize> {
        self.classes
    }

    /// Values of a case.
    pub fn inputs(&self) -> usize {
        self.lower.first().map_or(self.top_units(), |layer| layer.recognition.weights.rows())
    }

    /// Visible units of the top without the label.
    fn top_units(&self) -> usize {
        self.top.visible.len() - self.classes.unwrap_or(0)
    }

    /// What the recognition pass makes of these cases, by means from layer to layer: the visible units of the top without
    /// the label. Waits for nothing.
    pub fn recognize(&self, inputs: View<'_>) -> Tensor {
        let device = self.top.device();
        let mut means = device.zeros(inputs.rows(), inputs.columns());
        means.assign(inputs);
        for layer in &self.lower {
            let mut above = device.zeros(inputs.rows(), layer.recognition.weights.columns());
            layer.recognition.mean(means.view(), above.view_mut());
            means = above;
        }
        means
    }

    /// A draw from q of these cases: the visible units of the top without the label. Waits for nothing.
    pub fn sample_recognition(&self, inputs: View<'_>, key: Key) -> Tensor {
        let mut states = Vec::new();
        ascend(&self.lower, inputs, &mut states, key);
        states.pop().unwrap_or_else(|| {
            let mut copy = self.top.device().zeros(inputs.rows(), inputs.columns());
            copy.assign(inputs);
            copy
        })
    }

    /// Ancestral sampling: E[v | h₁] for states drawn down to h₁ from states of the visible units of the top, with or
    /// without labels: `top` is what [`Rbm::gibbs`] or [`Dbn::given_labels`] left. Without directed layers, these states.
    /// Waits for nothing.
    ///
    /// A draw of v itself is one from [`Directed::generative`] of the first layer.
    pub fn generate(&self, top: &Tensor, key: Key) -> Tensor {
        let Some(first) = self.lower.first() else { return top.duplicate() };
        let mut states = Vec::new();
        let units = self.top_units();
        let (grid, from) = ([top.rows(), units], x(top.column_range(0..units)));
        descend(&self.lower[1..], self.top.device(), from, grid, &mut states, key);
        let mut means = self.top.device().zeros(top.rows(), self.inputs());
        first.generative.mean(states[0].view(), means.view_mut());
        means
    }

    /// Chains of the top whose labels are clamped to these, a chain for each; the other units start as drawn without
    /// input. [`Completion::gibbs`] with `dbn.top` moves them.
    ///
    /// # Errors
    /// Without labels in the model, or for one that is no class.
    pub fn given_labels(&self, labels: &[u8], key: Key) -> Result<Completion, Error> {
        let Some(classes) = self.classes else {
            return Err(Error::setting(
                "labels",
                labels.len(),
                "this network has none; add the top with classes",
            ));
        };
        let units = self.top_units();
        let cases = labels::join(Array2::zeros((labels.len(), units)).view(), labels, classes)?;
        let known = Array2::from_shape_fn((1, units + classes), |(_, j)| f32::from(u8::from(j >= units)));
        let mut chains = Completion::new(&self.top, cases.view(), known.view())?;
        let no_hidden = self.top.device().zeros(labels.len(), self.top.hidden.len());
        chains.start_from(&self.top.sample_visible(&no_hidden, key));
        Ok(chains)
    }

    /// Free energies of every class at the top after a recognition pass by means, cases × classes, less what is the same
    /// for all classes. Waits for nothing.
    ///
    /// # Errors
    /// Without labels in the model.
    pub fn class_energies(&self, inputs: View<'_>) -> Result<Tensor, Error> {
        let Some(classes) = self.classes else {
            let rule = "this network has no labels; add the top with classes";
            return Err(Error::setting("classes", 0, rule));
        };
        labels::free_energies(&self.top, &self.recognize(inputs), classes)
    }

    /// The layers as a stack of latent models with copies of the parameters, the top untied and without its label: the way
    /// to a [`Network`](nn_core::Network) by [`Stack::classifier`] or [`Stack::unrolled`]. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn stack(&self) -> Result<Stack<Directed>, Error> {
        let mut layers: Vec<Directed> = self.lower.iter().map(Directed::duplicate).collect();
        let mut top = Directed::of(&self.top)?;
        if let (Some(_), Some(below)) = (self.classes, self.lower.last()) {
            let (device, units, hidden) = (self.top.device(), self.top_units(), self.top.hidden.len());
            let (mut up, mut down) = (device.zeros(units, hidden), device.zeros(hidden, units));
            up.assign(top.recognition.weights.row_range(0..units));
            down.assign(top.generative.weights.column_range(0..units));
            (top.recognition.weights, top.generative.weights) = (up, down);
            // The biases of the units beside the label come first.
            let mut biases = Vec::new();
            self.top.visible.visit(&mut |_, tensor| biases.push(tensor));
            top.generative.units = below.recognition.units.duplicate();
            top.generative.units.visit_mut(&mut |_, tensor| tensor.assign(biases[0]));
        }
        layers.push(top);
        Stack::new(layers)
    }
}

impl Parameters for Dbn {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (index, layer) in self.lower.iter().enumerate() {
            visit_under(&(index + 1).to_string(), layer, see);
        }
        visit_under("top", &self.top, see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (index, layer) in self.lower.iter_mut().enumerate() {
            visit_mut_under(&(index + 1).to_string(), layer, see);
        }
        visit_mut_under("top", &mut self.top, see);
    }
}
