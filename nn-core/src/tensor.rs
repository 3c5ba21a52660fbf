//! Matrices of numbers in the memory of a device, and rectangular views of them.

use crate::{Backend, Device, Error, Expr, Operand, Over, Product, Reduction, Values, ValuesMut, Window};
use ndarray::{Array2, ArrayView2};
use std::{any::Any, fmt, ops::Range};

/// The memory of a tensor; each backend has its own type.
pub trait Storage: Any + Send + Sync {
    /// For looking behind the trait.
    fn as_any(&self) -> &dyn Any;
    /// For looking behind the trait.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Any + Send + Sync> Storage for T {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// A rows × columns matrix on a device, row after row. A batch of images is one case a row, channel last.
pub struct Tensor {
    rows: usize,
    columns: usize,
    storage: Box<dyn Storage>,
    device: Device,
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({}×{} on {})", self.rows, self.columns, self.device.name())
    }
}

impl Tensor {
    pub(crate) fn zeros(device: &Device, rows: usize, columns: usize) -> Tensor {
        let storage = device.backend().alloc(rows * columns);
        Tensor { rows, columns, storage, device: device.clone() }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.rows * self.columns
    }
    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Where the tensor lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The same memory as a matrix of another shape.
    ///
    /// # Panics
    /// If the number of elements differs.
    #[track_caller]
    pub fn reshape(self, rows: usize, columns: usize) -> Tensor {
        assert_eq!(self.len(), rows * columns, "{self:?} cannot become {rows}×{columns}");
        Tensor { rows, columns, ..self }
    }

    /// The whole tensor.
    pub fn view(&self) -> View<'_> {
        View { tensor: self, offset: 0, rows: self.rows, columns: self.columns, row_stride: self.columns }
    }
    /// The whole tensor, to be written.
    pub fn view_mut(&mut self) -> ViewMut<'_> {
        let (rows, columns) = (self.rows, self.columns);
        ViewMut { tensor: self, offset: 0, rows, columns, row_stride: columns }
    }
    /// These rows.
    #[track_caller]
    pub fn row_range(&self, rows: Range<usize>) -> View<'_> {
        self.view().row_range(rows)
    }
    /// These columns.
    #[track_caller]
    pub fn column_range(&self, columns: Range<usize>) -> View<'_> {
        self.view().column_range(columns)
    }
    /// These rows, to be written.
    #[track_caller]
    pub fn row_range_mut(&mut self, rows: Range<usize>) -> ViewMut<'_> {
        self.view_mut().row_range(rows)
    }
    /// These columns, to be written.
    #[track_caller]
    pub fn column_range_mut(&mut self, columns: Range<usize>) -> ViewMut<'_> {
        self.view_mut().column_range(columns)
    }

    /// The transpose, as an operand of a product.
    pub fn t(&self) -> Operand<'_> {
        self.view().t()
    }
    /// The product of this with `right`, to be carried out by [`ViewMut::product`].
    #[track_caller]
    pub fn dot<'a>(&'a self, right: impl Into<Operand<'a>>) -> Product<'a> {
        Operand::from(self.view()).dot(right)
    }

    /// See [`ViewMut::assign`].
    #[track_caller]
    pub fn assign<'a>(&mut self, formula: impl Into<Expr<'a>>) {
        self.view_mut().assign(formula);
    }
    /// See [`ViewMut::product`].
    #[track_caller]
    pub fn product<'a>(&mut self, product: Product<'a>, then: impl Into<Expr<'a>>) {
        self.view_mut().product(product, then);
    }
    /// See [`ViewMut::reduce`].
    #[track_caller]
    pub fn reduce<'a>(
        &mut self,
        grid: [usize; 2],
        over: Over,
        reduction: Reduction,
        formula: impl Into<Expr<'a>>,
        then: impl Into<Expr<'a>>,
    ) {
        self.view_mut().reduce(grid, over, reduction, formula, then);
    }
    /// See [`ViewMut::write`].
    #[track_caller]
    pub fn write(&mut self, values: ArrayView2<'_, f32>) {
        self.view_mut().write(values);
    }

    /// The values in single precision. Waits for the device.
    ///
    /// # Errors
    /// If the device failed since the last read.
    pub fn to_array(&self) -> Result<Array2<f32>, Error> {
        self.view().to_array()
    }
    /// The values in double precision (exact on the reference backend). Waits for the device.
    ///
    /// # Errors
    /// If the device failed since the last read.
    pub fn to_array_f64(&self) -> Result<Array2<f64>, Error> {
        self.view().to_array_f64()
    }

    /// A tensor of the same shape and values. Waits for nothing.
    pub fn duplicate(&self) -> Tensor {
        let mut copy = self.device.zeros(self.rows, self.columns);
        copy.assign(self);
        copy
    }

    /// Rows and columns exchanged, in memory of its own. Waits for the device; see [`Tensor::t`] for products.
    ///
    /// # Errors
    /// If the device failed since the last read.
    pub fn transposed(&self) -> Result<Tensor, Error> {
        Ok(self.device.tensor_f64(self.to_array_f64()?.t()))
    }

    /// The memory as the backend knows it.
    ///
    /// # Panics
    /// If the tensor belongs to another backend.
    #[track_caller]
    pub fn storage<T: 'static>(&self) -> &T {
        (*self.storage).as_any().downcast_ref().expect("this tensor belongs to another backend")
    }
    /// The memory as the backend knows it, to be written.
    ///
    /// # Panics
    /// If the tensor belongs to another backend.
    #[track_caller]
    pub fn storage_mut<T: 'static>(&mut self) -> &mut T {
        (*self.storage).as_any_mut().downcast_mut().expect("this tensor belongs to another backend")
    }
}

