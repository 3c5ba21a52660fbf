//! What a run found out, as it is written to JSON.

use std::collections::BTreeMap;

use serde::Serialize;

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
    /// Threads of each side.
    pub threads: usize,
    /// Turns of each side.
    pub rounds: u32,
    /// What was learned from.
    pub data: String,
    /// The versions of Python and its libraries, where there are any.
    pub versions: BTreeMap<String, String>,
    /// What the shares are shares of.
    pub limit: Limit,
    /// The workloads.
    pub workloads: Vec<WorkloadResult>,
}

/// The best rate of dense products that anyone reached in the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Limit {
    /// 10⁹ additions and multiplications a second, by the median.
    pub gflop_per_s: f64,
    /// The product.
    pub workload: String,
    /// Who: `ours` or a library.
    pub by: String,
}

impl Limit {
    /// The best of these products; nothing, if there are none.
    pub fn of<'a>(products: impl IntoIterator<Item = &'a WorkloadResult>) -> Option<Self> {
        let rates = products.into_iter().flat_map(|product| {
            let rate = |by: &str, timings: &Timings| Self {
                gflop_per_s: product.flop / timings.median_s / 1e9,
                workload: product.name.clone(),
                by: by.to_string(),
            };
            let peers =
                product.peers.iter().filter_map(move |peer| Some(rate(peer.library, peer.timings.as_ref()?)));
            std::iter::once(rate("ours", &product.ours)).chain(peers).collect::<Vec<_>>()
        });
        rates.max_by(|a, b| a.gflop_per_s.total_cmp(&b.gflop_per_s))
    }
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
    /// Our times.
    pub ours: Timings,
    /// 10⁹ of `flop` a second, by our median.
    pub gflop_per_s: f64,
    /// The time that the dense products alone would take at the limit, by our median.
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
            flop: workload.flop,
            gflop_per_s: workload.flop / ours.median_s / 1e9,
            ours,
            share_of_limit: None,
            figure: workload.figure,
            ours_figure,
            busy_in_pauses,
            peers,
        }
    }

    /// Sets the share, once the limit of the run is known.
    pub fn compare_with(&mut self, limit: &Limit) {
        self.share_of_limit = Some(self.gflop_per_s / limit.gflop_per_s);
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
    use crate::bench::table::tests::example;

    #[test]
    fn the_limit_is_the_best_rate_of_anyone() {
        let suite = example();
        let limit = Limit::of(&suite.workloads).unwrap();
        // 2·10⁹ in the 0.05 s of torch are 40·10⁹ a second, more than ours in 0.1 s.
        assert_eq!((limit.by.as_str(), limit.workload.as_str()), ("torch", "product-a"));
        assert!((limit.gflop_per_s - 40.0).abs() < 1e-9);
        let mut first = suite.workloads[0].clone();
        first.compare_with(&limit);
        assert!((first.share_of_limit.unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(Limit::of([]), None);
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
