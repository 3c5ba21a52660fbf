//! Joint training of all layers of a deep machine.

use super::{Chains, Dbm, LayerGradients, LayerOffsets, LayerSparsity, MeanField};
use crate::{EnergyModel, labels::check};
use nn_core::{
    Cases, Dataset, Error, Key, Learner, Loss, Optimizer, Parameters, Tensor,
    loss::error_rate,
    parameters::{visit_mut_under, visit_under},
};

/// A deep Boltzmann machine that learns (Salakhutdinov and Hinton, 2009): mean field says what the data are like,
/// persistent chains what the model is like.
///
/// An update fits q(h | v) by a fixed number of sweeps, so that nothing waits for the device; labels are clamped where the
/// cases have them. It moves the chains, and follows the difference of both statistics, which is the gradient of the lower
/// bound for that q. The rate must be so small that the chains keep up: 0.005 falling to 0, or less.
///
/// Parameters: those of the machine, `optimizer.…`, `chains.…`, `offsets.…` and `sparsity.…`.
#[derive(Debug)]
pub struct DbmLearner<O> {
    /// The model.
    pub dbm: Dbm,
    /// What is done with the gradient.
    pub optimizer: O,
    /// The chains of the model phase.
    pub chains: Chains,
    /// Mean-field sweeps of an update.
    pub inference_sweeps: u64,
    /// Gibbs sweeps of an update.
    pub chain_sweeps: u64,
    /// Offsets of the centred gradient, if it is to be used, as it should be without pretraining.
    pub offsets: Option<LayerOffsets>,
    /// Targets for the activity of hidden units, if there are any.
    pub sparsity: Option<LayerSparsity>,
    posterior: Option<MeanField>,
    gradients: LayerGradients,
}

impl<O: Optimizer> DbmLearner<O> {
    /// A learner with 10 mean-field sweeps and 5 Gibbs sweeps an update, without centring and sparsity.
    pub fn new(dbm: Dbm, chains: Chains, optimizer: O) -> DbmLearner<O> {
        DbmLearner {
            dbm,
            optimizer,
            chains,
            inference_sweeps: 10,
            chain_sweeps: 5,
            offsets: None,
            sparsity: None,
            posterior: None,
            gradients: LayerGradients::default(),
        }
    }
}

impl<O: Optimizer> Learner for DbmLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let DbmLearner { dbm, optimizer, chains, offsets, sparsity, posterior, gradients, .. } = self;
        let labels = batch.targets.as_ref().filter(|_| dbm.classes().is_some());
        let fits = |kept: &MeanField| kept.cases() == batch.len() && kept.labelled() == labels.is_some();
        if !posterior.as_ref().is_some_and(fits) {
            *posterior = None;
        }
        let posterior = posterior.get_or_insert_with(|| MeanField::new(dbm, batch.len(), labels.is_some()));
        posterior.start(dbm, batch.inputs.view(), labels);
        (0..self.inference_sweeps).for_each(|_| posterior.sweep(dbm));
        chains.gibbs(dbm, self.chain_sweeps, key);
        if let Some(offsets) = offsets {
            offsets.follow(posterior.means());
        }
        if let Some(sparsity) = sparsity {
            sparsity.follow(posterior.means());
        }
        let data: Vec<&Tensor> = posterior.means().iter().collect();
        let model = chains.statistics();
        let sums = gradients.gradients(dbm, &data, &model, offsets.as_ref(), sparsity.as_ref());
        optimizer.update(dbm, &sums, update);
        dbm.constrain();
    }

    fn model(&self) -> &dyn Parameters {
        &self.dbm
    }

    /// `reconstruction error`, the mean squared difference per value between v and E[v | means of h₁]; `mean-field change`,
    /// the largest change of a mean in the last sweep of inference, labels unknown; `label error`, the share of cases
    /// classified wrongly by the inferred label, if model and cases have labels.
    fn measure(&self, cases: &Cases, _: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let (dbm, inputs) = (&self.dbm, cases.inputs.view());
        let mut posterior = dbm.mean_field(inputs, self.inference_sweeps.saturating_sub(1));
        let settled = posterior.settle(dbm, 0.0, 1)?;
        let (at, means) = (dbm.layered(), posterior.means());
        let mut visible = dbm.device().zeros(cases.len(), inputs.columns());
        at.with_input(0, None, Some(&means[1]), |input| at.layers[0].mean(input, visible.view_mut()));
        // Of the loss, ½·Σ over the values of a case.
        let squared = 2.0 * Loss::SquaredError.mean(visible.view(), inputs)?;
        let mut figures = vec![
            ("reconstruction error", squared / inputs.columns() as f64),
            ("mean-field change", settled.change),
        ];
        if let (Some(targets), Some(_)) = (&cases.targets, dbm.classes()) {
            figures.push(("label error", error_rate(means[means.len() - 1].view(), targets.view())?));
        }
        Ok(figures)
    }

    /// Labels may be missing; if they are there they must be those of the machine.
    fn check(&self, data: &Dataset) -> Result<(), Error> {
        check(data, self.dbm.layers()[0].len(), self.dbm.classes().filter(|_| data.targets().is_some()))
    }
}

impl<O: Optimizer> Parameters for DbmLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.dbm.visit(see);
        visit_under("optimizer", &self.optimizer, see);
        visit_under("chains", &self.chains, see);
        if let Some(offsets) = &self.offsets {
            visit_under("offsets", offsets, see);
        }
        if let Some(sparsity) = &self.sparsity {
            visit_under("sparsity", sparsity, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.dbm.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
        visit_mut_under("chains", &mut self.chains, see);
        if let Some(offsets) = &mut self.offsets {
            visit_mut_under("offsets", offsets, see);
        }
        if let Some(sparsity) = &mut self.sparsity {
            visit_mut_under("sparsity", sparsity, see);
        }
    }
}
