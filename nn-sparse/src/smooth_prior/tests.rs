use super::*;
use crate::{Descent, Lbfgs};
use nn_core::{Key, checkpoint::Checkpoint};

const PRIORS: [Prior; 3] = [Prior::Logarithm, Prior::Root, Prior::Bell];

fn normal(rows: usize, columns: usize, key: u64) -> Array2<f64> {
    let key = Key::new(key);
    Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
}

fn learner(atoms: Array2<f64>, settings: SmoothPriorSettings) -> SmoothPriorLearner {
    SmoothPriorLearner::new(&Dictionary::new(atoms).unwrap(), settings).unwrap()
}

/// E by its definition.
fn energy(settings: &SmoothPriorSettings, atoms: &Array2<f64>, x: &[f64], code: &[f64]) -> f64 {
    let sum = ndarray::ArrayView1::from(code).dot(atoms);
    let residual: f64 = x.iter().zip(&sum).map(|(x, sum)| (x - sum) * (x - sum)).sum();
    let penalty: f64 = code.iter().map(|share| settings.prior.value(share / settings.scale)).sum();
    residual / (2.0 * settings.noise_variance) + settings.weight * penalty
}

#[test]
fn slopes_and_curvatures_are_those_of_the_priors() {
    for prior in PRIORS {
        let h = 1e-5;
        for u in [-3.0, -0.7, 0.0, 0.2, 1.0, 4.0] {
            let slope = (prior.value(u + h) - prior.value(u - h)) / (2.0 * h);
            assert!((slope - prior.slope(u)).abs() < 1e-9, "{prior:?} at {u}");
            let curvature = (prior.slope(u + h) - prior.slope(u - h)) / (2.0 * h);
            assert!(curvature <= prior.curvature() + 1e-9, "{prior:?} at {u}: {curvature}");
        }
        assert_eq!(prior.value(0.0), 0.0);
    }
}

