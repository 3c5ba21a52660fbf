//! The loop of cuda-convnet: a line for each batch, a test now and then, and a checkpoint after each test.

use std::path::PathBuf;
use std::time::Instant;

use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::fit::{Observer, Record, Seen};
use nn_core::loss::error_rate;
use nn_core::network::Evaluation;
use nn_core::observer::CsvFile;
use nn_core::parameters::check_finite;
use nn_core::{Cases, Error, Key, Learner, Loss, Network, OLD, Sgd, SupervisedLearner};

use super::batches::Batch;
use super::course::{Course, MINIBATCH, Place};
use super::magnitudes::magnitudes;
use crate::augmentation::on_ten_views;
use crate::progress::{Progress, say};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Tables of figures: over batches, over tests.
pub const TABLES: [&str; 2] = ["convnet-train.csv", "convnet-test.csv"];
/// The checkpoint.
pub const CHECKPOINT: &str = "checkpoint-convnet.safetensors";
const DOING: &str = "training";

/// What a checkpoint of a run belongs to.
pub fn checkpoint_kind(backend: &str, seed: u64) -> String {
    let (name, profile) = (super::NAME, super::FILES.name);
    format!("{name}/{profile}/{backend}/{seed}/{name}")
}

/// The checkpoint of a run that is resumed, if it has one.
///
/// # Errors
/// If it is damaged, or of another run.
pub fn checkpoint(run: &Run) -> Result<Option<Checkpoint>, RunError> {
    let path = run.out().file(CHECKPOINT);
    if !run.resume || !path.exists() {
        return Ok(None);
    }
    let kind = checkpoint_kind(run.backend.name(), run.seed);
    Checkpoint::open(&path, &kind).while_doing("resuming").map(Some)
}

/// Loss and error on several batches together: with `ten_views` of what the network says on average of ten parts of each image,
/// where parts are seen. Waits for the device.
///
/// # Errors
/// If the device failed.
pub fn evaluate(network: &Network, batches: &[Batch], ten_views: bool) -> Result<Evaluation, Error> {
    let (mut sum, mut cases) = (Evaluation { loss: 0.0, error: 0.0 }, 0.0);
    for Batch { data, parts, .. } in batches {
        let (all, parts) = (data.all(), parts.as_ref().filter(|_| ten_views));
        let found = match parts {
            None => network.evaluate(all.inputs.view(), all.targets_or_inputs().view())?,
            Some(parts) => {
                // The softmax of the logarithms of probabilities are these probabilities.
                let mut outputs = on_ten_views(network, data.device(), parts);
                outputs.assign(OLD.max(f64::from(f32::MIN_POSITIVE)).log());
                let targets = all.targets_or_inputs().view();
                let error = error_rate(outputs.view(), targets)?;
                Evaluation { loss: network.loss.mean(outputs.view(), targets)?, error }
            }
        };
        sum.loss += found.loss * data.len() as f64;
        sum.error += found.error * data.len() as f64;
        cases += data.len() as f64;
    }
    Ok(Evaluation { loss: sum.loss / cases, error: sum.error / cases })
}

/// Figures by name: `cost` as cuda-convnet counts it, and `error` where there are classes.
pub fn figures(loss: Loss, found: Evaluation) -> Vec<(&'static str, f64)> {
    match loss {
        Loss::CrossEntropy => vec![("cost", found.loss), ("error", found.error)],
        // Σ (y − t)², of which the loss is a half.
        _ => vec![("cost", 2.0 * found.loss)],
    }
}

/// What is trained on, and how often.
#[derive(Debug)]
pub struct Training<'a> {
    /// The run, for its folder, its lines and its interruption.
    pub run: &'a Run,
    /// The name of the cost.
    pub cost: &'a str,
    /// Which batches, how often.
    pub course: &'a Course,
    /// In the order of the course.
    pub train: &'a [Batch],
    /// Tested on together.
    pub test: &'a [Batch],
    /// Whether that is on ten views of each image.
    pub ten_views: bool,
    /// Batches between two tests.
    pub test_every: u64,
    /// Where the randomness of training comes from.
    pub key: Key,
}

