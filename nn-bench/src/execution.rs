//! From the options of the command line to a finished report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::command_line::ExperimentOptions;
use crate::experiment::{Experiment, find_experiment, find_profile};
use crate::report::{Heading, WrittenReport};
use crate::run::{Run, RunIdentity};
use crate::run_error::RunError;

/// Checks everything that can be checked beforehand, runs the experiment and writes its report.
///
/// # Errors
///
/// Whatever is wrong with the options, the folders or the experiment; [`RunError::Interrupted`] if
/// `interrupted` was set and the experiment stopped for it.
pub fn execute(
    experiments: &[Box<dyn Experiment>],
    options: &ExperimentOptions,
    data_from_environment: Option<PathBuf>,
    interrupted: Arc<AtomicBool>,
) -> Result<WrittenReport, RunError> {
    let name = options.name.as_deref().unwrap_or_default();
    let experiment = find_experiment(experiments, name)?;
    let profile = find_profile(experiment, &options.profile)?;
    let data = data_folder(options, data_from_environment)?;
    let identity = RunIdentity {
        experiment: experiment.name().to_string(),
        profile: profile.name.to_string(),
        backend: options.backend.name().to_string(),
        seed: options.seed,
    };
    let out = output_path(options);
    let mut run = Run::start(&identity, options.backend, data, &out, options.resume, interrupted)?;
    {
        let _whole = run.report.phase("whole run");
        experiment.run(&mut run)?;
    }
    if options.resume {
        run.report.note("This run was resumed from a checkpoint: the durations are those of its last part.");
    }
    let command = repeat_command(options);
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

fn data_folder(
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
fn quoted(word: &str) -> String {
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
    use crate::experiment::ProfileInfo;
    use crate::run::Backend;
    use std::fs;

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
        let stopped = execute(&toy(), &options, None, Arc::new(AtomicBool::new(true))).unwrap_err();
        let RunError::Interrupted { saved: Some(saved) } = stopped else { panic!("{stopped}") };
        assert_eq!(fs::read(saved).unwrap(), b"half");
        options.resume = true;
        let report = execute(&toy(), &options, None, Arc::default()).unwrap();
        let metrics: serde_json::Value = serde_json::from_slice(&fs::read(report.metrics).unwrap()).unwrap();
        assert_eq!(metrics["metrics"]["resumed"], 1.0);
        assert_eq!(metrics["seed"], 5);
    }

    #[test]
    fn a_missing_data_folder_is_named_with_where_it_came_from() {
        let temporary = tempfile::tempdir().unwrap();
        let mut options = options(&temporary.path().join("out"));
        let missing = temporary.path().join("missing");
        let refused =
            execute(&toy(), &options, Some(missing.clone()), Arc::default()).unwrap_err().to_string();
        assert!(refused.starts_with("NN_DATA_DIR: "), "{refused}");
        options.data = Some(missing);
        let refused = execute(&toy(), &options, None, Arc::default()).unwrap_err().to_string();
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
