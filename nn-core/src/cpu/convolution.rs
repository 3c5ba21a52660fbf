//! Products of patches with filters, and of transposed patches with deltas, without patches in memory.
//!
//! In an image with a border of zeros, neighbouring windows of a row read their taps at a constant distance, and the taps
//! of one row of a window lie side by side. So the tile kernel reads the image itself: for the maps its rows are windows
//! and a run of steps is a row of taps; for the gradient of the filters its rows are taps and a run is a row of windows.
//! Where `winograd.rs` gets by with fewer multiplications, it takes over.

use super::microkernel::{self, LeftTile, PANEL, Runs, Simd, TILE_ROWS};
use super::pack::{Scratch, Strided, pack_b};
use super::product::{Block, Shared};
use super::team::share;
#[cfg(target_arch = "x86_64")]
use super::winograd;
use crate::Window;
use std::cell::Cell;

/// Images in the rows of a matrix, and the window that moves over them.
#[derive(Clone, Copy)]
pub(super) struct Patches<'a> {
    pub values: &'a [f32],
    pub offset: usize,
    pub row_stride: usize,
    pub cases: usize,
    pub window: Window,
}

/// Floats of sums that a band of windows leaves at most: a quarter of a second-level cache.
const BAND: usize = 1 << 15;
/// Floats of filters that stay in the first-level cache beside what meets them.
const HOT: usize = 6 << 10;
/// Parts in which the cases add to the gradient of the filters, whatever the number of threads.
const PARTS: usize = 16;
/// Sums of all parts that are joined at a time.
const JOINED: usize = 1 << 11;

#[derive(Default)]
struct Workspace {
    image: Scratch,
    sums: Scratch,
    deltas: Scratch,
}

thread_local! {
    static WORKSPACE: Cell<Workspace> = Cell::default();
    static FILTERS: Cell<Scratch> = Cell::default();
    static PARTIAL: Cell<Scratch> = Cell::default();
}

/// Rows of an image, with their border.
struct Bordered {
    start: *const f32,
    /// From a row to the next.
    pitch: usize,
}

impl Patches<'_> {
    /// The rows of the image of a case that the windows of `rows` rows of positions, from `first` on, reach into.
    fn bordered(&self, case: usize, first: usize, rows: usize, scratch: &mut Scratch) -> Bordered {
        let Window { height, width, channels, kernel, stride, padding, .. } = self.window;
        let [_, across] = self.window.positions();
        let image = &self.values[self.offset + case * self.row_stride..][..self.window.image_len()];
        let (top, wide) = (first * stride[0], (across - 1) * stride[1] + kernel[1]);
        let tall = (rows - 1) * stride[0] + kernel[0];
        let inside = padding == [0, 0] && top + tall <= height && wide <= width;
        if inside {
            return Bordered { start: image[top * width * channels..].as_ptr(), pitch: width * channels };
        }
        let pitch = wide * channels;
        let copy = scratch.floats(tall * pitch);
        let (left, inner) = (padding[1].min(wide), width.min(wide.saturating_sub(padding[1])));
        for (row, to) in copy.chunks_exact_mut(pitch).enumerate() {
            let Some(y) = (top + row).checked_sub(padding[0]).filter(|y| *y < height) else {
                to.fill(0.0);
                continue;
            };
            to[..left * channels].fill(0.0);
            let (from, after) = (&image[y * width * channels..], (left + inner) * channels);
            to[left * channels..after].copy_from_slice(&from[..inner * channels]);
            to[after..].fill(0.0);
        }
        Bordered { start: copy.as_ptr(), pitch }
    }
}

/// Start and length of part `index` of `parts` nearly equal parts.
pub(super) fn part(length: usize, index: usize, parts: usize) -> (usize, usize) {
    let start = length * index / parts;
    (start, length * (index + 1) / parts - start)
}

