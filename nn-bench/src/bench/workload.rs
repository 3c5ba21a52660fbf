//! What is measured.

use std::fmt;

use nn_core::Error;

/// Our side of a workload.
pub trait Subject {
    /// Does one unit of work. Waits until it is done.
    ///
    /// # Errors
    /// If the device failed or training diverged.
    fn unit(&mut self) -> Result<(), Error>;

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
    /// Additions and multiplications of the dense products that one unit consists of at least, whoever does it and
    /// however sparse the operands.
    pub flop: f64,
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
