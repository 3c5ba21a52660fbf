//! Sums, maxima and their positions. Sums are accumulated in double precision, in an order of their own.

use super::{
    elementwise::{Target, in_row_chunks, with_registers},
    formula::{Program, STRIP, Strip},
    microkernel::{Simd, simd},
    over_rows::Rows,
};
use crate::{Over, Reduction, ViewMut, Window};
use std::cell::Cell;

pub(super) fn reduce(
    mut out: ViewMut<'_>,
    grid: [usize; 2],
    over: Over,
    reduction: Reduction,
    program: &Program<'_>,
    flat: Option<&Program<'_>>,
    then: &Program<'_>,
) {
    let target = Target::new(&mut out);
    let [_, out_columns] = over.shape(grid);
    if let Over::Rows = over {
        return Rows { program, flat, grid, reduction }.reduce(&target, then);
    }
    in_row_chunks(grid[0], grid[1], |rows| {
        let (mut room, mut joined) = (ROOM.take(), vec![0f32; out_columns]);
        room.resize(grid[1], 0.0);
        for row in rows {
            // What is there already need not be copied.
            let values = match program.row_of_input(row, grid[1]) {
                Some(values) => values,
                None => {
                    evaluate_row(program, row, &mut room);
                    &room
                }
            };
            match over {
                Over::Columns => joined[0] = join(reduction, values),
                Over::Groups(group) => {
                    let groups = values.chunks_exact(group);
                    joined.iter_mut().zip(groups).for_each(|(to, group)| *to = join(reduction, group));
                }
                Over::Windows(window) => over_windows(reduction, &window, values, &mut joined),
                Over::Rows => unreachable!("handled above"),
            }
            // SAFETY: every row is reduced by one thread, and `out` is borrowed for the whole call.
            unsafe { target.apply(then, row..row + 1, 0..out_columns, &joined, out_columns) };
        }
        ROOM.set(room);
    });
}

thread_local! {
    // Taken while in use and put back afterwards.
    static ROOM: Cell<Vec<f32>> = Cell::default();
    static SUMS: Cell<Vec<f32>> = Cell::default();
}

/// Evaluates a whole row of a grid as wide as `values`.
fn evaluate_row(program: &Program<'_>, row: usize, values: &mut [f32]) {
    let columns = values.len();
    with_registers(|registers| {
        for (at, out) in values.chunks_mut(STRIP).enumerate() {
            program.run(Strip { row, column: at * STRIP, columns, acc: &[] }, registers, out);
        }
    });
}

/// The larger value; NaN if either is.
#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

fn join(reduction: Reduction, values: &[f32]) -> f32 {
    match reduction {
        Reduction::Sum => {
            let mut lanes = [0f64; 8];
            let chunks = values.chunks_exact(8);
            let rest: f64 = chunks.remainder().iter().map(|v| f64::from(*v)).sum();
            for chunk in chunks {
                lanes.iter_mut().zip(chunk).for_each(|(lane, v)| *lane += f64::from(*v));
            }
            (lanes.iter().sum::<f64>() + rest) as f32
        }
        Reduction::Max => values.iter().fold(f32::NEG_INFINITY, |max, v| larger(max, *v)),
        Reduction::ArgMax => {
            let mut best = (0, f32::NEG_INFINITY);
            for (at, &value) in values.iter().enumerate() {
                if value > best.1 {
                    best = (at, value);
                }
            }
            best.0 as f32
        }
    }
}

fn over_windows(reduction: Reduction, window: &Window, image: &[f32], joined: &mut [f32]) {
    match simd() {
        // SAFETY: the processor has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { over_windows_avx2(reduction, window, image, joined) },
        Simd::Portable => over_windows_portable(reduction, window, image, joined),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn over_windows_avx2(reduction: Reduction, window: &Window, image: &[f32], joined: &mut [f32]) {
    over_windows_portable(reduction, window, image, joined);
}

/// Joins all windows of one image, the channels of a pixel together: they lie side by side.
#[inline(always)]
fn over_windows_portable(reduction: Reduction, window: &Window, image: &[f32], joined: &mut [f32]) {
    let Window { height, width, channels, kernel, stride, padding, .. } = *window;
    let [_, across] = window.positions();
    let mut best = vec![0f32; channels];
    for (position, joined) in joined.chunks_exact_mut(channels).enumerate() {
        let (top, left) = (position / across * stride[0], position % across * stride[1]);
        let (rows, columns) =
            (inside(top, kernel[0], padding[0], height), inside(left, kernel[1], padding[1], width));
        joined.fill(0.0);
        best.fill(f32::NEG_INFINITY);
        for ky in rows {
            let line = (top + ky - padding[0]) * width + left;
            for kx in columns.clone() {
                let pixel = &image[(line + kx - padding[1]) * channels..][..channels];
                match reduction {
                    Reduction::Sum => joined.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value),
                    Reduction::Max => {
                        best.iter_mut().zip(pixel).for_each(|(max, value)| *max = larger(*max, *value));
                    }
                    Reduction::ArgMax => {
                        let tap = (ky * kernel[1] + kx) as f32;
                        for ((place, best), value) in joined.iter_mut().zip(&mut best).zip(pixel) {
                            let better = *value > *best;
                            *place = if better { tap } else { *place };
                            *best = if better { *value } else { *best };
                        }
                    }
                }
            }
        }
        if reduction == Reduction::Max {
            joined.copy_from_slice(&best);
        }
    }
}

/// The taps of a window that lie inside the image, along one axis.
fn inside(start: usize, kernel: usize, padding: usize, size: usize) -> std::ops::Range<usize> {
    padding.saturating_sub(start).min(kernel)..(size + padding).saturating_sub(start).min(kernel)
}

/// Shows the sums of one image of a fold.
pub(super) fn fold_case(window: &Window, case: usize, program: &Program<'_>, store: impl FnOnce(&[f32])) {
    let Window { height, width, channels, kernel, stride, padding, .. } = *window;
    let (mut sums, mut patch) = (SUMS.take(), ROOM.take());
    sums.clear();
    sums.resize(window.image_len(), 0.0);
    patch.resize(window.patch_len(), 0.0);
    let [_, across] = window.positions();
    for position in 0..window.count() {
        evaluate_row(program, case * window.count() + position, &mut patch);
        let (top, left) = (position / across * stride[0], position % across * stride[1]);
        let columns = inside(left, kernel[1], padding[1], width);
        if columns.is_empty() {
            continue;
        }
        for ky in inside(top, kernel[0], padding[0], height) {
            // The taps of a row lie side by side, in the patch as in the image.
            let from = &patch[(ky * kernel[1] + columns.start) * channels..][..columns.len() * channels];
            let pixel = (top + ky - padding[0]) * width + left + columns.start - padding[1];
            let to = &mut sums[pixel * channels..][..from.len()];
            to.iter_mut().zip(from).for_each(|(sum, value)| *sum += value);
        }
    }
    store(&sums);
    SUMS.set(sums);
    ROOM.set(patch);
}
