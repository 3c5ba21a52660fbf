//! A handle to a backend, on which tensors are made.

use crate::{Backend, Tensor, cpu::Cpu, reference::Reference};
use ndarray::ArrayView2;
use std::sync::Arc;

/// A shared handle to a backend. Cloning it is cheap; tensors keep one.
#[derive(Clone, Debug)]
pub struct Device(Arc<dyn Backend>);

impl Device {
    /// Single precision on all processor cores that the current `rayon` pool has.
    pub fn cpu() -> Device {
        Device::new(Arc::new(Cpu))
    }

    /// Double precision, one element after the other: slow, and the definition of what is right.
    pub fn reference() -> Device {
        Device::new(Arc::new(Reference))
    }

    /// A handle to any backend.
    pub fn new(backend: Arc<dyn Backend>) -> Device {
        Device(backend)
    }

    /// The name of the backend.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The backend itself.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.0
    }

    /// A rows × columns tensor of zeros.
    pub fn zeros(&self, rows: usize, columns: usize) -> Tensor {
        Tensor::zeros(self, rows, columns)
    }

    /// A rows × columns tensor, all of one value.
    pub fn full(&self, rows: usize, columns: usize, value: f32) -> Tensor {
        let mut tensor = self.zeros(rows, columns);
        tensor.assign(value);
        tensor
    }

    /// A tensor with these values.
    pub fn tensor<'a>(&self, values: impl Into<ArrayView2<'a, f32>>) -> Tensor {
        let values = values.into();
        let mut tensor = self.zeros(values.nrows(), values.ncols());
        tensor.write(values);
        tensor
    }

    /// A tensor with these values; a single-precision device rounds them.
    pub fn tensor_f64<'a>(&self, values: impl Into<ArrayView2<'a, f64>>) -> Tensor {
        let values = values.into();
        let mut tensor = self.zeros(values.nrows(), values.ncols());
        tensor.view_mut().write_f64(values);
        tensor
    }
}
