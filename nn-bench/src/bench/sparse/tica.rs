//! The objective of reconstruction topographic ICA, and its gradient, on many patches at once.

use ndarray::Array2;
use nn_core::{Device, Error, Key, Tensor};
use nn_sparse::{Edge, Neighborhood, Objective, ReconstructionIca, ReconstructionIcaSettings};

use crate::bench::amount::Amount;
use crate::bench::bench_error::BenchError;
use crate::bench::matrices::Matrices;
use crate::bench::workload::{Subject, Workload, product_flop, wait_for};

/// Pixels on a side of a patch.
pub const SIDE: usize = 16;
/// Patches of a unit of work.
pub const PATCHES: usize = 10_000;
const VALUES: usize = SIDE * SIDE;
// The script of the peers has the same numbers.
const GRID: [usize; 2] = [20, 20];
const UNITS: usize = GRID[0] * GRID[1];
const SPARSITY: f64 = 0.1;
const EPSILON: f64 = 1e-4;
/// Units of a pool: the peer adds up so many squares, we add them up divided by the root of it.
const POOLED: f64 = 9.0;
/// Of the weights.
const DEVIATION: f64 = 0.1;

/// Objective and gradient of 400 units on a torus with pools of 3 × 3, on these patches (cases × 256).
///
/// # Errors
///
/// If a matrix for the peers cannot be written, or the device fails.
pub fn workload(
    device: &Device,
    matrices: &mut Matrices,
    patches: &Array2<f32>,
) -> Result<Workload, BenchError> {
    let key = Key::new(2);
    let inputs = device.tensor(patches);
    let draw =
        |(unit, value): (usize, usize)| (DEVIATION * key.normal((unit * VALUES + value) as u64)) as f32;
    let weights = device.tensor(&Array2::from_shape_fn((UNITS, VALUES), draw));
    matrices.hand_over("tica/patches", &inputs)?;
    matrices.hand_over("tica/weights", &weights)?;
    let map = Neighborhood::grid(GRID, 1, Edge::Torus)?;
    let settings = ReconstructionIcaSettings {
        sparsity_weight: SPARSITY * POOLED.sqrt().sqrt(),
        epsilon: EPSILON / POOLED.sqrt(),
        unit_rows: false,
    };
    let mut objective = ReconstructionIca::new(device, &map, VALUES, settings)?;
    // The same patches again and again, as a search by L-BFGS has them.
    objective.fix(Some(&inputs));
    // Nobody can do without outputs and the product of them that is the gradient.
    let amount = Amount::Flop(2.0 * product_flop(inputs.rows(), VALUES, UNITS));
    let work = format!("objective and gradient of {UNITS} units on {} patches", inputs.rows());
    let gradient = device.zeros(UNITS, VALUES);
    let ours = Box::new(Evaluation { objective, inputs, weights, gradient });
    let (figure, peers) = ("objective, mean over patches", &["torch"][..]);
    Ok(Workload { name: "tica".to_string(), work, amount, yardstick: false, figure, peers, ours })
}

struct Evaluation {
    objective: ReconstructionIca,
    inputs: Tensor,
    weights: Tensor,
    gradient: Tensor,
}

impl Subject for Evaluation {
    fn unit(&mut self) -> Result<(), Error> {
        self.objective.evaluate(&self.weights, &self.inputs, Some(&mut self.gradient));
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        wait_for(&self.gradient)
    }

    fn figure(&mut self) -> Result<f64, Error> {
        self.objective.evaluate(&self.weights, &self.inputs, None).read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The peer's formula on the host.
    #[test]
    fn the_figure_is_that_of_the_peer() {
        let key = Key::new(3);
        let patches = Array2::from_shape_fn((5, VALUES), |(i, j)| key.normal((i * VALUES + j) as u64) as f32);
        let mut workload = workload(&Device::cpu(), &mut Matrices::new(None), &patches).unwrap();
        workload.ours.unit().unwrap();
        workload.ours.wait().unwrap();
        let weights = Array2::from_shape_fn((UNITS, VALUES), |(i, j)| {
            0.1 * Key::new(2).normal((i * VALUES + j) as u64)
        });
        let patches = patches.mapv(f64::from);
        let outputs = patches.dot(&weights.t());
        let mut wanted = 0.5 * (outputs.dot(&weights) - &patches).mapv(|off| off * off).sum();
        for case in outputs.rows() {
            for unit in 0..UNITS {
                let (y, x) = (unit / 20, unit % 20);
                let near =
                    (0..9).map(|at| case[(y + 19 + at / 3) % 20 * 20 + (x + 19 + at % 3) % 20].powi(2));
                wanted += 0.1 * (1e-4 + near.sum::<f64>()).sqrt();
            }
        }
        let found = workload.ours.figure().unwrap();
        assert!((found - wanted / 5.0).abs() < 1e-4 * found, "{found}, not {}", wanted / 5.0);
    }
}
