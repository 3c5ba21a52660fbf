//! Estimators of the gradient: what their phases average to.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod precision;

use crate::precision::single;
use machines::{
    Machine, Part,
    chance::{Exact, mean_and_error},
    discrete, distance,
};
use ndarray::Array2;
use nn_core::{Key, Tensor};
use nn_rbm::{
    GradientEstimator, Path, Phase, Phases, Rbm,
    estimator::{self, ContrastiveDivergence, FastPersistent, ParallelTempering, Persistent},
};

const CHAINS: usize = 4_000;

/// Means over cases of vᵢ, hⱼ and vᵢ·hⱼ, each with its standard error.
fn statistics(phase: &Phase<'_>) -> Vec<(f64, f64)> {
    let (v, h) = (phase.visible.to_array_f64().unwrap(), phase.hidden.to_array_f64().unwrap());
    let mut all: Vec<(f64, f64)> =
        v.columns().into_iter().map(|v| mean_and_error(v.iter().copied())).collect();
    all.extend(h.columns().into_iter().map(|h| mean_and_error(h.iter().copied())));
    for v in v.columns() {
        all.extend(h.columns().into_iter().map(|h| mean_and_error(v.iter().zip(h).map(|(v, h)| v * h))));
    }
    all
}

/// The same, exactly, of states with probabilities.
fn exact_statistics(visible: &Tensor, hidden: &Tensor, probabilities: &[f64]) -> Vec<f64> {
    let weights = Array2::from_shape_fn((probabilities.len(), 1), |(k, _)| probabilities[k]);
    let (v, h) = (visible.to_array_f64().unwrap(), hidden.to_array_f64().unwrap());
    let weighted = &v * &weights;
    let (of_v, of_h) = (weighted.sum_axis(ndarray::Axis(0)), (&h * &weights).sum_axis(ndarray::Axis(0)));
    of_v.iter().chain(&of_h).chain(&weighted.t().dot(&h)).copied().collect()
}

/// Asserts that a phase averages to these statistics within four standard errors; a statistic that cannot vary, and
/// whose error is zero, has to be equal up to rounding.
fn averages(name: &str, phase: &Phase<'_>, exact: &[f64]) {
    let found = statistics(phase);
    assert_eq!(found.len(), exact.len());
    let mut worst = 0f64;
    for ((found, error), exact) in found.into_iter().zip(exact) {
        let off = (found - exact).abs() / (error + 1e-7);
        worst = worst.max(off);
        assert!(off < 4.0, "{name}: {found} ± {error}, exactly {exact}");
    }
    println!("{name}: {worst:.2} standard errors");
}

fn of_data(rbm: &Rbm, phases: &Phases<'_>, batch: &Tensor) {
    assert!(phases.data.weights.is_none() && distance(&read(phases.data.visible), &read(batch)) == 0.0);
    // Two orders of summation in single precision.
    assert!(distance(&read(phases.data.hidden), &read(&rbm.mean_hidden(batch))) < 1e-6);
}

fn read(tensor: &Tensor) -> Array2<f64> {
    tensor.to_array_f64().unwrap()
}

/// The exact estimator's model phase is p(v) for all v, and E[h | v].
#[test]
fn exact() {
    for machine in discrete(&single()) {
        let (rbm, batch) = (&machine.rbm, machine.cases(7, Key::new(1)));
        let exact = Exact::of_visible(rbm.distribution());
        let mut estimator = estimator::Exact::new(rbm).unwrap();
        let phases = estimator.phases(rbm, &batch, 0, Key::new(0));
        of_data(rbm, &phases, &batch);
        assert_eq!(phases.model.visible.to_array().unwrap(), exact.states);
        let wanted = Array2::from_shape_fn((exact.states.nrows(), 1), |(k, _)| exact.probabilities[k]);
        assert!(distance(&read(phases.model.weights.unwrap()), &wanted) < 1e-5, "{}", machine.name);
        assert!(distance(&read(phases.model.hidden), &read(&rbm.mean_hidden(phases.model.visible))) < 1e-6);
    }
}

