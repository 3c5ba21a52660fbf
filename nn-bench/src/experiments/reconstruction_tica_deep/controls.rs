//! The best unit of a stack, and what it is compared with.

use ndarray::{Array2, Axis, concatenate};
use nn_core::{ACC, Key, Over, Reduction, Tensor, x};

use super::scenes::Scenes;
use super::selectivity::Selectivity;
use super::stack::Stack;
use crate::run_error::{RunError, WhileDoing};

/// What units are chosen and judged on: all in the same way.
#[derive(Debug)]
pub(super) struct Controls<'a> {
    /// Scenes with labels.
    pub(super) tests: &'a Scenes,
    /// Their images on the device.
    pub(super) shown: &'a Tensor,
    /// Scenes without labels, which are tried as linear filters.
    pub(super) templates: Tensor,
}

/// Layers of a first stage up to the responses of its filters.
const TO_FILTERS: usize = 1;

impl Controls<'_> {
    /// The best unit of the top stage, and the responses of all of them.
    ///
    /// # Errors
    /// If the device failed.
    pub(super) fn top(&self, stack: &Stack) -> Result<(Selectivity, Array2<f32>), RunError> {
        let responses = self.responses(stack, stack.network.layers().len())?;
        let of_class = &self.tests.of_class;
        Ok((Selectivity::of(responses.view(), of_class, of_class), responses))
    }

    /// The unit of the top stage that is chosen by labels in another order.
    ///
    /// # Errors
    /// If the device failed.
    pub(super) fn shuffled(&self, stack: &Stack, key: Key) -> Result<Selectivity, RunError> {
        let responses = self.responses(stack, stack.network.layers().len())?;
        let of_class = &self.tests.of_class;
        let half = of_class.len() / 2;
        let mut order: Vec<usize> = (0..half).collect();
        order.sort_by(|&a, &b| key.uniform(a as u64).total_cmp(&key.uniform(b as u64)));
        let mut told = of_class.clone();
        order.iter().enumerate().for_each(|(to, &from)| told[to] = of_class[from]);
        Ok(Selectivity::of(responses.view(), of_class, &told))
    }

    /// The best unit of the first stage.
    ///
    /// # Errors
    /// If the device failed.
    pub(super) fn first_stage(&self, stack: &Stack) -> Result<Selectivity, RunError> {
        let responses = self.responses(stack, stack.layers_of_first)?;
        Ok(Selectivity::of(responses.view(), &self.tests.of_class, &self.tests.of_class))
    }

    /// The best of all linear filters: templates, which are whole scenes of length 1, and the filters of the first stage, each
    /// also with the other sign.
    ///
    /// # Errors
    /// If the device failed.
    pub(super) fn linear(&self, stack: &Stack) -> Result<Selectivity, RunError> {
        let (templates, device) = (&self.templates, self.shown.device());
        let grid = [templates.rows(), templates.columns()];
        let mut lengths = device.zeros(grid[0], 1);
        lengths.reduce(grid, Over::Columns, Reduction::Sum, x(templates).square(), ACC.sqrt());
        let mut unit = device.zeros(grid[0], grid[1]);
        unit.assign(x(templates) / x(&lengths).max(1e-12));
        let mut products = device.zeros(self.shown.rows(), grid[0]);
        products.product(self.shown.dot(unit.t()), ACC);
        let products = products.to_array().while_doing("trying linear filters")?;
        let filters = self.responses(stack, TO_FILTERS)?;
        let signs = [products.mapv(|value| -value), filters.mapv(|value| -value)];
        let all = [products.view(), filters.view(), signs[0].view(), signs[1].view()];
        let all = concatenate(Axis(1), &all).while_doing("trying linear filters")?;
        Ok(Selectivity::of(all.view(), &self.tests.of_class, &self.tests.of_class))
    }

    fn responses(&self, stack: &Stack, depth: usize) -> Result<Array2<f32>, RunError> {
        stack.network.activity(self.shown.view(), depth).to_array().while_doing("computing responses")
    }
}
