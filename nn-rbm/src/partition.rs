//! log Z by enumeration.

use crate::{Rbm, units::Units};
use ndarray::Array2;
use nn_core::{Device, Error, Tensor};

/// States that are enumerated at once.
const CHUNK: u64 = 1 << 12;

/// Largest number of states that [`log_partition`] enumerates: 2²⁵ take minutes.
pub const LARGEST_ENUMERATION: u64 = 1 << 25;

/// log Z, exactly: all states of the smaller discrete layer are enumerated, the other layer is summed by its cumulant
/// generating function. The logarithm of the sum is taken in a stream, in double precision.
///
/// # Errors
/// If neither layer is discrete with at most 2²⁵ states, or the device failed.
pub fn log_partition(rbm: &Rbm) -> Result<f64, Error> {
    let counts = [rbm.visible.states(), rbm.hidden.states()].map(|count| count.unwrap_or(u64::MAX));
    let visible = counts[0] < counts[1];
    let states = counts[0].min(counts[1]);
    if states > LARGEST_ENUMERATION {
        let given = format!("{} visible and {} hidden units", rbm.visible.len(), rbm.hidden.len());
        let rule = "the smaller layer must be discrete with at most 2^25 states; estimate with ais instead";
        return Err(Error::setting("layers to enumerate", given, rule));
    }
    let units = if visible { &*rbm.visible } else { &*rbm.hidden };
    let mut sum = LogSumExp::default();
    for first in (0..states).step_by(CHUNK as usize) {
        let rows = CHUNK.min(states - first);
        let chunk = write_states(units, rbm.device(), first, rows);
        let mut energies = rbm.device().zeros(rows as usize, 1);
        if visible {
            rbm.distribution().free_energy(&chunk, &mut energies);
        } else {
            rbm.distribution().free_energy_of_hidden(&chunk, &mut energies);
        }
        energies.to_array_f64()?.iter().for_each(|energy| sum.add(-energy));
    }
    Ok(sum.value())
}

/// All states of a discrete layer, states × units.
///
/// # Errors
/// If there are more than `largest`, or the layer is not discrete.
pub fn all_states(units: &dyn Units, device: &Device, largest: u64) -> Result<Tensor, Error> {
    match units.states() {
        Some(states) if states <= largest => Ok(write_states(units, device, 0, states)),
        Some(states) => {
            let allowed = format!("at most {largest} can be listed");
            Err(Error::setting("number of states", states, &allowed))
        }
        None => Err(Error::setting("units", units.kind(), "only discrete units have states to list")),
    }
}

fn write_states(units: &dyn Units, device: &Device, first: u64, rows: u64) -> Tensor {
    let mut states = Array2::<f32>::zeros((rows as usize, units.len()));
    for (row, mut state) in states.rows_mut().into_iter().enumerate() {
        if let Some(state) = state.as_slice_mut() {
            units.write_state(first + row as u64, state);
        }
    }
    device.tensor(&states)
}

/// log Σ e^x of a stream of x, without overflow.
#[derive(Clone, Copy, Debug)]
pub struct LogSumExp {
    max: f64,
    sum: f64,
}

impl Default for LogSumExp {
    fn default() -> Self {
        LogSumExp { max: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSumExp {
    /// Takes in one x.
    pub fn add(&mut self, x: f64) {
        if x > self.max {
            self.sum = self.sum * (self.max - x).exp() + 1.0;
            self.max = x;
        } else if x.is_nan() {
            self.sum = f64::NAN;
        } else if x > f64::NEG_INFINITY {
            self.sum += (x - self.max).exp();
        }
    }

    /// log Σ e^x of what was taken in; −∞ of nothing.
    pub fn value(&self) -> f64 {
        self.max + self.sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_does_not_overflow() {
        let mut sum = LogSumExp::default();
        assert_eq!(sum.value(), f64::NEG_INFINITY);
        [1000.0, 1000.0, -1e9, 1001.0].into_iter().for_each(|x| sum.add(x));
        assert!((sum.value() - (1001.0 + (1.0 + 2.0 * (-1.0f64).exp()).ln())).abs() < 1e-12);
    }
}
