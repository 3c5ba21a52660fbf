//! Photographs of any sizes, in one folder or part of this crate.

use std::path::Path;

use ndarray::Array3;

use super::{Colour, Reading, decode, directory, is_image};
use crate::DataError;
use crate::unpack::read_whole;

/// A grey photograph.
#[derive(Clone, Debug, PartialEq)]
pub struct Photograph {
    /// Name of its file.
    pub name: String,
    /// Height × width × 1, in [0, 1].
    pub pixels: Array3<f32>,
}

/// Reads the images that lie in a folder itself, each in its own size and as grey, in the order of the bytes of their names.
/// Folders and other files in it are passed over.
///
/// # Errors
///
/// An absent or unreadable folder or file; a file that is no image, with its name; a folder without images
/// ([`DataError::Malformed`]).
pub fn photographs(folder: &Path) -> Result<Vec<Photograph>, DataError> {
    let mut photographs = Vec::new();
    for (name, is_folder) in directory::entries(folder)? {
        if is_folder || !is_image(&name) {
            continue;
        }
        let path = folder.join(&name);
        photographs.push(decoded(&name, &read_whole(&path, decode::LONGEST_FILE)?, &path)?);
    }
    if photographs.is_empty() {
        let remedy = "put images there (.jpg, .jpeg or .png), or give the folder that holds them";
        return Err(DataError::malformed(folder, "the folder", "no image directly in it", remedy));
    }
    Ok(photographs)
}

/// The photographs that are part of this crate: the names of their files and the files. Two colour photographs of 640 × 427
/// pixels under CC BY 2.0, of a building and of a flower; who took them is in `data/README.md`.
pub fn embedded_files() -> [(&'static str, &'static [u8]); 2] {
    [
        ("china.jpg", include_bytes!("../../data/photographs/china.jpg")),
        ("flower.jpg", include_bytes!("../../data/photographs/flower.jpg")),
    ]
}

/// The photographs that are part of this crate, as grey.
///
/// # Errors
///
/// [`DataError::Malformed`] if the program is damaged.
pub fn embedded() -> Result<Vec<Photograph>, DataError> {
    embedded_files().iter().map(|(name, bytes)| decoded(name, bytes, Path::new(name))).collect()
}

fn decoded(name: &str, bytes: &[u8], origin: &Path) -> Result<Photograph, DataError> {
    let how = Reading { colour: Colour::Grey, ..Reading::default() };
    let picture = decode::decode(bytes, &how)
        .map_err(|fault| DataError::malformed(origin, "the image", fault, "replace or remove the file"))?;
    let pixels = picture.pixels.iter().map(|&value| f32::from(value) / 255.0).collect();
    let pixels = Array3::from_shape_vec((picture.height, picture.width, 1), pixels);
    let pixels = pixels.expect("a grey image has one value a pixel");
    Ok(Photograph { name: name.to_string(), pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes as their source states them, and greys of a photograph: neither dark nor light as a whole.
    #[test]
    fn photographs_of_this_crate_can_be_read() {
        let found = embedded().unwrap();
        assert_eq!(found.len(), 2);
        for photograph in found {
            assert_eq!(photograph.pixels.dim(), (427, 640, 1), "{}", photograph.name);
            let mean = photograph.pixels.mean().unwrap();
            assert!((0.2..0.8).contains(&mean), "{}: {mean}", photograph.name);
            assert!(photograph.pixels.iter().all(|value| (0.0..=1.0).contains(value)));
        }
    }
}
