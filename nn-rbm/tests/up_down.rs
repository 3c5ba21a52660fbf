//! The up-down algorithm: its gradients in expectation against enumeration, equal draws on every backend, no reads,
//! resumption.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod belief;
mod machines;
mod precision;

use crate::precision::single;
use belief::{Belief, Recorder, minus_slope, network, states};
use machines::{
    chance::{Exact, mean_and_error, set},
    values,
};
use ndarray::{Array1, Array2};
use nn_core::{
    Cases, Dataset, Device, Fit, Key, Learner, Penalty, Schedule, Sgd,
    checkpoint::{self, Checkpoint, Header},
    counting::{Counting, Counts},
};
use nn_rbm::{
    Dbn,
    dbn::{GreedyLearner, UpDownLearner},
    estimator::{ContrastiveDivergence, Persistent},
};

const RUNS: u64 = 64;
const CHAINS: usize = 500;

/// Asserts that the mean of these gradients (a matrix for each run) is the exact one.
fn agree(name: &str, runs: &[Array2<f64>], exact: &Array2<f64>) {
    assert_eq!(runs[0].dim(), exact.dim(), "{name}");
    for (place, exact) in exact.indexed_iter() {
        let (mean, error) = mean_and_error(runs.iter().map(|run| run[place]));
        assert!((mean - exact).abs() < 4.0 * error, "{name}{place:?}: {mean} ± {error}, exactly {exact}");
    }
}

/// With chains that are fair states of the top and parameters that stay: the generative layers are given
/// −∂E_q[log p(v, h)], the recognition layers −∂E_p[log q(h | v)] over all p(v, h), each within four standard errors of
/// 64 updates of 500 cases and chains.
#[test]
fn gradients_in_expectation() {
    let device = single();
    let dbn = network(&device, None);
    let belief = Belief::of(&dbn);
    let exact = Exact::of_hidden(dbn.top.distribution());
    let estimator = Persistent::new(&dbn.top, CHAINS, 1, Key::new(1)).unwrap();
    let mut learner = UpDownLearner::new(dbn, estimator, Recorder::default());
    let cases = [[1.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0]];
    let batch = Array2::from_shape_fn((CHAINS, 4), |(i, j)| cases[i % 2][j] as f32);
    let batch = Cases::from(device.tensor(&batch));
    let mut runs = Vec::new();
    for run in 0..RUNS {
        let key = Key::new(2).fold_in(run);
        set(&mut *learner.estimator, "chains", &exact.draw(CHAINS, key.fold_in(0)));
        learner.update(&batch, run, key.fold_in(1));
        runs.push(learner.optimizer.0.clone());
    }
    let of = |at: usize| runs.iter().map(|run| run[at].clone()).collect::<Vec<_>>();
    for (index, (q, p)) in belief.layers.iter().enumerate() {
        // [recognition, generation] × [weights, biases]
        let zeros = |layer: &belief::Logistic| {
            (layer.0.clone() * 0.0, layer.1.clone().insert_axis(ndarray::Axis(0)) * 0.0)
        };
        let mut wanted = [zeros(q), zeros(p)];
        let mut add = |side: usize, weight: f64, s: &Array1<f64>, g: &Array1<f64>| {
            let (weights, biases) = minus_slope([q, p][side], s, g);
            wanted[side].0 += &(weights * weight);
            wanted[side].1 += &(biases * weight);
        };
        for case in cases {
            for (path, _, log_q) in belief.paths(&Array1::from(case.to_vec())) {
                add(1, 0.5 * log_q.exp(), &path[index], &path[index + 1]);
            }
        }
        for v in states(4) {
            for (path, log_p, _) in belief.paths(&v) {
                add(0, log_p.exp(), &path[index + 1], &path[index]);
            }
        }
        for (side, name) in ["recognition", "generation"].into_iter().enumerate() {
            agree(&format!("{name} weights {index}"), &of(4 * index + 2 * side), &wanted[side].0);
            agree(&format!("{name} biases {index}"), &of(4 * index + 2 * side + 1), &wanted[side].1);
        }
    }
}

fn cases(device: &Device) -> Cases {
    let inputs = Array2::from_shape_fn((6, 4), |(i, j)| ((i >> (j % 3)) & 1) as f32);
    let targets = Array2::from_shape_fn((6, 2), |(i, j)| f32::from(u8::from(i % 2 == j)));
    Cases::new(device.tensor(&inputs), device.tensor(&targets))
}

fn sgd(dbn: &impl nn_core::Parameters) -> Sgd {
    Sgd::new(dbn, Schedule::Linear { from: 0.2, to: 0.05, updates: 30 }, 0.5, Penalty::l2(0.001)).unwrap()
}

fn up_down(device: &Device) -> UpDownLearner<Sgd> {
    let dbn = network(device, Some(2));
    let sgd = sgd(&dbn);
    UpDownLearner::new(dbn, ContrastiveDivergence::new(3).unwrap(), sgd)
}

fn greedy(device: &Device) -> GreedyLearner<Sgd> {
    let dbn = network(device, Some(2));
    let (sgd, chains) = (sgd(&dbn.top), Persistent::new(&dbn.top, 7, 1, Key::new(3)).unwrap());
    GreedyLearner::new(dbn, chains, sgd)
}

