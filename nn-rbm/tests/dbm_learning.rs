//! Updates of deep Boltzmann machines: gradients against central differences and enumeration, centring, equal draws on
//! every backend, no reads, resumption.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod belief;
mod deep;
mod machines;
mod precision;

use crate::precision::single;
use belief::Recorder;
use deep::{Deep, cut, machine, rows};
use machines::{
    chance::{mean_and_error, set},
    distance, values,
};
use ndarray::{Array2, Axis};
use nn_core::{
    ACC, Binarize, Cases, Dataset, Device, Fit, Key, Learner, Penalty, Schedule, Sgd, Sum, Tensor,
    check_gradient,
    checkpoint::{self, Checkpoint, Header},
    counting::Counting,
};
use nn_rbm::{
    Dbm,
    dbm::{Chains, DbmLearner, LayerGradients, LayerOffsets, LayerSparsity},
    units::Gaussian,
};

fn stored(sums: &[Sum<'_>], device: &Device) -> Vec<Tensor> {
    let store = |sum: &Sum<'_>| {
        let mut out = device.zeros(sum.shape()[0], sum.shape()[1]);
        sum.store(out.view_mut(), ACC);
        out
    };
    sums.iter().map(store).collect()
}

/// Positive numbers below one for all layers of a machine.
fn noise(dbm: &Dbm, rows: usize, key: Key) -> Vec<Tensor> {
    let drawn = |layer: usize| {
        let mut out = dbm.device().zeros(rows, dbm.layers()[layer].len());
        out.assign(nn_core::Expr::Uniform(key.fold_in(layer as u64)));
        out
    };
    (0..dbm.layers().len()).map(drawn).collect()
}

/// In double precision against central differences: for any states and means of all layers the gradient is that of
/// ⟨E⟩_data − ⟨E⟩_model, with binary, real and softmax units, at every depth.
#[test]
fn gradients_are_those_of_the_energy() {
    let device = Device::reference();
    let mut real = Dbm::new(
        &device,
        Box::new(Gaussian::learned(&device, 3, -9.0, 9.0, 1.0).unwrap()),
        &[3, 2],
        None,
        deep::START,
        Key::new(1),
    )
    .unwrap();
    machines::randomize(&mut real, 1.0, 0.7, Key::new(2));
    for (name, mut dbm) in deep::machines(&device).into_iter().chain([("real", real)]) {
        let (data, model) = (noise(&dbm, 4, Key::new(3)), noise(&dbm, 3, Key::new(4)));
        let sides = [&data, &model].map(|states| states.iter().collect::<Vec<_>>());
        let mut assembly = LayerGradients::default();
        let gradients = stored(&assembly.gradients(&dbm, &sides[0], &sides[1], None, None), &device);
        let energy = |dbm: &Dbm, states: &[Tensor]| {
            let mut mean = 0.0;
            for (layer, units) in dbm.layers().iter().enumerate() {
                let (own, cases) = (&states[layer], states[layer].rows());
                let mut energies = device.zeros(cases, 1);
                units.energy(own.view(), 1.0, 0.0, energies.view_mut());
                mean += energies.to_array_f64()?.mean().unwrap();
                if let Some(above) = states.get(layer + 1) {
                    let mut statistic = device.zeros(cases, units.len());
                    units.statistic(own.view(), statistic.view_mut());
                    let (s, w) = (statistic.to_array_f64()?, dbm.weights()[layer].to_array_f64()?);
                    mean -= (s.dot(&w) * above.to_array_f64()?).sum() / cases as f64;
                }
            }
            Ok(mean)
        };
        let value = |dbm: &Dbm| Ok(energy(dbm, &data)? - energy(dbm, &model)?);
        let worst = check_gradient(&mut dbm, &gradients, value).unwrap();
        assert!(worst.relative < 1e-6, "{name}: {worst:?}");
    }
}

