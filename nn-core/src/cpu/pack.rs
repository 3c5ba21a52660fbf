//! Copies of operands in the order in which the kernels read them.
//!
//! * B becomes panels of [`PANEL`] columns, each row of a panel one cache line; missing columns are zero.
//! * A becomes groups of [`TILE_ROWS`] rows, interleaved by column, for the dense kernel, or plain contiguous
//!   rows for the sparse one; missing rows of a group are zero.
//!
//! The scale of a term is folded into A, here and nowhere else, so that every path multiplies the same
//! values.

use super::microkernel::{PANEL, Simd, TILE_ROWS};

/// A matrix in memory: element (i, j) lies at `data[offset + i * row_stride + j * col_stride]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strided<'a> {
    pub data: &'a [f32],
    pub offset: usize,
    pub row_stride: usize,
    pub col_stride: usize,
}

impl Strided<'_> {
    /// Panics unless every element of `rows` × `cols` lies within the data.
    pub(crate) fn check(&self, rows: usize, cols: usize) {
        if rows > 0 && cols > 0 {
            let last = self.offset + (rows - 1) * self.row_stride + (cols - 1) * self.col_stride;
            assert!(last < self.data.len(), "operand of {rows} × {cols} reaches beyond its data");
        }
    }

    /// Index of element (i, j) within `data`.
    pub(crate) fn index(&self, i: usize, j: usize) -> usize {
        self.offset + i * self.row_stride + j * self.col_stride
    }
}

/// Where the elements of an operand come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operand<'a> {
    /// A matrix in memory.
    Strided(Strided<'a>),
}

impl<'a> From<&Strided<'a>> for Operand<'a> {
    fn from(matrix: &Strided<'a>) -> Self {
        Operand::Strided(*matrix)
    }
}

impl Operand<'_> {
    /// Panics unless every element of `rows` × `cols` can be fetched.
    pub(crate) fn check(&self, rows: usize, cols: usize) {
        match self {
            Operand::Strided(matrix) => matrix.check(rows, cols),
        }
    }
}

/// One cache line of floats; scratch is made of these so that packed rows never straddle two lines.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; PANEL]);

/// A reusable run of floats that starts on a cache line.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    lines: Vec<Line>,
}

impl Scratch {
    /// All floats that it holds.
    pub(crate) fn all(&self) -> &[f32] {
        // SAFETY: as in [`Scratch::floats`].
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast::<f32>(), self.lines.len() * PANEL) }
    }

    /// At least `count` floats with unspecified finite or non-finite contents, always initialised memory.
    pub(crate) fn floats(&mut self, count: usize) -> &mut [f32] {
        let lines = count.div_ceil(PANEL);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line([0.0; PANEL]));
        }
        // SAFETY: a Line is 16 initialised floats without padding, and the borrow of `self` covers the slice.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast::<f32>(), count) }
    }
}

/// Floats of a packed block of B: `depth` rows, `cols` columns.
pub(crate) fn packed_b_len(depth: usize, cols: usize) -> usize {
    depth * cols.next_multiple_of(PANEL)
}

/// Packs rows `k0..k0 + depth`, columns `col0..col0 + cols` of B: panel p, row k, column c goes to
/// `out[(p * depth + k) * PANEL + c]`.
pub(crate) fn pack_b(
    simd: Simd,
    b: &Operand,
    k0: usize,
    depth: usize,
    col0: usize,
    cols: usize,
    out: &mut [f32],
) {
    let Operand::Strided(b) = b;
    for (p, panel) in out.chunks_exact_mut(depth * PANEL).enumerate().take(cols.div_ceil(PANEL)) {
        let first = col0 + p * PANEL;
        let width = PANEL.min(col0 + cols - first);
        let start = b.index(k0, first);
        if b.col_stride == 1 {
            let rows = panel.chunks_exact_mut(PANEL).enumerate();
            if width == PANEL {
                for (k, row) in rows {
                    row.copy_from_slice(&b.data[start + k * b.row_stride..][..PANEL]);
                }
            } else {
                for (k, row) in rows {
                    row[..width].copy_from_slice(&b.data[start + k * b.row_stride..][..width]);
                    row[width..].fill(0.0);
                }
            }
        } else {
            if width < PANEL {
                panel.fill(0.0);
            }
            transpose(simd, &b.data[start..], width, b.col_stride, depth, b.row_stride, 1.0, panel, PANEL);
        }
    }
}

/// Floats of a packed block of A.
pub(crate) fn packed_a_len(rows: usize, depth: usize) -> usize {
    // Vector stores of the transposition run up to 2 floats beyond a group of 6.
    rows.next_multiple_of(TILE_ROWS) * depth + 8
}

