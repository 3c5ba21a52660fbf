//! What a step of training asks of a device, counted: a steady step reads nothing, allocates nothing and runs a known
//! number of kernels. On a GPU each of them costs the same few microseconds, so the numbers are part of the promise.

mod machines;

use machines::{Machine, Part};
use nn_core::{Binarize, Dataset, Device, Fit, Key, Learner, Penalty, Sgd, counting::Counting, counting::Counts};
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
const PT4: Make = |rbm| Box::new(ParallelTempering::new(rbm, Path::from_model(rbm), 7, 4, Key::new(1)).unwrap());

/// The counts of the fifth step, which have to be those of the seventh, too (parallel tempering alternates between even and
/// odd steps).
fn steady(visible: &'static [Part], hidden: &'static [Part], make: Make, centred: bool, sparse: bool) -> Counts {
    let (counting, device) = Counting::new(&Device::cpu());
    let machine = Machine::new(&device, "counted", visible, hidden, 0.5);
    let batch = machine.cases(6, Key::new(2));
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

#[test]
fn print_all() {
    let (binary, hidden): (&[Part], &[Part]) = (&[Part::Bernoulli(5)], &[Part::Bernoulli(4)]);
    for (name, make) in [("CD-1", CD1), ("CD-3", CD3), ("PCD-1", PCD1), ("PCD-3", PCD3), ("FPCD", FAST), ("PT-4", PT4)] {
        for (centred, sparse) in [(false, false), (true, false), (false, true)] {
            println!("{name} {centred} {sparse} {:?}", steady(binary, hidden, make, centred, sparse));
        }
    }
    for (name, visible) in [("fixed", &[Part::Fixed(3)][..]), ("learned", &[Part::Learned(3)]), ("softmax", &[Part::Softmax(2, 3)]), ("joined", &[Part::Bernoulli(3), Part::Softmax(1, 3)])] {
        println!("{name} {:?}", steady(visible, hidden, CD1, false, false));
    }
    println!("rectified {:?}", steady(binary, &[Part::Rectified(3)], CD1, false, false));
    println!("softmax {:?}", steady(binary, &[Part::Softmax(2, 3)], CD1, false, false));
}
