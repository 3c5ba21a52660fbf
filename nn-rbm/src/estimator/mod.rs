//! Estimators of the gradient: where the states of the model phase come from.

mod contrastive_divergence;
mod exact;
mod fast_persistent;
mod parallel_tempering;
mod persistent;

pub use contrastive_divergence::ContrastiveDivergence;
pub use exact::Exact;
pub use fast_persistent::FastPersistent;
pub use parallel_tempering::ParallelTempering;
pub use persistent::Persistent;

use crate::{Phases, Rbm, kept};
use nn_core::{Key, Parameters, Tensor};

/// Gives both phases of the gradient for one batch.
///
/// As [`Parameters`] it shows the tensors that a resumed run needs, such as persistent chains. It reads nothing from
/// the device, and for binary units it allocates nothing after its first batch.
pub trait GradientEstimator: Parameters + std::fmt::Debug + Send {
    /// States and hidden means of data and model. The batch may be binary or of probabilities; hidden units enter by
    /// their means in both phases.
    fn phases<'a>(&'a mut self, rbm: &Rbm, batch: &'a Tensor, update: u64, key: Key) -> Phases<'a>;
}

/// As [`kept::keep_or_make`], where the machine lives.
fn keep_or_make<'a>(kept: &'a mut Option<Tensor>, rbm: &Rbm, rows: usize, columns: usize) -> &'a mut Tensor {
    kept::keep_or_make(kept, rbm.device(), rows, columns)
}
