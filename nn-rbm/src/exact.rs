//! Exact figures of machines whose states can all be enumerated: divergences, and distributions of short chains.

use crate::{
    Rbm,
    partition::{all_states, log_partition},
};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use nn_core::{Error, Tensor};

/// Most visible states that a distribution is kept for.
const LARGEST_VISIBLE: u64 = 1 << 12;
/// Most hidden states that a sweep passes through.
const LARGEST_HIDDEN: u64 = 1 << 22;
/// What enumeration tells of a machine on some data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExactStatistics {
    /// Mean log p(v) over the cases, in nats.
    pub log_likelihood: f64,
    /// KL(data ‖ model) for the empirical distribution of the cases, which are taken to be distinct:
    /// −log(cases) − mean log p(v).
    pub divergence: f64,
}

/// Log-likelihood and divergence of these distinct cases, exactly.
///
/// # Errors
/// If the machine is too large to enumerate, or the device failed.
pub fn exact_statistics(rbm: &Rbm, cases: &Tensor) -> Result<ExactStatistics, Error> {
    let log_likelihood = -rbm.mean_free_energy(cases)? - log_partition(rbm)?;
    Ok(ExactStatistics { log_likelihood, divergence: -(cases.rows() as f64).ln() - log_likelihood })
}

/// The distribution over all visible states of Gibbs chains, exactly, some sweeps after they started at data.
///
/// p_k(v') = Σ_h p(v'|h) Σ_v p(h|v) p_{k−1}(v): every sweep sums over all pairs of visible and hidden states, so this is
/// for visible layers of up to 12 and hidden layers of up to 22 binary units.
#[derive(Clone, Debug)]
pub struct Propagation {
    states: Array2<f64>,
    probabilities: Array1<f64>,
}

impl Propagation {
    /// Chains at these cases, each equally likely.
    ///
    /// # Errors
    /// If the layers are not binary or too large, or a case is not a state of the visible units.
    pub fn from_data(rbm: &Rbm, cases: &Tensor) -> Result<Propagation, Error> {
        if !rbm.visible.binary() || !rbm.hidden.binary() {
            let given = format!("{} and {}", rbm.visible.kind(), rbm.hidden.kind());
            return Err(Error::setting("units", given, "exact chains are for binary units"));
        }
        let states = all_states(&*rbm.visible, rbm.device(), LARGEST_VISIBLE)?.to_array_f64()?;
        if rbm.hidden.states().is_none_or(|count| count > LARGEST_HIDDEN) {
            return Err(Error::setting(
                "hidden units",
                rbm.hidden.len(),
                "exact chains pass through at most 22",
            ));
        }
        let mut probabilities = Array1::zeros(states.nrows());
        let cases = cases.to_array_f64()?;
        for case in cases.rows() {
            let is_bit = |value: &f64| *value == 0.0 || *value == 1.0;
            if !case.iter().all(is_bit) {
                return Err(Error::Data(format!(
                    "{case} is no state of binary units; binarise the data first"
                )));
            }
            let index = case.iter().rev().fold(0usize, |index, bit| index * 2 + *bit as usize);
            probabilities[index] += 1.0 / cases.nrows() as f64;
        }
        Ok(Propagation { states, probabilities })
    }

    /// The probability of every visible state, in the order of [`all_states`].
    pub fn probabilities(&self) -> &Array1<f64> {
        &self.probabilities
    }

    /// One Gibbs sweep: h ~ p(h|v), v ~ p(v|h).
    ///
    /// Given the other layer the units of a layer are independent, so that the probability of a state is that of its
    /// lower half times that of its upper half: the sums over all pairs of states become products of small matrices.
    ///
    /// # Errors
    /// If the device failed.
    pub fn sweep(&mut self, rbm: &Rbm) -> Result<(), Error> {
        let doubles = Doubles::of(rbm)?;
        let (units, low) = (doubles.hidden.len(), doubles.hidden.len() / 2);
        // q[upper half of h, lower half of h] = Σ_v p(v)·p(upper|v)·p(lower|v)
        let inputs = self.states.dot(&doubles.weights) + &doubles.hidden;
        let (lower, upper) = inputs.view().split_at(Axis(1), low);
        let weighted = state_probabilities(upper) * self.probabilities.view().insert_axis(Axis(1));
        let hidden = weighted.t().dot(&state_probabilities(lower));
        // p[upper half of v', lower half of v'] = Σ_h q(h)·p(upper|h)·p(lower|h), for all h of one upper half at once
        let low_visible = doubles.visible.len() / 2;
        let high_visible = doubles.visible.len() - low_visible;
        let mut next = Array2::zeros((1 << high_visible, 1 << low_visible));
        for (upper, weights) in hidden.rows().into_iter().enumerate() {
            let states = bits(upper << low, weights.len(), units);
            let inputs = states.dot(&doubles.weights.t()) + &doubles.visible;
            let (lower, upper) = inputs.view().split_at(Axis(1), low_visible);
            let weighted = state_probabilities(upper) * weights.insert_axis(Axis(1));
            next += &weighted.t().dot(&state_probabilities(lower));
        }
        self.probabilities = next.into_iter().collect();
        Ok(())
    }

