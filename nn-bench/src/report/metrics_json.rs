//! `metrics.json`: the run for programs.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Published, Report, ReportError};
use crate::data_checksum::DataChecksum;
use crate::run::RunIdentity;

#[derive(serde::Serialize)]
struct Metrics<'a> {
    experiment: &'a str,
    profile: &'a str,
    backend: &'a str,
    seed: u64,
    metrics: InOrder<'a, f64>,
    published: &'a [Published],
    settings: InOrder<'a, String>,
    durations_s: InOrder<'a, f64>,
    data: &'a [DataChecksum],
    version: &'a str,
}

/// An object whose keys stand in the order of the pairs.
struct InOrder<'a, V>(&'a [(String, V)]);

impl<V: Serialize> Serialize for InOrder<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

pub(super) fn metrics(report: &Report, identity: &RunIdentity) -> Result<String, ReportError> {
    let metrics = Metrics {
        experiment: &identity.experiment,
        profile: &identity.profile,
        backend: &identity.backend,
        seed: identity.seed,
        metrics: InOrder(&report.metrics),
        published: &report.published,
        settings: InOrder(&report.settings),
        durations_s: InOrder(&report.phases.durations()),
        data: &report.data,
        version: env!("CARGO_PKG_VERSION"),
    };
    let mut text =
        serde_json::to_string_pretty(&metrics).map_err(|error| ReportError::Page(error.to_string()))?;
    text.push('\n');
    Ok(text)
}
