//! Applies a formula to rectangles of an output, from several threads at once.

use super::{
    PARALLEL,
    formula::{Program, Registers, STRIP, Strip},
    memory::Memory,
    team::share,
};
use crate::ViewMut;
use std::{cell::RefCell, ops::Range};

thread_local! {
    static REGISTERS: RefCell<Registers> = RefCell::default();
}

/// Runs `work` with the registers of this thread.
pub(super) fn with_registers<T>(work: impl FnOnce(&mut Registers) -> T) -> T {
    REGISTERS.with(|registers| match registers.try_borrow_mut() {
        Ok(mut registers) => work(&mut registers),
        // A task that rayon started while this thread waited inside another one: rare, so it pays for its own.
        Err(_) => work(&mut Registers::default()),
    })
}

/// An output that several threads write disjoint parts of.
pub(super) struct Target {
    start: *mut f32,
    columns: usize,
    row_stride: usize,
}

// SAFETY: the pointer is only followed by `apply`, whose callers promise disjoint parts and a living output.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    pub(super) fn new(out: &mut ViewMut<'_>) -> Target {
        let (columns, row_stride, offset, rows) = (out.columns(), out.row_stride(), out.offset(), out.rows());
        let memory = out.tensor_mut().storage_mut::<Memory>();
        let end = if rows == 0 { 0 } else { offset + (rows - 1) * row_stride + columns };
        assert!(end <= memory.len(), "a view lies inside its tensor");
        // SAFETY: the offset was just checked to lie inside the memory.
        Target { start: unsafe { memory.as_mut_ptr().add(offset.min(memory.len())) }, columns, row_stride }
    }

    /// The same memory as one row of all its elements, between whose rows there are no gaps.
    pub(super) fn flat(&self, len: usize) -> Target {
        Target { start: self.start, columns: len, row_stride: len }
    }

    /// The memory from the first to the last element of `rows` rows, with what lies between rows.
    ///
    /// # Safety
    /// Nobody else touches the output meanwhile, it has that many rows, and it outlives the slice.
    pub(super) unsafe fn whole<'a>(&self, rows: usize) -> &'a mut [f32] {
        let len = if rows == 0 { 0 } else { (rows - 1) * self.row_stride + self.columns };
        // SAFETY: `new` checked that the view lies inside its tensor; the rest is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start, len) }
    }

    /// Where element (row, column) lies.
    fn pointer(&self, row: usize, column: usize) -> *mut f32 {
        self.start.wrapping_add(row * self.row_stride + column)
    }

    pub(super) fn row_stride(&self) -> usize {
        self.row_stride
    }

    /// out[r, c] = formula with `Acc` = acc[r − rows.start, c − columns.start] for this rectangle; without sums if
    /// `acc` is empty.
    ///
    /// # Safety
    /// The rectangle lies inside the output, no other thread touches it meanwhile, and the output outlives the call.
    pub(super) unsafe fn apply(
        &self,
        program: &Program<'_>,
        rows: Range<usize>,
        columns: Range<usize>,
        acc: &[f32],
        acc_stride: usize,
    ) {
        let first = rows.start;
        with_registers(|registers| {
            for row in rows {
                for column in columns.clone().step_by(STRIP) {
                    let len = STRIP.min(columns.end - column);
                    let acc = if acc.is_empty() {
                        acc
                    } else {
                        &acc[(row - first) * acc_stride + column - columns.start..][..len]
                    };
                    // SAFETY: the strip lies inside the rectangle, which nobody else touches (the caller's promise).
                    let out = unsafe { std::slice::from_raw_parts_mut(self.pointer(row, column), len) };
                    program.run(Strip { row, column, columns: self.columns, acc }, registers, out);
                }
            }
        });
    }
}

/// Evaluates a whole row of a grid as wide as `values`.
pub(super) fn evaluate_row(program: &Program<'_>, row: usize, values: &mut [f32]) {
    let columns = values.len();
    with_registers(|registers| {
        for (at, out) in values.chunks_mut(STRIP).enumerate() {
            program.run(Strip { row, column: at * STRIP, columns, acc: &[] }, registers, out);
        }
    });
}

/// Calls `work` for chunks of columns of a single row that together cover all.
pub(super) fn in_chunks(columns: usize, work: impl Fn(Range<usize>) + Sync) {
    if columns < PARALLEL {
        return work(0..columns);
    }
    let chunk = PARALLEL / 4;
    share(columns.div_ceil(chunk), rayon::current_num_threads(), &|numbers| {
        numbers.for_each(|at| work(at * chunk..columns.min((at + 1) * chunk)));
    });
}

/// Calls `work` for chunks of rows that together cover all, on several threads where there is enough to do.
pub(super) fn in_row_chunks(rows: usize, columns: usize, work: impl Fn(Range<usize>) + Sync) {
    if rows * columns < PARALLEL {
        return work(0..rows);
    }
    let chunk = (PARALLEL / 4).div_ceil(columns).max(1);
    share(rows.div_ceil(chunk), rayon::current_num_threads(), &|numbers| {
        numbers.for_each(|at| work(at * chunk..rows.min((at + 1) * chunk)));
    });
}
