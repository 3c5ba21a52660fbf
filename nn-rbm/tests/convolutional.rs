//! Convolutional machines against sums over all their states, written out from the energy (see `filters`).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod filters;
mod machines;
mod precision;

use crate::precision::{both, single};
use filters::{FOUR, OBLONG, Plain, SIX, binary, chosen, draw, normalized, patterns, real, rows};
use machines::{
    chance::{Exact, mean_and_error, still},
    distance, tensor,
};
use ndarray::Array2;
use nn_core::{ACC, Device, Error, Key, Parameters, Sum, Tensor, check_gradient, init};
use nn_rbm::{
    ConvolutionalDbn, ConvolutionalRbm, GradientAssembly, Path, Phase, Phases,
    ais::{Ais, Betas},
    convolutional::{ConvolutionalGradient, StackCompletion},
    partition::log_partition,
    units::{Blocks, Units},
};

/// All machines whose formulas are checked.
fn machines(device: &Device) -> Vec<(&'static str, ConvolutionalRbm)> {
    vec![
        ("binary", binary(device, SIX, 1.0)),
        ("real", real(device, SIX, 0.7)),
        ("oblong", binary(device, OBLONG, 1.0)),
        ("real and oblong", real(device, OBLONG, 0.7)),
    ]
}

/// What single precision leaves of energies of about ten.
const SINGLE: f64 = 5e-5;

/// Some images and hidden states that are possible.
fn states(rbm: &ConvolutionalRbm, cases: usize) -> (Tensor, Tensor) {
    let (device, at) = (rbm.device(), rbm.distribution());
    let mut visible = init::normal(device, cases, rbm.geometry().image_len(), 1.0, Key::new(5));
    let mut hidden = device.zeros(cases, rbm.geometry().hidden_len());
    at.sample_hidden(&visible, None, Key::new(6), &mut hidden);
    at.sample_visible(&hidden, Key::new(7), &mut visible);
    (visible, hidden)
}

fn gradients(sums: &[Sum<'_>]) -> Vec<Array2<f64>> {
    let store = |sum: &Sum<'_>| {
        let mut out =
            sum.with_values(|values, _| values.tensor().device().zeros(values.rows(), values.columns()));
        sum.store(out.view_mut(), ACC);
        out.to_array_f64().unwrap()
    };
    sums.iter().map(store).collect()
}

/// E[h | v, T], E[v | h], F(v), pooling units against the energy, with one block after the other written out.
#[test]
fn conditionals_and_free_energies() {
    for (device, close) in both(1e-10, SINGLE) {
        for (name, rbm) in machines(&device) {
            let (plain, device) = (Plain::of(&rbm), rbm.device());
            let (visible, hidden) = states(&rbm, 5);
            let from_above = init::normal(device, 5, rbm.geometry().pooled_len(), 1.5, Key::new(8));
            let mut with_input = device.zeros(5, rbm.geometry().hidden_len());
            rbm.distribution().mean_hidden(&visible, Some(&from_above), &mut with_input);
            let found =
                [&rbm.mean_hidden(&visible), &with_input, &rbm.mean_visible(&hidden), &rbm.pool(&hidden)];
            let [means, with_input, down, pooled] = found.map(rows);
            let (free, above) = (rows(&rbm.free_energy(&visible)), rows(&from_above));
            let (visible, hidden) = (rows(&visible), rows(&hidden));
            let mut worst = 0f64;
            for case in 0..5 {
                let nothing = vec![0.0; hidden[case].len()];
                let mut wanted_free = plain.energy(&visible[case], &nothing);
                for block in plain.blocks() {
                    let mut logs: Vec<f64> = block.iter().map(|p| plain.input(&visible[case], *p)).collect();
                    logs.push(0.0);
                    let (log_sum, shares) = normalized(&logs);
                    wanted_free -= log_sum;
                    let unit = |place| plain.column(place);
                    let pooling = {
                        let mut one = nothing.clone();
                        one[unit(block[0])] = 1.0;
                        plain.pooled(&one).iter().position(|on| *on == 1.0).unwrap()
                    };
                    logs[..block.len()].iter_mut().for_each(|log| *log += above[case][pooling]);
                    let (_, shares_above) = normalized(&logs);
                    for (place, (share, above)) in block.iter().zip(shares.iter().zip(&shares_above)) {
                        worst = worst.max((means[case][unit(*place)] - share).abs());
                        worst = worst.max((with_input[case][unit(*place)] - above).abs());
                    }
                }
                worst = worst.max((free[case][0] - wanted_free).abs());
                for (pixel, input) in plain.down(&hidden[case]).iter().enumerate() {
                    let y = input + plain.bias(pixel);
                    let wanted = if plain.variance.is_some() { y } else { 1.0 / (1.0 + (-y).exp()) };
                    worst = worst.max((down[case][pixel] - wanted).abs());
                }
                assert_eq!(pooled[case], plain.pooled(&hidden[case]), "{name}");
                assert!(pooled[case].iter().all(|on| *on == 0.0 || *on == 1.0), "{name}");
            }
            println!("{name}: {worst:.1e}");
            assert!(worst < close, "{name}: {worst}");
        }
    }
}

