//! Exact draws, histograms, and how far chance alone moves them.

use super::{Machine, Part};
use ndarray::Array2;
use nn_core::{Device, Key, Parameters, Tensor};
use nn_rbm::{Boltzmann, LogSumExp, Rbm, partition::all_states, units::Units};

/// Chains of a test of drift.
pub const CHAINS: usize = 20_000;

/// How many chains of a machine to move: fewer where hidden units are rectified, whose draws take long.
pub fn chains(machine: &Machine) -> usize {
    if machine.hidden.iter().any(|part| matches!(part, Part::Rectified(_))) { CHAINS / 5 } else { CHAINS }
}

/// Asserts that these chains are distributed like that, up to chance.
pub fn still(name: &str, exact: &Exact, chains: &Tensor) {
    let (found, floor) = (exact.total_variation(chains), exact.floor(chains.rows()));
    println!("{name}: {found:.4} of {floor:.4}");
    assert!(found < floor, "{name}: total variation {found}, chance alone stays under {floor}");
}

/// Sets the tensor of this name.
pub fn set(parameters: &mut (impl Parameters + ?Sized), wanted: &str, value: &Tensor) {
    let mut found = false;
    parameters.visit_mut(&mut |name, tensor| {
        if name == wanted {
            tensor.assign(value);
            found = true;
        }
    });
    assert!(found, "no {wanted}");
}

/// A distribution over the states of a discrete layer.
#[derive(Debug)]
pub struct Exact {
    /// All states, states × units.
    pub states: Array2<f32>,
    pub probabilities: Vec<f64>,
    /// The number of the state for every pattern of bits.
    index: Vec<usize>,
    device: Device,
}

impl Exact {
    /// p(v)
    pub fn of_visible(at: Boltzmann<'_>) -> Exact {
        Exact::new(at.visible, at.weights.device(), |states, out| at.free_energy(states, out))
    }

    /// p(h)
    pub fn of_hidden(at: Boltzmann<'_>) -> Exact {
        Exact::new(at.hidden, at.weights.device(), |states, out| at.free_energy_of_hidden(states, out))
    }

    fn new(units: &dyn Units, device: &Device, energy: impl FnOnce(&Tensor, &mut Tensor)) -> Exact {
        let states = all_states(units, device, 1 << 12).unwrap();
        let mut energies = device.zeros(states.rows(), 1);
        energy(&states, &mut energies);
        let energies = energies.to_array_f64().unwrap();
        let mut log_sum = LogSumExp::default();
        energies.iter().for_each(|energy| log_sum.add(-energy));
        let probabilities = energies.iter().map(|energy| (-energy - log_sum.value()).exp()).collect();
        Exact::from_parts(states.to_array().unwrap(), probabilities, device)
    }

    pub fn from_parts(states: Array2<f32>, probabilities: Vec<f64>, device: &Device) -> Exact {
        let mut index = vec![usize::MAX; 1 << states.ncols()];
        states.rows().into_iter().enumerate().for_each(|(k, row)| index[bits(row)] = k);
        Exact { states, probabilities, index, device: device.clone() }
    }

    /// The distribution among the states for which `keep` holds.
    pub fn given(&self, keep: impl Fn(ndarray::ArrayView1<'_, f32>) -> bool) -> Exact {
        let kept = |k: usize| if keep(self.states.row(k)) { self.probabilities[k] } else { 0.0 };
        let probabilities: Vec<f64> = (0..self.probabilities.len()).map(kept).collect();
        let total: f64 = probabilities.iter().sum();
        let probabilities = probabilities.into_iter().map(|p| p / total).collect();
        Exact::from_parts(self.states.clone(), probabilities, &self.device)
    }

    /// Numbers of independently drawn states.
    pub fn numbers(&self, count: usize, key: Key) -> Vec<usize> {
        let mut sum = 0.0;
        let upper: Vec<f64> = self
            .probabilities
            .iter()
            .map(|p| {
                sum += p;
                sum
            })
            .collect();
        let last = upper.len() - 1;
        (0..count as u64)
            .map(|i| upper.partition_point(|u| *u <= f64::from(key.uniform(i))).min(last))
            .collect()
    }

    /// Independently drawn states, count × units.
    pub fn draw(&self, count: usize, key: Key) -> Tensor {
        let numbers = self.numbers(count, key);
        let states =
            Array2::from_shape_fn((count, self.states.ncols()), |(i, j)| self.states[[numbers[i], j]]);
        self.device.tensor(&states)
    }

    /// ½ Σ |share of these states − probability|
    pub fn total_variation(&self, states: &Tensor) -> f64 {
        let mut counts = vec![0.0; self.probabilities.len()];
        for row in states.to_array().unwrap().rows() {
            counts[self.index[bits(row)]] += 1.0;
        }
        let share = 1.0 / states.rows() as f64;
        0.5 * counts.iter().zip(&self.probabilities).map(|(n, p)| (n * share - p).abs()).sum::<f64>()
    }

    /// What the total variation of `count` independent draws stays under: its mean is at most ½ Σ √(p(1 − p)/n), and as
    /// one draw moves it by at most 1/n its standard deviation is at most 1/(2√n); four of those are added.
    pub fn floor(&self, count: usize) -> f64 {
        let n = count as f64;
        let mean: f64 = self.probabilities.iter().map(|p| (p * (1.0 - p) / n).sqrt()).sum();
        0.5 * mean + 4.0 / (2.0 * n.sqrt())
    }
}

/// Zeros and ones as the digits of a number.
fn bits(row: ndarray::ArrayView1<'_, f32>) -> usize {
    row.iter().fold(0, |number, value| {
        assert!(*value == 0.0 || *value == 1.0, "{value} is no bit");
        2 * number + usize::from(*value == 1.0)
    })
}

/// Independent draws from p(v) of any machine with a discrete layer, cases × visible.
pub fn fair_visible(rbm: &Rbm, count: usize, key: Key) -> Tensor {
    if rbm.visible.states().is_some() {
        return Exact::of_visible(rbm.distribution()).draw(count, key);
    }
    let hidden = Exact::of_hidden(rbm.distribution()).draw(count, key.fold_in(0));
    rbm.sample_visible(&hidden, key.fold_in(1))
}

/// The mean of some numbers and its standard error.
pub fn mean_and_error(numbers: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let numbers: Vec<f64> = numbers.into_iter().collect();
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let variance = numbers.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}
