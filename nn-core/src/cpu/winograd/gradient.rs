//! The gradient of the filters.

use super::super::convolution::{Patches, part};
use super::super::microkernel::{self, LeftTile, PANEL, Runs, TILE_ROWS, simd};
use super::super::pack::{Scratch, Strided};
use super::transform::{LANES, ScaledSums, Values, twice};
use super::{M, Tiling, pitch};
use std::{cell::Cell, ops::Range};

/// Tiles of a block, about: the steps of a product at each point.
const TILES: usize = 32;

#[derive(Default)]
struct Workspace {
    lines: Scratch,
    pixels: Scratch,
    deltas: Scratch,
    sums: Scratch,
}

thread_local! {
    // Taken while in use and put back afterwards.
    static WORKSPACE: Cell<Workspace> = Cell::default();
}

/// What these cases add to the gradient of the filters, patch length × maps, written to rows of whole panels. The deltas of
/// a position lie side by side.
///
/// # Safety
/// The processor has AVX2 and FMA.
pub(in super::super) unsafe fn part_gradient(
    patches: &Patches<'_>,
    deltas: &Strided<'_>,
    maps: usize,
    cases: Range<usize>,
    to: &mut [f32],
) {
    match patches.window.kernel[0] {
        // SAFETY: the caller's promise.
        5 => unsafe { run::<5, 8>(patches, deltas, maps, cases, to) },
        // SAFETY: the caller's promise.
        _ => unsafe { run::<3, 6>(patches, deltas, maps, cases, to) },
    }
}

/// # Safety
/// The processor has AVX2 and FMA.
unsafe fn run<const R: usize, const S: usize>(
    patches: &Patches<'_>,
    deltas: &Strided<'_>,
    maps: usize,
    cases: Range<usize>,
    to: &mut [f32],
) {
    let part = Part { tiling: Tiling::<S>::new(patches.window), patches, deltas, maps };
    let mut workspace = WORKSPACE.take();
    // SAFETY: the caller's promise.
    unsafe { part.run::<R>(cases, to, &mut workspace) };
    WORKSPACE.set(workspace);
}

struct Part<'a, const S: usize> {
    tiling: Tiling<S>,
    patches: &'a Patches<'a>,
    deltas: &'a Strided<'a>,
    maps: usize,
}

