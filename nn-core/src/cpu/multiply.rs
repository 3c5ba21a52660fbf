//! From a described product to the kernels: operands, batches, the formula at the store.

use std::sync::Arc;

use super::{
    convolution::{self, Patches},
    elementwise::Target,
    flat::flat,
    formula::{Program, STRIP},
    memory::Memory,
    pack::Scratch,
    product::{self, Operand as Side, Shared, Strided},
    team::share,
};
use crate::{
    Expr, Operand, Product, Source, ViewMut, Window,
    product::{Block, block_shape},
};

pub(super) fn multiply(mut out: ViewMut<'_>, product: &Product<'_>, then: &Expr<'_>) {
    let flat = flat(&out, then);
    let target = Target::new(&mut out);
    let [rows, columns] = product.shape();
    let flat = flat.as_ref().map(|formula| (target.flat(out.len()), Program::new(formula)));
    let store = Store { target, then: Program::new(then), flat };
    let Some(batch) = product.batch else {
        return one(&store, product, [None; 2], [rows, columns], [0, 0]);
    };
    let of = |by_rows, index| Some(Block { blocks: batch.blocks, by_rows, index });
    let (mut shape, mut step) = ([rows, columns], [0, 0]);
    let cut = usize::from(!batch.out_rows);
    shape[cut] /= batch.blocks;
    step[cut] = shape[cut];
    share(batch.blocks, rayon::current_num_threads(), &|numbers| {
        for index in numbers {
            let blocks = [of(batch.left_rows, index), of(batch.right_rows, index)];
            one(&store, product, blocks, shape, step.map(|step| step * index));
        }
    });
}

/// Where sums go, and how.
struct Store<'a> {
    target: Target,
    then: Program<'a>,
    /// The same for whole rows, as one long row.
    flat: Option<(Target, Program<'a>)>,
}

impl Store<'_> {
    /// Stores a block of sums whose corner is displaced by `corner`.
    ///
    /// # Safety
    /// The block lies inside the output, which outlives the call; no other thread touches that part.
    unsafe fn block(&self, mut block: product::Block<'_>, corner: [usize; 2]) {
        let whole_rows = self.flat.is_some() && block.cols == self.target.row_stride();
        if whole_rows && block.cols < block.stride && 2 * block.cols <= STRIP {
            close_gaps(&mut block);
        }
        let (row, column) = (corner[0] + block.row0, corner[1] + block.col0);
        let (rows, columns) = (row..row + block.rows, column..column + block.cols);
        match &self.flat {
            Some((target, then)) if whole_rows && block.cols == block.stride => {
                let elements = row * block.cols..(row + block.rows) * block.cols;
                // SAFETY: the rows are whole and without gaps; the rest is the caller's promise.
                unsafe { target.apply(then, 0..1, elements, block.acc, block.stride) };
            }
            // SAFETY: the caller's promise.
            _ => unsafe { self.target.apply(&self.then, rows, columns, block.acc, block.stride) },
        }
    }
}

/// Moves short rows of sums up against each other, so that a formula is applied to many of them at once.
fn close_gaps(block: &mut product::Block<'_>) {
    for row in 1..block.rows {
        block.acc.copy_within(row * block.stride..row * block.stride + block.cols, row * block.cols);
    }
    block.stride = block.cols;
}

/// One product: the whole of it, or one block of a batch whose result starts at `corner`.
fn one(
    store: &Store<'_>,
    product: &Product<'_>,
    blocks: [Option<Block>; 2],
    [rows, columns]: [usize; 2],
    corner: [usize; 2],
) {
    let finish = |block: product::Block<'_>| {
        // SAFETY: the kernels hand out disjoint blocks inside the output, which is borrowed for the whole call.
        unsafe { store.block(block, corner) };
    };
    if let ([term], None) = (product.terms.as_slice(), blocks[0])
        && let (Source::Patches(window), Source::Matrix) = (term.left.source, term.right.source)
    {
        let (patches, right) = (patches(&term.left, window), Elements::new(&term.right, None));
        let kernel = if term.left.transposed { convolution::gradient } else { convolution::forward };
        return kernel(&patches, &right.matrix(), columns, term.scale, &finish);
    }
    let operands: Vec<[Elements<'_>; 2]> = product
        .terms
        .iter()
        .map(|term| [Elements::new(&term.left, blocks[0]), Elements::new(&term.right, blocks[1])])
        .collect();
    let packed: Vec<Option<Arc<Scratch>>> =
        operands.iter().map(|[_, right]| right.packed(blocks[1])).collect();
    let terms: Vec<product::Term<'_>> = product
        .terms
        .iter()
        .zip(&operands)
        .zip(&packed)
        .map(|((term, [left, right]), packed)| product::Term {
            a: Side::Strided(left.matrix()),
            b: Side::Strided(right.matrix()),
            packed: packed.as_ref().map(|packed| packed.all()),
            k: left.shape[1],
            scale: term.scale,
        })
        .collect();
    if store.then.is_identity() && blocks[0].is_none() {
        // SAFETY: the product is the whole output, which is borrowed for the whole call.
        let out = unsafe { store.target.whole(rows) };
        return product::product_into(rows, columns, &terms, out, store.target.row_stride());
    }
    product::product(rows, columns, &terms, &finish);
}

