use super::*;
use crate::Lasso;
use ndarray::{Axis, concatenate};
use nn_core::Key;
use nn_core::checkpoint::Checkpoint;

const SOLVERS: [Solver; 5] =
    [Solver::WorkingSet, Solver::CoordinateDescent, Solver::Fista, Solver::Lars, Solver::FeatureSign];
const RATES: PredictiveRates = PredictiveRates { dictionary: 0.2, predictor: 0.2 };

pub(super) fn normal(rows: usize, columns: usize, key: u64) -> Array2<f64> {
    let key = Key::new(key);
    Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
}

/// With a predictor whose parameters are all of no particular value.
pub(super) fn model(atoms: usize, values: usize, settings: PredictiveSettings) -> PredictiveDecomposition {
    let dictionary = Dictionary::new(normal(atoms, values, 1)).unwrap();
    let mut model = PredictiveDecomposition::new(&dictionary, settings).unwrap();
    model.predictor.weights += &(0.3 * normal(atoms, values, 2));
    model.predictor.biases += &(0.2 * normal(1, atoms, 3)).row(0);
    model.predictor.gains += &(0.2 * normal(1, atoms, 4)).row(0);
    model
}

/// Sums of two atoms with shares of either sign.
fn planted(count: usize) -> Array2<f64> {
    let atoms = Dictionary::normalized(normal(12, 8, 21)).unwrap();
    let key = Key::new(22);
    let mut samples = Array2::zeros((count, 8));
    for (n, mut sample) in samples.rows_mut().into_iter().enumerate() {
        for at in 0..2 {
            let draw = |what: u64| f64::from(key.fold_in(what).uniform((2 * n + at) as u64));
            let sign = if draw(1) < 0.5 { -1.0 } else { 1.0 };
            sample.scaled_add(sign * (0.5 + draw(2)), &atoms.atoms().row((draw(0) * 12.0) as usize));
        }
    }
    samples
}

/// E as it is written, sample by sample.
fn energy(model: &PredictiveDecomposition, samples: &Array2<f64>, codes: &Array2<f64>) -> Vec<f64> {
    let Predictor { weights, biases, gains } = &model.predictor;
    let of = |sample: usize| {
        let (x, z) = (samples.row(sample), codes.row(sample));
        let mut sum = 0.0;
        for value in 0..x.len() {
            let explained: f64 = (0..z.len()).map(|k| z[k] * model.atoms[(k, value)]).sum();
            sum += 0.5 * (x[value] - explained).powi(2);
        }
        for k in 0..z.len() {
            let input: f64 = (0..x.len()).map(|value| weights[(k, value)] * x[value]).sum();
            let off = z[k] - gains[k] * (input + biases[k]).tanh();
            sum += model.settings.lambda * z[k].abs() + 0.5 * model.settings.kappa * off * off;
        }
        sum
    };
    (0..samples.nrows()).map(of).collect()
}

/// The same lasso written out: samples (x, √κ·F) and atoms (d_k, √κ·e_k).
#[test]
fn codes_are_those_of_a_longer_lasso() {
    for kappa in [0.3, 4.0] {
        let settings = PredictiveSettings { tolerance: 1e-11, ..PredictiveSettings::new(0.25, kappa) };
        let model = model(15, 7, settings);
        let samples = normal(9, 7, 5);
        let predictions = model.predictor.predict(samples.view()) * kappa.sqrt();
        let longer = concatenate(Axis(1), &[samples.view(), predictions.view()]).unwrap();
        let corners = Array2::<f64>::eye(15) * kappa.sqrt();
        let atoms = concatenate(Axis(1), &[model.atoms.view(), corners.view()]).unwrap();
        let lasso = Lasso::new(0.25).unwrap().with_solver(Solver::CoordinateDescent);
        let lasso = lasso.with_tolerance(1e-11).unwrap();
        let expected = lasso.encode(&Dictionary::new(atoms).unwrap(), longer.view()).unwrap();
        for solver in SOLVERS {
            let mut model = model.clone();
            model.settings.solver = solver;
            let found = model.encode(samples.view()).unwrap();
            assert!(found.worst_gap() <= 1e-11, "{solver:?}");
            let codes = found.codes.to_dense();
            let off = &codes - &expected.codes.to_dense();
            assert!(off.iter().all(|off| off.abs() < 1e-4), "{solver:?}");
            let energies = energy(&model, &samples, &codes);
            for ((found, expected), energy) in
                found.certificates.iter().zip(&expected.certificates).zip(energies)
            {
                assert!((found.objective - expected.objective).abs() < 1e-9, "{solver:?}");
                assert!((found.objective - energy).abs() < 1e-9, "{solver:?}");
            }
        }
    }
}

#[test]
fn without_a_weight_of_the_prediction_it_is_the_lasso() {
    let model = model(10, 6, PredictiveSettings::new(0.2, 0.0));
    let samples = normal(20, 6, 6);
    let dictionary = Dictionary::new(model.atoms.clone()).unwrap();
    let expected = Lasso::new(0.2).unwrap().encode(&dictionary, samples.view()).unwrap();
    assert_eq!(model.encode(samples.view()).unwrap(), expected);
}