/// With chains that are fair states and parameters that stay, an update is given ⟨·⟩_model − ⟨·⟩_q, the first as a sum over
/// all states, within four standard errors of 64 updates of 500 chains.
#[test]
fn gradients_in_expectation() {
    let device = single();
    for dbm in [machine(&device, 3, &[4, 2], None), machine(&device, 3, &[2, 2], Some(3))] {
        let deep = Deep::of(&dbm);
        let exact = deep.exact(&device);
        let inputs = device.tensor(&ndarray::arr2(&[[1.0f32, 0.0, 1.0], [0.0, 0.0, 1.0]]));
        let posterior = rows(dbm.mean_field(inputs.view(), 10).means());
        let (mut pairs, mut singles) = deep.statistics();
        for state in &posterior {
            for (layer, s) in state.iter().enumerate() {
                singles[layer] -= &(s * 0.5);
                if let Some(above) = state.get(layer + 1) {
                    let product = s.view().insert_axis(Axis(1)).dot(&above.view().insert_axis(Axis(0)));
                    pairs[layer] -= &(product * 0.5);
                }
            }
        }
        let chains = Chains::new(&dbm, 500, Key::new(5)).unwrap();
        let mut learner = DbmLearner::new(dbm, chains, Recorder::default());
        learner.chain_sweeps = 2;
        let mut runs = Vec::new();
        for run in 0..64 {
            let key = Key::new(6).fold_in(run);
            let start = cut(&exact.draw(500, key.fold_in(0)), &learner.dbm);
            for (layer, states) in start.iter().enumerate().skip(1).step_by(2) {
                set(&mut learner.chains, &format!("layer{layer}"), states);
            }
            learner.update(&inputs.duplicate().into(), run, key.fold_in(1));
            runs.push(learner.optimizer.0.clone());
        }
        let mut wanted = vec![singles[0].clone().insert_axis(Axis(0))];
        for layer in 1..deep.layers() {
            wanted.extend([pairs[layer - 1].clone(), singles[layer].clone().insert_axis(Axis(0))]);
        }
        assert_eq!(wanted.len(), runs[0].len());
        for (at, wanted) in wanted.iter().enumerate() {
            for (place, exact) in wanted.indexed_iter() {
                let (mean, error) = mean_and_error(runs.iter().map(|run| run[at][place]));
                assert!(
                    (mean - exact).abs() < 4.0 * error,
                    "{at} {place:?}: {mean} ± {error}, exactly {exact}"
                );
            }
        }
    }
}

/// A machine of flipped visible units (v ↦ 1 − v, W ↦ −W, a ↦ −a, b ↦ b + Wᵀ·1) has the centred gradient that belongs to
/// that of the machine itself; the plain gradient does not. With offsets of zero the centred gradient is the plain one.
#[test]
fn centring() {
    let device = Device::reference();
    let dbm = machine(&device, 3, &[4, 2], None);
    let mut flipped = machine(&device, 3, &[4, 2], None);
    let w = dbm.weights()[0].to_array_f64().unwrap();
    let own = values(&dbm);
    set(&mut flipped, "hidden1.weights", &device.tensor_f64(&-w.clone()));
    set(&mut flipped, "visible.biases", &device.tensor_f64(&-own[0].1.clone()));
    let moved = &own[2].1 + &w.sum_axis(Axis(0)).insert_axis(Axis(0));
    set(&mut flipped, "hidden1.biases", &device.tensor_f64(&moved));

    let flip = |states: &[Tensor]| -> Vec<Tensor> {
        let mut states: Vec<Tensor> = states.iter().map(Tensor::duplicate).collect();
        states[0].assign(1.0 - nn_core::OLD);
        states
    };
    let (data, model) = (noise(&dbm, 4, Key::new(7)), noise(&dbm, 3, Key::new(8)));
    let gradients = |dbm: &Dbm, data: &[Tensor], model: &[Tensor], offsets: Option<&LayerOffsets>| {
        let sides = [data, model].map(|states| states.iter().collect::<Vec<_>>());
        let mut assembly = LayerGradients::default();
        let tensors = stored(&assembly.gradients(dbm, &sides[0], &sides[1], offsets, None), &device);
        tensors.iter().map(|tensor| tensor.to_array_f64().unwrap()).collect::<Vec<_>>()
    };
    let mut offsets = LayerOffsets::new(&dbm, 0.3).unwrap();
    offsets.follow(&data);
    let mut of_flipped = LayerOffsets::new(&flipped, 0.3).unwrap();
    of_flipped.follow(&flip(&data));
    // Hidden offsets start at σ(b), and b differs.
    for layer in 1..3 {
        of_flipped.offsets[layer].assign(&offsets.offsets[layer]);
    }
    let carried_over = |mut of: Vec<Array2<f64>>| {
        let moved = &of[2] + &of[1].sum_axis(Axis(0)).insert_axis(Axis(0));
        (of[0], of[1], of[2]) = (-of[0].clone(), -of[1].clone(), moved);
        of
    };
    for (centred, equal) in [(true, true), (false, false)] {
        let of = |offsets| Some(offsets).filter(|_| centred);
        let a = carried_over(gradients(&dbm, &data, &model, of(&offsets)));
        let b = gradients(&flipped, &flip(&data), &flip(&model), of(&of_flipped));
        let off = a.iter().zip(&b).map(|(a, b)| distance(a, b)).fold(0.0, f64::max);
        assert_eq!(off < 1e-6, equal, "centred {centred}: {off}");
    }
    offsets.offsets.iter_mut().for_each(|offset| offset.assign(0.0));
    let pairs = [Some(&offsets), None].map(|offsets| gradients(&dbm, &data, &model, offsets));
    assert!(pairs[0].iter().zip(&pairs[1]).all(|(a, b)| distance(a, b) < 1e-12));

    let gaussian = Box::new(Gaussian::new(&device, 2, 1.0).unwrap());
    let real = Dbm::new(&device, gaussian, &[2], None, deep::START, Key::new(1)).unwrap();
    assert!(LayerOffsets::new(&real, 0.1).unwrap_err().to_string().contains("centring"));
    assert!(LayerOffsets::new(&dbm, 1.1).is_err());
}

