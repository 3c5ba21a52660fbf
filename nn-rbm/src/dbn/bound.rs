//! A lower bound on the log-probability of data.

use super::{Dbn, layers::ascend};
use crate::labels;
use nn_core::{Error, Key, OLD, Tensor};

/// A Monte-Carlo estimate of the variational lower bound.
///
/// log p(v) ≥ E_q[Σₗ log p(hₗ₋₁ | hₗ) − log q(hₗ | hₗ₋₁) − F(h_{L−1})] − log Z, where F and Z are of the top machine
/// (Hinton, Osindero and Teh, 2006; Salakhutdinov and Murray, 2008). Of a network of one machine it is log p(v) itself. A
/// label in the model is summed out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowerBound {
    /// The bound on log p(v), mean over the cases, in nats.
    pub log_probability: f64,
    /// Standard error from the draws of q; NaN of a single draw. The error of log Z comes on top of it.
    pub standard_error: f64,
}

impl Dbn {
    /// The bound for these cases, from so many draws of q for each, given log Z of the top: by
    /// [`log_partition`](crate::partition::log_partition) where that can be enumerated, else by
    /// [`Ais`](crate::ais::Ais), whose forward estimate errs low and so errs the bound high. Waits for the device.
    ///
    /// # Errors
    /// Without a draw, or if the device failed.
    pub fn lower_bound(
        &self,
        cases: &Tensor,
        log_partition: f64,
        draws: u64,
        key: Key,
    ) -> Result<LowerBound, Error> {
        if draws == 0 {
            return Err(Error::setting("draws of the lower bound", draws, "at least one is needed"));
        }
        let mut states = Vec::new();
        let mut means = Vec::new();
        for draw in 0..draws {
            ascend(&self.lower, cases.view(), &mut states, key.fold_in(draw));
            let top = states.last().unwrap_or(cases);
            let mut sum = match self.classes() {
                Some(classes) => labels::free_energy(&self.top, top, classes)?,
                None => self.top.free_energy(top),
            };
            sum.assign(-OLD);
            let mut below = cases;
            for (layer, above) in self.lower.iter().zip(&states) {
                let (below_view, above_view) = (below.view(), above.view());
                layer.generative.log_probability(below_view, above_view, 1.0, 1.0, sum.view_mut());
                layer.recognition.log_probability(above_view, below_view, -1.0, 1.0, sum.view_mut());
                below = above;
            }
            means.push(sum.to_array_f64()?.mean().unwrap_or(f64::NAN) - log_partition);
        }
        let count = means.len() as f64;
        let mean = means.iter().sum::<f64>() / count;
        let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Ok(LowerBound { log_probability: mean, standard_error: (variance / count).sqrt() })
    }
}
