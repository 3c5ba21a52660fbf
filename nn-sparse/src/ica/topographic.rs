//! The objective of topographic and subspace ICA.

use nn_core::{Device, Error, Tensor};

use crate::neighborhood::Neighborhood;
use crate::objective::{Objective, Value};
use crate::pooled_energy::PooledEnergy;

/// Minus the log-likelihood, but for constants, of white cases x under independent energies (Hyvärinen, Hoyer and Inki,
/// "Topographic independent component analysis", 2001):
///
/// f(W) = mean of Σ_i √(ε + Σ_j H_ij y_j²), y = W·x,
///
/// which is to be minimised over W with orthonormal rows, by [`OrthonormalDescent`](crate::OrthonormalDescent). With
/// [subspaces](Neighborhood::subspaces) it is independent subspace analysis, with [units alone](Neighborhood::alone) ICA with
/// the smoothed density of Laplace, with a [grid](Neighborhood::grid) a map on which units that are active together are
/// neighbours.
#[derive(Debug)]
pub struct TopographicIca {
    shape: [usize; 2],
    device: Device,
    energy: PooledEnergy,
}

impl TopographicIca {
    /// The ε of the literature, for cases of variance 1.
    pub const EPSILON: f64 = 0.1;

    /// For cases of so many values.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless ε > 0 and there are at least as many values as units: more rows cannot be orthonormal.
    pub fn new(
        device: &Device,
        neighborhood: &Neighborhood,
        values: usize,
        epsilon: f64,
    ) -> Result<Self, Error> {
        check_epsilon(epsilon)?;
        let units = neighborhood.units();
        if units > values {
            let allowed = format!(
                "filters of {values} values that are orthonormal are at most {values}; reconstruction ICA takes more"
            );
            return Err(Error::setting("number of units", units, &allowed));
        }
        let energy = PooledEnergy::new(device, neighborhood, epsilon, 1.0);
        Ok(Self { shape: [units, values], device: device.clone(), energy })
    }
}

impl Objective for TopographicIca {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn evaluate(&mut self, weights: &Tensor, inputs: &Tensor, gradient: Option<&mut Tensor>) -> Value<'_> {
        self.energy.evaluate(weights, inputs, gradient);
        Value::sum_of(vec![self.energy.value()])
    }
}

/// Refuses an ε with which the root has no slope at 0.
pub(crate) fn check_epsilon(epsilon: f64) -> Result<(), Error> {
    if epsilon > 0.0 && epsilon.is_finite() {
        return Ok(());
    }
    Err(Error::setting("ε under the root", epsilon, "it must be a positive number"))
}
