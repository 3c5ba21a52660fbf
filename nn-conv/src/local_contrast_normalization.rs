//! Local contrast normalisation: subtraction of the surround, division by its deviation.

use crate::{
    geometry::{check_number, reshaped},
    response_normalization::check_image,
};
use ndarray::Array2;
use nn_core::{
    ACC, Device, Error, Expr, Layer, OLD, Operand, Over, Parameters, Pass, Reduction, Sum, Tensor, View,
    ViewMut, Window, x,
};

/// v = u − Σ w · u, y = v / max(c, σ), with σ = √(Σ w · v²) at each pixel and c the mean of σ over the image.
///
/// Both sums are over all maps and a size × size surround with Gaussian weights w that sum to one. At the edges the
/// weights outside the image do not count, and those inside are scaled to sum to one.
///
/// Inputs and outputs are cases × (height · width · maps). No parameters. The sums run over one channel each: maps are
/// summed first. The gradient is exact, also through c.
///
/// Sources: Pinto, Cox and DiCarlo, "Why is real-world visual object recognition hard?", 2008; Jarrett, Kavukcuoglu,
/// Ranzato and LeCun, "What is the best multi-stage architecture for object recognition?", 2009, section 2.1. Departures:
/// the paper does not say what happens at the edges; and the divisor is at least [`SMALLEST_DEVIATION`], so that an image
/// without contrast gives 0.
#[derive(Debug)]
pub struct LocalContrastNormalization {
    /// Of one channel, as far from the edges as the surround reaches.
    window: Window,
    maps: usize,
    deviation: f64,
}

/// The least that local contrast normalisation divides by.
pub const SMALLEST_DEVIATION: f64 = 1e-6;
/// Keeps ∂σ/∂σ² finite; where σ is 0, so is every v that it multiplies.
const SMALLEST_ROOT: f64 = 1e-30;

impl LocalContrastNormalization {
    /// For images of height × width × maps, with a surround of `size` pixels on a side and this standard deviation of
    /// the weights, in pixels. Jarrett and others: 9 pixels.
    ///
    /// # Errors
    /// [`Error::Setting`] for an empty image, an even size or one above the shorter side of the image, or a deviation
    /// that is not positive.
    pub fn new(image: [usize; 3], size: usize, deviation: f64) -> Result<LocalContrastNormalization, Error> {
        let layer = "local contrast normalisation";
        check_image(layer, image)?;
        let [height, width, maps] = image;
        if size.is_multiple_of(2) || size > height.min(width) {
            let allowed = format!("it is odd and at most {}", height.min(width));
            return Err(Error::setting(&format!("{layer}: size"), size, &allowed));
        }
        check_number(layer, "deviation", deviation, "it is finite and above 0", deviation > 0.0)?;
        let window = Window::new(height, width, 1, size).padding(size / 2);
        Ok(LocalContrastNormalization { window, maps, deviation })
    }

    fn pixels(&self) -> usize {
        self.window.image_len()
    }

    /// w, size² × 1.
    fn weights(&self) -> Array2<f64> {
        let [size, _] = self.window.kernel;
        let squared = |at: usize| (at as f64 - (size / 2) as f64).powi(2);
        let weight = |(tap, _): (usize, usize)| {
            (-(squared(tap / size) + squared(tap % size)) / (2.0 * self.deviation.powi(2))).exp()
        };
        let weights = Array2::from_shape_fn((size * size, 1), weight);
        let sum = weights.sum();
        weights / sum
    }

    /// Σ w over the surround of each pixel, without what lies outside, into pixels of other images: its own adjoint, as
    /// w is symmetric.
    fn blur(&self, out: &mut Tensor, weights: &Tensor, images: &Tensor) {
        reshaped(out, images.len(), 1, |out| {
            out.product(Operand::patches(images, &self.window).dot(weights), ACC);
        });
    }