/// Single precision computes the same means, and draws the same states but for those that rounding tips.
#[test]
fn devices_agree() {
    let (near, reference) = (machines(&single()), machines(&Device::reference()));
    for ((name, single), (_, double)) in near.into_iter().zip(reference) {
        let [(visible, hidden), (_, h)] = [states(&single, 20), states(&double, 20)];
        let tipped = (hidden.to_array_f64().unwrap() - h.to_array_f64().unwrap()).mapv(f64::abs).sum();
        assert!(tipped <= 2.0, "{name}: {tipped} hidden units differ");
        let (visible, hidden) = (visible.to_array_f64().unwrap(), hidden.to_array_f64().unwrap());
        let [near, exact] = [&single, &double].map(|rbm| {
            let (v, h) = (rbm.device().tensor_f64(&visible), rbm.device().tensor_f64(&hidden));
            [rbm.mean_hidden(&v), rbm.mean_visible(&h), rbm.free_energy(&v)]
                .map(|t| t.to_array_f64().unwrap())
        });
        for (near, exact) in near.iter().zip(&exact) {
            let off = distance(near, exact) / exact.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
            assert!(off < 1e-5, "{name}: {off}");
        }
    }
}

/// The parameters of a machine that have a gradient: all but variances and precisions.
struct Learnable(ConvolutionalRbm);

fn learnable(name: &str) -> bool {
    !name.ends_with("log_variances") && !name.ends_with("precision")
}

impl Parameters for Learnable {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.0.visit(&mut |name, tensor| {
            if learnable(name) {
                see(name, tensor);
            }
        });
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.0.visit_mut(&mut |name, tensor| {
            if learnable(name) {
                see(name, tensor);
            }
        });
    }
}

/// The gradient times the number of positions is that of free energies, in double precision.
#[test]
fn gradients_are_those_of_free_energies() {
    for (name, rbm) in machines(&Device::reference()) {
        let (data, model) = (states(&rbm, 4).0, states(&rbm, 7).0.row_range(4..7).to_array_f64().unwrap());
        let model = rbm.device().tensor_f64(&model);
        let (data_hidden, model_hidden) = (rbm.mean_hidden(&data), rbm.mean_hidden(&model));
        let phases = Phases {
            data: Phase { visible: &data, hidden: &data_hidden, weights: None },
            model: Phase { visible: &model, hidden: &model_hidden, weights: None },
        };
        let mut assembly = ConvolutionalGradient::default();
        let found = gradients(&assembly.gradients(&rbm, &phases, None));
        let positions = rbm.geometry().map_len() as f64;
        let (mut kept, mut found) = (Vec::new(), found.into_iter());
        rbm.visit(&mut |name, tensor| {
            let gradient = found.next().unwrap();
            if learnable(name) {
                kept.push(tensor.device().tensor_f64(&(gradient * positions)));
            } else {
                assert!(gradient.iter().all(|value| *value == 0.0), "{name} has no gradient");
            }
        });
        let value = |rbm: &Learnable| Ok(rbm.0.mean_free_energy(&data)? - rbm.0.mean_free_energy(&model)?);
        let worst = check_gradient(&mut Learnable(rbm), &kept, value).unwrap();
        println!("{name}: {:.1e} at {}", worst.relative, worst.place);
        assert!(worst.relative < 1e-6, "{name}: {worst:?}");
    }
}

