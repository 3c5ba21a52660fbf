//! Rows made orthonormal without preferring any of them.

use ndarray::Array2;
use nn_core::{ACC, Error, OLD, Over, Reduction, Tensor, x};

/// W ← (W·Wᵀ)^−½·W: of all matrices with orthonormal rows the nearest one. (Gram and Schmidt's method prefers the first rows.)
///
/// By Newton and Schulz's iteration W ← 3/2·W − ½·W·Wᵀ·W, from W divided by a bound on its largest singular value, the root
/// of the largest sum of magnitudes in a row of W·Wᵀ. Each singular value s below √3 goes to 1; near 1 errors are squared, so
/// that two to four rounds suffice after a small step, and about 20 from a random square matrix. Only products: it runs on
/// every device, in its precision. A round costs 4 · rows² · columns operations and waits for the device once.
#[derive(Debug)]
pub struct Orthonormalizer {
    gram: Tensor,
    product: Tensor,
    identity: Tensor,
    /// Of each row of W·Wᵀ, the sum of magnitudes or the worst deviation.
    rows: Tensor,
}

/// More rounds than any matrix of full rank in single precision needs: small singular values grow by half a round.
const ROUNDS: usize = 60;
/// max |W·Wᵀ − 1| that is good enough, where the precision allows it.
const ENOUGH: f64 = 1e-7;
/// What single precision reaches: if it gets no better, that is it.
const ACCEPTED: f64 = 1e-5;

impl Orthonormalizer {
    /// For matrices like this one.
    pub fn of(weights: &Tensor) -> Self {
        let (device, rows, columns) = (weights.device(), weights.rows(), weights.columns());
        Self {
            gram: device.zeros(rows, rows),
            product: device.zeros(rows, columns),
            identity: device.tensor_f64(&Array2::eye(rows)),
            rows: device.zeros(rows, 1),
        }
    }

    /// Makes the rows orthonormal and returns max |W·Wᵀ − 1|. Waits for the device.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the rows depend on each other or are not finite; if the device failed.
    pub fn apply(&mut self, weights: &mut Tensor) -> Result<f64, Error> {
        let Self { gram, product, identity, rows } = self;
        let size = weights.rows();
        let (grid, enough) = ([size, size], ENOUGH);
        gram.product(weights.dot(weights.t()), ACC);
        rows.reduce(grid, Over::Columns, Reduction::Sum, x(&*gram).abs(), ACC);
        let bound = largest(rows)?;
        if !(bound > 0.0 && bound.is_finite()) {
            return Err(Error::Data(format!(
                "the largest row of W·Wᵀ is {bound}; rows to be made orthonormal must be finite and not 0"
            )));
        }
        weights.assign(OLD * (1.0 / bound.sqrt()));
        let mut before = f64::INFINITY;
        for _ in 0..ROUNDS {
            gram.product(weights.dot(weights.t()), ACC);
            rows.reduce(grid, Over::Columns, Reduction::Max, (x(&*gram) - &*identity).abs(), ACC);
            let off = largest(rows)?;
            if off <= enough || off <= ACCEPTED && off >= 0.5 * before {
                return Ok(off);
            }
            before = off;
            product.product(gram.dot(&*weights), ACC);
            weights.assign(OLD * 1.5 - x(&*product) * 0.5);
        }
        Err(Error::Data(format!(
            "W·Wᵀ differs from 1 by {before:.1e} after {ROUNDS} rounds; the rows depend on each other: give fewer of them"
        )))
    }
}

fn largest(column: &Tensor) -> Result<f64, Error> {
    let values = column.to_array_f64()?;
    // A NaN is kept.
    let larger =
        |largest: f64, &value: &f64| if largest.is_nan() || value <= largest { largest } else { value };
    Ok(values.iter().fold(0.0, larger))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::Factor;
    use nn_core::{Device, Key};

    fn random(device: &Device, rows: usize, columns: usize) -> Tensor {
        let key = Key::new(4);
        device.tensor_f64(&Array2::from_shape_fn((rows, columns), |(i, j)| {
            key.normal((i * columns + j) as u64)
        }))
    }

    /// U is the polar factor of W if its rows are orthonormal and W·Uᵀ is symmetric and positive.
    #[test]
    fn the_result_is_the_polar_factor() {
        for (device, bound) in [(Device::reference(), 1e-9), (Device::cpu(), 5e-5)] {
            for (rows, columns) in [(6, 6), (5, 9), (1, 3)] {
                let original = random(&device, rows, columns);
                let mut weights = original.duplicate();
                let off = Orthonormalizer::of(&weights).apply(&mut weights).unwrap();
                let (original, weights) = (original.to_array_f64().unwrap(), weights.to_array_f64().unwrap());
                let gram = weights.dot(&weights.t());
                let worst = (&gram - &Array2::<f64>::eye(rows))
                    .iter()
                    .fold(0.0f64, |worst, off| worst.max(off.abs()));
                assert!(worst < 1e-6 && off < 1e-6, "{rows} × {columns}: {worst}, {off} as it says");
                let polar = original.dot(&weights.t());
                let skew = (&polar - &polar.t()).iter().fold(0.0f64, |worst, off| worst.max(off.abs()));
                assert!(skew < bound, "{rows} × {columns}: {skew}");
                let mut factor = Factor::default();
                for row in 0..rows {
                    assert!(
                        factor.push((0..row).map(|column| polar[(row, column)]), polar[(row, row)]),
                        "row {row}"
                    );
                }
            }
        }
    }

    #[test]
    fn rows_that_depend_on_each_other_are_an_error() {
        let device = Device::reference();
        let apply = |values: Array2<f64>| {
            let mut weights = device.tensor_f64(&values);
            Orthonormalizer::of(&weights).apply(&mut weights).unwrap_err().to_string()
        };
        let twice = Array2::from_shape_fn((2, 3), |(_, j)| j as f64 + 1.0);
        assert!(apply(twice).contains("depend on each other"));
        assert!(apply(Array2::zeros((2, 2))).contains("is 0"));
        assert!(apply(Array2::from_elem((1, 2), f64::NAN)).contains("NaN"));
    }
}
