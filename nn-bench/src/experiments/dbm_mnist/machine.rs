//! One machine: its training, and what is measured of it.

use std::path::PathBuf;

use nn_core::init::Initialization;
use nn_core::{Cases, Dataset, Device, Key, Tensor};
use nn_rbm::ais::Betas;
use nn_rbm::dbm::{Chains, MeanField, Settled, pretraining};
use nn_rbm::units::Bernoulli;
use nn_rbm::{Activity, Dbm, Dbn, Rbm};

use super::{
    BATCH, PIXELS,
    recipe::{Plan, Recipe},
};
use crate::likelihood::BothWays;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;

// Purposes of the keys of a machine.
const WEIGHTS: u64 = 1;
const CHAINS: u64 = 2;
const TRAINING: u64 = 3;
const EQUILIBRIUM: u64 = 4;
const ANNEALING: u64 = 5;
const CLAMPED: u64 = 6;

/// A mean of mean field that moves by less than this has settled.
const TOLERANCE: f64 = 1e-3;
/// Temperatures and chains of annealed importance sampling with clamped visible units.
const CLAMPED_TEMPERATURES: usize = 1000;
const CLAMPED_CHAINS: usize = 50;

/// What all machines of a run learn from and are tested on.
pub(super) struct Stage<'a> {
    pub(super) recipe: &'a Recipe,
    /// Training digits, their pixels drawn each time.
    pub(super) train: Dataset,
    /// Training digits, at most 10,000, their pixels drawn once.
    pub(super) binary_train: Tensor,
    /// Test digits, their pixels drawn once.
    pub(super) binary_test: Tensor,
    /// Independent units with the means of the training digits.
    pub(super) base: Bernoulli,
    pub(super) key: Key,
}

/// A machine that was trained, and what was found.
pub(super) struct Found {
    /// Its layers, such as 784-180-90.
    pub(super) layers: String,
    pub(super) dbm: Dbm,
    /// Chains as good as in equilibrium.
    pub(super) chains: Chains,
    /// Number of weights.
    pub(super) weights: usize,
    /// Mean lower bound on log p of test digits, log Z estimated forward and reverse; of one hidden layer log p itself.
    pub(super) test: [f64; 2],
    /// The same for training digits.
    pub(super) train: [f64; 2],
    /// Means of log p, by AIS with clamped visible units, and of the bound of the first test digits, both with the forward
    /// estimate of log Z; where there is more than one hidden layer.
    pub(super) clamped: Option<[f64; 2]>,
    /// Reconstruction error over epochs of joint training.
    pub(super) curve: Vec<(f64, f64)>,
}

/// Layers as they are written, such as 784-180-90.
pub(super) fn layers(hidden: &[usize]) -> String {
    let sizes: Vec<String> = std::iter::once(&PIXELS).chain(hidden).map(usize::to_string).collect();
    sizes.join("-")
}

/// A machine of these layers as joint training without pretraining starts with it.
pub(super) fn drawn(base: &Bernoulli, hidden: &[usize], key: Key) -> Result<Dbm, RunError> {
    let (visible, start) = (base.biases.duplicate(), Initialization::Normal { deviation: 0.01 });
    let (device, visible) = (base.biases.device(), Box::new(Bernoulli { biases: visible }));
    Dbm::new(device, visible, hidden, None, start, key.fold_in(WEIGHTS)).while_doing("setting up a machine")
}

