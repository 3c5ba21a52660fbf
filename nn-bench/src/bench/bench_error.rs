//! What can stop a measurement. A peer cannot.

use std::io;
use std::path::PathBuf;

use crate::run_error::RunError;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// No suite has this name.
    #[error("no suite is called '{name}'; {}the suites are: {known}", did_you_mean(.nearest))]
    UnknownSuite {
        /// The name given.
        name: String,
        /// The known name it most resembles, if it resembles any.
        nearest: Option<String>,
        /// All names, separated by commas.
        known: String,
    },
    /// A GPU is asked for, and this program was built without.
    #[error(
        "this nn-bench was built without GPUs, so --backend {backend} cannot be measured; run \
         `cargo xtask bench --backend {backend}`, which builds what is needed, or build with --features gpu"
    )]
    WithoutGpus {
        /// What was asked for.
        backend: &'static str,
    },
    /// The data folder that was named is not there.
    #[error(transparent)]
    DataFolder(#[from] RunError),
    /// The data files are not in the folder that was named, or are damaged.
    #[error("reading the data: {0}; without --data and NN_DATA_DIR what is inside this program is taken")]
    Data(#[from] nn_data::DataError),
    /// A workload of ours failed.
    #[error("measuring: {0}")]
    Workload(#[from] nn_core::Error),
    /// The page cannot be made.
    #[error("making devices.html: {0}")]
    Page(String),
    /// The threads to measure with cannot be had.
    #[error("starting threads: {0}; close other programs and try again")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// A file cannot be written.
    #[error("{doing} {}: {source}; see that the disk has room and the folder can be written", path.display())]
    File {
        /// `writing`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl BenchError {
    /// For `map_err` on what is done to a file.
    pub fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("did you mean '{name}'? "))
}
