//! Single precision on the cores of the processor.
//!
//! Work is cut into pieces whose borders depend on the shapes alone, and sums run in an order that does not depend
//! on who computes them: the same seed gives the same bits with any number of threads.

mod convolution;
mod elementwise;
mod flat;
mod fold;
mod formula;
mod memory;
mod microkernel;
mod multiply;
mod over_rows;
mod pack;
mod packings;
mod product;
mod reduction;
mod sparse;
mod team;
mod vector;
mod windows;
#[cfg(target_arch = "x86_64")]
mod winograd;

use crate::{
    Backend, Error, Expr, Over, Product, Reduction, Storage, Tensor, Values, ValuesMut, View, ViewMut, Window,
};
use elementwise::Target;
use fold::Patches;
use formula::Program;
use memory::Memory;
use reduction::Formulas;
use team::share;

pub use team::in_parallel;

/// The backend behind [`Device::cpu`](crate::Device::cpu). Its memory is kept for later tensors.
#[derive(Debug)]
pub struct Cpu;

/// Fewer elements than this are not worth waking another thread.
const PARALLEL: usize = 1 << 14;

impl Backend for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn alloc(&self, len: usize) -> Box<dyn Storage> {
        Box::new(Memory::zeros(len))
    }

    fn write(&self, mut out: ViewMut<'_>, values: Values<'_>) {
        let (rows, columns, offset, stride) = (out.rows(), out.columns(), out.offset(), out.row_stride());
        let memory = out.tensor_mut().storage_mut::<Memory>();
        for row in 0..rows {
            let to = &mut memory[offset + row * stride..][..columns];
            match values {
                Values::F32(values) => to.copy_from_slice(&values[row * columns..][..columns]),
                Values::F64(values) => {
                    to.iter_mut().zip(&values[row * columns..]).for_each(|(to, from)| *to = *from as f32);
                }
            }
        }
    }

    fn read(&self, source: View<'_>, mut into: ValuesMut<'_>) -> Result<(), Error> {
        let (columns, memory) = (source.columns(), source.tensor().storage::<Memory>());
        for row in 0..source.rows() {
            let from = &memory[source.offset() + row * source.row_stride()..][..columns];
            match &mut into {
                ValuesMut::F32(values) => values[row * columns..][..columns].copy_from_slice(from),
                ValuesMut::F64(values) => {
                    values[row * columns..]
                        .iter_mut()
                        .zip(from)
                        .for_each(|(to, from)| *to = f64::from(*from));
                }
            }
        }
        Ok(())
    }

    fn gather(&self, mut out: ViewMut<'_>, source: &Tensor, indices: &[usize]) {
        let (columns, offset, stride) = (out.columns(), out.offset(), out.row_stride());
        let from = source.storage::<Memory>();
        let to = out.tensor_mut().storage_mut::<Memory>();
        for (row, &index) in indices.iter().enumerate() {
            to[offset + row * stride..][..columns].copy_from_slice(&from[index * columns..][..columns]);
        }
    }

    fn assign(&self, mut out: ViewMut<'_>, formula: &Expr<'_>) {
        if let Some(formula) = flat::flat(&out, formula) {
            let (program, len) = (Program::new(&formula), out.len());
            let target = Target::new(&mut out).flat(len);
            return elementwise::in_chunks(len, |columns| {
                // SAFETY: chunks are disjoint, and `out` is borrowed for the whole call.
                unsafe { target.apply(&program, 0..1, columns, &[], 0) };
            });
        }
        let program = Program::new(formula);
        let target = Target::new(&mut out);
        elementwise::in_row_chunks(out.rows(), out.columns(), |rows| {
            // SAFETY: chunks of rows are disjoint, and `out` is borrowed for the whole call.
            unsafe { target.apply(&program, rows, 0..out.columns(), &[], 0) };
        });
    }

    fn product(&self, out: ViewMut<'_>, product: &Product<'_>, then: &Expr<'_>) {
        multiply::multiply(out, product, then);
    }

    fn reduce(
        &self,
        out: ViewMut<'_>,
        grid: [usize; 2],
        over: Over,
        reduction: Reduction,
        formula: &Expr<'_>,
        then: &Expr<'_>,
    ) {
        let flat = flat::of_grid(formula, grid).map(|formula| Program::new(&formula));
        let flat_then = flat::of_store(&out, then).map(|then| Program::new(&then));
        let formulas = Formulas { program: Program::new(formula), then: Program::new(then), flat, flat_then };
        reduction::reduce(out, grid, over, reduction, &formulas);
    }

    fn fold(&self, mut out: ViewMut<'_>, window: &Window, formula: &Expr<'_>, then: &Expr<'_>) {
        let (cases, columns) = (out.rows(), out.columns());
        let (patches, then) = (Patches::new(window, cases * window.count(), formula), Program::new(then));
        let target = Target::new(&mut out);
        share(cases, rayon::current_num_threads(), &|numbers| {
            for case in numbers {
                patches.fold_case(window, case, |sums| {
                    // SAFETY: every case is a row of its own, and `out` is borrowed for the whole call.
                    unsafe { target.apply(&then, case..case + 1, 0..columns, sums, columns) };
                });
            }
        });
    }
}
