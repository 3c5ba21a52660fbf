//! What a run found out, gathered piece by piece and written at the end as a page and as numbers.

mod bars;
mod chart;
mod html;
mod metrics_json;
mod phases;
mod report_error;
mod scatter;
mod short_number;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::data_checksum::DataChecksum;
use crate::experiment::ProfileInfo;
use crate::output_folder::OutputFolder;
use crate::picture::Picture;
use crate::run::RunIdentity;
pub(crate) use bars::{Bar, Bars, Group, Measure};
pub use chart::Axes;
use chart::Chart;
pub(crate) use html::STYLE;
pub use phases::PhaseTimer;
use phases::Phases;
pub use report_error::ReportError;
pub use scatter::Dot;
pub use short_number::short_number;

/// A figure from the literature and what this run makes of it.
#[derive(Debug, Clone, Serialize)]
struct Published {
    metric: String,
    value: f64,
    source: String,
    verified: bool,
    ours: Option<f64>,
}

#[derive(Debug)]
struct ReportPicture {
    stem: String,
    caption: String,
    width: usize,
    png: Vec<u8>,
}

#[derive(Debug, Serialize)]
struct Table {
    title: String,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// What the runner knows about a run and the experiment need not say.
#[derive(Debug, Clone, Copy)]
pub struct Heading<'a> {
    /// The experiment's title.
    pub title: &'a str,
    /// The profile that ran.
    pub profile: ProfileInfo,
    /// Experiment, profile, backend and seed.
    pub identity: &'a RunIdentity,
    /// The command that does the same again.
    pub command: &'a str,
}

/// Where the report was written.
#[derive(Debug, Clone)]
pub struct WrittenReport {
    /// `report.html`: one file that needs no other.
    pub html: PathBuf,
    /// `metrics.json`.
    pub metrics: PathBuf,
    /// The metrics, in the order in which they were given.
    pub summary: Vec<(String, f64)>,
}

/// Everything that will stand in `report.html` and `metrics.json`.
#[derive(Debug, Default)]
pub struct Report {
    paragraphs: Vec<String>,
    metrics: Vec<(String, f64)>,
    published: Vec<Published>,
    settings: Vec<(String, String)>,
    data: Vec<DataChecksum>,
    charts: Vec<Chart>,
    pictures: Vec<ReportPicture>,
    tables: Vec<Table>,
    notes: Vec<String>,
    phases: Phases,
}

impl Report {
    /// Adds a paragraph on what is reproduced: the claim, where it was made, what differs here.
    pub fn reproduces(&mut self, paragraph: impl Into<String>) {
        self.paragraphs.push(paragraph.into());
    }

    /// Sets a result. The order of first setting is kept; a second value replaces the first.
    ///
    /// # Errors
    ///
    /// [`ReportError::NotFinite`].
    pub fn metric(&mut self, name: impl Into<String>, value: f64) -> Result<(), ReportError> {
        let name = name.into();
        let value = finite(|| format!("metric '{name}'"), value)?;
        replace_or_push(&mut self.metrics, name, value);
        Ok(())
    }

    /// Adds a published figure of `metric` and ours beside it, if this run measured it.
    ///
    /// `verified` says whether the value was checked in a public source, not quoted from memory.
    ///
    /// # Errors
    ///
    /// [`ReportError::NotFinite`].
    pub fn published(
        &mut self,
        metric: impl Into<String>,
        value: f64,
        source: impl Into<String>,
        verified: bool,
        ours: Option<f64>,
    ) -> Result<(), ReportError> {
        let metric = metric.into();
        let value = finite(|| format!("the published '{metric}'"), value)?;
        let ours = ours.map(|ours| finite(|| format!("our '{metric}'"), ours)).transpose()?;
        self.published.push(Published { metric, value, source: source.into(), verified, ours });
        Ok(())
    }

    /// Sets what the run was done with: `setting("learning rate", 0.1)`. A second value replaces the first.
    pub fn setting(&mut self, name: impl Into<String>, value: impl Display) {
        replace_or_push(&mut self.settings, name.into(), value.to_string());
    }

    /// Adds a data file, which is read to its end for its SHA-256.
    ///
    /// # Errors
    ///
    /// [`ReportError::DataFile`].
    pub fn data_file(&mut self, path: &Path) -> Result<(), ReportError> {
        let unreadable = |reason| ReportError::DataFile { file: path.to_path_buf(), reason };
        self.data.push(DataChecksum::of_file(path).map_err(unreadable)?);
        Ok(())
    }

    /// Adds a data file whose SHA-256 is already known.
    pub fn data_checksum(&mut self, checksum: DataChecksum) {
        self.data.push(checksum);
    }

    /// Adds curves over common axes. A point that is not finite is left out and counted in the caption.
    ///
    /// # Errors
    ///
    /// [`ReportError::Page`] if they cannot be drawn, which no data should cause.
    pub fn curve(
        &mut self,
        title: &str,
        x_label: &str,
        y_label: &str,
        series: &[(&str, Vec<(f64, f64)>)],
    ) -> Result<(), ReportError> {
        self.curve_on(Axes::default(), title, x_label, y_label, series)
    }

