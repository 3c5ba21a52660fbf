//! Functions of one number between the linear maps of a network, and their slopes.

use super::{Layer, Pass};
use crate::{Device, Error, Expr, Parameters, Sum, Tensor, View, ViewMut, x};
use serde::{Deserialize, Serialize};

/// y = f(a), applied to each value by itself.
///
/// The slope is found from the output where it can be; [`Absolute`](Activation::Absolute) and
/// [`Square`](Activation::Square) do not tell the sign of a, which is then kept. At a kink the slope is that of the
/// flat or lower side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// y = a
    #[default]
    Identity,
    /// y = σ(a) = 1 / (1 + e⁻ᵃ)
    Logistic,
    /// y = tanh a
    Tanh,
    /// y = height · tanh(steepness · a); LeCun's 1.7159 and 2/3, or `tanh[height, steepness]` of cuda-convnet.
    ScaledTanh {
        /// Where the function ends; not 0.
        height: f32,
        /// The factor on a.
        steepness: f32,
    },
    /// y = max(a, 0)
    RectifiedLinear,
    /// y = min(max(a, 0), ceiling)
    BoundedLinear {
        /// The largest output; above 0.
        ceiling: f32,
    },
    /// y = log(1 + eᵃ)
    Softplus,
    /// y = |a|
    Absolute,
    /// y = a²
    Square,
    /// y = √a, for a > 0
    SquareRoot,
    /// y = slope · a + offset
    Linear {
        /// The factor on a.
        slope: f32,
        /// What is added.
        offset: f32,
    },
}

impl Activation {
    /// Refuses parameters with which there is no function, or no slope to be found.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the parameter.
    pub fn check(self) -> Result<(), Error> {
        let refuse = |name: &str, given: f32, allowed| Err(Error::setting(name, given, allowed));
        match self {
            Activation::ScaledTanh { height, .. } if !height.is_finite() || height == 0.0 => {
                refuse("height of the tanh", height, "it must be finite and not 0")
            }
            Activation::ScaledTanh { steepness, .. } if !steepness.is_finite() => {
                refuse("steepness of the tanh", steepness, "it must be finite")
            }
            Activation::BoundedLinear { ceiling } if !ceiling.is_finite() || ceiling <= 0.0 => {
                refuse("ceiling of the activation", ceiling, "it must be finite and above 0")
            }
            Activation::Linear { slope, .. } if !slope.is_finite() => {
                refuse("slope of the activation", slope, "it must be finite")
            }
            Activation::Linear { offset, .. } if !offset.is_finite() => {
                refuse("offset of the activation", offset, "it must be finite")
            }
            _ => Ok(()),
        }
    }

    /// f(a)
    pub fn apply(self, a: Expr<'_>) -> Expr<'_> {
        match self {
            Activation::Identity => a,
            Activation::Logistic => a.logistic(),
            Activation::Tanh => a.tanh(),
            Activation::ScaledTanh { height, steepness } => (a * steepness).tanh() * height,
            Activation::RectifiedLinear => a.max(0.0),
            Activation::BoundedLinear { ceiling } => a.max(0.0).min(ceiling),
            Activation::Softplus => a.softplus(),
            Activation::Absolute => a.abs(),
            Activation::Square => a.square(),
            Activation::SquareRoot => a.sqrt(),
            Activation::Linear { slope, offset } => a * slope + offset,
        }
    }

    /// Whether [`slope`](Activation::slope) needs a beside the outputs.
    pub fn slope_needs_input(self) -> bool {
        matches!(self, Activation::Absolute | Activation::Square)
    }

    /// gradient · f′(a), from y = f(a), and from a where [that is needed](Activation::slope_needs_input).
    ///
    /// # Panics
    /// If a is needed and not there.
    #[track_caller]
    pub fn slope<'a, T: Into<Expr<'a>> + Copy>(
        self,
        gradient: Expr<'a>,
        outputs: T,
        input: Option<T>,
    ) -> Expr<'a> {
        let y = || x(outputs);
        let a = || x(input.expect("the slope of this activation needs its input"));
        let step = |left: Expr<'a>, right: Expr<'a>| left.less(right);
        match self {
            Activation::Identity => gradient,
            Activation::Logistic => gradient * (y() * (1.0 - y())),
            Activation::Tanh => gradient * (1.0 - y().square()),
            Activation::ScaledTanh { height, steepness } => {
                gradient * (height * steepness - y().square() * (steepness / height))
            }
            Activation::RectifiedLinear => gradient * step(0.0.into(), y()),
            Activation::BoundedLinear { ceiling } => {
                gradient * step(0.0.into(), y()) * step(y(), ceiling.into())
            }
            Activation::Softplus => gradient * (1.0 - (-y()).exp()),
            Activation::Absolute => gradient * (step(0.0.into(), a()) - step(a(), 0.0.into())),
            Activation::Square => gradient * a() * 2.0,
            Activation::SquareRoot => gradient * 0.5 / y(),
            Activation::Linear { slope, .. } => gradient * slope,
        }
    }
}

