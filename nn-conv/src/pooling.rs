//! Pooling: one value for each window of each map.

use crate::{
    activate::{activate, kept},
    geometry::{check_number, check_window, check_windows_see_pixels, over_taps},
    power::{power, sign},
};
use ndarray::Array2;
use nn_core::layer::room;
use nn_core::{
    ACC, Activation, Device, Error, Expr, Layer, Over, Parameters, Pass, Reduction, Sum, Tensor, View,
    ViewMut, Window, x,
};

/// What becomes of the values x under a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pool {
    /// Their maximum; the gradient goes to the first of equal ones, in reading order.
    Max,
    /// Their mean, over the pixels that lie inside the image.
    Average,
    /// The mean of |x|, over the pixels that lie inside the image.
    AverageAbsolute,
    /// (Σ |x|^p)^(1/p) for p > 1; 2 is the pool of squares and their root.
    Norm(f64),
}

/// y\[p, m\] = f(pool of x over window p of map m)
///
/// Windows may overlap and hang over the edge (`Window::ceil`), and only see pixels inside the image: a clipped average
/// divides by the clipped area. This is the pool of cuda-convnet, whose outputs are ⌈(image − kernel) / stride⌉ + 1 on
/// an axis. Its nets also apply f after a maximum, which is the same as before for a rising f, and cheaper.
///
/// Inputs are cases × (height · width · channels), outputs cases × (positions · channels). No parameters. Forward is one
/// reduction, backward one fold, after a second reduction for the position of the maximum.
///
/// Sources: LeCun and others, 1998 (average); Jarrett, Kavukcuoglu, Ranzato and LeCun, "What is the best multi-stage
/// architecture for object recognition?", 2009 (rectified average, maximum); Saxe and others, "On random weights and
/// unsupervised feature learning", 2011 (squares); Sermanet, Chintala and LeCun, 2012 (norms).
#[derive(Debug)]
pub struct Pooling {
    pool: Pool,
    activation: Activation,
    window: Window,
}

impl Pooling {
    /// A pool over this window.
    ///
    /// # Errors
    /// [`Error::Setting`] for a window that does not fit its images or sees no pixel at some position, a norm with p ≤ 1
    /// or with an activation after it, or a parameter of the activation.
    pub fn new(window: Window, pool: Pool, activation: Activation) -> Result<Pooling, Error> {
        check_windows_see_pixels("pooling", &window)?;
        activation.check()?;
        if let Pool::Norm(p) = pool {
            check_number("pooling", "p of the norm", p, "it is finite and above 1", p > 1.0)?;
            if activation != Activation::Identity {
                let allowed = "after a norm it is a layer of its own";
                return Err(Error::setting("pooling: activation", format!("{activation:?}"), allowed));
            }
        }
        Ok(Pooling { pool, activation, window })
    }

    /// The geometry.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// 1 / pixels of the image under each window, 1 × (positions · channels).
    fn shares(&self, device: &Device) -> Tensor {
        let [_, across] = self.window.positions();
        let share = |(_, column): (usize, usize)| {
            let position = column / self.window.channels;
            let at = [position / across, position % across];
            1.0 / clipped_area(&self.window, at) as f64
        };
        device.tensor_f64(&Array2::from_shape_fn((1, self.outputs()), share))
    }
}

/// The window of a pool that cuda-convnet describes by `sizeX`, `start` and `stride`: outputs are ⌈(image − start − size) /
/// stride⌉ + 1 on an axis, and the first window begins at `start` ≤ 0, on an image of height × width × channels.
///
/// # Errors
/// [`Error::Setting`] for a start that is positive or beyond the window, what [`Pooling::new`] refuses, and a start and stride
/// that would need another padding after the image than before it: a [`Window`] has the same on both sides.
pub fn pool_window(image: [usize; 3], size: usize, start: isize, stride: usize) -> Result<Window, Error> {
    let [height, width, channels] = image;
    if start > 0 || start.unsigned_abs() >= size.max(1) {
        let allowed = format!("it is at most 0 and above minus the window of {size}");
        return Err(Error::setting("pooling: start", start, &allowed));
    }
    let padding = start.unsigned_abs();
    let window = Window::new(height, width, channels, size).stride(stride).padding(padding);
    check_window("pooling", &window)?;
    let count = |image: usize| (image + padding).saturating_sub(size).div_ceil(stride) + 1;
    for window in [window.ceil(), window] {
        if window.positions() == [count(height), count(width)]
            && check_windows_see_pixels("pooling", &window).is_ok()
        {
            return Ok(window);
        }
    }
    let allowed = format!(
        "{} × {} windows of {size} with stride {stride} begin there only if the image is padded on one side; a start \
         of 0, or of {} with a stride of {}, is possible",
        count(height),
        count(width),
        start,
        padding + 1
    );
    Err(Error::setting("pooling: start", start, &allowed))
}

