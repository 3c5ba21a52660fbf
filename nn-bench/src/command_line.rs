//! The command line of `nn-bench`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::bench::Selection;
use crate::convnet::{self, options::ConvnetOptions};
use crate::run::Backend;

/// Everything that can be typed.
#[derive(Debug, Parser)]
#[command(name = "nn-bench", version, about = "Repeats published experiments and measures speed")]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `nn-bench` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Repeat a published experiment and write report.html and metrics.json
    #[command(after_help = EXAMPLES)]
    Experiment(ExperimentOptions),
    /// Measure speed, alone or beside other libraries, and write target/bench/SUITE.json and SUITE.md
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(BenchOptions),
    /// Train and test a network as a layer and a parameter file of cuda-convnet describe it
    #[command(after_help = convnet::options::EXAMPLES)]
    Convnet(ConvnetOptions),
    /// List the GPUs of this machine, what each lacks, and why an interface has none
    #[cfg(feature = "gpu")]
    #[command(after_help = ADAPTERS)]
    Adapters(AdapterOptions),
    /// Download official data files into the folder where experiments look for them
    #[cfg(feature = "fetch")]
    Fetch(crate::fetch::Fetch),
}

/// What to do with the adapters beside listing them.
#[derive(Debug, Clone, Args)]
pub struct AdapterOptions {
    /// Measure which kernels are the fastest on each card and keep that for later runs
    #[arg(long)]
    pub tune: bool,
}

/// Which experiment, how large, and where to.
#[derive(Debug, Clone, Args)]
pub struct ExperimentOptions {
    /// The experiment, by the name that --list prints
    #[arg(required_unless_present = "list")]
    pub name: Option<String>,

    /// List the experiments, their profiles and how long these take
    #[arg(long, conflicts_with = "name")]
    pub list: bool,

    /// With --list: only the names, one a line
    #[arg(long, requires = "list")]
    pub names: bool,

    /// How much to do: quick, default, full, or another that the experiment names
    #[arg(long, default_value = "default")]
    pub profile: String,

    /// What to compute with; all but cpu and reference need a program built with --features gpu
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: Backend,

    /// The folder of the data files [default: the environment variable NN_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Where all random numbers begin; the same seed gives the same run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Where to write [default: runs/NAME-PROFILE-BACKEND]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Go on where an interrupted run with the same settings stopped
    #[arg(long)]
    pub resume: bool,
}

/// What to measure, and beside what.
#[derive(Debug, Clone, Args)]
pub struct BenchOptions {
    /// What to measure: product, rbm, energy, device, networks or sparse; everything if left out
    pub suite: Option<String>,

    /// What ours computes with; all: the processor and every adapter, in one table and a page
    #[arg(long, value_enum, value_name = "NAME", default_value = "cpu")]
    pub backend: Selection,

    /// A Python interpreter whose libraries (torch, scikit-learn) are measured in turn with ours
    #[arg(long, value_name = "PYTHON")]
    pub peers: Option<OsString>,

    /// Print the measurements as JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// The folder of the data files [default: the environment variable NN_DATA_DIR, or the embedded digits]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// How often ours and each peer take turns
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
}

const BENCH_EXAMPLES: &str = "\
Examples:
  nn-bench bench
  nn-bench bench rbm --peers python3 --data ~/data
  nn-bench bench product --json --rounds 21
  nn-bench bench device --backend vulkan
  nn-bench bench --backend all --peers python3

With --backend all, target/bench has devices.json, devices.md and devices.html. A device that is not there or fails
becomes a line that says why. Peers compute on the card that ours computes on, if they can.
A peer that is not installed is left out, with the reason in the table.";

#[cfg(feature = "gpu")]
const ADAPTERS: &str = "\
Examples:
  nn-bench adapters
  NN_GPU_ADAPTER=geforce nn-bench experiment NAME --backend gpu

OpenGL is looked for by a program built with --features gl.";

const EXAMPLES: &str = "\
Examples:
  nn-bench experiment --list
  nn-bench experiment NAME --profile quick
  nn-bench experiment NAME --data ~/data --seed 7 --out runs/seventh
  nn-bench experiment NAME --backend gpu
  nn-bench experiment NAME --resume

Variables of the environment, for GPUs:
  NN_GPU_ADAPTER=WORDS  only adapters whose name contains the words
  NN_GPU_MEMORY=MIB     use at most so much device memory
  NN_GPU_CHECKED=1      keep the bounds checks of shaders
  NN_GPU_FAULT=lost:N or memory:N
                        for tests: lose the device after N dispatches, or its memory after N buffers

Ctrl-C saves and stops, and the last line says how to go on; a second Ctrl-C stops at once.
Exit codes: 0 done; 2 something is wrong, the message says what to do; 130 interrupted.";

/// A refusal by the parser in one line: what is wrong, what was perhaps meant, where help is.
///
/// `command` is the first argument, if any: the refusal itself does not always tell which command it is about.
pub fn one_line(refusal: &clap::Error, command: Option<&str>) -> String {
    let text = refusal.render().to_string();
    let said = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told: Vec<_> =
        said.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more")).collect();
    let told = told.join(" ").replace(" tip: ", "; ");
    let told = told.strip_prefix("error: ").unwrap_or(&told);
    let command = command.filter(|name| CommandLine::command().find_subcommand(name).is_some());
    let program = command.map_or_else(|| "nn-bench".to_string(), |name| format!("nn-bench {name}"));
    format!("error: {told}; see {program} --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<ExperimentOptions, clap::Error> {
        match CommandLine::try_parse_from(line.split_whitespace())?.command {
            Command::Experiment(options) => Ok(options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_parser_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn defaults_and_options() {
        let options = parse("nn-bench experiment toy").unwrap();
        assert_eq!((options.profile.as_str(), options.backend, options.seed), ("default", Backend::Cpu, 1));
        let options = parse("nn-bench experiment toy --backend reference --seed 7 --resume").unwrap();
        assert_eq!((options.backend, options.seed, options.resume), (Backend::Reference, 7, true));
        assert!(parse("nn-bench experiment --list --names").unwrap().names);
    }

    #[test]
    fn options_of_benchmarks() {
        let parse = |line: &str| CommandLine::try_parse_from(line.split_whitespace());
        let Command::Bench(options) = parse("nn-bench bench rbm --peers py --rounds 3").unwrap().command
        else {
            panic!("another command")
        };
        assert_eq!((options.suite.as_deref(), options.rounds, options.json), (Some("rbm"), 3, false));
        assert_eq!(options.backend, Selection::Cpu);
        assert_eq!(options.peers.unwrap(), "py");
        assert!(parse("nn-bench bench --rounds 0").is_err());
    }

    #[test]
    fn refusals_take_one_line() {
        let refusal = |line: &str| one_line(&parse(line).unwrap_err(), line.split(' ').nth(1));
        let unknown = refusal("nn-bench experiment toy --profil quick");
        assert!(unknown.starts_with("error: unexpected argument '--profil' found; "), "{unknown}");
        assert!(unknown.contains("'--profile'"), "{unknown}");
        let missing = refusal("nn-bench experiment");
        assert!(missing.contains("not provided: <NAME>; see"), "{missing}");
        let backend = refusal("nn-bench experiment toy --backend abacus");
        assert!(backend.contains("abacus") && backend.contains("cpu, reference"), "{backend}");
        let command = refusal("nn-bench experimnt");
        assert!(command.contains("'experiment'") && command.ends_with("; see nn-bench --help"), "{command}");
        assert!(!format!("{unknown}{missing}{backend}{command}").contains('\n'));
    }
}
