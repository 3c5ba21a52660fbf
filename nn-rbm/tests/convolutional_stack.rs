//! Stacks of convolutional machines against sums over all their states: one undirected model whose energy is the sum of
//! those of its machines.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod filters;
mod machines;
mod precision;

use crate::precision::{both, single};
use filters::{Plain, binary, chosen, draw, normalized, rows};
use machines::chance::{Exact, still};
use ndarray::Array2;
use nn_core::{Device, Key, Tensor};
use nn_rbm::{
    ConvolutionalDbn, ConvolutionalRbm, Path,
    ais::{Ais, Betas},
    convolutional::{Geometry, StackCompletion},
    partition::log_partition,
};

/// 3×5 pixels, two maps of 2×4 units in two blocks each.
const BOTTOM: Geometry = Geometry { height: 3, width: 5, channels: 1, filter: 2, maps: 2, block: 2 };
/// Above the 1×2 pooling units of two maps: two maps of 1×2 units, filters of one pixel, blocks of one unit.
const TOP: Geometry = Geometry { height: 1, width: 2, channels: 2, filter: 1, maps: 2, block: 1 };

fn stack(device: &Device) -> ConvolutionalDbn {
    let mut dbn = ConvolutionalDbn::new(binary(device, BOTTOM, 1.2));
    assert_eq!(dbn.next_geometry(1, 2, 1), TOP);
    dbn.push(binary(device, TOP, 1.5)).unwrap();
    dbn
}

/// All states of both hidden layers and their joint probabilities, visible units summed out or clamped.
struct Enumerated {
    bottom: Plain,
    top: Plain,
    lower: Vec<Vec<f64>>,
    upper: Vec<Vec<f64>>,
    /// Of each state of the upper layer for each of the lower one, the lower one running slowly.
    probabilities: Vec<f64>,
    log_z: f64,
}

impl Enumerated {
    fn of(dbn: &ConvolutionalDbn, known: &[Option<f64>]) -> Enumerated {
        let [bottom, top] = [0, 1].map(|layer| Plain::of(&dbn.layers()[layer]));
        let (lower, upper) = (bottom.hidden_states(), top.hidden_states());
        let mut logs = Vec::new();
        for h in &lower {
            let (own, pooled) = (bottom.log_marginal(h, known), bottom.pooled(h));
            logs.extend(upper.iter().map(|g| own - top.energy(&pooled, g)));
        }
        let (log_z, probabilities) = normalized(&logs);
        Enumerated { bottom, top, lower, upper, probabilities, log_z }
    }

    /// Fair states of all layers.
    fn fair(&self, dbn: &ConvolutionalDbn, count: usize, key: Key) -> Vec<Tensor> {
        let device = dbn.layers()[0].device();
        let numbers = draw(&self.probabilities, count, key.fold_in(0));
        let of = |layer: fn(usize, usize) -> usize| -> Vec<usize> {
            numbers.iter().map(|number| layer(*number, self.upper.len())).collect()
        };
        let lower = chosen(device, &self.lower, &of(|number, states| number / states));
        let upper = chosen(device, &self.upper, &of(|number, states| number % states));
        let mut visible = device.zeros(count, BOTTOM.image_len());
        dbn.layers()[0].distribution().sample_visible(&lower, key.fold_in(1), &mut visible);
        vec![visible, lower, upper]
    }

    /// The joint distribution of the pooling units below and the units above, side by side.
    fn joint(&self, device: &Device) -> Exact {
        let (low, high) = (BOTTOM.pooled_len(), TOP.hidden_len());
        let mut sums = vec![0.0; 1 << (low + high)];
        let mut probabilities = self.probabilities.iter();
        for h in &self.lower {
            let pooled = self.bottom.pooled(h);
            for g in &self.upper {
                let number = pooled.iter().chain(g).fold(0, |number, on| 2 * number + *on as usize);
                sums[number] += probabilities.next().unwrap();
            }
        }
        let bit = |(number, unit): (usize, usize)| (number >> (low + high - 1 - unit) & 1) as f32;
        Exact::from_parts(Array2::from_shape_fn((sums.len(), low + high), bit), sums, device)
    }
}

fn joined(dbn: &ConvolutionalDbn, states: &[Tensor]) -> Tensor {
    let pooled = dbn.layers()[0].pool(&states[1]);
    let (low, high) = (pooled.columns(), states[2].columns());
    let mut out = pooled.device().zeros(pooled.rows(), low + high);
    out.column_range_mut(0..low).assign(&pooled);
    out.column_range_mut(low..low + high).assign(&states[2]);
    out
}

