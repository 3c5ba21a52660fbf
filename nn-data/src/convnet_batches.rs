//! The data folders of cuda-convnet: `batches.meta` and `data_batch_1`, `data_batch_2`, ..., Python pickles.
//!
//! `batches.meta` holds `num_vis`, the values of an image, `data_mean`, their means, and `label_names`. A
//! batch holds `data`, num_vis × cases, **a column a case**, of bytes or floating-point numbers, and `labels`.
//! A batch can be divided into files `data_batch_1.1`, `data_batch_1.2` and so on, which as in cuda-convnet
//! take the place of a file `data_batch_1`, or be a folder of such files. Which batches train and which test is up to the run; for CIFAR-10, 1 to 5 and 6 are usual.
//!
//! In a column, the planes of the colours stand one after the other; here, as everywhere in this crate, rows
//! are images and the channel is last. (The official Python files of CIFAR-10 have a row a case: see
//! [`cifar`](crate::cifar).)

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, Ix2};

use crate::pickle::{Item, Pickle};
use crate::planar::channel_last;
use crate::{DataError, Images};

/// A data folder.
#[derive(Clone, Debug)]
pub struct ConvnetBatches {
    folder: PathBuf,
    /// The files of each batch, in order.
    batches: BTreeMap<u32, Vec<PathBuf>>,
    channels: usize,
    side: usize,
    mean: Option<Array1<f32>>,
    class_names: Vec<String>,
}

/// A batch.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvnetBatch {
    /// A row a case, cases × (side · side · channels), as they stand in the file: mostly 0 to 255.
    pub values: Array2<f32>,
    /// The class of each case.
    pub labels: Vec<u32>,
}

impl ConvnetBatches {
    /// Opens a folder; its images are squares of `channels` values a pixel, as the layer file says. Only
    /// `batches.meta` is read.
    ///
    /// # Errors
    ///
    /// [`DataError::Absent`], the errors of [`Pickle::read`], [`DataError::Malformed`] for missing entries and
    /// for a number of values that no square image has or a part of a batch that is missing,
    /// [`DataError::NotFound`] if there is no batch.
    pub fn open(folder: &Path, channels: usize) -> Result<Self, DataError> {
        let path = folder.join("batches.meta");
        let pickle = Pickle::read(&path)?;
        let entry = pickle.root().entry("num_vis")?;
        let values = entry.integer()?;
        let side =
            usize::try_from(values).ok().and_then(|values| side(values, channels)).ok_or_else(|| {
                let fault = format!("{values} values, which are no square image of {channels} channels");
                entry.fault(fault, "give the number of channels of these images")
            })?;
        let mean = pickle.root().find("data_mean")?.map(|item| mean(&item, channels, side)).transpose()?;
        let names = pickle.root().find("label_names")?;
        let class_names = names.map(|names| texts(&names)).transpose()?.unwrap_or_default();
        let batches = batches(folder)?;
        if batches.is_empty() {
            let looked_for = "data_batch_1, data_batch_2 and so on".into();
            return Err(DataError::NotFound { folder: folder.into(), dataset: "a batch", looked_for });
        }
        Ok(Self { folder: folder.into(), batches, channels, side, mean, class_names })
    }

