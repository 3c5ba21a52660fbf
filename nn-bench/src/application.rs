//! The whole program but for its environment: arguments in, messages and an exit code out.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::Parser;

use crate::bench::{self, session};
use crate::command_line::{self, BenchOptions, Command, CommandLine, ExperimentOptions};
use crate::convnet::{self, options::ConvnetOptions};
use crate::environment::Environment;
use crate::execution::{execute, repeat_command};
use crate::experiment::Experiment;
use crate::interruption::{INTERRUPTED, watch_ctrl_c};
use crate::progress::say;
use crate::report::{WrittenReport, short_number};
use crate::run_error::{self, RunError};

/// The exit code for whatever the user or the world can put right.
const REFUSED: u8 = 2;

/// Does what the arguments, the first of which is the program's name, ask for. Returns the exit code.
pub fn start(
    experiments: &[Box<dyn Experiment>],
    arguments: impl IntoIterator<Item = OsString>,
    environment: Environment,
) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let command = match CommandLine::try_parse_from(&arguments) {
        Ok(CommandLine { command }) => command,
        Err(refusal) if refusal.use_stderr() => {
            say(&command_line::one_line(&refusal, arguments.get(1).and_then(|argument| argument.to_str())));
            return REFUSED;
        }
        Err(help) => {
            print(&help.render().to_string());
            return 0;
        }
    };
    match command {
        Command::Experiment(options) if options.list => {
            print(&listing(experiments, options.names));
            0
        }
        Command::Experiment(options) => experiment(experiments, &options, &environment),
        Command::Bench(options) => benchmarks(&options, &environment),
        Command::Convnet(options) if options.test_only => test(&options, &environment),
        Command::Convnet(options) => {
            let outcome =
                watch_ctrl_c().and_then(|interrupted| convnet::train(&options, &environment, interrupted));
            finish(outcome, &options.command())
        }
        #[cfg(feature = "gpu")]
        Command::Adapters(options) => {
            print(&crate::adapter_listing::listing());
            if options.tune { tuning() } else { 0 }
        }
        #[cfg(feature = "fetch")]
        Command::Fetch(fetch) => match fetch.run() {
            Ok(()) => 0,
            Err(error) => {
                say(&format!("error: {}", run_error::one_line(&error)));
                REFUSED
            }
        },
    }
}

fn benchmarks(options: &BenchOptions, environment: &Environment) -> u8 {
    match bench::measure(options, environment.data(), &session::output_folder()) {
        Ok(measured) => {
            print(&measured.text(options.json));
            0
        }
        Err(error) => {
            say(&format!("error: {}", run_error::one_line(&error)));
            REFUSED
        }
    }
}

#[cfg(feature = "gpu")]
fn tuning() -> u8 {
    match crate::tuned_gpu::tune() {
        Ok(lines) => {
            print(&(lines.join("\n") + "\n"));
            0
        }
        Err(error) => {
            say(&format!("error: {}", run_error::one_line(&error)));
            REFUSED
        }
    }
}

fn experiment(
    experiments: &[Box<dyn Experiment>],
    options: &ExperimentOptions,
    environment: &Environment,
) -> u8 {
    let outcome =
        watch_ctrl_c().and_then(|interrupted| execute(experiments, options, environment, interrupted));
    finish(outcome, &repeat_command(options))
}

/// Says how a run ended; `again` is the command that does the same.
fn finish(outcome: Result<WrittenReport, RunError>, again: &str) -> u8 {
    match outcome {
        Ok(report) => {
            print(&summary(&report));
            0
        }
        Err(RunError::Interrupted { saved }) => {
            say(&match saved {
                Some(file) => {
                    format!("interrupted: saved {}; resume with: {again} --resume", file.display())
                }
                None => format!("interrupted: this experiment keeps no checkpoint; start over with: {again}"),
            });
            INTERRUPTED
        }
        Err(error) => {
            let mut line = format!("error: {}", run_error::one_line(&error));
            if error.can_be_resumed() {
                line += &format!("; resume with: {again} --resume");
            }
            say(&line);
            REFUSED
        }
    }
}

/// Only tests what the files of cuda-convnet became.
fn test(options: &ConvnetOptions, environment: &Environment) -> u8 {
    match convnet::test(options, environment) {
        Ok(figures) => {
            let line = |(name, value): &(&str, f64)| format!("test_{name} = {}\n", short_number(*value));
            print(&figures.iter().map(line).collect::<String>());
            0
        }
        Err(error) => {
            say(&format!("error: {}", run_error::one_line(&error)));
            REFUSED
        }
    }
}

fn listing(experiments: &[Box<dyn Experiment>], names_only: bool) -> String {
    let mut text = String::new();
    for experiment in experiments {
        text.push_str(experiment.name());
        text.push('\n');
        if names_only {
            continue;
        }
        text.push_str(&format!("  {}\n  {}\n", experiment.title(), experiment.summary()));
        for profile in experiment.profiles() {
            text.push_str(&format!(
                "    --profile {:<8} {} ({})\n",
                profile.name, profile.what, profile.duration
            ));
        }
        text.push('\n');
    }
    if experiments.is_empty() && !names_only {
        text.push_str("no experiments yet\n");
    }
    text
}

fn summary(report: &WrittenReport) -> String {
    let mut text = String::new();
    for (name, value) in &report.summary {
        text.push_str(&format!("{name} = {}\n", short_number(*value)));
    }
    text.push_str(&format!("report:  {}\nmetrics: {}\n", report.html.display(), report.metrics.display()));
    text
}

/// To standard output. A reader that has gone, as `head` does, is no error.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_suite_is_refused_before_anything_is_measured() {
        let arguments = ["nn-bench", "bench", "prodct"].map(OsString::from);
        assert_eq!(start(&[], arguments, Environment::default()), REFUSED);
    }
}
