//! Products of matrices, described before they are carried out.
//!
//! `out.product(v.t().dot(&h) - w.t().dot(&g), formula)` describes one pass over `out`: both products are summed
//! element by element and the formula is applied as the sum is stored.

use crate::{Tensor, View, Window};
use std::ops;

/// Where the elements of an operand come from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The view itself.
    Matrix,
    /// The patches of the images in the rows of the view: (cases · positions) × patch length, patches outside
    /// the image zero; a backend need not make them.
    Patches(Window),
}

/// One side of a product.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'a> {
    /// What the elements are read from.
    pub view: View<'a>,
    /// How.
    pub source: Source,
    /// Whether rows and columns are exchanged.
    pub transposed: bool,
}

impl<'a> From<View<'a>> for Operand<'a> {
    fn from(view: View<'a>) -> Self {
        Operand { view, source: Source::Matrix, transposed: false }
    }
}

impl<'a> From<&'a Tensor> for Operand<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        tensor.view().into()
    }
}

impl<'a> Operand<'a> {
    /// The patches that `window` takes from the images in the rows of `images`.
    ///
    /// # Panics
    /// If the rows do not hold images of the window.
    #[track_caller]
    pub fn patches(images: impl Into<Operand<'a>>, window: &Window) -> Operand<'a> {
        let view = images.into().view;
        assert!(view.columns() == window.image_len(), "{view:?} does not hold images of {window:?}");
        Operand { view, source: Source::Patches(*window), transposed: false }
    }

    /// Rows and columns exchanged.
    pub fn t(self) -> Operand<'a> {
        Operand { transposed: !self.transposed, ..self }
    }

    /// These columns, as the product sees them, of a plain or transposed matrix.
    ///
    /// # Panics
    /// For patches.
    #[track_caller]
    pub fn columns(self, columns: std::ops::Range<usize>) -> Operand<'a> {
        assert!(matches!(self.source, Source::Matrix), "columns of {self:?}");
        let view =
            if self.transposed { self.view.row_range(columns) } else { self.view.column_range(columns) };
        Operand { view, ..self }
    }

    /// Rows and columns as the product sees them, of the whole operand (all blocks of a batch).
    pub fn shape(&self) -> [usize; 2] {
        let [rows, columns] = match self.source {
            Source::Matrix => [self.view.rows(), self.view.columns()],
            Source::Patches(window) => [self.view.rows() * window.count(), window.patch_len()],
        };
        if self.transposed { [columns, rows] } else { [rows, columns] }
    }

    /// The product of this and `right`.
    ///
    /// # Panics
    /// If the inner sizes differ.
    #[track_caller]
    pub fn dot(self, right: impl Into<Operand<'a>>) -> Product<'a> {
        let right = right.into();
        assert!(self.shape()[1] == right.shape()[0], "inner sizes differ: {self:?} · {right:?}");
        Product { terms: vec![Term { left: self, right, scale: 1.0 }], batch: None }
    }
}

/// scale · left · right
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// The left operand.
    pub left: Operand<'a>,
    /// The right operand.
    pub right: Operand<'a>,
    /// The factor.
    pub scale: f32,
}

/// How the blocks of a batched product lie in its operands and its result.
///
/// Each operand and the result is cut into `blocks` equal parts along the stated axis (`true`: rows, `false`:
/// columns, as the product sees them); a patches operand is cut by position, cases × patch length for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Number of independent products.
    pub blocks: usize,
    /// Whether the blocks of the left operand lie below each other (else beside each other).
    pub left_rows: bool,
    /// Whether the blocks of the right operand lie below each other.
    pub right_rows: bool,
    /// Whether the blocks of the result lie below each other.
    pub out_rows: bool,
}

/// A sum of products of matrices, all of one shape.
#[derive(Clone, Debug)]
pub struct Product<'a> {
    /// The summands.
    pub terms: Vec<Term<'a>>,
    /// Independent products side by side, if any.
    pub batch: Option<Batch>,
}