/// From chains that are fair samples, the model phases of PCD, fast PCD and parallel tempering average to ⟨v⟩, ⟨h⟩ and
/// ⟨v·h⟩ of the model: their gradient is unbiased.
#[test]
fn persistent_and_tempered() {
    for machine in discrete(&single()) {
        let (rbm, batch) = (&machine.rbm, machine.cases(5, Key::new(2)));
        let exact = Exact::of_visible(rbm.distribution());
        let states = rbm.device().tensor(&exact.states);
        let wanted = exact_statistics(&states, &rbm.mean_hidden(&states), &exact.probabilities);
        let fair = exact.draw(CHAINS, Key::new(3));
        let hidden = rbm.sample_hidden(&fair, Key::new(4));
        let path = Path::from_model(rbm);
        let cold = |r: u64| {
            let mut point = path.start();
            path.go(&mut point, rbm, r as f64 / 2.0);
            Exact::of_visible(point.distribution(&rbm.weights)).draw(CHAINS, Key::new(5).fold_in(r))
        };
        let replicas: Vec<Tensor> = (0..3).map(cold).collect();
        let estimators: [(&str, Box<dyn GradientEstimator>); 4] = [
            ("PCD-1", Box::new(Persistent::new(rbm, CHAINS, 1, Key::new(0)).unwrap())),
            ("PCD-3", Box::new(Persistent::new(rbm, CHAINS, 3, Key::new(0)).unwrap())),
            ("fast PCD", Box::new(FastPersistent::new(rbm, CHAINS, 0.5, 0.9, Key::new(0)).unwrap())),
            (
                "PT",
                Box::new(ParallelTempering::new(rbm, Path::from_model(rbm), CHAINS, 3, Key::new(0)).unwrap()),
            ),
        ];
        for (kind, mut estimator) in estimators {
            estimator.visit_mut(&mut |name, tensor| match name {
                "chains" => tensor.assign(&hidden),
                "replica_0" | "replica_1" | "replica_2" => {
                    tensor.assign(&replicas[usize::from(name.as_bytes()[8] - b'0')])
                }
                _ => {}
            });
            let phases = estimator.phases(rbm, &batch, 1, Key::new(6));
            of_data(rbm, &phases, &batch);
            averages(&format!("{} {kind}", machine.name), &phases.model, &wanted);
        }
    }
}

/// CD-k hands on means: v̄ = E[v | h] of the last hidden states and E[h | v̄]. From fair samples those hidden states
/// are distributed as p(h) whatever k is, so that the model phase averages to Σ p(h)·v̄(h)·E[h | v̄(h)], which is
/// enumerated. (For ⟨v⟩ that is the model's mean; for ⟨h⟩ and ⟨v·h⟩ it is CD's known departure from it.)
#[test]
fn contrastive_divergence() {
    for machine in discrete(&single()).into_iter().filter(|machine| machine.rbm.hidden.states().is_some()) {
        let rbm = &machine.rbm;
        let of_h = Exact::of_hidden(rbm.distribution());
        let means = rbm.mean_visible(&rbm.device().tensor(&of_h.states));
        let wanted = exact_statistics(&means, &rbm.mean_hidden(&means), &of_h.probabilities);
        let batch = Exact::of_visible(rbm.distribution()).draw(CHAINS, Key::new(7));
        for k in [1, 2, 5] {
            let mut estimator = ContrastiveDivergence::new(k).unwrap();
            let phases = estimator.phases(rbm, &batch, 0, Key::new(8));
            of_data(rbm, &phases, &batch);
            averages(&format!("{} CD-{k}", machine.name), &phases.model, &wanted);
        }
    }
    let growing = ContrastiveDivergence::with_schedule(vec![(0, 1), (10, 3), (20, 10)]).unwrap();
    assert_eq!([0, 9, 10, 19, 20, 1000].map(|update| growing.sweeps_at(update)), [1, 1, 3, 3, 10, 10]);
}

/// Fast PCD whose fast weights do not learn does what PCD does, chain by chain, for the same keys.
#[test]
fn fast_without_a_fast_rate() {
    let machine = Machine::new(&single(), "fast", &[Part::Bernoulli(6)], &[Part::Bernoulli(4)], 1.0);
    let (rbm, batch) = (&machine.rbm, machine.cases(5, Key::new(2)));
    let mut plain = Persistent::new(rbm, 50, 1, Key::new(9)).unwrap();
    let mut fast = FastPersistent::new(rbm, 50, 0.0, 0.9, Key::new(9)).unwrap();
    let mut eager = FastPersistent::new(rbm, 50, 0.5, 0.9, Key::new(9)).unwrap();
    for update in 0..20 {
        let key = Key::new(10).fold_in(update);
        let visible = read(plain.phases(rbm, &batch, update, key).model.visible);
        assert_eq!(visible, read(fast.phases(rbm, &batch, update, key).model.visible));
        let differs = visible != read(eager.phases(rbm, &batch, update, key).model.visible);
        assert!(differs || update == 0, "fast weights change nothing at update {update}");
    }
}
