//! Inputs that are drawn anew whenever their cases are used.

use crate::Key;
use ndarray::ArrayViewMut2;

/// Altered copies of the cases of a [`Dataset`](crate::Dataset): crops, shifts, distortions of images that it holds on the
/// host.
///
/// What is drawn is a function of the cases and the key alone, so that a resumed run sees what it would have seen, with
/// any number of threads. Nothing may wait for a device.
pub trait Augmentation: Send + Sync + std::fmt::Debug {
    /// Number of cases that there are copies of.
    fn cases(&self) -> usize;

    /// Values of a copy.
    fn columns(&self) -> usize;

    /// Writes a copy of each of these cases, finite values, into the rows of `out`, cases × [`columns`](Self::columns).
    /// The cases are smaller than [`cases`](Self::cases).
    fn draw(&self, cases: &[usize], key: Key, out: ArrayViewMut2<'_, f32>);
}
