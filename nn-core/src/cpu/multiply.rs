//! From a described product to the kernels: operands, batches, the formula at the store.

use super::{
    elementwise::Target,
    formula::Program,
    product::{self, Operand as Side, Strided},
};
use crate::{
    Operand, Product, Source, ViewMut,
    product::{Block, block_shape},
};
use rayon::prelude::*;
use std::borrow::Cow;

pub(super) fn multiply(mut out: ViewMut<'_>, product: &Product<'_>, then: &Program<'_>) {
    let target = Target::new(&mut out);
    let [rows, columns] = product.shape();
    let Some(batch) = product.batch else {
        return one(&target, product, [None; 2], [rows, columns], [0, 0], then);
    };
    let of = |by_rows, index| Some(Block { blocks: batch.blocks, by_rows, index });
    let (mut shape, mut step) = ([rows, columns], [0, 0]);
    let cut = usize::from(!batch.out_rows);
    shape[cut] /= batch.blocks;
    step[cut] = shape[cut];
    (0..batch.blocks).into_par_iter().for_each(|index| {
        let blocks = [of(batch.left_rows, index), of(batch.right_rows, index)];
        one(&target, product, blocks, shape, step.map(|step| step * index), then);
    });
}

/// One product: the whole of it, or one block of a batch whose result starts at `corner`.
fn one(
    target: &Target,
    product: &Product<'_>,
    blocks: [Option<Block>; 2],
    [rows, columns]: [usize; 2],
    corner: [usize; 2],
    then: &Program<'_>,
) {
    let operands: Vec<[Elements<'_>; 2]> = product
        .terms
        .iter()
        .map(|term| [Elements::new(&term.left, blocks[0]), Elements::new(&term.right, blocks[1])])
        .collect();
    let terms: Vec<product::Term<'_>> = product
        .terms
        .iter()
        .zip(&operands)
        .map(|(term, [left, right])| product::Term {
            a: left.strided(),
            b: right.strided(),
            k: left.shape[1],
            scale: term.scale,
        })
        .collect();
    if then.is_identity() && blocks[0].is_none() {
        // SAFETY: the product is the whole output, which is borrowed for the whole call.
        let out = unsafe { target.whole(rows) };
        return product::product_into(rows, columns, &terms, out, target.row_stride());
    }
    product::product(rows, columns, &terms, &|block: product::Block<'_>| {
        let (row, column) = (corner[0] + block.row0, corner[1] + block.col0);
        let (rows, columns) = (row..row + block.rows, column..column + block.cols);
        // SAFETY: the kernel hands out disjoint blocks inside the output, which is borrowed for the whole call.
        unsafe { target.apply(then, rows, columns, block.acc, block.stride) };
    });
}

/// The elements of an operand, in place where they lie at regular strides.
struct Elements<'a> {
    values: Cow<'a, [f32]>,
    offset: usize,
    row_stride: usize,
    column_stride: usize,
    shape: [usize; 2],
}

impl<'a> Elements<'a> {
    fn new(operand: &Operand<'a>, block: Option<Block>) -> Elements<'a> {
        let values = operand.view.source().storage::<Vec<f32>>().as_slice();
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
            return Elements { values: Cow::Borrowed(values), offset, row_stride, column_stride, shape };
        }
        let mut patches = Vec::with_capacity(shape[0] * shape[1]);
        for i in 0..shape[0] {
            patches.extend((0..shape[1]).map(|j| operand.locate(block, i, j).map_or(0.0, |at| values[at])));
        }
        Elements { values: Cow::Owned(patches), offset: 0, row_stride: shape[1], column_stride: 1, shape }
    }

    fn strided(&self) -> Side<'_> {
        Side::Strided(Strided {
            data: &self.values,
            offset: self.offset,
            row_stride: self.row_stride,
            col_stride: self.column_stride,
        })
    }
}
