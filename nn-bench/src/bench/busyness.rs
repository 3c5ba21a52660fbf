//! Whether anything else was running: what makes a measurement worthless.
//!
//! A thread of OpenMP that has to share its core holds up all others at every barrier, which can slow a library down
//! forty times. So every pause of a measurement, in which all sides sleep, is used to look at the processors.

use std::fs;
use std::thread;
use std::time::Duration;

/// A machine with a larger share of its processors busy in pauses is not quiet.
pub const QUIET: f64 = 0.05;

/// Time of all processors, while all sides should have been asleep.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Busyness {
    busy: u64,
    total: u64,
}

/// What is to be said of these shares of several measurements, if the machine was not quiet in one of them.
pub fn warning(shares: impl IntoIterator<Item = f64>) -> Option<String> {
    let busiest = shares.into_iter().fold(0.0, f64::max);
    (busiest > QUIET).then(|| {
        let percent = busiest * 100.0;
        format!(
            "DO NOT RECORD: other programs kept up to {percent:.0} % of the machine busy; end them and measure again"
        )
    })
}

impl Busyness {
    /// Sleeps, and looks at the processors in the second half, when the threads of the side before sleep too.
    pub fn pause(&mut self, duration: Duration) {
        thread::sleep(duration / 2);
        let before = processor_times();
        thread::sleep(duration - duration / 2);
        if let (Some(before), Some(after)) = (before, processor_times()) {
            self.busy += after.busy.saturating_sub(before.busy);
            self.total += after.total.saturating_sub(before.total);
        }
    }

    /// The share of the processors' time that something ran, other machines on the same hardware included. Nothing
    /// where the system does not tell.
    pub fn share(&self) -> Option<f64> {
        (self.total > 0).then(|| self.busy as f64 / self.total as f64)
    }
}

fn processor_times() -> Option<Busyness> {
    parse(&fs::read_to_string("/proc/stat").ok()?)
}

/// The first line: `cpu user nice system idle iowait irq softirq steal ...`, in ticks since the start.
fn parse(text: &str) -> Option<Busyness> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|number| number.parse().ok()).collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    let total: u64 = ticks.iter().sum();
    Some(Busyness { busy: total - idle, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_divided_into_busy_and_idle() {
        let text = "cpu  10 1 5 70 10 1 1 2 99 99\ncpu0 1 2 3 4\n";
        assert_eq!(parse(text), Some(Busyness { busy: 20, total: 100 }));
        assert_eq!((parse("cpu 1 2"), parse("intr 5"), parse("")), (None, None, None));
    }

    #[test]
    fn one_busy_measurement_is_enough_for_a_warning() {
        assert_eq!(warning([0.01, 0.04]), None);
        assert!(warning([0.01, 0.5]).unwrap().starts_with("DO NOT RECORD: other programs kept up to 50 %"));
    }

    #[test]
    fn a_share_lies_between_none_and_all() {
        let mut busyness = Busyness::default();
        assert_eq!(busyness.share(), None);
        busyness.pause(Duration::from_millis(100));
        assert!(busyness.share().is_none_or(|share| (0.0..=1.0).contains(&share)));
    }
}
