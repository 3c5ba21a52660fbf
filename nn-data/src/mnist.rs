//! MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 by 28 pixels, grey.
//!
//! The MNIST database of handwritten digits is by Yann LeCun and Corinna Cortes and is distributed under the
//! terms of Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0). It is described in LeCun, Bottou,
//! Bengio and Haffner, "Gradient-based learning applied to document recognition", Proceedings of the IEEE
//! 86(11), 1998. Ink is 255, paper 0.
//!
//! [`embedded`] gives a balanced subset that is part of this crate, unaltered images under the same terms:
//! the first 400 of each digit of the training set and the first 100 of each digit of the test set, in the
//! order of the official files. It serves tests, examples and first trials; error rates on it are not
//! comparable to published ones. [`load`] reads the whole set.

use std::path::Path;

use crate::dataset::{Dataset, OfficialFile};
use crate::{DataError, Images, idx};

/// Folder of the packed files; the mirror to which the authors' page refers.
pub const ADDRESS: &str = "https://ossci-datasets.s3.amazonaws.com/mnist/";

/// Training images and labels, test images and labels.
pub const FILES: [OfficialFile; 4] = [
    OfficialFile {
        name: "train-images-idx3-ubyte",
        sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    OfficialFile {
        name: "train-labels-idx1-ubyte",
        sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    OfficialFile {
        name: "t10k-images-idx3-ubyte",
        sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    OfficialFile {
        name: "t10k-labels-idx1-ubyte",
        sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
];

/// Training images of each digit in the embedded subset.
pub const EMBEDDED_TRAIN_PER_CLASS: usize = 400;

/// Test images of each digit in the embedded subset.
pub const EMBEDDED_TEST_PER_CLASS: usize = 100;

/// The embedded subset: 4,000 training images and 1,000 test images with their labels.
///
/// The digits are in the order of the official files, and so mixed.
///
/// # Errors
///
/// None that can occur while the crate is intact; the data is decoded and checked like that of any file.
pub fn embedded() -> Result<(Images, Images), DataError> {
    let part = |images: &[u8], labels: &[u8], name: &str| {
        let images = idx::decode_images(images, Path::new(name))?;
        let labels = idx::decode_labels(labels, Path::new(name))?;
        Images::new(images.pixels, [images.rows, images.columns, 1], Some(labels), 10, name)
    };
    let [train_images, train_labels, test_images, test_labels] = embedded_files().map(|(_, bytes)| bytes);
    Ok((
        part(train_images, train_labels, "embedded MNIST training subset")?,
        part(test_images, test_labels, "embedded MNIST test subset")?,
    ))
}

/// Name and packed bytes of each file of the embedded subset, for check sums in reports.
pub fn embedded_files() -> [(&'static str, &'static [u8]); 4] {
    [
        ("train-images-idx3-ubyte.gz", include_bytes!("../data/mnist-subset/train-images-idx3-ubyte.gz")),
        ("train-labels-idx1-ubyte.gz", include_bytes!("../data/mnist-subset/train-labels-idx1-ubyte.gz")),
        ("t10k-images-idx3-ubyte.gz", include_bytes!("../data/mnist-subset/t10k-images-idx3-ubyte.gz")),
        ("t10k-labels-idx1-ubyte.gz", include_bytes!("../data/mnist-subset/t10k-labels-idx1-ubyte.gz")),
    ]
}

/// Training and test images of the whole set, from `root/mnist` or directly from `root`.
///
/// # Errors
///
/// Those of [`Dataset::find`] and [`DatasetFiles::load`](crate::DatasetFiles::load).
pub fn load(root: &Path) -> Result<(Images, Images), DataError> {
    Dataset::Mnist.find(root)?.load()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::sha256;

    #[test]
    fn the_embedded_subset_is_balanced() {
        let (train, test) = embedded().unwrap();
        assert_eq!((train.len(), test.len()), (4000, 1000));
        assert_eq!(train.class_counts().unwrap(), [EMBEDDED_TRAIN_PER_CLASS; 10]);
        assert_eq!(test.class_counts().unwrap(), [EMBEDDED_TEST_PER_CLASS; 10]);
        for part in [&train, &test] {
            assert_eq!((part.height(), part.width(), part.channels(), part.classes()), (28, 28, 1, 10));
            assert!(part.pixels().rows().into_iter().all(|image| image.iter().any(|&value| value > 128)));
        }
        // The official files begin with these labels, and the subset with the same images.
        assert_eq!(train.labels().unwrap()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
        assert_eq!(test.labels().unwrap()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
    }

    #[test]
    fn the_embedded_subset_has_the_recorded_sums() {
        let (train, test) = embedded().unwrap();
        let pixels = |part: &Images| sha256(part.pixels().as_slice().unwrap()).unwrap();
        let labels = |part: &Images| sha256(part.labels().unwrap()).unwrap();
        assert_eq!(pixels(&train), "c6aa175e058d8ef3a96fb00bfccdb5549d00e147e72c47b79c3a0907d44d7d89");
        assert_eq!(labels(&train), "39bbc0270774c345707a1de9a38fd0744b26e43dfac434a914041a8deceddb72");
        assert_eq!(pixels(&test), "6973118ee26132cec5e8bca46303f598e8d7f3fd72a7056c43f828e761c432f0");
        assert_eq!(labels(&test), "dd09f7c420b0ae3b12e27577950099656961d334160a05f57159510b1011915e");
    }
}
