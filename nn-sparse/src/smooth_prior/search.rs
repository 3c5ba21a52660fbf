//! The code of a sample, by conjugate gradients.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use nn_core::in_parallel;

use super::{SmoothCodes, SmoothPriorSettings};
use crate::Dictionary;
use crate::problem::{add_scaled, dot};

/// Steps at most.
const STEPS: usize = 1000;
/// Steps along a direction, of which only the first is needed.
const ALONG: usize = 4;

pub(super) fn codes(
    dictionary: &Dictionary,
    settings: &SmoothPriorSettings,
    samples: ArrayView2<'_, f64>,
) -> SmoothCodes {
    let of_sample = |_: &mut (), at: usize| Search::new(dictionary, settings, samples.row(at)).minimize();
    let found: Vec<(Vec<f64>, f64, bool)> = in_parallel(samples.nrows(), || (), of_sample);
    let mut shares = Array2::zeros((samples.nrows(), dictionary.len()));
    for (mut row, (code, ..)) in shares.axis_iter_mut(Axis(0)).zip(&found) {
        row.assign(&ArrayView1::from(code));
    }
    let energies = found.iter().map(|(_, energy, _)| *energy).collect::<Array1<f64>>();
    let unconverged = found.iter().filter(|(.., converged)| !converged).count();
    SmoothCodes { shares, energies, unconverged }
}

/// E(s) = (‖x‖² − 2 c·s + s·G·s)/2ν + β Σ φ(s_k/σ), c_k = a_k·x.
struct Search<'a> {
    dictionary: &'a Dictionary,
    settings: &'a SmoothPriorSettings,
    square: f64,
    /// c.
    products: Vec<f64>,
    /// s.
    code: Vec<f64>,
    /// G·s.
    covered: Vec<f64>,
}

impl<'a> Search<'a> {
    fn new(dictionary: &'a Dictionary, settings: &'a SmoothPriorSettings, x: ArrayView1<'_, f64>) -> Self {
        let products = dictionary.atoms().dot(&x).to_vec();
        let code: Vec<f64> =
            products.iter().zip(dictionary.gram().diag()).map(|(c, square)| c / square).collect();
        let mut search =
            Self { dictionary, settings, square: x.dot(&x), products, code, covered: Vec::new() };
        search.covered = search.with_gram(&search.code);
        search
    }

    /// The code, its energy, and whether the slope there is within the tolerance.
    fn minimize(mut self) -> (Vec<f64>, f64, bool) {
        let nothing = dot(&self.products, &self.products).sqrt() / self.settings.noise_variance;
        let mut slope = self.slope();
        let mut direction: Vec<f64> = slope.iter().map(|value| -value).collect();
        let mut converged = false;
        for _ in 0..STEPS {
            let length = dot(&slope, &slope);
            converged = length.sqrt() <= self.settings.tolerance * nothing;
            if converged {
                break;
            }
            if dot(&slope, &direction) >= 0.0 {
                direction.iter_mut().zip(&slope).for_each(|(to, value)| *to = -value);
            }
            self.go(&direction);
            let next = self.slope();
            // The rule of Polak and Ribière.
            let turn = ((dot(&next, &next) - dot(&next, &slope)) / length).max(0.0);
            direction.iter_mut().zip(&next).for_each(|(to, value)| *to = turn * *to - value);
            slope = next;
        }
        let energy = self.energy();
        (self.code, energy, converged)
    }

    /// Along a direction p. On it E″ is at most p·G·p/ν + β·max φ″·‖p‖²/σ², and −E′ over that bound never leads too far.
    fn go(&mut self, direction: &[f64]) {
        let SmoothPriorSettings { prior, weight, scale, noise_variance, .. } = *self.settings;
        let covered = self.with_gram(direction);
        let bound = dot(direction, &covered) / noise_variance
            + weight * prior.curvature() * dot(direction, direction) / (scale * scale);
        for _ in 0..ALONG {
            let step = -dot(&self.slope(), direction) / bound;
            add_scaled(&mut self.code, step, direction);
            add_scaled(&mut self.covered, step, &covered);
        }
    }

    /// ∂E/∂s.
    fn slope(&self) -> Vec<f64> {
        let SmoothPriorSettings { prior, weight, scale, noise_variance, .. } = *self.settings;
        let parts = self.covered.iter().zip(&self.products).zip(&self.code);
        parts
            .map(|((covered, product), share)| {
                (covered - product) / noise_variance + weight / scale * prior.slope(share / scale)
            })
            .collect()
    }

    fn energy(&self) -> f64 {
        let SmoothPriorSettings { prior, weight, scale, noise_variance, .. } = *self.settings;
        let squares = self.square - 2.0 * dot(&self.products, &self.code) + dot(&self.code, &self.covered);
        let penalty: f64 = self.code.iter().map(|share| prior.value(share / scale)).sum();
        squares / (2.0 * noise_variance) + weight * penalty
    }

    /// G·values.
    fn with_gram(&self, values: &[f64]) -> Vec<f64> {
        let count = values.len();
        self.dictionary.gram_rows().chunks_exact(count).map(|row| dot(row, values)).collect()
    }
}
