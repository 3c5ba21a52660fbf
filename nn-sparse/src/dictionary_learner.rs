//! Online learning of dictionaries.

mod file;

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};
use nn_core::{Error, Key, in_parallel};

use crate::{Codes, Dictionary, Encoding, Lasso};

/// A dictionary that is learned from minibatches (Mairal and others, "Online learning for matrix factorization and sparse
/// coding", 2010): atoms d_k of length at most 1 for which the mean over samples of
///
/// min over α of ½‖x − Σ α_k d_k‖² + λ‖α‖₁ (+ ½ρ‖α‖²)
///
/// is small. An update codes a minibatch of η samples, brings two moving means up to date,
///
/// A ← β·A + (1/η) Σ α·αᵀ, B ← β·B + (1/η) Σ α·xᵀ, β = (θ + 1 − η)/(θ + 1), θ = t·η for t < η and η² + t − η then,
///
/// where t counts the updates from 1, and moves each atom once to the best place given the others,
///
/// u = d_k + (b_k − Σ_j A_kj d_j)/A_kk, d_k ← u / max(1, ‖u‖).
///
/// Every [`PATIENCE`] updates, atoms of which the moving mean of α_k² is below 10⁻⁶ of the mean over atoms, and one of two
/// atoms with |d_k·d_j| above 0.999 ‖d_k‖‖d_j‖, become the samples of the minibatch that are explained worst, of length 1, and their
/// means 0. Costs the coding, and 2 · atoms² · (values + minibatch) an update.
#[derive(Clone, Debug)]
pub struct DictionaryLearner {
    dictionary: Dictionary,
    lasso: Lasso,
    /// A, atoms × atoms.
    squares: Array2<f64>,
    /// B, atoms × values.
    products: Array2<f64>,
    updates: u64,
    replaced: u64,
}

/// Updates between two looks for dead atoms and copies.
pub const PATIENCE: u64 = 10;
/// How much an atom has to be used, as a share of the mean.
const DEAD: f64 = 1e-6;
/// The magnitude of the cosine of two atoms that are taken for one.
const DUPLICATE: f64 = 0.999;
/// Atoms of a block of a sweep.
const BLOCK: usize = 32;
/// Values of them that a thread computes at once, at most.
const STRIP: usize = 40;

impl DictionaryLearner {
    /// From this dictionary. Atoms longer than 1 are brought to length 1.
    ///
    /// # Errors
    ///
    /// As [`Dictionary::new`].
    pub fn new(dictionary: &Dictionary, lasso: Lasso) -> Result<Self, Error> {
        let dictionary = dictionary.at_most_of_length_1()?;
        let (count, size) = (dictionary.len(), dictionary.atoms().dim());
        let (squares, products) = (Array2::zeros((count, count)), Array2::zeros(size));
        Ok(Self { dictionary, lasso, squares, products, updates: 0, replaced: 0 })
    }

    /// From so many of these samples, drawn without repetition, of length 1. Where there are fewer samples than atoms, the
    /// other atoms are random directions.
    ///
    /// # Errors
    ///
    /// As [`Dictionary::new`]; [`Error::Data`] for a sample of values that are not finite.
    pub fn from_samples(
        samples: ArrayView2<'_, f64>,
        atoms: usize,
        lasso: Lasso,
        key: Key,
    ) -> Result<Self, Error> {
        let values = samples.ncols();
        // The samples in the order of random numbers.
        let mut order: Vec<usize> = (0..samples.nrows()).collect();
        let (of_samples, of_directions) = (key.fold_in(0), key.fold_in(1));
        order.sort_by(|&a, &b| {
            of_samples.normal(a as u64).total_cmp(&of_samples.normal(b as u64)).then(a.cmp(&b))
        });
        let usable = |&&at: &&usize| samples.row(at).iter().any(|&value| value != 0.0);
        let chosen: Vec<usize> = order.iter().filter(usable).take(atoms).copied().collect();
        let value = |(atom, value): (usize, usize)| match chosen.get(atom) {
            Some(&sample) => samples[(sample, value)],
            None => of_directions.normal((atom * values + value) as u64),
        };
        Self::new(&Dictionary::normalized(Array2::from_shape_fn((atoms, values), value))?, lasso)
    }

