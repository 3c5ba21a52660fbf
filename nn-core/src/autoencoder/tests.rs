use super::*;
use crate::{
    Binarize, Cases, Dataset, Fit, Learner, Penalty, Sgd,
    checkpoint::{self, Checkpoint, Header},
    conformance::noise,
    counting::{Counting, Counts},
    latent::{codes, reconstruction_error, reconstructions},
};
use ndarray::Array2;
use std::sync::atomic::AtomicBool;

const NOISY: Corruption = Corruption::Masking { probability: 0.3 };

fn learner(device: &Device, tied: bool, corruption: Corruption, seed: u64) -> AutoencoderLearner<Sgd> {
    let settings = AutoencoderSettings { tied, corruption, ..AutoencoderSettings::default() };
    let autoencoder = Autoencoder::new(device, 8, 3, settings, Key::new(seed)).unwrap();
    let sgd = Sgd::new(&autoencoder, 0.5, 0.9, Penalty::default()).unwrap();
    AutoencoderLearner::new(autoencoder, sgd)
}

/// The eight one-hot cases.
fn one_hot(device: &Device) -> Dataset {
    Dataset::new(device, Array2::eye(8).view(), Binarize::Never).unwrap()
}

fn train(learner: &mut AutoencoderLearner<Sgd>, from: u64, epochs: u64) {
    let data = one_hot(learner.autoencoder.encoder.weights.device());
    let fit = Fit { from, ..Fit::new(epochs, 4, Key::new(2)) };
    fit.run(learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
}

/// Eight cases go through three numbers, with tied weights and without.
#[test]
fn a_code_is_learned() {
    for tied in [true, false] {
        let mut learner = learner(&Device::cpu(), tied, Corruption::None, 1);
        train(&mut learner, 0, 1000);
        let (model, data) = (&learner.autoencoder, one_hot(&Device::cpu()));
        let found = reconstructions(model, data.inputs().view()).to_array().unwrap();
        assert_eq!(found.mapv(f32::round), Array2::<f32>::eye(8), "tied {tied}");
        let figures = learner.measure(data.all(), Key::new(3)).unwrap();
        assert_eq!(figures[1].1, reconstruction_error(model, data.inputs().view()).unwrap());
    }
}

/// Five updates in single precision on the CPU end where they end on the oracle.
#[test]
fn the_processor_agrees_with_the_oracle() {
    for tied in [true, false] {
        let after = |device: &Device| {
            let mut learner = learner(device, tied, NOISY, 1);
            for update in 0..5 {
                let batch = Cases::from(noise(device, 6, 8, update));
                learner.update(&batch, update, Key::new(3).fold_in(update));
            }
            reconstructions(&learner.autoencoder, noise(device, 6, 8, 9).view()).to_array_f64().unwrap()
        };
        let difference = after(&Device::cpu()) - after(&Device::reference());
        assert!(difference.iter().all(|difference| difference.abs() < 1e-5), "tied {tied}: {difference}");
    }
}

/// The activity of codes ends near its target, from which the loss pulls it away a little; without target it is much larger.
#[test]
fn activity_comes_to_its_target() {
    let activity = |sparsity| {
        let device = Device::cpu();
        let settings = AutoencoderSettings { sparsity, ..AutoencoderSettings::default() };
        let autoencoder = Autoencoder::new(&device, 8, 6, settings, Key::new(1)).unwrap();
        let sgd = Sgd::new(&autoencoder, 0.5, 0.9, Penalty::default()).unwrap();
        let mut learner = AutoencoderLearner::new(autoencoder, sgd);
        let data = one_hot(&device);
        let fit = Fit::new(400, 8, Key::new(2));
        fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).unwrap();
        codes(&learner.autoencoder, data.inputs().view()).to_array_f64().unwrap().mean().unwrap()
    };
    let sparse = activity(SparsityPenalty::Divergence { target: 0.1, weight: 3.0 });
    assert!((sparse - 0.1).abs() < 0.04, "{sparse}");
    assert!(activity(SparsityPenalty::None) > 0.25);
}

/// Encoder and decoder layers compute what the model does.
#[test]
fn layers_are_those_of_the_model() {
    let device = Device::reference();
    for tied in [true, false] {
        let model = learner(&device, tied, NOISY, 1).autoencoder;
        let inputs = noise(&device, 5, 8, 4);
        let (mut codes, mut out) = (device.zeros(5, 3), device.zeros(5, 8));
        model.encoder_layer().unwrap().apply(inputs.view(), codes.view_mut());
        model.decoder_layer().unwrap().apply(codes.view(), out.view_mut());
        let wanted = reconstructions(&model, inputs.view());
        assert_eq!(out.to_array_f64().unwrap(), wanted.to_array_f64().unwrap());
    }
}

