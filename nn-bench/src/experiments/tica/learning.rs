//! Steps on all cases: a bar, checkpoints, resumption.

use std::collections::HashMap;

use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{Error, Key, Parameters};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// A stretch of learning under a name of its own.
pub(in crate::experiments) struct Stage {
    pub name: &'static str,
    /// At most.
    pub steps: u64,
    pub save_every: u64,
    pub key: Key,
}

/// The figure of each step.
pub(in crate::experiments) struct Course {
    pub figures: Vec<f64>,
    /// Whether the last step said that it was the last.
    pub converged: bool,
}

/// The entry of a checkpoint that holds the figures so far.
const FIGURES: &str = "figures";

impl Stage {
    /// Takes steps until one says that it is the last, from the checkpoint of the stage on if the run is resumed.
    ///
    /// # Errors
    /// If the checkpoint is damaged or not of this run, or a step fails; and [`RunError::Interrupted`].
    pub fn run<S: Parameters>(
        &self,
        run: &mut Run,
        state: &mut S,
        mut step: impl FnMut(&mut S) -> Result<(f64, bool), Error>,
    ) -> Result<Course, RunError> {
        let doing = format!("learning: {}", self.name);
        let path = run.out().file(&format!("checkpoint-{}.safetensors", self.name));
        let identity = run.identity();
        let kind = format!(
            "{} {} on {}, seed {}: {}",
            identity.experiment, identity.profile, identity.backend, identity.seed, self.name
        );
        let mut course = Course { figures: Vec::new(), converged: false };
        if run.resume && path.exists() {
            let checkpoint = Checkpoint::open(&path, &kind).while_doing(doing.as_str())?;
            checkpoint.load_into(state).while_doing(doing.as_str())?;
            let figures = checkpoint.header().extra.get(FIGURES).map(String::as_str).unwrap_or_default();
            course.figures = figures.split_whitespace().filter_map(|figure| figure.parse().ok()).collect();
            course.converged =
                checkpoint.header().step >= self.steps && (course.figures.len() as u64) < self.steps;
        }
        let (timer, progress) = (run.phase(&doing), run.progress(&doing, self.steps));
        while !course.converged && (course.figures.len() as u64) < self.steps {
            let (figure, last) = step(state).while_doing(doing.as_str())?;
            course.figures.push(figure);
            course.converged = last;
            let done = course.figures.len() as u64;
            progress.message(format!("{figure:.6}"));
            progress.set(done);
            let ended = last || done == self.steps;
            if ended || run.interrupted() || done.is_multiple_of(self.save_every) {
                let figures: Vec<String> =
                    course.figures.iter().map(|figure| format!("{figure:?}")).collect();
                let extra = HashMap::from([(FIGURES.to_string(), figures.join(" "))]);
                let at = if ended { self.steps } else { done };
                let header = Header { extra, ..Header::new(&*kind, at, self.key) };
                checkpoint::save(&path, &header, state).while_doing(doing.as_str())?;
            }
            if run.interrupted() {
                return Err(run.stop_after_saving(path));
            }
        }
        drop((timer, progress));
        Ok(course)
    }
}