/// Sweeps over the whole stack leave its joint distribution, and sweeps with clamped pixels that given them, as it is.
#[test]
fn no_drift() {
    let (device, chains) = (single(), 20_000);
    let dbn = stack(&device);
    let exact = Enumerated::of(&dbn, &[]);
    let (wanted, mut states) = (exact.joint(&device), exact.fair(&dbn, chains, Key::new(5)));
    still("start", &wanted, &joined(&dbn, &states));
    for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
        dbn.sweep(0..3, &mut states, sweeps, Key::new(6).fold_in(stage as u64));
        still(&format!("stage {stage}"), &wanted, &joined(&dbn, &states));
    }
    // Without what comes from above the lower layer leaves it.
    dbn.sweep(0..2, &mut states, 4, Key::new(7));
    let moved = wanted.total_variation(&joined(&dbn, &states));
    assert!(moved > 2.0 * wanted.floor(chains), "a wrong kernel shows: {moved}");

    let known: Vec<Option<f64>> =
        (0..15).map(|pixel| (pixel % 5 < 3).then(|| f64::from(u8::from(pixel % 2 == 0)))).collect();
    let given = Enumerated::of(&dbn, &known);
    let cases = Array2::from_shape_fn((chains, 15), |(_, pixel)| known[pixel].unwrap_or(0.0) as f32);
    let mask = Array2::from_shape_fn((1, 15), |(_, pixel)| f32::from(u8::from(known[pixel].is_some())));
    let mut completion = StackCompletion::new(&dbn, 2, cases.view(), mask.view(), Key::new(8)).unwrap();
    completion.start_from(&given.fair(&dbn, chains, Key::new(9)));
    let wanted = given.joint(&device);
    for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
        completion.gibbs(&dbn, sweeps, Key::new(10).fold_in(stage as u64));
        still(&format!("clamped, stage {stage}"), &wanted, &joined(&dbn, completion.states()));
    }
    let means = completion.means(&dbn).to_array().unwrap();
    let kept = |((_, pixel), v): ((usize, usize), &f32)| known[pixel].is_none_or(|known| known as f32 == *v);
    assert!(means.indexed_iter().all(kept), "a known pixel changed");
    assert!(StackCompletion::new(&dbn, 3, cases.view(), mask.view(), Key::new(8)).is_err());
}

/// log Z by the definition, by the library's enumeration of the plain model, and by annealed importance sampling from both
/// sides.
#[test]
fn log_partition_of_a_stack() {
    let dbn = stack(&single());
    let (exact, untied) = (Enumerated::of(&dbn, &[]), dbn.untied());
    let found = log_partition(&untied).unwrap();
    assert!((found - exact.log_z).abs() < 1e-4, "{found} {}", exact.log_z);
    let ais = Ais::new(Path::from_model(&untied), Betas::uniform(300).unwrap());
    let forward = ais.forward(&untied, 400, Key::new(11)).unwrap();
    let reverse = ais.reverse_from(&untied, &exact.fair(&dbn, 400, Key::new(12)), Key::new(13)).unwrap();
    for estimate in [&forward, &reverse] {
        let off = estimate.log_partition - exact.log_z;
        println!("log Z {:.3} {off:+.4} ± {:.4}", exact.log_z, estimate.standard_error);
        assert!(off.abs() < 4.0 * estimate.standard_error && off.abs() < 0.1, "{estimate:?}");
    }
}

/// E_q[−E] + H(q) of blocks with these means, which is at most log p(v) + log Z; energies are linear in each block.
fn bound(exact: &Enumerated, visible: &[f64], lower: &[f64], upper: &[f64]) -> f64 {
    let energy = exact.bottom.energy(visible, lower) + exact.top.energy(&exact.bottom.pooled(lower), upper);
    let entropy = |plain: &Plain, means: &[f64]| -> f64 {
        let of = |block: Vec<filters::Place>| {
            let on: Vec<f64> = block.into_iter().map(|place| means[plain.column(place)]).collect();
            let off = 1.0 - on.iter().sum::<f64>();
            on.into_iter().chain([off]).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum::<f64>()
        };
        plain.blocks().into_iter().map(of).sum()
    };
    -energy + entropy(&exact.bottom, lower) + entropy(&exact.top, upper)
}