/// The maps: patches · filters · scale, (cases · positions) × maps. `finish` gets each of disjoint blocks of whole rows.
pub(super) fn forward(
    patches: &Patches<'_>,
    filters: &Strided<'_>,
    maps: usize,
    scale: f32,
    finish: &(dyn Fn(Block) + Sync),
) {
    let simd = microkernel::simd();
    let window = patches.window;
    #[cfg(target_arch = "x86_64")]
    if simd.has_avx2() && winograd::takes_maps(&window, maps) {
        // SAFETY: the processor has AVX2 and FMA.
        return unsafe { winograd::forward(patches, filters, maps, scale, finish) };
    }
    let ([down, across], count) = (window.positions(), window.count());
    let (wide, run) = (maps.next_multiple_of(PANEL), window.kernel[1] * window.channels);
    let panels = wide / PANEL;
    filters.check(window.patch_len(), maps);
    let mut packed = FILTERS.take();
    let all = packed.floats(window.patch_len() * wide);
    for (ky, rows) in all.chunks_exact_mut(run * wide).enumerate() {
        pack_b(simd, &filters.into(), ky * run, run, 0, maps, rows);
    }
    if scale != 1.0 {
        all.iter_mut().for_each(|value| *value *= scale);
    }
    let all = &*all;
    let band = (BAND / (across * wide)).clamp(1, down);
    let bands = down.div_ceil(band);
    // Rows of taps that meet the windows of a row together.
    let together = (HOT / (run * PANEL)).clamp(1, window.kernel[0]);
    share(patches.cases * bands, rayon::current_num_threads(), &|numbers| {
        let mut workspace = WORKSPACE.take();
        for number in numbers {
            let (case, first) = (number / bands, number % bands * band);
            let rows = band.min(down - first);
            let image = patches.bordered(case, first, rows, &mut workspace.image);
            let sums = workspace.sums.floats(rows * across * wide);
            let step = window.stride[1] * window.channels;
            for panel in 0..panels {
                for row in 0..rows {
                    // A window that sees nothing of the image still has to be told so.
                    let inside = window.taps_inside(0, first + row);
                    let (begin, end) = (inside.start, inside.end.max(inside.start + 1));
                    for ky in (begin..end).step_by(together) {
                        let count = together.min(inside.end.saturating_sub(ky));
                        let taps = (row * window.stride[0] + ky) * image.pitch;
                        let runs =
                            Runs { count, depth: run, left_stride: image.pitch, panel_stride: run * wide };
                        let columns = all[(ky * panels + panel) * run * PANEL..].as_ptr();
                        let tiles = across.div_ceil(TILE_ROWS);
                        for tile in 0..tiles {
                            let (x, here) = part(across, tile, tiles);
                            let start = image.start.wrapping_add(taps + x * step);
                            let left = LeftTile::strided(start, step, 1);
                            let at = (row * across + x) * wide + panel * PANEL;
                            // SAFETY: the bordered rows hold the taps of all windows of the band, the packed filters
                            // `count` runs from `ky` on, `run * wide` apart, and the sums `here` rows from `at`.
                            unsafe {
                                let sums = sums[at..].as_mut_ptr();
                                let cols = maps - panel * PANEL;
                                microkernel::tile(
                                    simd,
                                    here,
                                    cols,
                                    runs,
                                    left,
                                    columns,
                                    sums,
                                    wide,
                                    ky > begin,
                                );
                            }
                        }
                    }
                }
            }
            let (row0, rows) = (case * count + first * across, rows * across);
            if maps < wide {
                // Without gaps the formula of the store runs over all rows at once.
                (1..rows).for_each(|row| sums.copy_within(row * wide..row * wide + maps, row * maps));
            }
            finish(Block { row0, rows, col0: 0, cols: maps, acc: sums, stride: maps });
        }
        WORKSPACE.set(workspace);
    });
    FILTERS.set(packed);
}

/// The gradient of the filters: patchesᵀ · deltas · scale, patch length × maps.
pub(super) fn gradient(
    patches: &Patches<'_>,
    deltas: &Strided<'_>,
    maps: usize,
    scale: f32,
    finish: &(dyn Fn(Block) + Sync),
) {
    let simd = microkernel::simd();
    let window = patches.window;
    let (wide, count) = (maps.next_multiple_of(PANEL), window.count());
    deltas.check(patches.cases * count, maps);
    let parts = PARTS.min(patches.cases);
    let len = window.patch_len() * wide;
    let mut partial = PARTIAL.take();
    let all = Shared::new(partial.floats(parts * len));
    share(parts, rayon::current_num_threads(), &|numbers| {
        let mut workspace = WORKSPACE.take();
        for number in numbers {
            // SAFETY: the sums of different parts are disjoint and lie within `partial`, borrowed for this call.
            let sums = unsafe { std::slice::from_raw_parts_mut(all.at(number * len), len) };
            let (first, cases) = part(patches.cases, number, parts);
            #[cfg(target_arch = "x86_64")]
            if simd.has_avx2() && deltas.col_stride == 1 && winograd::takes_gradient(&window, cases, maps) {
                // SAFETY: the processor has AVX2 and FMA.
                unsafe { winograd::part_gradient(patches, deltas, maps, first..first + cases, sums) };
                continue;
            }
            for case in first..first + cases {
                case_gradient(simd, patches, deltas, maps, case, case > first, sums, &mut workspace);
            }
        }
        WORKSPACE.set(workspace);
    });
    share(len.div_ceil(JOINED), rayon::current_num_threads(), &|numbers| {
        for number in numbers {
            let (start, count) = (number * JOINED, JOINED.min(len - number * JOINED));
            for part in 1..parts {
                // SAFETY: these elements of the first part are this worker's alone; nobody writes to the other parts.
                let (sums, part) = unsafe {
                    (
                        std::slice::from_raw_parts_mut(all.at(start), count),
                        std::slice::from_raw_parts(all.at(part * len + start), count),
                    )
                };
                sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
            }
        }
    });
    let all = &mut partial.floats(parts * len)[..len];
    if scale != 1.0 {
        all.iter_mut().for_each(|value| *value *= scale);
    }
    finish(Block { row0: 0, rows: window.patch_len(), col0: 0, cols: maps, acc: all, stride: wide });
    PARTIAL.set(partial);
}

