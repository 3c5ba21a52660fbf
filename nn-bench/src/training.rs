//! Training inside an experiment: a bar, a table of figures, checkpoints, resumption.

use std::path::PathBuf;

use nn_core::checkpoint::Checkpoint;
use nn_core::observer::{Console, CsvFile, Measure, SaveCheckpoint};
use nn_core::{Cases, Dataset, Ending, Fit, Key, Learner, Observer};

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

    /// The curve of a share over epochs, in percent.
    pub fn percent(&self, name: &str) -> Vec<(f64, f64)> {
        self.curve(name).into_iter().map(|(epoch, share)| (epoch, 100.0 * share)).collect()
    }

    /// The last value of a figure.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.curve(name).last().map(|(_, value)| *value)
    }

    /// The figures of a table, whose first column is the update.
    pub(crate) fn read(text: &str, updates_per_epoch: u64) -> Figures {
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

    /// What the learner measures on some cases, each figure with `prefix` before its name, as often as this stage is
    /// measured.
    pub fn measure(&self, data: &Dataset, prefix: &str, cases: Cases) -> Measure {
        let every = Fit::new(self.epochs, self.batch, self.key).updates_per_epoch(data) * self.measure_every;
        Measure { every, cases, key: self.key.fold_in(u64::MAX), prefix: prefix.to_string() }
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
        self.run_with(run, learner, data, &mut [&mut self.measure(data, "", watch)])
    }

    /// The same with figures that `probes` put down, such as [`measure`](Training::measure) of training and test cases.
    ///
    /// # Errors
    /// As [`run`](Training::run), and those of the probes.
    pub fn run_with(
        &self,
        run: &Run,
        learner: &mut dyn Learner,
        data: &Dataset,
        probes: &mut [&mut dyn Observer],
    ) -> Result<Figures, RunError> {
        self.run_as(self.fit(), run, learner, data, probes)
    }

    /// The loop of [`run`](Training::run), to be changed for [`run_as`](Training::run_as).
    pub fn fit(&self) -> Fit {
        Fit::new(self.epochs, self.batch, self.key)
    }

    /// As [`run_with`](Training::run_with), by a loop that takes cases in another order, or a last, smaller minibatch.
    ///
    /// # Errors
    /// As [`run_with`](Training::run_with).
    pub fn run_as(
        &self,
        mut fit: Fit,
        run: &Run,
        learner: &mut dyn Learner,
        data: &Dataset,
        probes: &mut [&mut dyn Observer],
    ) -> Result<Figures, RunError> {
        let doing = format!("training {}", self.stage);
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
        let mut csv = CsvFile::new(&table, every, fit.from).while_doing(doing.as_str())?;
        let mut save =
            SaveCheckpoint { every: per_epoch * self.save_every, path, kind, extra: Default::default() };
        let mut console = Console::new(self.stage, (per_epoch / 10).max(1));
        let timer = run.phase(&doing);
        let interrupted = run.interruption_flag();
        let mut observers: Vec<&mut dyn Observer> = Vec::new();
        for probe in probes {
            observers.push(&mut **probe);
        }
        observers.extend([&mut csv as &mut dyn Observer, &mut console, &mut save]);
        let ending = fit.run(learner, data, &mut observers, &interrupted);
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
