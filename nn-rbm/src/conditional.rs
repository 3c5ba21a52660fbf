//! A layer of units given another layer: half of a machine.

use crate::units::{Units, accumulate};
use nn_core::{ACC, Device, Expr, Key, OLD, Over, Parameters, Reduction, Sum, Tensor, View, ViewMut, x};

/// Units that are independent of each other given the states g of other units.
///
/// p(s | g) = exp(S(s)·x − E(s) − K(x)) with the input x = g·W. One layer of a belief network: for Bernoulli units
/// each is on with probability σ(g·W + b).
///
/// Parameters: `weights` (given × units), and those of the units.
#[derive(Debug)]
pub struct Conditional {
    /// The units.
    pub units: Box<dyn Units>,
    /// W, given × units.
    pub weights: Tensor,
}

impl Conditional {
    /// A copy of it.
    pub fn duplicate(&self) -> Conditional {
        Conditional { units: self.units.duplicate(), weights: self.weights.duplicate() }
    }

    fn input<'a>(&'a self, given: View<'a>) -> Sum<'a> {
        Sum::from(given.dot(&self.weights))
    }

    /// out = E[s | given], cases × units
    pub fn mean(&self, given: View<'_>, out: ViewMut<'_>) {
        self.units.mean(&self.input(given), out);
    }

    /// out ~ p(s | given), cases × units
    pub fn sample(&self, given: View<'_>, key: Key, out: ViewMut<'_>) {
        self.units.sample(&self.input(given), key, out);
    }

    /// out (cases × 1) = keep · old + scale · log p(states | given)
    pub fn log_probability(
        &self,
        states: View<'_>,
        given: View<'_>,
        scale: f32,
        keep: f32,
        mut out: ViewMut<'_>,
    ) {
        let grid = [states.rows(), states.columns()];
        let mut input = self.weights.device().zeros(grid[0], grid[1]);
        self.input(given).store(input.view_mut(), ACC);
        let mut sum = |statistic: View<'_>| {
            let formula = x(statistic) * &input;
            out.reborrow().reduce(grid, Over::Columns, Reduction::Sum, formula, accumulate(scale, keep));
        };
        if self.units.plain_statistic() {
            sum(states);
        } else {
            let mut statistic = self.weights.device().zeros(grid[0], grid[1]);
            self.units.statistic(states, statistic.view_mut());
            sum(statistic.view());
        }
        self.units.energy(states, -scale, 1.0, out.reborrow());
        self.units.cumulant(&Sum::from(&input), -scale, 1.0, out);
    }
}

impl Parameters for Conditional {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
        self.units.visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
        self.units.visit_mut(see);
    }
}

/// The gradient of mean −log p(s | g) over some cases, in memory that is kept from update to update.
///
/// For the weights it is the delta rule, ⟨gᵀ(E[S | g] − S(s))⟩: what a wake or a sleep phase teaches.
#[derive(Debug, Default)]
pub struct ConditionalGradient {
    /// E[s | g], then E[s | g] − s.
    error: Option<Tensor>,
    /// S of that, where it is not the same.
    statistic: Option<Tensor>,
    units: Vec<Tensor>,
}

impl ConditionalGradient {
    /// The gradient by every parameter, in visiting order.
    pub fn gradients<'a>(
        &'a mut self,
        conditional: &Conditional,
        states: View<'_>,
        given: View<'a>,
    ) -> Vec<Sum<'a>> {
        let (units, device) = (&conditional.units, conditional.weights.device());
        let [cases, columns] = [states.rows(), states.columns()];
        if self.units.is_empty() {
            units.visit(&mut |_, tensor| self.units.push(device.zeros(1, tensor.columns())));
        }
        let error = kept(&mut self.error, device, [cases, columns]);
        conditional.mean(given, error.view_mut());
        let (share, input) = (1.0 / cases as f64, conditional.input(given));
        units.energy_gradients(states, &input, &Expr::from(share), 0.0, &mut self.units);
        units.cumulant_gradients(error.view(), &input, &Expr::from(-share), 1.0, &mut self.units);
        error.assign(OLD - states);
        let error = match units.plain_statistic() {
            true => &*error,
            false => {
                let statistic = kept(&mut self.statistic, device, [cases, columns]);
                units.statistic(error.view(), statistic.view_mut());
                &*statistic
            }
        };
        let weights = Sum::from(given.t().dot(error) * share as f32);
        std::iter::once(weights).chain(self.units.iter().map(Sum::from)).collect()
    }
}

