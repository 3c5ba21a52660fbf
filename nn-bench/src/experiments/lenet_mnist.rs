//! The convolutional network that this field began with.

use ndarray::{Array2, Axis, concatenate};
use nn_conv::{Convolution, Filters, Pool, Pooling};
use nn_core::init::Initialization;
use nn_core::layer::Dense;
use nn_core::network::named;
use nn_core::{
    Activation, Dataset, Device, Key, Loss, Network, Parameters, Penalty, Schedule, Sgd, SupervisedLearner,
    Window, checkpoint,
};
use nn_data::Images;
use nn_data::augment::{AffineRanges, map_images};

use crate::digits::{CLASSES, DigitSet, Digits, SIDE, classes_of, labelled};
use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::mistakes;
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct LenetMnist;

const BATCH: usize = 100;
/// Filters are `KERNEL` × `KERNEL`.
const KERNEL: usize = 5;
/// Training digits that the curves are measured on.
const WATCHED: usize = 1000;
/// How far copies of digits are moved at most, along each axis.
const SHIFT: AffineRanges = AffineRanges { rotation: 0.0, scale: 0.0, shear: 0.0, translation: 2.0 };
/// Purposes of keys.
const WEIGHTS: u64 = 1;
const COPIES: u64 = 2;
const TRAINING: u64 = 3;

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    /// Training digits of these that are used.
    cases: usize,
    /// Shifted copies of each.
    copies: usize,
    /// Maps of the two convolutions.
    maps: [usize; 2],
    hidden: usize,
    epochs: u64,
    rate: f32,
    decay: f32,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            digits: DigitSet::Embedded,
            cases: usize::MAX,
            copies: 4,
            maps: [20, 50],
            hidden: 500,
            epochs: 20,
            rate: 0.05,
            decay: 5e-4,
        };
        match profile {
            "quick" => Recipe { cases: 1000, copies: 0, maps: [8, 16], hidden: 64, epochs: 8, ..default },
            "full" => Recipe { digits: DigitSet::Full, copies: 1, epochs: 15, ..default },
            _ => default,
        }
    }

    fn network(&self, device: &Device, key: Key) -> Result<Network, RunError> {
        let doing = "setting up the network";
        let start = Initialization::GlorotUniform { gain: 1.0 };
        let [first, second] = self.maps;
        let convolution = |side: usize, channels: usize, maps: usize, key: Key| {
            let filters = Filters::new(Window::new(side, side, channels, KERNEL), maps);
            Convolution::new(device, filters, Activation::Identity, start, key).while_doing(doing)
        };
        // Rectified after the maximum, which is the same as before it and a quarter of the work.
        let pool = |side: usize, maps: usize| {
            let window = Window::new(side, side, maps, 2).stride(2);
            Pooling::new(window, Pool::Max, Activation::RectifiedLinear).while_doing(doing)
        };
        let dense = |inputs: usize, outputs: usize, activation: Activation, key: Key| {
            Dense::new(device, inputs, outputs, activation, start, key).while_doing(doing)
        };
        let layers = vec![
            named("conv1", convolution(SIDE, 1, first, key.fold_in(0))?),
            named("pool1", pool(24, first)?),
            named("conv2", convolution(12, first, second, key.fold_in(1))?),
            named("pool2", pool(8, second)?),
            named("hidden", dense(4 * 4 * second, self.hidden, Activation::RectifiedLinear, key.fold_in(2))?),
            named("output", dense(self.hidden, CLASSES, Activation::Identity, key.fold_in(3))?),
        ];
        Network::new(layers, Loss::CrossEntropy).while_doing(doing)
    }

    fn learner(&self, device: &Device, cases: usize, key: Key) -> Result<SupervisedLearner<Sgd>, RunError> {
        let network = self.network(device, key.fold_in(WEIGHTS))?;
        let updates = self.epochs * (cases / BATCH) as u64;
        let rate = Schedule::Linear { from: self.rate, to: 0.0, updates };
        let sgd =
            Sgd::new(&network, rate, 0.9, Penalty::l2(self.decay)).while_doing("setting up training")?;
        Ok(SupervisedLearner::new(network, sgd))
    }
}

