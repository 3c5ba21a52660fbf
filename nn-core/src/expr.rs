//! Elementwise formulas, as values.
//!
//! A formula is handed to a verb of the backend ([`assign`](crate::ViewMut::assign),
//! [`product`](crate::ViewMut::product), [`reduce`](crate::ViewMut::reduce)), which evaluates it once for each
//! element that it stores: one formula is one kernel.
//!
//! ```
//! use nn_core::{ACC, Device, Key};
//! let device = Device::cpu();
//! let weights = device.full(3, 2, 0.5);
//! let visible = device.full(4, 3, 1.0);
//! let mut hidden = device.zeros(4, 2);
//! // h ~ Bernoulli(σ(v·W)): product, logistic and draw in one pass over the output.
//! hidden.product(visible.dot(&weights), ACC.logistic().bernoulli(Key::new(1)));
//! ```

use crate::{Key, Tensor, View};
use std::ops;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// −x
    Negate,
    /// eˣ
    Exp,
    /// Natural logarithm.
    Log,
    /// √x
    Sqrt,
    /// |x|
    Abs,
    /// σ(x) = 1 / (1 + e⁻ˣ)
    Logistic,
    /// Hyperbolic tangent.
    Tanh,
    /// log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|)
    Softplus,
    /// log Φ(x), the logarithm of the standard normal distribution function.
    LogNormalCdf,
    /// Φ⁻¹(eˣ) for x ≤ 0: the normal quantile of a probability given by its logarithm.
    NormalQuantileOfLog,
}

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b
    Add,
    /// a − b
    Subtract,
    /// a · b
    Multiply,
    /// a / b
    Divide,
    /// The larger one; NaN if either is.
    Max,
    /// The smaller one; NaN if either is.
    Min,
    /// 1 where a < b, else 0.
    Less,
    /// 1 where a = b, else 0.
    Equal,
}

/// How the columns of an input meet the columns of the grid on which a formula is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stretch {
    /// Column j reads column j, or the only column there is.
    Fit,
    /// Column j reads column ⌊j / g⌋: one value for each group of g columns.
    Grouped(usize),
    /// Column j reads column j mod w, w being the columns of the input: the input tiled across.
    Repeated,
}

/// A formula that is evaluated at row i and column j of a grid. See the [module](self).
#[derive(Clone, Debug)]
pub enum Expr<'a> {
    /// A tensor; a single row is the same for all rows, columns meet as [`Stretch`] says.
    Input(View<'a>, Stretch),
    /// What the destination held before.
    Old,
    /// The sum or maximum that is being stored, inside `product`, `reduce` and `fold`.
    Acc,
    /// A number.
    Constant(f64),
    /// j mod g: the position of the column within its group.
    Position(usize),
    /// ⌊j / g⌋: the number of the column's group.
    Group(usize),
    /// Uniform in [0, 1); element i·columns + j of the key.
    Uniform(Key),
    /// Standard normal; element i·columns + j of the key.
    Normal(Key),
    /// A function of one formula.
    Unary(Unary, Box<Expr<'a>>),
    /// A function of two formulas.
    Binary(Binary, Box<Expr<'a>>, Box<Expr<'a>>),
}

/// The sum or maximum that is being stored.
pub const ACC: Expr<'static> = Expr::Acc;
/// What the destination held before.
pub const OLD: Expr<'static> = Expr::Old;

impl<'a> From<View<'a>> for Expr<'a> {
    fn from(view: View<'a>) -> Self {
        Expr::Input(view, Stretch::Fit)
    }
}

impl<'a> From<&'a Tensor> for Expr<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        tensor.view().into()
    }
}

impl From<f32> for Expr<'_> {
    fn from(value: f32) -> Self {
        Expr::Constant(f64::from(value))
    }
}

impl From<f64> for Expr<'_> {
    fn from(value: f64) -> Self {
        Expr::Constant(value)
    }
}

/// The formula that reads a tensor or view element by element; short, as it stands in every formula.
pub fn x<'a>(input: impl Into<Expr<'a>>) -> Expr<'a> {
    input.into()
}

macro_rules! operator {
    ($trait:ident, $method:ident, $binary:ident) => {
        impl<'a, R: Into<Expr<'a>>> ops::$trait<R> for Expr<'a> {
            type Output = Expr<'a>;
            fn $method(self, right: R) -> Expr<'a> {
                Expr::binary(Binary::$binary, self, right.into())
            }
        }
        impl<'a> ops::$trait<Expr<'a>> for f32 {
            type Output = Expr<'a>;
            fn $method(self, right: Expr<'a>) -> Expr<'a> {
                Expr::binary(Binary::$binary, self.into(), right)
            }
        }
        impl<'a> ops::$trait<Expr<'a>> for f64 {
            type Output = Expr<'a>;
            fn $method(self, right: Expr<'a>) -> Expr<'a> {
                Expr::binary(Binary::$binary, self.into(), right)
            }
        }
    };
}
operator!(Add, add, Add);
operator!(Sub, sub, Subtract);
operator!(Mul, mul, Multiply);
operator!(Div, div, Divide);

impl<'a> ops::Neg for Expr<'a> {
    type Output = Expr<'a>;
    fn neg(self) -> Expr<'a> {
        self.unary(Unary::Negate)
    }
}

