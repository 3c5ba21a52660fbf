//! What the atoms look like: Gabor functions fitted to them and to noise, and which of them are of no use.

use ndarray::Array2;
use nn_core::Key;
use nn_sparse::gabor::noise_filter;
use nn_sparse::{Dictionary, Encoding, GaborFit};
use rayon::prelude::*;

/// Above it, a filter is called a Gabor function.
pub(super) const GOOD: f64 = 0.8;
/// The magnitude of the cosine of two atoms that are taken for one.
const DUPLICATE: f64 = 0.999;

/// How well Gabor functions fit some filters.
pub(super) struct Fits {
    pub name: &'static str,
    /// In the words of metrics.
    pub metric: &'static str,
    pub fits: Vec<GaborFit>,
}

impl Fits {
    /// The share of filters of which more is explained than this.
    pub fn share_above(&self, explained: f64) -> f64 {
        let count = self.fits.iter().filter(|fit| fit.explained > explained).count();
        count as f64 / self.fits.len().max(1) as f64
    }

    pub fn median(&self) -> f64 {
        let mut explained: Vec<f64> = self.fits.iter().map(|fit| fit.explained).collect();
        explained.sort_by(f64::total_cmp);
        explained.get(explained.len() / 2).copied().unwrap_or(0.0)
    }
}

/// Of the atoms, and as controls of as many filters of white noise and of noise smoothed by Gaussians of a pixel.
pub(super) fn fits(dictionary: &Dictionary, side: usize, key: Key) -> [Fits; 3] {
    let size = [side; 2];
    let fit_all = |filter: &(dyn Fn(usize) -> Array2<f64> + Sync)| {
        (0..dictionary.len()).into_par_iter().map(|at| GaborFit::of(filter(at).view())).collect()
    };
    let atom = |at: usize| {
        let atom = dictionary.atoms();
        Array2::from_shape_fn((side, side), |(y, x)| atom[(at, y * side + x)])
    };
    let noise = |smoothing: f64, purpose: u64| {
        move |at: usize| noise_filter(size, smoothing, key.fold_in(purpose).fold_in(at as u64))
    };
    [
        Fits { name: "atoms", metric: "atoms", fits: fit_all(&atom) },
        Fits { name: "white noise", metric: "white_noise", fits: fit_all(&noise(0.0, 0)) },
        Fits { name: "low-pass noise", metric: "low_pass_noise", fits: fit_all(&noise(1.0, 1)) },
    ]
}

/// How much each atom is used: its mean |share|.
pub(super) fn use_of(encoding: &Encoding) -> Vec<f64> {
    let mut sums = vec![0.0; encoding.codes.atoms()];
    for sample in 0..encoding.codes.len() {
        encoding.codes.of(sample).for_each(|(atom, share)| sums[atom] += share.abs());
    }
    sums.iter().map(|sum| sum / encoding.codes.len().max(1) as f64).collect()
}

/// Atoms that are the same as one before them, or its negative.
pub(super) fn duplicates(dictionary: &Dictionary) -> usize {
    let gram = dictionary.gram();
    let is_copy = |&atom: &usize| {
        (0..atom).any(|other| {
            let lengths = (gram[(atom, atom)] * gram[(other, other)]).sqrt();
            gram[(atom, other)].abs() > DUPLICATE * lengths
        })
    };
    (0..dictionary.len()).filter(is_copy).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use nn_sparse::Lasso;

    #[test]
    fn use_and_copies_by_hand() {
        let atoms = array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        let dictionary = Dictionary::new(atoms).unwrap();
        assert_eq!(duplicates(&dictionary), 1);
        let encoding =
            Lasso::new(0.5).unwrap().encode(&dictionary, array![[0.0, 2.0, 0.0], [0.0, -1.0, 0.25]].view());
        // Shares 1.5 and −0.5 of the second atom; 0.25 is below λ.
        let found = use_of(&encoding.unwrap());
        assert!(found.iter().zip([0.0, 1.0, 0.0, 0.0]).all(|(found, wanted)| (found - wanted).abs() < 1e-12));
    }

    #[test]
    fn shares_and_medians_of_fits() {
        let dictionary = Dictionary::new(Array2::eye(25)).unwrap();
        let [atoms, white, smooth] = fits(&dictionary, 5, Key::new(1));
        assert_eq!([atoms.fits.len(), white.fits.len(), smooth.fits.len()], [25; 3]);
        assert!(white.median() < smooth.median(), "{} {}", white.median(), smooth.median());
        assert_eq!(white.share_above(-1.0), 1.0);
    }
}
