//! Training a machine with an estimator and an optimiser.

use crate::{
    Activity, GradientAssembly, GradientEstimator, Offsets, Rbm, Sparsity,
    pseudo_likelihood::stochastic_pseudo_log_likelihood,
};
use nn_core::{
    ACC, Cases, Error, Key, Learner, Optimizer, Over, Parameters, Reduction, Tensor,
    parameters::{largest, visit_mut_under, visit_under},
    x,
};

/// A machine that learns: model, estimator, optimiser, and if wanted centring and sparsity.
#[derive(Debug)]
pub struct RbmLearner<O> {
    /// The model.
    pub rbm: Rbm,
    /// Where the gradient comes from.
    pub estimator: Box<dyn GradientEstimator>,
    /// What is done with it.
    pub optimizer: O,
    /// Offsets of the centred gradient, if it is to be used.
    pub offsets: Option<Offsets>,
    /// A target for the activity of hidden units, if there is one.
    pub sparsity: Option<Sparsity>,
    assembly: GradientAssembly,
}

impl<O: Optimizer> RbmLearner<O> {
    /// A plain learner, without centring and sparsity.
    pub fn new(rbm: Rbm, estimator: impl GradientEstimator + 'static, optimizer: O) -> Self {
        Self::with_estimator(rbm, Box::new(estimator), optimizer)
    }

    /// A plain learner with an estimator that was chosen at run time.
    pub fn with_estimator(rbm: Rbm, estimator: Box<dyn GradientEstimator>, optimizer: O) -> Self {
        let assembly = GradientAssembly::default();
        RbmLearner { rbm, estimator, optimizer, offsets: None, sparsity: None, assembly }
    }
}

impl<O: Optimizer> Learner for RbmLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let phases = self.estimator.phases(&self.rbm, &batch.inputs, update, key);
        if let Some(offsets) = &mut self.offsets {
            offsets.follow(&phases);
        }
        if let Some(sparsity) = &mut self.sparsity {
            sparsity.follow(&phases);
        }
        let gradients =
            self.assembly.gradients(&self.rbm, &phases, self.offsets.as_ref(), self.sparsity.as_ref());
        self.optimizer.update(&mut self.rbm, &gradients, update);
        self.rbm.visible.constrain();
        self.rbm.hidden.constrain();
    }

    fn model(&self) -> &dyn Parameters {
        &self.rbm
    }

    /// Mean squared reconstruction error per visible unit, pseudo-log-likelihood per visible unit (binary units),
    /// mean hidden activity, numbers of dead and saturated hidden units, largest weight.
    fn measure(&self, cases: &Cases, key: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let (rbm, cases) = (&self.rbm, &cases.inputs);
        let reconstruction = rbm.mean_visible(&rbm.mean_hidden(cases));
        let grid = [cases.rows(), cases.columns()];
        let mut errors = rbm.device().zeros(cases.rows(), 1);
        let squared = (x(cases) - &reconstruction).square();
        errors.reduce(grid, Over::Columns, Reduction::Sum, squared, ACC * (1.0 / grid[1] as f32));
        let mut figures = vec![("reconstruction error", errors.to_array_f64()?.mean().unwrap_or(f64::NAN))];
        if rbm.visible.binary() {
            let mut binary = rbm.device().zeros(grid[0], grid[1]);
            binary.assign(x(cases).bernoulli(key.fold_in(0)));
            let pseudo = stochastic_pseudo_log_likelihood(rbm, &binary, key.fold_in(1))?;
            figures.push(("pseudo-log-likelihood per unit", pseudo / grid[1] as f64));
        }
        let activity = Activity::of(rbm, cases)?;
        figures.push(("mean hidden activity", activity.mean));
        figures.push(("dead hidden units", activity.dead.len() as f64));
        figures.push(("saturated hidden units", activity.saturated.len() as f64));
        figures.push(("largest weight", largest(&rbm.weights)?));
        Ok(figures)
    }
}

impl<O: Optimizer> Parameters for RbmLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.rbm.visit(see);
        visit_under("optimizer", &self.optimizer, see);
        self.estimator.visit(&mut |name, tensor| see(&format!("estimator.{name}"), tensor));
        if let Some(offsets) = &self.offsets {
            visit_under("offsets", offsets, see);
        }
        if let Some(sparsity) = &self.sparsity {
            visit_under("sparsity", sparsity, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.rbm.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
        self.estimator.visit_mut(&mut |name, tensor| see(&format!("estimator.{name}"), tensor));
        if let Some(offsets) = &mut self.offsets {
            visit_mut_under("offsets", offsets, see);
        }
        if let Some(sparsity) = &mut self.sparsity {
            visit_mut_under("sparsity", sparsity, see);
        }
    }
}
