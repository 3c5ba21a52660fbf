//! Stochastic pooling.

use crate::geometry::{check_windows_see_pixels, over_taps, reshaped};
use ndarray::Array2;
use nn_core::{
    ACC, Device, Error, Expr, Layer, Operand, Over, Parameters, Pass, Reduction, Sum, Tensor, View, ViewMut,
    Window, x,
};

/// Draws one of the values a = max(x, 0) under each window with probabilities a / Σa while learning, and gives their mean
/// under these probabilities, Σa² / Σa, afterwards (Zeiler and Fergus, "Stochastic pooling for regularization of deep
/// convolutional neural networks", 2013). A window without a positive value gives 0.
///
/// Windows may overlap and hang over the edge; every window draws by itself. Inputs are cases × (height · width ·
/// channels), outputs cases × (positions · channels). No parameters.
///
/// A formula cannot pick a value by a drawn position, so the patches are written down, as a product with the identity:
/// kernel area² · channels² multiply-adds for each position.
#[derive(Debug)]
pub struct StochasticPooling {
    window: Window,
}

/// The tap of a window that drew nothing: its values count as their mean, or there is no positive one.
const MEAN: f64 = -1.0;
const NONE: f64 = -2.0;
/// Smallest Σa that is divided by.
const SMALLEST: f64 = 1e-30;

impl StochasticPooling {
    /// Stochastic pooling over this window.
    ///
    /// # Errors
    /// [`Error::Setting`] for a window that does not fit its images or sees no pixel at some position.
    pub fn new(window: Window) -> Result<StochasticPooling, Error> {
        check_windows_see_pixels("stochastic pooling", &window)?;
        Ok(StochasticPooling { window })
    }

    /// The geometry.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// A written-down patch as an image of its own, with the whole of it as the only window.
    fn patch(&self) -> Window {
        let [height, width] = self.window.kernel;
        Window { kernel: [height, width], ..Window::new(height, width, self.window.channels, 1) }
    }
}

impl Parameters for StochasticPooling {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

/// Saved: the identity; the patches of a; Σa, the taps and the means of the windows, (cases · positions) × channels.
impl Layer for StochasticPooling {
    fn inputs(&self) -> usize {
        self.window.image_len()
    }
    fn outputs(&self) -> usize {
        self.window.count() * self.window.channels
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let (rows, length, channels) =
            (cases * self.window.count(), self.window.patch_len(), self.window.channels);
        let of_windows = || device.zeros(rows, channels);
        vec![
            device.tensor(&Array2::<f32>::eye(length)),
            device.zeros(rows, length),
            of_windows(),
            of_windows(),
            of_windows(),
        ]
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], pass: Pass) {
        let [identity, patches, sums, taps, means] = saved else { unreachable!("as `saved` makes them") };
        patches.product(Operand::patches(inputs, &self.window).dot(&*identity), ACC.max(0.0));
        let patches = &*patches;
        let (grid, over) = ([patches.rows(), patches.columns()], Over::Windows(self.patch()));
        sums.reduce(grid, over, Reduction::Sum, patches, ACC);
        let sums = &*sums;
        let divisor = || x(sums).max(SMALLEST);
        means.reduce(grid, over, Reduction::Sum, x(patches).square(), ACC / divisor());
        match pass {
            Pass::Training(key) => {
                // The largest of log a + Gumbel noise is a draw with probabilities a / Σa.
                let noise = -(-((Expr::Uniform(key) + 2f64.powi(-25)).log())).log();
                let some = || Expr::from(0.0).less(x(sums));
                let then = ACC * some() + NONE * (1.0 - some());
                taps.reduce(grid, over, Reduction::ArgMax, x(patches).log() + noise, then);
                let drawn = x(patches) * taps.view().repeated().equal(Expr::Group(self.window.channels));
                reshaped(outputs, grid[0], self.window.channels, |out| {
                    out.reduce(grid, over, Reduction::Sum, drawn, ACC);
                });
            }
            Pass::Testing => {
                taps.assign(MEAN);
                reshaped(outputs, grid[0], self.window.channels, |out| out.assign(&*means));
            }
        }
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let [_, patches, sums, taps, means] = saved else { unreachable!("as `saved` makes them") };
        let (patches, sums, taps, means) = (&*patches, &*sums, &*taps, &*means);
        let drawn = taps.view().repeated().equal(Expr::Group(self.window.channels));
        // ∂(Σa² / Σa) / ∂a = (2·a − y) / Σa
        let slope = (x(patches) * 2.0 - means.view().repeated()) / sums.view().repeated().max(SMALLEST);
        let of_mean = taps.view().repeated().equal(MEAN) * Expr::from(0.0).less(x(patches)) * slope;
        input_gradient.fold(&self.window, over_taps(delta, &self.window) * (drawn + of_mean), then);
    }
    fn gradients<'a>(&self, _: View<'a>, _: &'a Tensor, _: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_tests::{check_layer, forward, numbers};
    use ndarray::arr2;
    use nn_core::Key;

    #[test]
    fn gradients_and_devices_agree() {
        for window in [Window::new(6, 6, 2, 3).stride(2).ceil(), Window::new(4, 4, 3, 2).stride(2)] {
            let new = |_: &Device| Ok(Box::new(StochasticPooling::new(window)?) as Box<_>);
            let inputs = numbers(3, window.image_len(), 5);
            check_layer("mean", new, &inputs, Pass::Testing);
            check_layer("draw", new, &inputs, Pass::Training(Key::new(4)));
        }
    }

    #[test]
    fn means_by_hand_and_windows_without_a_positive_value() {
        let layer = StochasticPooling::new(Window::new(2, 4, 1, 2).stride(2)).unwrap();
        let inputs = arr2(&[[1.0, 3.0, -1.0, 0.0, -5.0, 4.0, -2.0, -3.0]]);
        // (1 + 9 + 16) / (1 + 3 + 4)
        assert_eq!(forward(&layer, &inputs, Pass::Testing), arr2(&[[3.25, 0.0]]));
        let drawn = forward(&layer, &inputs, Pass::Training(Key::new(1)));
        assert!([1.0, 3.0, 4.0].contains(&drawn[[0, 0]]) && drawn[[0, 1]] == 0.0, "{drawn}");
    }

    /// Values 1, 3 and 6 of a clipped window are drawn with probabilities 0.1, 0.3 and 0.6.
    #[test]
    fn draws_have_the_stated_probabilities() {
        let layer = StochasticPooling::new(Window::new(3, 3, 1, 2).stride(2).ceil()).unwrap();
        let cases = 4000;
        let row = [1.0, 0.0, 0.0, 3.0, 6.0, 0.0, 0.0, 0.0, 2.0];
        let inputs = Array2::from_shape_fn((cases, 9), |(_, column)| row[column]);
        let drawn = forward(&layer, &inputs, Pass::Training(Key::new(9)));
        for (value, probability) in [(1.0, 0.1), (3.0, 0.3), (6.0, 0.6f64)] {
            let share = drawn.column(0).iter().filter(|y| **y == value).count() as f64 / cases as f64;
            let error = (probability * (1.0 - probability) / cases as f64).sqrt();
            assert!((share - probability).abs() < 4.0 * error, "{value}: {share}");
        }
        // The corner window sees one pixel.
        assert!(drawn.column(3).iter().all(|y| *y == 2.0));
    }

    #[test]
    fn a_window_larger_than_the_image_is_refused() {
        let message = StochasticPooling::new(Window::new(3, 3, 1, 4)).unwrap_err().to_string();
        assert!(message.starts_with("stochastic pooling: kernel is 4×4"), "{message}");
    }
}
