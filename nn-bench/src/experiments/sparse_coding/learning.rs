//! Learning the dictionary: a bar, a table of objectives, a checkpoint an epoch, resumption.

use std::fs;
use std::path::PathBuf;

use ndarray::{Axis, Slice};
use nn_core::Key;
use nn_core::checkpoint::Checkpoint;
use nn_sparse::DictionaryLearner;

use super::patches::Patches;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::update_table;

/// Names of the stage and of its columns.
const STAGE: &str = "dictionary";
const COLUMNS: &str = "update,objective,held-out objective,non-zeros";
/// Measurements an epoch.
const MEASURED: u64 = 5;
/// Held-out patches that are measured on the way.
const WATCHED: usize = 500;

/// How it is learned: all minibatches in turn, in the order in which patches were drawn.
pub(super) struct Learning {
    pub epochs: u64,
    pub batch: usize,
    pub key: Key,
}

/// Mean objectives at some updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub update: u64,
    /// Of the minibatch, before the update.
    pub objective: f64,
    /// Of the first held-out patches, after it.
    pub held_out: f64,
    /// Atoms of a patch of the minibatch.
    pub nonzeros: f64,
}

impl Learning {
    pub fn run(
        &self,
        run: &Run,
        learner: &mut DictionaryLearner,
        patches: &Patches,
    ) -> Result<Vec<Point>, RunError> {
        let doing = "learning the dictionary";
        let _timer = run.phase(doing);
        let path = run.out().file(&format!("checkpoint-{STAGE}.safetensors"));
        let kind = self.kind(run);
        let table = run.out().file(&format!("{STAGE}.csv"));
        let mut curve = Vec::new();
        if run.resume && path.exists() {
            let checkpoint = Checkpoint::open(&path, &kind).while_doing(doing)?;
            learner.load(&checkpoint).while_doing(doing)?;
            // Rows of updates that were not saved come again.
            curve = read(&fs::read_to_string(&table).unwrap_or_default());
            curve.retain(|point: &Point| point.update <= learner.updates());
        }
        let per_epoch = (patches.training.nrows() / self.batch).max(1) as u64;
        let (total, every) = (self.epochs * per_epoch, (per_epoch / MEASURED).max(1));
        let watched = WATCHED.min(patches.held_out.nrows());
        let watched = patches.held_out.slice_axis(Axis(0), Slice::from(..watched));
        let progress = run.progress(STAGE, total);
        let save = |learner: &DictionaryLearner, curve: &[Point]| -> Result<PathBuf, RunError> {
            run.out().write(&format!("{STAGE}.csv"), written(curve).as_bytes())?;
            learner.save(&path, &kind, self.key).while_doing(doing)?;
            Ok(path.clone())
        };
        while learner.updates() < total {
            let first = (learner.updates() % per_epoch) as usize * self.batch;
            let last = (first + self.batch).min(patches.training.nrows());
            let batch = patches.training.slice_axis(Axis(0), Slice::from(first..last));
            let found = learner.update(batch).while_doing(doing)?;
            let update = learner.updates();
            if update.is_multiple_of(every) || update == total {
                let held_out = learner.encode(watched).while_doing(doing)?.mean_objective();
                let nonzeros = found.codes.nonzeros() as f64 / batch.nrows() as f64;
                curve.push(Point { update, objective: found.mean_objective(), held_out, nonzeros });
                progress.message(format!("held-out objective {held_out:.3}"));
            }
            if update.is_multiple_of(per_epoch) || update == total {
                save(learner, &curve)?;
            }
            progress.set(update);
            if run.interrupted() {
                return Err(run.stop_after_saving(save(learner, &curve)?));
            }
        }
        Ok(curve)
    }

    fn kind(&self, run: &Run) -> String {
        let identity = run.identity();
        format!("{}/{}/{}/{}/{STAGE}", identity.experiment, identity.profile, identity.backend, identity.seed)
    }
}

fn written(curve: &[Point]) -> String {
    let row = |point: &Point| (point.update, [point.objective, point.held_out, point.nonzeros]);
    update_table::written(COLUMNS, curve.iter().map(row))
}

fn read(table: &str) -> Vec<Point> {
    let point = |(update, [objective, held_out, nonzeros]): (u64, [f64; 3])| Point {
        update,
        objective,
        held_out,
        nonzeros,
    };
    update_table::read(table).into_iter().map(point).collect()
}
