//! One linear machine a class against all others, with squared hinge losses, found by L-BFGS.

use nn_core::{ACC, Device, Error, OLD, Over, Reduction, Tensor, x};
use nn_sparse::{Descent, HostFunction, Lbfgs, Objective, Value};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// How it learns: the minimum over W of ½‖W‖² + C · mean over cases of Σ_k max(0, 1 − t_k w_k·x)², with t_k = 1 for the class
/// of the case and −1 for others.
///
/// A feature that is 1 for all cases serves as the bias and is decayed as all weights are. Classifiers of this kind stand at the
/// end of Coates, Lee and Ng, "An analysis of single-layer networks in unsupervised feature learning", 2011.
#[derive(Clone, Copy, Debug)]
pub struct L2Svm {
    /// C, positive: what a loss costs against the weights.
    pub cost: f64,
    /// Steps of L-BFGS at most; most need one pass through the cases.
    pub steps: u64,
}

/// What was found.
#[derive(Debug)]
pub struct LinearMachines {
    /// Classes × features.
    pub weights: Tensor,
    /// The objective there.
    pub objective: f64,
    /// Steps taken.
    pub steps: u64,
    /// ‖gradient‖_∞ there.
    pub slope: f64,
}

/// Steps that L-BFGS remembers.
const HISTORY: usize = 10;

impl L2Svm {
    /// Learns from features (cases × features) and the class of each case.
    ///
    /// # Errors
    /// If there are no cases, the objective is not finite, the device failed, or the run is interrupted.
    ///
    /// # Panics
    /// If there are more or fewer labels than cases, or a label is no class.
    pub fn learn(
        &self,
        run: &Run,
        features: &Tensor,
        labels: &[u8],
        classes: usize,
    ) -> Result<LinearMachines, RunError> {
        let doing = "learning linear machines";
        let mut objective = SquaredHinge::new(features.device(), labels, classes, self.cost);
        objective.features = features.columns();
        let (timer, progress) = (run.phase(doing), run.progress(doing, self.steps));
        let mut lbfgs = Lbfgs::new(vec![0.0; classes * features.columns()], HISTORY).while_doing(doing)?;
        let mut function = HostFunction::new(&mut objective, features).while_doing(doing)?;
        let mut evaluate = |weights: &[f64], gradient: &mut [f64]| function.evaluate(weights, gradient);
        let mut steps = 0;
        while steps < self.steps {
            if run.interrupted() {
                return Err(run.stop_without_saving());
            }
            if lbfgs.step(&mut evaluate).while_doing(doing)? != Descent::Moved {
                break;
            }
            steps += 1;
            progress.message(format!("objective {:.4}", lbfgs.value()));
            progress.set(steps);
        }
        drop((timer, progress));
        let mut weights = features.device().zeros(classes, features.columns());
        let values = ndarray::ArrayView2::from_shape((classes, features.columns()), lbfgs.point());
        weights.view_mut().write_f64(values.while_doing(doing)?);
        Ok(LinearMachines { weights, objective: lbfgs.value(), steps, slope: lbfgs.largest_slope() })
    }
}

impl LinearMachines {
    /// The share of these cases that another class has the largest w_k·x of, in percent. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn error_percent(&self, features: &Tensor, labels: &[u8]) -> Result<f64, Error> {
        let (device, grid) = (features.device(), [features.rows(), self.weights.rows()]);
        let (mut scores, mut winners) = (device.zeros(grid[0], grid[1]), device.zeros(grid[0], 1));
        scores.product(features.dot(self.weights.t()), ACC);
        winners.reduce(grid, Over::Columns, Reduction::ArgMax, &scores, ACC);
        let winners = winners.to_array()?;
        let wrong = winners.iter().zip(labels).filter(|(winner, label)| **winner != f32::from(**label));
        Ok(100.0 * wrong.count() as f64 / labels.len() as f64)
    }
}

/// ½‖W‖² + (C / cases) Σ margins², where a margin is max(0, 1 − t · w·x).
#[derive(Debug)]
struct SquaredHinge {
    /// Cases × classes, 1 and −1.
    targets: Tensor,
    cost: f64,
    features: usize,
    /// Cases × classes.
    margins: Tensor,
    /// 1 × classes.
    losses: Tensor,
    /// Classes × 1.
    decays: Tensor,
}

impl SquaredHinge {
    fn new(device: &Device, labels: &[u8], classes: usize, cost: f64) -> SquaredHinge {
        let mut targets = ndarray::Array2::from_elem((labels.len(), classes), -1.0f32);
        for (mut row, &label) in targets.rows_mut().into_iter().zip(labels) {
            row[usize::from(label)] = 1.0;
        }
        SquaredHinge {
            targets: device.tensor(&targets),
            cost,
            features: 0,
            margins: device.zeros(labels.len(), classes),
            losses: device.zeros(1, classes),
            decays: device.zeros(classes, 1),
        }
    }
}

impl Objective for SquaredHinge {
    fn shape(&self) -> [usize; 2] {
        [self.targets.columns(), self.features]
    }

    fn device(&self) -> &Device {
        self.targets.device()
    }

