//! The GPU that tests run on.

use nn_gpu::{Choice, Gpu, Settings};
use std::sync::Arc;

/// The first adapter, be it a software one. Without one nothing, said aloud, or a panic if `NN_GPU_TEST=require`.
pub fn gpu() -> Option<Arc<Gpu>> {
    let choice = Choice { software: true, ..Choice::default() };
    match Gpu::open(&choice, &Settings::default()) {
        Ok(gpu) => Some(gpu),
        Err(error) if std::env::var("NN_GPU_TEST").is_ok_and(|policy| policy == "require") => {
            panic!("{error}")
        }
        Err(error) => {
            println!("SKIPPED: no adapter: {error}");
            None
        }
    }
}
