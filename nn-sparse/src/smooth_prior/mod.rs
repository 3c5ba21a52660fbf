//! Sparse coding with smooth priors, and atoms whose lengths keep the variances of shares alike.

mod file;
mod search;
#[cfg(test)]
mod tests;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use nn_core::Error;

use crate::Dictionary;
use crate::lasso::check_samples;

/// A smooth function φ of a share that is small at 0 and rises slowly, minus the logarithm of a density with heavy tails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prior {
    /// φ(u) = log(1 + u²), the density of Cauchy.
    #[default]
    Logarithm,
    /// φ(u) = √(1 + u²) − 1, |u| far from 0: the only one of these with a single minimum for each sample.
    Root,
    /// φ(u) = 1 − e^(−u²), the same for all that is far from 0.
    Bell,
}

impl Prior {
    /// φ(u).
    pub fn value(self, u: f64) -> f64 {
        match self {
            Prior::Logarithm => (u * u).ln_1p(),
            Prior::Root => u.hypot(1.0) - 1.0,
            Prior::Bell => -(-u * u).exp_m1(),
        }
    }

    /// φ′(u).
    pub fn slope(self, u: f64) -> f64 {
        match self {
            Prior::Logarithm => 2.0 * u / (1.0 + u * u),
            Prior::Root => u / u.hypot(1.0),
            Prior::Bell => 2.0 * u * (-u * u).exp(),
        }
    }

    /// The largest φ″, which is that at 0.
    fn curvature(self) -> f64 {
        if self == Prior::Root { 1.0 } else { 2.0 }
    }
}

/// What the energy weighs, and how atoms move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothPriorSettings {
    /// φ.
    pub prior: Prior,
    /// β ≥ 0.
    pub weight: f64,
    /// σ > 0, in the unit of shares.
    pub scale: f64,
    /// ν > 0, the variance of the noise.
    pub noise_variance: f64,
    /// Of ‖∂E/∂s‖ at the code, as a share of that at s = 0, in (0, 1).
    pub tolerance: f64,
    /// η ≥ 0, the rate of the atoms.
    pub rate: f64,
    /// The variance of shares that is kept, > 0.
    pub variance_goal: f64,
    /// How fast the mean of s² moves, in \[0, 1\].
    pub variance_rate: f64,
    /// The power α ≥ 0 of gain control.
    pub gain: f64,
}

impl Default for SmoothPriorSettings {
    /// Those of the authors' program, for samples of variance 0.1.
    fn default() -> Self {
        Self {
            prior: Prior::default(),
            weight: 2.2,
            scale: 0.316,
            noise_variance: 0.01,
            tolerance: 0.01,
            rate: 1.0,
            variance_goal: 0.1,
            variance_rate: 0.001,
            gain: 0.02,
        }
    }
}

impl SmoothPriorSettings {
    fn check(&self) -> Result<(), Error> {
        let at_least_0 = [("weight of the prior", self.weight), ("rate of the atoms", self.rate)];
        for (what, value) in at_least_0.into_iter().chain([("power of gain control", self.gain)]) {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::setting(what, value, "it has to be 0 or positive"));
            }
        }
        let positive = [("scale of the prior", self.scale), ("variance of the noise", self.noise_variance)];
        for (what, value) in positive.into_iter().chain([("goal of the variance", self.variance_goal)]) {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::setting(what, value, "it has to be positive"));
            }
        }
        if !(self.tolerance > 0.0 && self.tolerance < 1.0) {
            return Err(Error::setting("the tolerance", self.tolerance, "it has to be between 0 and 1"));
        }
        if !(0.0..=1.0).contains(&self.variance_rate) {
            return Err(Error::setting(
                "rate of the variance",
                self.variance_rate,
                "it lies between 0 and 1",
            ));
        }
        Ok(())
    }
}

/// Codes by smooth priors.
#[derive(Clone, Debug, PartialEq)]
pub struct SmoothCodes {
    /// s, samples × atoms: small where they are not needed, but not 0.
    pub shares: Array2<f64>,
    /// E of each sample.
    pub energies: Array1<f64>,
    /// Samples whose search ended before the tolerance was reached.
    pub unconverged: usize,
}

