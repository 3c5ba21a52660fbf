//! Fashion-MNIST: 60,000 training and 10,000 test images of articles of clothing, 28 by 28 pixels, grey.
//!
//! By Han Xiao, Kashif Rasul and Roland Vollgraf (Zalando Research), under the MIT licence; described in
//! "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017,
//! arXiv:1708.07747. The files have the names and the form of those of [MNIST](crate::mnist); the article is
//! bright, the ground 0.

use std::path::Path;

use crate::dataset::{Dataset, OfficialFile};
use crate::{DataError, Images};

/// Folder of the packed files.
pub const ADDRESS: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";

/// Training images and labels, test images and labels.
pub const FILES: [OfficialFile; 4] = [
    OfficialFile {
        name: "train-images-idx3-ubyte",
        sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    },
    OfficialFile {
        name: "train-labels-idx1-ubyte",
        sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    },
    OfficialFile {
        name: "t10k-images-idx3-ubyte",
        sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    },
    OfficialFile {
        name: "t10k-labels-idx1-ubyte",
        sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
];

/// Names of the ten classes, in the order of the labels.
pub const CLASS_NAMES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Training and test images, from `root/fashion-mnist` or directly from `root`.
///
/// # Errors
///
/// Those of [`Dataset::find`] and [`DatasetFiles::load`](crate::DatasetFiles::load).
pub fn load(root: &Path) -> Result<(Images, Images), DataError> {
    Dataset::FashionMnist.find(root)?.load()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mnist;

    #[test]
    fn the_names_are_those_of_mnist_and_the_sums_are_not() {
        for (fashion, digits) in FILES.iter().zip(&mnist::FILES) {
            assert_eq!(fashion.name, digits.name);
            assert_ne!(fashion.sha256, digits.sha256);
            assert!(fashion.sha256.len() == 64 && digits.sha256.len() == 64);
        }
    }

    #[test]
    fn an_absent_set_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(load(root.path()), Err(DataError::DatasetAbsent { dataset: "Fashion-MNIST", .. })));
    }
}
