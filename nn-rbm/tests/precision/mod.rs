//! What tests compute with. `nn-bench/tests/gpu_energy` runs the same tests with another single precision, that of a GPU.
#![allow(dead_code, reason = "each file of tests uses a part of this")]

use nn_core::Device;

/// Single precision: the processor.
pub fn single() -> Device {
    Device::cpu()
}

/// Double precision, the oracle, and single precision, each with how near to the truth it must come.
pub fn both<T>(of_double: T, of_single: T) -> Vec<(Device, T)> {
    vec![(Device::reference(), of_double), (single(), of_single)]
}
