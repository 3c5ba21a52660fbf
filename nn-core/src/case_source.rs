//! Where minibatches come from.

use crate::{Cases, Dataset, Error, Key};

/// Cases of which a training loop takes minibatches: a [`Dataset`] in the memory of its device, or a file.
pub trait CaseSource {
    /// Number of cases.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the cases or all, which tell a learner whether it can learn from them.
    fn example(&self) -> &Dataset;

    /// The order of the cases in an epoch, each of them once: a function of the key alone.
    fn order(&self, key: Key) -> Vec<usize>;

    /// Room for so many cases.
    fn room(&self, cases: usize) -> Cases {
        self.example().room(cases)
    }

    /// Fills `batch` with the cases of these numbers; what is random in them is a function of the key.
    ///
    /// # Errors
    /// If they cannot be read.
    fn fill(&mut self, batch: &mut Cases, cases: &[usize], key: Key) -> Result<(), Error>;
}

impl CaseSource for &Dataset {
    fn len(&self) -> usize {
        Dataset::len(self)
    }

    fn example(&self) -> &Dataset {
        self
    }

    fn order(&self, key: Key) -> Vec<usize> {
        Dataset::order(self, key)
    }

    fn fill(&mut self, batch: &mut Cases, cases: &[usize], key: Key) -> Result<(), Error> {
        Dataset::fill(self, batch, cases, key);
        Ok(())
    }
}
