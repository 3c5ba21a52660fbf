//! What an experiment is given: its settings, its folders, the interruption and the report to fill in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::output_folder::OutputFolder;
use crate::progress::Progress;
use crate::report::{PhaseTimer, Report};
use crate::run_error::{RunError, WhileDoing};

/// The file that says which run an output folder holds.
const RUN_FILE: &str = "run.json";

/// What the numbers are computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Backend {
    /// Threads and vector instructions.
    Cpu,
    /// Plain loops on one thread, for comparison; slow.
    Reference,
}

impl Backend {
    /// The device of this name.
    pub fn device(self) -> nn_core::Device {
        match self {
            Self::Cpu => nn_core::Device::cpu(),
            Self::Reference => nn_core::Device::reference(),
        }
    }

    /// The name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Reference => "reference",
        }
    }
}

/// What makes two runs the same run: a checkpoint of one can be resumed as the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunIdentity {
    /// The experiment's name.
    pub experiment: String,
    /// The profile's name.
    pub profile: String,
    /// The backend's name.
    pub backend: String,
    /// Where all random numbers begin.
    pub seed: u64,
}

impl RunIdentity {
    /// How `self` differs from `wanted`, in words, or `None` if it does not.
    fn difference_from(&self, wanted: &Self) -> Option<String> {
        let pairs = [
            ("experiment", self.experiment.clone(), wanted.experiment.clone()),
            ("profile", self.profile.clone(), wanted.profile.clone()),
            ("backend", self.backend.clone(), wanted.backend.clone()),
            ("seed", self.seed.to_string(), wanted.seed.to_string()),
        ];
        let differing = pairs.into_iter().filter(|(_, found, wanted)| found != wanted);
        let words: Vec<_> =
            differing.map(|(what, found, wanted)| format!("{what} {found}, not {wanted}")).collect();
        (!words.is_empty()).then(|| words.join(" and "))
    }
}

/// One run of one experiment.
#[derive(Debug)]
pub struct Run {
    /// The profile's name.
    pub profile: String,
    /// What the numbers are computed with.
    pub backend: Backend,
    /// Where all random numbers of the run begin.
    pub seed: u64,
    /// The folder of the data files, if one was named. It exists.
    pub data: Option<PathBuf>,
    /// Whether to go on from the checkpoint in the output folder, which then holds this same run.
    pub resume: bool,
    /// What the run found out; the runner writes it when the experiment returns.
    pub report: Report,
    experiment: String,
    out: OutputFolder,
    interrupted: Arc<AtomicBool>,
}

impl Run {
    /// Claims the output folder for the run.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, with `resume` if it holds no run or one of another identity, and without if it
    /// holds one that did not come to its end.
    pub fn start(
        identity: &RunIdentity,
        backend: Backend,
        data: Option<PathBuf>,
        out: &Path,
        resume: bool,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, RunError> {
        // Before the folder is made: a wrong --out with --resume should leave no empty folder behind.
        if resume && !out.join(RUN_FILE).exists() {
            return Err(RunError::NothingToResume { folder: out.to_path_buf() });
        }
        let out = OutputFolder::open(out)?;
        if resume {
            let found = read_identity(&out.file(RUN_FILE))?;
            if let Some(difference) = found.difference_from(identity) {
                return Err(RunError::OtherRunInFolder { folder: out.path().to_path_buf(), difference });
            }
        } else {
            if holds_unfinished_run(out.path()) {
                return Err(RunError::UnfinishedRun { folder: out.path().to_path_buf() });
            }
            let text = serde_json::to_string_pretty(identity).while_doing("describing the run")?;
            out.write(RUN_FILE, text.as_bytes())?;
        }
        Ok(Self {
            profile: identity.profile.clone(),
            backend,
            seed: identity.seed,
            data,
            resume,
            report: Report::default(),
            experiment: identity.experiment.clone(),
            out,
            interrupted,
        })
    }

    /// What this run is.
    pub fn identity(&self) -> RunIdentity {
        RunIdentity {
            experiment: self.experiment.clone(),
            profile: self.profile.clone(),
            backend: self.backend.name().to_string(),
            seed: self.seed,
        }
    }

    /// The folder of the data files, for an experiment that cannot do without.
    ///
    /// # Errors
    ///
    /// [`RunError::DataFolderNeeded`] if none was named.
    pub fn data_folder(&self) -> Result<&Path, RunError> {
        let needed = || RunError::DataFolderNeeded { experiment: self.experiment.clone() };
        self.data.as_deref().ok_or_else(needed)
    }

    /// The output folder; checkpoints go there.
    pub fn out(&self) -> &OutputFolder {
        &self.out
    }

    /// The error to return for a backend that the experiment cannot use.
    pub fn backend_unsupported(&self) -> RunError {
        RunError::BackendUnsupported { experiment: self.experiment.clone(), backend: self.backend.name() }
    }

    /// Whether Ctrl-C was pressed: save, and return [`stop_after_saving`](Self::stop_after_saving).
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// The flag behind [`interrupted`](Self::interrupted), for a closure that outlives the borrow.
    pub fn interruption_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.interrupted)
    }

    /// The error to return after an interruption, with the checkpoint that a later `--resume` finds.
    pub fn stop_after_saving(&self, checkpoint: impl Into<PathBuf>) -> RunError {
        RunError::Interrupted { saved: Some(checkpoint.into()) }
    }

    /// The error to return after an interruption of an experiment that writes no checkpoints.
    pub fn stop_without_saving(&self) -> RunError {
        RunError::Interrupted { saved: None }
    }

    /// Shows how far `total` steps of `what` are, until dropped.
    pub fn progress(&self, what: &str, total: u64) -> Progress {
        Progress::new(what, total)
    }

    /// Measures until dropped, for the report's durations, and says on standard error how long it took.
    #[must_use = "the phase ends where the timer is dropped"]
    pub fn phase(&self, name: &str) -> PhaseTimer {
        self.report.phase(name).spoken()
    }
}

