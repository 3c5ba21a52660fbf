//! A suite's results as a table, aligned for terminals and valid Markdown for the record.

use super::busyness::warning;
use super::results::{Bandwidth, PeerResult, SuiteResult, WorkloadResult};
use super::statistics::Ratio;
use crate::report::short_number;

const HEADINGS: [&str; 10] = [
    "workload",
    "one unit of work",
    "ours, median",
    "min",
    "rate",
    "of limit",
    "peer",
    "peer, median",
    "min",
    "peer / ours",
];

/// The table, and below it what is needed to understand it.
pub fn render(suite: &SuiteResult) -> String {
    let mut rows = vec![HEADINGS.map(str::to_string).to_vec()];
    rows.extend(suite.workloads.iter().flat_map(rows_of));
    let mut text = aligned(&rows);
    text.push('\n');
    for line in notes(suite) {
        text.push_str(&format!("- {line}\n"));
    }
    text
}

/// A row for each peer, the workload's own columns in the first of them only.
fn rows_of(workload: &WorkloadResult) -> Vec<Vec<String>> {
    let mut own = vec![
        workload.name.clone(),
        workload.work.clone(),
        duration(workload.ours.median_s),
        duration(workload.ours.min_s),
        workload.per_second.to_string(),
        workload.share_of_limit.map_or_else(String::new, percent),
    ];
    let mut rows = Vec::new();
    for peer in &workload.peers {
        rows.push(own.iter().cloned().chain(cells_of(peer)).collect());
        own.iter_mut().for_each(String::clear);
    }
    if rows.is_empty() {
        own.resize(HEADINGS.len(), String::new());
        rows.push(own);
    }
    rows
}

fn cells_of(peer: &PeerResult) -> [String; 4] {
    let library = peer.library.to_string();
    match (&peer.timings, &peer.ratio) {
        (Some(timings), Some(Ratio { of_medians, min, max })) => [
            library,
            duration(timings.median_s),
            duration(timings.min_s),
            format!("{of_medians:.2} ({min:.2}–{max:.2})"),
        ],
        _ => {
            let reason = peer.skipped.as_deref().unwrap_or("not measured").replace('|', "/");
            [library, "–".to_string(), "–".to_string(), format!("skipped: {reason}")]
        }
    }
}

/// A share of one.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Rows of equally many cells, the headings first.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("| {cell:<width$} "));
        }
        text.push_str("|\n");
        if number == 0 {
            widths.iter().for_each(|width| text.push_str(&format!("|{}", "-".repeat(width + 2))));
            text.push_str("|\n");
        }
    }
    text
}

fn notes(suite: &SuiteResult) -> Vec<String> {
    let machine = &suite.machine;
    let mut notes = vec![
        format!("command: {}", suite.command),
        format!(
            "machine: {}, {} cores, {}, {}",
            machine.processor, machine.cores, machine.memory, machine.system
        ),
        format!(
            "rounds: {}, in which the sides take turns, with {} threads each; peer / ours is of medians, in brackets \
             the range over rounds",
            suite.rounds, suite.threads
        ),
        format!(
            "GFLOP/s counts the dense products of the work only; the limit is {:.1} GFLOP/s, the best product of this \
             run ({}, {})",
            suite.limit.gflop_per_s, suite.limit.workload, suite.limit.by
        ),
        format!("data: {}", suite.data),
    ];
    if suite.device.is_gpu() {
        let peers = suite.peers_card.as_deref().unwrap_or("the processor");
        notes.push(format!("device: {}; peers on {peers}", suite.device.in_words()));
    }
    if let Some(Bandwidth { gb_per_s, workload, by }) = &suite.bandwidth {
        notes.push(format!(
            "GB/s counts what has to be read and written; of it, too, the limit is the best plain pass of this run, \
             {gb_per_s:.1} GB/s ({workload}, {by})"
        ));
    }
    notes.extend(warning(suite.workloads.iter().filter_map(|workload| workload.busy_in_pauses)));
    if !suite.versions.is_empty() {
        let versions: Vec<_> =
            suite.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        notes.push(format!("versions: {}", versions.join(", ")));
    }
    notes.extend(suite.workloads.iter().map(|workload| {
        let peers = workload.peers.iter().filter_map(|peer| Some((peer.library, peer.figure?)));
        let figures: Vec<_> = std::iter::once(("ours", workload.ours_figure))
            .chain(peers)
            .map(|(by, figure)| format!("{by} {}", short_number(figure)))
            .collect();
        format!("{}, {} at the end: {}", workload.name, workload.figure, figures.join(", "))
    }));
    notes
}