fn kept<'a>(tensor: &'a mut Option<Tensor>, device: &Device, [rows, columns]: [usize; 2]) -> &'a mut Tensor {
    crate::kept::keep_or_make(tensor, device, rows, columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bernoulli, Gaussian, Rectified, Softmax};
    use ndarray::Array2;
    use nn_core::{check_gradient, init};

    /// Every family with drawn parameters, and five states of it.
    fn conditionals(device: &Device) -> Vec<(Conditional, Tensor)> {
        let families: [Box<dyn Units>; 5] = [
            Box::new(Bernoulli::new(device, 4)),
            Box::new(Softmax::new(device, 2, 2).unwrap()),
            Box::new(Gaussian::learned(device, 4, -9.0, 9.0, 1.0).unwrap()),
            Box::new(Rectified::new(device, 4)),
            Box::new(crate::units::Joined::new(vec![
                ("units", Box::new(Bernoulli::new(device, 2))),
                ("label", Box::new(Softmax::new(device, 1, 2).unwrap())),
            ])),
        ];
        let with_states = |units: Box<dyn Units>| {
            let mut conditional = Conditional { units, weights: device.zeros(3, 4) };
            let mut number = 0;
            conditional.visit_mut(&mut |_, tensor| {
                number += 1;
                tensor.assign(&init::normal(device, tensor.rows(), tensor.columns(), 0.7, Key::new(number)));
            });
            let mut states = device.zeros(5, 4);
            conditional.sample(given(device).view(), Key::new(9), states.view_mut());
            (conditional, states)
        };
        families.into_iter().map(with_states).collect()
    }

    fn given(device: &Device) -> Tensor {
        init::normal(device, 5, 3, 1.0, Key::new(8))
    }

    fn log_probability(conditional: &Conditional, states: &Tensor, given: &Tensor) -> Tensor {
        let mut out = given.device().full(states.rows(), 1, 100.0);
        conditional.log_probability(states.view(), given.view(), 2.0, 0.5, out.view_mut());
        out.assign((OLD - 50.0) * 0.5);
        out
    }

    /// In double precision, against central differences of −log p.
    #[test]
    fn gradients_are_those_of_the_log_probability() {
        let device = Device::reference();
        let given = given(&device);
        for (mut conditional, states) in conditionals(&device) {
            let mut assembly = ConditionalGradient::default();
            let sums = assembly.gradients(&conditional, states.view(), given.view());
            let store = |sum: &Sum<'_>| {
                let mut out = device.zeros(sum.shape()[0], sum.shape()[1]);
                sum.store(out.view_mut(), ACC);
                out
            };
            let gradients: Vec<Tensor> = sums.iter().map(store).collect();
            let value = |conditional: &Conditional| {
                Ok(-log_probability(conditional, &states, &given).to_array_f64()?.mean().unwrap())
            };
            let kind = conditional.units.kind();
            let worst = check_gradient(&mut conditional, &gradients, value).unwrap();
            assert!(worst.relative < 1e-6, "{kind}: {worst:?}");
        }
    }

    /// Probabilities of all states of discrete units sum to one, for every case.
    #[test]
    fn probabilities_sum_to_one() {
        let device = Device::reference();
        for (conditional, _) in conditionals(&device) {
            let Some(count) = conditional.units.states() else { continue };
            let row = given(&device).row_range(2..3).to_array_f64().unwrap();
            let repeated = Array2::from_shape_fn((count as usize, 3), |(_, j)| row[[0, j]]);
            let states = crate::partition::all_states(&*conditional.units, &device, 16).unwrap();
            let log = log_probability(&conditional, &states, &device.tensor_f64(&repeated));
            let total: f64 = log.to_array_f64().unwrap().iter().map(|log| log.exp()).sum();
            assert!((total - 1.0).abs() < 1e-12, "{}: {total}", conditional.units.kind());
        }
    }
}
