//! Conditionals, free energies, log Z, labels and pseudo-likelihoods against sums and integrals written out from the
//! energy alone (see `machines::definition`), on the double-precision backend.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod precision;

use crate::precision::{both, single};
use machines::{Machine, Part, chance::mean_and_error, discrete, distance, enumerable, tensor};
use ndarray::{Array2, s};
use nn_core::{Device, Key, Sum};
use nn_rbm::{
    LogSumExp, Rbm,
    labels::{classification_error, classify, free_energies, join},
    partition::{all_states, log_partition},
    pseudo_likelihood::{pseudo_log_likelihood, stochastic_pseudo_log_likelihood},
    units::{Rectified, Units},
};

/// What double precision and quadrature (Simpson's rule with 6,000 steps, the trapezoidal rule on Gaussians) leave.
const CLOSE: f64 = 1e-8;

/// What single precision leaves of energies of about ten.
const SINGLE: f64 = 5e-5;

/// F(v), E[h | v], F(h) and E[v | h] of every kind of machine at states of its own, against the definition group by
/// group, integrals by quadrature.
#[test]
fn conditionals_and_free_energies() {
    let kinds = |device: &Device| {
        let (real, half) = (&[Part::Learned(2)], &[Part::Rectified(2)]);
        let more = Machine::new(device, "Gaussian and hidden rectified", real, half, 1.0);
        enumerable(device).into_iter().chain([more]).collect::<Vec<_>>()
    };
    let machines = both(CLOSE, SINGLE)
        .into_iter()
        .flat_map(|(device, close)| kinds(&device).into_iter().map(move |machine| (machine, close)));
    for (machine, close) in machines {
        let (rbm, definition) = (&machine.rbm, machine.definition());
        let visible = machine.cases(6, Key::new(11));
        let hidden = rbm.sample_hidden(&visible, Key::new(12));
        let mut of_hidden = rbm.device().zeros(6, 1);
        rbm.distribution().free_energy_of_hidden(&hidden, &mut of_hidden);
        let read = |tensor: &nn_core::Tensor| tensor.to_array_f64().unwrap();
        let found =
            [rbm.free_energy(&visible), rbm.mean_hidden(&visible), of_hidden, rbm.mean_visible(&hidden)];
        let found = found.each_ref().map(read);
        let (visible, hidden) = (read(&visible), read(&hidden));
        let mut worst = 0f64;
        for case in 0..6 {
            let (f, h) = definition.given_visible(&visible.row(case).to_vec());
            let (g, v) = definition.given_hidden(&hidden.row(case).to_vec());
            let wanted = [vec![f], h, vec![g], v];
            for (found, wanted) in found.iter().zip(&wanted) {
                let off = found.row(case).iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                worst = worst.max(off);
            }
        }
        println!("{}: {worst:.1e}", machine.name);
        assert!(worst < close, "{}: {worst}", machine.name);
    }
}

/// log Z as log Σ e^(−E(v, h)) over every pair of states, and E[v], E[h] from the same sum, against the enumeration of
/// one layer; where both layers are discrete the library's sum over either gives the same.
#[test]
fn log_partition_of_every_kind() {
    let machines = both((CLOSE, 1e-12), (SINGLE, SINGLE))
        .into_iter()
        .flat_map(|(device, close)| enumerable(&device).into_iter().map(move |machine| (machine, close)));
    for (machine, (close, same)) in machines {
        let (rbm, definition) = (&machine.rbm, machine.definition());
        let exact = log_partition(rbm).unwrap();
        let mut by_definition = LogSumExp::default();
        if let Some(states) = rbm.hidden.states() {
            // Both layers written out: nothing is summed analytically.
            let hidden = definition.hidden_points();
            assert_eq!(hidden.len() as u64, states);
            for (v, measure) in definition.visible_points() {
                hidden.iter().for_each(|(h, _)| by_definition.add(measure.ln() - definition.energy(&v, h)));
            }
        } else {
            for (v, measure) in definition.visible_points() {
                by_definition.add(measure.ln() - definition.given_visible(&v).0);
            }
        }
        let off = (exact - by_definition.value()).abs();
        println!("{}: log Z {exact:.3}, {off:.1e} off", machine.name);
        assert!(off < close, "{}: {off}", machine.name);
        if rbm.visible.states().is_some() && rbm.hidden.states().is_some() {
            let (v, h) = [&rbm.visible, &rbm.hidden]
                .map(|units| all_states(&**units, rbm.device(), 99).unwrap())
                .into();
            let mut sums = [LogSumExp::default(), LogSumExp::default()];
            rbm.free_energy(&v).to_array_f64().unwrap().iter().for_each(|f| sums[0].add(-f));
            let mut energies = rbm.device().zeros(h.rows(), 1);
            rbm.distribution().free_energy_of_hidden(&h, &mut energies);
            energies.to_array_f64().unwrap().iter().for_each(|f| sums[1].add(-f));
            assert!(sums.iter().all(|sum| (sum.value() - exact).abs() < same), "{}: {sums:?}", machine.name);
        }
    }
}

