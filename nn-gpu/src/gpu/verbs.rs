//! The verbs: which kernels they start, on what data.

use super::Gpu;
use crate::arguments::{Arguments, MOST_INPUTS};
use crate::failure::What;
use crate::formula::Formula;
use crate::kernels::elements::{self, Elements, Join};
use crate::kernels::geometry::Geometry;
use crate::kernels::product::{ProductKernel, Rung, TermShape};
use crate::kernels::reduction::{self, Groups, Rows};
use crate::kernels::{Kernel, folded};
use crate::memory::Memory;
use crate::operands::{ProductShape, inner_size, side};
use crate::plan::{chunks, plan};
use crate::split::{distinct_inputs, oversized_part, replaced};
use nn_core::{
    ACC, Backend, Error, Expr, Over, Product, Reduction, Storage, Tensor, Values, ValuesMut, View, ViewMut,
    Window,
};
use std::sync::atomic::AtomicBool;

fn arguments<'a>(out: &ViewMut<'_>) -> Arguments<'a> {
    Arguments::new(out.rows(), out.columns(), out.offset(), out.row_stride())
}

/// Whether a formula can be evaluated as if all elements stood in one row.
fn fits_one_row(out: &ViewMut<'_>, formula: &Expr<'_>) -> bool {
    // A single column stays a column: its inputs of one column step by rows.
    let mut fits = out.rows() == 1 || out.columns() > 1 && out.row_stride() == out.columns();
    formula.visit(&mut |node| {
        fits &= match node {
            Expr::Input(view, nn_core::Stretch::Fit) => {
                let whole = view.rows() == out.rows() && view.columns() == out.columns();
                view.len() == 1 || whole && (view.rows() == 1 || view.row_stride() == view.columns())
            }
            Expr::Input(..) | Expr::Position(_) | Expr::Group(_) => out.rows() == 1,
            _ => true,
        }
    });
    fits
}

impl Backend for Gpu {
    fn name(&self) -> &str {
        &self.name
    }

    fn alloc(&self, len: usize) -> Box<dyn Storage> {
        let wait = || {
            let recorder = &mut *self.recorder();
            recorder.stream.finish();
            recorder.stream.forget_bind_groups();
        };
        if self.failure.happened() {
            return Box::new(Memory { block: None, defined: AtomicBool::new(true) });
        }
        match self.pool.take(4 * len as u64, wait) {
            Ok((block, reused)) => Box::new(Memory { block: Some(block), defined: AtomicBool::new(!reused) }),
            Err(refused) => {
                self.failure.note(What::NoMemory(refused));
                Box::new(Memory { block: None, defined: AtomicBool::new(true) })
            }
        }
    }

    fn write(&self, mut out: ViewMut<'_>, values: Values<'_>) {
        let rounded: Vec<f32>;
        let values = match values {
            Values::F32(values) => values,
            Values::F64(values) => {
                rounded = values.iter().map(|value| *value as f32).collect();
                &rounded
            }
        };
        if out.is_empty() {
            return;
        }
        if out.rows() > 1 && out.row_stride() != out.columns() {
            // A part with gaps: over a tensor of its own.
            let mut whole = self.temporary(out.rows(), out.columns());
            self.write(whole.view_mut(), Values::F32(values));
            return self.assign(out.reborrow(), &Expr::from(&whole));
        }
        let memory: &Memory = out.tensor().storage();
        let whole = out.len() == out.tensor().len();
        if !memory.define() && !whole {
            self.recorder().stream.clear(memory);
        }
        self.recorder().stream.upload(memory, out.offset(), values);
    }

    fn read(&self, source: View<'_>, mut into: ValuesMut<'_>) -> Result<(), Error> {
        /// Elements of one transfer: what the host's side of it takes of memory.
        const PIECE: usize = 16 << 20;
        let rows = (PIECE / source.columns().max(1)).max(1);
        for first in (0..source.rows()).step_by(rows) {
            let part = source.row_range(first..source.rows().min(first + rows));
            self.start_reading(part)?.finish(|values| {
                let start = first * source.columns();
                match &mut into {
                    ValuesMut::F32(into) => into[start..start + values.len()].copy_from_slice(values),
                    ValuesMut::F64(into) => {
                        into[start..]
                            .iter_mut()
                            .zip(values)
                            .for_each(|(into, value)| *into = f64::from(*value));
                    }
                }
            })?;
        }
        self.failure.check(&self.name)
    }

