//! Gradient descent by minibatches on an objective.

use std::cell::RefCell;

use nn_core::{Cases, Dataset, Error, Key, Learner, Optimizer, Parameters, Sum, Tensor, parameters};

use crate::objective::Objective;

/// Learns the parameters of an [`Objective`] from minibatches, with any optimiser: the other way is [`Lbfgs`](crate::Lbfgs).
/// Measured is the `objective`, a mean over cases.
#[derive(Debug)]
pub struct ObjectiveLearner<O, P> {
    weights: Weights,
    /// Its memory changes with every evaluation, also where only a figure is wanted.
    objective: RefCell<O>,
    optimizer: P,
    gradient: Tensor,
}

/// The matrix, under the name `weights`.
#[derive(Debug)]
struct Weights(Tensor);

impl Parameters for Weights {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.0);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.0);
    }
}

impl<O: Objective, P> ObjectiveLearner<O, P> {
    /// From these weights. `optimizer` makes the optimiser of parameters that are shown to it.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for weights of another shape than the objective's, and those of the optimiser.
    pub fn new(
        objective: O,
        weights: Tensor,
        optimizer: impl FnOnce(&dyn Parameters) -> Result<P, Error>,
    ) -> Result<Self, Error> {
        let ([rows, columns], found) = (objective.shape(), [weights.rows(), weights.columns()]);
        if found != [rows, columns] {
            let [high, wide] = found;
            return Err(Error::Data(format!(
                "weights of {high} × {wide} for an objective of {rows} × {columns}"
            )));
        }
        let (gradient, weights) = (weights.device().zeros(rows, columns), Weights(weights));
        let optimizer = optimizer(&weights)?;
        Ok(Self { weights, objective: RefCell::new(objective), optimizer, gradient })
    }

    /// What was learned.
    pub fn weights(&self) -> &Tensor {
        &self.weights.0
    }
}

impl<O, P: Parameters> Parameters for ObjectiveLearner<O, P> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.weights.visit(see);
        parameters::visit_under("optimizer", &self.optimizer, see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.weights.visit_mut(see);
        parameters::visit_mut_under("optimizer", &mut self.optimizer, see);
    }
}

impl<O: Objective, P: Optimizer> Learner for ObjectiveLearner<O, P> {
    fn update(&mut self, batch: &Cases, update: u64, _key: Key) {
        let Self { weights, objective, optimizer, gradient } = self;
        objective.get_mut().evaluate(&weights.0, &batch.inputs, Some(gradient));
        optimizer.update(weights, &[Sum::from(&*gradient)], update);
    }

    fn model(&self) -> &dyn Parameters {
        &self.weights
    }

    fn measure(&self, cases: &Cases, _key: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let value = self.objective.borrow_mut().evaluate(&self.weights.0, &cases.inputs, None).read()?;
        Ok(vec![("objective", value)])
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        crate::objective::check_inputs(data.inputs(), self.objective.borrow().shape()[1])
    }
}
