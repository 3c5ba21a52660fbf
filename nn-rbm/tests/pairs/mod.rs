//! Tiny gated machines as plain numbers, written out from the energy: nothing of the library's formulas is used.
#![allow(dead_code, reason = "each file of tests uses a part of this")]

use super::machines::{randomize, tensor};
use ndarray::Array2;
use nn_core::{Device, Key, Parameters, Tensor, init};
use nn_rbm::{GatedRbm, LogSumExp, convolutional::Geometry};

/// 4×4 pixels, patches of 3×3, one block of 2×2 units of each of two maps.
pub const FOUR: Geometry = Geometry { height: 4, width: 4, channels: 1, filter: 3, maps: 2, block: 2 };
/// 4×4 pixels, patches of 2×2, one block of 3×3 units.
pub const WIDE: Geometry = Geometry { height: 4, width: 4, channels: 1, filter: 2, maps: 1, block: 3 };
/// Four blocks of one map.
pub const FIVE: Geometry = Geometry { height: 5, width: 5, channels: 1, filter: 2, maps: 1, block: 2 };
/// Oblong images of two channels, binary units.
pub const OBLONG: Geometry = Geometry { height: 4, width: 3, channels: 2, filter: 2, maps: 2, block: 1 };

/// A machine of drawn parameters, weights of this standard deviation.
pub fn machine(device: &Device, geometry: Geometry, deviation: f64) -> GatedRbm {
    let mut rbm = GatedRbm::new(device, geometry, 0.01, Key::new(1)).unwrap();
    randomize(&mut rbm, deviation, 0.5, Key::new(2));
    rbm.hidden.precision.assign(1.0);
    rbm.visit_mut(&mut |name, tensor| {
        if name == "visible.log_variances" {
            tensor.assign(0.0);
        }
    });
    rbm
}

/// Drawn images.
pub fn images(rbm: &GatedRbm, cases: usize, seed: u64) -> Tensor {
    init::normal(rbm.device(), cases, rbm.geometry().image_len(), 1.0, Key::new(seed))
}

/// The parameters of a machine that have a gradient: all but the variance and the precision.
pub struct Learnable(pub GatedRbm);

pub fn learnable(name: &str) -> bool {
    !name.ends_with("log_variances") && !name.ends_with("precision")
}

impl Parameters for Learnable {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.0.visit(&mut |name, tensor| {
            if learnable(name) {
                see(name, tensor);
            }
        });
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.0.visit_mut(&mut |name, tensor| {
            if learnable(name) {
                see(name, tensor);
            }
        });
    }
}

/// The place of a hidden unit: map, row, column.
pub type Place = [usize; 3];

/// A machine as plain numbers.
pub struct Plain {
    pub geometry: Geometry,
    weights: Array2<f64>,
    /// c of each channel.
    means: Vec<f64>,
    /// b of each map.
    biases: Vec<f64>,
}

impl Plain {
    pub fn of(rbm: &GatedRbm) -> Plain {
        let mut means = Vec::new();
        rbm.visit(&mut |name, tensor| {
            if name == "visible.means" {
                means = tensor.to_array_f64().unwrap().into_iter().collect();
            }
        });
        let biases = rbm.hidden.biases.to_array_f64().unwrap().into_iter().collect();
        Plain { geometry: *rbm.geometry(), weights: rbm.weights.to_array_f64().unwrap(), means, biases }
    }

    fn sides(&self) -> [usize; 2] {
        [self.geometry.height, self.geometry.width].map(|side| side + 1 - self.geometry.filter)
    }

    /// For each block its units.
    pub fn blocks(&self) -> Vec<Vec<Place>> {
        let ([down, across], block) = (self.sides(), self.geometry.block);
        let mut blocks = Vec::new();
        for map in 0..self.geometry.maps {
            for (top, left) in (0..down / block).flat_map(|y| (0..across / block).map(move |x| (y, x))) {
                let unit = |i: usize| [map, top * block + i / block, left * block + i % block];
                blocks.push((0..block * block).map(unit).collect());
            }
        }
        blocks
    }

    /// The column of a hidden unit: block after block, in it unit after unit, the maps of a unit together.
    pub fn column(&self, [map, row, column]: Place) -> usize {
        let (block, maps) = (self.geometry.block, self.geometry.maps);
        let number = row / block * (self.sides()[1] / block) + column / block;
        (number * block * block + row % block * block + column % block) * maps + map
    }

    pub fn bias(&self, pixel: usize) -> f64 {
        self.means[pixel % self.geometry.channels]
    }

