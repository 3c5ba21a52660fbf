//! Gradients of Shape Boltzmann machines: against central differences, the machine without sharing, and enumeration.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod belief;
mod machines;
mod precision;
mod shapes;

use crate::precision::single;
use belief::Recorder;
use machines::{
    chance::{mean_and_error, set},
    distance,
};
use ndarray::{Array1, Axis};
use nn_core::{ACC, Device, Expr, Key, Learner, Tensor, check_gradient};
use nn_rbm::{
    Dbm,
    dbm::{Chains, DbmLearner, LayerGradients},
    units::Bernoulli,
};
use shapes::{PIXELS, START, Shape, machine, tied, tied_biases};

/// The machine without sharing that has the same energy.
fn copied(dbm: &Dbm) -> Dbm {
    let (shape, device) = (Shape::of(dbm), dbm.device());
    let sizes = [shape.biases[1].len(), shape.biases[2].len()];
    let visible = Box::new(Bernoulli::new(device, PIXELS));
    let mut copy = Dbm::new(device, visible, &sizes, None, START, Key::new(3)).unwrap();
    for (layer, name) in ["visible", "hidden1", "hidden2"].into_iter().enumerate() {
        let biases = shape.biases[layer].clone().insert_axis(Axis(0));
        set(&mut copy, &format!("{name}.biases"), &device.tensor_f64(&biases));
        if layer > 0 {
            set(&mut copy, &format!("{name}.weights"), &device.tensor_f64(&shape.weights[layer - 1]));
        }
    }
    copy
}

fn stored(sums: &[nn_core::Sum<'_>], device: &Device) -> Vec<Tensor> {
    let store = |sum: &nn_core::Sum<'_>| {
        let mut out = device.zeros(sum.shape()[0], sum.shape()[1]);
        sum.store(out.view_mut(), ACC);
        out
    };
    sums.iter().map(store).collect()
}

/// In double precision, for any states and means: against central differences of ⟨E⟩_data − ⟨E⟩_model, and equal to the sums
/// over copies of the gradient of the machine without sharing.
#[test]
fn gradients() {
    let device = Device::reference();
    let mut dbm = machine(&device, [2, 2]);
    let noise = |rows: usize, key: Key| {
        let drawn = |units: usize| {
            let mut out = device.zeros(rows, units);
            out.assign(Expr::Uniform(key.fold_in(units as u64)));
            out
        };
        [PIXELS, 8, 2].map(drawn)
    };
    let (data, model) = (noise(4, Key::new(23)), noise(3, Key::new(24)));
    let sides = [&data, &model].map(|states| states.iter().collect::<Vec<_>>());
    let (mut own, mut of_copy) = (LayerGradients::default(), LayerGradients::default());
    let gradients = stored(&own.gradients(&dbm, &sides[0], &sides[1], None, None), &device);
    let copy = copied(&dbm);
    let untied = stored(&of_copy.gradients(&copy, &sides[0], &sides[1], None, None), &device);
    let array = |tensor: &Tensor| tensor.to_array_f64().unwrap();
    let wanted = [
        array(&untied[0]),
        tied(&array(&untied[1])),
        tied_biases(&array(&untied[2]).row(0).to_owned()),
        array(&untied[3]),
        array(&untied[4]),
    ];
    for (at, (found, wanted)) in gradients.iter().zip(&wanted).enumerate() {
        assert!(distance(&array(found), wanted) < 1e-12, "parameter {at}");
    }
    let value = |dbm: &Dbm| {
        let shape = Shape::of(dbm);
        let mean = |states: &[Tensor; 3]| {
            let arrays = states.each_ref().map(array);
            let rows = arrays[0].nrows();
            let row = |layer: usize, case: usize| arrays[layer].row(case).to_owned();
            (0..rows).map(|case| shape.energy(&row(0, case), &[row(1, case), row(2, case)])).sum::<f64>()
                / rows as f64
        };
        Ok(mean(&data) - mean(&model))
    };
    let worst = check_gradient(&mut dbm, &gradients, value).unwrap();
    assert!(worst.relative < 1e-6, "{worst:?}");
}

/// An update of a learner whose chains are fair is, in the mean over 64 of 500 chains, ⟨·⟩ of the model as a sum over all
/// states less ⟨·⟩ of q, summed over copies.
#[test]
fn gradients_in_expectation() {
    let device = single();
    let dbm = machine(&device, [1, 2]);
    let shape = Shape::of(&dbm);
    let inputs = shape.draw(&device, 2, |_| None, Key::new(25))[0].duplicate();
    let outer =
        |a: &Array1<f64>, b: &Array1<f64>| a.view().insert_axis(Axis(1)).dot(&b.view().insert_axis(Axis(0)));
    let mut singles = shape.biases.each_ref().map(|biases| biases * 0.0);
    let mut pairs = shape.weights.each_ref().map(|weights| weights * 0.0);
    let mut add = |p: f64, v: &Array1<f64>, first: &Array1<f64>, second: &Array1<f64>| {
        for (sum, state) in singles.iter_mut().zip([v, first, second]) {
            *sum += &(state * p);
        }
        pairs[0] += &(outer(v, first) * p);
        pairs[1] += &(outer(first, second) * p);
    };
    for (h, p) in shape.hidden.iter().zip(shape.hidden_given(|_| None)) {
        add(p, &shape.mean_visible(&h[0]), &h[0], &h[1]);
    }
    let posterior = dbm.mean_field(inputs.view(), 10);
    let means = [0, 1, 2].map(|layer| posterior.means()[layer].to_array_f64().unwrap());
    for case in 0..2 {
        let [v, first, second] = means.each_ref().map(|array| array.row(case).to_owned());
        add(-0.5, &v, &first, &second);
    }
    let row = |values: &Array1<f64>| values.clone().insert_axis(Axis(0));
    let wanted =
        [row(&singles[0]), tied(&pairs[0]), tied_biases(&singles[1]), pairs[1].clone(), row(&singles[2])];
    let chains = Chains::new(&dbm, 500, Key::new(26)).unwrap();
    let mut learner = DbmLearner::new(dbm, chains, Recorder::default());
    learner.chain_sweeps = 2;
    let mut runs = Vec::new();
    for run in 0..64 {
        let key = Key::new(27).fold_in(run);
        let start = shape.draw(&device, 500, |_| None, key.fold_in(0));
        set(&mut learner.chains, "layer1", &start[1]);
        learner.update(&inputs.duplicate().into(), run, key.fold_in(1));
        runs.push(learner.optimizer.0.clone());
    }
    for (at, wanted) in wanted.iter().enumerate() {
        for (place, exact) in wanted.indexed_iter() {
            let (mean, error) = mean_and_error(runs.iter().map(|run| run[at][place]));
            assert!((mean - exact).abs() < 4.5 * error, "{at} {place:?}: {mean} ± {error}, exactly {exact}");
        }
    }
}
