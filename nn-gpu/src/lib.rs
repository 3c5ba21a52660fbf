//! The backend of `nn-core` on wgpu: every model trains on any GPU that Vulkan, Metal, DX12 or OpenGL reaches.
//!
//! ```no_run
//! use nn_gpu::{Choice, Gpu, Settings};
//! let gpu = Gpu::open(&Choice::default(), &Settings::default())?;
//! let device = gpu.device();
//! // From here on nothing knows what it runs on.
//! let ones = device.full(2, 3, 1.0);
//! assert_eq!(ones.to_array()?[[1, 2]], 1.0);
//! # Ok::<(), nn_core::Error>(())
//! ```

mod adapters;
mod arguments;
mod failure;
mod formula;
mod gpu;
mod kernels;
mod memory;
mod operands;
mod pipelines;
mod plan;
mod settings;
mod split;
mod stream;
mod tuning;

pub use adapters::{AdapterReport, Api, Choice, Kind, absent_apis, adapters};
pub use gpu::{Gpu, Reading};
pub use kernels::product::Rung;
pub use memory::MemoryUse;
pub use settings::{Fault, Settings};
pub use stream::Counters;
pub use tuning::Tuning;
