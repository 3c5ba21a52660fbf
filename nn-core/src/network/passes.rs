//! The passes through a network, forward and back.

use super::{Network, Workspace};
use crate::{ACC, Expr, Parameters, Pass, Sum, Tensor, View, ViewMut, layer::room, parameters::count};

impl Network {
    /// The pass forward: afterwards the workspace holds the outputs of every layer.
    ///
    /// # Panics
    /// If the inputs do not fit the network.
    #[track_caller]
    pub fn forward(&self, inputs: View<'_>, workspace: &mut Workspace, pass: Pass) {
        assert!(inputs.columns() == self.inputs(), "{inputs:?} into a network of {} inputs", self.inputs());
        workspace.fit(self, inputs.source().device(), inputs.rows());
        for (index, (_, layer)) in self.layers.iter().enumerate() {
            let (below, here) = workspace.outputs.split_at_mut(index);
            let fed = below.last().map_or(inputs, Tensor::view);
            let pass = match pass {
                Pass::Training(key) => Pass::Training(key.fold_in(index as u64)),
                Pass::Testing => Pass::Testing,
            };
            let outputs = room(&mut here[0], inputs.rows(), layer.outputs());
            layer.forward(fed, outputs, &mut workspace.saved[index], pass);
        }
    }

    /// The pass back after [`forward`](Network::forward): the gradients of the loss, in the order of the parameters, as
    /// sums that are still to be carried out.
    ///
    /// # Panics
    /// If the targets are not cases × outputs.
    #[track_caller]
    pub fn backward<'a>(
        &self,
        inputs: View<'a>,
        targets: View<'_>,
        workspace: &'a mut Workspace,
    ) -> Vec<Sum<'a>> {
        assert!(
            [targets.rows(), targets.columns()] == [inputs.rows(), self.outputs()],
            "targets {targets:?} for {} cases with {} outputs",
            inputs.rows(),
            self.outputs()
        );
        let first = self.layers.iter().position(|(_, layer)| count(&**layer as &dyn Parameters) > 0);
        let first = first.unwrap_or(self.layers.len());
        let Workspace { outputs, saved, scratch, deltas, .. } = workspace.with_deltas(first);
        if let Some(y) = outputs.last() {
            self.loss.prepare(y.view(), scratch);
            self.back(self.loss.gradient(y.view(), targets, scratch), outputs, saved, deltas);
        }
        let lowest = outputs.len() - deltas.len();
        let mut gradients = Vec::new();
        for (index, ((_, layer), saved)) in self.layers.iter().zip(saved).enumerate().skip(first) {
            let fed = index.checked_sub(1).map_or(inputs, |below| outputs[below].view());
            gradients.extend(layer.gradients(fed, &deltas[index - lowest], saved));
        }
        gradients
    }

    /// ∂(Σ over cases and outputs of gradient · a)/∂inputs after [`forward`](Network::forward), where a are the outputs of
    /// the last layer: how inputs are found that a unit likes best.
    pub fn input_gradient(
        &self,
        inputs: View<'_>,
        gradient: Expr<'_>,
        workspace: &mut Workspace,
        out: ViewMut<'_>,
    ) {
        let Workspace { outputs, saved, deltas, .. } = workspace.with_deltas(0);
        self.back(gradient, outputs, saved, deltas);
        self.layers[0].1.backward(inputs, &deltas[0], &mut saved[0], out, ACC);
    }

    /// δ of the last layers, as many as there are deltas, from the gradient of the last outputs.
    fn back(&self, gradient: Expr<'_>, outputs: &[Tensor], saved: &mut [Vec<Tensor>], deltas: &mut [Tensor]) {
        let lowest = outputs.len() - deltas.len();
        let (Some(delta), Some((_, layer))) = (deltas.last_mut(), self.layers.last()) else { return };
        delta.assign(layer.slope(gradient, &outputs[outputs.len() - 1], &saved[outputs.len() - 1]));
        for index in (lowest + 1..outputs.len()).rev() {
            let below = index - 1;
            let (lower, upper) = saved.split_at_mut(index);
            let (into, delta) = deltas.split_at_mut(index - lowest);
            let then = self.layers[below].1.slope(ACC, &outputs[below], &lower[below]);
            let (fed, into) = (outputs[below].view(), into[below - lowest].view_mut());
            self.layers[index].1.backward(fed, &delta[0], &mut upper[0], into, then);
        }
    }
}
