//! Predictive sparse decomposition: codes by the lasso, and a function that learns to predict them.

mod file;
mod gradients;
mod predictor;
#[cfg(test)]
mod tests;
mod windows;

use ndarray::{Array2, ArrayView2};
use nn_core::Error;

use crate::inference::{Request, Solver};
use crate::lasso::{check_samples, in_chunks};
use crate::problem::Problem;
use crate::{Codes, Dictionary, Encoding, Neighborhood};
use gradients::Gradients;
pub use predictor::Predictor;
use windows::Windows;

/// A dictionary and a [`Predictor`] of its codes that are learned together (Kavukcuoglu, Ranzato and LeCun, "Fast inference
/// in sparse coding algorithms with applications to object recognition", 2008): of samples x, with the energy
///
/// E(x, z) = ½‖x − Σ z_k d_k‖² + λ‖z‖₁ + ½κ‖z − F(x)‖², F(x) = g ⊙ tanh(W·x + b),
///
/// the mean of min over z of E is brought down over atoms d_k of length 1, W, b and g. Some papers leave out both ½: their λ
/// is twice this one. After learning F stands in for the minimum, at the cost of one product.
///
/// The code of a sample is that of a lasso with G + κ in the place of the Gram matrix, c + κF in that of the products, and
/// ‖x‖² + κ‖F‖² in that of the square: any [`Solver`] finds it, with the same [`Certificate`](crate::Certificate).
///
/// [`with_windows`](Self::with_windows) makes it topographic: atoms have places on a map, and neighbours share a penalty.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictiveDecomposition {
    atoms: Array2<f64>,
    predictor: Predictor,
    settings: PredictiveSettings,
    windows: Option<Windows>,
    updates: u64,
}

/// What the energy weighs, and how codes are found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictiveSettings {
    /// λ > 0.
    pub lambda: f64,
    /// κ ≥ 0; with 0 codes are those of the lasso, and the predictor does not learn.
    pub kappa: f64,
    /// What finds the codes of the lasso; with windows it is not asked.
    pub solver: Solver,
    /// Of the relative gap, in (0, 1).
    pub tolerance: f64,
}

impl PredictiveSettings {
    /// With these weights, by the working set, to a relative gap of 10⁻⁶.
    pub fn new(lambda: f64, kappa: f64) -> Self {
        Self { lambda, kappa, solver: Solver::default(), tolerance: 1e-6 }
    }

    fn check(&self) -> Result<(), Error> {
        let Self { lambda, kappa, tolerance, .. } = *self;
        if !(lambda > 0.0 && lambda.is_finite()) {
            return Err(Error::setting("λ", lambda, "it has to be positive"));
        }
        if !(kappa >= 0.0 && kappa.is_finite()) {
            return Err(Error::setting(
                "the weight of the prediction κ",
                kappa,
                "it has to be 0 or positive",
            ));
        }
        if !(tolerance > 0.0 && tolerance < 1.0) {
            return Err(Error::setting("the tolerance", tolerance, "it has to be between 0 and 1"));
        }
        Ok(())
    }
}

/// Steps along minus the gradients of an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictiveRates {
    /// Of the atoms, ≥ 0.
    pub dictionary: f64,
    /// Of W, b and g, ≥ 0.
    pub predictor: f64,
}

/// Iterations of a solver at most.
const ITERATIONS: usize = 10_000;

impl PredictiveDecomposition {
    /// From this dictionary, its atoms brought to length 1, and a predictor that begins with W the atoms, b = 0 and g = 1.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a setting out of its range; [`Error::Data`] for an atom of length 0.
    pub fn new(dictionary: &Dictionary, settings: PredictiveSettings) -> Result<Self, Error> {
        settings.check()?;
        let mut atoms = dictionary.atoms().to_owned();
        normalize(&mut atoms)?;
        let predictor = Predictor::of_atoms(&atoms);
        Ok(Self { atoms, predictor, settings, windows: None, updates: 0 })
    }

    /// With another penalty (Kavukcuoglu, Ranzato, Fergus and LeCun, "Learning invariant features through topographic filter
    /// maps", 2009): in the place of λ‖z‖₁
    ///
    /// λ Σ_i √(ε + Σ_j H_ij z_j²),
    ///
    /// H of a map on which [windows](Neighborhood::windows) overlap. Atoms that are used together cost less if a window has
    /// them both, so that neighbours become alike. With [units alone](Neighborhood::alone) it is the lasso made smooth. Learned
    /// are atoms and predictor as before.
    ///
    /// Codes are found by majorisation: a sequence of ridge problems, each above the energy and touching it at the code so
    /// far, each followed for a step of conjugate gradients; the energy never rises. It begins with the prediction F(x) and
    /// ends when the relative gap is within the tolerance. Shares are small where they are not needed, but not 0. The
    /// [`Certificate`](crate::Certificate) holds the energy, the gap to a feasible point of the dual problem, and as violation
    /// the largest |∂E/∂z_j| as a share of λ.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless ε > 0, and for a unit that no pool has; [`Error::Data`] for a map of another number of units
    /// than there are atoms.
    pub fn with_windows(self, neighborhood: &Neighborhood, epsilon: f64) -> Result<Self, Error> {
        let windows = Windows::new(neighborhood, self.atoms.nrows(), epsilon)?;
        Ok(Self { windows: Some(windows), ..self })
    }