    fn gather(&self, mut out: ViewMut<'_>, source: &Tensor, indices: &[usize]) {
        if out.is_empty() {
            return;
        }
        /// Indices that pass through the data of one batch.
        const MOST: usize = 100_000;
        if !self.recorder().stream.can_bind(source.storage()) {
            return self.copy_rows(out, source, indices);
        }
        if indices.len() > MOST {
            let (first, rest) = indices.split_at(MOST);
            self.gather(out.reborrow().row_range(0..MOST), source, first);
            return self.gather(out.reborrow().row_range(MOST..indices.len()), source, rest);
        }
        let mut arguments = arguments(&out);
        let view = source.view();
        arguments.input(&view, false);
        let words = arguments.word(view.offset());
        arguments.word(view.row_stride());
        arguments.rows = Some(indices);
        let store = Formula::new(&ACC, &mut arguments);
        self.start_elements(&out, Join::Gather { words }, store, false, arguments, 1);
    }

    fn assign(&self, out: ViewMut<'_>, formula: &Expr<'_>) {
        if out.is_empty() {
            return;
        }
        if let Some(part) = oversized_part(formula, MOST_INPUTS) {
            let mut whole = self.temporary(out.rows(), out.columns());
            self.assign(whole.view_mut(), part);
            return self.assign(out, &replaced(formula, part, &Expr::from(&whole)));
        }
        let single_row = fits_one_row(&out, formula);
        let mut arguments =
            if single_row { Arguments::new(1, out.len(), out.offset(), out.len()) } else { arguments(&out) };
        let store = Formula::new(formula, &mut arguments);
        self.start_elements(&out, Join::Nothing, store, single_row, arguments, 1);
    }

    fn product(&self, mut out: ViewMut<'_>, product: &Product<'_>, then: &Expr<'_>) {
        if out.is_empty() {
            return;
        }
        let operands = product.terms.iter().flat_map(|term| [&term.left, &term.right]);
        let mut operands: Vec<*const Tensor> =
            operands.map(|o| std::ptr::from_ref(o.view.source())).collect();
        operands.sort_unstable();
        operands.dedup();
        if operands.len() + distinct_inputs(then) > MOST_INPUTS {
            // The sum first, in parts if need be, then the formula.
            let mut sum = self.temporary(out.rows(), out.columns());
            let (first, rest) = product.terms.split_at(product.terms.len().min(MOST_INPUTS / 2));
            let part = |terms: &[_]| Product { terms: terms.to_vec(), batch: product.batch };
            self.product(sum.view_mut(), &part(first), &ACC);
            for term in rest {
                self.product(sum.view_mut(), &part(std::slice::from_ref(term)), &(nn_core::OLD + ACC));
            }
            return self.assign(out, &then.clone().with_acc(&Expr::from(&sum)));
        }
        let shape = ProductShape::new(product);
        let (rung, parts) = self.plan(&shape);
        if parts > 1 {
            let mut sums = self.temporary(parts * shape.rows, shape.columns);
            self.start_product(&mut sums.view_mut(), product, &shape, rung, parts, &ACC);
            let elements = shape.rows * shape.columns;
            let sums = sums.reshape(parts, elements);
            let mut sum = self.temporary(1, elements);
            let grid = [parts, elements];
            self.reduce(sum.view_mut(), grid, Over::Rows, Reduction::Sum, &Expr::from(&sums), &ACC);
            let sum = sum.reshape(shape.rows, shape.columns);
            return self.assign(out, &then.clone().with_acc(&Expr::from(&sum)));
        }
        self.start_product(&mut out, product, &shape, rung, 1, then);
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
        if out.is_empty() {
            return;
        }
        if grid[0] * grid[1] == 0 {
            let nothing = if reduction == Reduction::Max { f64::NEG_INFINITY } else { 0.0 };
            return self.assign(out, &then.clone().with_acc(&Expr::from(nothing)));
        }
        if let Some(part) = oversized_part(formula, MOST_INPUTS) {
            let mut whole = self.temporary(grid[0], grid[1]);
            self.assign(whole.view_mut(), part);
            let formula = replaced(formula, part, &Expr::from(&whole));
            return self.reduce(out, grid, over, reduction, &formula, then);
        }
        if distinct_inputs(formula) + distinct_inputs(then) > MOST_INPUTS {
            let mut joined = self.temporary(out.rows(), out.columns());
            self.reduce(joined.view_mut(), grid, over, reduction, formula, &ACC);
            return self.assign(out, &then.clone().with_acc(&Expr::from(&joined)));
        }
        match over {
            Over::Rows => self.reduce_rows(out, grid, reduction, formula, then),
            Over::Columns => self.reduce_groups(out, grid, grid[1], reduction, formula, then),
            Over::Groups(group) => self.reduce_groups(out, grid, group, reduction, formula, then),
            Over::Windows(window) => {
                let mut arguments = arguments(&out);
                let formula = Formula::new(formula, &mut arguments);
                let store = Formula::new(then, &mut arguments);
                let join = Join::Window { reduction, formula, geometry: Geometry { window } };
                let taps = window.kernel[0] * window.kernel[1];
                self.start_elements(&out, join, store, false, arguments, taps);
            }
        }
    }

