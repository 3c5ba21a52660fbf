//! Training a convolutional machine by contrastive divergence, from the data or with persistent chains.

use super::{ConvolutionalGradient, ConvolutionalRbm, Geometry, MapSparsity};
use crate::{
    Phase, Phases,
    kept::keep_or_make,
    units::{Shared, Units},
};
use nn_core::{
    ACC, Cases, Dataset, Error, Key, Learner, Optimizer, Over, Parameters, Reduction, Schedule, Sum, Tensor,
    parameters::{largest, visit_mut_under, visit_under},
    x,
};

/// A convolutional machine that learns.
///
/// CD-k: k sweeps from the data, the last visible states by their means. PCD-k: k sweeps of chains that are never
/// restarted, as many as one likes, states throughout. Hidden units enter both phases by their means. Nothing is read
/// from the device in an update.
#[derive(Debug)]
pub struct ConvolutionalLearner<O> {
    /// The model.
    pub rbm: ConvolutionalRbm,
    /// What is done with the gradient.
    pub optimizer: O,
    /// A target for the activity of hidden units, if there is one.
    pub sparsity: Option<MapSparsity>,
    /// σ of real visible units at each update, if it is to change.
    pub deviation: Option<Schedule>,
    k: u32,
    /// Hidden states of persistent chains, chains × hidden.
    chains: Option<Tensor>,
    data_hidden: Option<Tensor>,
    hidden: Option<Tensor>,
    visible: Option<Tensor>,
    model_hidden: Option<Tensor>,
    gradient: ConvolutionalGradient,
}

impl<O: Optimizer> ConvolutionalLearner<O> {
    /// A learner by CD-k.
    ///
    /// # Errors
    /// If k is 0.
    pub fn new(rbm: ConvolutionalRbm, k: u32, optimizer: O) -> Result<Self, Error> {
        if k == 0 {
            return Err(Error::setting("sweeps of contrastive divergence", k, "k must be at least 1"));
        }
        Ok(ConvolutionalLearner {
            rbm,
            optimizer,
            sparsity: None,
            deviation: None,
            k,
            chains: None,
            data_hidden: None,
            hidden: None,
            visible: None,
            model_hidden: None,
            gradient: ConvolutionalGradient::default(),
        })
    }

    /// The same by PCD-k, with this many chains started at hidden states drawn without input.
    ///
    /// # Errors
    /// If there is no chain.
    pub fn persistent(mut self, chains: usize, key: Key) -> Result<Self, Error> {
        if chains == 0 {
            return Err(Error::setting("persistent chains", chains, "at least one is needed"));
        }
        let (geometry, device) = (self.rbm.geometry(), self.rbm.device());
        let hidden = Shared::new(self.rbm.hidden.duplicate(), geometry.block_count());
        let (nothing, mut states) = (device.zeros(chains, hidden.len()), device.zeros(chains, hidden.len()));
        hidden.sample(&Sum::from(&nothing), key, states.view_mut());
        self.chains = Some(states);
        Ok(self)
    }

    /// Hidden states of the persistent chains, if there are any.
    pub fn chains(&self) -> Option<&Tensor> {
        self.chains.as_ref()
    }

    /// Moves the chains and fills in both phases.
    fn run_chains(&mut self, batch: &Tensor, key: Key) {
        let rbm = &self.rbm;
        let (device, units, pixels) = (rbm.device(), rbm.geometry.hidden_len(), rbm.geometry.image_len());
        let (at, cases, last) = (rbm.distribution(), batch.rows(), u64::from(self.k) - 1);
        let data_hidden = keep_or_make(&mut self.data_hidden, device, cases, units);
        let rows = self.chains.as_ref().map_or(cases, Tensor::rows);
        let visible = keep_or_make(&mut self.visible, device, rows, pixels);
        let model_hidden = keep_or_make(&mut self.model_hidden, device, rows, units);
        let persistent = self.chains.is_some();
        let hidden = match &mut self.chains {
            Some(chains) => {
                at.mean_hidden(batch, None, data_hidden);
                chains
            }
            None => {
                let hidden = keep_or_make(&mut self.hidden, device, cases, units);
                at.mean_and_sample_hidden(batch, key.fold_in(0), data_hidden, hidden);
                hidden
            }
        };
        for sweep in 0..last {
            at.sample_visible(hidden, key.fold_in(2 * sweep + 1), visible);
            at.sample_hidden(visible, None, key.fold_in(2 * sweep + 2), hidden);
        }
        if persistent {
            at.sample_visible(hidden, key.fold_in(2 * last + 1), visible);
            at.mean_and_sample_hidden(visible, key.fold_in(2 * last + 2), model_hidden, hidden);
        } else {
            at.mean_visible(hidden, visible);
            at.mean_hidden(visible, None, model_hidden);
        }
    }
}

impl<O: Optimizer> Learner for ConvolutionalLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        if let Some(deviation) = &self.deviation {
            self.rbm.set_deviation(deviation.at(update));
        }
        self.run_chains(&batch.inputs, key);
        let (Some(data_hidden), Some(visible), Some(model_hidden)) =
            (&self.data_hidden, &self.visible, &self.model_hidden)
        else {
            return;
        };
        let phases = Phases {
            data: Phase { visible: &batch.inputs, hidden: data_hidden, weights: None },
            model: Phase { visible, hidden: model_hidden, weights: None },
        };
        let gradients = self.gradient.gradients(&self.rbm, &phases, self.sparsity.as_ref());
        self.optimizer.update(&mut self.rbm, &gradients, update);
    }

    fn model(&self) -> &dyn Parameters {
        &self.rbm
    }

    /// Mean squared reconstruction error per visible unit, mean activity of hidden and of pooling units, largest weight.
    fn measure(&self, cases: &Cases, _: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let (rbm, cases) = (&self.rbm, &cases.inputs);
        let hidden = rbm.mean_hidden(cases);
        let reconstruction = rbm.mean_visible(&hidden);
        let grid = [cases.rows(), cases.columns()];
        let mut errors = rbm.device().zeros(cases.rows(), 1);
        let squared = (x(cases) - &reconstruction).square();
        errors.reduce(grid, Over::Columns, Reduction::Sum, squared, ACC * (1.0 / grid[1] as f32));
        let pooled = rbm.pool(&hidden).to_array_f64()?.mean().unwrap_or(f64::NAN);
        Ok(vec![
            ("reconstruction error", errors.to_array_f64()?.mean().unwrap_or(f64::NAN)),
            ("mean hidden activity", pooled / rbm.geometry.block_size() as f64),
            ("mean pooled activity", pooled),
            ("largest weight", largest(&rbm.weights)?),
        ])
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        let (given, geometry) = (data.columns(), self.rbm.geometry());
        if given == geometry.image_len() {
            return Ok(());
        }
        let Geometry { height, width, channels, .. } = geometry;
        Err(Error::Data(format!(
            "cases have {given} values, but the machine sees images of {height}×{width}×{channels}"
        )))
    }
}

impl<O: Optimizer> Parameters for ConvolutionalLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.rbm.visit(see);
        visit_under("optimizer", &self.optimizer, see);
        if let Some(chains) = &self.chains {
            see("chains", chains);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.rbm.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
        if let Some(chains) = &mut self.chains {
            see("chains", chains);
        }
    }
}