    /// The atoms, a row each, of length 1.
    pub fn atoms(&self) -> ArrayView2<'_, f64> {
        self.atoms.view()
    }

    /// F.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Codes of samples, samples × values: the minimum of E over z. The objective of a certificate is E; its
    /// relative gap is over E of the code 0, ½‖x‖² + ½κ‖F(x)‖². The same for any number of threads.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a sample of values that are not finite.
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than the atoms.
    #[track_caller]
    pub fn encode(&self, samples: ArrayView2<'_, f64>) -> Result<Encoding, Error> {
        let dictionary = Dictionary::new(self.atoms.clone())?;
        check_samples(&dictionary, samples)?;
        let PredictiveSettings { lambda, kappa, solver, tolerance } = self.settings;
        let (atoms, predictions) = (dictionary.len(), self.predictor.predict(samples));
        let mut gram = dictionary.gram_rows().to_vec();
        gram.iter_mut().step_by(atoms + 1).for_each(|square| *square += kappa);
        let eigenvalue = if solver == Solver::Fista { dictionary.largest_eigenvalue() } else { 0.0 };
        let request =
            Request { solver, tolerance, iterations: ITERATIONS, largest_eigenvalue: eigenvalue + kappa };
        let all_atoms: Vec<usize> = (0..atoms).collect();
        let parts = in_chunks(&dictionary, samples, |workspace, chunk| {
            let (mut codes, mut certificates) = (Codes::new(atoms), Vec::new());
            let (first, mut pulled) = (chunk.first, vec![0.0; atoms]);
            for (at, (products, square)) in chunk.enumerate() {
                let prediction = predictions.row(first + at);
                let both = products.iter().zip(prediction);
                pulled.iter_mut().zip(both).for_each(|(pulled, (c, f))| *pulled = c + kappa * f);
                let problem = Problem {
                    gram: &gram,
                    products: &pulled,
                    square: square + kappa * prediction.dot(&prediction),
                    lambda,
                    ridge: 0.0,
                    positive: false,
                };
                if let Some(windows) = &self.windows {
                    let (code, certificate) =
                        windows.solve(&problem, prediction.to_vec(), tolerance, ITERATIONS);
                    certificates.push(certificate);
                    codes.push(&all_atoms, &code);
                } else {
                    workspace.indices.clear();
                    workspace.shares.clear();
                    certificates.push(workspace.solve(&problem, &request));
                    codes.push(&workspace.indices, &workspace.shares);
                }
            }
            (codes, certificates)
        });
        let mut all = Encoding { codes: Codes::new(atoms), certificates: Vec::new() };
        for (codes, certificates) in parts {
            all.codes.append(&codes);
            all.certificates.extend(certificates);
        }
        Ok(all)
    }

    /// One update from a minibatch: codes, then one step along minus the mean gradients at these codes, then atoms of length 1
    /// again. Returns the codes as they were before the step. A minibatch without samples changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a rate that is negative or not finite; [`Error::Data`] for a sample of values that are not
    /// finite, and where the rates are so large that an atom or the predictor becomes 0 or no number. Nothing was changed then.
    ///
    /// # Panics
    ///
    /// As [`encode`](Self::encode).
    #[track_caller]
    pub fn update(
        &mut self,
        samples: ArrayView2<'_, f64>,
        rates: PredictiveRates,
    ) -> Result<Encoding, Error> {
        for (name, rate) in
            [("rate of the dictionary", rates.dictionary), ("rate of the predictor", rates.predictor)]
        {
            if !(rate >= 0.0 && rate.is_finite()) {
                return Err(Error::setting(name, rate, "it has to be 0 or positive"));
            }
        }
        let encoding = self.encode(samples)?;
        if samples.nrows() == 0 {
            return Ok(encoding);
        }
        let gradients = Gradients::at(self, samples, &encoding.codes);
        let mut atoms = self.atoms.clone();
        atoms.scaled_add(-rates.dictionary, &gradients.atoms);
        normalize(&mut atoms)?;
        let mut predictor = self.predictor.clone();
        predictor.step(-rates.predictor, &gradients.predictor);
        if !predictor.is_finite() {
            let message =
                format!("a rate of {} made the predictor infinite; give a smaller one", rates.predictor);
            return Err(Error::Data(message));
        }
        (self.atoms, self.predictor) = (atoms, predictor);
        self.updates += 1;
        Ok(encoding)
    }

    /// Mean over samples of ‖z − F(x)‖² over the mean of ‖z‖²: 0 of a perfect predictor, 1 of none. Codes of 0 give 0 or
    /// infinity.
    ///
    /// # Panics
    ///
    /// If codes, samples and atoms do not fit each other.
    #[track_caller]
    pub fn relative_prediction_error(&self, samples: ArrayView2<'_, f64>, codes: &Codes) -> f64 {
        let codes = codes.to_dense();
        let off = &codes - &self.predictor.predict(samples);
        let square = |matrix: &Array2<f64>| matrix.iter().map(|value| value * value).sum::<f64>();
        if square(&off) == 0.0 { 0.0 } else { square(&off) / square(&codes) }
    }
}

fn normalize(atoms: &mut Array2<f64>) -> Result<(), Error> {
    for (number, mut atom) in atoms.rows_mut().into_iter().enumerate() {
        let length = atom.dot(&atom).sqrt();
        if !(length > 0.0 && length.is_finite()) {
            return Err(Error::Data(format!("atom {number} has length {length}, which cannot be made 1")));
        }
        atom /= length;
    }
    Ok(())
}
