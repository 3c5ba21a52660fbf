//! The suite `networks`: training and using a perceptron of digits, a LeNet and a network for CIFAR-10.

use std::rc::Rc;

use ndarray::{Array2, Axis, Slice};
use nn_conv::{Convolution, Filters, Neighbors, Normalization, Pool, Pooling, ResponseNormalization};
use nn_core::init::{Initialization, normal};
use nn_core::layer::{Dense, Dropout};
use nn_core::network::{NamedLayer, named};
use nn_core::{
    Activation, Cases, Device, Error, Key, Learner, Loss, Network, Parameters, Penalty, Sgd,
    SupervisedLearner, Tensor, Window,
};

use super::amount::Amount;
use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::matrices::Matrices;
use super::workload::{Subject, Workload, product_flop, wait_for};

// The script of the peers has the same numbers.
const RATE: f32 = 0.01;
const MOMENTUM: f32 = 0.9;
const DECAY: f32 = 1e-4;
const CLASSES: usize = 10;

const START: Initialization = Initialization::GlorotUniform { gain: 1.0 };
const LINEAR: Activation = Activation::Identity;
const RECTIFIED: Activation = Activation::RectifiedLinear;

const TORCH: &[&str] = &["torch"];

/// The perceptron, the LeNet, and the network for CIFAR-10 with and without response normalisation: training of each,
/// and its pass forward.
///
/// # Errors
///
/// If the device fails or a matrix for the peers cannot be written.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    let (device, digits) = (conditions.device, &conditions.inputs.digits);
    let first = |count: usize| {
        let count = count.min(digits.nrows());
        device.tensor(digits.slice_axis(Axis(0), Slice::from(..count)))
    };
    let key = Key::new(5);
    let noise = |count: usize| normal(device, count, 32 * 32 * 3, 1.0, key.fold_in(1));
    let mut all = Vec::new();
    let kinds: [(&'static str, Build, usize, Tensor); 4] = [
        ("mlp", perceptron, 100, first(1000)),
        ("lenet", lenet, 64, first(640)),
        ("cifar", cifar_normalized, 128, noise(384)),
        ("cifar-nolrn", cifar, 128, noise(384)),
    ];
    for (name, build, batch, inputs) in kinds {
        all.extend(pair(Kind { name, build, batch }, inputs, key.fold_in(2), matrices)?);
    }
    Ok(all)
}

type Build = fn(&Device) -> Result<Vec<NamedLayer>, Error>;

/// A network and the minibatches that it learns from.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    build: Build,
    batch: usize,
}

impl Kind {
    /// The same network each time.
    fn learner(&self, device: &Device) -> Result<SupervisedLearner<Sgd>, Error> {
        let network = Network::new((self.build)(device)?, Loss::CrossEntropy)?;
        let sgd = Sgd::new(&network, RATE, MOMENTUM, Penalty::l2(DECAY))?;
        Ok(SupervisedLearner::new(network, sgd))
    }
}

/// Training and the pass forward. Labels are random: how fast they are learned does not depend on them.
fn pair(kind: Kind, inputs: Tensor, key: Key, matrices: &mut Matrices) -> Result<[Workload; 2], BenchError> {
    let device = inputs.device().clone();
    let labels = random_labels(inputs.rows(), key);
    let cases = Rc::new(Cases::new(inputs, device.tensor(&labels)));
    let learner = kind.learner(&device)?;
    matrices.hand_over(&format!("{}/inputs", kind.name), &cases.inputs)?;
    matrices.hand_over(&format!("{}/targets", kind.name), cases.targets_or_inputs())?;
    let mut handed = Ok(());
    learner.network.visit(&mut |name, tensor| {
        if handed.is_ok() {
            handed = matrices.hand_over(&format!("{}/{name}", kind.name), tensor);
        }
    });
    handed?;

    let forward = forward_flop(&learner.network);
    // The products of the pass back are two for each of the pass forward, but none by the inputs of the first layer.
    let training = 3.0 * forward.iter().sum::<f64>() - forward.first().copied().unwrap_or_default();
    let (count, updates) = (cases.len(), cases.len() / kind.batch);
    let batches = in_batches(&cases, kind.batch)?;
    let used = Use { network: kind.learner(&device)?.network, cases: Rc::clone(&cases), last: None };
    let trained = Training { kind, learner, batches, cases, key, updates: 0 };
    Ok([
        Workload {
            name: kind.name.to_string(),
            work: format!("{updates} updates of batch {}", kind.batch),
            amount: Amount::Flop((updates * kind.batch) as f64 * training),
            yardstick: false,
            figure: "loss after the first unit of work",
            peers: TORCH,
            ours: Box::new(trained),
        },
        Workload {
            name: format!("{}-infer", kind.name),
            work: format!("{count} images forward"),
            amount: Amount::Flop(count as f64 * forward.iter().sum::<f64>()),
            yardstick: false,
            figure: "loss of the first weights",
            peers: TORCH,
            ours: Box::new(used),
        },
    ])
}

