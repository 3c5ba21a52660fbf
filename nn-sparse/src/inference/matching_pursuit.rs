//! Orthogonal matching pursuit: a limit on the number of atoms instead of a penalty.

use ndarray::ArrayView2;
use nn_core::Error;

use super::Workspace;
use crate::lasso::{check_samples, in_chunks};
use crate::problem::Problem;
use crate::{Codes, Dictionary};

/// The largest number of atoms and the residual that is enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatchingPursuit {
    atoms: usize,
    residual: f64,
}

impl MatchingPursuit {
    /// Codes of at most so many atoms.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for 0 atoms.
    pub fn new(atoms: usize) -> Result<Self, Error> {
        if atoms == 0 {
            return Err(Error::setting("the number of atoms of a code", atoms, "it has to be at least 1"));
        }
        Ok(Self { atoms, residual: 0.0 })
    }

    /// No more atoms where the residual is at most this share of the sample: ‖r‖ ≤ share · ‖x‖.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a share outside [0, 1].
    pub fn with_residual(self, share: f64) -> Result<Self, Error> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::setting("the share of the residual", share, "it has to be in [0, 1]"));
        }
        Ok(Self { residual: share, ..self })
    }

    /// Codes of samples, samples × values. The atom with the largest |d_k·r| / ‖d_k‖ is added, then the shares of all become
    /// those of least squares, and so on (Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit", 1993). It ends
    /// before the limit where no atom is left that is independent of the others and meets the residual. Costs
    /// atoms · values and, for each atom of the code, atoms times their number, a sample.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a sample of values that are not finite.
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than the atoms.
    #[track_caller]
    pub fn encode(&self, dictionary: &Dictionary, samples: ArrayView2<'_, f64>) -> Result<Codes, Error> {
        check_samples(dictionary, samples)?;
        let parts = in_chunks(dictionary, samples, |workspace, chunk| {
            let mut codes = Codes::new(dictionary.len());
            for (products, square) in chunk {
                let gram = dictionary.gram_rows();
                let problem = Problem { gram, products, square, lambda: 0.0, ridge: 0.0, positive: false };
                self.pursue(workspace, &problem);
                codes.push(&workspace.set.indices, &workspace.set.shares);
            }
            codes
        });
        let mut codes = Codes::new(dictionary.len());
        parts.iter().for_each(|part| codes.append(part));
        Ok(codes)
    }

    fn pursue(&self, workspace: &mut Workspace, problem: &Problem<'_>) {
        let Workspace { set, residual, .. } = workspace;
        residual.resize(problem.atoms(), 0.0);
        set.clear(problem.atoms());
        while set.indices.len() < self.atoms {
            problem.residual_products(&set.indices, &set.shares, residual);
            // ‖r‖² = ‖x‖² − α·c, as r is orthogonal to the sum of the atoms.
            let explained: f64 =
                set.indices.iter().zip(&set.shares).map(|(&k, share)| share * problem.products[k]).sum();
            if problem.square - explained <= (self.residual * self.residual).max(ROUNDING) * problem.square {
                return;
            }
            let strength = |atom: usize| residual[atom] * residual[atom] / problem.curvature(atom);
            let better = |best: Option<usize>, atom: usize| match best {
                Some(best) if strength(best) >= strength(atom) => Some(best),
                _ => Some(atom),
            };
            let free = (0..problem.atoms()).filter(|&atom| !set.holds(atom) && residual[atom] != 0.0);
            let Some(atom) = free.fold(None, better) else { return };
            if !set.add(problem, atom, 1.0, 0.0) {
                return;
            }
            let shares = set.solve(|set, at| problem.products[set.indices[at]]).to_vec();
            set.shares.copy_from_slice(&shares);
        }
    }
}

/// What of ‖x‖² cannot be told from 0.
const ROUNDING: f64 = 1e-14;

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn codes_by_hand() {
        let dictionary = Dictionary::new(array![[2.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.0, 0.0]]).unwrap();
        let samples = array![[3.0, 1.0], [0.0, 0.0], [0.6, 0.8]];
        let one = MatchingPursuit::new(1).unwrap().encode(&dictionary, samples.view()).unwrap();
        assert_eq!(one.to_dense(), array![[1.5, 0.0, 0.0, 0.0], [0.0; 4], [0.0, 1.0, 0.0, 0.0]]);
        let two = MatchingPursuit::new(3).unwrap().encode(&dictionary, samples.view()).unwrap();
        assert!((&two.reconstruct(&dictionary) - &samples).iter().all(|off| off.abs() < 1e-12));
        // What the first atom leaves of the first sample is 1 of √10.
        let enough = MatchingPursuit::new(3).unwrap().with_residual(0.32).unwrap();
        assert_eq!(enough.encode(&dictionary, samples.view()).unwrap().of(0).len(), 1);
    }

    #[test]
    fn planted_atoms_are_found() {
        let key = nn_core::Key::new(1);
        let draw = Array2::from_shape_fn((40, 30), |(i, j)| key.normal((i * 30 + j) as u64));
        let dictionary = Dictionary::normalized(draw).unwrap();
        let samples = Array2::from_shape_fn((20, 30), |(n, value)| {
            dictionary.atoms()[(n, value)] * 2.0 - dictionary.atoms()[(n + 20, value)]
        });
        let codes = MatchingPursuit::new(2).unwrap().encode(&dictionary, samples.view()).unwrap();
        for n in 0..20 {
            let mut found: Vec<_> = codes.of(n).collect();
            found.sort_by_key(|(atom, _)| *atom);
            assert!(found[0].0 == n && found[1].0 == n + 20, "{found:?}");
            assert!((found[0].1 - 2.0).abs() < 1e-9 && (found[1].1 + 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn settings_are_checked() {
        assert!(MatchingPursuit::new(0).is_err());
        assert!(MatchingPursuit::new(1).unwrap().with_residual(f64::NAN).is_err());
    }
}
