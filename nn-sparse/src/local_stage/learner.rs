//! A local stage that learns from minibatches.

use std::cell::RefCell;

use nn_core::{Cases, Dataset, Error, Key, Learner, Optimizer, Parameters, Tensor, parameters};

use super::LocalStage;
use super::passes::Room;
use crate::objective::check_inputs;

/// Learns a [`LocalStage`] from minibatches of images, with any optimiser. An update costs five products of positions × cases ×
/// values of a field × maps, and memory for the patches of a minibatch, whatever the number of images. Images, or answers of
/// the stage below, that do not fit into memory come from the file of [`StoredCases`](nn_core::StoredCases) by
/// [`Fit::run_on`](nn_core::Fit::run_on), and what a stage answers to them is written into the next file part by part.
///
/// Measured are the `objective` and its parts, `reconstruction` and `sparsity`, means over cases.
#[derive(Debug)]
pub struct LocalStageLearner<P> {
    /// What is learned.
    pub stage: LocalStage,
    optimizer: P,
    /// Changes with every evaluation, also where only figures are wanted.
    room: RefCell<Room>,
}

impl<P> LocalStageLearner<P> {
    /// From this stage. `optimizer` makes the optimiser of its parameters.
    ///
    /// # Errors
    ///
    /// Those of the optimiser.
    pub fn new(
        stage: LocalStage,
        optimizer: impl FnOnce(&dyn Parameters) -> Result<P, Error>,
    ) -> Result<Self, Error> {
        let (optimizer, room) = (optimizer(&stage)?, RefCell::new(Room::new(stage.encoder.device())));
        Ok(Self { stage, optimizer, room })
    }
}

impl<P: Parameters> Parameters for LocalStageLearner<P> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.stage.visit(see);
        parameters::visit_under("optimizer", &self.optimizer, see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.stage.visit_mut(see);
        parameters::visit_mut_under("optimizer", &mut self.optimizer, see);
    }
}

impl<P: Optimizer> Learner for LocalStageLearner<P> {
    fn update(&mut self, batch: &Cases, update: u64, _key: Key) {
        let Self { stage, optimizer, room } = self;
        let (inputs, room) = (batch.inputs.view(), room.get_mut());
        stage.evaluate(inputs, room);
        let gradients = stage.gradients(inputs, room);
        optimizer.update(stage, &gradients, update);
    }

    fn model(&self) -> &dyn Parameters {
        &self.stage
    }

    fn measure(&self, cases: &Cases, _key: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let room = &mut *self.room.borrow_mut();
        self.stage.evaluate(cases.inputs.view(), room);
        let (reconstruction, sparsity) = (room.reconstruction().read()?, room.sparsity().read()?);
        Ok(vec![
            ("objective", reconstruction + sparsity),
            ("reconstruction", reconstruction),
            ("sparsity", sparsity),
        ])
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        check_inputs(data.inputs(), self.stage.fields.image_len())
    }
}
