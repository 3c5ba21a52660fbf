//! Learning of convolutional machines: that it raises the exact log-likelihood, what a step asks of a device, resumption,
//! sparsity, falling deviations.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod filters;
mod machines;

use filters::FOUR;
use machines::values;
use ndarray::Array2;
use nn_core::{
    Binarize, Cases, Dataset, Device, Key, Learner, OLD, Parameters, Penalty, Schedule, Sgd, Tensor,
    counting::Counting,
};
use nn_rbm::{
    ConvolutionalRbm,
    convolutional::{ConvolutionalLearner, Geometry, MapSparsity},
    partition::log_partition,
};

/// Bars across and down.
fn bars(device: &Device) -> Tensor {
    let bar = |(case, pixel): (usize, usize)| {
        let line = if case < 4 { pixel / 4 } else { pixel % 4 };
        f32::from(u8::from(line == case % 4))
    };
    device.tensor(&Array2::from_shape_fn((8, 16), bar))
}

fn learner(device: &Device, geometry: Geometry, k: u32, chains: Option<usize>) -> ConvolutionalLearner<Sgd> {
    let rbm = ConvolutionalRbm::bernoulli(device, geometry, Key::new(1)).unwrap();
    let sgd = Sgd::new(&rbm, 0.3, 0.5, Penalty::l2(1e-4)).unwrap();
    let learner = ConvolutionalLearner::new(rbm, k, sgd).unwrap();
    match chains {
        None => learner,
        Some(chains) => learner.persistent(chains, Key::new(2)).unwrap(),
    }
}

fn train(learner: &mut ConvolutionalLearner<Sgd>, data: &Cases, updates: std::ops::Range<u64>) {
    updates.for_each(|update| learner.update(data, update, Key::new(3).fold_in(update)));
}

#[test]
fn the_likelihood_rises() {
    let device = Device::cpu();
    let data: Cases = bars(&device).into();
    for (name, k, chains) in [("CD-1", 1, None), ("CD-3", 3, None), ("PCD-2", 2, Some(20))] {
        let mut learner = learner(&device, Geometry { maps: 4, ..FOUR }, k, chains);
        let likelihood = |learner: &ConvolutionalLearner<Sgd>| {
            let rbm = &learner.rbm;
            -rbm.mean_free_energy(&data.inputs).unwrap() - log_partition(&rbm.untied()).unwrap()
        };
        let before = likelihood(&learner);
        train(&mut learner, &data, 0..1500);
        let after = likelihood(&learner);
        println!("{name}: {before:.2} to {after:.2}");
        // Without filters log p(v) is at best that of 16 independent pixels that are on a quarter of the time.
        let independent = 16.0 * (0.25 * 0.25f64.ln() + 0.75 * 0.75f64.ln());
        assert!(
            (before + 16.0 * 2f64.ln()).abs() < 0.1 && after > independent + 0.5,
            "{name}: {before} {after}"
        );
    }
}

#[test]
fn a_step_reads_nothing() {
    let (counting, device) = Counting::new(&Device::cpu());
    let data: Cases = bars(&device).into();
    for (k, chains) in [(1, None), (3, Some(5))] {
        let mut learner = learner(&device, FOUR, k, chains);
        learner.sparsity = Some(MapSparsity::new(0.1, 0.5).unwrap());
        train(&mut learner, &data, 0..2);
        counting.take();
        train(&mut learner, &data, 2..3);
        assert_eq!(counting.take().reads, 0);
    }
}

#[test]
fn a_resumed_run_ends_in_the_same_bits() {
    let device = Device::cpu();
    let data: Cases = bars(&device).into();
    for chains in [None, Some(6)] {
        let mut whole = learner(&device, FOUR, 2, chains);
        train(&mut whole, &data, 0..17);
        let saved = values(&whole);
        train(&mut whole, &data, 17..40);
        let mut resumed = learner(&device, FOUR, 2, chains);
        let mut saved = saved.into_iter();
        resumed.visit_mut(&mut |_, tensor| tensor.assign(&device.tensor_f64(&saved.next().unwrap().1)));
        train(&mut resumed, &data, 17..40);
        assert_eq!(values(&whole), values(&resumed));
    }
}

/// The bias alone is pulled, until units of a map are on as often as the target says.
#[test]
fn sparsity_pulls_the_activity_to_its_target() {
    let device = Device::cpu();
    let data: Cases = bars(&device).into();
    let mut learner = learner(&device, FOUR, 1, None);
    learner.sparsity = Some(MapSparsity::new(0.05, 20.0).unwrap());
    learner.optimizer = Sgd::new(&learner.rbm, 0.05, 0.0, Penalty::default()).unwrap();
    train(&mut learner, &data, 0..400);
    let figures = learner.measure(&data, Key::new(4)).unwrap();
    let activity = figures.iter().find(|(name, _)| *name == "mean hidden activity").unwrap().1;
    assert!((activity - 0.05).abs() < 0.005, "{activity}");
    for (target, cost) in [(0.0, 1.0), (1.0, 1.0), (0.1, -1.0), (0.1, f32::NAN)] {
        assert!(MapSparsity::new(target, cost).is_err());
    }
}

/// σ follows its schedule, in the visible units and in what hidden ones see of them.
#[test]
fn the_deviation_falls() {
    let device = Device::reference();
    let mut data = bars(&device);
    data.assign(OLD - 0.25);
    let rbm = ConvolutionalRbm::gaussian(&device, FOUR, 1.0, Key::new(1)).unwrap();
    let sgd = Sgd::new(&rbm, 0.1, 0.5, Penalty::default()).unwrap();
    let mut learner = ConvolutionalLearner::new(rbm, 1, sgd).unwrap();
    learner.deviation = Some(Schedule::Steps(vec![(0, 1.0), (5, 0.5)]));
    for (updates, deviation) in [(0..5, 1.0f64), (5..6, 0.5)] {
        train(&mut learner, &data.duplicate().into(), updates);
        for (name, values) in values(&learner.rbm) {
            match name.as_str() {
                "hidden.precision" => assert!((values[[0, 0]] - deviation.powi(-2)).abs() < 1e-12),
                "visible.log_variances" => assert!((values[[0, 0]] - 2.0 * deviation.ln()).abs() < 1e-12),
                _ => assert!(values.iter().all(|value| value.is_finite())),
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let device = Device::cpu();
    let rbm = || ConvolutionalRbm::bernoulli(&device, FOUR, Key::new(1)).unwrap();
    let sgd = |rbm: &ConvolutionalRbm| Sgd::new(rbm, 0.1, 0.0, Penalty::default()).unwrap();
    assert!(ConvolutionalLearner::new(rbm(), 0, sgd(&rbm())).is_err());
    let learner = ConvolutionalLearner::new(rbm(), 1, sgd(&rbm())).unwrap();
    let data = Dataset::new(&device, Array2::zeros((3, 15)).view(), Binarize::Never).unwrap();
    let wanted = "cases have 15 values, but the machine sees images of 4×4×1";
    assert!(learner.check(&data).unwrap_err().to_string().contains(wanted));
    assert!(learner.persistent(0, Key::new(2)).is_err());
    assert!(ConvolutionalRbm::bernoulli(&device, Geometry { height: 5, ..FOUR }, Key::new(1)).is_err());
    assert!(ConvolutionalRbm::gaussian(&device, FOUR, 0.0, Key::new(1)).is_err());
}
