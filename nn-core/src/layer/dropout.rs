//! Dropout.

use super::{Layer, Pass, room};
use crate::{Device, Error, Expr, Parameters, Sum, Tensor, View, ViewMut, x};

/// Leaves out each value with probability p while learning, and multiplies all by 1 − p afterwards (Hinton and others,
/// "Improving neural networks by preventing co-adaptation of feature detectors", 2012).
///
/// A value is kept where its uniform draw exceeds p, as in cuda-convnet. The mask is drawn once an update and kept for
/// the way back: y = x ∘ m, ∂L/∂x = ∂L/∂y ∘ m.
#[derive(Debug)]
pub struct Dropout {
    units: usize,
    probability: f32,
}

impl Dropout {
    /// Dropout of so many values of a case.
    ///
    /// # Errors
    /// [`Error::Setting`] without units or for a probability outside [0, 1).
    pub fn new(units: usize, probability: f32) -> Result<Dropout, Error> {
        if units == 0 {
            return Err(Error::setting("units", units, "a layer needs at least one"));
        }
        if !(0.0..1.0).contains(&probability) {
            let allowed = "it must be 0 or above, and below 1";
            return Err(Error::setting("dropout probability", probability, allowed));
        }
        Ok(Dropout { units, probability })
    }

    /// p
    pub fn probability(&self) -> f32 {
        self.probability
    }
}

impl Parameters for Dropout {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

/// Saved: the mask, or the factor in its place.
impl Layer for Dropout {
    fn inputs(&self) -> usize {
        self.units
    }
    fn outputs(&self) -> usize {
        self.units
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let _ = cases;
        vec![device.zeros(0, 0)]
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], pass: Pass) {
        match pass {
            Pass::Training(key) => room(&mut saved[0], inputs.rows(), self.units)
                .assign(Expr::from(self.probability).less(Expr::Uniform(key))),
            Pass::Testing => room(&mut saved[0], 1, 1).assign(1.0 - self.probability),
        }
        outputs.assign(x(inputs) * &saved[0]);
    }
    fn factor(&self) -> Option<f32> {
        Some(1.0 - self.probability)
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        input_gradient.assign(then.with_acc(&(x(delta) * &saved[0])));
    }
    fn gradients<'a>(&self, _: View<'a>, _: &'a Tensor, _: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    fn outputs(pass: Pass) -> ndarray::Array2<f32> {
        let device = Device::cpu();
        let dropout = Dropout::new(100, 0.2).unwrap();
        let (inputs, mut outputs) = (device.full(200, 100, 3.0), device.zeros(200, 100));
        dropout.forward(inputs.view(), &mut outputs, &mut dropout.saved(&device, 200), pass);
        outputs.to_array().unwrap()
    }

    #[test]
    fn values_are_dropped_with_the_probability_and_scaled_afterwards() {
        let dropped = outputs(Pass::Training(Key::new(1)));
        assert!(dropped.iter().all(|value| *value == 0.0 || *value == 3.0));
        let share = dropped.iter().filter(|value| **value == 0.0).count() as f64 / 20_000.0;
        assert!((share - 0.2).abs() < 4.0 * (0.2f64 * 0.8 / 20_000.0).sqrt(), "{share}");
        assert_eq!(dropped, outputs(Pass::Training(Key::new(1))));
        assert_ne!(dropped, outputs(Pass::Training(Key::new(2))));
        assert!(outputs(Pass::Testing).iter().all(|value| (value - 2.4).abs() < 1e-6));
    }

    #[test]
    fn a_probability_of_one_is_refused() {
        let message = Dropout::new(3, 1.0).unwrap_err().to_string();
        assert_eq!(message, "dropout probability is 1, but it must be 0 or above, and below 1");
        assert!(Dropout::new(3, f32::NAN).is_err());
    }
}
