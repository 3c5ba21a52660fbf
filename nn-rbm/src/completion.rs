//! Filling in what was not seen.

use crate::EnergyModel;
use ndarray::ArrayView2;
use nn_core::{ACC, Device, Error, Key, OLD, Over, Parameters, Reduction, Sum, Tensor, ViewMut, x};

/// Visible units that stay and those that are filled in.
#[derive(Debug)]
pub(crate) struct Clamp {
    /// Known units as they are, zeros elsewhere, cases × visible.
    pub(crate) known: Tensor,
    /// 1 for unknown units, cases × visible or 1 × visible.
    unknown: Tensor,
}

impl Clamp {
    /// As [`Completion::new`], for a model of so many visible units.
    pub(crate) fn new(
        device: &Device,
        units: usize,
        cases: ArrayView2<'_, f32>,
        known: ArrayView2<'_, f32>,
    ) -> Result<Clamp, Error> {
        if cases.ncols() != units {
            let (given, allowed) = (cases.ncols(), format!("the model has {}", units));
            return Err(Error::setting("columns of the cases", given, &allowed));
        }
        if known.ncols() != cases.ncols() || (known.nrows() != 1 && known.nrows() != cases.nrows()) {
            let allowed = format!("it must be 1×{1} or {0}×{1}", cases.nrows(), cases.ncols());
            return Err(Error::setting(
                "shape of the mask",
                format!("{}×{}", known.nrows(), known.ncols()),
                &allowed,
            ));
        }
        if let Some(value) = known.iter().find(|value| **value != 0.0 && **value != 1.0) {
            return Err(Error::setting(
                "value in the mask",
                value,
                "it must be 1 for known and 0 for unknown units",
            ));
        }
        let (cases, known) = (device.tensor(cases), device.tensor(known));
        let mut clamped = device.zeros(cases.rows(), cases.columns());
        clamped.assign(x(&cases) * &known);
        let mut unknown = known;
        unknown.assign(1.0 - OLD);
        Ok(Clamp { known: clamped, unknown })
    }

    /// Gives known units their values back.
    pub(crate) fn apply(&self, states: &mut Tensor) {
        states.assign(x(&self.known) + OLD * &self.unknown);
    }
}

/// Chains of which some visible units are clamped: their unknown units, and those of all other layers, move to
/// p(v_unknown, h | v_known).
///
/// A sweep draws the odd layers given the even ones and then the even ones, so that what is needed between sweeps are the
/// even layers: these are the [`Parameters`], `layer0`, `layer2`, … .
#[derive(Debug)]
pub struct Completion {
    clamp: Clamp,
    /// The states of all layers, cases × units of each.
    states: Vec<Tensor>,
}

impl Completion {
    /// Chains for these cases; `known` is 1 for units that stay and 0 for units to fill in, one row for all cases or a
    /// row for each. Unknown units and those of other layers start at 0.
    ///
    /// # Errors
    /// If the mask does not fit the cases, the cases do not fit the model, or the mask holds anything but 0 and 1.
    pub fn new(
        model: &dyn EnergyModel,
        cases: ArrayView2<'_, f32>,
        known: ArrayView2<'_, f32>,
    ) -> Result<Completion, Error> {
        let at = model.layered();
        let clamp = Clamp::new(at.device(), at.layers[0].len(), cases, known)?;
        let mut states = at.room(cases.nrows());
        states[0].assign(&clamp.known);
        Ok(Completion { clamp, states })
    }

    /// Gives unknown units other states to start from, cases × visible.
    pub fn start_from(&mut self, states: &Tensor) {
        self.states[0].assign(states);
        self.clamp.apply(&mut self.states[0]);
    }

    /// Moves the chains by this many clamped Gibbs sweeps. Waits for nothing.
    pub fn gibbs(&mut self, model: &dyn EnergyModel, sweeps: u64, key: Key) {
        let at = model.layered();
        for sweep in 0..sweeps {
            let key = key.fold_in(sweep);
            for layer in at.half(1).chain(at.half(0)) {
                // A number of its own for each layer, counted from those that are drawn first.
                at.sample(layer, &mut self.states, key.fold_in((layer ^ 1) as u64));
            }
            self.clamp.apply(&mut self.states[0]);
        }
    }

    /// Known units as they are and the means of unknown ones, given hidden states drawn around those of the last sweep:
    /// smoother to look at than states. Waits for nothing.
    pub fn means(&mut self, model: &dyn EnergyModel, key: Key) -> Tensor {
        let at = model.layered();
        at.sample(1, &mut self.states, key);
        let mut out = at.device().zeros(self.states[0].rows(), self.states[0].columns());
        at.with_input(0, None, Some(&self.states[1]), |input| at.layers[0].mean(input, out.view_mut()));
        self.clamp.apply(&mut out);
        out
    }

    /// out (cases × 1) = log p(unknown units of `truth` | hidden states of the last sweep), Σ over unknown units of
    /// v·x − E(v) − K(x). Waits for nothing.
    ///
    /// # Errors
    /// For visible units whose cumulant is no formula, or whose statistic is not their state.
    pub fn log_probability_of_unknown(
        &self,
        model: &dyn EnergyModel,
        truth: &Tensor,
        mut out: ViewMut<'_>,
    ) -> Result<(), Error> {
        let (at, grid) = (model.layered(), [truth.rows(), truth.columns()]);
        let units = at.layers[0];
        let [mut input, mut unknown] = [0, 1].map(|_| at.device().zeros(grid[0], grid[1]));
        unknown.assign(x(truth) * &self.clamp.unknown);
        at.with_input(0, None, Some(&self.states[1]), |sum: &Sum<'_>| sum.store(input.view_mut(), ACC));
        let Some(cumulant) = units.cumulant_formula(x(&input)).filter(|_| units.plain_statistic()) else {
            let rule = "log-probabilities of a part are for units that are independent of each other, such as binary ones";
            return Err(Error::setting("visible units", units.kind(), rule));
        };
        let of_units = x(&unknown) * &input - cumulant * &self.clamp.unknown;
        out.reborrow().reduce(grid, Over::Columns, Reduction::Sum, of_units, ACC);
        units.energy(unknown.view(), -1.0, 1.0, out);
        Ok(())
    }

    /// The visible states, cases × visible.
    pub fn chains(&self) -> &Tensor {
        &self.states[0]
    }

    /// The states of all layers, cases × units of each.
    pub fn states(&self) -> &[Tensor] {
        &self.states
    }
}

impl Parameters for Completion {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (layer, states) in self.states.iter().enumerate().step_by(2) {
            see(&format!("layer{layer}"), states);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (layer, states) in self.states.iter_mut().enumerate().step_by(2) {
            see(&format!("layer{layer}"), states);
        }
    }
}
