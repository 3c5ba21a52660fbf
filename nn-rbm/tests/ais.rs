//! Annealed importance sampling from both sides against exact log Z, for every kind of unit.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod precision;

use crate::precision::{both, single};
use machines::{Machine, Part, chance::fair_visible, enumerable, randomize};
use nn_core::{Error, Key};
use nn_rbm::{
    Path,
    ais::{Ais, Betas, Progress},
    partition::log_partition,
    units::Bernoulli,
};
use std::{
    cell::RefCell,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// Forward from the base and reverse from fair samples (exact draws) both give log Z: within four of their own
/// standard errors, and within 0.05 nat, whatever errors they claim. The other base has half of all parameters of the
/// model's visible units, log variances too. The couplings are strong: weights of standard deviation 1 move log Z by
/// one to four nats from that without weights (see the figures printed), so that a wrong step would show.
#[test]
fn both_ways_for_every_kind() {
    let device = single();
    let ais = |path| Ais::new(path, Betas::uniform(200).unwrap());
    let mut moved = 0.0;
    for machine in enumerable(&device) {
        let rbm = &machine.rbm;
        let exact = log_partition(rbm).unwrap();
        let chains = if matches!(machine.hidden, [Part::Rectified(_)]) { 60 } else { 400 };
        let states = fair_visible(rbm, chains, Key::new(3));
        let mut base = rbm.visible.duplicate();
        base.visit_mut(&mut |_, tensor| tensor.assign(nn_core::OLD * 0.5));
        for (from, path) in [("the model's", Path::from_model(rbm)), ("another", Path::new(rbm, base))] {
            let ais = ais(path);
            let forward = ais.forward(rbm, chains, Key::new(4)).unwrap();
            let reverse = ais.reverse(rbm, &states, Key::new(5)).unwrap();
            moved += (exact - forward.log_partition_of_base).abs();
            println!("{} from {from} base: base {:.2}", machine.name, forward.log_partition_of_base);
            for estimate in [&forward, &reverse] {
                let off = estimate.log_partition - exact;
                println!("  {exact:.3} {off:+.4} ± {:.4}", estimate.standard_error);
                assert!(
                    off.abs() < 4.0 * estimate.standard_error,
                    "{} from {from}: {estimate:?}, exactly {exact}",
                    machine.name
                );
                assert!(off.abs() < 0.05 && estimate.log_weights.len() == chains, "{}: {off}", machine.name);
                assert!(estimate.effective_sample_size <= chains as f64 * (1.0 + 1e-9));
            }
            assert!(!forward.reverse && reverse.reverse);
        }
    }
    assert!(moved > 10.0, "without couplings there is nothing to estimate: {moved}");
}

/// With too few steps the forward estimate is too low and the reverse one too high, on average: the two sides of the
/// truth. 20 runs of few chains; the means lie on their sides by more than four standard errors.
#[test]
fn short_runs_bracket_log_z() {
    let machine = Machine::new(&single(), "bracket", &[Part::Bernoulli(8)], &[Part::Bernoulli(6)], 2.0);
    let (rbm, exact) = (&machine.rbm, log_partition(&machine.rbm).unwrap());
    let states = fair_visible(rbm, 400, Key::new(6));
    let ais = Ais::new(Path::from_model(rbm), Betas::uniform(4).unwrap());
    // One chain each: E[log w] ≤ log E[w].
    let sides =
        [ais.forward(rbm, 400, Key::new(7)).unwrap(), ais.reverse(rbm, &states, Key::new(8)).unwrap()];
    let offs = sides.map(|estimate| {
        let logs = estimate.log_weights.iter().map(|w| w + estimate.log_partition_of_base - exact);
        let (mean, error) = machines::chance::mean_and_error(logs);
        println!("{mean:+.3} ± {error:.3}");
        mean / error
    });
    assert!(offs[0] < -4.0 && offs[1] > 4.0, "{offs:?}");
}

/// Without weights the path changes nothing: every chain has the weight 1 and the estimate is log Z of the base, up to
/// the rounding of 70 steps of energies of about 5.
#[test]
fn without_weights_there_is_no_variance() {
    for (device, rounding) in both(1.2e-16, 6e-8) {
        let bound = 70.0 * 5.0 * rounding;
        for mut machine in enumerable(&device) {
            machine.rbm.weights.assign(0.0);
            machine.rbm.hidden.visit_mut(&mut |_, tensor| tensor.assign(0.0));
            let rbm = &machine.rbm;
            let exact = log_partition(rbm).unwrap();
            let ais = Ais::new(Path::from_model(rbm), Betas::uniform(70).unwrap());
            let states = machine.cases(10, Key::new(9));
            for estimate in
                [ais.forward(rbm, 10, Key::new(9)).unwrap(), ais.reverse(rbm, &states, Key::new(9)).unwrap()]
            {
                let off = (estimate.log_partition - exact).abs();
                let largest = estimate.log_weights.iter().fold(0f64, |most, w| most.max(w.abs()));
                // A standard error is the root of a difference of rounded numbers.
                let spread = estimate.spread.max(estimate.standard_error.powi(2));
                assert!(
                    off < bound && largest < bound && spread < bound,
                    "{}: {estimate:?} {exact}",
                    machine.name
                );
            }
        }
    }
}

/// With biases only, from a base with other biases: one step gives weights that vary, but their mean is still exact
/// within four standard errors; with many steps the error falls below 0.02.
#[test]
fn another_base() {
    let device = single();
    let mut rbm = nn_rbm::Rbm::bernoulli(&device, 10, 5, Key::new(1)).unwrap();
    randomize(&mut rbm, 0.0, 1.0, Key::new(2));
    let exact: f64 = log_partition(&rbm).unwrap();
    let by_hand: f64 = machines::values(&rbm)[1..]
        .iter()
        .flat_map(|(_, b)| b.iter().map(|b| b.exp().ln_1p()).collect::<Vec<_>>())
        .sum();
    assert!((exact - by_hand).abs() < 1e-5, "{exact} {by_hand}");
    for (steps, bound) in [(2, 1.0), (500, 0.02)] {
        let ais =
            Ais::new(Path::new(&rbm, Box::new(Bernoulli::new(&device, 10))), Betas::uniform(steps).unwrap());
        let estimate = ais.forward(&rbm, 1000, Key::new(3)).unwrap();
        let off = (estimate.log_partition - exact).abs();
        println!("{steps} steps: {off:.4} ± {:.4}", estimate.standard_error);
        assert!(off < 4.0 * estimate.standard_error && off < bound, "{steps}: {off} {estimate:?}");
    }
}

/// The schedules: from 0 to 1, the published one with 500 + 4,000 + 10,000 steps; whatever does not rise to 1 is
/// refused by name, in one line.
#[test]
fn inverse_temperatures() {
    assert_eq!(Betas::published().count(), 14_501);
    assert_eq!(Betas::shrunk(100).count(), 5 + 40 + 100 + 1);
    assert_eq!(Betas::shrunk(1_000_000).count(), 4);
    assert_eq!(Betas::uniform(7).unwrap().count(), 8);
    assert_eq!(
        Betas::pieces(&[(0.5, 2), (1.0, 1)]).unwrap(),
        Betas::pieces(&[(0.25, 1), (0.5, 1), (1.0, 1)]).unwrap()
    );
    for wrong in [
        &[][..],
        &[(0.5, 3)],
        &[(0.5, 1), (0.4, 1), (1.0, 1)],
        &[(1.5, 1)],
        &[(1.0, 0)],
        &[(f64::NAN, 1)],
        &[(0.0, 1), (1.0, 1)],
    ] {
        let message = Betas::pieces(wrong).unwrap_err().to_string();
        assert!(message.starts_with("inverse temperatures") && !message.contains('\n'), "{message}");
    }
    assert!(Betas::uniform(0).is_err());
}

/// Runs without chains are refused; progress rises to 1; a raised flag ends the run.
#[test]
fn settings_progress_and_interruption() {
    let device = single();
    let rbm = nn_rbm::Rbm::bernoulli(&device, 3, 2, Key::new(1)).unwrap();
    let (shares, flag) = (RefCell::new(Vec::new()), AtomicBool::new(false));
    let see = |share| shares.borrow_mut().push(share);
    let mut ais = Ais::new(Path::from_model(&rbm), Betas::uniform(200).unwrap());
    for error in [
        ais.forward(&rbm, 0, Key::new(1)).unwrap_err(),
        ais.reverse(&rbm, &device.zeros(0, 3), Key::new(1)).unwrap_err(),
    ] {
        assert!(error.to_string().contains("annealed importance sampling is 0"), "{error}");
    }
    (ais.progress, ais.interrupted) = (Some(Progress(&see)), Some(&flag));
    ais.forward(&rbm, 2, Key::new(1)).unwrap();
    let forward = shares.take();
    assert!(forward.windows(2).all(|pair| pair[0] < pair[1]) && forward.last() == Some(&1.0), "{forward:?}");
    ais.reverse(&rbm, &device.zeros(2, 3), Key::new(1)).unwrap();
    assert_eq!(shares.take(), forward);
    flag.store(true, Relaxed);
    assert!(matches!(ais.forward(&rbm, 2, Key::new(1)), Err(Error::Interrupted { step: 64 })));
}
