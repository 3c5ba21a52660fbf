//! Extreme parameters, parameters that are not numbers, and settings that make no sense.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;

use machines::{Machine, Part, chance::fair_visible, discrete, enumerable, randomize};
use ndarray::{Array2, Axis};
use nn_core::{Binarize, Dataset, Device, Error, Fit, Key, Penalty, Sgd};
use nn_rbm::{
    Activity, Completion, Offsets, Path, Rbm, RbmLearner, Sparsity,
    ais::{Ais, Betas},
    estimator::{ContrastiveDivergence, Exact, FastPersistent, ParallelTempering, Persistent},
    labels,
    partition::{all_states, log_partition},
    pseudo_likelihood::{pseudo_log_likelihood, stochastic_pseudo_log_likelihood},
    units::{Bernoulli, Gaussian, Rectified, Softmax},
};
use std::sync::atomic::AtomicBool;

/// With weights of ±10³ means stay finite and inside their bounds, samples are states, log Z and annealed importance
/// sampling are finite, and free energies are those of double precision up to the rounding (twice 6·10⁻⁸) of the sums
/// that enter them: 10³·|S(v)| for every pair of units.
#[test]
fn weights_of_a_thousand() {
    let (singles, doubles) = (enumerable(&Device::cpu()), enumerable(&Device::reference()));
    for (mut machine, mut double) in singles.into_iter().zip(doubles) {
        for (rbm, key) in [(&mut machine.rbm, Key::new(1)), (&mut double.rbm, Key::new(1))] {
            let device = rbm.device().clone();
            let signs = Array2::from_shape_fn((rbm.visible.len(), rbm.hidden.len()), |(i, j)| {
                if key.uniform((i * 7 + j) as u64) < 0.5 { -1e3f32 } else { 1e3 }
            });
            rbm.weights = device.tensor(&signs);
        }
        let (rbm, name) = (&machine.rbm, machine.name);
        let visible = machine.cases(20, Key::new(2));
        let hidden = rbm.sample_hidden(&visible, Key::new(3));
        let sampled = rbm.sample_visible(&hidden, Key::new(4));
        for (what, tensor) in [
            ("hidden mean", rbm.mean_hidden(&visible)),
            ("visible mean", rbm.mean_visible(&hidden)),
            ("hidden sample", hidden),
            ("visible sample", sampled),
        ] {
            let values = tensor.to_array_f64().unwrap();
            assert!(values.iter().all(|value| value.is_finite()), "{name}: {what} {values}");
            let binary = what.starts_with("visible") && rbm.visible.binary();
            assert!(
                !binary || values.iter().all(|value| (0.0..=1.0).contains(value)),
                "{name}: {what} {values}"
            );
        }
        let free = rbm.free_energy(&visible).to_array_f64().unwrap();
        let twin = double.rbm.device().tensor(&visible.to_array().unwrap());
        let exact = double.rbm.free_energy(&twin).to_array_f64().unwrap();
        let mut statistic = double.rbm.device().zeros(20, rbm.visible.len());
        double.rbm.visible.statistic(twin.view(), statistic.view_mut());
        let sizes = statistic.to_array_f64().unwrap().mapv(f64::abs).sum_axis(Axis(1));
        for ((free, exact), size) in free.iter().zip(&exact).zip(&sizes) {
            let entering = 1e3 * size * rbm.hidden.len() as f64 + exact.abs();
            assert!((free - exact).abs() < 1.2e-7 * entering + 1e-5, "{name}: F {free} {exact}");
        }
        let log_z = log_partition(rbm).unwrap();
        assert!((log_z / log_partition(&double.rbm).unwrap() - 1.0).abs() < 1e-6, "{name}: log Z {log_z}");
        let ais = Ais::new(Path::from_model(rbm), Betas::uniform(20).unwrap());
        let estimate = ais.forward(rbm, 5, Key::new(5)).unwrap();
        assert!(
            estimate.log_partition.is_finite() && estimate.standard_error.is_finite(),
            "{name}: {estimate:?}"
        );
        let reverse = ais.reverse(rbm, &fair_visible(rbm, 5, Key::new(6)), Key::new(7)).unwrap();
        assert!(reverse.log_partition.is_finite(), "{name}: {reverse:?}");
    }
}

