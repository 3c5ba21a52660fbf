//! The suite `rbm`: learning a 784–500 machine from digits, and estimating its partition function.

use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use nn_core::{Binarize, Cases, Dataset, Error, Fit, Key, Learner, Penalty, Sgd, init};
use nn_rbm::ais::{Ais, Betas};
use nn_rbm::estimator::{ContrastiveDivergence, GradientEstimator, Persistent};
use nn_rbm::{EnergyModel, Path, Rbm, RbmLearner};

use super::amount::Amount;
use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::crbm;
use super::matrices::Matrices;
use super::workload::{Subject, Workload, product_flop};

// The scripts of the peers have the same numbers.
const HIDDEN: usize = 500;
const BATCH: usize = 100;
const CHAINS: usize = 100;
const RATE: f32 = 0.05;
const MOMENTUM: f32 = 0.9;
const DECAY: f32 = 2e-4;
const TEMPERATURES: usize = 1000;
/// Cases that the reconstruction error is measured on.
pub(super) const MEASURED: usize = 1000;

/// The figure of learning, as learners name it.
pub const RECONSTRUCTION_ERROR: &str = "reconstruction error";

const TORCH: &[&str] = &["torch", "torch-rand"];
const TORCH_AND_SCIKIT_LEARN: &[&str] = &["torch", "torch-rand", "scikit-learn"];

/// Contrastive divergence with 1 and 10 sweeps, persistent contrastive divergence, annealed importance sampling,
/// updates of a convolutional machine.
///
/// # Errors
///
/// If a matrix for the peers cannot be written.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    let device = conditions.device;
    let data = Rc::new(Dataset::new(device, conditions.inputs.digits.view(), Binarize::Never)?);
    let (key, ais_key) = (Key::new(2), Key::new(3));
    let start = || Rbm::bernoulli(device, data.columns(), HIDDEN, key.fold_in(0));
    matrices.hand_over("inputs", data.inputs())?;
    matrices.hand_over("weights", &start()?.weights)?;

    let mut all = Vec::new();
    for (name, sweeps) in [("rbm-cd1", 1), ("rbm-cd10", 10)] {
        let estimator = ContrastiveDivergence::new(sweeps)?;
        all.push(training(name, TORCH, sweeps, start()?, estimator, &data, key)?);
    }
    let rbm = start()?;
    let estimator = Persistent::new(&rbm, CHAINS, 1, key.fold_in(1))?;
    all.push(training("rbm-pcd1", TORCH_AND_SCIKIT_LEARN, 1, rbm, estimator, &data, key)?);

    let mut rbm = Rbm::bernoulli(device, data.columns(), HIDDEN, ais_key)?;
    rbm.weights = init::normal(device, data.columns(), HIDDEN, 0.05, ais_key);
    matrices.hand_over("ais-weights", &rbm.weights)?;
    all.push(annealing("rbm-ais", rbm, TORCH, ais_key)?);
    all.push(crbm::workload(conditions, matrices)?);
    Ok(all)
}

fn training(
    name: &str,
    peers: &'static [&'static str],
    sweeps: u32,
    rbm: Rbm,
    estimator: impl GradientEstimator + 'static,
    data: &Rc<Dataset>,
    key: Key,
) -> Result<Workload, BenchError> {
    let updates = data.len() / BATCH;
    // Up from the data, down and up in each sweep, and both phases of the gradient.
    let products = 1.0 + 2.0 * f64::from(sweeps) + 2.0;
    let amount = Amount::Flop(updates as f64 * products * product_flop(BATCH, data.columns(), HIDDEN));
    let first: Vec<usize> = (0..MEASURED.min(data.len())).collect();
    let measured = data.cases(&first, key);
    let sgd = Sgd::new(&rbm, RATE, MOMENTUM, Penalty::l2(DECAY))?;
    let learner = RbmLearner::new(rbm, estimator, sgd);
    let ours = Box::new(Training { learner, data: Rc::clone(data), measured, key, epochs: 0 });
    let (name, work) = (name.to_string(), format!("epoch of {updates} updates"));
    Ok(Workload { name, work, amount, yardstick: false, figure: RECONSTRUCTION_ERROR, peers, ours })
}

/// Goes on learning, epoch after epoch. Training ends with a look at the parameters, which waits for the device.
struct Training {
    learner: RbmLearner<Sgd>,
    data: Rc<Dataset>,
    measured: Cases,
    key: Key,
    epochs: u64,
}

