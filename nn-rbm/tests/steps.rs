//! What a step of training asks of a device, counted: a steady step reads nothing, allocates nothing and runs a known
//! number of kernels. On a GPU each of them costs the same few microseconds, so the numbers are part of the promise.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;

use machines::{Machine, Part};
use nn_core::{
    Binarize, Dataset, Device, Fit, Key, Learner, Penalty, Sgd, counting::Counting, counting::Counts,
};
use nn_rbm::{
    GradientEstimator, Offsets, Path, Rbm, RbmLearner, Sparsity,
    estimator::{ContrastiveDivergence, FastPersistent, ParallelTempering, Persistent},
};
use std::sync::atomic::AtomicBool;

type Make = fn(&Rbm) -> Box<dyn GradientEstimator>;

const CD1: Make = |_| Box::new(ContrastiveDivergence::new(1).unwrap());
const CD3: Make = |_| Box::new(ContrastiveDivergence::new(3).unwrap());
const PCD1: Make = |rbm| Box::new(Persistent::new(rbm, 7, 1, Key::new(1)).unwrap());
const PCD3: Make = |rbm| Box::new(Persistent::new(rbm, 7, 3, Key::new(1)).unwrap());
const FAST: Make = |rbm| Box::new(FastPersistent::new(rbm, 7, 0.1, 0.9, Key::new(1)).unwrap());
const PT4: Make =
    |rbm| Box::new(ParallelTempering::new(rbm, Path::from_model(rbm), 7, 4, Key::new(1)).unwrap());

/// The counts of the fifth step, which have to be those of the seventh, too (parallel tempering alternates between
/// even and odd steps).
fn steady(
    visible: &'static [Part],
    hidden: &'static [Part],
    make: Make,
    centred: bool,
    sparse: bool,
) -> Counts {
    let (counting, device) = Counting::new(&Device::cpu());
    let machine = Machine::new(&device, "counted", visible, hidden, 0.5);
    let batch = machine.cases(6, Key::new(2)).into();
    let sgd = Sgd::new(&machine.rbm, 0.1, 0.9, Penalty::l2(0.001)).unwrap();
    let estimator = make(&machine.rbm);
    let mut learner = RbmLearner::new(machine.rbm, ContrastiveDivergence::new(1).unwrap(), sgd);
    learner.estimator = estimator;
    learner.offsets = centred.then(|| Offsets::new(&learner.rbm, 0.1).unwrap());
    learner.sparsity = sparse.then(|| Sparsity::new(&learner.rbm, 0.1, 0.1, 0.9).unwrap());
    let mut counts = Vec::new();
    for update in 0..8 {
        counting.take();
        learner.update(&batch, update, Key::new(3).fold_in(update));
        counts.push(counting.take());
    }
    assert_eq!(counts[5], counts[7]);
    counts[5]
}

/// Counts without transfers and folds.
fn kernels(assigns: u64, products: u64, reductions: u64) -> Counts {
    Counts { assigns, products, reductions, ..Counts::default() }
}

const BINARY: &[Part] = &[Part::Bernoulli(5)];
const HIDDEN: &[Part] = &[Part::Bernoulli(4)];

