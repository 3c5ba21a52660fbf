use super::super::gradients::Gradients;
use super::super::tests::{model, normal};
use super::super::{PredictiveDecomposition, PredictiveSettings};
use super::*;
use crate::{Dictionary, Lasso, Lbfgs};
use ndarray::{Array1, Array2, ArrayView1};

const ATOMS: usize = 12;
const VALUES: usize = 7;
const EPSILON: f64 = 0.01;

fn overlapping() -> Neighborhood {
    Neighborhood::windows([2, 6], 2, 2, 1.0).unwrap()
}

/// Windows that share units, so that nothing is separable.
fn maps() -> [Neighborhood; 3] {
    let wide = Neighborhood::windows([3, 4], 3, 1, 1.2).unwrap();
    [Neighborhood::alone(ATOMS).unwrap(), overlapping(), wide]
}

fn with(map: &Neighborhood, epsilon: f64, settings: PredictiveSettings) -> PredictiveDecomposition {
    model(ATOMS, VALUES, settings).with_windows(map, epsilon).unwrap()
}

/// E as it is written, and its slope over z.
fn energy(
    model: &PredictiveDecomposition,
    map: &Neighborhood,
    epsilon: f64,
    x: ArrayView1<'_, f64>,
    z: &Array1<f64>,
) -> (f64, Array1<f64>) {
    let PredictiveSettings { lambda, kappa, .. } = model.settings;
    let residual = &x - &model.atoms.t().dot(z);
    let prediction = model.predictor.predict(x.insert_axis(ndarray::Axis(0))).row(0).to_owned();
    let off = z - &prediction;
    let h = map.matrix();
    let roots = (h.dot(&z.mapv(|z| z * z)) + epsilon).mapv(f64::sqrt);
    let value = 0.5 * residual.dot(&residual) + lambda * roots.sum() + 0.5 * kappa * off.dot(&off);
    let slope =
        model.atoms.dot(&residual) * -1.0 + z * &h.t().dot(&roots.mapv(f64::recip)) * lambda + off * kappa;
    (value, slope)
}

/// The minimum by a solver that knows nothing of pools.
fn smallest(
    model: &PredictiveDecomposition,
    map: &Neighborhood,
    epsilon: f64,
    x: ArrayView1<'_, f64>,
) -> (f64, Array1<f64>) {
    let mut lbfgs = Lbfgs::new(vec![0.1; ATOMS], 10).unwrap();
    lbfgs.tolerance = 1e-9;
    let mut function = |z: &[f64], slope: &mut [f64]| {
        let (value, found) = energy(model, map, epsilon, x, &Array1::from(z.to_vec()));
        slope.copy_from_slice(found.as_slice().unwrap());
        Ok(value)
    };
    while lbfgs.step(&mut function).unwrap() == crate::Descent::Moved {}
    (lbfgs.value(), Array1::from(lbfgs.point().to_vec()))
}

#[test]
fn codes_are_those_of_another_solver() {
    let samples = normal(6, VALUES, 5);
    for map in maps() {
        for kappa in [0.0, 0.8] {
            let settings = PredictiveSettings { tolerance: 1e-11, ..PredictiveSettings::new(0.3, kappa) };
            let model = with(&map, EPSILON, settings);
            let found = model.encode(samples.view()).unwrap();
            assert!(found.worst_gap() <= 1e-11 && found.count(Status::Unconverged) == 0);
            let codes = found.codes.to_dense();
            for (at, certificate) in found.certificates.iter().enumerate() {
                let x = samples.row(at);
                let (wanted, code) = smallest(&model, &map, EPSILON, x);
                let (value, slope) = energy(&model, &map, EPSILON, x, &codes.row(at).to_owned());
                assert!((certificate.objective - value).abs() < 1e-10, "{certificate:?}, not {value}");
                assert!((value - wanted).abs() < 1e-9, "{value}, not {wanted}");
                let violation = slope.iter().fold(0.0f64, |worst, slope| slope.abs().max(worst)) / 0.3;
                assert!((certificate.violation - violation).abs() < 1e-8);
                let off = &codes.row(at) - &code;
                assert!(kappa == 0.0 || off.iter().all(|off| off.abs() < 1e-4), "{off}");
            }
        }
    }
}

/// Also where steps are few and begin far away; and the gap is never below what is missing.
#[test]
fn the_energy_never_rises_and_the_gap_bounds_what_is_missing() {
    let samples = normal(5, VALUES, 8);
    for map in maps() {
        for (kappa, epsilon) in [(0.0, EPSILON), (0.5, EPSILON), (0.5, 1e-8)] {
            let model = with(&map, epsilon, PredictiveSettings::new(0.3, kappa));
            let dictionary = Dictionary::new(model.atoms.clone()).unwrap();
            let mut gram = dictionary.gram_rows().to_vec();
            gram.iter_mut().step_by(ATOMS + 1).for_each(|square| *square += kappa);
            let windows = Windows::new(&map, ATOMS, epsilon).unwrap();
            for x in samples.rows() {
                let prediction = model.predictor.predict(x.insert_axis(ndarray::Axis(0))).row(0).to_owned();
                let products = (model.atoms.dot(&x) + &prediction * kappa).to_vec();
                let square = x.dot(&x) + kappa * prediction.dot(&prediction);
                let problem = Problem {
                    gram: &gram,
                    products: &products,
                    square,
                    lambda: 0.3,
                    ridge: 0.0,
                    positive: false,
                };
                let start = (normal(1, ATOMS, 9) * 3.0).into_raw_vec_and_offset().0;
                let (best, _) = windows.solve(&problem, start.clone(), 1e-12, 5000);
                let least = energy(&model, &map, epsilon, x, &Array1::from(best)).0;
                let mut search = Search::new(&windows, &problem, start);
                let at = |search: &Search<'_>| {
                    energy(&model, &map, epsilon, x, &Array1::from(search.code.clone())).0
                };
                let (first, mut last) = (at(&search), f64::INFINITY);
                for _ in 0..60 {
                    let value = at(&search);
                    assert!(value <= last + 1e-12 * first, "{value} after {last}");
                    let gap = search.certificate().gap;
                    assert!(value - least <= gap + 1e-9, "{value} is {gap} above at most {least}");
                    last = value;
                    if !search.step() {
                        break;
                    }
                }
                assert!(last - least < 1e-3 * (first - least), "{first} {last} {least}");
            }
        }
    }
}

