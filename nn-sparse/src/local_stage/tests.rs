use std::sync::atomic::AtomicBool;

use ndarray::Array2;
use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{
    ACC, Adam, Binarize, CaseSource, Dataset, Device, Fit, Key, Learner, Parameters, Penalty, StoredCases,
    Sum, Tensor, check_gradient,
};

use super::passes::Room;
use super::{LocalStage, LocalStageLearner, LocalStageSettings};
use crate::{Neighborhood, Objective, ReconstructionIca, ReconstructionIcaSettings};

fn normal([rows, columns]: [usize; 2], key: Key) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| key.normal((i * columns + j) as u64))
}

/// Shapes with overlapping fields and pools, with a single position, with steps, with pools of one unit.
fn shapes() -> Vec<LocalStageSettings> {
    let of = |image, [field, stride, maps, pool, pool_stride]: [usize; 5]| LocalStageSettings {
        image,
        field,
        stride,
        maps,
        pool,
        pool_stride,
        sparsity_weight: 0.3,
        epsilon: 0.02,
    };
    vec![
        of([5, 4, 2], [3, 1, 2, 2, 1]),
        of([3, 3, 1], [3, 1, 4, 1, 1]),
        of([6, 4, 1], [2, 2, 3, 2, 1]),
        of([5, 5, 1], [2, 1, 1, 2, 2]),
    ]
}

/// A stage whose encoder and decoder have nothing to do with each other.
fn untied(settings: LocalStageSettings, key: Key) -> LocalStage {
    let mut stage = LocalStage::new(&Device::reference(), settings, key).unwrap();
    let size = [stage.decoder.rows(), stage.decoder.columns()];
    stage.decoder.view_mut().write_f64(normal(size, key.fold_in(9)).view());
    stage
}

fn value(stage: &LocalStage, inputs: &Tensor) -> f64 {
    let mut room = Room::new(inputs.device());
    stage.evaluate(inputs.view(), &mut room);
    room.reconstruction().read().unwrap() + room.sparsity().read().unwrap()
}

fn gradients(stage: &LocalStage, inputs: &Tensor) -> Vec<Tensor> {
    let mut room = Room::new(inputs.device());
    stage.evaluate(inputs.view(), &mut room);
    let stored = |sum: &Sum<'_>| {
        let [rows, columns] = sum.shape();
        let mut values = inputs.device().zeros(rows, columns);
        sum.store(values.view_mut(), ACC);
        values
    };
    stage.gradients(inputs.view(), &mut room).iter().map(stored).collect()
}

#[test]
fn gradients_agree_with_central_differences() {
    for settings in shapes() {
        let mut stage = untied(settings, Key::new(1));
        let inputs = normal([7, stage.fields.image_len()], Key::new(2));
        let inputs = Device::reference().tensor_f64(&inputs);
        let found = gradients(&stage, &inputs);
        let worst = check_gradient(&mut stage, &found, |stage| Ok(value(stage, &inputs))).unwrap();
        assert!(worst.relative < 1e-6, "{settings:?}: {worst:?}");
    }
}

/// The filters as columns over all pixels, 0 outside their fields.
fn over_pixels(weights: &Tensor, stage: &LocalStage) -> Array2<f64> {
    let (fields, maps) = (&stage.fields, stage.pools.channels);
    let ([side, _], [_, across]) = (fields.kernel, fields.positions());
    let mut dense = Array2::zeros((fields.image_len(), fields.count() * maps));
    for ((row, map), weight) in weights.to_array_f64().unwrap().indexed_iter() {
        let (position, within) = (row / fields.patch_len(), row % fields.patch_len());
        let (tap, channel) = (within / fields.channels, within % fields.channels);
        let y = position / across * fields.stride[0] + tap / side;
        let x = position % across * fields.stride[1] + tap % side;
        dense[((y * fields.width + x) * fields.channels + channel, position * maps + map)] = *weight;
    }
    dense
}