impl Experiment for LenetMnist {
    fn name(&self) -> &'static str {
        "lenet-mnist"
    }

    fn title(&self) -> &'static str {
        "A convolutional network reads handwritten digits"
    }

    fn summary(&self) -> &'static str {
        "two convolutions of 5×5 with max pooling, 500 rectified units and a softmax, by gradient descent with momentum: filters, mistakes, test error"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "8 and 16 maps, 64 hidden units, 8 epochs of 1,000 digits",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "20 and 50 maps, 500 hidden units, 20 epochs of 4,000 digits and 4 shifted copies of each",
                duration: "about 2 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "20 and 50 maps, 500 hidden units, 15 epochs of MNIST and a shifted copy of each digit",
                duration: "under 30 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        let digits = Digits::load(run, recipe.digits)?;
        describe(run, &recipe);
        let train = first_of(&digits.train, recipe.cases)?;
        let (inputs, labels) = with_copies(&train, recipe.copies, key.fold_in(COPIES))?;
        run.report.setting("digits of an epoch", labels.len());
        let upload = |device: &Device, inputs: &Array2<f32>, labels: &[usize]| {
            Dataset::labelled(device, inputs.view(), labels, CLASSES).while_doing("uploading the digits")
        };
        let device = run.device(|device| {
            let data = upload(device, &inputs, &labels)?;
            Ok(Trial::new(recipe.learner(device, data.len(), key)?, &data, BATCH))
        })?;
        let data = upload(&device, &inputs, &labels)?;
        drop(inputs);
        let test = labelled(&device, &digits.test)?;

        let mut learner = recipe.learner(&device, data.len(), key)?;
        let training = Training {
            stage: "lenet",
            epochs: recipe.epochs,
            batch: BATCH,
            key: key.fold_in(TRAINING),
            measure_every: 1,
            save_every: 1,
        };
        let first = |data: &Dataset, cases: usize| data.cases(&(0..cases).collect::<Vec<_>>(), key);
        // The digits stand before their copies: what is watched are no copies.
        let mut on_train = training.measure(&data, "train ", first(&data, WATCHED.min(train.len())));
        let mut on_test = training.measure(&data, "test ", first(&test, test.len()));
        let figures = training.run_with(run, &mut learner, &data, &mut [&mut on_train, &mut on_test])?;
        let axes = Axes { log_x: false };
        let losses = ["train", "test"].map(|set| (set, figures.curve(&format!("{set} loss"))));
        run.report.curve_on(axes, "Loss", "epoch", "nats", &losses)?;
        let errors = ["train", "test"].map(|set| (set, figures.percent(&format!("{set} error"))));
        run.report.curve_on(axes, "Error", "epoch", "% of the digits", &errors)?;

        let (network, doing) = (&learner.network, "testing");
        let on = |data: &Dataset| {
            let all = data.all();
            network.evaluate(all.inputs.view(), all.targets_or_inputs().view()).while_doing(doing)
        };
        let (trained, tested) = (on(&labelled(&device, &train)?)?, on(&test)?);
        run.report.metric("test_error_percent", 100.0 * tested.error)?;
        run.report.metric("train_error_percent", 100.0 * trained.error)?;
        run.report.metric("test_loss", tested.loss)?;
        published(run, 100.0 * tested.error)?;
        let predictions = network.predict(test.inputs().view()).to_array().while_doing(doing)?;
        mistakes::show(run, predictions.view(), &digits.test)?;
        filters(run, network)?;
        let header = checkpoint::Header::new("lenet-mnist model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, network)
            .while_doing("saving the model")
    }
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "LeCun, Bottou, Bengio and Haffner (1998) read digits with small filters that are the same everywhere in the \
         image, and with pools that forget where exactly a filter responded. The network here has the form in which \
         cuda-convnet, Caffe and the tutorials of 2012 had it: two convolutions with maxima over 2 × 2 pixels, a layer \
         of rectified units and a softmax.",
    );
    report.reproduces(
        "Beside the training digits themselves the network sees copies of them that are shifted by up to two pixels, \
         drawn once; published figures of such networks are without copies unless they say so. Nothing was chosen by \
         the test set, whose error is that after the last epoch.",
    );
    let [first, second] = recipe.maps;
    for (name, value) in [
        ("maps", format!("{first} and {second}, filters of {KERNEL} × {KERNEL}, maxima over 2 × 2")),
        ("hidden units", format!("{}, rectified", recipe.hidden)),
        ("epochs", recipe.epochs.to_string()),
        ("minibatch", BATCH.to_string()),
        ("learning rate, falling linearly to 0", recipe.rate.to_string()),
        ("momentum", "0.9".to_string()),
        ("weight decay (L2)", recipe.decay.to_string()),
        ("shifted copies of each digit", recipe.copies.to_string()),
        ("longest shift (pixels)", SHIFT.translation.to_string()),
    ] {
        report.setting(name, value);
    }
}