/// The images behind an operand of patches.
fn patches<'a>(operand: &Operand<'a>, window: Window) -> Patches<'a> {
    let view = &operand.view;
    Patches {
        values: view.source().storage::<Memory>(),
        offset: view.offset(),
        row_stride: view.row_stride(),
        cases: view.rows(),
        window,
    }
}

/// Patches that are laid out at a time.
const LAID: usize = 64;

/// Where the elements of an operand are.
enum Values<'a> {
    Lent(&'a Memory),
    Laid(Memory),
}

/// The elements of an operand, in place where they lie at regular strides.
struct Elements<'a> {
    values: Values<'a>,
    offset: usize,
    row_stride: usize,
    column_stride: usize,
    shape: [usize; 2],
}

impl<'a> Elements<'a> {
    fn new(operand: &Operand<'a>, block: Option<Block>) -> Elements<'a> {
        let values = operand.view.source().storage::<Memory>();
        let shape = match block {
            None => operand.shape(),
            Some(block) => block_shape(operand, block.blocks, block.by_rows),
        };
        if let Source::Matrix = operand.source {
            let offset = operand.locate(block, 0, 0).unwrap_or(0);
            let (mut row_stride, mut column_stride) = (operand.view.row_stride(), 1);
            if operand.transposed {
                std::mem::swap(&mut row_stride, &mut column_stride);
            }
            return Elements { values: Values::Lent(values), offset, row_stride, column_stride, shape };
        }
        let Source::Patches(window) = operand.source else { unreachable!("matrices are handled above") };
        // One row for each patch, whichever way round the product sees it.
        let (patches, length) = (patches(operand, window), window.patch_len());
        let position = block.map(|block| block.index);
        let rows = patches.cases * position.map_or(window.count(), |_| 1);
        let mut values = Memory::unwritten(rows * length);
        let all = Shared::new(&mut values);
        share(rows.div_ceil(LAID), rayon::current_num_threads(), &|numbers| {
            for row in numbers.flat_map(|number| number * LAID..rows.min((number + 1) * LAID)) {
                let (case, position) = match position {
                    Some(position) => (row, position),
                    None => (row / window.count(), row % window.count()),
                };
                // SAFETY: each row is this worker's alone and lies within `values`, borrowed for the loop.
                let to = unsafe { std::slice::from_raw_parts_mut(all.at(row * length), length) };
                convolution::copy_patch(&patches, case, position, to);
            }
        });
        let (mut row_stride, mut column_stride) = (length, 1);
        if operand.transposed {
            std::mem::swap(&mut row_stride, &mut column_stride);
        }
        Elements { values: Values::Laid(values), offset: 0, row_stride, column_stride, shape }
    }

    /// The panels of a whole right side that products met before.
    fn packed(&self, block: Option<Block>) -> Option<Arc<Scratch>> {
        match (&self.values, block) {
            (Values::Lent(memory), None) => {
                memory.packings().panels(&self.matrix(), self.shape[0], self.shape[1])
            }
            _ => None,
        }
    }

    fn matrix(&self) -> Strided<'_> {
        let data = match &self.values {
            Values::Lent(values) => values,
            Values::Laid(values) => &**values,
        };
        Strided { data, offset: self.offset, row_stride: self.row_stride, col_stride: self.column_stride }
    }
}
