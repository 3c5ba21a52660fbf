//! Greedy pretraining of a deep Boltzmann machine, layer by layer.
//!
//! In the deep machine a hidden layer gets input from both sides; while it is trained, from one. So the machines that will
//! be its parts make up for the other half (Salakhutdinov and Hinton, 2009): the lowest one counts its visible units twice,
//! p(h | v) = σ(2v·W + b), the topmost one its hidden units, p(v | h) = σ(2h·Wᵀ + a), those between them both. Biases count
//! once. Put together, inputs count once, and a hidden layer has the mean of the biases that it had as hidden and as visible
//! units: its input is then the mean of those that it had in the two machines.
//!
//! The machines are kept in a [`Dbn`], whose recognition weights count twice; [`add`] puts one on another, a
//! [`GreedyLearner`](crate::dbn::GreedyLearner) with [`contrastive_divergence`] trains it, [`compose`] puts them
//! together.

use super::Dbm;
use crate::{
    Connection, Dbn,
    estimator::ContrastiveDivergence,
    units::{Softmax, Units},
};
use nn_core::{Error, Key, OLD, Tensor, x};

/// Where a machine will be in the deep one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the data.
    Bottom,
    /// Between other machines.
    Middle,
    /// On top of all others; also beside a label.
    Top,
}

impl Place {
    /// How often inputs count there, upwards and downwards.
    pub(crate) fn scales(self) -> [f32; 2] {
        match self {
            Place::Bottom => [2.0, 1.0],
            Place::Middle => [2.0, 2.0],
            Place::Top => [1.0, 2.0],
        }
    }
}

/// CD for a machine at this place, k given as in [`ContrastiveDivergence::with_schedule`]. Both copies of a layer that
/// counts twice have one state. The gradient is that of one copy.
///
/// # Errors
/// As [`ContrastiveDivergence::with_schedule`].
pub fn contrastive_divergence(place: Place, sweeps: Vec<(u64, u32)>) -> Result<ContrastiveDivergence, Error> {
    let [up, down] = place.scales();
    Ok(ContrastiveDivergence::with_schedule(sweeps)?.with_scales(up, down))
}

/// As [`Dbn::add`]: a new machine on the top, whose recognition counts twice from now on. Waits for the device.
///
/// # Errors
/// As [`Dbn::add`].
pub fn add(dbn: Dbn, hidden: usize, classes: Option<usize>, key: Key) -> Result<Dbn, Error> {
    let mut dbn = dbn.add(hidden, classes, key)?;
    if let Some(layer) = dbn.lower.last_mut() {
        layer.recognition.weights.assign(OLD * 2.0);
    }
    Ok(dbn)
}

/// The deep machine of the machines in this network. Waits for the device.
///
/// # Errors
/// If there are fewer than two machines, hidden units are not Bernoulli, or the device failed.
pub fn compose(dbn: Dbn) -> Result<Dbm, Error> {
    let (depth, classes) = (dbn.lower.len() + 1, dbn.classes());
    if depth < 2 {
        let rule = "a single one is a restricted machine already; add another";
        return Err(Error::setting("machines to compose", depth, rule));
    }
    if dbn.top.hidden.kind() != "Bernoulli" {
        let rule = "the hidden layers of a deep Boltzmann machine are of Bernoulli units";
        return Err(Error::setting("hidden units", dbn.top.hidden.kind(), rule));
    }
    let device = dbn.top.device().clone();
    let mut layers: Vec<Box<dyn Units>> = Vec::new();
    let mut connections: Vec<Box<dyn Connection>> = Vec::new();
    for layer in dbn.lower {
        connections.push(Box::new(layer.generative.weights.transposed()?));
        match layers.last_mut() {
            Some(below) => average(&mut **below, biases(&*layer.generative.units)[0]),
            None => layers.push(layer.generative.units),
        }
        layers.push(layer.recognition.units);
    }
    // Of a top with a label the biases of the units beside it come first, those of the label after them.
    let of_top = biases(&*dbn.top.visible);
    if let Some(below) = layers.last_mut() {
        average(&mut **below, of_top[0]);
    }
    let units = dbn.top.visible.len() - classes.unwrap_or(0);
    let (mut joined, hidden) = (device.zeros(units, dbn.top.hidden.len()), dbn.top.hidden.len());
    joined.assign(dbn.top.weights.row_range(0..units));
    connections.push(Box::new(joined));
    layers.push(dbn.top.hidden.duplicate());
    if let Some(classes) = classes {
        let (mut label, mut rows) = (Softmax::new(&device, 1, classes)?, device.zeros(classes, hidden));
        label.biases.assign(of_top[1]);
        rows.assign(dbn.top.weights.row_range(units..units + classes));
        connections.push(Box::new(rows.transposed()?));
        layers.push(Box::new(label));
    }
    Ok(Dbm { layers, connections, labelled: classes.is_some() })
}

pub(crate) fn biases(units: &dyn Units) -> Vec<&Tensor> {
    let mut biases = Vec::new();
    units.visit(&mut |_, tensor| biases.push(tensor));
    biases
}

/// Biases become the mean of their own and others.
pub(crate) fn average(units: &mut dyn Units, others: &Tensor) {
    units.visit_mut(&mut |_, tensor| tensor.assign((OLD + x(others)) * 0.5));
}
