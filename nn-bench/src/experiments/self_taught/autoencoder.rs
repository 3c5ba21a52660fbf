//! The sparse autoencoder of whole digits.

use nn_core::autoencoder::SparsityPenalty;
use nn_core::init::Initialization;
use nn_core::{
    Activation, Adam, Autoencoder, AutoencoderLearner, AutoencoderSettings, Dataset, Device, Error, Key,
    Loss, Penalty, Schedule, checkpoint,
};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::{Figures, Training};

/// Its size, its penalty, and how it learns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encoder {
    pub(super) hidden: usize,
    /// ρ and β.
    pub(super) target: f64,
    pub(super) weight: f64,
    /// Weight decay (L2).
    pub(super) decay: f32,
    pub(super) epochs: u64,
    pub(super) batch: usize,
    /// Of Adam at first; it falls linearly to 0.
    pub(super) rate: f32,
}

/// Digits that are measured while it learns.
const WATCHED: usize = 500;

impl Encoder {
    /// With first weights.
    pub(super) fn model(&self, device: &Device, pixels: usize, key: Key) -> Result<Autoencoder, Error> {
        let settings = AutoencoderSettings {
            tied: false,
            activation: Activation::Logistic,
            reconstruction: Activation::Logistic,
            loss: Loss::SquaredError,
            sparsity: SparsityPenalty::Divergence { target: self.target, weight: self.weight },
            initialization: Initialization::GlorotUniform { gain: 1.0 },
            ..AutoencoderSettings::default()
        };
        Autoencoder::new(device, pixels, self.hidden, settings, key)
    }

    pub(super) fn learner(&self, data: &Dataset, key: Key) -> Result<AutoencoderLearner<Adam>, Error> {
        let model = self.model(data.device(), data.columns(), key.fold_in(0))?;
        let updates = self.epochs * (data.len() / self.batch.min(data.len())) as u64;
        let rate = Schedule::Linear { from: self.rate, to: 0.0, updates };
        let adam = Adam::new(&model, rate, Penalty::l2(self.decay))?;
        Ok(AutoencoderLearner::new(model, adam))
    }

    /// Learns, and saves the model.
    pub(super) fn learn(
        &self,
        run: &Run,
        data: &Dataset,
        key: Key,
    ) -> Result<(Autoencoder, Figures), RunError> {
        let mut learner = self.learner(data, key).while_doing("setting up the autoencoder")?;
        let training = Training {
            stage: "autoencoder",
            epochs: self.epochs,
            batch: self.batch.min(data.len()),
            key: key.fold_in(1),
            measure_every: 1,
            save_every: 10,
        };
        let figures = training.run(run, &mut learner, data, data.first(WATCHED))?;
        let file = run.out().file("autoencoder.safetensors");
        let header = checkpoint::Header::new("self-taught autoencoder", 0, key);
        checkpoint::save(&file, &header, &learner.autoencoder).while_doing("saving the autoencoder")?;
        Ok((learner.autoencoder, figures))
    }
}
