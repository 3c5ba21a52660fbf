//! Convolutional machines with probabilistic max-pooling (Lee, Grosse, Ranganath and Ng, 2009).
//!
//! [`ConvolutionalRbm`] is one machine, [`ConvolutionalLearner`] trains it, [`ConvolutionalDbn`] stacks machines on each
//! other's pooling units. [`ConvolutionalRbm::untied`] and [`ConvolutionalDbn::untied`] are the same models with a weight
//! of its own for each connection, for everything that works on plain machines: annealed importance sampling,
//! enumeration, other estimators.

mod boltzmann;
mod completion;
mod dbn;
pub(crate) mod geometry;
mod gradient;
mod learner;
mod sparsity;
mod untied;

pub use boltzmann::ConvolutionalBoltzmann;
pub use completion::StackCompletion;
pub use dbn::ConvolutionalDbn;
pub use geometry::Geometry;
pub use gradient::ConvolutionalGradient;
pub use learner::ConvolutionalLearner;
pub use sparsity::MapSparsity;
pub use untied::Untied;

use crate::units::{Bernoulli, Blocks, Gaussian, Shared, Units};
use geometry::Expansion;
use nn_core::{ACC, Device, Error, Key, Parameters, Reduction, Tensor, init, x};

/// An image, K filters of w × w, and a map of hidden units for each, in blocks of which at most one unit is on.
///
/// With W̃ᵏ*v the correlation of filter k with the image (no pixels beyond its edge) and τ = 1/σ² of Gaussian visible
/// units, 1 for binary ones, E(v, h) = E(v) − τ Σ hᵏᵢⱼ·((W̃ᵏ*v)ᵢⱼ + bₖ). Given v each block of C × C units is one draw
/// of C² + 1 outcomes, logits I = τ(W̃*v + b) and 0 for "off"; a pooling unit is on if a unit of its block is. An input T
/// to the pooling unit from layers above makes the logits I + T. Given h visible units get the full convolution of h with
/// the filters. All pixels share the visible units' parameters, all positions the hidden bias.
///
/// Shapes: images cases × (height · width · channels), channel last. Hidden states cases × hidden units, block after
/// block in reading order, unit after unit within each, the maps of a unit together: of the units of [`Blocks`] at each
/// position. Pooling units cases × (blocks · maps), an image with a channel for each map.
///
/// Parameters: `weights` (w² · channels × K, rows y, x, channel), `visible.…` as the units name them, 1 × channels,
/// `hidden.biases` (1 × K), `hidden.precision` (τ).
#[derive(Debug)]
pub struct ConvolutionalRbm {
    /// The visible units of one pixel.
    pub visible: Box<dyn Units>,
    /// The hidden units of one block in all maps.
    pub hidden: Blocks,
    /// The filters, w² · channels × K.
    pub weights: Tensor,
    geometry: Geometry,
    expansion: Expansion,
}

impl ConvolutionalRbm {
    /// A machine of binary pixels, filters normal with standard deviation 0.01, biases zero.
    ///
    /// # Errors
    /// If sizes do not fit each other, see [`Geometry::check`].
    pub fn bernoulli(device: &Device, geometry: Geometry, key: Key) -> Result<ConvolutionalRbm, Error> {
        geometry.check()?;
        Self::new(device, geometry, Box::new(Bernoulli::new(device, geometry.channels)), key)
    }

    /// A machine of real pixels with this standard deviation σ given the hidden units, which no gradient changes.
    ///
    /// # Errors
    /// If sizes do not fit each other, or σ is not positive.
    pub fn gaussian(
        device: &Device,
        geometry: Geometry,
        deviation: f32,
        key: Key,
    ) -> Result<ConvolutionalRbm, Error> {
        geometry.check()?;
        let visible = Gaussian::new(device, geometry.channels, deviation * deviation)?;
        let mut rbm = Self::new(device, geometry, Box::new(visible), key)?;
        rbm.set_deviation(deviation);
        Ok(rbm)
    }

    fn new(
        device: &Device,
        geometry: Geometry,
        visible: Box<dyn Units>,
        key: Key,
    ) -> Result<ConvolutionalRbm, Error> {
        let hidden = Blocks::new(device, geometry.maps, geometry.block_size())?;
        let rows = geometry.filter * geometry.filter * geometry.channels;
        let weights = init::normal(device, rows, geometry.maps, 0.01, key);
        Ok(ConvolutionalRbm { visible, hidden, weights, geometry, expansion: Expansion::new(geometry) })
    }

