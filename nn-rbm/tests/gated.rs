//! Gated machines against sums over all their hidden states, written out from the energy (see `pairs`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod pairs;
mod precision;

use crate::precision::{both, single};
use machines::{
    chance::{Exact, mean_and_error, still},
    distance, tensor,
};
use ndarray::Array2;
use nn_core::{ACC, Device, Key, OLD, Parameters, Sum, Tensor, check_gradient};
use nn_rbm::{
    GatedRbm, Phase, Phases,
    gated::{GatedBoltzmann, GatedGradient},
};
use pairs::{
    FIVE, FOUR, Learnable, OBLONG, Place, Plain, WIDE, copies, images, learnable, machine, normalized, rows,
};

const SIZES: [nn_rbm::convolutional::Geometry; 4] = [FOUR, WIDE, FIVE, OBLONG];

/// What single precision leaves of energies of about ten.
const SINGLE: f64 = 5e-5;

fn filled(rbm: &GatedRbm, rows: usize, columns: usize, fill: impl FnOnce(&mut Tensor)) -> Tensor {
    let mut out = rbm.device().zeros(rows, columns);
    fill(&mut out);
    out
}

fn mean_hidden(rbm: &GatedRbm, at: &GatedBoltzmann<'_>, y: &Tensor) -> Tensor {
    filled(rbm, y.rows(), rbm.geometry().hidden_len(), |out| at.mean_hidden(y, out))
}

fn mean_visible(rbm: &GatedRbm, at: &GatedBoltzmann<'_>, z: &Tensor) -> Tensor {
    filled(rbm, z.rows(), rbm.geometry().image_len(), |out| at.mean_visible(z, out))
}

fn free_energy(rbm: &GatedRbm, x: &Tensor, y: &Tensor) -> Array2<f64> {
    filled(rbm, y.rows(), 1, |out| rbm.given(x).free_energy(y, out)).to_array_f64().unwrap()
}

/// E[z | x, y] and F(y | x) from the joint states, E[y | z, x] of each of them, and pooling units.
#[test]
fn conditionals_and_free_energies() {
    for (device, close) in both(1e-10, SINGLE) {
        for geometry in SIZES {
            let rbm = machine(&device, geometry, 0.6);
            let plain = Plain::of(&rbm);
            let (x, y) = (images(&rbm, 3, 5), images(&rbm, 3, 6));
            let found = mean_hidden(&rbm, &rbm.given(&x), &y).to_array_f64().unwrap();
            let free = free_energy(&rbm, &x, &y);
            let states = plain.states();
            let mut worst = 0f64;
            for (case, (x, y)) in rows(&x).iter().zip(rows(&y)).enumerate() {
                let joint: Vec<f64> = states.iter().map(|state| -plain.energy(x, &y, state)).collect();
                let (log_sum, shares) = normalized(&joint);
                let mut means = vec![0.0; geometry.hidden_len()];
                for (state, share) in states.iter().zip(shares) {
                    state.iter().for_each(|place| means[plain.column(*place)] += share);
                }
                worst = worst.max((free[[case, 0]] + log_sum).abs());
                means.iter().zip(found.row(case)).for_each(|(a, b)| worst = worst.max((a - b).abs()));
            }
            let some: Vec<Vec<Place>> = states.iter().rev().step_by(1 + states.len() / 40).cloned().collect();
            let first = rows(&x)[0].clone();
            let z = plain.rows(rbm.device(), &some);
            let given = copies(rbm.device(), &first, some.len());
            let down = rows(&mean_visible(&rbm, &rbm.given(&given), &z));
            let pooled = rows(&rbm.pool(&z));
            for (case, state) in some.iter().enumerate() {
                plain
                    .mean(&first, state)
                    .iter()
                    .zip(&down[case])
                    .for_each(|(a, b)| worst = worst.max((a - b).abs()));
                let mut wanted = vec![0.0; geometry.pooled_len()];
                let units = geometry.block_size() * geometry.maps;
                for place in state {
                    wanted[plain.column(*place) / units * geometry.maps + place[0]] += 1.0;
                }
                assert_eq!(pooled[case], wanted, "{geometry:?}");
            }
            println!("{geometry:?}: {worst:.1e}");
            assert!(worst < close, "{geometry:?}: {worst}");
        }
    }
}

