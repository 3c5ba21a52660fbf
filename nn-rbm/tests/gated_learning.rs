//! Learning of gated machines: that it raises the exact log p(y | x), what a step asks of a device, resumption, refusals.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod pairs;

use machines::values;
use ndarray::Array2;
use nn_core::{
    Binarize, Cases, Dataset, Device, Key, Learner, Parameters, Penalty, Sgd, counting::Counting, init,
};
use nn_rbm::{
    GatedRbm,
    convolutional::{Geometry, MapSparsity},
    gated::GatedLearner,
};
use pairs::{FOUR, Plain};

/// Images of independent normal pixels, and each a pixel further to the left or to the right, around the edge.
fn shifted(device: &Device, cases: usize) -> Cases {
    let x = init::normal(&Device::reference(), cases, 16, 1.0, Key::new(4)).to_array().unwrap();
    let from = |case: usize, pixel: usize| pixel / 4 * 4 + (pixel % 4 + [1, 3][case % 2]) % 4;
    let y = Array2::from_shape_fn(x.dim(), |(case, pixel)| x[[case, from(case, pixel)]]);
    Cases::new(device.tensor(&x), device.tensor(&y))
}

fn learner(device: &Device, k: u32) -> GatedLearner<Sgd> {
    let rbm = GatedRbm::new(device, FOUR, 0.05, Key::new(1)).unwrap();
    let sgd = Sgd::new(&rbm, 0.1, 0.5, Penalty::l2(1e-4)).unwrap();
    GatedLearner::new(rbm, k, sgd).unwrap()
}

fn train(learner: &mut GatedLearner<Sgd>, data: &Cases, updates: std::ops::Range<u64>) {
    updates.for_each(|update| learner.update(data, update, Key::new(3).fold_in(update)));
}

#[test]
fn the_likelihood_rises() {
    let device = Device::cpu();
    let data = shifted(&device, 200);
    for k in [1, 3] {
        let mut learner = learner(&device, k);
        let likelihood = |learner: &GatedLearner<Sgd>| {
            Plain::of(&learner.rbm).mean_log_probability(&data.inputs, data.targets_or_inputs())
        };
        let before = likelihood(&learner);
        train(&mut learner, &data, 0..400);
        let after = likelihood(&learner);
        println!("CD-{k}: {before:.2} to {after:.2}");
        // At first y is as good as independent of x: 16 normal pixels, −16 · (log 2π + 1)/2 = −22.7.
        assert!((before + 22.7).abs() < 1.0 && after > before + 1.5, "CD-{k}: {before} {after}");
        assert!(learner.rbm.weights.to_array().unwrap().iter().all(|weight| weight.is_finite()));
    }
}

#[test]
fn a_step_reads_nothing() {
    let (counting, device) = Counting::new(&Device::cpu());
    let data = shifted(&device, 8);
    let mut learner = learner(&device, 2);
    learner.sparsity = Some(MapSparsity::new(0.1, 0.5).unwrap());
    train(&mut learner, &data, 0..2);
    counting.take();
    train(&mut learner, &data, 2..3);
    assert_eq!(counting.take().reads, 0);
}

#[test]
fn a_resumed_run_ends_in_the_same_bits() {
    let device = Device::cpu();
    let data = shifted(&device, 20);
    let mut whole = learner(&device, 2);
    train(&mut whole, &data, 0..17);
    let saved = values(&whole);
    train(&mut whole, &data, 17..40);
    let mut resumed = learner(&device, 2);
    let mut saved = saved.into_iter();
    resumed.visit_mut(&mut |_, tensor| tensor.assign(&device.tensor_f64(&saved.next().unwrap().1)));
    train(&mut resumed, &data, 17..40);
    assert_eq!(values(&whole), values(&resumed));
}

/// The bias alone is pulled, until units of a map are on as often as the target says.
#[test]
fn sparsity_pulls_the_activity_to_its_target() {
    let device = Device::cpu();
    let data = shifted(&device, 40);
    let mut learner = learner(&device, 1);
    learner.sparsity = Some(MapSparsity::new(0.05, 50.0).unwrap());
    learner.optimizer = Sgd::new(&learner.rbm, 0.02, 0.0, Penalty::default()).unwrap();
    train(&mut learner, &data, 0..1500);
    let figures = learner.measure(&data, Key::new(4)).unwrap();
    let activity = figures.iter().find(|(name, _)| *name == "mean hidden activity").unwrap().1;
    assert!((activity - 0.05).abs() < 0.005, "{activity}");
}

#[test]
fn what_cannot_be_is_refused() {
    let device = Device::cpu();
    let new = |geometry: Geometry, deviation: f64| GatedRbm::new(&device, geometry, deviation, Key::new(1));
    let message = |geometry: Geometry| new(geometry, 0.1).unwrap_err().to_string();
    assert!(message(Geometry { height: 5, ..FOUR }).contains("crop images to 4×4"));
    assert!(message(Geometry { filter: 6, ..FOUR }).contains("side of the filters is 6"));
    assert!(message(Geometry { maps: 0, ..FOUR }).contains("all sizes are positive"));
    for deviation in [-0.1, f64::NAN, f64::INFINITY] {
        let message = new(FOUR, deviation).unwrap_err().to_string();
        assert!(message.contains("standard deviation of weights"), "{message}");
    }
    let rbm = new(FOUR, 0.1).unwrap();
    let sgd = Sgd::new(&rbm, 0.1, 0.0, Penalty::default()).unwrap();
    assert!(GatedLearner::new(rbm, 0, sgd).unwrap_err().to_string().contains("k must be at least 1"));

    let learner = learner(&device, 1);
    let data =
        |columns: usize| Dataset::new(&device, Array2::zeros((3, columns)).view(), Binarize::Never).unwrap();
    let refused = |data: Dataset| learner.check(&data).unwrap_err().to_string();
    assert!(refused(data(16)).contains("there are none"));
    let pairs = |x: usize, y: usize| data(x).with_targets(Array2::zeros((3, y)).view()).unwrap();
    let wanted = "inputs x have 15 values, but the machine sees images of 4×4×1";
    assert!(refused(pairs(15, 16)).contains(wanted));
    assert!(refused(pairs(16, 17)).contains("targets y have 17 values"));
    learner.check(&pairs(16, 16)).unwrap();
}

#[test]
#[should_panic(expected = "2 images y for 3 images x")]
fn other_numbers_of_x_and_y_are_refused() {
    let rbm = GatedRbm::new(&Device::cpu(), FOUR, 0.1, Key::new(1)).unwrap();
    let (x, y, mut out) = (pairs::images(&rbm, 3, 1), pairs::images(&rbm, 2, 2), rbm.device().zeros(2, 8));
    rbm.given(&x).mean_hidden(&y, &mut out);
}

#[test]
#[should_panic(expected = "does not hold images")]
fn images_of_another_size_are_refused() {
    let rbm = GatedRbm::new(&Device::cpu(), FOUR, 0.1, Key::new(1)).unwrap();
    rbm.given(&rbm.device().zeros(1, 15));
}
