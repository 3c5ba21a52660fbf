//! Fine-tuning of all layers: the contrastive version of the wake-sleep algorithm.

use super::{
    Dbn,
    greedy::with_label,
    layers::{ascend, descend},
};
use crate::{ConditionalGradient, GradientAssembly, GradientEstimator, labels::check};
use nn_core::{
    Cases, Dataset, Error, Key, Learner, Loss, OLD, Optimizer, Parameters, Sum, Tensor,
    loss::error_rate,
    parameters::{visit_mut_under, visit_under},
    x,
};

/// The up-down algorithm (Hinton, Osindero and Teh, 2006).
///
/// Wake: h₁ … h_{L−1} ~ q(h | v); the generative layers learn log p(hₗ₋₁ | hₗ). Top: the estimator's gradient of
/// log p(h_{L−1}, y), with the labels y of the cases. Sleep: from the states of the model phase down,
/// hₗ₋₁ ~ p(hₗ₋₁ | hₗ); the recognition layers learn log q(hₗ | hₗ₋₁) on these dreams. All three are done with the
/// parameters before the update.
///
/// The published recipe has [`ContrastiveDivergence::with_schedule`](crate::estimator::ContrastiveDivergence) of 3, 6
/// and 10 sweeps in the three thirds of training. With CD dreams start near the data; with persistent chains they are
/// dreams of the model, and sleep follows the gradient of KL(p(v, h) ‖ q(h | v)) as far as the chains have mixed. The
/// estimator's states must all weigh the same, as those of all but the exact one do.
///
/// Parameters: those of the network, `optimizer.…`, `estimator.…`.
#[derive(Debug)]
pub struct UpDownLearner<O> {
    /// The model.
    pub dbn: Dbn,
    /// Where the gradient of the top comes from.
    pub estimator: Box<dyn GradientEstimator>,
    /// What is done with the gradients of all parameters of the model.
    pub optimizer: O,
    top: GradientAssembly,
    /// For each layer: of recognition, of generation.
    layers: Vec<[ConditionalGradient; 2]>,
    /// h₁ … h_{L−1} of the wake phase.
    states: Vec<Tensor>,
    /// v … h_{L−1} of the sleep phase.
    dreams: Vec<Tensor>,
    joined: Option<Tensor>,
}

impl<O: Optimizer> UpDownLearner<O> {
    /// A learner. The optimiser is for the parameters of `dbn`, the estimator for the top.
    pub fn new(dbn: Dbn, estimator: impl GradientEstimator + 'static, optimizer: O) -> UpDownLearner<O> {
        let layers = dbn.lower.iter().map(|_| Default::default()).collect();
        UpDownLearner {
            dbn,
            estimator: Box::new(estimator),
            optimizer,
            top: GradientAssembly::default(),
            layers,
            states: Vec::new(),
            dreams: Vec::new(),
            joined: None,
        }
    }
}

impl<O: Optimizer> Learner for UpDownLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let UpDownLearner { dbn, estimator, optimizer, top, layers, states, dreams, joined } = self;
        ascend(&dbn.lower, batch.inputs.view(), states, key.fold_in(0));
        let units = states.last().unwrap_or(&batch.inputs);
        let data = match dbn.classes {
            Some(classes) => with_label(joined, units.view(), batch.targets.as_ref(), classes),
            None => units,
        };
        let phases = estimator.phases(&dbn.top, data, update, key.fold_in(1));
        assert!(phases.model.weights.is_none(), "dreams start at states that all weigh the same");
        if !dbn.lower.is_empty() {
            // States as they are; of means, as contrastive divergence gives them, a draw.
            let grid = [phases.model.visible.rows(), units.columns()];
            let from = x(phases.model.visible.column_range(0..grid[1])).bernoulli(key.fold_in(2));
            descend(&dbn.lower, dbn.top.device(), from, grid, dreams, key.fold_in(3));
        }
        let mut gradients: Vec<Sum<'_>> = Vec::new();
        for (index, (layer, [recognition, generative])) in dbn.lower.iter().zip(layers).enumerate() {
            let (dream, above) = (&dreams[index], &dreams[index + 1]);
            gradients.extend(recognition.gradients(&layer.recognition, above.view(), dream.view()));
            let below = index.checked_sub(1).map_or(&batch.inputs, |below| &states[below]);
            gradients.extend(generative.gradients(&layer.generative, below.view(), states[index].view()));
        }
        gradients.extend(top.gradients(&dbn.top, &phases, None, None));
        optimizer.update(dbn, &gradients, update);
        dbn.top.visible.constrain();
        dbn.top.hidden.constrain();
        for layer in &mut dbn.lower {
            layer.generative.units.constrain();
        }
    }

    fn model(&self) -> &dyn Parameters {
        &self.dbn
    }

    /// `reconstruction error`, the mean squared difference per value after a pass up to h_{L−1} and down again by means;
    /// `label error`, the share of cases classified wrongly, if model and cases have labels.
    fn measure(&self, cases: &Cases, _: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let (dbn, inputs) = (&self.dbn, &cases.inputs);
        let mut means = dbn.recognize(inputs.view());
        for layer in dbn.lower.iter().rev() {
            let mut below = inputs.device().zeros(inputs.rows(), layer.recognition.weights.rows());
            layer.generative.mean(means.view(), below.view_mut());
            means = below;
        }
        // Of the loss, ½·Σ over the values of a case.
        let squared = 2.0 * Loss::SquaredError.mean(means.view(), inputs.view())?;
        let mut figures = vec![("reconstruction error", squared / inputs.columns() as f64)];
        if let (Some(targets), Some(_)) = (&cases.targets, dbn.classes) {
            let mut outputs = dbn.class_energies(inputs.view())?;
            outputs.assign(-OLD);
            figures.push(("label error", error_rate(outputs.view(), targets.view())?));
        }
        Ok(figures)
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        check(data, self.dbn.inputs(), self.dbn.classes)
    }
}

impl<O: Optimizer> Parameters for UpDownLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.dbn.visit(see);
        visit_under("optimizer", &self.optimizer, see);
        self.estimator.visit(&mut |name, tensor| see(&format!("estimator.{name}"), tensor));
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.dbn.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
        self.estimator.visit_mut(&mut |name, tensor| see(&format!("estimator.{name}"), tensor));
    }
}