/// A rectangle of a tensor, to be read.
#[derive(Clone, Copy)]
pub struct View<'a> {
    tensor: &'a Tensor,
    offset: usize,
    rows: usize,
    columns: usize,
    row_stride: usize,
}

/// A rectangle of a tensor, to be written.
pub struct ViewMut<'a> {
    tensor: &'a mut Tensor,
    offset: usize,
    rows: usize,
    columns: usize,
    row_stride: usize,
}

macro_rules! rectangle {
    ($view:ident) => {
        impl fmt::Debug for $view<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}×{} of {:?}", self.rows, self.columns, self.tensor)
            }
        }

        impl<'a> $view<'a> {
            /// Number of rows.
            pub fn rows(&self) -> usize {
                self.rows
            }
            /// Number of columns.
            pub fn columns(&self) -> usize {
                self.columns
            }
            /// Number of elements.
            pub fn len(&self) -> usize {
                self.rows * self.columns
            }
            /// Whether there are no elements.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
            /// Index of element (0, 0) in the memory of the tensor.
            pub fn offset(&self) -> usize {
                self.offset
            }
            /// Distance in memory between an element and the one below it.
            pub fn row_stride(&self) -> usize {
                self.row_stride
            }
            /// The tensor behind the view.
            pub fn tensor(&self) -> &Tensor {
                self.tensor
            }
            /// These rows of the view.
            #[track_caller]
            pub fn row_range(self, rows: Range<usize>) -> Self {
                assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {self:?}");
                let offset = self.offset + rows.start * self.row_stride;
                $view { offset, rows: rows.len(), ..self }
            }
            /// These columns of the view.
            #[track_caller]
            pub fn column_range(self, columns: Range<usize>) -> Self {
                assert!(
                    columns.start <= columns.end && columns.end <= self.columns,
                    "columns {columns:?} of {self:?}"
                );
                $view { offset: self.offset + columns.start, columns: columns.len(), ..self }
            }
            /// Each row cut into `parts` rows below each other: the same memory, rows·parts × columns/parts. What a
            /// layer writes as cases × (positions · maps) reads as (cases · positions) × maps.
            ///
            /// # Panics
            /// If the columns are no multiple of `parts`, or the view leaves out columns of its tensor.
            #[track_caller]
            pub fn split_rows(self, parts: usize) -> Self {
                let whole = self.row_stride == self.columns || self.rows == 1;
                assert!(whole && self.columns.is_multiple_of(parts), "rows of {self:?} cut into {parts}");
                let columns = self.columns / parts;
                $view { rows: self.rows * parts, columns, row_stride: columns, ..self }
            }
        }
    };
}
rectangle!(View);
rectangle!(ViewMut);

impl<'a> View<'a> {
    /// The tensor behind the view, for as long as the view may live.
    pub fn source(&self) -> &'a Tensor {
        self.tensor
    }
    /// The transpose, as an operand of a product.
    pub fn t(self) -> Operand<'a> {
        Operand::from(self).t()
    }
    /// The product of this with `right`, to be carried out by [`ViewMut::product`].
    #[track_caller]
    pub fn dot(self, right: impl Into<Operand<'a>>) -> Product<'a> {
        Operand::from(self).dot(right)
    }
    /// All rows one after the other, where there are no gaps between them.
    pub(crate) fn in_one_row(self) -> View<'a> {
        let len = self.len();
        View { rows: 1, columns: len, row_stride: len, ..self }
    }
    /// Reads one value for each group of `group` columns of the grid.
    pub fn grouped(self, group: usize) -> Expr<'a> {
        Expr::Input(self, crate::Stretch::Grouped(group))
    }
    /// Reads the columns again and again across the grid.
    pub fn repeated(self) -> Expr<'a> {
        Expr::Input(self, crate::Stretch::Repeated)
    }

    /// The values in single precision. Waits for the device.
    ///
    /// # Errors
    /// If the device failed since the last read.
    pub fn to_array(&self) -> Result<Array2<f32>, Error> {
        let mut values = vec![0f32; self.len()];
        self.tensor.device.backend().read(*self, ValuesMut::F32(&mut values))?;
        Ok(Array2::from_shape_vec((self.rows, self.columns), values).expect("as many values as asked for"))
    }
    /// The values in double precision (exact on the reference backend). Waits for the device.
    ///
    /// # Errors
    /// If the device failed since the last read.
    pub fn to_array_f64(&self) -> Result<Array2<f64>, Error> {
        let mut values = vec![0f64; self.len()];
        self.tensor.device.backend().read(*self, ValuesMut::F64(&mut values))?;
        Ok(Array2::from_shape_vec((self.rows, self.columns), values).expect("as many values as asked for"))
    }
}

