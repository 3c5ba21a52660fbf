//! A run that was saved, loaded into a fresh learner and gone on with ends in the same bits as one that was not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;

use machines::values;
use ndarray::Array2;
use nn_core::{
    Adam, Binarize, Dataset, Device, Ending, Fit, Key, Optimizer, Parameters, Penalty, Schedule, Sgd,
    checkpoint::{self, Checkpoint, Header},
    fit::{Flow, Observer, Record, Seen},
};
use nn_rbm::{
    GradientEstimator, Offsets, Path, Rbm, RbmLearner, Sparsity,
    estimator::{ContrastiveDivergence, FastPersistent, ParallelTempering, Persistent},
};
use std::sync::atomic::AtomicBool;

const UPDATES: u64 = 40;
const CUT: u64 = 17;

type Make = fn(&Rbm) -> Box<dyn GradientEstimator>;

const ESTIMATORS: [(&str, Make); 4] = [
    ("CD growing", |_| {
        Box::new(ContrastiveDivergence::with_schedule(vec![(0, 1), (10, 2), (25, 4)]).unwrap())
    }),
    ("PCD", |rbm| Box::new(Persistent::new(rbm, 11, 2, Key::new(1)).unwrap())),
    ("fast PCD", |rbm| Box::new(FastPersistent::new(rbm, 11, 0.1, 0.9, Key::new(1)).unwrap())),
    ("PT", |rbm| Box::new(ParallelTempering::new(rbm, Path::from_model(rbm), 11, 4, Key::new(1)).unwrap())),
];

/// Stops after some updates.
struct StopAt(u64);

impl Observer for StopAt {
    fn every(&self) -> u64 {
        1
    }
    fn see(&mut self, seen: &Seen<'_>, _: &mut Record) -> Result<Flow, nn_core::Error> {
        Ok(if seen.update == self.0 { Flow::Stop } else { Flow::Continue })
    }
}

fn data(device: &Device) -> Dataset {
    let inputs = Array2::from_shape_fn((24, 6), |(i, j)| Key::new(2).uniform((6 * i + j) as u64));
    Dataset::new(device, inputs.view(), Binarize::EachTime).unwrap()
}

fn sgd(rbm: &Rbm) -> Sgd {
    let momentum = Schedule::Steps(vec![(0, 0.5), (20, 0.9)]);
    Sgd::new(rbm, Schedule::Linear { from: 0.2, to: 0.05, updates: 30 }, momentum, Penalty::l2(0.001))
        .unwrap()
}

/// A learner with everything that carries state: moments, chains, offsets, the activity of sparsity.
fn learner<O: Optimizer>(device: &Device, seed: u64, make: Make, optimizer: fn(&Rbm) -> O) -> RbmLearner<O> {
    let rbm = Rbm::bernoulli(device, 6, 5, Key::new(seed)).unwrap();
    let (estimator, optimizer) = (make(&rbm), optimizer(&rbm));
    let mut learner = RbmLearner::with_estimator(rbm, estimator, optimizer);
    learner.offsets = Some(Offsets::new(&learner.rbm, 0.05).unwrap());
    learner.sparsity = Some(Sparsity::new(&learner.rbm, 0.2, 0.1, 0.9).unwrap());
    learner
}

/// Trains from one update to another; ends at the last by itself, before it through an observer.
fn train<O: Optimizer>(learner: &mut RbmLearner<O>, from: u64, to: u64) {
    let data = data(learner.rbm.device());
    // Six updates an epoch: the cut falls inside the third one.
    let fit = Fit { from, ..Fit::new(7, 4, Key::new(3)) };
    let ending = fit.run(learner, &data, &mut [&mut StopAt(to)], &AtomicBool::new(false)).unwrap();
    assert_eq!(ending, Ending::Stopped(to));
}

fn saved_and_resumed<O: Optimizer>(device: &Device, name: &str, make: Make, optimizer: fn(&Rbm) -> O) {
    let mut whole = learner(device, 1, make, optimizer);
    train(&mut whole, 0, UPDATES);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut first = learner(device, 1, make, optimizer);
    train(&mut first, 0, CUT);
    checkpoint::save(&path, &Header::new("test", CUT, Key::new(3)), &first).unwrap();
    assert_ne!(values(&first), values(&whole));

    // Another seed: whatever is not in the file would differ.
    let mut second = learner(device, 99, make, optimizer);
    let checkpoint = Checkpoint::open(&path, "test").unwrap();
    checkpoint.load_into(&mut second).unwrap();
    assert_eq!(values(&first), values(&second), "{name}: what was loaded is not what was saved");
    train(&mut second, checkpoint.header().step, UPDATES);
    for ((place, wanted), (_, found)) in values(&whole).iter().zip(values(&second)) {
        let bits = |array: &Array2<f64>| array.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(wanted), bits(&found), "{name} on {}: {place}", device.name());
    }
}

/// 40 updates in one go, and 17 with a checkpoint and 23 more by a fresh learner, end in equal bits: weights,
/// velocities, chains, fast weights, replicas, offsets, activity. With centring, sparsity, schedules and pixels drawn
/// each time; on both backends. Equality needs no bound.
#[test]
fn ends_in_the_same_bits() {
    for device in [Device::cpu(), Device::reference()] {
        for (name, make) in ESTIMATORS {
            saved_and_resumed(&device, name, make, sgd);
            saved_and_resumed(&device, name, make, |rbm| Adam::new(rbm, 0.01, Penalty::l2(0.001)).unwrap());
        }
    }
}

/// Every tensor of a learner has a name of its own, so that none overwrites another in a file; what a run needs is
/// there.
#[test]
fn names_are_different() {
    for (name, make) in ESTIMATORS {
        let learner = learner(&Device::cpu(), 1, make, sgd);
        let mut names = Vec::new();
        learner.visit(&mut |name, _| names.push(name.to_string()));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count, "{name}: {names:?}");
        for wanted in [
            "weights",
            "visible.biases",
            "hidden.biases",
            "optimizer.weights.velocity",
            "offsets.hidden",
            "sparsity.activity",
        ] {
            assert!(names.iter().any(|name| name == wanted), "{name}: no {wanted} in {names:?}");
        }
    }
}

/// A checkpoint of one estimator is refused by another, and nothing is changed.
#[test]
fn another_estimator_is_refused() {
    let device = Device::cpu();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let saved = learner(&device, 1, ESTIMATORS[0].1, sgd);
    checkpoint::save(&path, &Header::new("test", 0, Key::new(3)), &saved).unwrap();
    let mut other = learner(&device, 99, ESTIMATORS[1].1, sgd);
    let before = values(&other);
    let message = Checkpoint::open(&path, "test").unwrap().load_into(&mut other).unwrap_err().to_string();
    assert!(message.contains("no tensor estimator.chains") && !message.contains('\n'), "{message}");
    assert_eq!(values(&other), before);
}
