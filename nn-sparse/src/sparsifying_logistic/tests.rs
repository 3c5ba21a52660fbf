use super::*;
use nn_core::{Key, checkpoint::Checkpoint};

fn normal(rows: usize, columns: usize, key: u64) -> Array2<f64> {
    let key = Key::new(key);
    Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
}

fn learner(atoms: usize, values: usize, settings: SparsifyingLogisticSettings) -> SparsifyingLogisticLearner {
    let dictionary = Dictionary::normalized(normal(atoms, values, 1)).unwrap();
    SparsifyingLogisticLearner::new(&dictionary, settings).unwrap()
}

/// With rates 0 and searches that end where they begin, z is W·x, and ζ follows its definition.
#[test]
fn codes_are_a_softmax_over_the_samples_so_far() {
    let settings = SparsifyingLogisticSettings {
        share: 0.1,
        steepness: 1.7,
        tolerance: f64::MAX,
        encoder_rate: 0.0,
        decoder_rate: 0.0,
    };
    let mut learner = learner(4, 3, settings);
    let samples = normal(20, 3, 2);
    let found = learner.update(samples.view()).unwrap();
    let mut averages = [1.0f64; 4];
    for (x, codes) in samples.rows().into_iter().zip(found.codes.rows()) {
        let z = learner.encoder().dot(&x);
        for ((average, z), code) in averages.iter_mut().zip(z).zip(codes) {
            let own = 0.1 * (1.7 * z).exp();
            *average = own + 0.9 * *average;
            assert!((code - own / *average).abs() < 1e-12);
        }
    }
    assert_eq!(learner.samples(), 20);
}

/// The same z for ever: ζ comes to e^(βz), and the code to η.
#[test]
fn what_never_changes_is_coded_by_the_share() {
    let still = SparsifyingLogisticSettings {
        share: 0.05,
        tolerance: f64::MAX,
        encoder_rate: 0.0,
        decoder_rate: 0.0,
        ..SparsifyingLogisticSettings::default()
    };
    let mut learner = learner(3, 2, still);
    let samples = Array2::from_shape_fn((600, 2), |(_, value)| [30.0, -20.0][value]);
    let codes = learner.update(samples.view()).unwrap().codes;
    assert!(codes.row(599).iter().all(|code| (code - 0.05).abs() < 1e-6), "{}", codes.row(599));
}

#[test]
fn slopes_are_those_of_the_energy_and_no_step_raises_it() {
    let mut learner = learner(7, 4, SparsifyingLogisticSettings { share: 0.2, ..Default::default() });
    learner.update(normal(30, 4, 3).view()).unwrap();
    for x in normal(10, 4, 4).rows() {
        let mut at = learner.search(x);
        let (z, slope) = (at.z.clone(), at.slope());
        for unit in 0..7 {
            let moved = |by: f64| {
                let mut z = z.clone();
                z[unit] += by;
                let mut search = learner.search(x);
                search.go_to(z);
                search.energy
            };
            let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((expected - slope[unit]).abs() < 1e-8, "{expected} {}", slope[unit]);
        }
        let before = at.energy;
        at.descend(1e-9);
        assert!(at.energy < before);
        let slope = at.slope();
        assert!(slope.dot(&slope).sqrt() < 1e-6, "{slope}");
    }
}

/// Samples that are one of a few atoms: these are found, and what the encoder alone rebuilds comes nearer.
#[test]
fn encoder_and_decoder_learn_together() {
    let truth = Dictionary::normalized(normal(6, 8, 5)).unwrap();
    let key = Key::new(6);
    let mut samples = Array2::zeros((400, 8));
    for (n, mut sample) in samples.rows_mut().into_iter().enumerate() {
        let atom = (6.0 * f64::from(key.uniform(n as u64))) as usize;
        sample.scaled_add(1.0, &truth.atoms().row(atom));
    }
    let settings = SparsifyingLogisticSettings {
        share: 0.1,
        steepness: 5.0,
        encoder_rate: 0.05,
        decoder_rate: 0.1,
        ..SparsifyingLogisticSettings::default()
    };
    let mut learner = learner(8, 8, settings);
    let before = learner.encode(samples.view()).unwrap().energies.mean().unwrap();
    for _ in 0..60 {
        learner.update(samples.view()).unwrap();
    }
    let after = learner.encode(samples.view()).unwrap();
    assert!(after.energies.mean().unwrap() < before, "{before} {}", after.energies.mean().unwrap());
    let found = Dictionary::normalized(learner.atoms().to_owned()).unwrap();
    for row in truth.atoms().dot(&found.atoms().t()).rows() {
        assert!(row.iter().any(|cosine| *cosine > 0.95), "{row}");
    }
    assert!(learner.atoms().rows().into_iter().all(|atom| atom.dot(&atom) <= 1.0 + 1e-12));
    // What the search finds has the share η of all.
    let mean = learner.update(samples.view()).unwrap().codes.mean().unwrap();
    assert!(mean > 0.05 && mean < 0.2, "{mean}");
}

#[test]
fn learning_goes_on_from_a_file_in_the_same_bits() {
    let samples = normal(15, 4, 7);
    let settings = SparsifyingLogisticSettings::default();
    let mut first = learner(6, 4, settings);
    first.update(samples.view()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sparsifying.safetensors");
    first.save(&path, "sparsifying", Key::new(1)).unwrap();
    let mut other = learner(6, 4, settings);
    other.load(&Checkpoint::open(&path, "sparsifying").unwrap()).unwrap();
    let [one, two] = [&mut first, &mut other].map(|learner| learner.update(samples.view()).unwrap());
    assert_eq!(one, two);
    assert_eq!((first.atoms(), first.encoder(), first.samples()), (other.atoms(), other.encoder(), 30));
}

#[test]
fn settings_out_of_range_and_samples_that_are_no_numbers() {
    let dictionary = Dictionary::normalized(normal(3, 2, 8)).unwrap();
    let refused = |settings: SparsifyingLogisticSettings, part: &str| {
        let message = SparsifyingLogisticLearner::new(&dictionary, settings).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    refused(SparsifyingLogisticSettings { share: 1.0, ..Default::default() }, "sparsifying logistic is 1");
    refused(
        SparsifyingLogisticSettings { steepness: 0.0, ..Default::default() },
        "steepness of the logistic is 0",
    );
    refused(
        SparsifyingLogisticSettings { encoder_rate: -1.0, ..Default::default() },
        "rate of the encoder is -1",
    );
    let mut learner = learner(3, 2, SparsifyingLogisticSettings::default());
    assert!(learner.update(Array2::from_elem((1, 2), f64::INFINITY).view()).is_err());
    assert_eq!(learner.samples(), 0);
}
