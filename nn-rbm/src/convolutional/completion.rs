//! Filling in what was not seen, by a stack of convolutional machines.

use super::ConvolutionalDbn;
use crate::completion::Clamp;
use ndarray::ArrayView2;
use nn_core::{Error, Key, Tensor};

/// Chains of a [`ConvolutionalDbn`] of which some pixels are clamped.
#[derive(Debug)]
pub struct StackCompletion {
    clamp: Clamp,
    /// Layers that take part, the visible one among them.
    layers: usize,
    states: Vec<Tensor>,
}

impl StackCompletion {
    /// Chains for these cases; `known` is 1 for pixels that stay and 0 for pixels to fill in, one row for all cases or a row
    /// for each. Unknown pixels start at 0, hidden units from below. Of the machines the lowest `machines` take part: with
    /// one, nothing comes from above.
    ///
    /// # Errors
    /// If the mask does not fit the cases, the cases do not fit the model, the mask holds anything but 0 and 1, or there are
    /// not so many machines.
    pub fn new(
        dbn: &ConvolutionalDbn,
        machines: usize,
        cases: ArrayView2<'_, f32>,
        known: ArrayView2<'_, f32>,
        key: Key,
    ) -> Result<StackCompletion, Error> {
        if machines == 0 || machines > dbn.layers().len() {
            let allowed = format!("the stack has {}", dbn.layers().len());
            return Err(Error::setting("machines that fill in", machines, &allowed));
        }
        let bottom = &dbn.layers()[0];
        let clamp = Clamp::new(bottom.device(), bottom.geometry().image_len(), cases, known)?;
        let states = dbn.states(clamp.known.duplicate(), key);
        Ok(StackCompletion { clamp, layers: machines + 1, states })
    }

    /// Gives unknown pixels and hidden units other states to start from.
    pub fn start_from(&mut self, states: &[Tensor]) {
        self.states.iter_mut().zip(states).for_each(|(own, other)| own.assign(other));
        self.clamp.apply(&mut self.states[0]);
    }

    /// Moves the chains by this many sweeps over the whole stack, known pixels clamped.
    pub fn gibbs(&mut self, dbn: &ConvolutionalDbn, sweeps: u64, key: Key) {
        let (at, among) = (dbn.distributions(), 0..self.layers);
        for sweep in 0..sweeps {
            let key = key.fold_in(sweep);
            dbn.sample_half(&at, 0, &among, &mut self.states, key);
            self.clamp.apply(&mut self.states[0]);
            dbn.sample_half(&at, 1, &among, &mut self.states, key);
        }
    }

    /// Known pixels as they are and the means of unknown ones, given the first hidden layer.
    pub fn means(&self, dbn: &ConvolutionalDbn) -> Tensor {
        let mut out = dbn.mean_visible(&self.states);
        self.clamp.apply(&mut out);
        out
    }

    /// The states of all layers.
    pub fn states(&self) -> &[Tensor] {
        &self.states
    }
}
