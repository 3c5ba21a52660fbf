//! CIFAR-10 and CIFAR-100: 50,000 training and 10,000 test images of things and animals, 32 by 32 pixels, in
//! colour, in ten or a hundred classes.
//!
//! By Alex Krizhevsky, Vinod Nair and Geoffrey Hinton, described in Krizhevsky, "Learning multiple layers of
//! features from tiny images", 2009; the archives are at [`ADDRESS`]. What was unpacked from any of the three
//! official ones is read, and so are copies as one image file each ([`Form`]).
//!
//! Whatever the form, images come with the channel last, and those of different classes are mixed, as in the
//! official files, so that minibatches in the order of the files are useful. Of CIFAR-100, the hundred fine
//! classes are the labels.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Ix2};

use crate::mat::MatFile;
use crate::pickle::Pickle;
use crate::planar::channel_last;
use crate::unpack::read_whole;
use crate::{DataError, Images};

/// The page of the data sets.
pub const ADDRESS: &str = "https://www.cs.toronto.edu/~kriz/cifar.html";

/// Names of the ten classes of CIFAR-10, in the order of the labels.
pub const CLASS_NAMES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

const AREA: usize = 32 * 32;
const VALUES: usize = 3 * AREA;

/// One of the two data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cifar {
    /// Ten classes.
    Ten,
    /// A hundred classes.
    Hundred,
}

/// How a copy of a data set lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `data_batch_1.bin` to `_5` and `test_batch.bin` (`train.bin`, `test.bin`): a record an image, its
    /// label and its three planes.
    Binary,
    /// `data_batch_1` to `_5` and `test_batch` (`train`, `test`): Python pickles, a row an image.
    Pickle,
    /// `data_batch_1.mat` to `_5` and `test_batch.mat` (`train.mat`, `test.mat`), a row an image.
    Matlab,
    /// Folders `train` and `test`, each with a folder a class, in a directory or in an archive whose name
    /// begins with `cifar10` or `cifar100` and ends in `.tar`, `.tar.gz` or `.tgz`. Needs the feature
    /// `images`. JPEG copies hold altered pixels: error rates on them are not those of the official files.
    ImageTree,
}

/// The files of a copy of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CifarFiles {
    /// The data set.
    pub set: Cifar,
    /// Their form.
    pub form: Form,
    /// Training files in order; for an image tree, the directory or archive.
    pub train: Vec<PathBuf>,
    /// The test file; for an image tree, the directory or archive.
    pub test: PathBuf,
}

impl Cifar {
    /// Number of classes.
    pub fn classes(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ten => "CIFAR-10",
            Self::Hundred => "CIFAR-100",
        }
    }

    fn folders(self) -> [&'static str; 4] {
        match self {
            Self::Ten => ["cifar10", "cifar-10-batches-bin", "cifar-10-batches-py", "cifar-10-batches-mat"],
            Self::Hundred => ["cifar100", "cifar-100-binary", "cifar-100-python", "cifar-100-matlab"],
        }
    }

    /// Names of training and test files without their ending.
    fn stems(self) -> (Vec<String>, &'static str) {
        match self {
            Self::Ten => ((1..=5).map(|batch| format!("data_batch_{batch}")).collect(), "test_batch"),
            Self::Hundred => (vec!["train".into()], "test"),
        }
    }

    /// Finds a copy in `root/cifar10` (`root/cifar100`), in `root`, or in the folders of these two that the
    /// official archives unpack to, in this order, and the forms in the order of [`Form`].
    ///
    /// # Errors
    ///
    /// [`DataError::NotFound`] with what was looked for, [`DataError::Absent`] for the first file that is
    /// missing of a copy that is not complete.
    pub fn find(self, root: &Path) -> Result<CifarFiles, DataError> {
        let [own, official @ ..] = self.folders();
        let bases = [root.join(own), root.to_path_buf()];
        let unpacked = |base: &PathBuf| official.map(|name| base.join(name));
        let folders = bases.iter().flat_map(|base| std::iter::once(base.clone()).chain(unpacked(base)));
        for folder in folders {
            if let Some(files) = self.find_in(&folder)? {
                return Ok(files);
            }
        }
        let (train, _) = self.stems();
        let looked_for = format!(
            "{0}.bin, {0} (Python), {0}.mat, folders train and test, {own}*.tar.gz, each here, in {own} \
             and in {1}; the archives are at {ADDRESS}",
            train[0],
            official.join(", ")
        );
        Err(DataError::NotFound { folder: root.into(), dataset: self.name(), looked_for })
    }

    fn find_in(self, folder: &Path) -> Result<Option<CifarFiles>, DataError> {
        let (train, test) = self.stems();
        for (form, ending) in [(Form::Binary, ".bin"), (Form::Pickle, ""), (Form::Matlab, ".mat")] {
            let path = |stem: &str| folder.join(format!("{stem}{ending}"));
            let train: Vec<PathBuf> = train.iter().map(|stem| path(stem)).collect();
            let files = CifarFiles { set: self, form, train, test: path(test) };
            let all = || files.train.iter().chain([&files.test]);
            if all().any(|path| path.is_file()) {
                let missing = all().find(|path| !path.is_file()).cloned();
                return missing.map_or(Ok(Some(files)), |path| Err(DataError::Absent { path }));
            }
        }
        let tree = |path: PathBuf| CifarFiles {
            set: self,
            form: Form::ImageTree,
            train: vec![path.clone()],
            test: path,
        };
        if folder.join("train").is_dir() && folder.join("test").is_dir() {
            return Ok(Some(tree(folder.into())));
        }
        let is_archive = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            // `cifar100.tar` does not hold CIFAR-10.
            let rest = name
                .strip_prefix(self.folders()[0])
                .filter(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()));
            rest.is_some_and(|rest| [".tar", ".tar.gz", ".tgz"].iter().any(|ending| rest.ends_with(ending)))
        };
        let Ok(entries) = folder.read_dir() else { return Ok(None) };
        let archive = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_archive).min();
        Ok(archive.map(tree))
    }
}

