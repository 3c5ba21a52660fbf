//! Learning atoms and predictor: a bar, a table of figures, a checkpoint an epoch, resumption.

use std::fs;
use std::path::PathBuf;

use ndarray::{ArrayView2, Axis, Slice};
use nn_core::checkpoint::Checkpoint;
use nn_core::{Key, Schedule};
use nn_sparse::{PredictiveDecomposition, PredictiveRates, Status};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::update_table;

const COLUMNS: &str = "update,energy,held-out energy,prediction error";
/// Measurements an epoch.
const MEASURED: u64 = 5;
/// Held-out patches that are measured on the way.
const WATCHED: usize = 200;
/// The rate of the predictor at first. Rates fall to a tenth.
pub(super) const PREDICTOR: f32 = 1.0;

/// How a model is learned: all minibatches in turn.
pub(super) struct Learning {
    pub name: &'static str,
    pub epochs: u64,
    pub batch: usize,
    /// Of the atoms, at first.
    pub rate: f32,
    pub key: Key,
}

/// Figures at some updates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub update: u64,
    /// Mean of the minibatch, before the update.
    pub energy: f64,
    /// Mean of the first held-out patches, after it.
    pub held_out: f64,
    /// Of the predictor on these, relative to codes of 0.
    pub prediction: f64,
}

impl Learning {
    pub fn run(
        &self,
        run: &Run,
        model: &mut PredictiveDecomposition,
        training: ArrayView2<'_, f64>,
        held_out: ArrayView2<'_, f64>,
    ) -> Result<Vec<Point>, RunError> {
        let doing = format!("learning: {}", self.name);
        let doing = doing.as_str();
        let _timer = run.phase(doing);
        let (path, kind) = (self.path(run), self.kind(run));
        let table = format!("{}.csv", self.name);
        let mut curve = Vec::new();
        if run.resume && path.exists() {
            model.load(&Checkpoint::open(&path, &kind).while_doing(doing)?).while_doing(doing)?;
            // Rows of updates that were not saved come again.
            curve = read(&fs::read_to_string(run.out().file(&table)).unwrap_or_default());
            curve.retain(|point: &Point| point.update <= model.updates());
        }
        let per_epoch = (training.nrows() / self.batch).max(1) as u64;
        let (total, every) = (self.epochs * per_epoch, (per_epoch / MEASURED).max(1));
        let rates = [self.rate, PREDICTOR].map(|rate| Schedule::Linear {
            from: rate,
            to: 0.1 * rate,
            updates: total,
        });
        let watched = held_out.slice_axis(Axis(0), Slice::from(..WATCHED.min(held_out.nrows())));
        let progress = run.progress(self.name, total);
        let save = |model: &PredictiveDecomposition, curve: &[Point]| -> Result<PathBuf, RunError> {
            run.out().write(&table, written(curve).as_bytes())?;
            model.save(&path, &kind, self.key).while_doing(doing)?;
            Ok(path.clone())
        };
        while model.updates() < total {
            let first = (model.updates() % per_epoch) as usize * self.batch;
            let batch = training.slice_axis(Axis(0), Slice::from(first..first + self.batch));
            let [dictionary, predictor] =
                [&rates[0], &rates[1]].map(|rate| f64::from(rate.at(model.updates())));
            let found = model.update(batch, PredictiveRates { dictionary, predictor }).while_doing(doing)?;
            let update = model.updates();
            if update.is_multiple_of(every) || update == total {
                let codes = model.encode(watched).while_doing(doing)?;
                let prediction = model.relative_prediction_error(watched, &codes.codes);
                let (energy, held_out) = (found.mean_objective(), codes.mean_objective());
                curve.push(Point { update, energy, held_out, prediction });
                let open = found.count(Status::Unconverged);
                progress.message(format!("held-out energy {held_out:.4}, {open} codes open"));
            }
            if update.is_multiple_of(per_epoch) || update == total {
                save(model, &curve)?;
            }
            progress.set(update);
            if run.interrupted() {
                return Err(run.stop_after_saving(save(model, &curve)?));
            }
        }
        Ok(curve)
    }

    /// What was learned and saved, as a model of other settings.
    pub fn learned(
        &self,
        run: &Run,
        mut model: PredictiveDecomposition,
    ) -> Result<PredictiveDecomposition, RunError> {
        let doing = "reading what was learned";
        let checkpoint = Checkpoint::open(&self.path(run), &self.kind(run)).while_doing(doing)?;
        model.load(&checkpoint).while_doing(doing)?;
        Ok(model)
    }

    fn path(&self, run: &Run) -> PathBuf {
        run.out().file(&format!("checkpoint-{}.safetensors", self.name))
    }

    fn kind(&self, run: &Run) -> String {
        let identity = run.identity();
        format!(
            "{}/{}/{}/{}/{}",
            identity.experiment, identity.profile, identity.backend, identity.seed, self.name
        )
    }
}

fn written(curve: &[Point]) -> String {
    let row = |point: &Point| (point.update, [point.energy, point.held_out, point.prediction]);
    update_table::written(COLUMNS, curve.iter().map(row))
}

fn read(table: &str) -> Vec<Point> {
    let point = |(update, [energy, held_out, prediction]): (u64, [f64; 3])| Point {
        update,
        energy,
        held_out,
        prediction,
    };
    update_table::read(table).into_iter().map(point).collect()
}
