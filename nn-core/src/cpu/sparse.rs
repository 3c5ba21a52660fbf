//! The product for a left side that is mostly zeros, such as binary states and pixels.
//!
//! For every row of A the columns that are not zero are listed with their values. Then a strip of up to
//! [`MAX_PANELS`] panels of B (96 columns) is walked: the 12 vectors of sums of one row (6 with AVX-512) stay in registers
//! while each listed column adds its multiple of a row of B. Every FMA reads its B from memory, so the strip
//! is cut in `k` to [`STRIP`] floats, which stay in the first-level cache for all rows of A.
//!
//! A sum is the same chain of fused multiply-adds as in the dense kernel without the steps that add zero
//! times something; the bits are equal. The exceptions: zero times an infinity or a NaN of B, which the dense
//! kernel turns into NaN, is not noticed here, and a sum that consists of zeros only may differ in the sign
//! of that zero.

use super::microkernel::{PANEL, Simd, multiply_add};
use super::pack::{Operand, Scratch, contiguous_a, pack_b, packed_b_len};

/// Panels of a strip: 12 vectors of sums, which leaves registers for the value and keeps both FMA units busy.
const MAX_PANELS: usize = 6;
/// Floats of a strip of B: 28 KiB of a first-level cache of 32 KiB; sums and lists stream through the rest.
const STRIP: usize = 7 * 1024;

/// A left side is listed when no more than this share of it is not zero, given many columns. Making the lists
/// costs the same for any number of columns, so that [`LISTING`] / columns are taken off.
const MAX_DENSITY: f64 = 0.6;
const LISTING: f64 = 8.0;
/// Fewer columns than this leave too few independent sums per row for the listed columns to pay.
const MIN_COLUMNS: usize = 64;
/// Elements of A looked at before deciding; a larger A is judged by evenly spaced lines.
const SAMPLE: usize = 1 << 12;

/// Whether the left side `rows` × `depth` is sparse enough for this kernel.
pub(crate) fn worthwhile(simd: Simd, a: &Operand, rows: usize, depth: usize, cols: usize) -> bool {
    if cols < MIN_COLUMNS {
        return false;
    }
    let Operand::Strided(a) = a;
    let (lines, length, stride) = if a.col_stride == 1 {
        (rows, depth, a.row_stride)
    } else if a.row_stride == 1 {
        (depth, rows, a.col_stride)
    } else {
        return false;
    };
    let step = (lines * length / SAMPLE).clamp(1, lines.max(1));
    let mut seen = 0;
    let mut found = 0;
    for line in (0..lines).step_by(step) {
        found += count(simd, &a.data[a.offset + line * stride..][..length]);
        seen += length;
    }
    found as f64 <= (MAX_DENSITY - LISTING / cols as f64) * seen as f64
}

