//! The convolutional layer.

use crate::{
    Filters, Local,
    activate::{activate, kept},
    geometry::{block_rows, reshaped, rows_of},
};
use ndarray::Array2;
use nn_core::layer::room;
use nn_core::{
    ACC, Activation, Batch, Device, Error, Expr, Key, Layer, OLD, Operand, Over, Parameters, Pass, Product,
    Reduction, Sum, Tensor, View, ViewMut, Window, init::Initialization, x,
};

/// y\[p, m\] = f(Σ patch\[p, q\] · W\[q, m\] + b\[m\]) at each position p of a window, for each map m.
///
/// The correlation that is called convolution in this field: filters are not mirrored. Inputs are cases × (height ·
/// width · channels), outputs cases × (positions · maps), each the image of the next layer. Pixels beyond the edge
/// count as zero. `Window::padding` and `Window::ceil` give the output of cuda-convnet, 1 + ⌈(2·padding + image −
/// kernel) / stride⌉ on each axis.
///
/// Parameters: `weights` patch length × maps; `biases` 1 × maps, shared by all positions, or 1 × (positions · maps), one
/// for each ([`Convolution::with_position_biases`]). For groups of channels see [`Groups`](crate::Groups).
///
/// Forward is one product over patches that nobody stores. Backward by weights is one product, patchesᵀ · δ, which the
/// optimiser carries out. Backward by inputs is, for a stride of 1, a convolution of δ with the filters mirrored and maps
/// and channels exchanged; otherwise it is δ · Wᵀ, which is written down, folded into images.
#[derive(Debug)]
pub struct Convolution {
    /// W, patch length × maps.
    pub weights: Tensor,
    /// b, 1 × maps or 1 × (positions · maps).
    pub biases: Tensor,
    /// f
    pub activation: Activation,
    window: Window,
}

impl Convolution {
    /// A layer with drawn weights and shared biases of zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for a window that does not fit its images, no maps, or a parameter of the activation or of
    /// the first values.
    pub fn new(
        device: &Device,
        filters: Filters,
        activation: Activation,
        initialization: Initialization,
        key: Key,
    ) -> Result<Convolution, Error> {
        filters.check("convolution")?;
        let weights = filters.weights(device, 1, initialization, key)?;
        Convolution::with_parameters(filters.window, weights, device.zeros(1, filters.maps), activation)
    }

    /// A layer with these weights (patch length × maps) and biases (1 × maps, or 1 × positions · maps).
    ///
    /// # Errors
    /// [`Error::Setting`] for a window that does not fit its images, no maps, or a parameter of the activation.
    ///
    /// # Panics
    /// If weights, biases and window do not fit each other.
    #[track_caller]
    pub fn with_parameters(
        window: Window,
        weights: Tensor,
        biases: Tensor,
        activation: Activation,
    ) -> Result<Convolution, Error> {
        let filters = Filters { window, maps: weights.columns() };
        filters.check("convolution")?;
        activation.check()?;
        let biases_fit = [filters.maps, filters.outputs()].contains(&biases.columns()) && biases.rows() == 1;
        assert!(
            weights.rows() == window.patch_len() && biases_fit,
            "weights {weights:?} and biases {biases:?} for {window:?}"
        );
        Ok(Convolution { weights, biases, activation, window })
    }

    /// The same layer with biases of this value, such as 1 before rectified units.
    pub fn with_biases(mut self, value: f32) -> Convolution {
        self.biases.assign(value);
        self
    }

    /// The same layer with biases of its own at each position, that of the map at first.
    pub fn with_position_biases(mut self) -> Convolution {
        self.biases = self.position_biases();
        self
    }

    /// The geometry.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Maps of the output.
    pub fn maps(&self) -> usize {
        self.weights.columns()
    }

    /// The untied layer that computes the same: the filters and biases of every position are copies, free to differ once
    /// they learn. With cuda-convnet, a trained convolution is converted so for its last epochs.
    pub fn untied(&self) -> Local {
        let positions = self.window.count();
        let rows = block_rows(&vec![0; positions], self.window.patch_len());
        let mut weights = self.weights.device().zeros(rows.len(), self.maps());
        weights.view_mut().gather(&self.weights, &rows);
        Local::of_parts(self.window, weights, self.position_biases(), self.activation)
    }

    fn position_biases(&self) -> Tensor {
        let mut biases = self.biases.device().zeros(1, self.outputs());
        biases.assign(self.biases.view().repeated());
        biases
    }

