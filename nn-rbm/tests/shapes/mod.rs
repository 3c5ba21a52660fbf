//! Tiny Shape Boltzmann machines as plain numbers: images of 4×4, four patches of 3×3, their shared weights copied to where
//! they act. All hidden states are listed; pixels are independent given them, so that their sums are products.
#![allow(dead_code, reason = "each file of tests uses a part of this")]

use super::machines::{chance, randomize, values};
use ndarray::{Array1, Array2, s};
use nn_core::{Device, Key, Tensor, init::Initialization};
use nn_rbm::{
    Dbm, LogSumExp,
    shape::{self, Patches},
    units::Bernoulli,
};

pub const PIXELS: usize = 16;
/// Hidden layers of machines of 6 and 10 hidden units.
pub const HIDDEN: [[usize; 2]; 2] = [[1, 2], [2, 2]];

pub const START: Initialization = Initialization::Normal { deviation: 0.1 };

/// A machine of these hidden layers with strong couplings.
pub fn machine(device: &Device, hidden: [usize; 2]) -> Dbm {
    let visible = Box::new(Bernoulli::new(device, PIXELS));
    let mut dbm = shape::machine(device, visible, Patches::new(4, 4, 2), hidden, START, Key::new(1)).unwrap();
    randomize(&mut dbm, 0.8, 0.5, Key::new(2));
    dbm
}

/// The pixels of each patch, in reading order: rows and columns 0 to 2 or 1 to 3.
pub fn pixels() -> [[usize; 9]; 4] {
    let of = |down: usize, across: usize| std::array::from_fn(|q| (down + q / 3) * 4 + across + q % 3);
    [of(0, 0), of(0, 1), of(1, 0), of(1, 1)]
}

/// A matrix pixels × units of all groups that has the shared weights of a patch at its places, zeros elsewhere.
pub fn untied(shared: &Array2<f64>) -> Array2<f64> {
    let units = shared.ncols();
    let mut matrix = Array2::zeros((PIXELS, 4 * units));
    for (group, pixels) in pixels().iter().enumerate() {
        for (q, pixel) in pixels.iter().enumerate() {
            matrix.slice_mut(s![*pixel, group * units..(group + 1) * units]).assign(&shared.row(q));
        }
    }
    matrix
}

/// The sum over the copies of each shared weight.
pub fn tied(matrix: &Array2<f64>) -> Array2<f64> {
    let units = matrix.ncols() / 4;
    let mut shared = Array2::zeros((9, units));
    for (group, pixels) in pixels().iter().enumerate() {
        for (q, pixel) in pixels.iter().enumerate() {
            let mut row = shared.row_mut(q);
            row += &matrix.slice(s![*pixel, group * units..(group + 1) * units]);
        }
    }
    shared
}

/// The sum over groups of what units at the same place have.
pub fn tied_biases(all: &Array1<f64>) -> Array2<f64> {
    let units = all.len() / 4;
    Array2::from_shape_fn((1, units), |(_, j)| (0..4).map(|group| all[group * units + j]).sum())
}

pub struct Shape {
    /// Biases of pixels, of all units of the first hidden layer, of the second.
    pub biases: [Array1<f64>; 3],
    pub weights: [Array2<f64>; 2],
    /// All states of both hidden layers.
    pub hidden: Vec<[Array1<f64>; 2]>,
    /// log Σ over v of e^(−E(v, h)) of each.
    logs: Vec<f64>,
    pub log_z: f64,
}

