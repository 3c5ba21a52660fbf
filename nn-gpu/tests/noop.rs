//! What the host does, on a device that checks and copies everything and computes nothing: it needs no driver.
#![allow(clippy::unwrap_used, reason = "what fails in a test should end it")]

use ndarray::Array2;
use nn_core::{ACC, Error, Expr, Key, OLD, Tensor, x};
use nn_gpu::{Api, Choice, Fault, Gpu, Settings};
use std::sync::Arc;

fn open(settings: Settings) -> Arc<Gpu> {
    let choice = Choice { api: Some(Api::Noop), ..Choice::default() };
    Gpu::open(&choice, &settings).unwrap()
}

/// What a training step asks for: a gather, products with draws, an update in place.
fn step(data: &Tensor, tensors: &mut [Tensor; 4], number: u64) {
    let [batch, weights, hidden, momentum] = tensors;
    let rows: Vec<usize> = (0..10).map(|at| (at * 7 + number as usize) % 50).collect();
    batch.view_mut().gather(data, &rows);
    hidden.product(batch.dot(&*weights), ACC.logistic().bernoulli(Key::new(1).fold_in(number)));
    momentum.product(batch.t().dot(&*hidden) * 0.1, OLD * 0.9 + ACC);
    weights.assign(OLD + &*momentum);
    // A temporary comes and goes.
    let copy = hidden.duplicate();
    hidden.assign(x(&copy) * 2.0);
}

fn tensors(gpu: &Arc<Gpu>) -> (Tensor, [Tensor; 4]) {
    let device = gpu.device();
    let data = device.tensor(&Array2::from_elem((50, 20), 0.5f32));
    (data, [device.zeros(10, 20), device.zeros(20, 30), device.zeros(10, 30), device.zeros(20, 30)])
}

#[test]
fn a_steady_step_makes_nothing_and_waits_for_nothing() {
    let gpu = open(Settings::default());
    let (data, mut tensors) = tensors(&gpu);
    (0..20).for_each(|number| step(&data, &mut tensors, number));
    let before = gpu.counters();
    (20..120).for_each(|number| step(&data, &mut tensors, number));
    let after = gpu.counters();
    assert_eq!(after.dispatches - before.dispatches, 600);
    assert_eq!(after.buffers, before.buffers);
    assert_eq!(after.bind_groups, before.bind_groups);
    assert_eq!(after.pipelines, before.pipelines);
    assert_eq!(after.reads, before.reads);
    // Six kernels a step, 64 kernels a batch.
    assert!(after.submissions - before.submissions <= 10, "{before:?} {after:?}");
}

#[test]
fn learning_rates_and_keys_are_data() {
    let gpu = open(Settings::default());
    let mut tensor = gpu.device().zeros(3, 4);
    for number in 0..10u64 {
        tensor.assign(OLD * number as f32 + Expr::Uniform(Key::new(number)));
    }
    gpu.synchronize().unwrap();
    assert_eq!(gpu.counters().pipelines, 1);
}

#[test]
fn what_is_written_is_read() {
    let device = open(Settings::default()).device();
    for columns in [1, 100, 300_000] {
        let values = Array2::from_shape_fn((3, columns), |(i, j)| (i + 2 * j) as f32);
        assert_eq!(device.tensor(&values).to_array().unwrap(), values);
    }
}

#[test]
fn memory_is_counted_and_used_again() {
    let gpu = open(Settings::default());
    let device = gpu.device();
    let tensor = device.zeros(1000, 1000);
    assert_eq!(gpu.memory().live, 4_194_304);
    drop(tensor);
    let memory = gpu.memory();
    assert_eq!((memory.live, memory.pooled, memory.peak), (0, 4_194_304, 4_194_304));
    let _again = device.zeros(990, 1000);
    assert_eq!((gpu.memory().live, gpu.memory().created, gpu.memory().reused), (4_194_304, 1, 1));
    gpu.trim();
    assert_eq!(gpu.memory().pooled, 0);
}

#[test]
fn a_full_device_is_an_error_that_names_the_numbers() {
    let gpu = open(Settings { memory_cap: Some(10 << 20), ..Settings::default() });
    let device = gpu.device();
    let kept = device.zeros(1 << 20, 1);
    // Two of this size do not fit, but one after the other do: what is free is given back first.
    for size in [5 << 18, 6 << 18, 5 << 18] {
        drop(device.zeros(size, 1));
    }
    assert!(kept.to_array().is_ok());
    let error = {
        let mut big = device.zeros(3 << 20, 1);
        big.assign(1.0f32);
        big.to_array().unwrap_err()
    };
    match error {
        Error::OutOfMemory { wanted, used, cap, .. } => {
            assert_eq!((wanted, used, cap), (12 << 20, 4 << 20, Some(10 << 20)));
        }
        other => panic!("{other}"),
    }
    // What came after is not what was meant: nothing is read from the device any more.
    assert!(kept.to_array().is_err());
}

#[test]
fn memory_may_run_out_in_the_middle() {
    let gpu = open(Settings { fault: Some(Fault::OutOfMemory { after: 3 }), ..Settings::default() });
    let device = gpu.device();
    let tensors: Vec<Tensor> = (1..=5).map(|size| device.full(size, 1000, 1.0)).collect();
    assert!(matches!(tensors[0].to_array().unwrap_err(), Error::OutOfMemory { .. }));
}

#[test]
fn a_lost_device_is_an_error_and_everything_else_is_quiet() {
    let gpu = open(Settings { fault: Some(Fault::Lost { after: 30 }), ..Settings::default() });
    let (data, mut tensors) = tensors(&gpu);
    (0..50).for_each(|number| step(&data, &mut tensors, number));
    for _ in 0..2 {
        let error = tensors[1].to_array().unwrap_err();
        assert!(matches!(error, Error::DeviceLost { .. }), "{error}");
    }
    assert!(matches!(gpu.synchronize(), Err(Error::DeviceLost { .. })));
    // A new one works.
    assert!(open(Settings::default()).device().zeros(2, 2).to_array().is_ok());
}

#[test]
fn an_adapter_that_is_not_there_is_an_error() {
    let choice = Choice { name: Some("no such card".into()), ..Choice::default() };
    let error = Gpu::open(&choice, &Settings::default()).unwrap_err().to_string();
    assert!(error.contains("no such card") && !error.contains('\n'), "{error}");
}
