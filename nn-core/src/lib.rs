//! The engine under every model of the workspace.
//!
//! - [`Tensor`], [`View`], [`Device`]: matrices in the memory of a device.
//! - [`Expr`]: elementwise formulas as values; one formula is one kernel, fused into the store of the product or
//!   the reduction that it follows.
//! - [`Product`], [`Over`], [`Window`]: what the formulas are wrapped around: linear maps, reductions, windows.
//! - [`Key`]: counter-based randomness, the same numbers on every backend.
//! - [`Backend`]: what a device must be able to do; [`cpu`], [`mod@reference`] (double precision) and
//!   [`counting`] are here.
//!
//! ```
//! use nn_core::{ACC, Device, Key, x};
//! use ndarray::arr2;
//!
//! let device = Device::cpu();
//! let inputs = device.tensor(&arr2(&[[0.0f32, 1.0], [1.0, 1.0]]));
//! let weights = device.tensor(&arr2(&[[0.5f32, -0.5], [1.0, 2.0]]));
//! let biases = device.full(1, 2, 0.1);
//! let mut outputs = device.zeros(2, 2);
//! outputs.product(inputs.dot(&weights), (ACC + &biases).logistic());
//! let values = outputs.to_array()?;
//! assert!((values[[0, 0]] - 1.0 / (1.0 + (-1.1f32).exp())).abs() < 1e-6);
//! # Ok::<(), nn_core::Error>(())
//! ```

mod augmentation;
pub mod autoencoder;
mod backend;
mod case_source;
mod cases;
pub mod checkpoint;
pub mod classification;
pub mod conformance;
mod corruption;
pub mod counting;
pub mod cpu;
mod dataset;
mod device;
mod error;
pub mod expr;
pub mod fit;
mod gradient_check;
pub mod init;
mod key;
pub mod latent;
pub mod layer;
mod learner;
pub mod loss;
pub mod network;
mod normal;
pub mod observer;
pub mod optimizer;
pub mod parameters;
mod penalty;
pub mod product;
pub mod reference;
mod schedule;
mod stack;
mod stored_cases;
mod sum;
mod supervised;
mod tensor;
mod threefry;
mod window;

pub use augmentation::Augmentation;
pub use autoencoder::{Autoencoder, AutoencoderLearner, AutoencoderSettings, SparsityPenalty};
pub use backend::{Backend, Over, Reduction, Values, ValuesMut};
pub use case_source::CaseSource;
pub use cases::Cases;
pub use corruption::Corruption;
pub use cpu::in_parallel;
pub use dataset::{Binarize, Dataset};
pub use device::Device;
pub use error::Error;
pub use expr::{ACC, Binary, Expr, OLD, Stretch, Unary, x};
pub use fit::{Ending, Fit, Observer};
pub use gradient_check::{Disagreement, check_gradient};
pub use key::{Key, KeyGenerator};
pub use latent::{DenseLatentModel, LatentModel};
pub use layer::{Activation, Layer, Pass};
pub use learner::Learner;
pub use loss::Loss;
pub use network::Network;
pub use optimizer::{Adam, Optimizer, Sgd, SgdRule};
pub use parameters::Parameters;
pub use penalty::Penalty;
pub use product::{Batch, Operand, Product, Source, Term};
pub use schedule::Schedule;
pub use stack::Stack;
pub use stored_cases::StoredCases;
pub use sum::{Sum, scaled};
pub use supervised::SupervisedLearner;
pub use tensor::{Storage, Tensor, View, ViewMut};
pub use window::{Rounding, Window};
