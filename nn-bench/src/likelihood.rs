//! Log-probability of test data under a machine, bounded from both sides.

use std::path::PathBuf;

use nn_core::{Key, Tensor};
use nn_rbm::ais::{Ais, Betas, Estimate, Progress as AisProgress};
use nn_rbm::units::Units;
use nn_rbm::{EnergyModel, Rbm};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Estimates of log Z from both sides and what follows for the data.
#[derive(Debug)]
pub struct Likelihood {
    /// Chains from the base to the model.
    pub forward: Estimate,
    /// Chains from the model to the base.
    pub reverse: Estimate,
    /// Mean log p(v) over the test data with the forward estimate of log Z, in nats: stochastically an upper bound.
    pub test_forward: f64,
    /// With the reverse estimate: a lower bound if the chains were fair samples of the model.
    pub test_reverse: f64,
    /// Mean log p(v) over training data with the forward estimate.
    pub train_forward: f64,
}

/// What a measurement needs.
#[derive(Debug)]
pub struct Measurement<'a> {
    /// Before the names of metrics, such as `cd1_`; may be empty.
    pub prefix: &'a str,
    /// Visible units of the base.
    pub base: &'a dyn Units,
    /// Inverse temperatures.
    pub betas: Betas,
    /// Chains of either direction.
    pub chains: usize,
    /// Where reverse chains start: fair samples of the model, as far as one can have them.
    pub fantasies: &'a Tensor,
    /// Binary test cases.
    pub test: &'a Tensor,
    /// Binary training cases.
    pub train: &'a Tensor,
    /// For all draws.
    pub key: Key,
    /// The checkpoint from which a run that is interrupted here goes on.
    pub checkpoint: PathBuf,
}

/// Annealed importance sampling of a model from both sides.
#[derive(Debug)]
pub struct BothWays<'a> {
    /// What it is called on the screen.
    pub name: &'a str,
    /// Visible units of the base.
    pub base: &'a dyn Units,
    /// Inverse temperatures.
    pub betas: Betas,
    /// Chains from the base to the model.
    pub chains: usize,
    /// For all draws.
    pub key: Key,
    /// The checkpoint from which a run that is interrupted here goes on.
    pub checkpoint: PathBuf,
}

impl BothWays<'_> {
    /// Estimates of log Z, forward and reverse: the latter from fair states of all layers, as far as one can have them; of a
    /// model of two layers those of the visible one will do.
    ///
    /// # Errors
    /// After Ctrl-C, or if the device failed.
    pub fn run(
        self,
        run: &Run,
        model: &dyn EnergyModel,
        states: &[Tensor],
    ) -> Result<[Estimate; 2], RunError> {
        let doing = "annealed importance sampling";
        let _timer = run.phase(doing);
        let flag = run.interruption_flag();
        let bar = run.progress(self.name, 2000);
        let sample = |reverse: bool| {
            let show = |share: f64| bar.set((1000.0 * (share + f64::from(u8::from(reverse)))) as u64);
            let path = nn_rbm::Path::new(model, self.base.duplicate());
            let ais = Ais {
                progress: Some(AisProgress(&show)),
                interrupted: Some(&flag),
                ..Ais::new(path, self.betas.clone())
            };
            match reverse {
                false => ais.forward(model, self.chains, self.key.fold_in(0)),
                true => ais.reverse_from(model, states, self.key.fold_in(1)),
            }
        };
        match (sample(false), sample(true)) {
            (Err(nn_core::Error::Interrupted { .. }), _) | (_, Err(nn_core::Error::Interrupted { .. })) => {
                Err(run.stop_after_saving(self.checkpoint))
            }
            (forward, reverse) => Ok([forward.while_doing(doing)?, reverse.while_doing(doing)?]),
        }
    }
}

impl Measurement<'_> {
    /// Runs annealed importance sampling both ways and puts the figures into the report.
    ///
    /// # Errors
    /// After Ctrl-C, or if the device failed.
    pub fn run(self, run: &mut Run, rbm: &Rbm) -> Result<Likelihood, RunError> {
        let doing = "measuring the log-probability";
        let name = format!("{}both AIS bounds", self.prefix);
        let (base, betas, chains, key) = (self.base, self.betas, self.chains, self.key);
        let both = BothWays { name: &name, base, betas, chains, key, checkpoint: self.checkpoint };
        let [forward, reverse] = both.run(run, rbm, std::slice::from_ref(self.fantasies))?;
        let test = -rbm.mean_free_energy(self.test).while_doing(doing)?;
        let train = -rbm.mean_free_energy(self.train).while_doing(doing)?;
        let found = Likelihood {
            test_forward: test - forward.log_partition,
            test_reverse: test - reverse.log_partition,
            train_forward: train - forward.log_partition,
            forward,
            reverse,
        };
        let prefix = self.prefix;
        let report = &mut run.report;
        report.metric(format!("{prefix}test_log_probability_forward_ais"), found.test_forward)?;
        report.metric(format!("{prefix}test_log_probability_reverse_ais"), found.test_reverse)?;
        report.metric(format!("{prefix}train_log_probability_forward_ais"), found.train_forward)?;
        report.metric(format!("{prefix}log_partition_forward_ais"), found.forward.log_partition)?;
        report.metric(format!("{prefix}log_partition_reverse_ais"), found.reverse.log_partition)?;
        report.metric(format!("{prefix}log_partition_standard_error"), found.forward.standard_error)?;
        report.metric(format!("{prefix}ais_effective_sample_size"), found.forward.effective_sample_size)?;
        report.metric(format!("{prefix}ais_sandwich"), found.test_forward - found.test_reverse)?;
        Ok(found)
    }
}
