//! Filters at the points of a tile.

use super::super::convolution::part;
use super::super::microkernel::{self, LeftTile, PANEL, Runs, TILE_ROWS, simd};
use super::super::pack::{Scratch, Strided, pack_b};
use super::super::product::Shared;
use super::super::team::share;
use super::pitch;
use super::transform::{LANES, Values, scales, twice};
use crate::Window;
use std::{cell::Cell, ops::Range};

/// Values of the filters that are transformed at a time: a multiple of a panel's width.
const CHUNK: usize = 1 << 9;

/// In which order the taps of a filter are read, on both axes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Taps {
    Forward,
    Backward,
}

/// Channels × maps in panels at each point, G·g·Gᵀ · scale.
#[derive(Clone, Copy)]
pub(super) struct Filters<'a> {
    pub values: &'a [f32],
    /// From a point to the next.
    pub pitch: usize,
}

impl Filters<'_> {
    /// Multiplies pixels, tiles × channels at each point, with the filters: sums, tiles × maps in rows of whole panels.
    ///
    /// # Safety
    /// The processor has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn multiply<const S: usize>(
        self,
        pixels: &[f32],
        pixel_pitch: usize,
        channels: usize,
        sums: &mut [f32],
        sum_pitch: usize,
        maps: usize,
        tiles: usize,
    ) {
        let (wide, groups) = (maps.next_multiple_of(PANEL), tiles.div_ceil(TILE_ROWS));
        assert!(pixel_pitch >= tiles * channels && pixels.len() >= S * S * pixel_pitch);
        assert!(sum_pitch >= tiles * wide && sums.len() >= S * S * sum_pitch);
        for point in 0..S * S {
            for panel in 0..wide / PANEL {
                let columns = self.values[point * self.pitch + panel * PANEL * channels..].as_ptr();
                for group in 0..groups {
                    let (tile, here) = part(tiles, group, groups);
                    let start = pixels[point * pixel_pitch + tile * channels..].as_ptr();
                    let left = LeftTile::strided(start, channels, 1);
                    let sums = sums[point * sum_pitch + tile * wide + panel * PANEL..].as_mut_ptr();
                    let (cols, runs) = (maps - panel * PANEL, Runs::one(channels));
                    // SAFETY: pixels and sums have a row for each tile at each point, the panel one for each channel.
                    unsafe {
                        microkernel::tile(simd(), here, cols, runs, left, columns, sums, wide, false);
                    }
                }
            }
        }
    }
}

#[derive(Default)]
struct Workspace {
    packed: Scratch,
    transformed: Scratch,
}

thread_local! {
    // Taken while in use and put back afterwards.
    static WORKSPACE: Cell<Workspace> = Cell::default();
}

/// Transforms filters, patch length × maps, and shows them.
///
/// # Safety
/// The processor has AVX2 and FMA.
pub(super) unsafe fn with_filters<const R: usize, const S: usize>(
    window: &Window,
    filters: &Strided<'_>,
    maps: usize,
    scale: f32,
    taps: Taps,
    work: impl FnOnce(Filters<'_>),
) {
    let (channels, wide) = (window.channels, maps.next_multiple_of(PANEL));
    filters.check(window.patch_len(), maps);
    let mut taken = WORKSPACE.take();
    let packed = taken.packed.floats(window.patch_len() * wide);
    pack_b(simd(), &filters.into(), 0, window.patch_len(), 0, maps, packed);
    let pitch = pitch(channels * wide);
    let values = taken.transformed.floats(S * S * pitch);
    let shared = Shared::new(values);
    let chunks = (channels * wide).div_ceil(CHUNK);
    share(chunks, rayon::current_num_threads(), &|numbers| {
        for number in numbers {
            let some = number * CHUNK..((number + 1) * CHUNK).min(channels * wide);
            // SAFETY: the caller's promise; chunks are disjoint, and each point has room for `pitch` values.
            unsafe { transform::<R, S>(packed, scale, channels, taps, some, shared, pitch) };
        }
    });
    work(Filters { values, pitch });
    WORKSPACE.set(taken);
}

/// Some of the values in panels of patch length × 16 to panels of channels × 16 at each point.
///
/// # Safety
/// Nobody else touches these values of `to`, which has room for all of them at `S` · `S` points, `pitch` apart.
#[target_feature(enable = "avx2,fma")]
unsafe fn transform<const R: usize, const S: usize>(
    packed: &[f32],
    scale: f32,
    channels: usize,
    taps: Taps,
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
            let first = from.as_ptr().add(at % panel);
            let strides = [R * panel, panel].map(|stride| stride as isize);
            let transformed = match taps {
                Taps::Forward => twice::<Values, R, S>(first, strides),
                Taps::Backward => {
                    twice::<Values, R, S>(first.add((R * R - 1) * panel), strides.map(|stride| -stride))
                }
            };
            for i in 0..S {
                for j in 0..S {
                    let value = transformed[i][j] * (scales[i] * scales[j] * scale);
                    value.store(to.at((i * S + j) * pitch + at));
                }
            }
        }
    }
}