/// Training and test images of CIFAR-10; see [`Cifar::find`] for where they are looked for.
///
/// # Errors
///
/// Those of [`Cifar::find`] and [`CifarFiles::load`].
pub fn load(root: &Path) -> Result<(Images, Images), DataError> {
    Cifar::Ten.find(root)?.load()
}

impl CifarFiles {
    /// Reads training and test images: rows of 3072 bytes, 32 × 32 × 3 with the channel last.
    ///
    /// # Errors
    ///
    /// Files that are absent, cut off or of another format ([`DataError::Malformed`] with file and record),
    /// labels out of range, and [`DataError::NeedsFeature`] for an image tree.
    pub fn load(&self) -> Result<(Images, Images), DataError> {
        if self.form == Form::ImageTree {
            return Ok((self.tree("train", &self.train[0])?, self.tree("test", &self.test)?));
        }
        let part = |files: &[PathBuf]| {
            let (mut pixels, mut labels) = (Vec::new(), Vec::new());
            for file in files {
                match self.form {
                    Form::Binary => self.binary(file, &mut pixels, &mut labels)?,
                    Form::Pickle => self.pickled(file, &mut pixels, &mut labels)?,
                    _ => self.matlab(file, &mut pixels, &mut labels)?,
                }
            }
            let pixels = Array2::from_shape_vec((labels.len(), VALUES), pixels)
                .expect("each file gave as many labels as images");
            let origin = files.first().map(|file| file.display().to_string()).unwrap_or_default();
            Images::new(pixels, [32, 32, 3], Some(labels), self.set.classes(), &origin)
        };
        Ok((part(&self.train)?, part(std::slice::from_ref(&self.test))?))
    }

    fn binary(&self, file: &Path, pixels: &mut Vec<u8>, labels: &mut Vec<u8>) -> Result<(), DataError> {
        // CIFAR-100 has the coarse label first.
        let before = if self.set == Cifar::Ten { 1 } else { 2 };
        let length = before + VALUES;
        let bytes = read_whole(file, 1 << 30)?;
        let records = bytes.chunks_exact(length);
        let (whole, rest) = (records.len(), records.remainder().len());
        if rest != 0 || whole == 0 {
            let fault = format!("{rest} bytes instead of the {length} of a record of {}", self.set.name());
            let remedy = "the file is cut off or of another format; obtain it again";
            return Err(DataError::malformed(file, format!("record {whole}"), fault, remedy));
        }
        for (number, record) in records.enumerate() {
            let (label, planes) = (record[before - 1], &record[before..]);
            self.check_label(file, number, label.into())?;
            labels.push(label);
            pixels.extend(channel_last(3, AREA, |at| planes[at]));
        }
        Ok(())
    }