impl Subject for Training {
    fn unit(&mut self) -> Result<(), Error> {
        let mut fit = Fit::new(self.epochs + 1, BATCH, self.key);
        fit.from = self.epochs * fit.updates_per_epoch(&self.data);
        fit.run(&mut self.learner, &self.data, &mut [], &AtomicBool::new(false))?;
        self.epochs += 1;
        Ok(())
    }

    fn figure(&mut self) -> Result<f64, Error> {
        reconstruction_error(&self.learner, &self.measured, self.key)
    }
}

/// What learning came to on these cases.
///
/// # Errors
///
/// If the device failed.
pub fn reconstruction_error(learner: &dyn Learner, cases: &Cases, key: Key) -> Result<f64, Error> {
    Ok(figure_of(&learner.measure(cases, key)?))
}

/// The reconstruction error among the figures of a learner.
pub fn figure_of(figures: &[(&'static str, f64)]) -> f64 {
    let error = figures.iter().find(|(name, _)| *name == RECONSTRUCTION_ERROR);
    error.map_or(f64::NAN, |(_, value)| *value)
}

/// Forward annealing of a model without data, whose base are its own visible units.
///
/// # Errors
///
/// If the device failed.
pub fn annealing(
    name: &str,
    model: impl EnergyModel + 'static,
    peers: &'static [&'static str],
    key: Key,
) -> Result<Workload, BenchError> {
    let path = Path::from_model(&model);
    // Between layers that are joined a step to those that are summed out for each temperature but the first, and a step back
    // between each two of them.
    let sweeps = (2 * TEMPERATURES - 1) as f64;
    let at = model.layered();
    let weights = at.connections.iter().map(|connection| connection.weights());
    let flop: f64 = weights.map(|weights| product_flop(CHAINS, weights.rows(), weights.columns())).sum();
    let ais = Ais::new(path, Betas::uniform(TEMPERATURES)?);
    let ours = Box::new(Annealing { ais, model: Box::new(model), key, runs: 0, log_partition: f64::NAN });
    let (name, work) = (name.to_string(), format!("{CHAINS} chains × {TEMPERATURES} temperatures"));
    let (amount, figure) = (Amount::Flop(sweeps * flop), "estimate of log Z");
    Ok(Workload { name, work, amount, yardstick: false, figure, peers, ours })
}

/// Each estimate is read, which waits for the device.
struct Annealing {
    ais: Ais<'static>,
    model: Box<dyn EnergyModel>,
    key: Key,
    runs: u64,
    log_partition: f64,
}

impl Subject for Annealing {
    fn unit(&mut self) -> Result<(), Error> {
        let estimate = self.ais.forward(&*self.model, CHAINS, self.key.fold_in(self.runs))?;
        self.runs += 1;
        self.log_partition = estimate.log_partition;
        Ok(())
    }

    fn figure(&mut self) -> Result<f64, Error> {
        Ok(self.log_partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::conditions::Sizes;
    use crate::bench::inputs::Inputs;
    use ndarray::Array2;
    use nn_core::Device;

    #[test]
    fn every_workload_does_its_work() {
        let digits = Array2::from_shape_fn((200, 784), |(i, j)| f32::from(u8::from((i + j) % 3 == 0)));
        let inputs = Inputs { digits, ..Inputs::none() };
        let conditions = Conditions { device: &Device::cpu(), inputs: &inputs, sizes: Sizes::TINY };
        let mut workloads = workloads(&conditions, &mut Matrices::new(None)).unwrap();
        let names: Vec<_> = workloads.iter().map(|workload| workload.name.clone()).collect();
        assert_eq!(names, ["rbm-cd1", "rbm-cd10", "rbm-pcd1", "rbm-ais", "crbm"]);
        assert_eq!(workloads[0].amount, Amount::Flop(2.0 * 5.0 * product_flop(100, 784, 500)));
        let annealing = workloads.remove(3);
        assert_eq!(annealing.name, "rbm-ais");
        for workload in &mut workloads {
            workload.ours.unit().unwrap();
            workload.ours.unit().unwrap();
            let error = workload.ours.figure().unwrap();
            assert!((0.0..0.5).contains(&error), "{}: {error}", workload.name);
        }
    }
}
