//! The official data sets: their files, addresses and check sums, and where the files lie on the disk.
//!
//! A root folder holds one folder a data set: `root/mnist/train-images-idx3-ubyte.gz` and so on,
//! `root/fashion-mnist/...`. The four files are also accepted directly in the root, and unpacked, without
//! `.gz`.

use std::path::{Path, PathBuf};

use crate::checksum::sha256_of_unpacked;
use crate::{DataError, Images, fashion_mnist, mnist};

/// A data set of labelled images that consists of four IDX files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dataset {
    /// Handwritten digits: see [`mnist`].
    Mnist,
    /// Articles of clothing: see [`fashion_mnist`].
    FashionMnist,
}

/// One of the files of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfficialFile {
    /// Name without the ending `.gz`, under which it lies on the disk when unpacked.
    pub name: &'static str,
    /// SHA-256 of the unpacked content, in hexadecimal.
    ///
    /// The packed bytes are not compared: copies that were packed again hold the same data.
    pub sha256: &'static str,
}

impl OfficialFile {
    /// Name with the ending `.gz`, under which it is distributed.
    pub fn packed_name(&self) -> String {
        format!("{}.gz", self.name)
    }
}

impl Dataset {
    /// All data sets.
    pub const ALL: [Self; 2] = [Self::Mnist, Self::FashionMnist];

    /// Name as in publications.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "MNIST",
            Self::FashionMnist => "Fashion-MNIST",
        }
    }

    /// Name of the folder below a root folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::FashionMnist => "fashion-mnist",
        }
    }

    /// Official address of the folder of the packed files, with a slash at its end.
    pub fn address(self) -> &'static str {
        match self {
            Self::Mnist => mnist::ADDRESS,
            Self::FashionMnist => fashion_mnist::ADDRESS,
        }
    }

    /// The four files: training images and labels, test images and labels.
    pub fn files(self) -> &'static [OfficialFile; 4] {
        match self {
            Self::Mnist => &mnist::FILES,
            Self::FashionMnist => &fashion_mnist::FILES,
        }
    }

    /// Finds the four files in `root/mnist` (or the folder of the other data set), or directly in `root`.
    ///
    /// The first of these folders that holds any of the files has to hold all of them; of a file that is
    /// there both packed and unpacked, the packed one is taken.
    ///
    /// # Errors
    ///
    /// [`DataError::DatasetAbsent`] for the first file that is missing.
    pub fn find(self, root: &Path) -> Result<DatasetFiles, DataError> {
        self.find_or_explain(root, "nothing is downloaded into a folder of data")
    }

    fn find_or_explain(self, root: &Path, note: &'static str) -> Result<DatasetFiles, DataError> {
        let own = root.join(self.folder());
        let holds_any = |folder: &PathBuf| self.files().iter().any(|file| present(folder, file).is_some());
        let folder = [own.clone(), root.to_path_buf()].into_iter().find(holds_any).unwrap_or(own);
        let path = |index: usize| {
            let file = &self.files()[index];
            present(&folder, file).ok_or_else(|| self.absent(file, &folder, note))
        };
        Ok(DatasetFiles {
            dataset: self,
            train_images: path(0)?,
            train_labels: path(1)?,
            test_images: path(2)?,
            test_labels: path(3)?,
        })
    }

    fn absent(self, file: &OfficialFile, folder: &Path, note: &'static str) -> DataError {
        DataError::DatasetAbsent {
            dataset: self.name(),
            path: folder.join(file.packed_name()),
            note,
            address: format!("{}{}", self.address(), file.packed_name()),
            sha256: file.sha256,
        }
    }
}

/// Where a file lies in a folder, packed or not.
pub(crate) fn present(folder: &Path, file: &OfficialFile) -> Option<PathBuf> {
    [folder.join(file.packed_name()), folder.join(file.name)].into_iter().find(|path| path.is_file())
}

/// Finds a data set without downloading: in `data_dir` alone if it is given, otherwise in `cache_dir`.
///
/// A folder of data that is named is meant: where a file is missing there, that is an error, and the cache is
/// not looked into. Both folders are laid out as described in [`dataset`](crate::dataset). To download what
/// is missing in the cache, use `fetch::locate_or_fetch` (feature `fetch`).
///
/// # Errors
///
/// [`DataError::DatasetAbsent`] with the file, its address, its check sum and the folder to put it into.
pub fn locate(
    dataset: Dataset,
    data_dir: Option<&Path>,
    cache_dir: &Path,
) -> Result<DatasetFiles, DataError> {
    match data_dir {
        Some(root) => dataset.find_or_explain(root, "a folder of data was given, so nothing is downloaded"),
        None => {
            dataset.find_or_explain(cache_dir, "no folder of data was given, and the cache does not hold it")
        }
    }
}

/// The four files of a data set on the disk, each packed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFiles {
    /// The data set.
    pub dataset: Dataset,
    /// Training images.
    pub train_images: PathBuf,
    /// Training labels.
    pub train_labels: PathBuf,
    /// Test images.
    pub test_images: PathBuf,
    /// Test labels.
    pub test_labels: PathBuf,
}

