//! Dictionary learning from all samples at once.

mod lagrange_dual;
#[cfg(test)]
mod tests;

use ndarray::{Array2, ArrayView2};
use nn_core::Error;

use crate::{Dictionary, Encoding, Lasso};

/// A dictionary that is learned from all samples at once, the codes and the atoms in turn (Lee, Battle, Raina and Ng,
/// "Efficient sparse coding algorithms", 2007): atoms d_k of length at most 1 that bring down the mean over samples of
///
/// min over α of ½‖x − Σ α_k d_k‖² + λ‖α‖₁ (+ ½ρ‖α‖²).
///
/// An update codes the samples and then takes the atoms that are best for these codes, found through the Lagrange dual.
/// Neither half can raise the mean, so that it falls from update to update, but for what the tolerance of the [`Lasso`] leaves
/// open. Atoms that no code uses stay as they are. Costs the coding, and some times 3 · atoms³ + 2 · atoms² · values for the
/// atoms, whatever the number of samples. The dictionary is all that an update leaves: from it learning goes on in equal bits.
///
/// For samples that do not fit in memory, or far more samples than atoms, there is
/// [`DictionaryLearner`](crate::DictionaryLearner).
#[derive(Clone, Debug)]
pub struct BatchDictionaryLearner {
    dictionary: Dictionary,
    lasso: Lasso,
}

impl BatchDictionaryLearner {
    /// From this dictionary. Atoms longer than 1 are brought to length 1.
    ///
    /// # Errors
    ///
    /// As [`Dictionary::new`].
    pub fn new(dictionary: &Dictionary, lasso: Lasso) -> Result<Self, Error> {
        Ok(Self { dictionary: dictionary.at_most_of_length_1()?, lasso })
    }

    /// What was learned so far.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// One update from these samples, samples × values. Returns their codes by the
    /// dictionary as it was before. No samples change nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a sample of values that are not finite; nothing was changed then.
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than the atoms.
    #[track_caller]
    pub fn update(&mut self, samples: ArrayView2<'_, f64>) -> Result<Encoding, Error> {
        let encoding = self.lasso.encode(&self.dictionary, samples)?;
        if samples.nrows() > 0 {
            let count = self.dictionary.len();
            let mut squares = Array2::zeros((count, count));
            let mut products = Array2::zeros(self.dictionary.atoms().dim());
            let share = 1.0 / samples.nrows() as f64;
            encoding.codes.add_moments(samples, share, &mut squares, &mut products);
            let atoms = lagrange_dual::best_atoms(&squares, &products, self.dictionary.atoms());
            self.dictionary = Dictionary::new(atoms)?;
        }
        Ok(encoding)
    }
}
