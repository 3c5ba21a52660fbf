//! Using a network: activities, predictions, how well it does.

use super::{Network, Workspace};
use crate::{Error, Pass, Tensor, View, layer::room, loss::error_rate};

/// Cases that go through a network together when it is only used, at most.
pub(super) const CHUNK: usize = 2000;
/// Values that a layer leaves at most then, so that the next finds them in the cache.
const VALUES: usize = 1 << 20;

/// How well a network does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Mean loss of a case.
    pub loss: f64,
    /// Share of cases classified wrongly; of no meaning unless targets are classes.
    pub error: f64,
}

impl Network {
    /// What the first `depth` layers make of these cases, cases × outputs of the last of them, without draws. Waits for
    /// nothing.
    ///
    /// # Panics
    /// If there are not that many layers, or the inputs do not fit.
    #[track_caller]
    pub fn activity(&self, inputs: View<'_>, depth: usize) -> Tensor {
        assert!(depth <= self.layers.len(), "layer {depth} of {}", self.layers.len());
        let device = inputs.source().device();
        let columns = depth.checked_sub(1).map_or(inputs.columns(), |last| self.layers[last].1.outputs());
        let mut all = device.zeros(inputs.rows(), columns);
        let mut workspace = Workspace::new();
        let chunk = self.chunk(inputs.rows());
        for start in (0..inputs.rows()).step_by(chunk) {
            let rows = start..inputs.rows().min(start + chunk);
            let chunk = inputs.row_range(rows.clone());
            self.forward_only(depth, chunk, &mut workspace);
            let values = depth.checked_sub(1).map_or(chunk, |last| workspace.outputs[last].view());
            all.row_range_mut(rows).assign(values);
        }
        all
    }

    /// The pass forward through the first `depth` layers when none goes back: the factors of dropout are left to the layers
    /// after it.
    fn forward_only(&self, depth: usize, inputs: View<'_>, workspace: &mut Workspace) {
        workspace.fit(self, inputs.source().device(), inputs.rows());
        let Workspace { outputs, saved, .. } = workspace;
        let mut index = 0;
        while index < depth {
            let (below, rest) = outputs.split_at_mut(index);
            let fed = below.last().map_or(inputs, Tensor::view);
            let layer = &self.layers[index].1;
            if index + 1 < depth
                && let Some(factor) = layer.factor()
                && let (_, next) = &self.layers[index + 1]
                && next.forward_scaled(fed, factor, room(&mut rest[1], fed.rows(), next.outputs()))
            {
                index += 2;
                continue;
            }
            let outputs = room(&mut rest[0], fed.rows(), layer.outputs());
            layer.forward(fed, outputs, &mut saved[index], Pass::Testing);
            index += 1;
        }
    }

    /// Cases of a part of so many; parts are nearly equal.
    fn chunk(&self, cases: usize) -> usize {
        let widest = self.layers.iter().map(|(_, layer)| layer.outputs()).max().unwrap_or(1);
        let parts = cases.div_ceil((VALUES / widest).clamp(1, CHUNK));
        cases.div_ceil(parts.max(1)).max(1)
    }

    /// The predictions for these cases, cases × outputs: probabilities where the loss is a cross-entropy. Waits for
    /// nothing.
    ///
    /// # Panics
    /// If the inputs do not fit.
    #[track_caller]
    pub fn predict(&self, inputs: View<'_>) -> Tensor {
        let outputs = self.activity(inputs, self.layers.len());
        let mut scratch = self.loss.scratch(outputs.device(), outputs.rows());
        self.loss.prepare(outputs.view(), &mut scratch);
        let mut predictions = outputs.device().zeros(outputs.rows(), outputs.columns());
        predictions.assign(self.loss.predictions(outputs.view(), &scratch));
        predictions
    }

    /// The mean loss on these cases and the share of them that is classified wrongly (see [`error_rate`]). Waits for the
    /// device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn evaluate(&self, inputs: View<'_>, targets: View<'_>) -> Result<Evaluation, Error> {
        let outputs = self.activity(inputs, self.layers.len());
        let loss = self.loss.mean(outputs.view(), targets)?;
        Ok(Evaluation { loss, error: error_rate(outputs.view(), targets)? })
    }
}
