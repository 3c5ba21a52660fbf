//! Autoencoders of one hidden layer, plain, denoising and sparse.

mod evaluation;
mod learner;
mod sparsity_penalty;
mod workspace;

pub use evaluation::Evaluation;
pub use learner::AutoencoderLearner;
pub use sparsity_penalty::SparsityPenalty;
pub use workspace::Workspace;

use crate::{
    ACC, Corruption, Device, Error, Key, Loss, Operand, Parameters, Tensor, View, ViewMut,
    init::Initialization,
    latent::{DenseLatentModel, LatentModel},
    layer::{Activation, Dense, Layer},
    parameters::{visit_mut_under, visit_under},
};
use serde::{Deserialize, Serialize};

/// What kind of autoencoder.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct AutoencoderSettings {
    /// Whether the decoder has the weights of the encoder, transposed.
    pub tied: bool,
    /// f, of the codes.
    pub activation: Activation,
    /// g, of the reconstructions; the identity for the binary cross-entropy, which holds the logistic function.
    pub reconstruction: Activation,
    /// [`Loss::BinaryCrossEntropy`] or [`Loss::SquaredError`].
    pub loss: Loss,
    /// Noise on the inputs.
    pub corruption: Corruption,
    /// What keeps codes near zero.
    pub sparsity: SparsityPenalty,
    /// First weights.
    pub initialization: Initialization,
}

impl Default for AutoencoderSettings {
    /// Tied weights, logistic codes, binary cross-entropy, no noise, no sparsity.
    fn default() -> Self {
        AutoencoderSettings {
            tied: true,
            activation: Activation::Logistic,
            reconstruction: Activation::Identity,
            loss: Loss::BinaryCrossEntropy,
            corruption: Corruption::None,
            sparsity: SparsityPenalty::None,
            initialization: Initialization::GlorotUniform { gain: 4.0 },
        }
    }
}

impl AutoencoderSettings {
    fn check(&self) -> Result<(), Error> {
        self.corruption.check()?;
        self.sparsity.check(self.activation)?;
        self.reconstruction.check()?;
        if self.loss == Loss::CrossEntropy {
            let allowed = "an autoencoder has the binary cross-entropy or the squared error";
            return Err(Error::setting("loss", "the cross-entropy", allowed));
        }
        if self.loss == Loss::BinaryCrossEntropy && self.reconstruction != Activation::Identity {
            let allowed = "it must be the identity: the binary cross-entropy holds the logistic function";
            return Err(Error::setting("reconstruction", format!("{:?}", self.reconstruction), allowed));
        }
        if self.reconstruction.slope_needs_input() {
            let allowed = "it must be a function that tells its input by its output";
            return Err(Error::setting("reconstruction", format!("{:?}", self.reconstruction), allowed));
        }
        Ok(())
    }
}

/// Code h = f(x̃·W + b) of the corrupted inputs x̃, reconstruction g(h·V + c) of the clean ones x; V = Wᵀ if tied.
///
/// The loss compares reconstructions with x (Vincent and others, 2008, for corrupted inputs), and the objective is its mean
/// over the cases and the penalty Ω(h) of [`SparsityPenalty`]. Parameters:
/// `encoder.weights` W inputs × codes, `encoder.biases`, `decoder.weights` V codes × inputs unless tied, `decoder.biases`.
#[derive(Debug)]
pub struct Autoencoder {
    /// W, b and f.
    pub encoder: Dense,
    /// V, codes × inputs; none if tied.
    decoder_weights: Option<Tensor>,
    /// c, 1 × inputs.
    decoder_biases: Tensor,
    settings: AutoencoderSettings,
}

impl Autoencoder {
    /// An autoencoder with drawn weights and biases of zero.
    ///
    /// # Errors
    /// [`Error::Setting`] for no inputs or codes, or settings that do not go together.
    pub fn new(
        device: &Device,
        inputs: usize,
        codes: usize,
        settings: AutoencoderSettings,
        key: Key,
    ) -> Result<Autoencoder, Error> {
        settings.check()?;
        let AutoencoderSettings { activation, initialization, .. } = settings;
        let encoder = Dense::new(device, inputs, codes, activation, initialization, key.fold_in(0))?;
        let decoder_weights = match settings.tied {
            true => None,
            false => Some(initialization.dense(device, codes, inputs, key.fold_in(1))?),
        };
        Ok(Autoencoder { encoder, decoder_weights, decoder_biases: device.zeros(1, inputs), settings })
    }

    /// How it was made.
    pub fn settings(&self) -> &AutoencoderSettings {
        &self.settings
    }

    /// V
    fn decoder(&self) -> Operand<'_> {
        self.decoder_weights.as_ref().map_or(self.encoder.weights.t(), Operand::from)
    }

    /// g, and the logistic function where the loss holds it.
    fn reconstruction(&self) -> Activation {
        match self.settings.loss {
            Loss::BinaryCrossEntropy => Activation::Logistic,
            _ => self.settings.reconstruction,
        }
    }
}

impl Parameters for Autoencoder {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        visit_under("encoder", &self.encoder, see);
        if let Some(weights) = &self.decoder_weights {
            see("decoder.weights", weights);
        }
        see("decoder.biases", &self.decoder_biases);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        visit_mut_under("encoder", &mut self.encoder, see);
        if let Some(weights) = &mut self.decoder_weights {
            see("decoder.weights", weights);
        }
        see("decoder.biases", &mut self.decoder_biases);
    }
}

impl LatentModel for Autoencoder {
    fn inputs(&self) -> usize {
        Layer::inputs(&self.encoder)
    }
    fn codes(&self) -> usize {
        self.encoder.outputs()
    }
    fn encode(&self, inputs: View<'_>, codes: ViewMut<'_>) {
        self.encoder.apply(inputs, codes);
    }
    fn decode(&self, codes: View<'_>, inputs: ViewMut<'_>) {
        inputs.product(codes.dot(self.decoder()), self.reconstruction().apply(ACC + &self.decoder_biases));
    }
}

impl DenseLatentModel for Autoencoder {
    fn encoder_layer(&self) -> Result<Dense, Error> {
        Ok(self.encoder.duplicate())
    }
    fn decoder_layer(&self) -> Result<Dense, Error> {
        let weights = match &self.decoder_weights {
            Some(weights) => weights.duplicate(),
            None => self.encoder.weights.transposed()?,
        };
        Dense::with_parameters(weights, self.decoder_biases.duplicate(), self.reconstruction())
    }
}

#[cfg(test)]
mod tests;
