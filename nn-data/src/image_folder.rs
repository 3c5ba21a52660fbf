//! Images in one folder a class, in a directory or in a tar archive, plain or packed with gzip.
//!
//! `animals/cat/1.jpg`, `animals/cat/2.png`, `animals/dog/a.jpeg`: the classes are the names of the folders,
//! numbered in the order of their bytes; within a class, images stand in the order of the bytes of their
//! names. Files that do not end in `.jpg`, `.jpeg` or `.png` and those whose name begins with a dot are
//! passed over. Rules that are errors when broken: every class has an image; no folder lies in the folder of
//! a class; no image lies outside of one; at most 256 classes.
//!
//! Grey images are made colour by repetition, colour ones grey by 0.2126 red + 0.7152 green + 0.0722 blue;
//! transparency is dropped, 16 bits become 8, and a rotation noted in the file's remarks is not carried out.
//!
//! Photographs without classes and of any sizes: [`photographs`]; those that are part of this crate: [`embedded`].

mod archive;
pub(crate) mod decode;
pub(crate) mod directory;
mod photographs;

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::Array2;

use crate::{DataError, Images};
use decode::Picture;
pub use photographs::{Photograph, embedded, embedded_files, photographs};

/// To which size images are brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// None: they have to be of one size.
    #[default]
    AsTheyAre,
    /// Each side by itself, whatever becomes of the proportions.
    Stretched {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// Scaled in proportion until one side fits and the other is not too short, then cut at the centre; for
    /// square images: the shorter side is scaled.
    Cropped {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
}

/// Values a pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Three: red, green, blue.
    #[default]
    Rgb,
    /// One: grey.
    Grey,
}

/// What is done with a file that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Corrupt {
    /// It is an error.
    #[default]
    Fail,
    /// It is left out and listed.
    Skip,
}

/// How to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The folder within the directory or archive that holds those of the classes, such as `train` or
    /// `101_ObjectCategories`; none: the top.
    pub part: Option<String>,
    /// The size of all images.
    pub size: Size,
    /// Values a pixel.
    pub colour: Colour,
    /// What is done with damaged files.
    pub corrupt: Corrupt,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassImages {
    /// The images, class after class, with the number of the class as label.
    pub images: Images,
    /// Names of the classes, in the order of the labels.
    pub class_names: Vec<String>,
    /// Of each image, class and name of its file: `cat/1.jpg`.
    pub names: Vec<String>,
    /// The files that were left out, with the reason, for [`Corrupt::Skip`].
    pub skipped: Vec<String>,
}

/// Reads the images of a directory or of a tar archive.
///
/// # Errors
///
/// An absent or unreadable directory, archive or file; a file that is no image, with its name, unless it is
/// to be skipped; [`DataError::MixedSizes`]; an empty class, a misplaced image and the other rules above
/// ([`DataError::Malformed`]); [`DataError::Setting`] for a size without pixels.
pub fn read(path: &Path, how: &Reading) -> Result<ClassImages, DataError> {
    if let Size::Stretched { height, width } | Size::Cropped { height, width } = how.size
        && !((1..=decode::LARGEST_SIDE).contains(&height) && (1..=decode::LARGEST_SIDE).contains(&width))
    {
        let allowed = format!("give a height and a width of 1 to {} pixels", decode::LARGEST_SIDE);
        return Err(DataError::Setting {
            name: "the size of images",
            value: format!("{height} by {width}"),
            allowed,
        });
    }
    let mut found = Found { how, first: None, classes: BTreeMap::new(), skipped: Vec::new() };
    let part = how.part.as_deref().unwrap_or("");
    if path.is_dir() {
        directory::visit(&path.join(part), &mut found)?;
    } else {
        archive::visit(path, part, &mut found)?;
    }
    found.finish(path)
}

/// What has been read so far.
struct Found<'a> {
    how: &'a Reading,
    /// Name and size of the first image.
    first: Option<(String, [usize; 2])>,
    /// Name and pixels of the images of each class.
    classes: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    skipped: Vec<String>,
}

impl Found<'_> {
    fn class(&mut self, class: &str) {
        self.classes.entry(class.into()).or_default();
    }

    /// Takes the content of a file; `origin` names it in errors.
    fn image(&mut self, class: &str, name: &str, bytes: &[u8], origin: &str) -> Result<(), DataError> {
        self.class(class);
        let Picture { height, width, pixels } = match decode::decode(bytes, self.how) {
            Ok(picture) => picture,
            Err(fault) if self.how.corrupt == Corrupt::Skip => {
                self.skipped.push(format!("{class}/{name}: {fault}"));
                return Ok(());
            }
            Err(fault) => {
                let place = "the image".into();
                let remedy = "replace or remove the file, or read with damaged files skipped";
                return Err(DataError::Malformed { origin: origin.into(), place, fault, remedy });
            }
        };
        let (first, size) = self.first.get_or_insert_with(|| (origin.into(), [height, width]));
        if *size != [height, width] {
            return Err(DataError::MixedSizes {
                first: first.clone(),
                first_size: *size,
                second: origin.into(),
                second_size: [height, width],
            });
        }
        self.classes.entry(class.into()).or_default().insert(name.into(), pixels);
        Ok(())
    }

    fn finish(mut self, path: &Path) -> Result<ClassImages, DataError> {
        let Some((_, [height, width])) = self.first else {
            let place = self.how.part.as_deref().unwrap_or("the top");
            let fault = "no image in the folder of a class (.jpg, .jpeg or .png)";
            let remedy = "put one folder a class there, or name the part that holds them";
            return Err(DataError::malformed(path, place, fault, remedy));
        };
        if let Some((class, _)) = self.classes.iter().find(|(_, images)| images.is_empty()) {
            let fault = "a class without an image that can be read";
            let remedy = "remove the folder, or put images into it";
            return Err(DataError::malformed(path, format!("folder '{class}'"), fault, remedy));
        }
        let channels = if self.how.colour == Colour::Grey { 1 } else { 3 };
        let count: usize = self.classes.values().map(BTreeMap::len).sum();
        let mut pixels = Vec::with_capacity(count * height * width * channels);
        let (mut labels, mut names, mut class_names) = (Vec::new(), Vec::new(), Vec::new());
        for (label, (class, images)) in self.classes.into_iter().enumerate() {
            for (name, image) in images {
                // More classes than labels can tell apart are refused below.
                labels.push(label as u8);
                names.push(format!("{class}/{name}"));
                pixels.extend(image);
            }
            class_names.push(class);
        }
        let pixels = Array2::from_shape_vec((count, height * width * channels), pixels)
            .expect("all images have the size of the first");
        let size = [height, width, channels];
        let images = Images::new(pixels, size, Some(labels), class_names.len(), &path.display().to_string())?;
        self.skipped.sort_unstable();
        Ok(ClassImages { images, class_names, names, skipped: self.skipped })
    }
}

/// Whether a file or folder is passed over.
fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX"
}

/// Whether the name is that of an image.
fn is_image(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    !is_hidden(name) && matches!(ending.as_deref(), Some("jpg" | "jpeg" | "png"))
}

/// An image or a folder that is not where it has to be.
fn misplaced(path: &Path, name: &str) -> DataError {
    let fault = "neither the folder of a class nor an image directly in one";
    let remedy = "move it, or name the part that holds the folders of the classes";
    DataError::malformed(path, format!("'{name}'"), fault, remedy)
}

#[cfg(test)]
mod tests;
