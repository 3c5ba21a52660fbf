//! The device that the tests share, and the count of those that ran.

use nn_core::Device;
use nn_gpu::{Choice, Gpu, Settings};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

static RAN: AtomicUsize = AtomicUsize::new(0);

fn policy() -> String {
    std::env::var("NN_GPU_TEST").unwrap_or_default()
}

/// Any adapter, software drivers included; the environment variable `NN_GPU_ADAPTER` names one.
fn choice() -> Choice {
    Choice { software: true, name: std::env::var("NN_GPU_ADAPTER").ok(), api: None }
}

/// A device with these settings, or `None` where the test is to be skipped.
pub fn open(settings: Settings) -> Option<Arc<Gpu>> {
    if policy() == "off" {
        println!("SKIPPED: NN_GPU_TEST is off");
        return None;
    }
    match Gpu::open(&choice(), &settings) {
        Ok(gpu) => {
            RAN.fetch_add(1, SeqCst);
            Some(gpu)
        }
        Err(error) if policy() == "require" => panic!("NN_GPU_TEST=require: {error}"),
        Err(error) => {
            println!("SKIPPED: no adapter: {error}");
            None
        }
    }
}

/// The device of all tests that need no settings of their own.
pub fn shared() -> Option<(&'static Arc<Gpu>, Device)> {
    static GPU: OnceLock<Option<Arc<Gpu>>> = OnceLock::new();
    let gpu = GPU.get_or_init(|| open(Settings::default())).as_ref()?;
    RAN.fetch_add(1, SeqCst);
    Some((gpu, gpu.device()))
}

#[test]
fn sentinel() {
    let Some((gpu, _)) = shared() else { return };
    println!("ran on {:?}", gpu.adapter());
    assert!(RAN.load(SeqCst) > 0);
}
