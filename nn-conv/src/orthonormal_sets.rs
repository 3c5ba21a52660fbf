//! Filters that are orthonormal within their set.

use crate::geometry::reshaped;
use ndarray::Array2;
use nn_core::{ACC, Batch, Error, OLD, Over, Product, Reduction, Tensor, parameters, x};

/// W_s ← W_s·(W_sᵀ·W_s)^−½ for each of several sets of filters: of all sets with orthonormal filters the nearest one.
///
/// Filters are columns, sets lie below each other: (sets · patch length) × maps. By Newton and Schulz's iteration
/// W ← 3/2·W − ½·W·Wᵀ·W, all sets at once, each divided first by a bound on its largest singular value, the root of the
/// largest sum of magnitudes in a row of WᵀW. Only products of small matrices: a round costs 4 · sets · patch length · maps²
/// operations and waits for nothing.
#[derive(Debug)]
pub(crate) struct OrthonormalSets {
    sets: usize,
    /// WᵀW, (sets · maps) × maps.
    gram: Tensor,
    product: Tensor,
    /// Below each other as `gram`.
    identities: Tensor,
    /// Of each row of `gram`, the sum of magnitudes.
    rows: Tensor,
    /// Of each set, the bound.
    bounds: Tensor,
}

/// Rounds of [`OrthonormalSets::apply`]: a singular value of 1/10 of the bound goes to 1 − 4·10⁻¹¹.
const ROUNDS: usize = 10;
/// How often [`OrthonormalSets::apply_to_any`] takes them. Small singular values grow by half a round.
const REPEATS: usize = 6;
/// max |WᵀW − 1| that single precision surely reaches.
const ACCEPTED: f64 = 1e-5;
/// A set of zeros stays what it is.
const SMALLEST: f64 = 1e-30;

impl OrthonormalSets {
    /// For so many sets of filters like these.
    pub(crate) fn of(weights: &Tensor, sets: usize) -> Self {
        let (device, maps) = (weights.device(), weights.columns());
        let identity = |(row, column): (usize, usize)| f32::from(u8::from(row % maps == column));
        Self {
            sets,
            gram: device.zeros(sets * maps, maps),
            product: device.zeros(weights.rows(), maps),
            identities: device.tensor(&Array2::from_shape_fn((sets * maps, maps), identity)),
            rows: device.zeros(sets * maps, 1),
            bounds: device.zeros(sets, 1),
        }
    }

    /// Makes the filters of each set orthonormal, if they were nearly so: singular values that lie within a factor of 10 of
    /// the bound.
    pub(crate) fn apply(&mut self, weights: &mut Tensor) {
        let Self { sets, gram, product, rows, bounds, .. } = self;
        let (sets, maps, values) = (*sets, weights.columns(), weights.len() / *sets);
        gram.product(transposed_product(weights, weights, sets), ACC);
        rows.reduce([sets * maps, maps], Over::Columns, Reduction::Sum, x(&*gram).abs(), ACC);
        reshaped(rows, sets, maps, |rows| {
            let root = ACC.max(SMALLEST).sqrt();
            bounds.reduce([sets, maps], Over::Columns, Reduction::Max, &*rows, root);
        });
        reshaped(weights, sets, values, |weights| weights.assign(OLD / x(&*bounds)));
        for _ in 0..ROUNDS {
            gram.product(transposed_product(weights, weights, sets), ACC);
            product.product(set_product(weights, gram, sets), ACC);
            weights.assign(OLD * 1.5 - x(&*product) * 0.5);
        }
    }

    /// Makes the filters of each set orthonormal, whatever they were. Waits for the device.
    ///
    /// # Errors
    /// [`Error::Data`] if filters of a set depend on each other or are not finite; if the device failed.
    pub(crate) fn apply_to_any(&mut self, weights: &mut Tensor) -> Result<(), Error> {
        let mut deviation = f64::INFINITY;
        for _ in 0..REPEATS {
            self.apply(weights);
            deviation = self.deviation(weights)?;
            if deviation <= ACCEPTED {
                return Ok(());
            }
        }
        Err(Error::Data(format!(
            "products of filters of one set differ from those of orthonormal ones by {deviation:.1e} after {} rounds; filters \
             must be finite and not depend on each other: give fewer maps or other first values",
            ROUNDS * REPEATS
        )))
    }

    /// max |WᵀW − 1| over all sets. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    pub(crate) fn deviation(&mut self, weights: &Tensor) -> Result<f64, Error> {
        let Self { sets, gram, identities, .. } = self;
        gram.product(transposed_product(weights, weights, *sets), ACC - x(&*identities));
        parameters::largest(gram)
    }
}

