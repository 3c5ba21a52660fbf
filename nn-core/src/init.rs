//! First values of weights.

use crate::{Device, Key, Tensor};
use ndarray::Array2;

/// Normal with mean 0 and this standard deviation: the usual start of an RBM (0.01).
pub fn normal(device: &Device, rows: usize, columns: usize, deviation: f64, key: Key) -> Tensor {
    let draw = |(i, j)| deviation * key.normal((i * columns + j) as u64);
    device.tensor_f64(&Array2::from_shape_fn((rows, columns), draw))
}
