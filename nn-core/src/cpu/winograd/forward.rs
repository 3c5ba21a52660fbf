//! The maps.

use super::super::convolution::{Patches, part};
use super::super::microkernel::{self, LeftTile, PANEL, Runs, Simd, TILE_ROWS};
use super::super::pack::{Scratch, Strided, pack_b};
use super::super::product::{Block, Shared};
use super::super::team::share;
use super::transform::{LANES, Sums, Values, scales, twice};
use super::{M, Tiling, groups, pitch};
use std::{cell::Cell, ops::Range};

/// Floats of pixels and sums at all points of a block of tiles: half of a second-level cache.
const BLOCK: usize = 1 << 16;
/// Values of the filters that are transformed at a time: a multiple of a panel's width.
const CHUNK: usize = 1 << 9;
/// Fewest tiles of a block, for each of which all filters are read again.
const FEWEST_TILES: usize = 3 * TILE_ROWS;

#[derive(Default)]
struct Workspace {
    lines: Scratch,
    pixels: Scratch,
    sums: Scratch,
    outputs: Scratch,
}

#[derive(Default)]
struct Filters {
    packed: Scratch,
    transformed: Scratch,
}

thread_local! {
    // Taken while in use and put back afterwards.
    static WORKSPACE: Cell<Workspace> = Cell::default();
    static FILTERS: Cell<Filters> = Cell::default();
}

/// As [`convolution::forward`](super::super::convolution::forward).
///
/// # Safety
/// The processor has AVX2 and FMA.
pub(in super::super) unsafe fn forward(
    patches: &Patches<'_>,
    filters: &Strided<'_>,
    maps: usize,
    scale: f32,
    finish: &(dyn Fn(Block) + Sync),
) {
    match patches.window.kernel[0] {
        // SAFETY: the caller's promise.
        5 => unsafe { run::<5, 8>(patches, filters, maps, scale, finish) },
        // SAFETY: the caller's promise.
        _ => unsafe { run::<3, 6>(patches, filters, maps, scale, finish) },
    }
}

/// # Safety
/// The processor has AVX2 and FMA.
unsafe fn run<const R: usize, const S: usize>(
    patches: &Patches<'_>,
    filters: &Strided<'_>,
    maps: usize,
    scale: f32,
    finish: &(dyn Fn(Block) + Sync),
) {
    let tiling = Tiling::<S>::new(patches.window);
    let (channels, wide) = (patches.window.channels, maps.next_multiple_of(PANEL));
    filters.check(patches.window.patch_len(), maps);
    let mut taken = FILTERS.take();
    let packed = taken.packed.floats(patches.window.patch_len() * wide);
    pack_b(Simd::Avx2, &filters.into(), 0, patches.window.patch_len(), 0, maps, packed);
    let filter_pitch = pitch(channels * wide);
    let transformed = taken.transformed.floats(S * S * filter_pitch);
    let shared = Shared::new(transformed);
    let chunks = (channels * wide).div_ceil(CHUNK);
    share(chunks, rayon::current_num_threads(), &|numbers| {
        for number in numbers {
            let some = number * CHUNK..((number + 1) * CHUNK).min(channels * wide);
            // SAFETY: the caller's promise; chunks are disjoint, and each point has room for `filter_pitch` values.
            unsafe { transform_filters::<R, S>(packed, scale, channels, some, shared, filter_pitch) };
        }
    });
    let block = Blocks { tiling, patches, filters: transformed, filter_pitch, maps, finish };
    let rows = patches.cases * tiling.tiles[0];
    let tiles = (BLOCK / (S * S * (channels + wide))).max(FEWEST_TILES);
    let blocks = rows.div_ceil((tiles / tiling.tiles[1]).max(1));
    share(blocks, rayon::current_num_threads(), &|numbers| {
        let mut workspace = WORKSPACE.take();
        for number in numbers {
            let (first, rows) = part(rows, number, blocks);
            // SAFETY: the caller's promise.
            unsafe { block.run(first, rows, &mut workspace) };
        }
        WORKSPACE.set(workspace);
    });
    FILTERS.set(taken);
}

/// G·g·Gᵀ · scale: some of the values in panels of patch length × 16 to panels of channels × 16 at each point.
///
/// # Safety
/// Nobody else touches these values of `to`, which has room for all of them at `S` · `S` points, `pitch` apart.
#[target_feature(enable = "avx2,fma")]
unsafe fn transform_filters<const R: usize, const S: usize>(
    packed: &[f32],
    scale: f32,
    channels: usize,
    some: Range<usize>,
    to: Shared,
    pitch: usize,
) {
    let scales = const { scales::<S>() };
    let panel = channels * PANEL;
    for at in some.step_by(LANES) {
        let from = &packed[at / panel * R * R * panel..][..R * R * panel];
        // SAFETY: these maps of this channel lie within their panel at each tap; the caller promises room at the points.
        unsafe {
            let from = from.as_ptr().add(at % panel);
            let transformed = twice::<Values, R, S>(from, [R * panel, panel]);
            for i in 0..S {
                for j in 0..S {
                    let value = transformed[i][j] * (scales[i] * scales[j] * scale);
                    value.store(to.at((i * S + j) * pitch + at));
                }
            }
        }
    }
}

