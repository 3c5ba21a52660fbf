//! The centred gradient and the pull of sparsity, by their definitions, in double precision.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;

use machines::{Machine, Part, distance, randomize};
use ndarray::{Array2, Axis};
use nn_core::{Device, Key, Parameters, Tensor};
use nn_rbm::{GradientAssembly, GradientEstimator, Offsets, Phase, Phases, Rbm, Sparsity, estimator::Exact};

/// All gradients of a machine of one tensor for each layer: W, a, b.
fn three(
    rbm: &Rbm,
    phases: &Phases<'_>,
    offsets: Option<&Offsets>,
    sparsity: Option<&Sparsity>,
) -> [Array2<f64>; 3] {
    let mut assembly = GradientAssembly::default();
    let sums = assembly.gradients(rbm, phases, offsets, sparsity);
    let shapes = [[rbm.visible.len(), rbm.hidden.len()], [1, rbm.visible.len()], [1, rbm.hidden.len()]];
    [0, 1, 2].map(|at| {
        let mut out = rbm.device().zeros(shapes[at][0], shapes[at][1]);
        sums[at].store(out.view_mut(), nn_core::ACC);
        out.to_array_f64().unwrap()
    })
}

/// Calls `work` with the exact phases of a machine of binary units on a few cases of probabilities.
fn with_phases(rbm: &Rbm, batch: &Tensor, work: impl FnOnce(&Phases<'_>)) {
    let mut exact = Exact::new(rbm).unwrap();
    work(&exact.phases(rbm, batch, 0, Key::new(0)));
}

fn binary_machine() -> (Rbm, Tensor) {
    let machine =
        Machine::new(&Device::reference(), "centred", &[Part::Bernoulli(5)], &[Part::Bernoulli(3)], 1.0);
    let batch = machine.cases(4, Key::new(8));
    (machine.rbm, batch)
}

/// The centred gradient by its definition: ⟨(v − μ)(h − λ)⟩ in both phases for the weights, then ∂a − ∂W·λ and
/// ∂b − Wᵀ-wise the same with μ. Sums of few terms in f64: 10⁻⁷ allows for factors in single precision. With offsets of
/// zero nothing changes at all.
#[test]
fn centred() {
    let (rbm, batch) = binary_machine();
    with_phases(&rbm, &batch, |phases| {
        let plain = three(&rbm, phases, None, None);
        let mut offsets = Offsets::new(&rbm, 0.1).unwrap();
        let zero = three(&rbm, phases, Some(&offsets), None);
        for at in 0..3 {
            assert!(distance(&plain[at], &zero[at]) < 1e-15, "offsets of zero change gradient {at}");
        }
        randomize(&mut offsets, 0.0, 1.0, Key::new(9));
        let (mu, lambda) = (offsets.visible.to_array_f64().unwrap(), offsets.hidden.to_array_f64().unwrap());
        let correlation = |phase: &Phase<'_>| {
            let (v, h) = (phase.visible.to_array_f64().unwrap(), phase.hidden.to_array_f64().unwrap());
            let share = Array2::from_elem((v.nrows(), 1), 1.0 / v.nrows() as f64);
            let weights = phase.weights.map_or(share, |weights| weights.to_array_f64().unwrap());
            ((v - &mu) * &weights).t().dot(&(h - &lambda))
        };
        let weights = correlation(&phases.model) - correlation(&phases.data);
        let visible = &plain[1] - &lambda.dot(&weights.t());
        let hidden = &plain[2] - &mu.dot(&weights);
        let found = three(&rbm, phases, Some(&offsets), None);
        for (found, wanted) in found.iter().zip([weights, visible, hidden]) {
            assert!(distance(found, &wanted) < 1e-7, "{}", distance(found, &wanted));
        }
    });
}

/// Offsets and the activity of sparsity follow the data: θ ← (1 − rate)·θ + rate·mean, twice.
#[test]
fn running_means() {
    let (rbm, batch) = binary_machine();
    let (mut offsets, mut sparsity) =
        (Offsets::new(&rbm, 0.25).unwrap(), Sparsity::new(&rbm, 0.125, 0.5, 0.75).unwrap());
    let hidden =
        rbm.mean_hidden(&batch).to_array_f64().unwrap().mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
    let visible = batch.to_array_f64().unwrap().mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
    with_phases(&rbm, &batch, |phases| {
        for _ in 0..2 {
            offsets.follow(phases);
            sparsity.follow(phases);
        }
    });
    let moved = 1.0 - 0.75f64.powi(2);
    assert!(distance(&offsets.visible.to_array_f64().unwrap(), &(visible * moved)) < 1e-7);
    assert!(distance(&offsets.hidden.to_array_f64().unwrap(), &(&hidden * moved)) < 1e-7);
    let activity = hidden * moved + 0.125 * (1.0 - moved);
    assert!(distance(&sparsity.activity().to_array_f64().unwrap(), &activity) < 1e-7);
}

