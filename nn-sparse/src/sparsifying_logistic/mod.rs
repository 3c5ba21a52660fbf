//! An encoder and a decoder with codes that a logistic function of a threshold of its own for each unit keeps sparse.

mod file;
mod search;
#[cfg(test)]
mod tests;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use nn_core::Error;

use crate::Dictionary;
use crate::lasso::check_samples;
use search::Search;

/// What a [`SparsifyingLogisticLearner`] weighs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SparsifyingLogisticSettings {
    /// η in (0, 1): the mean of a code over samples that are alike.
    pub share: f64,
    /// β > 0.
    pub steepness: f64,
    /// Of ‖∂E/∂z‖ where the search for a code ends, > 0.
    pub tolerance: f64,
    /// Rate of the encoder, ≥ 0.
    pub encoder_rate: f64,
    /// Rate of the decoder, ≥ 0.
    pub decoder_rate: f64,
}

impl Default for SparsifyingLogisticSettings {
    /// η = 0.02 and β = 1, of samples of about length 1.
    fn default() -> Self {
        Self { share: 0.02, steepness: 1.0, tolerance: 1e-3, encoder_rate: 0.01, decoder_rate: 0.01 }
    }
}

impl SparsifyingLogisticSettings {
    fn check(&self) -> Result<(), Error> {
        if !(self.share > 0.0 && self.share < 1.0) {
            return Err(Error::setting(
                "share of the sparsifying logistic",
                self.share,
                "it lies between 0 and 1",
            ));
        }
        for (what, value) in [("steepness of the logistic", self.steepness), ("tolerance", self.tolerance)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::setting(what, value, "it has to be positive"));
            }
        }
        for (what, value) in
            [("rate of the encoder", self.encoder_rate), ("rate of the decoder", self.decoder_rate)]
        {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::setting(what, value, "it has to be 0 or positive"));
            }
        }
        Ok(())
    }
}

/// Codes of samples in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct SparsifiedCodes {
    /// z̄ in (0, 1), samples × atoms.
    pub codes: Array2<f64>,
    /// E of each sample.
    pub energies: Array1<f64>,
}

/// Encoder and decoder of sparse codes (Ranzato, Poultney, Chopra and LeCun, "Efficient learning of sparse representations with
/// an energy-based model", 2006): of samples x_1, x_2, … with the energy
///
/// E(x, z) = ½‖z − W·x‖² + ½‖x − Σ z̄_k d_k‖²
///
/// and codes that a *sparsifying logistic* makes of z, a softmax of a unit over the samples so far,
///
/// z̄_k(i) = η·e^(β z_k(i)) / ζ_k(i), ζ_k(i) = η·e^(β z_k(i)) + (1 − η)·ζ_k(i − 1),
///
/// which is the logistic function of β z_k(i) + log(η/(1 − η)) − log ζ_k(i − 1): a unit that was on often has a higher
/// threshold.
///
/// For each sample in turn z* is sought, from W·x on, by steps down that never raise E; then
///
/// d_k ← d_k + μ·z̄_k·(x − Σ z̄_j d_j), d_k ← d_k / max(1, ‖d_k‖), W ← W + μ′·(z* − W·x)·xᵀ, ζ ← ζ(z*).
///
/// The order of samples is part of the model, and so is ζ. After learning W·x and ζ as it is give codes without a search.
#[derive(Clone, Debug)]
pub struct SparsifyingLogisticLearner {
    /// W, atoms × values.
    encoder: Array2<f64>,
    /// d_k, a row each.
    atoms: Array2<f64>,
    /// log ζ_k.
    log_averages: Array1<f64>,
    settings: SparsifyingLogisticSettings,
    samples: u64,
}

impl SparsifyingLogisticLearner {
    /// From this dictionary, its atoms longer than 1 brought to length 1, with W the atoms and ζ = 1.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a setting out of its range.
    pub fn new(dictionary: &Dictionary, settings: SparsifyingLogisticSettings) -> Result<Self, Error> {
        settings.check()?;
        let atoms = dictionary.at_most_of_length_1()?.atoms().to_owned();
        let log_averages = Array1::zeros(atoms.nrows());
        Ok(Self { encoder: atoms.clone(), atoms, log_averages, settings, samples: 0 })
    }

