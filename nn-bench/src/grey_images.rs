//! Grey images with few labels: what experiments on filters learn from.

use std::path::Path;

use ndarray::{Array2, Axis, Slice};
use nn_conv::LocalContrastNormalization;
use nn_core::network::named;
use nn_core::{Dataset, Device, Key, Loss, Network};
use nn_data::augment::{Crop, map_images};
use nn_data::image_folder::{self, Colour, Reading, Size};
use nn_data::{DataError, Images};

use crate::cifar_files;
use crate::digits::{DigitSet, Digits, classes_of};
use crate::features::Task;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Where images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreySet {
    /// The digits that are part of the program.
    Digits,
    /// CIFAR-10, from the folder of the data files.
    Cifar10,
    /// The folder of the data files, or `101_ObjectCategories` in it, with a folder a class, brought to squares of this
    /// side whatever becomes of the proportions.
    Folder {
        /// Pixels.
        side: usize,
    },
}

/// How images become what networks see: local contrast normalisation, then the edges are cut off.
#[derive(Clone, Copy, Debug)]
pub struct Preparation {
    /// Pixels on a side of the surround; its Gaussian has a deviation of a fifth of that.
    pub surround: usize,
    /// Rows and columns cut off at each edge afterwards.
    pub margin: usize,
}

/// How many images are labelled and tested.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// Labelled training images of each class, drawn at random.
    pub of_each_class: usize,
    /// Test images at most, the first ones.
    pub tests: usize,
}

/// Images of several classes.
#[derive(Debug)]
pub struct GreyImages {
    train: Images,
    /// None where the images that are not drawn for training are those of the test.
    test: Option<Images>,
}

/// The folder within Caltech-101 that holds those of the classes.
const CALTECH_PART: &str = "101_ObjectCategories";

impl GreyImages {
    /// Loads the images and puts their check sums into the report.
    ///
    /// # Errors
    /// If files are absent or damaged, or no folder was named.
    pub fn load(run: &mut Run, set: GreySet) -> Result<GreyImages, RunError> {
        Ok(match set {
            GreySet::Digits => {
                let Digits { train, test } = Digits::load(run, DigitSet::Embedded)?;
                GreyImages { train, test: Some(test) }
            }
            GreySet::Cifar10 => {
                let (train, test) = cifar_files::load(run)?;
                GreyImages { train, test: Some(test) }
            }
            GreySet::Folder { side } => {
                let train = folder(run.data_folder()?, side).while_doing("reading the folders of classes")?;
                run.report.setting("images in the folders", train.len());
                GreyImages { train, test: None }
            }
        })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.train.classes()
    }

    /// Pixels on a side of a prepared image, if images are square.
    pub fn side(&self, preparation: Preparation) -> usize {
        self.train.height() - 2 * preparation.margin
    }

    /// Draws labelled images and prepares them and those of the test.
    ///
    /// # Errors
    /// If a class has too few images, or images are smaller than a surround.
    pub fn task(
        &self,
        device: &Device,
        amounts: Amounts,
        preparation: Preparation,
        key: Key,
    ) -> Result<Task, RunError> {
        let doing = "choosing labelled images";
        let (count, mut generator) = (amounts.of_each_class, key.generator());
        let first = |images: &Images| {
            images.rows(&(0..images.len().min(amounts.tests)).collect::<Vec<_>>()).while_doing(doing)
        };
        let (train, test) = match &self.test {
            Some(test) => {
                let train = self.train.draw_of_each_class(count, &mut generator);
                (train.while_doing(doing)?, first(test)?)
            }
            None => {
                let parts = self.train.split_each_class(count, &mut generator);
                let (rest, train) = parts.while_doing(doing)?;
                (train, first(&rest)?)
            }
        };
        let prepared = |images: &Images| -> Result<Dataset, RunError> {
            let pixels = preparation.apply(device, images)?;
            Dataset::labelled(device, pixels.view(), &classes_of(images), images.classes())
                .while_doing("uploading the images")
        };
        Ok(Task { train: prepared(&train)?, test: prepared(&test)? })
    }

    /// Draws training images, whose labels are not looked at, and prepares them: images × pixels. All if there are not that
    /// many.
    ///
    /// # Errors
    /// If images are smaller than a surround.
    pub fn unlabelled(
        &self,
        device: &Device,
        count: usize,
        preparation: Preparation,
        key: Key,
    ) -> Result<Array2<f32>, RunError> {
        let mut rows: Vec<usize> = (0..self.train.len()).collect();
        rows.sort_by(|&one, &other| key.uniform(one as u64).total_cmp(&key.uniform(other as u64)));
        rows.truncate(count);
        let images = self.train.rows(&rows).while_doing("choosing images without labels")?;
        preparation.apply(device, &images)
    }
}

/// The images of class folders, grey.
fn folder(root: &Path, side: usize) -> Result<Images, DataError> {
    let part = root.join(CALTECH_PART).is_dir().then(|| CALTECH_PART.to_string());
    let size = Size::Stretched { height: side, width: side };
    let read = image_folder::read(root, &Reading { part, size, colour: Colour::Grey, ..Reading::default() })?;
    Ok(read.images)
}