    fn pickled(&self, file: &Path, pixels: &mut Vec<u8>, labels: &mut Vec<u8>) -> Result<(), DataError> {
        let pickle = Pickle::read(file)?;
        let key = if self.set == Cifar::Ten { "labels" } else { "fine_labels" };
        let numbers = pickle.root().entry(key)?.integers()?;
        let data = pickle.root().entry("data")?.array()?;
        self.rows(file, data.to_u8(), data.shape(), numbers, pixels, labels)
    }

    fn matlab(&self, file: &Path, pixels: &mut Vec<u8>, labels: &mut Vec<u8>) -> Result<(), DataError> {
        let variables = MatFile::read(file)?;
        let key = if self.set == Cifar::Ten { "labels" } else { "fine_labels" };
        let numbers = variables.variable(key)?.to_i64().map(|numbers| numbers.into_iter().collect());
        let wrong = || DataError::malformed(file, key, "labels that are no integers", WRONG_FILE);
        let data = variables.variable("data")?;
        self.rows(file, data.to_u8(), data.shape(), numbers.ok_or_else(wrong)?, pixels, labels)
    }

    /// Images that are rows of planes.
    fn rows(
        &self,
        file: &Path,
        data: Option<ndarray::ArrayD<u8>>,
        shape: &[usize],
        numbers: Vec<i64>,
        pixels: &mut Vec<u8>,
        labels: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let data = data.and_then(|data| data.into_dimensionality::<Ix2>().ok());
        let Some(data) = data.filter(|data| data.ncols() == VALUES) else {
            let fault = format!("an array of shape {shape:?} instead of a row of {VALUES} bytes an image");
            return Err(DataError::malformed(file, "entry 'data'", fault, WRONG_FILE));
        };
        if numbers.len() != data.nrows() {
            let origin = file.display().to_string();
            return Err(DataError::LabelCount { origin, labels: numbers.len(), images: data.nrows() });
        }
        for (number, (planes, &label)) in data.rows().into_iter().zip(&numbers).enumerate() {
            labels.push(self.check_label(file, number, label)?);
            pixels.extend(channel_last(3, AREA, |at| planes[at]));
        }
        Ok(())
    }

    fn check_label(&self, file: &Path, number: usize, label: i64) -> Result<u8, DataError> {
        let classes = self.set.classes();
        u8::try_from(label).ok().filter(|&label| usize::from(label) < classes).ok_or_else(|| {
            let fault = format!("label {label}, but {} has {classes} classes", self.set.name());
            DataError::malformed(file, format!("record {number}"), fault, WRONG_FILE)
        })
    }

    #[cfg(feature = "images")]
    fn tree(&self, part: &str, path: &Path) -> Result<Images, DataError> {
        use crate::image_folder::{Reading, read};
        let found = read(path, &Reading { part: Some(part.into()), ..Reading::default() })?;
        let images = found.images;
        let wrong = |fault| DataError::malformed(path, format!("'{part}'"), fault, WRONG_FILE);
        if images.classes() != self.set.classes() {
            return Err(wrong(format!("{} folders instead of {}", images.classes(), self.set.classes())));
        }
        if (images.height(), images.width()) != (32, 32) {
            return Err(wrong(format!("images of {} by {} pixels", images.height(), images.width())));
        }
        // First the first of each class, then the second of each, and so on.
        let mut taken = vec![0usize; images.classes()];
        let mut order: Vec<(usize, usize)> = Vec::with_capacity(images.len());
        for (row, &label) in images.labels().unwrap_or_default().iter().enumerate() {
            order.push((taken[usize::from(label)], row));
            taken[usize::from(label)] += 1;
        }
        order.sort_unstable();
        images.rows(&order.into_iter().map(|(_, row)| row).collect::<Vec<_>>())
    }

    #[cfg(not(feature = "images"))]
    fn tree(&self, _part: &str, path: &Path) -> Result<Images, DataError> {
        Err(DataError::NeedsFeature { path: path.into(), feature: "images" })
    }
}

const WRONG_FILE: &str = "give the right file";

#[cfg(test)]
mod tests;
