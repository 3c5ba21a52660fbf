//! The developer's commands, as `cargo xtask COMMAND`; this file only reads the command line.
#![forbid(unsafe_code)]

mod adapters;
mod bench;
mod cargo;
mod checks;
mod convnet;
mod fetch;
mod metrics;
mod reproduce;
mod steps;
mod tidy;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Reproduce, benchmark, test and check this workspace"
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Repeat a published experiment and write its report
    #[command(after_help = reproduce::EXAMPLES)]
    ReproduceExperiment(reproduce::Options),
    /// Train and test a network as a layer and a parameter file of cuda-convnet describe it
    #[command(disable_help_flag = true)]
    Convnet(convnet::Options),
    /// Measure speed, alone or beside other libraries
    Bench(bench::Options),
    /// List the GPUs of this machine, what each lacks, and why an interface has none
    #[command(after_help = adapters::EXAMPLES)]
    Adapters(adapters::Options),
    /// Download official data files
    #[command(disable_help_flag = true)]
    Fetch(fetch::Options),
    /// Check the formatting and run every test
    Test,
    /// Check the invariants of ARCHITECTURE.md that no compiler checks
    Tidy,
    /// Everything that must hold before a merge, with the quick profile of every experiment
    Ci,
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::ReproduceExperiment(options) if options.names_nothing() => {
            let mut command_line = CommandLine::command();
            // Building first puts the program's name before the subcommand's in the usage line.
            command_line.build();
            let subcommand = command_line.find_subcommand_mut("reproduce-experiment");
            eprint!("{}", subcommand.map_or_else(String::new, |it| it.render_help().to_string()));
            ExitCode::from(2)
        }
        Command::ReproduceExperiment(options) => {
            cargo::become_nn_bench(options.cargo_options(), &options.arguments())
        }
        Command::Adapters(options) => cargo::become_nn_bench(options.cargo_options(), &options.arguments()),
        Command::Convnet(options) => cargo::become_nn_bench(options.cargo_options(), &options.arguments()),
        Command::Bench(options) => cargo::become_nn_bench(options.cargo_options(), &options.arguments()),
        Command::Fetch(options) => cargo::become_nn_bench(&["--features", "fetch"], &options.arguments()),
        Command::Test => checks::test(),
        Command::Tidy => tidy::run(&cargo::workspace_root()),
        Command::Ci => checks::ci(&cargo::workspace_root()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
