//! Updates of a convolutional machine with probabilistic max-pooling, part of the suite `rbm`.

use std::rc::Rc;

use nn_core::{Binarize, Cases, Dataset, Device, Error, Key, Learner, Penalty, Sgd};
use nn_rbm::ConvolutionalRbm;
use nn_rbm::convolutional::{ConvolutionalLearner, Geometry, MapSparsity};

use super::amount::Amount;
use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::matrices::Matrices;
use super::rbm::{RECONSTRUCTION_ERROR, figure_of};
use super::workload::{Subject, Workload, product_flop, wait_for};

// The script of the peers has the same numbers. Digits are cropped to 27×27 pixels, so that blocks fill the maps.
const GEOMETRY: Geometry = Geometry { height: 27, width: 27, channels: 1, filter: 12, maps: 40, block: 2 };
const SIDE: usize = 28;
const BATCH: usize = 20;
const UPDATES: usize = 10;
const RATE: f32 = 0.1;
const TARGET: f32 = 0.003;
/// Cases that the reconstruction error is measured on.
const MEASURED: usize = 200;

/// Contrastive divergence with one sweep.
///
/// # Errors
///
/// If the device fails or a matrix for the peers cannot be written.
pub fn workload(conditions: &Conditions, matrices: &mut Matrices) -> Result<Workload, BenchError> {
    let (device, key) = (conditions.device, Key::new(5));
    let columns: Vec<usize> =
        (0..SIDE * SIDE).filter(|pixel| pixel % SIDE < 27 && pixel / SIDE < 27).collect();
    let cropped = conditions.inputs.digits.select(ndarray::Axis(1), &columns);
    let data = Rc::new(Dataset::new(device, cropped.view(), Binarize::Never)?);
    let learner = learner(device, key)?;
    matrices.hand_over("crbm/inputs", data.inputs())?;
    matrices.hand_over("crbm/weights", &learner.rbm.weights)?;
    // Up from the data, down and up in the sweep, and both phases of the gradient.
    let filter = GEOMETRY.filter * GEOMETRY.filter;
    let flop = 5.0 * product_flop(BATCH * GEOMETRY.map_len(), filter, GEOMETRY.maps);
    let first: Vec<usize> = (0..MEASURED.min(data.len())).collect();
    let measured = data.cases(&first, key);
    Ok(Workload {
        name: "crbm".to_string(),
        work: format!("{UPDATES} updates of 40 filters of 12×12, blocks of 2×2, batch {BATCH}"),
        amount: Amount::Flop(UPDATES as f64 * flop),
        yardstick: false,
        figure: RECONSTRUCTION_ERROR,
        peers: &["torch", "torch-rand"],
        ours: Box::new(Updates { learner, batch: data.room(BATCH), data, measured, key, done: 0 }),
    })
}

fn learner(device: &Device, key: Key) -> Result<ConvolutionalLearner<Sgd>, Error> {
    let rbm = ConvolutionalRbm::bernoulli(device, GEOMETRY, key)?;
    let sgd = Sgd::new(&rbm, RATE, 0.0, Penalty::default())?;
    let mut learner = ConvolutionalLearner::new(rbm, 1, sgd)?;
    learner.sparsity = Some(MapSparsity::new(TARGET, 1.0)?);
    Ok(learner)
}

struct Updates {
    learner: ConvolutionalLearner<Sgd>,
    data: Rc<Dataset>,
    batch: Cases,
    measured: Cases,
    key: Key,
    done: u64,
}

impl Subject for Updates {
    fn unit(&mut self) -> Result<(), Error> {
        for _ in 0..UPDATES {
            let first = self.done as usize * BATCH;
            let cases: Vec<usize> = (first..first + BATCH).map(|case| case % self.data.len()).collect();
            let key = self.key.fold_in(self.done);
            self.data.fill(&mut self.batch, &cases, key);
            self.learner.update(&self.batch, self.done, key);
            self.done += 1;
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        wait_for(&self.learner.rbm.weights)
    }

    fn figure(&mut self) -> Result<f64, Error> {
        Ok(figure_of(&self.learner.measure(&self.measured, self.key)?))
    }
}