/// Mean field starts at what comes from below and never loses: the bound rises with every sweep and stays under log p(v).
#[test]
fn mean_field_raises_the_bound() {
    for (device, rounding) in both(1e-10, 5e-5) {
        let dbn = stack(&device);
        let visible: Vec<Vec<f64>> = rows(&Enumerated::of(&dbn, &[]).fair(&dbn, 6, Key::new(14))[0]);
        let tensor = machines::tensor(&device, &visible);
        let exact: Vec<Enumerated> = visible
            .iter()
            .map(|v| Enumerated::of(&dbn, &v.iter().map(|v| Some(*v)).collect::<Vec<_>>()))
            .collect();
        let (mut before, mut risen) = (vec![f64::NEG_INFINITY; 6], 0.0);
        for sweeps in 0..8 {
            let means = dbn.mean_field(tensor.duplicate(), sweeps);
            let (lower, upper) = (rows(&means[1]), rows(&means[2]));
            for case in 0..6 {
                let bound = bound(&exact[case], &visible[case], &lower[case], &upper[case]);
                assert!(bound <= exact[case].log_z + rounding, "{bound} {}", exact[case].log_z);
                assert!(bound >= before[case] - rounding, "sweep {sweeps}: {bound} after {}", before[case]);
                risen += if sweeps > 0 { bound - before[case] } else { 0.0 };
                before[case] = bound;
            }
        }
        println!(
            "risen by {risen:.3}, gaps {:?}",
            (0..6).map(|k| exact[k].log_z - before[k]).collect::<Vec<_>>()
        );
        assert!(risen > 0.01, "there is something to gain: {risen}");
        // Features are the pooled means from below alone.
        let (features, means) = (dbn.features(&tensor), dbn.layers()[0].mean_hidden(&tensor));
        let pooled = dbn.layers()[0].pool(&means).to_array_f64().unwrap();
        assert_eq!(features[0].to_array_f64().unwrap(), pooled);
        assert_eq!(features[1].columns(), TOP.pooled_len());
    }
}

/// A picture of the top is the sum of the filters below at the places its filter gives them, each spread over its block.
#[test]
fn pictures_are_sums_of_filters() {
    let dbn = stack(&Device::reference());
    let [bottom, top] = [0, 1].map(|layer| Plain::of(&dbn.layers()[layer]));
    let pictures = rows(&dbn.pictures());
    for (map, picture) in pictures.iter().enumerate() {
        let mut wanted = vec![0.0; 15];
        for (pooling, weight) in top.field([map, 0, 1]) {
            let block = bottom.blocks().into_iter().find(|block| {
                let mut one = vec![0.0; BOTTOM.hidden_len()];
                one[bottom.column(block[0])] = 1.0;
                bottom.pooled(&one)[pooling] == 1.0
            });
            for place in block.unwrap() {
                bottom.field(place).into_iter().for_each(|(pixel, w)| wanted[pixel] += weight / 4.0 * w);
            }
        }
        let off = picture.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-10, "map {map}: {off}");
    }
}

#[test]
fn machines_that_do_not_fit_are_refused() {
    let device = Device::cpu();
    let push = |rbm: ConvolutionalRbm| stack(&device).push(rbm).map_err(|error| error.to_string());
    let message = push(binary(&device, BOTTOM, 1.0)).unwrap_err();
    assert!(message.contains("images of the next machine is 3×5×1"), "{message}");
    let next = stack(&device).next_geometry(1, 3, 1);
    assert!(push(filters::real(&device, next, 1.0)).unwrap_err().contains("pooling units are binary"));
    push(binary(&device, next, 1.0)).unwrap();
}

/// Within a border of as many pixels as a block has units, all pooling units of the image stand where they stood, one further
/// in.
#[test]
fn a_stack_for_larger_images_has_the_same_features_inside() {
    for (device, tolerance) in both(1e-14, 1e-6) {
        let device = &device;
        let dbn = ConvolutionalDbn::new(binary(device, BOTTOM, 1.2));
        let larger = dbn.of_size(7, 9).unwrap();
        let image = Array2::from_shape_fn((1, 15), |(_, pixel)| (pixel % 3) as f64 / 2.0);
        let mut bordered = Array2::zeros((1, 63));
        (0..15).for_each(|pixel| bordered[[0, (pixel / 5 + 2) * 9 + pixel % 5 + 2]] = image[[0, pixel]]);
        let features = |dbn: &ConvolutionalDbn, image: &Array2<f64>| {
            dbn.features(&device.tensor_f64(image)).swap_remove(0).to_array_f64().unwrap()
        };
        let (own, inside) = (features(&dbn, &image), features(&larger, &bordered));
        assert_eq!((own.dim(), inside.dim()), ((1, 4), (1, 24)));
        for at in 0..4 {
            // The second row of four blocks, from the second block on.
            assert!((own[[0, at]] - inside[[0, (4 + 1) * 2 + at]]).abs() < tolerance);
        }
    }
    let error = stack(&Device::reference()).of_size(7, 8).unwrap_err().to_string();
    assert!(error.contains("crop images to 7×7"), "{error}");
}
