//! The variational posterior of a deep Boltzmann machine, and the bound that it gives.

use super::Dbm;
use crate::{EnergyModel, Layered, kept::keep_or_make};
use nn_core::{ACC, Error, OLD, Over, Reduction, Sum, Tensor, View, x};
use std::ops::Range;

/// q(h | v) = Π q(hₗ), each layer of independent units, fitted to p(h | v) for each of some cases.
///
/// An update gives one layer the means m = E[h | input] for the input from the means beside it, which is the q of that
/// layer with the largest lower bound on log p(v) while the others stay. So the bound never falls from update to update,
/// and rises until nothing moves any more (Salakhutdinov and Hinton, 2009). A sweep updates the layers from below.
///
/// Labels are clamped where they are known, else inferred like hidden units.
#[derive(Debug)]
pub struct MeanField {
    /// v, means of all layers above, and the label; cases × units.
    means: Vec<Tensor>,
    /// The input x that each of the means is E[h | x] of.
    inputs: Vec<Tensor>,
    /// S(v)·W₁, which stays from sweep to sweep.
    from_visible: Tensor,
    /// The layers that are inferred.
    free: Range<usize>,
    /// Means before a sweep, where they are compared.
    previous: Vec<Tensor>,
}

/// How inference ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settled {
    /// Sweeps that were made.
    pub sweeps: u64,
    /// Largest change of a mean in the last of them.
    pub change: f64,
    /// Whether that is at most the tolerance.
    pub converged: bool,
}

impl MeanField {
    /// Memory for the posterior of so many cases; `labelled` if their labels will be given.
    ///
    /// # Panics
    /// If labels are to be given to a machine without.
    #[track_caller]
    pub fn new(dbm: &Dbm, cases: usize, labelled: bool) -> MeanField {
        assert!(!labelled || dbm.classes().is_some(), "labels for a machine without");
        let at = dbm.layered();
        let (means, inputs) = (at.room(cases), at.room(cases));
        let from_visible = dbm.device().zeros(cases, at.layers[1].len());
        let free = 1..means.len() - usize::from(labelled);
        MeanField { means, inputs, from_visible, free, previous: Vec::new() }
    }

    /// Cases that there is memory for.
    pub fn cases(&self) -> usize {
        self.means[0].rows()
    }

    /// Whether labels are clamped.
    pub fn labelled(&self) -> bool {
        self.free.end < self.means.len()
    }

    /// Starts anew from these cases (cases × visible) and their labels (cases × classes) if those are clamped: a pass from
    /// below, in which an input from below counts twice where one from above is still missing. Waits for nothing.
    ///
    /// # Panics
    /// If the cases do not fit, or labels are given or missing against what was said in [`MeanField::new`].
    #[track_caller]
    pub fn start(&mut self, dbm: &Dbm, inputs: View<'_>, labels: Option<&Tensor>) {
        assert!(labels.is_some() == self.labelled(), "labels are either clamped or inferred");
        self.means[0].assign(inputs);
        if let Some(labels) = labels {
            self.means[self.free.end].assign(labels);
        }
        let (at, from_visible) = (dbm.layered(), &mut self.from_visible);
        at.with_input(1, Some(&self.means[0]), None, |sum| sum.store(from_visible.view_mut(), ACC));
        for layer in self.free.clone() {
            let scale = if layer + 1 < self.means.len() { 2.0 } else { 1.0 };
            let ((below, own), input) = (self.means.split_at_mut(layer), &mut self.inputs[layer]);
            match layer {
                1 => input.assign(x(&self.from_visible) * scale),
                _ => {
                    let from_below = Layered { scale, ..at.clone() };
                    from_below.with_input(layer, below.last(), None, |sum| sum.store(input.view_mut(), ACC));
                }
            }
            at.layers[layer].mean(&Sum::from(&*input), own[0].view_mut());
        }
    }

    /// One update of every layer, from below. Waits for nothing.
    pub fn sweep(&mut self, dbm: &Dbm) {
        for layer in self.free.clone() {
            self.update(dbm, layer);
        }
    }

    /// The update of one layer, the machine being as it was at the start. Waits for nothing.
    ///
    /// # Panics
    /// If the layer is not inferred.
    #[track_caller]
    pub fn update(&mut self, dbm: &Dbm, layer: usize) {
        assert!(self.free.contains(&layer), "layer {layer} is not inferred");
        let (at, input) = (dbm.layered(), &mut self.inputs[layer]);
        match (layer, self.means.get(layer + 1)) {
            (1, None) => input.assign(&self.from_visible),
            (1, above) => at.with_input(1, None, above, |sum| {
                sum.store(input.view_mut(), ACC + &self.from_visible);
            }),
            (_, above) => at.with_input(layer, Some(&self.means[layer - 1]), above, |sum| {
                sum.store(input.view_mut(), ACC);
            }),
        }
        at.layers[layer].mean(&Sum::from(&*input), self.means[layer].view_mut());
    }

