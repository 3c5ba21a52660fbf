//! What a device is opened with.

use crate::{Rung, Tuning};

/// What a device is opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Most bytes of device memory to use; without it, as many as the device gives.
    pub memory_cap: Option<u64>,
    /// Keeps the bounds and loop checks of shaders in optimised builds, which leave them out otherwise.
    pub checked: bool,
    /// Whether sums use subgroup operations; without it, where the device has them and is no software driver.
    pub subgroups: Option<bool>,
    /// The kernel of all products; without it, the one that suits each shape.
    pub product: Option<Rung>,
    /// Kernels of products as measured on this adapter.
    pub tuning: Option<Tuning>,
    /// A fault to provoke, for testing what happens then.
    pub fault: Option<Fault>,
}

/// A fault that is provoked on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device is lost after this many dispatches.
    Lost {
        /// Dispatches until then.
        after: u64,
    },
    /// From this many buffer creations on, the device has no memory left.
    OutOfMemory {
        /// Buffers created until then.
        after: u64,
    },
}