/// What sparsity adds, worked out from the means of the data: d·p + (1 − d)·⟨m⟩ − p times the cost to biases, that times the
/// means below to weights; centred, the means below less their offsets, and biases make up for it. A strong pull takes the
/// activity from 0.5 to the target.
#[test]
fn sparsity() {
    let device = Device::reference();
    let dbm = machine(&device, 3, &[4, 2], None);
    let (data, model) = (noise(&dbm, 4, Key::new(7)), noise(&dbm, 3, Key::new(8)));
    let sides = [&data, &model].map(|states| states.iter().collect::<Vec<_>>());
    let (targets, cost, decay) = ([0.25f32, 0.125], 0.5f32, 0.75f32);
    let mut sparsity = LayerSparsity::new(&dbm, &targets, cost, decay).unwrap();
    sparsity.follow(&data);
    let mut offsets = LayerOffsets::new(&dbm, 0.3).unwrap();
    offsets.follow(&data);
    let mean =
        |tensor: &Tensor| tensor.to_array_f64().unwrap().mean_axis(Axis(0)).unwrap().insert_axis(Axis(0));
    for centring in [None, Some(&offsets)] {
        let [with, without] = [Some(&sparsity), None].map(|sparsity| {
            let mut assembly = LayerGradients::default();
            let sums = stored(&assembly.gradients(&dbm, &sides[0], &sides[1], centring, sparsity), &device);
            sums.iter().map(|tensor| tensor.to_array_f64().unwrap()).collect::<Vec<_>>()
        });
        let added: Vec<Array2<f64>> =
            with.iter().zip(&without).map(|(with, without)| with - without).collect();
        let offset = |layer: usize| match centring {
            Some(offsets) => offsets.offsets[layer].to_array_f64().unwrap(),
            None => Array2::zeros((1, dbm.layers()[layer].len())),
        };
        let pull = |layer: usize| {
            let target = f64::from(targets[layer - 1]);
            (mean(&data[layer]) - target) * f64::from(1.0 - decay) * f64::from(cost)
        };
        let weights = |layer: usize| (mean(&data[layer - 1]) - offset(layer - 1)).t().dot(&pull(layer));
        let wanted = [
            -offset(1).dot(&weights(1).t()),
            weights(1),
            pull(1) - offset(0).dot(&weights(1)) - offset(2).dot(&weights(2).t()),
            weights(2),
            pull(2) - offset(1).dot(&weights(2)),
        ];
        for (at, (added, wanted)) in added.iter().zip(&wanted).enumerate() {
            let off = distance(added, wanted);
            assert!(off < 1e-7, "centred {}, {at}: {off}", centring.is_some());
        }
    }

    let mut learner = learner(&Device::cpu());
    let batch = cases(&Device::cpu());
    learner.sparsity = Some(LayerSparsity::new(&learner.dbm, &[0.2, 0.1], 10.0, 0.9).unwrap());
    (0..500).for_each(|update| learner.update(&batch, update, Key::new(42).fold_in(update)));
    let posterior = learner.dbm.mean_field(batch.inputs.view(), 10);
    for (layer, target) in [(1, 0.2), (2, 0.1)] {
        let found = posterior.means()[layer].to_array_f64().unwrap().mean().unwrap();
        println!("layer {layer}: {found}");
        assert!((found - target).abs() < 0.05, "layer {layer}: {found}");
    }
    let message = LayerSparsity::new(&dbm, &[0.1; 3], cost, decay).unwrap_err().to_string();
    assert!(message.contains("number of sparsity targets is 3"), "{message}");
    assert!(LayerSparsity::new(&dbm, &[1.0], cost, decay).is_err());
}

fn cases(device: &Device) -> Cases {
    let inputs = Array2::from_shape_fn((6, 3), |(i, j)| ((i >> j) & 1) as f32);
    let targets = Array2::from_shape_fn((6, 2), |(i, j)| f32::from(u8::from(i % 2 == j)));
    Cases::new(device.tensor(&inputs), device.tensor(&targets))
}