    fn evaluate(&mut self, weights: &Tensor, inputs: &Tensor, gradient: Option<&mut Tensor>) -> Value<'_> {
        let Self { targets, cost, margins, losses, decays, .. } = self;
        let (grid, cases) = ([targets.rows(), targets.columns()], targets.rows() as f64);
        margins.product(inputs.dot(weights.t()), (1.0f32 - x(&*targets) * ACC).max(0.0));
        losses.reduce(grid, Over::Rows, Reduction::Sum, x(&*margins).square(), ACC * (*cost / cases));
        let shape = [weights.rows(), weights.columns()];
        decays.reduce(shape, Over::Columns, Reduction::Sum, x(weights).square(), ACC * 0.5);
        if let Some(gradient) = gradient {
            margins.assign(OLD * x(&*targets) * (-2.0 * *cost / cases));
            gradient.product(margins.t().dot(inputs), ACC + x(weights));
        }
        Value::sum_of(vec![losses, decays])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use nn_core::Key;

    const COST: f64 = 20.0;

    /// Two clouds a class, not separable, and a feature of ones.
    fn cases() -> (Array2<f64>, Vec<u8>) {
        let key = Key::new(7);
        let labels: Vec<u8> = (0..60).map(|case| (case % 3) as u8).collect();
        let features = Array2::from_shape_fn((60, 5), |(case, column)| match column {
            4 => 1.0,
            _ => key.normal((case * 5 + column) as u64) + if case % 3 == column { 1.5 } else { 0.0 },
        });
        (features, labels)
    }

    fn hinge(device: &Device) -> (SquaredHinge, Tensor, Vec<u8>) {
        let (features, labels) = cases();
        let mut hinge = SquaredHinge::new(device, &labels, 3, COST);
        hinge.features = 5;
        (hinge, device.tensor_f64(&features), labels)
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let (mut hinge, features, _) = hinge(&Device::reference());
        let mut function = HostFunction::new(&mut hinge, &features).unwrap();
        let key = Key::new(1);
        let point: Vec<f64> = (0..15).map(|at| 0.3 * key.normal(at)).collect();
        let (mut gradient, mut unused) = (vec![0.0; 15], vec![0.0; 15]);
        function.evaluate(&point, &mut gradient).unwrap();
        for at in 0..15 {
            let mut value = |by: f64| {
                let mut moved = point.clone();
                moved[at] += by;
                function.evaluate(&moved, &mut unused).unwrap()
            };
            let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
            assert!((slope - gradient[at]).abs() < 1e-6 * slope.abs().max(1.0), "{at}: {slope}");
        }
    }

    /// The dual of a class, Σ α − (n/4C) Σ α² − ½‖Σ α t x‖² for α ≥ 0, is nowhere above the objective; at the margins of the
    /// minimum, α = 2C/n · margin, it is equal. Computed on the host.
    #[test]
    fn the_minimum_has_no_duality_gap() {
        let device = Device::reference();
        let (mut objective, features, labels) = hinge(&device);
        let mut function = HostFunction::new(&mut objective, &features).unwrap();
        let mut lbfgs = Lbfgs::new(vec![0.0; 15], HISTORY).unwrap();
        lbfgs.tolerance = 1e-10;
        let mut evaluate = |weights: &[f64], gradient: &mut [f64]| function.evaluate(weights, gradient);
        while lbfgs.step(&mut evaluate).unwrap() == Descent::Moved {}
        let weights = Array2::from_shape_vec((3, 5), lbfgs.point().to_vec()).unwrap();
        let (cases, _) = cases();
        let (mut primal, mut dual, n) = (0.0, 0.0, 60.0);
        for (class, weights) in weights.rows().into_iter().enumerate() {
            let mut sum = ndarray::Array1::<f64>::zeros(5);
            primal += 0.5 * weights.dot(&weights);
            for (case, &label) in cases.rows().into_iter().zip(&labels) {
                let target = if usize::from(label) == class { 1.0 } else { -1.0 };
                let margin = (1.0 - target * weights.dot(&case)).max(0.0);
                let alpha = 2.0 * COST / n * margin;
                primal += COST / n * margin * margin;
                dual += alpha - n / (4.0 * COST) * alpha * alpha;
                sum.scaled_add(alpha * target, &case);
            }
            dual -= 0.5 * sum.dot(&sum);
        }
        assert!((primal - lbfgs.value()).abs() < 1e-9 * primal, "{primal} {}", lbfgs.value());
        assert!(primal >= dual - 1e-9 && primal - dual < 1e-7 * primal, "{primal} {dual}");
        let machines =
            LinearMachines { weights: device.tensor_f64(&weights), objective: 0.0, steps: 0, slope: 0.0 };
        let scores = cases.dot(&weights.t());
        let wrong = scores.rows().into_iter().zip(&labels).filter(|(row, label)| {
            let own = row[usize::from(**label)];
            row.iter().any(|score| *score > own)
        });
        let expected = 100.0 * wrong.count() as f64 / n;
        assert!(expected > 0.0 && expected < 60.0);
        assert!((machines.error_percent(&features, &labels).unwrap() - expected).abs() < 1e-9);
    }
}
