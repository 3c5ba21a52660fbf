//! What is measured.

use std::fmt;

use nn_core::{ACC, Error, Over, Reduction, Tensor, x};

use super::amount::Amount;

/// Our side of a workload.
pub trait Subject {
    /// Does one unit of work, or asks the device for it.
    ///
    /// # Errors
    /// If the device failed or training diverged.
    fn unit(&mut self) -> Result<(), Error>;

    /// Waits until all units are done: timed once a turn, as the device may work while the next unit is asked for.
    ///
    /// # Errors
    /// If the device failed.
    fn wait(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// What the work came to, by which a reader sees that both sides did the same. Not timed.
    ///
    /// # Errors
    /// If the device failed.
    fn figure(&mut self) -> Result<f64, Error>;
}

/// One line of a suite.
pub struct Workload {
    /// The name, also that of the peer's side: `rbm-cd1`.
    pub name: String,
    /// What one unit of work is.
    pub work: String,
    /// How much that is.
    pub amount: Amount,
    /// Whether shares are shares of this: a plain product, or a plain pass through memory.
    pub yardstick: bool,
    /// What [`Subject::figure`] is: `reconstruction error`.
    pub figure: &'static str,
    /// The libraries that do the same.
    pub peers: &'static [&'static str],
    /// Our side.
    pub ours: Box<dyn Subject>,
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Workload({}: {})", self.name, self.work)
    }
}

/// Additions and multiplications of a product of an m × k and a k × n matrix.
pub fn product_flop(m: usize, k: usize, n: usize) -> f64 {
    2.0 * m as f64 * k as f64 * n as f64
}

/// Waits for whatever the device was asked for before: it works in the order in which it is asked.
///
/// # Errors
/// If the device failed.
pub fn wait_for(last: &Tensor) -> Result<(), Error> {
    last.row_range(0..1).column_range(0..1).to_array().map(|_| ())
}

/// The mean of all elements.
///
/// # Errors
/// If the device failed.
pub fn mean_of(tensor: &Tensor) -> Result<f64, Error> {
    let (rows, columns) = (tensor.rows(), tensor.columns());
    let mut means = tensor.device().zeros(rows, 1);
    let mean = ACC * (1.0 / columns as f32);
    means.reduce([rows, columns], Over::Columns, Reduction::Sum, x(tensor), mean);
    Ok(means.to_array_f64()?.mean().unwrap_or(f64::NAN))
}
