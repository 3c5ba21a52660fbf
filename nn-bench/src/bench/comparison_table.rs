//! All devices as one table, aligned for terminals and valid Markdown for the record.

use super::busyness::warning;
use super::comparison::{Cell, Compared, Comparison};
use super::described_device::DeviceDescription;
use super::table::{aligned, duration, percent};

/// The table, and below it what is needed to understand it.
pub fn render(comparison: &Comparison) -> String {
    let mut text = aligned(&rows(comparison));
    text.push('\n');
    for line in notes(comparison) {
        text.push_str(&format!("- {line}\n"));
    }
    text
}

/// The headings, then a row a workload.
pub fn rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let with_peers: Vec<bool> = (0..comparison.devices.len())
        .map(|column| {
            let cells = comparison.rows.iter().filter_map(|row| row.cells[column].as_ref());
            cells.into_iter().any(|cell| cell.peer.is_some())
        })
        .collect();
    let mut headings = vec!["workload".to_string(), "one unit of work".to_string()];
    for (compared, peers) in comparison.devices.iter().zip(&with_peers) {
        let name = heading(&compared.device);
        headings.extend([format!("{name}: time"), "rate".to_string(), "of its limit".to_string()]);
        headings.extend(compared.device.is_gpu().then(|| "times cpu".to_string()));
        headings.extend(peers.then(|| "peer / ours".to_string()));
    }
    let mut rows = vec![headings];
    for row in &comparison.rows {
        let mut cells = vec![row.workload.clone(), row.work.join(" or ")];
        for ((cell, compared), peers) in row.cells.iter().zip(&comparison.devices).zip(&with_peers) {
            cells.extend(cells_of(cell.as_ref(), compared.device.is_gpu(), *peers));
        }
        rows.push(cells);
    }
    rows
}

fn cells_of(cell: Option<&Cell>, gpu: bool, peers: bool) -> Vec<String> {
    let text = |text: Option<String>| text.unwrap_or_else(|| "–".to_string());
    let mut cells = vec![
        text(cell.map(|cell| duration(cell.seconds))),
        text(cell.map(|cell| cell.per_second.to_string())),
        text(cell.and_then(|cell| cell.share_of_limit).map(percent)),
    ];
    cells.extend(gpu.then(|| text(cell.and_then(|cell| cell.times_cpu).map(|times| format!("{times:.2}")))));
    let peer = |cell: &Cell| Some(format!("{:.2} ({})", cell.peer_ratio?, cell.peer?));
    cells.extend(peers.then(|| text(cell.and_then(peer))));
    cells
}

/// The device at the head of a column.
pub fn heading(device: &DeviceDescription) -> String {
    if device.software { format!("{} (software)", device.label) } else { device.label.clone() }
}

/// What is below the table.
pub fn notes(comparison: &Comparison) -> Vec<String> {
    let machine = &comparison.machine;
    let mut notes = vec![
        format!(
            "`{}` on {}, {} cores, {}, {}; medians of {} rounds, on the processor with {} threads",
            comparison.command,
            machine.processor,
            machine.cores,
            machine.memory,
            machine.system,
            comparison.rounds,
            comparison.threads
        ),
        "of its limit: of the best plain product that anyone reached on that device, or of the best plain pass \
         through its memory; times cpu: our rate there by our rate on the processor; peer / ours: the fastest peer's \
         time by ours, above 1 ours is faster"
            .to_string(),
    ];
    notes.extend(comparison.devices.iter().map(of_device));
    notes.extend(comparison.skipped.iter().map(|one| format!("not measured: {}: {}", one.what, one.why)));
    let workloads = comparison.devices.iter().flat_map(|compared| &compared.suites);
    let workloads = workloads.flat_map(|suite| &suite.workloads);
    notes.extend(warning(workloads.filter_map(|workload| workload.busy_in_pauses)));
    notes
}

fn of_device(compared: &Compared) -> String {
    let mut text = format!("{}: {}", heading(&compared.device), compared.device.in_words());
    if compared.device.software {
        text.push_str(", which computes on the processor: small sizes only");
    }
    if let Some(limit) = &compared.limit {
        text.push_str(&format!(
            "; limit {:.1} GFLOP/s ({}, {})",
            limit.gflop_per_s, limit.workload, limit.by
        ));
    }
    if let Some(bandwidth) = &compared.bandwidth {
        let (rate, workload, by) = (bandwidth.gb_per_s, &bandwidth.workload, &bandwidth.by);
        text.push_str(&format!("; limit {rate:.1} GB/s ({workload}, {by})"));
    }
    if let Some(suite) = compared.suites.iter().find(|suite| !suite.versions.is_empty()) {
        let versions: Vec<_> =
            suite.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        let place = suite.peers_card.as_deref().unwrap_or("the processor");
        text.push_str(&format!("; peers on {place}: {}", versions.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::comparison::tests::example;
    use super::*;

    #[test]
    fn a_column_group_a_device_and_a_row_a_workload() {
        let comparison = example();
        let rows = rows(&comparison);
        let expected = [
            "workload",
            "one unit of work",
            "cpu: time",
            "rate",
            "of its limit",
            "peer / ours",
            "vulkan: time",
            "rate",
            "of its limit",
            "times cpu",
            "peer / ours",
            "vulkan-2 (software): time",
            "rate",
            "of its limit",
            "times cpu",
            "peer / ours",
        ];
        assert_eq!(rows[0], expected);
        assert!(rows.iter().all(|row| row.len() == expected.len()));
        assert_eq!(rows[1][2..6], ["100 ms", "20.0 GFLOP/s", "50 %", "0.50 (torch)"]);
        assert_eq!(rows[1][6..10], ["25.0 ms", "80.0 GFLOP/s", "50 %", "4.00"]);
        // Only the card has the second workload.
        assert_eq!(rows[2][2..7], ["–", "–", "–", "–", "2.00 s"]);
    }

    #[test]
    fn what_was_measured_on_what_and_what_was_not_stands_below() {
        let text = render(&example());
        for note in [
            "- vulkan: A card <1> (vulkan, discrete), driver A driver 1.2; limit 40.0 GFLOP/s (product-a, torch)",
            "- vulkan-2 (software): llvmpipe (vulkan, software)",
            "computes on the processor: small sizes only",
            "- not measured: metal: not for this system",
            "- not measured: suite product on Broken card",
            "torch 2.9",
        ] {
            assert!(text.contains(note), "{note} in {text}");
        }
        assert!(!text.contains("DO NOT RECORD"));
        let mut busy = example();
        busy.devices[1].suites[0].workloads[0].busy_in_pauses = Some(0.3);
        assert!(render(&busy).contains("DO NOT RECORD: other programs kept up to 30 %"));
    }
}
