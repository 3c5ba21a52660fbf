//! `report.html`: the run for people, in one file that refers to nothing outside.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use super::{Heading, Report, ReportError, ReportPicture, short_number};
use crate::machine::Machine;
use crate::progress::in_words;

const TEMPLATE: &str = include_str!("report.html");

/// How pages of this program look.
pub(crate) const STYLE: &str = include_str!("style.css");

/// On the page a picture is shown at least this wide, in whole multiples of its pixels.
const LEAST_WIDTH: usize = 560;

#[derive(Serialize)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct PublishedRow {
    metric: String,
    published: String,
    ours: String,
    source: String,
    verified: bool,
}

#[derive(Serialize)]
struct ChartPart<'a> {
    title: &'a str,
    svg: &'a str,
    legend: &'a [(String, String)],
    left_out: usize,
}

#[derive(Serialize)]
struct PicturePart<'a> {
    file: String,
    caption: &'a str,
    width: usize,
    base64: String,
}

pub(super) fn page(report: &Report, heading: &Heading<'_>) -> Result<String, ReportError> {
    let pairs = |pairs: &[(String, String)]| -> Vec<Pair> {
        pairs.iter().map(|(name, value)| Pair { name: name.clone(), value: value.clone() }).collect()
    };
    let numbers = |numbers: &[(String, f64)], text: fn(f64) -> String| -> Vec<Pair> {
        numbers.iter().map(|(name, value)| Pair { name: name.clone(), value: text(*value) }).collect()
    };
    let published: Vec<_> = report
        .published
        .iter()
        .map(|row| PublishedRow {
            metric: row.metric.clone(),
            published: short_number(row.value),
            ours: row.ours.map_or_else(|| "not measured".to_string(), short_number),
            source: row.source.clone(),
            verified: row.verified,
        })
        .collect();
    let charts: Vec<_> = report
        .charts
        .iter()
        .map(|chart| ChartPart {
            title: &chart.title,
            svg: &chart.svg,
            legend: &chart.legend,
            left_out: chart.left_out,
        })
        .collect();
    let pictures: Vec<_> = report.pictures.iter().map(picture).collect();
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let values = context! {
        style => STYLE,
        title => heading.title,
        identity => heading.identity,
        profile_what => heading.profile.what,
        command => heading.command,
        paragraphs => report.paragraphs,
        metrics => numbers(&report.metrics, short_number),
        published,
        charts,
        pictures,
        tables => report.tables,
        notes => report.notes,
        settings => pairs(&report.settings),
        data => report.data,
        durations => numbers(&report.phases.durations(), in_words),
        machine => Machine::here(),
        version => env!("CARGO_PKG_VERSION"),
    };
    environment.render_str(TEMPLATE, values).map_err(|error| ReportError::Page(format!("{error:#}")))
}

fn picture(picture: &ReportPicture) -> PicturePart<'_> {
    let zoom = LEAST_WIDTH.div_ceil(picture.width.max(1)).clamp(1, 8);
    PicturePart {
        file: format!("{}.png", picture.stem),
        caption: &picture.caption,
        width: picture.width * zoom,
        base64: STANDARD.encode(&picture.png),
    }
}
