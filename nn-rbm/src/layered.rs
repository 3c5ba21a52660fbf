//! Layers of units, each joined to the next one: what restricted and deep Boltzmann machines have in common.

use crate::{Connection, units::Units};
use nn_core::{Device, Error, Key, Parameters, Sum, Tensor};
use std::ops::Range;

/// A model of layers of units, each joined to the next by a connection and to no other.
pub trait EnergyModel: Parameters {
    /// Its distribution.
    fn layered(&self) -> Layered<'_>;
}

/// p(s₀, s₁, …) ∝ exp(Σ S(sₗ)·βWₗ·sₗ₊₁ᵀ − Σ E(sₗ)), borrowed from a model or from a point on a path between two.
///
/// Layer 0 is visible. Given all even layers the odd ones are independent of each other, and the other way round: a sweep
/// draws the even ones, then the odd ones. States are one tensor for each layer, cases × units.
#[derive(Clone, Debug)]
pub struct Layered<'a> {
    /// The layers from the visible one on; only its statistic may differ from its state.
    pub layers: Vec<&'a dyn Units>,
    /// Wₗ between layer l and the next.
    pub connections: Vec<&'a dyn Connection>,
    /// β, the factor on all weights.
    pub scale: f32,
}

impl<'a> Layered<'a> {
    /// Where the model lives.
    pub fn device(&self) -> &'a Device {
        self.connections[0].weights().device()
    }

    /// The layers whose number leaves this rest when divided by two.
    pub(crate) fn half(&self, rest: usize) -> impl Iterator<Item = usize> + use<> {
        (rest..self.layers.len()).step_by(2)
    }

    /// Which half a walk keeps while the other is summed out: of two layers the visible one, else the one with fewer units.
    pub(crate) fn kept_half(&self) -> usize {
        let units = |rest| self.half(rest).map(|layer| self.layers[layer].len()).sum::<usize>();
        usize::from(self.layers.len() > 2 && units(1) < units(0))
    }

    /// Zeros for the states of so many cases.
    pub(crate) fn room(&self, cases: usize) -> Vec<Tensor> {
        self.layers.iter().map(|units| self.device().zeros(cases, units.len())).collect()
    }

    /// Calls `work` with the input of a layer: βS(below)·W + βabove·Wᵀ.
    pub(crate) fn with_input<T>(
        &self,
        layer: usize,
        below: Option<&Tensor>,
        above: Option<&Tensor>,
        work: impl FnOnce(&Sum<'_>) -> T,
    ) -> T {
        let sum = |below: Option<&Tensor>| {
            let below = below.map(|states| (states, self.connections[layer - 1]));
            let above = above.map(|states| (states, self.connections[layer]));
            // Of matrices the sum is one product, and what becomes of it is stored in the same pass.
            let from_below = below.map(|(states, joint)| joint.matrix().map(|w| states.dot(w)));
            let from_above = above.map(|(states, joint)| joint.matrix().map(|w| states.dot(w.t())));
            let product = match (from_below, from_above) {
                (Some(Some(below)), Some(Some(above))) => below + above,
                (Some(Some(one)), None) | (None, Some(Some(one))) => one,
                (None, None) => panic!("a layer without neighbours has no input"),
                _ => {
                    let cases = below.or(above).map_or(0, |(states, _)| states.rows());
                    let mut input = self.device().zeros(cases, self.layers[layer].len());
                    if let Some((states, joint)) = below {
                        joint.add_up(states.view(), &mut input);
                    }
                    if let Some((states, joint)) = above {
                        joint.add_down(states.view(), &mut input);
                    }
                    return work(&Sum::Values(input.view(), self.scale));
                }
            };
            work(&Sum::from(product).scaled(self.scale))
        };
        match below {
            Some(states) if !self.layers[layer - 1].plain_statistic() => {
                let mut statistic = self.device().zeros(states.rows(), states.columns());
                self.layers[layer - 1].statistic(states.view(), statistic.view_mut());
                sum(Some(&statistic))
            }
            below => sum(below),
        }
    }

    /// As [`Layered::with_input`], from the layers beside it among these states, and with its own.
    pub(crate) fn with_states<T>(
        &self,
        layer: usize,
        states: &mut [Tensor],
        work: impl FnOnce(&Sum<'_>, &mut Tensor) -> T,
    ) -> T {
        let (below, rest) = states.split_at_mut(layer);
        let (own, above) = rest.split_at_mut(1);
        self.with_input(layer, below.last(), above.first(), |input| work(input, &mut own[0]))
    }

    /// `states[layer]` ~ p(s | the layers beside it)
    pub fn sample(&self, layer: usize, states: &mut [Tensor], key: Key) {
        self.with_states(layer, states, |input, own| self.layers[layer].sample(input, key, own.view_mut()));
    }

    /// One Gibbs sweep over these layers: the even ones, then the odd ones. It leaves the distribution of these layers,
    /// given the others, as it is.
    pub fn sweep(&self, among: Range<usize>, states: &mut [Tensor], key: Key) {
        for rest in [0, 1] {
            for layer in self.half(rest).filter(|layer| among.contains(layer)) {
                self.sample(layer, states, key.fold_in(layer as u64));
            }
        }
    }

    /// out (cases × 1) = Σ E(s) over the layers of one half less Σ K(input) over the others, so that the probability of the
    /// states of that half is e^(−out) / Z.
    pub(crate) fn free_energy(&self, half: usize, states: &[Tensor], out: &mut Tensor) {
        let mut keep = 0.0;
        for layer in self.half(1 - half) {
            let below = layer.checked_sub(1).map(|below| &states[below]);
            self.with_input(layer, below, states.get(layer + 1), |input| {
                self.layers[layer].cumulant(input, -1.0, keep, out.view_mut());
            });
            keep = 1.0;
        }
        for layer in self.half(half) {
            self.layers[layer].energy(states[layer].view(), 1.0, 1.0, out.view_mut());
        }
    }

    /// log Z of all layers without weights between them: Σ K(0).
    ///
    /// # Errors
    /// If the device failed.
    pub fn log_partition_without_weights(&self) -> Result<f64, Error> {
        let mut out = self.device().zeros(1, 1);
        for units in &self.layers {
            let zeros = self.device().zeros(1, units.len());
            units.cumulant(&Sum::from(&zeros), 1.0, 1.0, out.view_mut());
        }
        Ok(out.to_array_f64()?[[0, 0]])
    }
}
