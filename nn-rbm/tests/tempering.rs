//! Parallel tempering moves no replica that is already distributed as its temperature says, and swaps as often as it
//! should; histograms and their bounds as in `no_drift.rs`.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod precision;

use crate::precision::single;
use machines::{
    Machine, Part,
    chance::{CHAINS, Exact, chains, set, still},
    discrete,
};
use nn_core::{Key, Parameters};
use nn_rbm::{Path, Rbm, estimator::ParallelTempering};

/// The distribution at one inverse temperature of a path.
fn at(path: &Path, rbm: &Rbm, beta: f64) -> Exact {
    let mut point = path.start();
    path.go(&mut point, rbm, beta);
    Exact::of_visible(point.distribution(&rbm.weights))
}

/// Parallel tempering: every replica starts exactly at its own temperature and stays there through sweeps and swaps,
/// also along a path from another base.
#[test]
fn parallel_tempering() {
    for machine in discrete(&single()) {
        let (rbm, chains) = (&machine.rbm, chains(&machine) / 4);
        let mut base = rbm.visible.duplicate();
        machines::randomize(&mut *base, 0.0, 0.5, Key::new(8));
        for (base, path) in [("model", Path::from_model(rbm)), ("other base", Path::new(rbm, base))] {
            let exact = [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0].map(|beta| at(&path, rbm, beta));
            let mut tempering = ParallelTempering::new(rbm, path, chains, 4, Key::new(9)).unwrap();
            for (r, exact) in exact.iter().enumerate() {
                set(
                    &mut tempering,
                    &format!("replica_{r}"),
                    &exact.draw(chains, Key::new(10).fold_in(r as u64)),
                );
            }
            for update in 0..16 {
                tempering.sweep(rbm, update, Key::new(11).fold_in(update));
                if ![0, 1, 3, 15].contains(&update) {
                    continue;
                }
                tempering.visit(&mut |name, tensor| {
                    if let Some(r) = name.strip_prefix("replica_") {
                        let exact = &exact[r.parse::<usize>().unwrap()];
                        still(&format!("{} from {base}, {name} at {update}", machine.name), exact, tensor);
                    }
                });
            }
        }
    }
}

/// Between replicas that are exactly distributed, swaps are accepted as often as the two distributions say, within four
/// standard errors: with probability Σ over v, v' of min(p(v)·q(v'), p(v')·q(v)).
#[test]
fn rates_of_swaps() {
    let machine = Machine::new(&single(), "swaps", &[Part::Bernoulli(4)], &[Part::Bernoulli(3)], 1.5);
    let rbm = &machine.rbm;
    let path = Path::from_model(rbm);
    let exact = [0.0, 0.5, 1.0].map(|beta| at(&path, rbm, beta));
    let mut tempering = ParallelTempering::new(rbm, path, CHAINS, 3, Key::new(0)).unwrap();
    assert!(tempering.swap_rates().unwrap().iter().all(|rate| rate.is_nan()), "nothing was offered yet");
    for (r, exact) in exact.iter().enumerate() {
        set(&mut tempering, &format!("replica_{r}"), &exact.draw(CHAINS, Key::new(12).fold_in(r as u64)));
    }
    (0..2).for_each(|update| tempering.sweep(rbm, update, Key::new(13).fold_in(update)));
    for (pair, rate) in tempering.swap_rates().unwrap().into_iter().enumerate() {
        let (p, q) = (&exact[pair].probabilities, &exact[pair + 1].probabilities);
        let both = |v: usize| (0..p.len()).map(|w| (p[v] * q[w]).min(p[w] * q[v])).sum::<f64>();
        let wanted: f64 = (0..p.len()).map(both).sum();
        let error = (wanted * (1.0 - wanted) / CHAINS as f64).sqrt();
        println!(
            "pair {pair}: {rate:.4}, exactly {wanted:.4}, {:.2} standard errors",
            (rate - wanted) / error
        );
        assert!((rate - wanted).abs() < 4.0 * error, "pair {pair}: {rate} {wanted}");
    }
}