    /// Σ over maps, divided by their number, of a formula on cases × (pixels · maps).
    fn over_maps(&self, out: &mut Tensor, formula: Expr<'_>, then: Expr<'_>) {
        let grid = [out.rows(), out.columns() * self.maps];
        let mean = ACC * (1.0 / self.maps as f64);
        out.reduce(grid, Over::Groups(self.maps), Reduction::Sum, formula, then.with_acc(&mean));
    }
}

impl Parameters for LocalContrastNormalization {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

/// Saved: w; 1 / Σ w inside the image, 1 × pixels; Σ w · u and σ, cases × pixels; c, cases × 1; three scratch images and
/// one scratch column.
impl Layer for LocalContrastNormalization {
    fn inputs(&self) -> usize {
        self.pixels() * self.maps
    }
    fn outputs(&self) -> usize {
        self.inputs()
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let weights = device.tensor_f64(&self.weights());
        let mut inside = device.zeros(1, self.pixels());
        self.blur(&mut inside, &weights, &device.full(1, self.pixels(), 1.0));
        inside.assign(1.0 / OLD);
        let image = || device.zeros(cases, self.pixels());
        let column = || device.zeros(cases, 1);
        vec![weights, inside, image(), image(), column(), image(), image(), image(), column()]
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        let [weights, inside, surround, deviation, mean, summed, ..] = saved else {
            unreachable!("as `saved` makes them")
        };
        let inside = || x(&*inside);
        self.over_maps(summed, x(inputs), ACC);
        self.blur(surround, weights, summed);
        surround.assign(OLD * inside());
        let v = || x(inputs) - surround.view().grouped(self.maps);
        self.over_maps(summed, v().square(), ACC);
        self.blur(deviation, weights, summed);
        deviation.assign((OLD * inside()).sqrt());
        let grid = [inputs.rows(), self.pixels()];
        mean.reduce(grid, Over::Columns, Reduction::Sum, &*deviation, ACC * (1.0 / grid[1] as f64));
        let divisor = deviation.view().grouped(self.maps).max(x(&*mean).max(SMALLEST_DEVIATION));
        outputs.assign(v() / divisor);
    }
    fn backward(
        &self,
        inputs: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let [weights, inside, surround, deviation, mean, first, second, third, column] = saved else {
            unreachable!("as `saved` makes them")
        };
        let (maps, weights) = (self.maps, &*weights);
        let (inside, surround, deviation, mean) = (&*inside, &*surround, &*deviation, &*mean);
        let v = || x(inputs) - surround.view().grouped(maps);
        let floor = || x(mean).max(SMALLEST_DEVIATION);
        // By the divisor: first = ∂L/∂ max(c, σ).
        let divisor = || x(deviation).max(floor());
        self.over_maps(first, x(delta) * v(), -ACC * maps as f64 / divisor().square());
        // By c, where it is the larger: an equal part for σ at each pixel.
        let by_mean =
            || x(&*first) * (1.0 - x(mean).less(x(deviation))) * Expr::from(SMALLEST_DEVIATION).less(x(mean));
        let grid = [delta.rows(), self.pixels()];
        column.reduce(grid, Over::Columns, Reduction::Sum, by_mean(), ACC * (1.0 / grid[1] as f64));
        // By σ, by σ², and by the mean over maps of v²: second.
        let by_deviation = x(&*first) * floor().less(x(deviation)) + x(&*column);
        second.assign(by_deviation * x(inside) / x(deviation).max(SMALLEST_ROOT) * 0.5);
        self.blur(third, weights, second);
        // By v, then by u: −Σ of it over maps and surround goes to the pixels that were subtracted.
        let by_v = {
            let third = &*third;
            move || {
                let wide = deviation.view().grouped(maps).max(floor());
                x(delta) / wide + v() * third.view().grouped(maps) * (2.0 / maps as f64)
            }
        };
        self.over_maps(first, by_v(), -ACC * x(inside));
        self.blur(second, weights, first);
        input_gradient.assign(then.with_acc(&(by_v() + second.view().grouped(maps))));
    }
    fn gradients<'a>(&self, _: View<'a>, _: &'a Tensor, _: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_tests::{check_layer, forward, numbers};

