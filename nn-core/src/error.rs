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
    /// The device went away in the middle of its work: a driver that crashed or was reset, a card that was taken out.
    #[error(
        "device {device} was lost: {reason}; what was learned until the last checkpoint is safe: open the device \
         again and resume from it"
    )]
    DeviceLost {
        /// Name of the backend or of its adapter.
        device: String,
        /// What the driver said.
        reason: String,
    },
    /// The memory of the device, or the part of it that may be used, is full.
    #[error(
        "device {device} is out of memory: {} MiB wanted, {} MiB in use{}; use a smaller batch or fewer chains{}",
        mebibytes(*wanted), mebibytes(*used),
        cap.map_or_else(String::new, |cap| format!(" of at most {} MiB", mebibytes(cap))),
        if cap.is_some() { ", or a larger cap" } else { "" }
    )]
    OutOfMemory {
        /// Name of the backend or of its adapter.
        device: String,
        /// Bytes asked for.
        wanted: u64,
        /// Bytes in use at that moment.
        used: u64,
        /// The most bytes that may be used, if that was set.
        cap: Option<u64>,
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

/// Bytes in MiB with one digit, so that little is not shown as nothing.
fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_with_a_device_says_what_to_do_in_one_line() {
        let device = || "a card".to_string();
        let full =
            |cap| Error::OutOfMemory { device: device(), wanted: 3 << 20, used: 1 << 19, cap }.to_string();
        assert_eq!(
            full(Some(2 << 20)),
            "device a card is out of memory: 3.0 MiB wanted, 0.5 MiB in use of at most 2.0 MiB; use a smaller \
             batch or fewer chains, or a larger cap"
        );
        assert!(
            full(None).ends_with("0.5 MiB in use; use a smaller batch or fewer chains"),
            "{}",
            full(None)
        );
        let lost = Error::DeviceLost { device: device(), reason: "driver reset".into() }.to_string();
        assert!(lost.contains("a card was lost: driver reset") && lost.contains("resume"), "{lost}");
    }
}
