//! Families whose formulas look at one unit at a time: five formulas make a layer.

use super::Units;
use nn_core::{
    ACC, Activation, Expr, Key, OLD, Over, Parameters, Reduction, Sum, Tensor, View, ViewMut, scaled, x,
};

/// The five formulas of a family, each of one unit, and what cannot be derived from them.
///
/// This is all there is to write for a new family: it then works with every estimator, with annealed importance
/// sampling, enumeration, completion and on every backend. See [`Bernoulli`](super::Bernoulli), which is the shortest.
pub trait Elementwise: Parameters + std::fmt::Debug + Send + Sync {
    /// Number of units.
    fn units(&self) -> usize;
    /// The family in one word.
    fn name(&self) -> &'static str;
    /// E[s | x]
    fn mean_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a>;
    /// f and b, where the mean is f(x + b), as that of a layer of a network.
    fn mean_activation_of(&self) -> Option<(Activation, &Tensor)> {
        None
    }
    /// A draw from p(s | x).
    fn sample_of<'a>(&'a self, input: Expr<'a>, key: Key) -> Expr<'a>;
    /// The same draw from the mean, for families where that is enough.
    fn sample_from_mean<'a>(&'a self, mean: Expr<'a>, key: Key) -> Option<Expr<'a>> {
        let _ = (mean, key);
        None
    }
    /// K(x)
    fn cumulant_of<'a>(&'a self, input: Expr<'a>) -> Expr<'a>;
    /// E(s)
    fn energy_of<'a>(&'a self, state: Expr<'a>) -> Expr<'a>;
    /// S(s), where it is not the state itself.
    fn statistic_of<'a>(&'a self, state: Expr<'a>) -> Option<Expr<'a>> {
        let _ = state;
        None
    }
    /// ∂(E(s) − S(s)·x)/∂parameter for each parameter in visiting order, unit by unit also where units share one.
    fn energy_gradients_of<'a>(&'a self, state: Expr<'a>, input: Expr<'a>) -> Vec<Expr<'a>>;
    /// −∂K(x)/∂parameter for each parameter, where the energy is not linear in the state.
    fn cumulant_gradients_of<'a>(&'a self, input: Expr<'a>) -> Option<Vec<Expr<'a>>> {
        let _ = input;
        None
    }
    /// Whether the gradients of the energy read the input.
    fn gradients_need_input(&self) -> bool {
        false
    }
    /// Whether the gradients of the energy are linear in the state, so that a mean may stand for samples.
    fn is_linear(&self) -> bool {
        true
    }
    /// Whether a unit is 0 or 1.
    fn is_binary(&self) -> bool {
        false
    }
    /// Pulls parameters back into their bounds after an update.
    fn keep_in_bounds(&mut self) {}
    /// The same family with a copy of the parameters.
    fn copy(&self) -> Box<dyn Units>;
}

impl<T: Elementwise> Units for T {
    fn len(&self) -> usize {
        self.units()
    }
    fn kind(&self) -> &'static str {
        self.name()
    }
    fn mean(&self, input: &Sum<'_>, out: ViewMut<'_>) {
        input.store(out, self.mean_of(ACC));
    }
    fn mean_activation(&self) -> Option<(Activation, &Tensor)> {
        self.mean_activation_of()
    }
    fn sample(&self, input: &Sum<'_>, key: Key, out: ViewMut<'_>) {
        input.store(out, self.sample_of(ACC, key));
    }
    fn sample_around(&self, mean: View<'_>, input: &Sum<'_>, key: Key, out: ViewMut<'_>) {
        match self.sample_from_mean(x(mean), key) {
            Some(formula) => out.assign(formula),
            None => self.sample(input, key, out),
        }
    }
    fn cumulant(&self, input: &Sum<'_>, scale: f32, keep: f32, out: ViewMut<'_>) {
        input.with_values(|values, factor| {
            let grid = [values.rows(), values.columns()];
            let formula = self.cumulant_of(scaled(values, factor));
            out.reduce(grid, Over::Columns, Reduction::Sum, formula, accumulate(scale, keep));
        });
    }
    fn energy(&self, states: View<'_>, scale: f32, keep: f32, out: ViewMut<'_>) {
        let grid = [states.rows(), states.columns()];
        out.reduce(grid, Over::Columns, Reduction::Sum, self.energy_of(x(states)), accumulate(scale, keep));
    }
    fn plain_statistic(&self) -> bool {
        self.statistic_of(ACC).is_none()
    }
    fn statistic(&self, states: View<'_>, out: ViewMut<'_>) {
        out.assign(self.statistic_of(x(states)).unwrap_or(x(states)));
    }
    fn energy_gradients(
        &self,
        states: View<'_>,
        input: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    ) {
        if self.gradients_need_input() {
            input.with_values(|values, factor| {
                let formulas = self.energy_gradients_of(x(states), scaled(values, factor));
                add(formulas, [states.rows(), states.columns()], weight, keep, out);
            });
        } else {
            let formulas = self.energy_gradients_of(x(states), Expr::from(f32::NAN));
            add(formulas, [states.rows(), states.columns()], weight, keep, out);
        }
    }
    fn cumulant_gradients(
        &self,
        mean: View<'_>,
        input: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    ) {
        if self.cumulant_gradients_of(ACC).is_none() {
            return self.energy_gradients(mean, input, weight, keep, out);
        }
        input.with_values(|values, factor| {
            if let Some(formulas) = self.cumulant_gradients_of(scaled(values, factor)) {
                add(formulas, [mean.rows(), mean.columns()], weight, keep, out);
            }
        });
    }
    fn means_suffice(&self) -> bool {
        self.is_linear()
    }
    fn states(&self) -> Option<u64> {
        (self.is_binary() && self.units() < 63).then(|| 1 << self.units())
    }
    fn write_state(&self, index: u64, row: &mut [f32]) {
        for (unit, value) in row.iter_mut().enumerate() {
            *value = (index >> unit & 1) as f32;
        }
    }
    fn binary(&self) -> bool {
        self.is_binary()
    }
    fn constrain(&mut self) {
        self.keep_in_bounds();
    }
    fn duplicate(&self) -> Box<dyn Units> {
        self.copy()
    }
    fn cumulant_formula<'a>(&'a self, input: Expr<'a>) -> Option<Expr<'a>> {
        Some(self.cumulant_of(input))
    }
}

/// keep · old + scale · sum
pub(crate) fn accumulate(scale: f32, keep: f32) -> Expr<'static> {
    if keep == 0.0 { ACC * scale } else { OLD * keep + ACC * scale }
}

/// Adds the weighted sums over cases (and over units that share a parameter) of formulas on this grid to one tensor each.
fn add(formulas: Vec<Expr<'_>>, grid: [usize; 2], weight: &Expr<'_>, keep: f32, out: &mut [Tensor]) {
    for (formula, out) in formulas.into_iter().zip(out) {
        // A constant weight is applied once to the sum, not to every case.
        let (formula, factor) = match weight {
            Expr::Constant(weight) => (formula, *weight as f32),
            weight => (formula * weight.clone(), 1.0),
        };
        if out.columns() == grid[1] {
            out.reduce(grid, Over::Rows, Reduction::Sum, formula, accumulate(factor, keep));
            continue;
        }
        let mut of_units = out.device().zeros(1, grid[1]);
        of_units.reduce(grid, Over::Rows, Reduction::Sum, formula, ACC);
        let groups = of_units.view().split_rows(grid[1] / out.columns());
        let grid = [groups.rows(), groups.columns()];
        out.reduce(grid, Over::Rows, Reduction::Sum, groups, accumulate(factor, keep));
    }
}
