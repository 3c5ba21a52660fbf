//! Training the layers of a Shape Boltzmann machine one after the other.

use super::compose;
use crate::{
    Dbm, EnergyModel, Layered,
    dbm::{LayerGradients, pretraining::Place},
    kept::keep_or_make_all,
    labels::check,
};
use nn_core::{
    Cases, Dataset, Error, Key, Learner, Loss, Optimizer, Parameters, Tensor, View,
    parameters::{visit_mut_under, visit_under},
};

/// CD-k for two layers that will be part of a deep machine: the lower ones on data, the upper ones on h ~ q(h | v) of the
/// lower ones.
///
/// What the layer in both will get from the other side is made up for as in [`dbm::pretraining`](crate::dbm::pretraining):
/// inputs count twice on the way up in the lower layers and on the way down in the upper ones.
///
/// Parameters: those of `machine`, `optimizer.…`, and `below.…` of the lower layers while the upper ones learn.
#[derive(Debug)]
pub struct PretrainingLearner<O> {
    /// The two layers that learn.
    pub machine: Dbm,
    /// What is done with the gradient.
    pub optimizer: O,
    below: Option<Dbm>,
    sweeps: u32,
    gradients: LayerGradients,
    /// What is learned from, and hidden means of it and states; then visible and hidden means of the model phase.
    states: Vec<Tensor>,
}

impl<O: Optimizer> PretrainingLearner<O> {
    /// A learner of the lower layers by CD-k, k given as `sweeps`.
    ///
    /// # Errors
    /// If k is 0, or the machine has more than two layers.
    pub fn bottom(machine: Dbm, sweeps: u32, optimizer: O) -> Result<PretrainingLearner<O>, Error> {
        Self::new(None, machine, sweeps, optimizer)
    }

    /// A learner of the upper layers on the lower ones.
    ///
    /// # Errors
    /// As [`PretrainingLearner::bottom`], or if the upper layers were made for others.
    pub fn top(below: Dbm, machine: Dbm, sweeps: u32, optimizer: O) -> Result<PretrainingLearner<O>, Error> {
        let (units, above) = (below.layers()[1].len(), machine.layers()[0].len());
        if units != above {
            let allowed = format!("the machine below has {units} hidden units");
            return Err(Error::setting("visible units of the upper machine", above, &allowed));
        }
        Self::new(Some(below), machine, sweeps, optimizer)
    }

    fn new(below: Option<Dbm>, machine: Dbm, sweeps: u32, optimizer: O) -> Result<Self, Error> {
        if sweeps == 0 {
            return Err(Error::setting("sweeps of contrastive divergence", sweeps, "at least one is needed"));
        }
        if machine.depth() != 1 {
            let rule = "two layers are trained at a time";
            return Err(Error::setting("hidden layers to pretrain", machine.depth(), rule));
        }
        let (gradients, states) = (LayerGradients::default(), Vec::new());
        Ok(PretrainingLearner { machine, optimizer, below, sweeps, gradients, states })
    }

    /// The deep machine of the layers below and these, as [`compose`].
    ///
    /// # Errors
    /// Without layers below.
    pub fn compose(self) -> Result<Dbm, Error> {
        let rule = "these are the lower ones; train upper ones on them first";
        let below = self.below.ok_or_else(|| Error::setting("layers below", 0, rule))?;
        compose(below, self.machine)
    }

    fn scales(&self) -> [f32; 2] {
        if self.below.is_some() { Place::Top } else { Place::Bottom }.scales()
    }

    /// What the two layers see of these cases: themselves, or h ~ q(h | v) of the layers below.
    fn seen(&self, inputs: View<'_>, key: Key, out: &mut Tensor) {
        let Some(below) = &self.below else { return out.assign(inputs) };
        let mut cases = out.device().zeros(inputs.rows(), inputs.columns());
        cases.assign(inputs);
        let up = Layered { scale: Place::Bottom.scales()[0], ..below.layered() };
        up.with_input(1, Some(&cases), None, |input| up.layers[1].sample(input, key, out.view_mut()));
    }
}

impl<O: Optimizer> Learner for PretrainingLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let (cases, device) = (batch.len(), self.machine.device().clone());
        let [visible, hidden] = [0, 1].map(|layer| self.machine.layers()[layer].len());
        let mut kept = std::mem::take(&mut self.states);
        let columns = [visible, hidden, hidden, visible, hidden].into_iter();
        let [data, data_hidden, drawn, model, model_hidden] =
            keep_or_make_all(&mut kept, &device, cases, columns)
        else {
            unreachable!("as many as were asked for")
        };
        self.seen(batch.inputs.view(), key.fold_in(0), data);
        let at = self.machine.layered();
        let [up, down] = self.scales().map(|scale| Layered { scale, ..at.clone() });
        let key = key.fold_in(1);
        up.with_input(1, Some(data), None, |input| {
            at.layers[1].mean(input, data_hidden.view_mut());
            at.layers[1].sample_around(data_hidden.view(), input, key.fold_in(0), drawn.view_mut());
        });
        for sweep in 1..u64::from(self.sweeps) {
            down.with_input(0, None, Some(drawn), |input| {
                at.layers[0].sample(input, key.fold_in(2 * sweep - 1), model.view_mut());
            });
            up.with_input(1, Some(model), None, |input| {
                at.layers[1].sample(input, key.fold_in(2 * sweep), drawn.view_mut());
            });
        }
        down.with_input(0, None, Some(drawn), |input| at.layers[0].mean(input, model.view_mut()));
        up.with_input(1, Some(model), None, |input| at.layers[1].mean(input, model_hidden.view_mut()));
        let phases: [[&Tensor; 2]; 2] = [[data, data_hidden], [model, model_hidden]];
        let sums = self.gradients.gradients(&self.machine, &phases[0], &phases[1], None, None);
        self.optimizer.update(&mut self.machine, &sums, update);
        drop(sums);
        self.states = kept;
    }

    fn model(&self) -> &dyn Parameters {
        &self.machine
    }

    /// `reconstruction error`, the mean squared difference per value between what the layers see and its mean given the
    /// hidden means.
    fn measure(&self, cases: &Cases, key: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let at = self.machine.layered();
        let [up, down] = self.scales().map(|scale| Layered { scale, ..at.clone() });
        let (mut states, mut means) = (at.room(cases.len()), at.room(cases.len()));
        self.seen(cases.inputs.view(), key, &mut states[0]);
        up.with_input(1, Some(&states[0]), None, |input| at.layers[1].mean(input, means[1].view_mut()));
        let (visible, hidden) = means.split_at_mut(1);
        down.with_input(0, None, Some(&hidden[0]), |input| at.layers[0].mean(input, visible[0].view_mut()));
        // Of the loss, ½·Σ over the values of a case.
        let squared = 2.0 * Loss::SquaredError.mean(visible[0].view(), states[0].view())?;
        Ok(vec![("reconstruction error", squared / at.layers[0].len() as f64)])
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        check(data, self.below.as_ref().unwrap_or(&self.machine).layers()[0].len(), None)
    }
}

impl<O: Optimizer> Parameters for PretrainingLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.machine.visit(see);
        visit_under("optimizer", &self.optimizer, see);
        if let Some(below) = &self.below {
            visit_under("below", below, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.machine.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
        if let Some(below) = &mut self.below {
            visit_mut_under("below", below, see);
        }
    }
}
