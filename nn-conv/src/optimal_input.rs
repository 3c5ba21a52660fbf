//! What a unit responds to most: by gradient ascent, and for random filters by their spectrum.

use crate::geometry::check_number;
use ndarray::{Array1, Array2, ArrayView1};
use nn_core::{
    ACC, Device, Error, Key, Network, OLD, Over, Pass, Reduction, Tensor, Window, init::normal,
    network::Workspace, x,
};
use std::f64::consts::TAU;

/// Gradient ascent on the unit ball: x ← x + η · g / |g|, then x ← x / max(1, |x|), with η falling in equal steps to 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// Steps.
    pub steps: usize,
    /// η at first, a length in the space of inputs.
    pub rate: f64,
}

impl Default for Ascent {
    /// 300 steps from a length of 0.2.
    fn default() -> Self {
        Ascent { steps: 300, rate: 0.2 }
    }
}

impl Ascent {
    /// Inputs of norm at most 1, one a row, at which these outputs of the network's last layer are largest: local maxima,
    /// each from a start of its own on the sphere, drawn with `key`. For a hidden unit, use the network up to its layer.
    /// Nothing is read from the device.
    ///
    /// # Errors
    /// [`Error::Setting`] for a rate that is not positive, a unit that the network does not have, or no unit.
    pub fn optimal_inputs(
        &self,
        device: &Device,
        network: &Network,
        units: &[usize],
        key: Key,
    ) -> Result<Tensor, Error> {
        check_number("optimal input", "rate", self.rate, "it is above 0", self.rate > 0.0)?;
        let (inputs, outputs, cases) = (network.inputs(), network.outputs(), units.len());
        if let Some(unit) = units.iter().find(|unit| **unit >= outputs) {
            return Err(Error::setting("unit", unit, &format!("the network has {outputs}, counted from 0")));
        }
        if units.is_empty() {
            return Err(Error::setting("units", 0, "there is at least one to look at"));
        }
        let chosen =
            Array2::from_shape_fn((cases, outputs), |(case, unit)| f32::from(u8::from(units[case] == unit)));
        let chosen = device.tensor(&chosen);
        let mut at = normal(device, cases, inputs, 1.0, key);
        let mut length = device.zeros(cases, 1);
        let (mut gradient, mut workspace) = (device.zeros(cases, inputs), Workspace::new());
        norm(&mut length, &at);
        at.assign(OLD / x(&length));
        for step in 0..self.steps {
            let rate = self.rate * (1.0 - step as f64 / self.steps as f64);
            network.forward(at.view(), &mut workspace, Pass::Testing);
            network.input_gradient(at.view(), x(&chosen), &mut workspace, gradient.view_mut());
            norm(&mut length, &gradient);
            at.assign(OLD + x(&gradient) * (rate / x(&length).max(SMALLEST)));
            norm(&mut length, &at);
            at.assign(OLD / x(&length).max(1.0));
        }
        Ok(at)
    }
}

/// Where a gradient is 0, the input stays.
const SMALLEST: f64 = 1e-20;

/// The Euclidean length of each row.
fn norm(out: &mut Tensor, rows: &Tensor) {
    let squares = x(rows).square();
    out.reduce([rows.rows(), rows.columns()], Over::Columns, Reduction::Sum, squares, ACC.sqrt());
}

/// The best input of a unit that pools the squares of one filter's responses everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Sinusoid {
    /// Periods down and across the image.
    pub frequency: [usize; 2],
    /// √(Σ responses²) for the image, which is the largest for any image of norm 1.
    pub response: f64,
    /// Of norm 1, height · width · channels.
    pub image: Array1<f64>,
}