/// Cases × classes, one-hot.
fn random_labels(cases: usize, key: Key) -> Array2<f32> {
    let mut labels = Array2::zeros((cases, CLASSES));
    for (case, mut row) in labels.rows_mut().into_iter().enumerate() {
        row[(key.uniform(case as u64) * CLASSES as f32) as usize % CLASSES] = 1.0;
    }
    labels
}

/// The cases in their order, in minibatches of their own; those that are left make none.
fn in_batches(cases: &Cases, batch: usize) -> Result<Vec<Cases>, Error> {
    let part = |whole: &Tensor, start: usize| {
        let mut part = whole.device().zeros(batch, whole.columns());
        part.assign(whole.row_range(start..start + batch));
        part
    };
    let starts = (0..cases.len() / batch).map(|number| number * batch);
    Ok(starts.map(|at| Cases::new(part(&cases.inputs, at), part(cases.targets_or_inputs(), at))).collect())
}

/// Additions and multiplications for one case in each layer with weights: each output is a product of as many weights as
/// the matrix has rows.
fn forward_flop(network: &Network) -> Vec<f64> {
    let mut all = Vec::new();
    for (_, layer) in network.layers() {
        layer.visit(&mut |name, weights| {
            if name == "weights" {
                all.push(product_flop(1, weights.rows(), layer.outputs()));
            }
        });
    }
    all
}

fn convolution(
    device: &Device,
    window: Window,
    maps: usize,
    f: Activation,
    key: u64,
) -> Result<Convolution, Error> {
    Convolution::new(device, Filters::new(window, maps), f, START, Key::new(key))
}

/// 784–800–800–10, rectified, a fifth of the inputs and half of the hidden units left out.
fn perceptron(device: &Device) -> Result<Vec<NamedLayer>, Error> {
    let dense = |inputs, outputs, f, key| Dense::new(device, inputs, outputs, f, START, Key::new(key));
    Ok(vec![
        named("dropout1", Dropout::new(784, 0.2)?),
        named("hidden1", dense(784, 800, RECTIFIED, 1)?),
        named("dropout2", Dropout::new(800, 0.5)?),
        named("hidden2", dense(800, 800, RECTIFIED, 2)?),
        named("dropout3", Dropout::new(800, 0.5)?),
        named("output", dense(800, CLASSES, LINEAR, 3)?),
    ])
}

/// 28×28, convolution 5×5×20, maxima of 2×2, convolution 5×5×50, maxima of 2×2, 500 rectified units, 10.
fn lenet(device: &Device) -> Result<Vec<NamedLayer>, Error> {
    let pool = |side, maps| Pooling::new(Window::new(side, side, maps, 2).stride(2), Pool::Max, LINEAR);
    let dense = |inputs, outputs, f, key| Dense::new(device, inputs, outputs, f, START, Key::new(key));
    Ok(vec![
        named("conv1", convolution(device, Window::new(28, 28, 1, 5), 20, LINEAR, 1)?),
        named("pool1", pool(24, 20)?),
        named("conv2", convolution(device, Window::new(12, 12, 20, 5), 50, LINEAR, 2)?),
        named("pool2", pool(8, 50)?),
        named("hidden", dense(4 * 4 * 50, 500, RECTIFIED, 3)?),
        named("output", dense(500, CLASSES, LINEAR, 4)?),
    ])
}

/// 32×32×3, convolution 5×5×32, maxima 3:2 and rectification, convolution 5×5×32, rectified, means 3:2, convolution
/// 5×5×64, rectified, means 3:2, 10.
fn cifar(device: &Device) -> Result<Vec<NamedLayer>, Error> {
    let pool = |side, maps, pool, f| Pooling::new(Window::new(side, side, maps, 3).stride(2).ceil(), pool, f);
    let window = |side, channels| Window::new(side, side, channels, 5).padding(2);
    Ok(vec![
        named("conv1", convolution(device, window(32, 3), 32, LINEAR, 1)?),
        named("pool1", pool(32, 32, Pool::Max, RECTIFIED)?),
        named("conv2", convolution(device, window(16, 32), 32, RECTIFIED, 2)?),
        named("pool2", pool(16, 32, Pool::Average, LINEAR)?),
        named("conv3", convolution(device, window(8, 32), 64, RECTIFIED, 3)?),
        named("pool3", pool(8, 64, Pool::Average, LINEAR)?),
        named("output", Dense::new(device, 4 * 4 * 64, CLASSES, LINEAR, START, Key::new(4))?),
    ])
}

