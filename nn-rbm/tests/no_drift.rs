//! No kernel moves chains that are already distributed as the model.
//!
//! Many independent chains start exactly in the distribution (drawn by enumeration), move 1, 4 and 16 sweeps, and
//! their histogram must stay as close to the exact distribution as as many fresh draws would be (`Exact::floor`). The
//! last test shows that wrong kernels do not pass.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod precision;

use crate::precision::single;
use machines::{
    Machine, Part,
    chance::{CHAINS, Exact, chains, fair_visible, mean_and_error, set, still},
    discrete,
};
use nn_core::Key;
use nn_rbm::{
    Boltzmann, Completion, GradientEstimator, Rbm,
    estimator::{ContrastiveDivergence, FastPersistent, Persistent},
};

/// Gibbs sweeps of every kind of discrete visible unit, under binary, softmax and rectified hidden units.
#[test]
fn gibbs() {
    for machine in discrete(&single()) {
        let rbm = &machine.rbm;
        let exact = Exact::of_visible(rbm.distribution());
        let mut chains = exact.draw(chains(&machine), Key::new(1));
        still(&format!("{}, start", machine.name), &exact, &chains);
        for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
            rbm.gibbs(&mut chains, sweeps, Key::new(2).fold_in(stage as u64));
            still(&format!("{}, {} sweeps", machine.name, [1, 4, 16][stage]), &exact, &chains);
        }
    }
}

/// Sweeps of real visible units: the means of v and of all v·v' stay within four standard errors of the exact mixture
/// of Gaussians, Σ p(h)·N(a + W·h, σ²).
#[test]
fn gibbs_of_real_units() {
    for (name, visible, hidden) in [
        ("fixed", &[Part::Fixed(3)], &[Part::Bernoulli(3)]),
        ("learned", &[Part::Learned(3)], &[Part::Bernoulli(3)]),
        ("over softmax", &[Part::Learned(3)], &[Part::Softmax(1, 4)]),
    ] {
        let machine = Machine::new(&single(), name, visible, hidden, 1.5);
        let rbm = &machine.rbm;
        let mixture = Exact::of_hidden(rbm.distribution());
        let centres = rbm.mean_visible(&rbm.device().tensor(&mixture.states)).to_array_f64().unwrap();
        let variances = machines::values(rbm)[2].1.mapv(f64::exp);
        let moment = |of: &dyn Fn(usize) -> f64| {
            (0..centres.nrows()).map(|k| mixture.probabilities[k] * of(k)).sum::<f64>()
        };
        let mut chains = fair_visible(rbm, CHAINS, Key::new(3));
        for (stage, sweeps) in [0, 1, 3, 12].into_iter().enumerate() {
            rbm.gibbs(&mut chains, sweeps, Key::new(4).fold_in(stage as u64));
            let states = chains.to_array_f64().unwrap();
            let mut worst = 0f64;
            for i in 0..3 {
                let (found, error) = mean_and_error(states.column(i).iter().copied());
                worst = worst.max((found - moment(&|k| centres[[k, i]])).abs() / error);
                for j in i..3 {
                    let own = if i == j { variances[[0, i]] } else { 0.0 };
                    let exact = moment(&|k| centres[[k, i]] * centres[[k, j]] + own);
                    let (found, error) = mean_and_error((0..CHAINS).map(|c| states[[c, i]] * states[[c, j]]));
                    worst = worst.max((found - exact).abs() / error);
                }
            }
            println!("{name}, stage {stage}: {worst:.2} standard errors");
            assert!(worst < 4.0, "{name}, stage {stage}: {worst} standard errors");
        }
    }
}

/// Chains of PCD, whose state is hidden, with frozen parameters: hidden states stay at p(h), visible ones at p(v).
/// Fast PCD without a fast rate is the same kernel.
#[test]
fn persistent_chains() {
    for machine in discrete(&single()).into_iter().filter(|machine| machine.rbm.hidden.states().is_some()) {
        let (rbm, batch) = (&machine.rbm, machine.cases(2, Key::new(5)));
        let (of_v, of_h) = (Exact::of_visible(rbm.distribution()), Exact::of_hidden(rbm.distribution()));
        let estimators: [(&str, Box<dyn GradientEstimator>, u64); 3] = [
            ("PCD-1", Box::new(Persistent::new(rbm, CHAINS, 1, Key::new(0)).unwrap()), 16),
            ("PCD-4", Box::new(Persistent::new(rbm, CHAINS, 4, Key::new(0)).unwrap()), 4),
            ("fast PCD", Box::new(FastPersistent::new(rbm, CHAINS, 0.0, 0.9, Key::new(0)).unwrap()), 4),
        ];
        for (kind, mut estimator, updates) in estimators {
            set(&mut *estimator, "chains", &of_h.draw(CHAINS, Key::new(6)));
            for update in 0..updates {
                let phases = estimator.phases(rbm, &batch, update, Key::new(7).fold_in(update));
                still(&format!("{} {kind}, v at {update}", machine.name), &of_v, phases.model.visible);
            }
            estimator.visit(&mut |name, tensor| {
                if name == "chains" {
                    still(&format!("{} {kind}, h", machine.name), &of_h, tensor);
                }
            });
        }
    }
}