impl Preparation {
    fn apply(self, device: &Device, images: &Images) -> Result<Array2<f32>, RunError> {
        let doing = "normalising the contrast of images";
        let (size, margin) = ([images.height(), images.width(), 1], self.margin);
        let normalization = LocalContrastNormalization::new(size, self.surround, self.surround as f64 / 5.0);
        let layers = vec![named("contrast", normalization.while_doing(doing)?)];
        let network = Network::new(layers, Loss::SquaredError).while_doing(doing)?;
        let pixels = device.tensor(&grey(images));
        let normalized = network.activity(pixels.view(), 1).to_array().while_doing(doing)?;
        if margin == 0 {
            return Ok(normalized);
        }
        let cut = [size[0] - 2 * margin, size[1] - 2 * margin, 1];
        let centre = Crop::centre([size[0], size[1]], [cut[0], cut[1]]);
        Ok(map_images(normalized.view(), size, cut, |_, image, out| centre.apply_into(image, out)))
    }
}

/// Images × pixels in [0, 1]; of colours 0.2126 red + 0.7152 green + 0.0722 blue.
fn grey(images: &Images) -> Array2<f32> {
    let values = images.to_f32();
    if images.channels() == 1 {
        return values;
    }
    let colour = |channel: isize| values.slice_axis(Axis(1), Slice::new(channel, None, 3));
    &colour(0) * 0.2126 + &colour(1) * 0.7152 + &colour(2) * 0.0722
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Picture, RgbImage};
    use std::fs;

    /// Two classes of three images of 12 × 10 pixels, below `part`.
    fn folders(part: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for class in ["ants", "bees"] {
            let of_class = folder.path().join(part).join(class);
            fs::create_dir_all(&of_class).unwrap();
            for number in 0..3u8 {
                let shade = 40 * number + 100 * u8::from(class == "bees");
                let bytes = (0..12 * 10u32).flat_map(|at| [shade, (at % 7) as u8, 9]).collect();
                let picture = RgbImage::from_bytes(10, 12, bytes).unwrap();
                fs::write(of_class.join(format!("{number}.png")), picture.to_png().unwrap()).unwrap();
            }
        }
        folder
    }

    #[test]
    fn folders_of_classes_become_tasks_with_the_rest_as_test() {
        let device = Device::cpu();
        for part in ["", CALTECH_PART] {
            let read = folder(folders(part).path(), 11).unwrap();
            assert_eq!((read.len(), read.classes(), read.height(), read.channels()), (6, 2, 11, 1));
            let images = GreyImages { train: read, test: None };
            let preparation = Preparation { surround: 3, margin: 2 };
            assert_eq!((images.side(preparation), images.classes()), (7, 2));
            let amounts = Amounts { of_each_class: 2, tests: usize::MAX };
            let Task { train, test } = images.task(&device, amounts, preparation, Key::new(1)).unwrap();
            assert_eq!((train.len(), test.len(), train.columns(), test.columns()), (4, 2, 49, 49));
            let unlabelled = |count| images.unlabelled(&device, count, preparation, Key::new(2)).unwrap();
            assert_eq!((unlabelled(4).dim(), unlabelled(9).dim()), ((4, 49), (6, 49)));
            assert_eq!(unlabelled(4), unlabelled(9).slice_axis(Axis(0), Slice::from(..4)));
            let counts = test.targets().unwrap().to_array().unwrap().sum_axis(ndarray::Axis(0));
            assert_eq!(counts, ndarray::arr1(&[1.0, 1.0]));
            let none = Amounts { of_each_class: 4, ..amounts };
            let message = images.task(&device, none, preparation, Key::new(1)).unwrap_err();
            assert!(crate::run_error::one_line(&message).contains("class 0 has 3"), "{message}");
        }
        assert!(folder(tempfile::tempdir().unwrap().path(), 11).is_err());
    }

    #[test]
    fn an_image_is_normalised_before_its_edges_are_cut_off() {
        let pixels = Array2::from_shape_fn((1, 81), |(_, at)| ((at * 37) % 200) as u8);
        let images = Images::new(pixels, [9, 9, 1], Some(vec![0]), 1, "x").unwrap();
        let apply = |margin| Preparation { surround: 5, margin }.apply(&Device::cpu(), &images).unwrap();
        let (whole, cut) = (apply(0), apply(3));
        assert_eq!((whole.ncols(), cut.ncols()), (81, 9));
        for (at, value) in cut.iter().enumerate() {
            assert_eq!(*value, whole[[0, (3 + at / 3) * 9 + 3 + at % 3]]);
        }
    }

    #[test]
    fn colours_become_grey_by_their_brightness() {
        let pixels = ndarray::arr2(&[[255u8, 0, 0, 0, 255, 0], [0, 0, 255, 255, 255, 255]]);
        let images = Images::new(pixels, [1, 2, 3], None, 1, "x").unwrap();
        let expected = ndarray::arr2(&[[0.2126f32, 0.7152], [0.0722, 1.0]]);
        assert!((grey(&images) - expected).iter().all(|off| off.abs() < 1e-6));
    }
}
