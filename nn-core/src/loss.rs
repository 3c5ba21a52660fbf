//! What a network is trained to make small.

use crate::{ACC, Device, Error, Expr, Over, Reduction, Tensor, View, ViewMut, x};
use serde::{Deserialize, Serialize};

/// L, the mean over cases of the loss of a case, in nats where it is a negative log-probability.
///
/// A loss stands right after the outputs a of the last layer and holds the function that makes predictions y of them, so
/// that both are differentiated together: the gradient is (y − t) / cases for each of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// −Σ t·log y with y = softmax(a); the targets of a case are probabilities that sum to 1, mostly one-hot.
    CrossEntropy,
    /// −Σ (t·log y + (1 − t)·log(1 − y)) with y = σ(a); each target is a probability of its own.
    BinaryCrossEntropy,
    /// ½·Σ (y − t)² with y = a.
    SquaredError,
}

impl Loss {
    /// Memory that a loss needs for so many cases: for the softmax, the largest output and log Σ eᵃ of each.
    pub fn scratch(self, device: &Device, cases: usize) -> Vec<Tensor> {
        match self {
            Loss::CrossEntropy => vec![device.zeros(cases, 1), device.zeros(cases, 1)],
            Loss::BinaryCrossEntropy | Loss::SquaredError => Vec::new(),
        }
    }

    /// Computes what the formulas need beside the outputs (cases × outputs).
    pub fn prepare(self, outputs: View<'_>, scratch: &mut [Tensor]) {
        if let (Loss::CrossEntropy, [largest, log_sum]) = (self, scratch) {
            let grid = [outputs.rows(), outputs.columns()];
            largest.reduce(grid, Over::Columns, Reduction::Max, outputs, ACC);
            let shifted = (x(outputs) - &*largest).exp();
            log_sum.reduce(grid, Over::Columns, Reduction::Sum, shifted, ACC.log() + &*largest);
        }
    }

    /// y, after [`prepare`](Loss::prepare).
    pub fn predictions<'a>(self, outputs: View<'a>, scratch: &'a [Tensor]) -> Expr<'a> {
        match self {
            Loss::CrossEntropy => (x(outputs) - &scratch[1]).exp(),
            Loss::BinaryCrossEntropy => x(outputs).logistic(),
            Loss::SquaredError => x(outputs),
        }
    }

    /// y − t, after [`prepare`](Loss::prepare).
    pub fn difference<'a>(self, outputs: View<'a>, targets: View<'a>, scratch: &'a [Tensor]) -> Expr<'a> {
        self.predictions(outputs, scratch) - targets
    }

    /// ∂L/∂a = (y − t) / cases, after [`prepare`](Loss::prepare).
    pub fn gradient<'a>(self, outputs: View<'a>, targets: View<'a>, scratch: &'a [Tensor]) -> Expr<'a> {
        self.difference(outputs, targets, scratch) * (1.0 / outputs.rows() as f64)
    }

    /// out (cases × 1) = the loss of each case, after [`prepare`](Loss::prepare).
    pub fn of_cases(self, outputs: View<'_>, targets: View<'_>, scratch: &[Tensor], out: ViewMut<'_>) {
        let grid = [outputs.rows(), outputs.columns()];
        let formula = match self {
            Loss::CrossEntropy => x(targets) * (x(&scratch[1]) - outputs),
            Loss::BinaryCrossEntropy => x(outputs).softplus() - x(targets) * outputs,
            Loss::SquaredError => (x(outputs) - targets).square() * 0.5,
        };
        out.reduce(grid, Over::Columns, Reduction::Sum, formula, ACC);
    }

    /// L in double precision. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn mean(self, outputs: View<'_>, targets: View<'_>) -> Result<f64, Error> {
        let device = outputs.source().device();
        let mut scratch = self.scratch(device, outputs.rows());
        self.prepare(outputs, &mut scratch);
        let mut losses = device.zeros(outputs.rows(), 1);
        self.of_cases(outputs, targets, &scratch, losses.view_mut());
        Ok(losses.to_array_f64()?.mean().unwrap_or(f64::NAN))
    }
}

