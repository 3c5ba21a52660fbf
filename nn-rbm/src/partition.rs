//! log Z by enumeration.

use crate::{EnergyModel, units::Units};
use ndarray::Array2;
use nn_core::{Device, Error, Tensor};

/// States that are enumerated at once.
const CHUNK: u64 = 1 << 12;

/// Largest number of states that [`log_partition`] enumerates: 2²⁵ take minutes.
pub const LARGEST_ENUMERATION: u64 = 1 << 25;

/// log Z, exactly: all states of every second layer are enumerated, of the even or the odd ones, whichever are fewer; the
/// others are summed by their cumulant generating functions. The logarithm of the sum is taken in a stream, in double
/// precision.
///
/// # Errors
/// If neither half of the layers is discrete with at most 2²⁵ states, or the device failed.
pub fn log_partition(model: &dyn EnergyModel) -> Result<f64, Error> {
    let at = model.layered();
    let counts = [0, 1].map(|half| {
        let count = |layer: usize| at.layers[layer].states();
        at.half(half).try_fold(1u64, |product, layer| product.checked_mul(count(layer)?)).unwrap_or(u64::MAX)
    });
    let half = usize::from(counts[1] <= counts[0]);
    if counts[half] > LARGEST_ENUMERATION {
        let units = |half| at.half(half).map(|layer| at.layers[layer].len().to_string()).collect::<Vec<_>>();
        let [even, odd] = [units(0), units(1)].map(|units| units.join(" + "));
        let rule = "half of the layers must be discrete with at most 2^25 states; estimate with ais instead";
        return Err(Error::setting("layers to enumerate", format!("{even} or {odd} units"), rule));
    }
    let mut sum = LogSumExp::default();
    for first in (0..counts[half]).step_by(CHUNK as usize) {
        let rows = CHUNK.min(counts[half] - first);
        // The states of the first layer run fastest.
        let (mut states, mut divisor) = (at.room(rows as usize), 1);
        for layer in at.half(half) {
            let units = at.layers[layer];
            states[layer] = write_states(units, at.device(), rows, |row| (first + row) / divisor);
            divisor *= units.states().unwrap_or(1);
        }
        let mut energies = at.device().zeros(rows as usize, 1);
        at.free_energy(half, &states, &mut energies);
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
        Some(states) if states <= largest => Ok(write_states(units, device, states, |row| row)),
        Some(states) => {
            let allowed = format!("at most {largest} can be listed");
            Err(Error::setting("number of states", states, &allowed))
        }
        None => Err(Error::setting("units", units.kind(), "only discrete units have states to list")),
    }
}

/// For each row the state of this number, modulo the number of states.
fn write_states(units: &dyn Units, device: &Device, rows: u64, number: impl Fn(u64) -> u64) -> Tensor {
    let count = units.states().unwrap_or(1);
    let mut states = Array2::<f32>::zeros((rows as usize, units.len()));
    for (row, mut state) in states.rows_mut().into_iter().enumerate() {
        if let Some(state) = state.as_slice_mut() {
            units.write_state(number(row as u64) % count, state);
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
