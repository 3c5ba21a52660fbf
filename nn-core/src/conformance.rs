//! What every backend must do, held against the oracle.
//!
//! [`check`] runs all cases on a device and on [`Device::reference`] and panics with the name of the case, the
//! position and both values where they differ. A new backend gets the suite with one call:
//!
//! ```
//! nn_core::conformance::check(&nn_core::Device::cpu());
//! ```

mod formulas;
mod memory;
mod models;
mod products;
mod reductions;

use crate::{Device, Key, Tensor};
use ndarray::Array2;

/// Sizes at and around the borders of vectors, tiles and blocks.
pub(crate) const SIZES: [usize; 6] = [1, 3, 63, 64, 65, 130];

/// A piece of work that leaves tensors to compare.
type Work = Box<dyn Fn(&Device) -> Vec<Tensor>>;

/// A named piece of work.
pub(crate) struct Case {
    name: String,
    run: Work,
    /// Largest difference allowed, relative to 1 + |value|.
    tolerance: f64,
}

impl Case {
    pub(crate) fn new(
        name: impl Into<String>,
        tolerance: f64,
        run: impl Fn(&Device) -> Vec<Tensor> + 'static,
    ) -> Case {
        Case { name: name.into(), run: Box::new(run), tolerance }
    }
}

fn cases() -> Vec<Case> {
    let mut cases = memory::cases();
    cases.extend(formulas::cases());
    cases.extend(products::cases());
    cases.extend(reductions::cases());
    cases.extend(models::cases());
    cases
}

/// The names of all cases, in the order in which they run.
pub fn names() -> Vec<String> {
    cases().into_iter().map(|case| case.name).collect()
}

/// Runs every case on `device` and on the oracle and returns how many there were.
///
/// # Panics
/// At the first case whose values differ by more than its tolerance, or whose reads fail.
pub fn check(device: &Device) -> usize {
    check_some(device, |_| true)
}

/// Runs every case on `device` without looking at what comes out: for a device that computes nothing, to see which
/// kernels it is asked for.
pub fn run(device: &Device) {
    cases().iter().for_each(|case| drop((case.run)(device)));
}

/// As [`check`], with the cases whose names `keep` accepts: for the kernels of a backend that are chosen by hand.
///
/// # Panics
/// As [`check`].
pub fn check_some(device: &Device, keep: impl Fn(&str) -> bool) -> usize {
    let cases: Vec<Case> = cases().into_iter().filter(|case| keep(&case.name)).collect();
    let reference = Device::reference();
    for case in &cases {
        let (expected, given) = ((case.run)(&reference), (case.run)(device));
        assert_eq!(expected.len(), given.len(), "{}", case.name);
        for (at, (expected, given)) in expected.iter().zip(&given).enumerate() {
            compare(case, at, &read(expected, &case.name), &read(given, &case.name));
        }
    }
    cases.len()
}

fn read(tensor: &Tensor, case: &str) -> Array2<f64> {
    tensor.to_array_f64().unwrap_or_else(|error| panic!("{case}: {error}"))
}

fn compare(case: &Case, tensor: usize, expected: &Array2<f64>, given: &Array2<f64>) {
    assert_eq!(expected.dim(), given.dim(), "{}", case.name);
    for ((position, e), g) in expected.indexed_iter().zip(given) {
        let same = e == g || e.is_nan() && g.is_nan() || (e - g).abs() <= case.tolerance * (1.0 + e.abs());
        assert!(same, "{}: tensor {tensor} at {position:?} should be {e} and is {g}", case.name);
    }
}

/// Numbers in [−1, 1), the same on every device.
pub(crate) fn noise(device: &Device, rows: usize, columns: usize, seed: u64) -> Tensor {
    let key = Key::new(seed);
    let values =
        Array2::from_shape_fn((rows, columns), |(i, j)| 2.0 * key.uniform((i * columns + j) as u64) - 1.0);
    device.tensor(&values)
}

/// Zeros and, with this probability, ones.
pub(crate) fn bits(device: &Device, rows: usize, columns: usize, probability: f32, seed: u64) -> Tensor {
    let key = Key::new(seed);
    let bit = |(i, j)| f32::from(u8::from(key.uniform((i * columns + j) as u64) < probability));
    device.tensor(&Array2::from_shape_fn((rows, columns), bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_conforms() {
        assert!(check(&Device::cpu()) > 100);
    }

    #[test]
    fn the_suite_notices_a_wrong_value() {
        let wrong = Case::new("wrong", 1e-6, |device| {
            vec![device.full(1, 1, if device.name() == "reference" { 1.0 } else { 1.1 })]
        });
        let values = |device: Device| read(&(wrong.run)(&device)[0], "wrong");
        let (expected, given) = (values(Device::reference()), values(Device::cpu()));
        assert!(
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| compare(&wrong, 0, &expected, &given)))
                .is_err()
        );
    }
}
