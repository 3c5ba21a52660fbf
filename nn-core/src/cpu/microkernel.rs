//! The innermost loops of the matrix product: a tile of sums held in registers.
//!
//! A tile is [`TILE_ROWS`] × [`PANEL`] sums. On AVX2 that is 6 × 2 registers of sums, 2 of B and one
//! broadcast value of A: 15 of the 16 registers, and 12 independent chains, enough to keep two FMA units of
//! latency 4 busy. Each step of `k` costs 12 FMAs (6 cycles) against 8 loads, so the loads never limit it. With
//! AVX-512 up to two by two tiles are held at once.
//!
//! Every sum is one chain of fused multiply-adds in ascending `k`; a tile that continues earlier blocks of
//! `k` starts from the sums stored so far. That makes the bits of a product independent of how it was cut.

#[cfg(target_arch = "x86_64")]
mod avx512;

/// Rows of a tile of sums.
pub(crate) const TILE_ROWS: usize = 6;
/// Columns of a tile of sums, which is also the width of a packed panel of B: one cache line.
pub(crate) const PANEL: usize = 16;

/// Which instructions the running CPU offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Simd {
    /// AVX2, FMA and POPCNT: 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512F beside those, used where a row of a panel is a vector: tiles and rows of the sparse kernel.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Whatever the compiler makes of plain arrays.
    Portable,
}

/// The best instructions of this CPU; the answer is cached by the standard library.
pub(crate) fn simd() -> Simd {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("popcnt")
    {
        return if is_x86_feature_detected!("avx512f") { Simd::Avx512 } else { Simd::Avx2 };
    }
    Simd::Portable
}

impl Simd {
    /// Whether AVX2, FMA and POPCNT are there.
    #[cfg(any(target_arch = "x86_64", test))]
    pub(crate) fn has_avx2(self) -> bool {
        self != Simd::Portable
    }
}

/// The left side of tiles: element (r, k) of group g of [`TILE_ROWS`] rows lies at
/// `start + g * group_stride + r * row_stride + k * col_stride`.
#[derive(Clone, Copy)]
pub(crate) struct LeftTile {
    pub start: *const f32,
    pub row_stride: usize,
    pub col_stride: usize,
    pub group_stride: usize,
}

impl LeftTile {
    /// Rows at equal distances.
    pub(crate) fn strided(start: *const f32, row_stride: usize, col_stride: usize) -> LeftTile {
        LeftTile { start, row_stride, col_stride, group_stride: TILE_ROWS * row_stride }
    }

    /// The same without the first groups.
    fn skip_groups(self, groups: usize) -> LeftTile {
        LeftTile { start: self.start.wrapping_add(groups * self.group_stride), ..self }
    }
}

/// The steps of a tile: `count` runs of `depth` steps, each so far from the one before on both sides. Rows of an image
/// are such runs.
#[derive(Clone, Copy)]
pub(crate) struct Runs {
    pub count: usize,
    pub depth: usize,
    pub left_stride: usize,
    pub panel_stride: usize,
}

impl Runs {
    /// One run.
    pub(crate) fn one(depth: usize) -> Runs {
        Runs { count: 1, depth, left_stride: 0, panel_stride: 0 }
    }
}

/// One multiply-add of the portable kernels. Fused where the target has the instruction; elsewhere a library
/// call per element would cost more than the last bit is worth.
#[inline(always)]
pub(crate) fn multiply_add(a: f32, b: f32, sum: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, sum) } else { a * b + sum }
}

