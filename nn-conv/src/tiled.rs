//! The tiled layer: filters shared by positions that are a whole number of tiles apart.

use crate::{
    Filters,
    activate::{activate, kept},
    geometry::{block_rows, reshaped, rows_of},
    local::{filter_gradient, patch_gradient, responses},
};
use ndarray::Array2;
use nn_core::layer::room;
use nn_core::{
    ACC, Activation, Device, Error, Expr, Key, Layer, Over, Parameters, Pass, Reduction, Sum, Tensor, View,
    ViewMut, Window, init::Initialization, x,
};

/// y\[p, m\] = f(Σ patch\[p, q\] · W\[s(p)\]\[q, m\] + b\[s(p), m\]), where positions (row, column) that agree modulo the tile
/// size k in both directions share their set of filters s = (row mod k, column mod k).
///
/// Neighbours have different filters, so that pooling over them can become invariant to more than translation (Le,
/// Ngiam, Chen, Chia, Koh and Ng, "Tiled convolutional neural networks", 2010). Tile 1 is a convolution, a tile as large as
/// the output an untied layer.
///
/// Shapes and geometry are those of a [`Convolution`](crate::Convolution). Parameters: `weights` (sets · patch length) ×
/// maps and `biases` sets × maps, the k² sets (fewer where an output side is shorter than k) in reading order.
///
/// Filters are copied to every position and the layer runs as an untied one, then gradients of the copies are added up: a
/// step costs what an untied layer costs.
#[derive(Debug)]
pub struct Tiled {
    /// W, (sets · patch length) × maps.
    pub weights: Tensor,
    /// b, sets × maps.
    pub biases: Tensor,
    /// f
    pub activation: Activation,
    window: Window,
    tile: usize,
    /// s(p) for each position.
    set_of: Vec<usize>,
}

impl Tiled {
    /// A layer with drawn weights and biases of zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for a window that does not fit its images, a tile of 0 or larger than the output, no maps, or
    /// a parameter of the activation or of the first values.
    pub fn new(
        device: &Device,
        filters: Filters,
        tile: usize,
        activation: Activation,
        initialization: Initialization,
        key: Key,
    ) -> Result<Tiled, Error> {
        filters.check("tiled layer")?;
        activation.check()?;
        let window = filters.window;
        let [down, across] = window.positions();
        if tile == 0 || tile > down.max(across) {
            let allowed =
                format!("an output of {down}×{across} takes 1 (a convolution) to {}", down.max(across));
            return Err(Error::setting("tiled layer: tile", tile, &format!("{allowed} (untied)")));
        }
        let sets_across = tile.min(across);
        let set_of: Vec<usize> =
            (0..down * across).map(|p| p / across % tile * sets_across + p % across % tile).collect();
        let sets = tile.min(down) * sets_across;
        let weights = filters.weights(device, sets, initialization, key)?;
        let biases = device.zeros(sets, filters.maps);
        Ok(Tiled { weights, biases, activation, window, tile, set_of })
    }

    /// The same layer with biases of this value, such as 1 before rectified units.
    pub fn with_biases(mut self, value: f32) -> Tiled {
        self.biases.assign(value);
        self
    }

    /// The geometry.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// k
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Maps of the output.
    pub fn maps(&self) -> usize {
        self.weights.columns()
    }

    /// Sets of filters: k², or fewer where an output side is shorter than k.
    pub fn sets(&self) -> usize {
        self.biases.rows()
    }

    /// s(p) for each position, in reading order.
    pub fn set_of(&self) -> &[usize] {
        &self.set_of
    }
}

impl Parameters for Tiled {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
        see("biases", &self.biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
        see("biases", &mut self.biases);
    }
}

/// Places of saved tensors.
const WEIGHTS: usize = 0;
const BIASES: usize = 1;
const PATCH_GRADIENT: usize = 2;
const KEPT: usize = 8;

