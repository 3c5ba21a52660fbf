//! What a run found out, as it is written to JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::amount::PerSecond;
use super::described_device::DeviceDescription;
use super::statistics::{Ratio, Timings};
use super::workload::Workload;
use crate::machine::Machine;

/// One suite, measured.
#[derive(Clone, Debug, Serialize)]
pub struct SuiteResult {
    /// The suite's name.
    pub suite: &'static str,
    /// The command that measures it again.
    pub command: String,
    /// What it was measured on.
    pub machine: Machine,
    /// Where ours computed.
    pub device: DeviceDescription,
    /// The card that the peers computed on, unless it was the processor.
    pub peers_card: Option<String>,
    /// Threads of each side.
    pub threads: usize,
    /// Turns of each side.
    pub rounds: u32,
    /// What was learned from.
    pub data: String,
    /// The versions of Python and its libraries, where there are any.
    pub versions: BTreeMap<String, String>,
    /// What the shares of products are shares of.
    pub limit: Limit,
    /// What the shares of passes through memory are shares of, where there are any.
    pub bandwidth: Option<Bandwidth>,
    /// The workloads.
    pub workloads: Vec<WorkloadResult>,
}

impl SuiteResult {
    /// Whether the peers computed on the device that ours did.
    pub fn peers_on_the_same_device(&self) -> bool {
        match &self.peers_card {
            Some(card) => self.device.is_card(card),
            None => !self.device.is_gpu(),
        }
    }
}

/// The best rate of dense products that anyone reached on the device in the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limit {
    /// 10⁹ additions and multiplications a second, by the median.
    pub gflop_per_s: f64,
    /// The product.
    pub workload: String,
    /// Who: `ours` or a library.
    pub by: String,
}

/// The best rate of plain passes through memory that anyone reached on the device in the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bandwidth {
    /// 10⁹ bytes read or written a second, by the median.
    pub gb_per_s: f64,
    /// The pass.
    pub workload: String,
    /// Who: `ours` or a library.
    pub by: String,
}

impl Limit {
    /// The best product among the yardsticks of these suites; nothing, if there are none.
    pub fn of(suites: &[SuiteResult]) -> Option<Self> {
        let (gflop_per_s, workload, by) = best(suites, |result| result.flop)?;
        Some(Self { gflop_per_s, workload, by })
    }
}

impl Bandwidth {
    /// The best pass among the yardsticks of these suites; nothing, if there are none.
    pub fn of(suites: &[SuiteResult]) -> Option<Self> {
        let (gb_per_s, workload, by) = best(suites, |result| result.bytes)?;
        Some(Self { gb_per_s, workload, by })
    }
}

/// The best rate, in 10⁹ a second, with the workload and who reached it. Peers that computed elsewhere do not count.
fn best(suites: &[SuiteResult], amount: fn(&WorkloadResult) -> f64) -> Option<(f64, String, String)> {
    let mut best: Option<(f64, String, String)> = None;
    for suite in suites {
        for result in suite.workloads.iter().filter(|result| result.yardstick && amount(result) > 0.0) {
            let peers = result.peers.iter().filter(|_| suite.peers_on_the_same_device());
            let peers = peers.filter_map(|peer| Some((peer.library, peer.timings.as_ref()?)));
            for (by, timings) in std::iter::once(("ours", &result.ours)).chain(peers) {
                let rate = amount(result) / timings.median_s / 1e9;
                if best.as_ref().is_none_or(|(highest, ..)| rate > *highest) {
                    best = Some((rate, result.name.clone(), by.to_string()));
                }
            }
        }
    }
    best
}

/// One workload, measured.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadResult {
    /// Its name.
    pub name: String,
    /// What one unit of work is.
    pub work: String,
    /// Additions and multiplications of its dense products.
    pub flop: f64,
    /// Bytes that it moves at least, if moving them is all that takes time.
    pub bytes: f64,
    /// Whether shares may be shares of this.
    #[serde(skip)]
    pub yardstick: bool,
    /// Our times.
    pub ours: Timings,
    /// Work a second, by our median.
    pub per_second: PerSecond,
    /// The time that the dense products alone would take at the limit, or the bytes at the bandwidth, by our median.
    pub share_of_limit: Option<f64>,
    /// What [`WorkloadResult::ours_figure`] is.
    pub figure: &'static str,
    /// What the work came to.
    pub ours_figure: f64,
    /// The share of the processors that was busy in the pauses, when all sides slept: see [`super::busyness`].
    pub busy_in_pauses: Option<f64>,
    /// The others.
    pub peers: Vec<PeerResult>,
}

