//! How long the parts of a run took.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::progress::{in_words, say};

/// Seconds by name, in the order in which the phases began.
#[derive(Debug, Default)]
pub(super) struct Phases {
    seconds: Arc<Mutex<Vec<(String, f64)>>>,
}

impl Phases {
    pub(super) fn start(&self, name: &str) -> PhaseTimer {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let index = seconds.iter().position(|(old, _)| old == name).unwrap_or_else(|| {
            seconds.push((name.to_string(), 0.0));
            seconds.len() - 1
        });
        drop(seconds);
        let (name, seconds) = (name.to_string(), Arc::clone(&self.seconds));
        PhaseTimer { name, seconds, index, began: Instant::now(), spoken: false }
    }

    pub(super) fn durations(&self) -> Vec<(String, f64)> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Adds the time between its making and its dropping to a phase of the report.
///
/// It borrows nothing, so the report can be filled in meanwhile.
#[derive(Debug)]
pub struct PhaseTimer {
    name: String,
    seconds: Arc<Mutex<Vec<(String, f64)>>>,
    index: usize,
    began: Instant,
    spoken: bool,
}

impl PhaseTimer {
    /// Also says at its end, on standard error, how long it took.
    pub(crate) fn spoken(mut self) -> Self {
        self.spoken = true;
        self
    }
}

impl Drop for PhaseTimer {
    fn drop(&mut self) {
        let elapsed = self.began.elapsed().as_secs_f64();
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner)[self.index].1 += elapsed;
        if self.spoken {
            say(&format!("{}: {}", self.name, in_words(elapsed)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::sleep;
    use std::time::Duration;

    #[test]
    fn phases_keep_their_order_nest_and_add_up() {
        let phases = Phases::default();
        let outer = phases.start("outer");
        for _ in 0..2 {
            let _inner = phases.start("inner");
            sleep(Duration::from_millis(2));
        }
        drop(outer);
        let durations = phases.durations();
        assert_eq!(durations.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["outer", "inner"]);
        assert!(durations[1].1 >= 0.004 && durations[0].1 >= durations[1].1, "{durations:?}");
    }
}
