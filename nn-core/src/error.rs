//! What can go wrong in the world: files, devices, settings, training that turns non-finite.

use std::path::{Path, PathBuf};

/// An error that its message explains: what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting outside its range; nothing was computed with it.
    #[error("{setting} is {given}, but {allowed}")]
    Setting {
        /// Name of the setting.
        setting: String,
        /// The value that was given.
        given: String,
        /// What would be accepted.
        allowed: String,
    },
    /// A file could not be read or written.
    #[error("{action} {}: {source}{}", path.display(), remedy(source))]
    File {
        /// What was being done: `reading`, `writing`, ...
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A checkpoint or model file that is damaged or belongs to something else.
    #[error("{}: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// Parameters or statistics stopped being finite.
    #[error(
        "training turned non-finite at step {step}: {tensor} holds {count} values that are not finite \
         (largest finite magnitude {largest}); lower the learning rate or add weight decay, and resume from \
         the last checkpoint"
    )]
    NonFinite {
        /// The update after which it was seen.
        step: u64,
        /// Name of the first tensor with a NaN or an infinity.
        tensor: String,
        /// How many of its values are not finite.
        count: usize,
        /// Largest magnitude among its finite values.
        largest: f64,
    },
    /// Data outside what a model accepts.
    #[error("{0}")]
    Data(String),
    /// The device failed.
    #[error("device {device}: {problem}")]
    Device {
        /// Name of the backend.
        device: String,
        /// What happened and what to do.
        problem: String,
    },
    /// The user asked to stop; what was learned is saved.
    #[error("interrupted at step {step}")]
    Interrupted {
        /// Updates done before stopping.
        step: u64,
    },
}

/// What to do about an error of the operating system, where that is known.
fn remedy(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull => " (the disk is full: free space or choose another folder)",
        std::io::ErrorKind::PermissionDenied => " (choose a folder that you may write to)",
        _ => "",
    }
}

impl Error {
    /// A setting that is out of range.
    pub fn setting(name: &str, given: impl ToString, allowed: &str) -> Self {
        Error::Setting { setting: name.into(), given: given.to_string(), allowed: allowed.into() }
    }

    /// An input or output error on `path`.
    pub fn file(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Error::File { action, path: path.into(), source }
    }

    /// A checkpoint problem at `path`.
    pub fn checkpoint(path: &Path, problem: impl Into<String>) -> Self {
        Error::Checkpoint { path: path.into(), problem: problem.into() }
    }
}
