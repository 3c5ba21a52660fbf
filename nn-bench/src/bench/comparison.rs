//! All devices side by side, workload by workload.

use serde::Serialize;

use super::THREADS;
use super::amount::PerSecond;
use super::candidates::Skipped;
use super::described_device::DeviceDescription;
use super::measurement::Measurement;
use super::results::{Bandwidth, Limit, SuiteResult, WorkloadResult};
use crate::machine::Machine;
use crate::run_error::one_line;

/// What `bench --backend all` found out.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The command that measures it again.
    pub command: String,
    /// What it was measured on.
    pub machine: Machine,
    /// Threads of each side on the processor.
    pub threads: usize,
    /// Turns of each side.
    pub rounds: u32,
    /// The devices, the processor first.
    pub devices: Vec<Compared>,
    /// What was not measured, and what failed.
    pub skipped: Vec<Skipped>,
    /// A row a workload.
    pub rows: Vec<Row>,
}

/// One device.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// What it is.
    pub device: DeviceDescription,
    /// The best product measured on it.
    pub limit: Option<Limit>,
    /// The best pass through its memory.
    pub bandwidth: Option<Bandwidth>,
    /// Everything that was measured on it.
    pub suites: Vec<SuiteResult>,
}

/// One workload on all devices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub workload: String,
    /// What one unit of work is, each size of it if devices have different ones.
    pub work: Vec<String>,
    /// One for each device, in their order; nothing where it was not measured.
    pub cells: Vec<Option<Cell>>,
}

/// One workload on one device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// Our median.
    pub seconds: f64,
    /// Work a second.
    pub per_second: PerSecond,
    /// Of the device's own best product, or of its own best pass through memory.
    pub share_of_limit: Option<f64>,
    /// Our rate here by our rate on the processor. Of rates, as devices move different amounts of memory.
    pub times_cpu: Option<f64>,
    /// How many times as long as ours the fastest peer took.
    pub peer_ratio: Option<f64>,
    /// Which peer that is.
    pub peer: Option<&'static str>,
}

impl Comparison {
    /// Of what was measured on the devices, the processor first, and of what there was not to measure.
    pub fn of(
        command: String,
        rounds: u32,
        measurements: Vec<Measurement>,
        mut skipped: Vec<Skipped>,
    ) -> Self {
        let mut devices: Vec<Compared> = Vec::new();
        for measurement in measurements {
            let Measurement { device, suites, skipped: left, failures } = measurement;
            skipped.extend(left);
            skipped.extend(failures.into_iter().map(|(what, error)| Skipped {
                what: format!("{what} on {}", device.in_words()),
                why: one_line(&error),
            }));
            if suites.iter().any(|suite| !suite.workloads.is_empty()) {
                let limit = suites.first().map(|suite| suite.limit.clone());
                let limit = limit.filter(|limit| limit.gflop_per_s.is_finite());
                let bandwidth = suites.iter().find_map(|suite| suite.bandwidth.clone());
                devices.push(Compared { device, limit, bandwidth, suites });
            }
        }
        let rows = rows(&devices);
        Self { command, machine: Machine::here(), threads: THREADS, rounds, devices, skipped, rows }
    }
}

/// The rows in the order of the first device; what only a later one has stands behind what it measured before.
fn rows(devices: &[Compared]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (column, compared) in devices.iter().enumerate() {
        let mut next = 0;
        for result in compared.suites.iter().flat_map(|suite| &suite.workloads) {
            let at = rows.iter().position(|row| row.workload == result.name).unwrap_or_else(|| {
                let (workload, cells) = (result.name.clone(), vec![None; devices.len()]);
                rows.insert(next, Row { workload, work: Vec::new(), cells });
                next
            });
            if !rows[at].work.contains(&result.work) {
                rows[at].work.push(result.work.clone());
            }
            rows[at].cells[column] = Some(Cell::of(result));
            next = at + 1;
        }
    }
    let Some(processor) = devices.iter().position(|compared| !compared.device.is_gpu()) else { return rows };
    for row in &mut rows {
        let Some(rate) = row.cells[processor].as_ref().map(|cell| cell.per_second.value) else { continue };
        for cell in row.cells.iter_mut().flatten() {
            cell.times_cpu = Some(cell.per_second.value / rate);
        }
    }
    rows
}

