//! Layers of conditionally independent units.
//!
//! A unit in state s with input x from the other layer has the energy E(s) − S(s)·x, where S is its statistic. All
//! that a model needs to know of a family of units are five formulas: the energy E, the cumulant generating function
//! K(x) = log Σₛ e^(S(s)·x − E(s)) (an integral for continuous states), the mean and a sample of the state given x,
//! and the statistic S.

mod bernoulli;
mod blocks;
mod elementwise;
mod gaussian;
mod joined;
mod rectified;
mod shared_bernoulli;
mod shared_units;
mod softmax;

pub use bernoulli::Bernoulli;
pub use blocks::Blocks;
pub use elementwise::Elementwise;
pub(crate) use elementwise::accumulate;
pub use gaussian::{Gaussian, Variance};
pub use joined::Joined;
pub use rectified::Rectified;
pub use shared_bernoulli::SharedBernoulli;
pub use shared_units::Shared;
pub use softmax::Softmax;

use nn_core::{Activation, Expr, Key, Parameters, Sum, Tensor, View, ViewMut};

/// A layer of units. Implement [`Elementwise`] for a new family whose formulas are elementwise.
///
/// States and inputs are cases × units. `keep` and `scale` accumulate: out = keep · old + scale · new.
pub trait Units: Parameters + std::fmt::Debug + Send + Sync {
    /// Number of columns of a state.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The family in one word.
    fn kind(&self) -> &'static str;

    /// out = E[s | input]
    fn mean(&self, input: &Sum<'_>, out: ViewMut<'_>);

    /// f and b, where the mean is f(input + b), as that of a layer of a network.
    fn mean_activation(&self) -> Option<(Activation, &Tensor)> {
        None
    }

    /// out ~ p(s | input)
    fn sample(&self, input: &Sum<'_>, key: Key, out: ViewMut<'_>);

    /// As [`Units::sample`] with the same key, where the mean is known already.
    fn sample_around(&self, mean: View<'_>, input: &Sum<'_>, key: Key, out: ViewMut<'_>) {
        let _ = mean;
        self.sample(input, key, out);
    }

    /// out (cases × 1) = keep · old + scale · Σ over units of K(input)
    fn cumulant(&self, input: &Sum<'_>, scale: f32, keep: f32, out: ViewMut<'_>);

    /// out (cases × 1) = keep · old + scale · Σ over units of E(state)
    fn energy(&self, states: View<'_>, scale: f32, keep: f32, out: ViewMut<'_>);

    /// Whether the statistic is the state itself.
    fn plain_statistic(&self) -> bool {
        true
    }

    /// out = S(state)
    fn statistic(&self, states: View<'_>, out: ViewMut<'_>);

    /// Adds Σ over cases of weight · ∂(E(state) − S(state)·input)/∂parameter to `out`, one 1 × n tensor for each
    /// parameter in visiting order; what was there is multiplied by `keep`. `weight` is a number or cases × 1.
    fn energy_gradients(
        &self,
        states: View<'_>,
        input: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    );

    /// As [`Units::energy_gradients`], in the mean over states given the input: −∂K(input)/∂parameter.
    fn cumulant_gradients(
        &self,
        mean: View<'_>,
        input: &Sum<'_>,
        weight: &Expr<'_>,
        keep: f32,
        out: &mut [Tensor],
    ) {
        self.energy_gradients(mean, input, weight, keep, out);
    }

    /// Whether the gradients of the energy are linear in the state, so that a mean may stand for samples.
    fn means_suffice(&self) -> bool {
        true
    }

    /// Number of states of the whole layer, where that is finite and fits.
    fn states(&self) -> Option<u64> {
        None
    }

    /// Writes state number `index` of [`Units::states`].
    fn write_state(&self, index: u64, row: &mut [f32]) {
        let _ = (index, row);
    }

    /// Whether every unit is 0 or 1, independently of the others.
    fn binary(&self) -> bool {
        false
    }

    /// Pulls parameters back into their bounds after an update.
    fn constrain(&mut self) {}

    /// Units of the same family with a copy of the parameters.
    fn duplicate(&self) -> Box<dyn Units>;

    /// K as a formula of the input, for families whose K is elementwise.
    fn cumulant_formula<'a>(&'a self, input: Expr<'a>) -> Option<Expr<'a>> {
        let _ = input;
        None
    }
}

/// Parameters on the straight line between those of two layers of the same family: (1 − β)·from + β·to.
pub(crate) fn between(from: &dyn Units, to: &dyn Units, beta: f64, out: &mut dyn Units) {
    let mut ends = Vec::new();
    from.visit(&mut |_, tensor| ends.push((tensor, None)));
    let mut at = 0;
    to.visit(&mut |_, tensor| {
        ends[at].1 = Some(tensor);
        at += 1;
    });
    let mut ends = ends.into_iter();
    out.visit_mut(&mut |_, tensor| {
        if let Some((from, Some(to))) = ends.next() {
            tensor.assign(nn_core::x(from) * (1.0 - beta) + nn_core::x(to) * beta);
        }
    });
}