/// The plain machine has the same free energy, and its gradient summed over the copies of each weight is that of the
/// filters.
#[test]
fn the_untied_machine_is_the_same() {
    for (device, (close, of_gradient)) in both((1e-10, 1e-6), (SINGLE, SINGLE)) {
        for (name, rbm) in machines(&device) {
            let (plain, untied) = (Plain::of(&rbm), rbm.untied());
            let (data, model) = (states(&rbm, 6).0, states(&rbm, 3).0);
            let free = [rbm.free_energy(&data), untied.free_energy(&data)].map(|f| f.to_array_f64().unwrap());
            assert!(distance(&free[0], &free[1]) < close, "{name}");
            let (data_hidden, model_hidden) = (rbm.mean_hidden(&data), rbm.mean_hidden(&model));
            let phases = Phases {
                data: Phase { visible: &data, hidden: &data_hidden, weights: None },
                model: Phase { visible: &model, hidden: &model_hidden, weights: None },
            };
            let (mut tied, mut assembly) = (ConvolutionalGradient::default(), GradientAssembly::default());
            let tied = gradients(&tied.gradients(&rbm, &phases, None));
            let copies = gradients(&assembly.gradients(&untied, &phases, None, None));
            let positions = rbm.geometry().map_len() as f64;
            let mut sum = Array2::<f64>::zeros(tied[0].dim());
            for place in plain.places() {
                for (row, (pixel, _)) in plain.field(place).into_iter().enumerate() {
                    sum[[row, place[0]]] += copies[0][[pixel, plain.column(place)]];
                }
            }
            assert!(distance(&sum, &(&tied[0] * positions)) < of_gradient, "{name}");
            for (tied, copies) in tied.iter().zip(&copies).skip(1) {
                assert!(distance(copies, &(tied * positions)) < of_gradient, "{name}");
            }
        }
    }
}

/// The sum over all 625² hidden states of the machine on 6×6 pixels.
struct Enumerated {
    plain: Plain,
    states: Vec<Vec<f64>>,
    log_z: f64,
    probabilities: Vec<f64>,
}

fn enumerated(rbm: &ConvolutionalRbm, known: &[Option<f64>]) -> Enumerated {
    let plain = Plain::of(rbm);
    let states = plain.hidden_states();
    assert_eq!(states.len(), 625 * 625);
    let logs: Vec<f64> = states.iter().map(|state| plain.log_marginal(state, known)).collect();
    let (log_z, probabilities) = normalized(&logs);
    Enumerated { plain, states, log_z, probabilities }
}

impl Enumerated {
    /// Fair states of both layers.
    fn fair(&self, rbm: &ConvolutionalRbm, count: usize, key: Key) -> [Tensor; 2] {
        let hidden = chosen(rbm.device(), &self.states, &draw(&self.probabilities, count, key.fold_in(0)));
        let mut visible = rbm.device().zeros(count, rbm.geometry().image_len());
        rbm.distribution().sample_visible(&hidden, key.fold_in(1), &mut visible);
        [visible, hidden]
    }

    fn pooled(&self, device: &Device) -> Exact {
        let (patterns, probabilities) = patterns(&self.plain, &self.states, &self.probabilities);
        Exact::from_parts(patterns, probabilities, device)
    }
}

