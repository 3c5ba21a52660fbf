//! Small NORB: stereo pairs of 50 toys in five classes, grey, 96 by 96 pixels, 24,300 pairs for training and
//! as many for test, under nine elevations, eighteen azimuths and six lightings.
//!
//! By Fu Jie Huang and Yann LeCun, Courant Institute, New York University, for research use; described in
//! LeCun, Huang and Bottou, "Learning methods for generic object recognition with invariance to pose and
//! lighting", CVPR 2004. The six files have the names of [`TRAIN`] and [`TEST`], with or without `.gz`.
//!
//! Their format, which [`read_matrix`] reads for any other use, is little-endian: a magic number of four
//! bytes for the type of the numbers, the number of dimensions, at least three dimensions of four bytes each
//! (those beyond the number of dimensions are 1), and the numbers in row-major order.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Ix2};

use crate::number_array::{Encoding, NumberArray, NumberKind, byte_count};
use crate::planar::channel_last;
use crate::unpack::Unpacked;
use crate::{DataError, Images};

/// Names of the five classes, in the order of the labels.
pub const CLASS_NAMES: [&str; 5] = ["animal", "human", "airplane", "truck", "car"];

/// Images, categories and circumstances of the training set, without `.gz`.
pub const TRAIN: [&str; 3] = [
    "smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat",
    "smallnorb-5x46789x9x18x6x2x96x96-training-cat.mat",
    "smallnorb-5x46789x9x18x6x2x96x96-training-info.mat",
];

/// Images, categories and circumstances of the test set, without `.gz`.
pub const TEST: [&str; 3] = [
    "smallnorb-5x01235x9x18x6x2x96x96-testing-dat.mat",
    "smallnorb-5x01235x9x18x6x2x96x96-testing-cat.mat",
    "smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat",
];

/// Bytes of the longest matrix that is read, unpacked: 2 GiB.
pub const MAX_BYTES: usize = 1 << 31;

const DAMAGED: &str = "the file is cut off or damaged; obtain it again";

/// Stereo pairs with what is known of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Norb {
    /// The pairs: two channels, left and right, with the classes as labels.
    pub images: Images,
    /// A row a pair: instance within the class (0 to 9), elevation (0 to 8: 30 to 70 degrees in steps of 5),
    /// azimuth (0, 2, ... 34: tens of degrees), lighting (0 to 5).
    pub circumstances: Array2<i32>,
}

/// Training and test set, from `root/norb`, `root/smallnorb` or directly from `root`.
///
/// # Errors
///
/// [`DataError::NotFound`], [`DataError::Absent`] for a single file that is missing, the errors of
/// [`read_matrix`], and sizes that do not fit each other.
pub fn load(root: &Path) -> Result<(Norb, Norb), DataError> {
    let folders = [root.join("norb"), root.join("smallnorb"), root.to_path_buf()];
    let Some(folder) = folders.into_iter().find(|folder| file(folder, TRAIN[0]).is_some()) else {
        let looked_for = format!("{}, with or without .gz, here, in norb and in smallnorb", TRAIN[0]);
        return Err(DataError::NotFound { folder: root.into(), dataset: "small NORB", looked_for });
    };
    Ok((part(&folder, TRAIN)?, part(&folder, TEST)?))
}

/// The pairs of three files: images, categories and circumstances.
///
/// # Errors
///
/// Those of [`load`].
pub fn read(images: &Path, categories: &Path, circumstances: &Path) -> Result<Norb, DataError> {
    let (pixels, height, width) = read_pairs(images)?;
    let whole = read_matrix(categories)?;
    let wrong =
        |path: &Path, fault: String| DataError::malformed(path, "the matrix", fault, "give the right file");
    let labels: Option<Vec<u8>> = whole
        .to_i64()
        .and_then(|numbers| numbers.into_iter().map(|label| u8::try_from(label).ok()).collect());
    let labels = labels.ok_or_else(|| wrong(categories, "categories that are no small integers".into()))?;
    let origin = format!("{} with {}", images.display(), categories.display());
    let images = Images::new(pixels, [height, width, 2], Some(labels), CLASS_NAMES.len(), &origin)?;
    let whole = read_matrix(circumstances)?;
    let rows = whole.to_i64().and_then(|numbers| numbers.into_dimensionality::<Ix2>().ok());
    match rows {
        Some(rows) if rows.dim() == (images.len(), 4) => {
            Ok(Norb { images, circumstances: rows.mapv(|value| value as i32) })
        }
        _ => {
            let fault =
                format!("shape {:?}, but {} images ask for as many rows of 4", whole.shape(), images.len());
            Err(wrong(circumstances, fault))
        }
    }
}

