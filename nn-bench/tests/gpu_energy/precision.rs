//! What the tests compute with: a GPU, once for all of them.

use nn_core::Device;
use nn_gpu::{Choice, Gpu, Settings};
use std::sync::{Arc, OnceLock};

/// Single precision: the first adapter, be it a software one.
pub fn single() -> Device {
    static GPU: OnceLock<Option<Arc<Gpu>>> = OnceLock::new();
    let open = || match Gpu::open(&Choice { software: true, ..Choice::default() }, &Settings::default()) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var("NN_GPU_TEST").is_ok_and(|policy| policy == "require") => {
            panic!("{error}")
        }
        Err(error) => {
            println!("SKIPPED: no adapter, so the processor computes: {error}");
            None
        }
    };
    GPU.get_or_init(open).as_ref().map_or_else(Device::cpu, |gpu| gpu.device())
}

/// Single precision alone: double precision is tested without a GPU.
pub fn both<T>(_of_double: T, of_single: T) -> Vec<(Device, T)> {
    vec![(single(), of_single)]
}