/// Adds the steps of A·B to the tile `rows` × `cols` at `sums` (row stride `stride`); `carry` says that
/// the tile continues the sums stored there, otherwise they start from zero.
///
/// # Safety
/// `left` is readable for `rows` × `depth` elements in each run, `panel` for `depth * PANEL`; `sums` is readable and
/// writable for `rows` rows of 16 columns, or of 8 where `cols <= 8`; `1 <= rows <= TILE_ROWS`; the CPU has
/// `simd`.
#[inline]
pub(crate) unsafe fn tile(
    simd: Simd,
    rows: usize,
    cols: usize,
    runs: Runs,
    left: LeftTile,
    panel: *const f32,
    sums: *mut f32,
    stride: usize,
    carry: bool,
) {
    macro_rules! pick {
        ($kernel:ident) => {
            // SAFETY: passed on from the caller; each arm's constants are those of the match.
            unsafe {
                match (rows, cols <= 8) {
                    (1, false) => $kernel::<1, 2>(runs, left, panel, sums, stride, carry),
                    (2, false) => $kernel::<2, 2>(runs, left, panel, sums, stride, carry),
                    (3, false) => $kernel::<3, 2>(runs, left, panel, sums, stride, carry),
                    (4, false) => $kernel::<4, 2>(runs, left, panel, sums, stride, carry),
                    (5, false) => $kernel::<5, 2>(runs, left, panel, sums, stride, carry),
                    (_, false) => $kernel::<6, 2>(runs, left, panel, sums, stride, carry),
                    (1, true) => $kernel::<1, 1>(runs, left, panel, sums, stride, carry),
                    (2, true) => $kernel::<2, 1>(runs, left, panel, sums, stride, carry),
                    (3, true) => $kernel::<3, 1>(runs, left, panel, sums, stride, carry),
                    (4, true) => $kernel::<4, 1>(runs, left, panel, sums, stride, carry),
                    (5, true) => $kernel::<5, 1>(runs, left, panel, sums, stride, carry),
                    (_, true) => $kernel::<6, 1>(runs, left, panel, sums, stride, carry),
                }
            }
        };
    }
    match simd {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: passed on from the caller; wider than 8 columns means that there are 16.
        Simd::Avx512 if cols > 8 => unsafe {
            wide_tiles(rows, 1, runs, left, panel, 0, sums, stride, carry);
        },
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 | Simd::Avx512 => pick!(tile_avx2),
        Simd::Portable => pick!(tile_portable),
    }
}

/// [`tile`] for every group of `rows` and every panel of `cols`; panels are `panel_distance` apart, and sums may be
/// written in all columns of all panels.
///
/// # Safety
/// As [`tile`], for each group of rows and each panel.
pub(crate) unsafe fn tiles(
    simd: Simd,
    rows: usize,
    cols: usize,
    runs: Runs,
    left: LeftTile,
    panels: *const f32,
    panel_distance: usize,
    sums: *mut f32,
    stride: usize,
    carry: bool,
) {
    // Groups of rows and panels whose tiles are held at once.
    let (down, across) = match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => (2, 2),
        _ => (1, 1),
    };
    for column in (0..cols).step_by(across * PANEL) {
        let panel = panels.wrapping_add(column / PANEL * panel_distance);
        let mut row = 0;
        while row < rows {
            let left = left.skip_groups(row / TILE_ROWS);
            let here = match rows - row {
                rest if rest >= down * TILE_ROWS => down * TILE_ROWS,
                rest => rest.min(TILE_ROWS),
            };
            // SAFETY: passed on from the caller.
            unsafe {
                let sums = sums.add(row * stride + column);
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    Simd::Avx512 => {
                        let panels = (cols - column).div_ceil(PANEL).min(across);
                        wide_tiles(here, panels, runs, left, panel, panel_distance, sums, stride, carry);
                    }
                    _ => tile(simd, here, cols - column, runs, left, panel, sums, stride, carry),
                }
            }
            row += here;
        }
    }
}

/// Up to two groups of rows by one or two panels.
///
/// # Safety
/// As [`tiles`]; the CPU has AVX-512.
#[cfg(target_arch = "x86_64")]
unsafe fn wide_tiles(
    rows: usize,
    panels: usize,
    runs: Runs,
    left: LeftTile,
    panel: *const f32,
    panel_distance: usize,
    sums: *mut f32,
    stride: usize,
    carry: bool,
) {
    macro_rules! pick {
        ($groups:literal, $rows:literal) => {
            // SAFETY: passed on from the caller; the constants are those of the match.
            unsafe {
                match panels {
                    1 => avx512::tiles::<$groups, $rows, 1>(
                        runs,
                        left,
                        panel,
                        panel_distance,
                        sums,
                        stride,
                        carry,
                    ),
                    _ => avx512::tiles::<$groups, $rows, 2>(
                        runs,
                        left,
                        panel,
                        panel_distance,
                        sums,
                        stride,
                        carry,
                    ),
                }
            }
        };
    }
    match rows {
        1 => pick!(1, 1),
        2 => pick!(1, 2),
        3 => pick!(1, 3),
        4 => pick!(1, 4),
        5 => pick!(1, 5),
        TILE_ROWS => pick!(1, 6),
        _ => pick!(2, 6),
    }
}

