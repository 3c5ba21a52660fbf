//! Deep Boltzmann machines against enumeration: log Z, annealed importance sampling, mean field, chains.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod deep;
mod machines;
mod precision;

use crate::precision::{both, single};
use deep::{Deep, cut, joined, machine, rows};
use machines::chance::{CHAINS, mean_and_error, set, still};
use ndarray::{Array1, Array2};
use nn_core::{Device, Key, OLD, Parameters, Tensor};
use nn_rbm::{
    Dbm, EnergyModel, Path,
    ais::{Ais, Betas},
    dbm::{Chains, MeanField},
    partition::log_partition,
    units::{Bernoulli, Gaussian},
};

/// What single precision leaves of energies of about ten.
const SINGLE: f64 = 5e-5;

/// Every visible state, a row each.
fn all_cases(deep: &Deep, visible: usize) -> Array2<f64> {
    let mut cases: Vec<Array1<f64>> = deep.states.iter().map(|s| s[0].clone()).collect();
    cases.dedup();
    Array2::from_shape_fn((cases.len(), visible), |(k, i)| cases[k][i])
}

#[test]
fn log_z() {
    for (device, close) in both(1e-10, SINGLE) {
        for (name, dbm) in deep::machines(&device) {
            let (found, exact) = (log_partition(&dbm).unwrap(), Deep::of(&dbm).log_z);
            assert!((found - exact).abs() < close, "{name}: {found} {exact}");
        }
    }
}

/// Forward from the base and reverse from fair states give log Z within four of their own standard errors and within
/// 0.05 nat, at every depth, from the model's own base and from another.
#[test]
fn annealed_importance_sampling() {
    let device = single();
    let mut moved = 0.0;
    for (name, dbm) in deep::machines(&device) {
        let deep = Deep::of(&dbm);
        let states = cut(&deep.exact(&device).draw(400, Key::new(3)), &dbm);
        let mut base = dbm.layers()[0].duplicate();
        base.visit_mut(&mut |_, tensor| tensor.assign(OLD * 0.5));
        for path in [Path::from_model(&dbm), Path::new(&dbm, base)] {
            let ais = Ais::new(path, Betas::uniform(200).unwrap());
            let forward = ais.forward(&dbm, 400, Key::new(4)).unwrap();
            let reverse = ais.reverse_from(&dbm, &states, Key::new(5)).unwrap();
            moved += (deep.log_z - forward.log_partition_of_base).abs();
            for estimate in [forward, reverse] {
                let off = estimate.log_partition - deep.log_z;
                println!("{name}: {:.3} {off:+.4} ± {:.4}", deep.log_z, estimate.standard_error);
                assert!(
                    off.abs() < 4.0 * estimate.standard_error && off.abs() < 0.05,
                    "{name}: {estimate:?}"
                );
            }
        }
    }
    assert!(moved > 5.0, "without couplings there is nothing to estimate: {moved}");
}

/// Without weights every chain has the weight 1, up to the rounding of 70 steps.
#[test]
fn without_weights_there_is_no_variance() {
    for (device, rounding) in both(1e-12, SINGLE) {
        for (name, mut dbm) in deep::machines(&device) {
            dbm.visit_mut(&mut |name, tensor| {
                if name != "visible.biases" {
                    tensor.assign(0.0);
                }
            });
            let ais = Ais::new(Path::from_model(&dbm), Betas::uniform(70).unwrap());
            let estimate = ais.forward(&dbm, 10, Key::new(6)).unwrap();
            assert!((estimate.log_partition - Deep::of(&dbm).log_z).abs() < rounding, "{name}");
            assert!(estimate.log_weights.iter().all(|w| w.abs() < rounding), "{name}: {estimate:?}");
        }
    }
}