    /// The numbers of the batches, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        self.batches.keys().copied().collect()
    }

    /// Height and width of the images in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Values a pixel.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Names of the classes in the order of the labels; none if the folder has none.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The mean of each value over the training images, side · side · channels; nothing if the folder has
    /// none.
    pub fn mean(&self) -> Option<&Array1<f32>> {
        self.mean.as_ref()
    }

    /// Reads a batch with all its parts.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for a batch that is not there, the errors of [`Pickle::read`], and
    /// [`DataError::Malformed`] for another shape, missing entries, and labels that are negative or without a
    /// name.
    pub fn read(&self, number: u32) -> Result<ConvnetBatch, DataError> {
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        let width = self.side * self.side * self.channels;
        for path in self.files(number)? {
            let pickle = Pickle::read(path)?;
            let columns = self.columns(&pickle, width)?.to_f32();
            let columns = columns.into_dimensionality::<Ix2>().expect("its shape was checked");
            for case in columns.columns() {
                values.extend(channel_last(self.channels, self.side * self.side, |at| case[at]));
            }
            labels.extend(self.labels(&pickle, columns.ncols())?);
        }
        let values = Array2::from_shape_vec((labels.len(), width), values)
            .expect("each part has as many labels as cases");
        Ok(ConvnetBatch { values, labels })
    }

    /// Reads several batches of bytes, at most 256 classes, as one set of images.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read), [`DataError::Malformed`] for values that are no bytes, and those of
    /// [`Images::new`].
    pub fn images(&self, numbers: &[u32]) -> Result<Images, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let width = self.side * self.side * self.channels;
        for &number in numbers {
            for path in self.files(number)? {
                let pickle = Pickle::read(path)?;
                let Some(columns) = self.columns(&pickle, width)?.to_u8() else {
                    let data = pickle.root().entry("data")?;
                    return Err(data.fault("values that are no bytes", "read single batches as numbers"));
                };
                let columns = columns.into_dimensionality::<Ix2>().expect("its shape was checked");
                for case in columns.columns() {
                    pixels.extend(channel_last(self.channels, self.side * self.side, |at| case[at]));
                }
                labels.extend(self.labels(&pickle, columns.ncols())?);
            }
        }
        let highest = labels.iter().max().map_or(0, |&label| label as usize);
        let classes = self.class_names.len().max(highest + 1);
        // Classes beyond 256 are refused by their number before labels are looked at.
        let labels: Vec<u8> = labels.into_iter().map(|label| label as u8).collect();
        let pixels = Array2::from_shape_vec((labels.len(), width), pixels)
            .expect("each part has as many labels as cases");
        let size = [self.side, self.side, self.channels];
        Images::new(pixels, size, Some(labels), classes, &self.folder.display().to_string())
    }

    /// The files of a batch, in the order of its parts.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for a batch that is not there.
    pub fn files(&self, number: u32) -> Result<&[PathBuf], DataError> {
        self.batches.get(&number).map(Vec::as_slice).ok_or_else(|| DataError::Setting {
            name: "the number of the batch",
            value: number.to_string(),
            allowed: format!("{} holds the batches {:?}", self.folder.display(), self.numbers()),
        })
    }

    fn columns<'a>(&self, pickle: &'a Pickle, width: usize) -> Result<crate::NumberArray<'a>, DataError> {
        let data = pickle.root().entry("data")?;
        let array = data.array()?;
        match *array.shape() {
            [rows, _] if rows == width => Ok(array),
            [_, columns] if columns == width => Err(data.fault(
                format!("shape {:?}: a row a case instead of a column", array.shape()),
                "transpose it, or read official files of CIFAR-10 as such",
            )),
            _ => Err(data.fault(
                format!("shape {:?} instead of {width} rows, a column a case", array.shape()),
                "give data that fits num_vis in batches.meta",
            )),
        }
    }

    fn labels(&self, pickle: &Pickle, cases: usize) -> Result<Vec<u32>, DataError> {
        let entry = pickle.root().entry("labels")?;
        let labels = entry.integers()?;
        let remedy = "correct the labels or label_names in batches.meta";
        if labels.len() != cases {
            return Err(entry.fault(format!("{} labels for {cases} cases", labels.len()), remedy));
        }
        let classes = match self.class_names.len() {
            0 => u32::MAX,
            count => count as u32,
        };
        let checked = |(case, label): (usize, i64)| {
            u32::try_from(label).ok().filter(|&label| label < classes).ok_or_else(|| {
                entry.fault(format!("label {label} of case {case} with {classes} names of classes"), remedy)
            })
        };
        labels.into_iter().enumerate().map(checked).collect()
    }
}

/// The side of a square image of so many values.
fn side(values: usize, channels: usize) -> Option<usize> {
    let area = values.checked_div(channels).filter(|area| area * channels == values && *area > 0)?;
    let side = area.isqrt();
    (side * side == area).then_some(side)
}

fn mean(item: &Item<'_>, channels: usize, side: usize) -> Result<Array1<f32>, DataError> {
    let array = item.array()?;
    let values: Vec<f32> = array.to_f32().into_iter().collect();
    if values.len() != side * side * channels {
        let fault = format!("{} means, but num_vis asks for {}", values.len(), side * side * channels);
        return Err(item.fault(fault, "correct batches.meta"));
    }
    Ok(channel_last(channels, side * side, |at| values[at]).collect())
}

fn texts(names: &Item<'_>) -> Result<Vec<String>, DataError> {
    names.members()?.map(|name| name.text().map(String::from)).collect()
}

