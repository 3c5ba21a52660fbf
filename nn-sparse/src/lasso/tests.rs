use super::*;
use ndarray::{Array1, Array2, ArrayView1, array};
use nn_core::Key;

const SOLVERS: [Solver; 5] =
    [Solver::WorkingSet, Solver::CoordinateDescent, Solver::Fista, Solver::Lars, Solver::FeatureSign];

fn normal(rows: usize, columns: usize, key: u64) -> Array2<f64> {
    let key = Key::new(key);
    Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
}

/// Over- and undercomplete, correlated, with repeated and negated atoms and sums of atoms, with atoms of length 0, of many
/// lengths.
fn dictionaries() -> Vec<(&'static str, Dictionary)> {
    let overcomplete = normal(30, 10, 1);
    let mut correlated = 0.1 * normal(20, 12, 2);
    correlated += &normal(1, 12, 3);
    let mut repeated = normal(18, 8, 4);
    for at in 0..5 {
        let (atom, other) = (repeated.row(at).to_owned(), repeated.row(at + 1).to_owned());
        repeated.row_mut(at + 6).assign(&atom);
        repeated.row_mut(at + 12).assign(&if at == 2 { &atom + &other } else { -atom });
    }
    let mut holes = normal(12, 6, 5);
    holes.row_mut(0).fill(0.0);
    holes.row_mut(7).fill(0.0);
    let mut lengths = normal(15, 9, 6);
    lengths.rows_mut().into_iter().enumerate().for_each(|(at, mut atom)| atom *= 0.1 + at as f64);
    vec![
        ("overcomplete", Dictionary::normalized(overcomplete).unwrap()),
        ("undercomplete", Dictionary::normalized(normal(5, 16, 7)).unwrap()),
        ("correlated", Dictionary::normalized(correlated).unwrap()),
        ("repeated", Dictionary::normalized(repeated).unwrap()),
        ("with zeros", Dictionary::normalized(holes).unwrap()),
        ("of many lengths", Dictionary::new(lengths).unwrap()),
        ("nothing", Dictionary::new(Array2::zeros((3, 4))).unwrap()),
    ]
}

/// Random ones, one that is 0, and one that is an atom.
fn samples(dictionary: &Dictionary) -> Array2<f64> {
    let mut samples = normal(8, dictionary.values(), 11);
    samples.row_mut(3).fill(0.0);
    samples.row_mut(4).assign(&dictionary.atoms().row(1));
    samples
}

/// As a share of the largest λ at which the code of some sample is not 0.
const LAMBDAS: [f64; 6] = [1e-6, 0.01, 0.1, 0.5, 1.0, 2.0];

fn largest_lambda(dictionary: &Dictionary, samples: &Array2<f64>) -> f64 {
    let largest = samples.rows().into_iter().map(|x| dictionary.largest_lambda(x)).fold(0.0, f64::max);
    if largest > 0.0 { largest } else { 1.0 }
}

/// From the definition.
fn objective(
    dictionary: &Dictionary,
    x: ArrayView1<'_, f64>,
    code: &Array1<f64>,
    lambda: f64,
    ridge: f64,
) -> f64 {
    let residual = &x - &dictionary.atoms().t().dot(code);
    0.5 * residual.dot(&residual)
        + lambda * code.iter().map(|share| share.abs()).sum::<f64>()
        + 0.5 * ridge * code.dot(code)
}