    /// The filter of a hidden unit on y, given x: pixels and values.
    pub fn filter(&self, given: &[f64], [map, m, n]: Place) -> Vec<(usize, f64)> {
        let Geometry { filter, channels, width, .. } = self.geometry;
        let len = filter * filter * channels;
        let pixel = |y: usize, x: usize, channel: usize| ((m + y) * width + n + x) * channels + channel;
        let tap = |y: usize, x: usize, channel: usize| (y * filter + x) * channels + channel;
        let mut out = Vec::new();
        for (r, s, c) in taps(filter, channels) {
            let mut sum = 0.0;
            for (u, v, d) in taps(filter, channels) {
                sum += self.weights[[tap(u, v, d), map * len + tap(r, s, c)]] * given[pixel(u, v, d)];
            }
            out.push((pixel(r, s, c), sum));
        }
        out
    }

    /// The term in brackets of the energy.
    pub fn input(&self, given: &[f64], y: &[f64], place: Place) -> f64 {
        let products: f64 = self.filter(given, place).iter().map(|(pixel, w)| w * y[*pixel]).sum();
        products + self.biases[place[0]]
    }

    /// All joint hidden states: a row of columns that are on for each.
    pub fn states(&self) -> Vec<Vec<Place>> {
        let mut states = vec![vec![]];
        for block in self.blocks() {
            let before = states.clone();
            for place in block {
                states.extend(before.iter().map(|state| [&state[..], &[place]].concat()));
            }
        }
        states
    }

    /// A joint state as a row of zeros and ones.
    pub fn row(&self, state: &[Place]) -> Vec<f64> {
        let mut row = vec![0.0; self.geometry.hidden_len()];
        state.iter().for_each(|place| row[self.column(*place)] = 1.0);
        row
    }

    pub fn rows(&self, device: &Device, states: &[Vec<Place>]) -> Tensor {
        tensor(device, &states.iter().map(|state| self.row(state)).collect::<Vec<_>>())
    }

    /// E[y | z, x]
    pub fn mean(&self, given: &[f64], state: &[Place]) -> Vec<f64> {
        let mut mean: Vec<f64> = (0..given.len()).map(|pixel| self.bias(pixel)).collect();
        for place in state {
            self.filter(given, *place).iter().for_each(|(pixel, w)| mean[*pixel] += w);
        }
        mean
    }

    /// E(y, z | x)
    pub fn energy(&self, given: &[f64], y: &[f64], state: &[Place]) -> f64 {
        let own = y.iter().enumerate().map(|(pixel, y)| (y - self.bias(pixel)).powi(2) / 2.0);
        own.sum::<f64>() - state.iter().map(|place| self.input(given, y, *place)).sum::<f64>()
    }

    /// log ∫ e^(−E(y, z | x)) dy of each joint state: as a function of y the energy is |y − mean|²/2 and what is left.
    pub fn log_marginals(&self, given: &[f64], states: &[Vec<Place>]) -> Vec<f64> {
        let of = |state: &Vec<Place>| {
            let mean = self.mean(given, state);
            let least = self.energy(given, &mean, state);
            0.5 * given.len() as f64 * (2.0 * std::f64::consts::PI).ln() - least
        };
        states.iter().map(of).collect()
    }

    /// log p(y | x)
    pub fn log_probability(&self, given: &[f64], y: &[f64]) -> f64 {
        let states = self.states();
        let joint: Vec<f64> = states.iter().map(|state| -self.energy(given, y, state)).collect();
        normalized(&joint).0 - normalized(&self.log_marginals(given, &states)).0
    }

    /// The mean of it over cases.
    pub fn mean_log_probability(&self, given: &Tensor, y: &Tensor) -> f64 {
        let (given, y) = (rows(given), rows(y));
        let sum: f64 = given.iter().zip(&y).map(|(x, y)| self.log_probability(x, y)).sum();
        sum / y.len() as f64
    }
}

fn taps(filter: usize, channels: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let pixels = (0..filter).flat_map(move |y| (0..filter).map(move |x| (y, x)));
    pixels.flat_map(move |(y, x)| (0..channels).map(move |channel| (y, x, channel)))
}

/// log Σ e^x and the normalised e^x.
pub fn normalized(logs: &[f64]) -> (f64, Vec<f64>) {
    let mut sum = LogSumExp::default();
    logs.iter().for_each(|log| sum.add(*log));
    (sum.value(), logs.iter().map(|log| (log - sum.value()).exp()).collect())
}

/// Rows of a tensor.
pub fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    tensor.to_array_f64().unwrap().rows().into_iter().map(|row| row.to_vec()).collect()
}

/// A row again and again.
pub fn copies(device: &Device, row: &[f64], count: usize) -> Tensor {
    device.tensor_f64(&Array2::from_shape_fn((count, row.len()), |(_, j)| row[j]))
}
