//! What a device can do: the few verbs behind every model.
//!
//! Models do not call these methods; they call those of [`Tensor`] and [`ViewMut`], which check shapes first. A
//! backend may therefore rely on all shapes being right.

use crate::{Error, Expr, Product, Storage, Tensor, View, ViewMut, Window};

/// Values that go to a device.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Double precision.
    F64(&'a [f64]),
}

/// Where values that come from a device go.
#[derive(Debug)]
pub enum ValuesMut<'a> {
    /// Single precision.
    F32(&'a mut [f32]),
    /// Double precision.
    F64(&'a mut [f64]),
}

/// The parts of a grid that a reduction joins into one value each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// All rows: m × n leaves 1 × n.
    Rows,
    /// All columns: m × n leaves m × 1.
    Columns,
    /// Groups of this many neighbouring columns: m × n leaves m × (n / g).
    Groups(usize),
    /// Windows of each channel of images: cases × image length leaves cases × (positions · channels). Taps
    /// outside the image do not count.
    Windows(Window),
}

impl Over {
    /// The shape that a reduction of a grid of this shape leaves.
    ///
    /// # Panics
    /// If the columns are no multiple of the group, or do not hold images of the window.
    #[track_caller]
    pub fn shape(&self, [rows, columns]: [usize; 2]) -> [usize; 2] {
        match self {
            Over::Rows => [1, columns],
            Over::Columns => [rows, 1],
            Over::Groups(group) => {
                assert!(
                    *group > 0 && columns.is_multiple_of(*group),
                    "{columns} columns in groups of {group}"
                );
                [rows, columns / group]
            }
            Over::Windows(window) => {
                assert!(columns == window.image_len(), "{columns} columns do not hold images of {window:?}");
                [rows, window.count() * window.channels]
            }
        }
    }
}

/// How a reduction joins values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their maximum; −∞ of no values, NaN if any is.
    Max,
    /// The position of the first maximum: row, column, column within the group, or tap `ky·width + kx`.
    ArgMax,
}

/// A device. Object safe; `cpu`, `reference` and `counting` are in this crate, others implement it elsewhere.
pub trait Backend: std::fmt::Debug + Send + Sync {
    /// A short name: `cpu`, `reference`, ...
    fn name(&self) -> &str;

    /// Whether values are kept in double precision.
    fn double_precision(&self) -> bool {
        false
    }

    /// Memory for `len` values, all zero.
    fn alloc(&self, len: usize) -> Box<dyn Storage>;

    /// Copies values from the host, row after row.
    fn write(&self, out: ViewMut<'_>, values: Values<'_>);

    /// Copies values to the host, row after row. The only call that waits for the device, hence the only one
    /// that fails.
    ///
    /// # Errors
    /// Whatever went wrong on the device since the last read.
    fn read(&self, source: View<'_>, into: ValuesMut<'_>) -> Result<(), Error>;

    /// `out[i, :] = source[indices[i], :]`
    fn gather(&self, out: ViewMut<'_>, source: &Tensor, indices: &[usize]);

    /// out[i, j] = formula(i, j)
    fn assign(&self, out: ViewMut<'_>, formula: &Expr<'_>);

    /// out[i, j] = then(`Acc` = Σ over terms and p of scale · left[i, p] · right[p, j])
    fn product(&self, out: ViewMut<'_>, product: &Product<'_>, then: &Expr<'_>);

    /// out = then(`Acc` = reduction of formula over parts of the grid)
    fn reduce(
        &self,
        out: ViewMut<'_>,
        grid: [usize; 2],
        over: Over,
        reduction: Reduction,
        formula: &Expr<'_>,
        then: &Expr<'_>,
    );

    /// out[case, pixel] = then(`Acc` = Σ of formula over all taps of all patches that lie on the pixel)
    fn fold(&self, out: ViewMut<'_>, window: &Window, formula: &Expr<'_>, then: &Expr<'_>);
}