/// Of the minimum over z: the codes are found anew for every difference.
#[test]
fn gradients_are_those_of_the_smallest_energy() {
    let settings = PredictiveSettings { tolerance: 1e-13, ..PredictiveSettings::new(0.2, 0.7) };
    let model = model(6, 4, settings);
    let samples = normal(5, 4, 7);
    let codes = model.encode(samples.view()).unwrap().codes;
    assert!(codes.nonzeros() > 5 && codes.nonzeros() < 30, "{}", codes.nonzeros());
    let gradients = Gradients::at(&model, samples.view(), &codes);
    let value = |model: &PredictiveDecomposition| model.encode(samples.view()).unwrap().mean_objective();
    let check = |name: &str, analytic: f64, of: &dyn Fn(&mut PredictiveDecomposition) -> &mut f64| {
        let at = |offset: f64| {
            let mut moved = model.clone();
            *of(&mut moved) += offset;
            value(&moved)
        };
        let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((analytic - numeric).abs() < 1e-7, "{name}: {analytic} and {numeric}");
    };
    for k in 0..6 {
        for at in 0..4 {
            check("atoms", gradients.atoms[(k, at)], &|model| &mut model.atoms[(k, at)]);
            let slope = gradients.predictor.weights[(k, at)];
            check("weights", slope, &|model| &mut model.predictor.weights[(k, at)]);
        }
        check("biases", gradients.predictor.biases[k], &|model| &mut model.predictor.biases[k]);
        check("gains", gradients.predictor.gains[k], &|model| &mut model.predictor.gains[k]);
    }
}

/// Begun from other atoms than the samples have; both parts learn, twice with the same bits.
#[test]
fn the_predictor_learns_to_predict_codes() {
    let all = planted(700);
    let (samples, held_out) = all.view().split_at(Axis(0), 600);
    let learn = || {
        let dictionary = Dictionary::new(normal(12, 8, 31)).unwrap();
        let mut model = PredictiveDecomposition::new(&dictionary, PredictiveSettings::new(0.1, 1.0)).unwrap();
        let figures = |model: &PredictiveDecomposition| {
            let encoding = model.encode(held_out).unwrap();
            (encoding.mean_objective(), model.relative_prediction_error(held_out, &encoding.codes))
        };
        let before = figures(&model);
        for _ in 0..20 {
            for batch in samples.axis_chunks_iter(Axis(0), 20) {
                model.update(batch, RATES).unwrap();
            }
        }
        let after = figures(&model);
        (model, before, after)
    };
    let (model, before, after) = learn();
    assert!(after.0 < 0.6 * before.0, "energy {} and {}", before.0, after.0);
    assert!(after.1 < 0.5 * before.1, "prediction error {} and {}", before.1, after.1);
    assert_eq!(model.updates(), 600);
    let lengths = model.atoms.rows().into_iter().map(|atom| atom.dot(&atom));
    assert!(lengths.into_iter().all(|square| (square - 1.0).abs() < 1e-12));
    assert_eq!(learn().0, model);
}

#[test]
fn what_was_saved_goes_on_with_the_same_bits() {
    let samples = planted(40);
    let settings = PredictiveSettings::new(0.1, 1.0);
    let mut model = model(12, 8, settings);
    model.update(samples.view(), RATES).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path, "test", Key::new(1)).unwrap();
    let dictionary = |atoms| Dictionary::new(normal(atoms, 8, 9)).unwrap();
    let mut loaded = PredictiveDecomposition::new(&dictionary(12), settings).unwrap();
    loaded.load(&Checkpoint::open(&path, "test").unwrap()).unwrap();
    assert_eq!(loaded, model);
    for model in [&mut model, &mut loaded] {
        model.update(samples.view(), RATES).unwrap();
    }
    assert_eq!(loaded, model);
    let mut smaller = PredictiveDecomposition::new(&dictionary(5), settings).unwrap();
    let before = smaller.clone();
    assert!(smaller.load(&Checkpoint::open(&path, "test").unwrap()).is_err());
    assert_eq!(smaller, before);
}

#[test]
fn what_cannot_be_is_refused() {
    let dictionary = Dictionary::new(normal(3, 2, 1)).unwrap();
    for (lambda, kappa, word) in
        [(0.0, 1.0, "λ"), (f64::NAN, 1.0, "λ"), (1.0, -1.0, "κ"), (1.0, f64::INFINITY, "κ")]
    {
        let settings = PredictiveSettings::new(lambda, kappa);
        let message = PredictiveDecomposition::new(&dictionary, settings).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    }
    let settings = PredictiveSettings { tolerance: 1.0, ..PredictiveSettings::new(1.0, 1.0) };
    assert!(PredictiveDecomposition::new(&dictionary, settings).is_err());
    let nothing = Dictionary::new(Array2::zeros((2, 2))).unwrap();
    let message = PredictiveDecomposition::new(&nothing, PredictiveSettings::new(1.0, 1.0)).unwrap_err();
    assert!(message.to_string().contains("atom 0 has length 0"), "{message}");

    let mut model = model(3, 2, PredictiveSettings::new(0.1, 1.0));
    let before = model.clone();
    let rates = PredictiveRates { predictor: -1.0, ..RATES };
    let message = model.update(normal(2, 2, 3).view(), rates).unwrap_err().to_string();
    assert!(message.contains("rate of the predictor") && message.contains("-1"), "{message}");
    let rates = PredictiveRates { predictor: f64::MAX, ..RATES };
    assert!(model.update((1e3 * normal(2, 2, 3)).view(), rates).is_err());
    assert!(model.update(ndarray::array![[0.0, f64::NAN]].view(), RATES).is_err());
    model.update(Array2::zeros((0, 2)).view(), RATES).unwrap();
    assert_eq!(model, before);
}
