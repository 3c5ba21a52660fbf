//! Many small pictures side by side in one: filters, samples, and inputs above their reconstructions.

use ndarray::{ArrayView1, ArrayView2, Axis, Slice};

use crate::picture::{GrayImage, Picture, PictureError, RgbImage};

/// Between tiles: a grey that is neither black nor the middle grey of a weight of 0.
const GAP: u8 = 64;

/// Where in a weight matrix one tile's values lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileAxis {
    /// A row is a tile: images × pixels.
    Rows,
    /// A column is a tile: visible × hidden weights.
    Columns,
}

/// What is white and what is black in a picture of weights. A weight of 0 is middle grey in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// Each tile's own largest magnitude: shows the shape of weak filters too.
    PerTile,
    /// The largest magnitude of all: shows which filters are strong.
    Shared,
}

/// How tiles are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileLayout {
    /// Pixels down in a tile.
    pub height: usize,
    /// Pixels across in a tile.
    pub width: usize,
    /// Tiles side by side.
    pub columns: usize,
    /// Screen pixels a side for each pixel of a tile, at least 1.
    pub zoom: usize,
}

impl TileLayout {
    /// `columns` tiles of `height` × `width` side by side, doubled in size.
    pub fn new(height: usize, width: usize, columns: usize) -> Self {
        Self { height, width, columns, zoom: 2 }
    }

    /// The same with another zoom.
    pub fn zoom(self, zoom: usize) -> Self {
        Self { zoom, ..self }
    }
}

/// Why values do not make a grid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageGridError {
    /// A tile has more or fewer values than pixels.
    #[error("a tile of {height} × {width} pixels has {wanted} values, not {found}; give the tiles' true size \
             and the axis they lie on", wanted = height * width)]
    TileSize {
        /// Pixels down.
        height: usize,
        /// Pixels across.
        width: usize,
        /// Values found for a tile.
        found: usize,
    },
    /// There is no tile, or no column to put it in.
    #[error("a grid needs at least one tile and one column; {tiles} tiles in {columns} columns were given")]
    Empty {
        /// Tiles given.
        tiles: usize,
        /// Columns asked for.
        columns: usize,
    },
    /// Strips that belong together have different numbers of tiles.
    #[error("strip {strip} has {found} tiles and the first has {wanted}; give every strip the same tiles")]
    UnequalStrips {
        /// Which strip, from 0.
        strip: usize,
        /// Its tiles.
        found: usize,
        /// The first one's tiles.
        wanted: usize,
    },
    /// The grid is no picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// A picture of weights, symmetrical around 0: black is negative, middle grey 0, white positive.
///
/// A weight that is no number is drawn as 0.
///
/// # Errors
///
/// [`ImageGridError`] if the matrix has no tiles of that size.
pub fn filters(
    weights: ArrayView2<'_, f32>,
    axis: TileAxis,
    layout: TileLayout,
    scaling: Scaling,
) -> Result<GrayImage, ImageGridError> {
    let tiles = if axis == TileAxis::Rows { weights } else { weights.reversed_axes() };
    let largest = |values: &mut dyn Iterator<Item = &f32>| {
        values.filter(|weight| weight.is_finite()).fold(0.0_f32, |largest, weight| largest.max(weight.abs()))
    };
    let shared = largest(&mut tiles.iter());
    grid(&[tiles], layout, |tile| {
        let scale = if scaling == Scaling::Shared { shared } else { largest(&mut tile.iter()) };
        let scale = if scale > 0.0 { scale } else { 1.0 };
        tile.iter().map(|weight| to_gray(0.5 + 0.5 * weight / scale, 0.5)).collect()
    })
}

/// A picture of images × pixels in [0, 1]: 0 is black, 1 white; what lies outside is clipped.
///
/// # Errors
///
/// [`ImageGridError`] if a row is no tile of that size.
pub fn samples(images: ArrayView2<'_, f32>, layout: TileLayout) -> Result<GrayImage, ImageGridError> {
    comparison(&[images], layout)
}

