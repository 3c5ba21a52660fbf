//! Annealed importance sampling: estimates of log Z from both sides.
//!
//! Forward (Salakhutdinov and Murray, 2008): chains start in the independent base and are carried to the model; their
//! log weights give a stochastic lower bound on log Z. Reverse: chains start in states of the model and are carried to
//! the base, which gives an upper bound if the states are fair samples. Where both agree the estimate can be trusted;
//! a forward estimate alone can look fine and be wrong by a dozen nats.
//!
//! Weights are accumulated in double precision on every backend; the inverse temperatures come from a table, never from
//! repeated addition.

mod walk;

use crate::{EnergyModel, LogSumExp, Path};
use nn_core::{Error, Key, Tensor};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use walk::Walk;

/// Steps whose weights are summed on the device before they are read.
const STEPS_PER_READ: usize = 64;

/// The inverse temperatures of a run, rising from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Betas(Vec<f64>);

impl Betas {
    /// Equal steps from 0 to 1.
    ///
    /// # Errors
    /// Without a step.
    pub fn uniform(steps: usize) -> Result<Betas, Error> {
        Betas::pieces(&[(1.0, steps)])
    }

    /// 500 steps from 0 to 0.5, 4,000 to 0.9 and 10,000 to 1: the schedule of Salakhutdinov and Murray (2008).
    pub fn published() -> Betas {
        Betas::shrunk(1)
    }

    /// The published schedule with this times fewer steps.
    pub fn shrunk(factor: usize) -> Betas {
        let steps = |steps: usize| (steps / factor.max(1)).max(1);
        let pieces = [(0.5, steps(500)), (0.9, steps(4_000)), (1.0, steps(10_000))];
        Betas::pieces(&pieces).expect("the table ends at one")
    }

    /// Pieces of equal steps, each with its end and number of steps; the last one ends at 1.
    ///
    /// # Errors
    /// If ends do not rise to 1 or a piece has no step.
    pub fn pieces(pieces: &[(f64, usize)]) -> Result<Betas, Error> {
        let mut betas = vec![0.0];
        for &(end, steps) in pieces {
            let start = betas[betas.len() - 1];
            if !(end > start && end <= 1.0) || steps == 0 {
                let rule = "ends must rise to 1 and every piece needs a step";
                return Err(Error::setting("inverse temperatures", format!("{pieces:?}"), rule));
            }
            betas.extend((1..=steps).map(|k| start + (end - start) * (k as f64 / steps as f64)));
        }
        if betas[betas.len() - 1] != 1.0 {
            return Err(Error::setting("inverse temperatures", format!("{pieces:?}"), "the last must be 1"));
        }
        Ok(Betas(betas))
    }

    /// Number of inverse temperatures, 0 and 1 included.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// An estimate of log Z.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// log Z.
    pub log_partition: f64,
    /// Standard error of log Z from the variance of the weights: std(w) / (√M · mean(w)). A lower limit of the true
    /// error when few weights dominate.
    pub standard_error: f64,
    /// (Σw)² / Σw²: how many equally weighted chains the run is worth.
    pub effective_sample_size: f64,
    /// Standard deviation of log w.
    pub spread: f64,
    /// log w of every chain, relative to log Z of the base.
    pub log_weights: Vec<f64>,
    /// log Z of the base.
    pub log_partition_of_base: f64,
    /// Whether the chains ran from model to base.
    pub reverse: bool,
}

impl Estimate {
    /// `log_weights` are log p*(model) − log p*(base) along each chain, whichever way it went.
    fn new(log_weights: Vec<f64>, log_partition_of_base: f64, reverse: bool) -> Estimate {
        let sign = if reverse { -1.0 } else { 1.0 };
        let count = log_weights.len() as f64;
        let (mut sum, mut squares) = (LogSumExp::default(), LogSumExp::default());
        for weight in &log_weights {
            sum.add(sign * weight);
            squares.add(2.0 * sign * weight);
        }
        let log_mean = sum.value() - count.ln();
        let effective = (2.0 * sum.value() - squares.value()).exp();
        let mean = log_weights.iter().sum::<f64>() / count;
        let variance = log_weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        // Var(w)/mean² = (M/ESS − 1)·M/(M − 1) and the error of the mean of M weights is its root over √M.
        let relative = (count / effective - 1.0).max(0.0) * count / (count - 1.0).max(1.0);
        Estimate {
            log_partition: log_partition_of_base + sign * log_mean,
            standard_error: (relative / count).sqrt(),
            effective_sample_size: effective,
            spread: variance.sqrt(),
            log_weights,
            log_partition_of_base,
            reverse,
        }
    }
}