fn stored(sum: &Sum<'_>, device: &Device) -> Array2<f64> {
    let mut out = device.zeros(sum.shape()[0], sum.shape()[1]);
    sum.store(out.view_mut(), ACC);
    out.to_array_f64().unwrap()
}

/// The gradients of the learnable parameters, times the number of positions: those of a mean over cases.
fn gradients(rbm: &GatedRbm, x: &Tensor, data: [&Tensor; 2], model: [&Tensor; 2]) -> Vec<Array2<f64>> {
    let [data, model] = [data, model].map(|[visible, hidden]| Phase { visible, hidden, weights: None });
    let (given, mut assembly) = (rbm.given(x).into_patches(), GatedGradient::default());
    let sums = assembly.gradients(rbm, &given, &Phases { data, model }, None);
    let (mut kept, mut sums) = (Vec::new(), sums.iter());
    rbm.visit(&mut |name, tensor| {
        let gradient = stored(sums.next().unwrap(), tensor.device());
        if learnable(name) {
            kept.push(gradient * rbm.geometry().map_len() as f64);
        } else {
            assert!(gradient.iter().all(|value| *value == 0.0), "{name} has no gradient");
        }
    });
    kept
}

/// The exact gradient of mean −log p(y | x): the model phase is a sum over all joint states, each with its probability
/// and with the mean of y given it.
fn exact_gradient(rbm: &GatedRbm, x: &Tensor, y: &Tensor) -> Vec<Array2<f64>> {
    let (plain, device) = (Plain::of(rbm), rbm.device());
    let states = plain.states();
    let mut sums: Vec<Array2<f64>> = Vec::new();
    for (x, y) in rows(x).iter().zip(rows(y)) {
        let (one, y) = (copies(device, x, 1), tensor(device, &[y]));
        let hidden = mean_hidden(rbm, &rbm.given(&one), &y);
        let (_, probabilities) = normalized(&plain.log_marginals(x, &states));
        for (state, p) in states.iter().zip(probabilities) {
            let z = tensor(device, &[plain.row(state)]);
            let mean = tensor(device, &[plain.mean(x, state)]);
            let parts = gradients(rbm, &one, [&y, &hidden], [&mean, &z]);
            if sums.is_empty() {
                sums = parts.iter().map(|part| Array2::zeros(part.dim())).collect();
            }
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += &(part * p));
        }
    }
    sums.into_iter().map(|sum| sum / y.rows() as f64).collect()
}

/// In double precision, against central differences of log p(y | x) by enumeration.
#[test]
fn the_exact_gradient_is_that_of_the_log_probability() {
    for geometry in [FOUR, WIDE] {
        let rbm = machine(&Device::reference(), geometry, 0.4);
        let (x, y) = (images(&rbm, 2, 5), images(&rbm, 2, 6));
        let wanted = exact_gradient(&rbm, &x, &y);
        let wanted: Vec<Tensor> = wanted.iter().map(|gradient| rbm.device().tensor_f64(gradient)).collect();
        let value = |rbm: &Learnable| Ok(-Plain::of(&rbm.0).mean_log_probability(&x, &y));
        let worst = check_gradient(&mut Learnable(rbm), &wanted, value).unwrap();
        println!("{geometry:?}: {:.1e} at {}", worst.relative, worst.place);
        assert!(worst.relative < 1e-6, "{worst:?}");
    }
}

