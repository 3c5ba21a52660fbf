//! Minibatches: which examples are seen together, and in which order.

use rand_core::RngCore;

use crate::DataError;
use crate::uniform::permutation;

/// What happens to the examples left at the end of an epoch when the batch size does not divide their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastBatch {
    /// They form a last, smaller batch: every example is seen in every epoch.
    #[default]
    Keep,
    /// They are left out of this epoch: every batch has the full size. In shuffled epochs other examples are
    /// left out each time.
    Drop,
}

/// The plan of minibatches over a number of examples, the same for all epochs.
///
/// It holds no generator and no state: the order of an epoch follows from the generator that is given for
/// that epoch alone. A run that derives one generator an epoch from its seed and the epoch's number can
/// therefore be resumed in the middle of any epoch, with [`Epoch::starting_at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    examples: usize,
    batch_size: usize,
    last: LastBatch,
}

impl Batches {
    /// A plan for `examples` examples in batches of `batch_size`.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] if either is 0, or if not even one batch is left with [`LastBatch::Drop`].
    pub fn new(examples: usize, batch_size: usize, last: LastBatch) -> Result<Self, DataError> {
        let refused =
            |name, value: usize, allowed| Err(DataError::Setting { name, value: value.to_string(), allowed });
        if examples == 0 {
            return refused("the number of examples", 0, "give at least one".into());
        }
        if batch_size == 0 {
            return refused("the batch size", 0, "give at least 1".into());
        }
        if last == LastBatch::Drop && batch_size > examples {
            let allowed = format!("with an incomplete batch dropped, give at most the {examples} examples");
            return refused("the batch size", batch_size, allowed);
        }
        Ok(Self { examples, batch_size, last })
    }

    /// Number of examples, including those that are left out of an epoch.
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Examples a batch; the last batch of an epoch can be smaller.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Batches an epoch, at least 1.
    pub fn per_epoch(&self) -> usize {
        match self.last {
            LastBatch::Keep => self.examples.div_ceil(self.batch_size),
            LastBatch::Drop => self.examples / self.batch_size,
        }
    }

    /// An epoch in an order drawn from `generator`; all orders are equally likely.
    pub fn shuffled<R: RngCore + ?Sized>(&self, generator: &mut R) -> Epoch {
        self.epoch(permutation(self.examples, generator))
    }

    /// An epoch in the order of the examples, for instance to evaluate.
    pub fn in_order(&self) -> Epoch {
        self.epoch((0..self.examples).collect())
    }

    fn epoch(&self, mut order: Vec<usize>) -> Epoch {
        order.truncate(self.per_epoch().saturating_mul(self.batch_size));
        Epoch { order, batch_size: self.batch_size }
    }
}

/// The batches of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    order: Vec<usize>,
    batch_size: usize,
}

impl Epoch {
    /// The examples in the order in which they are seen, without those left out.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// Number of batches, at least 1.
    pub fn batches(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// All batches: the indices of their examples.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        self.starting_at(0)
    }

    /// The batches from number `first` on, counted from 0: what is left of an epoch of which `first` batches
    /// have been seen. Empty if there are no more.
    pub fn starting_at(&self, first: usize) -> impl ExactSizeIterator<Item = &[usize]> {
        let seen = first.saturating_mul(self.batch_size).min(self.order.len());
        self.order[seen..].chunks(self.batch_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    /// The generator of an epoch, as a caller would derive it.
    fn of_epoch(epoch: u64) -> Pcg64 {
        Pcg64::seed_from_u64(100 + epoch)
    }

    #[test]
    fn an_epoch_sees_every_example_once() {
        let plan = Batches::new(103, 10, LastBatch::Keep).unwrap();
        let epoch = plan.shuffled(&mut of_epoch(0));
        let sizes: Vec<usize> = epoch.iter().map(<[usize]>::len).collect();
        assert_eq!(sizes, [[10; 10].as_slice(), &[3]].concat());
        assert_eq!((plan.per_epoch(), epoch.batches(), epoch.iter().len()), (11, 11, 11));
        let mut seen: Vec<usize> = epoch.iter().flatten().copied().collect();
        assert_eq!(seen, epoch.order());
        seen.sort_unstable();
        assert_eq!(seen, (0..103).collect::<Vec<_>>());
    }

    #[test]
    fn an_incomplete_batch_can_be_dropped() {
        let plan = Batches::new(103, 10, LastBatch::Drop).unwrap();
        let epoch = plan.shuffled(&mut of_epoch(0));
        assert!(epoch.iter().all(|batch| batch.len() == 10));
        assert_eq!((plan.per_epoch(), epoch.iter().len(), epoch.order().len()), (10, 10, 100));
        // The same examples come first as with the last batch kept, and others are left out in other epochs.
        let kept = Batches::new(103, 10, LastBatch::Keep).unwrap().shuffled(&mut of_epoch(0));
        assert_eq!(epoch.order(), &kept.order()[..100]);
        let exact = Batches::new(100, 10, LastBatch::Drop).unwrap();
        assert_eq!((exact.per_epoch(), exact.in_order().batches()), (10, 10));
    }

    #[test]
    fn a_resumed_run_continues_in_the_middle() {
        let plan = Batches::new(50, 8, LastBatch::Keep).unwrap();
        let whole: Vec<Vec<usize>> = (0..3)
            .flat_map(|epoch| {
                plan.shuffled(&mut of_epoch(epoch)).iter().map(<[usize]>::to_vec).collect::<Vec<_>>()
            })
            .collect();
        // Stopped after epoch 1, batch 4: nothing of epoch 0 has to be repeated.
        let stopped = plan.per_epoch() + 4;
        let mut resumed: Vec<Vec<usize>> =
            plan.shuffled(&mut of_epoch(1)).starting_at(4).map(<[usize]>::to_vec).collect();
        resumed.extend(plan.shuffled(&mut of_epoch(2)).iter().map(<[usize]>::to_vec));
        assert_eq!(resumed, whole[stopped..]);
        assert_eq!(plan.shuffled(&mut of_epoch(1)).starting_at(7).len(), 0);
        assert_eq!(plan.shuffled(&mut of_epoch(1)).starting_at(usize::MAX).len(), 0);
    }

    #[test]
    fn epochs_differ_and_the_plain_order_does_not_shuffle() {
        let plan = Batches::new(50, 50, LastBatch::Keep).unwrap();
        assert_ne!(plan.shuffled(&mut of_epoch(0)), plan.shuffled(&mut of_epoch(1)));
        assert_eq!(plan.in_order().order(), (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn plans_without_a_batch_are_refused() {
        assert!(Batches::new(0, 10, LastBatch::Keep).is_err());
        assert!(Batches::new(10, 0, LastBatch::Keep).is_err());
        let error = Batches::new(10, 11, LastBatch::Drop).unwrap_err().to_string();
        assert!(error.contains("the batch size is 11") && error.contains("at most the 10"), "{error}");
        assert_eq!(Batches::new(10, 11, LastBatch::Keep).unwrap().per_epoch(), 1);
        assert_eq!(Batches::new(10, usize::MAX, LastBatch::Keep).unwrap().in_order().batches(), 1);
    }
}
