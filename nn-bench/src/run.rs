//! What an experiment is given: its settings, its folders, the interruption and the report to fill in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nn_core::Device;
use serde::{Deserialize, Serialize};

pub use crate::backend::Backend;
use crate::devices::Devices;
use crate::output_folder::OutputFolder;
use crate::progress::Progress;
use crate::report::{PhaseTimer, Report};
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;

/// The file that says which run an output folder holds.
const RUN_FILE: &str = "run.json";

/// What makes two runs the same run: a checkpoint of one can be resumed as the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunIdentity {
    /// The experiment's name.
    pub experiment: String,
    /// The profile's name.
    pub profile: String,
    /// The backend's name; of a run with `auto`, that of the chosen one as soon as it is chosen.
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
    /// What the numbers are computed with. [`device`](Self::device) opens it.
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
    devices: Arc<Devices>,
    interrupted: Arc<AtomicBool>,
}

impl Run {
    /// Claims the output folder for the run. A run with `auto` that is resumed computes with what it chose before.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, with `resume` if it holds no run or one of another identity, and without if it
    /// holds one that did not come to its end.
    pub fn start(
        identity: &RunIdentity,
        mut backend: Backend,
        data: Option<PathBuf>,
        out: &Path,
        resume: bool,
        devices: Arc<Devices>,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Self, RunError> {
        // Before the folder is made: a wrong --out with --resume should leave no empty folder behind.
        if resume && !out.join(RUN_FILE).exists() {
            return Err(RunError::NothingToResume { folder: out.to_path_buf() });
        }
        let out = OutputFolder::open(out)?;
        let mut report = Report::default();
        if resume {
            let found = read_identity(&out.file(RUN_FILE))?;
            let mut wanted = identity.clone();
            if backend == Backend::Auto
                && let Some(chosen) = Backend::chosen_by_auto(&found.backend)
            {
                backend = chosen;
                wanted.backend = chosen.name().to_string();
                report.setting("chosen by auto", format!("{}, when the run began", chosen.name()));
            }
            if let Some(difference) = found.difference_from(&wanted) {
                return Err(RunError::OtherRunInFolder { folder: out.path().to_path_buf(), difference });
            }
        } else {
            if holds_unfinished_run(out.path()) {
                return Err(RunError::UnfinishedRun { folder: out.path().to_path_buf() });
            }
            write_identity(&out, identity)?;
        }
        Ok(Self {
            profile: identity.profile.clone(),
            backend,
            seed: identity.seed,
            data,
            resume,
            report,
            experiment: identity.experiment.clone(),
            out,
            devices,
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

    /// Opens the device to compute on. `trial` builds the model at hand and a minibatch on a device that is offered:
    /// `auto` times some of its updates on the processor and on the GPU, and the faster is the run's from then on.
    ///
    /// # Errors
    ///
    /// If there is no such device, or the trial fails on the processor.
    pub fn device(&mut self, trial: impl Fn(&Device) -> Result<Trial, RunError>) -> Result<Device, RunError> {
        let opened = self.devices.open(self.backend, trial)?;
        if self.backend != opened.backend {
            self.backend = opened.backend;
            write_identity(&self.out, &self.identity())?;
        }
        for (name, value) in opened.settings {
            self.report.setting(name, value);
        }
        Ok(opened.device)
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

fn write_identity(out: &OutputFolder, identity: &RunIdentity) -> Result<(), RunError> {
    let text = serde_json::to_string_pretty(identity).while_doing("describing the run")?;
    out.write(RUN_FILE, text.as_bytes())?;
    Ok(())
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
        Run::start(&identity(seed), Backend::Cpu, None, out, resume, Arc::default(), Arc::default())
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
    fn a_run_with_auto_keeps_to_what_it_chose() {
        let temporary = tempfile::tempdir().unwrap();
        let auto = RunIdentity { backend: "auto".to_string(), ..identity(3) };
        let start = |resume| {
            let none = (Arc::default(), Arc::default());
            Run::start(&auto, Backend::Auto, None, temporary.path(), resume, none.0, none.1)
        };
        drop(start(false).unwrap());
        // Stopped before anything was chosen: it is still to be chosen.
        let mut run = start(true).unwrap();
        assert_eq!(run.backend, Backend::Auto);
        run.backend = Backend::Gpu;
        write_identity(&run.out, &run.identity()).unwrap();
        drop(run);
        let run = start(true).unwrap();
        assert_eq!((run.backend, run.identity().backend.as_str()), (Backend::Gpu, "gpu"));
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
