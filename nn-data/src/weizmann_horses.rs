//! The silhouettes of the Weizmann horses: 328 pictures of horses, all looking to the left, as black and white masks.
//!
//! By Eran Borenstein, Eitan Sharon and Shimon Ullman ("Combining top-down and bottom-up segmentation", 2004), for research.
//! The masks lie as `horse001.jpg`, `horse002.jpg`, … in `root/weizmann-horses` or directly in `root`.
//!
//! A mask is what is at least 128. It is cut to the rectangle that holds the horse, which is put into the middle of a square
//! with a fourteenth of its longer side as ground on each side, and every pixel of the square of 32 × 32 is the majority of
//! what it covers. In the order of their names, every 23rd image from the twelfth on is one of 14 for testing, the other 314 are for
//! training: with as many images Eslami, Heess and Winn (2012) trained and tested, but which they were is not known here.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use crate::image_folder::{Colour, Reading, decode, directory};
use crate::unpack::read_whole;
use crate::{DataError, Images};

/// Pixels on a side.
pub const SIDE: usize = 32;

/// Images on the disk.
pub const COUNT: usize = 328;

/// Images for testing.
const TESTS: usize = 14;

/// The mask is what is at least this.
const THRESHOLD: u8 = 128;

/// The files in the order of their names, in `root/weizmann-horses` or directly in `root`; none if there is no such folder.
///
/// # Errors
///
/// If a folder cannot be read.
pub fn files(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let own = root.join("weizmann-horses");
    let folder = if own.is_dir() { own } else { root.to_path_buf() };
    let is_mask = |(name, is_folder): &(String, bool)| {
        !is_folder && name.starts_with("horse") && name.ends_with(".jpg")
    };
    let entries = directory::entries(&folder)?.into_iter().filter(is_mask);
    Ok(entries.map(|(name, _)| folder.join(name)).collect())
}

/// The silhouettes for training and those for testing, of 32 × 32 pixels that are 0 or 255.
///
/// # Errors
///
/// If there are not 328 files, a file cannot be read, is no image, or shows nothing.
pub fn load(root: &Path) -> Result<(Images, Images), DataError> {
    let files = files(root)?;
    if files.len() != COUNT {
        let fault = format!("{} files horse*.jpg, but the set has {COUNT}", files.len());
        let remedy = "put all masks there, or name the folder above weizmann-horses";
        return Err(DataError::malformed(root, "weizmann-horses", fault, remedy));
    }
    let mut pixels = Array2::zeros((COUNT, SIDE * SIDE));
    for (file, mut row) in files.iter().zip(pixels.rows_mut()) {
        row.assign(&silhouette(file)?);
    }
    let images = Images::new(pixels, [SIDE, SIDE, 1], None, 1, "the Weizmann horses")?;
    let is_test = |image: &usize| image % 23 == 11 && image / 23 < TESTS;
    let (test, train): (Vec<usize>, Vec<usize>) = (0..COUNT).partition(is_test);
    Ok((images.rows(&train)?, images.rows(&test)?))
}

/// The square of one file.
fn silhouette(file: &Path) -> Result<ndarray::Array1<u8>, DataError> {
    let bytes = read_whole(file, decode::LONGEST_FILE)?;
    let malformed = |fault: String| DataError::malformed(file, "the image", fault, "obtain the file again");
    let how = Reading { colour: Colour::Grey, ..Reading::default() };
    let picture = decode::decode(&bytes, &how).map_err(malformed)?;
    let mask = Array2::from_shape_vec((picture.height, picture.width), picture.pixels)
        .expect("a picture has as many pixels as its sides say")
        .mapv(|value| value >= THRESHOLD);
    squared(&mask).ok_or_else(|| malformed("a mask without a pixel of the horse".into()))
}