/// Sparsity adds cost·(q − p) to the gradient of hidden biases and ⟨v⟩·cost·(q − p) to that of the weights; centred,
/// the pull on the weights is (⟨v⟩ − μ)·cost·(q − p), as for every other gradient.
#[test]
fn of_sparsity() {
    let (rbm, batch) = binary_machine();
    with_phases(&rbm, &batch, |phases| {
        let mut sparsity = Sparsity::new(&rbm, 0.2, 0.3, 0.5).unwrap();
        sparsity.follow(phases);
        let pull = (sparsity.activity().to_array_f64().unwrap() - f64::from(0.2f32)) * f64::from(0.3f32);
        let mean = batch.to_array_f64().unwrap().mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
        let plain = three(&rbm, phases, None, None);
        let wanted = [&plain[0] + &mean.t().dot(&pull), plain[1].clone(), &plain[2] + &pull];
        let found = three(&rbm, phases, None, Some(&sparsity));
        for (found, wanted) in found.iter().zip(&wanted) {
            assert!(distance(found, wanted) < 1e-7, "{}", distance(found, wanted));
        }
        let mut of_biases = Sparsity::new(&rbm, 0.2, 0.3, 0.5).unwrap().on_biases();
        of_biases.follow(phases);
        let found = three(&rbm, phases, None, Some(&of_biases));
        for (found, wanted) in found.iter().zip([&plain[0], &wanted[1], &wanted[2]]) {
            assert!(distance(found, wanted) < 1e-7, "{}", distance(found, wanted));
        }
        let mut offsets = Offsets::new(&rbm, 0.1).unwrap();
        randomize(&mut offsets, 0.0, 1.0, Key::new(9));
        let (mu, lambda) = (offsets.visible.to_array_f64().unwrap(), offsets.hidden.to_array_f64().unwrap());
        let weights = &wanted[0] - &mu.t().dot(&wanted[2]) - wanted[1].t().dot(&lambda);
        let wanted = [&wanted[1] - &lambda.dot(&weights.t()), &wanted[2] - &mu.dot(&weights)];
        let found = three(&rbm, phases, Some(&offsets), Some(&sparsity));
        for (found, wanted) in found.iter().zip([&weights, &wanted[0], &wanted[1]]) {
            assert!(distance(found, wanted) < 1e-7, "{}", distance(found, wanted));
        }
    });
}

/// A machine for data with all bits flipped that has the same energies: W → −W, a → −a, b → b + Σ W.
fn flipped(rbm: &Rbm, [weights, visible, hidden]: [&Array2<f64>; 3]) -> Rbm {
    let mut other = Rbm::bernoulli(rbm.device(), rbm.visible.len(), rbm.hidden.len(), Key::new(0)).unwrap();
    let sums = weights.sum_axis(Axis(0)).insert_axis(Axis(0));
    let mut values = [-weights, -visible, hidden + &sums].into_iter();
    other.visit_mut(&mut |_, tensor| tensor.view_mut().write_f64(values.next().unwrap().view()));
    other
}

/// A step along the centred gradient, with sparsity, does the same to a machine whether its data are flipped or not
/// (Melchior, Fischer and Wiskott, 2016); along the plain gradient it does not. Equal up to rounding: 10⁻⁷.
#[test]
fn centred_does_not_see_flips() {
    let (rbm, batch) = binary_machine();
    let now: Vec<Array2<f64>> = machines::values(&rbm).into_iter().map(|value| value.1).collect();
    let twin = flipped(&rbm, [&now[0], &now[1], &now[2]]);
    let other_batch = rbm.device().tensor_f64(&(1.0 - batch.to_array_f64().unwrap()));
    let step = |rbm: &Rbm, batch: &Tensor, centred: bool| {
        let mut moved = Vec::new();
        with_phases(rbm, batch, |phases| {
            let (mut offsets, mut sparsity) =
                (Offsets::new(rbm, 1.0).unwrap(), Sparsity::new(rbm, 0.2, 0.3, 0.5).unwrap());
            offsets.follow(phases);
            sparsity.follow(phases);
            let gradients = three(rbm, phases, centred.then_some(&offsets), Some(&sparsity));
            let values = machines::values(rbm);
            moved =
                values.into_iter().zip(gradients).map(|(value, gradient)| value.1 - gradient * 0.5).collect();
        });
        moved
    };
    let disagreement = |centred: bool| {
        let (one, two) = (step(&rbm, &batch, centred), step(&twin, &other_batch, centred));
        let (one, two) = (flipped(&rbm, [&one[0], &one[1], &one[2]]), two);
        machines::values(&one).iter().zip(&two).map(|(a, b)| distance(&a.1, b)).fold(0.0, f64::max)
    };
    let (centred, plain) = (disagreement(true), disagreement(false));
    println!("centred {centred:.1e}, plain {plain:.1e}");
    assert!(centred < 1e-7 && plain > 1e-2, "{centred} {plain}");
}
