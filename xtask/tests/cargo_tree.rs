//! Who computes on the processor compiles no GPU library: asked of cargo itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

/// The names of all packages that building a package compiles on this system, without those for its tests.
fn tree(package: &str, features: &[&str]) -> Vec<String> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--manifest-path", manifest, "--package", package])
        .args(features)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_string).collect()
}

fn has_wgpu(names: &[String]) -> bool {
    names.iter().any(|name| name == "wgpu" || name == "nn-gpu")
}

#[test]
fn models_and_the_default_program_have_no_wgpu() {
    for package in ["nn-core", "nn-data", "nn-rbm", "nn-bench"] {
        let names = tree(package, &[]);
        assert!(names.iter().any(|name| name == package) && !has_wgpu(&names), "{package}: {names:?}");
    }
}

#[test]
fn the_program_for_gpus_has_it() {
    let names = tree("nn-bench", &["--features", "gpu"]);
    assert!(has_wgpu(&names), "{names:?}");
}
