use super::{lagrange_dual::best_atoms, *};
use nn_core::Key;

fn normal(rows: usize, columns: usize, key: u64) -> Array2<f64> {
    let key = Key::new(key);
    Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
}

/// Mean of ½‖x − α·D‖².
fn residual(codes: &Array2<f64>, samples: &Array2<f64>, atoms: &Array2<f64>) -> f64 {
    (samples - &codes.dot(atoms)).mapv(|value| value * value).sum() * 0.5 / samples.nrows() as f64
}

/// Projected gradient steps, as many as it takes: another way to the same atoms.
fn by_gradient(squares: &Array2<f64>, products: &Array2<f64>, mut atoms: Array2<f64>) -> Array2<f64> {
    let rate = 1.0 / squares.diag().sum();
    for _ in 0..200_000 {
        atoms = &atoms - &((squares.dot(&atoms) - products) * rate);
        for mut atom in atoms.rows_mut() {
            let length = atom.dot(&atom).sqrt().max(1.0);
            atom /= length;
        }
    }
    atoms
}

/// Codes that want atoms longer than 1, shorter ones, and some of each.
#[test]
fn the_dual_finds_what_projected_gradients_find() {
    for scale in [0.2, 1.0, 5.0] {
        let (codes, samples) = (normal(40, 6, 1) * scale, normal(40, 5, 2));
        let (squares, products) = (codes.t().dot(&codes) / 40.0, codes.t().dot(&samples) / 40.0);
        let start = Dictionary::normalized(normal(6, 5, 3)).unwrap();
        let found = best_atoms(&squares, &products, start.atoms());
        let wanted = by_gradient(&squares, &products, start.atoms().to_owned());
        let lengths: Vec<f64> = found.rows().into_iter().map(|atom| atom.dot(&atom).sqrt()).collect();
        assert!(lengths.iter().all(|&length| length <= 1.0 + 1e-12), "{lengths:?}");
        let (found, wanted) = (residual(&codes, &samples, &found), residual(&codes, &samples, &wanted));
        assert!((found - wanted).abs() < 1e-8 * wanted, "scale {scale}: {found} {wanted}, {lengths:?}");
    }
}

/// Atoms that no code uses stay; codes of fewer samples than atoms leave A singular.
#[test]
fn unused_atoms_and_few_samples() {
    let mut codes = normal(3, 6, 4);
    codes.column_mut(2).fill(0.0);
    let samples = normal(3, 5, 5);
    let (squares, products) = (codes.t().dot(&codes) / 3.0, codes.t().dot(&samples) / 3.0);
    let start = Dictionary::normalized(normal(6, 5, 6)).unwrap();
    let found = best_atoms(&squares, &products, start.atoms());
    assert_eq!(found.row(2), start.atoms().row(2));
    let wanted = by_gradient(&squares, &products, start.atoms().to_owned());
    let (found, wanted) = (residual(&codes, &samples, &found), residual(&codes, &samples, &wanted));
    assert!(found <= wanted + 1e-6, "{found} {wanted}");
    let unused = best_atoms(&Array2::zeros((6, 6)), &Array2::zeros((6, 5)), start.atoms());
    assert_eq!(unused, start.atoms());
}

/// From planted atoms, each with some noise.
#[test]
fn the_objective_falls_from_update_to_update() {
    let truth = Dictionary::normalized(normal(12, 8, 7)).unwrap();
    let key = Key::new(8);
    let mut samples = Array2::zeros((300, 8));
    for (n, mut sample) in samples.rows_mut().into_iter().enumerate() {
        for at in 0..2 {
            let atom = (12.0 * f64::from(key.uniform((2 * n + at) as u64))) as usize;
            sample.scaled_add(
                1.0 + f64::from(key.uniform((1000 + 2 * n + at) as u64)),
                &truth.atoms().row(atom),
            );
        }
    }
    let start = Dictionary::normalized(&truth.atoms() + &(normal(12, 8, 9) * 0.2)).unwrap();
    let mut learner = BatchDictionaryLearner::new(&start, Lasso::new(0.1).unwrap()).unwrap();
    let first = learner.update(samples.view()).unwrap().mean_objective();
    let mut last = first;
    for _ in 0..30 {
        let next = learner.update(samples.view()).unwrap().mean_objective();
        assert!(next <= last * (1.0 + 2e-6), "{last} {next}");
        last = next;
    }
    assert!(last < 0.95 * first, "{first} {last}");
    let cosines = truth.atoms().dot(&learner.dictionary().atoms().t());
    let near = cosines.rows().into_iter().filter(|row| row.iter().any(|cosine| cosine.abs() > 0.98)).count();
    assert!(near >= 11, "{near} of 12 atoms recovered");
}

#[test]
fn samples_that_are_no_numbers_change_nothing() {
    let start = Dictionary::normalized(normal(4, 3, 10)).unwrap();
    let mut learner = BatchDictionaryLearner::new(&start, Lasso::new(0.1).unwrap()).unwrap();
    let mut samples = normal(5, 3, 11);
    samples[(1, 2)] = f64::NAN;
    let message = learner.update(samples.view()).unwrap_err().to_string();
    assert!(message.contains("value 2 of sample 1 is NaN"), "{message}");
    assert_eq!(learner.dictionary().atoms(), start.atoms());
    assert!(learner.update(Array2::zeros((0, 3)).view()).unwrap().codes.is_empty());
    assert_eq!(learner.dictionary().atoms(), start.atoms());
}
