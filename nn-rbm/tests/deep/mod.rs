//! Tiny deep Boltzmann machines as plain numbers, their sums carried out as they are written.
#![allow(dead_code, reason = "each file of tests uses a part of this")]

use super::machines::{chance, randomize, values};
use ndarray::{Array1, Array2};
use nn_core::{Device, Key, Tensor, init::Initialization};
use nn_rbm::{Dbm, LogSumExp, units::Bernoulli};

/// First values that tests draw over, or train from.
pub const START: Initialization = Initialization::Normal { deviation: 0.1 };

/// Machines of one to three hidden layers, with and without a label, with strong couplings.
pub fn machines(device: &Device) -> Vec<(&'static str, Dbm)> {
    vec![
        ("4-3", machine(device, 4, &[3], None)),
        ("4-3-2", machine(device, 4, &[3, 2], None)),
        ("3-4-2", machine(device, 3, &[4, 2], None)),
        ("4-2-3-2", machine(device, 4, &[2, 3, 2], None)),
        ("3-2-3 and label", machine(device, 3, &[2, 3], Some(3))),
        ("3-2-2-2 and label", machine(device, 3, &[2, 2, 2], Some(2))),
    ]
}

pub fn machine(device: &Device, visible: usize, hidden: &[usize], classes: Option<usize>) -> Dbm {
    let visible = Box::new(Bernoulli::new(device, visible));
    let mut dbm = Dbm::new(device, visible, hidden, classes, START, Key::new(1)).unwrap();
    randomize(&mut dbm, 1.0, 0.7, Key::new(2));
    dbm
}

/// A machine as plain numbers, and every state of all layers side by side.
pub struct Deep {
    biases: Vec<Array1<f64>>,
    weights: Vec<Array2<f64>>,
    label: bool,
    /// All states of all layers.
    pub states: Vec<Vec<Array1<f64>>>,
    pub log_z: f64,
}

impl Deep {
    pub fn of(dbm: &Dbm) -> Deep {
        let (mut biases, mut weights) = (Vec::new(), Vec::new());
        for (name, values) in values(dbm) {
            if name.ends_with(".weights") {
                weights.push(values);
            } else {
                biases.push(values.row(0).to_owned());
            }
        }
        let mut deep =
            Deep { biases, weights, label: dbm.classes().is_some(), states: vec![vec![]], log_z: 0.0 };
        for layer in 0..deep.biases.len() {
            let own = deep.states_of(layer);
            let extend = |state: &Vec<Array1<f64>>| {
                own.iter().map(|s| [state.clone(), vec![s.clone()]].concat()).collect::<Vec<_>>()
            };
            deep.states = deep.states.iter().flat_map(extend).collect();
        }
        deep.log_z = log_sum(deep.states.iter().map(|s| -deep.energy(s)));
        deep
    }

    fn states_of(&self, layer: usize) -> Vec<Array1<f64>> {
        let units = self.biases[layer].len();
        let binary = |k: usize| (0..units).map(|i| (k >> i & 1) as f64).collect();
        let one_of = |k: usize| (0..units).map(|i| f64::from(u8::from(i == k))).collect();
        match self.label && layer + 1 == self.biases.len() {
            true => (0..units).map(one_of).collect(),
            false => (0..1 << units).map(binary).collect(),
        }
    }

    pub fn layers(&self) -> usize {
        self.biases.len()
    }

    /// −Σ b·s − Σ sₗ·Wₗ·sₗ₊₁, also of means.
    pub fn energy(&self, state: &[Array1<f64>]) -> f64 {
        let own: f64 = state.iter().zip(&self.biases).map(|(s, b)| s.dot(b)).sum();
        let pairs = self.weights.iter().enumerate();
        -own - pairs.map(|(l, w)| state[l].dot(&w.dot(&state[l + 1]))).sum::<f64>()
    }

    pub fn probability(&self, state: &[Array1<f64>]) -> f64 {
        (-self.energy(state) - self.log_z).exp()
    }

