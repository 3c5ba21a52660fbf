//! A machine as plain numbers, its sums and integrals carried out as they are written: nothing of the library's
//! formulas is used.

use super::{Machine, Part};
use ndarray::{Array1, Array2};
use nn_core::Parameters;
use nn_rbm::LogSumExp;

/// Units that depend on each other: one unit, or one group of which one is on.
#[derive(Clone, Debug)]
pub enum Group {
    Binary { bias: f64 },
    OneOf { biases: Vec<f64> },
    Real { mean: f64, variance: f64 },
    HalfLine { bias: f64 },
    AtMostOne { bias: f64, size: usize },
}

impl Group {
    pub fn width(&self) -> usize {
        match self {
            Group::OneOf { biases } => biases.len(),
            Group::AtMostOne { size, .. } => *size,
            _ => 1,
        }
    }

    /// E(s)
    pub fn energy(&self, state: &[f64]) -> f64 {
        match self {
            Group::Binary { bias } => -bias * state[0],
            Group::OneOf { biases } => -biases.iter().zip(state).map(|(b, s)| b * s).sum::<f64>(),
            Group::Real { mean, variance } => (state[0] - mean).powi(2) / (2.0 * variance),
            Group::HalfLine { bias } => state[0] * state[0] / 2.0 - bias * state[0],
            Group::AtMostOne { bias, .. } => -bias * state.iter().sum::<f64>(),
        }
    }

    /// S(s)
    pub fn statistic(&self, state: &[f64]) -> Vec<f64> {
        let divisor = if let Group::Real { variance, .. } = self { *variance } else { 1.0 };
        state.iter().map(|s| s / divisor).collect()
    }

    /// All states, or points of quadrature that are good for inputs within ±`reach` of `input`, each with its measure.
    pub fn points(&self, input: f64, reach: f64) -> Vec<(Vec<f64>, f64)> {
        match self {
            Group::Binary { .. } => vec![(vec![0.0], 1.0), (vec![1.0], 1.0)],
            Group::OneOf { biases } => {
                let on = |unit| (0..biases.len()).map(|k| f64::from(u8::from(k == unit))).collect();
                (0..biases.len()).map(|unit| (on(unit), 1.0)).collect()
            }
            Group::AtMostOne { size, .. } => {
                let on = |unit| (0..*size).map(|k| f64::from(u8::from(k == unit))).collect();
                // The last one is off.
                (0..=*size).map(|unit| (on(unit), 1.0)).collect()
            }
            Group::Real { mean, variance } => {
                // The trapezoidal rule with half a standard deviation a step is exact for Gaussians to e^(−8π²).
                let step = variance.sqrt() / 2.0;
                let steps = ((9.0 * variance.sqrt() + reach) / step).ceil() as i64;
                (-steps..=steps).map(|k| (vec![mean + input + k as f64 * step], step)).collect()
            }
            Group::HalfLine { bias } => {
                // Simpson's rule to where the density has fallen by e^(−72), or e^(−40) of a long left tail.
                let top = input + reach + bias;
                let end = if top > -3.0 { top.max(0.0) + 12.0 } else { 40.0 / -top };
                let count = 6000;
                let step = end / f64::from(count);
                let factor = |k| if k == 0 || k == count { 1.0 } else { [2.0, 4.0][k as usize % 2] };
                (0..=count).map(|k| (vec![f64::from(k) * step], factor(k) * step / 3.0)).collect()
            }
        }
    }

    /// K(x) = log Σ e^(S(s)·x − E(s)) and E[s | x], from the sum or integral.
    pub fn sum(&self, input: &[f64]) -> (f64, Vec<f64>) {
        let points = self.points(input[0], 0.0);
        let exponent = |state: &[f64], measure: f64| {
            let pull: f64 = self.statistic(state).iter().zip(input).map(|(s, x)| s * x).sum();
            pull - self.energy(state) + measure.ln()
        };
        let mut log_sum = LogSumExp::default();
        points.iter().for_each(|(state, measure)| log_sum.add(exponent(state, *measure)));
        let mut mean = vec![0.0; self.width()];
        for (state, measure) in &points {
            let probability = (exponent(state, *measure) - log_sum.value()).exp();
            mean.iter_mut().zip(state).for_each(|(mean, s)| *mean += probability * s);
        }
        (log_sum.value(), mean)
    }
}

/// A machine as plain numbers.
#[derive(Debug)]
pub struct Definition {
    pub weights: Array2<f64>,
    pub visible: Vec<Group>,
    pub hidden: Vec<Group>,
}