impl WorkloadResult {
    /// Of our times and those of peers.
    pub fn new(
        workload: &Workload,
        ours: Timings,
        ours_figure: f64,
        busy_in_pauses: Option<f64>,
        peers: Vec<PeerResult>,
    ) -> Self {
        Self {
            name: workload.name.clone(),
            work: workload.work.clone(),
            flop: workload.amount.flop(),
            bytes: workload.amount.bytes(),
            yardstick: workload.yardstick,
            per_second: workload.amount.per_second(ours.median_s),
            ours,
            share_of_limit: None,
            figure: workload.figure,
            ours_figure,
            busy_in_pauses,
            peers,
        }
    }

    /// Sets the share, once the limits of the run are known.
    pub fn compare_with(&mut self, limit: Option<&Limit>, bandwidth: Option<&Bandwidth>) {
        let share = |amount: f64, rate: f64| (amount > 0.0).then(|| amount / self.ours.median_s / 1e9 / rate);
        let of_products = limit.and_then(|limit| share(self.flop, limit.gflop_per_s));
        let of_memory = bandwidth.and_then(|bandwidth| share(self.bytes, bandwidth.gb_per_s));
        self.share_of_limit = of_products.or(of_memory);
    }
}

/// One peer in one workload.
#[derive(Clone, Debug, Serialize)]
pub struct PeerResult {
    /// The library.
    pub library: &'static str,
    /// Why there is nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Its times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
    /// How many times as long as ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
    /// What the work came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figure: Option<f64>,
}

impl PeerResult {
    /// One that was not measured.
    pub fn skipped(library: &'static str, reason: String) -> Self {
        Self { library, skipped: Some(reason), timings: None, ratio: None, figure: None }
    }

    /// One that was.
    pub fn measured(library: &'static str, timings: Timings, ours: &Timings, figure: Option<f64>) -> Self {
        let ratio = Some(Ratio::of(&timings, ours));
        Self { library, skipped: None, timings: Some(timings), ratio, figure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::described_device::tests::gpu;
    use crate::bench::table::tests::example;

    #[test]
    fn the_limit_is_the_best_rate_of_anyone() {
        let mut suite = example();
        let limit = Limit::of(std::slice::from_ref(&suite)).unwrap();
        // 2·10⁹ in the 0.05 s of torch are 40·10⁹ a second, more than ours in 0.1 s.
        assert_eq!((limit.by.as_str(), limit.workload.as_str()), ("torch", "product-a"));
        assert!((limit.gflop_per_s - 40.0).abs() < 1e-9);
        let mut first = suite.workloads[0].clone();
        first.compare_with(Some(&limit), None);
        assert!((first.share_of_limit.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((Limit::of(&[]), Bandwidth::of(std::slice::from_ref(&suite))), (None, None));
        // What is no plain product is no limit.
        suite.workloads.iter_mut().for_each(|workload| workload.yardstick = false);
        assert_eq!(Limit::of(&[suite]), None);
    }

    #[test]
    fn passes_through_memory_are_shares_of_the_best_pass() {
        let mut suite = example();
        suite.workloads[0].flop = 0.0;
        suite.workloads[0].bytes = 1e9;
        let bandwidth = Bandwidth::of(std::slice::from_ref(&suite)).unwrap();
        assert_eq!((bandwidth.workload.as_str(), bandwidth.by.as_str()), ("product-a", "torch"));
        assert!((bandwidth.gb_per_s - 20.0).abs() < 1e-9);
        suite.workloads[0].compare_with(None, Some(&bandwidth));
        assert!((suite.workloads[0].share_of_limit.unwrap() - 0.5).abs() < 1e-12);
        suite.workloads[1].compare_with(None, Some(&bandwidth));
        assert_eq!(suite.workloads[1].share_of_limit, None);
    }

    #[test]
    fn peers_that_compute_elsewhere_set_no_limit() {
        let mut suite = example();
        suite.device = gpu("A card", "vulkan");
        let by = |suite: &SuiteResult| Limit::of(std::slice::from_ref(suite)).unwrap().by;
        assert_eq!(by(&suite), "ours");
        suite.peers_card = Some("Another card".to_string());
        assert_eq!(by(&suite), "ours");
        suite.peers_card = Some("A Card".to_string());
        assert_eq!(by(&suite), "torch");
    }

    #[test]
    fn json_has_either_times_or_a_reason() {
        let value = serde_json::to_value(example()).unwrap();
        let peers = &value["workloads"][0]["peers"];
        assert_eq!(peers[0]["timings"]["median_s"], 0.05);
        assert!(peers[0].get("skipped").is_none());
        assert_eq!(peers[1]["skipped"], "not installed");
        assert!(peers[1].get("timings").is_none());
    }
}