/// Settings of a run, forward or reverse.
#[derive(Debug)]
pub struct Ais<'a> {
    /// Where the distributions come from.
    pub path: Path,
    /// The inverse temperatures.
    pub betas: Betas,
    /// Called after every few steps with the share that is done.
    pub progress: Option<Progress<'a>>,
    /// Set by someone who wants the run to end early.
    pub interrupted: Option<&'a AtomicBool>,
}

/// A callback for the share of a run that is done, in [0, 1].
pub struct Progress<'a>(pub &'a (dyn Fn(f64) + 'a));

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

impl Ais<'_> {
    /// A run along this path.
    pub fn new(path: Path, betas: Betas) -> Self {
        Ais { path, betas, progress: None, interrupted: None }
    }

    /// Chains from the base to the model: a stochastic lower bound on log Z.
    ///
    /// # Errors
    /// Without a chain, when interrupted, or if the device failed.
    pub fn forward(&self, model: &dyn EnergyModel, chains: usize, key: Key) -> Result<Estimate, Error> {
        if chains == 0 {
            return Err(Error::setting(
                "chains of annealed importance sampling",
                chains,
                "at least one is needed",
            ));
        }
        let (mut walk, base) = Walk::new(&self.path, model, chains)?;
        self.path.go(&mut walk.from, model, 0.0);
        walk.start(key.fold_in(0));
        let last = self.betas.count() - 1;
        for step in 1..=last {
            self.path.go(&mut walk.to, model, self.betas.0[step]);
            walk.weigh(1.0);
            std::mem::swap(&mut walk.from, &mut walk.to);
            if step < last {
                walk.sweep(key.fold_in(step as u64));
            }
            self.after_step(&mut walk, step, last)?;
        }
        Ok(Estimate::new(walk.log_weights, base, false))
    }

    /// Chains from these visible states of the model (cases × visible) to the base: a stochastic upper bound on log Z, if
    /// they are fair samples of the model. For models of two layers; see [`Ais::reverse_from`].
    ///
    /// # Errors
    /// Without a state, when interrupted, or if the device failed.
    ///
    /// # Panics
    /// For a model of more than two layers.
    pub fn reverse(&self, model: &dyn EnergyModel, states: &Tensor, key: Key) -> Result<Estimate, Error> {
        assert!(model.layered().layers.len() == 2, "a deep model needs states of all its layers");
        self.reverse_walk(model, &[states], key)
    }

    /// As [`Ais::reverse`] of any model, from states of all its layers.
    ///
    /// # Errors
    /// As [`Ais::reverse`].
    pub fn reverse_from(
        &self,
        model: &dyn EnergyModel,
        states: &[Tensor],
        key: Key,
    ) -> Result<Estimate, Error> {
        self.reverse_walk(model, &states.iter().collect::<Vec<_>>(), key)
    }

    fn reverse_walk(&self, model: &dyn EnergyModel, states: &[&Tensor], key: Key) -> Result<Estimate, Error> {
        if states[0].is_empty() {
            return Err(Error::setting(
                "states of reverse annealed importance sampling",
                0,
                "at least one is needed",
            ));
        }
        let (mut walk, base) = Walk::new(&self.path, model, states[0].rows())?;
        for layer in walk.model.half(walk.kept) {
            walk.states[layer].assign(states[layer]);
        }
        let last = self.betas.count() - 1;
        self.path.go(&mut walk.from, model, 1.0);
        for step in (1..=last).rev() {
            self.path.go(&mut walk.to, model, self.betas.0[step - 1]);
            // log p*(upper) − log p*(lower): the sign of a forward step.
            walk.weigh(-1.0);
            std::mem::swap(&mut walk.from, &mut walk.to);
            if step > 1 {
                walk.sweep(key.fold_in(step as u64));
            }
            self.after_step(&mut walk, last - step + 1, last)?;
        }
        Ok(Estimate::new(walk.log_weights, base, true))
    }

    fn after_step(&self, walk: &mut Walk<'_>, step: usize, last: usize) -> Result<(), Error> {
        if !step.is_multiple_of(STEPS_PER_READ) && step != last {
            return Ok(());
        }
        walk.collect()?;
        if let Some(Progress(progress)) = &self.progress {
            progress(step as f64 / last as f64);
        }
        match self.interrupted {
            Some(flag) if flag.load(Relaxed) => Err(Error::Interrupted { step: step as u64 }),
            _ => Ok(()),
        }
    }
}