    /// The window over δ whose patches hold what a pixel of the image has gone into, if there is one.
    fn mirrored_window(&self) -> Option<Window> {
        let Window { kernel, stride, padding, .. } = self.window;
        if stride != [1, 1] || padding[0] >= kernel[0] || padding[1] >= kernel[1] {
            return None;
        }
        let ([height, width], padding) =
            (self.window.positions(), [kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1]]);
        Some(Window { kernel, padding, ..Window::new(height, width, self.maps(), 1) })
    }

    /// Filters mirrored, with maps and channels exchanged: (taps · maps) × channels from (taps · channels) × maps. The
    /// exchange is a product with the identity at each tap.
    fn mirrored<'a>(&self, saved: &'a mut [Tensor]) -> &'a Tensor {
        let [identity, reversed, mirrored] = saved else { unreachable!("as `saved` makes them") };
        let (channels, maps) = (self.window.channels, self.maps());
        let taps = self.weights.rows() / channels;
        if identity.is_empty() {
            let identities = Array2::from_shape_fn((taps * channels, channels), |(row, column)| {
                f32::from(u8::from(row % channels == column))
            });
            *identity = identity.device().tensor(&identities);
        }
        let reversed = room(reversed, taps * channels, maps);
        let order: Vec<usize> = (0..taps).rev().collect();
        reversed.view_mut().gather(&self.weights, &block_rows(&order, channels));
        let batch = Batch { blocks: taps, left_rows: false, right_rows: true, out_rows: true };
        let mirrored = room(mirrored, taps * maps, channels);
        mirrored.product(Product::batched(reversed.t(), identity.view().into(), batch), ACC);
        mirrored
    }

    fn biases_are_shared(&self) -> bool {
        self.biases.columns() == self.maps()
    }
}

impl Parameters for Convolution {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
        see("biases", &self.biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
        see("biases", &mut self.biases);
    }
}

/// Where a is saved.
const KEPT: usize = 5;

