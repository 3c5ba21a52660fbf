//! Deep belief networks against enumeration: bounds, draws, classes, the layers as networks.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod belief;
mod machines;
mod precision;

use crate::precision::{both, single};
use belief::{Belief, network, states};
use machines::{
    chance::{CHAINS, Exact, mean_and_error},
    distance,
};
use ndarray::{Array1, Array2};
use nn_core::{
    Binarize, Dataset, Device, Fit, Key, Loss, Penalty, Sgd, Tensor, init::Initialization,
    latent::reconstructions,
};
use nn_rbm::{
    Dbn, Rbm,
    dbn::GreedyLearner,
    estimator::{ContrastiveDivergence, Exact as ExactGradient},
    labels,
    partition::log_partition,
};

fn all_cases(units: usize) -> Array2<f64> {
    Array2::from_shape_fn((1 << units, units), |(k, i)| states(units)[k][i])
}

fn machine(device: &Device, visible: usize, hidden: usize) -> Rbm {
    let mut rbm = Rbm::bernoulli(device, visible, hidden, Key::new(1)).unwrap();
    machines::randomize(&mut rbm, 1.5, 0.7, Key::new(5));
    rbm
}

/// The sums that the other tests lean on: probabilities of all v sum to one.
#[test]
fn the_oracle_is_a_distribution() {
    for classes in [None, Some(2)] {
        let belief = Belief::of(&network(&Device::reference(), classes));
        let total: f64 = states(4).iter().map(|v| belief.log_probability(v).exp()).sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
    }
}

/// The estimate is that of E_q[log p(v, h) − log q(h | v)] over all h, within four standard errors, and that is below
/// log p(v), by a gap that recognition drawn at random makes large.
#[test]
fn the_bound() {
    let device = single();
    for classes in [None, Some(2)] {
        let dbn = network(&device, classes);
        let (belief, cases) = (Belief::of(&dbn), all_cases(4));
        let (exact, bound) =
            (belief.mean(&cases, Belief::log_probability), belief.mean(&cases, Belief::bound));
        let log_z = log_partition(&dbn.top).unwrap();
        let found = dbn.lower_bound(&device.tensor_f64(&cases), log_z, 2000, Key::new(6)).unwrap();
        println!("log p {exact:.3}, bound {bound:.3}, {found:?}");
        assert!(bound < exact - 0.1);
        assert!(
            (found.log_probability - bound).abs() < 4.0 * found.standard_error && found.standard_error < 0.05
        );
    }
    let dbn = network(&device, None);
    let error = dbn.lower_bound(&device.zeros(1, 4), 0.0, 0, Key::new(6)).unwrap_err().to_string();
    assert!(error.contains("draws of the lower bound is 0"), "{error}");
}

/// A machine put on itself upside down changes nothing: log p(v) stays, every single draw of the bound is log p(v) itself
/// as the posterior is exact; twice, and with a label.
#[test]
fn transposed_weights_leave_the_bound() {
    for (device, close) in both(1e-10, 5e-5) {
        let rbm = machine(&device, 4, 3);
        let cases = device.tensor_f64(&all_cases(4));
        let before = -rbm.mean_free_energy(&cases).unwrap() - log_partition(&rbm).unwrap();
        let mut dbn = Dbn::new(rbm);
        for (depth, hidden, classes) in [(1, 4, None), (2, 3, None), (3, 4, Some(3))] {
            dbn = dbn.add_transposed(hidden, classes, Key::new(8)).unwrap();
            assert_eq!(dbn.lower.len(), depth);
            let log_z = log_partition(&dbn.top).unwrap();
            for key in 0..3 {
                let bound = dbn.lower_bound(&cases, log_z, 1, Key::new(key)).unwrap().log_probability;
                assert!((bound - before).abs() < close, "depth {depth}: {bound} {before}");
            }
            let exact = Belief::of(&dbn).mean(&all_cases(4), Belief::log_probability);
            assert!((exact - before).abs() < close, "depth {depth}: {exact} {before}");
        }
    }
}

/// Hidden units beyond those of the machine below have small weights, which move log p(v) and the bound by little.
#[test]
fn units_beyond_the_transposed_ones_hardly_move_the_bound() {
    let device = single();
    let cases = device.tensor_f64(&all_cases(4));
    let rbm = machine(&device, 4, 3);
    let before = -rbm.mean_free_energy(&cases).unwrap() - log_partition(&rbm).unwrap();
    let dbn = Dbn::new(rbm).add_transposed(7, None, Key::new(8)).unwrap();
    let log_z = log_partition(&dbn.top).unwrap();
    let bound = dbn.lower_bound(&cases, log_z, 10, Key::new(9)).unwrap().log_probability;
    assert!(bound != before && (bound - before).abs() < 0.03, "{bound} {before}");
}

