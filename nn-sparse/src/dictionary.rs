//! A dictionary: the atoms that samples are sums of.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Slice};
use nn_core::{Error, in_parallel};

/// Atoms d_k, a row each, atoms × values, and their products with each other, the Gram matrix G = D·Dᵀ.
///
/// Atoms may have any length, 0 included, but the shares that codes give them are comparable only if all have the same: 1
/// after [`normalized`](Self::normalized).
#[derive(Clone, Debug)]
pub struct Dictionary {
    atoms: Array2<f64>,
    gram: Array2<f64>,
}

impl Dictionary {
    /// Of these atoms. Costs ½ · atoms² · values for the Gram matrix.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] without atoms or values, and for a value that is not finite.
    pub fn new(atoms: Array2<f64>) -> Result<Self, Error> {
        if atoms.is_empty() {
            let (count, values) = atoms.dim();
            return Err(Error::Data(format!(
                "a dictionary of {count} atoms of {values} values; give at least one of each"
            )));
        }
        if let Some(((atom, value), found)) = atoms.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(Error::Data(format!("value {value} of atom {atom} is {found}; give finite numbers")));
        }
        let atoms = atoms.as_standard_layout().into_owned();
        let gram = gram(&atoms);
        Ok(Self { atoms, gram })
    }

    /// Of these atoms divided by their lengths; atoms of length 0 stay.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn normalized(mut atoms: Array2<f64>) -> Result<Self, Error> {
        for mut atom in atoms.rows_mut() {
            let length = atom.dot(&atom).sqrt();
            if length > 0.0 {
                atom /= length;
            }
        }
        Self::new(atoms)
    }

    /// The same with atoms longer than 1 brought to length 1.
    ///
    /// # Errors
    ///
    /// None that [`new`](Self::new) did not give before.
    pub(crate) fn at_most_of_length_1(&self) -> Result<Self, Error> {
        let mut atoms = self.atoms.clone();
        for mut atom in atoms.rows_mut() {
            let length = atom.dot(&atom).sqrt().max(1.0);
            atom /= length;
        }
        Self::new(atoms)
    }

    /// The atoms, a row each.
    pub fn atoms(&self) -> ArrayView2<'_, f64> {
        self.atoms.view()
    }

    /// Their products, atoms × atoms.
    pub fn gram(&self) -> ArrayView2<'_, f64> {
        self.gram.view()
    }

    /// Number of atoms.
    pub fn len(&self) -> usize {
        self.atoms.nrows()
    }

    /// Whether there are none, which cannot be.
    pub fn is_empty(&self) -> bool {
        self.atoms.is_empty()
    }

    /// Values of an atom and of a sample.
    pub fn values(&self) -> usize {
        self.atoms.ncols()
    }

    /// The smallest λ at which the code of a sample is 0: max |d_k·x|.
    ///
    /// # Panics
    ///
    /// If the sample has another number of values.
    #[track_caller]
    pub fn largest_lambda(&self, sample: ArrayView1<'_, f64>) -> f64 {
        self.atoms.dot(&sample).iter().fold(0.0, |largest, product| product.abs().max(largest))
    }

    /// The Gram matrix row after row.
    pub(crate) fn gram_rows(&self) -> &[f64] {
        self.gram.as_slice().expect("a product is contiguous")
    }

    /// A bound for the largest eigenvalue of the Gram matrix: the limit of power iteration, and a fiftieth more for what
    /// it has not reached.
    pub(crate) fn largest_eigenvalue(&self) -> f64 {
        let mut vector = self.gram.sum_axis(Axis(1));
        vector.indexed_iter_mut().for_each(|(at, value)| *value = value.abs() + 1.0 + 1.0 / (at + 1) as f64);
        let mut value = 0.0;
        for _ in 0..ROUNDS {
            let length = vector.dot(&vector).sqrt();
            vector /= length;
            let next = self.gram.dot(&vector);
            value = vector.dot(&next);
            vector = next;
            if value <= 0.0 {
                break;
            }
        }
        1.02 * value
    }
}

/// Rows of the Gram matrix that a thread computes at once.
const ROWS: usize = 32;

/// D·Dᵀ. Each product is computed once, and stands on both sides of the diagonal.
fn gram(atoms: &Array2<f64>) -> Array2<f64> {
    let count = atoms.nrows();
    let products = |_: &mut (), block: usize| {
        let first = block * ROWS;
        let rows = atoms.slice_axis(Axis(0), Slice::from(first..count.min(first + ROWS)));
        rows.dot(&atoms.slice_axis(Axis(0), Slice::from(first..)).t())
    };
    let blocks: Vec<Array2<f64>> = in_parallel(count.div_ceil(ROWS), || (), products);
    let mut gram = Array2::zeros((count, count));
    for (block, products) in blocks.iter().enumerate() {
        let first = block * ROWS;
        let (own, rest) = (Slice::from(first..first + products.nrows()), Slice::from(first..));
        gram.slice_axis_mut(Axis(0), own).slice_axis_mut(Axis(1), rest).assign(products);
        gram.slice_axis_mut(Axis(0), rest).slice_axis_mut(Axis(1), own).assign(&products.t());
    }
    gram
}

/// Of power iteration.
const ROUNDS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn products_lengths_and_eigenvalue_by_hand() {
        let dictionary = Dictionary::normalized(array![[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]]).unwrap();
        assert_eq!(dictionary.atoms(), array![[0.6, 0.8], [0.0, 1.0], [0.0, 0.0]]);
        assert_eq!(dictionary.gram()[(0, 1)], 0.8);
        assert!((dictionary.largest_lambda(array![5.0, -5.0].view()) - 5.0).abs() < 1e-12);
        assert!((dictionary.largest_eigenvalue() / 1.02 - 1.8).abs() < 1e-9);
        let nothing = Dictionary::new(Array2::zeros((2, 3))).unwrap();
        assert_eq!(nothing.largest_eigenvalue(), 0.0);
    }

    #[test]
    fn the_gram_matrix_is_the_product_in_whole_and_in_part() {
        for count in [1, ROWS - 1, ROWS, 2 * ROWS + 5] {
            let atoms = Array2::from_shape_fn((count, 7), |(atom, value)| ((atom * 7 + value) as f64).sin());
            let dictionary = Dictionary::new(atoms.clone()).unwrap();
            assert_eq!(dictionary.gram(), dictionary.gram().t());
            let worst = (&dictionary.gram() - &atoms.dot(&atoms.t())).mapv(f64::abs);
            assert!(worst.iter().all(|difference| *difference < 1e-13), "{count} atoms");
        }
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        assert!(
            Dictionary::new(Array2::zeros((0, 3))).is_err()
                && Dictionary::new(Array2::zeros((3, 0))).is_err()
        );
        let message = Dictionary::new(array![[0.0, f64::NAN]]).unwrap_err().to_string();
        assert!(message.contains("value 1 of atom 0 is NaN"), "{message}");
    }
}
