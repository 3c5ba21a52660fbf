//! Steps run one after another, each with its outcome and duration in one summary at the end.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// What became of the steps so far. A failure does not keep later steps from running.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(String, bool, Duration)>,
}

impl Steps {
    /// Runs a command as the step `name`; whether it succeeded.
    pub(crate) fn command(&mut self, name: &str, command: &mut Command) -> bool {
        self.step(name, || match command.status() {
            Ok(status) => status.success(),
            Err(error) => {
                eprintln!("error: cannot run {}: {error}", command.get_program().display());
                false
            }
        })
    }

    /// Does `work` as the step `name`; whether it succeeded.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> bool) -> bool {
        eprintln!("==> {name}");
        let began = Instant::now();
        let succeeded = work();
        self.done.push((name.to_string(), succeeded, began.elapsed()));
        succeeded
    }

    /// Prints the summary; fails if a step has failed.
    pub(crate) fn finish(self) -> ExitCode {
        eprint!("\n{}", self.summary());
        if self.done.iter().all(|(_, succeeded, _)| *succeeded) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn summary(&self) -> String {
        let mut text = String::new();
        for (name, succeeded, duration) in &self.done {
            let outcome = if *succeeded { "ok" } else { "FAILED" };
            text.push_str(&format!("{outcome:>6} {:>7.1} s  {name}\n", duration.as_secs_f64()));
        }
        let failed = self.done.iter().filter(|(_, succeeded, _)| !succeeded).count();
        let total: Duration = self.done.iter().map(|(_, _, duration)| *duration).sum();
        let verdict = if failed == 0 { "all passed".to_string() } else { format!("{failed} FAILED") };
        text.push_str(&format!("{} steps in {:.1} s: {verdict}\n", self.done.len(), total.as_secs_f64()));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_steps_run_and_the_summary_tells_all() {
        let mut steps = Steps::default();
        assert!(!steps.step("first", || false));
        assert!(steps.step("second", || true));
        assert!(!steps.command("third", &mut Command::new("no-such-program-anywhere")));
        let summary = steps.summary();
        assert!(summary.contains("FAILED     0.0 s  first\n    ok     0.0 s  second\n"), "{summary}");
        assert!(summary.ends_with("3 steps in 0.0 s: 2 FAILED\n"), "{summary}");
        assert_eq!(steps.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn all_good_is_success() {
        let mut steps = Steps::default();
        steps.step("only", || true);
        assert!(steps.summary().ends_with("all passed\n"));
        assert_eq!(steps.finish(), ExitCode::SUCCESS);
    }
}