/// What all blocks of tiles share.
struct Blocks<'a, const S: usize> {
    tiling: Tiling<S>,
    patches: &'a Patches<'a>,
    /// Channels × maps at each point, in panels.
    filters: &'a [f32],
    /// From a point to the next.
    filter_pitch: usize,
    maps: usize,
    finish: &'a (dyn Fn(Block) + Sync),
}

impl<const S: usize> Blocks<'_, S> {
    /// The maps at the positions of these rows of tiles.
    #[target_feature(enable = "avx2,fma")]
    fn run(&self, first: usize, rows: usize, workspace: &mut Workspace) {
        let [_, across] = self.tiling.tiles;
        let (tiles, channels, wide) =
            (rows * across, self.patches.window.channels, self.maps.next_multiple_of(PANEL));
        let (pixel_pitch, sum_pitch) = (pitch(tiles * channels), pitch(tiles * wide));
        let pixels = workspace.pixels.floats(S * S * pixel_pitch);
        let lines = self.tiling.lines(&mut workspace.lines);
        for row in 0..rows {
            let to = &mut pixels[row * across * channels..];
            self.tiling.transform_pixels(self.patches, first + row, lines, to, pixel_pitch);
        }
        let sums = workspace.sums.floats(S * S * sum_pitch);
        let groups = tiles.div_ceil(TILE_ROWS);
        for point in 0..S * S {
            for panel in 0..wide / PANEL {
                let columns = self.filters[point * self.filter_pitch + panel * PANEL * channels..].as_ptr();
                for group in 0..groups {
                    let (tile, here) = part(tiles, group, groups);
                    let start = pixels[point * pixel_pitch + tile * channels..].as_ptr();
                    let left = LeftTile { start, row_stride: channels, col_stride: 1 };
                    let sums = sums[point * sum_pitch + tile * wide + panel * PANEL..].as_mut_ptr();
                    let cols = self.maps - panel * PANEL;
                    // SAFETY: pixels and sums have a row for each tile at each point, the panel one for each channel.
                    unsafe {
                        microkernel::tile(
                            Simd::Avx2,
                            here,
                            cols,
                            Runs::one(channels),
                            left,
                            columns,
                            sums,
                            wide,
                            false,
                        );
                    }
                }
            }
        }
        let (row0, end) = (self.tiling.position(first), self.tiling.position(first + rows));
        let outputs = workspace.outputs.floats((end - row0) * self.maps);
        for row in 0..rows {
            let sums = &sums[row * across * wide..];
            let at = (self.tiling.position(first + row) - row0) * self.maps;
            self.transform_sums(first + row, sums, sum_pitch, &mut outputs[at..]);
        }
        let (rows, cols) = (end - row0, self.maps);
        (self.finish)(Block { row0, rows, col0: 0, cols, acc: outputs, stride: cols });
    }

    /// Aᵀ·s·A for the tiles of a row: positions × maps.
    #[target_feature(enable = "avx2,fma")]
    fn transform_sums(&self, number: usize, from: &[f32], pitch: usize, to: &mut [f32]) {
        let (maps, wide) = (self.maps, self.maps.next_multiple_of(PANEL));
        let ([_, across], rows) = (self.tiling.positions, self.tiling.row(number).rows);
        let tiles = self.tiling.tiles[1];
        assert!(from.len() >= (S * S - 1) * pitch + tiles * wide && to.len() >= rows * across * maps);
        for tile in 0..tiles {
            let columns = M.min(across - tile * M);
            for map in groups(maps) {
                // SAFETY: these maps of this tile lie within the sums of each point, and those of its positions within
                // the outputs, whose sizes were just checked.
                unsafe {
                    let from = from.as_ptr().add(tile * wide + map);
                    let outputs = twice::<Sums, S, M>(from, [S * pitch, pitch]);
                    for (y, outputs) in outputs.into_iter().enumerate().take(rows) {
                        for (x, values) in outputs.into_iter().enumerate().take(columns) {
                            values.store(to.as_mut_ptr().add((y * across + tile * M + x) * maps + map));
                        }
                    }
                }
            }
        }
    }
}
