//! How well single features tell one class of objects from others.

use ndarray::{Array2, ArrayView2};
use nn_core::{Key, Parameters};
use nn_data::uniform::permutation;
use nn_rbm::ConvolutionalDbn;

use super::images::Objects;
use super::pooled;
use crate::run_error::{RunError, WhileDoing};

/// The areas under the precision-recall curves of all features of a layer.
#[derive(Debug)]
pub(super) struct Specificity {
    /// The layer.
    pub(super) name: &'static str,
    /// The start of the names of its metrics.
    pub(super) metric: &'static str,
    /// Of each feature, in the order of the maps.
    pub(super) areas: Vec<f64>,
}

impl Specificity {
    /// The mean over features.
    pub(super) fn mean(&self) -> f64 {
        self.areas.iter().sum::<f64>() / self.areas.len().max(1) as f64
    }

    /// The one in the middle; of an even number the lower one.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.areas.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
    }

    /// The largest one.
    pub(super) fn best(&self) -> f64 {
        self.areas.iter().copied().fold(f64::NAN, f64::max)
    }

    /// The share of features above an area, over areas.
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let share = |step: u32| {
            let bound = f64::from(step) / 50.0;
            let above = self.areas.iter().filter(|area| **area > bound).count();
            (bound, above as f64 / self.areas.len().max(1) as f64)
        };
        (0..=50).map(share).collect()
    }
}

/// Of both layers, and of a second layer each of whose filters has its weights in another, random order.
///
/// # Errors
/// If the device failed.
pub(super) fn compare(
    dbn: &mut ConvolutionalDbn,
    objects: &Objects,
    key: Key,
) -> Result<Vec<Specificity>, RunError> {
    let [first, second] = areas(dbn, objects)?;
    let weights = dbn.layers()[1].weights.to_array().while_doing("shuffling weights")?;
    let mut shuffled = weights.clone();
    for (map, mut column) in shuffled.columns_mut().into_iter().enumerate() {
        let order = permutation(weights.nrows(), &mut key.fold_in(map as u64).generator());
        column.iter_mut().zip(order).for_each(|(to, from)| *to = weights[[from, map]]);
    }
    write_top(dbn, shuffled.view());
    let random = areas(dbn, objects);
    write_top(dbn, weights.view());
    let [_, random] = random?;
    Ok(vec![
        Specificity { name: "first layer", metric: "layer1", areas: first },
        Specificity { name: "second layer", metric: "layer2", areas: second },
        Specificity { name: "second layer, weights shuffled", metric: "layer2_shuffled", areas: random },
    ])
}

/// Gives the second layer other weights.
fn write_top(dbn: &mut ConvolutionalDbn, weights: ArrayView2<'_, f32>) {
    dbn.visit_mut(&mut |name, tensor| {
        if name == "layer2.weights" {
            tensor.write(weights);
        }
    });
}

/// For both layers the area of each map: a feature says by its largest pooling unit how sure it is of the class.
fn areas(dbn: &ConvolutionalDbn, objects: &Objects) -> Result<[Vec<f64>; 2], RunError> {
    let (own, others) = (pooled(dbn, objects.test.view())?, pooled(dbn, objects.others.view())?);
    let of_layer = |layer: usize| {
        let maps = dbn.layers()[layer].geometry().maps;
        let (own, others) = (maxima(own[layer].view(), maps), maxima(others[layer].view(), maps));
        let of_map = |map: usize| {
            let cases = own.column(map).into_iter().map(|value| (*value, true));
            average_precision(
                cases.chain(others.column(map).into_iter().map(|value| (*value, false))).collect(),
            )
        };
        (0..maps).map(of_map).collect()
    };
    Ok([of_layer(0), of_layer(1)])
}

/// The largest pooling unit of each map, images × maps, of images × (blocks · maps).
fn maxima(pooled: ArrayView2<'_, f32>, maps: usize) -> Array2<f32> {
    let mut out = Array2::from_elem((pooled.nrows(), maps), f32::NEG_INFINITY);
    for (units, mut out) in pooled.rows().into_iter().zip(out.rows_mut()) {
        units.iter().enumerate().for_each(|(unit, value)| out[unit % maps] = out[unit % maps].max(*value));
    }
    out
}

/// The area under the curve of precision over recall, as the sum over thresholds of precision times the recall that the
/// threshold adds (average precision); cases of equal score are on the same side of every threshold. The share of cases that
/// are of the class is what a score without any relation to it gets.
fn average_precision(mut cases: Vec<(f32, bool)>) -> f64 {
    cases.sort_by(|a, b| b.0.total_cmp(&a.0));
    let of_class = cases.iter().filter(|(_, positive)| *positive).count();
    let (mut right, mut taken, mut area) = (0, 0, 0.0);
    for group in cases.chunk_by(|a, b| a.0 == b.0) {
        let new = group.iter().filter(|(_, positive)| *positive).count();
        (right, taken) = (right + new, taken + group.len());
        area += new as f64 / of_class.max(1) as f64 * right as f64 / taken as f64;
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn average_precision_by_hand() {
        let of = |cases: &[(f32, bool)]| average_precision(cases.to_vec());
        assert_eq!(of(&[(0.9, true), (0.8, true), (0.1, false), (0.2, false)]), 1.0);
        // Thresholds at 0.8, 0.4, 0.35, 0.1: precisions 1, 1/2, 2/3, 1/2, recalls 1/2, 1/2, 1, 1.
        let four = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
        assert!((of(&four) - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
        // What knows nothing: the share of the class.
        assert_eq!(of(&[(0.5, true), (0.5, false), (0.5, false), (0.5, false)]), 0.25);
    }

    #[test]
    fn maxima_of_maps_and_a_curve_by_hand() {
        let pooled = ndarray::arr2(&[[0.1f32, 0.9, 0.4, 0.2, 0.3, 0.5]]);
        assert_eq!(maxima(pooled.view(), 2), ndarray::arr2(&[[0.4, 0.9]]));
        let areas = vec![0.5, 0.9, 0.7];
        let found = Specificity { name: "x", metric: "x", areas };
        assert_eq!((found.median(), found.best()), (0.7, 0.9));
        assert!((found.mean() - 0.7).abs() < 1e-12);
        assert!((found.curve()[30].1 - 2.0 / 3.0).abs() < 1e-12 && found.curve()[46].1 == 0.0);
    }
}