impl DatasetFiles {
    /// Reads training and test images with their labels, ten classes.
    ///
    /// The content is not compared with the official check sums, so that altered copies can be used (see
    /// [`verify`](Self::verify)); but labels that are officially those of another data set, whose files have
    /// the same names, are refused.
    ///
    /// # Errors
    ///
    /// Those of [`Images::read_idx`], and [`DataError::OtherDataset`].
    pub fn load(&self) -> Result<(Images, Images), DataError> {
        let found = sha256_of_unpacked(&self.train_labels)?;
        let has_these_labels = |other: &Dataset| other.files()[1].sha256 == found;
        if let Some(other) =
            Dataset::ALL.into_iter().find(has_these_labels).filter(|&other| other != self.dataset)
        {
            let path = self.train_labels.clone();
            return Err(DataError::OtherDataset { path, found: other.name(), wanted: self.dataset.name() });
        }
        let train = Images::read_idx(&self.train_images, Some(&self.train_labels), 10)?;
        let test = Images::read_idx(&self.test_images, Some(&self.test_labels), 10)?;
        Ok((train, test))
    }

    /// Checks that the unpacked content of all four files is the official one.
    ///
    /// # Errors
    ///
    /// [`DataError::SumMismatch`] for the first file that differs, and the errors of reading.
    pub fn verify(&self) -> Result<(), DataError> {
        let paths = [&self.train_images, &self.train_labels, &self.test_images, &self.test_labels];
        for (path, file) in paths.into_iter().zip(self.dataset.files()) {
            let found = sha256_of_unpacked(path)?;
            if found != file.sha256 {
                return Err(DataError::SumMismatch { path: path.clone(), found, wanted: file.sha256.into() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Four small files in a folder; all digits of the set are `digit`.
    fn put(folder: &Path, digit: u8, ending: &str) {
        fs::create_dir_all(folder).unwrap();
        for file in Dataset::Mnist.files() {
            let labels: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 1, digit];
            let images: &[u8] = &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, digit];
            let content = if file.name.contains("labels") { labels } else { images };
            fs::write(folder.join(format!("{}{ending}", file.name)), content).unwrap();
        }
    }

    #[test]
    fn the_own_folder_comes_before_the_root_and_packed_before_unpacked() {
        let root = tempfile::tempdir().unwrap();
        let digit = |dataset: Dataset| {
            let (train, test) = dataset.find(root.path())?.load()?;
            assert_eq!(train, test);
            Ok::<_, DataError>(train.labels().unwrap()[0])
        };
        put(root.path(), 1, "");
        assert_eq!(digit(Dataset::Mnist).unwrap(), 1);
        put(root.path(), 2, ".gz");
        assert_eq!(digit(Dataset::Mnist).unwrap(), 2);
        put(&root.path().join("mnist"), 3, "");
        assert_eq!(digit(Dataset::Mnist).unwrap(), 3);
        assert_eq!(digit(Dataset::FashionMnist).unwrap(), 2, "its own folder is absent");
        fs::remove_file(root.path().join("mnist/t10k-labels-idx1-ubyte")).unwrap();
        let error = digit(Dataset::Mnist).unwrap_err().to_string();
        assert!(
            error.contains("mnist/t10k-labels-idx1-ubyte.gz: MNIST is not complete"),
            "files are not mixed"
        );
    }

    #[test]
    fn an_absent_data_set_is_explained() {
        let root = tempfile::tempdir().unwrap();
        let error = Dataset::FashionMnist.find(root.path()).unwrap_err().to_string();
        let file = &fashion_mnist::FILES[0];
        let folder = root.path().join("fashion-mnist");
        for part in [file.sha256, fashion_mnist::ADDRESS, &file.packed_name(), folder.to_str().unwrap()] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_given_folder_of_data_is_the_only_one() {
        let (data, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(&cache.path().join("mnist"), 1, ".gz");
        let error = locate(Dataset::Mnist, Some(data.path()), cache.path()).unwrap_err().to_string();
        assert!(error.contains("a folder of data was given"), "{error}");
        assert!(error.contains(data.path().to_str().unwrap()), "{error}");
        let files = locate(Dataset::Mnist, None, cache.path()).unwrap();
        assert_eq!(files.test_labels, cache.path().join("mnist/t10k-labels-idx1-ubyte.gz"));
        let error = locate(Dataset::FashionMnist, None, data.path()).unwrap_err().to_string();
        assert!(error.contains("no folder of data was given"), "{error}");
        put(data.path(), 2, "");
        assert_eq!(
            locate(Dataset::Mnist, Some(data.path()), cache.path()).unwrap().load().unwrap().0.len(),
            1
        );
    }

    #[test]
    fn content_that_is_not_official_is_noticed_when_asked() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), 1, "");
        let error = Dataset::Mnist.find(root.path()).unwrap().verify().unwrap_err();
        assert!(matches!(&error, DataError::SumMismatch { wanted, .. } if wanted == mnist::FILES[0].sha256));
    }
}
