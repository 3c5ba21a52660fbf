//! Training a gated machine by contrastive divergence.

use super::{GatedGradient, GatedRbm};
use crate::{
    Phase, Phases,
    convolutional::{Geometry, MapSparsity},
    kept::keep_or_make,
};
use nn_core::{
    ACC, Cases, Dataset, Error, Key, Learner, Optimizer, Over, Parameters, Reduction, Tensor,
    parameters::{largest, visit_mut_under, visit_under},
    x,
};

/// A gated machine that learns y, the targets of its cases, given x, their inputs.
///
/// CD-k: k sweeps of y and z from the data while x stays, the last y by their means. Hidden units enter both phases by
/// their means. Nothing is read from the device in an update.
#[derive(Debug)]
pub struct GatedLearner<O> {
    /// The model.
    pub rbm: GatedRbm,
    /// What is done with the gradient.
    pub optimizer: O,
    /// A target for the activity of hidden units, if there is one.
    pub sparsity: Option<MapSparsity>,
    k: u32,
    data_hidden: Option<Tensor>,
    hidden: Option<Tensor>,
    visible: Option<Tensor>,
    model_hidden: Option<Tensor>,
    gradient: GatedGradient,
}

impl<O: Optimizer> GatedLearner<O> {
    /// A learner by CD-k.
    ///
    /// # Errors
    /// If k is 0.
    pub fn new(rbm: GatedRbm, k: u32, optimizer: O) -> Result<Self, Error> {
        if k == 0 {
            return Err(Error::setting("sweeps of contrastive divergence", k, "k must be at least 1"));
        }
        Ok(GatedLearner {
            rbm,
            optimizer,
            sparsity: None,
            k,
            data_hidden: None,
            hidden: None,
            visible: None,
            model_hidden: None,
            gradient: GatedGradient::default(),
        })
    }
}

impl<O: Optimizer> Learner for GatedLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let (rbm, y, cases) = (&self.rbm, batch.targets_or_inputs(), batch.len());
        let (device, units) = (rbm.device(), rbm.geometry.hidden_len());
        let data_hidden = keep_or_make(&mut self.data_hidden, device, cases, units);
        let hidden = keep_or_make(&mut self.hidden, device, cases, units);
        let visible = keep_or_make(&mut self.visible, device, cases, rbm.geometry.image_len());
        let model_hidden = keep_or_make(&mut self.model_hidden, device, cases, units);
        let at = rbm.given(&batch.inputs);
        at.mean_and_sample_hidden(y, key.fold_in(0), data_hidden, hidden);
        for sweep in 1..u64::from(self.k) {
            at.sample_visible(hidden, key.fold_in(2 * sweep - 1), visible);
            at.sample_hidden(visible, key.fold_in(2 * sweep), hidden);
        }
        at.mean_visible(hidden, visible);
        at.mean_hidden(visible, model_hidden);
        let phases = Phases {
            data: Phase { visible: y, hidden: data_hidden, weights: None },
            model: Phase { visible, hidden: model_hidden, weights: None },
        };
        let patches = at.into_patches();
        let gradients = self.gradient.gradients(rbm, &patches, &phases, self.sparsity.as_ref());
        self.optimizer.update(&mut self.rbm, &gradients, update);
    }

    fn model(&self) -> &dyn Parameters {
        &self.rbm
    }

    /// Mean squared error per pixel of y reconstructed from hidden means, mean activity of hidden and of pooling units,
    /// largest weight.
    fn measure(&self, cases: &Cases, _: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let (rbm, y) = (&self.rbm, cases.targets_or_inputs());
        let grid = [y.rows(), y.columns()];
        let mut hidden = rbm.device().zeros(grid[0], rbm.geometry.hidden_len());
        let mut reconstruction = rbm.device().zeros(grid[0], grid[1]);
        let at = rbm.given(&cases.inputs);
        at.mean_hidden(y, &mut hidden);
        at.mean_visible(&hidden, &mut reconstruction);
        let mut errors = rbm.device().zeros(grid[0], 1);
        let squared = (x(y) - &reconstruction).square();
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
        let Some(targets) = data.targets() else {
            return Err(Error::Data(
                "a gated machine learns targets y given inputs x: there are none".into(),
            ));
        };
        let Geometry { height, width, channels, .. } = self.rbm.geometry;
        for (name, given) in [("inputs x", data.columns()), ("targets y", targets.columns())] {
            if given != self.rbm.geometry.image_len() {
                return Err(Error::Data(format!(
                    "{name} have {given} values, but the machine sees images of {height}×{width}×{channels}"
                )));
            }
        }
        Ok(())
    }
}

impl<O: Optimizer> Parameters for GatedLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.rbm.visit(see);
        visit_under("optimizer", &self.optimizer, see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.rbm.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
    }
}
