//! Data for learning experiments, in arrays of the host.
//!
//! - Images with labels: [`Images`], from IDX files ([`idx`]), [MNIST](mnist) with a subset that is part of
//!   this crate, and [Fashion-MNIST](fashion_mnist). Where their files lie, their addresses and check sums:
//!   [`dataset`]; downloading: `fetch`, with the feature of that name.
//! - Images in colour: [CIFAR-10 and CIFAR-100](cifar) in all official formats, stereo pairs of
//!   [small NORB](norb), one folder a class in a directory or a tar archive (`image_folder`, with the feature
//!   `images`), the [data folders of cuda-convnet](convnet_batches), the silhouettes of the Weizmann horses
//!   (`weizmann_horses`, with the same feature).
//! - The formats beneath: [Python pickles](pickle), without executing anything, and [MAT files](mat).
//! - Patterns of exactly known distribution: [bars and stripes](synthetic::bars_and_stripes), the
//!   [shifter ensemble](synthetic::shifter).
//! - Natural images and what stands in for them: grey photographs of a folder (`image_folder::photographs`),
//!   [dead leaves](synthetic::dead_leaves), [noise of a given spectrum](synthetic::power_law).
//! - What features are learned from: [patches], their [contrast], [whitening],
//!   [whitening by frequencies](frequency_filter), [local contrast normalisation](local_contrast).
//! - From images to training: [division into parts](split), [binarisation](binarize), [minibatches](batches),
//!   [altered copies and several views](augment), equally many images of each class
//!   ([`Images::draw_of_each_class`], [`Images::split_each_class`]).
//!
//! Examples are rows. Values for training are `f32`; those that stand for intensities or probabilities lie in
//! [0, 1], which [`check_unit_interval`] checks. Whatever is random takes a generator
//! ([`rand_core::RngCore`]) and depends on nothing else, so that equal generators give equal data on every
//! machine. Nothing here reads the environment: folders are arguments.
//!
//! ```
//! use nn_data::{Batches, LastBatch, SplitSizes, binarize_stochastically, mnist};
//! use rand_core::SeedableRng;
//!
//! # fn main() -> Result<(), nn_data::DataError> {
//! let mut generator = rand_pcg::Pcg64::seed_from_u64(1);
//! let (images, _test) = mnist::embedded()?;
//! let parts = images.split(SplitSizes::Counts { train: 3500, validation: 500, test: 0 }, &mut generator)?;
//! let intensities = parts.train.to_f32(); // 3500 × 784, in [0, 1]
//!
//! let batches = Batches::new(parts.train.len(), 100, LastBatch::Keep)?;
//! for epoch in 0..2 {
//!     // A generator of its own for each epoch: a run can be resumed in the middle of any of them.
//!     let mut generator = rand_pcg::Pcg64::seed_from_u64(1000 + epoch);
//!     for batch in batches.shuffled(&mut generator).iter() {
//!         let rows = intensities.select(ndarray::Axis(0), batch);
//!         let visible = binarize_stochastically(rows.view(), &mut generator)?;
//!         assert_eq!(visible.dim(), (100, 784));
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Attribution
//!
//! The embedded digits are from the MNIST database of handwritten digits by Yann LeCun and Corinna Cortes,
//! under the terms of Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0). The licence of the code of
//! this crate does not apply to them.

#![forbid(unsafe_code)]

mod atomic_write;
pub mod augment;
pub mod batches;
pub mod binarize;
pub mod checksum;
pub mod cifar;
pub mod contrast;
pub mod convnet_batches;
pub mod dataset;
mod eigen;
mod error;
pub mod fashion_mnist;
#[cfg(feature = "fetch")]
pub mod fetch;
mod fourier;
pub mod frequency_filter;
pub mod idx;
#[cfg(feature = "images")]
pub mod image_folder;
mod images;
pub mod local_contrast;
pub mod mat;
pub mod mnist;
pub mod norb;
pub mod number_array;
pub mod patches;
pub mod pickle;
mod planar;
pub mod split;
mod subset;
pub mod synthetic;
pub mod uniform;
mod unit_interval;
mod unpack;
#[cfg(feature = "images")]
pub mod weizmann_horses;
pub mod whitening;

pub use batches::{Batches, Epoch, LastBatch};
pub use binarize::{binarize_at, binarize_stochastically, binarize_stochastically_into};
pub use dataset::{Dataset, DatasetFiles, locate};
pub use error::DataError;
pub use images::Images;
pub use number_array::{NumberArray, NumberKind};
pub use patches::PatchDraw;
pub use split::{Split, SplitRows, SplitSizes};
pub use unit_interval::check_unit_interval;
pub use whitening::{Whitening, WhiteningKind};
