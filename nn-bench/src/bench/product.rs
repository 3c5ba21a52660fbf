//! The suite `product`: dense products in the shapes that models spend their time in.

use nn_core::{ACC, Device, Error, Expr, Key, Over, Reduction, Tensor, x};

use super::bench_error::BenchError;
use super::inputs::Inputs;
use super::matrices::Matrices;
use super::workload::{Subject, Workload, product_flop};

/// m × k × n: a square for comparison with other tables; forward and gradient of a 784–500 layer at batch 100; two
/// convolutions as products of patches.
const SHAPES: [[usize; 3]; 5] =
    [[1024, 1024, 1024], [100, 784, 500], [784, 100, 500], [131_072, 75, 32], [32_768, 800, 32]];

/// One workload a shape.
///
/// # Errors
///
/// If a matrix for the peers cannot be written.
pub fn workloads(_: &Inputs, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    SHAPES.into_iter().map(|shape| workload(shape, matrices)).collect()
}

/// The square alone: what a run without this suite takes the limit from.
///
/// # Errors
///
/// If a matrix for the peers cannot be written.
pub fn for_the_limit(_: &Inputs, matrices: &mut Matrices) -> Result<Vec<Workload>, BenchError> {
    Ok(vec![workload(SHAPES[0], matrices)?])
}

fn workload([m, k, n]: [usize; 3], matrices: &mut Matrices) -> Result<Workload, BenchError> {
    let (device, key) = (Device::cpu(), Key::new(1));
    let name = format!("product-{m}x{k}x{n}");
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
    let flop = product_flop(m, k, n);
    Ok(Workload { name, work, flop, figure: "mean of the product", peers: &["torch"], ours })
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

    fn figure(&mut self) -> Result<f64, Error> {
        let (rows, columns) = (self.out.rows(), self.out.columns());
        let mut means = self.out.device().zeros(rows, 1);
        let mean = ACC * (1.0 / columns as f32);
        means.reduce([rows, columns], Over::Columns, Reduction::Sum, x(&self.out), mean);
        Ok(means.to_array_f64()?.mean().unwrap_or(f64::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_a_product_of_uniform_numbers_is_a_quarter_of_its_depth() {
        let mut workload = workload([30, 40, 20], &mut Matrices::new(None)).unwrap();
        workload.ours.unit().unwrap();
        let mean = workload.ours.figure().unwrap();
        assert!((mean - 10.0).abs() < 1.0, "{mean}");
        assert_eq!((workload.name.as_str(), workload.flop), ("product-30x40x20", 48_000.0));
    }
}
