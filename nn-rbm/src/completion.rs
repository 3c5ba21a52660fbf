//! Filling in what was not seen.

use crate::Rbm;
use ndarray::ArrayView2;
use nn_core::{Error, Key, OLD, Tensor, x};

/// Chains of which some visible units are clamped: their unknown units move to p(v_unknown | v_known).
#[derive(Debug)]
pub struct Completion {
    /// Known units as they are, zeros elsewhere, cases × visible.
    clamped: Tensor,
    /// 1 for unknown units, cases × visible or 1 × visible.
    unknown: Tensor,
    /// The states, cases × visible.
    chains: Tensor,
    hidden: Tensor,
}

impl Completion {
    /// Chains for these cases; `known` is 1 for units that stay and 0 for units to fill in, one row for all cases or a
    /// row for each. Unknown units start at 0.
    ///
    /// # Errors
    /// If the mask does not fit the cases, the cases do not fit the model, or the mask holds anything but 0 and 1.
    pub fn new(
        rbm: &Rbm,
        cases: ArrayView2<'_, f32>,
        known: ArrayView2<'_, f32>,
    ) -> Result<Completion, Error> {
        if cases.ncols() != rbm.visible.len() {
            let (given, allowed) = (cases.ncols(), format!("the model has {}", rbm.visible.len()));
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
        let device = rbm.device();
        let (cases, known) = (device.tensor(cases), device.tensor(known));
        let mut clamped = device.zeros(cases.rows(), cases.columns());
        clamped.assign(x(&cases) * &known);
        let mut unknown = known;
        unknown.assign(1.0 - OLD);
        let (chains, hidden) = (clamped.duplicate(), device.zeros(cases.rows(), rbm.hidden.len()));
        Ok(Completion { clamped, unknown, chains, hidden })
    }

    /// Gives unknown units other states to start from, cases × visible.
    pub fn start_from(&mut self, states: &Tensor) {
        self.chains.assign(x(&self.clamped) + x(states) * &self.unknown);
    }

    /// Moves the chains by this many clamped Gibbs sweeps.
    pub fn gibbs(&mut self, rbm: &Rbm, sweeps: u64, key: Key) {
        for sweep in 0..sweeps {
            rbm.distribution().sweep(&mut self.chains, &mut self.hidden, key.fold_in(sweep));
            self.clamp();
        }
    }

    /// Known units as they are and the means of unknown ones, given the hidden states of the last sweep: smoother to
    /// look at than states.
    pub fn means(&mut self, rbm: &Rbm, key: Key) -> Tensor {
        rbm.distribution().sample_hidden(&self.chains, key, &mut self.hidden);
        let mut out = rbm.mean_visible(&self.hidden);
        out.assign(x(&self.clamped) + OLD * &self.unknown);
        out
    }

    /// The states, cases × visible.
    pub fn chains(&self) -> &Tensor {
        &self.chains
    }

    fn clamp(&mut self) {
        self.chains.assign(x(&self.clamped) + OLD * &self.unknown);
    }
}
