//! Sums, maxima and their positions. Sums are accumulated in double precision, in an order of their own.

use super::{
    PARALLEL,
    elementwise::{Target, in_row_chunks, with_registers},
    formula::{Program, STRIP, Strip},
    microkernel::{Simd, simd},
    team::share,
};
use crate::{Over, Reduction, ViewMut, Window};

pub(super) fn reduce(
    mut out: ViewMut<'_>,
    grid: [usize; 2],
    over: Over,
    reduction: Reduction,
    program: &Program<'_>,
    then: &Program<'_>,
) {
    let target = Target::new(&mut out);
    let [_, out_columns] = over.shape(grid);
    if let Over::Rows = over {
        let strips = grid[1].div_ceil(STRIP_OF_COLUMNS);
        let work = |at: usize| {
            let columns = at * STRIP_OF_COLUMNS..grid[1].min((at + 1) * STRIP_OF_COLUMNS);
            let joined = over_rows(reduction, program, grid, columns.clone());
            // SAFETY: strips of columns are disjoint, and `out` is borrowed for the whole call.
            unsafe { target.apply(then, 0..1, columns, &joined, STRIP_OF_COLUMNS) };
        };
        if grid[0] * grid[1] < PARALLEL {
            (0..strips).for_each(work);
        } else {
            share(strips, rayon::current_num_threads(), &|numbers| numbers.for_each(&work));
        }
        return;
    }
    in_row_chunks(grid[0], grid[1], |rows| {
        let mut values = vec![0f32; grid[1]];
        let mut joined = vec![0f32; out_columns];
        for row in rows {
            evaluate_row(program, row, &mut values);
            match over {
                Over::Columns => joined[0] = join(reduction, &values),
                Over::Groups(group) => {
                    let groups = values.chunks_exact(group);
                    joined.iter_mut().zip(groups).for_each(|(to, group)| *to = join(reduction, group));
                }
                Over::Windows(window) => over_windows(reduction, &window, &values, &mut joined),
                Over::Rows => unreachable!("handled above"),
            }
            // SAFETY: every row is reduced by one thread, and `out` is borrowed for the whole call.
            unsafe { target.apply(then, row..row + 1, 0..out_columns, &joined, out_columns) };
        }
    });
}

/// Columns reduced together by one thread: a few cache lines of each row.
const STRIP_OF_COLUMNS: usize = 128;

/// Evaluates a whole row of a grid as wide as `values`.
fn evaluate_row(program: &Program<'_>, row: usize, values: &mut [f32]) {
    let columns = values.len();
    with_registers(|registers| {
        for (at, out) in values.chunks_mut(STRIP).enumerate() {
            program.run(Strip { row, column: at * STRIP, columns, acc: &[] }, registers, out);
        }
    });
}

fn over_rows(
    reduction: Reduction,
    program: &Program<'_>,
    grid: [usize; 2],
    columns: std::ops::Range<usize>,
) -> Vec<f32> {
    let mut sums = vec![0f64; columns.len()];
    let mut best = vec![f32::NEG_INFINITY; columns.len()];
    let mut position = vec![0f32; columns.len()];
    let mut values = [0f32; STRIP_OF_COLUMNS];
    let values = &mut values[..columns.len()];
    with_registers(|registers| {
        for row in 0..grid[0] {
            let strip = Strip { row, column: columns.start, columns: grid[1], acc: &[] };
            program.run(strip, registers, values);
            match reduction {
                Reduction::Sum => sums.iter_mut().zip(&*values).for_each(|(sum, v)| *sum += f64::from(*v)),
                Reduction::Max => best.iter_mut().zip(&*values).for_each(|(max, v)| *max = larger(*max, *v)),
                Reduction::ArgMax => {
                    for ((max, at), v) in best.iter_mut().zip(&mut position).zip(&*values) {
                        if *v > *max {
                            (*max, *at) = (*v, row as f32);
                        }
                    }
                }
            }
        }
    });
    match reduction {
        Reduction::Sum => sums.iter().map(|sum| *sum as f32).collect(),
        Reduction::Max => best,
        Reduction::ArgMax => position,
    }
}

/// The larger value; NaN if either is.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
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

/// The sums of one image of a fold.
pub(super) fn fold_case(window: &Window, case: usize, program: &Program<'_>) -> Vec<f32> {
    let Window { height, width, channels, kernel, stride, padding, .. } = *window;
    let mut sums = vec![0f32; window.image_len()];
    let mut patch = vec![0f32; window.patch_len()];
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
    sums
}
