//! A gradient, computed or still to be computed.

use crate::{Expr, Product, Tensor};

/// The gradient of a loss by one parameter.
///
/// A product is not carried out before the optimiser stores it: momentum, learning rate and weight decay then run
/// in the store of the product, and the gradient itself never exists in memory.
#[derive(Debug)]
pub enum Gradient<'a> {
    /// Values.
    Tensor(&'a Tensor),
    /// A sum of products of what the model saw.
    Product(Product<'a>),
}

impl Gradient<'_> {
    /// out = then(`ACC` = the gradient)
    #[track_caller]
    pub fn store<'b>(&'b self, out: &mut Tensor, then: Expr<'b>) {
        match self {
            Gradient::Tensor(tensor) => out.assign(then.with_acc(&Expr::from(*tensor))),
            Gradient::Product(product) => out.product(product.clone(), then),
        }
    }

    /// The values, computed where they are not yet.
    pub fn to_tensor(&self, like: &Tensor) -> Tensor {
        let mut out = like.device().zeros(like.rows(), like.columns());
        self.store(&mut out, Expr::Acc);
        out
    }
}
