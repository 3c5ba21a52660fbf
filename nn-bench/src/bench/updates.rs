//! Updates of a 784–1024 machine by contrastive divergence, minibatch after minibatch.

use std::rc::Rc;

use nn_core::{Binarize, Cases, Dataset, Error, Key, Learner, Penalty, Sgd};
use nn_rbm::estimator::ContrastiveDivergence;
use nn_rbm::{Rbm, RbmLearner};

use super::amount::Amount;
use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::matrices::Matrices;
use super::rbm::{RECONSTRUCTION_ERROR, reconstruction_error};
use super::workload::{Subject, Workload, product_flop, wait_for};

// The script of the peers has the same numbers.
const HIDDEN: usize = 1024;
const RATE: f32 = 0.05;
const MOMENTUM: f32 = 0.9;
const DECAY: f32 = 2e-4;
/// Cases that the reconstruction error is measured on.
const MEASURED: usize = 1000;
/// Up from the data, down and up in the sweep, and both phases of the gradient.
const PRODUCTS: f64 = 5.0;

/// One workload a size of the batch. Cases come again as soon as all have been there, if need be in one batch.
///
/// # Errors
///
/// If the device fails or a matrix for the peers cannot be written.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    let (device, key) = (conditions.device, Key::new(4));
    let data = Rc::new(Dataset::new(device, conditions.inputs.digits.view(), Binarize::Never)?);
    let start = || Rbm::bernoulli(device, data.columns(), HIDDEN, key.fold_in(0));
    matrices.hand_over("cd1/inputs", data.inputs())?;
    matrices.hand_over("cd1/weights", &start()?.weights)?;
    let mut all = Vec::new();
    for &batch in conditions.sizes.batches {
        let rbm = start()?;
        let sgd = Sgd::new(&rbm, RATE, MOMENTUM, Penalty::l2(DECAY))?;
        let ours = Box::new(Updates {
            learner: RbmLearner::new(rbm, ContrastiveDivergence::new(1)?, sgd),
            data: Rc::clone(&data),
            batch: data.room(batch),
            order: data.order(key.fold_in(1)),
            key: key.fold_in(2),
            done: 0,
        });
        all.push(Workload {
            name: format!("cd1-{batch}"),
            work: format!("update of a {}–{HIDDEN} RBM, batch {batch}", data.columns()),
            amount: Amount::Update(PRODUCTS * product_flop(batch, data.columns(), HIDDEN)),
            yardstick: false,
            figure: RECONSTRUCTION_ERROR,
            peers: &["torch", "torch-rand"],
            ours,
        });
    }
    Ok(all)
}

struct Updates {
    learner: RbmLearner<Sgd>,
    data: Rc<Dataset>,
    batch: Cases,
    order: Vec<usize>,
    key: Key,
    done: u64,
}

impl Subject for Updates {
    fn unit(&mut self) -> Result<(), Error> {
        let first = self.done as usize * self.batch.len() % self.order.len();
        let cases: Vec<usize> =
            self.order.iter().cycle().skip(first).take(self.batch.len()).copied().collect();
        let key = self.key.fold_in(self.done);
        self.data.fill(&mut self.batch, &cases, key);
        self.learner.update(&self.batch, self.done, key);
        self.done += 1;
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        wait_for(&self.learner.rbm.weights)
    }

    fn figure(&mut self) -> Result<f64, Error> {
        let first: Vec<usize> = (0..MEASURED.min(self.data.len())).collect();
        reconstruction_error(&self.learner, &self.data.cases(&first, self.key), self.key)
    }
}
