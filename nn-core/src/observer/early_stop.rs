//! Stops when a figure stops getting better.

use crate::{
    Error,
    fit::{Flow, Observer, Record, Seen},
};

/// Watches a figure that a probe before it puts down.
#[derive(Debug)]
pub struct EarlyStop {
    every: u64,
    name: String,
    larger_is_better: bool,
    patience: u32,
    best: Option<f64>,
    worse: u32,
}

impl EarlyStop {
    /// Stops after `patience` looks in a row without a new best value of the figure `name`.
    pub fn new(name: &str, larger_is_better: bool, every: u64, patience: u32) -> EarlyStop {
        EarlyStop { every, name: name.into(), larger_is_better, patience, best: None, worse: 0 }
    }

    /// The best value so far.
    pub fn best(&self) -> Option<f64> {
        self.best
    }
}

impl Observer for EarlyStop {
    fn every(&self) -> u64 {
        self.every
    }
    fn see(&mut self, _: &Seen<'_>, record: &mut Record) -> Result<Flow, Error> {
        let Some((_, value)) = record.iter().find(|(name, _)| *name == self.name) else {
            let names: Vec<&str> = record.iter().map(|(name, _)| name.as_str()).collect();
            let allowed = format!("the probes before it put down: {}", names.join(", "));
            return Err(Error::setting("figure of the early stop", &self.name, &allowed));
        };
        let better =
            self.best.is_none_or(|best| if self.larger_is_better { *value > best } else { *value < best });
        if better {
            (self.best, self.worse) = (Some(*value), 0);
        } else {
            self.worse += 1;
        }
        Ok(if self.worse >= self.patience { Flow::Stop } else { Flow::Continue })
    }
}