/// Whether a folder holds checkpoints of a run that did not come to its end: starting anew would overwrite them.
fn holds_unfinished_run(folder: &Path) -> bool {
    let is_checkpoint = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with("checkpoint-");
    let checkpoints = fs::read_dir(folder).into_iter().flatten().flatten().any(is_checkpoint);
    checkpoints && folder.join(RUN_FILE).exists() && !folder.join("metrics.json").exists()
}

fn read_identity(file: &Path) -> Result<RunIdentity, RunError> {
    let unreadable = |reason: io::Error| RunError::UnreadableRunFile {
        file: file.to_path_buf(),
        reason: reason.to_string(),
    };
    let text = fs::read_to_string(file).map_err(unreadable)?;
    serde_json::from_str(&text).map_err(|error| unreadable(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(seed: u64) -> RunIdentity {
        let (experiment, profile, backend) = ("toy".to_string(), "quick".to_string(), "cpu".to_string());
        RunIdentity { experiment, profile, backend, seed }
    }

    fn start(out: &Path, seed: u64, resume: bool) -> Result<Run, RunError> {
        Run::start(&identity(seed), Backend::Cpu, None, out, resume, Arc::default())
    }

    #[test]
    fn a_run_can_be_resumed_with_the_same_settings_only() {
        let temporary = tempfile::tempdir().unwrap();
        let run = start(temporary.path(), 3, false).unwrap();
        assert_eq!(run.identity(), identity(3));
        drop(run);
        start(temporary.path(), 3, true).unwrap();
        let message = start(temporary.path(), 4, true).unwrap_err().to_string();
        assert!(message.contains("holds a run with seed 3, not 4; give the same settings"), "{message}");
    }

    #[test]
    fn an_unfinished_run_is_not_overwritten_unasked() {
        let temporary = tempfile::tempdir().unwrap();
        drop(start(temporary.path(), 3, false).unwrap());
        fs::write(temporary.path().join("checkpoint-rbm.safetensors"), "x").unwrap();
        let message = start(temporary.path(), 3, false).unwrap_err().to_string();
        assert!(message.contains("add --resume to go on"), "{message}");
        fs::write(temporary.path().join("metrics.json"), "{}").unwrap();
        start(temporary.path(), 3, false).unwrap();
    }

    #[test]
    fn nothing_is_resumed_from_an_empty_or_a_broken_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let nothing = start(&temporary.path().join("new"), 1, true).unwrap_err();
        assert!(matches!(nothing, RunError::NothingToResume { .. }));
        assert!(!temporary.path().join("new").exists());
        fs::write(temporary.path().join(RUN_FILE), "{").unwrap();
        let broken = start(temporary.path(), 1, true).unwrap_err().to_string();
        assert!(broken.contains("run.json does not say which run"), "{broken}");
    }

    #[test]
    fn the_flag_interrupts_and_data_may_be_missing() {
        let temporary = tempfile::tempdir().unwrap();
        let run = start(temporary.path(), 1, false).unwrap();
        assert!(!run.interrupted());
        run.interruption_flag().store(true, Ordering::SeqCst);
        assert!(run.interrupted());
        assert!(run.data_folder().unwrap_err().to_string().contains("--data DIR"));
    }
}
