//! How well models know regions of shapes that they do not see.

use ndarray::{Array1, Array2, ArrayView2, Axis, Slice};
use nn_core::Key;
use nn_rbm::shape::Imputation;
use nn_rbm::{Completion, EnergyModel};

use crate::run_error::{RunError, WhileDoing};
use crate::seed_mean::SeedMean;

/// Regions down and across.
pub(super) const GRID: [usize; 2] = [3, 3];

/// Probabilities of pixels are kept this far from 0 and 1 in models that give real values; which one is decided by the
/// training shapes.
const MARGINS: [f64; 6] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1];

/// What a model says of hidden regions of the test shapes.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: &'static str,
    /// The start of the names of its metrics.
    pub(super) metric: &'static str,
    /// log p(region | rest) in nats, shapes × regions.
    pub(super) logs: Array2<f64>,
    /// p(pixel is on | rest of the shape), for each region shapes × pixels.
    pub(super) completed: Vec<Array2<f32>>,
}

impl Outcome {
    /// The imputation score: mean over regions and shapes, with the error of the mean over shapes.
    pub(super) fn score(&self) -> SeedMean {
        let of_shapes = self.logs.mean_axis(Axis(1)).map(|mean| mean.to_vec());
        SeedMean::of(&of_shapes.unwrap_or_default())
    }

    /// By how much the score is above another one, with the error of the mean over shapes.
    pub(super) fn above(&self, other: &Outcome) -> SeedMean {
        let difference = &self.logs - &other.logs;
        SeedMean::of(&difference.mean_axis(Axis(1)).map(|mean| mean.to_vec()).unwrap_or_default())
    }

    /// Share of hidden pixels that are wrong where more than one half is on.
    pub(super) fn wrong(&self, shapes: ArrayView2<'_, f32>, masks: &Array2<f32>) -> f64 {
        let (mut wrong, mut hidden) = (0usize, 0usize);
        for (completed, mask) in self.completed.iter().zip(masks.rows()) {
            for (found, truth) in completed.rows().into_iter().zip(shapes.rows()) {
                for pixel in (0..mask.len()).filter(|pixel| mask[*pixel] == 0.0) {
                    hidden += 1;
                    wrong += usize::from((found[pixel] > 0.5) != (truth[pixel] > 0.5));
                }
            }
        }
        wrong as f64 / hidden.max(1) as f64
    }
}

/// Asks a model of binary units: the score by [`Imputation`], and means of the pixels over as many chains.
pub(super) fn of_model(
    name: &'static str,
    metric: &'static str,
    model: &dyn EnergyModel,
    shapes: ArrayView2<'_, f32>,
    masks: &Array2<f32>,
    settings: Imputation,
    key: Key,
) -> Result<Outcome, RunError> {
    let doing = "filling in regions";
    let chains = settings.chains;
    let mut logs = Array2::zeros((shapes.nrows(), masks.nrows()));
    let mut completed = Vec::new();
    for (region, mask) in masks.rows().into_iter().enumerate() {
        let (known, key) = (mask.insert_axis(Axis(0)), key.fold_in(region as u64));
        let found = settings.log_probabilities(model, shapes, known, key.fold_in(0)).while_doing(doing)?;
        logs.column_mut(region).assign(&Array1::from(found));
        let many = |(row, pixel): (usize, usize)| shapes[[row / chains, pixel]];
        let many = Array2::from_shape_fn((shapes.nrows() * chains, shapes.ncols()), many);
        let mut completion = Completion::new(model, many.view(), known).while_doing(doing)?;
        completion.gibbs(model, settings.burn_in, key.fold_in(1));
        let means = completion.means(model, key.fold_in(2)).to_array().while_doing(doing)?;
        let of_shape = |shape: usize| {
            means.slice_axis(Axis(0), Slice::from(shape * chains..(shape + 1) * chains)).mean_axis(Axis(0))
        };
        let mut of_shapes = Array2::zeros(shapes.raw_dim());
        for (shape, mut row) in of_shapes.rows_mut().into_iter().enumerate() {
            if let Some(mean) = of_shape(shape) {
                row.assign(&mean);
            }
        }
        completed.push(of_shapes);
    }
    Ok(Outcome { name, metric, logs, completed })
}

/// Asks a model that gives real values for pixels: they are probabilities, cut off at the margin from 0 and 1 with which
/// the model gives the training shapes the best score.
pub(super) fn of_values(
    name: &'static str,
    metric: &'static str,
    complete: impl Fn(ArrayView2<'_, f32>, usize) -> Array2<f64>,
    train: ArrayView2<'_, f32>,
    shapes: ArrayView2<'_, f32>,
    masks: &Array2<f32>,
) -> Outcome {
    let cut = |value: f64, margin: f64| value.clamp(margin, 1.0 - margin);
    let logs = |values: &[Array2<f64>], shapes: ArrayView2<'_, f32>, margin: f64| {
        let of = |(shape, region): (usize, usize)| {
            let hidden = (0..shapes.ncols()).filter(|pixel| masks[[region, *pixel]] == 0.0);
            let log = |pixel: usize| {
                let p = cut(values[region][[shape, pixel]], margin);
                if shapes[[shape, pixel]] > 0.5 { p.ln() } else { (1.0 - p).ln() }
            };
            hidden.map(log).sum::<f64>()
        };
        Array2::from_shape_fn((shapes.nrows(), masks.nrows()), of)
    };
    let values = |shapes| (0..masks.nrows()).map(|region| complete(shapes, region)).collect::<Vec<_>>();
    let of_train = values(train);
    let score = |margin: f64| logs(&of_train, train, margin).sum();
    let margin = MARGINS.into_iter().max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap_or(MARGINS[0]);
    let of_shapes = values(shapes);
    let completed = of_shapes.iter().map(|values| values.mapv(|value| cut(value, margin) as f32));
    Outcome { name, metric, logs: logs(&of_shapes, shapes, margin), completed: completed.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    /// Two regions of one pixel each; values of 1 and 0, of which one in twenty is wrong: the margin nearest to that.
    #[test]
    fn values_become_probabilities() {
        let train = Array2::from_shape_fn((100, 2), |(row, _)| f32::from(u8::from(row % 20 != 0)));
        let shapes = arr2(&[[1.0f32, 0.0], [1.0, 1.0]]);
        let masks = arr2(&[[0.0f32, 1.0], [1.0, 0.0]]);
        let complete = |shapes: ArrayView2<'_, f32>, _: usize| Array2::from_elem(shapes.raw_dim(), 1.5);
        let outcome = of_values("x", "x", complete, train.view(), shapes.view(), &masks);
        let wanted = arr2(&[[0.95f64.ln(), 0.05f64.ln()], [0.95f64.ln(), 0.95f64.ln()]]);
        assert!((&outcome.logs - &wanted).iter().all(|off| off.abs() < 1e-12), "{}", outcome.logs);
        assert_eq!(outcome.wrong(shapes.view(), &masks), 0.25);
        assert!((outcome.score().mean - wanted.mean().unwrap()).abs() < 1e-12);
        assert_eq!(outcome.above(&outcome).mean, 0.0);
    }
}
