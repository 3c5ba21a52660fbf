use super::*;
use crate::{
    Activation, Adam, Device, Ending, Fit, Penalty, Schedule, Sgd,
    checkpoint::{self, Checkpoint, Header},
    conformance::noise,
    counting::{Counting, Counts},
    fit::{Flow, Observer, Record, Seen},
    init::Initialization,
    layer::{Dense, Dropout},
    network::named,
};
use ndarray::{Array2, arr2};
use std::sync::atomic::AtomicBool;

fn xor(device: &Device) -> Dataset {
    let inputs = arr2(&[[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    Dataset::labelled(device, inputs.view(), &[0, 1, 1, 0], 2).unwrap()
}

fn perceptron(device: &Device, sizes: &[usize], seed: u64) -> Network {
    let start = Initialization::Normal { deviation: 0.5 };
    Network::perceptron(device, sizes, Activation::Tanh, start, Loss::CrossEntropy, Key::new(seed)).unwrap()
}

/// Exclusive or by batch, online and minibatch descent: the loss that no linear map gets below is log 2.
#[test]
fn exclusive_or_is_learned_by_batch_online_and_minibatch_descent() {
    let device = Device::cpu();
    let data = xor(&device);
    for batch in [4, 1, 2] {
        let network = perceptron(&device, &[2, 4, 2], 1);
        let sgd = Sgd::new(&network, 0.2, 0.9, Penalty::default()).unwrap();
        let mut learner = SupervisedLearner::new(network, sgd);
        let fit = Fit::new(600, batch, Key::new(2));
        let ending = fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
        assert_eq!(ending, Ending::Complete);
        let figures = learner.measure(data.all(), Key::new(3)).unwrap();
        assert!(figures[0].1 < 0.05 && figures[1] == ("error", 0.0), "batch {batch}: {figures:?}");
    }
}

#[test]
fn outputs_are_those_before_the_update() {
    let device = Device::cpu();
    let data = xor(&device);
    let network = perceptron(&device, &[2, 4, 2], 1);
    let before = network.activity(data.inputs().view(), 2).to_array().unwrap();
    let sgd = Sgd::new(&network, 0.2, 0.9, Penalty::default()).unwrap();
    let mut learner = SupervisedLearner::new(network, sgd);
    assert!(learner.outputs().is_none());
    learner.update(data.all(), 0, Key::new(2));
    assert_eq!(learner.outputs().unwrap().to_array().unwrap(), before);
    assert_ne!(learner.network.activity(data.inputs().view(), 2).to_array().unwrap(), before);
}

/// Cases without targets are reconstructed; the error of classes is not counted.
#[test]
fn cases_without_targets_are_their_own() {
    let device = Device::cpu();
    let inputs = Array2::from_shape_fn((8, 3), |(i, j)| (i >> j & 1) as f32);
    let data = Dataset::new(&device, inputs.view(), crate::Binarize::Never).unwrap();
    let start = Initialization::default();
    let network = Network::perceptron(
        &device,
        &[3, 6, 3],
        Activation::Tanh,
        start,
        Loss::BinaryCrossEntropy,
        Key::new(1),
    );
    let network = network.unwrap();
    let adam = Adam::new(&network, 0.05, Penalty::default()).unwrap();
    let mut learner = SupervisedLearner::new(network, adam);
    Fit::new(200, 8, Key::new(2)).run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
    let figures = learner.measure(data.all(), Key::new(3)).unwrap();
    assert_eq!(figures.len(), 1);
    assert!(figures[0].1 < 0.1, "{figures:?}");
    let predictions = learner.network.predict(data.inputs().view()).to_array().unwrap();
    assert_eq!(predictions.mapv(f32::round), inputs);
}

#[test]
fn data_that_do_not_fit_are_refused() {
    let device = Device::cpu();
    let message = |data: &Dataset, sizes: &[usize]| {
        let network = perceptron(&device, sizes, 1);
        let sgd = Sgd::new(&network, 0.1, 0.0, Penalty::default()).unwrap();
        let mut learner = SupervisedLearner::new(network, sgd);
        let run = Fit::new(1, 2, Key::new(1)).run(&mut learner, data, &mut [], &AtomicBool::new(false));
        run.unwrap_err().to_string()
    };
    assert_eq!(message(&xor(&device), &[3, 2]), "cases of 2 values for a network of 3 inputs");
    assert_eq!(message(&xor(&device), &[2, 3]), "targets of 2 values for a network of 3 outputs");
    let unlabelled = Dataset::new(&device, Array2::zeros((4, 2)).view(), crate::Binarize::Never).unwrap();
    assert!(message(&unlabelled, &[2, 3]).starts_with("the data have no targets, and the 3 outputs"));
}

/// A steady update of a perceptron with one hidden layer is 16 kernels: two products forward, two reductions and δ of the
/// loss, one product back (none to the inputs), two sums for the biases, two products into the velocities of the weights,
/// two velocities of biases and four additions of velocities. Nothing is read, written or allocated. Dropout of inputs
/// adds mask and product of it, and no way back; dropout of the hidden layer also its way back. Max-norm adds lengths and
/// factors of both weights.
#[test]
fn the_kernels_of_an_update() {
    let count = |max_norm, layers: &dyn Fn(&Device) -> Network| {
        let (counting, device) = Counting::new(&Device::cpu());
        let network = layers(&device);
        let mut targets = device.zeros(4, 3);
        targets.assign(crate::Expr::Position(3).equal(1.0));
        let batch = Cases::new(noise(&device, 4, 6, 1), targets);
        let penalty = Penalty { max_norm, ..Penalty::l2(0.001) };
        let sgd = Sgd::new(&network, 0.1, 0.9, penalty).unwrap();
        let mut learner = SupervisedLearner::new(network, sgd);
        learner.update(&batch, 0, Key::new(2));
        counting.take();
        learner.update(&batch, 1, Key::new(3));
        counting.take()
    };
    let plain = count(None, &|device| perceptron(device, &[6, 5, 3], 1));
    assert_eq!(plain, Counts { assigns: 7, products: 5, reductions: 4, ..Counts::default() });
    let bounded = count(Some(1.0), &|device| perceptron(device, &[6, 5, 3], 1));
    assert_eq!(bounded, Counts { assigns: 7 + 2, reductions: 4 + 2, ..plain });
    let dropping = count(None, &|device| {
        let dense = |inputs, outputs, activation| {
            Dense::new(device, inputs, outputs, activation, Initialization::default(), Key::new(1)).unwrap()
        };
        let layers = vec![
            named("input", Dropout::new(6, 0.2).unwrap()),
            named("hidden", dense(6, 5, Activation::RectifiedLinear)),
            named("dropout", Dropout::new(5, 0.5).unwrap()),
            named("output", dense(5, 3, Activation::Identity)),
        ];
        Network::new(layers, Loss::CrossEntropy).unwrap()
    });
    assert_eq!(dropping, Counts { assigns: 7 + 2 + 3, ..plain });
}

/// Stops after some updates.
struct StopAt(u64);
impl Observer for StopAt {
    fn every(&self) -> u64 {
        1
    }
    fn see(&mut self, seen: &Seen<'_>, _: &mut Record) -> Result<Flow, Error> {
        Ok(if seen.update == self.0 { Flow::Stop } else { Flow::Continue })
    }
}

fn dropping<O: Optimizer>(device: &Device, seed: u64, optimizer: fn(&Network) -> O) -> SupervisedLearner<O> {
    let mut layers = perceptron(device, &[5, 4, 3], seed).into_layers();
    layers.insert(1, named("dropout", Dropout::new(4, 0.5).unwrap()));
    let network = Network::new(layers, Loss::CrossEntropy).unwrap();
    let optimizer = optimizer(&network);
    SupervisedLearner::new(network, optimizer)
}

fn bits(model: &dyn Parameters) -> Vec<(String, Vec<u64>)> {
    let mut tensors = Vec::new();
    model.visit(&mut |name, tensor| tensors.push((name.to_string(), tensor)));
    let bits = |tensor: &Tensor| tensor.to_array_f64().unwrap().iter().map(|value| value.to_bits()).collect();
    tensors.into_iter().map(|(name, tensor)| (name, bits(tensor))).collect()
}

/// Interrupted within an epoch and gone on with by a fresh learner, training ends in equal bits: with dropout, momentum or
/// moments, schedules, random or given order, a smaller last batch or none.
fn resumes<O: Optimizer>(optimizer: fn(&Network) -> O) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    for device in [Device::cpu(), Device::reference()] {
        let inputs = Array2::from_shape_fn((11, 5), |(i, j)| Key::new(2).uniform((5 * i + j) as u64));
        let labels: Vec<usize> = (0..11).map(|case| case % 3).collect();
        let data = Dataset::labelled(&device, inputs.view(), &labels, 3).unwrap();
        for (shuffle, rest) in [(true, false), (true, true), (false, true)] {
            let fit = Fit { shuffle, rest, ..Fit::new(6, 4, Key::new(3)) };
            let train = |learner: &mut SupervisedLearner<O>, from, to| {
                let fit = Fit { from, ..fit.clone() };
                fit.run(learner, &data, &mut [&mut StopAt(to)], &AtomicBool::new(false)).unwrap();
            };
            let last = fit.updates_per_epoch(&data) * 6;
            assert_eq!(last, if rest { 18 } else { 12 });
            let mut whole = dropping(&device, 1, optimizer);
            train(&mut whole, 0, last);
            let mut first = dropping(&device, 1, optimizer);
            train(&mut first, 0, 5);
            checkpoint::save(&path, &Header::new("test", 5, Key::new(3)), &first).unwrap();
            let mut second = dropping(&device, 99, optimizer);
            Checkpoint::open(&path, "test").unwrap().load_into(&mut second).unwrap();
            train(&mut second, 5, last);
            assert_ne!(bits(&first), bits(&whole));
            assert_eq!(bits(&second), bits(&whole));
        }
    }
}

#[test]
fn a_resumed_run_ends_in_equal_bits() {
    resumes(|network| {
        let momentum = Schedule::Steps(vec![(0, 0.5), (7, 0.9)]);
        Sgd::new(network, 0.1, momentum, Penalty { max_norm: Some(1.0), ..Penalty::l2(0.01) }).unwrap()
    });
    resumes(|network| Adam::new(network, 0.01, Penalty::l2(0.001)).unwrap());
}

/// y = w·x from w = 0 on the cases 1, 2, 3 with target 1, rate 0.1, minibatches of 2: ∂L/∂w is −(1 + 2)/2 on the first two
/// cases, so w = 0.15; then (0.45 − 1)·3 on the last one alone, which counts as one case and not as half a minibatch.
#[test]
fn the_gradient_of_a_smaller_last_batch_is_divided_by_its_own_cases() {
    let device = Device::reference();
    let inputs = arr2(&[[1.0f32], [2.0], [3.0]]);
    let data = Dataset::new(&device, inputs.view(), crate::Binarize::Never).unwrap();
    let data = data.with_targets(Array2::ones((3, 1)).view()).unwrap();
    let start = Initialization::Zeros;
    let top = Dense::new(&device, 1, 1, Activation::Identity, start, Key::new(1)).unwrap();
    let network = Network::new(vec![named("top", top)], Loss::SquaredError).unwrap();
    let frozen = crate::SgdRule::new(0.0, 0.0, Penalty::default());
    let sgd =
        Sgd::new(&network, 0.1, 0.0, Penalty::default()).unwrap().with_rule("top.biases", frozen).unwrap();
    let mut learner = SupervisedLearner::new(network, sgd);
    let fit = Fit { shuffle: false, rest: true, ..Fit::new(1, 2, Key::new(1)) };
    fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
    learner.network.visit(&mut |name, tensor| {
        if name == "top.weights" {
            let weight = tensor.to_array_f64().unwrap()[[0, 0]];
            assert!((weight - (0.15 + 0.1 * 0.55 * 3.0)).abs() < 1e-6, "{weight}");
        }
    });
}

/// A class without a case is learned to be improbable, and nothing of it is undefined.
#[test]
fn a_class_without_a_case_is_trained_and_evaluated() {
    let device = Device::cpu();
    let inputs = arr2(&[[0.0f32, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let data = Dataset::labelled(&device, inputs.view(), &[0, 1, 1, 0], 3).unwrap();
    let network = perceptron(&device, &[2, 4, 3], 1);
    let sgd = Sgd::new(&network, 0.2, 0.9, Penalty::default()).unwrap();
    let mut learner = SupervisedLearner::new(network, sgd);
    Fit::new(600, 4, Key::new(2)).run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
    let figures = learner.measure(data.all(), Key::new(3)).unwrap();
    assert!(figures[0].1 < 0.05 && figures[1] == ("error", 0.0), "{figures:?}");
    let predictions = learner.network.predict(data.inputs().view()).to_array().unwrap();
    assert!(
        predictions.column(2).iter().all(|probability| (0.0..0.05).contains(probability)),
        "{predictions}"
    );
    let matrix = crate::classification::ConfusionMatrix::new(predictions.view(), &[0, 1, 1, 0]).unwrap();
    assert_eq!(matrix.class_error_rates(), [Some(0.0), Some(0.0), None]);
}
