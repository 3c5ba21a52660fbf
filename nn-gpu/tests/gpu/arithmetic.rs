//! What the common suite does not reach: draws in numbers, tails, NaN, more inputs than a kernel reads, long sums.

use crate::adapter::{open, shared};
use nn_core::parameters::largest;
use nn_core::{ACC, Device, Expr, Key, OLD, Over, Reduction, Tensor, x};
use nn_gpu::{Rung, Settings};

#[test]
fn uniform_draws_are_those_of_the_cpu_bit_for_bit() {
    let Some((_, device)) = shared() else { return };
    let draws = |device: &Device| {
        let mut out = device.zeros(1000, 1001);
        out.assign(Expr::Uniform(Key::new(17)));
        out.to_array().unwrap()
    };
    assert_eq!(draws(&device), draws(&Device::cpu()));
}

#[test]
fn normal_draws_are_those_of_the_cpu_within_rounding() {
    let Some((_, device)) = shared() else { return };
    let draws = |device: &Device| {
        let mut out = device.zeros(1000, 1001);
        out.assign(Expr::Normal(Key::new(18)));
        out.to_array().unwrap()
    };
    let (ours, theirs) = (draws(&device), draws(&Device::cpu()));
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() <= 2e-6 * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn bernoulli_draws_differ_from_the_cpu_only_at_their_threshold() {
    let Some((_, device)) = shared() else { return };
    let (rows, columns, key) = (512, 700, Key::new(19));
    let draw = |device: &Device| {
        let mut logits = device.zeros(rows, columns);
        logits.assign(Expr::Uniform(key.fold_in(1)) * 12.0 - 6.0);
        let mut probabilities = device.zeros(rows, columns);
        probabilities.assign(x(&logits).logistic());
        let mut bits = device.zeros(rows, columns);
        bits.assign(x(&logits).logistic().bernoulli(key));
        (probabilities.to_array().unwrap(), bits.to_array().unwrap())
    };
    let ((_, ours), (p, theirs)) = (draw(&device), draw(&Device::cpu()));
    let mut flips = 0;
    for (at, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        if a != b {
            flips += 1;
            let distance = (key.uniform(at as u64) - p[[at / columns, at % columns]]).abs();
            assert!(distance < 1e-6, "element {at}: {distance}");
        }
    }
    // At most one in a hundred thousand.
    assert!(flips <= 4, "{flips} flips");
}

#[test]
fn tails_of_the_normal_distribution() {
    let Some((_, device)) = shared() else { return };
    let values = ndarray::Array2::from_shape_fn((1, 4001), |(_, j)| (j as f32 - 2000.0) * 0.01);
    let compare = |f: fn(Expr<'_>) -> Expr<'_>, device: &Device| {
        let mut out = device.tensor(&values);
        out.assign(f(OLD));
        out.to_array_f64().unwrap()
    };
    for (name, f) in [
        ("log cdf", (|e| e.log_normal_cdf()) as fn(Expr<'_>) -> Expr<'_>),
        ("quantile", |e| (-e.abs() * 4.0).normal_quantile_of_log()),
    ] {
        let (ours, exact) = (compare(f, &device), compare(f, &Device::reference()));
        for ((at, a), b) in ours.indexed_iter().zip(&exact) {
            let same = a == b || (a - b).abs() <= 1e-5 * (1.0 + b.abs());
            assert!(same, "{name} of {}: {a} {b}", values[at]);
        }
    }
}

#[test]
fn not_a_number_is_seen() {
    let Some((_, device)) = shared() else { return };
    let mut values = ndarray::Array2::<f32>::zeros((40, 300));
    values[[7, 211]] = f32::NAN;
    let tensor = device.tensor(&values);
    assert!(largest(&tensor).unwrap().is_nan());
    let mut rectified = device.zeros(40, 300);
    rectified.assign(x(&tensor).max(0.0));
    assert!(rectified.to_array().unwrap()[[7, 211]].is_nan());
}

#[test]
fn a_formula_of_more_inputs_than_a_kernel_reads() {
    let Some((_, device)) = shared() else { return };
    let inputs: Vec<Tensor> = (1..=11).map(|value| device.full(3, 4, value as f32)).collect();
    fn all(inputs: &[Tensor]) -> Expr<'_> {
        inputs.iter().fold(Expr::from(0.0f32), |sum, input| sum + input)
    }
    let mut out = device.full(3, 4, 1.0);
    out.assign(all(&inputs) * OLD);
    assert!(out.to_array().unwrap().iter().all(|value| *value == 66.0));
    let mut total = device.zeros(3, 1);
    total.reduce([3, 4], Over::Columns, Reduction::Sum, all(&inputs), ACC + x(inputs[0].column_range(0..1)));
    assert!(total.to_array().unwrap().iter().all(|value| *value == 265.0));
    // Six operands and three inputs in the store.
    let product = inputs[0].dot(inputs[1].t())
        + inputs[2].dot(inputs[3].t())
        + inputs[4].dot(inputs[5].t())
        + inputs[6].dot(inputs[7].t());
    let mut out = device.zeros(3, 3);
    let columns = |at: usize| x(inputs[at].column_range(0..3));
    out.product(product, ACC + columns(8) + columns(9) - columns(10));
    let expected = 4.0 * (2.0 + 12.0 + 30.0 + 56.0) + 9.0 + 10.0 - 11.0;
    assert!(out.to_array().unwrap().iter().all(|value| *value == expected), "{:?}", out.to_array());
}

#[test]
fn long_sums_in_two_stages() {
    let Some((_, device)) = shared() else { return };
    for [rows, columns] in [[1, 300_000], [300_000, 1], [70_000, 3], [3, 70_000]] {
        let mut values = device.zeros(rows, columns);
        values.assign(Expr::Uniform(Key::new(20)));
        let host = values.to_array_f64().unwrap();
        let mut by_rows = device.full(1, columns, 5.0);
        by_rows.reduce([rows, columns], Over::Rows, Reduction::Sum, &values, ACC + OLD);
        let mut by_columns = device.full(rows, 1, 5.0);
        by_columns.reduce([rows, columns], Over::Columns, Reduction::Sum, &values, ACC + OLD);
        let sums =
            [(by_rows, host.sum_axis(ndarray::Axis(0))), (by_columns, host.sum_axis(ndarray::Axis(1)))];
        for (ours, exact) in sums {
            for (a, b) in ours.to_array_f64().unwrap().iter().zip(&exact) {
                assert!((a - 5.0 - b).abs() <= 1e-6 * b.abs() + 1e-5, "{rows}×{columns}: {a} {b}");
            }
        }
        let mut first = device.zeros(rows.min(1), columns);
        first.reduce([rows, columns], Over::Rows, Reduction::ArgMax, &values, ACC);
        for (column, at) in first.to_array().unwrap().iter().enumerate() {
            let column = host.column(column);
            assert_eq!(column[*at as usize], column.fold(0.0, |max: f64, value| max.max(*value)));
        }
    }
}

#[test]
fn a_tall_thin_product_in_parts() {
    let Some(gpu) = open(Settings { product: Some(Rung::Small), ..Settings::default() }) else { return };
    let device = gpu.device();
    let run = |device: &Device| {
        let (mut a, mut b) = (device.zeros(5000, 20), device.zeros(5000, 12));
        a.assign(Expr::Uniform(Key::new(21)));
        b.assign(Expr::Uniform(Key::new(22)) - 0.5);
        let mut out = device.full(20, 12, 2.0);
        out.product(a.t().dot(&b) * 0.01, ACC + OLD + Expr::Uniform(Key::new(23)));
        out.to_array().unwrap()
    };
    let parts = gpu.counters().dispatches;
    let (ours, theirs) = (run(&device), run(&Device::cpu()));
    assert!(gpu.counters().dispatches > parts + 4, "the product was not cut");
    for (a, b) in ours.iter().zip(&theirs) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn the_same_work_gives_the_same_bits() {
    let Some((_, device)) = shared() else { return };
    let run = || {
        let (mut a, mut b) = (device.zeros(130, 300), device.zeros(300, 65));
        a.assign(Expr::Normal(Key::new(24)));
        b.assign(Expr::Normal(Key::new(25)));
        let mut c = device.zeros(130, 65);
        c.product(a.dot(&b), ACC.tanh());
        let mut sum = device.zeros(1, 65);
        sum.reduce([130, 65], Over::Rows, Reduction::Sum, &c, ACC);
        sum.to_array().unwrap()
    };
    assert_eq!(run(), run());
}