/// Binary machines. CD-1 is 14 kernels: products for E[h|v], E[v|h], E[h|v] and the gradient of W, stored into its
/// velocity (4); one draw, two velocities of biases and three additions of velocities (6 assignments); both biases in
/// both phases (4 reductions). Each further sweep is two products. Parallel tempering with four temperatures moves two
/// layers (8 assignments: visible and hidden parameters at each temperature; 8 products) and offers a pair its
/// exchange (5 assignments, 2 products, 8 + 1 reductions).
#[test]
fn of_binary_machines() {
    let plain = [
        ("CD-1", CD1, kernels(6, 4, 4)),
        ("CD-3", CD3, kernels(6, 8, 4)),
        ("PCD-1", PCD1, kernels(6, 4, 4)),
        ("PCD-3", PCD3, kernels(6, 8, 4)),
        ("fast PCD", FAST, kernels(6, 6, 4)),
        ("PT", PT4, kernels(18, 13, 13)),
    ];
    for (name, make, wanted) in plain {
        assert_eq!(steady(BINARY, HIDDEN, make, false, false), wanted, "{name}");
        let centred = Counts {
            assigns: wanted.assigns + 3,
            products: wanted.products + 2,
            reductions: wanted.reductions + 4,
            ..wanted
        };
        assert_eq!(steady(BINARY, HIDDEN, make, true, false), centred, "centred {name}");
        let sparse = Counts { assigns: wanted.assigns + 2, reductions: wanted.reductions + 2, ..wanted };
        assert_eq!(steady(BINARY, HIDDEN, make, false, true), sparse, "sparse {name}");
        let both = Counts { assigns: centred.assigns + 2, reductions: centred.reductions + 2, ..centred };
        assert_eq!(steady(BINARY, HIDDEN, make, true, true), both, "centred and sparse {name}");
    }
}

/// Other units read nothing either, but softmax units (maximum, sum and logits of each group) and real ones (their
/// statistic, and where variances are learned their input) take scratch memory for the duration of a kernel.
#[test]
fn of_other_machines() {
    let allocating = |allocations, counts| Counts { allocations, ..counts };
    let labelled = &[Part::Bernoulli(3), Part::Softmax(1, 3)];
    for (name, visible, hidden, wanted) in [
        ("fixed variances", &[Part::Fixed(3)][..], HIDDEN, allocating(4, kernels(14, 4, 6))),
        ("learned variances", &[Part::Learned(3)], HIDDEN, allocating(6, kernels(15, 6, 6))),
        ("softmax", &[Part::Softmax(2, 3)], HIDDEN, allocating(3, kernels(7, 4, 6))),
        ("pixels and label", labelled, HIDDEN, allocating(3, kernels(9, 5, 8))),
        ("hidden rectified", BINARY, &[Part::Rectified(3)], kernels(5, 5, 4)),
        ("hidden softmax", BINARY, &[Part::Softmax(2, 3)], allocating(8, kernels(8, 5, 9))),
    ] {
        assert_eq!(steady(visible, hidden, CD1, false, false), wanted, "{name}");
    }
}

/// A whole loop of training adds a gather (and a draw of pixels where they are binarised each time) to every update,
/// and reads only when it checks for values that are not finite: one number for each of the three tensors, every 100
/// updates.
#[test]
fn of_the_training_loop() {
    let run = |updates: u64, binarize| {
        let (counting, device) = Counting::new(&Device::cpu());
        let inputs = ndarray::Array2::from_elem((12, 5), 0.5f32);
        let data = Dataset::new(&device, inputs.view(), binarize).unwrap();
        let rbm = Rbm::bernoulli(&device, 5, 4, Key::new(1)).unwrap();
        let sgd = Sgd::new(&rbm, 0.1, 0.9, Penalty::default()).unwrap();
        let mut learner = RbmLearner::new(rbm, ContrastiveDivergence::new(1).unwrap(), sgd);
        counting.take();
        let fit = Fit::new(updates / 3, 4, Key::new(2));
        fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
        counting.take()
    };
    for (binarize, extra) in [(Binarize::Never, 0), (Binarize::EachTime, 1)] {
        let (short, long) = (run(300, binarize), run(600, binarize));
        assert_eq!(long.gathers - short.gathers, 300);
        assert_eq!(long.assigns - short.assigns, 300 * (6 + extra));
        assert_eq!(long.products - short.products, 300 * 4);
        assert_eq!(long.reads - short.reads, 3 * 3);
        assert_eq!(long.reductions - short.reductions, 300 * 4 + 3 * 3 * 2);
        assert_eq!(long.writes, short.writes);
        assert_eq!(long.allocations - short.allocations, 3 * 3 * 2);
    }
}