/// The batches of a folder, each with its files in the order of their parts.
fn batches(folder: &Path) -> Result<BTreeMap<u32, Vec<PathBuf>>, DataError> {
    let mut parts: BTreeMap<u32, BTreeMap<u32, PathBuf>> = BTreeMap::new();
    for (name, path) in names(folder)? {
        let Some((batch, part)) = batch_and_part(&name) else { continue };
        let parts = parts.entry(batch).or_default();
        if path.is_dir() {
            // Here, parts are counted from 0.
            for (name, path) in names(&path)? {
                if let Some((_, part)) = batch_and_part(&name).filter(|&(number, _)| number == batch) {
                    parts.insert(part.saturating_add(1), path);
                }
            }
        } else {
            parts.insert(part, path);
        }
    }
    parts.retain(|_, parts| !parts.is_empty());
    let files = |(batch, mut parts): (u32, BTreeMap<u32, PathBuf>)| {
        // Files 1, 2, ... take the place of the undivided one, and none may be missing between them.
        if parts.keys().any(|&part| part > 0) {
            parts.remove(&0);
            if let Some(missing) = (1..=parts.len() as u32).find(|part| !parts.contains_key(part)) {
                let place = format!("batch {batch}");
                let fault = format!("part {missing} of its files is missing");
                return Err(DataError::malformed(folder, place, fault, "obtain all parts"));
            }
        }
        Ok((batch, parts.into_values().collect()))
    };
    parts.into_iter().map(files).collect()
}

fn names(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let failed = |reason| DataError::from_io(folder, "read", reason);
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        names.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    Ok(names)
}

