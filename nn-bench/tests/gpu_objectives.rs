//! Everything that learns features without labels by gradients, on a GPU: as on the CPU and the oracle.
//!
//! A software driver will do. `NN_GPU_TEST=require` fails where there is no driver; anything else skips and says so. Lasso,
//! dictionaries and predictive decomposition are not here: their solvers compute on the processor, in double precision.
#![allow(clippy::unwrap_used, reason = "what fails in a test should end it")]

mod driver;

use driver::gpu;
use ndarray::Array2;
use nn_conv::{Filters, Tiled, TiledIca};
use nn_core::init::Initialization;
use nn_core::{
    Activation, Autoencoder, AutoencoderLearner, AutoencoderSettings, Binarize, Dataset, Device, Error, Key,
    Learner, Loss, Parameters, Penalty, Sgd, SparsityPenalty, Window,
};
use nn_sparse::{
    Edge, FastIca, KMeans, LocalStage, LocalStageLearner, LocalStageSettings, Neighborhood, ObjectiveLearner,
    OrthonormalDescent, ReconstructionIca, ReconstructionIcaSettings, TopographicIca,
};

/// Values of a case: images of 6 × 6.
const VALUES: usize = 36;
const CASES: usize = 60;

/// Numbers in which squares of neighbours go together, between 0 and 1 or around 0.
fn cases(between_0_and_1: bool) -> Array2<f32> {
    let key = Key::new(1);
    let normal = |case: usize, value: usize| key.normal((case * VALUES + value) as u64);
    Array2::from_shape_fn((CASES, VALUES), |(case, value)| {
        let number = normal(case, value) * normal(case, value / 4 * 4).abs() + 0.3 * normal(case, 0);
        (if between_0_and_1 { 1.0 / (1.0 + (-number).exp()) } else { number }) as f32
    })
}

fn data(device: &Device, between_0_and_1: bool) -> Dataset {
    Dataset::new(device, cases(between_0_and_1).view(), Binarize::Never).unwrap()
}

fn sgd(model: &dyn Parameters) -> Result<Sgd, Error> {
    Sgd::new(model, 0.05, 0.9, Penalty::default())
}

/// For objectives that sum over the values of a case.
fn slow_sgd(model: &dyn Parameters) -> Result<Sgd, Error> {
    Sgd::new(model, 0.002, 0.9, Penalty::default())
}

fn map() -> Neighborhood {
    Neighborhood::grid([4, 4], 1, Edge::Torus).unwrap()
}

fn autoencoder(device: &Device, tied: bool, sparsity: SparsityPenalty) -> Box<dyn Learner> {
    let squared = AutoencoderSettings { loss: Loss::SquaredError, ..AutoencoderSettings::default() };
    let settings = AutoencoderSettings { tied, sparsity, ..squared };
    let autoencoder = Autoencoder::new(device, VALUES, 20, settings, Key::new(2)).unwrap();
    let optimizer = sgd(&autoencoder).unwrap();
    Box::new(AutoencoderLearner::new(autoencoder, optimizer))
}

fn reconstruction_ica(device: &Device, neighborhood: &Neighborhood, unit_rows: bool) -> Box<dyn Learner> {
    let settings = ReconstructionIcaSettings { sparsity_weight: 0.5, epsilon: 0.1, unit_rows };
    let objective = ReconstructionIca::new(device, neighborhood, VALUES, settings).unwrap();
    let key = Key::new(3);
    let weights = Array2::from_shape_fn((neighborhood.units(), VALUES), |(unit, value)| {
        0.3 * key.normal((unit * VALUES + value) as u64)
    });
    Box::new(ObjectiveLearner::new(objective, device.tensor_f64(&weights), slow_sgd).unwrap())
}

fn local_stage(device: &Device) -> Box<dyn Learner> {
    let stage = LocalStageSettings {
        image: [6, 6, 1],
        field: 4,
        stride: 1,
        maps: 3,
        pool: 2,
        pool_stride: 1,
        sparsity_weight: 0.5,
        epsilon: 0.1,
    };
    let stage = LocalStage::new(device, stage, Key::new(4)).unwrap();
    Box::new(LocalStageLearner::new(stage, slow_sgd).unwrap())
}

fn tiled_ica(device: &Device) -> Box<dyn Learner> {
    let (filters, draw) =
        (Filters::new(Window::new(6, 6, 1, 3), 3), Initialization::Normal { deviation: 1.0 });
    let layer = Tiled::new(device, filters, 2, Activation::Identity, draw, Key::new(5)).unwrap();
    Box::new(TiledIca::new(layer, Window::new(4, 4, 3, 2), TiledIca::EPSILON, 0.1.into()).unwrap())
}

fn matrices(model: &dyn Parameters) -> Vec<Array2<f64>> {
    let mut all = Vec::new();
    model.visit(&mut |_, tensor| all.push(tensor.to_array_f64().unwrap()));
    all
}

