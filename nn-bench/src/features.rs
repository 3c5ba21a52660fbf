//! What a softmax makes of features: of filters as they were drawn, and of filters that learned with it.

use nn_core::init::Initialization;
use nn_core::layer::Dense;
use nn_core::network::{NamedLayer, named};
use nn_core::{
    Activation, Binarize, Cases, Dataset, Error, Key, Loss, Network, Penalty, Schedule, Sgd, SgdRule,
    SupervisedLearner, Tensor,
};

use crate::report::Report;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::standardization::Standardization;
use crate::training::Training;

/// How a softmax on features, and filters below it, learn.
#[derive(Clone, Copy, Debug)]
pub struct FeatureLearning {
    /// Passes through the training cases, for random and for trained filters.
    pub epochs: u64,
    /// Cases of a minibatch.
    pub batch: usize,
    /// Rate of the softmax at first, whose inputs have a mean squared length of 1; it falls linearly to 0.
    pub output_rate: f32,
    /// Rate of everything below at first; it falls linearly to 0.
    pub filter_rate: f32,
    /// Weight decay (L2) of the softmax.
    pub decay: f32,
    /// Cases that pass through the filters together when nothing is learned.
    pub at_once: usize,
}

/// Classes, and the cases to learn and to be tested on.
#[derive(Debug)]
pub struct Task {
    /// Labelled training cases.
    pub train: Dataset,
    /// Labelled test cases.
    pub test: Dataset,
}

/// Shares of cases classified wrongly, in percent.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Of the training cases.
    pub train: f64,
    /// Of the test cases.
    pub test: f64,
}

/// Momentum of everything.
const MOMENTUM: f32 = 0.9;
/// The layer in which the softmax is.
const OUTPUT: &str = "output";

impl Default for FeatureLearning {
    /// For some tens of labelled images of each class.
    fn default() -> Self {
        Self { epochs: 60, batch: 20, output_rate: 1.0, filter_rate: 0.01, decay: 1e-4, at_once: 250 }
    }
}

impl FeatureLearning {
    /// Puts what was set into the report.
    pub fn describe(&self, report: &mut Report) {
        for (name, value) in [
            ("epochs", self.epochs.to_string()),
            ("minibatch", self.batch.to_string()),
            (
                "rates of softmax and filters, falling linearly to 0",
                format!("{} and {}", self.output_rate, self.filter_rate),
            ),
            ("momentum", MOMENTUM.to_string()),
            ("weight decay of the softmax (L2)", self.decay.to_string()),
        ] {
            report.setting(name, value);
        }
    }

    /// The layers of features, standardised by what they are for the training cases at first, and below a softmax without
    /// weights. `layers` are left as they were drawn.
    ///
    /// # Errors
    /// If the layers do not fit each other or the device failed.
    pub fn network(&self, mut layers: Vec<NamedLayer>, train: &Dataset) -> Result<Network, RunError> {
        let features = Network::new(layers, Loss::SquaredError)?;
        let standardization = Standardization::of(&self.activity(&features, train.inputs()))?;
        let device = train.device();
        let classes = train.targets().map_or(0, Tensor::columns);
        let output = Dense::new(
            device,
            features.outputs(),
            classes,
            Activation::Identity,
            Initialization::Zeros,
            Key::new(0),
        )?;
        layers = features.into_layers();
        layers.extend([named("standardization", standardization), named(OUTPUT, output)]);
        Ok(Network::new(layers, Loss::CrossEntropy)?)
    }

    /// The learner of such a network, or of its softmax alone, for so many training cases.
    ///
    /// # Errors
    /// For a setting that is refused.
    pub fn learner(&self, network: Network, cases: usize) -> Result<SupervisedLearner<Sgd>, Error> {
        let updates = self.epochs * (cases / self.batch.min(cases)) as u64;
        let falling = |from: f32| Schedule::Linear { from, to: 0.0, updates };
        let softmax = SgdRule::new(falling(self.output_rate), MOMENTUM, Penalty::l2(self.decay));
        let sgd = Sgd::new(&network, falling(self.filter_rate), MOMENTUM, Penalty::default())?
            .with_rule(OUTPUT, softmax)?;
        Ok(SupervisedLearner::new(network, sgd))
    }

    /// A softmax on the features of layers that stay as they were drawn: these are computed once.
    ///
    /// # Errors
    /// As [`Training::run`].
    pub fn random(
        &self,
        run: &Run,
        stage: &str,
        layers: Vec<NamedLayer>,
        task: &Task,
        key: Key,
    ) -> Result<Outcome, RunError> {
        let mut layers = self.network(layers, &task.train)?.into_layers();
        let output = layers.split_off(layers.len() - 1);
        let below = Network::new(layers, Loss::SquaredError)?;
        let features = |data: &Dataset| {
            let inputs = self.activity(&below, data.inputs());
            let cases = Cases { inputs, targets: data.targets().map(Tensor::duplicate) };
            Dataset::on_device(cases, Binarize::Never)
        };
        let task = Task { train: features(&task.train)?, test: features(&task.test)? };
        let network = Network::new(output, Loss::CrossEntropy)?;
        Ok(self.learn(run, stage, network, &task, key)?.0)
    }

    /// The same from layers that learn with the softmax, by backpropagation. Also gives the network.
    ///
    /// # Errors
    /// As [`Training::run`].
    pub fn trained(
        &self,
        run: &Run,
        stage: &str,
        layers: Vec<NamedLayer>,
        task: &Task,
        key: Key,
    ) -> Result<(Outcome, Network), RunError> {
        self.learn(run, stage, self.network(layers, &task.train)?, task, key)
    }

    fn learn(
        &self,
        run: &Run,
        stage: &str,
        network: Network,
        task: &Task,
        key: Key,
    ) -> Result<(Outcome, Network), RunError> {
        let (epochs, batch) = (self.epochs, self.batch.min(task.train.len()));
        let mut learner =
            self.learner(network, task.train.len()).while_doing("setting up the training of a softmax")?;
        let training = Training { stage, epochs, batch, key, measure_every: epochs, save_every: epochs };
        training.run_with(run, &mut learner, &task.train, &mut [])?;
        let of = |data: &Dataset| self.error_percent(&learner.network, data);
        let outcome = Outcome { train: of(&task.train)?, test: of(&task.test)? };
        Ok((outcome, learner.network))
    }

    /// What all layers make of these cases, a few at a time: the maps of many would not fit into memory.
    fn activity(&self, network: &Network, inputs: &Tensor) -> Tensor {
        let mut all = inputs.device().zeros(inputs.rows(), network.outputs());
        for start in (0..inputs.rows()).step_by(self.at_once) {
            let rows = start..inputs.rows().min(start + self.at_once);
            let some = network.activity(inputs.row_range(rows.clone()), network.layers().len());
            all.row_range_mut(rows).assign(&some);
        }
        all
    }

    fn error_percent(&self, network: &Network, data: &Dataset) -> Result<f64, RunError> {
        let Cases { inputs, .. } = data.all();
        let targets = data.all().targets_or_inputs();
        let mut wrong = 0.0;
        for start in (0..data.len()).step_by(self.at_once) {
            let rows = start..data.len().min(start + self.at_once);
            let count = rows.len() as f64;
            let found = network.evaluate(inputs.row_range(rows.clone()), targets.row_range(rows));
            wrong += count * found.while_doing("testing")?.error;
        }
        Ok(100.0 * wrong / data.len() as f64)
    }
}
