//! Gabor functions fitted to filters: how much like a simple cell of the visual cortex a filter is.

mod start;

use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2};
use nn_core::Key;

use crate::factor::Factor;

/// A Gabor function fitted to a filter: a Gaussian times a wave that runs along one of its axes,
///
/// g = exp(−u²/2σ_u² − v²/2σ_v²) · A cos(2πfu + φ),
///
/// u = (x − x₀) cos θ + (y − y₀) sin θ, v = −(x − x₀) sin θ + (y − y₀) cos θ, in pixels, y downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaborFit {
    /// y₀ and x₀, from the centre of the first pixel.
    pub centre: [f64; 2],
    /// θ, in [0, π): the direction in which the wave runs, across the edges that the filter sees.
    pub orientation: f64,
    /// f ≥ 0, cycles a pixel.
    pub frequency: f64,
    /// σ_u and σ_v, along and across the wave. Times the frequency they are n_x and n_y of the literature.
    pub deviations: [f64; 2],
    /// φ, in (−π, π]: 0 is even, π/2 odd.
    pub phase: f64,
    /// A ≥ 0.
    pub amplitude: f64,
    /// R²: 1 − Σ (w − g)² / Σ w² over the filter w less its mean. 0 of a flat one. Noise reaches 0.5 with ease, if it is
    /// smooth: compare with [`noise_filter`].
    pub explained: f64,
}

/// Steps of a descent, at most.
const STEPS: usize = 60;
/// What the error has to fall by, as a share, for a descent to go on.
const PROGRESS: f64 = 1e-7;
/// The narrowest envelope, in pixels: below it one pixel would be a Gabor function.
const NARROWEST: f64 = 0.6;

impl GaborFit {
    /// The best of several descents by Levenberg and Marquardt's method, from up to four peaks of the spectrum with a narrow
    /// and a wide envelope. The phase needs no starts of its own, as the wave is fitted as a sum of cosine and sine. Costs
    /// about 10⁵ operations a pixel.
    ///
    /// # Panics
    ///
    /// If a side of the filter, height × width, is below 3.
    #[track_caller]
    pub fn of(filter: ArrayView2<'_, f64>) -> GaborFit {
        let (height, width) = filter.dim();
        assert!(height >= 3 && width >= 3, "a Gabor function for a filter of {height} by {width} pixels");
        let centred = &filter - filter.mean().unwrap_or(0.0);
        let total: f64 = centred.iter().map(|value| value * value).sum();
        let scale = filter.iter().fold(0.0f64, |largest, value| value.abs().max(largest));
        let mut best = Wave { values: [0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.0, 0.0] };
        let mut least = total;
        if total > 1e-20 * scale * scale {
            for start in start::starts(&centred) {
                let (wave, error) = start.descend(&centred);
                if error < least {
                    (best, least) = (wave, error);
                }
            }
        }
        best.described(if least < total { 1.0 - least / total } else { 0.0 })
    }

    /// The function itself, height × width.
    pub fn values(&self, [height, width]: [usize; 2]) -> Array2<f64> {
        let (sine, cosine) = self.orientation.sin_cos();
        Array2::from_shape_fn((height, width), |(y, x)| {
            let (y, x) = (y as f64 - self.centre[0], x as f64 - self.centre[1]);
            let (u, v) = (x * cosine + y * sine, y * cosine - x * sine);
            let envelope = -0.5 * ((u / self.deviations[0]).powi(2) + (v / self.deviations[1]).powi(2));
            self.amplitude * envelope.exp() * (TAU * self.frequency * u + self.phase).cos()
        })
    }
}

/// The parameters of a descent: x₀, y₀, θ, log σ_u, log σ_v, f, and a and b of a cos(2πfu) + b sin(2πfu).
#[derive(Clone, Copy, Debug)]
struct Wave {
    values: [f64; 8],
}

impl Wave {
    /// The function at a pixel, and its derivatives.
    fn at(&self, y: usize, x: usize) -> (f64, [f64; 8]) {
        let [x0, y0, theta, log_u, log_v, frequency, a, b] = self.values;
        let (sine, cosine) = theta.sin_cos();
        let (y, x) = (y as f64 - y0, x as f64 - x0);
        let (u, v) = (x * cosine + y * sine, y * cosine - x * sine);
        let [precision_u, precision_v] = [log_u, log_v].map(|log| (-2.0 * log).exp());
        let envelope = (-0.5 * (u * u * precision_u + v * v * precision_v)).exp();
        let (odd, even) = (TAU * frequency * u).sin_cos();
        let (wave, slope) = (a * even + b * odd, b * even - a * odd);
        let along_u = envelope * (TAU * frequency * slope - u * precision_u * wave);
        let along_v = -envelope * v * precision_v * wave;
        let derivatives = [
            -cosine * along_u + sine * along_v,
            -sine * along_u - cosine * along_v,
            v * along_u - u * along_v,
            envelope * wave * u * u * precision_u,
            envelope * wave * v * v * precision_v,
            envelope * slope * TAU * u,
            envelope * even,
            envelope * odd,
        ];
        (envelope * wave, derivatives)
    }

