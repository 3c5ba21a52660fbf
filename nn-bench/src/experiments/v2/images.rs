//! Whitened patches of photographs, or of images that share their edges.

use std::path::PathBuf;

use ndarray::{Array2, Array3};
use nn_core::Key;
use nn_data::{PatchDraw, contrast, frequency_filter, image_folder, synthetic::dead_leaves};

use super::SIDE;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Which images patches are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ImageSet {
    /// So many images of dead leaves.
    DeadLeaves(usize),
    /// The photographs of the folder of the data files where it has some, else so many images of dead leaves.
    WhatIsThere(usize),
    /// The photographs.
    Photographs,
}

/// The folder of photographs within that of the data files.
const FOLDER: &str = "natural";

/// Pixels on a side of an image of dead leaves, and the radii of its discs.
const LEAVES_SIDE: usize = 256;
const RADII: [f64; 2] = [1.0, 64.0];

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
pub(super) fn patches(run: &mut Run, set: ImageSet, count: usize, key: Key) -> Result<Array2<f32>, RunError> {
    let doing = "drawing patches";
    let folder = run.data.as_ref().map(|root| root.join(FOLDER));
    let mut generator = key.generator();
    let images = match (set, folder) {
        (ImageSet::Photographs, _) => photographs(run, run.data_folder()?.join(FOLDER))?,
        (ImageSet::WhatIsThere(_), Some(folder)) if folder.is_dir() => photographs(run, folder)?,
        (ImageSet::WhatIsThere(images) | ImageSet::DeadLeaves(images), _) => {
            run.report.setting("images", format!("{images} of dead leaves"));
            let draw = |_| dead_leaves::draw([LEAVES_SIDE, LEAVES_SIDE], RADII, &mut generator);
            (0..images).map(draw).collect::<Result<_, _>>().while_doing(doing)?
        }
    };
    let mut images = images;
    for image in &mut images {
        image.mapv_inplace(|value| (value + DARKEST).ln());
        frequency_filter::whiten(image.view_mut(), CUTOFF).while_doing(doing)?;
        frequency_filter::scale_to_variance(std::slice::from_mut(image), 1.0);
    }
    let draw = PatchDraw { size: [SIDE, SIDE], count, border: BORDER, least_deviation: 0.0 };
    let mut patches = draw.draw(&images, &mut generator).while_doing(doing)?;
    contrast::remove_mean(patches.view_mut());
    contrast::normalize_variance(patches.view_mut(), OFFSET);
    let squares: f64 = patches.iter().map(|&value| f64::from(value).powi(2)).sum();
    let deviation = (squares / patches.len().max(1) as f64).sqrt();
    patches.mapv_inplace(|value| (f64::from(value) / deviation) as f32);
    Ok(patches)
}

fn photographs(run: &mut Run, folder: PathBuf) -> Result<Vec<Array3<f32>>, RunError> {
    let photographs = image_folder::photographs(&folder).while_doing("reading photographs")?;
    run.report.setting("images", format!("{} photographs", photographs.len()));
    for photograph in &photographs {
        run.report.data_file(&folder.join(&photograph.name))?;
    }
    Ok(photographs.into_iter().map(|photograph| photograph.pixels).collect())
}