/// The largest difference, where that of 1 beside 1 counts ½.
fn difference(found: &[Array2<f64>], exact: &[Array2<f64>]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let pairs = found.iter().flatten().zip(exact.iter().flatten());
    pairs.map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, |worst, next| match next.is_nan() {
        true => f64::INFINITY,
        false => worst.max(next),
    })
}

/// What is found on the GPU and on the CPU is that of the oracle.
fn same_everywhere(what: &str, bar: f64, find: &dyn Fn(&Device) -> Vec<Array2<f64>>) {
    let Some(gpu) = gpu() else { return };
    let exact = find(&Device::reference());
    for (place, device) in [("GPU", gpu.device()), ("CPU", Device::cpu())] {
        let worst = difference(&find(&device), &exact);
        println!("{what}, {place}: {worst:.1e}");
        assert!(worst < bar, "{what}: {place} and oracle differ by {worst:e}");
    }
}

/// Parameters and figures after some updates.
fn after_updates(learner: &mut dyn Learner, data: &Dataset) -> Vec<Array2<f64>> {
    let before = matrices(learner.model());
    let mut batch = data.room(20);
    for update in 0..8 {
        let chosen: Vec<usize> = (0..20).map(|at| (at * 7 + update as usize) % CASES).collect();
        data.fill(&mut batch, &chosen, Key::new(6));
        learner.update(&batch, update, Key::new(7).fold_in(update));
    }
    let mut all = matrices(learner.model());
    assert!(difference(&before, &all) > 1e-3, "it learned nothing");
    let figures = learner.measure(&data.first(CASES), Key::new(8)).unwrap();
    all.push(Array2::from_shape_fn((1, figures.len()), |(_, at)| figures[at].1));
    all
}

fn learns_the_same(what: &str, between_0_and_1: bool, make: &dyn Fn(&Device) -> Box<dyn Learner>) {
    same_everywhere(what, 1e-4, &|device| {
        after_updates(make(device).as_mut(), &data(device, between_0_and_1))
    });
}

#[test]
fn sparse_autoencoders() {
    let divergence = SparsityPenalty::Divergence { target: 0.1, weight: 0.5 };
    let absolute = SparsityPenalty::Absolute { weight: 0.2 };
    let smooth = SparsityPenalty::SmoothAbsolute { weight: 0.2, smoothing: 0.01 };
    for sparsity in [divergence, absolute, smooth] {
        for tied in [true, false] {
            let what = format!("autoencoder, tied {tied}, {sparsity:?}");
            learns_the_same(&what, true, &|device| autoencoder(device, tied, sparsity));
        }
    }
}

#[test]
fn reconstruction_ica_and_its_topographic_form() {
    for neighborhood in [map(), Neighborhood::subspaces(40, 4).unwrap(), Neighborhood::alone(40).unwrap()] {
        for unit_rows in [false, true] {
            let what = format!("reconstruction ICA, {} units, unit rows {unit_rows}", neighborhood.units());
            learns_the_same(&what, false, &|device| reconstruction_ica(device, &neighborhood, unit_rows));
        }
    }
}

#[test]
fn local_stages() {
    learns_the_same("local stage", false, &local_stage);
}

#[test]
fn tiled_filters() {
    learns_the_same("tiled ICA", false, &tiled_ica);
}

#[test]
fn topographic_ica_by_descent_over_orthonormal_filters() {
    for neighborhood in [map(), Neighborhood::subspaces(16, 4).unwrap()] {
        same_everywhere("topographic ICA", 1e-3, &|device| {
            let mut objective = TopographicIca::new(device, &neighborhood, VALUES, 0.1).unwrap();
            let mut descent = OrthonormalDescent::new(&objective, Key::new(9)).unwrap();
            let inputs = device.tensor(&cases(false));
            for _ in 0..4 {
                descent.step(&mut objective, &inputs).unwrap();
            }
            vec![descent.weights().to_array_f64().unwrap()]
        });
    }
}

#[test]
fn triangle_codes() {
    // Not cases themselves: the root of a distance near 0 has half of the digits.
    let centroids = cases(false).mapv(|value| 0.5 * f64::from(value)).slice(ndarray::s![..9, ..]).to_owned();
    let means = KMeans::new(centroids).unwrap();
    same_everywhere("triangle codes", 1e-4, &|device| {
        let inputs = device.tensor(&cases(false));
        vec![means.triangle_code(device).encode(inputs.view()).to_array_f64().unwrap()]
    });
}

#[test]
fn fast_ica() {
    same_everywhere("FastICA", 1e-3, &|device| {
        let mut ica = FastIca::new(device, 8, VALUES, Key::new(10)).unwrap();
        let inputs = device.tensor(&cases(false));
        for _ in 0..4 {
            ica.step(&inputs).unwrap();
        }
        vec![ica.weights().to_array_f64().unwrap()]
    });
}
