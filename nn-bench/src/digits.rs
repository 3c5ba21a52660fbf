//! The handwritten digits that experiments learn from.

use std::path::PathBuf;

use nn_core::{Binarize, Dataset, Device, Key, Tensor};
use nn_data::{Images, mnist};

use crate::data_checksum::DataChecksum;
use crate::located_images;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Which digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitSet {
    /// 4,000 training and 1,000 test digits that are part of the program.
    Embedded,
    /// The 60,000 and 10,000 digits of MNIST, from the folder of the data files or the cache.
    Full,
}

/// Training and test digits.
#[derive(Debug)]
pub struct Digits {
    /// Training digits.
    pub train: Images,
    /// Test digits.
    pub test: Images,
}

/// The folder in which `nn-bench fetch` keeps what it downloads.
pub fn cache_folder() -> PathBuf {
    dirs::cache_dir().unwrap_or_else(std::env::temp_dir).join("nn-data")
}

impl Digits {
    /// Loads digits and puts their check sums into the report.
    ///
    /// # Errors
    /// If files are absent, damaged, or do not belong together.
    pub fn load(run: &mut Run, set: DigitSet) -> Result<Digits, RunError> {
        let doing = "loading digits";
        let (train, test) = match set {
            DigitSet::Embedded => {
                for (file, bytes) in mnist::embedded_files() {
                    let sha256 = nn_data::checksum::sha256(bytes).while_doing(doing)?;
                    let file = format!("embedded {file}");
                    run.report.data_checksum(DataChecksum { file, sha256, bytes: bytes.len() as u64 });
                }
                mnist::embedded().while_doing(doing)?
            }
            DigitSet::Full => {
                let [train, test] = located_images::load(run, nn_data::Dataset::Mnist)?;
                (train, test)
            }
        };
        run.report.setting("training digits", train.len());
        run.report.setting("test digits", test.len());
        Ok(Digits { train, test })
    }

    /// Training digits on a device, their pixels drawn anew, with their grey values as probabilities, whenever a case
    /// is used.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn training_set(&self, device: &Device) -> Result<Dataset, RunError> {
        let values = self.train.to_f32();
        nn_data::check_unit_interval(values.view(), "the training digits")
            .while_doing("checking the digits")?;
        Dataset::new(device, values.view(), Binarize::EachTime).while_doing("uploading the digits")
    }

    /// Test digits on a device, their pixels drawn once: the test set of every log-probability.
    ///
    /// # Errors
    /// If a value is not finite.
    pub fn binary_test_set(&self, device: &Device) -> Result<Tensor, RunError> {
        let values = self.test.to_f32();
        nn_data::check_unit_interval(values.view(), "the test digits").while_doing("checking the digits")?;
        let data =
            Dataset::new(device, values.view(), Binarize::Never).while_doing("uploading the digits")?;
        Ok(data.binarized(TEST_PIXELS))
    }
}

/// Images with their classes on a device, grey values in [0, 1]: what a classifier learns from and is tested on.
///
/// # Errors
/// If a label is no class, or there is no image.
pub fn labelled(device: &Device, images: &Images) -> Result<Dataset, RunError> {
    Dataset::labelled(device, images.to_f32().view(), &classes_of(images), CLASSES)
        .while_doing("uploading the digits")
}

/// The class of each image.
pub fn classes_of(images: &Images) -> Vec<usize> {
    images.labels().unwrap_or_default().iter().map(|label| usize::from(*label)).collect()
}

/// Ten digits.
pub const CLASSES: usize = 10;

/// Pixels on a side of a digit.
pub const SIDE: usize = 28;

/// The key of the fixed test pixels: the same test set for every seed of a run, so that figures compare.
const TEST_PIXELS: Key = Key::from_words([0x7465_7374, 0x7069_7865]);
