//! cuda-convnet's networks for small photographs, to the letter of their files.

mod images;
mod network;
mod recipe;
mod report;

use nn_core::loss::error_rate;
use nn_core::observer::Measure;
use nn_core::{Dataset, Fit, Key, Sgd, SupervisedLearner, checkpoint};
use nn_data::augment::mean_image;
use nn_data::cifar::CLASS_NAMES;

use crate::augmentation::{centred, on_ten_views};
use crate::experiment::{Experiment, ProfileInfo};
use crate::mistakes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::{Figures, Training};
use crate::trial::Trial;
use images::of_files;
use recipe::Recipe;

/// The experiment.
#[derive(Debug)]
pub struct Cifar10;

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const CLASSES: usize = 10;
const BATCH: usize = 128;
/// Filters of convolutions are `KERNEL` × `KERNEL`.
const KERNEL: usize = 5;
/// Rates of weights and biases at first, and the momentum of both: epsW, epsB, momW and momB of all the files.
const WEIGHT_RATE: f32 = 0.001;
const BIAS_RATE: f32 = 0.002;
const MOMENTUM: f32 = 0.9;
/// Images of either set that the curves are measured on.
const WATCHED: usize = 10_000;
/// Purposes of keys.
const WEIGHTS: u64 = 1;
const TRAINING: u64 = 2;
const COLOURS: u64 = 3;

impl Experiment for Cifar10 {
    fn name(&self) -> &'static str {
        "cifar10"
    }

    fn title(&self) -> &'static str {
        "Convolutional networks recognise small photographs"
    }

    fn summary(&self) -> &'static str {
        "cuda-convnet's networks for CIFAR-10 as their files have them, from raw pixels less their mean, the better ones with random crops, untied layers and ten views: filters, confusions, test error (quick: a smaller one on coloured digits that are part of the program)"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "crops, ten views and untied layers of 12 maps, 12 epochs of 1,250 embedded digits in random colours: needs no files",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "the same as 26pct",
                duration: "about 4 minutes on 2 cores",
            },
            ProfileInfo {
                name: "26pct",
                what: "layers-80sec: 32, 32 and 64 maps and 64 hidden units, 10 epochs of CIFAR-10",
                duration: "about 4 minutes on 2 cores",
            },
            ProfileInfo {
                name: "18pct",
                what: "layers-18pct: 32, 32 and 64 maps with response normalisation, 140 epochs of CIFAR-10",
                duration: "about 1 hour on 2 cores",
            },
            ProfileInfo {
                name: "13pct",
                what: "layers-conv-local-13pct: random crops of 24 × 24 pixels, two untied layers, 160 epochs of CIFAR-10",
                duration: "about 3 hours on 2 cores",
            },
            ProfileInfo {
                name: "11pct",
                what: "layers-conv-local-11pct: the same with wider layers and response normalisation, 520 epochs of CIFAR-10",
                duration: "about 10 hours on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let (recipe, key) = (Recipe::of(&run.profile), Key::new(run.seed));
        let (train, test) = recipe.images(run, key.fold_in(COLOURS))?;
        report::describe(run, &recipe, [train.len(), test.len()])?;
        let doing = "preparing the images";
        let mean = mean_image(train.pixels()).while_doing(doing)?;
        let all = recipe.parts(train, &mean).while_doing(doing)?;
        let tests = recipe.parts(test, &mean).while_doing(doing)?;
        let setting_up = "setting up the network";
        let weights = key.fold_in(WEIGHTS);
        let device = run.device(|device| {
            let learner = recipe.learner(device, weights).while_doing(setting_up)?;
            Ok(Trial::new(learner, &recipe.data(device, &all)?, BATCH))
        })?;
        let mut learner = recipe.learner(&device, weights).while_doing(setting_up)?;
        let test = centred(&device, &tests)?;

        let (mut curves, mut first) = (Vec::new(), 0);
        for (index, stage) in recipe.stages.iter().enumerate() {
            let images = of_files(all.images(), stage.files).while_doing(doing)?;
            let data = recipe.data(&device, &recipe.parts(images, &mean).while_doing(doing)?)?;
            let training = Training {
                stage: stage.name,
                epochs: stage.until - first,
                batch: BATCH,
                key: key.fold_in(TRAINING).fold_in(index as u64),
                measure_every: recipe.measure_every,
                save_every: 1,
            };
            let fit = Fit { shuffle: false, rest: true, ..training.fit() };
            learner =
                recipe.in_stage(learner, first, fit.updates_per_epoch(&data)).while_doing(setting_up)?;
            curves.push((first, train_stage(run, &training, fit, &mut learner, &data, &test)?));
            first = stage.until;
        }
        report::curves(run, &curves)?;

        let (network, doing) = (&learner.network, "testing");
        let on = |data: &Dataset| {
            let all = data.all();
            network.evaluate(all.inputs.view(), all.targets_or_inputs().view()).while_doing(doing)
        };
        let (trained, tested) = (on(&centred(&device, &all)?)?, on(&test)?);
        run.report.metric("test_error_percent", 100.0 * tested.error)?;
        run.report.metric("train_error_percent", 100.0 * trained.error)?;
        run.report.metric("test_loss", tested.loss)?;
        let mut errors = report::Errors { one_view: 100.0 * tested.error, ten_views: None };
        let mut predictions = network.predict(test.inputs().view());
        if recipe.crop.is_some() {
            predictions = on_ten_views(network, &device, &tests);
            let error = error_rate(predictions.view(), test.all().targets_or_inputs().view());
            let percent = 100.0 * error.while_doing(doing)?;
            run.report.metric("test_error_ten_views_percent", percent)?;
            errors.ten_views = Some(percent);
        }
        report::published(run, &recipe, &errors)?;
        let predictions = predictions.to_array().while_doing(doing)?;
        match recipe.coloured_digits {
            Some(_) => mistakes::show(run, predictions.view(), tests.images())?,
            None => mistakes::show_by_name(run, predictions.view(), tests.images(), &CLASS_NAMES)?,
        };
        report::filters(run, network)?;
        let header = checkpoint::Header::new("cifar10 model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, network)
            .while_doing("saving the model")
    }
}

