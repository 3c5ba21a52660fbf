//! A whole run: from the options of the command line to tables and files.

use std::fs;
use std::path::{Path, PathBuf};

use super::THREADS;
use super::bench_error::BenchError;
use super::inputs::Inputs;
use super::matrices::Matrices;
use super::peers::Peers;
use super::product;
use super::results::{Limit, SuiteResult, WorkloadResult};
use super::rounds::Rounds;
use super::suite::{SUITES, Suite, find_suites};
use super::table;
use crate::command_line::BenchOptions;
use crate::machine::Machine;
use crate::progress::say;
use crate::run_error::RunError;

/// What was measured and where it was written.
#[derive(Debug)]
pub struct Measured {
    /// One a suite.
    pub suites: Vec<SuiteResult>,
    /// The files, a JSON and a table a suite.
    pub files: Vec<PathBuf>,
}

impl Measured {
    /// For standard output: the tables and where they are, or with `json` a list of what the JSON files hold.
    pub fn text(&self, json: bool) -> String {
        if json {
            return pretty(&self.suites);
        }
        let mut text: Vec<String> = self.suites.iter().map(table::render).collect();
        text.push(self.files.iter().map(|file| format!("written: {}\n", file.display())).collect());
        text.join("\n")
    }
}

/// Measures the suites that the options name and writes a JSON file and a table for each into `folder`.
///
/// # Errors
///
/// If the options make no sense, our side of a workload fails, or a file cannot be written.
pub fn measure(
    options: &BenchOptions,
    data_from_environment: Option<PathBuf>,
    folder: &Path,
) -> Result<Measured, BenchError> {
    let suites = find_suites(options.suite.as_deref())?;
    let data = data_folder(options, data_from_environment)?;
    let options = &BenchOptions { data: data.clone(), ..options.clone() };
    let digits = suites.iter().any(|suite| suite.digits);
    let inputs = if digits { Inputs::load(data.as_deref())? } else { Inputs::none() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build()?;
    // Inside the pool, where the work is divided among its threads and no others.
    let suites = pool.install(|| measure_suites(suites, options, &inputs))?;
    let mut files = Vec::new();
    fs::create_dir_all(folder).map_err(BenchError::file("making", folder))?;
    for suite in &suites {
        for (ending, text) in [("json", pretty(suite)), ("md", table::render(suite))] {
            let path = folder.join(format!("{}.{ending}", suite.suite));
            fs::write(&path, text).map_err(BenchError::file("writing", &path))?;
            files.push(path);
        }
    }
    Ok(Measured { suites, files })
}

/// The folder `bench` in cargo's target folder, which the running program is in; or in `target`, if it is elsewhere.
pub fn output_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    target.unwrap_or(Path::new("target")).join("bench")
}

fn measure_suites(
    suites: &[Suite],
    options: &BenchOptions,
    inputs: &Inputs,
) -> Result<Vec<SuiteResult>, BenchError> {
    let mut results = Vec::new();
    if suites.iter().all(|suite| suite.name != SUITES[0].name) {
        say("measuring a product, for the limit");
        let alone = Suite { workloads: product::for_the_limit, ..SUITES[0] };
        results.push(measure_suite(&alone, options, inputs)?);
    }
    for suite in suites {
        results.push(measure_suite(suite, options, inputs)?);
    }
    let products: Vec<WorkloadResult> = results[0].workloads.clone();
    if let Some(limit) = Limit::of(&products) {
        for result in &mut results {
            result.workloads.iter_mut().for_each(|workload| workload.compare_with(&limit));
            result.limit = limit.clone();
        }
    }
    // The product that was measured only for the limit is no result.
    Ok(results.split_off(results.len() - suites.len()))
}

fn measure_suite(suite: &Suite, options: &BenchOptions, inputs: &Inputs) -> Result<SuiteResult, BenchError> {
    let temporary = tempfile::tempdir().map_err(BenchError::file("making", std::env::temp_dir()))?;
    let mut matrices = Matrices::new(options.peers.is_some().then_some(temporary.path()));
    let mut workloads = (suite.workloads)(inputs, &mut matrices)?;
    let mut peers = match &options.peers {
        Some(python) => Peers::start(python, suite, temporary.path(), &matrices)?,
        None => Peers::NotAsked,
    };
    let mut measured = Vec::new();
    for workload in &mut workloads {
        let result = Rounds::new(options.rounds).measure(workload, &mut peers)?;
        say(&in_one_line(&result));
        measured.push(result);
    }
    Ok(SuiteResult {
        suite: suite.name,
        command: repeat_command(options, suite.name),
        machine: Machine::here(),
        threads: THREADS,
        rounds: options.rounds,
        data: if suite.digits { inputs.description.clone() } else { Inputs::none().description },
        versions: peers.versions(),
        limit: Limit { gflop_per_s: f64::NAN, workload: String::new(), by: String::new() },
        workloads: measured,
    })
}