/// Clamped sweeps: from p(v_unknown | v_known) the unknown units stay there and the known ones as they are; with a
/// mask for each case, chains that start at p(v) stay at p(v).
#[test]
fn completion() {
    for machine in discrete(&single()).into_iter().filter(|machine| machine.rbm.visible.binary()) {
        let (rbm, count) = (&machine.rbm, chains(&machine));
        let exact = Exact::of_visible(rbm.distribution());
        let (known, values) = ([1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]);
        let given = exact.given(|v| v[0] == values[0] && v[2] == values[2]);
        let cases = ndarray::Array2::from_shape_fn((count, 4), |(_, unit)| values[unit]);
        let mut one_mask = Completion::new(rbm, cases.view(), ndarray::arr2(&[known]).view()).unwrap();
        one_mask.start_from(&given.draw(count, Key::new(14)));
        let fair = exact.draw(count, Key::new(15));
        let random = ndarray::Array2::from_shape_fn((count, 4), |(case, unit)| {
            f32::from(u8::from(Key::new(16).uniform((4 * case + unit) as u64) < 0.5))
        });
        let start = fair.to_array().unwrap();
        let mut many_masks = Completion::new(rbm, start.view(), random.view()).unwrap();
        many_masks.start_from(&fair);
        for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
            for (name, chains, exact) in
                [("one mask", &mut one_mask, &given), ("many masks", &mut many_masks, &exact)]
            {
                chains.gibbs(rbm, sweeps, Key::new(17).fold_in(stage as u64));
                still(&format!("{} {name}, stage {stage}", machine.name), exact, chains.chains());
            }
        }
        let end = many_masks.chains().to_array().unwrap();
        let kept = |((case, unit), value): ((usize, usize), &f32)| {
            random[[case, unit]] == 0.0 || *value == start[[case, unit]]
        };
        assert!(end.indexed_iter().all(kept), "a known unit changed");
        // Means: the known values as they are, E[v | known] on average over chains.
        let means = one_mask.means(rbm, Key::new(18)).to_array_f64().unwrap();
        for unit in 0..4 {
            if known[unit] == 1.0 {
                assert!(means.column(unit).iter().all(|mean| *mean == f64::from(values[unit])));
                continue;
            }
            let wanted: f64 = given
                .states
                .column(unit)
                .iter()
                .zip(&given.probabilities)
                .map(|(v, p)| f64::from(*v) * p)
                .sum();
            let (found, error) = mean_and_error(means.column(unit).iter().copied());
            assert!((found - wanted).abs() < 4.0 * error, "{}, unit {unit}: {found} {wanted}", machine.name);
        }
    }
}

/// Kernels with a mistake (hidden units that see halved or transposed weights, visible units without their biases)
/// leave the distribution by more than twice what the tests above allow.
#[test]
fn wrong_kernels_are_caught() {
    let machine = Machine::new(&single(), "wrong", &[Part::Bernoulli(4)], &[Part::Bernoulli(4)], 1.5);
    let rbm = &machine.rbm;
    let (right, exact) = (rbm.distribution(), Exact::of_visible(rbm.distribution()));
    let transposed = rbm.device().tensor(rbm.weights.to_array().unwrap().t());
    let other: Rbm = Rbm::bernoulli(rbm.device(), 4, 4, Key::new(0)).unwrap();
    let halved = Boltzmann { scale: 0.5, ..right };
    let turned = Boltzmann { weights: &transposed, ..right };
    let unbiased = Boltzmann { visible: &*other.visible, ..right };
    for (name, up, down) in [
        ("right", right, right),
        ("halved", halved, right),
        ("transposed", turned, right),
        ("unbiased", right, unbiased),
    ] {
        let (mut chains, mut hidden) = (exact.draw(CHAINS, Key::new(19)), rbm.device().zeros(CHAINS, 4));
        for sweep in 0..16 {
            up.sample_hidden(&chains, Key::new(20).fold_in(sweep), &mut hidden);
            down.sample_visible(&hidden, Key::new(21).fold_in(sweep), &mut chains);
        }
        let (found, floor) = (exact.total_variation(&chains), exact.floor(CHAINS));
        println!("{name}: {found:.4} of {floor:.4}");
        assert!(if name == "right" { found < floor } else { found > 2.0 * floor }, "{name}: {found} {floor}");
    }
}

/// CD-k from exact samples: its visible states after k − 1 sweeps are still distributed as the model; what it hands on
/// are their means given the last hidden states, whose average is E[v].
#[test]
fn contrastive_divergence() {
    for machine in discrete(&single()) {
        let rbm = &machine.rbm;
        let exact = Exact::of_visible(rbm.distribution());
        let batch = exact.draw(chains(&machine), Key::new(22));
        for k in [1, 5] {
            let mut estimator = ContrastiveDivergence::new(k).unwrap();
            let means = estimator.phases(rbm, &batch, 0, Key::new(23)).model.visible.to_array_f64().unwrap();
            for unit in 0..rbm.visible.len() {
                let wanted: f64 = exact
                    .states
                    .column(unit)
                    .iter()
                    .zip(&exact.probabilities)
                    .map(|(v, p)| f64::from(*v) * p)
                    .sum();
                let (found, error) = mean_and_error(means.column(unit).iter().copied());
                assert!(
                    (found - wanted).abs() < 4.0 * error,
                    "{} CD-{k}, unit {unit}: {found} {wanted} ± {error}",
                    machine.name
                );
            }
        }
    }
}
