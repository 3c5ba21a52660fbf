//! Independent components, subspaces and maps: gradients on the oracle, planted sources, orthonormality, resumption.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::atomic::AtomicBool;

use ndarray::{Array2, ArrayView2, Axis, arr2};
use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{Binarize, Dataset, Device, Fit, Key, Parameters, Penalty, Sgd, Tensor, check_gradient};
use nn_data::{Whitening, WhiteningKind};
use nn_sparse::{
    Descent, Edge, FastIca, HostFunction, Lbfgs, Neighborhood, Objective, ObjectiveLearner,
    OrthonormalDescent, ReconstructionIca, ReconstructionIcaSettings, TopographicIca, topography,
};

struct Weights(Tensor);

impl Parameters for Weights {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.0);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.0);
    }
}

fn normal([rows, columns]: [usize; 2], key: Key) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
}

/// Neighbourhoods of six units of every kind.
fn neighborhoods() -> Vec<Neighborhood> {
    let any = arr2(&[
        [1.0, 2.0, 0.0, 0.0, 0.5, 0.0],
        [0.0, 0.0, 3.0, 1.0, 0.0, 0.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    ]);
    vec![
        Neighborhood::alone(6).unwrap(),
        Neighborhood::subspaces(6, 2).unwrap(),
        Neighborhood::grid([3, 2], 1, Edge::Open).unwrap(),
        Neighborhood::grid([2, 3], 1, Edge::Torus).unwrap(),
        Neighborhood::ring(6, 1).unwrap(),
        Neighborhood::any(any.view()).unwrap(),
    ]
}

fn check(objective: &mut dyn Objective, values: usize) {
    let (device, key) = (Device::reference(), Key::new(2));
    let inputs = device.tensor_f64(&normal([7, values], key));
    let mut weights = Weights(device.tensor_f64(&normal(objective.shape(), key.fold_in(1))));
    let mut gradient = device.zeros(weights.0.rows(), weights.0.columns());
    objective.evaluate(&weights.0, &inputs, Some(&mut gradient));
    let worst = check_gradient(&mut weights, &[gradient], |weights| {
        objective.evaluate(&weights.0, &inputs, None).read()
    });
    let worst = worst.unwrap();
    assert!(worst.relative < 1e-6, "{objective:?}: {worst:?}");
}

#[test]
fn gradients_agree_with_central_differences() {
    let device = Device::reference();
    for map in neighborhoods() {
        check(&mut TopographicIca::new(&device, &map, 6, 0.1).unwrap(), 6);
        for unit_rows in [false, true] {
            let settings = ReconstructionIcaSettings { sparsity_weight: 0.3, epsilon: 0.01, unit_rows };
            check(&mut ReconstructionIca::new(&device, &map, 4, settings).unwrap(), 4);
        }
    }
}

/// The reconstruction by way of the second moments is the one of each case.
#[test]
fn the_reconstruction_is_that_of_the_cases() {
    let (device, key) = (Device::reference(), Key::new(3));
    let (inputs, weights) = (normal([9, 4], key), normal([6, 4], key.fold_in(1)));
    let settings = ReconstructionIcaSettings { sparsity_weight: 0.0, epsilon: 1.0, unit_rows: false };
    let map = Neighborhood::alone(6).unwrap();
    let mut objective = ReconstructionIca::new(&device, &map, 4, settings).unwrap();
    let rebuilt = inputs.dot(&weights.t()).dot(&weights);
    let wanted = 0.5 * (rebuilt - &inputs).mapv(|off| off * off).sum() / 9.0;
    let value =
        objective.evaluate(&device.tensor_f64(&weights), &device.tensor_f64(&inputs), None).read().unwrap();
    assert!((value - wanted).abs() < 1e-10 * wanted, "{value}, not {wanted}");
}

/// Laplace sources, mixed and whitened: white cases and the matrix that should be the identity but for order, sign and scale
/// if it is multiplied by what was learned from the left.
fn mixture(sources: usize, cases: usize, key: Key) -> (Array2<f64>, Array2<f64>) {
    let laplace = Array2::from_shape_fn((cases, sources), |(i, j)| {
        let u = f64::from(key.uniform((i * sources + j) as u64)) - 0.5 + 1e-9;
        -u.signum() * (1.0 - 2.0 * u.abs()).max(1e-9).ln()
    });
    let mixing = normal([sources, sources], key.fold_in(1));
    let mixed = laplace.dot(&mixing.t()).mapv(|value| value as f32);
    let whitening = Whitening::of(mixed.view(), WhiteningKind::Pca, 0.0, None).unwrap();
    let white = whitening.apply(mixed.view()).mapv(f64::from);
    (white, whitening.matrix().dot(&mixing))
}

/// Amari's index of how far a matrix is from one with a single entry a row and column: 0 to 1.
fn amari(matrix: ArrayView2<'_, f64>) -> f64 {
    let size = matrix.nrows() as f64;
    let excess = |axis: Axis| -> f64 {
        let of = |lane: ndarray::ArrayView1<'_, f64>| {
            let largest = lane.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
            lane.iter().map(|value| value.abs()).sum::<f64>() / largest - 1.0
        };
        matrix.lanes(axis).into_iter().map(of).sum()
    };
    (excess(Axis(0)) + excess(Axis(1))) / (2.0 * size * (size - 1.0))
}

