//! The peers of a suite: asked for or not, there or not.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::THREADS;
use super::bench_error::BenchError;
use super::matrices::Matrices;
use super::peer_message::Request;
use super::peer_process::PeerProcess;
use super::suite::{SUITES, Suite};

/// What every script imports; scripts may import each other, too.
const PROTOCOL: (&str, &str) = ("protocol.py", include_str!("../../peers/protocol.py"));

/// Where a suite's peers stand.
#[derive(Debug)]
pub enum Peers {
    /// No Python was named: nothing is compared.
    NotAsked,
    /// There are none, for this reason.
    Absent(String),
    /// Their process runs.
    Present(Box<PeerProcess>),
}

impl Peers {
    /// Writes the scripts into `folder` and starts the suite's with this Python, on a card of this name if there is
    /// one. A failure to start is no error.
    ///
    /// # Errors
    ///
    /// If the scripts cannot be written.
    pub fn start(
        python: &OsStr,
        suite: &Suite,
        folder: &Path,
        matrices: &Matrices,
        card: Option<&str>,
    ) -> Result<Self, BenchError> {
        let suites = SUITES.iter().map(|suite| (suite.script_name, suite.script));
        for (name, text) in suites.chain([PROTOCOL, (suite.script_name, suite.script)]) {
            let path = folder.join(name);
            fs::write(&path, text).map_err(BenchError::file("writing", path))?;
        }
        let mut arguments = vec!["--threads".to_string(), THREADS.to_string()];
        arguments.extend(card.iter().flat_map(|card| ["--card".to_string(), card.to_string()]));
        arguments.extend(matrices.arguments());
        Ok(match PeerProcess::start(python, &folder.join(suite.script_name), &arguments, card.is_some()) {
            Ok(process) => Self::Present(Box::new(process)),
            Err(reason) => Self::Absent(reason),
        })
    }

    /// Which of these can be measured: each with the reason if it cannot. Nothing, if nothing was asked for.
    pub fn available(&self, libraries: &[&'static str]) -> Vec<(&'static str, Result<(), String>)> {
        let state = |library: &str| match self {
            Self::NotAsked => Err(String::new()),
            Self::Absent(reason) => Err(reason.clone()),
            Self::Present(process) if process.hello.versions.contains_key(library) => Ok(()),
            Self::Present(process) => {
                let reason = process.hello.missing.get(library).map(String::as_str);
                Err(reason.unwrap_or("its script does not know it").to_string())
            }
        };
        let asked = if matches!(self, Self::NotAsked) { &[] } else { libraries };
        asked.iter().map(|library| (*library, state(library))).collect()
    }

    /// Asks the process of the peers.
    ///
    /// # Errors
    ///
    /// Why there is no answer, in words.
    pub fn ask(&mut self, request: Request, library: &str, workload: &str) -> Result<f64, String> {
        match self {
            Self::NotAsked => Err("no Python was named with --peers".to_string()),
            Self::Absent(reason) => Err(reason.clone()),
            Self::Present(process) => process.ask(request, library, workload),
        }
    }

    /// The card that they compute on, unless it is the processor.
    pub fn card(&self) -> Option<String> {
        let Self::Present(process) = self else { return None };
        process.hello.card.clone()
    }

    /// The versions of the libraries that are there, and of Python.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let Self::Present(process) = self else { return BTreeMap::new() };
        let mut versions = process.hello.versions.clone();
        versions.insert("python".to_string(), process.hello.python.clone());
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn start(python: &str, suite: &Suite, folder: &Path) -> Peers {
        Peers::start(OsStr::new(python), suite, folder, &Matrices::new(None), None).unwrap()
    }

    #[test]
    fn a_python_that_is_missing_is_a_reason_and_no_error() {
        let temporary = tempfile::tempdir().unwrap();
        let mut peers = start("no-such-python", &SUITES[0], temporary.path());
        let available = peers.available(&["torch"]);
        assert!(available[0].1.as_ref().unwrap_err().contains("no-such-python"));
        assert!(peers.ask(Request::Run(1), "torch", "x").is_err() && peers.versions().is_empty());
        assert!(Peers::NotAsked.available(&["torch"]).is_empty());
    }

    /// Whether or not its libraries are installed, a script introduces itself.
    #[test]
    fn the_scripts_say_hello() {
        if Command::new("python3").arg("--version").output().is_err() {
            println!("skipped: no python3 on this machine");
            return;
        }
        for (suite, library) in
            SUITES.iter().zip(["torch", "scikit-learn", "torch", "torch", "torch", "spams"])
        {
            let temporary = tempfile::tempdir().unwrap();
            let peers = start("python3", suite, temporary.path());
            let Peers::Present(process) = &peers else { panic!("{peers:?}") };
            let hello = &process.hello;
            let known = hello.versions.contains_key(library) != hello.missing.contains_key(library);
            assert!(known && hello.python.starts_with('3'), "{hello:?}");
        }
    }
}
