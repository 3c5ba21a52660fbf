//! Patches that are laid back on their images and added up.

use super::{
    elementwise::{evaluate_row, with_registers},
    formula::{Program, STRIP, Strip},
    microkernel::{Simd, simd},
};
use crate::{Expr, Stretch, View, Window};
use std::cell::Cell;

thread_local! {
    // Taken while in use and put back afterwards.
    static SUMS: Cell<Vec<f32>> = Cell::default();
    static PATCH: Cell<Vec<f32>> = Cell::default();
}

/// The formula whose values are laid on images.
pub(super) enum Patches<'a> {
    /// For each value of each patch.
    Whole(Program<'a>),
    /// One for each tap, on one row of `len` values: one for each window and channel.
    Taps { programs: Vec<Program<'a>>, len: usize },
}

impl<'a> Patches<'a> {
    /// For so many windows in all.
    pub(super) fn new(window: &Window, windows: usize, formula: &Expr<'a>) -> Patches<'a> {
        let taps = window.kernel[0] * window.kernel[1];
        let at = |tap: usize| at_tap(formula, window.channels, windows, tap).map(|it| Program::new(&it));
        match (0..taps).map(at).collect() {
            Some(programs) => Patches::Taps { programs, len: windows * window.channels },
            _ => Patches::Whole(Program::new(formula)),
        }
    }

    /// Shows the sums of one image.
    pub(super) fn fold_case(&self, window: &Window, case: usize, store: impl FnOnce(&[f32])) {
        let mut sums = SUMS.take();
        sums.clear();
        sums.resize(window.image_len(), 0.0);
        match self {
            Patches::Whole(program) => whole(window, case, program, &mut sums),
            Patches::Taps { programs, len } => by_taps(window, case, programs, *len, &mut sums),
        }
        store(&sums);
        SUMS.set(sums);
    }
}

/// The formula at one tap, where it takes no more than a value for each window and channel, and the number of the tap.
fn at_tap<'a>(formula: &Expr<'a>, channels: usize, windows: usize, tap: usize) -> Option<Expr<'a>> {
    let at_tap = |formula: &Expr<'a>| Some(Box::new(at_tap(formula, channels, windows, tap)?));
    Some(match formula {
        Expr::Input(view, Stretch::Fit) if view.len() == 1 => formula.clone(),
        Expr::Input(view, Stretch::Repeated) if of_windows(view, channels, windows) => {
            Expr::Input(view.in_one_row(), Stretch::Fit)
        }
        Expr::Group(group) if *group == channels => Expr::Constant(tap as f64),
        Expr::Constant(_) => formula.clone(),
        Expr::Unary(function, inner) => Expr::Unary(*function, at_tap(inner)?),
        Expr::Binary(function, left, right) => Expr::Binary(*function, at_tap(left)?, at_tap(right)?),
        _ => return None,
    })
}

fn of_windows(view: &View<'_>, channels: usize, windows: usize) -> bool {
    [view.rows(), view.columns(), view.row_stride()] == [windows, channels, channels]
}

/// Patch by patch.
fn whole(window: &Window, case: usize, program: &Program<'_>, sums: &mut [f32]) {
    let Window { width, channels, kernel, stride, padding, .. } = *window;
    let mut patch = PATCH.take();
    patch.resize(window.patch_len(), 0.0);
    let [_, across] = window.positions();
    for position in 0..window.count() {
        evaluate_row(program, case * window.count() + position, &mut patch);
        let (top, left) = (position / across * stride[0], position % across * stride[1]);
        let columns = window.taps_inside(1, position % across);
        if columns.is_empty() {
            continue;
        }
        for ky in window.taps_inside(0, position / across) {
            // The taps of a row lie side by side, in the patch as in the image.
            let from = &patch[(ky * kernel[1] + columns.start) * channels..][..columns.len() * channels];
            let pixel = (top + ky - padding[0]) * width + left + columns.start - padding[1];
            add(&mut sums[pixel * channels..], from, from.len(), 0);
        }
    }
    PATCH.set(patch);
}

/// Tap by tap, for all windows of which the tap lies inside the image.
fn by_taps(window: &Window, case: usize, programs: &[Program<'_>], len: usize, sums: &mut [f32]) {
    let Window { width, channels, kernel, stride, padding, .. } = *window;
    let [_, across] = window.positions();
    let row = across * channels;
    let mut room = PATCH.take();
    room.resize(window.count() * channels, 0.0);
    for (tap, program) in programs.iter().enumerate() {
        let [ky, kx] = [tap / kernel[1], tap % kernel[1]];
        let (rows, columns) = (window.positions_inside(0, ky), window.positions_inside(1, kx));
        if columns.is_empty() {
            continue;
        }
        let (first, count) = (case * window.count() * channels + rows.start * row, rows.len() * row);
        let values = match program.row_of_input(0, len) {
            Some(all) => &all[first..][..count],
            None => {
                with_registers(|registers| {
                    for (strip, out) in room[..count].chunks_mut(STRIP).enumerate() {
                        let strip = Strip { row: 0, column: first + strip * STRIP, columns: 0, acc: &[] };
                        program.run(strip, registers, out);
                    }
                });
                &room[..count]
            }
        };
        let inside = columns.start * channels..columns.end * channels;
        for (y, values) in rows.zip(values.chunks_exact(row)) {
            let pixel =
                (y * stride[0] + ky - padding[0]) * width + columns.start * stride[1] + kx - padding[1];
            add(&mut sums[pixel * channels..], &values[inside.clone()], channels, stride[1] * channels);
        }
    }
    PATCH.set(room);
}

/// Adds pieces of `len` values to `sums`, each `step` after the one before.
fn add(sums: &mut [f32], values: &[f32], len: usize, step: usize) {
    match simd() {
        // SAFETY: the processor has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 | Simd::Avx512 => unsafe { add_avx2(sums, values, len, step) },
        Simd::Portable => add_portable(sums, values, len, step),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn add_avx2(sums: &mut [f32], values: &[f32], len: usize, step: usize) {
    add_portable(sums, values, len, step);
}

#[inline(always)]
fn add_portable(sums: &mut [f32], values: &[f32], len: usize, step: usize) {
    // Without gaps all of it is one piece.
    let (len, step) = if step == len { (values.len(), 0) } else { (len, step) };
    for (number, values) in values.chunks_exact(len).enumerate() {
        let sums = &mut sums[number * step..][..len];
        // Few channels make short pieces: whole vectors of four, and what is left.
        let ((sums, last_sums), (values, last)) = (sums.as_chunks_mut::<4>(), values.as_chunks::<4>());
        for (sums, values) in sums.iter_mut().zip(values) {
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        last_sums.iter_mut().zip(last).for_each(|(sum, value)| *sum += value);
    }
}
