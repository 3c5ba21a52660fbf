//! Photographs of any sizes in one folder.

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
    let how = Reading { colour: Colour::Grey, ..Reading::default() };
    let mut photographs = Vec::new();
    for (name, is_folder) in directory::entries(folder)? {
        if is_folder || !is_image(&name) {
            continue;
        }
        let path = folder.join(&name);
        let bytes = read_whole(&path, decode::LONGEST_FILE)?;
        let picture = decode::decode(&bytes, &how)
            .map_err(|fault| DataError::malformed(&path, "the image", fault, "replace or remove the file"))?;
        let pixels = picture.pixels.iter().map(|&value| f32::from(value) / 255.0).collect();
        let pixels = Array3::from_shape_vec((picture.height, picture.width, 1), pixels);
        photographs.push(Photograph { name, pixels: pixels.expect("a grey image has one value a pixel") });
    }
    if photographs.is_empty() {
        let remedy = "put images there (.jpg, .jpeg or .png), or give the folder that holds them";
        return Err(DataError::malformed(folder, "the folder", "no image directly in it", remedy));
    }
    Ok(photographs)
}