/// H: 1 for the units of a pool, pools × units.
fn pools(stage: &LocalStage) -> Array2<f64> {
    let pools = &stage.pools;
    let ([down, across], maps) = (pools.positions(), pools.channels);
    Array2::from_shape_fn((down * across * maps, pools.image_len()), |(pool, unit)| {
        let place = |index: usize, width: usize| [index / maps / width, index / maps % width];
        let (corner, at) = (place(pool, across), place(unit, pools.width));
        let inside = (0..2).all(|axis| {
            let start = corner[axis] * pools.stride[axis];
            (start..start + pools.kernel[axis]).contains(&at[axis])
        });
        f64::from(u8::from(inside && pool % maps == unit % maps))
    })
}

#[test]
fn the_value_is_that_of_full_matrices() {
    for settings in shapes() {
        let stage = untied(settings, Key::new(3));
        let inputs = normal([9, stage.fields.image_len()], Key::new(4));
        let outputs = inputs.dot(&over_pixels(&stage.encoder, &stage));
        let off = outputs.dot(&over_pixels(&stage.decoder, &stage).t()) - &inputs;
        let energies = outputs.mapv(|a| a * a).dot(&pools(&stage).t());
        let wanted = off.mapv(|off| off * off).sum()
            + settings.sparsity_weight * energies.mapv(|energy| (energy + settings.epsilon).sqrt()).sum();
        let wanted = wanted / 9.0;
        let found = value(&stage, &Device::reference().tensor_f64(&inputs));
        assert!((found - wanted).abs() < 1e-10 * wanted, "{settings:?}: {found}, not {wanted}");
    }
}

/// Twice the objective of filters that are 0 outside their fields, and their gradient shared by encoder and decoder. Rows of
/// its H have length 1, those here n ones: with λ' = n^¼·λ and ε' = ε/√n that is the same.
#[test]
fn with_equal_filters_it_is_reconstruction_ica() {
    let device = Device::reference();
    for settings in shapes() {
        let stage = LocalStage::new(&device, settings, Key::new(5)).unwrap();
        let inputs = device.tensor_f64(&normal([6, stage.fields.image_len()], Key::new(6)));
        let size = (settings.pool * settings.pool) as f64;
        let other = ReconstructionIcaSettings {
            sparsity_weight: settings.sparsity_weight * size.powf(0.25) / 2.0,
            epsilon: settings.epsilon / size.sqrt(),
            unit_rows: false,
        };
        let neighborhood = Neighborhood::any(pools(&stage).view()).unwrap();
        let pixels = stage.fields.image_len();
        let mut objective = ReconstructionIca::new(&device, &neighborhood, pixels, other).unwrap();
        let dense = over_pixels(&stage.encoder, &stage);
        let weights = device.tensor_f64(&dense.t().as_standard_layout().to_owned());
        let mut gradient = device.zeros(weights.rows(), weights.columns());
        let wanted = 2.0 * objective.evaluate(&weights, &inputs, Some(&mut gradient)).read().unwrap();
        let found = value(&stage, &inputs);
        assert!((found - wanted).abs() < 1e-10 * wanted, "{settings:?}: {found}, not {wanted}");

        let [of_encoder, of_decoder] =
            [0, 1].map(|which| over_pixels(&gradients(&stage, &inputs)[which], &stage));
        let wanted = gradient.to_array_f64().unwrap() * 2.0;
        for ((pixel, unit), shared) in (of_encoder + of_decoder).indexed_iter() {
            // Outside of its field a filter is not free.
            if dense[(pixel, unit)] != 0.0 {
                assert!((shared - wanted[(unit, pixel)]).abs() < 1e-9, "{settings:?}: {pixel}, {unit}");
            }
        }
    }
}

const LEARNED: LocalStageSettings = LocalStageSettings {
    image: [6, 6, 1],
    field: 4,
    stride: 1,
    maps: 3,
    pool: 2,
    pool_stride: 1,
    sparsity_weight: 0.1,
    epsilon: 0.01,
};

fn learner(device: &Device) -> LocalStageLearner<Adam> {
    let stage = LocalStage::new(device, LEARNED, Key::new(7)).unwrap();
    LocalStageLearner::new(stage, |stage| Adam::new(stage, 0.01, Penalty::default())).unwrap()
}

/// Images that are sums of two of nine lines across or down.
fn images(device: &Device) -> Dataset {
    let key = Key::new(8);
    let images = Array2::from_shape_fn((60, 36), |(case, pixel)| {
        let strength = |line: usize| key.normal((case * 12 + line) as u64).powi(3) as f32;
        strength(pixel / 6) + strength(6 + pixel % 6)
    });
    Dataset::new(device, images.view(), Binarize::Never).unwrap()
}