    /// A copy for images of another size: all positions share the parameters.
    ///
    /// # Errors
    /// If filters and blocks do not fit, see [`Geometry::check`].
    pub fn of_size(&self, height: usize, width: usize) -> Result<ConvolutionalRbm, Error> {
        let geometry = Geometry { height, width, ..self.geometry };
        geometry.check()?;
        Ok(ConvolutionalRbm {
            visible: self.visible.duplicate(),
            hidden: self.hidden.clone_units(),
            weights: self.weights.duplicate(),
            geometry,
            expansion: Expansion::new(geometry),
        })
    }

    /// The sizes.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Where the machine lives.
    pub fn device(&self) -> &Device {
        self.weights.device()
    }

    /// Gives real visible units another σ. Does nothing to binary ones.
    pub fn set_deviation(&mut self, deviation: f32) {
        let (mut real, variance) = (false, f64::from(deviation).powi(2));
        self.visible.visit_mut(&mut |name, tensor| {
            if name == "log_variances" {
                tensor.assign(variance.ln());
                real = true;
            }
        });
        if real {
            self.hidden.precision.assign(1.0 / variance);
        }
    }

    /// Its distribution: conditionals and sweeps. Takes a moment to lay out the filters, so make one for several calls.
    pub fn distribution(&self) -> ConvolutionalBoltzmann<'_> {
        ConvolutionalBoltzmann::new(self)
    }

    /// Visible and hidden units of whole images, with copies of the parameters.
    fn layers(&self) -> [Shared; 2] {
        let visible = Shared::new(self.visible.duplicate(), self.geometry.pixels());
        [visible, Shared::new(self.hidden.duplicate(), self.geometry.block_count())]
    }

    /// out = S(v), v/σ² of real units.
    fn statistic(&self, visible: &Tensor, out: &mut Tensor) {
        let pixels = self.geometry.pixels();
        self.visible.statistic(visible.view().split_rows(pixels), out.view_mut().split_rows(pixels));
    }

    /// E[h | v], cases × hidden.
    pub fn mean_hidden(&self, visible: &Tensor) -> Tensor {
        let mut out = self.device().zeros(visible.rows(), self.geometry.hidden_len());
        self.distribution().mean_hidden(visible, None, &mut out);
        out
    }

    /// E[v | h], cases × visible.
    pub fn mean_visible(&self, hidden: &Tensor) -> Tensor {
        let mut out = self.device().zeros(hidden.rows(), self.geometry.image_len());
        self.distribution().mean_visible(hidden, &mut out);
        out
    }

    /// The pooling units of these hidden states, or their probabilities of those of hidden units: cases × (blocks · maps).
    pub fn pool(&self, hidden: &Tensor) -> Tensor {
        let mut out = self.device().zeros(hidden.rows(), self.geometry.pooled_len());
        let (hidden, blocks) =
            (hidden.view().split_rows(self.geometry.block_count()), self.geometry.block_count());
        self.hidden.join(Reduction::Sum, x(hidden), ACC, out.view_mut().split_rows(blocks));
        out
    }

    /// F(v) of each case, cases × 1.
    pub fn free_energy(&self, visible: &Tensor) -> Tensor {
        let mut out = self.device().zeros(visible.rows(), 1);
        self.distribution().free_energy(visible, &mut out);
        out
    }

    /// The mean of F(v) over cases, in double precision. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn mean_free_energy(&self, visible: &Tensor) -> Result<f64, Error> {
        Ok(self.free_energy(visible).to_array_f64()?.mean().unwrap_or(f64::NAN))
    }

    /// Moves chains (cases × visible) by this many Gibbs sweeps.
    pub fn gibbs(&self, chains: &mut Tensor, sweeps: u64, key: Key) {
        let at = self.distribution();
        let mut hidden = self.device().zeros(chains.rows(), self.geometry.hidden_len());
        for sweep in 0..sweeps {
            let key = key.fold_in(sweep);
            at.sample_hidden(chains, None, key.fold_in(0), &mut hidden);
            at.sample_visible(&hidden, key.fold_in(1), chains);
        }
    }
}

impl Parameters for ConvolutionalRbm {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
        self.visible.visit(&mut |name, tensor| see(&format!("visible.{name}"), tensor));
        self.hidden.visit(&mut |name, tensor| see(&format!("hidden.{name}"), tensor));
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
        self.visible.visit_mut(&mut |name, tensor| see(&format!("visible.{name}"), tensor));
        self.hidden.visit_mut(&mut |name, tensor| see(&format!("hidden.{name}"), tensor));
    }
}
