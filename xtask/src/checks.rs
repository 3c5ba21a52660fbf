//! `cargo xtask test` and `cargo xtask ci`: which checks there are and in which order.

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use crate::cargo::{cargo, nn_bench};
use crate::metrics;
use crate::steps::Steps;
use crate::tidy;

/// The formatting, then every test: what takes a second comes first.
pub(crate) fn test() -> ExitCode {
    let mut steps = Steps::default();
    formatting(&mut steps);
    tests(&mut steps);
    steps.finish()
}

/// Everything that must hold before a merge.
pub(crate) fn ci(root: &Path) -> ExitCode {
    let mut steps = Steps::default();
    formatting(&mut steps);
    steps.step("tidy", || tidy::run(root) == ExitCode::SUCCESS);
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    steps.command("clippy", &mut cargo(&clippy));
    let with_gpu = ["clippy", "--package", "nn-bench", "--features", "gpu", "--all-targets", "--locked"];
    steps.command("clippy with GPUs", cargo(&with_gpu).args(["--", "--deny", "warnings"]));
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    steps.command("documentation", documentation.env("RUSTDOCFLAGS", "-D warnings"));
    tests(&mut steps);
    let downloads = ["test", "--locked", "--package", "nn-data", "--features", "fetch", "--lib", "fetch"];
    steps.command("tests of downloading", &mut cargo(&downloads));
    let images =
        ["test", "--locked", "--package", "nn-data", "--features", "images", "--lib", "image_folder"];
    steps.command("tests of image folders", &mut cargo(&images));
    // What the feature adds, and the faults on a driver; everything else was tested without it.
    for (name, arguments) in [
        ("tests of opening GPUs", ["--lib", "devices"].as_slice()),
        ("tests of listing adapters", &["--lib", "adapter_listing"]),
        ("tests of recovery on a GPU", &["--test", "gpu_recovery"]),
        ("tests of training on a GPU", &["--test", "gpu_training", "--test", "gpu_networks"]),
        ("tests of learning features on a GPU", &["--test", "gpu_objectives"]),
        ("tests of the energy models on a GPU", &["--test", "gpu_energy"]),
    ] {
        let mut command = cargo(&["test", "--locked", "--package", "nn-bench", "--features", "gpu"]);
        steps.command(name, command.args(arguments));
    }
    experiments(&mut steps, root);
    steps.finish()
}

fn formatting(steps: &mut Steps) {
    steps.command("formatting", &mut cargo(&["fmt", "--all", "--check"]));
}

fn tests(steps: &mut Steps) {
    steps.command("tests", &mut cargo(&["test", "--workspace", "--locked"]));
}

/// The experiments that run on Vulkan, too: those that draw, and one that descends on objectives. What networks compute there
/// is compared with the CPU and the oracle, layer by layer, by `nn-bench/tests/gpu_networks.rs`; whole runs on a software
/// driver would add an hour.
const ON_VULKAN: [&str; 4] = ["rbm-mnist", "rbm-estimators", "rbm-digits-classify", "tica"];

/// The quick profile of every experiment in the registry, each a step of its own: on the CPU, on Vulkan, and whether
/// both found the same.
fn experiments(steps: &mut Steps, root: &Path) {
    let mut names = Vec::new();
    steps.step("build of nn-bench and its list of experiments", || {
        let words = ["experiment", "--list", "--names"].map(OsString::from);
        let output = nn_bench(&[], &words).stderr(Stdio::inherit()).output();
        let Ok(output) = output.inspect_err(|error| eprintln!("error: cannot run cargo: {error}")) else {
            return false;
        };
        names.extend(String::from_utf8_lossy(&output.stdout).lines().map(str::to_string));
        output.status.success()
    });
    let out = |name: &str, backend: &str| root.join("target/ci-runs").join(format!("{name}-quick-{backend}"));
    // All on one backend before the next: each needs another build of the program.
    for (backend, on, options) in
        [("cpu", "", [].as_slice()), ("vulkan", ", on Vulkan", &["--features", "gpu"])]
    {
        for name in names.iter().filter(|name| backend == "cpu" || ON_VULKAN.contains(&name.as_str())) {
            let out = out(name, backend);
            // What an earlier, broken run left there would be refused.
            let _ = std::fs::remove_dir_all(&out);
            let words = ["experiment", name, "--profile", "quick", "--backend", backend, "--out"];
            let mut arguments = words.map(OsString::from).to_vec();
            arguments.push(out.into_os_string());
            let step = format!("experiment {name}, quick profile{on}");
            steps.command(&step, &mut nn_bench(options, &arguments));
        }
    }
    for name in ON_VULKAN {
        let step = format!("experiment {name}, quick profile: the same on CPU and Vulkan");
        steps.step(&step, || metrics::agree(name, &out(name, "cpu"), &out(name, "vulkan")));
    }
}