    /// The same with other axes: `Axes { log_x: true }`. On a logarithmic axis, x must be positive.
    ///
    /// # Errors
    ///
    /// As [`curve`](Self::curve).
    pub fn curve_on(
        &mut self,
        axes: Axes,
        title: &str,
        x_label: &str,
        y_label: &str,
        series: &[(&str, Vec<(f64, f64)>)],
    ) -> Result<(), ReportError> {
        self.charts.push(Chart::draw(axes, title, x_label, y_label, series).map_err(ReportError::Page)?);
        Ok(())
    }

    /// Adds groups of bars that start at 0, one a series in each group.
    ///
    /// # Errors
    ///
    /// As [`curve`](Self::curve).
    pub(crate) fn bars(
        &mut self,
        title: &str,
        label: &str,
        series: &[String],
        groups: &[Group],
    ) -> Result<(), ReportError> {
        let Bars { title, svg, legend } =
            Bars::draw(Measure::Amount, title, label, series, groups).map_err(ReportError::Page)?;
        self.charts.push(Chart { title, svg, legend, left_out: 0 });
        Ok(())
    }

    /// Adds points over common axes, each with its name.
    ///
    /// # Errors
    ///
    /// As [`curve`](Self::curve).
    pub fn scatter(
        &mut self,
        title: &str,
        x_label: &str,
        y_label: &str,
        dots: &[Dot],
    ) -> Result<(), ReportError> {
        self.charts.push(scatter::draw(title, (x_label, y_label), dots).map_err(ReportError::Page)?);
        Ok(())
    }

    /// Adds a picture, which also becomes the file `<stem>.png` beside the page. A second of the same name
    /// replaces the first.
    ///
    /// # Errors
    ///
    /// [`ReportError::PictureName`] or [`ReportError::Picture`].
    pub fn picture(
        &mut self,
        stem: &str,
        caption: impl Into<String>,
        picture: &impl Picture,
    ) -> Result<(), ReportError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if stem.is_empty() || !stem.chars().all(plain) {
            return Err(ReportError::PictureName { stem: stem.to_string() });
        }
        let (stem, caption) = (stem.to_string(), caption.into());
        let new = ReportPicture { stem, caption, width: picture.width(), png: picture.to_png()? };
        match self.pictures.iter_mut().find(|old| old.stem == new.stem) {
            Some(old) => *old = new,
            None => self.pictures.push(new),
        }
        Ok(())
    }

    /// Adds a table.
    ///
    /// # Errors
    ///
    /// [`ReportError::TableRow`] if a row has another number of cells than the header.
    pub fn table(
        &mut self,
        title: impl Into<String>,
        headers: &[&str],
        rows: Vec<Vec<String>>,
    ) -> Result<(), ReportError> {
        let (title, wanted) = (title.into(), headers.len());
        if let Some(row) = rows.iter().position(|row| row.len() != wanted) {
            return Err(ReportError::TableRow { title, row, found: rows[row].len(), wanted });
        }
        let headers = headers.iter().map(|header| (*header).to_string()).collect();
        self.tables.push(Table { title, headers, rows });
        Ok(())
    }

    /// Adds a remark: a deviation, a doubt, what to look at.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Measures the time until the timer is dropped. Phases of one name add up.
    #[must_use = "the phase ends where the timer is dropped"]
    pub fn phase(&self, name: &str) -> PhaseTimer {
        self.phases.start(name)
    }

    /// Writes the pictures, `report.html` and `metrics.json`, each of them whole or not at all.
    ///
    /// # Errors
    ///
    /// [`ReportError::OutputFolder`] if the disk is full or the folder gone.
    pub fn finish(&self, heading: &Heading<'_>, out: &OutputFolder) -> Result<WrittenReport, ReportError> {
        let page = html::page(self, heading)?;
        let numbers = metrics_json::metrics(self, heading.identity)?;
        for picture in &self.pictures {
            out.write(&format!("{}.png", picture.stem), &picture.png)?;
        }
        let html = out.write("report.html", page.as_bytes())?;
        // Last: whoever finds new numbers finds the page that explains them.
        let metrics = out.write("metrics.json", numbers.as_bytes())?;
        Ok(WrittenReport { html, metrics, summary: self.metrics.clone() })
    }
}

fn finite(what: impl Fn() -> String, value: f64) -> Result<f64, ReportError> {
    if value.is_finite() { Ok(value) } else { Err(ReportError::NotFinite { what: what(), value }) }
}

fn replace_or_push<V>(pairs: &mut Vec<(String, V)>, name: String, value: V) {
    match pairs.iter_mut().find(|(old, _)| *old == name) {
        Some((_, old)) => *old = value,
        None => pairs.push((name, value)),
    }
}

#[cfg(test)]
mod tests;
