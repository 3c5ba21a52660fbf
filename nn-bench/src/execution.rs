//! From the options of the command line to a finished report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::command_line::ExperimentOptions;
use crate::devices::Devices;
use crate::environment::Environment;
use crate::experiment::{Experiment, ProfileInfo, find_experiment, find_profile};
use crate::progress::say;
use crate::recovery::Recovery;
use crate::report::{Heading, WrittenReport};
use crate::run::{Run, RunIdentity};
use crate::run_error::{RunError, one_line};

/// Checks everything that can be checked beforehand, runs the experiment and writes its report. If the device is lost
/// on the way it is opened again, and the experiment goes on from its last checkpoint.
///
/// # Errors
///
/// Whatever is wrong with the options, the folders or the experiment; [`RunError::Interrupted`] if
/// `interrupted` was set and the experiment stopped for it.
pub fn execute(
    experiments: &[Box<dyn Experiment>],
    options: &ExperimentOptions,
    environment: &Environment,
    interrupted: Arc<AtomicBool>,
) -> Result<WrittenReport, RunError> {
    let name = options.name.as_deref().unwrap_or_default();
    let experiment = find_experiment(experiments, name)?;
    let profile = find_profile(experiment, &options.profile)?;
    let data = data_folder(options, environment.data())?;
    let devices = Arc::new(Devices::new(environment.clone()));
    devices.check(options.backend)?;
    let identity = RunIdentity {
        experiment: experiment.name().to_string(),
        profile: profile.name.to_string(),
        backend: options.backend.name().to_string(),
        seed: options.seed,
    };
    let out = output_path(options);
    let mut recovery = Recovery::new(&out);
    let mut resume = options.resume;
    loop {
        let (data, devices) = (data.clone(), Arc::clone(&devices));
        let run = Run::start(&identity, options.backend, data, &out, resume, devices, interrupted.clone())?;
        match to_the_end(experiment, run, profile, options, recovery.losses()) {
            Err(error) if error.is_device_lost() && recovery.go_on_after_loss() => {
                say(&format!("{}; opening the device again and resuming", one_line(&error)));
                resume = true;
            }
            outcome => return outcome,
        }
    }
}

/// Runs the experiment and writes its report. Ends the run in any case, so that its folder is free for another.
fn to_the_end(
    experiment: &dyn Experiment,
    mut run: Run,
    profile: ProfileInfo,
    options: &ExperimentOptions,
    losses: u32,
) -> Result<WrittenReport, RunError> {
    {
        let _whole = run.report.phase("whole run");
        experiment.run(&mut run)?;
    }
    if losses > 0 {
        run.report.note(format!("The device was lost and opened again; number of losses: {losses}."));
    }
    if run.resume {
        run.report.note("This run was resumed from a checkpoint: the durations are those of its last part.");
    }
    let (command, identity) = (experiment.command(options), run.identity());
    let heading = Heading { title: experiment.title(), profile, identity: &identity, command: &command };
    Ok(run.report.finish(&heading, run.out())?)
}

/// The command that does the same again.
pub fn repeat_command(options: &ExperimentOptions) -> String {
    let mut words = vec!["cargo xtask reproduce-experiment".to_string()];
    words.push(quoted(options.name.as_deref().unwrap_or_default()));
    words.push(format!("--profile {}", quoted(&options.profile)));
    words.push(format!("--backend {} --seed {}", options.backend.name(), options.seed));
    let folders = [("--data", &options.data), ("--out", &options.out)];
    for (option, folder) in folders {
        words.extend(folder.iter().map(|folder| format!("{option} {}", quoted(&folder.to_string_lossy()))));
    }
    words.join(" ")
}

fn output_path(options: &ExperimentOptions) -> PathBuf {
    let ExperimentOptions { name, profile, backend, out, .. } = options;
    let name = name.as_deref().unwrap_or_default();
    out.clone().unwrap_or_else(|| Path::new("runs").join(format!("{name}-{profile}-{}", backend.name())))
}

/// The folder of the data files, if one was named; it exists.
///
/// # Errors
///
/// [`RunError::DataFolderMissing`].
pub(crate) fn data_folder(
    options: &ExperimentOptions,
    data_from_environment: Option<PathBuf>,
) -> Result<Option<PathBuf>, RunError> {
    let (named_by, folder) = match &options.data {
        Some(folder) => ("--data", Some(folder.clone())),
        None => ("NN_DATA_DIR", data_from_environment),
    };
    match folder {
        Some(path) if !path.is_dir() => Err(RunError::DataFolderMissing { named_by, path }),
        folder => Ok(folder),
    }
}

