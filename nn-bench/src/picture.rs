//! Pictures of bytes, in grey or in colour, and their PNG.

/// Why pixels do not make a picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The number of bytes is not width × height × channels, or a side is 0.
    #[error(
        "{bytes} bytes do not fill a picture of {width} × {height} with {channels} bytes a pixel; \
             give exactly width × height × {channels} bytes, neither side 0"
    )]
    WrongSize {
        /// Bytes given.
        bytes: usize,
        /// Pixels across.
        width: usize,
        /// Pixels down.
        height: usize,
        /// Bytes a pixel: 1 or 3.
        channels: usize,
    },
    /// The encoder refused.
    #[error("cannot encode a picture as PNG: {0}; make it smaller")]
    Png(#[from] png::EncodingError),
}

/// What can be put into a report.
pub trait Picture {
    /// Pixels across.
    fn width(&self) -> usize;

    /// Pixels down.
    fn height(&self) -> usize;

    /// The bytes of the picture as a PNG file.
    ///
    /// # Errors
    ///
    /// [`PictureError::Png`] if a side is beyond what PNG can say.
    fn to_png(&self) -> Result<Vec<u8>, PictureError>;
}

macro_rules! image_of_bytes {
    ($(#[$about:meta])* $name:ident, $channels:literal, $pixel:ty, $colour:expr) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            width: usize,
            height: usize,
            bytes: Vec<u8>,
        }

        impl $name {
            /// A picture of one colour.
            ///
            /// # Errors
            ///
            /// [`PictureError::WrongSize`] if a side is 0.
            pub fn filled(width: usize, height: usize, pixel: $pixel) -> Result<Self, PictureError> {
                let count = width.saturating_mul(height).saturating_mul($channels);
                let mut bytes = vec![0; count];
                bytes.chunks_exact_mut($channels).for_each(|place| place.copy_from_slice(&pixel));
                Self::from_bytes(width, height, bytes)
            }

            /// A picture of these bytes, row by row from the top left.
            ///
            /// # Errors
            ///
            /// [`PictureError::WrongSize`] if their number is not that of the pixels or a side is 0.
            pub fn from_bytes(width: usize, height: usize, bytes: Vec<u8>) -> Result<Self, PictureError> {
                let wanted = width.checked_mul(height).and_then(|pixels| pixels.checked_mul($channels));
                if wanted != Some(bytes.len()) || bytes.is_empty() {
                    let (bytes, channels) = (bytes.len(), $channels);
                    return Err(PictureError::WrongSize { bytes, width, height, channels });
                }
                Ok(Self { width, height, bytes })
            }

            /// The bytes, row by row from the top left.
            pub fn bytes(&self) -> &[u8] {
                &self.bytes
            }

            /// The pixel in column `x` and row `y`.
            ///
            /// # Panics
            ///
            /// If it lies outside.
            pub fn pixel(&self, x: usize, y: usize) -> $pixel {
                let mut pixel = [0; $channels];
                pixel.copy_from_slice(&self.bytes[self.place(x, y)]);
                pixel
            }

            /// Sets the pixel in column `x` and row `y`.
            ///
            /// # Panics
            ///
            /// If it lies outside.
            pub fn set_pixel(&mut self, x: usize, y: usize, pixel: $pixel) {
                let place = self.place(x, y);
                self.bytes[place].copy_from_slice(&pixel);
            }

            /// The picture with each pixel as a square of `factor` × `factor`; 0 counts as 1.
            pub fn zoomed(&self, factor: usize) -> Self {
                let factor = factor.max(1);
                let mut bytes = Vec::with_capacity(self.bytes.len() * factor * factor);
                for row in self.bytes.chunks_exact(self.width * $channels) {
                    for _ in 0..factor {
                        for pixel in row.chunks_exact($channels) {
                            (0..factor).for_each(|_| bytes.extend_from_slice(pixel));
                        }
                    }
                }
                Self { width: self.width * factor, height: self.height * factor, bytes }
            }

            fn place(&self, x: usize, y: usize) -> std::ops::Range<usize> {
                let (width, height) = (self.width, self.height);
                assert!(x < width && y < height, "pixel ({x}, {y}) lies outside {width} × {height}");
                let start = (y * width + x) * $channels;
                start..start + $channels
            }
        }

        impl Picture for $name {
            fn width(&self) -> usize {
                self.width
            }

            fn height(&self) -> usize {
                self.height
            }

            fn to_png(&self) -> Result<Vec<u8>, PictureError> {
                encode(self.width, self.height, &self.bytes, $colour)
            }
        }
    };
}

image_of_bytes!(
    /// A picture in 256 greys: 0 is black, 255 white.
    GrayImage, 1, [u8; 1], png::ColorType::Grayscale
);
image_of_bytes!(
    /// A picture in red, green and blue.
    RgbImage, 3, [u8; 3], png::ColorType::Rgb
);

fn encode(
    width: usize,
    height: usize,
    bytes: &[u8],
    colour: png::ColorType,
) -> Result<Vec<u8>, PictureError> {
    let side = |length| u32::try_from(length).unwrap_or(u32::MAX);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side(width), side(height));
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn decode(file: &[u8]) -> (u32, u32, Vec<u8>) {
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        (info.width, info.height, bytes)
    }

    #[test]
    fn a_picture_survives_its_png() {
        let gray = GrayImage::from_bytes(3, 2, vec![0, 50, 100, 150, 200, 255]).unwrap();
        assert_eq!(decode(&gray.to_png().unwrap()), (3, 2, gray.bytes().to_vec()));
        let mut rgb = RgbImage::filled(2, 1, [1, 2, 3]).unwrap();
        rgb.set_pixel(1, 0, [9, 8, 7]);
        assert_eq!(decode(&rgb.to_png().unwrap()), (2, 1, vec![1, 2, 3, 9, 8, 7]));
        assert_eq!(rgb.pixel(1, 0), [9, 8, 7]);
    }

    #[test]
    fn a_zoomed_pixel_is_a_square() {
        let zoomed = GrayImage::from_bytes(2, 1, vec![7, 9]).unwrap().zoomed(2);
        assert_eq!((zoomed.width(), zoomed.height()), (4, 2));
        assert_eq!(zoomed.bytes(), [7, 7, 9, 9, 7, 7, 9, 9]);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        assert!(GrayImage::from_bytes(2, 2, vec![0; 3]).is_err());
        assert!(RgbImage::filled(0, 2, [0; 3]).is_err());
        let message = RgbImage::from_bytes(1, 1, vec![0; 4]).unwrap_err().to_string();
        assert!(message.starts_with("4 bytes do not fill a picture of 1 × 1 with 3 bytes"), "{message}");
    }
}
