use super::*;
use ndarray::Axis;

fn normal(rows: usize, columns: usize, key: u64) -> Array2<f64> {
    let key = Key::new(key);
    Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
}

/// Sums of `used` atoms with shares of either sign, magnitude 1 to 2.
fn planted(atoms: &Dictionary, count: usize, used: usize, key: u64) -> Array2<f64> {
    let key = Key::new(key);
    let mut samples = Array2::zeros((count, atoms.values()));
    for (n, mut sample) in samples.rows_mut().into_iter().enumerate() {
        for at in 0..used {
            let draw = |what: u64| f64::from(key.fold_in(what).uniform((n * used + at) as u64));
            let atom = (draw(0) * atoms.len() as f64) as usize;
            let share = (1.0 + draw(1)) * if draw(2) < 0.5 { -1.0 } else { 1.0 };
            sample.scaled_add(share, &atoms.atoms().row(atom));
        }
    }
    samples
}

/// The share of atoms that some learned atom is within a cosine of 0.99 of.
fn recovered(truth: &Dictionary, found: &Dictionary) -> f64 {
    let cosines = truth.atoms().dot(&found.atoms().t());
    let lengths: Vec<f64> = found.gram().diag().iter().map(|square| square.sqrt()).collect();
    let is_found = |row: ndarray::ArrayView1<'_, f64>| {
        row.iter().zip(&lengths).any(|(cosine, length)| cosine.abs() > 0.99 * length)
    };
    cosines.rows().into_iter().filter(|row| is_found(*row)).count() as f64 / truth.len() as f64
}

fn learn(learner: &mut DictionaryLearner, samples: &Array2<f64>, batch: usize, epochs: usize) {
    for _ in 0..epochs {
        for part in samples.axis_chunks_iter(Axis(0), batch) {
            learner.update(part).unwrap();
        }
    }
}

#[test]
fn planted_atoms_are_recovered() {
    let truth = Dictionary::normalized(normal(30, 16, 1)).unwrap();
    let samples = planted(&truth, 1500, 2, 2);
    let lasso = Lasso::new(0.1).unwrap();
    let mut learner = DictionaryLearner::from_samples(samples.view(), 30, lasso, Key::new(3)).unwrap();
    let before = learner.encode(samples.view()).unwrap().mean_objective();
    learn(&mut learner, &samples, 10, 20);
    let after = learner.encode(samples.view()).unwrap().mean_objective();
    assert!(after < 0.7 * before, "{before} {after}");
    let found = recovered(&truth, learner.dictionary());
    assert!(found >= 0.95, "{found}; {} replaced", learner.replaced());
    let lengths = learner.dictionary().gram().diag().to_owned();
    assert!(lengths.iter().all(|&square| square <= 1.0 + 1e-12), "{lengths}");
}

#[test]
fn a_sweep_never_raises_the_surrogate_and_ends_where_none_can_lower_it() {
    let (codes, samples) = (normal(40, 6, 4), normal(40, 5, 5));
    let (squares, products) = (codes.t().dot(&codes) / 40.0, codes.t().dot(&samples) / 40.0);
    let mut atoms = Dictionary::normalized(normal(6, 5, 6)).unwrap().atoms().to_owned();
    // Mean of ½‖x − α·D‖².
    let surrogate = |atoms: &Array2<f64>| {
        let residual = &samples - &codes.dot(atoms);
        0.5 * residual.iter().map(|value| value * value).sum::<f64>() / 40.0
    };
    let mut last = surrogate(&atoms);
    for _ in 0..500 {
        sweep(&mut atoms, &squares, &products);
        let next = surrogate(&atoms);
        assert!(next <= last + 1e-12, "{last} {next}");
        last = next;
    }
    // Each atom is where it stays: the gradient is 0, or points outwards along an atom of length 1.
    let gradient = &products - &squares.dot(&atoms);
    for (atom, slope) in atoms.rows().into_iter().zip(gradient.rows()) {
        let along = atom.dot(&slope);
        let length = atom.dot(&atom).sqrt();
        let sideways = &slope - &(&atom * (along / (length * length)));
        assert!(sideways.dot(&sideways).sqrt() < 1e-6, "{sideways}");
        assert!(along.abs() < 1e-6 || (along > 0.0 && (length - 1.0).abs() < 1e-9), "{along} {length}");
    }
}

