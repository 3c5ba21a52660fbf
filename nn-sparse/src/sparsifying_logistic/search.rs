//! The code of a sample, by descent.

use ndarray::{Array1, ArrayView1, ArrayView2};

/// Steps at most.
const STEPS: usize = 200;
/// The share of the promised fall that a step has to bring.
const SUFFICIENT: f64 = 1e-4;
/// Halvings of a step at most.
const HALVINGS: usize = 30;

/// E(z) = ½‖z − W·x‖² + ½‖x − Σ z̄_k d_k‖², z̄_k = 1/(1 + e^(θ_k − β z_k)), and what is known where it stands.
pub(super) struct Search<'a> {
    x: ArrayView1<'a, f64>,
    atoms: ArrayView2<'a, f64>,
    /// W·x.
    prediction: Array1<f64>,
    /// θ.
    thresholds: Array1<f64>,
    /// β.
    steepness: f64,
    pub(super) z: Array1<f64>,
    /// z̄.
    pub(super) codes: Array1<f64>,
    /// x − Σ z̄_k d_k.
    pub(super) residual: Array1<f64>,
    /// z − W·x.
    pub(super) missed: Array1<f64>,
    pub(super) energy: f64,
}

impl<'a> Search<'a> {
    /// At z = W·x.
    pub(super) fn new(
        x: ArrayView1<'a, f64>,
        atoms: ArrayView2<'a, f64>,
        prediction: Array1<f64>,
        thresholds: Array1<f64>,
        steepness: f64,
    ) -> Self {
        let [z, codes, missed] = [prediction.clone(), Array1::zeros(0), Array1::zeros(0)];
        let residual = Array1::zeros(0);
        let energy = f64::INFINITY;
        let mut search =
            Self { x, atoms, prediction, thresholds, steepness, z, codes, residual, missed, energy };
        search.go_to(search.z.clone());
        search
    }

    pub(super) fn go_to(&mut self, z: Array1<f64>) {
        let logistic = |(z, threshold): (&f64, &f64)| 1.0 / (1.0 + (threshold - self.steepness * z).exp());
        self.codes = z.iter().zip(&self.thresholds).map(logistic).collect();
        self.residual = &self.x - &self.codes.dot(&self.atoms);
        self.missed = &z - &self.prediction;
        self.energy = 0.5 * (self.missed.dot(&self.missed) + self.residual.dot(&self.residual));
        self.z = z;
    }

    /// ∂E/∂z_k = z_k − (W·x)_k − β z̄_k (1 − z̄_k) d_k·(x − Σ z̄_j d_j).
    pub(super) fn slope(&self) -> Array1<f64> {
        let pulls = self.atoms.dot(&self.residual);
        let slopes = self.codes.mapv(|code| self.steepness * code * (1.0 - code));
        &self.missed - &(slopes * pulls)
    }

    /// Steps down until the slope is within the tolerance, or no step brings anything.
    pub(super) fn descend(&mut self, tolerance: f64) {
        let mut step = 1.0;
        for _ in 0..STEPS {
            let slope = self.slope();
            let square = slope.dot(&slope);
            if square.sqrt() <= tolerance {
                return;
            }
            let (before, from) = (self.energy, self.z.clone());
            let fell = (0..HALVINGS).any(|_| {
                self.go_to(&from - &(&slope * step));
                let fell = self.energy <= before - SUFFICIENT * step * square;
                step *= if fell { 2.0 } else { 0.5 };
                fell
            });
            if !fell {
                return self.go_to(from);
            }
        }
    }
}