pub fn sigma(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Shape {
    pub fn of(dbm: &Dbm) -> Shape {
        let own = values(dbm);
        let names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        let wanted =
            ["visible.biases", "hidden1.weights", "hidden1.biases", "hidden2.weights", "hidden2.biases"];
        assert_eq!(names, wanted);
        let row = |at: usize| own[at].1.row(0).to_owned();
        let (one, units) = (row(2), own[1].1.ncols());
        let all = (0..4 * units).map(|unit| one[unit % units]).collect();
        let (biases, weights) = ([row(0), all, row(4)], [untied(&own[1].1), own[3].1.clone()]);
        let bits = |number: usize, units: usize| (0..units).map(|i| (number >> i & 1) as f64).collect();
        let [first, second] = [biases[1].len(), biases[2].len()];
        let states = (0..1usize << (first + second)).map(|k| [bits(k, first), bits(k >> first, second)]);
        let mut shape = Shape { biases, weights, hidden: states.collect(), logs: vec![], log_z: 0.0 };
        shape.logs = shape.hidden.iter().map(|h| shape.log_of_hidden(h, |_| None)).collect();
        shape.log_z = log_sum(shape.logs.iter().copied());
        shape
    }

    /// −a·v − b₁·h₁ − b₂·h₂ − v·W₁·h₁ − h₁·W₂·h₂
    pub fn energy(&self, v: &Array1<f64>, [first, second]: &[Array1<f64>; 2]) -> f64 {
        let own = v.dot(&self.biases[0]) + first.dot(&self.biases[1]) + second.dot(&self.biases[2]);
        -own - v.dot(&self.weights[0].dot(first)) - first.dot(&self.weights[1].dot(second))
    }

    /// log Σ e^(−E) over the pixels that have no value.
    fn log_of_hidden(&self, h: &[Array1<f64>; 2], value: impl Fn(usize) -> Option<f64>) -> f64 {
        let inputs = self.weights[0].dot(&h[0]) + &self.biases[0];
        let of = |(pixel, x): (usize, &f64)| value(pixel).map_or((1.0 + x.exp()).ln(), |v| v * x);
        let pixels: f64 = inputs.iter().enumerate().map(of).sum();
        pixels - self.energy(&Array1::zeros(PIXELS), h)
    }

    /// log Σ e^(−E) over all hidden states and the pixels that have no value.
    pub fn log_sum(&self, value: impl Fn(usize) -> Option<f64>) -> f64 {
        log_sum(self.hidden.iter().map(|h| self.log_of_hidden(h, &value)))
    }

    pub fn log_probability(&self, v: &[f64]) -> f64 {
        self.log_sum(|pixel| Some(v[pixel])) - self.log_z
    }

    /// p(h | pixels that have a value), of all states.
    pub fn hidden_given(&self, value: impl Fn(usize) -> Option<f64>) -> Vec<f64> {
        let logs: Vec<f64> = self.hidden.iter().map(|h| self.log_of_hidden(h, &value)).collect();
        let total = log_sum(logs.iter().copied());
        logs.into_iter().map(|log| (log - total).exp()).collect()
    }

    /// E[v | h₁]
    pub fn mean_visible(&self, first: &Array1<f64>) -> Array1<f64> {
        (self.weights[0].dot(first) + &self.biases[0]).mapv(sigma)
    }

    /// Both hidden layers side by side with these probabilities.
    pub fn exact(&self, probabilities: Vec<f64>, device: &Device) -> chance::Exact {
        let row = |h: &[Array1<f64>; 2]| h.iter().flatten().map(|s| *s as f32).collect::<Vec<_>>();
        let rows: Vec<Vec<f32>> = self.hidden.iter().map(row).collect();
        let states = Array2::from_shape_fn((rows.len(), rows[0].len()), |(k, j)| rows[k][j]);
        chance::Exact::from_parts(states, probabilities, device)
    }

    /// Independent draws of all layers, pixels that have a value as they are.
    pub fn draw(
        &self,
        device: &Device,
        count: usize,
        value: impl Fn(usize) -> Option<f64>,
        key: Key,
    ) -> [Tensor; 3] {
        let numbers = self.exact(self.hidden_given(&value), device).numbers(count, key.fold_in(0));
        let means: Vec<Array1<f64>> = self.hidden.iter().map(|h| self.mean_visible(&h[0])).collect();
        let pixel = |(case, pixel): (usize, usize)| {
            let u = f64::from(key.fold_in(1).uniform((case * PIXELS + pixel) as u64));
            value(pixel).unwrap_or_else(|| f64::from(u8::from(u < means[numbers[case]][pixel])))
        };
        let hidden = |layer: usize| {
            let shape = (count, self.biases[layer + 1].len());
            Array2::from_shape_fn(shape, |(case, unit)| self.hidden[numbers[case]][layer][unit])
        };
        [Array2::from_shape_fn((count, PIXELS), pixel), hidden(0), hidden(1)].map(|s| device.tensor_f64(&s))
    }
}

pub fn log_sum(terms: impl Iterator<Item = f64>) -> f64 {
    let mut sum = LogSumExp::default();
    terms.for_each(|term| sum.add(term));
    sum.value()
}