/// Sparse coding as it began (Olshausen and Field, "Emergence of simple-cell receptive field properties by learning a sparse
/// code for natural images", 1996): of samples x, with the energy
///
/// E(x, s) = ‖x − Σ s_k a_k‖²/2ν + β Σ φ(s_k/σ),
///
/// the mean of min over s of E is brought down over atoms a_k. Without a bound a_k would grow and s_k shrink without end:
/// *gain control* makes atoms whose shares vary more than others longer, so that the variances of all shares stay at a goal.
/// An update codes a minibatch, and then
///
/// a_k ← a_k + η · mean of s_k·(x − Σ s_j a_j), v_k ← (1 − r)·v_k + r · mean of s_k², a_k ← g_k·a_k/‖a_k‖,
///
/// g_k = (length of a_k before) · (v_k/goal)^α.
///
/// Codes are found by conjugate gradients from s_k = a_k·x/‖a_k‖² on, each step within a bound on the curvature along its
/// direction, so that E never rises. Only with [`Prior::Root`] is what is found the least of all.
#[derive(Clone, Debug)]
pub struct SmoothPriorLearner {
    dictionary: Dictionary,
    settings: SmoothPriorSettings,
    /// v_k.
    variances: Array1<f64>,
    updates: u64,
}

impl SmoothPriorLearner {
    /// From this dictionary, whose lengths are where gain control begins, and variances at the goal.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a setting out of its range; [`Error::Data`] for an atom of length 0.
    pub fn new(dictionary: &Dictionary, settings: SmoothPriorSettings) -> Result<Self, Error> {
        settings.check()?;
        if let Some(atom) = dictionary.gram().diag().iter().position(|&square| square == 0.0) {
            return Err(Error::Data(format!("atom {atom} has length 0; give it a direction")));
        }
        let variances = Array1::from_elem(dictionary.len(), settings.variance_goal);
        Ok(Self { dictionary: dictionary.clone(), settings, variances, updates: 0 })
    }

    /// What was learned so far.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// v_k, the moving means of s_k².
    pub fn variances(&self) -> &Array1<f64> {
        &self.variances
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Codes of samples, samples × values, that are not learned from.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a sample of values that are not finite.
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than the atoms.
    #[track_caller]
    pub fn encode(&self, samples: ArrayView2<'_, f64>) -> Result<SmoothCodes, Error> {
        check_samples(&self.dictionary, samples)?;
        Ok(search::codes(&self.dictionary, &self.settings, samples))
    }

    /// One update from a minibatch, samples × values. Returns its codes by the dictionary as it was before. A minibatch
    /// without samples changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a sample of values that are not finite, and where the rate is so large that an atom is lost;
    /// nothing was changed then.
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than the atoms.
    #[track_caller]
    pub fn update(&mut self, samples: ArrayView2<'_, f64>) -> Result<SmoothCodes, Error> {
        let codes = self.encode(samples)?;
        if samples.nrows() == 0 {
            return Ok(codes);
        }
        let SmoothPriorSettings { rate, variance_goal, variance_rate, gain, .. } = self.settings;
        let before = self.dictionary.atoms();
        let residual = &samples - &codes.shares.dot(&before);
        let share = 1.0 / samples.nrows() as f64;
        let mut atoms = &before + &(codes.shares.t().dot(&residual) * (rate * share));
        let squares = codes.shares.mapv(|value| value * value).sum_axis(Axis(0)) * share;
        let variances = &self.variances * (1.0 - variance_rate) + squares * variance_rate;
        for ((mut atom, before), variance) in atoms.rows_mut().into_iter().zip(before.rows()).zip(&variances)
        {
            let length = before.dot(&before).sqrt() * (variance / variance_goal).powf(gain);
            let found = atom.dot(&atom).sqrt();
            atom *= length / found;
        }
        self.dictionary = Dictionary::new(atoms)?;
        self.variances = variances;
        self.updates += 1;
        Ok(codes)
    }
}