    /// KL(these chains ‖ model), in nats.
    ///
    /// # Errors
    /// If the device failed.
    pub fn divergence_from_model(&self, rbm: &Rbm) -> Result<f64, Error> {
        let doubles = Doubles::of(rbm)?;
        let inputs = self.states.dot(&doubles.weights) + &doubles.hidden;
        // log p*(v) in double precision: the divergence of long chains is a small difference of large numbers.
        let log = self.states.dot(&doubles.visible) + inputs.mapv(softplus).sum_axis(Axis(1));
        let mut log_partition = crate::LogSumExp::default();
        log.iter().for_each(|log| log_partition.add(*log));
        let terms = self.probabilities.iter().zip(&log).filter(|(p, _)| **p > 0.0);
        Ok(terms.map(|(p, log)| p * (p.ln() - log + log_partition.value())).sum())
    }
}

/// Parameters of a binary machine in double precision.
struct Doubles {
    weights: Array2<f64>,
    visible: Array1<f64>,
    hidden: Array1<f64>,
}

impl Doubles {
    fn of(rbm: &Rbm) -> Result<Doubles, Error> {
        // Joined layers have a row of biases for each part.
        let biases = |units: &dyn crate::units::Units| {
            let mut rows = Ok(Vec::new());
            units.visit(&mut |_, tensor| match (&mut rows, tensor.to_array_f64()) {
                (Ok(rows), Ok(row)) => rows.extend(row),
                (Ok(_), Err(error)) => rows = Err(error),
                (Err(_), _) => {}
            });
            rows.map(Array1::from)
        };
        let weights = rbm.weights.to_array_f64()?;
        Ok(Doubles { weights, visible: biases(&*rbm.visible)?, hidden: biases(&*rbm.hidden)? })
    }
}

/// For each row of inputs the probabilities of all states of its units, lowest unit first: rows × 2^units.
fn state_probabilities(inputs: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::ones((inputs.nrows(), 1 << inputs.ncols()));
    for (inputs, mut states) in inputs.rows().into_iter().zip(out.rows_mut()) {
        for (unit, input) in inputs.iter().enumerate() {
            let on = 1.0 / (1.0 + (-input).exp());
            for state in 0..1usize << unit {
                states[state | 1 << unit] = states[state] * on;
                states[state] *= 1.0 - on;
            }
        }
    }
    out
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Binary numbers from `first` on, lowest digit first.
fn bits(first: usize, count: usize, units: usize) -> Array2<f64> {
    Array2::from_shape_fn((count, units), |(row, unit)| f64::from((first + row) as u32 >> unit & 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::{Device, Key, init};

    /// A small machine with strong weights, and all its visible states.
    fn machine() -> (Rbm, Tensor) {
        let device = Device::reference();
        let mut rbm = Rbm::bernoulli(&device, 4, 3, Key::new(1)).unwrap();
        rbm.weights = init::normal(&device, 4, 3, 1.0, Key::new(2));
        let states = all_states(&*rbm.visible, &device, 16).unwrap();
        (rbm, states)
    }

    /// Chains that start in the model's distribution stay there, to rounding.
    #[test]
    fn the_model_is_stationary() {
        let (rbm, states) = machine();
        let mut chains = Propagation::from_data(&rbm, &states).unwrap();
        let log_partition = log_partition(&rbm).unwrap();
        let exact = rbm.free_energy(&states).to_array_f64().unwrap().mapv(|f| (-f - log_partition).exp());
        chains.probabilities = exact.column(0).to_owned();
        assert!(chains.divergence_from_model(&rbm).unwrap().abs() < 1e-12);
        chains.sweep(&rbm).unwrap();
        let moved = (&chains.probabilities - &exact.column(0)).mapv(f64::abs).sum();
        assert!(moved < 1e-12, "{moved}");
    }

    /// Every sweep brings chains nearer to the model (the data-processing inequality), and probabilities sum to one.
    #[test]
    fn divergence_falls_with_every_sweep() {
        let (rbm, states) = machine();
        let mut first = rbm.device().zeros(2, 4);
        first.view_mut().gather(&states, &[3, 12]);
        let mut chains = Propagation::from_data(&rbm, &first).unwrap();
        let mut before = f64::INFINITY;
        for _ in 0..6 {
            let divergence = chains.divergence_from_model(&rbm).unwrap();
            assert!(divergence < before && divergence > 0.0);
            assert!((chains.probabilities.sum() - 1.0).abs() < 1e-12);
            before = divergence;
            chains.sweep(&rbm).unwrap();
        }
        let given = exact_statistics(&rbm, &first).unwrap();
        let start = Propagation::from_data(&rbm, &first).unwrap().divergence_from_model(&rbm).unwrap();
        assert!((given.divergence - start).abs() < 1e-10);
    }
}
