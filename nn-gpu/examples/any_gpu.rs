//! Lists the GPUs of this machine, opens the best of them, software drivers included, and learns a line on it.
//!
//! ```text
//! cargo run --release -p nn-gpu --example any_gpu
//! ```

use ndarray::Array2;
use nn_core::{ACC, Key, OLD, Over, Reduction, x};
use nn_gpu::{Choice, Gpu, Settings, adapters};

fn main() -> Result<(), nn_core::Error> {
    for adapter in adapters() {
        println!("{} ({}, {})", adapter.name, adapter.api, adapter.kind);
    }
    let gpu = Gpu::open(&Choice { software: true, ..Choice::default() }, &Settings::default())?;
    let device = gpu.device();
    println!("learning on {}", device.name());

    // y = 2·x₀ − x₁, with a little noise.
    let points = Array2::from_shape_fn((1000, 2), |(i, j)| Key::new(1).normal((2 * i + j) as u64) as f32);
    let inputs = device.tensor(&points);
    let targets = Array2::from_shape_fn((1000, 1), |(i, _)| {
        2.0 * points[[i, 0]] - points[[i, 1]] + 0.1 * Key::new(2).normal(i as u64) as f32
    });
    let targets = device.tensor(&targets);
    let (mut weights, mut errors) = (device.zeros(2, 1), device.zeros(1000, 1));
    for _ in 0..100 {
        // The error is stored with the product, the gradient goes into the weights with the next: two kernels a step.
        errors.product(inputs.dot(&weights), ACC - &targets);
        weights.product(inputs.t().dot(&errors), OLD - ACC * 1e-3);
    }
    let mut loss = device.zeros(1, 1);
    loss.reduce([1000, 1], Over::Rows, Reduction::Sum, x(&errors).square(), ACC * 1e-3);
    // Nothing waited for the device until here.
    println!("weights {:?}, mean squared error {:?}", weights.to_array()?, loss.to_array()?);
    println!("{:?}", gpu.counters());
    Ok(())
}