/// The image of norm 1 that excites a unit y = √(Σ over positions of (filter · patch)²) most, where patches go around the
/// edges of the image (circular convolution): a sinusoid at the frequency at which the spectrum of the filter is largest,
/// whatever the filter.
///
/// With G_c(ω) = Σ f_c(q) · e^(iω·q), the image is Re(Ḡ_c(ω) · e^(iω·n)) at pixel n of channel c for the ω with the
/// largest Σ_c |G_c(ω)|², and the response is the root of that sum. Where windows stop at the edges the optimum is near
/// this one, in frequency; [`Ascent`] finds it.
///
/// `filter` is a column of the weights of a [`Convolution`](crate::Convolution) over `window`; stride and padding play no
/// part. Costs kernel area · channels for each of height · width frequencies.
///
/// Source: Saxe, Koh, Chen, Bhand, Suresh and Ng, "On random weights and unsupervised feature learning", 2011.
///
/// # Panics
/// If the filter is not one of the window's patches.
#[track_caller]
pub fn optimal_sinusoid(filter: ArrayView1<'_, f64>, window: &Window) -> Sinusoid {
    assert!(filter.len() == window.patch_len(), "a filter of {} weights for {window:?}", filter.len());
    let (height, width, channels) = (window.height, window.width, window.channels);
    let phase = |frequency: [usize; 2], row: usize, column: usize| {
        let down = (frequency[0] * row) as f64 / height as f64;
        TAU * (down + (frequency[1] * column) as f64 / width as f64)
    };
    // (Re, Im) of G_c.
    let spectrum = |frequency: [usize; 2]| {
        let mut sums = vec![(0.0, 0.0); channels];
        for (at, weight) in filter.iter().enumerate() {
            let (tap, channel) = (at / channels, at % channels);
            let angle = phase(frequency, tap / window.kernel[1], tap % window.kernel[1]);
            sums[channel].0 += weight * angle.cos();
            sums[channel].1 += weight * angle.sin();
        }
        sums
    };
    let energy = |sums: &[(f64, f64)]| sums.iter().map(|(re, im)| re * re + im * im).sum::<f64>();
    let (mut best, mut largest) = ([0, 0], f64::NEG_INFINITY);
    // The other half of the frequencies are the same sinusoids.
    for frequency in (0..height).flat_map(|down| (0..=width / 2).map(move |across| [down, across])) {
        let found = energy(&spectrum(frequency));
        if found > largest {
            (best, largest) = (frequency, found);
        }
    }
    let sums = spectrum(best);
    let mut image = Array1::from_shape_fn(window.image_len(), |at| {
        let (pixel, (re, im)) = (at / channels, sums[at % channels]);
        let angle = phase(best, pixel / width, pixel % width);
        re * angle.cos() + im * angle.sin()
    });
    let length = image.dot(&image).sqrt();
    if length > 0.0 {
        image /= length;
    }
    Sinusoid { frequency: best, response: largest.max(0.0).sqrt(), image }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Convolution, Pool, Pooling};
    use nn_core::{Activation, Loss, init::Initialization, network::named};

    /// One random filter over 8×8 pixels and the pool of the squares of all its responses.
    fn unit(device: &Device, seed: u64) -> (Network, Array2<f64>, Window) {
        let window = Window::new(8, 8, 1, 3);
        let filters = crate::Filters::new(window, 1);
        let draw = Initialization::Normal { deviation: 1.0 };
        let convolution =
            Convolution::new(device, filters, Activation::Identity, draw, Key::new(seed)).unwrap();
        let weights = convolution.weights.to_array_f64().unwrap();
        let pool = Pooling::new(Window::new(6, 6, 1, 6), Pool::Norm(2.0), Activation::Identity).unwrap();
        let layers = vec![named("convolution", convolution), named("pool", pool)];
        (Network::new(layers, Loss::SquaredError).unwrap(), weights, window)
    }

    /// √ of the largest eigenvalue of Σ over positions of (patch of the filter)(the same)ᵀ, by power iteration.
    fn largest_response(filter: &Array2<f64>, window: &Window) -> f64 {
        let [down, across] = window.positions();
        let rows = Array2::from_shape_fn((down * across, window.image_len()), |(position, pixel)| {
            let y = (pixel / window.width).checked_sub(position / across);
            let x = (pixel % window.width).checked_sub(position % across);
            match (y, x) {
                (Some(y), Some(x)) if y < 3 && x < 3 => filter[[y * 3 + x, 0]],
                _ => 0.0,
            }
        });
        let mut at =
            Array1::from_elem(window.image_len(), 1.0) + Array1::linspace(0.0, 1.0, window.image_len());
        for _ in 0..20_000 {
            at = rows.t().dot(&rows.dot(&at));
            at /= at.dot(&at).sqrt();
        }
        let y = rows.dot(&at);
        y.dot(&y).sqrt()
    }

    #[test]
    fn ascent_finds_the_largest_eigenvector() {
        let device = Device::reference();
        for seed in 0..3 {
            let (network, filter, window) = unit(&device, seed);
            let ascent = Ascent { steps: 1000, rate: 1.0 };
            let found = ascent.optimal_inputs(&device, &network, &[0, 0], Key::new(7)).unwrap();
            let responses = network.predict(found.view()).to_array_f64().unwrap();
            let largest = largest_response(&filter, &window);
            for (row, response) in found.to_array_f64().unwrap().rows().into_iter().zip(&responses) {
                assert!((row.dot(&row).sqrt() - 1.0).abs() < 1e-9);
                assert!(*response <= largest * (1.0 + 1e-9), "{response} above {largest}");
                assert!(*response > 0.995 * largest, "{response} of {largest}");
            }
        }
    }

    /// Responses of a filter around the edges.
    fn circular(filter: &Array1<f64>, image: &Array1<f64>, window: &Window) -> f64 {
        let (height, width, channels) = (window.height, window.width, window.channels);
        let mut sum = 0.0;
        for position in 0..height * width {
            let mut response = 0.0;
            for (at, weight) in filter.iter().enumerate() {
                let (tap, channel) = (at / channels, at % channels);
                let y = (position / width + tap / window.kernel[1]) % height;
                let x = (position % width + tap % window.kernel[1]) % width;
                response += weight * image[(y * width + x) * channels + channel];
            }
            sum += f64::powi(response, 2);
        }
        sum.sqrt()
    }

    #[test]
    fn the_sinusoid_is_the_optimum_around_the_edges() {
        let window = Window { kernel: [3, 2], ..Window::new(6, 5, 2, 1) };
        for seed in 0..5u64 {
            let draw =
                |seed: u64, len: usize| Array1::from_shape_fn(len, |i| Key::new(seed).normal(i as u64));
            let filter = draw(seed, window.patch_len());
            let sinusoid = optimal_sinusoid(filter.view(), &window);
            let response = circular(&filter, &sinusoid.image, &window);
            assert!((response - sinusoid.response).abs() < 1e-9, "{response} {sinusoid:?}");
            assert!((sinusoid.image.dot(&sinusoid.image) - 1.0).abs() < 1e-9);
            // No other image does better: many random ones, and small steps away.
            for other in 0..200 {
                let noise = draw(100 + other, window.image_len());
                let step = if other % 2 == 0 { 1e3 } else { 0.1 };
                let mut image = &sinusoid.image + &(noise * step);
                image /= image.dot(&image).sqrt();
                assert!(circular(&filter, &image, &window) < response + 1e-9);
            }
        }
    }

    /// Where windows stop at the edges the best input has nearly the energy, and mostly the frequency, of the sinusoid.
    #[test]
    fn random_filters_like_their_sinusoid() {
        let device = Device::reference();
        let (network, filter, window) = unit(&device, 1);
        let sinusoid = optimal_sinusoid(filter.column(0), &window);
        let image = device.tensor_f64(&sinusoid.image.clone().insert_axis(ndarray::Axis(0)));
        let response = network.predict(image.view()).to_array_f64().unwrap()[[0, 0]];
        let largest = largest_response(&filter, &window);
        assert!(response < largest && response > 0.6 * largest, "{response} of {largest}");
        assert!(largest < sinusoid.response);
    }

    #[test]
    fn units_that_are_not_there_are_refused() {
        let device = Device::cpu();
        let (network, ..) = unit(&device, 1);
        let message = |units: &[usize], rate| {
            let ascent = Ascent { rate, ..Ascent::default() };
            ascent.optimal_inputs(&device, &network, units, Key::new(1)).unwrap_err().to_string()
        };
        assert_eq!(message(&[0, 1], 0.1), "unit is 1, but the network has 1, counted from 0");
        assert!(message(&[], 0.1).contains("units is 0"));
        assert!(message(&[0], -0.1).contains("rate is -0.1"));
    }
}
