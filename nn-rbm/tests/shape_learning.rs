//! Training of Shape Boltzmann machines: pretraining, both layers together, equal draws on every backend, resumption.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod belief;
mod machines;
mod shapes;

use belief::Recorder;
use machines::{distance, values};
use ndarray::Array2;
use nn_core::{
    Binarize, Cases, Dataset, Device, Fit, Key, Learner, Parameters, Penalty, Schedule, Sgd,
    checkpoint::{self, Checkpoint, Header},
    counting::Counting,
};
use nn_data::synthetic::bars_and_stripes;
use nn_rbm::{
    Dbm,
    dbm::{Chains, DbmLearner},
    partition::log_partition,
    shape::{self, Patches, PretrainingLearner},
    units::Bernoulli,
};
use shapes::{PIXELS, START, machine, sigma, tied, tied_biases, untied};

fn bottom(device: &Device, units: usize) -> Dbm {
    let visible = Box::new(Bernoulli::new(device, PIXELS));
    shape::bottom(device, visible, Patches::new(4, 4, 2), units, START, Key::new(1)).unwrap()
}

fn sgd(model: &dyn Parameters) -> Sgd {
    Sgd::new(model, 0.1, 0.5, Penalty::l2(0.001)).unwrap()
}

fn cases(device: &Device) -> Cases {
    let inputs = Array2::from_shape_fn((6, PIXELS), |(i, j)| ((i * 7 + j * 3) % 5 < 2) as u8 as f32);
    device.tensor(&inputs).into()
}

/// A learner of the lower layers, of the upper ones on them, and of all together.
fn learners(device: &Device) -> Vec<Box<dyn Learner>> {
    let mut lower = bottom(device, 3);
    machines::randomize(&mut lower, 0.7, 0.5, Key::new(2));
    let upper = shape::top(&lower, 4, START, Key::new(3)).unwrap();
    let mut below = bottom(device, 3);
    machines::randomize(&mut below, 0.7, 0.5, Key::new(4));
    let dbm = machine(device, [3, 4]);
    let chains = Chains::new(&dbm, 7, Key::new(5)).unwrap();
    let rate = Schedule::Linear { from: 0.2, to: 0.05, updates: 30 };
    let all = Sgd::new(&dbm, rate, 0.5, Penalty::l2(0.001)).unwrap();
    let (of_lower, of_upper) = (sgd(&lower), sgd(&upper));
    vec![
        Box::new(PretrainingLearner::bottom(lower, 2, of_lower).unwrap()),
        Box::new(PretrainingLearner::top(below, upper, 1, of_upper).unwrap()),
        Box::new(DbmLearner::new(dbm, chains, all)),
    ]
}

/// 20 updates from the same keys in single and in double precision: the same draws, parameters within 10⁻⁵.
#[test]
fn learn_the_same() {
    let run = |device: &Device, index: usize| {
        let mut learner = learners(device).swap_remove(index);
        for update in 0..20 {
            learner.update(&cases(device), update, Key::new(6).fold_in(update));
        }
        values(&*learner)
    };
    for index in 0..3 {
        let [single, double] = [Device::cpu(), Device::reference()].map(|device| run(&device, index));
        for ((name, a), (_, b)) in single.iter().zip(&double) {
            let off = distance(a, b);
            assert!(off < 1e-5, "learner {index}, {name}: {off}");
        }
    }
}

/// No update reads or writes.
#[test]
fn nothing_is_read() {
    let (counting, device) = Counting::new(&Device::cpu());
    let batch = cases(&device);
    for mut learner in learners(&device) {
        for update in 0..3 {
            counting.take();
            learner.update(&batch, update, Key::new(7).fold_in(update));
            let counts = counting.take();
            assert_eq!((counts.reads, counts.writes), (0, 0));
        }
    }
}