/// Units that never or always are on are told, with words; a healthy machine has none.
#[test]
fn dead_and_saturated_units() {
    let device = Device::cpu();
    let mut rbm = Rbm::bernoulli(&device, 4, 3, Key::new(1)).unwrap();
    let cases = device.full(5, 4, 1.0);
    let healthy = Activity::of(&rbm, &cases).unwrap();
    assert!(healthy.warnings().is_empty() && (healthy.mean - 0.5).abs() < 0.02, "{healthy:?}");
    rbm.hidden.visit_mut(&mut |_, tensor| tensor.write(ndarray::arr2(&[[-9.0, 0.0, 9.0]]).view()));
    let activity = Activity::of(&rbm, &cases).unwrap();
    assert_eq!((&activity.dead[..], &activity.saturated[..]), (&[0][..], &[2][..]));
    assert_eq!(activity.warnings().len(), 2);
}

/// Weights that turn NaN end training with the name of the tensor, how many, and the update, at the next check (every
/// 100 updates or at the end); data that are not finite never get in.
#[test]
fn what_is_not_a_number_is_named() {
    let device = Device::cpu();
    let data = Dataset::new(&device, Array2::ones((4, 3)).view(), Binarize::Never).unwrap();
    for (epochs, step) in [(1000, 100), (30, 30)] {
        let mut rbm = Rbm::bernoulli(&device, 3, 2, Key::new(1)).unwrap();
        rbm.hidden.visit_mut(&mut |_, tensor| tensor.write(ndarray::arr2(&[[0.0, f32::NAN]]).view()));
        let sgd = Sgd::new(&rbm, 0.1, 0.5, Penalty::default()).unwrap();
        let mut learner = RbmLearner::new(rbm, ContrastiveDivergence::new(1).unwrap(), sgd);
        let fit = Fit::new(epochs, 4, Key::new(2));
        let error = fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&format!("step {step}")) && message.contains("weights"), "{message}");
        assert!(message.contains("learning rate") && !message.contains('\n'), "{message}");
        let Error::NonFinite { step: at, tensor, count, largest } = error else { panic!("{message}") };
        assert!(at == step && tensor == "weights" && count > 0 && largest.is_finite(), "{message}");
    }
    let mut rbm = Rbm::bernoulli(&device, 3, 2, Key::new(1)).unwrap();
    let sgd = Sgd::new(&rbm, 1e30, 0.5, Penalty::l2(1e30)).unwrap();
    randomize(&mut rbm, 1.0, 1.0, Key::new(3));
    let mut learner = RbmLearner::new(rbm, ContrastiveDivergence::new(1).unwrap(), sgd);
    let fit = Fit::new(5, 4, Key::new(2));
    let error = fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, Error::NonFinite { step: 5, .. }), "{error}");
}

/// Asserts that this is refused in one line that starts with what was set.
fn refused<T>(result: Result<T, Error>, setting: &str) {
    let Err(error) = result else { panic!("{setting} was accepted") };
    let message = error.to_string();
    assert!(
        message.starts_with(setting) && message.len() > setting.len() + 8 && !message.contains('\n'),
        "{setting}: {message}"
    );
}