/// Three significant digits with a unit.
pub(super) fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::amount::Amount;
    use crate::bench::described_device::DeviceDescription;
    use crate::bench::described_device::tests::gpu;
    use crate::bench::results::Limit;
    use crate::bench::statistics::Timings;
    use crate::machine::Machine;

    /// Two products: one that torch does in half our time, one without peers.
    pub(in crate::bench) fn example() -> SuiteResult {
        let ours = Timings::new(vec![0.1, 0.1, 0.2], 1);
        let peers = vec![
            PeerResult::measured("torch", Timings::new(vec![0.05, 0.04, 0.3], 2), &ours, Some(0.25)),
            PeerResult::skipped("scikit-learn", "not installed".to_string()),
        ];
        let workload = |name: &str, ours: Timings, peers| WorkloadResult {
            name: name.to_string(),
            work: "one product".to_string(),
            flop: 2e9,
            bytes: 0.0,
            yardstick: true,
            per_second: Amount::Flop(2e9).per_second(ours.median_s),
            ours,
            share_of_limit: Some(0.5),
            figure: "mean",
            ours_figure: 0.25,
            busy_in_pauses: Some(0.01),
            peers,
        };
        let slow = Timings::new(vec![1.25], 1);
        let (processor, memory, system) = ("A chip".to_string(), "8 GiB".to_string(), "A system".to_string());
        SuiteResult {
            suite: "product",
            command: "cargo xtask bench product".to_string(),
            machine: Machine { processor, cores: 2, memory, system },
            device: DeviceDescription::cpu(),
            peers_card: None,
            threads: 2,
            rounds: 3,
            data: "nothing".to_string(),
            versions: [("torch".to_string(), "2.9".to_string())].into(),
            limit: Limit { gflop_per_s: 40.0, workload: "product-a".to_string(), by: "torch".to_string() },
            bandwidth: None,
            workloads: vec![workload("product-a", ours, peers), workload("product-b", slow, vec![])],
        }
    }

    #[test]
    fn the_table_is_aligned_and_complete() {
        let text = render(&example());
        let table: Vec<_> = text.lines().take_while(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), 5);
        assert!(table.iter().all(|line| line.chars().count() == table[0].chars().count()), "{text}");
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
        let first = cells(table[2]);
        assert_eq!(first[1..7], ["product-a", "one product", "100 ms", "100 ms", "20.0 GFLOP/s", "50 %"]);
        assert_eq!(first[7..11], ["torch", "50.0 ms", "40.0 ms", "0.50 (0.40–1.50)"]);
        assert_eq!(cells(table[3])[1..3], ["", ""]);
        assert_eq!(cells(table[3])[7..11], ["scikit-learn", "–", "–", "skipped: not installed"]);
        assert_eq!(cells(table[4])[1..4], ["product-b", "one product", "1.25 s"]);
        for note in ["40.0 GFLOP/s", "A chip, 2 cores", "torch 2.9", "mean at the end: ours 0.25, torch 0.25"]
        {
            assert!(text.contains(note), "{note} in {text}");
        }
    }

    #[test]
    fn a_busy_machine_is_pointed_out() {
        let mut suite = example();
        assert!(!render(&suite).contains("DO NOT RECORD"));
        suite.workloads[1].busy_in_pauses = Some(0.5);
        assert!(render(&suite).contains("DO NOT RECORD: other programs kept up to 50 % of the machine busy"));
    }

    #[test]
    fn a_card_and_its_bandwidth_are_named() {
        let mut suite = example();
        suite.device = gpu("A card", "vulkan");
        suite.peers_card = Some("A card of theirs".to_string());
        let by = "ours".to_string();
        suite.bandwidth = Some(Bandwidth { gb_per_s: 100.0, workload: "copy".to_string(), by });
        let text = render(&suite);
        for note in [
            "A card (vulkan, discrete), driver A driver 1.2; peers on A card of theirs",
            "100.0 GB/s (copy, ours)",
        ] {
            assert!(text.contains(note), "{note} in {text}");
        }
    }

    #[test]
    fn durations_have_three_digits() {
        assert_eq!([duration(7.123e-4), duration(0.0123), duration(12.34)], ["712 µs", "12.3 ms", "12.3 s"]);
    }
}