/// As [`filters`] for filters of colour images, each with its own scaling: a weight of 0 is middle grey in each of red,
/// green and blue, which are the channels of a pixel.
///
/// # Errors
///
/// [`ImageGridError`] if the matrix has no tiles of that size.
pub fn colour_filters(
    weights: ArrayView2<'_, f32>,
    axis: TileAxis,
    layout: TileLayout,
) -> Result<RgbImage, ImageGridError> {
    let mut tiles = if axis == TileAxis::Rows { weights.to_owned() } else { weights.t().to_owned() };
    for mut tile in tiles.rows_mut() {
        let largest = tile.iter().filter(|weight| weight.is_finite()).fold(0.0_f32, |a, b| a.max(b.abs()));
        let scale = if largest > 0.0 { largest } else { 1.0 };
        tile.mapv_inplace(|weight| if weight.is_nan() { 0.5 } else { 0.5 + 0.5 * weight / scale });
    }
    colours(tiles.view(), layout)
}

/// A picture of colour images, images × (pixels · 3) in [0, 1] with the channel last.
///
/// # Errors
///
/// [`ImageGridError`] if a row is no tile of that size.
pub fn colours(images: ArrayView2<'_, f32>, layout: TileLayout) -> Result<RgbImage, ImageGridError> {
    let wanted = 3 * layout.height * layout.width;
    if images.nrows() > 0 && images.ncols() != wanted {
        let TileLayout { height, width, .. } = layout;
        return Err(ImageGridError::TileSize { height, width: 3 * width, found: images.ncols() });
    }
    let [red, green, blue] =
        [0, 1, 2].map(|channel| samples(images.slice_axis(Axis(1), Slice::new(channel, None, 3)), layout));
    let [red, green, blue] = [red?, green?, blue?];
    let pixels = red.bytes().iter().zip(green.bytes()).zip(blue.bytes());
    let bytes = pixels.flat_map(|((red, green), blue)| [*red, *green, *blue]).collect();
    Ok(RgbImage::from_bytes(red.width(), red.height(), bytes)?)
}