    /// Sweeps until no mean moves by more than `tolerance`, at most so many times. Waits for the device after each.
    ///
    /// # Errors
    /// If the device failed.
    pub fn settle(&mut self, dbm: &Dbm, tolerance: f64, at_most: u64) -> Result<Settled, Error> {
        let mut settled = Settled { sweeps: 0, change: f64::INFINITY, converged: false };
        while settled.sweeps < at_most && !settled.converged {
            let change = self.sweep_and_compare(dbm)?;
            settled = Settled { sweeps: settled.sweeps + 1, change, converged: change <= tolerance };
        }
        Ok(settled)
    }

    /// A sweep, and the largest change of a mean in it.
    fn sweep_and_compare(&mut self, dbm: &Dbm) -> Result<f64, Error> {
        if self.previous.is_empty() {
            self.previous = dbm.layered().room(self.cases());
        }
        for (kept, now) in self.previous.iter_mut().zip(&self.means) {
            kept.assign(now);
        }
        self.sweep(dbm);
        let (device, cases) = (dbm.device(), self.cases());
        let (mut of_cases, mut largest) = (device.zeros(cases, 1), device.zeros(1, 1));
        for layer in self.free.clone() {
            let (now, before) = (&self.means[layer], &self.previous[layer]);
            let (grid, change) = ([cases, now.columns()], (x(now) - before).abs());
            of_cases.reduce(grid, Over::Columns, Reduction::Max, change, OLD.max(ACC));
        }
        largest.reduce([cases, 1], Over::Rows, Reduction::Max, &of_cases, ACC);
        Ok(largest.to_array_f64()?[[0, 0]])
    }

    /// v, the means of all layers above it, and the label; cases × units of each.
    pub fn means(&self) -> &[Tensor] {
        &self.means
    }

    /// The lower bound on log p(v), or on log p(v, label) where that is clamped, without its −log Z; cases × 1. Waits for
    /// nothing.
    ///
    /// E_q[−E(v, h)] + H(q), where the entropy of units that have the means m of an input x is K(x) − m·x + E_q[E(h)]:
    /// −E(v) + Σ (K(xₗ) − mₗ·xₗ) + Σ S(mₗ)·Wₗ·mₗ₊₁. No logarithm of a mean is taken, so none has to be kept off 0 and 1.
    pub fn bound(&self, dbm: &Dbm) -> Tensor {
        let (at, cases) = (dbm.layered(), self.cases());
        let mut out = dbm.device().zeros(cases, 1);
        for layer in (0..self.means.len()).filter(|layer| !self.free.contains(layer)) {
            at.layers[layer].energy(self.means[layer].view(), -1.0, 1.0, out.view_mut());
        }
        for layer in 1..self.means.len() {
            let (means, below) = (&self.means[layer], &self.means[layer - 1]);
            let own = self.free.contains(&layer).then(|| &self.inputs[layer]);
            let mut room = None;
            let from_below = match layer {
                1 => &self.from_visible,
                _ => {
                    let input = keep_or_make(&mut room, dbm.device(), cases, means.columns());
                    at.with_input(layer, Some(below), None, |sum| sum.store(input.view_mut(), ACC));
                    &*input
                }
            };
            let pull = match own {
                Some(own) => x(means) * (x(from_below) - own),
                None => x(means) * from_below,
            };
            out.reduce([cases, means.columns()], Over::Columns, Reduction::Sum, pull, OLD + ACC);
            if let Some(own) = own {
                at.layers[layer].cumulant(&Sum::from(own), 1.0, 1.0, out.view_mut());
            }
        }
        out
    }
}

impl Dbm {
    /// The posterior of these cases after so many sweeps, labels inferred where there are any. Waits for nothing.
    pub fn mean_field(&self, inputs: View<'_>, sweeps: u64) -> MeanField {
        let mut posterior = MeanField::new(self, inputs.rows(), false);
        posterior.start(self, inputs, None);
        (0..sweeps).for_each(|_| posterior.sweep(self));
        posterior
    }

    /// The lower bound on log p(v), mean over these cases in nats, after so many mean-field sweeps, given log Z. Waits for
    /// the device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn lower_bound(&self, inputs: View<'_>, log_partition: f64, sweeps: u64) -> Result<f64, Error> {
        let bound = self.mean_field(inputs, sweeps).bound(self).to_array_f64()?;
        Ok(bound.mean().unwrap_or(f64::NAN) - log_partition)
    }
}
