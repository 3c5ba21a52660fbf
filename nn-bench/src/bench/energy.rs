//! The suite `energy`: deep Boltzmann machines and deep belief networks of digits.

use std::rc::Rc;

use nn_core::init::Initialization;
use nn_core::{Binarize, Cases, Dataset, Device, Error, Key, Learner, Penalty, Sgd, Tensor};
use nn_rbm::dbm::{Chains, DbmLearner, MeanField};
use nn_rbm::dbn::UpDownLearner;
use nn_rbm::estimator::ContrastiveDivergence;
use nn_rbm::units::Bernoulli;
use nn_rbm::{Dbm, Dbn, Rbm};

use super::amount::Amount;
use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::matrices::Matrices;
use super::rbm::{MEASURED, RECONSTRUCTION_ERROR, annealing, reconstruction_error};
use super::workload::{Subject, Workload, mean_of, product_flop, wait_for};

// The script of the peers has the same numbers.
const HIDDEN: [usize; 2] = [500, 1000];
const BELIEF: [usize; 3] = [500, 500, 2000];
const BATCH: usize = 100;
const CHAINS: usize = 100;
const BATCHES: usize = 10;
const SWEEPS: u64 = 10;
const RATE: f32 = 0.001;
const MOMENTUM: f32 = 0.9;
const DECAY: f32 = 2e-4;

/// Updates of a deep Boltzmann machine, mean field and annealed importance sampling of it, and updates of a deep belief
/// network by the up-down algorithm.
///
/// # Errors
///
/// If the device fails or a matrix for the peers cannot be written.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    let device = conditions.device;
    let data = Dataset::new(device, conditions.inputs.digits.view(), Binarize::Never)?;
    let (key, visible) = (Key::new(6), data.columns());
    let count = BATCHES.min(data.len() / BATCH);
    let batch = |number: usize| {
        let cases: Vec<usize> = (number * BATCH..(number + 1) * BATCH).collect();
        data.cases(&cases, key)
    };
    let batches: Rc<[Cases]> = (0..count).map(batch).collect();
    let first: Vec<usize> = (0..MEASURED.min(data.len())).collect();
    let measured = || data.cases(&first, key);
    let machine = || boltzmann(device, visible, 0.01, key.fold_in(0));
    matrices.hand_over("inputs", data.inputs())?;
    for (number, weights) in machine()?.weights().iter().enumerate() {
        matrices.hand_over(&format!("weights{}", number + 1), weights)?;
    }
    let flop =
        |sizes: &[usize]| -> f64 { sizes.windows(2).map(|pair| product_flop(BATCH, pair[0], pair[1])).sum() };
    let (lowest, upper) = (flop(&[visible, HIDDEN[0]]), flop(&HIDDEN));
    // The pass from below, of which the input from the visible units serves all sweeps.
    let inference = lowest + upper + SWEEPS as f64 * 2.0 * upper;
    // A sweep of the chains, and both phases of the gradient.
    let update = inference + 4.0 * (lowest + upper);
    let work = format!("{count} updates of batch {BATCH}");
    let amount = |flop: f64| Amount::Flop(count as f64 * flop);

    let dbm = machine()?;
    let chains = Chains::new(&dbm, CHAINS, key.fold_in(1))?;
    let sgd = Sgd::new(&dbm, RATE, MOMENTUM, Penalty::l2(DECAY))?;
    let mut learner = DbmLearner::new(dbm, chains, sgd);
    (learner.inference_sweeps, learner.chain_sweeps) = (SWEEPS, 1);
    let learning = |learner: Box<dyn Learner>| {
        let (batches, measured) = (Rc::clone(&batches), measured());
        Box::new(Learning { learner, batches, measured, key: key.fold_in(2), updates: 0 })
    };
    let joint = Workload {
        name: "dbm".to_string(),
        work: work.clone(),
        amount: amount(update),
        yardstick: false,
        figure: RECONSTRUCTION_ERROR,
        peers: &["torch", "torch-rand", "torch-plain"],
        ours: learning(Box::new(learner)),
    };
    let inferred = Inference {
        posterior: MeanField::new(&machine()?, BATCH, false),
        dbm: machine()?,
        batches: Rc::clone(&batches),
    };
    let mean_field = Workload {
        name: "dbm-mean-field".to_string(),
        work: format!("{count} batches of {BATCH}, {SWEEPS} sweeps"),
        amount: amount(inference),
        yardstick: false,
        figure: "mean of the second hidden layer",
        peers: &["torch"],
        ours: Box::new(inferred),
    };
    let ais = annealing("dbm-ais", boltzmann(device, visible, 0.05, key.fold_in(3))?, &[], key.fold_in(4))?;

    let mut dbn = Dbn::new(Rbm::bernoulli(device, visible, BELIEF[0], key.fold_in(5))?);
    for (number, &units) in BELIEF[1..].iter().enumerate() {
        dbn = dbn.add(units, None, key.fold_in(6 + number as u64))?;
    }
    let sgd = Sgd::new(&dbn, RATE, MOMENTUM, Penalty::l2(DECAY))?;
    let learner = UpDownLearner::new(dbn, ContrastiveDivergence::new(1)?, sgd);
    // Below the top states and predictions in both directions, and the gradients of both; at the top CD-1.
    let (below, top) = (flop(&[visible, BELIEF[0], BELIEF[1]]), flop(&BELIEF[1..]));
    let up_down = Workload {
        name: "dbn-up-down".to_string(),
        work,
        amount: amount(6.0 * below + 5.0 * top),
        yardstick: false,
        figure: RECONSTRUCTION_ERROR,
        peers: &[],
        ours: learning(Box::new(learner)),
    };
    Ok(vec![joint, mean_field, ais, up_down])
}