fn first_of(images: &Images, count: usize) -> Result<Images, RunError> {
    let rows: Vec<usize> = (0..images.len().min(count)).collect();
    images.rows(&rows).while_doing("choosing training digits")
}

/// Digits and then their copies, with the labels of all.
fn with_copies(images: &Images, copies: usize, key: Key) -> Result<(Array2<f32>, Vec<usize>), RunError> {
    let doing = "shifting copies of digits";
    let (originals, labels) = (images.to_f32(), classes_of(images));
    let mut parts = Vec::new();
    for copy in 0..copies {
        let mut generator = key.fold_in(copy as u64).generator();
        let shifts: Result<Vec<_>, _> = labels.iter().map(|_| SHIFT.draw(&mut generator)).collect();
        let shifts = shifts.while_doing(doing)?;
        let size = [SIDE, SIDE, 1];
        parts.push(map_images(originals.view(), size, size, |case, image, out| {
            shifts[case].displacement(SIDE, SIDE).apply_into(image, 0.0, out);
        }));
    }
    let views: Vec<_> =
        std::iter::once(originals.view()).chain(parts.iter().map(|part| part.view())).collect();
    let all = concatenate(Axis(0), &views).while_doing(doing)?;
    let labels = labels.iter().cycle().take(all.nrows()).copied().collect();
    Ok((all, labels))
}

fn published(run: &mut Run, error: f64) -> Result<(), RunError> {
    let metric = "test error of MNIST (%)";
    let ours = (run.profile == "full").then_some(error);
    let tutorial = "Theano deep learning tutorials, LeNet of 20 and 50 maps with 500 tanh units, no copies";
    run.report.published(metric, 0.92, tutorial, true, ours)?;
    let caffe = "Caffe, LeNet of 20 and 50 maps with 500 rectified units, 98.97 % of its log, no copies";
    run.report.published(metric, 1.03, caffe, true, ours)?;
    run.report.published(metric, 1.1, "a tutorial's run of cuda-convnet, no copies", false, ours)?;
    let lenet = "LeCun and others, Gradient-based learning applied to document recognition, 1998: LeNet-5";
    run.report.published(metric, 0.95, format!("{lenet}, no copies"), false, ours)?;
    run.report.published(metric, 0.8, format!("{lenet}, with distorted copies"), false, ours)?;
    Ok(())
}

fn filters(run: &mut Run, network: &Network) -> Result<(), RunError> {
    let mut weights = None;
    network.visit(&mut |name, tensor| {
        if name == "conv1.weights" {
            weights = Some(tensor);
        }
    });
    let Some(weights) = weights else { return Ok(()) };
    let weights = weights.to_array().while_doing("drawing the filters")?;
    let layout = TileLayout::new(KERNEL, KERNEL, 10).zoom(8);
    let picture = image_grid::filters(weights.view(), TileAxis::Columns, layout, Scaling::PerTile)?;
    run.report.picture(
        "filters",
        "Filters of the first convolution: edges and ends of strokes.",
        &picture,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::parameters::count;

    #[test]
    fn the_network_has_the_published_parameters() {
        let network = Recipe::of("full").network(&Device::cpu(), Key::new(1)).unwrap();
        // 20 and 50 filters, 800 × 500 and 500 × 10 weights, and a bias for each map and unit.
        assert_eq!(count(&network), 520 + 25_050 + 400_500 + 5_010);
    }

    #[test]
    fn copies_follow_the_digits_with_their_labels() {
        let mut pixels = Array2::<u8>::zeros((2, SIDE * SIDE));
        pixels[[0, 14 * SIDE + 14]] = 255;
        pixels[[1, 10 * SIDE + 10]] = 255;
        let images = Images::new(pixels, [SIDE, SIDE, 1], Some(vec![7, 1]), CLASSES, "test").unwrap();
        let (all, labels) = with_copies(&images, 2, Key::new(1)).unwrap();
        assert_eq!((all.nrows(), labels), (6, vec![7, 1, 7, 1, 7, 1]));
        for (case, image) in all.rows().into_iter().enumerate() {
            // Nothing is lost by a shift of at most two pixels, and nothing moves further.
            assert!((image.sum() - 1.0).abs() < 1e-4, "{case}: {}", image.sum());
            let centre = if case % 2 == 0 { 14 } else { 10 };
            let near =
                |place: usize| (place / SIDE).abs_diff(centre) <= 2 && (place % SIDE).abs_diff(centre) <= 2;
            assert!(image.iter().enumerate().all(|(place, value)| *value == 0.0 || near(place)), "{case}");
        }
    }
}
