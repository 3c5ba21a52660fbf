//! Centroids: of k-means, or drawn at random.

use ndarray::{Array2, ArrayView2};
use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{Device, Key};
use nn_sparse::KMeans;

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Steps between two checkpoints.
const SAVE_EVERY: u64 = 5;

/// The name of the matrix in a checkpoint.
const MATRIX: &str = "centroids";

/// k-means from random patches on, so many steps or until no patch goes to another centroid; from its checkpoint on if the run
/// is resumed.
pub(super) fn k_means(
    run: &Run,
    device: &Device,
    patches: ArrayView2<'_, f32>,
    count: usize,
    steps: u64,
    key: Key,
) -> Result<Array2<f64>, RunError> {
    let doing = format!("{count} centroids by k-means");
    let path = run.out().file(&format!("checkpoint-k-means-{count}.safetensors"));
    let identity = run.identity();
    let kind = format!(
        "{}/{}/{}/{}/{count}",
        identity.experiment, identity.profile, identity.backend, identity.seed
    );
    let (mut means, mut done) = if run.resume && path.exists() {
        let checkpoint = Checkpoint::open(&path, &kind).while_doing(doing.as_str())?;
        let centroids = checkpoint.matrix(MATRIX, [count, patches.ncols()]).while_doing(doing.as_str())?;
        (KMeans::new(centroids).while_doing(doing.as_str())?, checkpoint.header().step)
    } else {
        (KMeans::from_samples(patches, count, key).while_doing(doing.as_str())?, 0)
    };
    let (timer, progress) = (run.phase(&doing), run.progress(&doing, steps));
    let mut nearest = Vec::new();
    while done < steps {
        let step =
            means.step(device, patches, &mut nearest, key.fold_in(done)).while_doing(doing.as_str())?;
        done = if step.moved == 0 { steps } else { done + 1 };
        progress.message(format!("mean squared distance {:.4}", step.objective));
        progress.set(done);
        if done == steps || done.is_multiple_of(SAVE_EVERY) || run.interrupted() {
            let header = Header::new(&*kind, done, key);
            checkpoint::save_matrices(&path, &header, &[(MATRIX, means.centroids().view())])
                .while_doing(doing.as_str())?;
        }
        if run.interrupted() {
            return Err(run.stop_after_saving(path));
        }
    }
    drop((timer, progress));
    Ok(means.centroids().clone())
}

/// Patches as centroids, all of them different draws.
pub(super) fn patches(patches: ArrayView2<'_, f32>, count: usize, key: Key) -> Result<Array2<f64>, RunError> {
    let drawn = KMeans::from_samples(patches, count, key).while_doing("drawing centroids")?;
    Ok(drawn.centroids().clone())
}

/// Normal numbers whose mean square is that of the patches.
pub(super) fn noise(patches: ArrayView2<'_, f32>, count: usize, key: Key) -> Array2<f64> {
    let square = patches.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / patches.len() as f64;
    let values = patches.ncols();
    Array2::from_shape_fn((count, values), |(row, column)| {
        square.sqrt() * key.normal((row * values + column) as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments::single_layer::tests::run;

    /// A run that stops after some steps and is resumed ends in the same bits.
    #[test]
    fn k_means_goes_on_from_its_checkpoint() {
        let key = Key::new(5);
        let patches =
            Array2::from_shape_fn((400, 6), |(row, column)| key.normal((row * 6 + column) as u64) as f32);
        let temporary = tempfile::tempdir().unwrap();
        let device = Device::cpu();
        let mut one = run(temporary.path());
        let of = |run: &Run, steps| k_means(run, &device, patches.view(), 20, steps, key).unwrap();
        of(&one, 5);
        one.resume = true;
        let resumed = of(&one, 8);
        one.resume = false;
        let whole = of(&one, 8);
        assert_eq!(resumed, whole);
    }

    #[test]
    fn noise_is_as_long_as_patches() {
        let patches = Array2::from_elem((10, 50), -3.0f32);
        let drawn = noise(patches.view(), 200, Key::new(1));
        let square = drawn.iter().map(|value| value * value).sum::<f64>() / drawn.len() as f64;
        // The deviation of a mean of 10,000 squares is 9·√(2/10⁴).
        assert!((square - 9.0).abs() < 5.0 * 9.0 * (2.0f64 / 1e4).sqrt(), "{square}");
    }
}
