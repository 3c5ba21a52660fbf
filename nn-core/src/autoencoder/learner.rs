//! Training an autoencoder.

use super::{Autoencoder, SparsityPenalty, Workspace};
use crate::{
    Cases, Dataset, Error, Key, Learner, Optimizer, Parameters, Pass, Tensor,
    latent::{LatentModel, reconstruction_error},
    parameters::{visit_mut_under, visit_under},
};

/// An autoencoder that learns to reconstruct the inputs of cases; targets are not looked at.
///
/// An update is four products (encode, decode, δ of the codes, and the gradient of the weights: one of both layers if they
/// are tied, else one for each), and a sum of the codes where their mean activity is held. It reads nothing, and allocates
/// only where the number of cases changes.
#[derive(Debug)]
pub struct AutoencoderLearner<O> {
    /// The model.
    pub autoencoder: Autoencoder,
    /// What is done with the gradient.
    pub optimizer: O,
    workspace: Option<Workspace>,
}

impl<O: Optimizer> AutoencoderLearner<O> {
    /// A learner.
    pub fn new(autoencoder: Autoencoder, optimizer: O) -> Self {
        AutoencoderLearner { autoencoder, optimizer, workspace: None }
    }
}

impl<O: Optimizer> Learner for AutoencoderLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let AutoencoderLearner { autoencoder, optimizer, workspace } = self;
        if workspace.as_ref().is_none_or(|workspace| workspace.cases() != batch.len()) {
            *workspace = None;
        }
        let workspace = workspace.get_or_insert_with(|| Workspace::new(autoencoder, batch.len()));
        autoencoder.forward(batch.inputs.view(), workspace, Pass::Training(key));
        let gradients = autoencoder.backward(batch.inputs.view(), workspace);
        optimizer.update(autoencoder, &gradients, update);
    }

    fn model(&self) -> &dyn Parameters {
        &self.autoencoder
    }

    /// `loss`, the mean over the cases without noise, and `reconstruction error`, the mean squared difference of a value; of
    /// a sparse autoencoder also `sparsity`, Ω, and `activity`, the mean of the codes.
    fn measure(&self, cases: &Cases, _: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let (autoencoder, inputs) = (&self.autoencoder, cases.inputs.view());
        let mut workspace = Workspace::new(autoencoder, cases.len());
        autoencoder.forward(inputs, &mut workspace, Pass::Testing);
        let loss = autoencoder.settings.loss.mean(workspace.outputs.view(), inputs)?;
        let error = reconstruction_error(autoencoder, inputs)?;
        let mut figures = vec![("loss", loss), ("reconstruction error", error)];
        if autoencoder.settings.sparsity != SparsityPenalty::None {
            figures.push(("sparsity", workspace.sparsity(autoencoder)?));
            figures.push(("activity", workspace.activity()?));
        }
        Ok(figures)
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        let inputs = LatentModel::inputs(&self.autoencoder);
        if data.columns() == inputs {
            return Ok(());
        }
        let problem = format!("cases of {} values for an autoencoder of {inputs} inputs", data.columns());
        Err(Error::Data(problem))
    }
}

impl<O: Optimizer> Parameters for AutoencoderLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.autoencoder.visit(see);
        visit_under("optimizer", &self.optimizer, see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.autoencoder.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
    }
}