/// Packs rows `row0..row0 + rows`, columns `k0..k0 + depth` of A: group g, column k, row r goes to
/// `out[(g * depth + k) * TILE_ROWS + r]`, multiplied by `scale`.
pub(crate) fn pack_a(
    simd: Simd,
    a: &Operand,
    scale: f32,
    row0: usize,
    rows: usize,
    k0: usize,
    depth: usize,
    out: &mut [f32],
) {
    let Operand::Strided(a) = a;
    #[cfg(target_arch = "x86_64")]
    if simd.has_avx2() && a.row_stride == 1 {
        let data = &a.data[a.index(row0, k0)..];
        let whole = rows / TILE_ROWS;
        assert!(depth == 0 || (depth - 1) * a.col_stride + rows <= data.len());
        assert!(whole * TILE_ROWS * depth <= out.len());
        // SAFETY: the CPU has AVX2, and the corners of both rectangles were just checked.
        unsafe { x86::copy_groups(data, whole, depth, a.col_stride, scale, out) };
        let first = whole * TILE_ROWS;
        if first < rows {
            transpose(
                simd,
                &data[first..],
                rows - first,
                1,
                depth,
                a.col_stride,
                scale,
                &mut out[first * depth..],
                TILE_ROWS,
            );
        }
        return;
    }
    for first in (0..rows).step_by(TILE_ROWS) {
        let count = TILE_ROWS.min(rows - first);
        let out = &mut out[first * depth..];
        let data = &a.data[a.index(row0 + first, k0)..];
        transpose(simd, data, count, a.row_stride, depth, a.col_stride, scale, out, TILE_ROWS);
    }
}

/// Copies rows `row0..row0 + rows`, columns `k0..k0 + depth` of A to contiguous rows: `out[r * stride + k]`,
/// multiplied by `scale`.
pub(crate) fn contiguous_a(
    simd: Simd,
    a: &Operand,
    scale: f32,
    row0: usize,
    rows: usize,
    k0: usize,
    depth: usize,
    out: &mut [f32],
    stride: usize,
) {
    let Operand::Strided(a) = a;
    let data = &a.data[a.index(row0, k0)..];
    transpose(simd, data, depth, a.col_stride, rows, a.row_stride, scale, out, stride);
}