/// Trains a stage, measuring on the centres of training and test images.
fn train_stage(
    run: &Run,
    training: &Training<'_>,
    fit: Fit,
    learner: &mut SupervisedLearner<Sgd>,
    data: &Dataset,
    test: &Dataset,
) -> Result<Figures, RunError> {
    // There is a last, smaller minibatch, which the stage by itself does not count.
    let every = fit.updates_per_epoch(data) * training.measure_every;
    let on =
        |prefix: &str, set: &Dataset| Measure { every, ..training.measure(data, prefix, set.first(WATCHED)) };
    let (mut on_train, mut on_test) = (on("train ", data), on("test ", test));
    training.run_as(fit, run, learner, data, &mut [&mut on_train, &mut on_test])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use nn_core::{Device, Tensor};
    use nn_data::Images;

    /// The ten views of a mirrored image are those of the image in another order, so their mean is the same; that of a
    /// single view is not.
    #[test]
    fn ten_views_do_not_see_which_way_round_an_image_is() {
        let pixel = |image: usize, value: usize| {
            let (place, channel) = (value / CHANNELS, value % CHANNELS);
            let (row, column) = (place / SIDE, place % SIDE);
            let column = if image == 1 { SIDE - 1 - column } else { column };
            (255.0 * Key::new(1).uniform(((row * SIDE + column) * CHANNELS + channel) as u64)) as u8
        };
        let pixels = Array2::from_shape_fn((2, SIDE * SIDE * CHANNELS), |(image, value)| pixel(image, value));
        let images = Images::new(pixels, [SIDE, SIDE, CHANNELS], Some(vec![0, 0]), CLASSES, "test").unwrap();
        let (recipe, device) = (Recipe::of("quick"), Device::cpu());
        let parts = recipe.parts(images, &ndarray::Array1::zeros(SIDE * SIDE * CHANNELS)).unwrap();
        let network = recipe.network(&device, Key::new(2)).unwrap();
        let apart = |predictions: Tensor| {
            let found = predictions.to_array().unwrap();
            (&found.row(0) - &found.row(1)).iter().fold(0f32, |most, difference| most.max(difference.abs()))
        };
        let centre = network.predict(centred(&device, &parts).unwrap().inputs().view());
        let (one, ten) = (apart(centre), apart(on_ten_views(&network, &device, &parts)));
        assert!(one > 1e-3 && ten < 1e-5, "{one} {ten}");
    }
}
