//! Sparse features: codes by the lasso and learning a dictionary ([`coding`]), objective and gradient of topographic ICA
//! ([`tica`]) and of a sparse [`autoencoder`], on white [`patches`] of photographs.

pub mod autoencoder;
pub mod coding;
pub mod patches;
pub mod tica;

use nn_core::Key;

use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::matrices::Matrices;
use super::workload::Workload;

/// All workloads.
///
/// # Errors
///
/// If patches cannot be made, a matrix for the peers cannot be written, or the device fails.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    let mut workloads = coding::workloads(conditions, matrices, coding::SAMPLES)?;
    let patches = patches::white(&conditions.inputs.photographs, tica::SIDE, tica::PATCHES, Key::new(7))?;
    workloads.push(tica::workload(conditions.device, matrices, &patches)?);
    workloads.push(autoencoder::workload(conditions.device, autoencoder::PATCHES, matrices)?);
    Ok(workloads)
}