/// Saved: weights and biases of every position; the gradient of the patches; which position belongs to which set, sets ×
/// positions; the gradients of weights and biases of every position, and of every set; a where the slope needs it.
impl Layer for Tiled {
    fn inputs(&self) -> usize {
        self.window.image_len()
    }
    fn outputs(&self) -> usize {
        self.set_of.len() * self.maps()
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let (positions, patch, maps, sets) =
            (self.set_of.len(), self.window.patch_len(), self.maps(), self.sets());
        let belongs = |(set, position): (usize, usize)| f32::from(u8::from(self.set_of[position] == set));
        let mut saved = vec![
            device.zeros(positions * patch, maps),
            device.zeros(1, positions * maps),
            device.zeros(0, 0),
            device.tensor(&Array2::from_shape_fn((sets, positions), belongs)),
            device.zeros(positions, patch * maps),
            device.zeros(1, positions * maps),
            device.zeros(sets, patch * maps),
            device.zeros(sets, maps),
        ];
        saved.extend(kept(self.activation, device, cases, self.outputs()));
        saved
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        let (copies, kept) = saved.split_at_mut(KEPT);
        let rows = block_rows(&self.set_of, self.window.patch_len());
        copies[WEIGHTS].view_mut().gather(&self.weights, &rows);
        reshaped(&mut copies[BIASES], self.set_of.len(), self.maps(), |biases| {
            biases.view_mut().gather(&self.biases, &self.set_of);
        });
        activate(self.activation, outputs, kept.first_mut(), |out, f| {
            let product = responses(inputs, &self.window, &copies[WEIGHTS]);
            out.product(product, f.apply(ACC + x(&copies[BIASES])));
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
        let (copies, scratch) = saved.split_at_mut(PATCH_GRADIENT);
        let positions = self.set_of.len();
        let patches = room(&mut scratch[0], delta.rows(), positions * self.window.patch_len());
        patches.product(patch_gradient(delta, &self.window, &copies[WEIGHTS]), ACC);
        input_gradient.fold(&self.window, rows_of(patches.view(), positions), then);
    }
    fn gradients<'a>(&self, inputs: View<'a>, delta: &'a Tensor, saved: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        let (positions, patch, maps) = (self.set_of.len(), self.window.patch_len(), self.maps());
        let [_, _, _, belongs, by_weights, by_biases, weights, biases, ..] = saved else {
            unreachable!("as `saved` makes them")
        };
        reshaped(by_weights, positions * patch, maps, |by_weights| {
            by_weights.product(filter_gradient(inputs, &self.window, delta), ACC);
        });
        weights.product(belongs.dot(&*by_weights), ACC);
        by_biases.reduce([delta.rows(), delta.columns()], Over::Rows, Reduction::Sum, delta, ACC);
        biases.product(belongs.dot(rows_of(by_biases.view(), positions)), ACC);
        vec![Sum::Values(rows_of(weights.view(), patch), 1.0), Sum::from(&*biases)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Convolution, Local,
        layer_tests::{check_layer, everything_of, numbers},
    };

    fn tiled(device: &Device, window: Window, tile: usize) -> Result<Tiled, Error> {
        let (filters, draw) = (Filters::new(window, 3), Initialization::Normal { deviation: 0.5 });
        Tiled::new(device, filters, tile, Activation::Tanh, draw, Key::new(2))
            .map(|layer| layer.with_biases(0.2))
    }

    #[test]
    fn gradients_and_devices_agree() {
        for tile in [1, 2, 3] {
            let window = Window::new(5, 4, 2, 3);
            let new = |device: &Device| Ok(Box::new(tiled(device, window, tile)?) as Box<_>);
            check_layer(&format!("tile {tile}"), new, &numbers(3, window.image_len(), 5), Pass::Testing);
        }
    }

    /// Outputs and all gradients, with parameters in the order of memory.
    fn agree(one: &dyn Layer, other: &dyn Layer, inputs: &Array2<f64>) {
        let (one, other) = (everything_of(one, inputs), everything_of(other, inputs));
        assert_eq!(one.len(), other.len());
        for (one, other) in one.iter().zip(&other) {
            assert_eq!(one.len(), other.len());
            assert!(one.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-12), "{one} {other}");
        }
    }

    #[test]
    fn tile_1_is_a_convolution() {
        let device = Device::reference();
        for window in [Window::new(5, 4, 2, 3).padding(1), Window::new(6, 6, 1, 3).stride(2).ceil()] {
            let tiled = tiled(&device, window, 1).unwrap();
            let (weights, biases) = (tiled.weights.duplicate(), tiled.biases.duplicate());
            let convolution =
                Convolution::with_parameters(window, weights, biases, Activation::Tanh).unwrap();
            agree(&tiled, &convolution, &numbers(2, window.image_len(), 6));
        }
    }

    #[test]
    fn a_tile_as_large_as_the_output_is_an_untied_layer() {
        let device = Device::reference();
        for window in [Window::new(5, 4, 2, 3), Window::new(3, 3, 2, 3).padding(1)] {
            let [down, across] = window.positions();
            let tiled = tiled(&device, window, down.max(across)).unwrap();
            let (weights, biases) = (tiled.weights.duplicate(), tiled.biases.duplicate());
            let biases = biases.reshape(1, window.count() * 3);
            let local = Local::with_parameters(window, weights, biases, Activation::Tanh).unwrap();
            agree(&tiled, &local, &numbers(2, window.image_len(), 6));
        }
    }

    /// Positions 0 and 2 of 1 × 3 share their filters in tiles of 2, position 1 has others.
    #[test]
    fn a_tile_of_2_by_hand() {
        let device = Device::reference();
        let filters = Filters::new(Window::new(1, 3, 1, 1), 1);
        let draw = Initialization::Zeros;
        let mut layer = Tiled::new(&device, filters, 2, Activation::Identity, draw, Key::new(1)).unwrap();
        layer.weights.write(ndarray::arr2(&[[2.0], [3.0]]).view());
        layer.biases.write(ndarray::arr2(&[[0.5], [0.25]]).view());
        let inputs = ndarray::arr2(&[[1.0, 10.0, 100.0]]);
        assert_eq!(everything_of(&layer, &inputs)[0], ndarray::arr2(&[[2.5, 30.25, 200.5]]));
    }

    #[test]
    fn tiles_of_another_size_are_refused() {
        let message = |tile| tiled(&Device::cpu(), Window::new(5, 4, 2, 3), tile).unwrap_err().to_string();
        assert_eq!(
            message(4),
            "tiled layer: tile is 4, but an output of 3×2 takes 1 (a convolution) to 3 (untied)"
        );
        assert!(message(0).starts_with("tiled layer: tile is 0"));
    }
}