    /// What was learned so far.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// How samples are coded.
    pub fn lasso(&self) -> Lasso {
        self.lasso
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// How many times an atom was replaced.
    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    /// One update from a minibatch, samples × values. Returns its codes by the dictionary as it was before. A minibatch
    /// without samples changes nothing.
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
            self.updates += 1;
            self.take_up(samples, &encoding.codes);
            let mut atoms = self.dictionary.atoms().to_owned();
            sweep(&mut atoms, &self.squares, &self.products);
            if self.updates.is_multiple_of(PATIENCE) {
                self.replace(&mut atoms, samples, &encoding);
            }
            self.dictionary = Dictionary::new(atoms)?;
        }
        Ok(encoding)
    }

    /// Codes of samples that are not learned from, and so the held-out objective: [`Encoding::mean_objective`].
    ///
    /// # Errors
    ///
    /// As [`Lasso::encode`].
    ///
    /// # Panics
    ///
    /// As [`Lasso::encode`].
    #[track_caller]
    pub fn encode(&self, samples: ArrayView2<'_, f64>) -> Result<Encoding, Error> {
        self.lasso.encode(&self.dictionary, samples)
    }

    /// A ← β·A + (1/η) Σ α·αᵀ, B ← β·B + (1/η) Σ α·xᵀ.
    fn take_up(&mut self, samples: ArrayView2<'_, f64>, codes: &Codes) {
        let (eta, t) = (samples.nrows() as f64, self.updates as f64);
        let theta = if t < eta { t * eta } else { eta * eta + t - eta };
        let beta = (theta + 1.0 - eta) / (theta + 1.0);
        self.squares *= beta;
        self.products *= beta;
        codes.add_moments(samples, 1.0 / eta, &mut self.squares, &mut self.products);
    }

    /// Puts samples in the place of dead atoms and of copies.
    fn replace(&mut self, atoms: &mut Array2<f64>, samples: ArrayView2<'_, f64>, encoding: &Encoding) {
        let use_of = self.squares.diag().to_owned();
        let least = DEAD * use_of.mean().unwrap_or(0.0);
        let lengths: Array1<f64> = atoms.rows().into_iter().map(|atom| atom.dot(&atom).sqrt()).collect();
        let gram = atoms.dot(&atoms.t());
        let count = atoms.nrows();
        let is_copy = |atom: usize| {
            (0..count).any(|other| {
                // The one that is used less goes; of two used alike, the later one.
                let goes = (use_of[atom], other) < (use_of[other], atom);
                other != atom
                    && goes
                    && gram[(atom, other)].abs() > DUPLICATE * lengths[atom] * lengths[other]
            })
        };
        let gone: Vec<usize> = (0..count).filter(|&atom| use_of[atom] <= least || is_copy(atom)).collect();
        let mut worst: Vec<usize> = (0..samples.nrows()).collect();
        let objective = |sample: usize| encoding.certificates[sample].objective;
        worst.sort_by(|&a, &b| objective(b).total_cmp(&objective(a)).then(a.cmp(&b)));
        for (atom, sample) in gone.into_iter().zip(worst) {
            let x = samples.row(sample);
            let length = x.dot(&x).sqrt();
            if length > 0.0 {
                atoms.row_mut(atom).assign(&(&x / length));
                self.squares.row_mut(atom).fill(0.0);
                self.squares.column_mut(atom).fill(0.0);
                self.products.row_mut(atom).fill(0.0);
                self.replaced += 1;
            }
        }
    }
}

/// Moves each atom in turn to the best place given the others. An atom that is not used stays. What the atoms of a block lack
/// is computed at once, B − A·D, and brought up to date as those before them in the block move.
fn sweep(atoms: &mut Array2<f64>, squares: &Array2<f64>, products: &Array2<f64>) {
    let values = atoms.ncols();
    // As even as whole vectors allow, whatever the number of threads.
    let width = values.div_ceil(values.div_ceil(STRIP)).next_multiple_of(4);
    let strips = values.div_ceil(width);
    for first in (0..atoms.nrows()).step_by(BLOCK) {
        let block = first..atoms.nrows().min(first + BLOCK);
        let rows = Slice::from(block.clone());
        let mut lacking = products.slice_axis(Axis(0), rows).to_owned();
        let squares_of_block = squares.slice_axis(Axis(0), rows);
        let strip = |number: usize| Slice::from(number * width..values.min((number + 1) * width));
        let covered =
            |_: &mut (), number: usize| squares_of_block.dot(&atoms.slice_axis(Axis(1), strip(number)));
        for (number, covered) in in_parallel(strips, || (), covered).iter().enumerate() {
            let mut lacking = lacking.slice_axis_mut(Axis(1), strip(number));
            lacking -= covered;
        }
        for atom in block.clone() {
            let curvature = squares[(atom, atom)];
            if curvature <= f64::MIN_POSITIVE {
                continue;
            }
            let mut moved = atoms.row(atom).to_owned();
            moved.scaled_add(1.0 / curvature, &lacking.row(atom - first));
            let length = moved.dot(&moved).sqrt().max(1.0);
            moved /= length;
            let step = &moved - &atoms.row(atom);
            atoms.row_mut(atom).assign(&moved);
            for later in atom + 1..block.end {
                lacking.row_mut(later - first).scaled_add(-squares[(later, atom)], &step);
            }
        }
    }
}

#[cfg(test)]
mod tests;
