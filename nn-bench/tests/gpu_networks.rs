//! Networks that are trained by backpropagation, on a GPU: as on the CPU, and without waiting.
//!
//! A software driver will do. `NN_GPU_TEST=require` fails where there is no driver; anything else skips and says so.
#![allow(clippy::unwrap_used, reason = "what fails in a test should end it")]

mod driver;

use driver::gpu;
use ndarray::Array2;
use nn_conv::{
    Convolution, Filters, Local, LocalContrastNormalization, Neighbors, Normalization, Pool, Pooling,
    ResponseNormalization, Tiled,
};
use nn_core::init::Initialization;
use nn_core::layer::{Dense, Dropout};
use nn_core::network::named;
use nn_core::{
    Activation, Dataset, Device, Key, Learner, Loss, Network, Parameters, Penalty, Sgd, SupervisedLearner,
    Window,
};

const DRAW: Initialization = Initialization::Normal { deviation: 0.3 };

/// One of nearly every layer there is, on images of 8 × 8 × 2.
fn learner(device: &Device) -> SupervisedLearner<Sgd> {
    let (linear, rectified) = (Activation::Identity, Activation::RectifiedLinear);
    let filters = |size, channels, maps| Filters::new(Window::new(size, size, channels, 3).padding(1), maps);
    let pool = |size, maps, pool, activation| {
        Pooling::new(Window::new(size, size, maps, 3).stride(2).ceil(), pool, activation).unwrap()
    };
    let layers = vec![
        named("contrast", LocalContrastNormalization::new([8, 8, 2], 3, 1.0).unwrap()),
        named("conv1", Convolution::new(device, filters(8, 2, 6), linear, DRAW, Key::new(1)).unwrap()),
        named("pool1", pool(8, 6, Pool::Max, rectified)),
        named(
            "rnorm1",
            ResponseNormalization::new([4, 4, 6], Neighbors::AcrossMaps, Normalization::new(3, 0.5, 0.75))
                .unwrap(),
        ),
        named(
            "tiled2",
            Tiled::new(device, filters(4, 6, 4), 2, Activation::Tanh, DRAW, Key::new(2)).unwrap(),
        ),
        named("local3", Local::new(device, filters(4, 4, 4), rectified, DRAW, Key::new(3)).unwrap()),
        named("pool3", pool(4, 4, Pool::Average, linear)),
        named("hidden", Dense::new(device, 16, 12, Activation::Logistic, DRAW, Key::new(4)).unwrap()),
        named("dropout", Dropout::new(12, 0.5).unwrap()),
        named("output", Dense::new(device, 12, 3, linear, DRAW, Key::new(5)).unwrap()),
    ];
    let network = Network::new(layers, Loss::CrossEntropy).unwrap();
    let sgd = Sgd::new(&network, 0.05, 0.9, Penalty::l2(1e-3)).unwrap();
    SupervisedLearner::new(network, sgd)
}

fn data(device: &Device) -> Dataset {
    let images = Array2::from_shape_fn((30, 128), |(i, j)| Key::new(6).normal((i * 128 + j) as u64) as f32);
    let labels: Vec<usize> = (0..30).map(|case| case % 3).collect();
    Dataset::labelled(device, images.view(), &labels, 3).unwrap()
}

fn train(learner: &mut SupervisedLearner<Sgd>, data: &Dataset, updates: std::ops::Range<u64>) {
    let mut batch = data.room(10);
    for update in updates {
        let cases: Vec<usize> = (0..10).map(|at| (at * 7 + update as usize) % 30).collect();
        data.fill(&mut batch, &cases, Key::new(7));
        learner.update(&batch, update, Key::new(8).fold_in(update));
    }
}

fn parameters(model: &dyn Parameters) -> Vec<(String, Array2<f64>)> {
    let mut all = Vec::new();
    model.visit(&mut |name, tensor| all.push((name.to_string(), tensor.to_array_f64().unwrap())));
    all
}

#[test]
fn a_network_learns_on_a_gpu_what_it_learns_on_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let run = |device: &Device| {
        let mut learner = learner(device);
        train(&mut learner, &data(device), 0..8);
        parameters(&learner.network)
    };
    let (ours, theirs, exact) = (run(&gpu.device()), run(&Device::cpu()), run(&Device::reference()));
    for (((name, a), (_, b)), (_, exact)) in ours.iter().zip(&theirs).zip(&exact) {
        for ((a, b), exact) in a.iter().zip(b).zip(exact) {
            assert!((a - exact).abs() < 1e-4 * (1.0 + exact.abs()), "{name}: {a}, oracle {exact}");
            assert!((b - exact).abs() < 1e-4 * (1.0 + exact.abs()), "{name}: CPU {b}, oracle {exact}");
        }
    }
}

#[test]
fn a_steady_step_makes_no_buffer_waits_for_nothing_and_hands_over_twice_at_most() {
    let Some(gpu) = gpu() else { return };
    let device = gpu.device();
    let (mut learner, data) = (learner(&device), data(&device));
    train(&mut learner, &data, 0..6);
    let before = gpu.counters();
    train(&mut learner, &data, 6..16);
    let after = gpu.counters();
    let kernels = (after.dispatches - before.dispatches) / 10;
    println!("{kernels} kernels a step");
    assert_eq!(after.buffers, before.buffers);
    assert_eq!(after.reads, before.reads);
    // A hundred and more kernels, in batches of 64.
    assert!(after.submissions - before.submissions <= 10 * kernels.div_ceil(64), "{before:?} {after:?}");
}