#[test]
fn a_resumed_stage_ends_in_the_bits_of_one_that_was_not_interrupted() {
    let device = Device::cpu();
    let (data, folder) = (images(&device), tempfile::tempdir().unwrap());
    let path = folder.path().join("stage.safetensors");
    let fit = |epochs: u64, from: u64, learner: &mut LocalStageLearner<Adam>| {
        let fit = Fit { from, ..Fit::new(epochs, 20, Key::new(9)) };
        fit.run(learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
    };
    let (mut through, mut resumed) = (learner(&device), learner(&device));
    let before = through.measure(data.all(), Key::new(0)).unwrap();
    fit(10, 0, &mut through);
    fit(4, 0, &mut resumed);
    checkpoint::save(&path, &Header::new("stage", 12, Key::new(9)), &resumed).unwrap();
    let mut resumed = learner(&device);
    Checkpoint::open(&path, "stage").unwrap().load_into(&mut resumed).unwrap();
    fit(10, 12, &mut resumed);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    through.visit(&mut |name, tensor| left.push((name.to_string(), tensor.to_array().unwrap())));
    resumed.visit(&mut |name, tensor| right.push((name.to_string(), tensor.to_array().unwrap())));
    assert!(left == right && left.len() > 4);

    let after = through.measure(data.all(), Key::new(0)).unwrap();
    let names: Vec<_> = after.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["objective", "reconstruction", "sparsity"]);
    assert!((after[0].1 - after[1].1 - after[2].1).abs() < 1e-9);
    assert!(after[0].1 < 0.5 * before[0].1, "{before:?}, then {after:?}");
    // Equal at first, they went apart: nothing ties them.
    let stage = &through.stage;
    assert!(stage.encoder().to_array().unwrap() != stage.decoder().to_array().unwrap());
}

#[test]
fn images_of_another_size_are_refused() {
    let device = Device::cpu();
    let data = Dataset::new(&device, Array2::zeros((4, 35)).view(), Binarize::Never).unwrap();
    let message = learner(&device).check(&data).unwrap_err().to_string();
    assert_eq!(message, "cases of 35 values; the model takes cases of 36");
}

const SETTINGS: LocalStageSettings = LocalStageSettings {
    image: [9, 7, 2],
    field: 3,
    stride: 2,
    maps: 4,
    pool: 2,
    pool_stride: 1,
    sparsity_weight: 0.1,
    epsilon: 0.01,
};

#[test]
fn shapes_follow_from_the_settings() {
    let stage = LocalStage::new(&Device::cpu(), SETTINGS, Key::new(1)).unwrap();
    assert_eq!((stage.fields().positions(), stage.pools().positions()), ([4, 3], [3, 2]));
    assert_eq!((stage.encoder().rows(), stage.encoder().columns()), (12 * 18, 4));
    assert_eq!(stage.encoder().to_array().unwrap(), stage.decoder().to_array().unwrap());
    // Filters are short at first: the mean of 48 squared lengths of 18 draws each, within four of its standard deviations.
    let squares = stage.encoder().to_array_f64().unwrap().mapv(|weight| weight * weight).sum() / 48.0;
    assert!((squares / 0.01 - 1.0).abs() < 4.0 * (2.0 / 864f64).sqrt(), "{squares}");
}

