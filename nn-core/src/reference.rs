//! The oracle: every verb in double precision, one element after the other, as its definition says.

use crate::{
    Backend, Error, Expr, Operand, Over, Product, Reduction, Storage, Stretch, Tensor, Values, ValuesMut,
    View, ViewMut, Window,
    product::{Block, block_shape},
};

/// The backend behind [`Device::reference`](crate::Device::reference). Its memory is a `Vec<f64>`.
#[derive(Debug)]
pub struct Reference;

type Memory = Vec<f64>;

/// Where a formula is evaluated.
#[derive(Clone, Copy)]
struct At {
    row: usize,
    column: usize,
    columns: usize,
    old: f64,
    acc: f64,
}

impl At {
    fn new(row: usize, column: usize, columns: usize) -> At {
        At { row, column, columns, old: f64::NAN, acc: f64::NAN }
    }
}

fn input(view: &View<'_>, stretch: Stretch, at: &At) -> f64 {
    let row = if view.rows() == 1 { 0 } else { at.row };
    let column = match stretch {
        Stretch::Fit if view.columns() == 1 => 0,
        Stretch::Fit => at.column,
        Stretch::Grouped(group) => at.column / group,
        Stretch::Repeated => at.column % view.columns(),
    };
    view.tensor().storage::<Memory>()[view.offset() + row * view.row_stride() + column]
}

fn evaluate(formula: &Expr<'_>, at: &At) -> f64 {
    let element = (at.row * at.columns + at.column) as u64;
    match formula {
        Expr::Input(view, stretch) => input(view, *stretch, at),
        Expr::Old => at.old,
        Expr::Acc => at.acc,
        Expr::Constant(value) => *value,
        Expr::Position(group) => (at.column % group) as f64,
        Expr::Group(group) => (at.column / group) as f64,
        Expr::Uniform(key) => f64::from(key.uniform(element)),
        Expr::Normal(key) => key.normal(element),
        Expr::Unary(function, inner) => function.apply(evaluate(inner, at)),
        Expr::Binary(function, left, right) => function.apply(evaluate(left, at), evaluate(right, at)),
    }
}

/// Applies `then` to the joined value of every element of `out`.
fn store(mut out: ViewMut<'_>, then: &Expr<'_>, mut acc: impl FnMut(usize, usize) -> f64) {
    let (rows, columns, offset, stride) = (out.rows(), out.columns(), out.offset(), out.row_stride());
    for row in 0..rows {
        for column in 0..columns {
            let index = offset + row * stride + column;
            let old = out.tensor().storage::<Memory>()[index];
            let at = At { row, column, columns, old, acc: acc(row, column) };
            let value = evaluate(then, &at);
            out.tensor_mut().storage_mut::<Memory>()[index] = value;
        }
    }
}

/// The elements of an operand, or of one of its blocks, row after row.
fn elements(operand: &Operand<'_>, block: Option<Block>, rows: usize, columns: usize) -> Vec<f64> {
    let memory = operand.view.tensor().storage::<Memory>();
    let at =
        |index: usize| operand.locate(block, index / columns, index % columns).map_or(0.0, |at| memory[at]);
    (0..rows * columns).map(at).collect()
}

/// Joins values one by one, each with its position.
fn join(reduction: Reduction, values: impl Iterator<Item = (usize, f64)>) -> f64 {
    match reduction {
        Reduction::Sum => values.map(|(_, value)| value).sum(),
        Reduction::Max => {
            values.fold(f64::NEG_INFINITY, |max, (_, value)| crate::Binary::Max.apply(max, value))
        }
        Reduction::ArgMax => {
            let first = |best: (usize, f64), next: (usize, f64)| if next.1 > best.1 { next } else { best };
            values.fold((0, f64::NEG_INFINITY), first).0 as f64
        }
    }
}

impl Backend for Reference {
    fn name(&self) -> &str {
        "reference"
    }

    fn double_precision(&self) -> bool {
        true
    }

    fn alloc(&self, len: usize) -> Box<dyn Storage> {
        Box::new(vec![0f64; len])
    }

    fn write(&self, out: ViewMut<'_>, values: Values<'_>) {
        let columns = out.columns();
        store(out, &Expr::Acc, |row, column| match values {
            Values::F32(values) => f64::from(values[row * columns + column]),
            Values::F64(values) => values[row * columns + column],
        });
    }

