//! Sums, maxima and their positions. Sums are accumulated in double precision, in an order of their own.

use super::{
    elementwise::{Target, evaluate_row, in_row_chunks, with_registers},
    formula::{Program, STRIP, Strip},
    over_rows::Rows,
    windows::over_windows,
};
use crate::{Over, Reduction, ViewMut};
use std::cell::Cell;

/// What is stored of a reduction, and how it is computed.
pub(super) struct Formulas<'a> {
    pub program: Program<'a>,
    pub then: Program<'a>,
    /// Both on their grids as one long row, where that is possible.
    pub flat: Option<Program<'a>>,
    pub flat_then: Option<Program<'a>>,
}

pub(super) fn reduce(
    mut out: ViewMut<'_>,
    grid: [usize; 2],
    over: Over,
    reduction: Reduction,
    formulas: &Formulas<'_>,
) {
    let Formulas { program, then, flat, flat_then } = formulas;
    let target = Target::new(&mut out);
    let ([rows, columns], [_, out_columns]) = (grid, over.shape(grid));
    if let Over::Rows = over {
        return Rows { program, flat: flat.as_ref(), grid, reduction }.reduce(&target, then);
    }
    // Rows that one strip of the formula covers.
    let whole = flat.as_ref().zip(flat_then.as_ref());
    let together = if whole.is_some() { STRIP / columns } else { 1 };
    in_row_chunks(rows, columns, |part| {
        let (mut room, mut all) = (ROOM.take(), vec![0f32; together * out_columns]);
        room.resize(together * columns, 0.0);
        for first in part.clone().step_by(together) {
            let count = together.min(part.end - first);
            let values = match (program.row_of_input(first, columns), whole) {
                // What is there already need not be copied.
                (Some(values), None) => values,
                (None, None) => {
                    evaluate_row(program, first, &mut room);
                    &room
                }
                (_, Some((flat, _))) => {
                    let strip = Strip { row: 0, column: first * columns, columns: rows * columns, acc: &[] };
                    let values = &mut room[..count * columns];
                    with_registers(|registers| flat.run(strip, registers, values));
                    values
                }
            };
            let joined = &mut all[..count * out_columns];
            for (values, joined) in values.chunks_exact(columns).zip(joined.chunks_exact_mut(out_columns)) {
                match over {
                    Over::Columns => joined[0] = join(reduction, values),
                    Over::Groups(group) => {
                        let groups = values.chunks_exact(group);
                        joined.iter_mut().zip(groups).for_each(|(to, group)| *to = join(reduction, group));
                    }
                    Over::Windows(window) => over_windows(reduction, &window, values, joined),
                    Over::Rows => unreachable!("handled above"),
                }
            }
            // SAFETY: every row is reduced by one thread, and `out` is borrowed for the whole call.
            unsafe {
                match whole {
                    Some((_, then)) => {
                        let part = first * out_columns..(first + count) * out_columns;
                        target.flat(rows * out_columns).apply(then, 0..1, part, joined, 0);
                    }
                    None => target.apply(then, first..first + 1, 0..out_columns, joined, 0),
                }
            }
        }
        ROOM.set(room);
    });
}

thread_local! {
    // Taken while in use and put back afterwards.
    static ROOM: Cell<Vec<f32>> = Cell::default();
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