/// The same with response normalisation across 9 maps after the first two pools.
fn cifar_normalized(device: &Device) -> Result<Vec<NamedLayer>, Error> {
    let normalize = |side| {
        let normalization = Normalization::new(9, 5e-5, 0.75);
        ResponseNormalization::new([side, side, 32], Neighbors::AcrossMaps, normalization)
    };
    let mut layers = cifar(device)?;
    layers.insert(4, named("rnorm2", normalize(8)?));
    layers.insert(2, named("rnorm1", normalize(16)?));
    Ok(layers)
}

/// Goes on learning the same minibatches, again and again.
struct Training {
    kind: Kind,
    learner: SupervisedLearner<Sgd>,
    batches: Vec<Cases>,
    cases: Rc<Cases>,
    key: Key,
    updates: u64,
}

impl Training {
    fn learn(learner: &mut SupervisedLearner<Sgd>, batches: &[Cases], updates: &mut u64, key: Key) {
        for batch in batches {
            learner.update(batch, *updates, key.fold_in(*updates));
            *updates += 1;
        }
    }
}

impl Subject for Training {
    fn unit(&mut self) -> Result<(), Error> {
        Self::learn(&mut self.learner, &self.batches, &mut self.updates, self.key);
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        let mut waited = Ok(());
        self.learner.network.visit(&mut |_, tensor| {
            if waited.is_ok() {
                waited = wait_for(tensor);
            }
        });
        waited
    }

    /// Of a new learner: both sides are compared after the same work, however often each was timed.
    fn figure(&mut self) -> Result<f64, Error> {
        let mut learner = self.kind.learner(self.cases.device())?;
        Self::learn(&mut learner, &self.batches, &mut 0, self.key);
        loss(&learner.network, &self.cases)
    }
}

/// Classifies the same images, again and again.
struct Use {
    network: Network,
    cases: Rc<Cases>,
    last: Option<Tensor>,
}

impl Subject for Use {
    fn unit(&mut self) -> Result<(), Error> {
        let inputs = self.cases.inputs.view();
        self.last = Some(self.network.activity(inputs, self.network.layers().len()));
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        self.last.as_ref().map_or(Ok(()), wait_for)
    }

    fn figure(&mut self) -> Result<f64, Error> {
        loss(&self.network, &self.cases)
    }
}

fn loss(network: &Network, cases: &Cases) -> Result<f64, Error> {
    Ok(network.evaluate(cases.inputs.view(), cases.targets_or_inputs().view())?.loss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::conditions::Sizes;
    use crate::bench::inputs::Inputs;

    #[test]
    fn every_workload_does_its_work() {
        let digits = Array2::from_shape_fn((200, 784), |(i, j)| f32::from(u8::from((i + j) % 3 == 0)));
        let inputs = Inputs { digits, ..Inputs::none() };
        let conditions = Conditions { device: &Device::cpu(), inputs: &inputs, sizes: Sizes::TINY };
        let temporary = tempfile::tempdir().unwrap();
        let mut matrices = Matrices::new(Some(temporary.path()));
        let mut workloads = workloads(&conditions, &mut matrices).unwrap();
        let names: Vec<_> = workloads.iter().map(|workload| workload.name.clone()).collect();
        let kinds = ["mlp", "lenet", "cifar", "cifar-nolrn"];
        assert_eq!(names, kinds.map(|kind| [kind.to_string(), format!("{kind}-infer")]).concat());
        // 3 products of each layer but the first, which has 2.
        let (first, second, third) = (784.0 * 800.0, 800.0 * 800.0, 800.0 * 10.0);
        let products = 2.0 * (2.0 * first + 3.0 * (second + third));
        assert_eq!(workloads[0].amount, Amount::Flop(200.0 * products));
        let (first, second, third) = (576.0 * 25.0 * 20.0, 64.0 * 500.0 * 50.0, 800.0 * 500.0 + 5000.0);
        assert_eq!(workloads[3].amount, Amount::Flop(200.0 * 2.0 * (first + second + third)));
        for workload in &mut workloads {
            let before = workload.ours.figure().unwrap();
            workload.ours.unit().unwrap();
            workload.ours.wait().unwrap();
            let figure = workload.ours.figure().unwrap();
            // However much was learned meanwhile.
            assert_eq!(figure, before, "{}", workload.name);
            assert!((1.5..4.0).contains(&figure), "{}: {figure}", workload.name);
        }
        let handed: Vec<_> = matrices.arguments().chunks(5).map(|words| words[1].clone()).collect();
        assert!(handed.contains(&"lenet/conv2.weights".to_string()), "{handed:?}");
    }
}