/// Reads a matrix of any type and shape, plain or packed with gzip.
///
/// # Errors
///
/// An absent or unreadable file, damaged gzip data, and [`DataError::Malformed`]: another magic number, sizes
/// that are negative, above [`MAX_BYTES`] or differ from the length of the file.
pub fn read_matrix(path: &Path) -> Result<NumberArray<'static>, DataError> {
    let mut source = Unpacked::open(path)?;
    let (kind, shape) = header(&mut source, path)?;
    let wanted = byte_count(&shape, kind).filter(|&bytes| bytes <= MAX_BYTES);
    let wanted = wanted.ok_or_else(|| too_large(path, &shape))?;
    let mut bytes = Vec::new();
    source.append(wanted, &mut bytes)?;
    finish(&mut source, path)?;
    NumberArray::new(shape, Encoding { kind, big_endian: false, column_major: false }, bytes)
        .map_err(|fault| DataError::malformed(path, "the numbers", fault, DAMAGED))
}

fn part(folder: &Path, names: [&str; 3]) -> Result<Norb, DataError> {
    let [images, categories, circumstances] =
        names.map(|name| file(folder, name).ok_or_else(|| DataError::Absent { path: folder.join(name) }));
    read(&images?, &categories?, &circumstances?)
}

fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(format!("{name}.gz")), folder.join(name)].into_iter().find(|path| path.is_file())
}

/// The pairs, one a row with the channel last, their height and their width. They are converted one by one,
/// because the whole is half a gigabyte.
fn read_pairs(path: &Path) -> Result<(Array2<u8>, usize, usize), DataError> {
    let mut source = Unpacked::open(path)?;
    let (kind, shape) = header(&mut source, path)?;
    let &[count, 2, height, width] = shape.as_slice() else {
        let fault = format!("shape {shape:?} instead of number, 2, height, width");
        return Err(DataError::malformed(path, "the header", fault, "give the file of the images"));
    };
    if kind != NumberKind::U8 {
        let fault = format!("numbers of type {kind:?} instead of bytes");
        return Err(DataError::malformed(path, "the header", fault, "give the file of the images"));
    }
    let wanted = byte_count(&shape, kind).filter(|&bytes| bytes <= MAX_BYTES);
    let wanted = wanted.ok_or_else(|| too_large(path, &shape))?;
    let area = height * width;
    let (mut pixels, mut pair) = (Vec::new(), Vec::new());
    for case in 0..if wanted == 0 { 0 } else { count } {
        pair.clear();
        let got = source.append(2 * area, &mut pair)?;
        if got < 2 * area {
            let fault = format!("the file ends after {got} of its {} bytes", 2 * area);
            return Err(DataError::malformed(path, format!("pair {case} of {count}"), fault, DAMAGED));
        }
        let pair = pair.as_slice();
        pixels.extend(channel_last(2, area, |at| pair[at]));
    }
    finish(&mut source, path)?;
    let pixels = Array2::from_shape_vec((count, 2 * area), pixels);
    let pixels = pixels.map_err(|_| too_large(path, &shape))?;
    Ok((pixels, height, width))
}

fn too_large(path: &Path, shape: &[usize]) -> DataError {
    let fault = format!("shape {shape:?} asks for more than {MAX_BYTES} bytes");
    DataError::malformed(path, "the header", fault, DAMAGED)
}

fn finish(source: &mut Unpacked<'_>, path: &Path) -> Result<(), DataError> {
    match source.drain(|_| ())? {
        0 => Ok(()),
        extra => Err(DataError::malformed(path, "the end", format!("{extra} bytes too many"), DAMAGED)),
    }
}