impl Stage<'_> {
    /// Trains a machine and measures it.
    pub(super) fn machine(&self, run: &mut Run, plan: &Plan) -> Result<Found, RunError> {
        let (hidden, layers) = (plan.hidden, layers(plan.hidden));
        let key = self.key.fold_in(hidden.len() as u64);
        let dbm = if plan.pretrained {
            self.pretrained(run, hidden, &layers, key)?
        } else {
            drawn(&self.base, hidden, key)?
        };
        let mut learner = self.recipe.joint(dbm, plan, self.per_epoch(), key.fold_in(CHAINS))?;
        let stage = format!("{layers}-joint");
        let training = self.training(&stage, self.recipe.epochs(plan), key);
        let figures = training.run(run, &mut learner, &self.train, self.watched())?;
        learner.chains.gibbs(&learner.dbm, self.recipe.settle, key.fold_in(EQUILIBRIUM));
        let mut found = Found {
            weights: learner.dbm.weights().iter().map(|weights| weights.len()).sum(),
            layers,
            dbm: learner.dbm,
            chains: learner.chains,
            test: [f64::NAN; 2],
            train: [f64::NAN; 2],
            clamped: None,
            curve: figures.curve("reconstruction error"),
        };
        self.measure(run, &mut found, training.checkpoint(run), key)?;
        Ok(found)
    }

    /// Finds out how probable digits are and what hidden units do, and puts it into the report.
    fn measure(
        &self,
        run: &mut Run,
        found: &mut Found,
        checkpoint: PathBuf,
        key: Key,
    ) -> Result<(), RunError> {
        let (doing, dbm, layers) = ("inferring hidden units", &found.dbm, &found.layers);
        let prefix = format!("{}layer", dbm.depth() + 1);
        let name = format!("{layers}, AIS both ways");
        let both = BothWays {
            name: &name,
            base: &self.base,
            betas: self.recipe.betas.clone(),
            chains: 100,
            key: key.fold_in(ANNEALING),
            checkpoint: checkpoint.clone(),
        };
        let [forward, reverse] = both.run(run, dbm, found.chains.states())?;
        let log_partitions = [forward.log_partition, reverse.log_partition];
        let (test, settled) = self.posterior(dbm, &self.binary_test)?;
        let (train, _) = self.posterior(dbm, &self.binary_train)?;
        let bounds = |posterior: &MeanField| {
            let mean = posterior.bound(dbm).to_array_f64().while_doing(doing)?.mean().unwrap_or(f64::NAN);
            Ok::<_, RunError>(log_partitions.map(|log_partition| mean - log_partition))
        };
        (found.test, found.train) = (bounds(&test)?, bounds(&train)?);
        if dbm.depth() > 1 {
            found.clamped = Some(self.clamped(run, dbm, &test, forward.log_partition, checkpoint)?);
        }
        let mut metrics = vec![
            ("test_bound_forward_ais".to_string(), found.test[0]),
            ("test_bound_reverse_ais".to_string(), found.test[1]),
            ("train_bound_forward_ais".to_string(), found.train[0]),
            ("log_partition_forward_ais".to_string(), log_partitions[0]),
            ("log_partition_reverse_ais".to_string(), log_partitions[1]),
            ("log_partition_standard_error".to_string(), forward.standard_error),
            ("ais_sandwich".to_string(), found.test[0] - found.test[1]),
            ("mean_field_sweeps".to_string(), settled.sweeps as f64),
            ("mean_field_last_change".to_string(), settled.change),
        ];
        metrics.extend(found.clamped.map(|[whole, bound]| ("bound_gap".to_string(), whole - bound)));
        if !settled.converged {
            run.report.note(format!("Mean field of {layers} still moved after {} sweeps.", settled.sweeps));
        }
        for (layer, means) in test.means().iter().enumerate().skip(1) {
            let activity = Activity::of_means(means, true).while_doing(doing)?;
            metrics.push((format!("hidden{layer}_activity"), activity.mean));
            for warning in activity.warnings() {
                run.report.note(format!("{layers}, hidden layer {layer}: {warning}"));
            }
        }
        for (name, value) in metrics {
            run.report.metric(format!("{prefix}_{name}"), value)?;
        }
        Ok(())
    }

    fn per_epoch(&self) -> u64 {
        (self.train.len() / BATCH) as u64
    }

    fn watched(&self) -> Cases {
        let watched: Vec<usize> = (0..1000.min(self.train.len())).collect();
        self.train.cases(&watched, self.key)
    }

    fn training<'a>(&self, stage: &'a str, epochs: u64, key: Key) -> Training<'a> {
        let every = epochs.div_ceil(20);
        let key = key.fold_in(TRAINING);
        Training { stage, epochs, batch: BATCH, key, measure_every: every, save_every: every }
    }

    /// Machines trained one on the other, put together.
    fn pretrained(&self, run: &Run, hidden: &[usize], layers: &str, key: Key) -> Result<Dbm, RunError> {
        let (doing, mut dbn) = ("pretraining", None);
        for (below, &units) in hidden.iter().enumerate() {
            let key = key.fold_in(WEIGHTS).fold_in(below as u64);
            let grown = match dbn {
                None => {
                    let device: &Device = self.base.biases.device();
                    let visible = Box::new(Bernoulli { biases: self.base.biases.duplicate() });
                    let hidden = Box::new(Bernoulli::new(device, units));
                    Dbn::new(Rbm::new(device, visible, hidden, key).while_doing(doing)?)
                }
                Some(dbn) => pretraining::add(dbn, units, None, key).while_doing(doing)?,
            };
            let mut learner = self.recipe.pretraining(grown, self.per_epoch())?;
            let stage = format!("{layers}-pretraining{}", below + 1);
            let training = self.training(&stage, self.recipe.pretraining_epochs, key);
            training.run(run, &mut learner, &self.train, self.watched())?;
            dbn = Some(learner.into_dbn());
        }
        let dbn = dbn.expect("a machine has a hidden layer");
        pretraining::compose(dbn).while_doing("putting machines together")
    }

    fn posterior(&self, dbm: &Dbm, cases: &Tensor) -> Result<(MeanField, Settled), RunError> {
        let mut posterior = MeanField::new(dbm, cases.rows(), false);
        posterior.start(dbm, cases.view(), None);
        let settled = posterior.settle(dbm, TOLERANCE, self.recipe.inference);
        Ok((posterior, settled.while_doing("inferring hidden units")?))
    }

    /// Of the first test digits the mean of log p(v), and that of the bound.
    fn clamped(
        &self,
        run: &Run,
        dbm: &Dbm,
        posterior: &MeanField,
        log_partition: f64,
        checkpoint: PathBuf,
    ) -> Result<[f64; 2], RunError> {
        let doing = "annealed importance sampling with clamped digits";
        let _timer = run.phase(doing);
        let bounds = posterior.bound(dbm).to_array_f64().while_doing(doing)?;
        let count = self.recipe.clamped.min(self.binary_test.rows());
        let mut sums = [0.0; 2];
        for case in 0..count {
            if run.interrupted() {
                return Err(run.stop_after_saving(checkpoint));
            }
            let digit = self.binary_test.row_range(case..case + 1);
            let betas = Betas::uniform(CLAMPED_TEMPERATURES).while_doing(doing)?;
            let key = self.key.fold_in(CLAMPED).fold_in(case as u64);
            let found = dbm.log_probability(digit, log_partition, betas, CLAMPED_CHAINS, key);
            sums[0] += found.while_doing(doing)?;
            sums[1] += bounds[[case, 0]] - log_partition;
        }
        Ok(sums.map(|sum| sum / count as f64))
    }
}

/// Training digits for a bound: at most 10,000, their pixels drawn once.
pub(super) fn binary_training_set(data: &Dataset, key: Key) -> Tensor {
    let first: Vec<usize> = (0..data.len().min(10_000)).collect();
    data.cases(&first, key).inputs
}
