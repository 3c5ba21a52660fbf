//! The training loop: minibatches, observers, interruption, resumption.

use crate::{CaseSource, Cases, Dataset, Error, Key, Learner, parameters::check_finite};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How long to train and on what minibatches.
///
/// A batch of all cases is batch gradient descent, one of a single case online learning.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// Passes through the data.
    pub epochs: u64,
    /// Cases of a minibatch.
    pub batch: usize,
    /// Where all randomness comes from: orders, draws of pixels, draws of the learner.
    pub key: Key,
    /// The update to go on from, after its checkpoint was loaded; 0 at first.
    pub from: u64,
    /// Whether each epoch has a random order of its own; else cases come in the order in which they were given.
    pub shuffle: bool,
    /// Whether what is left at the end of an epoch is a last, smaller minibatch; else it is left out (with a random order
    /// these cases come in other epochs).
    pub rest: bool,
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All epochs are done.
    Complete,
    /// An observer asked to stop after this many updates.
    Stopped(u64),
    /// The user asked to stop after this many updates.
    Interrupted(u64),
}

/// What an observer sees.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Updates done.
    pub update: u64,
    /// Updates in all.
    pub updates: u64,
    /// Updates of one epoch.
    pub updates_per_epoch: u64,
    /// The key of the run.
    pub key: Key,
    /// What is being trained.
    pub learner: &'a dyn Learner,
}

impl std::fmt::Debug for Seen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "update {} of {}", self.update, self.updates)
    }
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Train on.
    Continue,
    /// Enough.
    Stop,
}

/// Named figures that probes put down for the observers after them, at one moment of training.
pub type Record = Vec<(String, f64)>;

/// Watches training. Observers run in the order in which they are given; each at its own frequency.
pub trait Observer {
    /// Updates between two looks; the last update is always seen.
    fn every(&self) -> u64;

    /// A look, with the figures that observers before this one put into the record.
    ///
    /// # Errors
    /// Ends training.
    fn see(&mut self, seen: &Seen<'_>, record: &mut Record) -> Result<Flow, Error>;

    /// The end of training, also when it was interrupted or failed elsewhere.
    ///
    /// # Errors
    /// Reported after the other observers saw the end, too.
    fn end(&mut self, seen: &Seen<'_>) -> Result<(), Error> {
        let _ = seen;
        Ok(())
    }
}

/// Updates between two checks for values that are not finite.
const FINITE_EVERY: u64 = 100;
/// Purposes of the keys of a run.
const ORDER: u64 = 1;
const PIXELS: u64 = 2;
const LEARNER: u64 = 3;

impl Fit {
    /// Training from the beginning, in random orders, with full minibatches only.
    pub fn new(epochs: u64, batch: usize, key: Key) -> Fit {
        Fit { epochs, batch, key, from: 0, shuffle: true, rest: false }
    }

    /// Updates of one epoch.
    pub fn updates_per_epoch(&self, data: &Dataset) -> u64 {
        self.updates_of(data.len())
    }

    fn updates_of(&self, cases: usize) -> u64 {
        let batch = self.batch.max(1);
        (if self.rest { cases.div_ceil(batch) } else { cases / batch }) as u64
    }

    /// The order of the cases in an epoch.
    fn order(&self, data: &dyn CaseSource, epoch: u64) -> Vec<usize> {
        if self.shuffle {
            data.order(self.key.fold_in(ORDER).fold_in(epoch))
        } else {
            (0..data.len()).collect()
        }
    }

    /// Trains. Everything random is a function of the key and the number of the update, so that a run that goes on
    /// from a checkpoint does exactly what it would have done.
    ///
    /// # Errors
    /// A batch that is empty or larger than the data, data that the learner refuses, parameters that turn non-finite, or an error of an observer.
    pub fn run(
        &self,
        learner: &mut dyn Learner,
        mut data: &Dataset,
        observers: &mut [&mut dyn Observer],
        interrupted: &AtomicBool,
    ) -> Result<Ending, Error> {
        self.run_on(learner, &mut data, observers, interrupted)
    }

    /// The same with minibatches from anywhere, such as the file of [`StoredCases`](crate::StoredCases).
    ///
    /// # Errors
    /// As [`run`](Fit::run), and if cases cannot be read.
    pub fn run_on(
        &self,
        learner: &mut dyn Learner,
        data: &mut dyn CaseSource,
        observers: &mut [&mut dyn Observer],
        interrupted: &AtomicBool,
    ) -> Result<Ending, Error> {
        if self.batch == 0 || self.batch > data.len() {
            let allowed = format!("it must lie between 1 and the {} cases of the data", data.len());
            return Err(Error::setting("batch", self.batch, &allowed));
        }
        learner.check(data.example())?;
        let per_epoch = self.updates_of(data.len());
        let updates = per_epoch * self.epochs;
        let (mut full, mut rest): (Cases, Option<Cases>) = (data.room(self.batch), None);
        let (mut order, mut ordered) = (Vec::new(), u64::MAX);
        let mut ending = Ending::Complete;
        let mut failure = None;
        let mut update = self.from;
        while update < updates {
            let (epoch, at) = (update / per_epoch, (update % per_epoch) as usize);
            if ordered != epoch {
                order = self.order(data, epoch);
                ordered = epoch;
            }
            let cases = &order[at * self.batch..];
            let cases = &cases[..self.batch.min(cases.len())];
            let batch = match cases.len() == self.batch {
                true => &mut full,
                false => rest.get_or_insert_with(|| data.room(cases.len())),
            };
            if let Err(error) = data.fill(batch, cases, self.key.fold_in(PIXELS).fold_in(update)) {
                failure = Some(error);
                break;
            }
            learner.update(batch, update, self.key.fold_in(LEARNER).fold_in(update));
            update += 1;
            if (update.is_multiple_of(FINITE_EVERY) || update == updates)
                && let Err(error) = check_finite(learner.model(), update)
            {
                failure = Some(error);
                break;
            }
            let seen = Seen { update, updates, updates_per_epoch: per_epoch, key: self.key, learner };
            match look(observers, &seen) {
                Ok(Flow::Continue) => {}
                Ok(Flow::Stop) => {
                    ending = Ending::Stopped(update);
                    break;
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
            if interrupted.load(Relaxed) {
                ending = Ending::Interrupted(update);
                break;
            }
        }
        // What failed is not worth a last checkpoint: the one before it is whole and is kept.
        if let Some(error) = failure {
            return Err(error);
        }
        let seen = Seen { update, updates, updates_per_epoch: per_epoch, key: self.key, learner };
        let ends: Vec<_> = observers.iter_mut().map(|observer| observer.end(&seen)).collect();
        ends.into_iter().collect::<Result<(), Error>>()?;
        Ok(ending)
    }
}

fn look(observers: &mut [&mut dyn Observer], seen: &Seen<'_>) -> Result<Flow, Error> {
    let (mut record, mut flow) = (Record::new(), Flow::Continue);
    for observer in observers {
        let due = seen.update.is_multiple_of(observer.every().max(1)) || seen.update == seen.updates;
        if due && observer.see(seen, &mut record)? == Flow::Stop {
            flow = Flow::Stop;
        }
    }
    Ok(flow)
}
