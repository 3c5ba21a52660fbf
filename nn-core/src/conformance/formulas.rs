//! Elementwise formulas: every function, every way of stretching, and random trees.

use super::{Case, SIZES, noise};
use crate::{ACC, Binary, Device, Expr, Key, OLD, Over, Reduction, Tensor, Unary, x};

const UNARY: [Unary; 10] = [
    Unary::Negate,
    Unary::Exp,
    Unary::Log,
    Unary::Sqrt,
    Unary::Abs,
    Unary::Logistic,
    Unary::Tanh,
    Unary::Softplus,
    Unary::LogNormalCdf,
    Unary::NormalQuantileOfLog,
];
const BINARY: [Binary; 8] = [
    Binary::Add,
    Binary::Subtract,
    Binary::Multiply,
    Binary::Divide,
    Binary::Max,
    Binary::Min,
    Binary::Less,
    Binary::Equal,
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for function in UNARY {
        // In [−12, 12], and where that is outside the domain, NaN on both sides.
        cases.push(Case::new(format!("{function:?}"), 2e-5, move |device| {
            let mut out = device.zeros(3, 65);
            let input = scaled(device, 3, 65, 12.0);
            out.assign(Expr::Unary(function, Box::new(x(&input))));
            vec![out]
        }));
    }
    for function in BINARY {
        cases.push(Case::new(format!("{function:?}"), 1e-5, move |device| {
            let (left, right) = (noise(device, 5, 63, 11), noise(device, 5, 63, 12));
            let mut out = device.zeros(5, 63);
            // A third of the elements equal, so that ties are seen.
            let right = x(&right) * x(&left).less(0.3) + x(&left) * (1.0 - x(&left).less(0.3));
            out.assign(Expr::Binary(function, Box::new(x(&left)), Box::new(right)));
            vec![out]
        }));
    }
    for rows in SIZES {
        for columns in [1, 3, 65, 130, 700] {
            cases.push(Case::new(format!("stretched to {rows}×{columns}"), 1e-5, move |device| {
                let mut out = noise(device, rows, columns, 21);
                let (row, column) = (noise(device, 1, columns, 22), noise(device, rows, 1, 23));
                let (full, scalar) = (noise(device, rows, columns, 24), noise(device, 1, 1, 25));
                out.assign((x(&full) - &row) * &column + x(&scalar) * OLD - 0.25);
                vec![out]
            }));
        }
    }
    for group in [1, 2, 5] {
        cases.push(Case::new(format!("groups of {group}"), 0.0, move |device| {
            let (grouped, repeated) = (noise(device, 3, 20 / group, 31), noise(device, 1, group, 32));
            let mut outs =
                [device.zeros(3, 20), device.zeros(3, 20), device.zeros(3, 20), device.zeros(3, 20)];
            outs[0].assign(grouped.view().grouped(group));
            outs[1].assign(repeated.view().repeated());
            outs[2].assign(Expr::Position(group));
            outs[3].assign(Expr::Group(group));
            outs.into()
        }));
    }
    cases.push(Case::new("uniform draws, bit for bit", 0.0, |device| draws(device, Expr::Uniform)));
    cases.push(Case::new("normal draws", 2e-6, |device| draws(device, Expr::Normal)));
    // A backend that writes a program for it needs as many names.
    fn longer(formula: Expr<'_>, step: u16) -> Expr<'_> {
        (formula + f32::from(step) * 0.01).tanh()
    }
    cases.push(Case::new("long formula", 1e-4, |device| {
        let input = noise(device, 4, 33, 45);
        let mut out = noise(device, 4, 33, 46);
        out.assign((0..40).fold(x(&input) + OLD, longer));
        let mut sums = device.zeros(4, 3);
        sums.reduce([4, 33], Over::Groups(11), Reduction::Sum, (0..40).fold(x(&input), longer), ACC);
        vec![out, sums]
    }));
    for seed in 0..40 {
        cases.push(Case::new(format!("random formula {seed}"), 1e-4, move |device| {
            let inputs = [noise(device, 4, 33, 41), noise(device, 1, 33, 42), noise(device, 4, 1, 43)];
            let mut out = noise(device, 4, 33, 44);
            out.assign(tree(Key::new(seed), &inputs, 5));
            vec![out]
        }));
    }
    cases
}

fn scaled(device: &Device, rows: usize, columns: usize, scale: f32) -> Tensor {
    let mut values = noise(device, rows, columns, 10);
    values.assign(OLD * scale);
    values
}

fn draws(device: &Device, draw: fn(Key) -> Expr<'static>) -> Vec<Tensor> {
    let draw_at = |(rows, columns)| {
        let mut out = device.zeros(rows, columns);
        out.assign(draw(Key::new(9).fold_in(columns as u64)));
        out
    };
    [(1, 1), (3, 5), (7, 64), (5, 1001), (600, 37)].map(draw_at).into()
}

/// A random formula without poles, so that rounding stays small.
fn tree<'a>(key: Key, inputs: &'a [Tensor; 3], depth: u32) -> Expr<'a> {
    let choice = (key.uniform(0) * 8.0) as u32;
    if depth == 0 || choice == 0 {
        return match (key.uniform(1) * 6.0) as u32 {
            0 => OLD,
            1 => Expr::from(key.uniform(2)),
            2 => Expr::Uniform(key),
            leaf => x(&inputs[leaf as usize - 3]),
        };
    }
    let left = tree(key.fold_in(1), inputs, depth - 1);
    let right = || tree(key.fold_in(2), inputs, depth - 1);
    match choice {
        1 => left.logistic() + right(),
        2 => left.tanh() * right(),
        3 => left.softplus() - right(),
        4 => left.max(right()),
        5 => left.min(right()),
        6 => (-left.abs()).exp() * right(),
        _ => left / (right().abs() + 1.0),
    }
}
