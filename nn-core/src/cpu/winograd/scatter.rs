//! The maps of an image whose border is as wide as windows reach: what each pixel adds to them.
//!
//! The transpose of the way in `forward.rs`: a tile d of M × M pixels and a filter g, its taps in reverse, are
//! polynomials, and their product, B·\[(G·g·Gᵀ) ⊙ (A·d·Aᵀ)\]·Bᵀ, is what the tile adds to S × S positions. Tiles of pixels
//! are apart, while those of `forward.rs` overlap and reach into the border: an image of 8 × 8 pixels takes 4 tiles
//! instead of 9.

use super::super::convolution::{Patches, part};
use super::super::microkernel::PANEL;
use super::super::pack::{Scratch, Strided};
use super::super::product::Block;
use super::super::team::share;
use super::filters::{Filters, Taps, with_filters};
use super::transform::{Coefficients, LANES, Lanes, Values, twice};
use super::{BLOCK, FEWEST_TILES, M, groups, image_tiles, pitch};
use std::cell::Cell;

#[derive(Default)]
struct Workspace {
    pixels: Scratch,
    sums: Scratch,
    outputs: Scratch,
}

thread_local! {
    // Taken while in use and put back afterwards.
    static WORKSPACE: Cell<Workspace> = Cell::default();
}

/// As [`forward`](super::forward::forward), with a border of `R` − 1 pixels.
///
/// # Safety
/// The processor has AVX2 and FMA.
pub(super) unsafe fn scatter<const R: usize, const S: usize>(
    patches: &Patches<'_>,
    filters: &Strided<'_>,
    maps: usize,
    scale: f32,
    finish: &(dyn Fn(Block) + Sync),
) {
    let (channels, wide) = (patches.window.channels, maps.next_multiple_of(PANEL));
    let tiles: usize = image_tiles(&patches.window).iter().product();
    let together = (BLOCK / (S * S * (channels + wide))).max(FEWEST_TILES);
    let blocks = patches.cases.div_ceil((together / tiles).max(1));
    let work = |filters: Filters<'_>| {
        let scattering = Scattering::<S> { patches, filters, maps, finish };
        share(blocks, rayon::current_num_threads(), &|numbers| {
            let mut workspace = WORKSPACE.take();
            for number in numbers {
                let (first, cases) = part(patches.cases, number, blocks);
                // SAFETY: the caller's promise.
                unsafe { scattering.run(first, cases, &mut workspace) };
            }
            WORKSPACE.set(workspace);
        });
    };
    // SAFETY: the caller's promise.
    unsafe { with_filters::<R, S>(&patches.window, filters, maps, scale, Taps::Backward, work) };
}

/// What all blocks of cases share.
struct Scattering<'a, const S: usize> {
    patches: &'a Patches<'a>,
    filters: Filters<'a>,
    maps: usize,
    finish: &'a (dyn Fn(Block) + Sync),
}

