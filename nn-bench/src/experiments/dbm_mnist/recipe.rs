//! What the profiles of the experiments set.

use nn_core::{Key, Penalty, Schedule, Sgd};
use nn_rbm::ais::Betas;
use nn_rbm::dbm::{Chains, DbmLearner, LayerOffsets, LayerSparsity, pretraining};
use nn_rbm::dbn::GreedyLearner;
use nn_rbm::{Dbm, Dbn};

use crate::digits::DigitSet;
use crate::run_error::{RunError, WhileDoing};

/// Chains of joint training.
const CHAINS: usize = 100;
/// Epochs after which the top is pretrained by chains that are one sweep longer.
const EPOCHS_OF_A_SWEEP: u64 = 20;
/// Targets for the activity of hidden layers from the first on, what missing them costs, and the decay of the running mean.
pub(super) const TARGETS: [f32; 2] = [0.2, 0.1];
pub(super) const SPARSITY_COST: f32 = 1e-3;
const SPARSITY_DECAY: f32 = 0.9;
/// Share of the way to the means of a batch that offsets of a centred gradient move.
const OFFSET_RATE: f32 = 0.01;

/// A machine to be trained.
pub(super) struct Plan {
    /// Hidden layers from the data on.
    pub(super) hidden: &'static [usize],
    /// Rate of joint training at its beginning; it falls to 0.
    pub(super) rate: f32,
    /// Whether joint training starts from machines that were trained one on the other, or from random weights.
    pub(super) pretrained: bool,
}

impl Plan {
    /// Whether the gradient of joint training is centred, as several layers need it that were not pretrained.
    pub(super) fn centred(&self) -> bool {
        !self.pretrained && self.hidden.len() > 1
    }

    /// What joint training starts from, in words.
    pub(super) fn start(&self) -> &'static str {
        match (self.pretrained, self.centred()) {
            (true, _) => "pretrained machines",
            (false, true) => "random weights, the gradient centred",
            (false, false) => "random weights",
        }
    }
}

/// What a profile sets.
pub(super) struct Recipe {
    pub(super) digits: DigitSet,
    pub(super) machines: &'static [Plan],
    /// Epochs of each machine of pretraining.
    pub(super) pretraining_epochs: u64,
    pub(super) joint_epochs: u64,
    /// Momentum of joint training.
    pub(super) momentum: f32,
    /// Weight decay of joint training.
    pub(super) decay: f32,
    pub(super) betas: Betas,
    /// Gibbs sweeps from the chains of training to the states where reverse AIS starts, which are also the samples shown.
    pub(super) settle: u64,
    /// Sweeps of mean field at most, until no mean of a case moves any more.
    pub(super) inference: u64,
    /// Test digits whose log-probability is estimated with the visible units clamped.
    pub(super) clamped: usize,
}

/// A machine that was not pretrained begins with a larger rate.
const BOTH: &[Plan] = &[
    Plan { hidden: &[200], rate: 0.05, pretrained: false },
    Plan { hidden: &[180, 90], rate: 0.02, pretrained: true },
];

impl Recipe {
    pub(super) fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => Recipe {
                digits: DigitSet::Embedded,
                machines: BOTH,
                pretraining_epochs: 4,
                joint_epochs: 6,
                momentum: 0.0,
                decay: 1e-3,
                betas: Betas::shrunk(50),
                settle: 100,
                inference: 50,
                clamped: 2,
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                machines: BOTH,
                pretraining_epochs: 20,
                joint_epochs: 100,
                momentum: 0.0,
                decay: 1e-4,
                betas: Betas::published(),
                settle: 10_000,
                inference: 100,
                clamped: 20,
            },
            "paper" => Recipe {
                digits: DigitSet::Full,
                machines: &[Plan { hidden: &[500, 1000], rate: 0.05, pretrained: false }],
                pretraining_epochs: 0,
                joint_epochs: 100,
                momentum: 0.0,
                decay: 2e-4,
                betas: Betas::published(),
                settle: 10_000,
                inference: 100,
                clamped: 20,
            },
            _ => Recipe {
                digits: DigitSet::Embedded,
                machines: BOTH,
                pretraining_epochs: 60,
                joint_epochs: 200,
                momentum: 0.0,
                decay: 1e-3,
                betas: Betas::shrunk(2),
                settle: 5_000,
                inference: 100,
                clamped: 20,
            },
        }
    }

    /// A learner of the machine on top of this network, to be put together with those below: by CD-1 and rate 0.05 at the
    /// bottom, by CD-k and rate 0.05/k at the top, k rising from 1.
    pub(super) fn pretraining(&self, dbn: Dbn, per_epoch: u64) -> Result<GreedyLearner<Sgd>, RunError> {
        let doing = "setting up pretraining";
        let top = !dbn.lower.is_empty();
        let place = if top { pretraining::Place::Top } else { pretraining::Place::Bottom };
        let steps = if top { self.pretraining_epochs.div_ceil(EPOCHS_OF_A_SWEEP).max(1) } else { 1 };
        let from = |step: u64| step * EPOCHS_OF_A_SWEEP * per_epoch;
        let sweeps = (0..steps).map(|step| (from(step), step as u32 + 1)).collect();
        let rates = (0..steps).map(|step| (from(step), 0.05 / (step + 1) as f32)).collect();
        let estimator = pretraining::contrastive_divergence(place, sweeps).while_doing(doing)?;
        let momentum = Schedule::Steps(vec![(0, 0.5), (5 * per_epoch, 0.9)]);
        let sgd =
            Sgd::new(&dbn.top, Schedule::Steps(rates), momentum, Penalty::l2(1e-3)).while_doing(doing)?;
        Ok(GreedyLearner::new(dbn, estimator, sgd))
    }

    /// Epochs of joint training: a machine without pretraining has that many more.
    pub(super) fn epochs(&self, plan: &Plan) -> u64 {
        self.joint_epochs + if plan.pretrained { 0 } else { self.pretraining_epochs }
    }

    /// A learner of all layers together.
    pub(super) fn joint(
        &self,
        dbm: Dbm,
        plan: &Plan,
        per_epoch: u64,
        key: Key,
    ) -> Result<DbmLearner<Sgd>, RunError> {
        let doing = "setting up joint training";
        let updates = self.epochs(plan) * per_epoch;
        let rate = Schedule::Linear { from: plan.rate, to: 0.0, updates };
        let sgd = Sgd::new(&dbm, rate, self.momentum, Penalty::l2(self.decay)).while_doing(doing)?;
        let chains = Chains::new(&dbm, CHAINS, key).while_doing(doing)?;
        let targets = &TARGETS[..dbm.depth().min(TARGETS.len())];
        let sparsity = LayerSparsity::new(&dbm, targets, SPARSITY_COST, SPARSITY_DECAY).while_doing(doing)?;
        let mut learner = DbmLearner::new(dbm, chains, sgd);
        if learner.dbm.depth() == 1 {
            // The first pass is the posterior already.
            learner.inference_sweeps = 0;
        }
        learner.sparsity = Some(sparsity);
        if plan.centred() {
            learner.offsets = Some(LayerOffsets::new(&learner.dbm, OFFSET_RATE).while_doing(doing)?);
        }
        Ok(learner)
    }
}
