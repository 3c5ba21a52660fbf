//! The course of training: batches in the order of their numbers, minibatches in the order of the file.

use std::collections::HashMap;

use nn_core::Error;

/// Cases of a minibatch.
pub const MINIBATCH: usize = 128;

/// Which batches are passed how often.
#[derive(Clone, Debug)]
pub struct Course {
    /// Number and cases of each training batch, ascending.
    pub batches: Vec<(u32, usize)>,
    /// Passes through all of them.
    pub epochs: u64,
}

/// Where training is: before this minibatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub epoch: u64,
    /// Its position in [`Course::batches`].
    pub batch: usize,
    /// From 0.
    pub minibatch: usize,
    /// Updates done.
    pub update: u64,
}

impl Course {
    /// The beginning.
    pub fn start(&self) -> Place {
        Place { epoch: 1, batch: 0, minibatch: 0, update: 0 }
    }

    /// Minibatches of a batch, the last of which may be smaller.
    pub fn minibatches(&self, batch: usize) -> usize {
        self.batches[batch].1.div_ceil(MINIBATCH)
    }

    /// The place before the next batch.
    pub fn after(&self, place: Place) -> Place {
        let last = place.batch + 1 == self.batches.len();
        let (epoch, batch) = if last { (place.epoch + 1, 0) } else { (place.epoch, place.batch + 1) };
        Place { epoch, batch, minibatch: 0, ..place }
    }

    /// Batches done since the beginning, the one of this place included, if the batches have always been these.
    pub fn batches_done(&self, place: Place) -> u64 {
        (place.epoch - 1) * self.batches.len() as u64 + place.batch as u64 + 1
    }

    /// Whether there is anything to be done.
    pub fn is_over(&self, place: Place) -> bool {
        place.epoch > self.epochs
    }

    /// Updates in all: those done, and those from this place on.
    pub fn updates(&self, place: Place) -> u64 {
        let each: u64 = (0..self.batches.len()).map(|batch| self.minibatches(batch) as u64).sum();
        let before: u64 = (0..place.batch).map(|batch| self.minibatches(batch) as u64).sum();
        let epochs = (self.epochs + 1).saturating_sub(place.epoch);
        place.update + (epochs * each).saturating_sub(before + place.minibatch as u64)
    }

    /// From which update on how far training is, from the batch of this place on: cuda-convnet2's progress, which stays the
    /// same within a batch.
    pub fn progress(&self, mut place: Place) -> Vec<(u64, f64)> {
        let all = self.epochs * self.batches.len() as u64;
        let mut update = place.update.saturating_sub(place.minibatch as u64);
        let mut progress = Vec::new();
        while !self.is_over(place) {
            progress.push((update, (self.batches_done(place) - 1) as f64 / all as f64));
            update += self.minibatches(place.batch) as u64;
            place = self.after(place);
        }
        progress
    }

    /// What a checkpoint says of a place beside its updates.
    pub fn described(&self, place: Place) -> HashMap<String, String> {
        let batch = self.batches[place.batch].0;
        let entries = [
            ("epoch", place.epoch.to_string()),
            ("batch", batch.to_string()),
            ("minibatch", place.minibatch.to_string()),
        ];
        entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }

    /// The place that a checkpoint describes. If its batch is no longer among those to be trained on, that is the next one
    /// that is.
    ///
    /// # Errors
    /// [`Error::Data`] for a checkpoint that does not say.
    pub fn place(&self, extra: &HashMap<String, String>, update: u64) -> Result<Place, Error> {
        let number = |name: &str| extra.get(name).and_then(|text| text.parse::<u64>().ok());
        let (Some(epoch @ 1..), Some(batch), Some(minibatch)) =
            (number("epoch"), number("batch"), number("minibatch"))
        else {
            let problem = "the checkpoint does not say how far training was; delete it and start afresh";
            return Err(Error::Data(problem.to_string()));
        };
        let next = self.batches.iter().position(|(number, _)| u64::from(*number) >= batch);
        let Some(next) = next else { return Ok(Place { epoch: epoch + 1, update, ..self.start() }) };
        let same = u64::from(self.batches[next].0) == batch && (minibatch as usize) < self.minibatches(next);
        let minibatch = if same { minibatch as usize } else { 0 };
        Ok(Place { epoch, batch: next, minibatch, update })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> Course {
        Course { batches: vec![(1, 10_000), (2, 10_000), (4, 100)], epochs: 2 }
    }

    #[test]
    fn a_batch_of_10_000_cases_is_79_minibatches() {
        let course = course();
        assert_eq!((course.minibatches(0), course.minibatches(2)), (79, 1));
        assert_eq!(course.updates(course.start()), 2 * 159);
        let mut place = course.start();
        let mut order = Vec::new();
        while !course.is_over(place) {
            order.push((place.epoch, course.batches[place.batch].0, course.batches_done(place)));
            place.update += course.minibatches(place.batch) as u64;
            place = course.after(place);
            assert_eq!(course.updates(place), 318);
        }
        assert_eq!(order, [(1, 1, 1), (1, 2, 2), (1, 4, 3), (2, 1, 4), (2, 2, 5), (2, 4, 6)]);
    }

    #[test]
    fn progress_changes_with_the_batch() {
        let course = course();
        let all = course.progress(course.start());
        assert_eq!(all[..3], [(0, 0.0), (79, 1.0 / 6.0), (158, 2.0 / 6.0)]);
        assert_eq!(all.len(), 6);
        // In the middle of the second batch, what comes is the same.
        let place = Place { epoch: 1, batch: 1, minibatch: 9, update: 79 + 9 };
        assert_eq!(course.progress(place), all[1..]);
    }

    #[test]
    fn places_are_found_again() {
        let course = course();
        let place = Place { epoch: 2, batch: 1, minibatch: 33, update: 271 };
        let described = course.described(place);
        assert_eq!(course.place(&described, 271).unwrap(), place);
        // Batch 2 is not trained on any more, then nothing after batch 1.
        let other = Course { batches: vec![(1, 10_000), (3, 10_000)], epochs: 2 };
        let next = Place { epoch: 2, batch: 1, minibatch: 0, update: 271 };
        assert_eq!(other.place(&described, 271).unwrap(), next);
        let other = Course { batches: vec![(1, 10_000)], epochs: 2 };
        assert!(other.is_over(other.place(&described, 271).unwrap()));
        assert!(course.place(&HashMap::new(), 3).unwrap_err().to_string().contains("how far training was"));
    }
}
