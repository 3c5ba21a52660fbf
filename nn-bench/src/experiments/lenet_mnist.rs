//! The convolutional network that this field began with.

use std::sync::Arc;

use nn_conv::{Convolution, Filters, Pool, Pooling};
use nn_core::init::Initialization;
use nn_core::layer::{Dense, Dropout};
use nn_core::network::named;
use nn_core::{
    Activation, Dataset, Device, Key, Loss, Network, Penalty, Schedule, Sgd, SupervisedLearner, Window,
    checkpoint,
};
use nn_data::Images;
use nn_data::augment::RandomCrops;

use crate::augmentation::cropped;
use crate::digits::{CLASSES, DigitSet, Digits, SIDE, labelled};
use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::mistakes;
use crate::network_weights;
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
/// Pixels by which digits are moved at most, along each axis.
const SHIFT: usize = 2;
/// Share of the hidden units that an update leaves out.
const DROPOUT: f32 = 0.5;
/// Purposes of keys.
const WEIGHTS: u64 = 1;
const TRAINING: u64 = 2;

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    /// Training digits of these that are used.
    cases: usize,
    /// Maps of the two convolutions.
    maps: [usize; 2],
    hidden: usize,
    epochs: u64,
    /// Epochs between two measurements.
    measure_every: u64,
    rate: f32,
    decay: f32,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            digits: DigitSet::Embedded,
            cases: usize::MAX,
            maps: [20, 50],
            hidden: 500,
            epochs: 100,
            measure_every: 5,
            rate: 0.05,
            decay: 5e-4,
        };
        match profile {
            "quick" => {
                Recipe { cases: 1000, maps: [8, 16], hidden: 64, epochs: 12, measure_every: 1, ..default }
            }
            "full" => Recipe { digits: DigitSet::Full, epochs: 60, ..default },
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
            named("dropout", Dropout::new(self.hidden, DROPOUT).while_doing(doing)?),
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
                what: "8 and 16 maps, 64 hidden units, 12 epochs of 1,000 digits, moved anew each time",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "20 and 50 maps, 500 hidden units, 100 epochs of 4,000 digits, moved anew each time",
                duration: "about 2 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "20 and 50 maps, 500 hidden units, 60 epochs of MNIST, moved anew each time",
                duration: "about 15 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        let digits = Digits::load(run, recipe.digits)?;
        describe(run, &recipe);
        let train = first_of(&digits.train, recipe.cases)?;
        let shifts = RandomCrops::shifts(&train, SHIFT).while_doing("preparing the digits")?;
        let shifts = Arc::new(shifts.divided_by(255.0));
        let device = run.device(|device| {
            let data = cropped(device, &shifts)?;
            Ok(Trial::new(recipe.learner(device, data.len(), key)?, &data, BATCH))
        })?;
        let (data, test) = (cropped(&device, &shifts)?, labelled(&device, &digits.test)?);

        let mut learner = recipe.learner(&device, data.len(), key)?;
        let training = Training {
            stage: "lenet",
            epochs: recipe.epochs,
            batch: BATCH,
            key: key.fold_in(TRAINING),
            measure_every: recipe.measure_every,
            save_every: 1,
        };
        let mut on_train = training.measure(&data, "train ", data.first(WATCHED));
        let mut on_test = training.measure(&data, "test ", test.first(test.len()));
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
        let (trained, tested) = (on(&data)?, on(&test)?);
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
        "Each time a training digit is used it is moved by up to two whole pixels along each axis, drawn anew, and half \
         of the hidden units are left out (dropout); published figures of such networks are without either unless they \
         say so. Curves and errors are measured on digits that are not moved. Nothing was chosen by the test set, whose \
         error is that after the last epoch.",
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
        ("dropout of hidden units", DROPOUT.to_string()),
        ("longest shift (pixels)", SHIFT.to_string()),
    ] {
        report.setting(name, value);
    }
}

fn first_of(images: &Images, count: usize) -> Result<Images, RunError> {
    let rows: Vec<usize> = (0..images.len().min(count)).collect();
    images.rows(&rows).while_doing("choosing training digits")
}

fn published(run: &mut Run, error: f64) -> Result<(), RunError> {
    let metric = "test error of MNIST (%)";
    let ours = (run.profile == "full").then_some(error);
    let tutorial = "Theano deep learning tutorials, LeNet of 20 and 50 maps with 500 tanh units, not moved";
    run.report.published(metric, 0.92, tutorial, true, ours)?;
    let caffe = "Caffe, LeNet of 20 and 50 maps with 500 rectified units, 98.97 % of its log, not moved";
    run.report.published(metric, 1.03, caffe, true, ours)?;
    run.report.published(metric, 1.1, "a tutorial's run of cuda-convnet, not moved", false, ours)?;
    let lenet = "LeCun and others, Gradient-based learning applied to document recognition, 1998: LeNet-5";
    run.report.published(metric, 0.95, format!("{lenet}, not moved"), false, ours)?;
    run.report.published(metric, 0.8, format!("{lenet}, with distorted digits"), false, ours)?;
    Ok(())
}

fn filters(run: &mut Run, network: &Network) -> Result<(), RunError> {
    let Some(weights) = network_weights::find(network, "conv1.weights")? else { return Ok(()) };
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
}
