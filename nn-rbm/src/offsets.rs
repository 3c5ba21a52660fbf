//! Moving offsets of the centred gradient.

use crate::{Phases, Rbm};
use nn_core::{ACC, Error, OLD, Over, Parameters, Reduction, Tensor};

/// Offsets μ of visible and λ of hidden units: moving means of what the data phase saw.
#[derive(Debug)]
pub struct Offsets {
    /// μ, 1 × visible.
    pub visible: Tensor,
    /// λ, 1 × hidden.
    pub hidden: Tensor,
    rate: f32,
}

impl Offsets {
    /// Offsets that start at zero and move by this share of the way to the means of each batch (usually 0.01).
    ///
    /// # Errors
    /// If the rate is not between 0 and 1, or the visible units are not such that their statistic is their state.
    pub fn new(rbm: &Rbm, rate: f32) -> Result<Offsets, Error> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(Error::setting("rate of offsets", rate, "it must lie between 0 and 1"));
        }
        if !rbm.visible.plain_statistic() {
            let rule =
                "centring is for units whose statistic is their state; centre real-valued data instead";
            return Err(Error::setting("centring", rbm.visible.kind(), rule));
        }
        let (visible, hidden) =
            (rbm.device().zeros(1, rbm.visible.len()), rbm.device().zeros(1, rbm.hidden.len()));
        Ok(Offsets { visible, hidden, rate })
    }

    /// Moves the offsets towards the means of the data phase.
    pub fn follow(&mut self, phases: &Phases<'_>) {
        let rate = self.rate;
        for (offset, states) in
            [(&mut self.visible, phases.data.visible), (&mut self.hidden, phases.data.hidden)]
        {
            let share = rate / states.rows() as f32;
            let grid = [states.rows(), states.columns()];
            offset.reduce(grid, Over::Rows, Reduction::Sum, states, OLD * (1.0 - rate) + ACC * share);
        }
    }
}

impl Parameters for Offsets {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("visible", &self.visible);
        see("hidden", &self.hidden);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("visible", &mut self.visible);
        see("hidden", &mut self.hidden);
    }
}