/// A sparse update is one reduction more, and measures two figures more.
#[test]
fn what_sparsity_costs_and_tells() {
    let (counting, device) = Counting::new(&Device::cpu());
    let sparsity = SparsityPenalty::Divergence { target: 0.1, weight: 3.0 };
    let settings = AutoencoderSettings { sparsity, ..AutoencoderSettings::default() };
    let autoencoder = Autoencoder::new(&device, 8, 3, settings, Key::new(1)).unwrap();
    let sgd = Sgd::new(&autoencoder, 0.5, 0.9, Penalty::default()).unwrap();
    let mut learner = AutoencoderLearner::new(autoencoder, sgd);
    let batch = Cases::from(noise(&device, 4, 8, 1));
    learner.update(&batch, 0, Key::new(2));
    counting.take();
    learner.update(&batch, 1, Key::new(3));
    assert_eq!(counting.take(), Counts { assigns: 6, products: 4, reductions: 3, ..Counts::default() });
    let names: Vec<_> = learner.measure(&batch, Key::new(4)).unwrap().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["loss", "reconstruction error", "sparsity", "activity"]);
}

/// Kernels of a steady update: encode, decode, δ of the codes and the gradients of the weights (4 products if tied, 5 if
/// not); δ of the outputs, noise, velocities of two biases, and as many additions as parameters; two sums for the biases.
#[test]
fn the_kernels_of_an_update() {
    for (tied, corruption, assigns, products) in [
        (true, Corruption::None, 6, 4),
        (true, NOISY, 7, 4),
        (false, Corruption::None, 7, 5),
        (false, NOISY, 8, 5),
    ] {
        let (counting, device) = Counting::new(&Device::cpu());
        let mut learner = learner(&device, tied, corruption, 1);
        let batch = Cases::from(noise(&device, 4, 8, 1));
        learner.update(&batch, 0, Key::new(2));
        counting.take();
        learner.update(&batch, 1, Key::new(3));
        assert_eq!(counting.take(), Counts { assigns, products, reductions: 2, ..Counts::default() });
    }
}

#[test]
fn a_resumed_run_ends_in_equal_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let bits = |learner: &AutoencoderLearner<Sgd>| {
        let mut tensors = Vec::new();
        learner.visit(&mut |_, tensor| tensors.push(tensor));
        tensors.iter().map(|tensor| tensor.to_array_f64().unwrap()).collect::<Vec<_>>()
    };
    for tied in [true, false] {
        let mut whole = learner(&Device::cpu(), tied, NOISY, 1);
        train(&mut whole, 0, 9);
        let mut first = learner(&Device::cpu(), tied, NOISY, 1);
        train(&mut first, 0, 4);
        checkpoint::save(&path, &Header::new("test", 8, Key::new(2)), &first).unwrap();
        let mut second = learner(&Device::cpu(), tied, NOISY, 99);
        Checkpoint::open(&path, "test").unwrap().load_into(&mut second).unwrap();
        train(&mut second, 8, 9);
        assert_eq!(bits(&second), bits(&whole));
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let message =
        |settings| Autoencoder::new(&Device::cpu(), 4, 2, settings, Key::new(1)).unwrap_err().to_string();
    let default = AutoencoderSettings::default();
    let wanted =
        "loss is the cross-entropy, but an autoencoder has the binary cross-entropy or the squared error";
    assert_eq!(message(AutoencoderSettings { loss: Loss::CrossEntropy, ..default }), wanted);
    let twice = AutoencoderSettings { reconstruction: Activation::Logistic, ..default };
    assert!(message(twice).starts_with("reconstruction is Logistic, but it must be the identity"));
    let corruption = Corruption::Masking { probability: -1.0 };
    assert!(message(AutoencoderSettings { corruption, ..default }).starts_with("probability of corruption"));
    let sparse = |sparsity, activation| message(AutoencoderSettings { sparsity, activation, ..default });
    let divergence = |target, weight| SparsityPenalty::Divergence { target, weight };
    assert_eq!(
        sparse(divergence(0.1, 1.0), Activation::Tanh),
        "activation is Tanh, but a divergence from a target is for Logistic codes, which lie between 0 and 1"
    );
    assert_eq!(
        sparse(divergence(1.0, 1.0), Activation::Logistic),
        "target of sparsity is 1, but it must lie between 0 and 1"
    );
    assert!(sparse(divergence(0.1, f64::NAN), Activation::Logistic).starts_with("weight of sparsity is NaN"));
    assert!(
        sparse(SparsityPenalty::Absolute { weight: -1.0 }, Activation::Tanh)
            .starts_with("weight of sparsity is -1")
    );
    let smooth = SparsityPenalty::SmoothAbsolute { weight: 1.0, smoothing: 0.0 };
    assert!(sparse(smooth, Activation::Tanh).starts_with("smoothing of sparsity is 0"));
}

#[test]
fn data_of_another_size_are_refused() {
    let data = Dataset::new(&Device::cpu(), Array2::zeros((4, 7)).view(), Binarize::Never).unwrap();
    let mut learner = learner(&Device::cpu(), true, Corruption::None, 1);
    let run = Fit::new(1, 2, Key::new(1)).run(&mut learner, &data, &mut [], &AtomicBool::new(false));
    assert_eq!(run.unwrap_err().to_string(), "cases of 7 values for an autoencoder of 8 inputs");
}
