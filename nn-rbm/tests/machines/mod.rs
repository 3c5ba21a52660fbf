//! Tiny machines whose every probability can be written down, with couplings so strong that a mistake shows.
#![allow(dead_code, reason = "each file of tests uses a part of this")]

pub mod chance;
pub mod definition;

use definition::Definition;
use ndarray::Array2;
use nn_core::{Device, Key, Parameters, Tensor};
use nn_rbm::{
    Rbm,
    units::{Bernoulli, Blocks, Gaussian, Joined, Rectified, Shared, Softmax, Units},
};

/// Some units of one family.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// This many binary units.
    Bernoulli(usize),
    /// This many groups of this size.
    Softmax(usize, usize),
    /// This many real units whose variances stay as they are.
    Fixed(usize),
    /// This many real units whose variances are learned, with rate 1.
    Learned(usize),
    /// This many units on the half line.
    Rectified(usize),
    /// This many blocks of this size, at most one unit of each on, all with the same bias.
    Blocks(usize, usize),
}

use Part::{
    Bernoulli as Binary, Blocks as AtMostOne, Fixed, Learned, Rectified as HalfLine, Softmax as OneOf,
};

/// A machine and what it is made of.
#[derive(Debug)]
pub struct Machine {
    pub name: &'static str,
    pub rbm: Rbm,
    pub visible: &'static [Part],
    pub hidden: &'static [Part],
}

impl Machine {
    /// A machine of these layers with weights of this standard deviation and other parameters of 0.7.
    pub fn new(
        device: &Device,
        name: &'static str,
        visible: &'static [Part],
        hidden: &'static [Part],
        deviation: f64,
    ) -> Machine {
        let seed = name.bytes().fold(17u64, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte));
        let key = Key::new(seed);
        let mut rbm = Rbm::new(device, layer(device, visible), layer(device, hidden), key).unwrap();
        randomize(&mut rbm, deviation, 0.7, key.fold_in(1));
        Machine { name, rbm, visible, hidden }
    }

    /// The same as plain numbers.
    pub fn definition(&self) -> Definition {
        Definition::of(self)
    }

    /// Visible states that are possible, cases × visible: drawn around a hidden state of zeros.
    pub fn cases(&self, count: usize, key: Key) -> Tensor {
        self.rbm.sample_visible(&self.rbm.device().zeros(count, self.rbm.hidden.len()), key)
    }
}

fn layer(device: &Device, parts: &[Part]) -> Box<dyn Units> {
    let one = |part: &Part| -> Box<dyn Units> {
        match *part {
            Binary(units) => Box::new(Bernoulli::new(device, units)),
            OneOf(groups, size) => Box::new(Softmax::new(device, groups, size).unwrap()),
            Fixed(units) => Box::new(Gaussian::new(device, units, 1.0).unwrap()),
            Learned(units) => Box::new(Gaussian::learned(device, units, -9.0, 9.0, 1.0).unwrap()),
            HalfLine(units) => Box::new(Rectified::new(device, units)),
            AtMostOne(blocks, size) => {
                Box::new(Shared::new(Box::new(Blocks::new(device, 1, size).unwrap()), blocks))
            }
        }
    };
    match parts {
        [part] => one(part),
        parts => Box::new(Joined::new(["pixels", "label"].into_iter().zip(parts.iter().map(one)).collect())),
    }
}

/// Draws all parameters anew: weights with one standard deviation, everything else with another.
pub fn randomize(model: &mut dyn Parameters, of_weights: f64, of_others: f64, key: Key) {
    let mut number = 0;
    model.visit_mut(&mut |name, tensor| {
        let deviation = if name.ends_with("weights") { of_weights } else { of_others };
        tensor.assign(nn_core::Expr::Normal(key.fold_in(number)) * deviation);
        number += 1;
    });
}

/// One machine of every kind whose log Z can be enumerated.
pub fn enumerable(device: &Device) -> Vec<Machine> {
    let machine = |name, visible, hidden| Machine::new(device, name, visible, hidden, 1.0);
    vec![
        machine("Bernoulli", &[Binary(4)], &[Binary(3)]),
        machine("Gaussian of fixed variance", &[Fixed(2)], &[Binary(3)]),
        machine("Gaussian of learned variance", &[Learned(2)], &[Binary(3)]),
        machine("softmax", &[OneOf(2, 3)], &[Binary(3)]),
        machine("binary pixels and label", &[Binary(3), OneOf(1, 3)], &[Binary(3)]),
        machine("real pixels and label", &[Learned(2), OneOf(1, 2)], &[Binary(2)]),
        machine("hidden rectified", &[Binary(4)], &[HalfLine(2)]),
        machine("hidden softmax", &[Binary(4)], &[OneOf(2, 2)]),
        machine("Gaussian and hidden softmax", &[Fixed(2)], &[OneOf(1, 3)]),
        machine("hidden blocks", &[Binary(4)], &[AtMostOne(2, 2)]),
        machine("Gaussian and a hidden block", &[Learned(2)], &[AtMostOne(1, 4)]),
        machine("blocks", &[AtMostOne(2, 2)], &[Binary(3)]),
        machine("softmax and hidden rectified", &[OneOf(2, 3)], &[HalfLine(2)]),
    ]
}

/// Those of [`enumerable`] with finitely many visible states.
pub fn discrete(device: &Device) -> Vec<Machine> {
    let finite = |machine: &Machine| machine.rbm.visible.states().is_some();
    enumerable(device).into_iter().filter(finite).collect()
}

/// All values of parameters under their names, for comparisons bit by bit.
pub fn values(parameters: &dyn Parameters) -> Vec<(String, Array2<f64>)> {
    let mut values = Vec::new();
    parameters.visit(&mut |name, tensor| values.push((name.to_string(), tensor.to_array_f64().unwrap())));
    values
}

/// A tensor of f64 rows.
pub fn tensor(device: &Device, rows: &[Vec<f64>]) -> Tensor {
    let array = Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j]);
    device.tensor_f64(&array)
}

/// Largest difference of two arrays of the same shape.
pub fn distance(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    a.iter().zip(b).fold(0.0, |worst, (a, b)| {
        let off = (a - b).abs();
        if off > worst || off.is_nan() { off } else { worst }
    })
}
