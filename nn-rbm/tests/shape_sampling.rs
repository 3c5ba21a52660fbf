//! Chains of Shape Boltzmann machines against enumeration: free ones, clamped ones, and what these say of hidden pixels.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod precision;
mod shapes;

use crate::precision::single;
use machines::{
    chance::{CHAINS, mean_and_error, set, still},
    values,
};
use ndarray::{Array1, Array2, Axis};
use nn_core::{Key, Parameters, Tensor};
use nn_rbm::{
    Completion,
    dbm::Chains,
    shape::{self, Imputation},
};
use shapes::{HIDDEN, PIXELS, Shape, machine};

fn joined(states: &[Tensor]) -> Tensor {
    let columns = states.iter().map(Tensor::columns).sum();
    let mut out = states[0].device().zeros(states[0].rows(), columns);
    let mut start = 0;
    for tensor in states {
        out.column_range_mut(start..start + tensor.columns()).assign(tensor);
        start += tensor.columns();
    }
    out
}

/// Free sweeps leave p(h) as it is, and pixels at their means.
#[test]
fn chains_do_not_drift() {
    let device = single();
    for hidden in HIDDEN {
        let dbm = machine(&device, hidden);
        let shape = Shape::of(&dbm);
        let probabilities = shape.hidden_given(|_| None);
        let exact = shape.exact(probabilities.clone(), &device);
        let mut chains = Chains::new(&dbm, CHAINS, Key::new(14)).unwrap();
        set(&mut chains, "layer1", &shape.draw(&device, CHAINS, |_| None, Key::new(15))[1]);
        for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
            chains.gibbs(&dbm, sweeps, Key::new(16).fold_in(stage as u64));
            still(&format!("{hidden:?}, stage {stage}"), &exact, &joined(&chains.states()[1..]));
            let states = chains.states()[0].to_array_f64().unwrap();
            for pixel in 0..PIXELS {
                let of = |(h, p): (&[Array1<f64>; 2], &f64)| shape.mean_visible(&h[0])[pixel] * p;
                let wanted: f64 = shape.hidden.iter().zip(&probabilities).map(of).sum();
                let (mean, error) = mean_and_error(states.column(pixel).iter().copied());
                assert!((mean - wanted).abs() < 4.5 * error, "{hidden:?}, pixel {pixel}: {mean} {wanted}");
            }
        }
    }
}

/// The upper half of the image is known.
fn upper(pixel: usize) -> Option<f64> {
    (pixel < 8).then_some([1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0][pixel % 8])
}

/// Clamped sweeps leave p(unknown, h | known) as it is and known pixels alone; what means show is E[v | known]; chains that are
/// given the states of others go on as these.
#[test]
fn clamped_chains_do_not_drift() {
    let device = single();
    for hidden in HIDDEN {
        let dbm = machine(&device, hidden);
        let shape = Shape::of(&dbm);
        let probabilities = shape.hidden_given(upper);
        let exact = shape.exact(probabilities.clone(), &device);
        let [v, _, second] = shape.draw(&device, CHAINS, upper, Key::new(17));
        let known = Array2::from_shape_fn((1, PIXELS), |(_, pixel)| f32::from(u8::from(pixel < 8)));
        let cases = v.to_array().unwrap();
        let new = || Completion::new(&dbm, cases.view(), known.view()).unwrap();
        let mut completion = new();
        completion.start_from(&v);
        set(&mut completion, "layer2", &second);
        let pixel_mean = |pixel: usize| {
            let of = |(h, p): (&[Array1<f64>; 2], &f64)| shape.mean_visible(&h[0])[pixel] * p;
            shape.hidden.iter().zip(&probabilities).map(of).sum::<f64>()
        };
        for (stage, sweeps) in [1, 3, 12].into_iter().enumerate() {
            completion.gibbs(&dbm, sweeps, Key::new(18).fold_in(stage as u64));
            let name = format!("{hidden:?}, stage {stage}");
            still(&name, &exact, &joined(&completion.states()[1..]));
            let states = completion.chains().to_array_f64().unwrap();
            for pixel in 0..PIXELS {
                let column = states.column(pixel);
                match upper(pixel) {
                    Some(value) => assert!(column.iter().all(|v| *v == value), "{name}: {pixel} changed"),
                    None => {
                        let (mean, error) = mean_and_error(column.iter().copied());
                        assert!((mean - pixel_mean(pixel)).abs() < 4.5 * error, "{name}, pixel {pixel}");
                    }
                }
            }
        }
        let mut other = new();
        completion.visit(&mut |name, tensor| set(&mut other, name, tensor));
        completion.gibbs(&dbm, 3, Key::new(19));
        other.gibbs(&dbm, 3, Key::new(19));
        assert_eq!(values(&completion), values(&other));
        let means = completion.means(&dbm, Key::new(20)).to_array_f64().unwrap();
        for pixel in 8..PIXELS {
            let (mean, error) = mean_and_error(means.column(pixel).iter().copied());
            assert!((mean - pixel_mean(pixel)).abs() < 4.5 * error, "{hidden:?}: mean of pixel {pixel}");
        }
    }
}

/// log p of the lower half given the upper one is that of enumeration, within 0.02 nat for 400 chains of 50 states.
#[test]
fn imputation() {
    let device = single();
    let dbm = machine(&device, [2, 2]);
    let shape = Shape::of(&dbm);
    let cases = shape.draw(&device, 3, |_| None, Key::new(21))[0].to_array().unwrap();
    let masks = shape::regions(4, 4, [2, 1]).unwrap();
    for mask in masks.rows() {
        let known = mask.insert_axis(Axis(0));
        let settings = Imputation { chains: 400, burn_in: 20, samples: 50 };
        let found = settings.log_probabilities(&dbm, cases.view(), known, Key::new(22)).unwrap();
        for (case, found) in found.into_iter().enumerate() {
            let value = |pixel: usize| f64::from(cases[[case, pixel]]);
            let given = |pixel: usize| (known[[0, pixel]] == 1.0).then(|| value(pixel));
            let exact = shape.log_sum(|pixel| Some(value(pixel))) - shape.log_sum(given);
            println!("{exact:.4} {found:.4}");
            assert!((found - exact).abs() < 0.02, "case {case}: {found} {exact}");
        }
    }
}
