//! A sum that a formula is applied to: values that are there, or a product still to be carried out.

use crate::{Expr, Product, Tensor, View, ViewMut, x};
use std::ops::Range;

/// What `ACC` stands for.
///
/// Models pass sums on instead of computing them: the input of a layer of units is stored through the formula of the
/// units, the gradient of weights through momentum, rate and decay of the optimiser. The sum itself then never
/// exists in memory.
#[derive(Clone, Debug)]
pub enum Sum<'a> {
    /// Values times a factor.
    Values(View<'a>, f32),
    /// A sum of products.
    Product(Product<'a>),
}

impl<'a> From<&'a Tensor> for Sum<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Sum::Values(tensor.view(), 1.0)
    }
}

impl<'a> From<Product<'a>> for Sum<'a> {
    fn from(product: Product<'a>) -> Self {
        Sum::Product(product)
    }
}

impl<'a> Sum<'a> {
    /// out = then(`ACC` = this sum)
    ///
    /// # Panics
    /// If the shapes differ.
    #[track_caller]
    pub fn store(&self, out: ViewMut<'_>, then: Expr<'_>) {
        match self {
            Sum::Values(values, scale) => out.assign(then.with_acc(&scaled(*values, *scale))),
            Sum::Product(product) => out.product(product.clone(), then),
        }
    }

    /// The sum times a factor.
    pub fn scaled(self, factor: f32) -> Sum<'a> {
        match self {
            Sum::Values(values, scale) => Sum::Values(values, scale * factor),
            Sum::Product(product) => Sum::Product(product * factor),
        }
    }

    /// These columns of the sum.
    #[track_caller]
    pub fn columns(&self, columns: Range<usize>) -> Sum<'a> {
        match self {
            Sum::Values(values, scale) => Sum::Values(values.column_range(columns), *scale),
            Sum::Product(product) => Sum::Product(product.columns(columns)),
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        match self {
            Sum::Values(values, _) => [values.rows(), values.columns()],
            Sum::Product(product) => product.shape(),
        }
    }

    /// Runs `work` with the values, which are computed first where they are not there yet.
    pub fn with_values<T>(&self, work: impl FnOnce(View<'_>, f32) -> T) -> T {
        match self {
            Sum::Values(values, scale) => work(*values, *scale),
            Sum::Product(product) => {
                let [rows, columns] = product.shape();
                let mut values = product.terms[0].left.view.tensor().device().zeros(rows, columns);
                values.product(product.clone(), Expr::Acc);
                work(values.view(), 1.0)
            }
        }
    }
}

/// values · factor, without the multiplication where it is one.
pub fn scaled<'a>(values: View<'a>, factor: f32) -> Expr<'a> {
    if factor == 1.0 { x(values) } else { x(values) * factor }
}
