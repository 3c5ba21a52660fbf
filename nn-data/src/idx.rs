//! IDX files: the format in which MNIST and its relatives are distributed.
//!
//! An IDX file begins with a magic number of four bytes: two zeros, the type of the values (8: unsigned byte)
//! and the number of dimensions. The dimensions follow, each a big-endian unsigned 32-bit integer, then the
//! values in row-major order. Two kinds are read and written here: images of unsigned bytes (`0x00000803`:
//! number, rows, columns) and labels (`0x00000801`: number). Images of 32-bit floating-point numbers
//! (`0x00000d03`) are read, too: their values must lie in [0, 1] and are rounded to the 256 grey levels of
//! bytes. A file may be packed with gzip; that is recognised by its content, not by its name.

use std::io::{self, Read, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use ndarray::{Array2, ArrayView2};

use crate::atomic_write::write_atomically;
use crate::unpack::Unpacked;
use crate::{DataError, Images};

const IMAGES: u32 = 0x0000_0803;
const LABELS: u32 = 0x0000_0801;
/// Images of 32-bit floating-point numbers, big-endian like everything in an IDX file.
const FLOAT_IMAGES: u32 = 0x0000_0d03;

/// The content of an IDX file of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxImages {
    /// Height of each image in pixels, at least 1.
    pub rows: usize,
    /// Width of each image in pixels, at least 1.
    pub columns: usize,
    /// One image a row, number × (rows · columns), each in row-major order.
    pub pixels: Array2<u8>,
}

/// Whether a file is written as it is or packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// The plain bytes.
    Plain,
    /// gzip at the highest level, without a name and a time: equal content gives equal bytes.
    Gzip,
}

/// Reads a file of images.
///
/// # Errors
///
/// An absent or unreadable file, damaged gzip data, a wrong magic number, images without pixels, a length that
/// differs from what the header announces, and floating-point values outside [0, 1].
pub fn read_images(path: &Path) -> Result<IdxImages, DataError> {
    images(Unpacked::open(path)?, path)
}

/// Reads a file of labels, in their order. The range of the labels is checked by
/// [`Images::new`](crate::Images::new), which knows the number of classes.
///
/// # Errors
///
/// Those of [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    labels(Unpacked::open(path)?, path)
}

/// Reads images from a stream, plain or gzip; errors call it `name`.
///
/// # Errors
///
/// Those of [`read_images`].
pub fn decode_images(source: impl Read, name: &Path) -> Result<IdxImages, DataError> {
    images(Unpacked::new(source, name)?, name)
}

/// Reads labels from a stream, plain or gzip; errors call it `name`.
///
/// # Errors
///
/// Those of [`read_images`].
pub fn decode_labels(source: impl Read, name: &Path) -> Result<Vec<u8>, DataError> {
    labels(Unpacked::new(source, name)?, name)
}

fn images(mut source: Unpacked<'_>, path: &Path) -> Result<IdxImages, DataError> {
    let (magic, sizes) = header(&mut source, path, &[IMAGES, FLOAT_IMAGES])?;
    let [count, rows, columns] = sizes.map(|size| size as usize);
    if rows == 0 || columns == 0 {
        let origin = path.display().to_string();
        return Err(DataError::EmptyImage { origin, height: rows, width: columns, channels: 1 });
    }
    let pixels = count as u128 * rows as u128 * columns as u128;
    let bytes = match magic {
        FLOAT_IMAGES => grey_levels(&values(&mut source, path, "pixels", 4 * pixels)?, rows * columns, path)?,
        _ => values(&mut source, path, "pixels", pixels)?,
    };
    let pixels = Array2::from_shape_vec((count, rows * columns), bytes)
        .expect("as many bytes as the product of the dimensions were read");
    Ok(IdxImages { rows, columns, pixels })
}

/// Floating-point numbers in [0, 1], as the nearest of 256 grey levels.
fn grey_levels(numbers: &[u8], columns: usize, path: &Path) -> Result<Vec<u8>, DataError> {
    let level = |(at, four): (usize, &[u8])| {
        let value = f32::from_be_bytes(four.try_into().expect("chunks of four bytes"));
        // NaN is in no range, so that it needs no case of its own.
        match (0.0..=1.0).contains(&value) {
            true => Ok((255.0 * value).round() as u8),
            false => {
                let origin = path.display().to_string();
                let (row, column) = (at / columns, at % columns);
                Err(DataError::OutsideUnitInterval { origin, row, column, value })
            }
        }
    };
    numbers.chunks_exact(4).enumerate().map(level).collect()
}

fn labels(mut source: Unpacked<'_>, path: &Path) -> Result<Vec<u8>, DataError> {
    let (_, [count]) = header(&mut source, path, &[LABELS])?;
    values(&mut source, path, "labels", count.into())
}