/// 30 updates from the same keys in single and in double precision: the same draws, parameters within 10⁻⁵.
#[test]
fn learn_the_same() {
    let run = |device: &Device| {
        let (mut whole, mut top) = (up_down(device), greedy(device));
        for update in 0..30 {
            whole.update(&cases(device), update, Key::new(4).fold_in(update));
            top.update(&cases(device), update, Key::new(5).fold_in(update));
        }
        [values(whole.model()), values(top.model())].concat()
    };
    for ((name, a), (_, b)) in run(&single()).iter().zip(run(&Device::reference())) {
        let off = machines::distance(a, &b);
        assert!(off < 1e-5, "{name}: {off}");
    }
}

/// A steady update reads and writes nothing, and of binary units allocates nothing; softmax units take scratch memory for
/// the duration of a kernel.
#[test]
fn nothing_is_read() {
    let (counting, device) = Counting::new(&Device::cpu());
    let unlabelled = network(&device, None);
    let sgd = sgd(&unlabelled);
    let mut whole = UpDownLearner::new(unlabelled, ContrastiveDivergence::new(3).unwrap(), sgd);
    let mut labelled: [Box<dyn Learner>; 2] = [Box::new(up_down(&device)), Box::new(greedy(&device))];
    let batch = cases(&device);
    for update in 0..4 {
        counting.take();
        whole.update(&batch, update, Key::new(6).fold_in(update));
        let counts = counting.take();
        if update > 0 {
            // 2 draws up, 6 + 2 of CD-3 with the gradient of W, 2 down, mean and gradient of 4 conditionals
            let wanted = Counts { products: 2 + 8 + 2 + 8, ..counts };
            assert_eq!((counts, counts.allocations, counts.reads, counts.writes), (wanted, 0, 0, 0));
        }
        for learner in &mut labelled {
            learner.update(&batch, update, Key::new(6).fold_in(update));
        }
        let counts = counting.take();
        assert_eq!((counts.reads, counts.writes), (0, 0));
    }
}

type Make = fn(&Device) -> Box<dyn Learner>;

/// Saved after 7 of 20 updates, loaded into a learner of another seed and gone on with: equal bits.
#[test]
fn resumes_in_the_same_bits() {
    let device = Device::cpu();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint.safetensors");
    let learners: [Make; 2] = [|device| Box::new(up_down(device)), |device| Box::new(greedy(device))];
    for make in learners {
        let train = |learner: &mut dyn Learner, from: u64, to: u64| {
            (from..to)
                .for_each(|update| learner.update(&cases(&device), update, Key::new(7).fold_in(update)));
        };
        let (mut whole, mut first, mut second) = (make(&device), make(&device), make(&device));
        train(&mut *whole, 0, 20);
        train(&mut *first, 0, 7);
        checkpoint::save(&file, &Header::new("test", 7, Key::new(7)), &*first).unwrap();
        machines::randomize(&mut *second, 1.0, 1.0, Key::new(8));
        Checkpoint::open(&file, "test").unwrap().load_into(&mut *second).unwrap();
        train(&mut *second, 7, 20);
        assert_eq!(values(&*whole), values(&*second));
    }
}

/// Fine-tuning a network that was trained greedily on four patterns with labels makes it more probable and more often
/// right; the figures of `measure` say so.
#[test]
fn fine_tuning_helps() {
    let device = Device::cpu();
    let patterns = [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]];
    let inputs = Array2::from_shape_fn((80, 4), |(i, j)| patterns[i % 4][j] as f32);
    let labels: Vec<usize> = (0..80).map(|i| usize::from(i % 4 > 1)).collect();
    let data = Dataset::labelled(&device, inputs.view(), &labels, 2).unwrap();
    let mut dbn = Dbn::new(nn_rbm::Rbm::bernoulli(&device, 4, 6, Key::new(9)).unwrap());
    for classes in [None, Some(2)] {
        if classes.is_some() {
            dbn = dbn.add(8, classes, Key::new(10)).unwrap();
        }
        let (cd, sgd) = (
            ContrastiveDivergence::new(1).unwrap(),
            Sgd::new(&dbn.top, 0.1, 0.5, Penalty::default()).unwrap(),
        );
        let mut learner = GreedyLearner::new(dbn, cd, sgd);
        Fit::new(20, 20, Key::new(11)).run(&mut learner, &data, &mut [], &false.into()).unwrap();
        dbn = learner.into_dbn();
    }
    let before = Belief::of(&dbn).mean(&inputs.mapv(f64::from), Belief::log_probability);
    let sgd = Sgd::new(&dbn, 0.1, 0.0, Penalty::default()).unwrap();
    let mut learner = UpDownLearner::new(dbn, ContrastiveDivergence::new(3).unwrap(), sgd);
    let start = learner.measure(data.all(), Key::new(12)).unwrap();
    Fit::new(400, 20, Key::new(13)).run(&mut learner, &data, &mut [], &false.into()).unwrap();
    let end = learner.measure(data.all(), Key::new(12)).unwrap();
    let after = Belief::of(&learner.dbn).mean(&inputs.mapv(f64::from), Belief::log_probability);
    println!("log p {before:.3} to {after:.3}; {start:?} to {end:?}");
    assert!(after > before + 0.1, "{before} {after}");
    assert!(end[0].1 < start[0].1 && end[1].0 == "label error" && end[1].1 < start[1].1);
}