/// The gradient of any two phases is that of their free energies.
#[test]
fn gradients_are_those_of_free_energies() {
    for geometry in [FIVE, OBLONG] {
        let rbm = machine(&Device::reference(), geometry, 0.4);
        let [x, data, model] = [5, 6, 7].map(|seed| images(&rbm, 3, seed));
        let at = rbm.given(&x);
        let [data_hidden, model_hidden] = [&data, &model].map(|y| mean_hidden(&rbm, &at, y));
        let found = gradients(&rbm, &x, [&data, &data_hidden], [&model, &model_hidden]);
        let found: Vec<Tensor> = found.iter().map(|gradient| rbm.device().tensor_f64(gradient)).collect();
        let value = |rbm: &Learnable| {
            let of = |y: &Tensor| free_energy(&rbm.0, &x, y).mean().unwrap();
            Ok(of(&data) - of(&model))
        };
        let worst = check_gradient(&mut Learnable(rbm), &found, value).unwrap();
        assert!(worst.relative < 1e-6, "{worst:?}");
    }
}

/// One image x, and the distribution of the joint states given it.
struct Given {
    x: Vec<f64>,
    hidden: Exact,
}

impl Given {
    fn new(rbm: &GatedRbm) -> Given {
        let (plain, x) = (Plain::of(rbm), rows(&images(rbm, 1, 5))[0].clone());
        let states = plain.states();
        let (_, probabilities) = normalized(&plain.log_marginals(&x, &states));
        let patterns = plain.rows(rbm.device(), &states).to_array().unwrap();
        Given { hidden: Exact::from_parts(patterns, probabilities, rbm.device()), x }
    }

    fn copies(&self, rbm: &GatedRbm, count: usize) -> Tensor {
        copies(rbm.device(), &self.x, count)
    }

    /// Fair draws of y given x.
    fn fair(&self, rbm: &GatedRbm, x: &Tensor, key: Key) -> Tensor {
        let z = self.hidden.draw(x.rows(), key.fold_in(0));
        filled(rbm, x.rows(), x.columns(), |out| rbm.given(x).sample_visible(&z, key.fold_in(1), out))
    }
}

/// Contrastive statistics whose model phase is fair are the exact gradient, within four standard errors.
#[test]
fn contrastive_divergence_from_fair_samples_is_the_exact_gradient() {
    let (single, double) = (machine(&single(), FOUR, 0.2), machine(&Device::reference(), FOUR, 0.2));
    let exact = Given::new(&double);
    let (one, y) = (exact.copies(&double, 1), images(&double, 1, 6));
    let wanted = exact_gradient(&double, &one, &y);
    let (given, count) = (Given::new(&single), 200);
    let x = given.copies(&single, count);
    let data = copies(single.device(), &rows(&y)[0], count);
    let at = single.given(&x);
    let data_hidden = mean_hidden(&single, &at, &data);
    let draws: Vec<Vec<Array2<f64>>> = (0..100)
        .map(|part| {
            let mut model = given.fair(&single, &x, Key::new(14).fold_in(part));
            at.gibbs(&mut model, 1, Key::new(15).fold_in(part));
            let hidden = mean_hidden(&single, &at, &model);
            gradients(&single, &x, [&data, &data_hidden], [&model, &hidden])
        })
        .collect();
    for (index, wanted) in wanted.iter().enumerate() {
        for (place, wanted) in wanted.indexed_iter() {
            let (found, error) = mean_and_error(draws.iter().map(|draw| draw[index][place]));
            assert!((found - wanted).abs() < 4.0 * error, "{index} {place:?}: {found} {wanted} ± {error}");
        }
    }
}

/// Gibbs sweeps leave p(z | x) as it is; those of doubled weights do not.
#[test]
fn no_drift() {
    let (device, chains) = (single(), 20_000);
    for (geometry, deviation) in [(FOUR, 0.17), (WIDE, 0.12)] {
        let mut rbm = machine(&device, geometry, deviation);
        let given = Given::new(&rbm);
        let x = given.copies(&rbm, chains);
        let mut y = given.fair(&rbm, &x, Key::new(15));
        let hidden = |rbm: &GatedRbm, y: &Tensor, key: Key| {
            filled(rbm, chains, geometry.hidden_len(), |out| rbm.given(&x).sample_hidden(y, key, out))
        };
        let most = given.hidden.probabilities.iter().fold(0.0, |most: f64, p| most.max(*p));
        println!("the likeliest state has {most:.2}");
        assert!(most < 0.8, "one state of {most} hides a drift");
        for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
            let key = Key::new(16).fold_in(stage as u64);
            rbm.given(&x).gibbs(&mut y, sweeps, key.fold_in(0));
            still(&format!("stage {stage}"), &given.hidden, &hidden(&rbm, &y, key.fold_in(1)));
        }
        rbm.weights.assign(OLD * 2.0);
        rbm.given(&x).gibbs(&mut y, 16, Key::new(18));
        let off = given.hidden.total_variation(&hidden(&rbm, &y, Key::new(19)));
        println!("doubled: {off:.3}");
        assert!(off > 2.0 * given.hidden.floor(chains), "a wrong kernel shows: {off}");
    }
}

