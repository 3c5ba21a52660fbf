//! Where descents begin.

use std::f64::consts::TAU;

use ndarray::Array2;

use super::Wave;

/// Peaks of the spectrum that are tried.
const PEAKS: usize = 4;

/// Waves at the strongest peaks of the spectrum of a filter, each with a narrow and a wide envelope where the filter is
/// strongest, and the best factors of cosine and sine.
pub(super) fn starts(filter: &Array2<f64>) -> Vec<Wave> {
    let (height, width) = filter.dim();
    let energy: f64 = filter.iter().map(|value| value * value).sum();
    let mean = |place: &dyn Fn(usize, usize) -> usize| {
        filter.indexed_iter().map(|((y, x), value)| value * value * place(y, x) as f64).sum::<f64>() / energy
    };
    let (y0, x0) = (mean(&|y, _| y), mean(&|_, x| x));
    let side = height.max(width);
    let mut starts = Vec::new();
    for [down, across] in peaks(filter) {
        for deviation in [side as f64 / 8.0, side as f64 / 4.0] {
            let log = deviation.max(1.0).ln();
            let values = [x0, y0, down.atan2(across), log, log, down.hypot(across), 0.0, 0.0];
            starts.push(with_best_factors(Wave { values }, filter));
        }
    }
    starts
}

/// Frequencies, down and across, at which the spectrum is largest, at least a cycle a filter apart. They are looked for at
/// steps of half a cycle a filter, in one half of the plane: in the other half it is the same.
fn peaks(filter: &Array2<f64>) -> Vec<[f64; 2]> {
    let (height, width) = filter.dim();
    let mut found = Vec::new();
    for down in 0..=height {
        for across in 0..=2 * width {
            let frequency =
                [down as f64 / (2 * height) as f64, (across as f64 - width as f64) / (2 * width) as f64];
            let (mut even, mut odd) = (0.0, 0.0);
            for ((y, x), value) in filter.indexed_iter() {
                let (sine, cosine) = (TAU * (frequency[0] * y as f64 + frequency[1] * x as f64)).sin_cos();
                even += value * cosine;
                odd += value * sine;
            }
            found.push((even * even + odd * odd, frequency));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut peaks: Vec<[f64; 2]> = Vec::new();
    for (_, [down, across]) in found {
        let near = |peak: &[f64; 2]| {
            let distance = |sign: f64| {
                ((down - sign * peak[0]) * height as f64).hypot((across - sign * peak[1]) * width as f64)
            };
            distance(1.0) < 1.0 || distance(-1.0) < 1.0
        };
        if !peaks.iter().any(near) {
            peaks.push([down, across]);
            if peaks.len() == PEAKS {
                break;
            }
        }
    }
    peaks
}

/// The same with a and b of least squares.
fn with_best_factors(mut wave: Wave, filter: &Array2<f64>) -> Wave {
    let (mut even, mut odd, mut both, mut of_even, mut of_odd) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for ((y, x), value) in filter.indexed_iter() {
        let [.., a, b] = wave.at(y, x).1;
        even += a * a;
        odd += b * b;
        both += a * b;
        of_even += a * value;
        of_odd += b * value;
    }
    // A trace of ridge, as a wave of frequency 0 has no sine.
    (even, odd) = (even * (1.0 + 1e-9) + 1e-12, odd * (1.0 + 1e-9) + 1e-12);
    let determinant = even * odd - both * both;
    wave.values[6] = (of_even * odd - of_odd * both) / determinant;
    wave.values[7] = (of_odd * even - of_even * both) / determinant;
    wave
}
