//! Whether samples are copies.

use ndarray::ArrayView2;

/// The shape that is most like another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest {
    /// Its row; of several that are equally near the first.
    pub shape: usize,
    /// Pixels that differ (Hamming distance).
    pub distance: usize,
}

/// For each of some binary images (cases × pixels) the nearest among others, such as those that a model learned from:
/// a model that copies draws samples nearer to them than new images of the same kind are.
///
/// # Panics
/// If the images differ in size, or there is none to compare with.
#[track_caller]
pub fn nearest(cases: ArrayView2<'_, f32>, shapes: ArrayView2<'_, f32>) -> Vec<Nearest> {
    assert!(
        cases.ncols() == shapes.ncols() && shapes.nrows() > 0,
        "{:?} near {:?}",
        cases.dim(),
        shapes.dim()
    );
    let of = |case: ndarray::ArrayView1<'_, f32>| {
        let distance =
            |shape: ndarray::ArrayView1<'_, f32>| case.iter().zip(shape).filter(|(a, b)| a != b).count();
        let all = shapes.rows().into_iter().map(distance).enumerate();
        all.min_by_key(|(_, distance)| *distance).map_or((0, 0), |best| best)
    };
    cases.rows().into_iter().map(of).map(|(shape, distance)| Nearest { shape, distance }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn distances_by_hand() {
        let shapes = arr2(&[[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]]);
        let cases = arr2(&[[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]]);
        let found = nearest(cases.view(), shapes.view());
        let wanted = [(0, 1), (1, 2), (1, 0)].map(|(shape, distance)| Nearest { shape, distance });
        assert_eq!(found, wanted);
    }
}