/// Every constructor refuses what makes no sense, naming it.
#[test]
fn nonsense_is_refused() {
    let device = Device::cpu();
    let key = Key::new(1);
    let rbm = Rbm::bernoulli(&device, 4, 3, key).unwrap();
    let binary = |units| Box::new(Bernoulli::new(&device, units));
    refused(Rbm::bernoulli(&device, 0, 3, key), "visible units");
    refused(Rbm::bernoulli(&device, 4, 0, key), "hidden units");
    refused(
        Rbm::new(&device, binary(3), Box::new(Gaussian::new(&device, 2, 1.0).unwrap()), key),
        "hidden units",
    );
    refused(Rbm::new(&device, Box::new(Rectified::new(&device, 0)), binary(1), key), "visible units");
    for (groups, size) in [(0, 3), (3, 0)] {
        refused(Softmax::new(&device, groups, size), "softmax groups");
    }
    for variance in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        refused(Gaussian::new(&device, 2, variance), "variance");
    }
    for (lower, upper) in [(0.5, 1.0), (-1.0, -0.5), (f32::NAN, 1.0), (-1.0, f32::INFINITY)] {
        refused(Gaussian::learned(&device, 2, lower, upper, 0.1), "log variance bounds");
    }
    for rate in [-0.1, f32::NAN, f32::INFINITY] {
        refused(Gaussian::learned(&device, 2, -1.0, 1.0, rate), "rate of log variances");
        refused(FastPersistent::new(&rbm, 5, rate, 0.9, key), "fast learning rate");
        refused(Sparsity::new(&rbm, 0.1, rate, 0.9), "sparsity cost");
        refused(Offsets::new(&rbm, rate), "rate of offsets");
        refused(Sgd::new(&rbm, rate, 0.5, Penalty::default()), "learning rate");
        refused(Sgd::new(&rbm, 0.1, 0.5, Penalty::l2(rate)), "penalty.l2");
    }
    for share in [-0.1, 1.0, f32::NAN] {
        refused(FastPersistent::new(&rbm, 5, 0.1, share, key), "decay of fast weights");
        refused(Sparsity::new(&rbm, 0.1, 0.1, share), "sparsity decay");
        refused(Sparsity::new(&rbm, share, 0.1, 0.9), "sparsity target");
        refused(Sgd::new(&rbm, 0.1, share, Penalty::default()), "momentum");
    }
    refused(ContrastiveDivergence::new(0), "sweeps of contrastive divergence");
    for schedule in [vec![], vec![(1, 1)], vec![(0, 1), (0, 2)], vec![(0, 1), (5, 0)]] {
        refused(ContrastiveDivergence::with_schedule(schedule), "sweeps of contrastive divergence");
    }
    refused(Persistent::new(&rbm, 0, 1, key), "persistent chains");
    refused(Persistent::new(&rbm, 5, 0, key), "persistent chains");
    refused(FastPersistent::new(&rbm, 0, 0.1, 0.9, key), "persistent chains");
    refused(ParallelTempering::new(&rbm, Path::from_model(&rbm), 0, 3, key), "parallel tempering");
    refused(ParallelTempering::new(&rbm, Path::from_model(&rbm), 5, 1, key), "parallel tempering");
}

/// So do the functions that are for some machines only.
#[test]
fn machines_that_do_not_fit_are_refused() {
    let device = Device::cpu();
    let machine = |visible, hidden| Machine::new(&device, "refused", visible, hidden, 1.0).rbm;
    let large = Rbm::bernoulli(&device, 30, 30, Key::new(1)).unwrap();
    refused(log_partition(&large), "layers to enumerate");
    refused(log_partition(&machine(&[Part::Fixed(2)], &[Part::Rectified(2)])), "layers to enumerate");
    refused(Exact::new(&large), "number of states");
    let real = machine(&[Part::Learned(2)], &[Part::Bernoulli(2)]);
    refused(Exact::new(&real), "units");
    refused(all_states(&*real.visible, &device, 99), "units");
    refused(Offsets::new(&real, 0.1), "centring");
    refused(pseudo_log_likelihood(&real, &device.zeros(1, 2)), "visible units");
    refused(stochastic_pseudo_log_likelihood(&real, &device.zeros(1, 2), Key::new(1)), "visible units");
    let rbm = Rbm::bernoulli(&device, 4, 3, Key::new(1)).unwrap();
    let (cases, mask) = (Array2::zeros((5, 4)), Array2::ones((1, 4)));
    assert!(Completion::new(&rbm, cases.view(), mask.view()).is_ok());
    refused(Completion::new(&rbm, Array2::zeros((5, 3)).view(), mask.view()), "columns of the cases");
    refused(Completion::new(&rbm, cases.view(), Array2::ones((1, 3)).view()), "shape of the mask");
    refused(Completion::new(&rbm, cases.view(), Array2::ones((4, 4)).view()), "shape of the mask");
    refused(Completion::new(&rbm, cases.view(), (&mask * 0.5).view()), "value in the mask");
    refused(labels::join(cases.view(), &[1, 2], 3), "number of labels");
    refused(labels::join(cases.view(), &[0, 1, 2, 3, 0], 3), "label");
    refused(labels::free_energies(&rbm, &device.zeros(2, 3), 2), "data and classes");
    refused(labels::classification_error(&rbm, &device.zeros(2, 2), &[0], 2), "number of labels");
    let data = Dataset::new(&device, cases.view(), Binarize::Never).unwrap();
    let sgd = Sgd::new(&rbm, 0.1, 0.5, Penalty::default()).unwrap();
    let mut learner = RbmLearner::new(rbm, ContrastiveDivergence::new(1).unwrap(), sgd);
    for batch in [0, 6] {
        let fit = Fit::new(1, batch, Key::new(1));
        refused(fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)), "batch");
    }
    assert!(discrete(&device).iter().all(|machine| Exact::new(&machine.rbm).is_ok()));
}
