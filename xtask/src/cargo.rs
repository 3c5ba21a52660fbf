//! Calling cargo: the one that called us, on the workspace that we belong to.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// A cargo command, run where the developer stands: relative paths mean what they say.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.args(arguments);
    command
}

/// The folder of the root manifest: the parent of ours, wherever the checkout has been moved to.
pub(crate) fn workspace_root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let ours = manifest.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    ours.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// `cargo run --release` of nn-bench, with further options for cargo.
pub(crate) fn nn_bench(options: &[&str], arguments: &[OsString]) -> Command {
    let mut command = cargo(&["run", "--release", "--locked", "--package", "nn-bench"]);
    // Named, so that it is found from any folder below or beside the workspace.
    command.arg("--manifest-path").arg(workspace_root().join("Cargo.toml"));
    command.args(options).arg("--").args(arguments);
    command
}

/// Runs nn-bench in place of this process, so that Ctrl-C and the exit code pass through unchanged.
///
/// A parent that waited would die of the Ctrl-C itself and give the prompt back while its child saves.
pub(crate) fn become_nn_bench(options: &[&str], arguments: &[OsString]) -> ExitCode {
    let mut command = nn_bench(options, arguments);
    #[cfg(unix)]
    let failure = {
        use std::os::unix::process::CommandExt;
        command.exec()
    };
    #[cfg(not(unix))]
    let failure = match command.status() {
        Ok(status) => {
            return ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
        }
        Err(error) => error,
    };
    eprintln!("error: cannot run cargo: {failure}; see that Rust is installed and cargo is on the PATH");
    ExitCode::from(2)
}
