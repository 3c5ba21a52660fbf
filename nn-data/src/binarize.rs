//! Binary images from grey ones: by a threshold, or drawn with the grey values as probabilities.
//!
//! Both conventions are in use for MNIST, and likelihoods under them are not comparable: models are trained
//! on values drawn anew for each presentation, on values drawn once, or on values cut at 0.5. State which.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use rand_core::RngCore;

use crate::uniform::with_probability;
use crate::{DataError, check_unit_interval};

/// 1 where a value is greater than `threshold`, 0 elsewhere; same shape.
///
/// `values` lie in [0, 1], `threshold` in [0, 1); 0.5 is usual, and no byte divided by 255 is equal to it.
///
/// # Errors
///
/// [`DataError::OutsideUnitInterval`] for values, [`DataError::Setting`] for the threshold.
pub fn binarize_at(values: ArrayView2<'_, f32>, threshold: f32) -> Result<Array2<f32>, DataError> {
    if !(0.0..1.0).contains(&threshold) {
        return Err(DataError::Setting {
            name: "the threshold",
            value: threshold.to_string(),
            allowed: "give one from 0 to below 1, for example 0.5".into(),
        });
    }
    check_unit_interval(values, "values to binarize")?;
    Ok(values.mapv(|value| f32::from(u8::from(value > threshold))))
}

/// 1 with the value as its probability, 0 otherwise, each independently of the others; same shape.
///
/// `values` lie in [0, 1]. One 32-bit draw a value in row-major order, also where the outcome is certain, so
/// that the draws for one value do not depend on the others. See [`with_probability`] for the
/// precision.
///
/// # Errors
///
/// [`DataError::OutsideUnitInterval`]; the generator is then untouched.
pub fn binarize_stochastically<R: RngCore + ?Sized>(
    values: ArrayView2<'_, f32>,
    generator: &mut R,
) -> Result<Array2<f32>, DataError> {
    let mut binary = Array2::zeros(values.raw_dim());
    binarize_stochastically_into(values, generator, binary.view_mut())?;
    Ok(binary)
}

/// As [`binarize_stochastically`], into an array that is there already, for instance one a minibatch.
///
/// # Errors
///
/// [`DataError::OutsideUnitInterval`]; the generator and `binary` are then untouched.
///
/// # Panics
///
/// If `binary` does not have the shape of `values`.
pub fn binarize_stochastically_into<R: RngCore + ?Sized>(
    values: ArrayView2<'_, f32>,
    generator: &mut R,
    mut binary: ArrayViewMut2<'_, f32>,
) -> Result<(), DataError> {
    assert_eq!(values.dim(), binary.dim(), "values and their binary form differ in shape");
    check_unit_interval(values, "values to binarize")?;
    for (&value, bit) in values.iter().zip(binary.iter_mut()) {
        *bit = f32::from(u8::from(with_probability(generator, value.into())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    #[test]
    fn the_threshold_itself_is_off() {
        let values = ndarray::array![[0.0, 0.5], [0.5000001, 1.0]];
        assert_eq!(binarize_at(values.view(), 0.5).unwrap(), ndarray::array![[0.0, 0.0], [1.0, 1.0]]);
        assert_eq!(binarize_at(values.view(), 0.0).unwrap(), ndarray::array![[0.0, 1.0], [1.0, 1.0]]);
    }

    #[test]
    fn frequencies_follow_the_values() {
        let probabilities = [0.0, 0.1, 0.5, 0.9, 1.0];
        let draws = 40_000;
        let values = Array2::from_shape_fn((draws, 5), |(_, column)| probabilities[column]);
        let binary = binarize_stochastically(values.view(), &mut Pcg64::seed_from_u64(6)).unwrap();
        assert!(binary.iter().all(|&bit| bit == 0.0 || bit == 1.0));
        for (column, &probability) in probabilities.iter().enumerate() {
            let frequency = binary.column(column).sum() / draws as f32;
            let deviation = (probability * (1.0 - probability) / draws as f32).sqrt();
            assert!((frequency - probability).abs() <= 4.0 * deviation, "{probability}: {frequency}");
        }
    }

    #[test]
    fn draws_go_in_row_major_order_however_the_arrays_lie() {
        let values = Array2::from_shape_fn((30, 20), |(row, column)| ((row * 7 + column) % 11) as f32 / 10.0);
        let drawn = |view| binarize_stochastically(view, &mut Pcg64::seed_from_u64(7)).unwrap();
        let turned = values.t().as_standard_layout().into_owned();
        assert_eq!(drawn(values.view()), drawn(turned.t()));
        let mut transposed = Array2::zeros((20, 30));
        let mut generator = Pcg64::seed_from_u64(7);
        binarize_stochastically_into(values.view(), &mut generator, transposed.view_mut().reversed_axes())
            .unwrap();
        assert_eq!(transposed.t(), drawn(values.view()));
    }

    #[test]
    fn values_and_thresholds_out_of_range_are_refused() {
        let values = ndarray::array![[0.0, f32::NAN]];
        assert!(matches!(binarize_at(values.view(), 0.5), Err(DataError::OutsideUnitInterval { .. })));
        let mut generator = Pcg64::seed_from_u64(8);
        assert!(binarize_stochastically(values.view(), &mut generator).is_err());
        assert_eq!(generator, Pcg64::seed_from_u64(8), "untouched");
        for threshold in [-0.1, 1.0, f32::NAN] {
            let values = ndarray::array![[0.0]];
            assert!(matches!(binarize_at(values.view(), threshold), Err(DataError::Setting { .. })));
        }
    }
}