/// Pixels of the image under the window at this position.
pub(crate) fn clipped_area(window: &Window, position: [usize; 2]) -> usize {
    let [height, width] = window.kernel;
    let rows =
        (0..height).filter(|&row| (0..width).any(|c| window.pixel(position, [row, c]).is_some())).count();
    let columns =
        (0..width).filter(|&c| (0..height).any(|row| window.pixel(position, [row, c]).is_some())).count();
    rows * columns
}

impl Parameters for Pooling {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

/// Saved: the taps of the maxima, or the shares of the averages; a where the slope needs it.
impl Layer for Pooling {
    fn inputs(&self) -> usize {
        self.window.image_len()
    }
    fn outputs(&self) -> usize {
        self.window.count() * self.window.channels
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let first = match self.pool {
            Pool::Max => device.zeros(0, 0),
            Pool::Average | Pool::AverageAbsolute => self.shares(device),
            Pool::Norm(_) => return Vec::new(),
        };
        [Some(first), kept(self.activation, device, cases, self.outputs())].into_iter().flatten().collect()
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        let grid = [inputs.rows(), inputs.columns()];
        let (first, kept) = saved.split_at_mut(saved.len().min(1));
        activate(self.activation, outputs, kept.first_mut(), |out, f| {
            let (reduction, value, then) = match self.pool {
                Pool::Max => (Reduction::Max, x(inputs), f.apply(ACC)),
                Pool::Average => (Reduction::Sum, x(inputs), f.apply(ACC * x(&first[0]))),
                Pool::AverageAbsolute => (Reduction::Sum, x(inputs).abs(), f.apply(ACC * x(&first[0]))),
                Pool::Norm(2.0) => (Reduction::Sum, x(inputs).square(), ACC.sqrt()),
                Pool::Norm(p) => (Reduction::Sum, power(x(inputs).abs(), p), power(ACC, 1.0 / p)),
            };
            out.reduce(grid, Over::Windows(self.window), reduction, value, then);
        });
    }
    /// With the part of the derivative that depends on the window alone: its share, or y^(1 − p).
    fn slope<'a>(&self, gradient: Expr<'a>, outputs: &'a Tensor, saved: &'a [Tensor]) -> Expr<'a> {
        let slope = self.activation.slope(gradient, outputs, saved.get(1));
        match self.pool {
            Pool::Max => slope,
            Pool::Average | Pool::AverageAbsolute => slope * x(&saved[0]),
            // Below the floor the power would overflow single precision; a window of zeros has no slope.
            Pool::Norm(p) => {
                let floor = 10f64.powf(-30.0 / (p - 1.0).max(1.0));
                slope * power(x(outputs).max(floor), 1.0 - p)
            }
        }
    }
    fn backward(
        &self,
        inputs: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let window = &self.window;
        let spread = over_taps(delta, window);
        match self.pool {
            Pool::Max => {
                let grid = [inputs.rows(), inputs.columns()];
                let taps = room(&mut saved[0], delta.rows(), delta.columns());
                taps.reduce(grid, Over::Windows(*window), Reduction::ArgMax, inputs, ACC);
                let winner = over_taps(taps, window).equal(Expr::Group(window.channels));
                input_gradient.fold(window, winner * spread, then);
            }
            Pool::Average => input_gradient.fold(window, spread, then),
            Pool::AverageAbsolute => {
                input_gradient.fold(window, spread, then.with_acc(&(ACC * sign(x(inputs)))));
            }
            Pool::Norm(2.0) => input_gradient.fold(window, spread, then.with_acc(&(ACC * x(inputs)))),
            Pool::Norm(p) => {
                let inner = sign(x(inputs)) * power(x(inputs).abs(), p - 1.0);
                input_gradient.fold(window, spread, then.with_acc(&(ACC * inner)));
            }
        }
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

    fn windows() -> [(&'static str, Window); 4] {
        [
            ("overlapping, clipped", Window::new(6, 6, 2, 3).stride(2).ceil()),
            ("apart", Window::new(4, 6, 3, 2).stride(2)),
            ("padded", Window::new(5, 4, 2, 3).padding(1)),
            ("oblong", Window { kernel: [2, 3], stride: [1, 2], ..Window::new(4, 5, 1, 1) }),
        ]
    }

    #[test]
    fn gradients_and_devices_agree() {
        for (name, window) in windows() {
            let inputs = numbers(3, window.image_len(), 5);
            for (pool, activation) in [
                (Pool::Max, Activation::Identity),
                (Pool::Max, Activation::RectifiedLinear),
                (Pool::Max, Activation::Square),
                (Pool::Average, Activation::Identity),
                (Pool::Average, Activation::Tanh),
                (Pool::Average, Activation::Absolute),
                (Pool::AverageAbsolute, Activation::Identity),
                (Pool::AverageAbsolute, Activation::Tanh),
                (Pool::Norm(2.0), Activation::Identity),
                (Pool::Norm(3.5), Activation::Identity),
                (Pool::Norm(1.5), Activation::Identity),
            ] {
                let new = |_: &Device| Ok(Box::new(Pooling::new(window, pool, activation)?) as Box<_>);
                check_layer(&format!("{pool:?}, {activation:?}, {name}"), new, &inputs, Pass::Testing);
            }
        }
    }

    /// 4 pixels by windows of 3 with step 2 give ⌈(4 − 3) / 2⌉ + 1 = 2 windows on an axis; the last sees 2 pixels of it.
    #[test]
    fn clipped_windows_by_hand() {
        let window = Window::new(4, 4, 1, 3).stride(2).ceil();
        let image = ndarray::Array2::from_shape_fn((1, 16), |(_, i)| i as f64 - 8.0);
        let of =
            |pool| forward(&Pooling::new(window, pool, Activation::Identity).unwrap(), &image, Pass::Testing);
        assert_eq!(of(Pool::Max), arr2(&[[2.0, 3.0, 6.0, 7.0]]));
        // Rows 0–2 and columns 2–3: −6 −5 −2 −1 2 3, a sum of −9 over 6 pixels.
        assert_eq!(of(Pool::Average), arr2(&[[-3.0, -1.5, 3.0, 4.5]]));
        let absolute = of(Pool::AverageAbsolute);
        assert!((absolute[[0, 1]] - 19.0 / 6.0).abs() < 1e-12 && (absolute[[0, 3]] - 4.5).abs() < 1e-12);
        // √(2² + 3² + 6² + 7²)
        assert!((of(Pool::Norm(2.0))[[0, 3]] - 98f64.sqrt()).abs() < 1e-12);
        assert_eq!(Window::new(32, 32, 1, 3).stride(2).ceil().positions(), [16, 16]);
    }

    #[test]
    fn windows_as_cuda_convnet_describes_them() {
        let positions = |image, size, start, stride| {
            pool_window([image, image, 4], size, start, stride).map(|window| window.positions()[0])
        };
        assert_eq!(positions(32, 3, 0, 2).unwrap(), 16);
        assert_eq!(positions(24, 3, 0, 2).unwrap(), 12);
        // ⌈(6 + 2 − 4) / 3⌉ + 1 = 3 windows at −2, 1 and 4.
        assert_eq!(positions(6, 4, -2, 3).unwrap(), 3);
        // ⌈(7 + 1 − 3) / 2⌉ + 1 = 4 windows at −1, 1, 3 and 5.
        assert_eq!(positions(7, 3, -1, 2).unwrap(), 4);
        let message = |start| positions(32, 3, start, 1).unwrap_err().to_string();
        assert_eq!(message(1), "pooling: start is 1, but it is at most 0 and above minus the window of 3");
        assert!(message(-3).contains("start is -3"));
        assert!(positions(32, 4, -2, 1).unwrap_err().to_string().contains("padded on one side"));
    }

    #[test]
    fn the_first_of_equal_maxima_gets_the_gradient() {
        let device = Device::reference();
        let window = Window::new(2, 2, 1, 2);
        let layer = Pooling::new(window, Pool::Max, Activation::Identity).unwrap();
        let inputs = device.tensor_f64(&arr2(&[[1.0, 5.0, 5.0, 5.0]]));
        let (delta, mut gradient) = (device.full(1, 1, 2.0), device.zeros(1, 4));
        let mut saved = layer.saved(&device, 1);
        layer.backward(inputs.view(), &delta, &mut saved, gradient.view_mut(), ACC);
        assert_eq!(gradient.to_array_f64().unwrap(), arr2(&[[0.0, 2.0, 0.0, 0.0]]));
    }

    #[test]
    fn a_norm_of_zeros_has_no_slope() {
        for (device, p) in [(Device::reference(), 2.0), (Device::cpu(), 2.0), (Device::cpu(), 4.0)] {
            let layer = Pooling::new(Window::new(2, 2, 1, 2), Pool::Norm(p), Activation::Identity).unwrap();
            let (inputs, mut y, mut delta) = (device.zeros(1, 4), device.zeros(1, 1), device.zeros(1, 1));
            let (mut gradient, mut saved) = (device.zeros(1, 4), layer.saved(&device, 1));
            layer.forward(inputs.view(), &mut y, &mut saved, Pass::Testing);
            delta.assign(layer.slope(Expr::from(1.0), &y, &saved));
            layer.backward(inputs.view(), &delta, &mut saved, gradient.view_mut(), ACC);
            assert!(gradient.to_array().unwrap().iter().all(|value| *value == 0.0), "{p}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message =
            |window, pool, activation| Pooling::new(window, pool, activation).unwrap_err().to_string();
        let window = Window::new(4, 4, 1, 2);
        let larger = message(Window::new(3, 3, 1, 4), Pool::Max, Activation::Identity);
        assert!(larger.starts_with("pooling: kernel is 4×4, but an image of 3×3"), "{larger}");
        let norm = message(window, Pool::Norm(1.0), Activation::Identity);
        assert_eq!(norm, "pooling: p of the norm is 1, but it is finite and above 1");
        assert!(message(window, Pool::Norm(f64::NAN), Activation::Identity).contains("NaN"));
        assert!(message(window, Pool::Norm(2.0), Activation::Tanh).contains("Tanh"));
    }
}