impl Cell {
    fn of(result: &WorkloadResult) -> Self {
        let ratios = result.peers.iter().filter_map(|peer| Some((peer.library, peer.ratio?.of_medians)));
        let fastest = ratios.min_by(|a, b| a.1.total_cmp(&b.1));
        Self {
            seconds: result.ours.median_s,
            per_second: result.per_second,
            share_of_limit: result.share_of_limit,
            times_cpu: None,
            peer_ratio: fastest.map(|(_, ratio)| ratio),
            peer: fastest.map(|(library, _)| library),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::described_device::tests::gpu;
    use super::*;
    use crate::bench::amount::Amount;
    use crate::bench::bench_error::BenchError;
    use crate::bench::statistics::Timings;
    use crate::bench::table;

    fn measurement(device: DeviceDescription, seconds: &[(&str, f64)]) -> Measurement {
        let mut suite = table::tests::example();
        let [with_peers, alone] = [0, 1].map(|at| suite.workloads[at].clone());
        suite.workloads = seconds
            .iter()
            .map(|(name, seconds)| {
                let mut result = if *name == "product-a" { with_peers.clone() } else { alone.clone() };
                result.name = name.to_string();
                result.ours = Timings::new(vec![*seconds], 1);
                result.per_second = Amount::Flop(2e9).per_second(*seconds);
                result
            })
            .collect();
        suite.device = device.clone();
        Measurement { device, suites: vec![suite], skipped: Vec::new(), failures: Vec::new() }
    }

    /// The processor, a card that is four times as fast, a software driver, a card that failed, and no Metal.
    pub(in crate::bench) fn example() -> Comparison {
        let software = DeviceDescription {
            label: "vulkan-2".to_string(),
            kind: "software".to_string(),
            software: true,
            ..gpu("llvmpipe", "vulkan")
        };
        let mut failed = measurement(gpu("Broken card", "gl"), &[]);
        let problem = nn_core::Error::Device { device: "gl".into(), problem: "it was lost".into() };
        failed.failures.push(("suite product".to_string(), problem.into()));
        let measurements = vec![
            measurement(DeviceDescription::cpu(), &[("product-a", 0.1), ("product-c", 1.0)]),
            measurement(gpu("A card <1>", "vulkan"), &[("product-a", 0.025), ("product-b", 2.0)]),
            measurement(software, &[("product-a", 1.0)]),
            failed,
        ];
        let skipped = vec![Skipped { what: "metal".to_string(), why: "not for this system".to_string() }];
        Comparison::of("cargo xtask bench --backend all".to_string(), 3, measurements, skipped)
    }

    #[test]
    fn rows_are_in_the_order_of_measuring_and_rates_are_compared_with_the_processor() {
        let comparison = example();
        let names: Vec<_> = comparison.rows.iter().map(|row| row.workload.as_str()).collect();
        assert_eq!(names, ["product-a", "product-b", "product-c"]);
        let times = |row: usize| -> Vec<Option<f64>> {
            comparison.rows[row].cells.iter().map(|cell| cell.as_ref()?.times_cpu).collect()
        };
        assert_eq!(times(0), [Some(1.0), Some(4.0), Some(0.1)]);
        // Only the card has it.
        assert_eq!(times(1), [None, None, None]);
        assert!(comparison.rows[1].cells[1].is_some());
        let first = comparison.rows[0].cells[0].as_ref().unwrap();
        assert_eq!((first.peer, first.peer_ratio), (Some("torch"), Some(0.5)));
    }

    #[test]
    fn a_device_that_fails_is_a_line_and_no_column() {
        let comparison = example();
        let labels: Vec<_> =
            comparison.devices.iter().map(|compared| compared.device.label.as_str()).collect();
        assert_eq!(labels, ["cpu", "vulkan", "vulkan-2"]);
        let lines: Vec<_> =
            comparison.skipped.iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
        assert_eq!(lines[0], "metal: not for this system");
        assert!(
            lines[1].starts_with("suite product on Broken card (gl, discrete)")
                && lines[1].ends_with("device gl: it was lost"),
            "{lines:?}"
        );
    }

    #[test]
    fn nothing_measured_is_an_empty_table() {
        let error = BenchError::Page("no".to_string());
        let mut measurement = measurement(DeviceDescription::cpu(), &[]);
        measurement.failures.push(("opening it".to_string(), error));
        let comparison = Comparison::of(String::new(), 1, vec![measurement], Vec::new());
        assert!(comparison.rows.is_empty() && comparison.devices.is_empty());
        assert_eq!(comparison.skipped.len(), 1);
    }
}
