//! Tiny convolutional machines as plain numbers, written out from the energy: nothing of the library's formulas is used.
#![allow(dead_code, reason = "each file of tests uses a part of this")]

use super::machines::randomize;
use ndarray::{Array1, Array2};
use nn_core::{Device, Key, Parameters, Tensor};
use nn_rbm::{ConvolutionalRbm, LogSumExp, convolutional::Geometry};

/// 6×6 pixels, two filters of 3×3, 4×4 hidden units of each in blocks of 2×2.
pub const SIX: Geometry = Geometry { height: 6, width: 6, channels: 1, filter: 3, maps: 2, block: 2 };
/// One block of each of two maps.
pub const FOUR: Geometry = Geometry { height: 4, width: 4, channels: 1, filter: 3, maps: 2, block: 2 };
/// Oblong images of two channels.
pub const OBLONG: Geometry = Geometry { height: 5, width: 7, channels: 2, filter: 2, maps: 3, block: 2 };

/// A machine of drawn parameters, weights of this standard deviation.
pub fn binary(device: &Device, geometry: Geometry, deviation: f64) -> ConvolutionalRbm {
    let mut rbm = ConvolutionalRbm::bernoulli(device, geometry, Key::new(1)).unwrap();
    randomize(&mut rbm, deviation, 0.7, Key::new(2));
    rbm.hidden.precision.assign(1.0);
    rbm
}

/// The same with real pixels of standard deviation 0.8.
pub fn real(device: &Device, geometry: Geometry, deviation: f64) -> ConvolutionalRbm {
    let mut rbm = ConvolutionalRbm::gaussian(device, geometry, 1.0, Key::new(1)).unwrap();
    randomize(&mut rbm, deviation, 0.7, Key::new(3));
    rbm.set_deviation(0.8);
    rbm
}

/// A machine as plain numbers.
pub struct Plain {
    pub geometry: Geometry,
    /// y, x, channel × map.
    filters: Array2<f64>,
    /// Of each channel.
    pub visible: Vec<f64>,
    /// Of each map.
    pub hidden: Vec<f64>,
    /// σ² of real pixels.
    pub variance: Option<f64>,
    /// For each column of a hidden state the pixels under its filter, and their weights.
    fields: Vec<Vec<(usize, f64)>>,
}

/// The place of a hidden unit: map, row, column.
pub type Place = [usize; 3];

impl Plain {
    pub fn of(rbm: &ConvolutionalRbm) -> Plain {
        let mut variance = None;
        let mut first = Vec::new();
        rbm.visible.visit(&mut |name, tensor| {
            let values = tensor.to_array_f64().unwrap();
            match name {
                "log_variances" => variance = Some(values[[0, 0]].exp()),
                _ => first = values.into_iter().collect(),
            }
        });
        let mut plain = Plain {
            geometry: *rbm.geometry(),
            filters: rbm.weights.to_array_f64().unwrap(),
            visible: first,
            hidden: rbm.hidden.biases.to_array_f64().unwrap().into_iter().collect(),
            variance,
            fields: vec![vec![]; rbm.geometry().hidden_len()],
        };
        for place in plain.places() {
            let column = plain.column(place);
            plain.fields[column] = plain.field(place);
        }
        plain
    }

    /// The column of a hidden unit: block after block, in it unit after unit, the maps of a unit together.
    pub fn column(&self, [map, row, column]: Place) -> usize {
        let Geometry { block, maps, .. } = self.geometry;
        let across = (self.geometry.width + 1 - self.geometry.filter) / block;
        let number = row / block * across + column / block;
        (number * block * block + row % block * block + column % block) * maps + map
    }

    /// Every hidden unit.
    pub fn places(&self) -> Vec<Place> {
        let [down, across] = self.sides();
        let of = |map| (0..down).flat_map(move |row| (0..across).map(move |column| [map, row, column]));
        (0..self.geometry.maps).flat_map(of).collect()
    }

    fn sides(&self) -> [usize; 2] {
        [self.geometry.height, self.geometry.width].map(|side| side + 1 - self.geometry.filter)
    }

    /// For each block its units.
    pub fn blocks(&self) -> Vec<Vec<Place>> {
        let ([down, across], block) = (self.sides(), self.geometry.block);
        let mut blocks = Vec::new();
        for map in 0..self.geometry.maps {
            for (row, column) in (0..down / block).flat_map(|row| (0..across / block).map(move |c| (row, c)))
            {
                let within = (0..block).flat_map(|y| (0..block).map(move |x| (y, x)));
                blocks.push(within.map(|(y, x)| [map, row * block + y, column * block + x]).collect());
            }
        }
        blocks
    }

    /// Pixels under the filter of a hidden unit, and their weights.
    pub fn field(&self, [map, row, column]: Place) -> Vec<(usize, f64)> {
        let Geometry { filter, channels, width, .. } = self.geometry;
        let mut field = Vec::new();
        for y in 0..filter {
            for x in 0..filter {
                for channel in 0..channels {
                    let pixel = ((row + y) * width + column + x) * channels + channel;
                    field.push((pixel, self.filters[[(y * filter + x) * channels + channel, map]]));
                }
            }
        }
        field
    }

