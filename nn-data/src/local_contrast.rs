//! Local contrast normalisation of whole images.

use ndarray::{Array2, Array3, ArrayView3, Axis};

use crate::DataError;

/// What is divided by where an image varies little.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ContrastFloor {
    /// A number, in the unit of the pixels: 0.01 in Le and others, "Building high-level features using large scale
    /// unsupervised learning", 2012.
    Constant(f32),
    /// The mean over the image of its local deviation: Jarrett and others, "What is the best multi-stage architecture for
    /// object recognition?", 2009.
    MeanDeviation,
}

/// Differences from the mean up to this share of the largest magnitude in the image are those of rounding, and taken as 0.
const ROUNDING: f64 = 1e-12;

/// Subtracts from each pixel the weighted mean around it, and divides by the weighted deviation around it:
///
/// v = x − w∗x, σ = √(w∗v²), y = v / max(c, σ)
///
/// for images x of height × width × channels. w is a Gaussian window of `size` × `size` pixels (odd) and standard deviation
/// size / 4 over all channels; its weights sum to 1, at the border those that lie within the image, so that nothing is
/// assumed beyond. c is the floor. A pixel of σ = c = 0 becomes 0. Costs 4 · size a value.
///
/// # Errors
///
/// [`DataError::Setting`] for an even size and for a constant floor that is negative or not finite.
pub fn normalize(
    image: ArrayView3<'_, f32>,
    size: usize,
    floor: ContrastFloor,
) -> Result<Array3<f32>, DataError> {
    if size.is_multiple_of(2) {
        let (value, allowed) = (size.to_string(), "give an odd number of pixels".into());
        return Err(DataError::Setting { name: "the size of the surround", value, allowed });
    }
    if let ContrastFloor::Constant(value) = floor
        && !(value >= 0.0 && value.is_finite())
    {
        let (value, allowed) = (value.to_string(), "give 0 or more".into());
        return Err(DataError::Setting { name: "the floor of the contrast", value, allowed });
    }
    let weights = window(size);
    let mut values = image.mapv(f64::from);
    let mean = surround(&values, &weights);
    let rounding = ROUNDING * values.iter().fold(0.0f64, |largest, value| value.abs().max(largest));
    values -= &mean.insert_axis(Axis(2));
    values.mapv_inplace(|value| if value.abs() > rounding { value } else { 0.0 });
    let deviation = surround(&(&values * &values), &weights).mapv(f64::sqrt);
    let floor = match floor {
        ContrastFloor::Constant(floor) => f64::from(floor),
        ContrastFloor::MeanDeviation => deviation.mean().unwrap_or(0.0),
    };
    let divisor =
        deviation.mapv(|deviation| if deviation.max(floor) > 0.0 { deviation.max(floor) } else { 1.0 });
    values /= &divisor.insert_axis(Axis(2));
    Ok(values.mapv(|value| value as f32))
}

/// A Gaussian of standard deviation size / 4 at −size/2 … size/2.
fn window(size: usize) -> Vec<f64> {
    let (middle, deviation) = ((size / 2) as f64, size as f64 / 4.0);
    (0..size).map(|at| (-0.5 * ((at as f64 - middle) / deviation).powi(2)).exp()).collect()
}

/// The weighted mean around each pixel, over all channels.
fn surround(values: &Array3<f64>, weights: &[f64]) -> Array2<f64> {
    let over_channels = values.sum_axis(Axis(2)) / values.dim().2.max(1) as f64;
    let across = along(&over_channels, weights);
    along(&across.t().as_standard_layout().into_owned(), weights).t().as_standard_layout().into_owned()
}

/// The weighted mean around each value of its row.
fn along(rows: &Array2<f64>, weights: &[f64]) -> Array2<f64> {
    let reach = weights.len() / 2;
    Array2::from_shape_fn(rows.dim(), |(y, x)| {
        let (mut sum, mut total) = (0.0, 0.0);
        for at in x.saturating_sub(reach)..(x + reach + 1).min(rows.ncols()) {
            let weight = weights[at + reach - x];
            sum += weight * rows[(y, at)];
            total += weight;
        }
        sum / total
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Array3<f32> {
        Array3::from_shape_fn((7, 9, 2), |(y, x, c)| {
            ((y * 37 + x * x * 11 + c * 5 + y * x) % 13) as f32 / 3.0
        })
    }

    /// Each pixel from the definition, with the two-dimensional window.
    fn by_definition(image: &Array3<f32>, size: usize, floor: f64) -> Array3<f64> {
        let (height, width, channels) = image.dim();
        let (weights, reach) = (window(size), size / 2);
        let around = |values: &Array3<f64>| {
            Array2::from_shape_fn((height, width), |(y, x)| {
                let (mut sum, mut total) = (0.0, 0.0);
                for v in 0..height {
                    for u in 0..width {
                        if v.abs_diff(y) <= reach && u.abs_diff(x) <= reach {
                            let weight = weights[v + reach - y] * weights[u + reach - x];
                            total += weight * channels as f64;
                            sum += weight * (0..channels).map(|c| values[(v, u, c)]).sum::<f64>();
                        }
                    }
                }
                sum / total
            })
        };
        let values = image.mapv(f64::from);
        let centred = &values - &around(&values).insert_axis(Axis(2));
        let deviation = around(&(&centred * &centred)).mapv(|square| square.sqrt().max(floor));
        &centred / &deviation.insert_axis(Axis(2))
    }

    #[test]
    fn every_pixel_is_as_defined() {
        for (size, floor) in [(3, 0.01f32), (5, 2.0), (1, 0.5)] {
            let found = normalize(image().view(), size, ContrastFloor::Constant(floor)).unwrap();
            let wanted = by_definition(&image(), size, f64::from(floor));
            assert!(found.iter().zip(&wanted).all(|(&f, &w)| (f64::from(f) - w).abs() < 1e-5), "{size}");
        }
    }

    #[test]
    fn contrast_and_brightness_drop_out() {
        let floor = ContrastFloor::MeanDeviation;
        let plain = normalize(image().view(), 5, floor).unwrap();
        let brighter = normalize((image() * 4.0 + 7.0).view(), 5, floor).unwrap();
        assert!((&plain - &brighter).iter().all(|off| off.abs() < 1e-4));
        assert!(plain.iter().any(|value| value.abs() > 0.5));
    }

    #[test]
    fn flat_images_become_zero_also_at_the_border() {
        let flat = Array3::from_elem((6, 6, 3), 0.7f32);
        for floor in [ContrastFloor::Constant(0.01), ContrastFloor::MeanDeviation] {
            let found = normalize(flat.view(), 5, floor).unwrap();
            assert!(found.iter().all(|value| value.abs() < 1e-2 && value.is_finite()), "{found}");
        }
        assert!(normalize(flat.view(), 4, ContrastFloor::MeanDeviation).is_err());
        assert!(normalize(flat.view(), 5, ContrastFloor::Constant(-1.0)).is_err());
    }
}