impl<const S: usize> Scattering<'_, S> {
    /// The maps of these cases.
    #[target_feature(enable = "avx2,fma")]
    fn run(&self, first: usize, cases: usize, workspace: &mut Workspace) {
        let window = &self.patches.window;
        let a_case: usize = image_tiles(window).iter().product();
        let (tiles, channels, wide) = (cases * a_case, window.channels, self.maps.next_multiple_of(PANEL));
        let (pixel_pitch, sum_pitch) = (pitch(tiles * channels), pitch(tiles * wide));
        let pixels = workspace.pixels.floats(S * S * pixel_pitch);
        for case in 0..cases {
            self.transform_pixels(first + case, &mut pixels[case * a_case * channels..], pixel_pitch);
        }
        let sums = workspace.sums.floats(S * S * sum_pitch);
        // SAFETY: the processor has AVX2 and FMA, as this function may only be called there.
        unsafe {
            self.filters.multiply::<S>(pixels, pixel_pitch, channels, sums, sum_pitch, self.maps, tiles)
        };
        let (count, lanes) = (window.count(), self.maps.next_multiple_of(LANES));
        let outputs = workspace.outputs.floats(cases * count * lanes);
        outputs.fill(0.0);
        for case in 0..cases {
            let sums = &sums[case * a_case * wide..];
            self.add_sums(sums, sum_pitch, &mut outputs[case * count * lanes..][..count * lanes]);
        }
        let (rows, cols) = (cases * count, self.maps);
        if cols < lanes {
            (1..rows).for_each(|row| outputs.copy_within(row * lanes..row * lanes + cols, row * cols));
        }
        let row0 = first * count;
        (self.finish)(Block { row0, rows, col0: 0, cols, acc: outputs, stride: cols });
    }

    /// A·d·Aᵀ for the tiles of an image: point p, tile t, channel c goes to `to[p * pitch + t * channels + c]`.
    #[target_feature(enable = "avx2,fma")]
    fn transform_pixels(&self, case: usize, to: &mut [f32], pitch: usize) {
        let window = &self.patches.window;
        let (width, height, channels) = (window.width, window.height, window.channels);
        let image = &self.patches.values[self.patches.offset + case * self.patches.row_stride..]
            [..window.image_len()];
        let [down, across] = image_tiles(window);
        assert!(to.len() >= (S * S - 1) * pitch + down * across * channels);
        for tile in 0..down * across {
            let [top, left] = [tile / across * M, tile % across * M];
            let (rows, columns) = (M.min(height - top), M.min(width - left));
            let from = &image[(top * width + left) * channels..];
            for channel in groups(channels) {
                // SAFETY: the pixels of the tile lie within the image, or within their copy, whose others are zero;
                // the room for all points was just checked.
                unsafe {
                    let transformed = if (rows, columns) == (M, M) {
                        let strides = [width * channels, channels].map(|stride| stride as isize);
                        twice::<Values, M, S>(from.as_ptr().add(channel), strides)
                    } else {
                        let mut copy = [[0.0; LANES]; M * M];
                        for y in 0..rows {
                            for x in 0..columns {
                                let at = (y * width + x) * channels + channel;
                                copy[y * M + x].copy_from_slice(&from[at..at + LANES]);
                            }
                        }
                        twice::<Values, M, S>(copy.as_ptr().cast(), [M * LANES, LANES].map(|it| it as isize))
                    };
                    let to = to.as_mut_ptr().add(tile * channels + channel);
                    for i in 0..S {
                        for j in 0..S {
                            transformed[i][j].store(to.add((i * S + j) * pitch));
                        }
                    }
                }
            }
        }
    }

    /// Adds B·s·Bᵀ of each tile of an image to its positions × maps, in rows of whole vectors.
    #[target_feature(enable = "avx2,fma")]
    fn add_sums(&self, from: &[f32], pitch: usize, to: &mut [f32]) {
        let (wide, lanes) = (self.maps.next_multiple_of(PANEL), self.maps.next_multiple_of(LANES));
        let ([down, across], tiles) = (self.patches.window.positions(), image_tiles(&self.patches.window));
        assert!(from.len() >= (S * S - 1) * pitch + tiles[0] * tiles[1] * wide);
        assert!(to.len() == down * across * lanes);
        for tile in 0..tiles[0] * tiles[1] {
            let [top, left] = [tile / tiles[1] * M, tile % tiles[1] * M];
            let (rows, columns) = (S.min(down - top), S.min(across - left));
            for map in (0..lanes).step_by(LANES) {
                // SAFETY: these maps of this tile lie within the sums of each point, and those of its positions within
                // the outputs, whose sizes were just checked.
                unsafe {
                    let from = from.as_ptr().add(tile * wide + map);
                    let values = twice::<Coefficients, S, S>(from, [S * pitch, pitch].map(|it| it as isize));
                    for (y, values) in values.into_iter().enumerate().take(rows) {
                        let line = to.as_mut_ptr().add(((top + y) * across + left) * lanes + map);
                        for (x, value) in values.into_iter().enumerate().take(columns) {
                            let to = line.add(x * lanes);
                            (Lanes::load(to) + value).store(to);
                        }
                    }
                }
            }
        }
    }
}