impl<'a> ViewMut<'a> {
    /// The same view for a shorter time, so that it can be used again afterwards.
    pub fn reborrow(&mut self) -> ViewMut<'_> {
        let (offset, rows, columns, row_stride) = (self.offset, self.rows, self.columns, self.row_stride);
        ViewMut { tensor: self.tensor, offset, rows, columns, row_stride }
    }
    /// The same view, to be read.
    pub fn as_view(&self) -> View<'_> {
        let ViewMut { offset, rows, columns, row_stride, .. } = *self;
        View { tensor: self.tensor, offset, rows, columns, row_stride }
    }
    /// The tensor behind the view, to be written.
    pub fn tensor_mut(&mut self) -> &mut Tensor {
        self.tensor
    }

    fn backend(&self) -> std::sync::Arc<dyn Backend> {
        self.tensor.device.backend().clone()
    }

    /// out[i, j] = formula(i, j)
    ///
    /// # Panics
    /// If an input of the formula does not stretch to the shape of the view.
    #[track_caller]
    pub fn assign<'b>(self, formula: impl Into<Expr<'b>>) {
        let formula = formula.into();
        formula.check(self.rows, self.columns);
        self.backend().assign(self, &formula);
    }

    /// out[i, j] = then(`ACC` = Σₚ a[i, p] · b[p, j]), summed over the terms of the product.
    ///
    /// # Panics
    /// If the product is not of the shape of the view, or an input of the formula does not stretch to it.
    #[track_caller]
    pub fn product<'b>(self, product: Product<'b>, then: impl Into<Expr<'b>>) {
        let then = then.into();
        let [rows, columns] = product.shape();
        assert!(
            [rows, columns] == [self.rows, self.columns],
            "a product of {rows}×{columns} ({product:?}) does not fit {self:?}"
        );
        then.check(rows, columns);
        self.backend().product(self, &product, &then);
    }

    /// out = then(`ACC` = sum, maximum or position of the maximum of formula over parts of a rows × columns grid).
    ///
    /// # Panics
    /// If the view is not of the shape that `over` leaves, or an input does not stretch.
    #[track_caller]
    pub fn reduce<'b>(
        self,
        grid: [usize; 2],
        over: Over,
        reduction: Reduction,
        formula: impl Into<Expr<'b>>,
        then: impl Into<Expr<'b>>,
    ) {
        let (formula, then) = (formula.into(), then.into());
        formula.check(grid[0], grid[1]);
        let shape = over.shape(grid);
        assert!(shape == [self.rows, self.columns], "{over:?} of {grid:?} leaves {shape:?}, not {self:?}");
        then.check(self.rows, self.columns);
        self.backend().reduce(self, grid, over, reduction, &formula, &then);
    }

    /// The adjoint of taking patches: out[case, pixel] = then(`ACC` = Σ formula(patch, tap) over all taps of all
    /// patches that lie on the pixel). The formula's grid is (cases · positions) × patch length.
    ///
    /// # Panics
    /// If the view does not hold images of the window, or an input does not stretch.
    #[track_caller]
    pub fn fold<'b>(self, window: &Window, formula: impl Into<Expr<'b>>, then: impl Into<Expr<'b>>) {
        let (formula, then) = (formula.into(), then.into());
        formula.check(self.rows * window.count(), window.patch_len());
        assert!(self.columns == window.image_len(), "{self:?} does not hold images of {window:?}");
        then.check(self.rows, self.columns);
        self.backend().fold(self, window, &formula, &then);
    }

    /// `out[i, :] = source[indices[i], :]`
    ///
    /// # Panics
    /// If an index or the number of columns does not fit.
    #[track_caller]
    pub fn gather(self, source: &Tensor, indices: &[usize]) {
        assert!(
            indices.len() == self.rows && source.columns == self.columns,
            "gathering {} rows of {source:?} into {self:?}",
            indices.len()
        );
        if let Some(outside) = indices.iter().find(|&&i| i >= source.rows) {
            panic!("row {outside} of {source:?}");
        }
        self.backend().gather(self, source, indices);
    }

    /// Copies values from the host.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn write(self, values: ArrayView2<'_, f32>) {
        assert!(values.dim() == (self.rows, self.columns), "{:?} values into {self:?}", values.dim());
        let values = values.as_standard_layout();
        let values = values.as_slice().expect("standard layout");
        self.backend().write(self, Values::F32(values));
    }

    /// Copies values in double precision from the host; a single-precision device rounds them.
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn write_f64(self, values: ArrayView2<'_, f64>) {
        assert!(values.dim() == (self.rows, self.columns), "{:?} values into {self:?}", values.dim());
        let values = values.as_standard_layout();
        let values = values.as_slice().expect("standard layout");
        self.backend().write(self, Values::F64(values));
    }
}
