//! Adaptive moments (Kingma and Ba, 2015).

use super::{Companions, Optimizer};
use crate::{ACC, Error, OLD, Parameters, Penalty, Schedule, Sum, Tensor, expr::x, parameters::is_weights};

/// m ← β₁·m + (1 − β₁)·g, s ← β₂·s + (1 − β₂)·g², w ← w − ε · m̂ / (√ŝ + 10⁻⁸), m̂ and ŝ freed of their bias towards
/// zero; g includes the penalty.
#[derive(Debug)]
pub struct Adam {
    /// ε
    pub rate: Schedule,
    /// β₁ in [0, 1), usually 0.9.
    pub first_decay: f32,
    /// β₂ in [0, 1), usually 0.999.
    pub second_decay: f32,
    /// Decay and max-norm.
    pub penalty: Penalty,
    first: Companions,
    second: Companions,
    /// The gradient of one update, in memory that is kept; no part of the state.
    slopes: Companions,
    /// Memory of max-norm, one for each parameter; no part of the state.
    factors: Vec<Option<Tensor>>,
}

impl Adam {
    /// Adam for these parameters with β₁ = 0.9 and β₂ = 0.999.
    ///
    /// # Errors
    /// [`Error::Setting`] for a negative rate or penalty.
    pub fn new(
        parameters: &dyn Parameters,
        rate: impl Into<Schedule>,
        penalty: Penalty,
    ) -> Result<Adam, Error> {
        let rate = rate.into();
        rate.check("learning rate", 0.0..=f32::MAX)?;
        penalty.check()?;
        let (first, second) =
            (Companions::of(parameters, "first_moment"), Companions::of(parameters, "second_moment"));
        let slopes = Companions::of(parameters, "slope");
        let factors = first.tensors.iter().map(|_| None).collect();
        Ok(Adam { rate, first_decay: 0.9, second_decay: 0.999, penalty, first, second, slopes, factors })
    }
}

impl Optimizer for Adam {
    fn update(&mut self, parameters: &mut dyn Parameters, gradients: &[Sum<'_>], update: u64) {
        assert_eq!(gradients.len(), self.first.tensors.len(), "one gradient for each parameter");
        let power = i32::try_from(update + 1).unwrap_or(i32::MAX);
        let (b1, b2) = (f64::from(self.first_decay), f64::from(self.second_decay));
        let rate = f64::from(self.rate.at(update)) / (1.0 - b1.powi(power));
        let unbias = 1.0 / (1.0 - b2.powi(power));
        let penalty = &self.penalty;
        let moments = self.first.tensors.iter_mut().zip(&mut self.second.tensors);
        let mut moments = moments.zip(&mut self.slopes.tensors).zip(&mut self.factors).zip(gradients);
        parameters.visit_mut(&mut |name, tensor| {
            let Some((((((_, first), (_, second)), (_, slope)), factor), gradient)) = moments.next() else {
                return;
            };
            let weights = is_weights(name);
            gradient.store(slope.view_mut(), if weights { penalty.add_gradient(ACC, tensor) } else { ACC });
            first.assign(OLD * b1 + x(&*slope) * (1.0 - b1));
            second.assign(OLD * b2 + x(&*slope).square() * (1.0 - b2));
            tensor.assign(OLD - x(&*first) * rate / ((x(&*second) * unbias).sqrt() + 1e-8));
            if weights {
                penalty.bound(tensor, factor);
            }
        });
    }
}

impl Parameters for Adam {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.first.visit(see);
        self.second.visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.first.visit_mut(see);
        self.second.visit_mut(see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    struct One(Tensor);
    impl Parameters for One {
        fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
            see("biases", &self.0);
        }
        fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
            see("biases", &mut self.0);
        }
    }

    /// The first step of Adam has the length of the rate, whatever the gradient; a constant gradient keeps it.
    #[test]
    fn steps_have_the_length_of_the_rate() {
        let device = Device::reference();
        let mut model = One(device.full(1, 1, 1.0));
        let mut adam = Adam::new(&model, 0.125, Penalty::default()).unwrap();
        let gradient = device.full(1, 1, 40.0);
        for update in 0..3 {
            adam.update(&mut model, &[Sum::from(&gradient)], update);
            let expected = 1.0 - 0.125 * (update + 1) as f64;
            assert!((model.0.to_array_f64().unwrap()[[0, 0]] - expected).abs() < 1e-6);
        }
    }
}
