//! `cargo xtask test` and `cargo xtask ci`: which checks there are and in which order.

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitCode, Stdio};

use crate::cargo::{cargo, nn_bench};
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
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    steps.command("documentation", documentation.env("RUSTDOCFLAGS", "-D warnings"));
    tests(&mut steps);
    let downloads = ["test", "--locked", "--package", "nn-data", "--features", "fetch", "--lib", "fetch"];
    steps.command("tests of downloading", &mut cargo(&downloads));
    experiments(&mut steps, root);
    steps.finish()
}

fn formatting(steps: &mut Steps) {
    steps.command("formatting", &mut cargo(&["fmt", "--all", "--check"]));
}

fn tests(steps: &mut Steps) {
    steps.command("tests", &mut cargo(&["test", "--workspace", "--locked"]));
}

/// The quick profile of every experiment in the registry, each a step of its own.
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
    for name in names {
        let mut arguments = vec![OsString::from("experiment"), OsString::from(&name)];
        arguments.extend(["--profile", "quick", "--out"].map(OsString::from));
        let out = root.join("target/ci-runs").join(&name);
        // What an earlier, broken run left there would be refused.
        let _ = std::fs::remove_dir_all(&out);
        arguments.push(out.into_os_string());
        steps.command(&format!("experiment {name}, quick profile"), &mut nn_bench(&[], &arguments));
    }
}
