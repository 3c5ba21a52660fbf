//! Shape Boltzmann machines against enumeration: the shared weights, conditionals, log Z, mean field, and what is refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod machines;
mod precision;
mod shapes;

use crate::precision::{both, single};
use machines::distance;
use ndarray::{Array1, Array2};
use nn_core::{
    ACC, Device, Key, Tensor,
    init::{self, Initialization},
};
use nn_rbm::{
    Completion, Connection, EnergyModel, Path,
    ais::{Ais, Betas},
    dbm::{LayerOffsets, MeanField},
    partition::log_partition,
    shape::{self, Imputation, Patches, SharedPatches},
    units::Bernoulli,
};
use shapes::{HIDDEN, PIXELS, START, Shape, machine, sigma, tied, untied};

/// What single precision leaves of energies of about ten.
const SINGLE: f64 = 5e-5;

/// Up, down and pairs are those of the matrix with the weights copied to where they act, on top of what was there; also of
/// patches that are not square, in a grid of three by two.
#[test]
fn shared_weights() {
    for (device, tolerance) in both(1e-12, 1e-5) {
        let drawn = |rows, columns, seed| init::normal(&device, rows, columns, 0.7, Key::new(seed));
        let shared = SharedPatches::new(
            &device,
            Patches::new(4, 4, 2),
            3,
            Initialization::Normal { deviation: 0.7 },
            Key::new(4),
        );
        let shared = shared.unwrap();
        assert!(shared.matrix().is_none());
        let (below, above) = (drawn(5, PIXELS, 5), drawn(5, 12, 6));
        let array = |tensor: &Tensor| tensor.to_array_f64().unwrap();
        let matrix = untied(&array(shared.weights()));
        let (mut up, mut down) = (device.full(5, 12, 1.0), device.full(5, PIXELS, 2.0));
        shared.add_up(below.view(), &mut up);
        shared.add_down(above.view(), &mut down);
        assert!(distance(&array(&up), &(array(&below).dot(&matrix) + 1.0)) < tolerance);
        assert!(distance(&array(&down), &(array(&above).dot(&matrix.t()) + 2.0)) < tolerance);
        let mut pairs = device.zeros(9, 3);
        pairs.product(shared.pairs(below.view(), above.view()), ACC);
        let wanted = tied(&array(&below).t().dot(&array(&above)));
        assert!(distance(&array(&pairs), &wanted) < 10.0 * tolerance);

        // Three by two patches of 3 × 4 pixels over 7 × 7, one pixel shared: that of the middle row and last column.
        let patches = Patches { height: 7, width: 7, grid: [3, 2], overlap: 1 };
        let shared = SharedPatches::new(&device, patches, 1, START, Key::new(7)).unwrap();
        assert_eq!(shared.weights().rows(), 3 * 4);
        let mut image = Array2::<f64>::zeros((1, 49));
        image[[0, 2 * 7 + 6]] = 1.0;
        let mut up = device.zeros(1, 6);
        shared.add_up(device.tensor_f64(&image).view(), &mut up);
        let w = array(shared.weights());
        let wanted = [0.0, w[[2 * 4 + 3, 0]], 0.0, w[[3, 0]], 0.0, 0.0];
        assert!(array(&up).iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-7));
    }
}

/// p(s | all other layers) of every unit as draws show it is that of the energy of one state against the other.
#[test]
fn conditionals() {
    let device = single();
    let (dbm, count) = (machine(&device, [2, 2]), 4000);
    let shape = Shape::of(&dbm);
    for seed in 0..3 {
        let one = shape.draw(&device, 1, |_| None, Key::new(8).fold_in(seed));
        let state = one.each_ref().map(|tensor| tensor.to_array_f64().unwrap().row(0).to_owned());
        for layer in 0..3 {
            let mut states =
                dbm.layered().layers.iter().map(|u| device.zeros(count, u.len())).collect::<Vec<_>>();
            states.iter_mut().zip(&one).for_each(|(all, one)| all.assign(one));
            dbm.layered().sample(layer, &mut states, Key::new(9).fold_in(seed));
            let drawn = states[layer].to_array_f64().unwrap();
            for unit in 0..state[layer].len() {
                let energy = |value: f64| {
                    let mut other = state.clone();
                    other[layer][unit] = value;
                    let [v, first, second] = other;
                    shape.energy(&v, &[first, second])
                };
                let exact = sigma(energy(0.0) - energy(1.0));
                let error = (exact * (1.0 - exact) / count as f64).sqrt();
                let found = drawn.column(unit).mean().unwrap();
                assert!((found - exact).abs() < 4.5 * error, "layer {layer}, unit {unit}: {found} {exact}");
            }
        }
    }
}

/// By enumeration, and by annealed importance sampling from both sides within four standard errors and 0.05 nat.
#[test]
fn log_z() {
    for hidden in HIDDEN {
        let exact = Shape::of(&machine(&Device::reference(), hidden)).log_z;
        for (device, close) in both(1e-10, SINGLE) {
            let found = log_partition(&machine(&device, hidden)).unwrap();
            assert!((found - exact).abs() < close, "{hidden:?}: {found} {exact}");
        }
        let device = single();
        let dbm = machine(&device, hidden);
        let shape = Shape::of(&dbm);
        let ais = Ais::new(Path::from_model(&dbm), Betas::uniform(200).unwrap());
        let states = shape.draw(&device, 400, |_| None, Key::new(10));
        let forward = ais.forward(&dbm, 400, Key::new(11)).unwrap();
        let reverse = ais.reverse_from(&dbm, &states, Key::new(12)).unwrap();
        assert!((forward.log_partition_of_base - exact).abs() > 0.5, "nothing to estimate");
        for estimate in [forward, reverse] {
            let off = estimate.log_partition - exact;
            println!("{hidden:?}: {exact:.3} {off:+.4} ± {:.4}", estimate.standard_error);
            assert!(off.abs() < 4.0 * estimate.standard_error && off.abs() < 0.05, "{estimate:?}");
        }
    }
}