/// Saved after 7 of 15 updates, loaded into a learner of other values and gone on with: equal bits.
#[test]
fn resumes_in_the_same_bits() {
    let device = Device::cpu();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint.safetensors");
    let train = |learner: &mut dyn Learner, from: u64, to: u64| {
        (from..to).for_each(|update| learner.update(&cases(&device), update, Key::new(8).fold_in(update)));
    };
    for index in 0..3 {
        let [mut whole, mut first, mut second] = [0; 3].map(|_| learners(&device).swap_remove(index));
        train(&mut *whole, 0, 15);
        train(&mut *first, 0, 7);
        checkpoint::save(&file, &Header::new("test", 7, Key::new(8)), &*first).unwrap();
        machines::randomize(&mut *second, 1.0, 1.0, Key::new(9));
        Checkpoint::open(&file, "test").unwrap().load_into(&mut *second).unwrap();
        train(&mut *second, 7, 15);
        assert_eq!(values(&*whole), values(&*second), "learner {index}");
    }
}

/// CD-1 of the lower layers doubles what goes up: of one case the gradient is, for one of all hidden states that can have been
/// drawn, the one by hand, summed over copies.
#[test]
fn doubled_on_the_way_up() {
    let device = Device::reference();
    let mut lower = bottom(&device, 2);
    machines::randomize(&mut lower, 0.7, 0.5, Key::new(10));
    let own = values(&lower);
    let (a, w) = (own[0].1.clone(), untied(&own[1].1));
    let b = Array2::from_shape_fn((1, 8), |(_, unit)| own[2].1[[0, unit % 2]]);
    let mut learner = PretrainingLearner::bottom(lower, 1, Recorder::default()).unwrap();
    let v = Array2::from_shape_fn((1, PIXELS), |(_, pixel)| f64::from(u8::from(pixel.is_multiple_of(3))));
    learner.update(&device.tensor_f64(&v).into(), 0, Key::new(11));
    let hidden = |v: &Array2<f64>| (v.dot(&w) * 2.0 + &b).mapv(sigma);
    let wanted = |drawn: u32| {
        let drawn = Array2::from_shape_fn((1, 8), |(_, unit)| f64::from(drawn >> unit & 1));
        let model = (drawn.dot(&w.t()) + &a).mapv(sigma);
        let pairs = model.t().dot(&hidden(&model)) - v.t().dot(&hidden(&v));
        let singles = (hidden(&model) - hidden(&v)).row(0).to_owned();
        [model - &v, tied(&pairs), tied_biases(&singles)]
    };
    let near = |drawn: u32| {
        let wanted = wanted(drawn);
        learner.optimizer.0.iter().zip(&wanted).all(|(found, wanted)| distance(found, wanted) < 1e-10)
    };
    assert_eq!((0..1 << 8).filter(|drawn| near(*drawn)).count(), 1);
}

/// The upper layers learn from h ~ q(h | v) with v counted twice: an upper machine of zeros shows the mean of these states.
#[test]
fn upper_layers_see_doubled_inputs() {
    let device = Device::cpu();
    let mut lower = bottom(&device, 2);
    machines::randomize(&mut lower, 0.7, 0.5, Key::new(12));
    let own = values(&lower);
    let mut upper = shape::top(&lower, 1, START, Key::new(13)).unwrap();
    upper.visit_mut(&mut |_, tensor| tensor.assign(0.0));
    let mut learner = PretrainingLearner::top(lower, upper, 1, Recorder::default()).unwrap();
    let (pixel, count) = (|pixel: usize| f64::from(u8::from(pixel.is_multiple_of(3))), 4000);
    let v = Array2::from_shape_fn((count, PIXELS), |(_, at)| pixel(at));
    learner.update(&device.tensor_f64(&v).into(), 0, Key::new(14));
    let input = Array2::from_shape_fn((1, PIXELS), |(_, at)| pixel(at)).dot(&untied(&own[1].1)) * 2.0;
    for place in 0..2 {
        let means = [0, 1, 2, 3].map(|group| sigma(input[[0, 2 * group + place]] + own[2].1[[0, place]]));
        let wanted: f64 = means.iter().map(|mean| 0.5 - mean).sum();
        let error = (means.iter().map(|mean| mean * (1.0 - mean)).sum::<f64>() / count as f64).sqrt();
        let found = learner.optimizer.0[0][[0, place]];
        assert!((found - wanted).abs() < 4.5 * error, "{place}: {found} {wanted} ± {error}");
    }
}

