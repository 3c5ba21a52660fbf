//! A stage of untied local filters whose pooled outputs are sparse and rebuild the image.

mod learner;
mod passes;
#[cfg(test)]
mod tests;

use nn_core::{Device, Error, Key, Parameters, Tensor, Window, init::Initialization};

use crate::ica::topographic::check_epsilon;
pub use learner::LocalStageLearner;

/// Reconstruction topographic ICA with local receptive fields (Le, Ranzato, Monga, Devin, Chen, Corrado, Dean and Ng, "Building
/// high-level features using large scale unsupervised learning", 2012), one stage of it:
///
/// f(W₁, W₂) = mean over cases x of ‖W₂·a − x‖² + λ Σ_j √(ε + Σ_i∈pool j a_i²), a = W₁ᵀ·x.
///
/// A unit sees the pixels under one position of a window; units of one position that see the same pixels are its maps, and
/// filters are not shared between positions. The encoder W₁ and the decoder W₂ have filters of their own. Fields may overlap:
/// a pixel is rebuilt by the sum over all units that see it. A pool j is a window over neighbouring positions, of one map, in
/// which each unit counts 1, as H does in the paper.
///
/// Images are cases × (height · width · channels), channel last. Parameters: `encoder.weights` and `decoder.weights`, both
/// (positions · values of a field) × maps, the filters of one position below those of the other: the first are the weights of
/// an untied layer of nn-conv, by which the stage is used. With W₁ = W₂ this is twice
/// [`ReconstructionIca`](crate::ReconstructionIca) of λ/2 whose filters are 0 outside their fields.
///
/// The paper's next stage learns from the roots of the pools, after local contrast normalisation, which are layers of nn-conv,
/// too. Departures: the paper's λ is 0.1, and its ε is not known; it says nothing of edges, and here fields and pools have to
/// end at them, so that no pixel and no unit is left out.
#[derive(Debug)]
pub struct LocalStage {
    encoder: Tensor,
    decoder: Tensor,
    fields: Window,
    pools: Window,
    sparsity_weight: f64,
    epsilon: f64,
}

/// The length of a filter at first, on average. Short: what a filter has of directions in which images hardly vary, such as the fine
/// detail of photographs, no gradient takes away, and with filters of length 1 that noise is most of what is seen of them.
const INITIAL_LENGTH: f64 = 0.1;

/// The shape of a [`LocalStage`], and what it weighs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalStageSettings {
    /// Height, width and channels of the images.
    pub image: [usize; 3],
    /// Pixels on a side of a field.
    pub field: usize,
    /// Pixels from one field to the next.
    pub stride: usize,
    /// Units of each position.
    pub maps: usize,
    /// Positions on a side of a pool.
    pub pool: usize,
    /// Positions from one pool to the next.
    pub pool_stride: usize,
    /// λ ≥ 0.
    pub sparsity_weight: f64,
    /// ε > 0.
    pub epsilon: f64,
}

impl LocalStageSettings {
    /// The window that the fields are.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for an empty image, fields that do not fit it, or that leave pixels out.
    pub fn fields(&self) -> Result<Window, Error> {
        let [height, width, channels] = self.image;
        if height == 0 || width == 0 || channels == 0 {
            let given = format!("{height} × {width} × {channels}");
            return Err(Error::setting(
                "image of a local stage",
                given,
                "its sides and channels are at least 1",
            ));
        }
        check_window("field", [height, width], self.field, self.stride)?;
        Ok(Window::new(height, width, channels, self.field).stride(self.stride))
    }

    /// The window over the maps that the pools are.
    ///
    /// # Errors
    ///
    /// Those of [`fields`](Self::fields); no maps; pools that do not fit the positions, or that leave units out.
    pub fn pools(&self) -> Result<Window, Error> {
        let [down, across] = self.fields()?.positions();
        if self.maps == 0 {
            return Err(Error::setting("maps of a local stage", 0, "there is at least one"));
        }
        check_window("pool", [down, across], self.pool, self.pool_stride)?;
        Ok(Window::new(down, across, self.maps, self.pool).stride(self.pool_stride))
    }
}

/// Refuses windows that do not lie inside or do not reach the edge.
fn check_window(what: &str, [height, width]: [usize; 2], side: usize, stride: usize) -> Result<(), Error> {
    let shorter = height.min(width);
    if !(1..=shorter).contains(&side) {
        let allowed = format!("it lies between 1 and {shorter}, as {height} × {width} places are there");
        return Err(Error::setting(&format!("side of a {what}"), side, &allowed));
    }
    let ends = |length: usize| (length - side).is_multiple_of(stride);
    if !(1..=side).contains(&stride) || !ends(height) || !ends(width) {
        let allowed = format!(
            "it lies between 1 and the side {side} and divides {} and {}, so that nothing is left out",
            height - side,
            width - side
        );
        return Err(Error::setting(&format!("stride of a {what}"), stride, &allowed));
    }
    Ok(())
}

impl LocalStage {
    /// With an encoder of normal draws, filters of mean square length 0.1², and a decoder that is equal to it at first.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for windows that [`LocalStageSettings`] refuses, a λ that is negative or not finite, an ε that is not
    /// positive.
    pub fn new(device: &Device, settings: LocalStageSettings, key: Key) -> Result<Self, Error> {
        let (fields, pools) = (settings.fields()?, settings.pools()?);
        let LocalStageSettings { sparsity_weight, epsilon, maps, .. } = settings;
        check_epsilon(epsilon)?;
        if !(sparsity_weight >= 0.0 && sparsity_weight.is_finite()) {
            let allowed = "it must be 0 or a positive number";
            return Err(Error::setting("weight of the sparsity", sparsity_weight, allowed));
        }
        let deviation = INITIAL_LENGTH / (fields.patch_len() as f64).sqrt();
        let draw = Initialization::Normal { deviation };
        let encoder = draw.dense(device, fields.count() * fields.patch_len(), maps, key)?;
        Ok(Self { decoder: encoder.duplicate(), encoder, fields, pools, sparsity_weight, epsilon })
    }

    /// W₁, (positions · values of a field) × maps.
    pub fn encoder(&self) -> &Tensor {
        &self.encoder
    }

    /// W₂, of the same shape.
    pub fn decoder(&self) -> &Tensor {
        &self.decoder
    }

    /// The fields, over images.
    pub fn fields(&self) -> &Window {
        &self.fields
    }

    /// The pools, over the maps of the encoder.
    pub fn pools(&self) -> &Window {
        &self.pools
    }
}

impl Parameters for LocalStage {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("encoder.weights", &self.encoder);
        see("decoder.weights", &self.decoder);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("encoder.weights", &mut self.encoder);
        see("decoder.weights", &mut self.decoder);
    }
}
