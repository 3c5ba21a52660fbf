//! What a user can get wrong, given to the real program: one line that says what to do, exit code 2, nothing half-written.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use nn_core::{Device, Key, checkpoint};
use nn_rbm::Rbm;

/// Runs the program and returns its only line on standard error after the exit code 2.
fn refusal(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nn-bench"))
        .env_remove("NN_DATA_DIR")
        .args(["experiment", "rbm-mnist"])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!((lines.len(), said.lines().last()), (1, lines.first().copied()), "{said}");
    lines[0].to_string()
}

fn idx(kind: u8, sizes: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}

/// A whole little MNIST: two digits of 28×28 pixels in each half.
fn little_mnist(root: &Path) {
    let folder = root.join("mnist");
    fs::create_dir_all(&folder).unwrap();
    for half in ["train", "t10k"] {
        fs::write(folder.join(format!("{half}-images-idx3-ubyte")), idx(8, &[2, 28, 28], &[7; 2 * 784]))
            .unwrap();
        fs::write(folder.join(format!("{half}-labels-idx1-ubyte")), idx(8, &[2], &[3, 9])).unwrap();
    }
}

/// Each damage to the files of a data folder, and words that its message must have.
#[test]
fn damaged_data_files() {
    let images = "train-images-idx3-ubyte";
    let packed = |bytes: &[u8]| {
        let path = tempfile::NamedTempFile::new().unwrap();
        let labels: Vec<u8> = bytes.to_vec();
        nn_data::idx::write_labels(path.path(), &labels, nn_data::idx::Packing::Gzip).unwrap();
        fs::read(path.path()).unwrap()
    };
    let noise: Vec<u8> = (0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let whole = packed(&noise);
    let mut nan = vec![0u8; 4 * 2 * 784];
    nan[4 * 100..4 * 101].copy_from_slice(&f32::NAN.to_be_bytes());
    let mut large = vec![0u8; 4 * 2 * 784];
    large[..4].copy_from_slice(&1.5f32.to_be_bytes());
    let cases: [(&str, &str, Vec<u8>, &[&str]); 8] = [
        ("truncated gzip", images, whole[..whole.len() / 2].to_vec(), &[images]),
        ("wrong magic", images, idx(9, &[2, 28, 28], &[7; 2 * 784]), &[images, "0x00000903"]),
        ("wrong count", images, idx(8, &[3, 28, 28], &[7; 2 * 784]), &[images, "2352"]),
        ("wrong size", images, idx(8, &[2, 28, 29], &[7; 2 * 784]), &[images, "1624"]),
        ("labels of another length", "train-labels-idx1-ubyte", idx(8, &[3], &[1, 2, 3]), &["3 labels"]),
        ("label out of range", "t10k-labels-idx1-ubyte", idx(8, &[2], &[1, 10]), &["10"]),
        ("NaN", images, idx(13, &[2, 28, 28], &nan), &[images, "NaN"]),
        ("above 1", images, idx(13, &[2, 28, 28], &large), &[images, "1.5"]),
    ];
    for (damage, file, bytes, words) in cases {
        let (data, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        little_mnist(data.path());
        fs::write(data.path().join("mnist").join(file), bytes).unwrap();
        let said = refusal(&[
            "--profile",
            "full",
            "--data",
            data.path().to_str().unwrap(),
            "--out",
            out.path().join("run").to_str().unwrap(),
        ]);
        for word in words {
            assert!(said.contains(word), "{damage}: {said}");
        }
        for left in ["report.html", "metrics.json", "model.safetensors"] {
            assert!(!out.path().join("run").join(left).exists(), "{damage}: {left}");
        }
    }
}

#[test]
fn absent_folders_and_names() {
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("run");
    let out = out.to_str().unwrap();
    let said = refusal(&["--data", "/no/such/folder", "--out", out]);
    assert!(said.contains("/no/such/folder"), "{said}");
    let empty = tempfile::tempdir().unwrap();
    let said = refusal(&["--profile", "full", "--data", empty.path().to_str().unwrap(), "--out", out]);
    assert!(said.contains("train-images-idx3-ubyte"), "{said}");
    let said = refusal(&["--profile", "fulll", "--out", out]);
    assert!(said.contains("quick, default, full"), "{said}");
    // A folder that cannot be made, whoever runs the test: its parent is a file.
    let file = tempfile::NamedTempFile::new().unwrap();
    let said = refusal(&["--out", file.path().join("run").to_str().unwrap()]);
    assert!(said.contains(file.path().to_str().unwrap()), "{said}");
}

/// Checkpoints that are damaged, of another run or of another version are refused before anything is computed.
#[test]
fn checkpoints_that_do_not_fit() {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("checkpoint-rbm.safetensors");
    let identity = r#"{"experiment":"rbm-mnist","profile":"quick","backend":"cpu","seed":1}"#;
    fs::write(out.path().join("run.json"), identity).unwrap();
    let resume = || refusal(&["--profile", "quick", "--resume", "--out", out.path().to_str().unwrap()]);

    fs::write(&path, b"these are not tensors").unwrap();
    assert!(resume().contains("corrupt"));

    let rbm = Rbm::bernoulli(&Device::cpu(), 784, 16, Key::new(1)).unwrap();
    checkpoint::save(&path, &checkpoint::Header::new("another experiment", 5, Key::new(1)), &rbm).unwrap();
    assert!(resume().contains("belongs to `another experiment`"));

    checkpoint::save(&path, &checkpoint::Header::new("rbm-mnist/quick/cpu/1/rbm", 5, Key::new(1)), &rbm)
        .unwrap();
    assert!(resume().contains("has no tensor"));
    let whole = fs::read(&path).unwrap();
    let at = String::from_utf8_lossy(&whole).find("\"version\":\"1\"").unwrap();
    let mut newer = whole.clone();
    newer[at + 11] = b'7';
    fs::write(&path, newer).unwrap();
    assert!(resume().contains("version 7"));
    let mut flipped = whole;
    let last = flipped.len() - 1;
    flipped[last] ^= 64;
    fs::write(&path, flipped).unwrap();
    assert!(resume().contains("check sum"));
}