/// A mask in the middle of a square of 32 × 32, 0 or 255; none of an empty one.
fn squared(mask: &Array2<bool>) -> Option<ndarray::Array1<u8>> {
    let inside = |axis: usize| {
        let on = mask.indexed_iter().filter(|(_, on)| **on).map(|((row, column), _)| [row, column][axis]);
        let (low, high) = on.fold((usize::MAX, 0), |(low, high), at| (low.min(at), high.max(at + 1)));
        (low < high).then_some((low as f64, high as f64))
    };
    let (rows, columns) = (inside(0)?, inside(1)?);
    let longer = (rows.1 - rows.0).max(columns.1 - columns.0);
    // Two pixels of ground on either side of 28.
    let step = longer / (SIDE - 4) as f64;
    let start = [rows, columns].map(|(low, high)| (low + high - step * SIDE as f64) / 2.0);
    let share = |pixel: usize| {
        let edge = |axis: usize, at: usize| start[axis] + step * at as f64;
        let (row, column) = (pixel / SIDE, pixel % SIDE);
        let covered = |axis: usize, at: usize, size: usize| {
            let (low, high) = (edge(axis, at).max(0.0), edge(axis, at + 1).min(size as f64));
            (low.floor() as usize..high.ceil().max(0.0) as usize)
                .map(move |source| (source, high.min(source as f64 + 1.0) - low.max(source as f64)))
        };
        let mut sum = 0.0;
        for (y, height) in covered(0, row, mask.nrows()) {
            for (x, width) in covered(1, column, mask.ncols()) {
                sum += if mask[[y, x]] { height * width } else { 0.0 };
            }
        }
        sum / (step * step)
    };
    Some((0..SIDE * SIDE).map(|pixel| if share(pixel) >= 0.5 { 255 } else { 0 }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rectangle of 56 × 28 pixels somewhere becomes one of 28 × 14 in the middle.
    #[test]
    fn a_mask_is_put_into_the_middle() {
        for (top, left) in [(0, 0), (3, 40), (72, 5)] {
            let mask = Array2::from_shape_fn((100, 130), |(row, column)| {
                (top..top + 28).contains(&row) && (left..left + 56).contains(&column)
            });
            let square = squared(&mask).unwrap();
            for (pixel, value) in square.iter().enumerate() {
                let inside = (9..23).contains(&(pixel / SIDE)) && (2..30).contains(&(pixel % SIDE));
                assert_eq!(*value, if inside { 255 } else { 0 }, "{top} {left}, pixel {pixel}");
            }
        }
        assert!(squared(&Array2::from_elem((5, 5), false)).is_none());
    }

    /// A pixel of the square is on where at least half of what it covers is: stripes that fill three and one of four rows.
    #[test]
    fn the_majority_decides() {
        let mask =
            Array2::from_shape_fn((112, 112), |(row, _)| if row < 56 { row % 4 < 3 } else { row % 4 == 3 });
        let square = squared(&mask).unwrap();
        let on = |row: usize| square[row * SIDE + 16] == 255;
        assert!((2..16).all(on) && !(16..30).any(on) && !on(1) && !on(30));
    }

    #[test]
    fn an_incomplete_set_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("weizmann-horses")).unwrap();
        let message = load(root.path()).unwrap_err().to_string();
        assert!(message.contains("0 files horse*.jpg, but the set has 328"), "{message}");
        assert!(files(&root.path().join("absent")).is_err());
    }

    /// Of 328 masks the twelfth, which alone is tall, is the first one for testing.
    #[test]
    fn the_division_is_fixed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("weizmann-horses");
        std::fs::create_dir(&folder).unwrap();
        for number in 1..=COUNT {
            let (height, width) = if number == 12 { (40, 20) } else { (20, 40) };
            let picture = image::GrayImage::from_pixel(width, height, image::Luma([255]));
            let file = folder.join(format!("horse{number:03}.jpg"));
            picture.save_with_format(file, image::ImageFormat::Png).unwrap();
        }
        std::fs::write(folder.join("readme.txt"), "x").unwrap();
        let (train, test) = load(root.path()).unwrap();
        assert_eq!((train.len(), test.len(), train.height(), train.width()), (314, 14, SIDE, SIDE));
        let tall = |images: &Images, row: usize| images.pixels()[[row, 3 * SIDE + 16]] == 255;
        assert!(tall(&test, 0) && !(1..14).any(|row| tall(&test, row)));
        assert!(!(0..314).any(|row| tall(&train, row)));
    }
}