fn header(source: &mut Unpacked<'_>, path: &Path) -> Result<(NumberKind, Vec<usize>), DataError> {
    let failed = |place: &str, fault: String| DataError::malformed(path, place, fault, DAMAGED);
    let mut word = |place: &str| {
        let mut bytes = Vec::new();
        source.append(4, &mut bytes)?;
        let four: [u8; 4] =
            bytes.try_into().map_err(|_| failed(place, "the file ends within the header".into()))?;
        Ok(u32::from_le_bytes(four))
    };
    let magic = word("byte 0")?;
    let kind = match magic {
        0x1e3d_4c51 => NumberKind::F32,
        0x1e3d_4c53 => NumberKind::F64,
        0x1e3d_4c54 => NumberKind::I32,
        0x1e3d_4c55 => NumberKind::U8,
        0x1e3d_4c56 => NumberKind::I16,
        _ => {
            let fault = format!("the magic number 0x{magic:08x} is none of a NORB matrix");
            return Err(DataError::malformed(path, "byte 0", fault, "give the right file"));
        }
    };
    let dimensions = word("byte 4")?;
    if !(1..=8).contains(&dimensions) {
        return Err(failed("byte 4", format!("{} dimensions instead of 1 to 8", dimensions as i32)));
    }
    let mut shape = Vec::new();
    for at in 0..dimensions.max(3) {
        let length = word("the dimensions")? as i32;
        let length = usize::try_from(length)
            .map_err(|_| failed("the header", format!("dimension {at} is {length}")))?;
        shape.push(length);
    }
    shape.truncate(dimensions as usize);
    Ok((kind, shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn matrix(magic: u32, shape: &[i32], numbers: &[u8]) -> Vec<u8> {
        let mut bytes = magic.to_le_bytes().to_vec();
        bytes.extend((shape.len() as u32).to_le_bytes());
        let ones = [1; 3];
        for length in shape.iter().chain(&ones[shape.len().min(3)..]) {
            bytes.extend(length.to_le_bytes());
        }
        bytes.extend(numbers);
        bytes
    }

    fn integers(values: &[i32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// Two pairs of 1 by 3 pixels.
    fn put(folder: &Path, names: [&str; 3]) {
        let pixels: Vec<u8> = (0..12).collect();
        fs::write(folder.join(names[0]), matrix(0x1e3d_4c55, &[2, 2, 1, 3], &pixels)).unwrap();
        fs::write(folder.join(names[1]), matrix(0x1e3d_4c54, &[2], &integers(&[4, 0]))).unwrap();
        let info = integers(&[9, 8, 34, 5, 0, 1, 2, 3]);
        fs::write(folder.join(names[2]), matrix(0x1e3d_4c54, &[2, 4], &info)).unwrap();
    }

    #[test]
    fn pairs_are_read_with_the_channel_last() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(load(root.path()), Err(DataError::NotFound { .. })));
        let folder = root.path().join("norb");
        fs::create_dir(&folder).unwrap();
        put(&folder, TRAIN);
        let error = load(root.path()).unwrap_err().to_string();
        assert!(error.contains("testing-dat.mat: there is no such file"), "{error}");
        put(&folder, TEST);
        let (train, test) = load(root.path()).unwrap();
        assert_eq!(train, test);
        let images = &train.images;
        assert_eq!((images.height(), images.width(), images.channels(), images.classes()), (1, 3, 2, 5));
        assert_eq!(images.pixels().row(1).to_vec(), [6, 9, 7, 10, 8, 11]);
        assert_eq!(images.labels().unwrap(), [4, 0]);
        assert_eq!(train.circumstances, ndarray::array![[9, 8, 34, 5], [0, 1, 2, 3]]);
        // Files in the wrong places.
        let path = |name: &str| folder.join(name);
        let error = read(&path(TRAIN[1]), &path(TRAIN[1]), &path(TRAIN[2])).unwrap_err().to_string();
        assert!(error.contains("shape [2] instead of number, 2, height, width"), "{error}");
        let error = read(&path(TRAIN[0]), &path(TRAIN[1]), &path(TRAIN[1])).unwrap_err().to_string();
        assert!(error.contains("2 images ask for as many rows of 4"), "{error}");
    }

    #[test]
    fn matrices_of_all_kinds_are_read_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m");
        let put = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read_matrix(&path)
        };
        let floats: Vec<u8> = [0.5f32, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let whole = matrix(0x1e3d_4c51, &[1, 2], &floats);
        assert_eq!(put(&whole).unwrap().to_f32(), ndarray::array![[0.5, -2.0]].into_dyn());
        for length in 0..whole.len() {
            assert!(matches!(put(&whole[..length]), Err(DataError::Malformed { .. })), "{length}");
        }
        assert!(put(&[&whole[..], &[0]].concat()).unwrap_err().to_string().contains("1 bytes too many"));
        let error = put(&[0x55, 0x4c, 0x3d, 0x1f]).unwrap_err().to_string();
        assert!(error.contains("the magic number 0x1f3d4c55 is none of"), "{error}");
        let huge = matrix(0x1e3d_4c55, &[i32::MAX, i32::MAX, i32::MAX], &[1]);
        assert!(put(&huge).unwrap_err().to_string().contains("asks for more than"));
        assert!(
            put(&matrix(0x1e3d_4c55, &[-1, 2], &[1])).unwrap_err().to_string().contains("dimension 0 is -1")
        );
        assert!(put(&matrix(0x1e3d_4c55, &[1; 9], &[1])).unwrap_err().to_string().contains("9 dimensions"));
        let pairs = matrix(0x1e3d_4c55, &[2, 2, 1, 3], &[0; 11]);
        fs::write(&path, &pairs).unwrap();
        let error = read_pairs(&path).unwrap_err().to_string();
        assert!(error.contains("pair 1 of 2: the file ends after 5 of its 6 bytes"), "{error}");
    }
}