impl<'a> Expr<'a> {
    fn unary(self, function: Unary) -> Expr<'a> {
        Expr::Unary(function, Box::new(self))
    }

    fn binary(function: Binary, left: Expr<'a>, right: Expr<'a>) -> Expr<'a> {
        Expr::Binary(function, Box::new(left), Box::new(right))
    }

    /// eˣ
    pub fn exp(self) -> Expr<'a> {
        self.unary(Unary::Exp)
    }
    /// Natural logarithm.
    pub fn log(self) -> Expr<'a> {
        self.unary(Unary::Log)
    }
    /// √x
    pub fn sqrt(self) -> Expr<'a> {
        self.unary(Unary::Sqrt)
    }
    /// |x|
    pub fn abs(self) -> Expr<'a> {
        self.unary(Unary::Abs)
    }
    /// σ(x) = 1 / (1 + e⁻ˣ)
    pub fn logistic(self) -> Expr<'a> {
        self.unary(Unary::Logistic)
    }
    /// Hyperbolic tangent.
    pub fn tanh(self) -> Expr<'a> {
        self.unary(Unary::Tanh)
    }
    /// log(1 + eˣ)
    pub fn softplus(self) -> Expr<'a> {
        self.unary(Unary::Softplus)
    }
    /// log Φ(x) of the standard normal distribution function Φ.
    pub fn log_normal_cdf(self) -> Expr<'a> {
        self.unary(Unary::LogNormalCdf)
    }
    /// Φ⁻¹(eˣ), for x ≤ 0.
    pub fn normal_quantile_of_log(self) -> Expr<'a> {
        self.unary(Unary::NormalQuantileOfLog)
    }
    /// x²; the formula is evaluated twice, so keep it short.
    pub fn square(self) -> Expr<'a> {
        Expr::binary(Binary::Multiply, self.clone(), self)
    }
    /// The larger of two values.
    pub fn max(self, right: impl Into<Expr<'a>>) -> Expr<'a> {
        Expr::binary(Binary::Max, self, right.into())
    }
    /// The smaller of two values.
    pub fn min(self, right: impl Into<Expr<'a>>) -> Expr<'a> {
        Expr::binary(Binary::Min, self, right.into())
    }
    /// 1 where this is less, else 0.
    pub fn less(self, right: impl Into<Expr<'a>>) -> Expr<'a> {
        Expr::binary(Binary::Less, self, right.into())
    }
    /// 1 where both are equal, else 0.
    pub fn equal(self, right: impl Into<Expr<'a>>) -> Expr<'a> {
        Expr::binary(Binary::Equal, self, right.into())
    }
    /// 1 with probability `self`, else 0: `uniform(key) < self`.
    pub fn bernoulli(self, key: Key) -> Expr<'a> {
        Expr::Uniform(key).less(self)
    }

    /// Calls `see` on every node, children first.
    pub fn visit<'b>(&'b self, see: &mut dyn FnMut(&'b Expr<'a>)) {
        match self {
            Expr::Unary(_, inner) => inner.visit(see),
            Expr::Binary(_, left, right) => {
                left.visit(see);
                right.visit(see);
            }
            _ => {}
        }
        see(self);
    }

    /// Whether the formula reads what the destination held before.
    pub fn uses_old(&self) -> bool {
        let mut used = false;
        self.visit(&mut |node| used |= matches!(node, Expr::Old));
        used
    }

    /// The same formula with another in the place of `ACC`.
    pub fn with_acc(self, replacement: &Expr<'a>) -> Expr<'a> {
        match self {
            Expr::Acc => replacement.clone(),
            Expr::Unary(function, inner) => Expr::Unary(function, Box::new(inner.with_acc(replacement))),
            Expr::Binary(function, left, right) => {
                Expr::binary(function, left.with_acc(replacement), right.with_acc(replacement))
            }
            leaf => leaf,
        }
    }

    /// Panics unless every input fits or stretches to rows × columns.
    #[track_caller]
    pub(crate) fn check(&self, rows: usize, columns: usize) {
        self.visit(&mut |node| {
            if let Expr::Input(view, stretch) = node {
                let fits = match stretch {
                    Stretch::Fit => view.columns() == columns || view.columns() == 1,
                    Stretch::Grouped(group) => view.columns() * group == columns,
                    Stretch::Repeated => view.columns() > 0 && columns.is_multiple_of(view.columns()),
                };
                assert!(
                    fits && (view.rows() == rows || view.rows() == 1),
                    "an input of {}×{} ({stretch:?}) does not stretch to {rows}×{columns}",
                    view.rows(),
                    view.columns(),
                );
            }
        });
    }
}

impl Unary {
    /// The function in double precision: the definition that every backend is held against.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Unary::Negate => -x,
            Unary::Exp => x.exp(),
            Unary::Log => x.ln(),
            Unary::Sqrt => x.sqrt(),
            Unary::Abs => x.abs(),
            Unary::Logistic => 1.0 / (1.0 + (-x).exp()),
            Unary::Tanh => x.tanh(),
            Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Unary::LogNormalCdf => crate::normal::log_cdf(x),
            Unary::NormalQuantileOfLog => crate::normal::quantile_of_log(x),
        }
    }
}

impl Binary {
    /// The function in double precision: the definition that every backend is held against.
    pub fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            Binary::Max if a.is_nan() || b.is_nan() => f64::NAN,
            Binary::Max => a.max(b),
            Binary::Min if a.is_nan() || b.is_nan() => f64::NAN,
            Binary::Min => a.min(b),
            Binary::Less => f64::from(a < b),
            Binary::Equal => f64::from(a == b),
        }
    }
}
