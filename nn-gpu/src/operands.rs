//! Products as kernels see them: sizes of a block, and for each operand an outer axis, which is the result's, and an
//! inner one, which is summed over.

use crate::arguments::Arguments;
use crate::kernels::geometry::Geometry;
use crate::kernels::product::{Layout, Side};
use nn_core::{Operand, Product, Source, Term};

/// The sizes of a product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProductShape {
    /// Rows and columns of a block of the result.
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Inner sizes of all terms together.
    pub(crate) inner: usize,
    /// Largest inner size of a term.
    pub(crate) inner_most: usize,
    pub(crate) blocks: usize,
    /// Rows and columns from block to block of the result.
    pub(crate) steps: (usize, usize),
}

impl ProductShape {
    pub(crate) fn new(product: &Product<'_>) -> ProductShape {
        let [mut rows, mut columns] = product.shape();
        let blocks = product.batch.map_or(1, |batch| batch.blocks);
        let mut steps = (0, 0);
        if let Some(batch) = product.batch {
            if batch.out_rows {
                rows /= blocks;
                steps.0 = rows;
            } else {
                columns /= blocks;
                steps.1 = columns;
            }
        }
        let inner = |term: &Term<'_>| inner_size(term, product);
        let inner_most = product.terms.iter().map(inner).max().unwrap_or(0);
        let inner = product.terms.iter().map(inner).sum();
        ProductShape { rows, columns, inner, inner_most, blocks, steps }
    }

    /// Rows, columns and inner size, by which kernels are chosen.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.rows, self.columns, self.inner]
    }
}

/// What a term sums over, within a block.
pub(crate) fn inner_size(term: &Term<'_>, product: &Product<'_>) -> usize {
    let [_, columns] = term.left.shape();
    match product.batch {
        Some(batch) if !batch.left_rows => columns / batch.blocks,
        _ => columns,
    }
}

/// An operand, its data among the arguments. With `quads`, four neighbours of the outer axis are read at once where
/// they lie in memory as a vector must.
pub(crate) fn side<'a>(
    operand: &Operand<'a>,
    is_left: bool,
    product: &Product<'_>,
    quads: bool,
    arguments: &mut Arguments<'a>,
) -> Side {
    let view = &operand.view;
    // Whether the rows of the view run along the outer axis.
    let rows_are_outer = is_left != operand.transposed;
    match operand.source {
        Source::Patches(window) => {
            let binding = arguments.input(view, false);
            let words = arguments.word(view.offset());
            arguments.word(view.row_stride());
            if let Some(batch) = product.batch {
                assert!(batch.blocks == window.count(), "patches are cut by position: {operand:?}");
            }
            let by_position = product.batch.is_some();
            let geometry = Geometry { window };
            Side { binding, words, source: Layout::Patches { geometry, outer: rows_are_outer, by_position } }
        }
        Source::Matrix => {
            let stride = view.row_stride();
            let (outer_stride, inner_stride) = if rows_are_outer { (stride, 1) } else { (1, stride) };
            let [rows, columns] = operand.shape();
            let (outer, inner) = if is_left { (rows, columns) } else { (columns, rows) };
            let (mut block, mut outer_of_block) = (0, outer);
            if let Some(batch) = product.batch {
                let cut_outer = if is_left { batch.left_rows } else { !batch.right_rows };
                if cut_outer {
                    outer_of_block /= batch.blocks;
                    block = outer_of_block * outer_stride;
                } else {
                    block = inner / batch.blocks * inner_stride;
                }
            }
            let aligned = [view.offset(), inner_stride, block, outer_of_block].iter().all(|n| n % 4 == 0);
            let quads = quads && !rows_are_outer && aligned;
            let binding = arguments.input(view, quads);
            let words = arguments.word(view.offset());
            arguments.word(outer_stride);
            arguments.word(inner_stride);
            arguments.word(block);
            Side { binding, words, source: Layout::Matrix { inner: rows_are_outer, quads } }
        }
    }
}
