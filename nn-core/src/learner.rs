//! What can be trained.

use crate::{Error, Key, Parameters, Tensor};

/// Something that learns from one minibatch at a time.
///
/// As [`Parameters`] it shows everything that a resumed run needs: the model, the optimiser's moments, persistent
/// chains. Its schedules depend on the number of the update alone.
pub trait Learner: Parameters {
    /// One update. It may not read from the device, so that work piles up there.
    fn update(&mut self, batch: &Tensor, update: u64, key: Key);

    /// The model that is being learned, without what only training needs.
    fn model(&self) -> &dyn Parameters;

    /// Named figures of the state of learning on these cases, for tables and curves. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    fn measure(&self, cases: &Tensor, key: Key) -> Result<Vec<(&'static str, f64)>, Error>;
}
