//! The function that predicts codes.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

/// F(x) = g ⊙ tanh(W·x + b), a code from a sample without a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictor {
    /// W, atoms × values.
    pub(super) weights: Array2<f64>,
    /// b.
    pub(super) biases: Array1<f64>,
    /// g.
    pub(super) gains: Array1<f64>,
}

impl Predictor {
    /// W the atoms, b = 0, g = 1.
    pub(super) fn of_atoms(atoms: &Array2<f64>) -> Self {
        let count = atoms.nrows();
        Self { weights: atoms.clone(), biases: Array1::zeros(count), gains: Array1::ones(count) }
    }

    /// W, atoms × values.
    pub fn weights(&self) -> ArrayView2<'_, f64> {
        self.weights.view()
    }

    /// b, a value for each atom.
    pub fn biases(&self) -> ArrayView1<'_, f64> {
        self.biases.view()
    }

    /// g, a value for each atom.
    pub fn gains(&self) -> ArrayView1<'_, f64> {
        self.gains.view()
    }

    /// F of samples, samples × values: samples × atoms.
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than W.
    #[track_caller]
    pub fn predict(&self, samples: ArrayView2<'_, f64>) -> Array2<f64> {
        self.squashed(samples) * &self.gains
    }

    /// tanh(W·x + b).
    #[track_caller]
    pub(super) fn squashed(&self, samples: ArrayView2<'_, f64>) -> Array2<f64> {
        assert_eq!(samples.ncols(), self.weights.ncols(), "samples and predictor differ in values");
        (samples.dot(&self.weights.t()) + &self.biases).mapv(f64::tanh)
    }

    /// Adds so much of another.
    pub(super) fn step(&mut self, factor: f64, direction: &Predictor) {
        self.weights.scaled_add(factor, &direction.weights);
        self.biases.scaled_add(factor, &direction.biases);
        self.gains.scaled_add(factor, &direction.gains);
    }

    pub(super) fn is_finite(&self) -> bool {
        let mut all = self.weights.iter().chain(&self.biases).chain(&self.gains);
        all.all(|value| value.is_finite())
    }
}
