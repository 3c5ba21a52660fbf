//! What second-layer units are made of: the first-layer filters they weigh most, and how these are oriented.

use std::f64::consts::PI;

use ndarray::{Array2, ArrayView1, ArrayView2};
use nn_core::Key;
use nn_data::uniform::below;
use nn_sparse::GaborFit;

/// A first-layer filter belongs to a unit if its weight is at least this share of the largest one, ...
pub(super) const LEAST_SHARE: f64 = 0.4;
/// ... and is among so many of largest weight.
pub(super) const MOST: usize = 10;

/// Orientations differ if they are at least so many degrees apart.
pub(super) const APART: f64 = 30.0;

/// Numbers of the first-layer filters that belong to a unit with these weights, by falling weight: those that excite it.
pub(super) fn strongest(weights: ArrayView1<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).filter(|filter| weights[*filter] > 0.0).collect();
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
    let least = order.first().map_or(0.0, |first| LEAST_SHARE * weights[*first]);
    order.into_iter().take(MOST).filter(|filter| weights[*filter] >= least).collect()
}

/// Whether among these filters there are two that are well fitted and whose orientations differ.
pub(super) fn combines(filters: &[usize], fits: &[GaborFit]) -> bool {
    let angles: Vec<f64> = filters
        .iter()
        .filter(|filter| fits[**filter].explained > super::GABOR_LIKE)
        .map(|filter| fits[*filter].orientation)
        .collect();
    let far = |a: f64, b: f64| {
        let turned = (a - b).abs();
        turned.min(PI - turned).to_degrees() >= APART
    };
    angles.iter().enumerate().any(|(at, a)| angles[at + 1..].iter().any(|b| far(*a, *b)))
}

/// The share of the units (columns of first × second layer) that combine several orientations; and what that share is if
/// each keeps its number of filters, and those are drawn from the first layer at random.
pub(super) fn shares(weights: ArrayView2<'_, f64>, fits: &[GaborFit], key: Key) -> [f64; 2] {
    let mut generator = key.generator();
    let (mut found, mut random) = (0, 0);
    for unit in weights.columns() {
        let mut filters = strongest(unit);
        found += usize::from(combines(&filters, fits));
        filters.iter_mut().for_each(|filter| *filter = below(&mut generator, fits.len() as u64) as usize);
        random += usize::from(combines(&filters, fits));
    }
    [found, random].map(|count| count as f64 / weights.ncols() as f64)
}

/// Pictures of the units: sums of their strongest filters times their weights, units × pixels. `filters` are filters × pixels.
pub(super) fn pictures(weights: ArrayView2<'_, f64>, filters: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut pictures = Array2::zeros((weights.ncols(), filters.ncols()));
    for (unit, mut picture) in weights.columns().into_iter().zip(pictures.rows_mut()) {
        for filter in strongest(unit) {
            picture.scaled_add(unit[filter], &filters.row(filter));
        }
    }
    pictures
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn fit(degrees: f64, explained: f64) -> GaborFit {
        let orientation = degrees.to_radians();
        let (centre, deviations) = ([0.0; 2], [1.0; 2]);
        GaborFit { centre, orientation, frequency: 0.2, deviations, phase: 0.0, amplitude: 1.0, explained }
    }

    #[test]
    fn strong_filters_excite() {
        let weights = array![0.3, 2.0, -3.0, 0.9, 0.79];
        assert_eq!(strongest(weights.view()), [1, 3]);
        assert!(strongest(array![-1.0, 0.0].view()).is_empty());
        assert_eq!(strongest(Array2::ones((1, 30)).row(0)).len(), MOST);
    }

    #[test]
    fn orientations_are_compared_around_the_half_circle() {
        let fits = [fit(2.0, 0.9), fit(178.0, 0.9), fit(90.0, 0.2), fit(150.0, 0.9), fit(31.0, 0.9)];
        assert!(!combines(&[0, 1], &fits), "4 degrees apart");
        assert!(!combines(&[0, 2], &fits), "the second one has no orientation");
        assert!(combines(&[0, 1, 3], &fits) && !combines(&[0, 4], &fits));
        assert!(!combines(&[], &fits) && !combines(&[3], &fits));
    }

    #[test]
    fn shares_and_pictures_by_hand() {
        let fits = [fit(0.0, 0.9), fit(90.0, 0.9), fit(10.0, 0.9)];
        // A unit of filters 0 and 1, a unit of 0 and 2.
        let weights = array![[1.0, 1.0], [0.5, 0.0], [-1.0, 0.8]];
        let [found, random] = shares(weights.view(), &fits, Key::new(1));
        assert_eq!(found, 0.5);
        assert!([0.0, 0.5, 1.0].contains(&random));
        let filters = array![[1.0, 2.0], [10.0, 0.0], [0.0, 5.0]];
        assert_eq!(pictures(weights.view(), filters.view()), array![[6.0, 2.0], [1.0, 6.0]]);
    }
}
