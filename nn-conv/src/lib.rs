//! Layers of the convolutional networks of 2012, to the semantics of cuda-convnet.
//!
//! - [`Convolution`]; [`Local`], whose filters are not shared; [`Tiled`], in between; [`Groups`] of channels for each.
//! - [`TiledIca`]: tiled filters learned without labels.
//! - [`Pooling`]: maximum, average, rectified average, norms; [`StochasticPooling`].
//! - [`Gain`]: a factor for each map.
//! - [`ResponseNormalization`] across maps and within a map, [`ContrastNormalization`], [`LocalContrastNormalization`].
//! - [`Committee`] of networks, [`Views`] of a case, and the [`average`] of what they say.
//! - [`Ascent`], [`optimal_sinusoid`]: what a unit responds to most.
//! - [`Convnet`](convnet::Convnet): networks and optimisers from the layer and parameter files of cuda-convnet.
//!
//! Rectification by the absolute value is `nn_core::layer::Elementwise` with `Activation::Absolute`, or that activation of
//! the layer before.
//!
//! All are [`Layer`](nn_core::Layer)s. Images lie one case a row, channel last: pixel (y, x) of channel c is column
//! `(y · width + x) · channels + c`, and the maps of one layer are the image of the next.
//!
//! ```
//! use nn_conv::{Convolution, Filters, Pool, Pooling};
//! use nn_core::{Activation, Device, Key, Layer, Pass, Window, init::Initialization};
//!
//! // The first layers of a net for CIFAR-10: 32 filters of 5×5 on 32×32×3, then maxima of 3×3 at every second pixel.
//! let device = Device::cpu();
//! let filters = Filters::new(Window::new(32, 32, 3, 5).padding(2), 32);
//! let draw = Initialization::Normal { deviation: 0.0001 };
//! let convolution = Convolution::new(&device, filters, Activation::Identity, draw, Key::new(1))?;
//! let window = Window::new(32, 32, 32, 3).stride(2).ceil();
//! let pooling = Pooling::new(window, Pool::Max, Activation::RectifiedLinear)?;
//! let images = device.full(2, convolution.inputs(), 1.0);
//! let (mut maps, mut pooled) = (device.zeros(2, convolution.outputs()), device.zeros(2, pooling.outputs()));
//! convolution.forward(images.view(), &mut maps, &mut convolution.saved(&device, 2), Pass::Testing);
//! pooling.forward(maps.view(), &mut pooled, &mut pooling.saved(&device, 2), Pass::Testing);
//! assert_eq!(pooled.columns(), 16 * 16 * 32);
//! # Ok::<(), nn_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod activate;
mod committee;
mod contrast_normalization;
pub mod convnet;
mod convolution;
mod filters;
mod gain;
mod geometry;
mod groups;
#[cfg(test)]
mod layer_tests;
mod local;
mod local_contrast_normalization;
mod multi_view;
mod neighborhood;
mod optimal_input;
mod orthonormal_sets;
mod pooling;
mod power;
mod response_normalization;
mod stochastic_pooling;
mod tiled;
mod tiled_ica;

pub use committee::{Committee, average};
pub use contrast_normalization::ContrastNormalization;
pub use convolution::Convolution;
pub use filters::Filters;
pub use gain::Gain;
pub use groups::Groups;
pub use local::Local;
pub use local_contrast_normalization::{LocalContrastNormalization, SMALLEST_DEVIATION};
pub use multi_view::{ImageView, Views};
pub use optimal_input::{Ascent, Sinusoid, optimal_sinusoid};
pub use pooling::{Pool, Pooling, pool_window};
pub use response_normalization::{Neighbors, Normalization, ResponseNormalization};
pub use stochastic_pooling::StochasticPooling;
pub use tiled::Tiled;
pub use tiled_ica::TiledIca;
