//! Faults of a GPU in the middle of `rbm-mnist`, through the real program: nothing is lost, to the bit.
//!
//! They need a driver for Vulkan; a software driver will do. Without one a test says `SKIPPED: no adapter`, or fails
//! if the environment has `NN_GPU_TEST=require`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Runs the smallest profile on Vulkan into a folder.
fn run(out: &Path, fault: Option<&str>, resume: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nn-bench"));
    command.args(["experiment", "rbm-mnist", "--profile", "quick", "--backend", "vulkan", "--out"]).arg(out);
    command.args(resume.then_some("--resume"));
    for name in ["NN_DATA_DIR", "NN_GPU_ADAPTER", "NN_GPU_MEMORY", "NN_GPU_CHECKED", "NN_GPU_FAULT"] {
        command.env_remove(name);
    }
    command.envs(fault.map(|fault| ("NN_GPU_FAULT", fault)));
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether there is an adapter; says so if not.
fn adapter() -> bool {
    let found = nn_gpu::adapters().into_iter().find(|report| report.api == nn_gpu::Api::Vulkan);
    match &found {
        Some(report) => eprintln!("on {} with {} {}", report.name, report.driver, report.driver_info),
        None if std::env::var("NN_GPU_TEST").is_ok_and(|value| value == "require") => {
            panic!("no Vulkan adapter: {:?}", nn_gpu::absent_apis())
        }
        None => eprintln!("SKIPPED: no adapter"),
    }
    found.is_some()
}

/// The model of a run that nothing disturbed.
fn undisturbed() -> &'static [u8] {
    static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
    MODEL.get_or_init(|| {
        let out = tempfile::tempdir().unwrap();
        let output = run(out.path(), None, false);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        model(out.path())
    })
}

fn model(out: &Path) -> Vec<u8> {
    fs::read(out.join("model.safetensors")).unwrap()
}

/// About 20 kernels an update, and a checkpoint after each of 4 epochs of 40 updates: the first fault comes before
/// anything was saved, the second after.
#[test]
fn a_lost_device_is_opened_again_and_the_run_ends_in_equal_bytes() {
    if !adapter() {
        return;
    }
    for fault in ["lost:300", "lost:1500"] {
        let out = tempfile::tempdir().unwrap();
        let output = run(out.path(), Some(fault), false);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(said.matches("opening the device again").count(), 1, "{said}");
        assert_eq!(model(out.path()), undisturbed(), "{fault}");
    }
}

#[test]
fn a_device_without_memory_ends_the_run_which_can_be_resumed() {
    if !adapter() {
        return;
    }
    // At the first update, and when training is over and measuring asks for more.
    for fault in ["memory:3", "memory:30"] {
        let out = tempfile::tempdir().unwrap();
        let output = run(out.path(), Some(fault), false);
        let message = said(&output);
        assert_eq!(output.status.code(), Some(2), "{fault}: {message}");
        let last = message.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains("out of memory"), "{last}");
        assert!(last.contains("--backend vulkan") && last.ends_with("--resume"), "{last}");
        let resumed = run(out.path(), None, true);
        assert_eq!(resumed.status.code(), Some(0), "{}", said(&resumed));
        assert_eq!(model(out.path()), undisturbed(), "{fault}");
    }
}