#[test]
fn what_makes_no_sense_is_refused_in_one_line() {
    let message = |change: &dyn Fn(&mut LocalStageSettings)| {
        let mut settings = SETTINGS;
        change(&mut settings);
        LocalStage::new(&Device::cpu(), settings, Key::new(1)).unwrap_err().to_string()
    };
    assert_eq!(
        message(&|settings| settings.field = 8),
        "side of a field is 8, but it lies between 1 and 7, as 9 × 7 places are there"
    );
    assert_eq!(
        message(&|settings| settings.pool_stride = 2),
        "stride of a pool is 2, but it lies between 1 and the side 2 and divides 2 and 1, so that nothing is left out"
    );
    for (change, part) in [
        (&(|s: &mut LocalStageSettings| s.image[1] = 0) as &dyn Fn(&mut LocalStageSettings), "9 × 0 × 2"),
        (&|s| s.field = 0, "side of a field is 0"),
        (&|s| s.stride = 0, "stride of a field is 0"),
        // Windows that leave gaps.
        (&|s| (s.field, s.stride) = (1, 2), "stride of a field is 2"),
        (&|s| s.maps = 0, "maps of a local stage is 0"),
        (&|s| s.pool = 4, "side of a pool is 4"),
        (&|s| s.epsilon = 0.0, "ε under the root is 0"),
        (&|s| s.sparsity_weight = f64::NAN, "weight of the sparsity is NaN"),
    ] {
        let found = message(change);
        assert!(found.contains(part) && !found.contains('\n'), "{found}");
    }
}

/// Two stages, one on the answers of the other, both from files of which a part is in memory: in the bits of training from
/// memory where a part is all there is, and better than at first where it is not.
#[test]
fn stages_learn_from_files() {
    let (device, folder) = (Device::cpu(), tempfile::tempdir().unwrap());
    let [shape, above] = [[6, 6, 1], [4, 4, 1]].map(|image| LocalStageSettings {
        image,
        field: 3,
        stride: 1,
        maps: 1,
        pool: 1,
        pool_stride: 1,
        sparsity_weight: 0.1,
        epsilon: 0.01,
    });
    let images = normal([300, 36], Key::new(1)).mapv(|value| value as f32);
    let path = folder.path().join("images");
    let copied = |cases: std::ops::Range<usize>, mut out: ndarray::ArrayViewMut2<'_, f32>| {
        out.assign(&images.slice_axis(ndarray::Axis(0), ndarray::Slice::from(cases)));
        Ok(())
    };
    StoredCases::write(&path, [300, 36], copied).unwrap();
    let learner = |settings| {
        let stage = LocalStage::new(&device, settings, Key::new(2)).unwrap();
        LocalStageLearner::new(stage, |parameters| Adam::new(parameters, 0.01, Penalty::default())).unwrap()
    };
    let fit = Fit::new(4, 20, Key::new(3));
    let from_file = |path: &std::path::Path, part: usize, settings| {
        let (mut learner, mut source) = (learner(settings), StoredCases::open(path, &device, part).unwrap());
        fit.run_on(&mut learner, &mut source, &mut [], &AtomicBool::new(false)).unwrap();
        learner
    };
    let mut memory = learner(shape);
    let data = Dataset::new(&device, images.view(), Binarize::Never).unwrap();
    fit.run(&mut memory, &data, &mut [], &AtomicBool::new(false)).unwrap();
    let encoder = |learner: &LocalStageLearner<Adam>| learner.stage.encoder.to_array().unwrap();
    assert_eq!(encoder(&from_file(&path, 300, shape)), encoder(&memory));

    let first = from_file(&path, 50, shape);
    assert_ne!(encoder(&first), encoder(&memory));
    // Fields of one map: an answer for each of 4 × 4 positions.
    let answers = folder.path().join("answers");
    let windows = first.stage.fields;
    let filters = encoder(&first);
    let answered = |cases: std::ops::Range<usize>, mut out: ndarray::ArrayViewMut2<'_, f32>| {
        for (mut row, case) in out.rows_mut().into_iter().zip(cases) {
            for (position, to) in row.iter_mut().enumerate() {
                let pixel = |at: usize| images[[case, (position / 4 + at / 3) * 6 + position % 4 + at % 3]];
                *to = (0..9).map(|at| pixel(at) * filters[[position * 9 + at, 0]]).sum();
            }
        }
        Ok(())
    };
    assert_eq!(windows.count(), 16);
    StoredCases::write(&answers, [300, 16], answered).unwrap();
    let second = from_file(&answers, 50, above);
    let source = StoredCases::open(&answers, &device, 300).unwrap();
    let mut all = source.room(300);
    let mut source = source;
    source.fill(&mut all, &(0..300).collect::<Vec<_>>(), Key::new(0)).unwrap();
    let objective = |learner: &LocalStageLearner<Adam>| learner.measure(&all, Key::new(0)).unwrap()[0].1;
    assert!(objective(&second) < 0.9 * objective(&learner(above)));
}
