//! Filters of whitened patches that are learned otherwise than by k-means.

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice, concatenate};
use nn_core::autoencoder::SparsityPenalty;
use nn_core::init::Initialization;
use nn_core::{
    Activation, Adam, Autoencoder, AutoencoderLearner, AutoencoderSettings, Binarize, Dataset, Device, Key,
    Learner, Loss, Penalty, Schedule, Sgd, Tensor,
};
use nn_rbm::estimator::ContrastiveDivergence;
use nn_rbm::units::{Bernoulli, Gaussian};
use nn_rbm::{Rbm, RbmLearner, Sparsity};
use nn_sparse::{DictionaryLearner, Lasso};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;

/// λ of sparse codes, and what a product with an atom has to be above to count.
pub(super) const LAMBDA: f64 = 1.0;
/// Patches of a minibatch.
const BATCH: usize = 100;
/// Patches that are measured while filters are learned.
const WATCHED: usize = 1000;
/// How active hidden units of autoencoders and Boltzmann machines shall be, and what missing that costs.
pub(super) const TARGET: f32 = 0.02;
const AUTOENCODER_WEIGHT: f64 = 3.0;
const RBM_COST: f32 = 10.0;

/// What patches are multiplied with, and what is added.
#[derive(Clone, Debug)]
pub(super) struct Filters {
    /// Filters × values.
    pub(super) directions: Array2<f64>,
    /// One for each filter.
    pub(super) biases: Array1<f64>,
}

impl From<Array2<f64>> for Filters {
    /// Without biases.
    fn from(directions: Array2<f64>) -> Filters {
        Filters { biases: Array1::zeros(directions.nrows()), directions }
    }
}

impl Filters {
    /// Those of weights values × filters and of biases.
    fn of(weights: &Tensor, biases: &Tensor) -> Result<Filters, RunError> {
        let doing = "reading filters";
        let directions = weights.to_array_f64().while_doing(doing)?.reversed_axes();
        let biases = biases.to_array_f64().while_doing(doing)?.remove_axis(Axis(0));
        Ok(Filters { directions: directions.as_standard_layout().into_owned(), biases })
    }
}

/// What filters are learned from, and for how long.
#[derive(Clone, Copy)]
pub(super) struct Learning<'a> {
    pub(super) run: &'a Run,
    pub(super) device: &'a Device,
    /// Whitened, patches × values.
    pub(super) patches: ArrayView2<'a, f32>,
    /// Passes of autoencoders and Boltzmann machines through the patches.
    pub(super) epochs: u64,
}

impl Learning<'_> {
    /// The atoms of a dictionary that one pass through the patches teaches, and the same with the other sign, so that half as
    /// many atoms as filters are learned.
    pub(super) fn dictionary(&self, count: usize, key: Key) -> Result<Filters, RunError> {
        let Learning { run, patches, .. } = self;
        let doing = format!("{} atoms of sparse coding", count / 2);
        let lasso = Lasso::new(LAMBDA).while_doing(doing.as_str())?;
        let part = |from: usize, most: usize| {
            let to = patches.nrows().min(from + most);
            patches.slice_axis(Axis(0), Slice::from(from..to)).mapv(f64::from)
        };
        let learner = DictionaryLearner::from_samples(part(0, 100 * BATCH).view(), count / 2, lasso, key);
        let mut learner = learner.while_doing(doing.as_str())?;
        let (timer, progress) = (run.phase(&doing), run.progress(&doing, patches.nrows() as u64));
        for from in (0..patches.nrows()).step_by(BATCH) {
            if run.interrupted() {
                return Err(run.stop_without_saving());
            }
            let found = learner.update(part(from, BATCH).view()).while_doing(doing.as_str())?;
            progress.message(format!("objective {:.3}", found.mean_objective()));
            progress.set((from + BATCH) as u64);
        }
        drop((timer, progress));
        let atoms = learner.dictionary().atoms();
        let directions = concatenate(Axis(0), &[atoms, atoms.mapv(|value| -value).view()])
            .expect("atoms with both signs have the same number of values");
        Ok(Filters { biases: Array1::from_elem(directions.nrows(), -LAMBDA), directions })
    }

    /// The encoder of a sparse autoencoder: logistic codes, linear reconstruction, weights of their own on both sides.
    pub(super) fn autoencoder(&self, count: usize, key: Key) -> Result<Filters, RunError> {
        let Learning { device, patches, .. } = self;
        let doing = "setting up the autoencoder";
        let settings = AutoencoderSettings {
            tied: false,
            activation: Activation::Logistic,
            reconstruction: Activation::Identity,
            loss: Loss::SquaredError,
            sparsity: SparsityPenalty::Divergence { target: f64::from(TARGET), weight: AUTOENCODER_WEIGHT },
            initialization: Initialization::GlorotUniform { gain: 1.0 },
            ..AutoencoderSettings::default()
        };
        let model = Autoencoder::new(device, patches.ncols(), count, settings, key.fold_in(0));
        let model = model.while_doing(doing)?;
        let rate = Schedule::Linear { from: 2e-3, to: 0.0, updates: self.updates() };
        let adam = Adam::new(&model, rate, Penalty::l2(1e-3)).while_doing(doing)?;
        let mut learner = AutoencoderLearner::new(model, adam);
        self.train(&mut learner, &format!("autoencoder-{count}"), key)?;
        let encoder = &learner.autoencoder.encoder;
        Filters::of(&encoder.weights, &encoder.biases)
    }

    /// The weights of a restricted Boltzmann machine with Gaussian visible units of deviation 1, learned by CD-1 with sparsity on
    /// the hidden biases.
    pub(super) fn rbm(&self, count: usize, key: Key) -> Result<Filters, RunError> {
        let Learning { device, patches, .. } = self;
        let doing = "setting up the Boltzmann machine";
        let mut hidden = Bernoulli::new(device, count);
        hidden.biases.assign(-3.0f32);
        let visible = Gaussian::new(device, patches.ncols(), 1.0).while_doing(doing)?;
        let rbm = Rbm::new(device, Box::new(visible), Box::new(hidden), key.fold_in(0)).while_doing(doing)?;
        let rate = Schedule::Linear { from: 0.1, to: 0.01, updates: self.updates() };
        let sgd = Sgd::new(&rbm, rate, 0.9, Penalty::l2(5e-3)).while_doing(doing)?;
        let sparsity = Sparsity::new(&rbm, TARGET, RBM_COST, 0.9).while_doing(doing)?;
        let estimator = ContrastiveDivergence::new(1).while_doing(doing)?;
        let mut learner = RbmLearner::new(rbm, estimator, sgd);
        learner.sparsity = Some(sparsity.on_biases());
        self.train(&mut learner, &format!("rbm-{count}"), key)?;
        let mut filters = None;
        let rbm = &learner.rbm;
        rbm.hidden.visit(&mut |_, biases| filters = Some(Filters::of(&rbm.weights, biases)));
        filters.expect("Bernoulli units have biases")
    }

    fn updates(&self) -> u64 {
        self.epochs * (self.patches.nrows() / BATCH) as u64
    }

    fn train(&self, learner: &mut dyn Learner, stage: &str, key: Key) -> Result<(), RunError> {
        let Learning { run, device, patches, epochs } = *self;
        let data = Dataset::new(device, patches, Binarize::Never).while_doing("uploading patches")?;
        let key = key.fold_in(1);
        let training = Training { stage, epochs, batch: BATCH, key, measure_every: 1, save_every: 1 };
        training.run(run, learner, &data, data.first(WATCHED.min(data.len()))).map(drop)
    }
}
