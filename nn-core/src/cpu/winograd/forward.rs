//! The maps.

use super::super::convolution::{Patches, part};
use super::super::microkernel::PANEL;
use super::super::pack::{Scratch, Strided};
use super::super::product::Block;
use super::super::team::share;
use super::filters::{Filters, Taps, with_filters};
use super::scatter::scatter;
use super::transform::{Sums, twice};
use super::{BLOCK, FEWEST_TILES, M, Tiling, groups, pitch, scatters};
use std::cell::Cell;

#[derive(Default)]
struct Workspace {
    lines: Scratch,
    pixels: Scratch,
    sums: Scratch,
    outputs: Scratch,
}

thread_local! {
    // Taken while in use and put back afterwards.
    static WORKSPACE: Cell<Workspace> = Cell::default();
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
    if scatters(&patches.window) {
        // SAFETY: the caller's promise.
        return unsafe { scatter::<R, S>(patches, filters, maps, scale, finish) };
    }
    let tiling = Tiling::<S>::new(patches.window);
    let (channels, wide) = (patches.window.channels, maps.next_multiple_of(PANEL));
    let rows = patches.cases * tiling.tiles[0];
    let tiles = (BLOCK / (S * S * (channels + wide))).max(FEWEST_TILES);
    let blocks = rows.div_ceil((tiles / tiling.tiles[1]).max(1));
    let work = |filters: Filters<'_>| {
        let block = Blocks { tiling, patches, filters, maps, finish };
        share(blocks, rayon::current_num_threads(), &|numbers| {
            let mut workspace = WORKSPACE.take();
            for number in numbers {
                let (first, rows) = part(rows, number, blocks);
                // SAFETY: the caller's promise.
                unsafe { block.run(first, rows, &mut workspace) };
            }
            WORKSPACE.set(workspace);
        });
    };
    // SAFETY: the caller's promise.
    unsafe { with_filters::<R, S>(&patches.window, filters, maps, scale, Taps::Forward, work) };
}

/// What all blocks of tiles share.
struct Blocks<'a, const S: usize> {
    tiling: Tiling<S>,
    patches: &'a Patches<'a>,
    filters: Filters<'a>,
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
        // SAFETY: the processor has AVX2 and FMA, as this function may only be called there.
        unsafe {
            self.filters.multiply::<S>(pixels, pixel_pitch, channels, sums, sum_pitch, self.maps, tiles)
        };
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
                    let outputs = twice::<Sums, S, M>(from, [S * pitch, pitch].map(|it| it as isize));
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
