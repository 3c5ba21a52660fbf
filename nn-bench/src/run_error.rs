//! Everything that can stop a run, each with what to do about it.

use std::error::Error;
use std::path::PathBuf;

use crate::image_grid::ImageGridError;
use crate::output_folder::OutputFolderError;
use crate::picture::PictureError;
use crate::report::ReportError;

/// Why an experiment did not run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No experiment has this name.
    #[error("no experiment is called '{name}'; {}list them with: nn-bench experiment --list", did_you_mean(.nearest))]
    UnknownExperiment {
        /// The name given.
        name: String,
        /// The known name it most resembles, if it resembles any.
        nearest: Option<String>,
    },
    /// The experiment has no profile of this name.
    #[error("experiment '{experiment}' has no profile '{profile}'; it has: {known}")]
    UnknownProfile {
        /// The experiment asked for.
        experiment: &'static str,
        /// The profile given.
        profile: String,
        /// The names it has, separated by commas.
        known: String,
    },
    /// The data folder that was named is not there.
    #[error("{named_by}: {} is not a folder that exists; point {named_by} at the folder of the data files", path.display())]
    DataFolderMissing {
        /// `--data` or `NN_DATA_DIR`.
        named_by: &'static str,
        /// The folder named.
        path: PathBuf,
    },
    /// The experiment reads data and no folder was named.
    #[error(
        "experiment '{experiment}' reads data files; name their folder with --data DIR or in NN_DATA_DIR"
    )]
    DataFolderNeeded {
        /// The experiment asked for.
        experiment: String,
    },
    /// The experiment cannot run on this backend.
    #[error("experiment '{experiment}' does not run on the backend '{backend}'; choose another --backend")]
    BackendUnsupported {
        /// The experiment asked for.
        experiment: String,
        /// The backend asked for.
        backend: &'static str,
    },
    /// The program was built without the feature that the backend needs.
    #[error(
        "the backend '{backend}' is not built into this program; start it by cargo xtask, which builds what the backend \
         needs, or build nn-bench with --features {}",
        if *backend == "gl" { "gl" } else { "gpu" }
    )]
    BackendNotBuilt {
        /// The backend asked for.
        backend: &'static str,
    },
    /// A variable of the environment has a value that means nothing.
    #[error("{name} is '{given}', but {allowed}; change the variable or unset it")]
    Environment {
        /// The variable.
        name: &'static str,
        /// Its value.
        given: String,
        /// What would be accepted.
        allowed: &'static str,
    },
    /// `--resume` was given and the folder holds nothing to go on with.
    #[error("nothing to resume in {}: it holds no run; leave out --resume to start one", folder.display())]
    NothingToResume {
        /// The output folder.
        folder: PathBuf,
    },
    /// The folder holds a run that did not come to its end, and `--resume` was not given.
    #[error(
        "{} holds an unfinished run; add --resume to go on with it, choose another --out, or delete the folder",
        folder.display()
    )]
    UnfinishedRun {
        /// The output folder.
        folder: PathBuf,
    },
    /// `--resume` was given and the folder holds a run with other settings.
    #[error(
        "cannot resume in {}: it holds a run with {difference}; give the same settings or choose another --out",
        folder.display()
    )]
    OtherRunInFolder {
        /// The output folder.
        folder: PathBuf,
        /// What differs: `seed 3, not 4`.
        difference: String,
    },
    /// The file that says which run a folder holds cannot be read.
    #[error("{} does not say which run this folder holds ({reason}); choose another --out", file.display())]
    UnreadableRunFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The output folder cannot be used, or a file in it not written.
    #[error(transparent)]
    OutputFolder(#[from] OutputFolderError),
    /// The report was given something it refuses.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Tiles do not fit into a grid.
    #[error(transparent)]
    ImageGrid(#[from] ImageGridError),
    /// Pixels do not make a picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// Ctrl-C was pressed and the experiment stopped.
    #[error("interrupted")]
    Interrupted {
        /// The checkpoint written before stopping, if the experiment writes any.
        saved: Option<PathBuf>,
    },
    /// Something below the experiment failed: see [`WhileDoing`].
    #[error("{doing}: {source}")]
    Failed {
        /// What was being done: `training the first RBM`.
        doing: String,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl RunError {
    /// Whether the device went away: another one can go on from the last checkpoint.
    pub fn is_device_lost(&self) -> bool {
        matches!(self.cause(), Some(nn_core::Error::DeviceLost { .. }))
    }

    /// Whether the same run can go on later, from its last checkpoint.
    pub fn can_be_resumed(&self) -> bool {
        use nn_core::Error::{DeviceLost, OutOfMemory};
        matches!(self.cause(), Some(DeviceLost { .. } | OutOfMemory { .. }))
    }

    /// The error of our libraries at the bottom of it, if there is one.
    fn cause(&self) -> Option<&nn_core::Error> {
        let mut cause: Option<&dyn Error> = Some(self);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("did you mean '{name}'? otherwise "))
}

/// Turns the error of any library into a [`RunError`] that says what was being done.
pub trait WhileDoing<T> {
    /// `result.while_doing("reading the training images")?`
    ///
    /// # Errors
    ///
    /// [`RunError::Failed`] around the error that was there.
    fn while_doing(self, doing: impl Into<String>) -> Result<T, RunError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> WhileDoing<T> for Result<T, E> {
    fn while_doing(self, doing: impl Into<String>) -> Result<T, RunError> {
        self.map_err(|error| RunError::Failed { doing: doing.into(), source: error.into() })
    }
}

/// For what nn-core hands back from a closure of ours, whose own errors are [`RunError`]s that say more.
impl From<nn_core::Error> for RunError {
    fn from(error: nn_core::Error) -> RunError {
        RunError::Failed { doing: "putting models together".to_string(), source: error.into() }
    }
}

/// The error and whatever caused it, in one line; a cause that its effect already quotes is not repeated.
pub fn one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_error_says_what_was_being_done() {
        let foreign: Result<(), _> = Err(std::io::Error::other("the cable\nis out"));
        let error = foreign.while_doing("reading images").unwrap_err();
        assert_eq!(one_line(&error), "reading images: the cable is out");
    }

    #[test]
    fn a_lost_device_is_recognised_whoever_reports_it() {
        let lost = || nn_core::Error::DeviceLost { device: "gpu".into(), reason: "gone".into() };
        let error = Err::<(), _>(lost()).while_doing("training").while_doing("reproducing").unwrap_err();
        assert!(error.is_device_lost() && error.can_be_resumed());
        let full = nn_core::Error::OutOfMemory { device: "gpu".into(), wanted: 1, used: 0, cap: None };
        let error = Err::<(), _>(full).while_doing("training").unwrap_err();
        assert!(!error.is_device_lost() && error.can_be_resumed());
        let other = Err::<(), _>(std::io::Error::other("x")).while_doing("reading").unwrap_err();
        assert!(!other.is_device_lost() && !other.can_be_resumed());
    }

    #[test]
    fn causes_are_appended_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(one_line(&Outer(std::io::Error::other("inner"))), "outer: inner");
    }
}
