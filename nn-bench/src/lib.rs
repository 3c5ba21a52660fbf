//! Reproductions of published experiments: the runner behind `nn-bench experiment`, and its reports.
//!
//! An [`Experiment`] is one file in `src/experiments/`. It receives a [`Run`], which tells it the
//! profile, the backend, the seed and the folders, and carries the [`Report`] that it fills in:
//!
//! ```
//! use nn_bench::{Experiment, ProfileInfo, Run, RunError};
//!
//! #[derive(Debug)]
//! struct CoinToss;
//!
//! impl Experiment for CoinToss {
//!     fn name(&self) -> &'static str { "coin-toss" }
//!     fn title(&self) -> &'static str { "A fair coin" }
//!     fn summary(&self) -> &'static str { "Half of the tosses are heads." }
//!     fn profiles(&self) -> &'static [ProfileInfo] {
//!         &[ProfileInfo { name: "quick", what: "one toss", duration: "no time at all" }]
//!     }
//!     fn run(&self, run: &mut Run) -> Result<(), RunError> {
//!         run.report.reproduces("A coin falls on either side equally often.");
//!         run.report.metric("heads", 0.5)?;
//!         run.report.published("heads", 0.5, "folklore", false, Some(0.5))?;
//!         Ok(())
//!     }
//! }
//! ```
//!
//! The runner writes `report.html` and `metrics.json` when `run` returns; an experiment that is
//! interrupted saves its checkpoint and returns [`Run::stop_after_saving`].
#![forbid(unsafe_code)]

#[cfg(feature = "gpu")]
pub mod adapter_listing;
pub mod application;
pub mod augmentation;
pub mod backend;
pub mod bench;
pub mod cifar_files;
pub mod command_line;
pub mod convnet;
pub mod copies;
pub mod data_checksum;
pub mod devices;
pub mod digits;
pub mod environment;
pub mod execution;
pub mod experiment;
pub mod experiments;
pub mod factor_analysis;
pub mod features;
#[cfg(feature = "fetch")]
pub mod fetch;
pub mod gabor_likeness;
pub mod grey_images;
pub mod image_grid;
pub mod interruption;
pub mod l2_svm;
pub mod likelihood;
pub mod linear_classifier;
pub mod located_images;
pub mod machine;
pub mod mistakes;
pub mod natural_images;
pub mod nearest_name;
pub mod network_weights;
pub mod output_folder;
pub mod picture;
pub mod principal_components;
pub mod progress;
pub mod rank_correlation;
pub mod recovery;
pub mod report;
pub mod run;
pub mod run_error;
pub mod seed_mean;
pub mod standardization;
pub mod training;
pub mod trial;
#[cfg(feature = "gpu")]
pub mod tuned_gpu;
pub mod update_table;

pub use environment::Environment;
pub use experiment::{Experiment, ProfileInfo};
pub use image_grid::{Scaling, TileAxis, TileLayout};
pub use picture::{GrayImage, Picture, RgbImage};
pub use progress::Progress;
pub use report::{Axes, Report};
pub use run::{Backend, Run};
pub use run_error::{RunError, WhileDoing};
pub use trial::Trial;
