//! One image from the bytes of its file.

use std::io::Cursor;

use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};

use super::{Colour, Reading, Size};

/// Bytes of an image file, at most: 256 MiB.
pub(crate) const LONGEST_FILE: usize = 1 << 28;

/// Pixels along a side, at most.
pub(super) const LARGEST_SIDE: usize = 1 << 14;

pub(crate) struct Picture {
    pub height: usize,
    pub width: usize,
    /// Row-major, the channel last.
    pub pixels: Vec<u8>,
}

/// Decodes an image and brings it to size and colours; otherwise what is wrong with it.
pub(crate) fn decode(bytes: &[u8], how: &Reading) -> Result<Picture, String> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|fault| fault.to_string())?;
    if reader.format() == Some(ImageFormat::Jpeg) && !ends(bytes) {
        return Err("the JPEG data is cut off".into());
    }
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) =
        (Some(LARGEST_SIDE as u32), Some(LARGEST_SIDE as u32));
    reader.limits(limits);
    let image = reader.decode().map_err(|fault| one_line(&fault.to_string()))?;
    let image = match how.colour {
        Colour::Grey => DynamicImage::ImageLuma8(image.into_luma8()),
        Colour::Rgb => DynamicImage::ImageRgb8(image.into_rgb8()),
    };
    let image = match how.size {
        Size::AsTheyAre => image,
        Size::Stretched { height, width } => scaled(image, height as u32, width as u32),
        Size::Cropped { height, width } => cropped(image, height as u32, width as u32),
    };
    let (height, width) = (image.height() as usize, image.width() as usize);
    Ok(Picture { height, width, pixels: image.into_bytes() })
}

/// Linear interpolation, over as many pixels as one of the result covers.
fn scaled(image: DynamicImage, height: u32, width: u32) -> DynamicImage {
    if (image.height(), image.width()) == (height, width) {
        return image;
    }
    image.resize_exact(width, height, FilterType::Triangle)
}

fn cropped(image: DynamicImage, height: u32, width: u32) -> DynamicImage {
    let ratio = |wanted: u32, have: u32| f64::from(wanted) / f64::from(have);
    let scale = ratio(height, image.height()).max(ratio(width, image.width()));
    // A thin line of an image would be scaled to a very long one: what will be cut off is cut off before.
    let kept =
        |wanted: u32, have: u32| ((f64::from(wanted) / scale).ceil() as u32).saturating_add(2).min(have);
    let (inner_height, inner_width) = (kept(height, image.height()), kept(width, image.width()));
    let centre = |outer: u32, inner: u32| (outer - inner) / 2;
    let (top, left) = (centre(image.height(), inner_height), centre(image.width(), inner_width));
    let image = match (inner_height, inner_width) == (image.height(), image.width()) {
        true => image,
        false => image.crop_imm(left, top, inner_width, inner_height),
    };
    let side = |wanted: u32, have: u32| ((f64::from(have) * scale).round() as u32).max(wanted);
    let (outer_height, outer_width) = (side(height, image.height()), side(width, image.width()));
    let image = scaled(image, outer_height, outer_width);
    image.crop_imm(centre(outer_width, width), centre(outer_height, height), width, height)
}

/// Whether JPEG data has its end mark. The decoder fills what is missing with grey, as a viewer should.
fn ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Segments before the data can hold anything, also a smaller image: they are passed over by length.
    while let Some(&[0xff, mark, high, low]) = bytes.get(at..at + 4) {
        match mark {
            0xff => at += 1,
            0xda => break,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    // Within the data, 0xff is followed by 0 or by the number of a restart.
    bytes.get(at..).is_some_and(|data| data.windows(2).any(|pair| pair == [0xff, 0xd9]))
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
