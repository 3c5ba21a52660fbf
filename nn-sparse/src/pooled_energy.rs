//! The mean over cases of Σ √(ε + H y²), and what it gives to the gradient.

use std::ops::Range;

use ndarray::Array2;
use nn_core::{ACC, Device, Expr, OLD, Over, Reduction, Tensor, View, ViewMut, x};

use crate::neighborhood::{Neighborhood, Shape};

/// Cases that are worked on at once: what lies between two products then stays in the caches of a processor.
const BLOCK: usize = 512;

/// f(W) = λ · mean over cases x of Σ_i √(ε + Σ_j H_ij y_j²), y = W·x, with gradient
///
/// ∂f/∂W = λ · mean of (y ⊙ Hᵀ(ε + H y²)^−½)·xᵀ.
///
/// H of a grid is applied as a sum over rows, which shifts the map, and a product with the small matrix of a row of the
/// grid: for 20 × 20 units that is a twentieth of the operations of H itself.
#[derive(Debug)]
pub(crate) struct PooledEnergy {
    weight: f64,
    epsilon: f64,
    map: Map,
    units: usize,
    pools: usize,
    /// The value, a part of each pool.
    sums: Tensor,
    room: Option<Room>,
}

/// What a block of cases needs.
#[derive(Debug)]
struct Room {
    /// y, cases × units.
    outputs: Tensor,
    /// Sums over rows of the grid, or y², and later what the gradient makes of the outputs; cases × units.
    sums: Tensor,
    /// (ε + H y²)^±½, cases × pools.
    energies: Tensor,
    /// ∂f/∂y, cases × units.
    slopes: Tensor,
}

/// H on the device.
#[derive(Debug)]
enum Map {
    Groups { size: usize },
    Grid { width: usize, forward: Vec<Run>, backward: Vec<Run>, columns: Tensor },
    Matrix(Tensor),
}

/// Rows of a grid that follow each other and are sums of other rows at the same distances.
#[derive(Debug, PartialEq)]
struct Run {
    /// Units.
    to: Range<usize>,
    /// The first unit of each summand, and its weight.
    terms: Vec<(usize, f64)>,
}

impl PooledEnergy {
    pub(crate) fn new(device: &Device, neighborhood: &Neighborhood, epsilon: f64, weight: f64) -> Self {
        let map = match &neighborhood.shape {
            Shape::Groups { size, .. } => Map::Groups { size: *size },
            Shape::Grid { rows, columns } => Map::Grid {
                width: columns.nrows(),
                forward: runs(rows, columns.nrows()),
                backward: runs(&rows.t().to_owned(), columns.nrows()),
                columns: device.tensor_f64(columns),
            },
            Shape::Matrix(matrix) => Map::Matrix(device.tensor_f64(matrix)),
        };
        let (units, pools) = (neighborhood.units(), neighborhood.pools());
        Self { weight, epsilon, map, units, pools, sums: device.zeros(1, pools), room: None }
    }

    /// The value that was evaluated last, 1 × pools.
    pub(crate) fn value(&self) -> &Tensor {
        &self.sums
    }

    /// Evaluates at these weights (units × values), and stores the gradient if one is wanted.
    pub(crate) fn evaluate(&mut self, weights: &Tensor, inputs: &Tensor, mut gradient: Option<&mut Tensor>) {
        let (cases, device, units, pools) = (inputs.rows(), inputs.device(), self.units, self.pools);
        let at_once = BLOCK.min(cases);
        if self.room.as_ref().is_none_or(|room| room.outputs.rows() != at_once) {
            let [outputs, sums, slopes] = [(); 3].map(|()| device.zeros(at_once, units));
            self.room = Some(Room { outputs, sums, energies: device.zeros(at_once, pools), slopes });
        }
        let Self { map, room: Some(room), sums, .. } = self else { return };
        let (epsilon, share) = (self.epsilon, self.weight / cases as f64);
        for first in (0..cases).step_by(BLOCK) {
            let block = BLOCK.min(cases - first);
            let inputs = inputs.row_range(first..first + block);
            room.outputs.row_range_mut(0..block).product(inputs.dot(weights.t()), ACC);
            let roots = if gradient.is_some() {
                map.pool(room, block, 1.0 / (ACC + epsilon).sqrt());
                1.0 / x(room.energies.row_range(0..block))
            } else {
                map.pool(room, block, (ACC + epsilon).sqrt());
                x(room.energies.row_range(0..block))
            };
            let add = |sum: Expr<'static>| if first == 0 { sum } else { OLD + sum };
            sums.reduce([block, pools], Over::Rows, Reduction::Sum, roots, add(ACC * share));
            if let Some(gradient) = gradient.as_deref_mut() {
                map.spread(room, block, share);
                gradient.product(room.slopes.row_range(0..block).t().dot(inputs), add(ACC));
            }
        }
    }
}

impl Map {
    /// energies = then(`ACC` = H y²)
    fn pool(&self, room: &mut Room, block: usize, then: Expr<'_>) {
        let Room { outputs, sums, energies, .. } = room;
        let outputs = outputs.row_range(0..block);
        let grid = [block, outputs.columns()];
        let mut energies = energies.row_range_mut(0..block);
        match self {
            Map::Groups { size } => {
                let mean = ACC * (1.0 / (*size as f64).sqrt());
                energies.reduce(
                    grid,
                    Over::Groups(*size),
                    Reduction::Sum,
                    x(outputs).square(),
                    then.with_acc(&mean),
                );
            }
            Map::Grid { width, forward, columns, .. } => {
                add_rows(forward, outputs, Expr::square, sums.row_range_mut(0..block));
                let height = grid[1] / width;
                let rows = sums.row_range(0..block).split_rows(height);
                energies.reborrow().split_rows(height).product(rows.dot(columns.t()), then);
            }
            Map::Matrix(matrix) => {
                sums.row_range_mut(0..block).assign(x(outputs).square());
                energies.product(sums.row_range(0..block).dot(matrix.t()), then);
            }
        }
    }

