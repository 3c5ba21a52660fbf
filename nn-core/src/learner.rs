//! What can be trained.

use crate::{Cases, Dataset, Error, Key, Parameters};

/// Something that learns from one minibatch at a time.
///
/// As [`Parameters`] it shows everything that a resumed run needs: the model, the optimiser's moments, persistent
/// chains. Its schedules depend on the number of the update alone.
pub trait Learner: Parameters {
    /// One update. It may not read from the device, so that work piles up there.
    fn update(&mut self, batch: &Cases, update: u64, key: Key);

    /// The model that is being learned, without what only training needs.
    fn model(&self) -> &dyn Parameters;

    /// Named figures of the state of learning on these cases, for tables and curves. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    fn measure(&self, cases: &Cases, key: Key) -> Result<Vec<(&'static str, f64)>, Error>;

    /// Refuses data that do not fit the model; asked before the first update.
    ///
    /// # Errors
    /// [`Error::Data`] that says what does not fit.
    fn check(&self, data: &Dataset) -> Result<(), Error> {
        let _ = data;
        Ok(())
    }
}