/// `out[j * out_stride + i] = scale * data[i * i_stride + j * j_stride]` for `i` below `i_count`, `j` below
/// `j_count`; `i_count <= out_stride`. May write anything to `out[j * out_stride + i]` for `i_count <= i < 8`
/// of rows that are written later or lie beyond the last.
fn transpose(
    simd: Simd,
    data: &[f32],
    i_count: usize,
    i_stride: usize,
    j_count: usize,
    j_stride: usize,
    scale: f32,
    out: &mut [f32],
    out_stride: usize,
) {
    if i_count == 0 || j_count == 0 {
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if simd.has_avx2() && (i_stride == 1 || j_stride == 1) {
        assert!((i_count - 1) * i_stride + (j_count - 1) * j_stride < data.len());
        assert!((j_count - 1) * out_stride + i_count <= out.len());
        // SAFETY: the CPU has AVX2, and the corners of both rectangles were just checked.
        unsafe {
            if i_stride == 1 {
                x86::copy_rows(data, i_count, j_count, j_stride, scale, out, out_stride);
            } else {
                x86::transpose(data, i_count, i_stride, j_count, scale, out, out_stride);
            }
        }
        return;
    }
    let _ = simd;
    for j in 0..j_count {
        for i in 0..i_count {
            out[j * out_stride + i] = scale * data[i * i_stride + j * j_stride];
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::TILE_ROWS;

    /// `out[j * out_stride + i] = scale * data[j * j_stride + i]`.
    ///
    /// # Safety
    /// Both rectangles lie within their slices; the CPU has AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn copy_rows(
        data: &[f32],
        i_count: usize,
        j_count: usize,
        j_stride: usize,
        scale: f32,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let factor = _mm256_set1_ps(scale);
        for j in 0..j_count {
            // A short row is copied as one vector where both sides have room; what it writes beyond the row
            // is overwritten by the next row or lies beyond the last.
            let room = j * j_stride + 8 <= data.len() && j * out_stride + 8 <= out.len();
            // SAFETY: vectors are used only where 8 floats lie within the slices, else single elements of the
            // row.
            unsafe {
                let from = data.as_ptr().add(j * j_stride);
                let to = out.as_mut_ptr().add(j * out_stride);
                if i_count < 8 && i_count == out_stride && room {
                    _mm256_storeu_ps(to, _mm256_mul_ps(factor, _mm256_loadu_ps(from)));
                    continue;
                }
                let whole = i_count / 8 * 8;
                for i in (0..whole).step_by(8) {
                    _mm256_storeu_ps(to.add(i), _mm256_mul_ps(factor, _mm256_loadu_ps(from.add(i))));
                }
                for i in whole..i_count {
                    *to.add(i) = scale * *from.add(i);
                }
            }
        }
    }

    /// `out[(g * depth + k) * 6 + i] = scale * data[k * stride + g * 6 + i]` for `i` below 6 and groups `g`.
    ///
    /// # Safety
    /// Both sides lie within their slices; the CPU has AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn copy_groups(
        data: &[f32],
        groups: usize,
        depth: usize,
        stride: usize,
        scale: f32,
        out: &mut [f32],
    ) {
        let factor = _mm_set1_ps(scale);
        for k in 0..depth {
            for group in 0..groups {
                // SAFETY: 6 floats of this row of the data, and the 6 of this group and step.
                unsafe {
                    let from = data.as_ptr().add(k * stride + group * TILE_ROWS);
                    let to = out.as_mut_ptr().add((group * depth + k) * TILE_ROWS);
                    _mm_storeu_ps(to, _mm_mul_ps(factor, _mm_loadu_ps(from)));
                    let last = _mm_castpd_ps(_mm_load_sd(from.add(4).cast()));
                    _mm_store_sd(to.add(4).cast(), _mm_castps_pd(_mm_mul_ps(factor, last)));
                }
            }
        }
    }

    /// `out[j * out_stride + i] = scale * data[i * i_stride + j]`, in squares of 8 × 8.
    ///
    /// # Safety
    /// Both rectangles lie within their slices; the CPU has AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn transpose(
        data: &[f32],
        i_count: usize,
        i_stride: usize,
        j_count: usize,
        scale: f32,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let factor = _mm256_set1_ps(scale);
        for i0 in (0..i_count).step_by(8) {
            let width = 8.min(i_count - i0);
            let mut j0 = 0;
            while j0 + 8 <= j_count {
                // Squares narrower than 8 are stored whole where the surplus lands on padding or on rows
                // still to come.
                let narrow = width < 8;
                let room = (j0 + 7) * out_stride + i0 + 8 <= out.len();
                let padded = i0 + 8 <= out_stride || (i_count < 8 && i_count == out_stride);
                if narrow && !(room && padded) {
                    break;
                }
                // SAFETY: `width` rows of 8 floats lie within `data`, 8 rows of 8 within `out` as just
                // checked (a full width lies within the rectangle that the caller vouches for).
                unsafe {
                    let from = data.as_ptr().add(i0 * i_stride + j0);
                    let mut square = [_mm256_setzero_ps(); 8];
                    if narrow {
                        for i in 0..width {
                            square[i] = _mm256_mul_ps(factor, _mm256_loadu_ps(from.add(i * i_stride)));
                        }
                    } else {
                        for i in 0..8 {
                            square[i] = _mm256_mul_ps(factor, _mm256_loadu_ps(from.add(i * i_stride)));
                        }
                    }
                    let square = transposed(square);
                    let to = out.as_mut_ptr().add(j0 * out_stride + i0);
                    for j in 0..8 {
                        _mm256_storeu_ps(to.add(j * out_stride), square[j]);
                    }
                }
                j0 += 8;
            }
            for j in j0..j_count {
                for i in i0..i0 + width {
                    out[j * out_stride + i] = scale * data[i * i_stride + j];
                }
            }
        }
    }

    /// The transpose of 8 rows of 8 floats.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
        let mut pairs = [_mm256_setzero_ps(); 8];
        for i in 0..4 {
            pairs[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
            pairs[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
        }
        let mut fours = [_mm256_setzero_ps(); 8];
        for half in 0..2 {
            let at = 4 * half;
            fours[at] = _mm256_shuffle_ps::<0x44>(pairs[at], pairs[at + 2]);
            fours[at + 1] = _mm256_shuffle_ps::<0xee>(pairs[at], pairs[at + 2]);
            fours[at + 2] = _mm256_shuffle_ps::<0x44>(pairs[at + 1], pairs[at + 3]);
            fours[at + 3] = _mm256_shuffle_ps::<0xee>(pairs[at + 1], pairs[at + 3]);
        }
        let mut columns = [_mm256_setzero_ps(); 8];
        for i in 0..4 {
            columns[i] = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
            columns[i + 4] = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
        }
        columns
    }
}