/// Every single update raises the bound or leaves it, of every case; it is E_q[log p(v, h) − log q(h)] over all h, never
/// above log p(v), and still once the means are. With labels clamped it is that of log p(v, label).
#[test]
fn mean_field() {
    for (device, (rounding, close, change)) in both((1e-12, 1e-10, 1e-9), (SINGLE, SINGLE, 1e-6)) {
        for (name, dbm) in deep::machines(&device) {
            let deep = Deep::of(&dbm);
            let last = deep.layers() - 1;
            let cases = all_cases(&deep, dbm.layers()[0].len());
            let inputs = device.tensor_f64(&cases);
            let label =
                |case: usize, class: usize| f64::from(u8::from(case % dbm.classes().unwrap_or(1) == class));
            for clamped in [false, true].into_iter().take(1 + usize::from(dbm.classes().is_some())) {
                let labels = clamped.then(|| {
                    let shape = (cases.nrows(), dbm.classes().unwrap());
                    device.tensor_f64(&Array2::from_shape_fn(shape, |(case, class)| label(case, class)))
                });
                let mut posterior = MeanField::new(&dbm, cases.nrows(), clamped);
                posterior.start(&dbm, inputs.view(), labels.as_ref());
                let bounds =
                    |posterior: &MeanField| posterior.bound(&dbm).to_array_f64().unwrap() - deep.log_z;
                let mut before = bounds(&posterior);
                let start = before.clone();
                for _ in 0..6 {
                    for layer in 1..=last - usize::from(clamped) {
                        posterior.update(&dbm, layer);
                        let after = bounds(&posterior);
                        assert!(
                            after.iter().zip(&before).all(|(a, b)| *a >= b - rounding),
                            "{name}: layer {layer}"
                        );
                        before = after;
                    }
                }
                assert!(dbm.depth() == 1 || before.iter().zip(&start).any(|(a, b)| *a > b + 1e-3), "{name}");
                let fixed: &[usize] = if clamped { &[0, last] } else { &[0] };
                for (state, bound) in rows(posterior.means()).iter().zip(&before) {
                    let exact = deep.log_probability(|s| fixed.iter().all(|&layer| s[layer] == state[layer]));
                    assert!(*bound <= exact + rounding, "{name}: {bound} {exact}");
                    let summed = deep.bound(state, fixed);
                    assert!((bound - summed).abs() < close, "{name}: {bound} {summed}");
                }
                let settled = posterior.settle(&dbm, change, 500).unwrap();
                assert!(
                    settled.converged && settled.change <= change && settled.sweeps < 500,
                    "{name}: {settled:?}"
                );
                assert!(!posterior.settle(&dbm, -1.0, 2).unwrap().converged);
            }
            let bound = dbm.lower_bound(inputs.view(), deep.log_z, 20).unwrap();
            let exact = cases.rows().into_iter().map(|v| deep.log_probability(|s| s[0] == v)).sum::<f64>();
            assert!(bound <= exact / cases.nrows() as f64 + rounding, "{name}");
        }
    }
}

/// The other layers given v have log Z(v) = log p(v) + E(v) + log Z, of every v; from it annealed importance sampling finds
/// log p(v), which the bound cannot exceed. Where log Z(v) is known without, they are refused.
#[test]
fn log_probability_by_clamping() {
    for (device, close) in both(1e-10, SINGLE) {
        for (name, dbm) in deep::machines(&device) {
            let deep = Deep::of(&dbm);
            let inputs = device.tensor_f64(&all_cases(&deep, dbm.layers()[0].len()));
            if dbm.layers().len() == 2 {
                let message = dbm.given_visible(inputs.row_range(0..1)).unwrap_err().to_string();
                assert!(message.contains("layers above the visible units is 1"), "{message}");
                continue;
            }
            let mut energies = device.zeros(inputs.rows(), 1);
            dbm.layers()[0].energy(inputs.view(), 1.0, 0.0, energies.view_mut());
            let energies = energies.to_array_f64().unwrap();
            for (case, v) in inputs.to_array_f64().unwrap().rows().into_iter().enumerate() {
                let exact = deep.log_probability(|s| s[0] == v);
                let view = inputs.row_range(case..case + 1);
                let given = dbm.given_visible(view).unwrap();
                let found = log_partition(&given).unwrap() - energies[[case, 0]] - deep.log_z;
                assert!((found - exact).abs() < close, "{name}: {found} {exact}");
                let betas = Betas::uniform(100).unwrap();
                let estimate = dbm.log_probability(view, deep.log_z, betas, 100, Key::new(19)).unwrap();
                assert!((estimate - exact).abs() < 0.1, "{name}: {estimate} {exact}");
            }
        }
    }
}

/// A machine of one hidden layer is a restricted one: its bound is log p(v).
#[test]
fn of_one_hidden_layer_the_bound_is_exact() {
    for (device, rounding) in both(1e-12, SINGLE) {
        let dbm = machine(&device, 4, &[3], None);
        let deep = Deep::of(&dbm);
        let cases = all_cases(&deep, 4);
        let bound = dbm.mean_field(device.tensor_f64(&cases).view(), 1).bound(&dbm).to_array_f64().unwrap();
        for (v, bound) in cases.rows().into_iter().zip(&bound) {
            assert!((bound - deep.log_z - deep.log_probability(|s| s[0] == v)).abs() < rounding);
        }
    }
}