#[test]
fn the_first_mean_is_that_of_the_minibatch_and_later_ones_move() {
    let samples = normal(4, 3, 7);
    let dictionary = Dictionary::normalized(normal(5, 3, 8)).unwrap();
    let mut learner = DictionaryLearner::new(&dictionary, Lasso::new(0.1).unwrap()).unwrap();
    let codes = learner.update(samples.view()).unwrap().codes.to_dense();
    // θ = η, so that β = 1/(η + 1), of means that were 0.
    let first = codes.t().dot(&codes) / 4.0;
    assert!((&learner.squares - &first).iter().all(|off| off.abs() < 1e-12));
    let codes = learner.update(samples.view()).unwrap().codes.to_dense();
    // θ = 2η.
    let second = &first * (5.0 / 9.0) + &codes.t().dot(&codes) / 4.0;
    assert!((&learner.squares - &second).iter().all(|off| off.abs() < 1e-12));
}

#[test]
fn dead_atoms_and_copies_become_the_worst_samples() {
    let samples = normal(20, 6, 10);
    let mut atoms = normal(8, 6, 11);
    let first = atoms.row(0).to_owned();
    atoms.row_mut(3).assign(&(-first));
    let dictionary = Dictionary::normalized(atoms).unwrap();
    let mut learner = DictionaryLearner::new(&dictionary, Lasso::new(0.2).unwrap()).unwrap();
    let encoding = learner.encode(samples.view()).unwrap();
    // Atom 5 is not used, and of the copies the first one is used less.
    learner.squares =
        Array2::from_shape_fn((8, 8), |(a, b)| if a == b && a != 5 { 1.0 + a as f64 } else { 0.0 });
    learner.products.fill(1.0);
    let mut replaced = learner.dictionary().atoms().to_owned();
    learner.replace(&mut replaced, samples.view(), &encoding);
    assert_eq!(learner.replaced(), 2);
    let mut worst: Vec<usize> = (0..20).collect();
    worst.sort_by(|&a, &b| encoding.certificates[b].objective.total_cmp(&encoding.certificates[a].objective));
    for atom in 0..8 {
        let row = replaced.row(atom);
        match [0, 5].iter().position(|&gone| gone == atom) {
            Some(place) => {
                let x = samples.row(worst[place]);
                assert!((row.dot(&x) - x.dot(&x).sqrt()).abs() < 1e-12, "{atom}");
                assert!(
                    learner
                        .squares
                        .row(atom)
                        .iter()
                        .chain(learner.products.row(atom))
                        .all(|&value| value == 0.0)
                );
            }
            None => assert_eq!(row, dictionary.atoms().row(atom)),
        }
    }
}

#[test]
fn fewer_samples_than_atoms_and_samples_of_nothing_are_no_error() {
    let mut samples = normal(3, 4, 12);
    samples.row_mut(1).fill(0.0);
    let lasso = Lasso::new(0.1).unwrap();
    let mut learner = DictionaryLearner::from_samples(samples.view(), 6, lasso, Key::new(1)).unwrap();
    assert!(learner.dictionary().gram().diag().iter().all(|square| (square - 1.0).abs() < 1e-12));
    learn(&mut learner, &samples, 3, 30);
    learn(&mut learner, &Array2::zeros((5, 4)), 5, 30);
    assert!(learner.dictionary().atoms().iter().all(|value| value.is_finite()));
    assert!(learner.encode(samples.view()).unwrap().worst_gap() <= 1e-6);
    let before = learner.dictionary().atoms().to_owned();
    assert!(learner.update(Array2::from_elem((1, 4), f64::NAN).view()).is_err());
    assert_eq!(learner.dictionary().atoms(), before);
}

#[test]
fn learning_goes_on_from_a_file_in_the_same_bits() {
    let samples = normal(60, 5, 20);
    let lasso = Lasso::new(0.2).unwrap();
    let from_samples = || DictionaryLearner::from_samples(samples.view(), 8, lasso, Key::new(1)).unwrap();
    let mut left_alone = from_samples();
    learn(&mut left_alone, &samples, 3, 20);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("learner.safetensors");
    left_alone.save(&path, "test", Key::new(2)).unwrap();
    let mut resumed = from_samples();
    let checkpoint = nn_core::checkpoint::Checkpoint::open(&path, "test").unwrap();
    resumed.load(&checkpoint).unwrap();
    assert_eq!(resumed.updates(), left_alone.updates());
    learn(&mut left_alone, &samples, 3, 20);
    learn(&mut resumed, &samples, 3, 20);
    assert_eq!(resumed.dictionary().atoms(), left_alone.dictionary().atoms());
    assert_eq!((resumed.squares, resumed.products), (left_alone.squares, left_alone.products));
    assert_eq!((resumed.updates, resumed.replaced), (left_alone.updates, left_alone.replaced));
    let mut smaller = DictionaryLearner::from_samples(samples.view(), 7, lasso, Key::new(1)).unwrap();
    let before = smaller.dictionary().atoms().to_owned();
    let message = smaller.load(&checkpoint).unwrap_err().to_string();
    assert!(message.contains("atoms is [8, 5], but the model needs [7, 5]"), "{message}");
    assert_eq!(smaller.dictionary().atoms(), before);
}
