//! The patches: from which images, and how they are prepared.

use ndarray::{Array2, Array3};
use nn_core::Key;
use nn_data::image_folder::photographs;
use nn_data::synthetic::dead_leaves;
use nn_data::{PatchDraw, contrast, frequency_filter};

use super::{HELD_OUT, IMAGES, Recipe, TRAINING};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Where patches come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Images {
    /// So many square images of discs upon discs, which this program draws.
    DeadLeaves { count: usize, side: usize },
    /// The photographs in the part `natural` of the data folder.
    Natural,
}

/// Radii of the discs, as shares of the side of an image.
const RADII: [f64; 2] = [0.02, 0.4];
/// Of the images, one in so many is held out.
const SHARE: usize = 5;
/// Pixels along the edge that no patch touches: the filter takes images as periodic.
const BORDER: usize = 6;
/// The least standard deviation of a patch, where that of a pixel is 1.
const FLAT: f64 = 0.1;
/// Greys are seen as logarithms of themselves plus this.
const DARKEST: f32 = 0.02;

/// Patches of filtered images, less their means, patches × pixels. A pixel of those to learn from has variance 1.
pub(super) struct Patches {
    /// To learn from.
    pub training: Array2<f64>,
    /// Of other images.
    pub held_out: Array2<f64>,
}

impl Patches {
    pub fn make(run: &mut Run, recipe: &Recipe, key: Key) -> Result<Self, RunError> {
        let doing = "making patches";
        let mut images = images(run, recipe.images, key.fold_in(IMAGES))?;
        for image in &mut images {
            frequency_filter::whiten(image.view_mut(), frequency_filter::CUTOFF).while_doing(doing)?;
        }
        frequency_filter::scale_to_variance(&mut images, 1.0);
        let held_out = images.split_off(images.len() - images.len().div_ceil(SHARE));
        let side = [recipe.side; 2];
        let draw = |images: &[Array3<f32>], count: usize, purpose: u64| {
            let draw = PatchDraw { size: side, count, border: BORDER, least_deviation: FLAT };
            let mut patches = draw.draw(images, &mut key.fold_in(purpose).generator()).while_doing(doing)?;
            contrast::remove_mean(patches.view_mut());
            Ok::<_, RunError>(patches.mapv(f64::from))
        };
        let mut training = draw(&images, recipe.cases[0], TRAINING)?;
        let mut held_out = draw(&held_out, recipe.cases[1], HELD_OUT)?;
        let square = training.iter().map(|value| value * value).sum::<f64>() / training.len() as f64;
        training /= square.sqrt();
        held_out /= square.sqrt();
        Ok(Self { training, held_out })
    }
}

/// The images, of which at least two are needed: some are held out.
fn images(run: &mut Run, images: Images, key: Key) -> Result<Vec<Array3<f32>>, RunError> {
    match images {
        Images::DeadLeaves { count, side } => {
            let radii = RADII.map(|share| share * side as f64);
            let mut generator = key.generator();
            let drawn = (0..count).map(|_| dead_leaves::draw([side; 2], radii, &mut generator));
            drawn.collect::<Result<_, _>>().while_doing("drawing dead leaves")
        }
        Images::Natural => {
            let folder = run.data_folder()?.join("natural");
            let found = photographs(&folder).while_doing("reading the photographs")?;
            if found.len() < 2 {
                let problem = format!("{} has 1 image; at least 2 are needed", folder.display());
                return Err(problem).while_doing("reading the photographs");
            }
            for photograph in &found {
                run.report.data_file(&folder.join(&photograph.name))?;
            }
            let logarithm = |image: Array3<f32>| image.mapv_into(|grey| (grey + DARKEST).ln());
            Ok(found.into_iter().map(|photograph| logarithm(photograph.pixels)).collect())
        }
    }
}