fn is_orthonormal(weights: &Array2<f64>) -> bool {
    let gram = weights.dot(&weights.t());
    (&gram - &Array2::<f64>::eye(weights.nrows())).iter().all(|off| off.abs() < 1e-6)
}

#[test]
fn planted_sources_are_found() {
    let (white, mixing) = mixture(8, 10_000, Key::new(5));
    let device = Device::cpu();
    let inputs = device.tensor_f64(&white);
    let covariance_is_one = |weights: &Array2<f64>| {
        let outputs = white.dot(&weights.t());
        let covariance = outputs.t().dot(&outputs) / 10_000.0;
        (&covariance - &Array2::<f64>::eye(8)).iter().all(|off| off.abs() < 1e-4)
    };
    let check = |weights: Array2<f64>, bound: f64, who: &str| {
        let index = amari(weights.dot(&mixing).view());
        assert!(index < bound, "{who}: {index}");
        assert!(is_orthonormal(&weights) && covariance_is_one(&weights), "{who}");
    };

    let mut fast = FastIca::new(&device, 8, 8, Key::new(6)).unwrap();
    let steps = (0..100).position(|_| fast.step(&inputs).unwrap() < 1e-5);
    assert!(steps.is_some());
    check(fast.weights().to_array_f64().unwrap(), 0.05, "FastICA");

    let alone = Neighborhood::alone(8).unwrap();
    let mut objective = TopographicIca::new(&device, &alone, 8, 0.01).unwrap();
    let mut descent = OrthonormalDescent::new(&objective, Key::new(7)).unwrap();
    let mut last = f64::INFINITY;
    for _ in 0..25 {
        let step = descent.step(&mut objective, &inputs).unwrap();
        assert!(step.value <= last, "{step:?} after {last}");
        last = step.value;
    }
    check(descent.weights().to_array_f64().unwrap(), 0.05, "descent");

    // With little weight on the sparsity, the reconstruction makes the rows orthonormal: the link to ICA.
    let settings = ReconstructionIcaSettings { sparsity_weight: 0.01, epsilon: 1e-3, unit_rows: false };
    let mut objective = ReconstructionIca::new(&device, &alone, 8, settings).unwrap();
    let mut function = HostFunction::new(&mut objective, &inputs).unwrap();
    let start = normal([8, 8], Key::new(8)) * 0.3;
    let mut lbfgs = Lbfgs::new(start.into_iter().collect(), 10).unwrap();
    lbfgs.tolerance = 1e-6;
    for _ in 0..120 {
        if lbfgs.step(&mut |x: &[f64], g: &mut [f64]| function.evaluate(x, g)).unwrap() != Descent::Moved {
            break;
        }
    }
    let weights = Array2::from_shape_vec((8, 8), lbfgs.point().to_vec()).unwrap();
    let gram = weights.dot(&weights.t());
    assert!((&gram - &Array2::<f64>::eye(8)).iter().all(|off| off.abs() < 0.03), "{gram:.3}");
    let index = amari(weights.dot(&mixing).view());
    assert!(index < 0.05, "reconstruction ICA: {index}");
}