/// [`tile`] of `R` rows and `V` vectors of 8 columns, for any CPU.
///
/// # Safety
/// As [`tile`].
unsafe fn tile_portable<const R: usize, const V: usize>(
    runs: Runs,
    left: LeftTile,
    panel: *const f32,
    sums: *mut f32,
    stride: usize,
    carry: bool,
) {
    let mut sum = [[[0.0_f32; 8]; V]; R];
    // SAFETY: the caller vouches for R rows of 8·V sums, R × depth elements of A and depth × 16 of B.
    unsafe {
        if carry {
            for r in 0..R {
                for v in 0..V {
                    sum[r][v] = sums.add(r * stride + v * 8).cast::<[f32; 8]>().read_unaligned();
                }
            }
        }
        for run in 0..runs.count {
            let (left_start, panel) =
                (left.start.add(run * runs.left_stride), panel.add(run * runs.panel_stride));
            for k in 0..runs.depth {
                for r in 0..R {
                    let a = *left_start.add(r * left.row_stride + k * left.col_stride);
                    for v in 0..V {
                        let b = panel.add(k * PANEL + v * 8).cast::<[f32; 8]>().read_unaligned();
                        for lane in 0..8 {
                            sum[r][v][lane] = multiply_add(a, b[lane], sum[r][v][lane]);
                        }
                    }
                }
            }
        }
        for r in 0..R {
            for v in 0..V {
                sums.add(r * stride + v * 8).cast::<[f32; 8]>().write_unaligned(sum[r][v]);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
use x86::tile_avx2;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{LeftTile, PANEL, Runs, TILE_ROWS};
    use std::arch::x86_64::{
        __m256, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };

    /// [`super::tile`] of `R` rows and `V` vectors of 8 columns.
    ///
    /// # Safety
    /// As [`super::tile`]; the CPU has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn tile_avx2<const R: usize, const V: usize>(
        runs: Runs,
        left: LeftTile,
        panel: *const f32,
        sums: *mut f32,
        stride: usize,
        carry: bool,
    ) {
        let mut sum = [[_mm256_setzero_ps(); V]; R];
        // SAFETY: the caller vouches for R rows of 8·V sums, R × depth elements of A and depth × 16 of B.
        unsafe {
            if carry {
                for r in 0..R {
                    for v in 0..V {
                        sum[r][v] = _mm256_loadu_ps(sums.add(r * stride + v * 8));
                    }
                }
            }
            let (mut start, mut panel) = (left.start, panel);
            for _ in 0..runs.count {
                // A packed A has constant strides, which the compiler turns into plain offsets.
                if left.row_stride == 1 && left.col_stride == TILE_ROWS {
                    steps(runs.depth, start, 1, TILE_ROWS, panel, &mut sum);
                } else if left.col_stride == 1 {
                    steps(runs.depth, start, left.row_stride, 1, panel, &mut sum);
                } else if left.row_stride == 1 {
                    steps(runs.depth, start, 1, left.col_stride, panel, &mut sum);
                } else {
                    steps(runs.depth, start, left.row_stride, left.col_stride, panel, &mut sum);
                }
                start = start.wrapping_add(runs.left_stride);
                panel = panel.wrapping_add(runs.panel_stride);
            }
            for r in 0..R {
                for v in 0..V {
                    _mm256_storeu_ps(sums.add(r * stride + v * 8), sum[r][v]);
                }
            }
        }
    }

    /// The steps of one tile, kept in registers by inlining.
    ///
    /// # Safety
    /// As [`super::tile`]; the CPU has AVX2 and FMA.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn steps<const R: usize, const V: usize>(
        depth: usize,
        mut a: *const f32,
        row_stride: usize,
        col_stride: usize,
        mut b: *const f32,
        sum: &mut [[__m256; V]; R],
    ) {
        for _ in 0..depth {
            // SAFETY: step k reads R elements of column k of A and 8·V of row k of B, within the caller's
            // promise; the pointers are moved one step past the end at most, by wrapping arithmetic.
            unsafe {
                let mut row = [_mm256_setzero_ps(); V];
                for v in 0..V {
                    row[v] = _mm256_loadu_ps(b.add(v * 8));
                }
                for r in 0..R {
                    let value = _mm256_broadcast_ss(&*a.add(r * row_stride));
                    for v in 0..V {
                        sum[r][v] = _mm256_fmadd_ps(value, row[v], sum[r][v]);
                    }
                }
            }
            a = a.wrapping_add(col_stride);
            b = b.wrapping_add(PANEL);
        }
    }
}

#[cfg(test)]
mod tests;