impl Training<'_> {
    /// Trains from a place on, until the course is over.
    ///
    /// # Errors
    /// If parameters turn non-finite, the device fails or files cannot be written; [`RunError::Interrupted`] after Ctrl-C.
    pub fn run(&self, learner: &mut SupervisedLearner<Sgd>, mut place: Place) -> Result<(), RunError> {
        let table = |name| CsvFile::new(self.run.out().file(name), 1, place.update).while_doing(DOING);
        let (mut of_batches, mut of_tests) = (table(TABLES[0])?, table(TABLES[1])?);
        let progress = self.run.progress("minibatches", self.course.updates(place));
        while !self.course.is_over(place) {
            let (began, batch) = (Instant::now(), place);
            let trained = self.pass(learner, &mut place, &progress).while_doing(DOING)?;
            let Some(trained) = trained else {
                return Err(self.run.stop_after_saving(self.save(learner, place)?));
            };
            check_finite(learner.model(), place.update).while_doing(DOING)?;
            place = self.course.after(place);
            let number = self.train[batch.batch].number;
            let trained = figures(learner.network.loss, trained);
            let line = self.line(&trained);
            say(&format!("{}.{number}... {line} ({:.3} sec)", batch.epoch, began.elapsed().as_secs_f64()));
            let done = self.course.batches_done(batch);
            let mut record = vec![
                ("epochs".to_string(), done as f64 / self.train.len() as f64),
                ("batch".to_string(), f64::from(number)),
            ];
            let begin = record.clone();
            record.extend(trained.into_iter().map(|(name, value)| (name.to_string(), value)));
            let seen = self.seen(learner, place);
            of_batches.see(&seen, &mut record).while_doing(DOING)?;
            if done.is_multiple_of(self.test_every) || self.course.is_over(place) {
                let mut record = begin;
                record.extend(self.tested(learner)?);
                of_tests.see(&self.seen(learner, place), &mut record).while_doing(DOING)?;
                self.save(learner, place)?;
            }
        }
        Ok(())
    }

    /// Trains on what is left of a batch. The figures are those of the passes forward, before each update; nothing if there
    /// was an interruption.
    fn pass(
        &self,
        learner: &mut SupervisedLearner<Sgd>,
        place: &mut Place,
        progress: &Progress,
    ) -> Result<Option<Evaluation>, Error> {
        let data = &self.train[place.batch].data;
        let first = place.minibatch * MINIBATCH;
        let mut outputs = data.device().zeros(data.len() - first, learner.network.outputs());
        let mut room: Option<Cases> = None;
        for start in (first..data.len()).step_by(MINIBATCH) {
            if self.run.interrupted() {
                return Ok(None);
            }
            let cases: Vec<usize> = (start..data.len().min(start + MINIBATCH)).collect();
            let batch = match &mut room {
                Some(room) if room.len() == cases.len() => room,
                room => room.insert(data.room(cases.len())),
            };
            let key = self.key.fold_in(place.update);
            data.fill(batch, &cases, key.fold_in(0));
            learner.update(batch, place.update, key.fold_in(1));
            if let Some(found) = learner.outputs() {
                outputs.row_range_mut(start - first..start - first + cases.len()).assign(found);
            }
            place.minibatch += 1;
            place.update += 1;
            progress.set(place.update);
        }
        let targets = data.all().targets_or_inputs().row_range(first..data.len());
        let loss = learner.network.loss.mean(outputs.view(), targets)?;
        Ok(Some(Evaluation { loss, error: error_rate(outputs.view(), targets)? }))
    }

    /// Says how the network does on the test batches, and how large its parameters are.
    fn tested(&self, learner: &SupervisedLearner<Sgd>) -> Result<Record, RunError> {
        let found = evaluate(&learner.network, self.test, self.ten_views).while_doing("testing")?;
        let found = figures(learner.network.loss, found);
        say(&format!("test output: {}", self.line(&found)));
        let mut record: Record = found.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        for found in magnitudes(learner).while_doing("testing")? {
            let (layer, tensor) = found.name.split_once('.').unwrap_or((&found.name, "values"));
            say(&format!("layer '{layer}' {tensor}: {:.6e} [{:.6e}]", found.value, found.increment));
            record.push((format!("{}.increment", found.name), found.increment));
            record.push((found.name, found.value));
        }
        Ok(record)
    }

    fn line(&self, figures: &[(&str, f64)]) -> String {
        let values: Vec<String> = figures.iter().map(|(_, value)| format!("{value:.6}")).collect();
        format!("{}: {}", self.cost, values.join(", "))
    }

    fn seen<'a>(&self, learner: &'a SupervisedLearner<Sgd>, place: Place) -> Seen<'a> {
        let updates = self.course.updates(place);
        let updates_per_epoch = updates / self.course.epochs.max(1);
        Seen { update: place.update, updates, updates_per_epoch, key: self.key, learner }
    }

    fn save(&self, learner: &SupervisedLearner<Sgd>, place: Place) -> Result<PathBuf, RunError> {
        let path = self.run.out().file(CHECKPOINT);
        let kind = checkpoint_kind(self.run.backend.name(), self.run.seed);
        let extra = self.course.described(place);
        let header = Header { extra, ..Header::new(kind, place.update, self.key) };
        checkpoint::save(&path, &header, learner).while_doing("saving")?;
        Ok(path)
    }
}
