//! Tiles of 512-bit vectors: a row of a panel is one of them.
//!
//! Two groups of [`TILE_ROWS`] rows by two panels are 24 registers of sums, 2 of B and a broadcast value of A, of 32.
//! A step of `k` costs 24 multiply-adds (12 cycles) against 14 loads.

use super::{LeftTile, PANEL, Runs, TILE_ROWS};
use std::arch::x86_64::{
    __m512, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

/// [`super::tiles`] of `G` groups of `R` rows, by `V` panels.
///
/// # Safety
/// As [`super::tiles`]; the CPU has AVX-512F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn tiles<const G: usize, const R: usize, const V: usize>(
    runs: Runs,
    left: LeftTile,
    panel: *const f32,
    panel_distance: usize,
    sums: *mut f32,
    stride: usize,
    carry: bool,
) {
    let mut sum = [[[_mm512_setzero_ps(); V]; R]; G];
    let at = |g: usize, r: usize, v: usize| (g * TILE_ROWS + r) * stride + v * PANEL;
    // SAFETY: the caller vouches for these rows of V panels of sums, and for the elements of A and B in each run.
    unsafe {
        if carry {
            for g in 0..G {
                for r in 0..R {
                    for v in 0..V {
                        sum[g][r][v] = _mm512_loadu_ps(sums.add(at(g, r, v)));
                    }
                }
            }
        }
        let (mut left, mut panel) = (left, panel);
        for _ in 0..runs.count {
            // A packed A has constant strides, which the compiler turns into plain offsets.
            if left.row_stride == 1 && left.col_stride == TILE_ROWS {
                let left = LeftTile { row_stride: 1, col_stride: TILE_ROWS, ..left };
                steps(runs.depth, left, panel, panel_distance, &mut sum);
            } else if left.col_stride == 1 {
                steps(runs.depth, LeftTile { col_stride: 1, ..left }, panel, panel_distance, &mut sum);
            } else {
                steps(runs.depth, left, panel, panel_distance, &mut sum);
            }
            left.start = left.start.wrapping_add(runs.left_stride);
            panel = panel.wrapping_add(runs.panel_stride);
        }
        for g in 0..G {
            for r in 0..R {
                for v in 0..V {
                    _mm512_storeu_ps(sums.add(at(g, r, v)), sum[g][r][v]);
                }
            }
        }
    }
}

/// The steps of one run, kept in registers by inlining.
///
/// # Safety
/// As [`super::tiles`]; the CPU has AVX-512F.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn steps<const G: usize, const R: usize, const V: usize>(
    depth: usize,
    left: LeftTile,
    mut b: *const f32,
    panel_distance: usize,
    sum: &mut [[[__m512; V]; R]; G],
) {
    let mut a = left.start;
    for _ in 0..depth {
        // SAFETY: step k reads these elements of column k of A and row k of each panel, within the caller's promise;
        // the pointers are moved one step past the end at most, by wrapping arithmetic.
        unsafe {
            let mut row = [_mm512_setzero_ps(); V];
            for v in 0..V {
                row[v] = _mm512_loadu_ps(b.add(v * panel_distance));
            }
            for g in 0..G {
                for r in 0..R {
                    let value = _mm512_set1_ps(*a.add(g * left.group_stride + r * left.row_stride));
                    for v in 0..V {
                        sum[g][r][v] = _mm512_fmadd_ps(value, row[v], sum[g][r][v]);
                    }
                }
            }
        }
        a = a.wrapping_add(left.col_stride);
        b = b.wrapping_add(PANEL);
    }
}