/// A machine with normal weights and no biases.
fn boltzmann(device: &Device, visible: usize, deviation: f64, key: Key) -> Result<Dbm, Error> {
    let visible = Box::new(Bernoulli::new(device, visible));
    Dbm::new(device, visible, &HIDDEN, None, Initialization::Normal { deviation }, key)
}

/// Goes on learning the same minibatches, again and again.
struct Learning {
    learner: Box<dyn Learner>,
    batches: Rc<[Cases]>,
    measured: Cases,
    key: Key,
    updates: u64,
}

impl Subject for Learning {
    fn unit(&mut self) -> Result<(), Error> {
        for batch in self.batches.iter() {
            self.learner.update(batch, self.updates, self.key.fold_in(self.updates));
            self.updates += 1;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        let mut any: Option<&Tensor> = None;
        self.learner.visit(&mut |_, tensor| any = Some(tensor));
        any.map_or(Ok(()), wait_for)
    }

    fn figure(&mut self) -> Result<f64, Error> {
        reconstruction_error(&*self.learner, &self.measured, self.key)
    }
}

/// Infers the hidden units of the same minibatches, again and again.
struct Inference {
    dbm: Dbm,
    posterior: MeanField,
    batches: Rc<[Cases]>,
}

impl Subject for Inference {
    fn unit(&mut self) -> Result<(), Error> {
        for batch in self.batches.iter() {
            self.posterior.start(&self.dbm, batch.inputs.view(), None);
            (0..SWEEPS).for_each(|_| self.posterior.sweep(&self.dbm));
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        wait_for(&self.posterior.means()[2])
    }

    fn figure(&mut self) -> Result<f64, Error> {
        mean_of(&self.posterior.means()[2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::conditions::Sizes;
    use crate::bench::inputs::Inputs;
    use ndarray::Array2;

    #[test]
    fn every_workload_does_its_work() {
        let digits = Array2::from_shape_fn((200, 784), |(i, j)| f32::from(u8::from((i + j) % 3 == 0)));
        let inputs = Inputs { digits, ..Inputs::none() };
        let conditions = Conditions { device: &Device::cpu(), inputs: &inputs, sizes: Sizes::TINY };
        let temporary = tempfile::tempdir().unwrap();
        let mut matrices = Matrices::new(Some(temporary.path()));
        let mut workloads = workloads(&conditions, &mut matrices).unwrap();
        let names: Vec<_> = workloads.iter().map(|workload| workload.name.as_str()).collect();
        assert_eq!(names, ["dbm", "dbm-mean-field", "dbm-ais", "dbn-up-down"]);
        let products = [5.0 * 392_000.0 + 25.0 * 500_000.0, 392_000.0 + 21.0 * 500_000.0];
        for (workload, products) in workloads.iter().zip(products) {
            assert_eq!(workload.amount, Amount::Flop(2.0 * 200.0 * products), "{}", workload.name);
        }
        for at in [0, 1, 3] {
            let workload = &mut workloads[at];
            let before = workload.ours.figure().unwrap();
            workload.ours.unit().unwrap();
            workload.ours.wait().unwrap();
            let figure = workload.ours.figure().unwrap();
            // Reconstruction errors of a third of ones, and means of units with small weights.
            assert!((0.1..0.6).contains(&figure) && figure != before, "{}: {before} {figure}", workload.name);
        }
        let handed: Vec<_> = matrices.arguments().chunks(5).map(|words| words[1].clone()).collect();
        assert_eq!(handed, ["inputs", "weights1", "weights2"]);
    }
}
