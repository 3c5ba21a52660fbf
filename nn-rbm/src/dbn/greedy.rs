//! Greedy training: the top machine on what the layers below make of the data.

use super::{Dbn, layers::ascend};
use crate::{GradientEstimator, Rbm, RbmLearner, kept::keep_or_make, labels::check};
use nn_core::{Cases, Dataset, Error, Key, Learner, Optimizer, Parameters, Tensor, View};

/// Trains the top of a network and leaves the layers below as they are.
///
/// The batch of every update is drawn anew: h ~ q(h | v), with the label of the case beside it if the top has one. Its
/// log-likelihood is, up to a constant, the lower bound on log p(v), so that training raises the bound. Settings of the
/// top, such as centring, are those of [`GreedyLearner::learner`].
///
/// Parameters: those of the layers below as in [`Dbn`], and under `top.…` those of the learner of the top.
#[derive(Debug)]
pub struct GreedyLearner<O> {
    /// The layers below, and what learns.
    below: Vec<super::Directed>,
    classes: Option<usize>,
    /// The learner of the top.
    pub learner: RbmLearner<O>,
    states: Vec<Tensor>,
    batch: Option<Cases>,
}

impl<O: Optimizer> GreedyLearner<O> {
    /// A learner of the top of this network. The optimiser is for the parameters of `dbn.top`.
    pub fn new(dbn: Dbn, estimator: impl GradientEstimator + 'static, optimizer: O) -> GreedyLearner<O> {
        let (below, classes) = (dbn.lower, dbn.classes);
        let learner = RbmLearner::new(dbn.top, estimator, optimizer);
        GreedyLearner { below, classes, learner, states: Vec::new(), batch: None }
    }

    /// The machine that learns.
    pub fn top(&self) -> &Rbm {
        &self.learner.rbm
    }

    /// The network, to be grown, fine-tuned or used.
    pub fn into_dbn(self) -> Dbn {
        Dbn { lower: self.below, top: self.learner.rbm, classes: self.classes }
    }
}

/// What the top is trained on: `units` (cases × units), and beside them the label of each case if there are classes.
///
/// # Panics
/// If the model has labels and the cases have none.
pub(super) fn with_label<'a>(
    kept: &'a mut Option<Tensor>,
    units: View<'_>,
    targets: Option<&Tensor>,
    classes: usize,
) -> &'a Tensor {
    let (device, columns) = (units.source().device(), units.columns());
    let joined = keep_or_make(kept, device, units.rows(), columns + classes);
    joined.column_range_mut(0..columns).assign(units);
    if classes > 0 {
        let targets = targets.expect("a model with labels learns from cases with labels, see Learner::check");
        joined.column_range_mut(columns..columns + classes).assign(targets);
    }
    joined
}

impl<O: Optimizer> GreedyLearner<O> {
    /// h ~ q(h | v) of these cases, beside their labels.
    fn drawn(&mut self, cases: &Cases, key: Key) -> Cases {
        ascend(&self.below, cases.inputs.view(), &mut self.states, key);
        let units = self.states.last().unwrap_or(&cases.inputs);
        let mut kept = self.batch.take().map(|batch| batch.inputs);
        with_label(&mut kept, units.view(), cases.targets.as_ref(), self.classes.unwrap_or(0));
        kept.expect("was just filled").into()
    }
}

impl<O: Optimizer> Learner for GreedyLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let drawn = self.drawn(batch, key.fold_in(0));
        self.learner.update(&drawn, update, key.fold_in(1));
        self.batch = Some(drawn);
    }

    fn model(&self) -> &dyn Parameters {
        &self.learner.rbm
    }

    /// The figures of the top, as [`RbmLearner::measure`] gives them, on h ~ q(h | v) of these cases.
    fn measure(&self, cases: &Cases, key: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let mut states = Vec::new();
        ascend(&self.below, cases.inputs.view(), &mut states, key.fold_in(0));
        let (mut joined, units) = (None, states.last().unwrap_or(&cases.inputs));
        with_label(&mut joined, units.view(), cases.targets.as_ref(), self.classes.unwrap_or(0));
        let drawn = joined.expect("was just filled").into();
        self.learner.measure(&drawn, key.fold_in(1))
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        let classes = self.classes.unwrap_or(0);
        let top = self.learner.rbm.visible.len() - classes;
        let inputs = self.below.first().map_or(top, |layer| layer.recognition.weights.rows());
        check(data, inputs, self.classes)
    }
}

impl<O: Optimizer> Parameters for GreedyLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (index, layer) in self.below.iter().enumerate() {
            layer.visit(&mut |name, tensor| see(&format!("{}.{name}", index + 1), tensor));
        }
        self.learner.visit(&mut |name, tensor| see(&format!("top.{name}"), tensor));
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (index, layer) in self.below.iter_mut().enumerate() {
            layer.visit_mut(&mut |name, tensor| see(&format!("{}.{name}", index + 1), tensor));
        }
        self.learner.visit_mut(&mut |name, tensor| see(&format!("top.{name}"), tensor));
    }
}