    fn fold(&self, out: ViewMut<'_>, window: &Window, formula: &Expr<'_>, then: &Expr<'_>) {
        if out.is_empty() {
            return;
        }
        if let Some(part) = oversized_part(formula, MOST_INPUTS) {
            let mut whole = self.temporary(out.rows() * window.count(), window.patch_len());
            self.assign(whole.view_mut(), part);
            return self.fold(out, window, &replaced(formula, part, &Expr::from(&whole)), then);
        }
        if distinct_inputs(formula) + distinct_inputs(then) > MOST_INPUTS {
            let mut joined = self.temporary(out.rows(), out.columns());
            self.fold(joined.view_mut(), window, formula, &ACC);
            return self.assign(out, &then.clone().with_acc(&Expr::from(&joined)));
        }
        let mut arguments = arguments(&out);
        let formula = Formula::new(formula, &mut arguments);
        let store = Formula::new(then, &mut arguments);
        let join = Join::Fold { formula, geometry: Geometry { window: *window } };
        self.start_elements(&out, join, store, false, arguments, window.kernel[0] * window.kernel[1]);
    }
}

impl Gpu {
    /// Starts a kernel of one thread for each element of `out`.
    fn start_elements(
        &self,
        out: &ViewMut<'_>,
        join: Join,
        store: Formula,
        single_row: bool,
        arguments: Arguments<'_>,
        steps: usize,
    ) {
        let groups = folded(out.len().div_ceil(elements::THREADS as usize), 1);
        let kernel = Kernel::Elements(Elements { join, store, single_row });
        self.start(out, kernel, arguments, groups, (out.len() * steps) as f64);
    }

    /// A gather from a tensor that is too large for a kernel to see.
    fn copy_rows(&self, out: ViewMut<'_>, source: &Tensor, indices: &[usize]) {
        let (from, to): (&Memory, &Memory) = (source.storage(), out.tensor().storage());
        self.define(from);
        self.define(to);
        let stream = &mut self.recorder().stream;
        for (row, index) in indices.iter().enumerate() {
            let at = out.offset() + row * out.row_stride();
            stream.copy(from, index * source.columns(), to, at, source.columns());
        }
    }

    fn reduce_rows(
        &self,
        out: ViewMut<'_>,
        grid: [usize; 2],
        reduction: Reduction,
        formula: &Expr<'_>,
        then: &Expr<'_>,
    ) {
        let [rows, columns] = grid;
        let strips = columns.div_ceil(reduction::STRIP as usize);
        let chunks = chunks(strips, rows, reduction);
        let run = |out: &ViewMut<'_>, then: &Expr<'_>| {
            let mut arguments = arguments(out);
            let words = arguments.word(rows);
            arguments.word(rows.div_ceil(chunks));
            let formula = Formula::new(formula, &mut arguments);
            let store = Formula::new(then, &mut arguments);
            let kernel = Kernel::Rows(Rows { reduction, formula, store, words });
            self.start(out, kernel, arguments, folded(strips, chunks), (rows * columns) as f64);
        };
        if chunks == 1 {
            return run(&out, then);
        }
        let mut parts = self.temporary(chunks, columns);
        run(&parts.view_mut(), &ACC);
        self.reduce(out, [chunks, columns], Over::Rows, reduction, &Expr::from(&parts), then);
    }