    /// log of the probability of all states for which `keep` holds.
    pub fn log_probability(&self, keep: impl Fn(&[Array1<f64>]) -> bool) -> f64 {
        log_sum(self.states.iter().filter(|s| keep(s)).map(|s| -self.energy(s))) - self.log_z
    }

    /// E_q[log p(v, h) − log q(h)] for independent units of these means, those of `fixed` layers being states.
    pub fn bound(&self, means: &[Array1<f64>], fixed: &[usize]) -> f64 {
        let q = |state: &[Array1<f64>]| -> f64 {
            (0..self.layers())
                .map(|layer| match (fixed.contains(&layer), self.label && layer + 1 == self.layers()) {
                    (true, _) => f64::from(u8::from(state[layer] == means[layer])),
                    (_, true) => state[layer].dot(&means[layer]),
                    _ => state[layer]
                        .iter()
                        .zip(&means[layer])
                        .map(|(s, m)| s * m + (1.0 - s) * (1.0 - m))
                        .product(),
                })
                .product()
        };
        let term = |state: &Vec<Array1<f64>>| {
            let q = q(state);
            if q > 0.0 { q * (-self.energy(state) - self.log_z - q.ln()) } else { 0.0 }
        };
        self.states.iter().map(term).sum()
    }

    /// ⟨sₗᵀsₗ₊₁⟩ and ⟨sₗ⟩ of the model.
    pub fn statistics(&self) -> (Vec<Array2<f64>>, Vec<Array1<f64>>) {
        let mut pairs: Vec<Array2<f64>> = self.weights.iter().map(|w| w * 0.0).collect();
        let mut singles: Vec<Array1<f64>> = self.biases.iter().map(|b| b * 0.0).collect();
        for state in &self.states {
            let p = self.probability(state);
            for (layer, s) in state.iter().enumerate() {
                singles[layer] += &(s * p);
                if let Some(above) = state.get(layer + 1) {
                    for ((i, j), out) in pairs[layer].indexed_iter_mut() {
                        *out += p * s[i] * above[j];
                    }
                }
            }
        }
        (pairs, singles)
    }

    /// The distribution of all layers side by side.
    pub fn exact(&self, device: &Device) -> chance::Exact {
        let rows: Vec<Vec<f64>> = self.states.iter().map(|s| s.iter().flatten().copied().collect()).collect();
        let states = Array2::from_shape_fn((rows.len(), rows[0].len()), |(k, j)| rows[k][j] as f32);
        let probabilities = self.states.iter().map(|s| self.probability(s)).collect();
        chance::Exact::from_parts(states, probabilities, device)
    }
}

pub fn log_sum(terms: impl Iterator<Item = f64>) -> f64 {
    let mut sum = LogSumExp::default();
    terms.for_each(|term| sum.add(term));
    sum.value()
}

/// The rows of tensors as one state of all layers each.
pub fn rows(tensors: &[Tensor]) -> Vec<Vec<Array1<f64>>> {
    let arrays: Vec<Array2<f64>> = tensors.iter().map(|t| t.to_array_f64().unwrap()).collect();
    (0..arrays[0].nrows()).map(|k| arrays.iter().map(|a| a.row(k).to_owned()).collect()).collect()
}

/// All layers side by side, cut into one tensor for each.
pub fn cut(joined: &Tensor, dbm: &Dbm) -> Vec<Tensor> {
    let mut start = 0;
    let part = |units: usize| {
        let mut out = joined.device().zeros(joined.rows(), units);
        out.assign(joined.column_range(start..start + units));
        start += units;
        out
    };
    dbm.layers().iter().map(|units| units.len()).map(part).collect()
}

/// One tensor for each layer, put side by side.
pub fn joined(states: &[Tensor]) -> Tensor {
    let columns = states.iter().map(Tensor::columns).sum();
    let mut out = states[0].device().zeros(states[0].rows(), columns);
    let mut start = 0;
    for tensor in states {
        out.column_range_mut(start..start + tensor.columns()).assign(tensor);
        start += tensor.columns();
    }
    out
}
