//! Probabilistic max-pooling: blocks of units of which at most one is on.

use super::{Units, elementwise::accumulate};
use nn_core::{
    ACC, Device, Error, Expr, Key, OLD, Over, Parameters, Reduction, Sum, Tensor, View, ViewMut, Window, x,
};

/// One block of `size` units in each of `maps` maps; in a block at most one unit is on (Lee, Grosse, Ranganath and Ng, 2009).
///
/// E(s) = −τ·b·s, where all units of a map share the bias b and τ is the precision 1/σ² of real visible units, 1 above
/// binary ones. With y = x + τ·b the outcomes of a block are its units, e^y each, and "off", 1: K(x) = Σ over blocks of
/// log(1 + Σ e^y), mean e^y / (1 + Σ e^y). A sample is one draw for each block, from one uniform number.
///
/// The *pooling unit* of a block, the sum of its units, is on if one of them is. Unit t of map k is column t·maps + k, so
/// that all units of a map are [`repeated`](View::repeated) alike.
#[derive(Debug)]
pub struct Blocks {
    /// b, 1 × maps.
    pub biases: Tensor,
    /// τ, 1 × 1; no gradient changes it.
    pub precision: Tensor,
    size: usize,
}

impl Blocks {
    /// A block of `size` units in each of these maps, biases zero, precision 1.
    ///
    /// # Errors
    /// If there is no map or no unit.
    pub fn new(device: &Device, maps: usize, size: usize) -> Result<Blocks, Error> {
        if maps == 0 || size == 0 {
            return Err(Error::setting("blocks", format!("{maps} of {size}"), "both must be positive"));
        }
        Ok(Blocks { biases: device.zeros(1, maps), precision: device.full(1, 1, 1.0), size })
    }

    /// Number of maps.
    pub fn maps(&self) -> usize {
        self.biases.columns()
    }

    /// Units of a block.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A copy of them.
    pub fn clone_units(&self) -> Blocks {
        Blocks { biases: self.biases.duplicate(), precision: self.precision.duplicate(), size: self.size }
    }

    /// out (rows × maps) = then(`ACC` = sum or maximum of the formula over each block), the formula on rows × units.
    pub(crate) fn join(&self, reduction: Reduction, formula: Expr<'_>, then: Expr<'_>, out: ViewMut<'_>) {
        let window = Window { kernel: [1, self.size], ..Window::new(1, self.size, self.maps(), 1) };
        let grid = [out.rows(), self.len()];
        out.reduce(grid, Over::Windows(window), reduction, formula, then);
    }

    /// out = e^(y − m) with m = max(0, largest y of the block); gives e^(−m) + Σ e^(y − m) and m, both rows × maps.
    fn exponentials(&self, input: &Sum<'_>, mut out: ViewMut<'_>) -> (Tensor, Tensor) {
        let (device, [rows, _]) = (self.biases.device(), input.shape());
        let biases = self.biases.view().repeated() * &self.precision;
        let (mut max, mut sum) = (device.zeros(rows, self.maps()), device.zeros(rows, self.maps()));
        input.store(out.reborrow(), ACC + biases);
        self.join(Reduction::Max, x(out.as_view()), ACC.max(0.0), max.view_mut());
        out.reborrow().assign((OLD - max.view().repeated()).exp());
        self.join(Reduction::Sum, x(out.as_view()), ACC + (-x(&max)).exp(), sum.view_mut());
        (sum, max)
    }
}

impl Parameters for Blocks {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("biases", &self.biases);
        see("precision", &self.precision);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("biases", &mut self.biases);
        see("precision", &mut self.precision);
    }
}

impl Units for Blocks {
    fn len(&self) -> usize {
        self.biases.columns() * self.size
    }
    fn kind(&self) -> &'static str {
        "blocks of at most one"
    }
    fn mean(&self, input: &Sum<'_>, mut out: ViewMut<'_>) {
        let (sum, _) = self.exponentials(input, out.reborrow());
        out.assign(OLD / sum.view().repeated());
    }
    fn sample(&self, input: &Sum<'_>, key: Key, out: ViewMut<'_>) {
        let [rows, columns] = input.shape();
        let mut mean = self.biases.device().zeros(rows, columns);
        self.mean(input, mean.view_mut());
        self.sample_around(mean.view(), input, key, out);
    }
    /// With u uniform, unit t is on if u lies between the sums of the first t and of the first t + 1 means of its block.
    fn sample_around(&self, mean: View<'_>, _: &Sum<'_>, key: Key, mut out: ViewMut<'_>) {
        let maps = self.maps();
        let mut rest = self.biases.device().zeros(mean.rows(), maps);
        rest.assign(Expr::Uniform(key));
        for unit in 0..self.size {
            let columns = unit * maps..(unit + 1) * maps;
            let mean = mean.column_range(columns.clone());
            let on = x(&rest).less(mean) * (1.0 - x(&rest).less(0.0));
            out.reborrow().column_range(columns).assign(on);
            rest.assign(OLD - mean);
        }
    }
    fn cumulant(&self, input: &Sum<'_>, scale: f32, keep: f32, out: ViewMut<'_>) {
        let [rows, columns] = input.shape();
        let mut exponentials = self.biases.device().zeros(rows, columns);
        let (sum, max) = self.exponentials(input, exponentials.view_mut());
        let grid = [rows, self.maps()];
        out.reduce(grid, Over::Columns, Reduction::Sum, x(&max) + x(&sum).log(), accumulate(scale, keep));
    }
    fn energy(&self, states: View<'_>, scale: f32, keep: f32, out: ViewMut<'_>) {
        let grid = [states.rows(), states.columns()];
        let energy = -(x(states) * self.biases.view().repeated() * &self.precision);
        out.reduce(grid, Over::Columns, Reduction::Sum, energy, accumulate(scale, keep));
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
        let grid = [states.rows(), self.maps()];
        let mut pooled = self.biases.device().zeros(grid[0], grid[1]);
        self.join(Reduction::Sum, x(states), ACC, pooled.view_mut());
        let gradient = -(x(&pooled) * weight.clone() * &self.precision);
        out[0].reduce(grid, Over::Rows, Reduction::Sum, gradient, accumulate(1.0, keep));
        out[1].assign(OLD * keep);
    }
    fn states(&self) -> Option<u64> {
        (self.size as u64 + 1).checked_pow(u32::try_from(self.maps()).ok()?)
    }
    fn write_state(&self, index: u64, row: &mut [f32]) {
        let (mut rest, outcomes) = (index, self.size as u64 + 1);
        row.fill(0.0);
        for map in 0..self.maps() {
            let outcome = (rest % outcomes) as usize;
            if outcome > 0 {
                row[(outcome - 1) * self.maps() + map] = 1.0;
            }
            rest /= outcomes;
        }
    }
    fn duplicate(&self) -> Box<dyn Units> {
        Box::new(self.clone_units())
    }
}
