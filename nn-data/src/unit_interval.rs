//! The check that values are intensities or probabilities.

use ndarray::ArrayView2;

use crate::DataError;

/// Checks that every value lies in [0, 1].
///
/// `values` has one example a row; `origin` names the array in the error.
///
/// # Errors
///
/// [`DataError::OutsideUnitInterval`] with row and column of the first value, in row-major order, that is
/// below 0, above 1, infinite or not a number.
pub fn check_unit_interval(values: ArrayView2<'_, f32>, origin: &str) -> Result<(), DataError> {
    // NaN is in no range, so that it needs no case of its own.
    let Some(index) = values.iter().position(|value| !(0.0..=1.0).contains(value)) else {
        return Ok(());
    };
    let (row, column) = (index / values.ncols(), index % values.ncols());
    Err(DataError::OutsideUnitInterval { origin: origin.into(), row, column, value: values[(row, column)] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_closed_interval_passes() {
        let values = ndarray::array![[0.0, -0.0, 1.0], [0.5, f32::MIN_POSITIVE, 1.0 - f32::EPSILON]];
        check_unit_interval(values.view(), "values").unwrap();
        check_unit_interval(Array2::zeros((0, 4)).view(), "nothing").unwrap();
    }

    #[test]
    fn the_first_fault_is_named() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0 + f32::EPSILON, -1e-30] {
            let mut values = Array2::from_elem((3, 4), 0.5);
            values[(1, 3)] = value;
            values[(2, 0)] = 7.0;
            let error = check_unit_interval(values.view(), "training data").unwrap_err();
            let expected = format!("training data: the value in row 1, column 3 is {value}, outside [0, 1]");
            assert!(error.to_string().starts_with(&expected), "{error}");
            // First in the order of rows, however the array lies in memory.
            let turned = values.t().as_standard_layout().into_owned();
            let again = check_unit_interval(turned.t(), "training data").unwrap_err();
            assert_eq!(again.to_string(), error.to_string());
        }
    }
}
