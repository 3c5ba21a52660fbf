//! The suite `sparse`: sparse features.

pub mod autoencoder;
pub mod tica;

use ndarray::Array2;
use nn_core::Key;
use nn_data::synthetic::dead_leaves;
use nn_data::{DataError, PatchDraw, Whitening, WhiteningKind, contrast};

use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::matrices::Matrices;
use super::workload::Workload;

/// The images that patches are drawn from.
const IMAGES: u64 = 8;
const SIZE: [usize; 2] = [256, 256];
const RADII: [f64; 2] = [1.5, 64.0];
const PATCHES: usize = 10_000;

/// The workloads.
///
/// # Errors
///
/// If patches cannot be made, a matrix for the peers cannot be written, or the device fails.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    let patches = white_patches(Key::new(1))?;
    let tica = tica::workload(conditions.device, matrices, &patches)?;
    Ok(vec![tica, autoencoder::workload(conditions.device, autoencoder::PATCHES, matrices)?])
}

/// Whitened patches of dead leaves, of variance 1 on average.
fn white_patches(key: Key) -> Result<Array2<f32>, DataError> {
    let images: Result<Vec<_>, _> = (0..IMAGES)
        .map(|image| dead_leaves::draw(SIZE, RADII, &mut key.fold_in(image).generator()))
        .collect();
    let draw = PatchDraw { size: [tica::SIDE; 2], count: PATCHES, border: 0, least_deviation: 0.0 };
    let mut patches = draw.draw(&images?, &mut key.fold_in(IMAGES).generator())?;
    contrast::remove_mean(patches.view_mut());
    let variance = patches.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / patches.len() as f64;
    let white =
        Whitening::of(patches.view(), WhiteningKind::Zca, 0.01 * variance, None)?.apply(patches.view());
    let deviation =
        (white.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / white.len() as f64).sqrt();
    Ok(white.mapv(|value| (f64::from(value) / deviation) as f32))
}