/// Training the machine that was put on top raises the bound on the data, and log p with it: of the sums over all h.
#[test]
fn greedy_training_raises_the_bound() {
    let device = single();
    let dbn = Dbn::new(machine(&device, 4, 3)).add_transposed(4, None, Key::new(8)).unwrap();
    let inputs = ndarray::arr2(&[[1.0f32, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 0.0]]);
    let cases = inputs.mapv(f64::from);
    let before = Belief::of(&dbn).mean(&cases, Belief::bound);
    let repeated = Array2::from_shape_fn((600, 4), |(i, j)| inputs[[i % 3, j]]);
    let data = Dataset::new(&device, repeated.view(), Binarize::Never).unwrap();
    let (exact, sgd) =
        (ExactGradient::new(&dbn.top).unwrap(), Sgd::new(&dbn.top, 0.2, 0.0, Penalty::default()).unwrap());
    let below = machines::values(&dbn.lower[0]);
    let mut learner = GreedyLearner::new(dbn, exact, sgd);
    Fit::new(200, 600, Key::new(7)).run(&mut learner, &data, &mut [], &false.into()).unwrap();
    let dbn = learner.into_dbn();
    let belief = Belief::of(&dbn);
    let (bound, log_p) = (belief.mean(&cases, Belief::bound), belief.mean(&cases, Belief::log_probability));
    println!("bound {before:.3} to {bound:.3}, log p {log_p:.3}");
    assert!(bound > before + 0.05 && log_p >= bound);
    assert_eq!(machines::values(&dbn.lower[0]), below, "the layers below are left alone");
}

/// v drawn down from fair states of the top is distributed as p(v): the average of the means is E[v], also given a label
/// from clamped chains.
#[test]
fn ancestral_sampling() {
    let device = single();
    for classes in [None, Some(2)] {
        let dbn = network(&device, classes);
        let belief = Belief::of(&dbn);
        let top = Exact::of_visible(dbn.top.distribution()).draw(CHAINS, Key::new(8));
        let found = dbn.generate(&top, Key::new(9)).to_array_f64().unwrap();
        for unit in 0..4 {
            let exact: f64 = states(4).iter().map(|v| belief.log_probability(v).exp() * v[unit]).sum();
            let (mean, error) = mean_and_error(found.column(unit).iter().copied());
            assert!((mean - exact).abs() < 4.0 * error, "unit {unit}: {mean} ± {error}, exactly {exact}");
        }
    }
    let dbn = network(&device, Some(2));
    let exact = Exact::of_visible(dbn.top.distribution());
    for label in [0, 1u8] {
        let mut chains = dbn.given_labels(&vec![label; CHAINS], Key::new(10)).unwrap();
        chains.gibbs(&dbn.top, 100, Key::new(11));
        let given = exact.given(|v| v[3 + usize::from(label)] == 1.0);
        machines::chance::still(&format!("label {label}"), &given, chains.chains());
        assert_eq!(dbn.generate(chains.chains(), Key::new(12)).columns(), 4);
    }
    let error = network(&device, None).given_labels(&[0], Key::new(10)).unwrap_err().to_string();
    assert!(error.contains("this network has none"), "{error}");
}

/// p(y | h) from free energies of the top is that of the sums over its hidden units, h being recognised by means; a label
/// that is summed out leaves p(h).
#[test]
fn classes_and_free_energies() {
    for (device, close) in both(1e-12, 5e-5) {
        let dbn = network(&device, Some(2));
        let belief = Belief::of(&dbn);
        let cases = all_cases(4);
        let energies = dbn.class_energies(device.tensor_f64(&cases).view()).unwrap().to_array_f64().unwrap();
        let values = machines::values(&dbn.top);
        let (weights, label, hidden) = (&values[0].1, &values[2].1, &values[3].1);
        for (case, v) in cases.rows().into_iter().enumerate() {
            let mut h = v.to_owned();
            belief.layers.iter().for_each(|(q, _)| h = q.mean(&h));
            let energy = |class: usize| {
                let shared: Array1<f64> = h.dot(&weights.slice(ndarray::s![..3, ..]));
                let input = shared + weights.row(3 + class) + hidden.row(0);
                -label[[0, class]] - input.iter().map(|x| x.exp().ln_1p()).sum::<f64>()
            };
            let off = (energies[[case, 0]] - energies[[case, 1]]) - (energy(0) - energy(1));
            assert!(off.abs() < close, "{off}");
        }
        assert!(network(&device, None).class_energies(device.zeros(1, 4).view()).is_err());

        let all: Vec<Array1<f64>> = belief.top.iter().map(|(h, _)| h.clone()).collect();
        let all = Array2::from_shape_fn((8, 3), |(i, j)| all[i][j]);
        let free =
            labels::free_energy(&dbn.top, &device.tensor_f64(&all), 2).unwrap().to_array_f64().unwrap();
        let log_z = log_partition(&dbn.top).unwrap();
        for (free, (_, log_p)) in free.iter().zip(&belief.top) {
            assert!((-free - log_z - log_p).abs() < close);
        }
    }
}

