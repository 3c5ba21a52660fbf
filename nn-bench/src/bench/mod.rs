//! Benchmarks: what `nn-bench bench` measures, how, and what it writes.
//!
//! - [`suite`]: which workloads there are ([`product`], [`rbm`] with [`crbm`], [`energy`], [`networks`], [`mod@sparse`], [`device`] of
//!   [`updates`] and [`elements`]). A [`workload`] is one unit of work of ours, the names of the libraries that do the same, and the
//!   [`amount`] of work that nobody can do without. [`conditions`] say where it computes, on what, and how large it is.
//! - [`selection`], [`candidates`]: the devices to measure, and why others are not; a [`described_device`] is one in
//!   words, `gpus` (with the feature `gpu`) asks nn-gpu.
//! - [`measurement`]: the suites on one device. What fails there is told, and nothing else suffers.
//! - [`rounds`]: the measurement. Ours and each peer take turns in one run, so that a slow minute of the machine hits
//!   all of them; while one computes, the others wait asleep. [`busyness`] notices whether anything else runs.
//! - [`peers`], [`peer_process`], [`peer_message`]: one Python process a suite, running a script of `peers/` in this
//!   crate; [`matrices`] are the data that both sides work on.
//! - [`results`], [`statistics`], [`table`]: medians, ratios, the share of the limit; as JSON and as a table.
//! - [`comparison`], [`comparison_table`], [`comparison_page`]: all devices side by side.
//!
//! A peer that is not there is left out, with the reason in the table; it is never an error.

pub mod amount;
pub mod bench_error;
pub mod busyness;
pub mod candidates;
pub mod comparison;
pub mod comparison_page;
pub mod comparison_table;
pub mod conditions;
pub mod crbm;
pub mod described_device;
pub mod device;
pub mod elements;
pub mod energy;
#[cfg(feature = "gpu")]
pub mod gpus;
pub mod inputs;
pub mod matrices;
pub mod measurement;
pub mod networks;
pub mod peer_message;
pub mod peer_process;
pub mod peers;
pub mod product;
pub mod rbm;
pub mod results;
pub mod rounds;
pub mod selection;
pub mod session;
pub mod sparse;
pub mod statistics;
pub mod suite;
pub mod table;
pub mod updates;
pub mod workload;

pub use bench_error::BenchError;
pub use selection::Selection;
pub use session::{Measured, Results, measure};

/// Threads that every side may use, ours and the peers: the machines to compare on have two cores.
pub const THREADS: usize = 2;