/// No update of mean field lowers the bound of any case; it is never above log p(v), and is E_q[log p(v, h) − log q(h)].
#[test]
fn mean_field() {
    for (device, (rounding, close)) in both((1e-12, 1e-10), (SINGLE, SINGLE)) {
        for hidden in HIDDEN {
            let dbm = machine(&device, hidden);
            let shape = Shape::of(&dbm);
            let inputs = shape.draw(&device, 20, |_| None, Key::new(13))[0].duplicate();
            let mut posterior = MeanField::new(&dbm, 20, false);
            posterior.start(&dbm, inputs.view(), None);
            let bounds = |posterior: &MeanField| posterior.bound(&dbm).to_array_f64().unwrap() - shape.log_z;
            let start = bounds(&posterior);
            let mut before = start.clone();
            for update in 0..12 {
                posterior.update(&dbm, 1 + update % 2);
                let after = bounds(&posterior);
                assert!(after.iter().zip(&before).all(|(a, b)| *a >= b - rounding), "{hidden:?}: {update}");
                before = after;
            }
            assert!(before.iter().zip(&start).any(|(a, b)| *a > b + 1e-3), "{hidden:?}: nothing moved");
            let [v, first, second] = [0, 1, 2].map(|layer| posterior.means()[layer].to_array_f64().unwrap());
            for (case, bound) in before.iter().enumerate() {
                let v = v.row(case).to_owned();
                let exact = shape.log_probability(v.as_slice().unwrap());
                assert!(*bound <= exact + rounding, "{hidden:?}: {bound} {exact}");
                let q = |h: &[Array1<f64>; 2]| -> f64 {
                    let of = |s: &Array1<f64>, m: ndarray::ArrayView1<'_, f64>| {
                        s.iter().zip(m).map(|(s, m)| s * m + (1.0 - s) * (1.0 - m)).product::<f64>()
                    };
                    of(&h[0], first.row(case)) * of(&h[1], second.row(case))
                };
                let summed: f64 =
                    shape.hidden.iter().map(|h| q(h) * (-shape.energy(&v, h) - q(h).ln())).sum();
                assert!((bound - (summed - shape.log_z)).abs() < close, "{hidden:?}: {bound} {summed}");
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let device = Device::cpu();
    let new = |pixels: usize, patches: Patches, hidden: [usize; 2]| {
        let visible = Box::new(Bernoulli::new(&device, pixels));
        let made = shape::machine(&device, visible, patches, hidden, START, Key::new(1));
        made.map(drop).unwrap_err().to_string()
    };
    assert_eq!(
        new(15, Patches::new(4, 4, 2), [1, 1]),
        "visible units is 15, but an image of 4×4 has 16 pixels"
    );
    let message = new(16, Patches::new(4, 4, 1), [1, 1]);
    assert!(message.starts_with("patches down is 2 with an overlap of 1"), "{message}");
    assert!(new(24, Patches::new(4, 6, 4), [1, 1]).starts_with("patches down is 2 with an overlap of 4"));
    let none = Patches { grid: [2, 0], ..Patches::new(4, 4, 2) };
    assert!(new(16, none, [1, 1]).starts_with("patches across is 0"));
    assert!(new(16, Patches::new(4, 4, 2), [0, 1]).starts_with("units of a patch is 0"));
    assert!(new(16, Patches::new(4, 4, 2), [1, 0]).starts_with("units of the second hidden layer is 0"));

    let dbm = machine(&device, [1, 2]);
    let (cases, mask) = (Array2::<f32>::zeros((2, PIXELS)), Array2::<f32>::ones((1, PIXELS)));
    let refused = |made: Result<Completion, nn_core::Error>, part: &str| {
        let message = made.map(drop).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(Completion::new(&dbm, Array2::zeros((2, 9)).view(), mask.view()), "columns of the cases is 9");
    refused(Completion::new(&dbm, cases.view(), Array2::ones((1, 9)).view()), "shape of the mask is 1×9");
    refused(
        Completion::new(&dbm, cases.view(), Array2::ones((3, PIXELS)).view()),
        "shape of the mask is 3×16",
    );
    let settings = Imputation { chains: 0, burn_in: 0, samples: 1 };
    let message = settings.log_probabilities(&dbm, cases.view(), mask.view(), Key::new(1)).unwrap_err();
    assert!(message.to_string().starts_with("imputation is 0 chains and 1 samples"), "{message}");
    let message = LayerOffsets::new(&dbm, 0.1).unwrap_err().to_string();
    assert!(message.starts_with("centring is shared weights"), "{message}");
    let message = dbm.classifier(2, START, Key::new(1)).map(drop).unwrap_err().to_string();
    assert!(message.contains("only Bernoulli and Gaussian units"), "{message}");
    let bottom = || {
        let visible = Box::new(Bernoulli::new(&device, PIXELS));
        shape::bottom(&device, visible, Patches::new(4, 4, 2), 2, START, Key::new(1)).unwrap()
    };
    let message = shape::compose(bottom(), bottom()).map(drop).unwrap_err().to_string();
    assert!(message.starts_with("machines to compose is 1 and 1 hidden layers, 8 and 16 units"), "{message}");
}