/// The magic number, one of those wanted, and the dimensions that follow it.
fn header<const N: usize>(
    source: &mut Unpacked<'_>,
    path: &Path,
    wanted: &[u32],
) -> Result<(u32, [u32; N]), DataError> {
    let length = 4 * (1 + N);
    let mut bytes = Vec::with_capacity(length);
    source.append(length, &mut bytes)?;
    let number =
        |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    let magic = number(0).unwrap_or(wanted[0]);
    if !wanted.contains(&magic) {
        let (found, wanted) = (magic, wanted[0]);
        let (found_kind, wanted_kind) = (kind(found), kind(wanted));
        return Err(DataError::WrongMagic { path: path.into(), found, found_kind, wanted, wanted_kind });
    }
    let mut dimensions = [0; N];
    for (index, dimension) in dimensions.iter_mut().enumerate() {
        *dimension = number(4 + 4 * index).ok_or_else(|| DataError::TooShort {
            path: path.into(),
            part: "header",
            found: bytes.len() as u128,
            wanted: length as u128,
        })?;
    }
    Ok((magic, dimensions))
}

/// Exactly `wanted` bytes, after which the source has to end.
fn values(
    source: &mut Unpacked<'_>,
    path: &Path,
    part: &'static str,
    wanted: u128,
) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    let found = match usize::try_from(wanted) {
        Ok(limit) if limit <= isize::MAX as usize => source.append(limit, &mut bytes)? as u128,
        // More than any memory holds: no file can be that long, so only its length matters.
        _ => source.drain(|_| ())?.into(),
    };
    if found < wanted {
        return Err(DataError::TooShort { path: path.into(), part, found, wanted });
    }
    // Reading on to the end also verifies the check sum of the gzip stream.
    match source.drain(|_| ())? {
        0 => Ok(bytes),
        extra => Err(DataError::TrailingBytes { path: path.into(), part, wanted, extra: extra.into() }),
    }
}

fn kind(magic: u32) -> &'static str {
    match magic.to_be_bytes() {
        [0, 0, 8, 3] => "IDX images of bytes",
        [0, 0, 8, 1] => "IDX labels of bytes",
        [0, 0, 8 | 9 | 11..=14, 1..=255] => "IDX of another type or shape",
        [b'<', ..] => "the beginning of a web page",
        _ => "no IDX file",
    }
}

impl Images {
    /// Reads a file of images and, if given, the file of their labels. `classes` is the number of classes.
    ///
    /// # Errors
    ///
    /// Those of [`read_images`] and [`Images::new`]: numbers of labels and images that differ, and labels out
    /// of range.
    pub fn read_idx(images: &Path, labels: Option<&Path>, classes: usize) -> Result<Self, DataError> {
        let read = read_images(images)?;
        let size = [read.rows, read.columns, 1];
        match labels {
            None => Self::new(read.pixels, size, None, classes, &images.display().to_string()),
            Some(path) => {
                let origin = format!("{} with {}", images.display(), path.display());
                Self::new(read.pixels, size, Some(read_labels(path)?), classes, &origin)
            }
        }
    }
}

/// Writes images as an IDX file, under a temporary name that is renamed at the end.
///
/// `pixels` holds one image of `rows` × `columns` pixels a row, in row-major order.
///
/// # Errors
///
/// [`DataError::EmptyImage`], [`DataError::RowLength`] and [`DataError::TooManyForIdx`] for sizes that do not
/// fit, [`DataError::Io`] where the file cannot be written.
pub fn write_images(
    path: &Path,
    pixels: ArrayView2<'_, u8>,
    rows: usize,
    columns: usize,
    packing: Packing,
) -> Result<(), DataError> {
    let origin = || path.display().to_string();
    if rows == 0 || columns == 0 {
        return Err(DataError::EmptyImage { origin: origin(), height: rows, width: columns, channels: 1 });
    }
    if rows.checked_mul(columns) != Some(pixels.ncols()) {
        let wanted_by = format!("images of {rows} by {columns} pixels");
        let wanted = rows.saturating_mul(columns);
        return Err(DataError::RowLength { origin: origin(), found: pixels.ncols(), wanted_by, wanted });
    }
    let sizes = [("images", pixels.nrows()), ("rows", rows), ("columns", columns)];
    write(path, IMAGES, &sizes, packing, |writer| {
        for image in pixels.rows() {
            match image.as_slice() {
                Some(contiguous) => writer.write_all(contiguous)?,
                None => writer.write_all(&image.to_vec())?,
            }
        }
        Ok(())
    })
}

/// Writes labels as an IDX file, under a temporary name that is renamed at the end.
///
/// # Errors
///
/// [`DataError::TooManyForIdx`] and [`DataError::Io`].
pub fn write_labels(path: &Path, labels: &[u8], packing: Packing) -> Result<(), DataError> {
    write(path, LABELS, &[("labels", labels.len())], packing, |writer| writer.write_all(labels))
}

fn write(
    path: &Path,
    magic: u32,
    sizes: &[(&'static str, usize)],
    packing: Packing,
    values: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), DataError> {
    let mut header = magic.to_be_bytes().to_vec();
    for &(what, count) in sizes {
        let size =
            u32::try_from(count).map_err(|_| DataError::TooManyForIdx { path: path.into(), what, count })?;
        header.extend(size.to_be_bytes());
    }
    write_atomically(path, |file| match packing {
        Packing::Plain => {
            file.write_all(&header)?;
            values(file)
        }
        Packing::Gzip => {
            let mut encoder = GzBuilder::new().write(file, Compression::best());
            encoder.write_all(&header)?;
            values(&mut encoder)?;
            encoder.finish().map(drop)
        }
    })
}

#[cfg(test)]
mod tests;
