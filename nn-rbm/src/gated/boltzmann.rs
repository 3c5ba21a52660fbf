//! The distribution of a gated machine given images.

use super::GatedRbm;
use crate::units::Units;
use nn_core::{ACC, Key, Over, Reduction, Sum, Tensor, ViewMut, Window, x};

/// Patches of images x, (cases · positions) × P: what a [`GatedGradient`](super::GatedGradient) needs of them.
#[derive(Debug)]
pub struct GivenPatches(pub(super) Tensor);

/// Conditionals of a [`GatedRbm`] given images x, a case for each row of them, whose filters on y are written down.
///
/// One product, (cases · positions) × P by P × K · P, gives the filters of all maps at all positions; up and down they are
/// multiplied with patches of y and with hidden units and summed.
#[derive(Debug)]
pub struct GatedBoltzmann<'a> {
    rbm: &'a GatedRbm,
    cases: usize,
    patches: GivenPatches,
    /// The filters on y, (cases · positions) × K · P.
    filters: Tensor,
}

impl<'a> GatedBoltzmann<'a> {
    #[track_caller]
    pub(super) fn new(rbm: &'a GatedRbm, given: &Tensor) -> GatedBoltzmann<'a> {
        let patches = rbm.patches.of(given);
        let mut filters = rbm.device().zeros(patches.rows(), rbm.weights.columns());
        filters.product(patches.dot(&rbm.weights), ACC);
        GatedBoltzmann { rbm, cases: given.rows(), patches: GivenPatches(patches), filters }
    }

    /// The patches of x, for the gradient.
    pub fn into_patches(self) -> GivenPatches {
        self.patches
    }

    /// The input of hidden units without their bias, as (cases · blocks) × units of a block.
    #[track_caller]
    fn hidden_input(&self, visible: &Tensor) -> Tensor {
        let (cases, geometry) = (self.cases, &self.rbm.geometry);
        assert!(visible.rows() == cases, "{} images y for {cases} images x", visible.rows());
        let patches = self.rbm.patches.of(visible);
        let mut input = self.filters.device().zeros(self.filters.rows(), geometry.maps);
        let grid = [self.filters.rows(), self.filters.columns()];
        let products = x(&self.filters) * patches.view().repeated();
        input.reduce(grid, Over::Groups(patches.columns()), Reduction::Sum, products, ACC);
        input.reshape(cases * geometry.block_count(), self.rbm.hidden.len())
    }

    /// Hidden units of a matrix cases × hidden as (cases · blocks) × units of a block.
    fn blocks<'b>(&self, hidden: &'b mut Tensor) -> ViewMut<'b> {
        hidden.view_mut().split_rows(self.rbm.geometry.block_count())
    }

    /// out = E[z | x, y], cases × hidden
    #[track_caller]
    pub fn mean_hidden(&self, visible: &Tensor, out: &mut Tensor) {
        let input = self.hidden_input(visible);
        self.rbm.hidden.mean(&Sum::from(&input), self.blocks(out));
    }

    /// out ~ p(z | x, y), cases × hidden
    #[track_caller]
    pub fn sample_hidden(&self, visible: &Tensor, key: Key, out: &mut Tensor) {
        let input = self.hidden_input(visible);
        self.rbm.hidden.sample(&Sum::from(&input), key, self.blocks(out));
    }

    /// mean = E[z | x, y] and sample ~ p(z | x, y)
    #[track_caller]
    pub fn mean_and_sample_hidden(&self, visible: &Tensor, key: Key, mean: &mut Tensor, sample: &mut Tensor) {
        let input = self.hidden_input(visible);
        self.rbm.hidden.mean(&Sum::from(&input), self.blocks(mean));
        let blocks = self.rbm.geometry.block_count();
        let mean = mean.view().split_rows(blocks);
        self.rbm.hidden.sample_around(mean, &Sum::from(&input), key, self.blocks(sample));
    }

    /// out (cases × visible) = Σ over hidden units of z times their filters on y, where they lie on the image: E[y | z, x]
    /// less c.
    #[track_caller]
    pub fn visible_input(&self, hidden: &Tensor, out: &mut Tensor) {
        assert!(hidden.rows() == self.cases, "{} hidden states for {} images x", hidden.rows(), self.cases);
        let (rbm, len) = (self.rbm, self.patches.0.columns());
        let units = hidden.view().split_rows(rbm.geometry.map_len());
        let window = Window { kernel: [1, rbm.geometry.maps], ..Window::new(1, rbm.geometry.maps, len, 1) };
        let mut sums = self.filters.device().zeros(self.filters.rows(), len);
        let grid = [self.filters.rows(), self.filters.columns()];
        let products = x(&self.filters) * units.grouped(len);
        sums.reduce(grid, Over::Windows(window), Reduction::Sum, products, ACC);
        rbm.patches.fold(sums, out);
    }

    /// Calls `work` with the input of pixels, and `out` with a row for each pixel.
    #[track_caller]
    fn with_visible_input(
        &self,
        hidden: &Tensor,
        out: &mut Tensor,
        work: impl FnOnce(&Sum<'_>, ViewMut<'_>),
    ) {
        let mut input = self.filters.device().zeros(out.rows(), out.columns());
        self.visible_input(hidden, &mut input);
        let pixels = self.rbm.geometry.pixels();
        work(&Sum::Values(input.view().split_rows(pixels), 1.0), out.view_mut().split_rows(pixels));
    }

    /// out = E[y | z, x], cases × visible
    #[track_caller]
    pub fn mean_visible(&self, hidden: &Tensor, out: &mut Tensor) {
        self.with_visible_input(hidden, out, |input, out| self.rbm.visible.mean(input, out));
    }

    /// out ~ p(y | z, x), cases × visible
    #[track_caller]
    pub fn sample_visible(&self, hidden: &Tensor, key: Key, out: &mut Tensor) {
        self.with_visible_input(hidden, out, |input, out| self.rbm.visible.sample(input, key, out));
    }

    /// Moves chains of y (cases × visible) by this many Gibbs sweeps.
    #[track_caller]
    pub fn gibbs(&self, chains: &mut Tensor, sweeps: u64, key: Key) {
        let mut hidden = self.filters.device().zeros(self.cases, self.rbm.geometry.hidden_len());
        for sweep in 0..sweeps {
            let key = key.fold_in(sweep);
            self.sample_hidden(chains, key.fold_in(0), &mut hidden);
            self.sample_visible(&hidden, key.fold_in(1), chains);
        }
    }

    /// out (cases × 1) = F(y | x) = Σ (y − c)²/2 − Σ over blocks of log(1 + Σ e^(input + b)), so that p(y | x) =
    /// e^(−F(y | x)) / Z(x).
    #[track_caller]
    pub fn free_energy(&self, visible: &Tensor, out: &mut Tensor) {
        let [units, blocks] = self.rbm.layers();
        let input = self.hidden_input(visible).reshape(self.cases, self.rbm.geometry.hidden_len());
        blocks.cumulant(&Sum::from(&input), -1.0, 0.0, out.view_mut());
        units.energy(visible.view(), 1.0, 1.0, out.view_mut());
    }
}