    fn read(&self, source: View<'_>, mut into: ValuesMut<'_>) -> Result<(), Error> {
        let memory = source.tensor().storage::<Memory>();
        for row in 0..source.rows() {
            for column in 0..source.columns() {
                let value = memory[source.offset() + row * source.row_stride() + column];
                match &mut into {
                    ValuesMut::F32(values) => values[row * source.columns() + column] = value as f32,
                    ValuesMut::F64(values) => values[row * source.columns() + column] = value,
                }
            }
        }
        Ok(())
    }

    fn gather(&self, out: ViewMut<'_>, source: &Tensor, indices: &[usize]) {
        let memory = source.storage::<Memory>();
        store(out, &Expr::Acc, |row, column| memory[indices[row] * source.columns() + column]);
    }

    fn assign(&self, out: ViewMut<'_>, formula: &Expr<'_>) {
        store(out, formula, |_, _| f64::NAN);
    }

    fn product(&self, out: ViewMut<'_>, product: &Product<'_>, then: &Expr<'_>) {
        let [rows, columns] = product.shape();
        let (mut block_rows, mut block_columns) = (rows, columns);
        if let Some(batch) = product.batch {
            *(if batch.out_rows { &mut block_rows } else { &mut block_columns }) /= batch.blocks;
        }
        // One list of sums for each block of a batch, or the only one.
        let blocks = product.batch.map_or(1, |batch| batch.blocks);
        let sums: Vec<Vec<f64>> = (0..blocks)
            .map(|index| {
                let mut sums = vec![0.0; block_rows * block_columns];
                for term in &product.terms {
                    let of = |by_rows| product.batch.map(|_| Block { blocks, by_rows, index });
                    let by_rows =
                        product.batch.map_or([true; 2], |batch| [batch.left_rows, batch.right_rows]);
                    let inner = block_shape(&term.left, blocks, by_rows[0])[1];
                    let left = elements(&term.left, of(by_rows[0]), block_rows, inner);
                    let right = elements(&term.right.t(), of(!by_rows[1]), block_columns, inner);
                    for (sum, at) in sums.iter_mut().zip(0..) {
                        let (i, j) = (at / block_columns, at % block_columns);
                        let pairs = left[i * inner..][..inner].iter().zip(&right[j * inner..][..inner]);
                        *sum += f64::from(term.scale) * pairs.map(|(a, b)| a * b).sum::<f64>();
                    }
                }
                sums
            })
            .collect();
        let out_rows = product.batch.is_none_or(|batch| batch.out_rows);
        store(out, then, |row, column| {
            let block = if out_rows { row / block_rows } else { column / block_columns };
            sums[block][row % block_rows * block_columns + column % block_columns]
        });
    }

    fn reduce(
        &self,
        out: ViewMut<'_>,
        grid: [usize; 2],
        over: Over,
        reduction: Reduction,
        formula: &Expr<'_>,
        then: &Expr<'_>,
    ) {
        let value = |row, column| evaluate(formula, &At::new(row, column, grid[1]));
        store(out, then, |i, j| match over {
            Over::Rows => join(reduction, (0..grid[0]).map(|row| (row, value(row, j)))),
            Over::Columns => join(reduction, (0..grid[1]).map(|column| (column, value(i, column)))),
            Over::Groups(group) => join(reduction, (0..group).map(|at| (at, value(i, j * group + at)))),
            Over::Windows(window) => {
                let (position, channel) = (j / window.channels, j % window.channels);
                let [_, across] = window.positions();
                let taps = (0..window.kernel[0] * window.kernel[1]).filter_map(|tap| {
                    let tap_at = [tap / window.kernel[1], tap % window.kernel[1]];
                    let [y, x] = window.pixel([position / across, position % across], tap_at)?;
                    Some((tap, value(i, (y * window.width + x) * window.channels + channel)))
                });
                join(reduction, taps)
            }
        });
    }

    fn fold(&self, out: ViewMut<'_>, window: &Window, formula: &Expr<'_>, then: &Expr<'_>) {
        let mut sums = vec![0f64; out.len()];
        let [down, across] = window.positions();
        for case in 0..out.rows() {
            for position in 0..down * across {
                for column in 0..window.patch_len() {
                    let (tap, channel) = (column / window.channels, column % window.channels);
                    let tap_at = [tap / window.kernel[1], tap % window.kernel[1]];
                    let Some([y, x]) = window.pixel([position / across, position % across], tap_at) else {
                        continue;
                    };
                    let at = At::new(case * down * across + position, column, window.patch_len());
                    let pixel = (y * window.width + x) * window.channels + channel;
                    sums[case * window.image_len() + pixel] += evaluate(formula, &at);
                }
            }
        }
        store(out, then, |row, column| sums[row * window.image_len() + column]);
    }
}