/// As a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Backend;
    use crate::run_error::WhileDoing;
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Toy;

    impl Experiment for Toy {
        fn name(&self) -> &'static str {
            "toy"
        }
        fn title(&self) -> &'static str {
            "A toy"
        }
        fn summary(&self) -> &'static str {
            "Does next to nothing."
        }
        fn profiles(&self) -> &'static [ProfileInfo] {
            const { &[ProfileInfo { name: "quick", what: "nothing", duration: "no time" }] }
        }
        fn run(&self, run: &mut Run) -> Result<(), RunError> {
            if run.interrupted() {
                let saved = run.out().write("checkpoint.bin", b"half")?;
                return Err(run.stop_after_saving(saved));
            }
            run.report.metric("resumed", f64::from(u8::from(run.resume)))?;
            Ok(())
        }
    }

    fn options(out: &Path) -> ExperimentOptions {
        ExperimentOptions {
            name: Some("toy".to_string()),
            list: false,
            names: false,
            profile: "quick".to_string(),
            backend: Backend::Cpu,
            data: None,
            seed: 5,
            out: Some(out.to_path_buf()),
            resume: false,
        }
    }

    fn toy() -> Vec<Box<dyn Experiment>> {
        vec![Box::new(Toy)]
    }

    #[test]
    fn an_interrupted_run_is_resumed_and_reported() {
        let temporary = tempfile::tempdir().unwrap();
        let mut options = options(temporary.path());
        let stopped =
            execute(&toy(), &options, &Environment::default(), Arc::new(AtomicBool::new(true))).unwrap_err();
        let RunError::Interrupted { saved: Some(saved) } = stopped else { panic!("{stopped}") };
        assert_eq!(fs::read(saved).unwrap(), b"half");
        options.resume = true;
        let report = execute(&toy(), &options, &Environment::default(), Arc::default()).unwrap();
        let metrics: serde_json::Value = serde_json::from_slice(&fs::read(report.metrics).unwrap()).unwrap();
        assert_eq!(metrics["metrics"]["resumed"], 1.0);
        assert_eq!(metrics["seed"], 5);
    }

    /// Loses its device in the first attempts, each time after saving something new if it is to advance.
    struct Unlucky {
        losses: u32,
        advances: bool,
        attempts: Arc<AtomicU32>,
    }

    impl Experiment for Unlucky {
        fn name(&self) -> &'static str {
            "toy"
        }
        fn title(&self) -> &'static str {
            "A toy that breaks"
        }
        fn summary(&self) -> &'static str {
            "Loses its device."
        }
        fn profiles(&self) -> &'static [ProfileInfo] {
            Toy.profiles()
        }
        fn run(&self, run: &mut Run) -> Result<(), RunError> {
            let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
            assert_eq!(run.resume, attempt > 0, "every attempt but the first goes on");
            if self.advances {
                run.out().write("checkpoint-toy.safetensors", &attempt.to_le_bytes())?;
            }
            if attempt < self.losses {
                let lost = nn_core::Error::DeviceLost { device: "gpu".into(), reason: "pulled out".into() };
                return Err(lost).while_doing("training");
            }
            run.report.metric("attempts", f64::from(attempt + 1))?;
            Ok(())
        }
    }

    fn attempt(losses: u32, advances: bool) -> (Result<WrittenReport, RunError>, u32) {
        let temporary = tempfile::tempdir().unwrap();
        let attempts = Arc::new(AtomicU32::new(0));
        let unlucky = Unlucky { losses, advances, attempts: Arc::clone(&attempts) };
        let experiments: Vec<Box<dyn Experiment>> = vec![Box::new(unlucky)];
        let options = options(temporary.path());
        let outcome = execute(&experiments, &options, &Environment::default(), Arc::default());
        (outcome, attempts.load(Ordering::SeqCst))
    }

    #[test]
    fn a_run_that_loses_its_device_goes_on() {
        let (outcome, attempts) = attempt(1, false);
        assert_eq!((outcome.unwrap().summary[0].1, attempts), (2.0, 2));
        let (outcome, attempts) = attempt(3, true);
        assert_eq!((outcome.unwrap().summary[0].1, attempts), (4.0, 4));
    }

    #[test]
    fn a_device_that_is_lost_again_and_again_ends_the_run() {
        let (outcome, attempts) = attempt(9, false);
        assert!(outcome.unwrap_err().is_device_lost());
        assert_eq!(attempts, 2, "nothing was saved between the losses");
        let (outcome, attempts) = attempt(9, true);
        assert!(outcome.unwrap_err().can_be_resumed());
        assert_eq!(attempts, 4);
    }

    #[test]
    fn a_missing_data_folder_is_named_with_where_it_came_from() {
        let temporary = tempfile::tempdir().unwrap();
        let mut options = options(&temporary.path().join("out"));
        let missing = temporary.path().join("missing");
        let environment = Environment::read(|name| (name == "NN_DATA_DIR").then(|| missing.clone().into()));
        let refused = execute(&toy(), &options, &environment, Arc::default()).unwrap_err().to_string();
        assert!(refused.starts_with("NN_DATA_DIR: "), "{refused}");
        options.data = Some(missing);
        let refused =
            execute(&toy(), &options, &Environment::default(), Arc::default()).unwrap_err().to_string();
        assert!(refused.starts_with("--data: ") && refused.contains("missing"), "{refused}");
        assert!(!temporary.path().join("out").exists());
    }

    #[test]
    fn the_command_to_repeat_a_run_survives_the_shell() {
        let mut options = options(Path::new("it's here"));
        options.data = Some(PathBuf::from("data"));
        assert_eq!(
            repeat_command(&options),
            r"cargo xtask reproduce-experiment toy --profile quick --backend cpu --seed 5 --data data --out 'it'\''s here'"
        );
        options.out = None;
        assert_eq!(output_path(&options), Path::new("runs/toy-quick-cpu"));
    }
}