/// LᵀR of each set: (sets · maps) × maps.
pub(crate) fn transposed_product<'a>(left: &'a Tensor, right: &'a Tensor, sets: usize) -> Product<'a> {
    let batch = Batch { blocks: sets, left_rows: false, right_rows: true, out_rows: true };
    Product::batched(left.t(), right.into(), batch)
}

/// W·A of each set, A being maps × maps: (sets · patch length) × maps.
pub(crate) fn set_product<'a>(weights: &'a Tensor, squares: &'a Tensor, sets: usize) -> Product<'a> {
    let batch = Batch { blocks: sets, left_rows: true, right_rows: true, out_rows: true };
    Product::batched(weights.into(), squares.into(), batch)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ndarray::{Axis, Slice};
    use nn_core::{Device, Key};

    /// Sets of 7 × 3, normal draws.
    fn random(device: &Device, sets: usize) -> Tensor {
        let key = Key::new(5);
        device.tensor_f64(&Array2::from_shape_fn((7 * sets, 3), |(i, j)| key.normal((3 * i + j) as u64)))
    }

    /// One of the sets of filters that lie below each other.
    pub(crate) fn set_of(filters: &Array2<f64>, set: usize, patch: usize) -> Array2<f64> {
        filters.slice_axis(Axis(0), Slice::from(set * patch..(set + 1) * patch)).to_owned()
    }

    /// U is the polar factor of W if its columns are orthonormal and UᵀW is symmetric and positive; of a symmetric 3 × 3
    /// matrix that is so if its leading minors are positive.
    pub(crate) fn is_polar_factor(found: &Array2<f64>, original: &Array2<f64>, bound: f64) -> bool {
        let gram = found.t().dot(found);
        let off = (&gram - &Array2::<f64>::eye(3)).iter().fold(0.0f64, |worst, off| worst.max(off.abs()));
        let a = found.t().dot(original);
        let skew = (&a - &a.t()).iter().fold(0.0f64, |worst, off| worst.max(off.abs()));
        let two = a[[0, 0]] * a[[1, 1]] - a[[0, 1]] * a[[1, 0]];
        let cofactor = |i: usize, j: usize| {
            let ([r, t], [c, d]) = ([(i + 1) % 3, (i + 2) % 3], [(j + 1) % 3, (j + 2) % 3]);
            a[[r, c]] * a[[t, d]] - a[[r, d]] * a[[t, c]]
        };
        let three: f64 = (0..3).map(|j| a[[0, j]] * cofactor(0, j)).sum();
        off < 1e-5 && skew < bound && a[[0, 0]] > 0.0 && two > 0.0 && three > 0.0
    }

    #[test]
    fn each_set_becomes_its_polar_factor() {
        for (device, bound) in [(Device::reference(), 1e-9), (Device::cpu(), 2e-5)] {
            for sets in [1, 4] {
                let mut weights = random(&device, sets);
                let original = weights.to_array_f64().unwrap();
                let mut orthonormal = OrthonormalSets::of(&weights, sets);
                orthonormal.apply_to_any(&mut weights).unwrap();
                assert!(orthonormal.deviation(&weights).unwrap() < ACCEPTED);
                let found = weights.to_array_f64().unwrap();
                for set in 0..sets {
                    let (found, original) = (set_of(&found, set, 7), set_of(&original, set, 7));
                    assert!(is_polar_factor(&found, &original, bound), "set {set} of {sets}");
                }
            }
        }
    }

    /// Columns e₁, 10·e₂ and e₃: the bound is 10, and the smallest singular value a tenth of it.
    #[test]
    fn a_tenth_of_the_bound_is_made_up_for_at_once() {
        let device = Device::reference();
        let mut weights = device.zeros(7, 3);
        let columns = Array2::from_shape_fn((7, 3), |(i, j)| match (i == j, j) {
            (true, 1) => 10.0,
            (true, _) => 1.0,
            _ => 0.0,
        });
        weights.view_mut().write_f64(columns.view());
        let mut orthonormal = OrthonormalSets::of(&weights, 1);
        orthonormal.apply(&mut weights);
        let deviation = orthonormal.deviation(&weights).unwrap();
        assert!(deviation < 1e-10, "{deviation}");
    }

    #[test]
    fn filters_that_depend_on_each_other_are_an_error() {
        let device = Device::reference();
        let apply = |values: Array2<f64>| {
            let mut weights = device.tensor_f64(&values);
            OrthonormalSets::of(&weights, 1).apply_to_any(&mut weights).unwrap_err().to_string()
        };
        assert!(
            apply(Array2::from_shape_fn((3, 2), |(i, _)| i as f64 + 1.0)).contains("depend on each other")
        );
        assert!(apply(Array2::from_elem((2, 1), f64::NAN)).contains("must be finite"));
        assert!(apply(Array2::zeros((2, 1))).contains("by 1.0e0"));
    }
}
