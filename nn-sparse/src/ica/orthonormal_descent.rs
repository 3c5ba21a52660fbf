//! Gradient descent over filters that stay orthonormal.

use ndarray::{Array2, arr2};
use nn_core::{ACC, Device, Error, Key, Over, Parameters, Reduction, Tensor, x};

use super::orthonormal::Orthonormalizer;
use crate::objective::{Objective, check_inputs};

/// Minimises an objective over W with orthonormal rows (the method of Hyvärinen, Hurri and Hoyer, "Natural Image Statistics",
/// 2009, for topographic and subspace ICA).
///
/// A step takes from the gradient G what would only turn rows into each other's lengths, G ← G − W·Gᵀ·W, tries
/// W − μ·G, made orthonormal, for μ times 3/4, 1 and 4/3, keeps the best of them and its rate. If none is better than W, the
/// rate is halved until one is: the objective never rises, which the book does not ask for. Costs one evaluation with and
/// three without gradient. What has to be kept for a resumed run are weights and rate.
#[derive(Debug)]
pub struct OrthonormalDescent {
    weights: Tensor,
    /// μ, 1 × 1: what a step rounds is what a resumed run reads.
    rate: Tensor,
    gradient: Tensor,
    turning: Tensor,
    projected: Tensor,
    candidate: Tensor,
    best: Tensor,
    squares: Tensor,
    orthonormalizer: Orthonormalizer,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrthonormalStep {
    /// The objective after the step.
    pub value: f64,
    /// ‖G‖, the length of the projected gradient before the step.
    pub gradient: f64,
    /// μ after the step.
    pub rate: f64,
    /// Whether no rate improved the objective: W is as good as its precision allows.
    pub stalled: bool,
}

/// What is tried, as shares of the rate.
const CANDIDATES: [f64; 3] = [0.75, 1.0, 4.0 / 3.0];
/// How often the rate is halved before a step is given up.
const HALVINGS: usize = 20;

impl OrthonormalDescent {
    /// From random orthonormal filters, with μ = 1.
    ///
    /// # Errors
    ///
    /// If the device failed.
    pub fn new(objective: &dyn Objective, key: Key) -> Result<Self, Error> {
        let [units, values] = objective.shape();
        let device = objective.device();
        let mut weights = random_weights(device, [units, values], key);
        let mut orthonormalizer = Orthonormalizer::of(&weights);
        orthonormalizer.apply(&mut weights)?;
        let room = || device.zeros(units, values);
        Ok(Self {
            weights,
            rate: device.full(1, 1, 1.0),
            gradient: room(),
            turning: device.zeros(units, units),
            projected: room(),
            candidate: room(),
            best: room(),
            squares: device.zeros(units, 1),
            orthonormalizer,
        })
    }

    /// W, units × values, with orthonormal rows.
    pub fn weights(&self) -> &Tensor {
        &self.weights
    }

    /// One step on these cases, which have to be the same at every step.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for cases that do not fit, [`Error::NonFinite`] if the objective is no number, a device failure.
    pub fn step(&mut self, objective: &mut dyn Objective, inputs: &Tensor) -> Result<OrthonormalStep, Error> {
        let (units, values) = (self.weights.rows(), self.weights.columns());
        check_inputs(inputs, values)?;
        let before = objective.evaluate(&self.weights, inputs, Some(&mut self.gradient)).read()?;
        if !before.is_finite() {
            let tensor = "the objective".to_string();
            return Err(Error::NonFinite { step: 0, tensor, count: 1, largest: f64::NAN });
        }
        self.turning.product(self.weights.dot(self.gradient.t()), ACC);
        self.projected.product(self.turning.dot(&self.weights), x(&self.gradient) - ACC);
        let square = x(&self.projected).square();
        self.squares.reduce([units, values], Over::Columns, Reduction::Sum, square, ACC);
        let gradient = self.squares.to_array_f64()?.sum().sqrt();
        let mut rate = self.rate.to_array_f64()?[[0, 0]];
        for halving in 0..=HALVINGS {
            let (mut best, mut best_rate) = (f64::INFINITY, rate);
            for share in CANDIDATES {
                let moved = x(&self.weights) - x(&self.projected) * (share * rate);
                self.candidate.assign(moved);
                self.orthonormalizer.apply(&mut self.candidate)?;
                let found = objective.evaluate(&self.candidate, inputs, None).read()?;
                if found < best {
                    (best, best_rate) = (found, share * rate);
                    std::mem::swap(&mut self.candidate, &mut self.best);
                }
            }
            if best < before {
                std::mem::swap(&mut self.weights, &mut self.best);
                self.set_rate(best_rate);
                return Ok(OrthonormalStep { value: best, gradient, rate: best_rate, stalled: false });
            }
            if halving < HALVINGS {
                rate *= 0.5;
            }
        }
        Ok(OrthonormalStep { value: before, gradient, rate, stalled: true })
    }

    fn set_rate(&mut self, rate: f64) {
        self.rate.view_mut().write_f64(arr2(&[[rate]]).view());
    }
}

/// A matrix of standard normal draws.
pub(crate) fn random_weights(device: &Device, [rows, columns]: [usize; 2], key: Key) -> Tensor {
    device.tensor_f64(&Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64)))
}

impl Parameters for OrthonormalDescent {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
        see("rate", &self.rate);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
        see("rate", &mut self.rate);
    }
}