/// Strips of images × pixels in [0, 1], one above the other: an image, what was done to it, what came back.
///
/// Tile i of each strip stands below tile i of the strip before. Images beyond `layout.columns` begin a
/// further block of strips, set off by a wider gap.
///
/// # Errors
///
/// [`ImageGridError`] if a row is no tile of that size or the strips are unequally long.
pub fn comparison(strips: &[ArrayView2<'_, f32>], layout: TileLayout) -> Result<GrayImage, ImageGridError> {
    grid(strips, layout, |tile| tile.iter().map(|value| to_gray(*value, 0.0)).collect())
}

/// `value` in [0, 1] as a grey; `otherwise` for what is no number.
fn to_gray(value: f32, otherwise: f32) -> u8 {
    let value = if value.is_nan() { otherwise } else { value.clamp(0.0, 1.0) };
    (value * 255.0).round() as u8
}

fn grid(
    strips: &[ArrayView2<'_, f32>],
    layout: TileLayout,
    grays: impl Fn(ArrayView1<'_, f32>) -> Vec<u8>,
) -> Result<GrayImage, ImageGridError> {
    let TileLayout { height, width, columns, zoom } = layout;
    let zoom = zoom.max(1);
    let tiles = strips.first().map_or(0, |strip| strip.nrows());
    if tiles == 0 || columns == 0 {
        return Err(ImageGridError::Empty { tiles, columns });
    }
    for (strip, images) in strips.iter().enumerate() {
        if images.nrows() != tiles {
            return Err(ImageGridError::UnequalStrips { strip, found: images.nrows(), wanted: tiles });
        }
        if images.ncols() != height * width {
            return Err(ImageGridError::TileSize { height, width, found: images.ncols() });
        }
    }
    let gap = zoom;
    let block_gap = if strips.len() > 1 { 4 * gap } else { gap };
    let columns = columns.min(tiles);
    let (across, down) = (width * zoom + gap, height * zoom + gap);
    let block = strips.len() * down - gap + block_gap;
    let blocks = tiles.div_ceil(columns);
    let total_height = 2 * gap + blocks * block - block_gap;
    let mut picture = GrayImage::filled(gap + columns * across, total_height, [GAP])?;
    for (strip, images) in strips.iter().enumerate() {
        for (index, image) in images.axis_iter(Axis(0)).enumerate() {
            let left = gap + index % columns * across;
            let top = gap + index / columns * block + strip * down;
            let grays = grays(image);
            for y in 0..height * zoom {
                for x in 0..width * zoom {
                    picture.set_pixel(left + x, top + y, [grays[y / zoom * width + x / zoom]]);
                }
            }
        }
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn filters_are_symmetrical_around_zero() {
        // Two filters of 1 × 2 pixels in the columns.
        let weights = array![[-1.0, 0.1], [0.0, 0.05]];
        let layout = TileLayout::new(1, 2, 2).zoom(1);
        let own = filters(weights.view(), TileAxis::Columns, layout, Scaling::PerTile).unwrap();
        assert_eq!((own.width(), own.height()), (7, 3));
        assert_eq!(own.bytes()[7..14], [GAP, 0, 128, GAP, 255, 191, GAP]);
        let shared = filters(weights.view(), TileAxis::Columns, layout, Scaling::Shared).unwrap();
        assert_eq!(shared.bytes()[7..14], [GAP, 0, 128, GAP, 140, 134, GAP]);
        let rows = filters(weights.t(), TileAxis::Rows, layout, Scaling::PerTile).unwrap();
        assert_eq!(rows, own);
    }

    #[test]
    fn weights_of_zero_and_weights_that_are_no_numbers_are_middle_gray() {
        let weights = array![[0.0, 0.0], [f32::NAN, 2.0]];
        let picture =
            filters(weights.view(), TileAxis::Rows, TileLayout::new(1, 2, 1).zoom(1), Scaling::PerTile)
                .unwrap();
        assert_eq!([picture.pixel(1, 1), picture.pixel(2, 1)], [[128], [128]]);
        assert_eq!([picture.pixel(1, 3), picture.pixel(2, 3)], [[128], [255]]);
    }

    #[test]
    fn samples_fill_rows_and_are_zoomed() {
        let images = array![[0.0], [1.0], [2.0]];
        let picture = samples(images.view(), TileLayout::new(1, 1, 2)).unwrap();
        assert_eq!((picture.width(), picture.height()), (10, 10));
        assert_eq!([picture.pixel(2, 2), picture.pixel(7, 3)], [[0], [255]]);
        assert_eq!([picture.pixel(3, 7), picture.pixel(7, 7)], [[255], [GAP]]);
    }

    #[test]
    fn colours_stand_in_the_channels() {
        let layout = TileLayout::new(1, 2, 1).zoom(1);
        let images = array![[1.0, 0.0, 0.0, 0.0, 1.0, 0.2]];
        let picture = colours(images.view(), layout).unwrap();
        assert_eq!((picture.width(), picture.height()), (4, 3));
        assert_eq!([picture.pixel(1, 1), picture.pixel(2, 1)], [[255, 0, 0], [0, 255, 51]]);
        assert_eq!(picture.pixel(0, 0), [GAP; 3]);
        let weights = array![[0.0, -2.0, 2.0, 1.0, f32::NAN, 0.0]];
        let picture = colour_filters(weights.view(), TileAxis::Rows, layout).unwrap();
        assert_eq!([picture.pixel(1, 1), picture.pixel(2, 1)], [[128, 0, 255], [191, 128, 128]]);
        let columns = colour_filters(weights.t(), TileAxis::Columns, layout).unwrap();
        assert_eq!(columns, picture);
        let message = colours(array![[0.0, 0.0]].view(), layout).unwrap_err().to_string();
        assert!(message.contains("has 6 values, not 2"), "{message}");
    }

    #[test]
    fn strips_stand_below_each_other_in_blocks() {
        let before = array![[0.2], [0.4]];
        let after = array![[0.6], [0.8]];
        let picture = comparison(&[before.view(), after.view()], TileLayout::new(1, 1, 1).zoom(1)).unwrap();
        assert_eq!((picture.width(), picture.height()), (3, 12));
        let column: Vec<u8> = (0..12).map(|y| picture.pixel(1, y)[0]).collect();
        assert_eq!(column, [GAP, 51, GAP, 153, GAP, GAP, GAP, GAP, 102, GAP, 204, GAP]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_numbers() {
        let images = array![[0.0, 0.0, 0.0]];
        let refused = |layout| samples(images.view(), layout).unwrap_err().to_string();
        assert!(refused(TileLayout::new(2, 2, 1)).contains("has 4 values, not 3"));
        assert!(refused(TileLayout::new(1, 3, 0)).contains("0 columns"));
        let two = array![[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
        let unequal = comparison(&[images.view(), two.view()], TileLayout::new(1, 3, 1)).unwrap_err();
        assert!(unequal.to_string().contains("strip 1 has 2 tiles"));
    }
}
