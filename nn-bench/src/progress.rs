//! How far a long step is: a bar with the time left on a terminal, a plain line now and then elsewhere.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, a line is printed at most this often.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// The bar on the terminal, if there is one: whatever else is said must not tear it.
static ON_SCREEN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// One line to standard error, above the bar if there is one.
///
/// A closed standard error is no reason to stop a run.
pub fn say(line: &str) {
    let bar = ON_SCREEN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let write = || {
        let _ = writeln!(std::io::stderr(), "{line}");
    };
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Counts the steps of something long. Can be shared between threads. One at a time has the terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Present if standard error is no terminal.
    plain: Option<Mutex<PlainLines>>,
}

impl Progress {
    /// Starts at 0 of `total` steps of `what`, for instance `epoch 3 of 10`.
    pub fn new(what: &str, total: u64) -> Self {
        let bar = ProgressBar::new(total);
        let plain = bar.is_hidden().then(|| Mutex::new(PlainLines::new(what)));
        if plain.is_none() {
            // A template that does not parse would only cost the bar its looks.
            let template = "{prefix} {wide_bar} {pos}/{len}, {eta} left {msg}";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_prefix(what.to_string());
            bar.enable_steady_tick(Duration::from_millis(250));
            *ON_SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        }
        Self { bar, plain }
    }

    /// Sets the number of steps done.
    pub fn set(&self, done: u64) {
        self.bar.set_position(done);
        self.print_if_due();
    }

    /// Adds to the number of steps done.
    pub fn advance(&self, by: u64) {
        self.bar.inc(by);
        self.print_if_due();
    }

    /// Shows a few words after the numbers, for instance the present error.
    pub fn message(&self, words: impl Into<String>) {
        let words = words.into();
        if let Some(plain) = &self.plain {
            plain.lock().unwrap_or_else(PoisonError::into_inner).message.clone_from(&words);
        }
        self.bar.set_message(words);
    }

    fn print_if_due(&self) {
        let Some(plain) = &self.plain else { return };
        let total = self.bar.length().unwrap_or(0);
        let mut plain = plain.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = plain.started.elapsed();
        if let Some(line) = plain.line_if_due(elapsed, self.bar.position(), total) {
            say(&line);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.plain.is_none() {
            *ON_SCREEN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.bar.finish_and_clear();
    }
}

#[derive(Debug)]
struct PlainLines {
    what: String,
    message: String,
    started: Instant,
    last: Duration,
}

impl PlainLines {
    fn new(what: &str) -> Self {
        let (what, message) = (what.to_string(), String::new());
        Self { what, message, started: Instant::now(), last: Duration::ZERO }
    }

    fn line_if_due(&mut self, elapsed: Duration, done: u64, total: u64) -> Option<String> {
        if elapsed.saturating_sub(self.last) < BETWEEN_LINES {
            return None;
        }
        self.last = elapsed;
        let mut line = format!("{}: {done} of {total}", self.what);
        if done > 0 && done <= total {
            let left = elapsed.as_secs_f64() * (total - done) as f64 / done as f64;
            line.push_str(&format!(", {} left", in_words(left)));
        }
        if !self.message.is_empty() {
            line.push_str(&format!(", {}", self.message));
        }
        Some(line)
    }
}

/// A duration as a person says it: `0.42 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
pub fn in_words(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..=9 => format!("{seconds:.2} s"),
        10..=119 => format!("{whole} s"),
        120..=7199 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_comes_every_few_seconds_with_the_time_left() {
        let mut lines = PlainLines::new("epoch 1");
        assert_eq!(lines.line_if_due(Duration::from_secs(1), 1, 100), None);
        let line = lines.line_if_due(Duration::from_secs(10), 10, 100);
        assert_eq!(line.as_deref(), Some("epoch 1: 10 of 100, 90 s left"));
        assert_eq!(lines.line_if_due(Duration::from_secs(12), 12, 100), None);
        lines.message = "error 0.1".to_string();
        let line = lines.line_if_due(Duration::from_secs(20), 0, 100);
        assert_eq!(line.as_deref(), Some("epoch 1: 0 of 100, error 0.1"));
    }

    #[test]
    fn durations_read_as_spoken() {
        assert_eq!(in_words(0.4219), "0.42 s");
        assert_eq!(in_words(61.2), "61 s");
        assert_eq!(in_words(185.0), "3 min 5 s");
        assert_eq!(in_words(7800.0), "2 h 10 min");
    }

    #[test]
    fn counting_past_the_end_or_without_an_end_is_harmless() {
        let progress = Progress::new("steps", 2);
        progress.advance(5);
        progress.set(0);
        progress.message("fine");
        drop(Progress::new("nothing", 0));
    }
}
