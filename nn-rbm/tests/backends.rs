//! The same draws on every backend, the same bits in every run and with every number of threads.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod precision;

use crate::precision::single;
use machines::{distance, enumerable, values};
use ndarray::Array2;
use nn_core::{Binarize, Dataset, Device, Fit, Key, Learner, Penalty, Sgd};
use nn_data::synthetic::bars_and_stripes;
use nn_rbm::{
    GradientEstimator, Rbm, RbmLearner,
    estimator::{ContrastiveDivergence, Persistent},
    partition::log_partition,
};
use std::sync::atomic::AtomicBool;

/// Draws of every kind of unit from the same key: discrete states are equal except where a uniform number falls
/// between two roundings of its probability (2⁻²³ of 4·10⁴ draws: none), continuous ones up to single precision of
/// numbers of about 10.
#[test]
fn draw_the_same_samples() {
    let near = enumerable(&single());
    for (a, b) in near.iter().zip(enumerable(&Device::reference())) {
        let (va, vb) = (a.cases(2000, Key::new(1)), b.cases(2000, Key::new(1)));
        // From here on both start from the same states, so that differences do not grow.
        let common = va.to_array().unwrap();
        let off_v = distance(&va.to_array_f64().unwrap(), &vb.to_array_f64().unwrap());
        let (va, vb) = (a.rbm.device().tensor(&common), b.rbm.device().tensor(&common));
        let (ha, hb) = (a.rbm.sample_hidden(&va, Key::new(2)), b.rbm.sample_hidden(&vb, Key::new(2)));
        let off_h = distance(&ha.to_array_f64().unwrap(), &hb.to_array_f64().unwrap());
        println!("{}: visible {off_v:.1e}, hidden {off_h:.1e}", a.name);
        assert!(off_v < 1e-5 && off_h < 1e-4, "{}: {off_v} {off_h}", a.name);
    }
}

fn learner(device: &Device, estimator: &str) -> (RbmLearner<Sgd>, Dataset) {
    let patterns = bars_and_stripes::patterns(3).unwrap();
    let data = Dataset::new(device, patterns.view(), Binarize::Never).unwrap();
    let rbm = Rbm::bernoulli(device, 9, 6, Key::new(3)).unwrap();
    let estimator = make(&rbm, estimator);
    let sgd = Sgd::new(&rbm, 0.05, 0.5, Penalty::l2(1e-4)).unwrap();
    (RbmLearner::with_estimator(rbm, estimator, sgd), data)
}

fn make(rbm: &Rbm, estimator: &str) -> Box<dyn GradientEstimator> {
    match estimator {
        "CD-1" => Box::new(ContrastiveDivergence::new(1).unwrap()),
        _ => Box::new(Persistent::new(rbm, 100, 1, Key::new(4)).unwrap()),
    }
}

/// After 1,000 updates of CD-1 a machine learned in single precision and one in double precision, from the same keys,
/// have the same exact log-likelihood to 10⁻⁴: they drew the same states all along (84,000 of them), and rounding has
/// not built up. It cannot stay so for ever: weights by then differ by 10⁻⁵, so that about one draw in 10⁵ falls
/// between the two probabilities, and from the first such draw on the two runs differ by 10⁻³ and more.
#[test]
fn learn_the_same() {
    for key in [5, 6, 7] {
        let reached = [Device::cpu(), Device::reference()].map(|device| {
            let (mut learner, data) = learner(&device, "CD-1");
            let fit = Fit::new(1000, 14, Key::new(key));
            fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
            -log_partition(&learner.rbm).unwrap() - learner.rbm.mean_free_energy(data.inputs()).unwrap()
        });
        println!("{reached:?}: {:.1e} apart", (reached[0] - reached[1]).abs());
        assert!((reached[0] - reached[1]).abs() < 1e-4, "{reached:?}");
        assert!(reached[0] > -5.0, "nothing was learned: {reached:?}");
    }
}

/// The same seed gives the same bits, another seed does not.
#[test]
fn repeat_bit_by_bit() {
    for estimator in ["CD-1", "PCD"] {
        let run = |seed| {
            let (mut learner, data) = learner(&Device::cpu(), estimator);
            let fit = Fit::new(100, 5, Key::new(seed));
            fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
            values(&learner)
        };
        let first = run(6);
        assert_eq!(first, run(6), "{estimator}");
        assert_ne!(first, run(7), "{estimator}");
    }
}

/// 30 updates of a machine of 784×128 on batches of 100, large enough for work to be split: one thread and two (and
/// four, on however many cores) give the same bits.
#[test]
fn threads_change_nothing() {
    let inputs = Array2::from_shape_fn((300, 784), |(i, j)| {
        f32::from(u8::from(Key::new(8).uniform((784 * i + j) as u64) < 0.15 + 0.3 * ((i + j) % 3) as f32))
    });
    for estimator in ["CD-1", "PCD"] {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let device = Device::cpu();
                let data = Dataset::new(&device, inputs.view(), Binarize::Never).unwrap();
                let rbm = Rbm::bernoulli(&device, 784, 128, Key::new(9)).unwrap();
                let estimator = make(&rbm, estimator);
                let sgd = Sgd::new(&rbm, 0.05, 0.9, Penalty::l2(1e-4)).unwrap();
                let mut learner = RbmLearner::with_estimator(rbm, estimator, sgd);
                let fit = Fit::new(10, 100, Key::new(10));
                fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
                let figures = learner.measure(data.all(), Key::new(11)).unwrap();
                (values(&learner), figures)
            })
        };
        let one = run(1);
        assert!(one.0[0].1.iter().all(|w| w.is_finite()) && one.0[0].1.iter().any(|w| w.abs() > 0.05));
        assert!(one == run(2), "{estimator}: two threads give other bits than one");
        assert!(one == run(4), "{estimator}: four threads give other bits than one");
    }
}