    /// 1/σ², 1 of binary pixels.
    pub fn precision(&self) -> f64 {
        self.variance.map_or(1.0, |variance| 1.0 / variance)
    }

    /// τ((W̃*v) + b) of a hidden unit.
    pub fn input(&self, visible: &[f64], place: Place) -> f64 {
        let sum: f64 = self.field(place).iter().map(|(pixel, w)| visible[*pixel] * w).sum();
        (sum + self.hidden[place[0]]) * self.precision()
    }

    /// Σ h·W of each pixel.
    pub fn down(&self, hidden: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.geometry.image_len()];
        for (on, field) in hidden.iter().zip(&self.fields).filter(|(on, _)| **on != 0.0) {
            field.iter().for_each(|(pixel, w)| out[*pixel] += on * w);
        }
        out
    }

    /// Bias of a pixel.
    pub fn bias(&self, pixel: usize) -> f64 {
        self.visible[pixel % self.geometry.channels]
    }

    /// E(v, h)
    pub fn energy(&self, visible: &[f64], hidden: &[f64]) -> f64 {
        let own = |(pixel, v): (usize, &f64)| match self.variance {
            Some(variance) => (v - self.bias(pixel)).powi(2) / (2.0 * variance),
            None => -v * self.bias(pixel),
        };
        let pairs: f64 =
            self.places().iter().map(|p| hidden[self.column(*p)] * self.input(visible, *p)).sum();
        visible.iter().enumerate().map(own).sum::<f64>() - pairs
    }

    /// All hidden states, hidden units each.
    pub fn hidden_states(&self) -> Vec<Vec<f64>> {
        let mut states = vec![vec![0.0; self.geometry.hidden_len()]];
        for block in self.blocks() {
            let mut more = states.clone();
            for place in block {
                more.extend(states.iter().map(|state| {
                    let mut state = state.clone();
                    state[self.column(place)] = 1.0;
                    state
                }));
            }
            states = more;
        }
        states
    }

    /// log Σ_v e^(−E(v, h)) of binary pixels, those of `known` clamped to their values.
    pub fn log_marginal(&self, hidden: &[f64], known: &[Option<f64>]) -> f64 {
        let maps = self.geometry.maps;
        let own: f64 = hidden.iter().enumerate().map(|(column, on)| on * self.hidden[column % maps]).sum();
        let down = self.down(hidden);
        let of = |(pixel, input): (usize, &f64)| {
            let y = input + self.bias(pixel);
            match known.get(pixel).copied().flatten() {
                Some(v) => v * y,
                None => y.max(0.0) + (-y.abs()).exp().ln_1p(),
            }
        };
        own + down.iter().enumerate().map(of).sum::<f64>()
    }

    /// Which pooling units are on, a row each: cases × (blocks · maps).
    pub fn pooled(&self, hidden: &[f64]) -> Vec<f64> {
        let Geometry { maps, block, .. } = self.geometry;
        let units = block * block * maps;
        let mut out = vec![0.0; hidden.len() / (block * block)];
        for (column, on) in hidden.iter().enumerate() {
            out[column / units * maps + column % maps] += on;
        }
        out
    }
}

/// log Σ e^x and the normalised e^x.
pub fn normalized(logs: &[f64]) -> (f64, Vec<f64>) {
    let mut sum = LogSumExp::default();
    logs.iter().for_each(|log| sum.add(*log));
    (sum.value(), logs.iter().map(|log| (log - sum.value()).exp()).collect())
}

/// Rows of a tensor.
pub fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    let rows = |row: ndarray::ArrayView1<'_, f64>| row.to_vec();
    tensor.to_array_f64().unwrap().rows().into_iter().map(rows).collect()
}

/// The distribution of pooling units, a number for each pattern whose digits they are, first unit highest.
pub fn patterns(plain: &Plain, states: &[Vec<f64>], probabilities: &[f64]) -> (Array2<f32>, Vec<f64>) {
    let units = plain.geometry.pooled_len();
    let mut sums = vec![0.0; 1 << units];
    for (state, p) in states.iter().zip(probabilities) {
        let number = plain.pooled(state).iter().fold(0, |number, on| 2 * number + *on as usize);
        sums[number] += p;
    }
    let bit = |(number, unit)| (number >> (units - 1 - unit) & 1) as f32;
    (Array2::from_shape_fn((1 << units, units), bit), sums)
}

/// Numbers of states drawn with these probabilities.
pub fn draw(probabilities: &[f64], count: usize, key: Key) -> Vec<usize> {
    let upper: Array1<f64> = probabilities
        .iter()
        .scan(0.0, |sum, p| {
            *sum += p;
            Some(*sum)
        })
        .collect();
    let upper = upper.to_vec();
    let last = upper.len() - 1;
    let number = |i| upper.partition_point(|u| *u <= f64::from(key.uniform(i))).min(last);
    (0..count as u64).map(number).collect()
}

/// The states of these numbers as a tensor.
pub fn chosen(device: &Device, states: &[Vec<f64>], numbers: &[usize]) -> Tensor {
    let columns = states[0].len();
    let array = Array2::from_shape_fn((numbers.len(), columns), |(i, j)| states[numbers[i]][j]);
    device.tensor_f64(&array)
}
