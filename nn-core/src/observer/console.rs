//! Progress on the console: a bar with the time left, and a line for each record.

use crate::{
    Error,
    fit::{Flow, Observer, Record, Seen},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A progress bar on standard error; in a file or a pipe a plain line for each record instead.
#[derive(Debug)]
pub struct Console {
    every: u64,
    bar: ProgressBar,
    prefix: String,
}

impl Console {
    /// A bar named `prefix` that moves every `every` updates.
    pub fn new(prefix: &str, every: u64) -> Console {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} updates, {eta} left {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_prefix(prefix.to_string());
        Console { every, bar, prefix: prefix.to_string() }
    }
}

impl Observer for Console {
    fn every(&self) -> u64 {
        self.every
    }
    fn see(&mut self, seen: &Seen<'_>, record: &mut Record) -> Result<Flow, Error> {
        if self.bar.length() != Some(seen.updates) {
            self.bar.set_length(seen.updates);
            self.bar.set_position(seen.update.saturating_sub(self.every));
            self.bar.reset_eta();
        }
        self.bar.set_position(seen.update);
        if !record.is_empty() {
            let figures: Vec<String> =
                record.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
            let epoch = seen.update as f64 / seen.updates_per_epoch.max(1) as f64;
            let line = format!("{} epoch {epoch:.1}: {}", self.prefix, figures.join(", "));
            if self.bar.is_hidden() { eprintln!("{line}") } else { self.bar.println(line) }
        }
        Ok(Flow::Continue)
    }
    fn end(&mut self, _: &Seen<'_>) -> Result<(), Error> {
        self.bar.finish_and_clear();
        Ok(())
    }
}
