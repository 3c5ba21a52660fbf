//! Training inside an experiment: a bar, a table of figures, checkpoints, resumption.

use std::path::PathBuf;

use nn_core::checkpoint::Checkpoint;
use nn_core::observer::{Console, CsvFile, Measure, SaveCheckpoint};
use nn_core::{Cases, Dataset, Ending, Fit, Key, Learner};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// One stretch of training under a name of its own.
#[derive(Debug)]
pub struct Training<'a> {
    /// The name: of the checkpoint, the table of figures, the bar.
    pub stage: &'a str,
    /// Passes through the data.
    pub epochs: u64,
    /// Cases of a minibatch.
    pub batch: usize,
    /// Where the randomness of training comes from.
    pub key: Key,
    /// Epochs between two measurements.
    pub measure_every: u64,
    /// Epochs between two checkpoints.
    pub save_every: u64,
}

/// Figures over epochs, as written to the table of the stage.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl Figures {
    /// The curve of a figure over epochs.
    pub fn curve(&self, name: &str) -> Vec<(f64, f64)> {
        let Some(column) = self.names.iter().position(|other| other == name) else { return Vec::new() };
        self.rows.iter().map(|row| (row[0], row[column])).collect()
    }

    /// The last value of a figure.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.curve(name).last().map(|(_, value)| *value)
    }

    fn read(text: &str, updates_per_epoch: u64) -> Figures {
        let mut lines = text.lines();
        let names = lines.next().unwrap_or_default().split(',').map(str::to_string).collect();
        let number = |cell: &str| cell.parse().unwrap_or(f64::NAN);
        let mut rows: Vec<Vec<f64>> = lines.map(|line| line.split(',').map(number).collect()).collect();
        rows.iter_mut().for_each(|row: &mut Vec<f64>| row[0] /= updates_per_epoch as f64);
        Figures { names, rows }
    }
}

impl Training<'_> {
    /// The checkpoint of this stage.
    pub fn checkpoint(&self, run: &Run) -> PathBuf {
        run.out().file(&format!("checkpoint-{}.safetensors", self.stage))
    }

    /// Trains, from the checkpoint of the stage on if the run is resumed. `watch` are the cases that are measured.
    ///
    /// # Errors
    /// If the checkpoint is damaged or not of this run, training turns non-finite, or files cannot be written; and
    /// [`RunError::Interrupted`] after Ctrl-C.
    pub fn run(
        &self,
        run: &Run,
        learner: &mut dyn Learner,
        data: &Dataset,
        watch: Cases,
    ) -> Result<Figures, RunError> {
        let doing = format!("training {}", self.stage);
        let mut fit = Fit::new(self.epochs, self.batch, self.key);
        let per_epoch = fit.updates_per_epoch(data);
        let path = self.checkpoint(run);
        let identity = run.identity();
        let kind = format!(
            "{}/{}/{}/{}/{}",
            identity.experiment, identity.profile, identity.backend, identity.seed, self.stage
        );
        if run.resume && path.exists() {
            let checkpoint = Checkpoint::open(&path, &kind).while_doing(doing.as_str())?;
            checkpoint.load_into(learner).while_doing(doing.as_str())?;
            fit.from = checkpoint.header().step;
        }
        let every = per_epoch * self.measure_every;
        let table = run.out().file(&format!("{}.csv", self.stage));
        let mut measure =
            Measure { every, cases: watch, key: self.key.fold_in(u64::MAX), prefix: String::new() };
        let mut csv = CsvFile::new(&table, every, fit.from).while_doing(doing.as_str())?;
        let mut save =
            SaveCheckpoint { every: per_epoch * self.save_every, path, kind, extra: Default::default() };
        let mut console = Console::new(self.stage, (per_epoch / 10).max(1));
        let timer = run.phase(&doing);
        let interrupted = run.interruption_flag();
        let ending =
            fit.run(learner, data, &mut [&mut measure, &mut csv, &mut console, &mut save], &interrupted);
        drop(timer);
        match ending.while_doing(doing.as_str())? {
            Ending::Interrupted(_) => Err(run.stop_after_saving(save.path)),
            Ending::Complete | Ending::Stopped(_) => {
                let text = std::fs::read_to_string(&table).unwrap_or_default();
                Ok(Figures::read(&text, per_epoch))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_curves_over_epochs() {
        let figures = Figures::read("update,error,largest weight\n40,0.5,1\n80,0.25,2\n", 40);
        assert_eq!(figures.curve("error"), vec![(1.0, 0.5), (2.0, 0.25)]);
        assert_eq!(figures.last("largest weight"), Some(2.0));
        assert!(figures.curve("absent").is_empty());
    }
}
