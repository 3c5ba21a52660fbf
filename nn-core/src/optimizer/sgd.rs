//! Gradient descent with momentum.

use super::{Companions, Optimizer};
use crate::{ACC, Error, OLD, Parameters, Penalty, Schedule, Sum, Tensor, expr::x, parameters::is_weights};

/// u ← μ·u − ε·(∂loss/∂w + ∂penalty/∂w), w ← w + u.
///
/// The penalty acts on parameters named `weights`. The velocity u is updated in the store of the product that
/// computes the gradient: one pass over the weights for both phases of contrastive divergence, momentum and decay.
#[derive(Debug)]
pub struct Sgd {
    /// ε, per case of the batch's mean.
    pub rate: Schedule,
    /// μ in [0, 1).
    pub momentum: Schedule,
    /// Decay and max-norm.
    pub penalty: Penalty,
    velocity: Companions,
}

impl Sgd {
    /// Gradient descent for these parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] for a negative rate, a momentum outside [0, 1) or a negative penalty.
    pub fn new(
        parameters: &dyn Parameters,
        rate: impl Into<Schedule>,
        momentum: impl Into<Schedule>,
        penalty: Penalty,
    ) -> Result<Sgd, Error> {
        let (rate, momentum) = (rate.into(), momentum.into());
        rate.check("learning rate", 0.0..=f32::MAX)?;
        momentum.check("momentum", 0.0..=0.999_999)?;
        penalty.check()?;
        Ok(Sgd { rate, momentum, penalty, velocity: Companions::of(parameters, "velocity") })
    }
}

impl Optimizer for Sgd {
    fn update(&mut self, parameters: &mut dyn Parameters, gradients: &[Sum<'_>], update: u64) {
        assert_eq!(gradients.len(), self.velocity.tensors.len(), "one gradient for each parameter");
        let (rate, momentum) = (self.rate.at(update), self.momentum.at(update));
        let (penalty, mut pairs) = (&self.penalty, self.velocity.tensors.iter_mut().zip(gradients));
        parameters.visit_mut(&mut |name, tensor| {
            let Some(((_, velocity), gradient)) = pairs.next() else { return };
            let weights = is_weights(name);
            {
                let slope = if weights { penalty.add_gradient(ACC, tensor) } else { ACC };
                gradient.store(velocity.view_mut(), OLD * momentum - slope * rate);
            }
            tensor.assign(OLD + x(&*velocity));
            if weights {
                penalty.bound(tensor);
            }
        });
    }
}

impl Parameters for Sgd {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.velocity.visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.velocity.visit_mut(see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use ndarray::arr2;

    struct One(Tensor);
    impl Parameters for One {
        fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
            see("weights", &self.0);
        }
        fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
            see("weights", &mut self.0);
        }
    }

    /// Two updates by hand: momentum multiplies the step, not the step times the rate again.
    #[test]
    fn two_updates_by_hand() {
        let device = Device::reference();
        let mut model = One(device.tensor_f64(&arr2(&[[1.0]])));
        let mut sgd = Sgd::new(&model, 0.5, 0.5, Penalty::l2(0.25)).unwrap();
        let gradient = device.full(1, 1, 2.0);
        // u₁ = −0.5·(2 + 0.25·1) = −1.125, w₁ = −0.125; u₂ = 0.5·u₁ − 0.5·(2 + 0.25·w₁) = −1.546875
        sgd.update(&mut model, &[Sum::from(&gradient)], 0);
        assert_eq!(model.0.to_array_f64().unwrap()[[0, 0]], -0.125);
        sgd.update(&mut model, &[Sum::from(&gradient)], 1);
        assert_eq!(model.0.to_array_f64().unwrap()[[0, 0]], -0.125 - 1.546875);
    }

    #[test]
    fn a_pending_product_and_its_values_give_the_same_update() {
        let device = Device::reference();
        let left = device.tensor(&arr2(&[[1.0f32, 2.0], [3.0, -1.0]]));
        let right = device.tensor(&arr2(&[[0.5f32], [0.25]]));
        let update = |pending: bool| {
            let mut model = One(device.full(2, 1, 1.0));
            let mut sgd = Sgd::new(&model, 0.1, 0.9, Penalty::l2(0.1)).unwrap();
            let product = Sum::from(left.t().dot(&right));
            let mut values = device.zeros(2, 1);
            product.store(values.view_mut(), ACC);
            let gradient = if pending { product } else { Sum::from(&values) };
            sgd.update(&mut model, &[gradient], 0);
            model.0.to_array_f64().unwrap()
        };
        assert_eq!(update(true), update(false));
    }
}
