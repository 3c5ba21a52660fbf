//! The suite `product`: dense products in the shapes that models spend their time in.

use nn_core::{ACC, Device, Error, Expr, Key, Tensor};

use super::amount::Amount;
use super::bench_error::BenchError;
use super::conditions::Conditions;
use super::matrices::Matrices;
use super::workload::{Subject, Workload, mean_of, product_flop, wait_for};

/// m × k × n: a square for comparison with other tables; forward and gradient of a 784–500 layer at batch 100; two
/// convolutions as products of patches.
const SHAPES: [[usize; 3]; 5] =
    [[1024, 1024, 1024], [100, 784, 500], [784, 100, 500], [131_072, 75, 32], [32_768, 800, 32]];

/// One workload a shape.
///
/// # Errors
///
/// If a matrix for the peers cannot be written.
pub fn workloads(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    SHAPES.into_iter().map(|shape| workload(name(shape), shape, conditions.device, matrices)).collect()
}

/// The square alone: what a run without this suite takes the limit from.
///
/// # Errors
///
/// If a matrix for the peers cannot be written.
pub fn for_the_limit(conditions: &Conditions, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    Ok(vec![workload(name(SHAPES[0]), SHAPES[0], conditions.device, matrices)?])
}

fn name([m, k, n]: [usize; 3]) -> String {
    format!("product-{m}x{k}x{n}")
}

/// One product of an m × k and a k × n matrix of uniform numbers.
///
/// # Errors
///
/// If a matrix for the peers cannot be written.
pub fn workload(
    name: String,
    [m, k, n]: [usize; 3],
    device: &Device,
    matrices: &mut Matrices,
) -> Result<Workload, BenchError> {
    let key = Key::new(1);
    let uniform = |rows, columns, key| {
        let mut tensor = device.zeros(rows, columns);
        tensor.assign(Expr::Uniform(key));
        tensor
    };
    let (left, right) = (uniform(m, k, key.fold_in(0)), uniform(k, n, key.fold_in(1)));
    matrices.hand_over(&format!("{name}/left"), &left)?;
    matrices.hand_over(&format!("{name}/right"), &right)?;
    let ours = Box::new(DenseProduct { left, right, out: device.zeros(m, n) });
    let work = "one product into a matrix that is there".to_string();
    let amount = Amount::Flop(product_flop(m, k, n));
    let (figure, peers) = ("mean of the product", &["torch"][..]);
    Ok(Workload { name, work, amount, yardstick: true, figure, peers, ours })
}

struct DenseProduct {
    left: Tensor,
    right: Tensor,
    out: Tensor,
}

impl Subject for DenseProduct {
    fn unit(&mut self) -> Result<(), Error> {
        self.out.product(self.left.dot(&self.right), ACC);
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        wait_for(&self.out)
    }

    fn figure(&mut self) -> Result<f64, Error> {
        mean_of(&self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_a_product_of_uniform_numbers_is_a_quarter_of_its_depth() {
        let (device, mut matrices) = (Device::cpu(), Matrices::new(None));
        let mut workload = workload("small".to_string(), [30, 40, 20], &device, &mut matrices).unwrap();
        workload.ours.unit().unwrap();
        workload.ours.wait().unwrap();
        let mean = workload.ours.figure().unwrap();
        assert!((mean - 10.0).abs() < 1.0, "{mean}");
        assert_eq!((workload.name.as_str(), workload.amount), ("small", Amount::Flop(48_000.0)));
    }
}