/// More atoms than values, and a scale at which priors are not convex.
#[test]
fn codes_are_where_the_slope_is_zero_and_below_where_they_began() {
    let (atoms, samples) = (normal(9, 5, 1), normal(7, 5, 2));
    for prior in PRIORS {
        let tolerance = 1e-9;
        let settings = SmoothPriorSettings { prior, tolerance, ..SmoothPriorSettings::default() };
        let learner = learner(atoms.clone(), settings);
        let found = learner.encode(samples.view()).unwrap();
        assert_eq!(found.unconverged, 0, "{prior:?}");
        for (at, x) in samples.rows().into_iter().enumerate() {
            let (x, code) = (x.to_vec(), found.shares.row(at).to_vec());
            let e = |code: &[f64]| energy(&settings, &atoms, &x, code);
            assert!((e(&code) - found.energies[at]).abs() < 1e-9 * e(&code).abs());
            let start: Vec<f64> =
                atoms.rows().into_iter().map(|atom| atom.dot(&samples.row(at)) / atom.dot(&atom)).collect();
            assert!(e(&code) < e(&start), "{prior:?}");
            for unit in 0..9 {
                let moved = |by: f64| {
                    let mut code = code.clone();
                    code[unit] += by;
                    e(&code)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!(slope.abs() < 1e-5 * e(&[0.0; 9]), "{prior:?}: {slope}");
            }
        }
    }
}

/// The one convex prior against L-BFGS.
#[test]
fn the_root_has_one_minimum() {
    let (atoms, samples) = (normal(6, 4, 3), normal(5, 4, 4));
    let settings =
        SmoothPriorSettings { prior: Prior::Root, tolerance: 1e-10, ..SmoothPriorSettings::default() };
    let found = learner(atoms.clone(), settings).encode(samples.view()).unwrap();
    for (at, x) in samples.rows().into_iter().enumerate() {
        let mut evaluate = |code: &[f64], slope: &mut [f64]| {
            let code = ndarray::ArrayView1::from(code);
            let residual = &x - &code.dot(&atoms);
            for (unit, slope) in slope.iter_mut().enumerate() {
                *slope = -atoms.row(unit).dot(&residual) / settings.noise_variance
                    + settings.weight / settings.scale * settings.prior.slope(code[unit] / settings.scale);
            }
            Ok(energy(&settings, &atoms, &x.to_vec(), &code.to_vec()))
        };
        let mut lbfgs = Lbfgs::new(vec![0.5; 6], 10).unwrap();
        while lbfgs.step(&mut evaluate).unwrap() == Descent::Moved {}
        assert!((lbfgs.value() - found.energies[at]).abs() < 1e-8 * lbfgs.value(), "sample {at}");
    }
}

/// Sums of atoms with heavy-tailed shares of variance 0.1, from random atoms on.
#[test]
fn planted_atoms_are_recovered_and_variances_come_to_the_goal() {
    let truth = Dictionary::normalized(Array2::eye(5) + normal(5, 5, 5) * 0.2).unwrap();
    // Cubes of normal numbers have variance 15.
    let shares = normal(2000, 5, 6).mapv(|value| value.powi(3) * (0.1f64 / 15.0).sqrt());
    let samples = shares.dot(&truth.atoms());
    for prior in PRIORS {
        // The authors' constants, but variances that are known sooner.
        let settings = SmoothPriorSettings { prior, variance_rate: 0.05, ..SmoothPriorSettings::default() };
        let mut learner = learner(normal(5, 5, 7) * 0.5, settings);
        let first = learner.encode(samples.view()).unwrap().energies.sum();
        for _ in 0..60 {
            for part in samples.axis_chunks_iter(Axis(0), 100) {
                learner.update(part).unwrap();
            }
        }
        assert!(learner.encode(samples.view()).unwrap().energies.sum() < first, "{prior:?}");
        for variance in learner.variances() {
            assert!((variance / 0.1 - 1.0).abs() < 0.1, "{prior:?}: {}", learner.variances());
        }
        let found = Dictionary::normalized(learner.dictionary().atoms().to_owned()).unwrap();
        for row in truth.atoms().dot(&found.atoms().t()).rows() {
            assert!(row.iter().any(|cosine| cosine.abs() > 0.98), "{prior:?}: {row}");
        }
    }
}

#[test]
fn learning_goes_on_from_a_file_in_the_same_bits() {
    let samples = normal(40, 6, 8);
    let mut learner = learner(normal(8, 6, 9), SmoothPriorSettings { rate: 0.01, ..Default::default() });
    learner.update(samples.view()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("smooth.safetensors");
    learner.save(&path, "smooth", Key::new(1)).unwrap();
    let mut other = SmoothPriorLearner::new(
        &Dictionary::new(normal(8, 6, 10)).unwrap(),
        SmoothPriorSettings { rate: 0.01, ..Default::default() },
    )
    .unwrap();
    other.load(&Checkpoint::open(&path, "smooth").unwrap()).unwrap();
    for learner in [&mut learner, &mut other] {
        learner.update(samples.view()).unwrap();
    }
    assert_eq!(learner.dictionary().atoms(), other.dictionary().atoms());
    assert_eq!((learner.variances(), learner.updates()), (other.variances(), other.updates()));
}

#[test]
fn settings_out_of_range_and_samples_of_nothing() {
    let dictionary = Dictionary::normalized(normal(3, 2, 11)).unwrap();
    let refused = |settings: SmoothPriorSettings, part: &str| {
        let message = SmoothPriorLearner::new(&dictionary, settings).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(SmoothPriorSettings { scale: 0.0, ..Default::default() }, "scale of the prior is 0");
    refused(SmoothPriorSettings { weight: -1.0, ..Default::default() }, "weight of the prior is -1");
    refused(SmoothPriorSettings { tolerance: 1.0, ..Default::default() }, "tolerance is 1");
    refused(SmoothPriorSettings { variance_rate: 2.0, ..Default::default() }, "rate of the variance is 2");
    let mut none = Dictionary::new(Array2::zeros((1, 2)))
        .map(|zero| SmoothPriorLearner::new(&zero, SmoothPriorSettings::default()).unwrap_err().to_string());
    assert!(none.as_mut().unwrap().contains("atom 0 has length 0"));
    let mut learner = SmoothPriorLearner::new(&dictionary, SmoothPriorSettings::default()).unwrap();
    let codes = learner.update(Array2::zeros((2, 2)).view()).unwrap();
    assert!(codes.shares.iter().all(|share| *share == 0.0) && codes.unconverged == 0);
    assert!(learner.update(Array2::from_elem((1, 2), f64::NAN).view()).is_err());
}
