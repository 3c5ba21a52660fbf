//! Convolutions of stride 1 with fewer multiplications: minimal filtering F(4×4, 5×5) and F(4×4, 3×3).
//!
//! Y = Aᵀ·\[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)\]·A, where d is a tile of S × S pixels, g a filter of R × R taps and Y the sums at
//! M × M positions, S = M + R − 1 and M = 4: S² = 64 or 36 multiplications for each channel and map instead of
//! M²·R² = 400 or 144. ⊙ multiplies matrices, tiles × channels by channels × maps, at each of the S² points of a tile.
//! Neighbouring tiles overlap by R − 1 pixels. The gradient of the filters is the same with tiles of deltas as filters
//! and R × R sums.
//!
//! S. Winograd, "Arithmetic complexity of computations", 1980; A. Lavin and S. Gray, "Fast algorithms for convolutional
//! neural networks", 2016. The matrices: [`transform`]. Times and errors: docs/decisions/0009-winograd.md. Images with
//! a wide border: [`scatter`].

mod filters;
mod forward;
mod gradient;
mod scatter;
#[cfg(test)]
mod tests;
mod transform;

pub(super) use forward::forward;
pub(super) use gradient::part_gradient;

use super::convolution::Patches;
use super::microkernel::{PANEL, TILE_ROWS};
use super::pack::Scratch;
use crate::Window;
use transform::{LANES, Lanes, Pixels, Transform};

/// Positions of a tile along an axis.
const M: usize = 4;
/// Floats of pixels and sums at all points of a block of tiles: half of a second-level cache.
const BLOCK: usize = 1 << 16;
/// Fewest tiles of a block, for each of which all filters are read again.
const FEWEST_TILES: usize = 3 * TILE_ROWS;
/// What the transform of a gradient by a filter costs, in multiplications.
const FILTER: usize = 600;

/// Whether maps are computed here. The number of cases does not matter, so that a case has the same bits in any batch.
pub(super) fn takes_maps(window: &Window, maps: usize) -> bool {
    halves(window, 1, maps, 0)
}

/// Whether the gradient of so many cases is computed here.
pub(super) fn takes_gradient(window: &Window, cases: usize, maps: usize) -> bool {
    halves(window, cases, maps, FILTER)
}

/// Whether this can be done here, with at most half the multiplications; taps outside the image count as any.
fn halves(window: &Window, cases: usize, maps: usize, more: usize) -> bool {
    let fits = matches!(window.kernel, [3, 3] | [5, 5]) && window.stride == [1, 1];
    if !fits || window.channels < LANES || maps < LANES {
        return false;
    }
    let tiles: usize = position_tiles(window).iter().product();
    let (taps, points) = (window.kernel[0].pow(2), (window.kernel[0] + M - 1).pow(2));
    2 * (cases * tiles * points + more) <= cases * window.count() * taps
}

/// Tiles of positions down and across.
fn position_tiles(window: &Window) -> [usize; 2] {
    window.positions().map(|count| count.div_ceil(M))
}

/// Tiles of pixels down and across.
fn image_tiles(window: &Window) -> [usize; 2] {
    [window.height, window.width].map(|count| count.div_ceil(M))
}

/// Whether maps are made from tiles of pixels, which are fewer, and of which a case has few enough to stay in the cache.
fn scatters(window: &Window) -> bool {
    let [pixels, positions] =
        [image_tiles(window), position_tiles(window)].map(|tiles| tiles.iter().product::<usize>());
    window.padding == window.kernel.map(|taps| taps - 1) && pixels < positions && pixels <= FEWEST_TILES
}

/// How tiles of `S` × `S` pixels cover an image and, with [`M`] × [`M`] each, the positions of its window; those at
/// the lower and the right edge may hang over.
#[derive(Clone, Copy)]
struct Tiling<const S: usize> {
    window: Window,
    /// Positions down and across.
    positions: [usize; 2],
    /// Tiles down and across.
    tiles: [usize; 2],
}

/// A row of tiles.
#[derive(Clone, Copy)]
struct TileRow {
    case: usize,
    /// Its first row of positions, and how many it has.
    top: usize,
    rows: usize,
}

