//! Convolutional gated machines (Taylor, Fergus, LeCun and Bregler, 2010): one image given another.
//!
//! [`GatedRbm`] is the machine, [`GatedBoltzmann`] its distribution for images that are given, [`GatedLearner`] trains it.
//! Sizes, blocks and sparsity are those of [`convolutional`](crate::convolutional) machines.

mod boltzmann;
mod gradient;
mod learner;
mod patches;

pub use boltzmann::{GatedBoltzmann, GivenPatches};
pub use gradient::GatedGradient;
pub use learner::GatedLearner;

use crate::{
    convolutional::Geometry,
    units::{Blocks, Gaussian, Shared, Units},
};
use nn_core::{ACC, Device, Error, Key, Parameters, Reduction, Tensor, init, x};
use patches::Patches;

/// An image y given an image x of the same size, and K maps of hidden units z that multiply patches of both.
///
/// E(y, z | x) = Σ (y − c)²/2 − Σₖ Σₘₙ zᵏₘₙ · (Σ_{rs,uv} Wᵏ_{uv,rs} · x_{m+u,n+v} · y_{m+r,n+s} + bₖ): for each hidden unit
/// the filter on y is a filter response of x. Hidden units lie in blocks of C × C of which at most one is on, so that
/// given both images each block is one draw of C² + 1 outcomes, logits the term in brackets and 0 for "off". Given x and
/// z pixels of y are normal with variance 1 around c + Σ z · (filter on y). All pixels share c, all positions b.
///
/// Shapes: both images cases × (height · width · channels), channel last; hidden states as those of a
/// [`ConvolutionalRbm`](crate::ConvolutionalRbm), cases × hidden units, block after block, in it unit after unit, the maps
/// of a unit together. With patches of P = w² · channels values:
///
/// Parameters: `weights` (P × K · P, a row for each value of a patch of x, map after map a column for each of one of y),
/// `visible.means` (c, 1 × channels), `visible.log_variances` (0), `hidden.biases` (1 × K), `hidden.precision` (1).
#[derive(Debug)]
pub struct GatedRbm {
    /// The visible units of one pixel of y: real, of variance 1.
    pub visible: Gaussian,
    /// The hidden units of one block in all maps.
    pub hidden: Blocks,
    /// W, P × K · P.
    pub weights: Tensor,
    geometry: Geometry,
    patches: Patches,
}

impl GatedRbm {
    /// A machine with weights normal with this standard deviation; c and biases zero.
    ///
    /// # Errors
    /// If sizes do not fit each other, see [`Geometry::check`], or the deviation is negative or not finite.
    pub fn new(device: &Device, geometry: Geometry, deviation: f64, key: Key) -> Result<GatedRbm, Error> {
        geometry.check()?;
        if !(0.0..f64::INFINITY).contains(&deviation) {
            let allowed = "it must be zero or positive";
            return Err(Error::setting("standard deviation of weights", deviation, allowed));
        }
        let patches = Patches::new(device, geometry);
        let columns = geometry.maps * patches.len();
        Ok(GatedRbm {
            visible: Gaussian::new(device, geometry.channels, 1.0)?,
            hidden: Blocks::new(device, geometry.maps, geometry.block_size())?,
            weights: init::normal(device, patches.len(), columns, deviation, key),
            geometry,
            patches,
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

    /// Its distribution given these images x. It computes the filters on y, so make one for several calls.
    ///
    /// # Panics
    /// If the rows are not images of the machine's size.
    #[track_caller]
    pub fn given(&self, given: &Tensor) -> GatedBoltzmann<'_> {
        GatedBoltzmann::new(self, given)
    }

    /// Visible and hidden units of whole images, with copies of the parameters.
    fn layers(&self) -> [Shared; 2] {
        let visible = Shared::new(self.visible.duplicate(), self.geometry.pixels());
        [visible, Shared::new(self.hidden.duplicate(), self.geometry.block_count())]
    }

    /// The pooling units of these hidden states, or their probabilities of those of hidden units: cases × (blocks · maps).
    pub fn pool(&self, hidden: &Tensor) -> Tensor {
        let mut out = self.device().zeros(hidden.rows(), self.geometry.pooled_len());
        let blocks = self.geometry.block_count();
        let hidden = x(hidden.view().split_rows(blocks));
        self.hidden.join(Reduction::Sum, hidden, ACC, out.view_mut().split_rows(blocks));
        out
    }
}

impl Parameters for GatedRbm {
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