/// 3 and 0 for `data_batch_3`, 3 and 2 for `data_batch_3.2`.
fn batch_and_part(name: &str) -> Option<(u32, u32)> {
    let number = name.strip_prefix("data_batch_")?;
    let (batch, part) = number.split_once('.').unwrap_or((number, "0"));
    Some((batch.parse().ok()?, part.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    /// An array of bytes ("u1") or big-endian single precision (">f4"), as Python 2 pickles it.
    fn array(shape: [u8; 2], kind: &str, bytes: &[u8]) -> Vec<u8> {
        let mut pickle =
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01".to_vec();
        pickle.extend([b'K', shape[0], b'K', shape[1], 0x86]);
        let (order, kind) = if kind.len() == 3 { (&kind[..1], &kind[1..]) } else { ("|", kind) };
        pickle.extend(format!("cnumpy\ndtype\nU\x02{kind}K\x00K\x01").as_bytes());
        pickle.extend(b"\x87R(K\x03U\x01");
        pickle.extend(order.as_bytes());
        pickle.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U");
        pickle.push(bytes.len() as u8);
        pickle.extend(bytes);
        pickle.extend(b"tb");
        pickle
    }

    fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut pickle = b"\x80\x02}(".to_vec();
        for (key, value) in entries {
            pickle.extend([b'U', key.len() as u8]);
            pickle.extend(key.as_bytes());
            pickle.extend(value);
        }
        pickle.extend(b"u.");
        pickle
    }

    fn list(labels: &[u8]) -> Vec<u8> {
        [b"](".to_vec(), labels.iter().flat_map(|&label| [b'K', label]).collect(), b"e".to_vec()].concat()
    }

    fn meta() -> Vec<u8> {
        let mean: Vec<u8> = (0..8u8).flat_map(|value| f32::from(value).to_be_bytes()).collect();
        let names = b"](U\x03catU\x03doge".to_vec();
        dictionary(&[
            ("num_vis", b"K\x08".to_vec()),
            ("data_mean", array([8, 1], ">f4", &mean)),
            ("label_names", names),
        ])
    }

    /// Images of 2 by 2 pixels and two channels: value v of case c is 10 c + v.
    fn batch(cases: &[u8], labels: &[u8]) -> Vec<u8> {
        let columns: Vec<u8> =
            (0..8).flat_map(|value| cases.iter().map(move |case| 10 * case + value)).collect();
        dictionary(&[("data", array([8, cases.len() as u8], "u1", &columns)), ("labels", list(labels))])
    }

    fn folder() -> TempDir {
        let folder = TempDir::new().unwrap();
        let put = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
        put("batches.meta", meta());
        put("data_batch_1", batch(&[9], &[0])); // its parts take its place
        put("data_batch_1.1", batch(&[0, 1], &[1, 0]));
        put("data_batch_1.3", batch(&[4], &[0]));
        put("data_batch_1.2", batch(&[2, 3], &[1, 1]));
        put("notes", Vec::new());
        fs::create_dir(folder.path().join("data_batch_6")).unwrap();
        put("data_batch_6/data_batch_6.0", batch(&[5], &[0]));
        put("data_batch_6/data_batch_6.1", batch(&[6], &[1]));
        folder
    }

    #[test]
    fn batches_are_read_with_their_parts_and_the_channel_last() {
        let folder = folder();
        let data = ConvnetBatches::open(folder.path(), 2).unwrap();
        assert_eq!((data.side(), data.channels(), data.numbers()), (2, 2, vec![1, 6]));
        assert_eq!(data.class_names(), ["cat", "dog"]);
        assert_eq!(data.mean().unwrap().to_vec(), [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]);
        let first = data.read(1).unwrap();
        assert_eq!(first.labels, [1, 0, 1, 1, 0]);
        assert_eq!(first.values.row(4).to_vec(), [40.0, 44.0, 41.0, 45.0, 42.0, 46.0, 43.0, 47.0]);
        let all = data.images(&[6, 1]).unwrap();
        assert_eq!(all.labels().unwrap(), [0, 1, 1, 0, 1, 1, 0]);
        assert_eq!(all.pixels().row(6).to_vec(), [40, 44, 41, 45, 42, 46, 43, 47]);
        assert_eq!((all.height(), all.width(), all.channels(), all.classes()), (2, 2, 2, 2));
        let error = data.read(3).unwrap_err().to_string();
        assert!(
            error.contains("the number of the batch is 3; ") && error.ends_with("holds the batches [1, 6]"),
            "{error}"
        );
    }

    #[test]
    fn wrong_files_are_named() {
        let folder = folder();
        let error = ConvnetBatches::open(folder.path(), 3).unwrap_err().to_string();
        assert!(
            error.contains("batches.meta: entry 'num_vis': 8 values, which are no square image of 3"),
            "{error}"
        );
        assert!(ConvnetBatches::open(folder.path(), 0).is_err());
        let data = ConvnetBatches::open(folder.path(), 2).unwrap();
        let refused = |bytes: Vec<u8>| {
            fs::write(folder.path().join("data_batch_1.2"), bytes).unwrap();
            data.images(&[1]).unwrap_err();
            data.read(1).unwrap_err().to_string()
        };
        let rows = dictionary(&[("data", array([2, 8], "u1", &[0; 16])), ("labels", list(&[0, 0]))]);
        assert!(refused(rows).contains("data_batch_1.2: entry 'data': shape [2, 8]: a row a case"));
        let other = dictionary(&[("data", array([9, 1], "u1", &[0; 9])), ("labels", list(&[0]))]);
        assert!(refused(other).contains("shape [9, 1] instead of 8 rows"));
        assert!(refused(batch(&[1], &[0, 1])).contains("2 labels for 1 cases"));
        assert!(refused(batch(&[1], &[2])).contains("label 2 of case 0 with 2 names"));
        assert!(refused(dictionary(&[("data", array([8, 1], "u1", &[0; 8]))])).contains("no entry 'labels'"));
        assert!(
            refused(b"cos\nsystem\n(U\x02lstR.".to_vec()).contains("'os.system', which is never executed")
        );
        // JPEG files in a list, as the ImageNet batches of cuda-convnet2 have them.
        let packed = dictionary(&[("data", list(&[1])), ("labels", list(&[0]))]);
        assert!(refused(packed).contains("entry 'data': a list instead of an array"));
        let numbers: Vec<u8> = [0.5f32; 8].iter().flat_map(|value| value.to_be_bytes()).collect();
        let numbers = dictionary(&[("data", array([8, 1], ">f4", &numbers)), ("labels", list(&[0]))]);
        fs::write(folder.path().join("data_batch_1.2"), numbers).unwrap();
        assert_eq!(data.read(1).unwrap().values[(2, 7)], 0.5);
        assert!(data.images(&[1]).unwrap_err().to_string().contains("values that are no bytes"));

        fs::remove_file(folder.path().join("data_batch_1.2")).unwrap();
        let error = ConvnetBatches::open(folder.path(), 2).unwrap_err().to_string();
        assert!(error.contains("batch 1: part 2 of its files is missing"), "{error}");

        let empty = TempDir::new().unwrap();
        assert!(matches!(ConvnetBatches::open(empty.path(), 3), Err(DataError::Absent { .. })));
        fs::write(empty.path().join("batches.meta"), meta()).unwrap();
        assert!(matches!(ConvnetBatches::open(empty.path(), 2), Err(DataError::NotFound { .. })));
    }
}