/// Adds what one case adds to the gradient of the filters; without `carry` it is the first.
fn case_gradient(
    simd: Simd,
    patches: &Patches<'_>,
    deltas: &Strided<'_>,
    maps: usize,
    case: usize,
    carry: bool,
    sums: &mut [f32],
    workspace: &mut Workspace,
) {
    let window = patches.window;
    let ([down, across], count) = (window.positions(), window.count());
    let (wide, run) = (maps.next_multiple_of(PANEL), window.kernel[1] * window.channels);
    let image = patches.bordered(case, 0, down, &mut workspace.image);
    let packed = workspace.deltas.floats(count * wide);
    pack_b(simd, &deltas.into(), case * count, count, 0, maps, packed);
    let (left_stride, panel_stride) = (window.stride[0] * image.pitch, across * PANEL);
    let tiles = run.div_ceil(TILE_ROWS);
    for panel in 0..wide / PANEL {
        let columns = packed[panel * count * PANEL..].as_ptr();
        for ky in 0..window.kernel[0] {
            // Rows of windows whose row of taps lies inside the image.
            let inside = window.positions_inside(0, ky);
            let (from, count) = (inside.start, inside.len());
            let runs = Runs { count, depth: across, left_stride, panel_stride };
            let columns = columns.wrapping_add(from * panel_stride);
            for tile in 0..tiles {
                let (tap, here) = part(run, tile, tiles);
                let start = image.start.wrapping_add(ky * image.pitch + tap + from * left_stride);
                let left = LeftTile::strided(start, 1, window.stride[1] * window.channels);
                let at = (ky * run + tap) * wide + panel * PANEL;
                // SAFETY: the bordered image holds the taps of all windows, the packed deltas one row for each of
                // them, and the sums `here` rows from `at`.
                unsafe {
                    let sums = sums[at..].as_mut_ptr();
                    let cols = maps - panel * PANEL;
                    microkernel::tile(simd, here, cols, runs, left, columns, sums, wide, carry);
                }
            }
        }
    }
}

/// Copies the patch at a position of the image of a case.
pub(super) fn copy_patch(patches: &Patches<'_>, case: usize, position: usize, to: &mut [f32]) {
    let Window { height, width, channels, kernel, stride, padding, .. } = patches.window;
    let [_, across] = patches.window.positions();
    let image = &patches.values[patches.offset + case * patches.row_stride..][..patches.window.image_len()];
    let (top, left) = (position / across * stride[0], position % across * stride[1]);
    // Taps of a row that lie inside the image.
    let begin = padding[1].saturating_sub(left).min(kernel[1]);
    let end = (width + padding[1]).saturating_sub(left).min(kernel[1]).max(begin);
    for (ky, to) in to.chunks_exact_mut(kernel[1] * channels).enumerate() {
        let Some(y) = (top + ky).checked_sub(padding[0]).filter(|y| *y < height) else {
            to.fill(0.0);
            continue;
        };
        to[..begin * channels].fill(0.0);
        to[end * channels..].fill(0.0);
        if begin < end {
            let from = (y * width + left + begin - padding[1]) * channels;
            let inside = &mut to[begin * channels..end * channels];
            let len = inside.len();
            inside.copy_from_slice(&image[from..from + len]);
        }
    }
}