/// The share of cases whose largest output is not where the largest target is. Where several outputs share the maximum, a
/// case counts as right by 1 / their number, as in cuda-convnet. Waits for the device.
///
/// # Errors
/// If the device failed.
pub fn error_rate(outputs: View<'_>, targets: View<'_>) -> Result<f64, Error> {
    let (device, grid) = (outputs.source().device(), [outputs.rows(), outputs.columns()]);
    let column = || device.zeros(grid[0], 1);
    let (mut largest, mut maxima, mut right) = (column(), column(), column());
    largest.reduce(grid, Over::Columns, Reduction::Max, outputs, ACC);
    let maximal = || x(outputs).equal(&largest);
    maxima.reduce(grid, Over::Columns, Reduction::Sum, maximal(), ACC);
    right.reduce(grid, Over::Columns, Reduction::Sum, maximal() * targets, ACC / &maxima);
    Ok(1.0 - right.to_array_f64()?.mean().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Parameters, check_gradient, conformance::noise};
    use ndarray::arr2;

    struct Outputs(Tensor);
    impl Parameters for Outputs {
        fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
            see("outputs", &self.0);
        }
        fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
            see("outputs", &mut self.0);
        }
    }

    const ALL: [Loss; 3] = [Loss::CrossEntropy, Loss::BinaryCrossEntropy, Loss::SquaredError];

    #[test]
    fn gradients_are_those_of_the_mean() {
        let device = Device::reference();
        let targets = device.tensor_f64(&arr2(&[[0.0, 1.0, 0.0], [0.2, 0.5, 0.3]]));
        for loss in ALL {
            let mut outputs = Outputs(noise(&device, 2, 3, 5));
            let mut scratch = loss.scratch(&device, 2);
            loss.prepare(outputs.0.view(), &mut scratch);
            let mut gradient = device.zeros(2, 3);
            gradient.assign(loss.gradient(outputs.0.view(), targets.view(), &scratch));
            let value = |outputs: &Outputs| loss.mean(outputs.0.view(), targets.view());
            let worst = check_gradient(&mut outputs, &[gradient], value).unwrap();
            assert!(worst.relative < 1e-6, "{loss:?}: {worst:?}");
        }
    }

    #[test]
    fn values_by_hand() {
        let device = Device::reference();
        let outputs = device.tensor_f64(&arr2(&[[1000.0, 1000.0], [0.0, 3f64.ln()]]));
        let targets = device.tensor_f64(&arr2(&[[1.0, 0.0], [0.0, 1.0]]));
        let mean = |loss: Loss| loss.mean(outputs.view(), targets.view()).unwrap();
        // Large outputs do not overflow: −log ½ and −log ¾.
        assert!((mean(Loss::CrossEntropy) - (2f64.ln() + (4.0f64 / 3.0).ln()) / 2.0).abs() < 1e-12);
        let binary = 0.0 + 1000.0 + 2f64.ln() + (4.0f64 / 3.0).ln();
        assert!((mean(Loss::BinaryCrossEntropy) - binary / 2.0).abs() < 1e-9);
        let squared = 999f64.powi(2) + 1e6 + (3f64.ln() - 1.0).powi(2);
        assert!((mean(Loss::SquaredError) - squared / 4.0).abs() < 1e-6);
    }

    #[test]
    fn maxima_that_are_shared_count_in_part() {
        let device = Device::cpu();
        let outputs =
            device.tensor(&arr2(&[[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]));
        let targets =
            device.tensor(&arr2(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]));
        let right = (0.5 + 1.0 + 1.0 / 3.0 + 0.0) / 4.0;
        assert!((error_rate(outputs.view(), targets.view()).unwrap() - (1.0 - right)).abs() < 1e-6);
    }
}
