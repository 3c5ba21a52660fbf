//! A convolutional network with dropout, trained on digits that are moved anew for each update, in processes that are killed
//! without warning: every file ends in the bytes of a run that was left alone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const FILES: [&str; 3] = ["model.safetensors", "checkpoint-lenet.safetensors", "lenet.csv"];

fn start(out: &Path, threads: usize, resume: bool) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nn-bench"));
    command
        .args(["experiment", "lenet-mnist", "--profile", "quick", "--out"])
        .arg(out)
        .args(resume.then_some("--resume"))
        .env_remove("NN_DATA_DIR")
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn finished(out: &Path, threads: usize, resume: bool) -> Vec<Vec<u8>> {
    assert!(start(out, threads, resume).wait().unwrap().success());
    FILES.map(|file| fs::read(out.join(file)).unwrap()).to_vec()
}

/// Updates done by the checkpoint in this folder.
fn saved(out: &Path) -> u64 {
    let path = out.join(FILES[1]);
    if !path.exists() {
        return 0;
    }
    let checkpoint = nn_core::checkpoint::Checkpoint::open(&path, "lenet-mnist/quick/cpu/1/lenet").unwrap();
    checkpoint.header().step
}

/// Killed before the first checkpoint, then whenever there is a newer one, and gone on with, on one thread and on two. What
/// was not saved is computed again.
#[test]
fn a_run_that_is_killed_again_and_again_ends_in_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let undisturbed = finished(&folder.path().join("undisturbed"), 2, false);
    assert_eq!(finished(&folder.path().join("one thread"), 1, false), undisturbed);

    let out = folder.path().join("killed");
    let mut child = start(&out, 2, false);
    while !out.join("run.json").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut at = Vec::new();
    for threads in [1, 2, 1] {
        let before = saved(&out);
        let mut child = start(&out, threads, true);
        while saved(&out) == before {
            assert!(
                child.try_wait().unwrap().is_none(),
                "it ended before it was killed, after {before} updates"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        at.push(saved(&out));
    }
    assert!(at.windows(2).all(|pair| pair[0] < pair[1]), "killed after the checkpoints of {at:?} updates");
    assert!(!out.join("metrics.json").exists());
    for (file, (ours, wanted)) in FILES.iter().zip(finished(&out, 2, true).iter().zip(&undisturbed)) {
        assert!(ours == wanted, "{file} differs after kills at the checkpoints of {at:?} updates");
    }
}
