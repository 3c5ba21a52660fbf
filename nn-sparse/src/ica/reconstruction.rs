//! Reconstruction ICA and its topographic form.

use ndarray::Array2;
use nn_core::{ACC, Device, Error, OLD, Over, Reduction, Tensor, x};

use super::topographic::check_epsilon;
use crate::neighborhood::Neighborhood;
use crate::objective::{Objective, Value};
use crate::pooled_energy::PooledEnergy;

/// Sparse outputs from which the case can be rebuilt (Le, Karpenko, Ngiam and Ng, "ICA with reconstruction cost for efficient
/// overcomplete feature learning", 2011):
///
/// f(W) = λ · mean of Σ_i √(ε + Σ_j H_ij y_j²) + ½ · mean of ‖Wᵀy − x‖², y = W·x.
///
/// The reconstruction takes the place of orthonormal rows, so that there may be more units than values. λ weighs the
/// sparsity, as in the authors' programs; elsewhere the weight stands before the reconstruction.
///
/// With M = WᵀW − 1 and C = mean of x·xᵀ the reconstruction is ½ tr(M·C·M), its gradient W·(M·C + C·M): the cases enter
/// by C alone, and two of the products of the plain form with a row a case are saved, another is smaller. An evaluation
/// costs 4 · cases · units · values + 2 · cases · values² operations, the latter once for cases that are
/// [fixed](Objective::fix), and 6 · units · values² + 2 · values³, which counts for minibatches: below about 250 cases of 256
/// values the plain form would cost less.
///
/// With unit rows f is a function of Ŵ, whose rows are those of W divided by their lengths, and
/// ∂f/∂w = (g − ŵ(ŵ·g))/‖w‖, g = ∂f/∂ŵ.
#[derive(Debug)]
pub struct ReconstructionIca {
    shape: [usize; 2],
    device: Device,
    energy: PooledEnergy,
    /// The identity, values × values.
    identity: Tensor,
    /// C, M and M·C, values × values.
    second_moments: Tensor,
    /// Whether C is that of all evaluations.
    fixed: bool,
    excess: Tensor,
    product: Tensor,
    /// The value of the reconstruction, 1 × values.
    reconstruction: Tensor,
    unit_rows: Option<UnitRows>,
}

/// Ŵ, the lengths of the rows of W, and ŵ·g.
#[derive(Debug)]
struct UnitRows {
    weights: Tensor,
    lengths: Tensor,
    along: Tensor,
}

/// What [`ReconstructionIca`] weighs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReconstructionIcaSettings {
    /// λ ≥ 0.
    pub sparsity_weight: f64,
    /// ε > 0.
    pub epsilon: f64,
    /// Whether rows count as if their length were 1.
    pub unit_rows: bool,
}

impl ReconstructionIca {
    /// For cases of so many values.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a λ that is negative or not finite, an ε that is not positive, no values.
    pub fn new(
        device: &Device,
        neighborhood: &Neighborhood,
        values: usize,
        settings: ReconstructionIcaSettings,
    ) -> Result<Self, Error> {
        let ReconstructionIcaSettings { sparsity_weight, epsilon, unit_rows } = settings;
        check_epsilon(epsilon)?;
        if !(sparsity_weight >= 0.0 && sparsity_weight.is_finite()) {
            return Err(Error::setting(
                "weight of the sparsity",
                sparsity_weight,
                "it must be 0 or a positive number",
            ));
        }
        if values == 0 {
            return Err(Error::setting("number of values", values, "it must be at least 1"));
        }
        let units = neighborhood.units();
        let [second_moments, excess, product] = [(); 3].map(|()| device.zeros(values, values));
        Ok(Self {
            shape: [units, values],
            device: device.clone(),
            energy: PooledEnergy::new(device, neighborhood, epsilon, sparsity_weight),
            identity: device.tensor_f64(&Array2::eye(values)),
            second_moments,
            fixed: false,
            excess,
            product,
            reconstruction: device.zeros(1, values),
            unit_rows: unit_rows.then(|| UnitRows {
                weights: device.zeros(units, values),
                lengths: device.zeros(units, 1),
                along: device.zeros(units, 1),
            }),
        })
    }
}

impl ReconstructionIca {
    /// C of these cases.
    fn sum_up(&mut self, inputs: &Tensor) {
        self.second_moments.product(inputs.t().dot(inputs), ACC * (1.0 / inputs.rows() as f64));
    }
}

impl Objective for ReconstructionIca {
    fn shape(&self) -> [usize; 2] {
        self.shape
    }

    fn device(&self) -> &Device {
        &self.device
    }

    fn evaluate(
        &mut self,
        weights: &Tensor,
        inputs: &Tensor,
        mut gradient: Option<&mut Tensor>,
    ) -> Value<'_> {
        if !self.fixed {
            self.sum_up(inputs);
        }
        let [units, values] = self.shape;
        if let Some(rows) = &mut self.unit_rows {
            let length = ACC.sqrt();
            rows.lengths.reduce([units, values], Over::Columns, Reduction::Sum, x(weights).square(), length);
            rows.weights.assign(x(weights) / x(&rows.lengths));
        }
        let rows = self.unit_rows.as_ref().map_or(weights, |rows| &rows.weights);
        self.energy.evaluate(rows, inputs, gradient.as_deref_mut());
        self.excess.product(rows.t().dot(rows), ACC - &self.identity);
        self.product.product(self.excess.dot(&self.second_moments), ACC);
        let terms = x(&self.product) * &self.excess;
        self.reconstruction.reduce([values, values], Over::Rows, Reduction::Sum, terms, ACC * 0.5);
        if let Some(gradient) = gradient {
            gradient.product(rows.dot(&self.product) + rows.dot(self.product.t()), OLD + ACC);
            if let Some(UnitRows { weights, lengths, along }) = &mut self.unit_rows {
                let terms = x(&*weights) * &*gradient;
                along.reduce([units, values], Over::Columns, Reduction::Sum, terms, ACC);
                gradient.assign((OLD - x(&*weights) * &*along) / &*lengths);
            }
        }
        Value::sum_of(vec![self.energy.value(), &self.reconstruction])
    }

    fn fix(&mut self, inputs: Option<&Tensor>) {
        self.fixed = inputs.is_some();
        if let Some(inputs) = inputs {
            self.sum_up(inputs);
        }
    }
}
