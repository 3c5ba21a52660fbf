//! What the host spends on starting a kernel: on a device that computes nothing, nothing else takes time.
#![allow(missing_docs, reason = "criterion's macros make the entry points")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nn_core::{ACC, Device, Expr, Key, OLD, x};
use nn_gpu::{Api, Choice, Gpu, Settings};

fn dispatch(criterion: &mut Criterion) {
    let choice = Choice { api: Some(Api::Noop), ..Choice::default() };
    let gpu = match Gpu::open(&choice, &Settings::default()) {
        Ok(gpu) => gpu,
        Err(error) => return eprintln!("not measured: {error}"),
    };
    let device: Device = gpu.device();
    let (a, b) = (device.full(100, 784, 0.5), device.full(784, 500, 0.5));
    let bias = device.full(1, 500, 0.5);
    let (mut hidden, mut momentum) = (device.zeros(100, 500), device.zeros(784, 500));
    let mut group = criterion.benchmark_group("host time of a kernel");
    group.throughput(Throughput::Elements(1));
    group.bench_function("assign", |bench| {
        bench.iter(|| momentum.assign(OLD * 0.9 + x(&b) * 0.1));
    });
    let mut step = 0;
    group.bench_function("product with a draw", |bench| {
        bench.iter(|| {
            step += 1;
            let draw = (ACC + &bias).logistic().bernoulli(Key::new(1).fold_in(step));
            hidden.product(a.dot(&b), draw);
        });
    });
    group.bench_function("product of two terms", |bench| {
        bench.iter(|| {
            momentum.product(a.t().dot(&hidden) - a.t().dot(&hidden), OLD * 0.9 + ACC - x(&b) * 2e-4)
        });
    });
    group.bench_function("a draw alone", |bench| {
        bench.iter(|| hidden.assign(Expr::Uniform(Key::new(1)).less(OLD)));
    });
    group.finish();
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
