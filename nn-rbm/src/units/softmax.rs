//! One-of-many units: labels, words, multinomial observations.

use super::{Units, elementwise::accumulate};
use nn_core::{
    ACC, Device, Error, Expr, Key, Over, Parameters, Reduction, Sum, Tensor, View, ViewMut, scaled, x,
};

/// Groups of units of which exactly one is 1.
///
/// E(s) = −b·s, K(x) = Σ over groups of log Σ e^(x + b), mean softmax(x + b) within each group, statistic s. A sample is
/// the position of the largest of x + b + Gumbel noise, which is an exact draw and needs no running sum.
#[derive(Debug)]
pub struct Softmax {
    /// b, 1 × (groups · size).
    pub biases: Tensor,
    size: usize,
}

impl Softmax {
    /// `groups` groups of `size` units each, biases zero.
    ///
    /// # Errors
    /// If there is no group or a group of no unit.
    pub fn new(device: &Device, groups: usize, size: usize) -> Result<Softmax, Error> {
        if groups == 0 || size == 0 {
            return Err(Error::setting(
                "softmax groups",
                format!("{groups} of {size}"),
                "both must be positive",
            ));
        }
        Ok(Softmax { biases: device.zeros(1, groups * size), size })
    }

    /// Units of a group.
    pub fn size(&self) -> usize {
        self.size
    }

    fn groups(&self) -> usize {
        self.biases.columns() / self.size
    }

    /// Calls `work` with x + b, its maximum and the sum of e^(x + b − max), both cases × groups.
    fn with_sums<T>(&self, input: &Sum<'_>, work: impl FnOnce(&Tensor, &Tensor, &Tensor) -> T) -> T {
        let device = self.biases.device();
        let [cases, columns] = input.shape();
        let mut logits = device.zeros(cases, columns);
        input.store(logits.view_mut(), ACC + &self.biases);
        let (mut max, mut sum) = (device.zeros(cases, self.groups()), device.zeros(cases, self.groups()));
        let (grid, over) = ([cases, columns], Over::Groups(self.size));
        max.reduce(grid, over, Reduction::Max, &logits, ACC);
        sum.reduce(grid, over, Reduction::Sum, (x(&logits) - max.view().grouped(self.size)).exp(), ACC);
        work(&logits, &max, &sum)
    }
}

/// −log(−log u) of a uniform u that is kept off both ends of the unit interval.
fn gumbel(key: Key) -> Expr<'static> {
    -(-((Expr::Uniform(key) + 2f64.powi(-25)).log())).log()
}

impl Parameters for Softmax {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("biases", &self.biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("biases", &mut self.biases);
    }
}

impl Units for Softmax {
    fn len(&self) -> usize {
        self.biases.columns()
    }
    fn kind(&self) -> &'static str {
        "softmax"
    }
    fn mean(&self, input: &Sum<'_>, out: ViewMut<'_>) {
        self.with_sums(input, |logits, max, sum| {
            let shifted = (x(logits) - max.view().grouped(self.size)).exp();
            out.assign(shifted / sum.view().grouped(self.size));
        });
    }
    fn sample(&self, input: &Sum<'_>, key: Key, out: ViewMut<'_>) {
        input.with_values(|values, factor| {
            let grid = [values.rows(), values.columns()];
            let mut winner = self.biases.device().zeros(grid[0], self.groups());
            let noisy = scaled(values, factor) + &self.biases + gumbel(key);
            winner.reduce(grid, Over::Groups(self.size), Reduction::ArgMax, noisy, ACC);
            out.assign(Expr::Position(self.size).equal(winner.view().grouped(self.size)));
        });
    }
    fn cumulant(&self, input: &Sum<'_>, scale: f32, keep: f32, out: ViewMut<'_>) {
        self.with_sums(input, |_, max, sum| {
            let grid = [max.rows(), max.columns()];
            out.reduce(grid, Over::Columns, Reduction::Sum, x(max) + x(sum).log(), accumulate(scale, keep));
        });
    }
    fn energy(&self, states: View<'_>, scale: f32, keep: f32, out: ViewMut<'_>) {
        let grid = [states.rows(), states.columns()];
        out.reduce(grid, Over::Columns, Reduction::Sum, -(x(states) * &self.biases), accumulate(scale, keep));
    }
    fn statistic(&self, states: View<'_>, out: ViewMut<'_>) {
        out.assign(states);
    }
    fn energy_gradients(
        &self,
        states: View<'_>,
        _: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    ) {
        let grid = [states.rows(), states.columns()];
        out[0].reduce(grid, Over::Rows, Reduction::Sum, -(x(states) * weight.clone()), accumulate(1.0, keep));
    }
    fn states(&self) -> Option<u64> {
        (self.size as u64).checked_pow(u32::try_from(self.groups()).ok()?)
    }
    fn write_state(&self, index: u64, row: &mut [f32]) {
        let mut rest = index;
        for group in row.chunks_mut(self.size) {
            group.fill(0.0);
            group[(rest % self.size as u64) as usize] = 1.0;
            rest /= self.size as u64;
        }
    }
    fn duplicate(&self) -> Box<dyn Units> {
        Box::new(Softmax { biases: self.biases.duplicate(), size: self.size })
    }
}