/// λ Σ √(ε + z²) lies between λ‖z‖₁ and that plus λ√ε a unit.
#[test]
fn units_alone_with_a_small_epsilon_are_the_lasso() {
    let (epsilon, samples) = (1e-10, normal(8, VALUES, 6));
    let settings = PredictiveSettings { tolerance: 1e-6, ..PredictiveSettings::new(0.3, 0.0) };
    let model = with(&Neighborhood::alone(ATOMS).unwrap(), epsilon, settings);
    let dictionary = Dictionary::new(model.atoms.clone()).unwrap();
    let lasso = Lasso::new(0.3).unwrap().encode(&dictionary, samples.view()).unwrap();
    let found = model.encode(samples.view()).unwrap();
    assert_eq!(found.count(Status::Unconverged), 0);
    for ((smooth, sharp), x) in found.certificates.iter().zip(&lasso.certificates).zip(samples.rows()) {
        let more = smooth.objective - sharp.objective;
        let bound = 0.3 * ATOMS as f64 * epsilon.sqrt() + 1e-6 * x.dot(&x);
        assert!(more.abs() <= bound, "{more}, at most {bound}");
    }
}

/// Of the minimum over z, found anew for every difference.
#[test]
fn gradients_are_those_of_the_smallest_energy() {
    let settings = PredictiveSettings { tolerance: 1e-13, ..PredictiveSettings::new(0.2, 0.7) };
    let model = with(&overlapping(), 0.05, settings);
    let samples = normal(4, VALUES, 7);
    let codes = model.encode(samples.view()).unwrap().codes;
    let gradients = Gradients::at(&model, samples.view(), &codes);
    let check = |name: &str, analytic: f64, of: &dyn Fn(&mut PredictiveDecomposition) -> &mut f64| {
        let at = |offset: f64| {
            let mut moved = model.clone();
            *of(&mut moved) += offset;
            moved.encode(samples.view()).unwrap().mean_objective()
        };
        let numeric = (at(1e-4) - at(-1e-4)) / 2e-4;
        assert!((analytic - numeric).abs() < 1e-6, "{name}: {analytic} and {numeric}");
    };
    for k in [0, 4, 11] {
        for at in [0, 6] {
            check("atoms", gradients.atoms[(k, at)], &|model| &mut model.atoms[(k, at)]);
            let slope = gradients.predictor.weights[(k, at)];
            check("weights", slope, &|model| &mut model.predictor.weights[(k, at)]);
        }
        check("biases", gradients.predictor.biases[k], &|model| &mut model.predictor.biases[k]);
        check("gains", gradients.predictor.gains[k], &|model| &mut model.predictor.gains[k]);
    }
}

/// Two atoms that are always used together end up in one window.
#[test]
fn a_shared_window_costs_less() {
    let atoms = Array2::eye(4);
    let settings = PredictiveSettings::new(0.5, 0.0);
    let map = Neighborhood::subspaces(4, 2).unwrap();
    let model = PredictiveDecomposition::new(&Dictionary::new(atoms).unwrap(), settings).unwrap();
    let model = model.with_windows(&map, 1e-6).unwrap();
    let together = ndarray::array![[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0], [0.0; 4]];
    let found = model.encode(together.view()).unwrap();
    // Both shrink to 1 − s with √(2h)·(1 − s) shared, h = 1/√2: the energy of a pair is s² + λ√(2h)(1 − s).
    let energy = |windows: f64| {
        // `windows` windows with 2/windows atoms each.
        let root = (2.0 / windows * 0.5f64.sqrt()).sqrt();
        let share = 0.5 * windows * root / 2.0;
        share * share + 0.5 * windows * root * (1.0 - share)
    };
    let [shared, apart, nothing] = [0, 1, 2].map(|at| found.certificates[at].objective);
    assert!((shared - energy(1.0)).abs() < 2e-3 && (apart - energy(2.0)).abs() < 2e-3, "{shared} {apart}");
    assert!(shared < apart - 0.1);
    assert!((nothing - 0.5 * 2.0 * 1e-3).abs() < 1e-12 && found.certificates[2].relative_gap == 0.0);
}

#[test]
fn maps_that_do_not_fit_are_refused() {
    let model = || model(ATOMS, VALUES, PredictiveSettings::new(0.3, 0.5));
    let message =
        |map: &Neighborhood, epsilon: f64| model().with_windows(map, epsilon).unwrap_err().to_string();
    assert!(message(&Neighborhood::alone(5).unwrap(), 0.1).contains("a map of 5 units for 12 atoms"));
    assert!(message(&overlapping(), 0.0).contains("ε under the root is 0"));
    let mut holes = Array2::ones((1, ATOMS));
    holes[(0, 3)] = 0.0;
    assert!(message(&Neighborhood::any(holes.view()).unwrap(), 0.1).contains("unit in no window is 3"));
}
