//! Codes: which atoms a sample is a sum of, and how much of each.

use std::sync::{Mutex, PoisonError};

use ndarray::{Array2, ArrayView2, Axis};
use nn_core::in_parallel;

use crate::Dictionary;

/// Atoms whose moments a thread adds to at once.
const TOGETHER: usize = 32;

/// The codes of samples, only what is not 0 of them: as many codes as samples, each a list of atoms with their shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    atoms: usize,
    /// Where each code begins in the two lists, and at the end their length.
    begins: Vec<usize>,
    indices: Vec<usize>,
    shares: Vec<f64>,
}

impl Codes {
    /// No codes, for a dictionary of so many atoms.
    pub(crate) fn new(atoms: usize) -> Self {
        Self { atoms, begins: vec![0], indices: Vec::new(), shares: Vec::new() }
    }

    /// Adds the code of the next sample; shares of 0 are left out.
    pub(crate) fn push(&mut self, indices: &[usize], shares: &[f64]) {
        for (&index, &share) in indices.iter().zip(shares) {
            if share != 0.0 {
                self.indices.push(index);
                self.shares.push(share);
            }
        }
        self.begins.push(self.indices.len());
    }

    /// Adds the codes of further samples.
    pub(crate) fn append(&mut self, more: &Codes) {
        let before = self.indices.len();
        self.begins.extend(more.begins[1..].iter().map(|begin| begin + before));
        self.indices.extend(&more.indices);
        self.shares.extend(&more.shares);
    }

    /// Number of codes.
    pub fn len(&self) -> usize {
        self.begins.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of atoms of the dictionary.
    pub fn atoms(&self) -> usize {
        self.atoms
    }

    /// The atoms of the code of a sample, each once in no particular order, with their shares, none of them 0.
    ///
    /// # Panics
    ///
    /// If there is no such sample.
    #[track_caller]
    pub fn of(&self, sample: usize) -> impl ExactSizeIterator<Item = (usize, f64)> + '_ {
        let part = self.begins[sample]..self.begins[sample + 1];
        self.indices[part.clone()].iter().copied().zip(self.shares[part].iter().copied())
    }

    /// squares += share · Σ α·αᵀ, atoms × atoms, and products += share · Σ α·xᵀ, atoms × values, over all samples.
    pub(crate) fn add_moments(
        &self,
        samples: ArrayView2<'_, f64>,
        share: f64,
        squares: &mut Array2<f64>,
        products: &mut Array2<f64>,
    ) {
        // Each thread adds to some of the atoms, sample after sample.
        let parts = squares.axis_chunks_iter_mut(Axis(0), TOGETHER);
        let parts = parts.zip(products.axis_chunks_iter_mut(Axis(0), TOGETHER)).map(Mutex::new);
        let parts: Vec<_> = parts.collect();
        in_parallel(
            parts.len(),
            || (),
            |(), part| {
                let first = part * TOGETHER;
                let mut part = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
                let (squares, products) = &mut *part;
                for (sample, x) in samples.rows().into_iter().enumerate() {
                    for (atom, value) in self.of(sample) {
                        let Some(at) = atom.checked_sub(first).filter(|&at| at < squares.nrows()) else {
                            continue;
                        };
                        products.row_mut(at).scaled_add(value * share, &x);
                        let mut row = squares.row_mut(at);
                        self.of(sample).for_each(|(other, with)| row[other] += value * with * share);
                    }
                }
            },
        );
    }

    /// How many shares are not 0, over all samples.
    pub fn nonzeros(&self) -> usize {
        self.indices.len()
    }

    /// All shares, samples × atoms.
    pub fn to_dense(&self) -> Array2<f64> {
        let mut dense = Array2::zeros((self.len(), self.atoms));
        for sample in 0..self.len() {
            self.of(sample).for_each(|(atom, share)| dense[(sample, atom)] = share);
        }
        dense
    }

    /// The sums of the atoms, samples × values.
    ///
    /// # Panics
    ///
    /// If the dictionary has another number of atoms.
    #[track_caller]
    pub fn reconstruct(&self, dictionary: &Dictionary) -> Array2<f64> {
        assert_eq!(self.atoms, dictionary.len(), "codes of a dictionary of another size");
        let mut sums = Array2::zeros((self.len(), dictionary.values()));
        for (sample, mut sum) in sums.rows_mut().into_iter().enumerate() {
            self.of(sample).for_each(|(atom, share)| sum.scaled_add(share, &dictionary.atoms().row(atom)));
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn codes_by_hand() {
        let mut codes = Codes::new(3);
        codes.push(&[2, 0], &[1.5, 0.0]);
        let mut more = Codes::new(3);
        more.push(&[], &[]);
        more.push(&[1, 0], &[-1.0, 2.0]);
        codes.append(&more);
        assert_eq!((codes.len(), codes.nonzeros(), codes.of(1).len()), (3, 3, 0));
        assert_eq!(codes.to_dense(), array![[0.0, 0.0, 1.5], [0.0; 3], [2.0, -1.0, 0.0]]);
        let dictionary = Dictionary::new(array![[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]]).unwrap();
        assert_eq!(codes.reconstruct(&dictionary), array![[3.0, 3.0], [0.0, 0.0], [2.0, -1.0]]);
    }
}