    fn reduce_groups(
        &self,
        out: ViewMut<'_>,
        grid: [usize; 2],
        group: usize,
        reduction: Reduction,
        formula: &Expr<'_>,
        then: &Expr<'_>,
    ) {
        /// Columns up to which one thread sums a group.
        const SHORT: usize = 32;
        if group <= SHORT {
            let mut arguments = arguments(&out);
            let words = arguments.word(group);
            arguments.word(grid[1]);
            let formula = Formula::new(formula, &mut arguments);
            let store = Formula::new(then, &mut arguments);
            let join = Join::Group { reduction, formula, words };
            return self.start_elements(&out, join, store, false, arguments, group);
        }
        let chunks = chunks(out.len(), group, reduction);
        let run = |out: &ViewMut<'_>, then: &Expr<'_>| {
            let mut arguments = arguments(out);
            let words = arguments.word(group);
            arguments.word(grid[1]);
            arguments.word(chunks);
            arguments.word(group.div_ceil(chunks));
            let formula = Formula::new(formula, &mut arguments);
            let store = Formula::new(then, &mut arguments);
            let subgroups = self.subgroups && reduction == Reduction::Sum;
            let kernel = Kernel::Groups(Groups { reduction, formula, store, words, subgroups });
            let work = (grid[0] * grid[1]) as f64;
            self.start(out, kernel, arguments, folded(out.len(), 1), work);
        };
        if chunks == 1 {
            return run(&out, then);
        }
        let mut parts = self.temporary(out.rows(), out.columns() * chunks);
        run(&parts.view_mut(), &ACC);
        let grid = [out.rows(), out.columns() * chunks];
        self.reduce(out, grid, Over::Groups(chunks), reduction, &Expr::from(&parts), then);
    }

    /// Which kernel a product runs, and in how many parts.
    fn plan(&self, shape: &ProductShape) -> (Rung, usize) {
        let tuned = || self.settings.tuning.as_ref().and_then(|tuning| tuning.rung(shape.sizes()));
        plan(shape, &self.adapter, self.settings.product.or_else(tuned))
    }

    fn start_product<'a>(
        &self,
        out: &mut ViewMut<'_>,
        product: &Product<'a>,
        shape: &ProductShape,
        rung: Rung,
        parts: usize,
        then: &Expr<'a>,
    ) {
        let mut arguments: Arguments<'a> = arguments(out);
        let words = arguments.word(shape.rows);
        arguments.word(shape.columns);
        let (row_step, column_step) = if parts > 1 { (shape.rows, 0) } else { shape.steps };
        arguments.word(row_step);
        arguments.word(column_step);
        let part = shape.inner_most.div_ceil(parts);
        arguments.word(part);
        arguments.word(if parts > 1 { part } else { 0 });
        let quads = rung != Rung::Direct;
        let terms = product.terms.iter();
        let terms: Vec<TermShape> = terms
            .map(|term| {
                let inner = inner_size(term, product);
                let left = side(&term.left, true, product, quads, &mut arguments);
                let right = side(&term.right, false, product, quads, &mut arguments);
                let words = arguments.word(inner);
                arguments.float(term.scale);
                TermShape { left, right, words }
            })
            .collect();
        let store = Formula::new(then, &mut arguments);
        let [down, across] = rung.tile();
        let tiles = shape.rows.div_ceil(down) * shape.columns.div_ceil(across);
        let work = (shape.rows * shape.columns * shape.inner * shape.blocks) as f64;
        let kernel = Kernel::Product(ProductKernel { rung, terms, store, words });
        self.start(out, kernel, arguments, folded(tiles, shape.blocks * parts), work);
    }
}