impl<const S: usize> Tiling<S> {
    fn new(window: Window) -> Tiling<S> {
        let positions = window.positions();
        Tiling { window, positions, tiles: position_tiles(&window) }
    }

    /// Rows of tiles are numbered through all cases.
    fn row(&self, number: usize) -> TileRow {
        let top = number % self.tiles[0] * M;
        TileRow { case: number / self.tiles[0], top, rows: M.min(self.positions[0] - top) }
    }

    /// The number of the first position of a row of tiles among those of all cases.
    fn position(&self, number: usize) -> usize {
        let row = self.row(number);
        (row.case * self.positions[0] + row.top) * self.positions[1]
    }

    /// Pixels across that the tiles of a row cover together.
    fn pixels_across(&self) -> usize {
        self.tiles[1] * M + S - M
    }

    /// Room for the tiles of a row after the transform down, and for a row of pixels, all zero: borders stay so.
    fn lines<'s>(&self, scratch: &'s mut Scratch) -> &'s mut [f32] {
        let Window { width, channels, .. } = self.window;
        let lines = scratch.floats((S * self.pixels_across() + width) * channels);
        lines.fill(0.0);
        lines
    }

    /// Bᵀ·d·B for the tiles of a row: point p, tile t, channel c goes to `to[p * pitch + t * channels + c]`. All tiles
    /// share what is transformed down, in `lines`.
    #[target_feature(enable = "avx2,fma")]
    fn transform_pixels(
        &self,
        patches: &Patches<'_>,
        number: usize,
        lines: &mut [f32],
        to: &mut [f32],
        pitch: usize,
    ) {
        let Window { height, width, channels, padding, .. } = self.window;
        let row = self.row(number);
        let image =
            &patches.values[patches.offset + row.case * patches.row_stride..][..self.window.image_len()];
        let line = self.pixels_across() * channels;
        let (lines, outside) = lines.split_at_mut(line * S);
        let left = padding[1] * channels;
        assert!(outside.len() == width * channels && left + width * channels <= line);
        let rows: [&[f32]; S] =
            std::array::from_fn(|i| match (row.top + i).checked_sub(padding[0]).filter(|y| *y < height) {
                Some(y) => &image[y * width * channels..][..width * channels],
                None => &*outside,
            });
        for at in groups(width * channels) {
            // SAFETY: each of the rows has that many floats, and so has the inside of each line.
            unsafe {
                let mut down = [Lanes::zero(); S];
                for i in 0..S {
                    down[i] = Lanes::load(rows[i].as_ptr().add(at));
                }
                let down = Pixels::of(down);
                for i in 0..S {
                    down[i].store(lines.as_mut_ptr().add(i * line + left + at));
                }
            }
        }
        assert!(to.len() >= (S * S - 1) * pitch + self.tiles[1] * channels);
        for tile in 0..self.tiles[1] {
            for channel in groups(channels) {
                for i in 0..S {
                    // SAFETY: a line holds the pixels of all tiles; the room for all points was just checked.
                    unsafe {
                        let from = lines.as_ptr().add(i * line + tile * M * channels + channel);
                        let mut across = [Lanes::zero(); S];
                        for j in 0..S {
                            across[j] = Lanes::load(from.add(j * channels));
                        }
                        let across = Pixels::of(across);
                        let to = to.as_mut_ptr().add(i * S * pitch + tile * channels + channel);
                        for j in 0..S {
                            across[j].store(to.add(j * pitch));
                        }
                    }
                }
            }
        }
    }
}

/// Where groups of [`LANES`] of at least that many values start; the last may take some again.
#[inline(always)]
fn groups(len: usize) -> impl Iterator<Item = usize> {
    debug_assert!(len >= LANES);
    (0..len.div_ceil(LANES)).map(move |group| (group * LANES).min(len - LANES))
}

/// The distance of matrices of `len` floats: an odd number of cache lines, since as many as there are points would
/// otherwise often share the same places of a cache.
fn pitch(len: usize) -> usize {
    (len.div_ceil(PANEL) | 1) * PANEL
}
