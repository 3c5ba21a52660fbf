//! Experiments in processes that are killed without warning: every file ends in the bytes of a run that was left alone. The
//! hardest, a convolutional network with dropout on digits that are moved anew for each update, is killed again and again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const FILES: [&str; 3] = ["model.safetensors", "checkpoint-lenet.safetensors", "lenet.csv"];

fn start_experiment(name: &str, out: &Path, threads: usize, resume: bool) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nn-bench"));
    command
        .args(["experiment", name, "--profile", "quick", "--out"])
        .arg(out)
        .args(resume.then_some("--resume"))
        .env_remove("NN_DATA_DIR")
        .env("RAYON_NUM_THREADS", threads.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn start(out: &Path, threads: usize, resume: bool) -> Child {
    start_experiment("lenet-mnist", out, threads, resume)
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

/// Models with chains, with several stages, with solvers and searches of their own.
const OTHERS: [&str; 9] = [
    "dbm-mnist-3layer",
    "shape-bm-horses",
    "cdbn",
    "gated-shift",
    "v2",
    "tica",
    "sparse-coding",
    "sparse-autoencoder",
    "reconstruction-tica-deep",
];

/// What was written: models, checkpoints, curves and pictures by their bytes, and the figures.
fn written(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path());
    let kept = files.filter(|path| {
        path.extension().is_some_and(|end| ["safetensors", "csv", "png"].iter().any(|kept| end == *kept))
    });
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut all: BTreeMap<_, _> = kept.map(|path| (name(&path), fs::read(&path).unwrap())).collect();
    let metrics: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("metrics.json")).unwrap()).unwrap();
    all.insert("metrics".to_string(), metrics["metrics"].to_string().into_bytes());
    all
}

/// Whether anything was saved that a run can go on from.
fn has_checkpoint(out: &Path) -> bool {
    fs::read_dir(out).is_ok_and(|mut files| {
        files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("checkpoint-")))
    })
}

#[test]
fn other_experiments_that_are_killed_end_in_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for name in OTHERS {
        let (undisturbed, out) = (folder.path().join(name), folder.path().join(format!("{name}-killed")));
        assert!(start_experiment(name, &undisturbed, 2, false).wait().unwrap().success(), "{name}");
        let mut child = start_experiment(name, &out, 1, false);
        while !has_checkpoint(&out) {
            assert!(child.try_wait().unwrap().is_none(), "{name} ended before it saved anything");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!out.join("metrics.json").exists(), "{name} was killed too late");
        assert!(start_experiment(name, &out, 2, true).wait().unwrap().success(), "{name}, resumed");
        let (found, wanted) = (written(&out), written(&undisturbed));
        assert!(found.keys().eq(wanted.keys()), "{name}: {:?}, {:?}", found.keys(), wanted.keys());
        for (file, bytes) in &wanted {
            assert!(found[file] == *bytes, "{name}: {file} differs after a kill");
        }
    }
}
