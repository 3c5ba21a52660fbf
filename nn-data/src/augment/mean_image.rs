//! The mean of images, which is subtracted from each.

use ndarray::{Array1, ArrayView2};

use crate::DataError;

/// The mean of each value over the images, 0 to 255; `pixels` has an image a row. Sums are exact.
///
/// Networks that see a part of each image subtract the same part at the centre of the mean:
/// [`Crop::centre`](crate::augment::Crop::centre).
///
/// # Errors
///
/// [`DataError::Setting`] if there are no images.
pub fn mean_image(pixels: ArrayView2<'_, u8>) -> Result<Array1<f32>, DataError> {
    if pixels.nrows() == 0 {
        let allowed = "give at least one".into();
        return Err(DataError::Setting {
            name: "the number of images to average",
            value: "0".into(),
            allowed,
        });
    }
    let mut sums = Array1::<u64>::zeros(pixels.ncols());
    for image in pixels.rows() {
        sums.zip_mut_with(&image, |sum, &value| *sum += u64::from(value));
    }
    Ok(sums.mapv(|sum| (sum as f64 / pixels.nrows() as f64) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Crop;

    #[test]
    fn means_are_exact_and_can_be_cropped() {
        let pixels = ndarray::Array2::from_shape_fn((4, 9), |(n, value)| (n * 60 + value) as u8);
        let mean = mean_image(pixels.view()).unwrap();
        assert_eq!(mean.to_vec(), (0..9).map(|value| 90.0 + value as f32).collect::<Vec<_>>());
        let image = mean.to_shape((3, 3, 1)).unwrap();
        let centre = Crop::centre([3, 3], [1, 1]).apply(image.view());
        assert_eq!(centre[(0, 0, 0)], 94.0);
        assert!(mean_image(ndarray::Array2::zeros((0, 9)).view()).is_err());
    }
}
