//! The natural images that features are learned from.

use std::path::Path;

use ndarray::{Array2, Array3};
use nn_core::Key;
use nn_data::image_folder::{self, Photograph};
use nn_data::synthetic::dead_leaves;
use nn_data::{DataError, PatchDraw, contrast, frequency_filter};

use crate::data_checksum::DataChecksum;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Where images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NaturalSet {
    /// Discs that lie on top of each other: no photographs, but edges as in them.
    DeadLeaves,
    /// The photographs that are part of the program.
    Embedded,
    /// The photographs in `natural` within the folder of the data files.
    Folder,
}

/// Dead leaves: how many images, of what side, and the radii of the discs.
const LEAVES: usize = 4;
const SIDE: usize = 192;
const RADII: [f64; 2] = [1.5, 48.0];
/// The folder within that of the data files.
const FOLDER: &str = "natural";
/// Pixels at the edge of an image that no patch touches: the filter takes images as periodic.
const BORDER: usize = 5;

impl NaturalSet {
    /// Grey images, height × width × 1, in [0, 1], each with its name. Their check sums go into the report.
    ///
    /// # Errors
    /// If no folder of data files was named, or it has no such images.
    pub fn load(self, run: &mut Run, key: Key) -> Result<Vec<Photograph>, RunError> {
        let doing = "reading natural images";
        let (images, what) = match self {
            NaturalSet::DeadLeaves => (leaves(key).while_doing(doing)?, "dead leaves, drawn"),
            NaturalSet::Embedded => {
                for (file, bytes) in image_folder::embedded_files() {
                    let sha256 = nn_data::checksum::sha256(bytes).while_doing(doing)?;
                    let file = format!("embedded {file}");
                    run.report.data_checksum(DataChecksum { file, sha256, bytes: bytes.len() as u64 });
                }
                (image_folder::embedded().while_doing(doing)?, "photographs that are part of the program")
            }
            NaturalSet::Folder => {
                let folder = run.data_folder()?.join(FOLDER);
                let found = image_folder::photographs(&folder).while_doing(doing)?;
                for image in &found {
                    run.report.data_file(&folder.join(Path::new(&image.name)))?;
                }
                (found, "photographs in the folder of the data files")
            }
        };
        run.report.setting("images", format!("{} {what}", images.len()));
        Ok(images)
    }
}

fn leaves(key: Key) -> Result<Vec<Photograph>, DataError> {
    let draw = |number: usize| {
        let pixels = dead_leaves::draw([SIDE; 2], RADII, &mut key.fold_in(number as u64).generator())?;
        Ok(Photograph { name: format!("leaves {}", number + 1), pixels })
    };
    (0..LEAVES).map(draw).collect()
}

/// How patches are cut out and prepared.
#[derive(Clone, Copy, Debug)]
pub struct PatchRecipe {
    /// Pixels on a side.
    pub side: usize,
    /// How many.
    pub count: usize,
    /// f₀ of the filter that evens out the spectrum, in cycles a pixel.
    pub cutoff: f64,
    /// Where values are cut off, in standard deviations of all of them.
    pub limit: f32,
    /// The standard deviation of all values before that.
    pub deviation: f32,
}

impl PatchRecipe {
    /// Patches of these images, count × side²: the images whitened by Olshausen and Field's filter and of equal variance, then
    /// patches at random places without their means, values beyond the limit cut off.
    ///
    /// # Errors
    /// If an image is smaller than a patch.
    pub fn draw(&self, images: &[Photograph], key: Key) -> Result<Array2<f32>, DataError> {
        let mut whitened = Vec::with_capacity(images.len());
        for image in images {
            let mut pixels: Array3<f32> = image.pixels.clone();
            frequency_filter::whiten(pixels.view_mut(), self.cutoff)?;
            frequency_filter::scale_to_variance(std::slice::from_mut(&mut pixels), 1.0);
            whitened.push(pixels);
        }
        let size = [self.side; 2];
        let draw = PatchDraw { size, count: self.count, border: BORDER, least_deviation: 0.0 };
        let mut patches = draw.draw(&whitened, &mut key.generator())?;
        contrast::remove_mean(patches.view_mut());
        let square =
            patches.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / patches.len() as f64;
        let scale = if square > 0.0 { square.sqrt().recip() as f32 } else { 1.0 };
        patches.mapv_inplace(|value| (value * scale).clamp(-self.limit, self.limit) * self.deviation);
        Ok(patches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_are_prepared_as_stated() {
        let images = leaves(Key::new(1)).unwrap();
        assert_eq!((images.len(), images[0].pixels.dim()), (LEAVES, (SIDE, SIDE, 1)));
        assert!(images[0].pixels != images[1].pixels);
        let recipe = PatchRecipe { side: 6, count: 500, cutoff: 0.35, limit: 3.0, deviation: 0.5 };
        let patches = recipe.draw(&images, Key::new(2)).unwrap();
        assert_eq!(patches.dim(), (500, 36));
        assert!(patches.iter().all(|value| value.abs() <= 1.5));
        // What is cut off makes it smaller, and by little.
        let deviation = patches.mapv(|value| value * value).mean().unwrap().sqrt();
        assert!((0.4..0.5).contains(&deviation), "{deviation}");
        // A spectrum that is even up to the cutoff: pixels three apart hardly go together any more. Their correlation is
        // −0.18 for that spectrum and patches without means, and 500 patches of heavy tails leave 0.1 of doubt.
        let [left, right] = [12, 15].map(|pixel| patches.column(pixel));
        let correlation = left.dot(&right) / (left.dot(&left) * right.dot(&right)).sqrt();
        assert!(correlation.abs() < 0.35, "{correlation}");
        assert!(PatchRecipe { side: 300, ..recipe }.draw(&images, Key::new(2)).is_err());
    }
}