/// How many values are not zero.
fn count(simd: Simd, values: &[f32]) -> usize {
    #[inline(always)]
    fn body(values: &[f32]) -> usize {
        // Sums of 32 bits per lane suffice for pieces of this size.
        values
            .chunks(1 << 20)
            .map(|piece| piece.iter().map(|&x| u32::from(x != 0.0)).sum::<u32>() as usize)
            .sum()
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma,popcnt")]
    fn avx2(values: &[f32]) -> usize {
        body(values)
    }
    match simd {
        // SAFETY: the CPU has AVX2.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 | Simd::Avx512 => unsafe { avx2(values) },
        Simd::Portable => body(values),
    }
}

/// The columns of a block of A that are not zero, piece after piece of the strips of B, row by row.
#[derive(Default)]
pub(crate) struct Lists {
    /// Column within its piece times [`PANEL`]: the distance of a row of B within its panel.
    offsets: Vec<u32>,
    values: Vec<f32>,
    /// Start of row `r` of piece `s` at `s * rows + r`, and its end.
    starts: Vec<u32>,
    ends: Vec<u32>,
    contiguous: Scratch,
}

/// Steps of `k` per strip of `panels` panels.
fn strip_depth(panels: usize) -> usize {
    STRIP / (panels * PANEL)
}

/// The right side of a block: packed already, or to be packed strip by strip.
pub(crate) enum Right<'a> {
    /// The panels of all columns of the block, as packed by [`pack_b`].
    Packed(&'a [f32]),
    /// Columns from this one on of an operand, packed into this scratch just before they are used.
    Unpacked(&'a Operand<'a>, usize, &'a mut Scratch),
}

/// Adds A·B for `rows` × `cols` sums over `depth` steps of `k` to `sums`, whose rows hold `stride` floats, a
/// whole number of panels at least.
///
/// # Safety
/// `sums` is readable and writable for `rows` rows, `stride` apart, of a whole number of panels that hold
/// `cols` columns; the CPU has `simd`.
pub(crate) unsafe fn block(
    simd: Simd,
    a: &Operand,
    scale: f32,
    row0: usize,
    rows: usize,
    k0: usize,
    depth: usize,
    right: &mut Right,
    cols: usize,
    sums: *mut f32,
    stride: usize,
    lists: &mut Lists,
) {
    let panels = cols.div_ceil(PANEL);
    let strips = panels.div_ceil(MAX_PANELS);
    let pieces = depth.div_ceil(strip_depth(panels.div_ceil(strips)));
    let piece = depth.div_ceil(pieces);
    list(simd, a, scale, row0, rows, k0, depth, piece, lists);
    for strip in 0..strips {
        // As even as possible.
        let (first, end) = (panels * strip / strips, panels * (strip + 1) / strips);
        for s in 0..pieces {
            let here = piece.min(depth - s * piece);
            let (b, panel_stride) = match right {
                Right::Packed(all) => (&all[(first * depth + s * piece) * PANEL..], depth * PANEL),
                Right::Unpacked(b, col0, scratch) => {
                    let wide = (cols - first * PANEL).min((end - first) * PANEL);
                    let own = scratch.floats(packed_b_len(here, wide));
                    pack_b(simd, b, k0 + s * piece, here, *col0 + first * PANEL, wide, own);
                    (&*own, here * PANEL)
                }
            };
            assert!(b.len() >= (end - first - 1) * panel_stride + here * PANEL);
            let (starts, ends) = (&lists.starts[s * rows..][..rows], &lists.ends[s * rows..][..rows]);
            // SAFETY: the offsets of piece s are multiples of PANEL below `here * PANEL`, so that each panel
            // is read within `b`, as asserted above; the caller vouches for the panels of each row of `sums`.
            unsafe {
                strip_rows(
                    simd,
                    end - first,
                    lists,
                    starts,
                    ends,
                    b.as_ptr(),
                    panel_stride,
                    sums.add(first * PANEL),
                    stride,
                );
            }
        }
    }
}

/// Lists what is not zero in a block of A, multiplied by `scale`, into `lists`.
fn list(
    simd: Simd,
    a: &Operand,
    scale: f32,
    row0: usize,
    rows: usize,
    k0: usize,
    depth: usize,
    piece: usize,
    lists: &mut Lists,
) {
    let Lists { offsets, values, starts, ends, contiguous } = lists;
    let pieces = depth.div_ceil(piece);
    // Every piece has room for all its elements; vector stores write up to 8 entries beyond the last that
    // counts.
    let room = rows * piece;
    if offsets.len() < pieces * room + 8 {
        offsets.resize(pieces * room + 8, 0);
        values.resize(pieces * room + 8, 0.0);
    }
    starts.resize(pieces * rows, 0);
    ends.resize(pieces * rows, 0);
    let Operand::Strided(matrix) = a;
    let in_place = matrix.col_stride == 1 && scale == 1.0;
    // Rows padded to whole vectors, so that the transposition stores nothing else.
    let stride = depth.next_multiple_of(8);
    let copy = contiguous.floats(if in_place { 0 } else { rows * stride });
    if !in_place {
        contiguous_a(simd, a, scale, row0, rows, k0, depth, copy, stride);
    }
    // Rows are read as they lie in memory, each piece continues its own entries.
    for r in 0..rows {
        let line = if in_place { &matrix.data[matrix.index(row0 + r, k0)..] } else { &copy[r * stride..] };
        for (s, part) in line[..depth].chunks(piece).enumerate() {
            let start = if r == 0 { s * room } else { ends[s * rows + r - 1] as usize };
            assert!(start + part.len() + 8 <= offsets.len().min(values.len()));
            starts[s * rows + r] = start as u32;
            ends[s * rows + r] = match simd {
                // SAFETY: the CPU has AVX2, and the room was just checked.
                #[cfg(target_arch = "x86_64")]
                Simd::Avx2 | Simd::Avx512 => unsafe { x86::append(part, offsets, values, start) as u32 },
                Simd::Portable => append(part, offsets, values, start, 0) as u32,
            };
        }
    }
}

/// Appends the entries of `part`, whose first element is column `first`, at `length`; returns the new length.
fn append(part: &[f32], offsets: &mut [u32], values: &mut [f32], mut length: usize, first: usize) -> usize {
    for (k, &value) in part.iter().enumerate() {
        offsets[length] = ((first + k) * PANEL) as u32;
        values[length] = value;
        length += usize::from(value != 0.0);
    }
    length
}

/// Adds the listed multiples of rows of B to `panels` panels of sums, for as many rows of sums as there
/// are `starts` and `ends`.
///
/// # Safety
/// Each offset listed between these starts and ends, plus `p * panel_stride` for every panel, is the start of
/// 16 readable floats of `b`; the rows of `sums`, `stride` apart, are valid for `panels * PANEL` floats; the
/// CPU has `simd`; `1 <= panels <= MAX_PANELS`.
unsafe fn strip_rows(
    simd: Simd,
    panels: usize,
    lists: &Lists,
    starts: &[u32],
    ends: &[u32],
    b: *const f32,
    panel_stride: usize,
    sums: *mut f32,
    stride: usize,
) {
    #[cfg(target_arch = "x86_64")]
    macro_rules! pick {
        ($kernel:ident) => {
            // SAFETY: passed on from the caller; the constants are those of the match.
            unsafe {
                match panels {
                    1 => x86::$kernel::<1>(lists, starts, ends, b, panel_stride, sums, stride),
                    2 => x86::$kernel::<2>(lists, starts, ends, b, panel_stride, sums, stride),
                    3 => x86::$kernel::<3>(lists, starts, ends, b, panel_stride, sums, stride),
                    4 => x86::$kernel::<4>(lists, starts, ends, b, panel_stride, sums, stride),
                    5 => x86::$kernel::<5>(lists, starts, ends, b, panel_stride, sums, stride),
                    _ => x86::$kernel::<6>(lists, starts, ends, b, panel_stride, sums, stride),
                }
            }
        };
    }
    match simd {
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => pick!(wide_strip_rows),
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => pick!(strip_rows),
        Simd::Portable => {
            for (r, (&start, &end)) in starts.iter().zip(ends).enumerate() {
                for entry in start as usize..end as usize {
                    let (offset, value) = (lists.offsets[entry] as usize, lists.values[entry]);
                    for c in 0..panels * PANEL {
                        // SAFETY: passed on from the caller.
                        unsafe {
                            let sum = sums.add(r * stride + c);
                            let b = *b.add(c / PANEL * panel_stride + offset + c % PANEL);
                            *sum = multiply_add(value, b, *sum);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::microkernel::PANEL;
    use super::Lists;
    use std::arch::x86_64::*;

    /// For every set of 8 lanes, the lanes in ascending order, then zeros.
    static COMPRESS: [[u8; 8]; 256] = {
        let mut table = [[0; 8]; 256];
        let mut set = 0;
        while set < 256 {
            let (mut lane, mut at) = (0, 0);
            while lane < 8 {
                if set & (1 << lane) != 0 {
                    table[set][at] = lane as u8;
                    at += 1;
                }
                lane += 1;
            }
            set += 1;
        }
        table
    };

    /// [`super::append`].
    ///
    /// # Safety
    /// `length + part.len() + 8` entries fit into both outputs; the CPU has AVX2.
    #[target_feature(enable = "avx2,fma,popcnt")]
    pub(super) unsafe fn append(
        part: &[f32],
        offsets: &mut [u32],
        values: &mut [f32],
        mut length: usize,
    ) -> usize {
        let whole = part.len() / 8 * 8;
        let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        for k in (0..whole).step_by(8) {
            // SAFETY: 8 values are read below `whole`; 8 entries are written at `length`, which is at most
            // the starting length plus `k`, so they fit as the caller vouches.
            unsafe {
                let eight = _mm256_loadu_ps(part.as_ptr().add(k));
                let set =
                    _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(eight, _mm256_setzero_ps())) as usize;
                let order = _mm256_cvtepu8_epi32(_mm_loadl_epi64(COMPRESS[set].as_ptr().cast()));
                let columns = _mm256_add_epi32(lanes, _mm256_set1_epi32(k as i32));
                let steps = _mm256_slli_epi32::<4>(_mm256_permutevar8x32_epi32(columns, order));
                _mm256_storeu_si256(offsets.as_mut_ptr().add(length).cast(), steps);
                _mm256_storeu_ps(values.as_mut_ptr().add(length), _mm256_permutevar8x32_ps(eight, order));
                length += set.count_ones() as usize;
            }
        }
        super::append(&part[whole..], offsets, values, length, whole)
    }

    /// [`super::strip_rows`] of `P` panels.
    ///
    /// # Safety
    /// As [`super::strip_rows`]; the CPU has AVX2 and FMA.
    #[target_feature(enable = "avx2,fma,popcnt")]
    pub(super) unsafe fn strip_rows<const P: usize>(
        lists: &Lists,
        starts: &[u32],
        ends: &[u32],
        b: *const f32,
        panel_stride: usize,
        sums: *mut f32,
        stride: usize,
    ) {
        for (r, (&start, &end)) in starts.iter().zip(ends).enumerate() {
            let (start, end) = (start as usize, end as usize);
            if start == end {
                continue;
            }
            let (offsets, values) = (&lists.offsets[start..end], &lists.values[start..end]);
            let mut sum = [[_mm256_setzero_ps(); 2]; P];
            // SAFETY: the caller vouches for P panels of sums and for every listed row of every panel.
            unsafe {
                let sums = sums.add(r * stride);
                for p in 0..P {
                    for v in 0..2 {
                        sum[p][v] = _mm256_loadu_ps(sums.add(p * PANEL + v * 8));
                    }
                }
                for (&offset, value) in offsets.iter().zip(values) {
                    let value = _mm256_broadcast_ss(value);
                    let b = b.add(offset as usize);
                    for p in 0..P {
                        for v in 0..2 {
                            let b = _mm256_loadu_ps(b.add(p * panel_stride + v * 8));
                            sum[p][v] = _mm256_fmadd_ps(value, b, sum[p][v]);
                        }
                    }
                }
                for p in 0..P {
                    for v in 0..2 {
                        _mm256_storeu_ps(sums.add(p * PANEL + v * 8), sum[p][v]);
                    }
                }
            }
        }
    }

    /// [`strip_rows`] by vectors that hold a row of a panel.
    ///
    /// # Safety
    /// As [`super::strip_rows`]; the CPU has AVX-512.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn wide_strip_rows<const P: usize>(
        lists: &Lists,
        starts: &[u32],
        ends: &[u32],
        b: *const f32,
        panel_stride: usize,
        sums: *mut f32,
        stride: usize,
    ) {
        for (r, (&start, &end)) in starts.iter().zip(ends).enumerate() {
            let (start, end) = (start as usize, end as usize);
            if start == end {
                continue;
            }
            let (offsets, values) = (&lists.offsets[start..end], &lists.values[start..end]);
            let mut sum = [_mm512_setzero_ps(); P];
            // SAFETY: the caller vouches for P panels of sums and for every listed row of every panel.
            unsafe {
                let sums = sums.add(r * stride);
                for p in 0..P {
                    sum[p] = _mm512_loadu_ps(sums.add(p * PANEL));
                }
                for (&offset, &value) in offsets.iter().zip(values) {
                    let (value, b) = (_mm512_set1_ps(value), b.add(offset as usize));
                    for p in 0..P {
                        sum[p] = _mm512_fmadd_ps(value, _mm512_loadu_ps(b.add(p * panel_stride)), sum[p]);
                    }
                }
                for p in 0..P {
                    _mm512_storeu_ps(sums.add(p * PANEL), sum[p]);
                }
            }
        }
    }
}