    /// slopes = share · y ⊙ Hᵀ energies, the energies being (ε + H y²)^−½.
    fn spread(&self, room: &mut Room, block: usize, share: f64) {
        let Room { outputs, sums, energies, slopes } = room;
        let (outputs, energies) = (outputs.row_range(0..block), energies.row_range(0..block));
        let slopes = slopes.row_range_mut(0..block);
        match self {
            Map::Groups { size } => {
                let share = share / (*size as f64).sqrt();
                slopes.assign(x(outputs) * energies.grouped(*size) * share);
            }
            Map::Grid { width, backward, columns, .. } => {
                add_rows(backward, energies, |row| row, sums.row_range_mut(0..block));
                let height = outputs.columns() / width;
                let rows = sums.row_range(0..block).split_rows(height);
                slopes
                    .split_rows(height)
                    .product(rows.dot(columns), ACC * share * outputs.split_rows(height));
            }
            Map::Matrix(matrix) => slopes.product(energies.dot(matrix), ACC * share * outputs),
        }
    }
}

/// to[row] = Σ weight · of(from[other row]), over the rows of the grid.
fn add_rows<'a>(runs: &[Run], from: View<'a>, of: impl Fn(Expr<'a>) -> Expr<'a>, mut to: ViewMut<'_>) {
    for run in runs {
        let length = run.to.len();
        let term = |&(start, weight): &(usize, f64)| {
            let value = of(x(from.column_range(start..start + length)));
            if weight == 1.0 { value } else { value * weight }
        };
        let Some(sum) = run.terms.iter().map(term).reduce(|sum, term| sum + term) else { continue };
        to.reborrow().column_range(run.to.clone()).assign(sum);
    }
}

/// The runs of a matrix that joins rows of a grid of this width.
fn runs(matrix: &Array2<f64>, width: usize) -> Vec<Run> {
    let height = matrix.nrows();
    let terms_of = |row: usize| -> Vec<(isize, f64)> {
        let joined = (0..height).filter(|&other| matrix[(row, other)] != 0.0);
        joined.map(|other| (other as isize - row as isize, matrix[(row, other)])).collect()
    };
    let mut runs: Vec<Run> = Vec::new();
    let mut last = Vec::new();
    for row in 0..height {
        let terms = terms_of(row);
        match runs.last_mut() {
            Some(run) if terms == last => run.to.end += width,
            _ => {
                let start =
                    |&(apart, weight): &(isize, f64)| (row.wrapping_add_signed(apart) * width, weight);
                runs.push(Run {
                    to: row * width..(row + 1) * width,
                    terms: terms.iter().map(start).collect(),
                });
            }
        }
        last = terms;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Edge;
    use nn_core::Key;

    /// The value by the definition, from H as a matrix.
    #[test]
    fn values_are_those_of_the_matrix() {
        let device = Device::reference();
        let (key, cases, values) = (Key::new(1), BLOCK + 3, 3);
        let draw = |rows: usize, columns: usize, key: Key| {
            Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
        };
        let any = Array2::from_shape_fn((4, 6), |(i, j)| ((i * 5 + j * 3) % 4) as f64);
        for map in [
            Neighborhood::subspaces(6, 3).unwrap(),
            Neighborhood::grid([3, 2], 1, Edge::Torus).unwrap(),
            Neighborhood::grid([4, 3], 1, Edge::Open).unwrap(),
            Neighborhood::any(any.view()).unwrap(),
        ] {
            let (inputs, weights) = (draw(cases, values, key), draw(map.units(), values, key.fold_in(1)));
            let squares = inputs.dot(&weights.t()).mapv(|y| y * y);
            let wanted = 0.7 * squares.dot(&map.matrix().t()).mapv(|e| (e + 0.1).sqrt()).sum() / cases as f64;
            let mut energy = PooledEnergy::new(&device, &map, 0.1, 0.7);
            let (weights, inputs) = (device.tensor_f64(&weights), device.tensor_f64(&inputs));
            let mut gradient = device.zeros(map.units(), values);
            for gradient in [None, Some(&mut gradient)] {
                energy.evaluate(&weights, &inputs, gradient);
                let found = energy.value().to_array_f64().unwrap().sum();
                assert!((found - wanted).abs() < 1e-10 * wanted, "{map:?}: {found}, not {wanted}");
            }
        }
    }

    #[test]
    fn runs_of_a_torus_are_its_edges_and_what_lies_between() {
        let Shape::Grid { rows, .. } = Neighborhood::grid([5, 4], 1, Edge::Torus).unwrap().shape else {
            panic!()
        };
        let found = runs(&rows, 4);
        assert_eq!(found.len(), 3);
        assert_eq!(found[1], Run { to: 4..16, terms: vec![(0, 1.0), (4, 1.0), (8, 1.0)] });
        assert_eq!(found[2].terms, vec![(0, 1.0), (12, 1.0), (16, 1.0)]);
    }
}