/// log Z by the definition, by the library's enumeration of the plain machine, and by annealed importance sampling from
/// both sides; and contrastive statistics of fair samples are the exact gradient, within four standard errors.
#[test]
fn log_partition_and_gradient() {
    let (single, double) = (binary(&single(), SIX, 1.0), binary(&Device::reference(), SIX, 1.0));
    let exact = enumerated(&double, &[]);
    let untied = single.untied();
    let found = log_partition(&untied).unwrap();
    assert!((found - exact.log_z).abs() < 1e-4, "{found} {}", exact.log_z);

    let ais = Ais::new(Path::from_model(&untied), Betas::uniform(300).unwrap());
    let [visible, _] = exact.fair(&single, 400, Key::new(11));
    let forward = ais.forward(&untied, 400, Key::new(12)).unwrap();
    let reverse = ais.reverse(&untied, &visible, Key::new(13)).unwrap();
    let moved = (exact.log_z - forward.log_partition_of_base).abs();
    assert!(moved > 1.0, "without couplings there is nothing to estimate: {moved}");
    for estimate in [&forward, &reverse] {
        let off = estimate.log_partition - exact.log_z;
        println!("log Z {:.3} {off:+.4} ± {:.4}", exact.log_z, estimate.standard_error);
        assert!(off.abs() < 4.0 * estimate.standard_error && off.abs() < 0.1, "{estimate:?}");
    }

    // ⟨pixel · h⟩ and ⟨h⟩ of the model by enumeration.
    let plain = &exact.plain;
    let mut wanted = Array2::<f64>::zeros((10, 2));
    for (state, p) in exact.states.iter().zip(&exact.probabilities) {
        let means: Vec<f64> = plain
            .down(state)
            .iter()
            .enumerate()
            .map(|(pixel, input)| 1.0 / (1.0 + (-(input + plain.bias(pixel))).exp()))
            .collect();
        for place in plain.places().into_iter().filter(|place| state[plain.column(*place)] == 1.0) {
            for (row, (pixel, _)) in plain.field(place).into_iter().enumerate() {
                wanted[[row, place[0]]] += p * means[pixel];
            }
            wanted[[9, place[0]]] += p;
        }
    }
    wanted /= plain.geometry.map_len() as f64;
    let mut draws: Vec<Array2<f64>> = Vec::new();
    for part in 0..50 {
        let [visible, _] = exact.fair(&single, 400, Key::new(14).fold_in(part));
        let hidden = single.mean_hidden(&visible);
        let nothing = [visible.device().zeros(1, 36), visible.device().zeros(1, 32)];
        let phases = Phases {
            data: Phase { visible: &nothing[0], hidden: &nothing[1], weights: None },
            model: Phase { visible: &visible, hidden: &hidden, weights: None },
        };
        let mut assembly = ConvolutionalGradient::default();
        let found = gradients(&assembly.gradients(&single, &phases, None));
        draws.push(ndarray::concatenate![ndarray::Axis(0), found[0], found[2]]);
    }
    for (place, wanted) in wanted.indexed_iter() {
        let (found, error) = mean_and_error(draws.iter().map(|draw| draw[place]));
        assert!((found - wanted).abs() < 4.0 * error, "{place:?}: {found} {wanted} ± {error}");
    }
}

/// Gibbs sweeps leave the distribution of pooling units as it is: free ones, and ones with half of the pixels clamped, that
/// of the unknown half given the known one. Halved filters do not.
#[test]
fn no_drift() {
    let (device, chains) = (single(), 20_000);
    let rbm = binary(&device, SIX, 1.0);
    let free = enumerated(&rbm, &[]);
    let known: Vec<Option<f64>> =
        (0..36).map(|pixel| (pixel % 6 < 3).then(|| f64::from(u8::from(pixel % 5 < 2)))).collect();
    let given = enumerated(&rbm, &known);

    let (pooled, [mut visible, hidden]) = (free.pooled(&device), free.fair(&rbm, chains, Key::new(15)));
    still("start", &pooled, &rbm.pool(&hidden));
    for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
        rbm.gibbs(&mut visible, sweeps, Key::new(16).fold_in(stage as u64));
        let mut hidden = device.zeros(chains, 32);
        rbm.distribution().sample_hidden(&visible, None, Key::new(17).fold_in(stage as u64), &mut hidden);
        still(&format!("stage {stage}"), &pooled, &rbm.pool(&hidden));
    }
    let mut halved = binary(&device, SIX, 1.0);
    halved.weights.assign(nn_core::OLD * 0.5);
    halved.gibbs(&mut visible, 16, Key::new(18));
    let mut hidden = device.zeros(chains, 32);
    rbm.distribution().sample_hidden(&visible, None, Key::new(19), &mut hidden);
    assert!(pooled.total_variation(&rbm.pool(&hidden)) > 2.0 * pooled.floor(chains), "a wrong kernel shows");

    let dbn = ConvolutionalDbn::new(binary(&device, SIX, 1.0));
    let value = |pixel: usize| known[pixel].unwrap_or(0.0) as f32;
    let cases = Array2::from_shape_fn((chains, 36), |(_, pixel)| value(pixel));
    let mask = Array2::from_shape_fn((1, 36), |(_, pixel)| f32::from(u8::from(known[pixel].is_some())));
    let mut completion = StackCompletion::new(&dbn, 1, cases.view(), mask.view(), Key::new(20)).unwrap();
    completion.start_from(&given.fair(&rbm, chains, Key::new(21)));
    let pooled = given.pooled(&device);
    for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
        completion.gibbs(&dbn, sweeps, Key::new(22).fold_in(stage as u64));
        still(&format!("clamped, stage {stage}"), &pooled, &rbm.pool(&completion.states()[1]));
    }
    let end = completion.states()[0].to_array().unwrap();
    let kept = |((_, pixel), v): ((usize, usize), &f32)| known[pixel].is_none_or(|known| known as f32 == *v);
    assert!(end.indexed_iter().all(kept), "a known pixel changed");
}