impl<'a> Product<'a> {
    /// Cuts operands and result into blocks that are multiplied independently of each other: untied and tiled
    /// layers.
    ///
    /// # Panics
    /// If a size is not a multiple of the number of blocks, or the inner sizes of a block differ.
    #[track_caller]
    pub fn batched(left: Operand<'a>, right: Operand<'a>, batch: Batch) -> Product<'a> {
        let product = Product { terms: vec![Term { left, right, scale: 1.0 }], batch: Some(batch) };
        let ([_, left_inner], [right_inner, _]) = (
            block_shape(&left, batch.blocks, batch.left_rows),
            block_shape(&right, batch.blocks, batch.right_rows),
        );
        assert!(left_inner == right_inner, "inner sizes of a block differ: {product:?}");
        product
    }

    /// These columns of the result.
    ///
    /// # Panics
    /// For a batch.
    #[track_caller]
    pub fn columns(&self, columns: std::ops::Range<usize>) -> Product<'a> {
        assert!(self.batch.is_none(), "columns of {self:?}");
        let part = |term: &Term<'a>| Term { right: term.right.columns(columns.clone()), ..*term };
        Product { terms: self.terms.iter().map(part).collect(), batch: None }
    }

    /// Rows and columns of the result, all blocks of a batch together.
    ///
    /// # Panics
    /// If the terms are of different shapes.
    #[track_caller]
    pub fn shape(&self) -> [usize; 2] {
        let of = |term: &Term<'_>| {
            let Some(batch) = self.batch else { return [term.left.shape()[0], term.right.shape()[1]] };
            let rows = block_shape(&term.left, batch.blocks, batch.left_rows)[0];
            let columns = block_shape(&term.right, batch.blocks, batch.right_rows)[1];
            if batch.out_rows { [rows * batch.blocks, columns] } else { [rows, columns * batch.blocks] }
        };
        let shape = of(&self.terms[0]);
        assert!(self.terms.iter().all(|term| of(term) == shape), "the terms differ in shape: {self:?}");
        shape
    }
}

/// The shape of one of the blocks of an operand.
#[track_caller]
pub(crate) fn block_shape(operand: &Operand<'_>, blocks: usize, by_rows: bool) -> [usize; 2] {
    let [rows, columns] = operand.shape();
    let cut = if by_rows { rows } else { columns };
    assert!(cut.is_multiple_of(blocks), "{operand:?} cannot be cut into {blocks} blocks");
    if by_rows { [rows / blocks, columns] } else { [rows, columns / blocks] }
}

impl<'a> ops::Add for Product<'a> {
    type Output = Product<'a>;
    #[track_caller]
    fn add(mut self, right: Product<'a>) -> Product<'a> {
        assert!(self.batch == right.batch, "batches differ: {self:?} + {right:?}");
        self.terms.extend(right.terms);
        self
    }
}

impl<'a> ops::Sub for Product<'a> {
    type Output = Product<'a>;
    #[track_caller]
    fn sub(self, right: Product<'a>) -> Product<'a> {
        self + right * -1.0
    }
}

impl<'a> ops::Mul<f32> for Product<'a> {
    type Output = Product<'a>;
    fn mul(mut self, factor: f32) -> Product<'a> {
        for term in &mut self.terms {
            term.scale *= factor;
        }
        self
    }
}

/// One of the blocks of a batched operand: number of blocks, whether they lie below each other, and which.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Number of blocks.
    pub blocks: usize,
    /// Whether they lie below each other, as the product sees the operand.
    pub by_rows: bool,
    /// Which one.
    pub index: usize,
}

impl Operand<'_> {
    /// The index in the tensor's memory of element (i, j) of the operand, or of one of its blocks; `None` where a
    /// patch lies outside its image, which counts as zero.
    pub fn locate(&self, block: Option<Block>, i: usize, j: usize) -> Option<usize> {
        let (mut row, mut column) = if self.transposed { (j, i) } else { (i, j) };
        // Whether the blocks lie below each other in memory, too.
        let cut = block.map(|b| (b, b.by_rows != self.transposed));
        let view = &self.view;
        match self.source {
            Source::Matrix => {
                if let Some((block, below)) = cut {
                    let size = if below { view.rows() } else { view.columns() } / block.blocks;
                    *(if below { &mut row } else { &mut column }) += block.index * size;
                }
                Some(view.offset() + row * view.row_stride() + column)
            }
            Source::Patches(window) => {
                let [_, across] = window.positions();
                let (case, position) = match cut {
                    Some((block, true)) if block.blocks == window.count() => (row, block.index),
                    Some(_) => panic!("patches are cut by position: {self:?}"),
                    None => (row / window.count(), row % window.count()),
                };
                let (tap, channel) = (column / window.channels, column % window.channels);
                let [y, x] = window.pixel(
                    [position / across, position % across],
                    [tap / window.kernel[1], tap % window.kernel[1]],
                )?;
                let pixel = (y * window.width + x) * window.channels + channel;
                Some(view.offset() + case * view.row_stride() + pixel)
            }
        }
    }
}
