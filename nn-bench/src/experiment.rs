//! What an experiment is, and how one is found by name.

use crate::command_line::ExperimentOptions;
use crate::execution::repeat_command;
use crate::nearest_name::nearest_name;
use crate::run::Run;
use crate::run_error::RunError;

/// One size in which an experiment can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileInfo {
    /// The name given to `--profile`; every experiment has at least `quick` and `default`.
    pub name: &'static str,
    /// What this size does, in a phrase: `5 000 training images, 3 epochs`.
    pub what: &'static str,
    /// How long it takes and on what machine: `about 40 s on two cores`.
    pub duration: &'static str,
}

/// A published experiment that can be repeated.
pub trait Experiment {
    /// The name on the command line: lower case, with hyphens.
    fn name(&self) -> &'static str;

    /// The heading of the report.
    fn title(&self) -> &'static str;

    /// One or two sentences for the list of experiments.
    fn summary(&self) -> &'static str;

    /// The sizes in which it can run.
    fn profiles(&self) -> &'static [ProfileInfo];

    /// The command that does the same again, for the report.
    fn command(&self, options: &ExperimentOptions) -> String {
        repeat_command(options)
    }

    /// Does the work and fills in `run.report`; the runner writes the report afterwards.
    ///
    /// # Errors
    ///
    /// Whatever stopped the experiment. After an interruption it saves what it has and returns
    /// [`Run::stop_after_saving`].
    fn run(&self, run: &mut Run) -> Result<(), RunError>;
}

/// The experiment called `name`.
///
/// # Errors
///
/// [`RunError::UnknownExperiment`], with the nearest name if one is near.
pub fn find_experiment<'a>(
    experiments: &'a [Box<dyn Experiment>],
    name: &str,
) -> Result<&'a dyn Experiment, RunError> {
    let found = experiments.iter().find(|experiment| experiment.name() == name);
    found.map(|experiment| experiment.as_ref()).ok_or_else(|| RunError::UnknownExperiment {
        name: name.to_string(),
        nearest: nearest_name(name, experiments.iter().map(|experiment| experiment.name())),
    })
}

/// The profile of `experiment` called `name`.
///
/// # Errors
///
/// [`RunError::UnknownProfile`], with the names that exist.
pub fn find_profile(experiment: &dyn Experiment, name: &str) -> Result<ProfileInfo, RunError> {
    let profiles = experiment.profiles();
    profiles.iter().find(|profile| profile.name == name).copied().ok_or_else(|| RunError::UnknownProfile {
        experiment: experiment.name(),
        profile: name.to_string(),
        known: profiles.iter().map(|profile| profile.name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str);

    impl Experiment for Named {
        fn name(&self) -> &'static str {
            self.0
        }
        fn title(&self) -> &'static str {
            "title"
        }
        fn summary(&self) -> &'static str {
            "summary"
        }
        fn profiles(&self) -> &'static [ProfileInfo] {
            const { &[ProfileInfo { name: "quick", what: "little", duration: "1 s" }] }
        }
        fn run(&self, _run: &mut Run) -> Result<(), RunError> {
            Ok(())
        }
    }

    fn two() -> Vec<Box<dyn Experiment>> {
        vec![Box::new(Named("mnist-rbm")), Box::new(Named("mnist-dbn"))]
    }

    #[test]
    fn finds_by_exact_name() {
        assert_eq!(find_experiment(&two(), "mnist-dbn").unwrap().name(), "mnist-dbn");
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let message = find_experiment(&two(), "mnist-rbn").err().unwrap().to_string();
        assert!(message.contains("'mnist-rbn'") && message.contains("did you mean 'mnist-rbm'"), "{message}");
        let message = find_experiment(&two(), "quantum").err().unwrap().to_string();
        assert!(!message.contains("did you mean") && message.contains("--list"), "{message}");
    }

    #[test]
    fn an_unknown_profile_is_answered_with_the_known_ones() {
        assert_eq!(find_profile(&Named("a"), "quick").unwrap().what, "little");
        let message = find_profile(&Named("a"), "huge").err().unwrap().to_string();
        assert!(message.contains("'huge'") && message.contains("quick"), "{message}");
    }
}