/// Layer by layer and then together, bars and stripes of 4×4 pixels: each stage raises the bound, with log Z by enumeration.
#[test]
fn from_the_first_update_to_the_last() {
    let device = Device::cpu();
    let patterns = bars_and_stripes::patterns(4).unwrap();
    let data = Dataset::new(&device, patterns.view(), Binarize::Never).unwrap();
    let fit = |epochs, seed| Fit::new(epochs, 30, Key::new(seed));
    let bound = |dbm: &Dbm| dbm.lower_bound(data.inputs().view(), log_partition(dbm).unwrap(), 50).unwrap();
    let lower = bottom(&device, 4);
    let optimizer = sgd(&lower);
    let mut lower = PretrainingLearner::bottom(lower, 1, optimizer).unwrap();
    let before = lower.measure(data.all(), Key::new(12)).unwrap()[0];
    fit(500, 13).run(&mut lower, &data, &mut [], &false.into()).unwrap();
    let after = lower.measure(data.all(), Key::new(12)).unwrap()[0];
    assert!(before.0 == "reconstruction error" && after.1 < 0.7 * before.1, "{before:?} {after:?}");
    let upper = shape::top(&lower.machine, 8, START, Key::new(14)).unwrap();
    let optimizer = sgd(&upper);
    let mut upper = PretrainingLearner::top(lower.machine, upper, 1, optimizer).unwrap();
    fit(500, 15).run(&mut upper, &data, &mut [], &false.into()).unwrap();
    let dbm = upper.compose().unwrap();
    let start = bound(&dbm);
    let chains = Chains::new(&dbm, 100, Key::new(16)).unwrap();
    let rate = Schedule::Linear { from: 0.05, to: 0.0, updates: 2000 };
    let optimizer = Sgd::new(&dbm, rate, 0.0, Penalty::default()).unwrap();
    let mut learner = DbmLearner::new(dbm, chains, optimizer);
    fit(2000, 17).run(&mut learner, &data, &mut [], &false.into()).unwrap();
    let end = bound(&learner.dbm);
    // −16·log 2 = −11.1 at first, −log 30 = −3.4 at best.
    println!("{start:.3} to {end:.3}");
    assert!(end > start + 0.5 && end > -6.5, "{start} {end}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let device = Device::cpu();
    let refuse = |made: Result<PretrainingLearner<Sgd>, nn_core::Error>, part: &str| {
        let message = made.map(drop).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    let lower = bottom(&device, 2);
    let optimizer = sgd(&lower);
    refuse(PretrainingLearner::bottom(lower, 0, optimizer), "sweeps of contrastive divergence is 0");
    let deep = machine(&device, [1, 2]);
    let optimizer = sgd(&deep);
    refuse(PretrainingLearner::bottom(deep, 1, optimizer), "hidden layers to pretrain is 2");
    let upper = shape::top(&bottom(&device, 3), 2, START, Key::new(1)).unwrap();
    let optimizer = sgd(&upper);
    let made = PretrainingLearner::top(bottom(&device, 2), upper, 1, optimizer);
    refuse(made, "visible units of the upper machine is 12, but the machine below has 8 hidden units");
    let lower = bottom(&device, 2);
    let optimizer = sgd(&lower);
    let mut lower = PretrainingLearner::bottom(lower, 1, optimizer).unwrap();
    let wide = Dataset::new(&device, Array2::zeros((3, 9)).view(), Binarize::Never).unwrap();
    let message = Fit::new(1, 3, Key::new(1)).run(&mut lower, &wide, &mut [], &false.into()).unwrap_err();
    assert!(message.to_string().contains("cases of 9 values for a network of 16 inputs"), "{message}");
    assert!(lower.compose().map(drop).unwrap_err().to_string().starts_with("layers below is 0"));
}
