//! Training on a GPU: what a steady step costs the host, and that samples are those of the CPU.
//!
//! A software driver will do. `NN_GPU_TEST=require` fails where there is no driver; anything else skips and says so.
#![allow(clippy::unwrap_used, reason = "what fails in a test should end it")]

mod driver;

use driver::gpu;
use ndarray::Array2;
use nn_core::{Binarize, Cases, Dataset, Device, Key, Learner, Penalty, Sgd, Tensor};
use nn_rbm::estimator::{ContrastiveDivergence, GradientEstimator, Persistent};
use nn_rbm::{Rbm, RbmLearner};

/// Pixels of blobs in the corners of 12 × 12 images.
fn images(cases: usize) -> Array2<f32> {
    let near = |at: usize, corner: usize| (at as f32 - corner as f32 * 8.0 - 1.5).powi(2);
    Array2::from_shape_fn((cases, 144), |(case, pixel)| {
        (-(near(pixel / 12, case % 2) + near(pixel % 12, case / 2 % 2)) / 9.0).exp()
    })
}

fn learner(device: &Device, estimator: fn(&Rbm) -> Box<dyn GradientEstimator>) -> RbmLearner<Sgd> {
    let rbm = Rbm::bernoulli(device, 144, 40, Key::new(1)).unwrap();
    let sgd = Sgd::new(&rbm, 0.1, 0.5, Penalty::l2(1e-4)).unwrap();
    let mut learner = RbmLearner::new(rbm, ContrastiveDivergence::new(1).unwrap(), sgd);
    learner.estimator = estimator(&learner.rbm);
    learner
}

/// Updates as `Fit` makes them.
fn train(learner: &mut RbmLearner<Sgd>, data: &Dataset, batch: &mut Cases, updates: std::ops::Range<u64>) {
    for update in updates {
        let key = Key::new(2).fold_in(update);
        let cases: Vec<usize> = (0..batch.len()).map(|at| (at + update as usize) % data.len()).collect();
        data.fill(batch, &cases, key.fold_in(1));
        learner.update(batch, update, key.fold_in(2));
    }
}

const CD1: fn(&Rbm) -> Box<dyn GradientEstimator> = |_| Box::new(ContrastiveDivergence::new(1).unwrap());
const CD3: fn(&Rbm) -> Box<dyn GradientEstimator> = |_| Box::new(ContrastiveDivergence::new(3).unwrap());
const PCD2: fn(&Rbm) -> Box<dyn GradientEstimator> =
    |rbm| Box::new(Persistent::new(rbm, 30, 2, Key::new(3)).unwrap());

#[test]
fn a_steady_step_makes_no_buffer_waits_for_nothing_and_hands_over_twice_at_most() {
    let Some(gpu) = gpu() else { return };
    let device = gpu.device();
    let data = Dataset::new(&device, images(50).view(), Binarize::EachTime).unwrap();
    let mut batch = data.room(20);
    for (name, estimator) in [("CD-1", CD1), ("CD-3", CD3), ("PCD-2", PCD2)] {
        let mut learner = learner(&device, estimator);
        train(&mut learner, &data, &mut batch, 0..10);
        const STEPS: u64 = 40;
        let before = gpu.counters();
        let mut most = 0;
        for update in 10..10 + STEPS {
            let submissions = gpu.counters().submissions;
            train(&mut learner, &data, &mut batch, update..update + 1);
            most = most.max(gpu.counters().submissions - submissions);
        }
        let after = gpu.counters();
        println!("{name}: {} kernels a step", (after.dispatches - before.dispatches) as f64 / STEPS as f64);
        assert_eq!(after.buffers, before.buffers, "{name}");
        assert_eq!(after.reads, before.reads, "{name}");
        assert_eq!(after.pipelines, before.pipelines, "{name}");
        assert!(most <= 2, "{name}: {most} submissions in a step");
    }
}

#[test]
fn samples_are_those_of_the_cpu_until_a_draw_falls_on_its_threshold() {
    let Some(gpu) = gpu() else { return };
    let (cpu, gpu) = (Device::cpu(), gpu.device());
    // A machine that has learned a little, the same on both.
    let data = Dataset::new(&cpu, images(50).view(), Binarize::EachTime).unwrap();
    let mut trained = learner(&cpu, CD1);
    train(&mut trained, &data, &mut data.room(20), 0..300);
    let ours = trained.rbm;
    let mut theirs = Rbm::bernoulli(&gpu, 144, 40, Key::new(1)).unwrap();
    theirs.weights = gpu.tensor(&ours.weights.to_array().unwrap());
    let mut biases = Vec::new();
    nn_core::Parameters::visit(&ours, &mut |_, tensor| biases.push(tensor.to_array().unwrap()));
    let mut at = 0;
    nn_core::Parameters::visit_mut(&mut theirs, &mut |_, tensor| {
        *tensor = gpu.tensor(&biases[at]);
        at += 1;
    });

    let start = Array2::from_shape_fn((100, 144), |(i, j)| f32::from(u8::from((i * j) % 3 == 0)));
    let (mut visible, mut visible_there) = (cpu.tensor(&start), gpu.tensor(&start));
    let mut draws = 0;
    for sweep in 0..100u64 {
        let key = Key::new(4).fold_in(sweep);
        let (up, down) = (key.fold_in(0), key.fold_in(1));
        let (hidden, hidden_there) =
            (ours.sample_hidden(&visible, up), theirs.sample_hidden(&visible_there, up));
        if differ(&hidden, &hidden_there, &ours.mean_hidden(&visible), up) {
            break;
        }
        let (next, next_there) =
            (ours.sample_visible(&hidden, down), theirs.sample_visible(&hidden_there, down));
        if differ(&next, &next_there, &ours.mean_visible(&hidden), down) {
            break;
        }
        draws += hidden.len() + next.len();
        (visible, visible_there) = (next, next_there);
    }
    println!("{draws} draws agreed");
    assert!(draws > 50_000, "the chains parted after {draws} draws");
}

/// Whether the samples differ, which they may only where the draw is within 10⁻⁶ of the probability.
fn differ(ours: &Tensor, theirs: &Tensor, means: &Tensor, key: Key) -> bool {
    let (ours, theirs, means) =
        (ours.to_array().unwrap(), theirs.to_array().unwrap(), means.to_array().unwrap());
    let mut differ = false;
    for (element, ((a, b), p)) in ours.iter().zip(&theirs).zip(&means).enumerate() {
        let distance = (key.uniform(element as u64) - p).abs();
        if distance > 1e-6 {
            assert_eq!(
                *a == 1.0,
                key.uniform(element as u64) < *p,
                "the draw is not the one that was thought"
            );
            assert_eq!(a, b, "element {element} differs at {distance} from its threshold");
        }
        differ |= a != b;
    }
    differ
}
