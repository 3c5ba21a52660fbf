//! The same units at every position of an image.

use super::{Units, elementwise::accumulate};
use nn_core::{Expr, Key, Over, Parameters, Reduction, Sum, Tensor, View, ViewMut, x};

/// The same units with the same parameters at every position: the layers of a convolutional machine.
///
/// A state is positions · units, one position after the other, so that cases × all of it is the memory of
/// (cases · positions) × units. Energy and cumulant are sums over positions.
#[derive(Debug)]
pub struct Shared {
    /// The units of one position.
    pub units: Box<dyn Units>,
    positions: usize,
}

impl Shared {
    /// These units at so many positions, one at least.
    pub fn new(units: Box<dyn Units>, positions: usize) -> Shared {
        Shared { units, positions }
    }

    /// Calls `work` with the input of each position.
    fn split<T>(&self, input: &Sum<'_>, work: impl FnOnce(&Sum<'_>) -> T) -> T {
        input.with_values(|values, factor| work(&Sum::Values(values.split_rows(self.positions), factor)))
    }

    /// out (cases × 1) = keep · old + scale · the sum over positions of what `work` gives for each, (cases · positions) × 1.
    fn sum_over_positions(
        &self,
        cases: usize,
        [scale, keep]: [f32; 2],
        out: ViewMut<'_>,
        work: impl FnOnce(ViewMut<'_>),
    ) {
        let mut each = out.tensor().device().zeros(cases, self.positions);
        work(each.view_mut().split_rows(self.positions));
        out.reduce([cases, self.positions], Over::Columns, Reduction::Sum, x(&each), accumulate(scale, keep));
    }

    /// Calls `work` with the weight of each position, that of its case.
    fn with_weights(
        &self,
        cases: usize,
        weight: &Expr<'_>,
        device: &nn_core::Device,
        work: impl FnOnce(&Expr<'_>),
    ) {
        if matches!(weight, Expr::Constant(_)) {
            return work(weight);
        }
        let mut each = device.zeros(cases, self.positions);
        each.assign(weight.clone());
        work(&x(each.view().split_rows(self.positions)));
    }
}

impl Parameters for Shared {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.units.visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.units.visit_mut(see);
    }
}

impl Units for Shared {
    fn len(&self) -> usize {
        self.units.len() * self.positions
    }
    fn kind(&self) -> &'static str {
        self.units.kind()
    }
    fn mean(&self, input: &Sum<'_>, out: ViewMut<'_>) {
        self.split(input, |input| self.units.mean(input, out.split_rows(self.positions)));
    }
    fn sample(&self, input: &Sum<'_>, key: Key, out: ViewMut<'_>) {
        self.split(input, |input| self.units.sample(input, key, out.split_rows(self.positions)));
    }
    fn cumulant(&self, input: &Sum<'_>, scale: f32, keep: f32, out: ViewMut<'_>) {
        self.split(input, |input| {
            let cases = input.shape()[0] / self.positions;
            self.sum_over_positions(cases, [scale, keep], out, |each| {
                self.units.cumulant(input, 1.0, 0.0, each)
            });
        });
    }
    fn energy(&self, states: View<'_>, scale: f32, keep: f32, out: ViewMut<'_>) {
        self.sum_over_positions(states.rows(), [scale, keep], out, |each| {
            self.units.energy(states.split_rows(self.positions), 1.0, 0.0, each);
        });
    }
    fn plain_statistic(&self) -> bool {
        self.units.plain_statistic()
    }
    fn statistic(&self, states: View<'_>, out: ViewMut<'_>) {
        self.units.statistic(states.split_rows(self.positions), out.split_rows(self.positions));
    }
    fn energy_gradients(
        &self,
        states: View<'_>,
        input: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    ) {
        let (cases, states) = (states.rows(), states.split_rows(self.positions));
        let device = out[0].device().clone();
        self.split(input, |input| {
            self.with_weights(cases, weight, &device, |weight| {
                self.units.energy_gradients(states, input, weight, keep, out);
            });
        });
    }
    fn cumulant_gradients(
        &self,
        mean: View<'_>,
        input: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    ) {
        let (cases, mean) = (mean.rows(), mean.split_rows(self.positions));
        let device = out[0].device().clone();
        self.split(input, |input| {
            self.with_weights(cases, weight, &device, |weight| {
                self.units.cumulant_gradients(mean, input, weight, keep, out);
            });
        });
    }
    fn means_suffice(&self) -> bool {
        self.units.means_suffice()
    }
    fn states(&self) -> Option<u64> {
        self.units.states()?.checked_pow(u32::try_from(self.positions).ok()?)
    }
    fn write_state(&self, index: u64, row: &mut [f32]) {
        let (mut rest, states) = (index, self.units.states().unwrap_or(1));
        for position in row.chunks_mut(self.units.len()) {
            self.units.write_state(rest % states, position);
            rest /= states;
        }
    }
    fn binary(&self) -> bool {
        self.units.binary()
    }
    fn constrain(&mut self) {
        self.units.constrain();
    }
    fn duplicate(&self) -> Box<dyn Units> {
        Box::new(Shared::new(self.units.duplicate(), self.positions))
    }
}
