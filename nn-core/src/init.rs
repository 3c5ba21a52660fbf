//! First values of weights.

use crate::{Device, Error, Key, Tensor};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Normal with mean 0 and this standard deviation: the usual start of an RBM (0.01).
pub fn normal(device: &Device, rows: usize, columns: usize, deviation: f64, key: Key) -> Tensor {
    let draw = |(i, j)| deviation * key.normal((i * columns + j) as u64);
    device.tensor_f64(&Array2::from_shape_fn((rows, columns), draw))
}

/// A distribution of first values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Initialization {
    /// All 0.
    Zeros,
    /// Normal with mean 0.
    Normal {
        /// The standard deviation.
        deviation: f64,
    },
    /// Uniform between −bound and bound.
    Uniform {
        /// The largest magnitude.
        bound: f64,
    },
    /// Uniform with variance gain² · 2 / (inputs + outputs) (Glorot and Bengio, 2010); gain 4 for logistic units.
    GlorotUniform {
        /// 1 for tanh units.
        gain: f64,
    },
    /// Normal with variance gain² · 2 / (inputs + outputs).
    GlorotNormal {
        /// 1 for tanh units.
        gain: f64,
    },
    /// As many normal weights into each unit, the others 0 (Martens, 2010).
    Sparse {
        /// Weights into a unit that are not 0.
        incoming: usize,
        /// Their standard deviation.
        deviation: f64,
    },
}

impl Default for Initialization {
    /// Glorot's uniform distribution with gain 1.
    fn default() -> Self {
        Initialization::GlorotUniform { gain: 1.0 }
    }
}

impl Initialization {
    /// Weights inputs × outputs of a dense layer.
    ///
    /// # Errors
    /// As [`Initialization::tensor`].
    pub fn dense(self, device: &Device, inputs: usize, outputs: usize, key: Key) -> Result<Tensor, Error> {
        self.tensor(device, [inputs, outputs], [inputs, outputs], key)
    }

    /// Weights rows × columns, a column for each unit, where a unit has `fans[0]` inputs and an input goes into
    /// `fans[1]` units: of a convolution, patch length and maps · kernel area. Waits for nothing.
    ///
    /// # Errors
    /// [`Error::Setting`] for a number that is negative or not finite, or more incoming weights than rows.
    pub fn tensor(
        self,
        device: &Device,
        [rows, columns]: [usize; 2],
        fans: [usize; 2],
        key: Key,
    ) -> Result<Tensor, Error> {
        let glorot = |gain: f64| gain * (2.0 / (fans[0] + fans[1]) as f64).sqrt();
        let index = |i: usize, j: usize| (i * columns + j) as u64;
        let uniform = |bound: f64| {
            let draw = |(i, j)| bound * (2.0 * f64::from(key.uniform(index(i, j))) - 1.0);
            device.tensor_f64(&Array2::from_shape_fn((rows, columns), draw))
        };
        let check = |name: &str, value: f64| {
            let fits = (0.0..f64::INFINITY).contains(&value);
            if fits {
                Ok(value)
            } else {
                Err(Error::setting(name, value, "it must be 0 or above, and finite"))
            }
        };
        Ok(match self {
            Initialization::Zeros => device.zeros(rows, columns),
            Initialization::Normal { deviation } => {
                normal(device, rows, columns, check("deviation of the first weights", deviation)?, key)
            }
            Initialization::Uniform { bound } => uniform(check("bound of the first weights", bound)?),
            Initialization::GlorotUniform { gain } => {
                uniform(3f64.sqrt() * glorot(check("gain of the first weights", gain)?))
            }
            Initialization::GlorotNormal { gain } => {
                normal(device, rows, columns, glorot(check("gain of the first weights", gain)?), key)
            }
            Initialization::Sparse { incoming, deviation } => {
                let deviation = check("deviation of the first weights", deviation)?;
                if incoming == 0 || incoming > rows {
                    let allowed = format!("it must lie between 1 and the {rows} inputs of a unit");
                    return Err(Error::setting("incoming first weights", incoming, &allowed));
                }
                let mut weights = Array2::zeros((rows, columns));
                for j in 0..columns {
                    for i in chosen(rows, incoming, key.fold_in(j as u64)) {
                        weights[[i, j]] = deviation * key.normal(index(i, j));
                    }
                }
                device.tensor_f64(&weights)
            }
        })
    }
}

/// So many different numbers below `rows`, drawn with `key`: those with the smallest draws.
fn chosen(rows: usize, count: usize, key: Key) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|&a, &b| key.uniform(a as u64).total_cmp(&key.uniform(b as u64)));
    order.truncate(count);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(initialization: Initialization) -> Array2<f64> {
        let device = Device::reference();
        initialization.dense(&device, 300, 200, Key::new(1)).unwrap().to_array_f64().unwrap()
    }

    /// Variances, which of n draws lie within 5 · √(2/n) of the stated ones for the normal distribution.
    #[test]
    fn variances_are_as_stated() {
        for (initialization, variance) in [
            (Initialization::Zeros, 0.0),
            (Initialization::Normal { deviation: 0.1 }, 0.01),
            (Initialization::Uniform { bound: 0.3 }, 0.03),
            (Initialization::GlorotUniform { gain: 1.0 }, 2.0 / 500.0),
            (Initialization::GlorotNormal { gain: 4.0 }, 16.0 * 2.0 / 500.0),
            (Initialization::Sparse { incoming: 30, deviation: 0.5 }, 0.25 * 0.1),
        ] {
            let found = values(initialization).mapv(|w| w * w).mean().unwrap();
            let tolerance = if let Initialization::Sparse { .. } = initialization { 0.1 } else { 0.03 };
            assert!(
                (found - variance).abs() <= tolerance * variance,
                "{initialization:?}: {found} {variance}"
            );
        }
    }

    #[test]
    fn sparse_units_have_as_many_inputs_as_asked_for() {
        let weights = values(Initialization::Sparse { incoming: 15, deviation: 1.0 });
        assert!(weights.columns().into_iter().all(|unit| unit.iter().filter(|w| **w != 0.0).count() == 15));
        assert_ne!(weights.column(0).mapv(|w| w != 0.0), weights.column(1).mapv(|w| w != 0.0));
    }

    #[test]
    fn impossible_settings_are_refused_by_name() {
        let message = |initialization: Initialization| {
            initialization.dense(&Device::cpu(), 3, 2, Key::new(1)).unwrap_err().to_string()
        };
        let sparse = message(Initialization::Sparse { incoming: 4, deviation: 1.0 });
        assert_eq!(
            sparse,
            "incoming first weights is 4, but it must lie between 1 and the 3 inputs of a unit"
        );
        assert!(
            message(Initialization::Normal { deviation: -1.0 }).starts_with("deviation of the first weights")
        );
        assert!(message(Initialization::GlorotUniform { gain: f64::NAN }).starts_with("gain"));
    }
}