/// Pairs of sources that share a scale: subspace ICA puts them together, as their energies go together. It has local minima,
/// in which pairs are mixed; the best of a few starts counts.
#[test]
fn subspaces_of_energies_that_go_together_are_found() {
    let (key, cases) = (Key::new(9), 3_000);
    let sources = Array2::from_shape_fn((cases, 4), |(i, j)| {
        let scale = f64::from(key.fold_in(1).uniform((i * 2 + j / 2) as u64)).powi(2) * 5f64.sqrt();
        scale * key.normal((i * 4 + j) as u64)
    });
    let mixing = normal([4, 4], key.fold_in(2));
    let mixed = sources.dot(&mixing.t()).mapv(|value| value as f32);
    let whitening = Whitening::of(mixed.view(), WhiteningKind::Pca, 0.0, None).unwrap();
    let device = Device::cpu();
    let inputs = device.tensor(&whitening.apply(mixed.view()));
    let map = Neighborhood::subspaces(4, 2).unwrap();
    let mut objective = TopographicIca::new(&device, &map, 4, TopographicIca::EPSILON).unwrap();
    let mut best = (f64::INFINITY, Array2::zeros((0, 0)));
    for start in 0..4 {
        let mut descent = OrthonormalDescent::new(&objective, key.fold_in(10 + start)).unwrap();
        let mut value = f64::INFINITY;
        for _ in 0..40 {
            value = descent.step(&mut objective, &inputs).unwrap().value;
        }
        if value < best.0 {
            best = (value, descent.weights().to_array_f64().unwrap());
        }
    }
    let weights = best.1;
    let found = weights.dot(&whitening.matrix()).dot(&mixing);
    // Of each pair of units, nearly all the weight is on one pair of sources.
    for pair in found.axis_chunks_iter(Axis(0), 2) {
        let shares: Vec<f64> =
            pair.axis_chunks_iter(Axis(1), 2).map(|part| part.mapv(|value| value * value).sum()).collect();
        let largest = shares.iter().copied().fold(0.0, f64::max);
        assert!(largest > 0.97 * shares.iter().sum::<f64>(), "{shares:?}");
    }
    let outputs = inputs.to_array_f64().unwrap().dot(&weights.t());
    let energies = topography::energy_correlation(outputs.view(), &map.pairs()).unwrap();
    assert!(energies.neighbors > 2.0 * energies.all, "{energies:?}");
}

/// Sources on a ring whose scales are smoothed noise: the order of the ring is the one of the least objective.
#[test]
fn energies_that_go_together_belong_next_to_each_other() {
    let (key, cases, units) = (Key::new(11), 2_000, 8);
    let sources = Array2::from_shape_fn((cases, units), |(i, j)| {
        let local = |at: usize| key.fold_in(1).normal((i * units + at % units) as u64).powi(2);
        let scale = (local(j) + local(j + 1) + local(j + units - 1)) / 3.0;
        scale * key.normal((i * units + j) as u64)
    });
    let deviations = sources.map_axis(Axis(0), |source| (source.dot(&source) / cases as f64).sqrt());
    let device = Device::reference();
    let inputs = device.tensor_f64(&(sources / &deviations));
    let map = Neighborhood::ring(units, 1).unwrap();
    let mut objective = TopographicIca::new(&device, &map, units, TopographicIca::EPSILON).unwrap();
    let mut value = |order: [usize; 8]| {
        let weights = Array2::from_shape_fn((units, units), |(unit, source)| {
            f64::from(u8::from(order[unit] == source))
        });
        objective.evaluate(&device.tensor_f64(&weights), &inputs, None).read().unwrap()
    };
    let ordered = value([0, 1, 2, 3, 4, 5, 6, 7]);
    assert!((value([3, 2, 1, 0, 7, 6, 5, 4]) - ordered).abs() < 1e-9 * ordered, "the ring turned round");
    for other in [
        [0, 2, 4, 6, 1, 3, 5, 7],
        [0, 4, 1, 5, 2, 6, 3, 7],
        [1, 0, 2, 3, 4, 5, 6, 7],
        [0, 1, 2, 6, 4, 5, 3, 7],
    ] {
        assert!(value(other) > ordered, "{other:?}");
    }
}

