//! A tiny deep belief network as plain numbers, its sums carried out as they are written.
#![allow(dead_code, reason = "each file of tests uses a part of this")]

use ndarray::{Array1, Array2, Axis, s};
use nn_core::{Device, Key, Optimizer, Parameters, Sum, Tensor};
use nn_rbm::{Dbn, LogSumExp, Rbm};

/// A network 4-3-3 under a top of 3 hidden units, with or without a label of two classes; all parameters drawn, so that
/// recognition and generation differ.
pub fn network(device: &Device, classes: Option<usize>) -> Dbn {
    let first = Rbm::bernoulli(device, 4, 3, Key::new(1)).unwrap();
    let dbn = Dbn::new(first).add(3, None, Key::new(2)).unwrap();
    let mut dbn = dbn.add(3, classes, Key::new(3)).unwrap();
    super::machines::randomize(&mut dbn, 1.0, 0.7, Key::new(4));
    dbn
}

/// Weights given × units and biases of Bernoulli units.
pub struct Logistic(pub Array2<f64>, pub Array1<f64>);

impl Logistic {
    pub fn mean(&self, given: &Array1<f64>) -> Array1<f64> {
        (given.dot(&self.0) + &self.1).mapv(|x| 1.0 / (1.0 + (-x).exp()))
    }
    pub fn log_probability(&self, states: &Array1<f64>, given: &Array1<f64>) -> f64 {
        states
            .iter()
            .zip(self.mean(given))
            .map(|(s, m)| if *s == 1.0 { m.ln() } else { (1.0 - m).ln() })
            .sum()
    }
}

pub struct Belief {
    /// q and p of each directed layer.
    pub layers: Vec<(Logistic, Logistic)>,
    /// The states of the visible units of the top without label, and log p of each.
    pub top: Vec<(Array1<f64>, f64)>,
}

/// All states of so many bits.
pub fn states(units: usize) -> Vec<Array1<f64>> {
    (0..1usize << units).map(|k| (0..units).map(|i| (k >> i & 1) as f64).collect()).collect()
}

impl Belief {
    pub fn of(dbn: &Dbn) -> Belief {
        let values = super::machines::values(dbn);
        let get = |name: String| values.iter().find(|(own, _)| *own == name).unwrap().1.clone();
        let logistic = |name: String| {
            Logistic(get(format!("{name}.weights")), get(format!("{name}.biases")).row(0).to_owned())
        };
        let layers = (1..=dbn.lower.len())
            .map(|l| (logistic(format!("{l}.recognition")), logistic(format!("{l}.generative"))))
            .collect();
        let (weights, hidden) = (get("top.weights".into()), get("top.hidden.biases".into()));
        let (biases, label) = match dbn.classes() {
            None => (get("top.visible.biases".into()), None),
            Some(_) => (get("top.visible.units.biases".into()), Some(get("top.visible.label.biases".into()))),
        };
        let units = biases.len();
        let log_weight = |h: &Array1<f64>, class: Option<usize>| {
            let mut input = h.dot(&weights.slice(s![..units, ..])) + hidden.row(0);
            let mut log = h.dot(&biases.row(0));
            if let (Some(class), Some(label)) = (class, &label) {
                input += &weights.row(units + class);
                log += label[[0, class]];
            }
            log + input.iter().map(|x| x.exp().ln_1p()).sum::<f64>()
        };
        let mut log_partition = LogSumExp::default();
        let of_state = |h: Array1<f64>| {
            let mut sum = LogSumExp::default();
            match &label {
                None => sum.add(log_weight(&h, None)),
                Some(label) => (0..label.len()).for_each(|class| sum.add(log_weight(&h, Some(class)))),
            }
            (h, sum.value())
        };
        let top: Vec<_> = states(units).into_iter().map(of_state).collect();
        top.iter().for_each(|(_, log)| log_partition.add(*log));
        let top = top.into_iter().map(|(h, log)| (h, log - log_partition.value())).collect();
        Belief { layers, top }
    }

    /// Every path h₁ … h_{L−1} over v with log p(v, h) and log q(h | v).
    pub fn paths(&self, v: &Array1<f64>) -> Vec<(Vec<Array1<f64>>, f64, f64)> {
        let mut paths = vec![(vec![v.clone()], 0.0, 0.0)];
        for (q, p) in &self.layers {
            let longer = |(path, log_p, log_q): &(Vec<Array1<f64>>, f64, f64)| {
                let below = path.last().unwrap().clone();
                let (path, log_p, log_q) = (path.clone(), *log_p, *log_q);
                states(p.0.nrows()).into_iter().map(move |h| {
                    let (log_p, log_q) =
                        (log_p + p.log_probability(&below, &h), log_q + q.log_probability(&h, &below));
                    ([path.clone(), vec![h]].concat(), log_p, log_q)
                })
            };
            paths = paths.iter().flat_map(longer).collect();
        }
        for (path, log_p, _) in &mut paths {
            let last = path.last().unwrap();
            *log_p += self.top.iter().find(|(h, _)| h == last).unwrap().1;
        }
        paths
    }

    pub fn log_probability(&self, v: &Array1<f64>) -> f64 {
        let mut sum = LogSumExp::default();
        self.paths(v).iter().for_each(|(_, log_p, _)| sum.add(*log_p));
        sum.value()
    }

    /// E_q[log p(v, h) − log q(h | v)]
    pub fn bound(&self, v: &Array1<f64>) -> f64 {
        self.paths(v).iter().map(|(_, log_p, log_q)| log_q.exp() * (log_p - log_q)).sum()
    }

    /// Means over cases (a row each).
    pub fn mean(&self, cases: &Array2<f64>, of: impl Fn(&Belief, &Array1<f64>) -> f64) -> f64 {
        cases.rows().into_iter().map(|v| of(self, &v.to_owned())).sum::<f64>() / cases.nrows() as f64
    }
}

/// −∂ log p(s | g) by weights and biases of logistic units.
pub fn minus_slope(logistic: &Logistic, s: &Array1<f64>, g: &Array1<f64>) -> (Array2<f64>, Array2<f64>) {
    let error = (logistic.mean(g) - s).insert_axis(Axis(0));
    (g.view().insert_axis(Axis(1)).dot(&error), error)
}

/// Keeps the gradients and changes nothing.
#[derive(Debug, Default)]
pub struct Recorder(pub Vec<Array2<f64>>);

impl Optimizer for Recorder {
    fn update(&mut self, _: &mut dyn Parameters, gradients: &[Sum<'_>], _: u64) {
        let value = |sum: &Sum<'_>| {
            sum.with_values(|values, factor| values.to_array_f64().unwrap() * f64::from(factor))
        };
        self.0 = gradients.iter().map(value).collect();
    }
}

impl Parameters for Recorder {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}
