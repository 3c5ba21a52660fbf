//! What was found so far, in a file that a resumed run reads.

use std::fs;
use std::path::PathBuf;

use crate::run::Run;
use crate::run_error::RunError;

const FILE: &str = "checkpoint-results.csv";
const COLUMNS: &str = "method,features,test error,training error,objective,steps";

/// What linear machines made of the features of a method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub features: usize,
    /// In percent.
    pub test_error: f64,
    /// In percent.
    pub train_error: f64,
    /// Of the linear machines.
    pub objective: f64,
    /// Of L-BFGS.
    pub steps: u64,
}

/// By the names of methods, in the order in which they were found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Results(Vec<(String, Found)>);

impl Results {
    /// Those of the run that is resumed; none for a new run.
    pub fn open(run: &Run) -> Results {
        let text = if run.resume { fs::read_to_string(run.out().file(FILE)) } else { Ok(String::new()) };
        Results::read(&text.unwrap_or_default())
    }

    pub fn of(&self, method: &str) -> Option<Found> {
        self.0.iter().find(|(name, _)| name == method).map(|(_, found)| *found)
    }

    pub fn add(&mut self, method: String, found: Found) {
        self.0.push((method, found));
    }

    pub fn save(&self, run: &Run) -> Result<PathBuf, RunError> {
        Ok(run.out().write(FILE, self.written().as_bytes())?)
    }

    fn written(&self) -> String {
        let row = |(name, found): &(String, Found)| {
            let Found { features, test_error, train_error, objective, steps } = found;
            format!("{name},{features},{test_error},{train_error},{objective},{steps}\n")
        };
        format!("{COLUMNS}\n{}", self.0.iter().map(row).collect::<String>())
    }

    /// Lines that are no results are left out.
    fn read(text: &str) -> Results {
        let row = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            let [name, features, test_error, train_error, objective, steps] = cells[..] else { return None };
            let found = Found {
                features: features.parse().ok()?,
                test_error: test_error.parse().ok()?,
                train_error: train_error.parse().ok()?,
                objective: objective.parse().ok()?,
                steps: steps.parse().ok()?,
            };
            Some((name.to_string(), found))
        };
        Results(text.lines().skip(1).filter_map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_as_they_were_written() {
        let found =
            Found { features: 400, test_error: 1.0 / 3.0, train_error: 0.0, objective: 1e-17, steps: 12 };
        let mut results = Results::default();
        results.add("one".to_string(), found);
        results.add("two".to_string(), Found { test_error: 2.5, ..found });
        let text = results.written();
        assert_eq!(Results::read(&text), results);
        assert_eq!(Results::read(&text).of("two").unwrap().test_error, 2.5);
        let cut = Results::read(&text[..text.len() - 6]);
        assert!(cut.of("one") == Some(found) && cut.of("two").is_none());
    }
}