impl Definition {
    pub fn of(machine: &Machine) -> Definition {
        let layer = |parts: &[Part], units: &dyn Parameters| {
            let mut rows = Vec::new();
            units.visit(&mut |_, tensor| rows.push(tensor.to_array_f64().unwrap().row(0).to_owned()));
            let mut rows = rows.into_iter();
            let mut groups = Vec::new();
            for part in parts {
                let first: Array1<f64> = rows.next().unwrap();
                match part {
                    Part::Bernoulli(_) => groups.extend(first.iter().map(|&bias| Group::Binary { bias })),
                    Part::Rectified(_) => groups.extend(first.iter().map(|&bias| Group::HalfLine { bias })),
                    Part::Softmax(_, size) => {
                        let all = first.to_vec();
                        groups.extend(all.chunks(*size).map(|part| Group::OneOf { biases: part.to_vec() }));
                    }
                    Part::Blocks(blocks, size) => {
                        let bias = first[0] * rows.next().unwrap()[0];
                        groups.extend((0..*blocks).map(|_| Group::AtMostOne { bias, size: *size }));
                    }
                    Part::Fixed(_) | Part::Learned(_) => {
                        let variances = rows.next().unwrap().mapv(f64::exp);
                        let pairs = first.iter().zip(&variances);
                        groups.extend(pairs.map(|(&mean, &variance)| Group::Real { mean, variance }));
                    }
                }
            }
            groups
        };
        Definition {
            weights: machine.rbm.weights.to_array_f64().unwrap(),
            visible: layer(machine.visible, &*machine.rbm.visible),
            hidden: layer(machine.hidden, &*machine.rbm.hidden),
        }
    }

    /// Each group with its part of a row.
    fn parts<'a>(groups: &'a [Group], row: &'a [f64]) -> impl Iterator<Item = (&'a Group, &'a [f64])> {
        let mut rest = row;
        groups.iter().map(move |group| {
            let (own, others) = rest.split_at(group.width());
            rest = others;
            (group, own)
        })
    }

    fn energy_of(groups: &[Group], row: &[f64]) -> f64 {
        Self::parts(groups, row).map(|(group, own)| group.energy(own)).sum()
    }

    fn statistic(groups: &[Group], row: &[f64]) -> Array1<f64> {
        Self::parts(groups, row).flat_map(|(group, own)| group.statistic(own)).collect()
    }

    /// E(v, h)
    pub fn energy(&self, visible: &[f64], hidden: &[f64]) -> f64 {
        let (s, t) = (Self::statistic(&self.visible, visible), Self::statistic(&self.hidden, hidden));
        Self::energy_of(&self.visible, visible) + Self::energy_of(&self.hidden, hidden)
            - s.dot(&self.weights.dot(&t))
    }

    /// F(v) and E[h | v].
    pub fn given_visible(&self, visible: &[f64]) -> (f64, Vec<f64>) {
        let input = Self::statistic(&self.visible, visible).dot(&self.weights).to_vec();
        let sums: Vec<_> = Self::parts(&self.hidden, &input).map(|(group, own)| group.sum(own)).collect();
        let free = Self::energy_of(&self.visible, visible) - sums.iter().map(|sum| sum.0).sum::<f64>();
        (free, sums.into_iter().flat_map(|sum| sum.1).collect())
    }

    /// F(h) and E[v | h].
    pub fn given_hidden(&self, hidden: &[f64]) -> (f64, Vec<f64>) {
        let input = self.weights.dot(&Self::statistic(&self.hidden, hidden)).to_vec();
        let sums: Vec<_> = Self::parts(&self.visible, &input).map(|(group, own)| group.sum(own)).collect();
        let free = Self::energy_of(&self.hidden, hidden) - sums.iter().map(|sum| sum.0).sum::<f64>();
        (free, sums.into_iter().flat_map(|sum| sum.1).collect())
    }

    /// All visible states, or a grid for real ones that is good for every hidden state of zeros and ones.
    pub fn visible_points(&self) -> Vec<(Vec<f64>, f64)> {
        let mut row = 0;
        let axes = self.visible.iter().map(|group| {
            let reach = self.weights.row(row).iter().map(|w| w.abs()).sum();
            row += group.width();
            group.points(0.0, reach)
        });
        product(axes.collect())
    }

    /// All hidden states, where they are finitely many.
    pub fn hidden_points(&self) -> Vec<(Vec<f64>, f64)> {
        product(self.hidden.iter().map(|group| group.points(0.0, 0.0)).collect())
    }
}

/// All combinations of points, with the product of their measures; the first axis runs fastest.
fn product(axes: Vec<Vec<(Vec<f64>, f64)>>) -> Vec<(Vec<f64>, f64)> {
    axes.into_iter().fold(vec![(vec![], 1.0)], |before, axis| {
        let extend = |(state, measure): &(Vec<f64>, f64)| {
            let (state, measure) = (state.clone(), *measure);
            before
                .iter()
                .map(move |(first, m)| ([first.as_slice(), &state].concat(), m * measure))
                .collect::<Vec<_>>()
        };
        axis.iter().flat_map(extend).collect()
    })
}
