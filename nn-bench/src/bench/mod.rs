//! Benchmarks: what `nn-bench bench` measures, how, and what it writes.
//!
//! - [`suite`]: which workloads there are ([`product`], [`rbm`]). A [`workload`] is one unit of work of ours, the
//!   names of the libraries that do the same, and the multiplications that nobody can do without.
//! - [`rounds`]: the measurement. Ours and each peer take turns in one run, so that a slow minute of the machine hits
//!   all of them; while one computes, the others wait asleep. [`busyness`] notices whether anything else runs.
//! - [`peers`], [`peer_process`], [`peer_message`]: one Python process a suite, running a script of `peers/` in this
//!   crate; [`matrices`] are the data that both sides work on.
//! - [`results`], [`statistics`], [`table`]: medians, ratios, the share of the limit; as JSON and as a table.
//!
//! A peer that is not there is left out, with the reason in the table; it is never an error.

pub mod bench_error;
pub mod busyness;
pub mod inputs;
pub mod matrices;
pub mod peer_message;
pub mod peer_process;
pub mod peers;
pub mod product;
pub mod rbm;
pub mod results;
pub mod rounds;
pub mod session;
pub mod statistics;
pub mod suite;
pub mod table;
pub mod workload;

pub use bench_error::BenchError;
pub use session::{Measured, measure};

/// Threads that every side may use, ours and the peers: the machines to compare on have two cores.
pub const THREADS: usize = 2;