/// States are listed once each, in every family, and each is a state of its family.
#[test]
fn all_states_are_different() {
    for machine in discrete(&single()) {
        let states =
            all_states(&*machine.rbm.visible, machine.rbm.device(), 1 << 10).unwrap().to_array().unwrap();
        let rows: std::collections::HashSet<String> =
            states.rows().into_iter().map(|row| row.to_string()).collect();
        assert_eq!(rows.len() as u64, machine.rbm.visible.states().unwrap(), "{}", machine.name);
        let points = machine.definition().visible_points();
        let of_points: std::collections::HashSet<String> =
            points.iter().map(|(v, _)| ndarray::arr1(v).mapv(|x| x as f32).to_string()).collect();
        assert_eq!(rows, of_points, "{}", machine.name);
    }
}

/// K and mean of rectified units from deep in one tail to deep in the other, against quadrature: in double precision to
/// 10⁻⁸ relative; in single precision to 5·10⁻⁵, which is what −y²/2 − log Φ(y) near y = −5 (terms of 12, rounded three
/// times by 6·10⁻⁸) times φ/Φ = 5.2 leaves of a mean of 0.19.
#[test]
fn rectified_units_in_both_tails() {
    for (device, bound) in both(CLOSE, 5e-5) {
        let units = Rectified::new(&device, 1);
        let inputs = [
            -20_000.0, -1000.0, -100.0, -30.0, -8.0, -5.0, -4.9, -3.0, -1.0, 0.0, 1.0, 3.0, 8.0, 30.0, 1000.0,
        ];
        let column = tensor(&device, &inputs.map(|y| vec![y]));
        let (mut cumulant, mut mean) = (device.zeros(inputs.len(), 1), device.zeros(inputs.len(), 1));
        units.cumulant(&Sum::from(&column), 1.0, 0.0, cumulant.view_mut());
        units.mean(&Sum::from(&column), mean.view_mut());
        let (cumulant, mean) = (cumulant.to_array_f64().unwrap(), mean.to_array_f64().unwrap());
        for (case, y) in inputs.into_iter().enumerate() {
            let (k, m) = machines::definition::Group::HalfLine { bias: 0.0 }.sum(&[y]);
            let (off, relative) =
                ((cumulant[[case, 0]] - k).abs() / k.abs().max(1.0), (mean[[case, 0]] / m[0] - 1.0).abs());
            println!("{} y = {y}: K {k:.6} {off:.1e}, mean {:.6e} {relative:.1e}", device.name(), m[0]);
            assert!(off < bound && relative < bound, "{} y = {y}: K {off}, mean {relative}", device.name());
        }
    }
}

/// Draws of rectified units have the mean and variance of the truncated normal (by quadrature) within four standard
/// errors, also in single precision and in the tail.
#[test]
fn draws_of_rectified_units() {
    let count = 40_000;
    for y in [-1000.0, -20.5, -19.5, -4.0, 0.0, 4.0] {
        for (device, _) in both(0.0, 0.0) {
            let units = Rectified::new(&device, 1);
            let mut out = device.zeros(count, 1);
            units.sample(&Sum::from(&device.full(count, 1, y)), Key::new(21), out.view_mut());
            let draws = out.to_array_f64().unwrap();
            let group = machines::definition::Group::HalfLine { bias: 0.0 };
            let mean = group.sum(&[f64::from(y)]).1[0];
            // Var[s | y] = 1 + y·E[s] − E[s]² of the truncated normal.
            let variance = 1.0 + f64::from(y) * mean - mean * mean;
            for (wanted, power) in [(mean, 1), (variance + mean * mean, 2)] {
                let (found, error) = mean_and_error(draws.iter().map(|s| s.powi(power)));
                let off = (found - wanted) / error;
                println!("{} y = {y}: E[s^{power}] {off:.2} standard errors off", device.name());
                assert!(off.abs() < 4.0, "{} y = {y}: {found} {wanted} ± {error}", device.name());
            }
        }
    }
}

