//! Brightness and contrast of patches, a row each.

use ndarray::ArrayViewMut2;

/// Takes the mean of each patch from its values.
pub fn remove_mean(mut patches: ArrayViewMut2<'_, f32>) {
    let count = patches.ncols().max(1) as f64;
    for mut patch in patches.rows_mut() {
        let mean = patch.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        patch.mapv_inplace(|value| (f64::from(value) - mean) as f32);
    }
}

/// Divides each patch x by max(‖x‖, floor): patches of little contrast, which are mostly noise, are not blown up.
///
/// # Panics
///
/// If the floor is not positive.
#[track_caller]
pub fn normalize_length(patches: ArrayViewMut2<'_, f32>, floor: f64) {
    assert!(floor > 0.0, "a floor of {floor} for the length of patches");
    divide(patches, |squares, _| squares.sqrt().max(floor));
}

/// Divides each patch by √(variance + offset), where the variance is the sum of squares over one less than the number of
/// values: of patches whose [mean was removed](remove_mean). The offset is 10 for values of 0 to 255 in Coates, Lee and Ng,
/// "An analysis of single-layer networks in unsupervised feature learning", 2011.
///
/// # Panics
///
/// If the offset is not positive.
#[track_caller]
pub fn normalize_variance(patches: ArrayViewMut2<'_, f32>, offset: f64) {
    assert!(offset > 0.0, "an offset of {offset} for the variance of patches");
    divide(patches, |squares, count| (squares / (count - 1.0).max(1.0) + offset).sqrt());
}

/// Divides patches by a function of their sum of squares and number of values.
fn divide(mut patches: ArrayViewMut2<'_, f32>, by: impl Fn(f64, f64) -> f64) {
    let count = patches.ncols() as f64;
    for mut patch in patches.rows_mut() {
        let divisor = by(patch.iter().map(|&value| f64::from(value).powi(2)).sum(), count);
        patch.mapv_inplace(|value| (f64::from(value) / divisor) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn patches_by_hand() {
        let mut patches = array![[1.0f32, 2.0, 6.0], [5.0, 5.0, 5.0]];
        remove_mean(patches.view_mut());
        assert_eq!(patches, array![[-2.0f32, -1.0, 3.0], [0.0, 0.0, 0.0]]);
        let mut length = patches.clone();
        normalize_length(length.view_mut(), 2.0);
        let unit = 14.0f32.sqrt().recip();
        assert!(
            (&length.row(0) - &array![-2.0 * unit, -unit, 3.0 * unit]).iter().all(|off| off.abs() < 1e-6)
        );
        let mut small = array![[0.0f32, 1.0]];
        normalize_length(small.view_mut(), 2.0);
        assert_eq!(small, array![[0.0f32, 0.5]]);
        // The variance is 14 / 2.
        normalize_variance(patches.view_mut(), 2.0);
        assert!((patches[[0, 2]] - 1.0).abs() < 1e-6);
        assert_eq!(patches.row(1).to_vec(), [0.0; 3]);
    }

    #[test]
    #[should_panic(expected = "a floor of 0")]
    fn a_floor_of_nothing_is_a_mistake() {
        normalize_length(array![[0.0f32]].view_mut(), 0.0);
    }
}
