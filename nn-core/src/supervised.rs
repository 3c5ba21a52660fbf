//! Training a network by backpropagation.

use crate::{
    Cases, Dataset, Error, Key, Learner, Loss, Network, Optimizer, Parameters, Pass, Tensor,
    network::Workspace,
    parameters::{visit_mut_under, visit_under},
};

/// A network that learns: passes forward and back, an update of the optimiser with the gradient of the mean loss.
///
/// The targets are those of the cases; cases without targets are their own, so that a network learns to reconstruct its
/// inputs. A steady update reads nothing; it allocates only where the number of cases changes.
#[derive(Debug)]
pub struct SupervisedLearner<O> {
    /// The model.
    pub network: Network,
    /// What is done with the gradient.
    pub optimizer: O,
    /// Whether targets are classes, so that errors are counted; at first if the loss is the cross-entropy.
    pub classifies: bool,
    workspace: Workspace,
}

impl<O: Optimizer> SupervisedLearner<O> {
    /// A learner.
    pub fn new(network: Network, optimizer: O) -> Self {
        let classifies = network.loss == Loss::CrossEntropy;
        SupervisedLearner { network, optimizer, classifies, workspace: Workspace::new() }
    }

    /// What the network gave for the cases of the last update, before the parameters changed, cases × outputs; nothing
    /// before the first update. Its loss costs no further pass, but is that of a network that draws.
    pub fn outputs(&self) -> Option<&Tensor> {
        self.workspace.outputs().last()
    }
}

impl<O: Optimizer> Learner for SupervisedLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let SupervisedLearner { network, optimizer, workspace, .. } = self;
        let inputs = batch.inputs.view();
        network.forward(inputs, workspace, Pass::Training(key));
        let gradients = network.backward(inputs, batch.targets_or_inputs().view(), workspace);
        optimizer.update(network, &gradients, update);
    }

    fn model(&self) -> &dyn Parameters {
        &self.network
    }

    /// `loss`, the mean over the cases, and `error`, the share classified wrongly, if targets are classes.
    fn measure(&self, cases: &Cases, _: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let found = self.network.evaluate(cases.inputs.view(), cases.targets_or_inputs().view())?;
        let mut figures = vec![("loss", found.loss)];
        if self.classifies {
            figures.push(("error", found.error));
        }
        Ok(figures)
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        let (inputs, outputs) = (self.network.inputs(), self.network.outputs());
        if data.columns() != inputs {
            let problem = format!("cases of {} values for a network of {inputs} inputs", data.columns());
            return Err(Error::Data(problem));
        }
        match data.targets() {
            Some(targets) if targets.columns() != outputs => {
                let problem =
                    format!("targets of {} values for a network of {outputs} outputs", targets.columns());
                Err(Error::Data(problem))
            }
            None if outputs != inputs => Err(Error::Data(format!(
                "the data have no targets, and the {outputs} outputs of the network are not its {inputs} inputs; \
                 make the data with labels or targets"
            ))),
            _ => Ok(()),
        }
    }
}

impl<O: Optimizer> Parameters for SupervisedLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.network.visit(see);
        visit_under("optimizer", &self.optimizer, see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.network.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
    }
}

#[cfg(test)]
mod tests;