/// Saved: the gradient of the biases; what the pass back by inputs writes down, made by the first such pass:
/// the gradient of patches or images, identities, filters reversed, filters mirrored; a where the slope needs it.
impl Layer for Convolution {
    fn inputs(&self) -> usize {
        self.window.image_len()
    }
    fn outputs(&self) -> usize {
        self.window.count() * self.maps()
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let mut saved = vec![device.zeros(1, self.biases.columns())];
        saved.extend((0..4).map(|_| device.zeros(0, 0)));
        saved.extend(kept(self.activation, device, cases, self.outputs()));
        saved
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        let (rows, shared) = (inputs.rows() * self.window.count(), self.biases_are_shared());
        activate(self.activation, outputs, saved.get_mut(KEPT), |out, f| {
            let product = Operand::patches(inputs, &self.window).dot(&self.weights);
            let then = if shared { f.apply(ACC + &self.biases) } else { ACC };
            reshaped(out, rows, self.maps(), |out| out.product(product, then));
            if !shared {
                out.assign(f.apply(OLD + &self.biases));
            }
        });
    }
    fn slope<'a>(&self, gradient: Expr<'a>, outputs: &'a Tensor, saved: &'a [Tensor]) -> Expr<'a> {
        self.activation.slope(gradient, outputs, saved.get(KEPT))
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let (gradient, filters) = saved[1..KEPT].split_at_mut(1);
        if let Some(window) = self.mirrored_window() {
            let filters = self.mirrored(filters);
            let gradient = room(&mut gradient[0], delta.rows(), self.window.image_len());
            let rows = delta.rows() * self.window.height * self.window.width;
            reshaped(gradient, rows, self.window.channels, |gradient| {
                gradient.product(Operand::patches(delta, &window).dot(filters), ACC);
            });
            return input_gradient.assign(then.with_acc(&x(&*gradient)));
        }
        let delta = rows_of(delta.view(), self.window.count());
        let patches = room(&mut gradient[0], delta.rows(), self.window.patch_len());
        patches.product(delta.dot(self.weights.t()), ACC);
        input_gradient.fold(&self.window, &*patches, then);
    }
    fn gradients<'a>(&self, inputs: View<'a>, delta: &'a Tensor, saved: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        let positions = self.window.count();
        let by_weights = Operand::patches(inputs, &self.window).t().dot(rows_of(delta.view(), positions));
        // Biases that are shared sum over positions, too.
        let summands = if self.biases_are_shared() { rows_of(delta.view(), positions) } else { delta.view() };
        let by_biases = &mut saved[0];
        by_biases.reduce([summands.rows(), summands.columns()], Over::Rows, Reduction::Sum, summands, ACC);
        vec![by_weights.into(), Sum::from(&*by_biases)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_tests::{check_layer, forward, numbers};
    use ndarray::arr2;

    fn convolution(device: &Device, window: Window, maps: usize, activation: Activation) -> Convolution {
        let draw = Initialization::Normal { deviation: 0.5 };
        Convolution::new(device, Filters::new(window, maps), activation, draw, Key::new(3)).unwrap()
    }

    #[test]
    fn gradients_and_devices_agree() {
        let tall = Window { kernel: [3, 2], stride: [2, 1], padding: [0, 1], ..Window::new(6, 4, 2, 1) };
        for (name, window, activation) in [
            ("valid", Window::new(5, 4, 2, 3), Activation::Identity),
            ("padded", Window::new(5, 4, 3, 3).padding(1), Activation::Tanh),
            ("hanging over", Window::new(6, 6, 2, 3).stride(2).ceil(), Activation::Logistic),
            ("padded more than the kernel", Window::new(3, 3, 1, 2).padding(2), Activation::Identity),
            ("padded on one axis", Window { padding: [1, 0], ..Window::new(4, 5, 2, 3) }, Activation::Tanh),
            ("oblong", tall, Activation::Tanh),
            ("a kept input", Window::new(4, 4, 2, 3), Activation::Square),
        ] {
            let inputs = numbers(3, window.image_len(), 5);
            let new = |device: &Device| Ok(Box::new(convolution(device, window, 3, activation)) as Box<_>);
            check_layer(name, new, &inputs, Pass::Testing);
            let new = |device: &Device| {
                Ok(Box::new(convolution(device, window, 3, activation).with_position_biases()) as Box<_>)
            };
            check_layer(&format!("{name}, biases by position"), new, &inputs, Pass::Testing);
        }
    }

    /// 1 + ⌈(2·1 + 4 − 3) / 2⌉ = 3 positions an axis, the last of which sees one row and column of the image.
    #[test]
    fn a_hanging_window_by_hand() {
        let device = Device::reference();
        let window = Window::new(4, 4, 1, 3).stride(2).padding(1).ceil();
        let (ones, biases) = (device.full(9, 1, 1.0), device.tensor_f64(&arr2(&[[0.5]])));
        let layer = Convolution::with_parameters(window, ones, biases, Activation::Identity).unwrap();
        let image = Array2::from_shape_fn((1, 16), |(_, i)| i as f64);
        // Rows −1..1, 1..3, 3..5 and columns likewise.
        let expected = [
            [1 + 4 + 5, 1 + 2 + 3 + 5 + 6 + 7, 3 + 7],
            [4 + 5 + 8 + 9 + 12 + 13, 5 + 6 + 7 + 9 + 10 + 11 + 13 + 14 + 15, 7 + 11 + 15],
            [12 + 13, 13 + 14 + 15, 15],
        ];
        let expected = expected.concat().into_iter().map(|sum| f64::from(sum) + 0.5);
        assert_eq!(
            forward(&layer, &image, Pass::Testing).into_iter().collect::<Vec<_>>(),
            expected.collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_untied_copy_computes_the_same() {
        let device = Device::reference();
        let window = Window::new(5, 4, 2, 3).padding(1);
        let inputs = numbers(2, window.image_len(), 6);
        let mut layer = convolution(&device, window, 3, Activation::Tanh);
        layer.biases.assign(Expr::Position(3) * 0.25);
        let untied = layer.untied();
        let (one, other) =
            (forward(&layer, &inputs, Pass::Testing), forward(&untied, &inputs, Pass::Testing));
        assert!((one - other).iter().all(|difference| difference.abs() < 1e-12));
        assert_eq!(untied.weights.rows(), 20 * 18);
        let mut by_position = layer.with_position_biases();
        by_position.biases.assign(Expr::Position(60) * 0.01);
        let untied = by_position.untied();
        assert_eq!(untied.biases.to_array().unwrap(), by_position.biases.to_array().unwrap());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let new = |window, maps| {
            let draw = Initialization::Normal { deviation: 0.5 };
            let filters = Filters::new(window, maps);
            let layer = Convolution::new(&Device::cpu(), filters, Activation::Identity, draw, Key::new(3));
            layer.unwrap_err().to_string()
        };
        assert_eq!(
            new(Window::new(4, 4, 3, 5), 8),
            "convolution: kernel is 5×5, but an image of 4×4 with padding 0×0 takes windows of at most 4×4"
        );
        assert_eq!(new(Window::new(4, 4, 3, 3), 0), "convolution: maps is 0, but there is at least one");
    }
}
