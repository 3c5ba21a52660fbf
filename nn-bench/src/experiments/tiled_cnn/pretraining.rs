//! Topographic ICA of white patches.

use nn_conv::{Tiled, TiledIca};
use nn_core::{Dataset, Key, Schedule};

use super::features::Architecture;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::{Figures, Training};

/// How filters learn without labels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pretraining {
    pub(super) epochs: u64,
    pub(super) batch: usize,
    /// At first; it falls linearly to 0.
    pub(super) rate: f32,
}

/// Images on which the objective is measured.
const MEASURED: usize = 200;

impl Pretraining {
    fn learner(self, layer: Tiled, architecture: Architecture, updates: u64) -> Result<TiledIca, RunError> {
        let rate = Schedule::Linear { from: self.rate, to: 0.0, updates };
        let [positions, _] = layer.window().positions();
        TiledIca::new(layer, architecture.pools(positions), TiledIca::EPSILON, rate)
            .while_doing("setting up topographic ICA")
    }

    /// The filters that learning begins with: those of the layer, made orthonormal.
    pub(super) fn start(self, layer: Tiled, architecture: Architecture) -> Result<Tiled, RunError> {
        Ok(self.learner(layer, architecture, 1)?.into_layer())
    }

    /// Learns from the white patches of images, and says what the objective did.
    pub(super) fn learn(
        self,
        run: &Run,
        stage: &str,
        layer: Tiled,
        architecture: Architecture,
        white: &Dataset,
        key: Key,
    ) -> Result<(Tiled, Figures), RunError> {
        let Pretraining { epochs, batch, .. } = self;
        let training = Training { stage, epochs, batch, key, measure_every: 1, save_every: epochs };
        let updates = epochs * training.fit().updates_per_epoch(white);
        let mut learner = self.learner(layer, architecture, updates)?;
        let figures = training.run(run, &mut learner, white, white.first(MEASURED))?;
        Ok((learner.into_layer(), figures))
    }
}