#[test]
fn a_descent_that_is_resumed_goes_where_the_other_went() {
    let (white, ..) = mixture(4, 300, Key::new(13));
    let device = Device::cpu();
    let inputs = device.tensor_f64(&white);
    let map = Neighborhood::ring(4, 1).unwrap();
    let mut objective = TopographicIca::new(&device, &map, 4, 0.1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("map.safetensors");
    let mut through = OrthonormalDescent::new(&objective, Key::new(1)).unwrap();
    let mut resumed = OrthonormalDescent::new(&objective, Key::new(2)).unwrap();
    for step in 0..12 {
        through.step(&mut objective, &inputs).unwrap();
        if step == 4 {
            checkpoint::save(&path, &Header::new("map", 5, Key::new(1)), &through).unwrap();
        }
    }
    Checkpoint::open(&path, "map").unwrap().load_into(&mut resumed).unwrap();
    for _ in 5..12 {
        resumed.step(&mut objective, &inputs).unwrap();
    }
    assert_eq!(through.weights().to_array().unwrap(), resumed.weights().to_array().unwrap());
}

/// The state of L-BFGS goes through a file without losing a bit.
#[test]
fn lbfgs_is_resumed_from_a_file() {
    let (white, ..) = mixture(4, 300, Key::new(14));
    let device = Device::cpu();
    let inputs = device.tensor_f64(&white);
    let map = Neighborhood::grid([2, 3], 1, Edge::Torus).unwrap();
    let settings = ReconstructionIcaSettings { sparsity_weight: 0.1, epsilon: 0.01, unit_rows: true };
    let mut objective = ReconstructionIca::new(&device, &map, 4, settings).unwrap();
    let mut function = HostFunction::new(&mut objective, &inputs).unwrap();
    let mut function = |x: &[f64], g: &mut [f64]| function.evaluate(x, g);
    let start = || Lbfgs::new(normal([6, 4], Key::new(15)).into_iter().collect(), 5).unwrap();
    let (mut through, mut resumed) = (start(), start());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lbfgs.safetensors");
    for step in 0..14 {
        through.step(&mut function).unwrap();
        if step == 6 {
            checkpoint::save(
                &path,
                &Header::new("lbfgs", 7, Key::new(1)),
                &through.snapshot(&Device::reference()),
            )
            .unwrap();
        }
    }
    let mut snapshot = resumed.snapshot(&Device::reference());
    Checkpoint::open(&path, "lbfgs").unwrap().load_into(&mut snapshot).unwrap();
    resumed.restore(&snapshot).unwrap();
    for _ in 7..14 {
        resumed.step(&mut function).unwrap();
    }
    assert_eq!(through.point(), resumed.point());
}

/// C of the cases that are fixed is kept, and no longer than they are fixed.
#[test]
fn fixed_cases_count_until_they_are_let_go() {
    let device = Device::cpu();
    let [first, second] = [16, 17].map(|key| device.tensor_f64(&normal([30, 4], Key::new(key))));
    let map = Neighborhood::alone(6).unwrap();
    let settings = ReconstructionIcaSettings { sparsity_weight: 0.1, epsilon: 0.01, unit_rows: false };
    let start = normal([6, 4], Key::new(18));
    let weights = device.tensor_f64(&start);
    let fresh = |inputs| {
        let mut objective = ReconstructionIca::new(&device, &map, 4, settings).unwrap();
        objective.evaluate(&weights, inputs, None).read().unwrap()
    };
    let mut objective = ReconstructionIca::new(&device, &map, 4, settings).unwrap();
    for inputs in [&first, &second] {
        let mut function = HostFunction::new(&mut objective, inputs).unwrap();
        let start: Vec<f64> = start.iter().copied().collect();
        for _ in 0..2 {
            let found = function.evaluate(&start, &mut vec![0.0; start.len()]).unwrap();
            assert!((found - fresh(inputs)).abs() < 1e-5 * found, "{found}");
        }
    }
    assert_eq!(objective.evaluate(&weights, &first, None).read().unwrap(), fresh(&first));
}

#[test]
fn minibatches_come_near_what_lbfgs_finds() {
    let (white, ..) = mixture(4, 2_000, Key::new(16));
    let device = Device::cpu();
    let map = Neighborhood::alone(4).unwrap();
    let settings = ReconstructionIcaSettings { sparsity_weight: 0.2, epsilon: 0.01, unit_rows: false };
    let objective = || ReconstructionIca::new(&device, &map, 4, settings).unwrap();
    let start = normal([4, 4], Key::new(17)) * 0.3;
    let inputs = device.tensor_f64(&white);

    let mut whole = objective();
    let mut function = HostFunction::new(&mut whole, &inputs).unwrap();
    let mut lbfgs = Lbfgs::new(start.iter().copied().collect(), 10).unwrap();
    while lbfgs.step(&mut |x: &[f64], g: &mut [f64]| function.evaluate(x, g)).unwrap() == Descent::Moved {}

    let data = Dataset::new(&device, white.mapv(|value| value as f32).view(), Binarize::Never).unwrap();
    let sgd = |parameters: &dyn Parameters| Sgd::new(parameters, 0.02, 0.9, Penalty::default());
    let mut learner = ObjectiveLearner::new(objective(), device.tensor_f64(&start), sgd).unwrap();
    Fit::new(15, 50, Key::new(18)).run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
    let found = objective().evaluate(learner.weights(), &inputs, None).read().unwrap();
    assert!(
        found < 1.02 * lbfgs.value() && found > lbfgs.value() - 1e-4,
        "{found} by minibatches, {}",
        lbfgs.value()
    );
}

#[test]
fn what_cannot_work_is_refused() {
    let device = Device::cpu();
    let map = Neighborhood::grid([3, 3], 1, Edge::Torus).unwrap();
    let message = |result: Result<TopographicIca, nn_core::Error>| result.unwrap_err().to_string();
    assert!(message(TopographicIca::new(&device, &map, 8, 0.1)).contains("number of units is 9"));
    assert!(message(TopographicIca::new(&device, &map, 9, 0.0)).contains("ε under the root is 0"));
    let settings = ReconstructionIcaSettings { sparsity_weight: -1.0, epsilon: 0.1, unit_rows: false };
    let error = ReconstructionIca::new(&device, &map, 4, settings).unwrap_err().to_string();
    assert!(error.contains("weight of the sparsity is -1"), "{error}");
    assert!(
        FastIca::new(&device, 3, 2, Key::new(1)).unwrap_err().to_string().contains("number of units is 3")
    );
    let mut objective = TopographicIca::new(&device, &map, 9, 0.1).unwrap();
    let mut descent = OrthonormalDescent::new(&objective, Key::new(1)).unwrap();
    let error = descent.step(&mut objective, &device.zeros(5, 8)).unwrap_err().to_string();
    assert!(error.contains("cases of 8 values"), "{error}");
    assert!(descent.step(&mut objective, &device.full(5, 9, f32::NAN)).is_err());
    assert!(
        HostFunction::new(&mut objective, &device.zeros(0, 9)).unwrap_err().to_string().contains("no cases")
    );
}