/// An [`Activation`] as a layer of its own, where none of the layers around it can take it in: after pooling.
#[derive(Debug)]
pub struct Elementwise {
    /// f
    pub activation: Activation,
    units: usize,
}

impl Elementwise {
    /// f of each of so many values of a case.
    ///
    /// # Errors
    /// [`Error::Setting`] without units or for a parameter of the activation.
    pub fn new(units: usize, activation: Activation) -> Result<Elementwise, Error> {
        activation.check()?;
        if units == 0 {
            return Err(Error::setting("units", units, "a layer needs at least one"));
        }
        Ok(Elementwise { activation, units })
    }
}

impl Parameters for Elementwise {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

impl Layer for Elementwise {
    fn inputs(&self) -> usize {
        self.units
    }
    fn outputs(&self) -> usize {
        self.units
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        if self.activation.slope_needs_input() { vec![device.zeros(cases, self.units)] } else { Vec::new() }
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        outputs.assign(self.activation.apply(x(inputs)));
        if let Some(kept) = saved.first_mut() {
            kept.assign(inputs);
        }
    }
    fn slope<'a>(&self, gradient: Expr<'a>, outputs: &'a Tensor, saved: &'a [Tensor]) -> Expr<'a> {
        self.activation.slope(gradient, outputs, saved.first())
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        _: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        Sum::from(delta).store(input_gradient, then);
    }
    fn gradients<'a>(&self, _: View<'a>, _: &'a Tensor, _: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    const ALL: [Activation; 11] = [
        Activation::Identity,
        Activation::Logistic,
        Activation::Tanh,
        Activation::ScaledTanh { height: 1.7, steepness: -0.6 },
        Activation::RectifiedLinear,
        Activation::BoundedLinear { ceiling: 0.5 },
        Activation::Softplus,
        Activation::Absolute,
        Activation::Square,
        Activation::SquareRoot,
        Activation::Linear { slope: -1.5, offset: 0.25 },
    ];

    /// Slopes of all functions against central differences at points away from kinks.
    #[test]
    fn slopes_are_those_of_the_functions() {
        let device = Device::reference();
        for activation in ALL {
            let points = Array2::from_shape_fn((1, 40), |(_, j)| {
                let a = -2.03 + 0.1 * j as f64;
                if activation == Activation::SquareRoot { a.abs() + 0.1 } else { a }
            });
            let at = |offset: f64| {
                let a = device.tensor_f64(&points.mapv(|point| point + offset));
                let mut y = device.zeros(1, 40);
                y.assign(activation.apply(x(&a)));
                (a, y)
            };
            let ((_, low), (a, y), (_, high)) = (at(-1e-5), at(0.0), at(1e-5));
            let mut slope = device.zeros(1, 40);
            slope.assign(activation.slope(3.0.into(), &y, Some(&a)));
            let numeric = (high.to_array_f64().unwrap() - low.to_array_f64().unwrap()) * (3.0 / 2e-5);
            let difference = slope.to_array_f64().unwrap() - numeric;
            assert!(difference.iter().all(|d| d.abs() < 1e-6), "{activation:?}: {difference}");
        }
    }

    #[test]
    fn impossible_parameters_are_refused_by_name() {
        let message = |activation| Elementwise::new(3, activation).unwrap_err().to_string();
        let ceiling = message(Activation::BoundedLinear { ceiling: 0.0 });
        assert_eq!(ceiling, "ceiling of the activation is 0, but it must be finite and above 0");
        assert!(message(Activation::ScaledTanh { height: 0.0, steepness: 1.0 }).contains("height"));
        assert!(message(Activation::Linear { slope: f32::NAN, offset: 1.0 }).contains("slope"));
        assert!(Elementwise::new(0, Activation::Tanh).is_err());
    }
}