/// The stack encodes by the means of recognition and of the top without a label, and becomes a classifier of as many
/// layers; what the first network reconstructs by means is what the unrolled one predicts.
#[test]
fn as_a_network() {
    let device = Device::reference();
    let cases = device.tensor_f64(&all_cases(4));
    for classes in [None, Some(2)] {
        let dbn = network(&device, classes);
        let stack = dbn.stack().unwrap();
        let mut top = device.zeros(16, dbn.top.visible.len());
        top.column_range_mut(0..3).assign(&dbn.recognize(cases.view()));
        let codes = nn_core::latent::codes(&stack, cases.view());
        let same =
            |a: &Tensor, b: &Tensor| distance(&a.to_array_f64().unwrap(), &b.to_array_f64().unwrap()) < 1e-12;
        assert!(same(&codes, &dbn.top.mean_hidden(&top)));
        let start = Initialization::Normal { deviation: 0.1 };
        let network = stack.classifier(2, start, Key::new(13)).unwrap();
        assert_eq!((network.layers().len(), network.inputs(), network.outputs()), (4, 4, 2));
        assert!(same(&network.activity(cases.view(), 3), &codes));
        let unrolled = stack.unrolled(None, Loss::BinaryCrossEntropy).unwrap();
        assert!(same(&unrolled.predict(cases.view()), &reconstructions(&stack, cases.view())));
        let down = dbn.top.mean_visible(&codes);
        let mut states = device.zeros(16, 3);
        states.assign(down.column_range(0..3));
        for layer in dbn.lower.iter().rev() {
            let mut below = device.zeros(16, layer.generative.weights.columns());
            layer.generative.mean(states.view(), below.view_mut());
            states = below;
        }
        assert!(same(&states, &reconstructions(&stack, cases.view())));
    }
}

/// What cannot be is refused in one line that says why.
#[test]
fn refusals() {
    let device = Device::cpu();
    let message = |result: Result<Dbn, nn_core::Error>| result.unwrap_err().to_string();
    let labelled = || network(&device, Some(2));
    assert!(message(labelled().add(3, None, Key::new(1))).contains("labels stand at the top"));
    let repeated = labelled().add_transposed(6, None, Key::new(1));
    assert!(message(repeated).contains("only a binary layer can be repeated"));
    let narrow = network(&device, None).add_transposed(1, None, Key::new(1));
    assert!(message(narrow).contains("each of which needs one"));
    assert!(message(network(&device, None).add(3, Some(0), Key::new(1))).contains("softmax groups"));
    let rectified = Box::new(nn_rbm::units::Rectified::new(&device, 3));
    let visible = Box::new(nn_rbm::units::Bernoulli::new(&device, 3));
    let rbm = Rbm::new(&device, visible, rectified, Key::new(1)).unwrap();
    assert!(message(Dbn::new(rbm).add(3, None, Key::new(1))).contains("of Bernoulli units"));

    let sgd = |dbn: &Dbn| Sgd::new(&dbn.top, 0.1, 0.0, Penalty::default()).unwrap();
    let mut learner = {
        let dbn = labelled();
        let sgd = sgd(&dbn);
        GreedyLearner::new(dbn, ContrastiveDivergence::new(1).unwrap(), sgd)
    };
    for (columns, wanted) in [(5, "cases of 5 values for a network of 4 inputs"), (4, "the data have none")] {
        let data = Dataset::new(&device, Array2::zeros((3, columns)).view(), Binarize::Never).unwrap();
        let error = Fit::new(1, 3, Key::new(1)).run(&mut learner, &data, &mut [], &false.into()).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
