//! Puts figures into the record.

use crate::{
    Cases, Error, Key,
    fit::{Flow, Observer, Record, Seen},
};

/// Puts down what the learner measures on fixed cases.
#[derive(Debug)]
pub struct Measure {
    /// Updates between two measurements.
    pub every: u64,
    /// The cases, usually some of the training set or the validation set.
    pub cases: Cases,
    /// For the draws that a measurement needs: the same at every one.
    pub key: Key,
    /// Stands before every name, such as `validation `; may be empty.
    pub prefix: String,
}

impl Observer for Measure {
    fn every(&self) -> u64 {
        self.every
    }
    fn see(&mut self, seen: &Seen<'_>, record: &mut Record) -> Result<Flow, Error> {
        let figures = seen.learner.measure(&self.cases, self.key)?;
        record.extend(figures.into_iter().map(|(name, value)| (format!("{}{name}", self.prefix), value)));
        Ok(Flow::Continue)
    }
}

/// Puts down what a closure finds, and stops if it says so.
pub struct Probe<F> {
    /// Updates between two calls.
    pub every: u64,
    /// The closure.
    pub look: F,
}

impl<F> std::fmt::Debug for Probe<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Probe every {}", self.every)
    }
}

impl<F: FnMut(&Seen<'_>, &mut Record) -> Result<Flow, Error>> Observer for Probe<F> {
    fn every(&self) -> u64 {
        self.every
    }
    fn see(&mut self, seen: &Seen<'_>, record: &mut Record) -> Result<Flow, Error> {
        (self.look)(seen, record)
    }
}

/// Keeps every record, for curves.
#[derive(Debug)]
pub struct History {
    /// Updates between two looks: that of the probes before it.
    pub every: u64,
    /// Update and figures of each look.
    pub records: Vec<(u64, Record)>,
}

impl History {
    /// Nothing yet.
    pub fn new(every: u64) -> History {
        History { every, records: Vec::new() }
    }

    /// The curve of one figure over updates.
    pub fn curve(&self, name: &str) -> Vec<(f64, f64)> {
        let find = |(update, record): &(u64, Record)| {
            record.iter().find(|(other, _)| other == name).map(|(_, value)| (*update as f64, *value))
        };
        self.records.iter().filter_map(find).collect()
    }
}

impl Observer for History {
    fn every(&self) -> u64 {
        self.every
    }
    fn see(&mut self, seen: &Seen<'_>, record: &mut Record) -> Result<Flow, Error> {
        self.records.push((seen.update, record.clone()));
        Ok(Flow::Continue)
    }
}
