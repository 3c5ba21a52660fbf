//! Records in a table that any program reads.

use crate::{
    Error, checkpoint,
    fit::{Flow, Observer, Record, Seen},
};
use std::path::PathBuf;

/// Writes update and figures as comma-separated values, whole after every record.
#[derive(Debug)]
pub struct CsvFile {
    every: u64,
    path: PathBuf,
    text: String,
}

impl CsvFile {
    /// A table at `path`; an older one is gone on from if it has records up to where training goes on.
    ///
    /// # Errors
    /// If an older table cannot be read.
    pub fn new(path: impl Into<PathBuf>, every: u64, from: u64) -> Result<CsvFile, Error> {
        let path = path.into();
        let mut text = String::new();
        if from > 0 && path.exists() {
            let old = std::fs::read_to_string(&path).map_err(|error| Error::file("reading", &path, error))?;
            for line in old.lines() {
                let update = line.split(',').next().unwrap_or_default();
                if update.parse::<u64>().map_or(update == "update", |update| update <= from) {
                    text += line;
                    text.push('\n');
                }
            }
        }
        Ok(CsvFile { every, path, text })
    }
}

impl Observer for CsvFile {
    fn every(&self) -> u64 {
        self.every
    }
    fn see(&mut self, seen: &Seen<'_>, record: &mut Record) -> Result<Flow, Error> {
        if record.is_empty() {
            return Ok(Flow::Continue);
        }
        if self.text.is_empty() {
            let names: Vec<String> = record.iter().map(|(name, _)| quoted(name)).collect();
            self.text = format!("update,{}\n", names.join(","));
        }
        let values: Vec<String> = record.iter().map(|(_, value)| value.to_string()).collect();
        self.text += &format!("{},{}\n", seen.update, values.join(","));
        checkpoint::write_atomically(&self.path, self.text.as_bytes())?;
        Ok(Flow::Continue)
    }
}

fn quoted(name: &str) -> String {
    if name.contains([',', '"', '\n']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_string()
    }
}