/// Draws of every block follow its outcomes (χ²), draws of pixels the normal distribution around their means.
#[test]
fn draws_follow_the_conditionals() {
    let (device, count) = (single(), 20_000);
    for geometry in [FOUR, FIVE] {
        let rbm = machine(&device, geometry, 0.5);
        let (plain, x, y) = (Plain::of(&rbm), rows(&images(&rbm, 1, 5)), rows(&images(&rbm, 1, 6)));
        let (many_x, many_y) = (copies(&device, &x[0], count), copies(&device, &y[0], count));
        let at = rbm.given(&many_x);
        let draws = filled(&rbm, count, geometry.hidden_len(), |out| {
            at.sample_hidden(&many_y, Key::new(7), out);
        });
        let draws = draws.to_array_f64().unwrap();
        for block in plain.blocks() {
            let mut logs: Vec<f64> = block.iter().map(|place| plain.input(&x[0], &y[0], *place)).collect();
            logs.push(0.0);
            let (_, shares) = normalized(&logs);
            let mut counts: Vec<f64> =
                block.iter().map(|place| draws.column(plain.column(*place)).sum()).collect();
            counts.push(count as f64 - counts.iter().sum::<f64>());
            assert!(counts.iter().all(|n| *n >= 0.0), "two units of a block are on");
            let expected = shares.iter().map(|share| share * count as f64);
            let chi: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e).powi(2) / e).sum();
            // The 1 − 10⁻⁵ quantile of χ² with 4 degrees of freedom.
            assert!(counts.len() == 5 && chi < 28.5, "χ² of {block:?} is {chi}");
        }
        let state = plain.states().pop().unwrap();
        let z = copies(&device, &plain.row(&state), count);
        let drawn = filled(&rbm, count, geometry.image_len(), |out| at.sample_visible(&z, Key::new(8), out));
        let drawn = drawn.to_array_f64().unwrap();
        for (pixel, wanted) in plain.mean(&x[0], &state).into_iter().enumerate() {
            let (mean, error) = mean_and_error(drawn.column(pixel).iter().copied());
            let variance = error.powi(2) * count as f64;
            assert!((mean - wanted).abs() < 5.0 * error, "pixel {pixel}: {mean} {wanted}");
            assert!((variance - 1.0).abs() < 5.0 * (2.0 / count as f64).sqrt(), "pixel {pixel}: {variance}");
        }
    }
}

/// Single precision computes the same.
#[test]
fn devices_agree() {
    for geometry in SIZES {
        let (single, double) =
            (machine(&single(), geometry, 0.5), machine(&Device::reference(), geometry, 0.5));
        let [near, exact] = [&single, &double].map(|rbm| {
            let draw =
                |seed: u64| rbm.device().tensor_f64(&images(&double, 20, seed).to_array_f64().unwrap());
            let [x, data, model] = [5, 6, 7].map(draw);
            let at = rbm.given(&x);
            let [z, model_hidden] = [&data, &model].map(|y| mean_hidden(rbm, &at, y));
            let mut all = gradients(rbm, &x, [&data, &z], [&model, &model_hidden]);
            let y = mean_visible(rbm, &at, &z).to_array_f64().unwrap();
            all.extend([z.to_array_f64().unwrap(), y, free_energy(rbm, &x, &data)]);
            all
        });
        for (near, exact) in near.iter().zip(&exact) {
            let off = distance(near, exact) / exact.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
            assert!(off < 2e-5, "{geometry:?}: {off}");
        }
    }
}
