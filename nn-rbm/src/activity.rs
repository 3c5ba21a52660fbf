//! What hidden units do: dead ones, saturated ones.

use crate::Rbm;
use nn_core::{ACC, Error, Over, Reduction, Tensor};

/// How active hidden units are over some cases.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Mean of E[h | v] over cases and units.
    pub mean: f64,
    /// Units whose mean never exceeds 0.01 on any case: they model nothing.
    pub dead: Vec<usize>,
    /// Units whose mean never falls below 0.99 on any case (binary units only): they act as biases.
    pub saturated: Vec<usize>,
}

impl Activity {
    /// Looks at the hidden units of a machine on these cases.
    ///
    /// # Errors
    /// If the device failed.
    pub fn of(rbm: &Rbm, cases: &Tensor) -> Result<Activity, Error> {
        Activity::of_means(&rbm.mean_hidden(cases), rbm.hidden.binary())
    }

    /// Looks at the means of a layer of hidden units, cases × units, such as those of
    /// [`MeanField`](crate::dbm::MeanField); `binary` if the units are.
    ///
    /// # Errors
    /// If the device failed.
    pub fn of_means(means: &Tensor, binary: bool) -> Result<Activity, Error> {
        let (device, grid) = (means.device(), [means.rows(), means.columns()]);
        let over = |sign: f32| {
            let mut out = device.zeros(1, grid[1]);
            out.reduce(grid, Over::Rows, Reduction::Max, nn_core::x(means) * sign, ACC * sign);
            out.to_array_f64()
        };
        let (largest, smallest) = (over(1.0)?, over(-1.0)?);
        let mut total = device.zeros(1, grid[1]);
        total.reduce(grid, Over::Rows, Reduction::Sum, means, ACC * (1.0 / grid[0] as f32));
        let units =
            |keep: &dyn Fn(usize) -> bool| (0..grid[1]).filter(|unit| keep(*unit)).collect::<Vec<_>>();
        Ok(Activity {
            mean: total.to_array_f64()?.mean().unwrap_or(f64::NAN),
            dead: units(&|unit| largest[[0, unit]] <= 0.01),
            saturated: units(&|unit| binary && smallest[[0, unit]] >= 0.99),
        })
    }

    /// Warnings in words, one for each problem; empty if there is none.
    pub fn warnings(&self) -> Vec<String> {
        let list = |units: &[usize]| {
            let shown: Vec<String> = units.iter().take(8).map(usize::to_string).collect();
            format!("{}{}", shown.join(", "), if units.len() > 8 { ", …" } else { "" })
        };
        let mut warnings = Vec::new();
        if !self.dead.is_empty() {
            let remedy = "lower the learning rate or the sparsity cost, or raise the initial hidden biases";
            warnings.push(format!("{} dead hidden units ({}): {remedy}", self.dead.len(), list(&self.dead)));
        }
        if !self.saturated.is_empty() {
            let remedy = "lower the learning rate, or give the data their means as visible biases";
            let units = list(&self.saturated);
            warnings.push(format!("{} saturated hidden units ({units}): {remedy}", self.saturated.len()));
        }
        warnings
    }
}