#[test]
fn every_gap_is_reached_and_all_solvers_agree() {
    for (name, dictionary) in dictionaries() {
        let samples = samples(&dictionary);
        let largest = largest_lambda(&dictionary, &samples);
        for share in LAMBDAS {
            let lasso = Lasso::new(share * largest).unwrap();
            for lasso in [lasso, lasso.positive(), lasso.with_ridge(0.3).unwrap()] {
                let usual = lasso.encode(&dictionary, samples.view()).unwrap();
                assert!(usual.worst_gap() <= 1e-6, "{name}, {share}: {usual:?}");
                let sharp = lasso.with_tolerance(1e-10).unwrap();
                let reference = sharp.encode(&dictionary, samples.view()).unwrap();
                for solver in SOLVERS {
                    let found = sharp.with_solver(solver).encode(&dictionary, samples.view()).unwrap();
                    let at = format!("{name}, {share}, {solver:?}, positive {}", lasso.positive);
                    assert_eq!(found.count(Status::Unconverged), 0, "{at}: {:?}", found.certificates);
                    assert!(found.worst_gap() <= 1e-10, "{at}: {}", found.worst_gap());
                    let dense = found.codes.to_dense();
                    for (n, (one, other)) in
                        found.certificates.iter().zip(&reference.certificates).enumerate()
                    {
                        let x = samples.row(n);
                        let (off, unit) = ((one.objective - other.objective).abs(), 0.5 * x.dot(&x));
                        assert!(off <= 1e-9 * unit, "{at}, sample {n}: {off}");
                        let code = dense.row(n).to_owned();
                        assert!(!lasso.positive || code.iter().all(|&share| share >= 0.0), "{at}");
                        let true_objective = objective(&dictionary, x, &code, lasso.lambda, lasso.ridge);
                        assert!((one.objective - true_objective).abs() <= 1e-12 * (unit + 1e-300), "{at}");
                        if share >= 1.0 && lasso.lambda >= dictionary.largest_lambda(x) {
                            assert!(code.iter().all(|share| share.abs() <= 1e-12), "{at}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn solvers_reach_the_gap_without_repair() {
    let (_, dictionary) = dictionaries().swap_remove(0);
    let samples = normal(100, dictionary.values(), 12);
    for solver in SOLVERS {
        for lambda in [0.1, 0.5, 1.5] {
            let lasso = Lasso::new(lambda).unwrap().with_solver(solver).with_tolerance(1e-8).unwrap();
            for lasso in [lasso, lasso.positive()] {
                let found = lasso.encode(&dictionary, samples.view()).unwrap();
                assert_eq!(
                    found.count(Status::Converged),
                    100,
                    "{solver:?}, {lambda}: {:?}",
                    found.certificates
                );
            }
        }
    }
}

/// The smallest objective, from all sets of atoms with all signs.
fn smallest_objective(dictionary: &Dictionary, x: ArrayView1<'_, f64>, lasso: &Lasso) -> f64 {
    let (atoms, gram, products) = (dictionary.len(), dictionary.gram(), dictionary.atoms().dot(&x));
    let mut best = 0.5 * x.dot(&x);
    for pattern in 0..3usize.pow(atoms as u32) {
        let sign = |atom: usize| (pattern / 3usize.pow(atom as u32) % 3) as f64 - 1.0;
        let used: Vec<usize> = (0..atoms).filter(|&atom| sign(atom) != 0.0).collect();
        if lasso.positive && used.iter().any(|&atom| sign(atom) < 0.0) {
            continue;
        }
        let mut factor = crate::factor::Factor::default();
        let independent = used.iter().enumerate().all(|(at, &atom)| {
            let curvature = gram[(atom, atom)] + lasso.ridge;
            factor.push(used[..at].iter().map(|&other| gram[(atom, other)]), curvature)
        });
        if independent {
            let mut shares: Vec<f64> = used.iter().map(|&k| products[k] - lasso.lambda * sign(k)).collect();
            factor.solve(&mut shares);
            let mut code = Array1::zeros(atoms);
            used.iter().zip(&shares).for_each(|(&atom, &share)| code[atom] = share);
            if used.iter().all(|&atom| code[atom] * sign(atom) >= 0.0) {
                best = best.min(objective(dictionary, x, &code, lasso.lambda, lasso.ridge));
            }
        }
    }
    best
}

#[test]
fn objectives_are_the_smallest_of_all_and_gaps_cover_what_is_missing() {
    let dictionary = Dictionary::normalized(normal(6, 4, 21)).unwrap();
    let samples = normal(12, 4, 22);
    let lasso = Lasso::new(0.3).unwrap();
    for lasso in [lasso, lasso.positive(), lasso.with_ridge(0.5).unwrap()] {
        let best: Vec<f64> =
            samples.rows().into_iter().map(|x| smallest_objective(&dictionary, x, &lasso)).collect();
        let sharp = lasso.with_tolerance(1e-12).unwrap().encode(&dictionary, samples.view()).unwrap();
        for (one, best) in sharp.certificates.iter().zip(&best) {
            assert!((one.objective - best).abs() < 1e-11, "{one:?}, {best}");
            assert!(one.violation < 1e-5, "{one:?}");
        }
        let mut missing = 0.0f64;
        let rough = lasso.with_solver(Solver::CoordinateDescent).with_tolerance(0.5).unwrap();
        let rough = rough.encode(&dictionary, samples.view()).unwrap();
        for (one, best) in rough.certificates.iter().zip(&best) {
            assert!(one.gap >= one.objective - best - 1e-12, "{one:?}, {best}");
            missing = missing.max(one.objective - best);
        }
        assert!(missing > 1e-3, "the rough codes are exact, so that nothing was tested");
    }
}

#[test]
fn violations_are_as_defined() {
    let dictionary = Dictionary::normalized(normal(9, 5, 31)).unwrap();
    let samples = normal(10, 5, 32);
    let (lambda, ridge) = (0.2, 0.1);
    let rough = Lasso::new(lambda).unwrap().with_ridge(ridge).unwrap().with_tolerance(0.3).unwrap();
    let rough = rough.with_solver(Solver::CoordinateDescent).encode(&dictionary, samples.view()).unwrap();
    let codes = rough.codes.to_dense();
    for (n, one) in rough.certificates.iter().enumerate() {
        let code = codes.row(n);
        let residual = &samples.row(n) - &dictionary.atoms().t().dot(&code);
        let pulls = dictionary.atoms().dot(&residual) - ridge * &code;
        let off = pulls.iter().zip(&code).map(|(pull, &share)| match share {
            0.0 => (pull.abs() - lambda).max(0.0),
            _ => (pull - lambda * share.signum()).abs(),
        });
        assert!((one.violation - off.fold(0.0, f64::max) / lambda).abs() < 1e-9, "{one:?}");
    }
}

#[test]
fn codes_to_begin_with_change_the_way_only() {
    for (name, dictionary) in dictionaries() {
        let samples = samples(&dictionary);
        let lambda = 0.1 * largest_lambda(&dictionary, &samples);
        let lasso = Lasso::new(lambda).unwrap().with_tolerance(1e-9).unwrap();
        let other = Lasso::new(0.3 * lambda).unwrap().encode(&dictionary, samples.view()).unwrap();
        for lasso in [lasso, lasso.positive()] {
            let wanted = lasso.encode(&dictionary, samples.view()).unwrap();
            for solver in SOLVERS {
                let lasso = lasso.with_solver(solver);
                let found = lasso.encode_from(&dictionary, samples.view(), &other.codes).unwrap();
                for (one, other) in found.certificates.iter().zip(&wanted.certificates) {
                    let scale = other.objective.max(1e-300);
                    assert!((one.objective - other.objective).abs() <= 1e-8 * scale, "{name}, {solver:?}");
                }
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let dictionary = Dictionary::normalized(normal(40, 16, 41)).unwrap();
    let samples = normal(300, 16, 42);
    let lasso = Lasso::new(0.3).unwrap();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| lasso.encode(&dictionary, samples.view()).unwrap())
    };
    assert_eq!(with(1), with(3));
    // Nor does the layout of the samples.
    let columns = samples.t().as_standard_layout().into_owned();
    assert_eq!(with(1), lasso.encode(&dictionary, columns.t()).unwrap());
}

#[test]
fn settings_and_samples_are_checked() {
    for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Lasso::new(lambda).unwrap_err().to_string().contains("positive"));
    }
    let lasso = Lasso::new(1.0).unwrap();
    assert!(lasso.with_ridge(-1.0).is_err() && lasso.with_ridge(f64::NAN).is_err());
    assert!(lasso.with_tolerance(0.0).is_err() && lasso.with_tolerance(f64::NAN).is_err());
    let dictionary = Dictionary::new(array![[1.0, 0.0]]).unwrap();
    let message =
        lasso.encode(&dictionary, array![[0.0, 1.0], [f64::NAN, 0.0]].view()).unwrap_err().to_string();
    assert!(message.contains("value 0 of sample 1 is NaN"), "{message}");
    let none = lasso.encode(&dictionary, Array2::zeros((0, 2)).view()).unwrap();
    assert!(none.codes.is_empty() && none.certificates.is_empty() && none.worst_gap() == 0.0);
}