fn learner(device: &Device) -> DbmLearner<Sgd> {
    let dbm = machine(device, 3, &[3, 2], Some(2));
    let chains = Chains::new(&dbm, 7, Key::new(9)).unwrap();
    let rate = Schedule::Linear { from: 0.2, to: 0.05, updates: 30 };
    let sgd = Sgd::new(&dbm, rate, 0.5, Penalty::l2(0.001)).unwrap();
    let mut learner = DbmLearner::new(dbm, chains, sgd);
    learner.offsets = Some(LayerOffsets::new(&learner.dbm, 0.05).unwrap());
    learner.sparsity = Some(LayerSparsity::new(&learner.dbm, &[0.2, 0.1], 0.1, 0.9).unwrap());
    learner
}

/// 30 updates from the same keys in single and in double precision: the same draws, parameters within 10⁻⁵.
#[test]
fn learn_the_same() {
    let run = |device: &Device| {
        let mut learner = learner(device);
        for update in 0..30 {
            learner.update(&cases(device), update, Key::new(10).fold_in(update));
        }
        values(&learner)
    };
    for ((name, a), (_, b)) in run(&single()).iter().zip(run(&Device::reference())) {
        let off = distance(a, &b);
        assert!(off < 1e-5, "{name}: {off}");
    }
}

/// A steady update reads and writes nothing; without a label it allocates nothing. Its products: 2 inputs of the start, of
/// which that from the visible units serves all sweeps, 10 sweeps of 2 layers of mean field, 5 sweeps of a visible and a second hidden layer, and of the first one its mean, then
/// a draw, and the gradients of 2 matrices.
#[test]
fn nothing_is_read() {
    let (counting, device) = Counting::new(&Device::cpu());
    let dbm = machine(&device, 3, &[3, 2], None);
    let chains = Chains::new(&dbm, 7, Key::new(9)).unwrap();
    let sgd = Sgd::new(&dbm, 0.1, 0.5, Penalty::default()).unwrap();
    let mut unlabelled = DbmLearner::new(dbm, chains, sgd);
    let mut labelled = learner(&device);
    let batch = cases(&device);
    for update in 0..4 {
        counting.take();
        unlabelled.update(&batch, update, Key::new(11).fold_in(update));
        let counts = counting.take();
        if update > 0 {
            assert_eq!((counts.reads, counts.writes, counts.allocations), (0, 0, 0));
            assert_eq!(counts.products, 2 + 10 * 2 + 5 * 3 + 2);
        }
        labelled.update(&batch, update, Key::new(11).fold_in(update));
        let counts = counting.take();
        assert_eq!((counts.reads, counts.writes), (0, 0));
    }
}

/// Saved after 7 of 20 updates, loaded into a learner of other values and gone on with: equal bits.
#[test]
fn resumes_in_the_same_bits() {
    let device = Device::cpu();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint.safetensors");
    let train = |learner: &mut dyn Learner, from: u64, to: u64| {
        (from..to).for_each(|update| learner.update(&cases(&device), update, Key::new(12).fold_in(update)));
    };
    let (mut whole, mut first, mut second) = (learner(&device), learner(&device), learner(&device));
    train(&mut whole, 0, 20);
    train(&mut first, 0, 7);
    checkpoint::save(&file, &Header::new("test", 7, Key::new(12)), &first).unwrap();
    machines::randomize(&mut second, 1.0, 1.0, Key::new(13));
    Checkpoint::open(&file, "test").unwrap().load_into(&mut second).unwrap();
    train(&mut second, 7, 20);
    assert_eq!(values(&whole), values(&second));
    let mut names = values(&whole).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "{names:?}");
}

/// Data of another width or with labels of another number of classes are refused; data without labels are not.
#[test]
fn refusals() {
    let device = Device::cpu();
    let mut learner = learner(&device);
    let fit = Fit::new(1, 3, Key::new(41));
    let inputs = |columns: usize| Array2::<f32>::zeros((3, columns));
    let mut run = |data: Dataset| fit.run(&mut learner, &data, &mut [], &false.into());
    let wide = Dataset::new(&device, inputs(5).view(), Binarize::Never).unwrap();
    assert!(run(wide).unwrap_err().to_string().contains("cases of 5 values for a network of 3 inputs"));
    let other = Dataset::labelled(&device, inputs(3).view(), &[0, 1, 2], 3).unwrap();
    assert!(run(other).unwrap_err().to_string().contains("targets of 3 values"));
    run(Dataset::new(&device, inputs(3).view(), Binarize::Never).unwrap()).unwrap();
}
