//! Chains between a base and a model.

use crate::{EnergyModel, Layered, Path, PathPoint};
use nn_core::{ACC, Error, Key, OLD, Over, Reduction, Sum, Tensor, x};

/// Chains on their way along a path.
///
/// Their state are the layers of one half, of which the others are independent given them and summed out: of a restricted
/// machine the visible layer.
pub(super) struct Walk<'a> {
    pub(super) model: Layered<'a>,
    pub(super) kept: usize,
    pub(super) from: PathPoint,
    pub(super) to: PathPoint,
    pub(super) states: Vec<Tensor>,
    /// The inputs of the layers that are summed out, without biases and β: they serve both weights and the next sweep.
    inputs: Vec<Tensor>,
    /// The same at `from`, where the statistic has parameters that may differ from point to point.
    before: Option<Tensor>,
    /// Weights of the steps since the last read.
    partial: Tensor,
    pub(super) log_weights: Vec<f64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        path: &Path,
        model: &'a dyn EnergyModel,
        chains: usize,
    ) -> Result<(Walk<'a>, f64), Error> {
        let model = model.layered();
        let kept = model.kept_half();
        // Of the layers that are summed out, only the first hidden one sees a statistic.
        let differs = kept == 0 && !model.layers[0].plain_statistic();
        let walk = Walk {
            kept,
            from: path.start(),
            to: path.start(),
            states: model.room(chains),
            inputs: model.room(chains),
            before: differs.then(|| model.device().zeros(chains, model.layers[1].len())),
            partial: model.device().zeros(chains, 1),
            log_weights: vec![0.0; chains],
            model,
        };
        let base = walk.from.layered(&walk.model).log_partition_without_weights()?;
        Ok((walk, base))
    }

    /// Draws the states from the base.
    pub(super) fn start(&mut self, key: Key) {
        for layer in self.model.half(self.kept) {
            let nothing = self.model.device().zeros(self.states[layer].rows(), self.states[layer].columns());
            let key = if layer == 0 { key } else { key.fold_in(layer as u64) };
            let units = self.from.layered(&self.model).layers[layer];
            units.sample(&Sum::from(&nothing), key, self.states[layer].view_mut());
        }
    }

    /// partial += sign · (log p*_to − log p*_from), and leaves the inputs at `to`.
    pub(super) fn weigh(&mut self, sign: f32) {
        let (from, to) = (self.from.layered(&self.model), self.to.layered(&self.model));
        for layer in self.model.half(1 - self.kept) {
            let before = self.before.as_mut().filter(|_| layer == 1);
            let own = [(&to, Some(&mut self.inputs[layer])), (&from, before)];
            for (at, out) in own {
                let Some(out) = out else { continue };
                let unscaled = Layered { scale: 1.0, ..at.clone() };
                let below = layer.checked_sub(1).map(|below| &self.states[below]);
                unscaled.with_input(layer, below, self.states.get(layer + 1), |input| {
                    input.store(out.view_mut(), ACC);
                });
            }
            let input = &self.inputs[layer];
            let before = self.before.as_ref().filter(|_| layer == 1).unwrap_or(input);
            let (of_to, of_from) = (to.layers[layer], from.layers[layer]);
            let inputs = (x(input) * to.scale, x(before) * from.scale);
            match (of_to.cumulant_formula(inputs.0), of_from.cumulant_formula(inputs.1)) {
                (Some(of_to), Some(of_from)) => {
                    // The difference unit by unit, before anything large is summed.
                    let (grid, then) = ([input.rows(), input.columns()], OLD + ACC * sign);
                    self.partial.reduce(grid, Over::Columns, Reduction::Sum, of_to - of_from, then);
                }
                _ => {
                    for (units, values, scale, factor) in
                        [(of_to, input, to.scale, sign), (of_from, before, from.scale, -sign)]
                    {
                        units.cumulant(
                            &Sum::Values(values.view(), scale),
                            factor,
                            1.0,
                            self.partial.view_mut(),
                        );
                    }
                }
            }
        }
        for layer in self.model.half(self.kept) {
            let states = self.states[layer].view();
            to.layers[layer].energy(states, -sign, 1.0, self.partial.view_mut());
            from.layers[layer].energy(states, sign, 1.0, self.partial.view_mut());
        }
    }

    /// A Gibbs sweep that leaves the distribution at `from` as it is.
    pub(super) fn sweep(&mut self, key: Key) {
        let at = self.from.layered(&self.model);
        // A number of its own for each layer, counted from those that are drawn first.
        let key = |layer: usize| key.fold_in((layer ^ 1) as u64);
        for layer in at.half(1 - self.kept) {
            let input = Sum::Values(self.inputs[layer].view(), at.scale);
            at.layers[layer].sample(&input, key(layer), self.states[layer].view_mut());
        }
        for layer in at.half(self.kept) {
            at.sample(layer, &mut self.states, key(layer));
        }
    }

    /// Moves the weights of the last steps from the device to double precision.
    pub(super) fn collect(&mut self) -> Result<(), Error> {
        let partial = self.partial.to_array_f64()?;
        self.log_weights.iter_mut().zip(&partial).for_each(|(sum, part)| *sum += part);
        self.partial.assign(0.0);
        Ok(())
    }
}