    /// Cases of which some have most deviations above their mean, by a corner that stands out.
    fn images(image: [usize; 3]) -> Array2<f64> {
        let mut images = numbers(3, image.iter().product(), 5);
        for at in 0..image[2] * 3 {
            images[[1, at]] *= 6.0;
        }
        images
    }

    #[test]
    fn gradients_and_devices_agree() {
        for (image, size) in [([5, 4, 2], 3), ([5, 6, 1], 5), ([3, 3, 3], 1)] {
            let new = |_: &Device| Ok(Box::new(LocalContrastNormalization::new(image, size, 1.2)?) as Box<_>);
            check_layer(&format!("{image:?} {size}"), new, &images(image), Pass::Testing);
        }
    }

    /// The formulas as they are written, one value after the other.
    #[test]
    fn outputs_are_those_of_plain_loops() {
        let ([height, width, maps], size, deviation) = ([5, 4, 2], 3, 1.2f64);
        let inputs = images([height, width, maps]);
        let layer = LocalContrastNormalization::new([height, width, maps], size, deviation).unwrap();
        let found = forward(&layer, &inputs, Pass::Testing);
        for case in 0..3 {
            let surround = |values: &dyn Fn(usize) -> f64, pixel: usize| {
                let (mut sum, mut weights) = (0.0, 0.0);
                for other in 0..height * width {
                    let down = (other / width).abs_diff(pixel / width);
                    let across = (other % width).abs_diff(pixel % width);
                    if down.max(across) <= size / 2 {
                        let weight =
                            (-((down * down + across * across) as f64) / (2.0 * deviation.powi(2))).exp();
                        weights += weight;
                        sum += weight * (0..maps).map(|map| values(other * maps + map)).sum::<f64>()
                            / maps as f64;
                    }
                }
                sum / weights
            };
            let u = |at: usize| inputs[[case, at]];
            let v: Vec<f64> = (0..40).map(|at| u(at) - surround(&u, at / maps)).collect();
            let sigma: Vec<f64> = (0..20).map(|pixel| surround(&|at| v[at] * v[at], pixel).sqrt()).collect();
            let c = sigma.iter().sum::<f64>() / 20.0;
            for at in 0..40 {
                let expected = v[at] / sigma[at / maps].max(c);
                assert!((found[[case, at]] - expected).abs() < 1e-12, "case {case}, value {at}");
            }
        }
    }

    #[test]
    fn an_image_without_contrast_gives_nothing() {
        for device in [Device::reference(), Device::cpu()] {
            let layer = LocalContrastNormalization::new([5, 5, 2], 3, 1.0).unwrap();
            let (inputs, delta) = (device.zeros(1, 50), device.full(1, 50, 1.0));
            let (mut y, mut gradient, mut saved) =
                (device.zeros(1, 50), device.zeros(1, 50), layer.saved(&device, 1));
            layer.forward(inputs.view(), &mut y, &mut saved, Pass::Testing);
            layer.backward(inputs.view(), &delta, &mut saved, gradient.view_mut(), ACC);
            assert!(y.to_array().unwrap().iter().all(|value| *value == 0.0));
            assert!(gradient.to_array().unwrap().iter().all(|value| value.is_finite()));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message = |size, deviation| {
            LocalContrastNormalization::new([5, 4, 2], size, deviation).unwrap_err().to_string()
        };
        assert_eq!(message(4, 1.0), "local contrast normalisation: size is 4, but it is odd and at most 4");
        assert!(message(5, 1.0).contains("size is 5"));
        assert!(message(3, 0.0).contains("deviation is 0"));
    }
}
