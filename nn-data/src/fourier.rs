//! Filters given by their gain at each frequency.

use ndarray::{Array2, ArrayViewMut2};
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};

/// Multiplies each frequency of an image by `gain(f)`, f ≥ 0 in cycles a pixel whatever the direction: up to 0.5 along
/// the axes, √0.5 along the diagonals. The image is taken as periodic. In double precision.
pub(crate) fn filter(mut image: ArrayViewMut2<'_, f32>, gain: impl Fn(f64) -> f64) {
    let (height, width) = image.dim();
    let mut planner = FftPlanner::new();
    let mut spectrum = image.mapv(|value| Complex::new(f64::from(value), 0.0));
    spectrum = transformed(
        transformed(spectrum, &*planner.plan_fft_forward(width)),
        &*planner.plan_fft_forward(height),
    );
    let scale = 1.0 / (height * width) as f64;
    for ((y, x), value) in spectrum.indexed_iter_mut() {
        *value *= scale * gain(frequency(y, height).hypot(frequency(x, width)));
    }
    spectrum = transformed(
        transformed(spectrum, &*planner.plan_fft_inverse(width)),
        &*planner.plan_fft_inverse(height),
    );
    image.zip_mut_with(&spectrum, |out, value| *out = value.re as f32);
}

/// The transform of every row, then transposed: two of them are that of an image.
fn transformed(mut rows: Array2<Complex<f64>>, along: &dyn Fft<f64>) -> Array2<Complex<f64>> {
    along.process(rows.as_slice_mut().expect("a new array is contiguous"));
    rows.t().as_standard_layout().into_owned()
}

/// Cycles a pixel of coefficient `at` of `count`, without its sign.
fn frequency(at: usize, count: usize) -> f64 {
    at.min(count - at) as f64 / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_multiplied_by_the_gain_of_its_frequency() {
        let wave = Array2::from_shape_fn((10, 15), |(y, x)| {
            (std::f64::consts::TAU * (3.0 * y as f64 / 10.0 + 6.0 * x as f64 / 15.0) + 1.0).cos() as f32
        });
        let mut filtered = &wave + 2.0;
        filter(filtered.view_mut(), |frequency| if frequency == 0.0 { -1.0 } else { frequency });
        // 0.3 cycles a pixel down, 0.4 across: 0.5 along the wave.
        assert!((&filtered - &(&wave * 0.5 - 2.0)).iter().all(|off| off.abs() < 1e-6));
    }
}
