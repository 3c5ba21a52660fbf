//! Some cases: of a data set, of one update.

use crate::{Device, Tensor};

/// Inputs, and targets where there are any; one case a row of both.
#[derive(Debug)]
pub struct Cases {
    /// Cases × values of a case.
    pub inputs: Tensor,
    /// Cases × outputs: one-hot classes or values.
    pub targets: Option<Tensor>,
}

impl From<Tensor> for Cases {
    fn from(inputs: Tensor) -> Cases {
        Cases { inputs, targets: None }
    }
}

impl Cases {
    /// Inputs and targets.
    ///
    /// # Panics
    /// If there are not as many of one as of the other.
    #[track_caller]
    pub fn new(inputs: Tensor, targets: Tensor) -> Cases {
        assert!(inputs.rows() == targets.rows(), "inputs {inputs:?} with targets {targets:?}");
        Cases { inputs, targets: Some(targets) }
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.inputs.rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where the cases lie.
    pub fn device(&self) -> &Device {
        self.inputs.device()
    }

    /// The targets, or the inputs where there are none: what cannot be compared with anything else is to be reconstructed.
    pub fn targets_or_inputs(&self) -> &Tensor {
        self.targets.as_ref().unwrap_or(&self.inputs)
    }
}