    fn error(&self, filter: &Array2<f64>) -> f64 {
        filter.indexed_iter().map(|((y, x), value)| (value - self.at(y, x).0).powi(2)).sum()
    }

    /// Whether centre, envelope and frequency are such as a filter of this size can show.
    fn is_sensible(&self, (height, width): (usize, usize)) -> bool {
        let [x0, y0, _, log_u, log_v, frequency, ..] = self.values;
        let within = |at: f64, side: usize| (-0.5..=side as f64 - 0.5).contains(&at);
        let largest = (2.0 * height.max(width) as f64).ln();
        let wide = |log: f64| (NARROWEST.ln()..=largest).contains(&log);
        within(x0, width)
            && within(y0, height)
            && wide(log_u)
            && wide(log_v)
            && (0.0..=0.75).contains(&frequency)
    }

    /// Steps δ of (JᵀJ + μ diag JᵀJ)·δ = Jᵀr, with μ smaller after success and larger after failure.
    fn descend(mut self, filter: &Array2<f64>) -> (Wave, f64) {
        let mut error = self.error(filter);
        let mut damping = 1e-2;
        for _ in 0..STEPS {
            let (mut curvature, mut pull) = ([[0.0; 8]; 8], [0.0; 8]);
            for ((y, x), value) in filter.indexed_iter() {
                let (found, slopes) = self.at(y, x);
                for row in 0..8 {
                    pull[row] += slopes[row] * (value - found);
                    for column in 0..=row {
                        curvature[row][column] += slopes[row] * slopes[column];
                    }
                }
            }
            let before = error;
            while damping < 1e8 {
                let mut factor = Factor::default();
                let damped = |row: usize| curvature[row][row] * (1.0 + damping) + f64::MIN_POSITIVE;
                let mut step = pull;
                if (0..8).all(|row| factor.push(curvature[row][..row].iter().copied(), damped(row))) {
                    factor.solve(&mut step);
                    let mut moved = self;
                    moved.values.iter_mut().zip(step).for_each(|(value, step)| *value += step);
                    let found =
                        if moved.is_sensible(filter.dim()) { moved.error(filter) } else { f64::INFINITY };
                    if found < error {
                        (self, error, damping) = (moved, found, damping * 0.2);
                        break;
                    }
                }
                damping *= 5.0;
            }
            if error >= before * (1.0 - PROGRESS) {
                break;
            }
        }
        (self, error)
    }

    fn described(&self, explained: f64) -> GaborFit {
        let [x0, y0, theta, log_u, log_v, frequency, a, b] = self.values;
        // Turned by π, a wave runs the other way.
        let turns = (theta / std::f64::consts::PI).floor();
        let b = if turns.rem_euclid(2.0) == 1.0 { -b } else { b };
        GaborFit {
            centre: [y0, x0],
            orientation: (theta - turns * std::f64::consts::PI).max(0.0),
            frequency,
            deviations: [log_u.exp(), log_v.exp()],
            phase: (-b).atan2(a),
            amplitude: a.hypot(b),
            explained,
        }
    }
}

/// A filter of noise, height × width, as a control: normal draws, smoothed by a Gaussian of this deviation in pixels, 0 for
/// none. What fits noise as well as a learned filter says nothing of the learned one.
pub fn noise_filter([height, width]: [usize; 2], smoothing: f64, key: Key) -> Array2<f64> {
    let reach = (3.0 * smoothing).ceil() as usize;
    let (rows, columns) = (height + 2 * reach, width + 2 * reach);
    let noise = Array2::from_shape_fn((rows, columns), |(y, x)| key.normal((y * columns + x) as u64));
    let weight = |offset: usize| (-0.5 * ((offset as f64 - reach as f64) / smoothing).powi(2)).exp();
    let weights: Vec<f64> =
        (0..=2 * reach).map(|offset| if reach == 0 { 1.0 } else { weight(offset) }).collect();
    let across = Array2::from_shape_fn((rows, width), |(y, x)| {
        weights.iter().enumerate().map(|(at, weight)| weight * noise[(y, x + at)]).sum::<f64>()
    });
    Array2::from_shape_fn((height, width), |(y, x)| {
        weights.iter().enumerate().map(|(at, weight)| weight * across[(y + at, x)]).sum()
    })
}

#[cfg(test)]
mod tests;
