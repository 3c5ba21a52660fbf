//! Independent components by a fixed point.

use ndarray::Array2;
use nn_core::{ACC, Device, Error, Key, OLD, Parameters, Tensor, x};

use super::orthonormal::Orthonormalizer;
use super::orthonormal_descent::random_weights;
use crate::objective::check_inputs;

/// FastICA with the symmetric orthonormalisation and the contrast log cosh (Hyvärinen, "Fast and robust fixed-point algorithms
/// for independent component analysis", 1999): a step on white cases z is
///
/// W ← E[tanh(Wz)·zᵀ] − diag(E[1 − tanh²(Wz)])·W, then W ← (W·Wᵀ)^−½·W.
///
/// A row may change its sign at a step, which means nothing. Costs two products of cases × units × values. What has to be kept
/// for a resumed run are the weights.
#[derive(Debug)]
pub struct FastIca {
    weights: Tensor,
    moved: Tensor,
    /// E[1 − tanh²], units × 1.
    slopes: Tensor,
    turned: Tensor,
    orthonormalizer: Orthonormalizer,
    room: Option<Room>,
}

/// What depends on the number of cases.
#[derive(Debug)]
struct Room {
    /// tanh(Wz), cases × units.
    outputs: Tensor,
    /// 1 − tanh², cases × units.
    slopes: Tensor,
    /// Ones, cases × 1.
    ones: Tensor,
}

impl FastIca {
    /// From random orthonormal filters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless there is a unit and at most one a value; if the device failed.
    pub fn new(device: &Device, units: usize, values: usize, key: Key) -> Result<Self, Error> {
        if units == 0 || units > values {
            return Err(Error::setting(
                "number of units",
                units,
                &format!("it must lie between 1 and the {values} values"),
            ));
        }
        let mut weights = random_weights(device, [units, values], key);
        let mut orthonormalizer = Orthonormalizer::of(&weights);
        orthonormalizer.apply(&mut weights)?;
        Ok(Self {
            moved: weights.duplicate(),
            weights,
            slopes: device.zeros(units, 1),
            turned: device.zeros(units, units),
            orthonormalizer,
            room: None,
        })
    }

    /// W, units × values, with orthonormal rows.
    pub fn weights(&self) -> &Tensor {
        &self.weights
    }

    /// One step on white cases. Returns max over rows of 1 − |w⁺·w|: below 10⁻⁴ it has converged. Waits for the device.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for cases that do not fit or are not finite, a device failure.
    pub fn step(&mut self, inputs: &Tensor) -> Result<f64, Error> {
        let (units, values, cases) = (self.weights.rows(), self.weights.columns(), inputs.rows());
        check_inputs(inputs, values)?;
        let device = inputs.device();
        if self.room.as_ref().is_none_or(|room| room.outputs.rows() != cases) {
            let [outputs, slopes] = [(); 2].map(|()| device.zeros(cases, units));
            self.room = Some(Room { outputs, slopes, ones: device.full(cases, 1, 1.0) });
        }
        let Self { weights, moved, slopes, turned, orthonormalizer, room: Some(room) } = self else {
            return Ok(0.0);
        };
        let mean = 1.0 / cases as f64;
        room.outputs.product(inputs.dot(weights.t()), ACC.tanh());
        room.slopes.assign(1.0 - x(&room.outputs).square());
        slopes.product(room.slopes.t().dot(&room.ones), ACC * mean);
        moved.assign(x(&*weights) * &*slopes);
        moved.product(room.outputs.t().dot(inputs), ACC * mean - OLD);
        orthonormalizer.apply(moved)?;
        turned.product(moved.dot(weights.t()), ACC);
        let turned: Array2<f64> = turned.to_array_f64()?;
        std::mem::swap(weights, moved);
        Ok(turned.diag().iter().fold(0.0f64, |worst, cosine| worst.max(1.0 - cosine.abs())))
    }
}

impl Parameters for FastIca {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
    }
}