/// Draws of a block have the frequencies of its C² + 1 outcomes: χ² with 4 degrees of freedom exceeds 23.5 once in 10,000
/// times. Logits of a thousand overflow nowhere.
#[test]
fn block_draws() {
    let count = 100_000;
    for (device, _) in both((), ()) {
        let units = Blocks::new(&device, 1, 4).unwrap();
        for logits in [
            [0.0, 0.0, 0.0, 0.0],
            [1.0, -2.0, 0.5, 2.0],
            [-4.0, -3.0, -5.0, -2.0],
            [1000.0, 999.0, -1000.0, 998.0],
            [-1000.0, -1000.0, -1000.0, -1000.0],
        ] {
            let input = tensor(&device, &[logits.to_vec()]);
            let (mut inputs, mut draws) = (device.zeros(count, 4), device.zeros(count, 4));
            inputs.assign(&input);
            units.sample(&Sum::from(&inputs), Key::new(23), draws.view_mut());
            let draws = draws.to_array_f64().unwrap();
            assert!(
                draws.rows().into_iter().all(|row| row.sum() <= 1.0),
                "more than one unit of a block is on"
            );
            let mut observed = draws.sum_axis(ndarray::Axis(0)).to_vec();
            observed.push(count as f64 - observed.iter().sum::<f64>());
            let (_, wanted) = normalized(&[logits.as_slice(), &[0.0]].concat());
            let term = |(n, p): (&f64, &f64)| match *p * count as f64 {
                expected if expected > 1e-9 => (n - expected).powi(2) / expected,
                _ => n * 1e9,
            };
            let squares: f64 = observed.iter().zip(&wanted).map(term).sum();
            println!("{} {logits:?}: {squares:.2}", device.name());
            assert!(squares < 23.5, "{logits:?}: {observed:?} of {wanted:?}");
        }
    }
}

/// Real pixels: annealed importance sampling of the plain machine gives the log Z of all hidden states.
#[test]
fn log_partition_of_real_pixels() -> Result<(), Error> {
    let rbm = real(&single(), FOUR, 0.7);
    let (plain, untied) = (Plain::of(&rbm), rbm.untied());
    // log ∫ e^(−E(v, h)) dv: Gaussians with means a + x.
    let variance = plain.variance.unwrap();
    let of = |hidden: &Vec<f64>| {
        let own: f64 = plain.places().iter().map(|p| hidden[plain.column(*p)] * plain.hidden[p[0]]).sum();
        let pixels = plain.down(hidden).into_iter().enumerate().map(|(pixel, input)| {
            input * (plain.bias(pixel) + input / 2.0) / variance
                + 0.5 * (2.0 * std::f64::consts::PI * variance).ln()
        });
        own / variance + pixels.sum::<f64>()
    };
    let logs: Vec<f64> = plain.hidden_states().iter().map(of).collect();
    let exact = normalized(&logs).0;
    let found = log_partition(&untied)?;
    assert!((found - exact).abs() < 1e-4, "{found} {exact}");
    let ais = Ais::new(Path::from_model(&untied), Betas::uniform(300)?);
    let estimate = ais.forward(&untied, 400, Key::new(24))?;
    let off = estimate.log_partition - exact;
    println!("{exact:.3} {off:+.4} ± {:.4}", estimate.standard_error);
    assert!(off.abs() < 4.0 * estimate.standard_error && off.abs() < 0.1, "{estimate:?}");
    Ok(())
}
