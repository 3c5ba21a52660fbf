//! The verbs of the processor's backend in the shapes of a 784–500 RBM at batch 100: products with their formulas,
//! elementwise formulas, reductions.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};
use nn_core::{ACC, Device, Expr, Key, OLD, Over, Reduction, Tensor, x};

const CASES: usize = 100;
const VISIBLE: usize = 784;
const HIDDEN: usize = 500;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .configure_from_args();
    products(&mut criterion);
    elementwise(&mut criterion);
    reductions(&mut criterion);
    criterion.final_summary();
}

fn uniform(device: &Device, rows: usize, columns: usize, seed: u64) -> Tensor {
    let mut tensor = device.zeros(rows, columns);
    tensor.assign(Expr::Uniform(Key::new(seed)));
    tensor
}

/// Up, down and gradient, plain and with what learning wraps around them.
fn products(criterion: &mut Criterion) {
    let device = Device::cpu();
    let visible = uniform(&device, CASES, VISIBLE, 1);
    let mut binary = device.zeros(CASES, VISIBLE);
    binary.assign(Expr::from(0.1).bernoulli(Key::new(2)));
    let weights = uniform(&device, VISIBLE, HIDDEN, 3);
    let biases = uniform(&device, 1, HIDDEN, 4);
    let mut hidden = uniform(&device, CASES, HIDDEN, 5);
    let mut down = device.zeros(CASES, VISIBLE);
    let mut step = device.zeros(VISIBLE, HIDDEN);

    let mut group = criterion.benchmark_group("product");
    // Multiply-adds; every product here has the same number.
    group.throughput(Throughput::Elements((CASES * VISIBLE * HIDDEN) as u64));
    group.bench_function("up", |b| b.iter(|| hidden.product(visible.dot(&weights), ACC)));
    group.bench_function("up, one in ten", |b| b.iter(|| hidden.product(binary.dot(&weights), ACC)));
    group.bench_function("up, logistic", |b| {
        b.iter(|| hidden.product(visible.dot(&weights), (ACC + &biases).logistic()));
    });
    let mut draws = 0;
    group.bench_function("up, logistic and draw", |b| {
        b.iter(|| {
            draws += 1;
            let formula = (ACC + &biases).logistic().bernoulli(Key::new(draws));
            hidden.product(visible.dot(&weights), formula);
        });
    });
    group.bench_function("down", |b| b.iter(|| down.product(hidden.dot(weights.t()), ACC)));
    group.bench_function("gradient", |b| b.iter(|| step.product(visible.t().dot(&hidden), ACC)));
    group.bench_function("gradient, momentum and decay", |b| {
        b.iter(|| {
            let slope = (ACC + x(&weights) * 2e-4) * 0.05;
            step.product(visible.t().dot(&hidden), OLD * 0.9 - slope);
        });
    });
    group.finish();
}

fn elementwise(criterion: &mut Criterion) {
    let device = Device::cpu();
    let input = uniform(&device, CASES, VISIBLE, 1);
    let mut out = device.zeros(CASES, VISIBLE);
    let mut group = criterion.benchmark_group("assign");
    group.throughput(Throughput::Elements((CASES * VISIBLE) as u64));
    group.bench_function("copy", |b| b.iter(|| out.assign(&input)));
    group.bench_function("logistic", |b| b.iter(|| out.assign(x(&input).logistic())));
    group.bench_function("softplus", |b| b.iter(|| out.assign(x(&input).softplus())));
    let mut draws = 0;
    group.bench_function("logistic and draw", |b| {
        b.iter(|| {
            draws += 1;
            out.assign(x(&input).logistic().bernoulli(Key::new(draws)));
        });
    });
    group.bench_function("normal numbers", |b| b.iter(|| out.assign(Expr::Normal(Key::new(1)))));
    group.finish();
    black_box(&out);
}

fn reductions(criterion: &mut Criterion) {
    let device = Device::cpu();
    let input = uniform(&device, CASES, HIDDEN, 1);
    let (mut of_rows, mut of_columns) = (device.zeros(1, HIDDEN), device.zeros(CASES, 1));
    let grid = [CASES, HIDDEN];
    let mut group = criterion.benchmark_group("reduce");
    group.throughput(Throughput::Elements((CASES * HIDDEN) as u64));
    group.bench_function("mean of rows", |b| {
        b.iter(|| of_rows.reduce(grid, Over::Rows, Reduction::Sum, &input, ACC * (1.0 / CASES as f32)));
    });
    group.bench_function("sum of columns", |b| {
        b.iter(|| of_columns.reduce(grid, Over::Columns, Reduction::Sum, &input, ACC));
    });
    group.bench_function("free energy of columns", |b| {
        b.iter(|| of_columns.reduce(grid, Over::Columns, Reduction::Sum, x(&input).softplus(), -ACC));
    });
    group.bench_function("maximum of columns", |b| {
        b.iter(|| of_columns.reduce(grid, Over::Columns, Reduction::Max, &input, ACC));
    });
    group.finish();
}
