//! Sparse features: samples as sums of few atoms, and atoms for which that goes well.
//!
//! - [`Dictionary`]: the atoms, a row each.
//! - [`Lasso`]: codes by several [`Solver`]s, each with a [`Certificate`]: the gap to the best code, and by how much the
//!   conditions of the best are violated. [`MatchingPursuit`]: codes of at most so many atoms.
//! - [`DictionaryLearner`]: atoms from minibatches; [`BatchDictionaryLearner`]: from all samples at once;
//!   [`SmoothPriorLearner`]: with a smooth [`Prior`] and gain control. [`SparsifyingLogisticLearner`]: atoms and an encoder, with
//!   codes that thresholds of units keep sparse. [`PredictiveDecomposition`]: atoms, and a [`Predictor`] of their codes; also
//!   on a map whose neighbours share a penalty.
//! - [`Objective`]: a function of a matrix of filters, minimised by [`Lbfgs`] (through [`HostFunction`]), by minibatches
//!   ([`ObjectiveLearner`]) or, over orthonormal filters, by [`OrthonormalDescent`]. There are [`TopographicIca`], whose
//!   [`Neighborhood`] makes it topographic, subspace or plain ICA, and [`ReconstructionIca`] of all these kinds for more
//!   filters than values. [`FastIca`] has a rule of its own. These compute on a [`nn_core::Device`].
//! - [`LocalStage`]: reconstruction ICA with untied local fields and pools, a stage of a deep stack, learned from minibatches
//!   of images by [`LocalStageLearner`].
//! - [`KMeans`]: centroids of samples, and the [`TriangleCode`] by them; on any device, in its precision.
//! - [`GaborFit`]: how much an atom is like a simple cell of the visual cortex, with [noise](gabor::noise_filter) to compare
//!   with.
//! - [`topography`]: whether units of a map are like their neighbours, against shuffles; energies that go together;
//!   kurtosis. [`GratingTuning`]: the answers of simple units and of pools to gratings, as an experimenter measures them;
//!   [`tuning_curve`]: how sharp they are.
//!
//! Samples are rows. Codes are computed on the host in double precision, as solvers branch at every step; samples are shared
//! out among the threads of nn-core, and their number changes no bit.
//!
//! ```
//! use nn_core::Key;
//! use nn_sparse::{DictionaryLearner, Lasso, Status};
//! use ndarray::Array2;
//!
//! // Patches that are one of three stripes, of either sign, with a little noise.
//! let key = Key::new(1);
//! let samples = Array2::from_shape_fn((300, 9), |(n, pixel)| {
//!     let sign = if key.uniform(n as u64) < 0.5 { -1.0 } else { 1.0 };
//!     let stripe = if pixel % 3 == n % 3 { sign } else { 0.0 };
//!     stripe + 0.05 * key.normal((1000 + n * 9 + pixel) as u64)
//! });
//! let lasso = Lasso::new(0.1)?;
//! let mut learner = DictionaryLearner::from_samples(samples.view(), 6, lasso, key)?;
//! let before = learner.encode(samples.view())?.mean_objective();
//! for epoch in 0..20 {
//!     for batch in samples.axis_chunks_iter(ndarray::Axis(0), 30) {
//!         learner.update(batch)?;
//!     }
//! }
//! let encoding = learner.encode(samples.view())?;
//! assert!(encoding.worst_gap() <= 1e-6 && encoding.count(Status::Unconverged) == 0);
//! assert!(encoding.mean_objective() < before);
//! # Ok::<(), nn_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod active_set;
mod batch_dictionary;
mod certificate;
mod codes;
mod dictionary;
mod dictionary_learner;
mod factor;
pub mod gabor;
mod grating;
mod ica;
mod inference;
mod k_means;
mod lasso;
mod lbfgs;
mod local_stage;
mod neighborhood;
mod objective;
mod objective_learner;
mod pooled_energy;
mod predictive;
mod problem;
mod smooth_prior;
mod sparsifying_logistic;
pub mod topography;
pub mod tuning_curve;

pub use batch_dictionary::BatchDictionaryLearner;
pub use certificate::{Certificate, Status};
pub use codes::Codes;
pub use dictionary::Dictionary;
pub use dictionary_learner::{DictionaryLearner, PATIENCE};
pub use gabor::GaborFit;
pub use grating::{Answer, Cell, Grating, GratingTuning};
pub use ica::fast_ica::FastIca;
pub use ica::orthonormal::Orthonormalizer;
pub use ica::orthonormal_descent::{OrthonormalDescent, OrthonormalStep};
pub use ica::reconstruction::{ReconstructionIca, ReconstructionIcaSettings};
pub use ica::topographic::TopographicIca;
pub use inference::Solver;
pub use inference::matching_pursuit::MatchingPursuit;
pub use k_means::{KMeans, KMeansStep, TriangleCode};
pub use lasso::{Encoding, Lasso};
pub use lbfgs::{Descent, Lbfgs, LbfgsSnapshot};
pub use local_stage::{LocalStage, LocalStageLearner, LocalStageSettings};
pub use neighborhood::{Edge, Neighborhood};
pub use objective::{HostFunction, Objective, Value};
pub use objective_learner::ObjectiveLearner;
pub use predictive::{PredictiveDecomposition, PredictiveRates, PredictiveSettings, Predictor};
pub use smooth_prior::{Prior, SmoothCodes, SmoothPriorLearner, SmoothPriorSettings};
pub use sparsifying_logistic::{SparsifiedCodes, SparsifyingLogisticLearner, SparsifyingLogisticSettings};