/// Sweeps leave the distribution of all layers together as it is; with the label clamped, that of the others given it.
#[test]
fn chains_do_not_drift() {
    let device = single();
    for (name, dbm) in deep::machines(&device) {
        let exact = Deep::of(&dbm).exact(&device);
        let mut chains = Chains::new(&dbm, CHAINS, Key::new(7)).unwrap();
        let start = cut(&exact.draw(CHAINS, Key::new(8)), &dbm);
        for (layer, states) in start.iter().enumerate().skip(1).step_by(2) {
            set(&mut chains, &format!("layer{layer}"), states);
        }
        for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
            chains.gibbs(&dbm, sweeps, Key::new(9).fold_in(stage as u64));
            still(&format!("{name}, {} sweeps", [1, 4, 16][stage]), &exact, &joined(chains.states()));
        }
        // E[v | h₁] on average over chains.
        let means = chains.mean_visible(&dbm).to_array_f64().unwrap();
        let (_, singles) = Deep::of(&dbm).statistics();
        for (unit, exact) in singles[0].iter().enumerate() {
            let (mean, error) = mean_and_error(means.column(unit).iter().copied());
            assert!(
                (mean - exact).abs() < 4.0 * error,
                "{name}, unit {unit}: {mean} ± {error}, exactly {exact}"
            );
        }
    }
    for dbm in [machine(&device, 3, &[2, 3], Some(3)), machine(&device, 3, &[2], Some(3))] {
        let mut label = Array2::zeros((CHAINS, 3));
        label.column_mut(1).fill(1.0f32);
        let mut chains = Chains::with_labels(&dbm, &device.tensor(&label), Key::new(10)).unwrap();
        chains.gibbs(&dbm, 100, Key::new(11));
        let exact = Deep::of(&dbm).exact(&device);
        let given = exact.given(|s| s[s.len() - 2] == 1.0);
        still("label", &given, &joined(chains.states()));
    }
}

/// A kernel that forgets the input from above, as that of a belief network does, leaves the distribution.
#[test]
fn wrong_kernels_are_caught() {
    let device = single();
    let dbm = machine(&device, 4, &[3, 2], None);
    let exact = Deep::of(&dbm).exact(&device);
    let right = dbm.layered();
    let mut cut_off = right.clone();
    let nothing = device.zeros(3, 2);
    cut_off.connections[1] = &nothing;
    for wrong in [false, true] {
        let mut states = cut(&exact.draw(CHAINS, Key::new(12)), &dbm);
        for sweep in 0..8 {
            right.sweep(0..1, &mut states, Key::new(13).fold_in(sweep));
            right.sweep(2..3, &mut states, Key::new(14).fold_in(sweep));
            let at = if wrong { &cut_off } else { &right };
            at.sweep(1..2, &mut states, Key::new(15).fold_in(sweep));
        }
        let (found, floor) = (exact.total_variation(&joined(&states)), exact.floor(CHAINS));
        println!("{found:.4} of {floor:.4}");
        assert!(if wrong { found > 1.5 * floor } else { found < floor }, "{wrong}: {found} {floor}");
    }
}

/// Draws and means of a machine with real visible units are those of its conditionals: σ(S(v)·W₁ + h₂·W₂ᵀ + b).
#[test]
fn real_visible_units() {
    let device = Device::reference();
    let mut visible = Gaussian::new(&device, 2, 1.0).unwrap();
    visible.log_variances.assign(0.4);
    let mut dbm = Dbm::new(&device, Box::new(visible), &[3, 2], None, deep::START, Key::new(16)).unwrap();
    let inputs = device.tensor_f64(&ndarray::arr2(&[[0.3, -1.2], [2.0, 0.1]]));
    dbm.visit_mut(&mut |name, tensor| {
        if name.ends_with("weights") {
            tensor.assign(nn_core::Expr::Normal(Key::new(17)));
        }
    });
    let posterior = dbm.mean_field(inputs.view(), 100);
    let means = rows(posterior.means());
    let [first, second] = [0, 1].map(|l| dbm.weights()[l].to_array_f64().unwrap());
    for state in means {
        let input = (&state[0] * (-0.4f64).exp()).dot(&first) + second.dot(&state[2]);
        let wanted = input.mapv(|x| 1.0 / (1.0 + (-x).exp()));
        assert!((&state[1] - &wanted).iter().all(|off| off.abs() < 1e-6), "{state:?} {wanted:?}");
    }
    let ais = Ais::new(Path::from_model(&dbm), Betas::uniform(300).unwrap());
    let (estimate, exact) = (ais.forward(&dbm, 400, Key::new(18)).unwrap(), log_partition(&dbm).unwrap());
    let off = (estimate.log_partition - exact).abs();
    assert!(off < 4.0 * estimate.standard_error && off < 0.1, "{estimate:?} {exact}");
}

/// What cannot be is refused in one line that says why.
#[test]
fn refusals() {
    let device = single();
    let new = |visible, hidden: &[usize], classes| {
        let visible = Box::new(Bernoulli::new(&device, visible));
        Dbm::new(&device, visible, hidden, classes, deep::START, Key::new(1))
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(new(3, &[], None).contains("at least one"));
    assert!(new(3, &[2, 0], None).contains("units of layer 2 is 0"));
    assert!(new(0, &[2], None).contains("units of layer 0 is 0"));
    assert!(new(3, &[2], Some(0)).contains("softmax groups"));
    let dbm = machine(&device, 3, &[2], None);
    assert!(Chains::new(&dbm, 0, Key::new(1)).unwrap_err().to_string().contains("at least one"));
    let labels: Tensor = device.zeros(1, 2);
    let message = Chains::with_labels(&dbm, &labels, Key::new(1)).unwrap_err().to_string();
    assert!(message.contains("no label"), "{message}");
}