    /// d_k, a row each, of length at most 1.
    pub fn atoms(&self) -> ArrayView2<'_, f64> {
        self.atoms.view()
    }

    /// W, atoms × values.
    pub fn encoder(&self) -> ArrayView2<'_, f64> {
        self.encoder.view()
    }

    /// Samples learned from, each as often as it was.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Codes by the encoder alone, z = W·x, with ζ as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a sample of values that are not finite.
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than the atoms.
    #[track_caller]
    pub fn encode(&self, samples: ArrayView2<'_, f64>) -> Result<SparsifiedCodes, Error> {
        check_samples(&Dictionary::new(self.atoms.clone())?, samples)?;
        let mut found = SparsifiedCodes::empty([samples.nrows(), self.atoms.nrows()]);
        for (at, x) in samples.rows().into_iter().enumerate() {
            let search = self.search(x);
            found.put(at, &search);
        }
        Ok(found)
    }

    /// Learns from samples one after the other. Returns their codes, z* for each by what was learned before it.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a sample of values that are not finite; nothing was changed then.
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than the atoms.
    #[track_caller]
    pub fn update(&mut self, samples: ArrayView2<'_, f64>) -> Result<SparsifiedCodes, Error> {
        check_samples(&Dictionary::new(self.atoms.clone())?, samples)?;
        let mut found = SparsifiedCodes::empty([samples.nrows(), self.atoms.nrows()]);
        for (at, x) in samples.rows().into_iter().enumerate() {
            let mut search = self.search(x);
            search.descend(self.settings.tolerance);
            found.put(at, &search);
            let Search { z, codes, residual, missed, .. } = search;
            self.learn(x, &codes, &residual, &missed);
            self.take_up(&z);
        }
        Ok(found)
    }

    /// One step of the atoms and of W.
    fn learn(
        &mut self,
        x: ArrayView1<'_, f64>,
        codes: &Array1<f64>,
        residual: &Array1<f64>,
        missed: &Array1<f64>,
    ) {
        let SparsifyingLogisticSettings { encoder_rate, decoder_rate, .. } = self.settings;
        for (mut atom, code) in self.atoms.rows_mut().into_iter().zip(codes) {
            atom.scaled_add(decoder_rate * code, residual);
            let length = atom.dot(&atom).sqrt().max(1.0);
            atom /= length;
        }
        for (mut row, missed) in self.encoder.rows_mut().into_iter().zip(missed) {
            row.scaled_add(encoder_rate * missed, &x);
        }
    }

    /// ζ ← η·e^(βz) + (1 − η)·ζ, by logarithms.
    fn take_up(&mut self, z: &Array1<f64>) {
        let SparsifyingLogisticSettings { share, steepness, .. } = self.settings;
        for (log, z) in self.log_averages.iter_mut().zip(z) {
            let (new, old) = (share.ln() + steepness * z, (1.0 - share).ln() + *log);
            *log = new.max(old) + (-(new - old).abs()).exp().ln_1p();
        }
        self.samples += 1;
    }

    fn search<'a>(&'a self, x: ArrayView1<'a, f64>) -> Search<'a> {
        let SparsifyingLogisticSettings { share, steepness, .. } = self.settings;
        let thresholds = self.log_averages.mapv(|log| log - (share / (1.0 - share)).ln());
        Search::new(x, self.atoms.view(), self.encoder.dot(&x), thresholds, steepness)
    }
}

impl SparsifiedCodes {
    fn empty([samples, atoms]: [usize; 2]) -> Self {
        Self { codes: Array2::zeros((samples, atoms)), energies: Array1::zeros(samples) }
    }

    fn put(&mut self, at: usize, search: &Search<'_>) {
        self.codes.row_mut(at).assign(&search.codes);
        self.energies[at] = search.energy;
    }
}
