//! Restricted Boltzmann machines, deep belief networks and deep Boltzmann machines: every kind of unit, estimator and
//! estimate of the systems of 2012, and the exact answers for machines small enough to enumerate.
//!
//! - [`Rbm`]: two layers of [`units`] and the weights between them; [`Boltzmann`]: its conditionals, sweeps and free
//!   energies, also at other temperatures.
//! - [`estimator`]: CD-k, PCD, fast PCD, parallel tempering, the exact gradient. [`Offsets`]: centring. [`Sparsity`].
//! - [`RbmLearner`]: all of that as a [`Learner`](nn_core::Learner).
//! - [`ais`], [`partition`], [`exact`], [`pseudo_likelihood`]: how good a model is. [`Activity`]: what its hidden units do.
//! - [`dbn`]: directed layers under a machine; greedy training, the up-down algorithm, bounds on log p(v).
//! - [`dbm`]: several undirected layers; mean field, persistent chains, pretraining, fine-tuning. [`Layered`]: what they have
//!   in common with the machine of two layers, and [`ais`], [`partition`] and [`Path`] work on.
//! - [`shape`]: the Shape Boltzmann machine, a deep one whose first layer shares its weights among overlapping patches.
//! - [`convolutional`]: machines of filters with probabilistic max-pooling, and stacks of them.
//! - [`gated`]: convolutional machines of one image given another, whose hidden units stand for what changed.
//! - [`Completion`]: filling in missing units. [`labels`]: classification by free energy.
//!
//! ```
//! use nn_core::{Binarize, Dataset, Device, Ending, Fit, Key, Penalty, Sgd};
//! use nn_rbm::{Rbm, RbmLearner, estimator::ContrastiveDivergence, partition::log_partition};
//! use std::sync::atomic::AtomicBool;
//!
//! // Bars and stripes of 3×3 pixels, learned by a machine of 8 hidden units.
//! let device = Device::cpu();
//! let patterns = nn_data::synthetic::bars_and_stripes::patterns(3)?;
//! let data = Dataset::new(&device, patterns.view(), Binarize::Never)?;
//! let rbm = Rbm::bernoulli(&device, 9, 8, Key::new(1))?;
//! let sgd = Sgd::new(&rbm, 0.1, 0.5, Penalty::default())?;
//! let mut learner = RbmLearner::new(rbm, ContrastiveDivergence::new(1)?, sgd);
//! let before = log_partition(&learner.rbm)? + learner.rbm.mean_free_energy(data.inputs())?;
//! let fit = Fit::new(2000, 14, Key::new(2));
//! let ending = fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false))?;
//! assert_eq!(ending, Ending::Complete);
//! // −log p(v) = F(v) + log Z, exactly; log 14 = 2.64 would be perfect.
//! let after = log_partition(&learner.rbm)? + learner.rbm.mean_free_energy(data.inputs())?;
//! assert!(before > 6.0 && after < 4.0, "{before} {after}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod activity;
pub mod ais;
mod boltzmann;
mod completion;
mod conditional;
mod connection;
pub mod convolutional;
pub mod dbm;
pub mod dbn;
pub mod estimator;
pub mod exact;
pub mod gated;
mod gradient;
mod kept;
pub mod labels;
mod latent;
mod layered;
mod learner;
mod offsets;
pub mod partition;
mod path;
pub mod pseudo_likelihood;
mod rbm;
pub mod shape;
mod sparsity;
pub mod units;

pub use activity::Activity;
pub use boltzmann::Boltzmann;
pub use completion::Completion;
pub use conditional::{Conditional, ConditionalGradient};
pub use connection::Connection;
pub use convolutional::{ConvolutionalDbn, ConvolutionalRbm};
pub use dbm::Dbm;
pub use dbn::Dbn;
pub use estimator::GradientEstimator;
pub use gated::GatedRbm;
pub use gradient::{GradientAssembly, Phase, Phases};
pub use layered::{EnergyModel, Layered};
pub use learner::RbmLearner;
pub use offsets::Offsets;
pub use partition::LogSumExp;
pub use path::{Path, PathPoint};
pub use rbm::Rbm;
pub use sparsity::Sparsity;

/// The program of the README, compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
