//! A few updates of the model at hand, to find out on which device they are faster.

use std::time::Instant;

use nn_core::{Cases, Dataset, Error, Key, Learner};

/// Updates between two looks at the clock: in training, too, many are asked for before one is waited for.
const UPDATES: u64 = 8;
/// The best of so many looks counts.
const LOOKS: u32 = 3;

/// A learner and a minibatch, on the device to be tried.
pub struct Trial {
    learner: Box<dyn Learner>,
    batch: Cases,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trial of {} cases on {}", self.batch.len(), self.batch.device().name())
    }
}

impl Trial {
    /// The learner as it will be trained, and a minibatch of its size from the data it will see: how long an update
    /// takes depends on how many of the pixels are zero.
    pub fn new(learner: impl Learner + 'static, data: &Dataset, batch: usize) -> Self {
        let cases: Vec<usize> = (0..batch.min(data.len())).collect();
        Self { learner: Box::new(learner), batch: data.cases(&cases, Key::new(0)) }
    }

    /// Seconds of one update.
    ///
    /// # Errors
    /// If the device failed.
    pub fn seconds(mut self) -> Result<f64, Error> {
        // The first updates compile kernels and find memory.
        self.updates(2)?;
        let mut best = f64::INFINITY;
        for _ in 0..LOOKS {
            let began = Instant::now();
            self.updates(UPDATES)?;
            best = best.min(began.elapsed().as_secs_f64() / UPDATES as f64);
        }
        Ok(best)
    }

    /// Updates, and then a read of one value, which waits for all of them.
    fn updates(&mut self, count: u64) -> Result<(), Error> {
        for update in 0..count {
            self.learner.update(&self.batch, update, Key::new(update));
        }
        let mut read = Ok(());
        self.learner.visit(&mut |_, tensor| {
            if read.is_ok() && !tensor.is_empty() {
                read = tensor.row_range(0..1).column_range(0..1).to_array().map(drop);
            }
        });
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::{Binarize, Device, Penalty, Sgd};
    use nn_rbm::{Rbm, RbmLearner, estimator::ContrastiveDivergence};

    #[test]
    fn an_update_takes_time() {
        let device = Device::cpu();
        let patterns = nn_data::synthetic::bars_and_stripes::patterns(3).unwrap();
        let data = Dataset::new(&device, patterns.view(), Binarize::Never).unwrap();
        let rbm = Rbm::bernoulli(&device, 9, 4, Key::new(1)).unwrap();
        let sgd = Sgd::new(&rbm, 0.1, 0.0, Penalty::default()).unwrap();
        let trial = Trial::new(RbmLearner::new(rbm, ContrastiveDivergence::new(1).unwrap(), sgd), &data, 100);
        assert_eq!(format!("{trial:?}"), format!("Trial of {} cases on cpu", patterns.nrows()));
        let seconds = trial.seconds().unwrap();
        assert!(seconds > 0.0 && seconds.is_finite());
    }
}
