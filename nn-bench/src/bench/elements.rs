//! Work that only moves memory: formulas element by element, copies, reductions, draws.

use std::cell::RefCell;
use std::rc::Rc;

use nn_core::{ACC, Device, Error, Expr, Key, Over, Reduction, Tensor, x};

use super::amount::Amount;
use super::bench_error::BenchError;
use super::conditions::{Conditions, Sizes};
use super::matrices::Matrices;
use super::workload::{Subject, Workload, mean_of, wait_for};

/// Columns of a group, also in the script of the peers.
const GROUP: usize = 16;

/// One kind of work.
struct Kind {
    name: &'static str,
    work: &'static str,
    /// From the number of elements.
    amount: fn(f64) -> Amount,
    yardstick: bool,
    figure: &'static str,
    /// One unit. The key is another one in each.
    unit: fn(&mut Grids, Key),
    /// Where the unit leaves its result.
    result: fn(&Grids) -> &Tensor,
}

/// Bytes of this many values.
fn values(count: f64) -> Amount {
    Amount::Bytes(count * size_of::<f32>() as f64)
}

static KINDS: [Kind; 7] = [
    Kind {
        name: "assign",
        work: "out = a + b",
        amount: |elements| values(3.0 * elements),
        yardstick: true,
        figure: "mean of the sum",
        unit: |grids, _| grids.out.assign(x(&grids.a) + &grids.b),
        result: |grids| &grids.out,
    },
    Kind {
        name: "copy",
        work: "out = a",
        amount: |elements| values(2.0 * elements),
        yardstick: true,
        figure: "mean of the copy",
        unit: |grids, _| grids.out.assign(&grids.a),
        result: |grids| &grids.out,
    },
    Kind {
        name: "sum-rows",
        work: "sum over rows",
        amount: values,
        yardstick: false,
        figure: "mean of the sums",
        unit: |grids, _| grids.of_columns.reduce(shape(&grids.a), Over::Rows, Reduction::Sum, &grids.a, ACC),
        result: |grids| &grids.of_columns,
    },
    Kind {
        name: "sum-columns",
        work: "sum over columns",
        amount: values,
        yardstick: false,
        figure: "mean of the sums",
        unit: |grids, _| grids.of_rows.reduce(shape(&grids.a), Over::Columns, Reduction::Sum, &grids.a, ACC),
        result: |grids| &grids.of_rows,
    },
    Kind {
        name: "max-groups",
        work: "maximum of each 16 columns",
        amount: |elements| values(elements * (1.0 + 1.0 / GROUP as f64)),
        yardstick: false,
        figure: "mean of the maxima",
        unit: |grids, _| grids.find_maxima(),
        result: |grids| &grids.maxima,
    },
    Kind {
        name: "softmax",
        work: "softmax of each 16 columns",
        amount: |elements| values(2.0 * elements),
        yardstick: false,
        figure: "mean of the softmax",
        unit: |grids, _| grids.softmax(),
        result: |grids| &grids.out,
    },
    Kind {
        name: "uniform",
        work: "uniform draws",
        amount: Amount::Draws,
        yardstick: false,
        figure: "mean of the draws",
        unit: |grids, key| grids.out.assign(Expr::Uniform(key)),
        result: |grids| &grids.out,
    },
];

/// One workload a kind; all share their matrices.
///
/// # Errors
///
/// If a matrix for the peers cannot be written.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    let elements = conditions.sizes.elements;
    let [rows, columns] = [elements / Sizes::COLUMNS, Sizes::COLUMNS];
    // Peers fill matrices of this shape themselves: what is in them does not matter, and files of them would be large.
    let mut described = conditions.device.zeros(1, 2);
    described.column_range_mut(0..1).assign(rows as f32);
    described.column_range_mut(1..2).assign(columns as f32);
    matrices.hand_over("elements/shape", &described)?;
    let grids = Rc::new(RefCell::new(Grids::new(conditions.device, rows, columns)));
    let workload = |kind: &'static Kind| Workload {
        name: kind.name.to_string(),
        work: format!("{}, {} elements", kind.work, in_words(elements)),
        amount: (kind.amount)(elements as f64),
        yardstick: kind.yardstick,
        figure: kind.figure,
        peers: &["torch"],
        ours: Box::new(OnGrids { kind, grids: Rc::clone(&grids), done: 0 }),
    };
    Ok(KINDS.iter().map(workload).collect())
}

fn in_words(elements: usize) -> String {
    if elements >= 1 << 20 { format!("{} Mi", elements >> 20) } else { elements.to_string() }
}

fn shape(tensor: &Tensor) -> [usize; 2] {
    [tensor.rows(), tensor.columns()]
}

/// The operands and the places of results.
struct Grids {
    a: Tensor,
    b: Tensor,
    out: Tensor,
    of_columns: Tensor,
    of_rows: Tensor,
    maxima: Tensor,
    sums: Tensor,
}

impl Grids {
    fn new(device: &Device, rows: usize, columns: usize) -> Self {
        let key = Key::new(5);
        let uniform = |number| {
            let mut tensor = device.zeros(rows, columns);
            tensor.assign(Expr::Uniform(key.fold_in(number)));
            tensor
        };
        Self {
            a: uniform(0),
            b: uniform(1),
            out: device.zeros(rows, columns),
            of_columns: device.zeros(1, columns),
            of_rows: device.zeros(rows, 1),
            maxima: device.zeros(rows, columns / GROUP),
            sums: device.zeros(rows, columns / GROUP),
        }
    }

    fn find_maxima(&mut self) {
        self.maxima.reduce(shape(&self.a), Over::Groups(GROUP), Reduction::Max, &self.a, ACC);
    }

    /// As units of more than two states compute it: maxima, sums of powers, quotients.
    fn softmax(&mut self) {
        self.find_maxima();
        let power = || (x(&self.a) - self.maxima.view().grouped(GROUP)).exp();
        self.sums.reduce(shape(&self.a), Over::Groups(GROUP), Reduction::Sum, power(), ACC);
        self.out.assign(power() / self.sums.view().grouped(GROUP));
    }
}

struct OnGrids {
    kind: &'static Kind,
    grids: Rc<RefCell<Grids>>,
    done: u64,
}

impl Subject for OnGrids {
    fn unit(&mut self) -> Result<(), Error> {
        (self.kind.unit)(&mut self.grids.borrow_mut(), Key::new(6).fold_in(self.done));
        self.done += 1;
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        wait_for((self.kind.result)(&self.grids.borrow()))
    }

    /// The result is shared, so it is made again.
    fn figure(&mut self) -> Result<f64, Error> {
        self.unit()?;
        mean_of((self.kind.result)(&self.grids.borrow()))
    }
}