/// Free energies of labels are F(v, y) − E(v), and the class is that of largest p(y | v), by the definition.
#[test]
fn labels() {
    for (name, visible) in [
        ("binary pixels and label", &[Part::Bernoulli(3), Part::Softmax(1, 4)]),
        ("real pixels and label", &[Part::Learned(3), Part::Softmax(1, 4)]),
        ("real pixels of fixed variance and label", &[Part::Fixed(3), Part::Softmax(1, 4)]),
    ] {
        let machine = Machine::new(&Device::reference(), name, visible, &[Part::Bernoulli(5)], 1.5);
        let (definition, cases) = (machine.definition(), machine.cases(12, Key::new(13)));
        let pixels = cases.to_array_f64().unwrap().slice(s![.., 0..3]).to_owned();
        let data = machine.rbm.device().tensor_f64(&pixels);
        let found = free_energies(&machine.rbm, &data, 4).unwrap().to_array_f64().unwrap();
        let pixels_energy = |row: &[f64]| {
            definition.visible[0..3].iter().zip(row).map(|(group, v)| group.energy(&[*v])).sum::<f64>()
        };
        let wanted = Array2::from_shape_fn((12, 4), |(case, class)| {
            let mut row = pixels.row(case).to_vec();
            let own = pixels_energy(&row);
            row.extend((0..4).map(|y| f64::from(u8::from(y == class))));
            definition.given_visible(&row).0 - own
        });
        assert!(distance(&found, &wanted) < CLOSE, "{name}: {}", distance(&found, &wanted));
        let best = |row: ndarray::ArrayView1<'_, f64>| {
            (0..4u8).min_by(|a, b| row[usize::from(*a)].total_cmp(&row[usize::from(*b)])).unwrap()
        };
        let classes: Vec<u8> = wanted.rows().into_iter().map(best).collect();
        assert_eq!(classify(&machine.rbm, &data, 4).unwrap(), classes, "{name}");
        let mut labels = classes;
        labels[0] = (labels[0] + 1) % 4;
        labels[7] = (labels[7] + 1) % 4;
        assert_eq!(classification_error(&machine.rbm, &data, &labels, 4).unwrap(), 2.0 / 12.0);
    }
    let joined = join(ndarray::arr2(&[[0.5, 1.0], [0.0, 0.25]]).view(), &[2, 0], 3).unwrap();
    assert_eq!(joined, ndarray::arr2(&[[0.5, 1.0, 0.0, 0.0, 1.0], [0.0, 0.25, 1.0, 0.0, 0.0]]));
}

/// Σᵢ log p(vᵢ | others) of each visible state, from p of all states by the definition.
fn pseudo_by_definition(machine: &Machine) -> Vec<Vec<f64>> {
    let definition = machine.definition();
    let free = |v: &[f64]| definition.given_visible(v).0;
    let log_conditional = |v: &[f64], unit: usize| {
        let mut other = v.to_vec();
        other[unit] = 1.0 - other[unit];
        -((free(v) - free(&other)).exp()).ln_1p()
    };
    let of = |v: &Vec<f64>| (0..v.len()).map(|unit| log_conditional(v, unit)).collect();
    definition.visible_points().iter().map(|(v, _)| of(v)).collect()
}

/// Pseudo-log-likelihood exactly; and its stochastic estimate from many draws within four standard errors, which follow
/// from the exact terms: units · log p(vᵢ | others) with i uniform.
#[test]
fn pseudo_likelihood() {
    for (name, hidden) in [("pseudo", &[Part::Bernoulli(3)]), ("pseudo rectified", &[Part::Rectified(2)])] {
        let machine = Machine::new(&Device::reference(), name, &[Part::Bernoulli(5)], hidden, 1.5);
        let (rbm, terms): (&Rbm, _) = (&machine.rbm, pseudo_by_definition(&machine));
        let states = all_states(&*rbm.visible, rbm.device(), 32).unwrap();
        let exact = terms.iter().flatten().sum::<f64>() / 32.0;
        let found = pseudo_log_likelihood(rbm, &states).unwrap();
        assert!((found - exact).abs() < CLOSE, "{name}: {found} {exact}");
        let keys = 2000u64;
        let draw = |k| stochastic_pseudo_log_likelihood(rbm, &states, Key::new(31).fold_in(k)).unwrap();
        let mean = (0..keys).map(draw).sum::<f64>() / keys as f64;
        let variance = |row: &Vec<f64>| {
            let sum: f64 = row.iter().sum();
            row.iter().map(|term| (5.0 * term - sum).powi(2)).sum::<f64>() / 5.0
        };
        let error = (terms.iter().map(variance).sum::<f64>() / (32.0 * 32.0 * keys as f64)).sqrt();
        println!("{name}: exact {exact:.4}, stochastic {:.2} standard errors off", (mean - exact) / error);
        assert!((mean - exact).abs() < 4.0 * error, "{name}: {mean} {exact} ± {error}");
    }
}
