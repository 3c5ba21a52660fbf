//! How well a model knows what it does not see.

use crate::{Completion, EnergyModel, LogSumExp};
use ndarray::{Array2, ArrayView2};
use nn_core::{Error, Key};

/// Settings of an estimate of log p(v_hidden | v_known): the mean of p(v_hidden | h) over states h ~ p(h | v_known) of
/// Gibbs chains with the known pixels clamped.
///
/// The logarithm of a mean of positive numbers: with few states it is too low on average, for every model.
#[derive(Clone, Copy, Debug)]
pub struct Imputation {
    /// Chains of each case.
    pub chains: usize,
    /// Sweeps of each chain before the first state counts.
    pub burn_in: u64,
    /// States of each chain that count, a sweep apart.
    pub samples: u64,
}

impl Imputation {
    /// log p(v_hidden | v_known) in nats of each of these cases (cases × visible), of which `known` (1 × visible) is 1 for
    /// known and 0 for hidden units. Waits for the device.
    ///
    /// # Errors
    /// As [`Completion::new`], without chains or samples, for visible units whose cumulant is no formula or whose
    /// statistic is not their state, or if the device failed.
    pub fn log_probabilities(
        &self,
        model: &dyn EnergyModel,
        cases: ArrayView2<'_, f32>,
        known: ArrayView2<'_, f32>,
        key: Key,
    ) -> Result<Vec<f64>, Error> {
        if self.chains == 0 || self.samples == 0 {
            let given = format!("{} chains and {} samples", self.chains, self.samples);
            return Err(Error::setting("imputation", given, "at least one of each is needed"));
        }
        let rows = cases.nrows() * self.chains;
        let truth =
            Array2::from_shape_fn((rows, cases.ncols()), |(row, unit)| cases[[row / self.chains, unit]]);
        let mut completion = Completion::new(model, truth.view(), known)?;
        let device = model.layered().device().clone();
        let truth = device.tensor(&truth);
        completion.gibbs(model, self.burn_in, key.fold_in(0));
        let mut logs = device.zeros(rows, self.samples as usize);
        for sample in 0..self.samples {
            completion.gibbs(model, 1, key.fold_in(1).fold_in(sample));
            let column = sample as usize..sample as usize + 1;
            completion.log_probability_of_unknown(model, &truth, logs.column_range_mut(column))?;
        }
        let logs = logs.to_array_f64()?;
        let mean = |case: usize| {
            let mut sum = LogSumExp::default();
            let own = logs.rows().into_iter().skip(case * self.chains).take(self.chains);
            own.for_each(|row| row.iter().for_each(|log| sum.add(*log)));
            sum.value() - ((self.chains as f64) * self.samples as f64).ln()
        };
        Ok((0..cases.nrows()).map(mean).collect())
    }
}

/// Masks that each hide one of down × across rectangles of an image, 1 for known pixels: (down · across) × pixels.
///
/// # Errors
/// If there are no rectangles, or more than pixels on a side.
pub fn regions(height: usize, width: usize, [down, across]: [usize; 2]) -> Result<Array2<f32>, Error> {
    if !(1..=height).contains(&down) || !(1..=width).contains(&across) {
        let allowed = format!("an image of {height}×{width} has from 1×1 to as many as pixels");
        return Err(Error::setting("regions", format!("{down}×{across}"), &allowed));
    }
    let known = |(region, pixel): (usize, usize)| {
        let hidden = [pixel / width * down / height, pixel % width * across / width];
        f32::from(u8::from(hidden != [region / across, region % across]))
    };
    Ok(Array2::from_shape_fn((down * across, height * width), known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_hide_every_pixel_once() {
        let masks = regions(4, 6, [2, 3]).unwrap();
        assert_eq!(masks.dim(), (6, 24));
        for column in masks.columns() {
            assert_eq!(column.sum(), 5.0);
        }
        // The last one is the two by two pixels in the corner.
        let hidden: Vec<usize> = (0..24).filter(|pixel| masks[[5, *pixel]] == 0.0).collect();
        assert_eq!(hidden, [16, 17, 22, 23]);
        let message = regions(4, 6, [5, 1]).unwrap_err().to_string();
        assert!(message.starts_with("regions is 5×1"), "{message}");
    }
}