impl<const S: usize> Part<'_, S> {
    #[target_feature(enable = "avx2,fma")]
    fn run<const R: usize>(&self, cases: Range<usize>, to: &mut [f32], workspace: &mut Workspace) {
        let [down, _] = self.tiling.tiles;
        let (start, rows) = (cases.start * down, cases.len() * down);
        let blocks = rows.div_ceil((TILES / self.tiling.tiles[1]).max(1));
        for block in 0..blocks {
            let (first, rows) = part(rows, block, blocks);
            let rows = start + first..start + first + rows;
            self.add(rows, block > 0, workspace);
        }
        let pitch = pitch(self.patches.window.channels * self.maps.next_multiple_of(PANEL));
        self.transform_sums::<R>(workspace.sums.floats(S * S * pitch), pitch, to);
    }

    /// Adds what these rows of tiles add to the sums at each point, channels × maps; without `carry` they come first.
    #[target_feature(enable = "avx2,fma")]
    fn add(&self, rows: Range<usize>, carry: bool, workspace: &mut Workspace) {
        let [_, across] = self.tiling.tiles;
        let (tiles, channels, wide) =
            (rows.len() * across, self.patches.window.channels, self.maps.next_multiple_of(PANEL));
        let (pixel_pitch, delta_pitch) = (pitch(tiles * channels), pitch(tiles * wide));
        let sum_pitch = pitch(channels * wide);
        let pixels = workspace.pixels.floats(S * S * pixel_pitch);
        let deltas = workspace.deltas.floats(S * S * delta_pitch);
        let sums = workspace.sums.floats(S * S * sum_pitch);
        let lines = self.tiling.lines(&mut workspace.lines);
        for (row, number) in rows.enumerate() {
            let to = &mut pixels[row * across * channels..];
            self.tiling.transform_pixels(self.patches, number, lines, to, pixel_pitch);
            self.transform_deltas(number, row * across, tiles, deltas, delta_pitch);
        }
        let groups = channels.div_ceil(TILE_ROWS);
        for point in 0..S * S {
            for panel in 0..wide / PANEL {
                let columns = deltas[point * delta_pitch + panel * tiles * PANEL..].as_ptr();
                for group in 0..groups {
                    let (channel, here) = part(channels, group, groups);
                    let start = pixels[point * pixel_pitch + channel..].as_ptr();
                    let left = LeftTile::strided(start, 1, channels);
                    let sums = sums[point * sum_pitch + channel * wide + panel * PANEL..].as_mut_ptr();
                    let cols = self.maps - panel * PANEL;
                    // SAFETY: pixels and deltas have a row for each tile at each point, the sums one for each channel.
                    unsafe {
                        microkernel::tile(
                            simd(),
                            here,
                            cols,
                            Runs::one(tiles),
                            left,
                            columns,
                            sums,
                            wide,
                            carry,
                        );
                    }
                }
            }
        }
    }

    /// The deltas of a row of tiles, as filters at the points: rows from `first` on of panels of `tiles` rows.
    #[target_feature(enable = "avx2,fma")]
    fn transform_deltas(&self, number: usize, first: usize, tiles: usize, to: &mut [f32], pitch: usize) {
        let [_, across] = self.tiling.positions;
        let (maps, stride) = (self.maps, self.deltas.row_stride);
        let (rows, position) = (self.tiling.row(number).rows, self.tiling.position(number));
        self.deltas.check(position + rows * across, maps);
        let from = &self.deltas.data[self.deltas.index(position, 0)..];
        let here = self.tiling.tiles[1];
        assert!(
            to.len() >= (S * S - 1) * pitch + tiles * maps.next_multiple_of(PANEL) && first + here <= tiles
        );
        for tile in 0..here {
            for map in (0..maps).step_by(LANES) {
                let count = LANES.min(maps - map);
                let columns = M.min(across - tile * M);
                let start = tile * M * stride + map;
                // SAFETY: the tile lies within the deltas, which were checked, or within its copy.
                let transformed = unsafe {
                    if (rows, columns, count) == (M, M, LANES) {
                        twice::<Values, M, S>(
                            from[start..].as_ptr(),
                            [across * stride, stride].map(|it| it as isize),
                        )
                    } else {
                        let mut copy = [[0.0; LANES]; M * M];
                        for y in 0..rows {
                            for x in 0..columns {
                                let from = &from[start + (y * across + x) * stride..][..count];
                                copy[y * M + x][..count].copy_from_slice(from);
                            }
                        }
                        twice::<Values, M, S>(copy.as_ptr().cast(), [M * LANES, LANES].map(|it| it as isize))
                    }
                };
                let panel = (map / PANEL * tiles + first + tile) * PANEL + map % PANEL;
                for i in 0..S {
                    for j in 0..S {
                        // SAFETY: this row of this panel lies within those of each point, whose size was just checked.
                        unsafe {
                            transformed[i][j].store(to.as_mut_ptr().add((i * S + j) * pitch + panel));
                        }
                    }
                }
            }
        }
    }

    /// Aᵀ·s·A with the factors of the filters: from channels × maps at each point to patch length × maps.
    #[target_feature(enable = "avx2,fma")]
    fn transform_sums<const R: usize>(&self, from: &[f32], pitch: usize, to: &mut [f32]) {
        let (channels, wide) = (self.patches.window.channels, self.maps.next_multiple_of(PANEL));
        assert!(from.len() >= (S * S - 1) * pitch + channels * wide && to.len() >= R * R * channels * wide);
        for channel in 0..channels {
            for map in (0..self.maps).step_by(LANES) {
                let at = channel * wide + map;
                // SAFETY: these maps of this channel lie within the sums of each point and the rows of each tap, whose
                // sizes were just checked.
                unsafe {
                    let from = from.as_ptr().add(at);
                    let taps = twice::<ScaledSums, S, R>(from, [S * pitch, pitch].map(|it| it as isize));
                    for (ky, taps) in taps.into_iter().enumerate() {
                        for (kx, values) in taps.into_iter().enumerate() {
                            values.store(to.as_mut_ptr().add((ky * R + kx) * channels * wide + at));
                        }
                    }
                }
            }
        }
    }
}
