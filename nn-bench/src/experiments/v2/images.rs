//! Whitened patches of natural images.

use ndarray::Array2;
use nn_core::Key;
use nn_data::{PatchDraw, contrast, frequency_filter};

use super::SIDE;
use crate::natural_images::NaturalSet;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Added to intensities before their logarithm is taken, which makes differences of light ratios.
const DARKEST: f32 = 0.02;

/// Cycles a pixel at which the whitening filter falls off: a pixel of noise is no edge.
pub(super) const CUTOFF: f64 = 0.3;

/// Added to the variance of a patch, that of images being 1, before patches are brought to one contrast.
pub(super) const OFFSET: f64 = 0.1;

/// Pixels at the edges of an image that no patch touches: the filter takes images as periodic.
const BORDER: usize = 8;

/// Draws patches, `count` × 196, with mean 0 each and variance 1 in all, and puts what they are from into the report.
///
/// # Errors
/// If there are no photographs where they are needed, or files are damaged.
pub(super) fn patches(
    run: &mut Run,
    set: NaturalSet,
    count: usize,
    key: Key,
) -> Result<Array2<f32>, RunError> {
    let doing = "drawing patches";
    let mut images: Vec<_> = set.load(run, key)?.into_iter().map(|photograph| photograph.pixels).collect();
    for image in &mut images {
        image.mapv_inplace(|value| (value + DARKEST).ln());
        frequency_filter::whiten(image.view_mut(), CUTOFF).while_doing(doing)?;
        frequency_filter::scale_to_variance(std::slice::from_mut(image), 1.0);
    }
    let draw = PatchDraw { size: [SIDE, SIDE], count, border: BORDER, least_deviation: 0.0 };
    let mut patches = draw.draw(&images, &mut key.generator()).while_doing(doing)?;
    contrast::remove_mean(patches.view_mut());
    contrast::normalize_variance(patches.view_mut(), OFFSET);
    let squares: f64 = patches.iter().map(|&value| f64::from(value).powi(2)).sum();
    let deviation = (squares / patches.len().max(1) as f64).sqrt();
    patches.mapv_inplace(|value| (f64::from(value) / deviation) as f32);
    Ok(patches)
}