fn in_one_line(result: &WorkloadResult) -> String {
    let mut line = format!("{}: ours {}", result.name, table::duration(result.ours.median_s));
    for peer in &result.peers {
        line.push_str(&match &peer.ratio {
            Some(ratio) => format!(", {} {:.2} times that", peer.library, ratio.of_medians),
            None => format!(", {} skipped", peer.library),
        });
    }
    line
}

/// The command for the record, without the paths of this machine.
fn repeat_command(options: &BenchOptions, suite: &str) -> String {
    let mut command = format!("cargo xtask bench {suite}");
    if let Some(python) = &options.peers {
        let name = Path::new(python).file_name().unwrap_or(python);
        command.push_str(&format!(" --peers {}", name.to_string_lossy()));
    }
    command.push_str(&format!(" --rounds {}", options.rounds));
    if options.data.is_some() {
        command.push_str(" --data DIR");
    }
    command
}

fn data_folder(
    options: &BenchOptions,
    data_from_environment: Option<PathBuf>,
) -> Result<Option<PathBuf>, BenchError> {
    let (named_by, folder) = match &options.data {
        Some(folder) => ("--data", Some(folder.clone())),
        None => ("NN_DATA_DIR", data_from_environment),
    };
    match folder {
        Some(path) if !path.is_dir() => Err(RunError::DataFolderMissing { named_by, path }.into()),
        folder => Ok(folder),
    }
}

fn pretty(value: &impl serde::Serialize) -> String {
    // Structures of numbers and strings always become JSON.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::bench::workload::{Subject, Workload};

    /// A peer that knows one of two libraries, and prints how many matrices it was given as its figure.
    const FAKE: &str = r#"
given=0
for argument in "$@"; do [ "$argument" = --matrix ] && given=$((given + 1)); done
echo '{"python": "sh", "versions": {"torch": "0.1"}, "missing": {"scikit-learn": "No module named sklearn"}}'
while read -r verb library workload units; do
    if [ "$verb" = run ]; then echo "{\"seconds\": $units}"; else echo "{\"figure\": $given}"; fi
done
"#;

    struct Nothing;

    impl Subject for Nothing {
        fn unit(&mut self) -> Result<(), nn_core::Error> {
            std::thread::sleep(std::time::Duration::from_millis(100));
            Ok(())
        }
        fn figure(&mut self) -> Result<f64, nn_core::Error> {
            Ok(1.0)
        }
    }

    fn workloads(_: &Inputs, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
        matrices.hand_over("a", &nn_core::Device::cpu().zeros(2, 2))?;
        let (name, work, peers) =
            ("nothing".to_string(), "a nap".to_string(), &["torch", "scikit-learn"][..]);
        Ok(vec![Workload { name, work, flop: 1e9, figure: "one", peers, ours: Box::new(Nothing) }])
    }

    fn options(peers: Option<&str>) -> BenchOptions {
        BenchOptions { suite: None, peers: peers.map(Into::into), json: false, data: None, rounds: 1 }
    }

    fn measured(peers: Option<&str>) -> SuiteResult {
        let suite = Suite { name: "toy", script_name: "toy.py", script: FAKE, digits: false, workloads };
        measure_suite(&suite, &options(peers), &Inputs::none()).unwrap()
    }

    #[test]
    fn both_sides_are_measured_and_a_missing_library_is_skipped() {
        let result = measured(Some("sh"));
        let [torch, scikit_learn] = &result.workloads[0].peers[..] else { panic!("{result:?}") };
        assert_eq!((torch.timings.as_ref().unwrap().median_s, torch.figure), (1.0, Some(1.0)));
        let ratio = torch.ratio.unwrap().of_medians;
        assert!((5.0..=10.0).contains(&ratio) || result.workloads[0].ours.median_s > 0.2, "{ratio}");
        assert_eq!(scikit_learn.skipped.as_deref(), Some("No module named sklearn"));
        assert_eq!(result.versions["torch"], "0.1");
        assert!(table::render(&result).contains("skipped: No module named sklearn"));
    }

    #[test]
    fn without_a_python_ours_is_measured_alone() {
        let table = table::render(&measured(Some("no-such-python")));
        assert_eq!(table.matches("skipped: cannot start no-such-python").count(), 2, "{table}");
        assert!(measured(None).workloads[0].peers.is_empty());
    }

    #[test]
    fn the_command_of_a_record_names_no_folder() {
        let mut options = options(Some("some/where/python3"));
        options.data = Some(PathBuf::from("some/data"));
        let command = repeat_command(&options, "rbm");
        assert_eq!(command, "cargo xtask bench rbm --peers python3 --rounds 1 --data DIR");
    }
}
