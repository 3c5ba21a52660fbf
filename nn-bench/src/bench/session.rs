//! A whole run: from the options of the command line to tables and files.

use std::fs;
use std::path::{Path, PathBuf};

use super::THREADS;
use super::bench_error::BenchError;
use super::candidates::Candidates;
use super::comparison::Comparison;
use super::comparison_page;
use super::comparison_table;
use super::inputs::{Inputs, Source};
use super::measurement::{Measurement, repeat_command};
use super::results::SuiteResult;
use super::selection::Selection;
use super::suite::find_suites;
use super::table;
use crate::command_line::BenchOptions;
use crate::progress::say;
use crate::run_error::RunError;

/// What was measured and where it was written.
#[derive(Debug)]
pub struct Measured {
    /// The results.
    pub results: Results,
    /// The files: a JSON and a table a suite, or of all devices a JSON, a table and a page.
    pub files: Vec<PathBuf>,
}

/// Of one device or of all.
#[derive(Debug)]
pub enum Results {
    /// The suites on one device.
    One(Vec<SuiteResult>),
    /// All devices side by side.
    All(Box<Comparison>),
}

impl Measured {
    /// For standard output: the tables and where they are, or with `json` what the JSON files hold.
    pub fn text(&self, json: bool) -> String {
        let mut text: Vec<String> = match &self.results {
            Results::One(suites) if json => return pretty(suites),
            Results::All(comparison) if json => return pretty(comparison),
            Results::One(suites) => suites.iter().map(table::render).collect(),
            Results::All(comparison) => vec![comparison_table::render(comparison)],
        };
        text.push(self.files.iter().map(|file| format!("written: {}\n", file.display())).collect());
        text.join("\n")
    }
}

/// Measures the suites that the options name on the devices that they name, and writes into `folder`: a JSON file and
/// a table for each suite, or for all devices together a JSON file, a table and a page.
///
/// # Errors
///
/// If the options make no sense, our side of a workload fails on the one device that was named, or a file cannot be
/// written.
pub fn measure(
    options: &BenchOptions,
    data_from_environment: Option<PathBuf>,
    folder: &Path,
) -> Result<Measured, BenchError> {
    let suites = find_suites(options.suite.as_deref())?;
    let data = data_folder(options, data_from_environment)?;
    let options = &BenchOptions { data: data.clone(), ..options.clone() };
    let candidates = Candidates::of(options.backend)?;
    let sources: Vec<Source> = suites.iter().map(|suite| suite.source).collect();
    let inputs = Inputs::load(data.as_deref(), &sources)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build()?;
    // Inside the pool, where the work is divided among its threads and no others.
    let measurements: Vec<Measurement> = pool.install(|| {
        let measured = candidates.devices.iter().map(|candidate| {
            if options.backend != Selection::Cpu {
                say(&format!("measuring {}", candidate.description.in_words()));
            }
            Measurement::of(candidate, suites, options, &inputs)
        });
        measured.collect()
    });
    let (results, texts) = if options.backend == Selection::All {
        let command = repeat_command(options, options.suite.as_deref());
        let comparison = Comparison::of(command, options.rounds, measurements, candidates.skipped);
        let texts = vec![
            ("devices.json".to_string(), pretty(&comparison)),
            ("devices.md".to_string(), comparison_table::render(&comparison)),
            ("devices.html".to_string(), comparison_page::render(&comparison)?),
        ];
        (Results::All(Box::new(comparison)), texts)
    } else {
        let mut results = Vec::new();
        for measurement in measurements {
            measurement
                .skipped
                .iter()
                .for_each(|one| say(&format!("not measured: {}: {}", one.what, one.why)));
            results.extend(measurement.whole()?);
        }
        let texts = results.iter().flat_map(|suite| {
            let stem = file_stem(suite.suite, options.backend);
            [(format!("{stem}.json"), pretty(suite)), (format!("{stem}.md"), table::render(suite))]
        });
        let texts = texts.collect();
        (Results::One(results), texts)
    };
    fs::create_dir_all(folder).map_err(BenchError::file("making", folder))?;
    let mut files = Vec::new();
    for (name, text) in texts {
        let path = folder.join(name);
        fs::write(&path, text).map_err(BenchError::file("writing", &path))?;
        files.push(path);
    }
    Ok(Measured { results, files })
}

/// Of the processor just the suite's name; what is measured on another device does not replace it.
fn file_stem(suite: &str, backend: Selection) -> String {
    if backend == Selection::Cpu { suite.to_string() } else { format!("{suite}-{}", backend.name()) }
}

/// The folder `bench` in cargo's target folder, which the running program is in; or in `target`, if it is elsewhere.
pub fn output_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    target.unwrap_or(Path::new("target")).join("bench")
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
mod tests {
    use super::*;
    use crate::bench::measurement::tests::options;

    #[test]
    fn a_device_has_files_of_its_own() {
        assert_eq!(file_stem("rbm", Selection::Cpu), "rbm");
        assert_eq!(file_stem("rbm", Selection::Vulkan), "rbm-vulkan");
    }

    #[test]
    fn a_folder_that_is_missing_is_refused_before_anything_is_measured() {
        let options = BenchOptions { data: Some("no-such-folder".into()), ..options(None) };
        let error = measure(&options, None, Path::new("nowhere")).unwrap_err();
        assert!(error.to_string().contains("no-such-folder"), "{error}");
    }
}
