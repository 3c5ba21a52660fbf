//! Groups of values that become probabilities.

use super::{Layer, Pass};
use crate::{ACC, Device, Error, Expr, Over, Parameters, Reduction, Sum, Tensor, View, ViewMut, x};

/// y = eˣ / Σ eˣ within each group of neighbouring values.
///
/// For probabilities inside a network, or several classes side by side. A classifier has no such layer: its loss, the
/// [cross-entropy](crate::Loss::CrossEntropy), holds the softmax. Backward ∂L/∂xⱼ = yⱼ·(∂L/∂yⱼ − Σₖ yₖ·∂L/∂yₖ), the sum over
/// the group of j.
#[derive(Debug)]
pub struct Softmax {
    groups: usize,
    size: usize,
}

impl Softmax {
    /// So many groups of `size` values.
    ///
    /// # Errors
    /// [`Error::Setting`] without groups or for groups of less than two values.
    pub fn new(groups: usize, size: usize) -> Result<Softmax, Error> {
        if groups == 0 {
            return Err(Error::setting("groups", groups, "a layer needs at least one"));
        }
        if size < 2 {
            return Err(Error::setting("size of a group", size, "a softmax is of two values or more"));
        }
        Ok(Softmax { groups, size })
    }
}

impl Parameters for Softmax {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

/// Saved: of each group the largest input, later Σ y·∂L/∂y; log Σ eˣ; and the outputs.
impl Layer for Softmax {
    fn inputs(&self) -> usize {
        self.groups * self.size
    }
    fn outputs(&self) -> usize {
        self.groups * self.size
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let of_groups = || device.zeros(cases, self.groups);
        vec![of_groups(), of_groups(), device.zeros(cases, self.outputs())]
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        let (grid, over) = ([inputs.rows(), inputs.columns()], Over::Groups(self.size));
        let [largest, log_sum, kept] = saved else { panic!("three tensors are saved, not {}", saved.len()) };
        largest.reduce(grid, over, Reduction::Max, inputs, ACC);
        let shifted = (x(inputs) - largest.view().grouped(self.size)).exp();
        log_sum.reduce(grid, over, Reduction::Sum, shifted, ACC.log() + &*largest);
        outputs.assign((x(inputs) - log_sum.view().grouped(self.size)).exp());
        kept.assign(&*outputs);
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let [sums, _, outputs] = saved else { panic!("three tensors are saved, not {}", saved.len()) };
        let grid = [delta.rows(), delta.columns()];
        sums.reduce(grid, Over::Groups(self.size), Reduction::Sum, x(delta) * &*outputs, ACC);
        let gradient = x(&*outputs) * (x(delta) - sums.view().grouped(self.size));
        input_gradient.assign(then.with_acc(&gradient));
    }
    fn gradients<'a>(&self, _: View<'a>, _: &'a Tensor, _: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{check_gradient, conformance::noise};

    struct Inputs(Tensor);
    impl Parameters for Inputs {
        fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
            see("inputs", &self.0);
        }
        fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
            see("inputs", &mut self.0);
        }
    }

    #[test]
    fn groups_are_distributions_with_the_right_gradient() {
        let device = Device::reference();
        let softmax = Softmax::new(3, 4).unwrap();
        let mut inputs = Inputs(noise(&device, 5, 12, 1));
        let factors = noise(&device, 5, 12, 2);
        let forward = |inputs: &Inputs| {
            let (mut saved, mut outputs) = (softmax.saved(&device, 5), device.zeros(5, 12));
            softmax.forward(inputs.0.view(), &mut outputs, &mut saved, Pass::Testing);
            (outputs, saved)
        };
        let (outputs, mut saved) = forward(&inputs);
        let groups = outputs.to_array_f64().unwrap().into_shape_with_order((15, 4)).unwrap();
        assert!(groups.rows().into_iter().all(|group| (group.sum() - 1.0).abs() < 1e-12));
        let mut gradient = device.zeros(5, 12);
        softmax.backward(inputs.0.view(), &factors, &mut saved, gradient.view_mut(), ACC);
        let factors = factors.to_array_f64().unwrap();
        let value = |inputs: &Inputs| Ok((forward(inputs).0.to_array_f64()? * &factors).sum());
        let worst = check_gradient(&mut inputs, &[gradient], value).unwrap();
        assert!(worst.relative < 1e-6, "{worst:?}");
    }

    #[test]
    fn a_group_of_one_is_refused() {
        let message = Softmax::new(3, 1).unwrap_err().to_string();
        assert_eq!(message, "size of a group is 1, but a softmax is of two values or more");
        assert!(Softmax::new(0, 4).is_err());
    }
}
