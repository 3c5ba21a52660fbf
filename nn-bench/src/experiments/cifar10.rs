//! cuda-convnet's networks for small photographs, to the letter of their files.

use ndarray::{Array1, Array2, Axis};
use nn_conv::{Convolution, Filters, Neighbors, Normalization, Pool, Pooling, ResponseNormalization};
use nn_core::init::Initialization;
use nn_core::layer::Dense;
use nn_core::network::named;
use nn_core::observer::Measure;
use nn_core::{
    Activation, Dataset, Device, Error, Fit, Key, Loss, Network, Parameters, Penalty, Schedule, Sgd, SgdRule,
    SupervisedLearner, Window, checkpoint,
};
use nn_data::Images;
use nn_data::augment::mean_image;
use nn_data::cifar::{CLASS_NAMES, Cifar, Form};

use crate::convnet::batches::OF_IMAGE_FILES;
use crate::digits::{DigitSet, Digits, classes_of};
use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, TileAxis, TileLayout};
use crate::mistakes;
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct Cifar10;

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const CLASSES: usize = 10;
const BATCH: usize = 128;
/// Filters are `KERNEL` × `KERNEL`.
const KERNEL: usize = 5;
/// Rates of weights and biases at first, and the momentum of both: epsW, epsB, momW and momB of all the files.
const WEIGHT_RATE: f32 = 0.001;
const BIAS_RATE: f32 = 0.002;
const MOMENTUM: f32 = 0.9;
/// wc of the convolutions.
const CONVOLUTION_DECAY: f32 = 0.004;
/// Training images that the curves are measured on.
const WATCHED: usize = 10_000;
/// Purposes of keys.
const WEIGHTS: u64 = 1;
const TRAINING: u64 = 2;
const COLOURS: u64 = 3;

/// A fully connected layer.
#[derive(Clone, Copy)]
struct DenseLayer {
    name: &'static str,
    units: usize,
    rectified: bool,
    /// Standard deviation of its first weights.
    deviation: f64,
    /// wc.
    decay: f32,
}

/// What a profile sets: a layer file, a parameter file and a schedule.
struct Recipe {
    file: &'static str,
    /// Training and test images: CIFAR-10, or so many coloured digits.
    coloured_digits: Option<[usize; 2]>,
    maps: [usize; 3],
    /// Standard deviation of the first weights of the convolutions.
    deviations: [f64; 3],
    /// Whether a response normalisation follows each of the first two pools.
    normalized: bool,
    dense: Vec<DenseLayer>,
    epochs: u64,
    /// Epochs after which all rates are divided by 10.
    drops: Vec<u64>,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let output =
            DenseLayer { name: "fc10", units: CLASSES, rectified: false, deviation: 0.1, decay: 0.03 };
        let hidden = DenseLayer { name: "fc64", units: 64, rectified: true, ..output };
        let fastest = Recipe {
            file: "layers-80sec",
            coloured_digits: None,
            maps: [32, 32, 64],
            deviations: [0.0001, 0.01, 0.01],
            normalized: false,
            dense: vec![hidden, output],
            epochs: 10,
            drops: vec![8],
        };
        match profile {
            // The fan-ins of the second and third convolution are a quarter of those of the published network.
            "quick" => Recipe {
                coloured_digits: Some([1280, 400]),
                maps: [8, 8, 16],
                deviations: [0.001, 0.05, 0.05],
                ..fastest
            },
            "18pct" => Recipe {
                file: "layers-18pct",
                normalized: true,
                dense: vec![DenseLayer { deviation: 0.01, decay: 1.0, ..output }],
                epochs: 140,
                drops: vec![120, 130],
                ..fastest
            },
            _ => fastest,
        }
    }

    fn network(&self, device: &Device, key: Key) -> Result<Network, Error> {
        let [first, second, third] = self.maps;
        let normal = |deviation| Initialization::Normal { deviation };
        let (linear, rectified) = (Activation::Identity, Activation::RectifiedLinear);
        let convolution = |index: usize, side: usize, channels: usize, activation: Activation| {
            let filters =
                Filters::new(Window::new(side, side, channels, KERNEL).padding(2), self.maps[index]);
            let key = key.fold_in(index as u64);
            Convolution::new(device, filters, activation, normal(self.deviations[index]), key)
        };
        let pool = |side: usize, maps: usize, pool: Pool, activation: Activation| {
            Pooling::new(Window::new(side, side, maps, 3).stride(2).ceil(), pool, activation)
        };
        let normalization = |side: usize, maps: usize| {
            let within = Normalization::new(3, 5e-5, 0.75);
            ResponseNormalization::new([side, side, maps], Neighbors::WithinMap, within)
        };
        let mut layers = vec![
            named("conv1", convolution(0, SIDE, CHANNELS, linear)?),
            named("pool1", pool(SIDE, first, Pool::Max, rectified)?),
        ];
        if self.normalized {
            layers.push(named("rnorm1", normalization(16, first)?));
        }
        layers.push(named("conv2", convolution(1, 16, first, rectified)?));
        layers.push(named("pool2", pool(16, second, Pool::Average, linear)?));
        if self.normalized {
            layers.push(named("rnorm2", normalization(8, second)?));
        }
        layers.push(named("conv3", convolution(2, 8, second, rectified)?));
        layers.push(named("pool3", pool(8, third, Pool::Average, linear)?));
        let mut inputs = 4 * 4 * third;
        for (index, layer) in self.dense.iter().enumerate() {
            let activation = if layer.rectified { rectified } else { linear };
            let key = key.fold_in(10 + index as u64);
            let dense = Dense::new(device, inputs, layer.units, activation, normal(layer.deviation), key)?;
            layers.push(named(layer.name, dense));
            inputs = layer.units;
        }
        Network::new(layers, Loss::CrossEntropy)
    }

    fn learner(&self, device: &Device, per_epoch: u64, key: Key) -> Result<SupervisedLearner<Sgd>, Error> {
        let network = self.network(device, key.fold_in(WEIGHTS))?;
        let rule = |first: f32, decay: f32| {
            let corners = self.drops.iter().enumerate();
            let drop =
                |(index, epoch): (usize, &u64)| (epoch * per_epoch, first / 10f32.powi(index as i32 + 1));
            let steps = std::iter::once((0, first)).chain(corners.map(drop)).collect();
            SgdRule::new(Schedule::Steps(steps), MOMENTUM, Penalty::l2(decay))
        };
        let mut sgd = Sgd::new(&network, WEIGHT_RATE, MOMENTUM, Penalty::default())?;
        let convolutions = ["conv1", "conv2", "conv3"].map(|name| (name, CONVOLUTION_DECAY));
        let dense = self.dense.iter().map(|layer| (layer.name, layer.decay));
        for (name, decay) in convolutions.into_iter().chain(dense) {
            sgd = sgd
                .with_rule(&format!("{name}.weights"), rule(WEIGHT_RATE, decay))?
                .with_rule(&format!("{name}.biases"), rule(BIAS_RATE, 0.0))?;
        }
        Ok(SupervisedLearner::new(network, sgd))
    }

    /// Training and test images.
    fn images(&self, run: &mut Run, key: Key) -> Result<(Images, Images), RunError> {
        let doing = "loading images";
        if let Some([train, test]) = self.coloured_digits {
            let digits = Digits::load(run, DigitSet::Embedded)?;
            let train = coloured(&digits.train, train, key.fold_in(0)).while_doing(doing)?;
            return Ok((train, coloured(&digits.test, test, key.fold_in(1)).while_doing(doing)?));
        }
        let files = Cifar::Ten.find(run.data_folder()?).while_doing(doing)?;
        if files.form == Form::ImageTree {
            run.report.note(OF_IMAGE_FILES);
        }
        let mut read = files.train.clone();
        read.push(files.test.clone());
        read.dedup();
        for file in read.iter().filter(|file| file.is_file()) {
            run.report.data_file(file)?;
        }
        let timer = run.phase("reading the images");
        let images = files.load().while_doing(doing)?;
        drop(timer);
        Ok(images)
    }
}

impl Experiment for Cifar10 {
    fn name(&self) -> &'static str {
        "cifar10"
    }

    fn title(&self) -> &'static str {
        "Convolutional networks recognise small photographs"
    }

    fn summary(&self) -> &'static str {
        "cuda-convnet's networks for CIFAR-10 as their files have them, from raw pixels less their mean: filters, confusions, test error (quick: a smaller one on coloured digits that are part of the program)"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "8, 8 and 16 maps, 10 epochs of 1,280 embedded digits in random colours: needs no files",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "the same as 26pct",
                duration: "about 15 minutes on 2 cores",
            },
            ProfileInfo {
                name: "26pct",
                what: "layers-80sec: 32, 32 and 64 maps and 64 hidden units, 10 epochs of CIFAR-10",
                duration: "about 15 minutes on 2 cores",
            },
            ProfileInfo {
                name: "18pct",
                what: "layers-18pct: 32, 32 and 64 maps with response normalisation, 140 epochs of CIFAR-10",
                duration: "about 4 hours on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let (recipe, key) = (Recipe::of(&run.profile), Key::new(run.seed));
        let (train, test) = recipe.images(run, key.fold_in(COLOURS))?;
        describe(run, &recipe, [train.len(), test.len()]);
        let mean = mean_image(train.pixels()).while_doing("averaging the images")?;
        let training = Training {
            stage: "convnet",
            epochs: recipe.epochs,
            batch: BATCH,
            key: key.fold_in(TRAINING),
            measure_every: 1,
            save_every: 1,
        };
        let fit = Fit { shuffle: false, rest: true, ..training.fit() };
        let set_up = |device: &Device| {
            let data = centred(device, &train, &mean)?;
            let learner = recipe.learner(device, fit.updates_per_epoch(&data), key);
            Ok((learner.while_doing("setting up the network")?, data))
        };
        let device =
            run.device(|device| set_up(device).map(|(learner, data)| Trial::new(learner, &data, BATCH)))?;
        let (mut learner, data) = set_up(&device)?;
        let tests = centred(&device, &test, &mean)?;

        let every = fit.updates_per_epoch(&data);
        let first = |data: &Dataset| data.cases(&(0..WATCHED.min(data.len())).collect::<Vec<_>>(), key);
        let mut on_train = Measure { every, ..training.measure(&data, "train ", first(&data)) };
        let mut on_test = Measure { every, ..training.measure(&data, "test ", first(&tests)) };
        let probes: &mut [&mut dyn nn_core::Observer] = &mut [&mut on_train, &mut on_test];
        let figures = training.run_as(fit, run, &mut learner, &data, probes)?;
        let axes = Axes { log_x: false };
        let losses = ["train", "test"].map(|set| (set, figures.curve(&format!("{set} loss"))));
        run.report.curve_on(axes, "Loss", "epoch", "nats", &losses)?;
        let errors = ["train", "test"].map(|set| (set, figures.percent(&format!("{set} error"))));
        run.report.curve_on(axes, "Error", "epoch", "% of the images", &errors)?;

        let (network, doing) = (&learner.network, "testing");
        let on = |data: &Dataset| {
            let all = data.all();
            network.evaluate(all.inputs.view(), all.targets_or_inputs().view()).while_doing(doing)
        };
        let (trained, tested) = (on(&data)?, on(&tests)?);
        run.report.metric("test_error_percent", 100.0 * tested.error)?;
        run.report.metric("train_error_percent", 100.0 * trained.error)?;
        run.report.metric("test_loss", tested.loss)?;
        published(run, &recipe, 100.0 * tested.error)?;
        let predictions = network.predict(tests.inputs().view()).to_array().while_doing(doing)?;
        match recipe.coloured_digits {
            Some(_) => mistakes::show(run, predictions.view(), &test)?,
            None => mistakes::show_by_name(run, predictions.view(), &test, &CLASS_NAMES)?,
        };
        filters(run, network)?;
        let header = checkpoint::Header::new("cifar10 model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, network)
            .while_doing("saving the model")
    }
}

fn describe(run: &mut Run, recipe: &Recipe, [train, test]: [usize; 2]) {
    let report = &mut run.report;
    report.reproduces(
        "Alex Krizhevsky's cuda-convnet came with layer and parameter files for CIFAR-10, and each file with the error \
         that it leads to. The networks here have the layers, first weights, rates, momenta and weight decays of these \
         files. What goes in are pixels from 0 to 255 less the mean image of the training set, not scaled: with other \
         scales the first weights and rates mean something else.",
    );
    report.reproduces(
        "Minibatches come in the order of the files, without shuffling, and what is left at the end of an epoch is a last, \
         smaller one. cuda-convnet has such a smaller one at the end of each file of 10,000 images; here the training \
         files count as one. Weight decay acts on weights, not on biases. Nothing was chosen by the test set, whose error \
         is that after the last epoch.",
    );
    if recipe.coloured_digits.is_some() {
        report.reproduces(
            "This profile shows that all of it works, without files of data: handwritten digits, each in a random colour \
             on a background of another, and a smaller network with larger first weights.",
        );
    }
    let numbers = |values: &[String]| values.join(", ");
    let dense: Vec<String> = recipe
        .dense
        .iter()
        .map(|layer| {
            let kind = if layer.rectified { "rectified" } else { "softmax" };
            format!("{} {kind}, deviation {}, decay {}", layer.units, layer.deviation, layer.decay)
        })
        .collect();
    let normalization = match recipe.normalized {
        true => "within a map, 3 × 3, scale 0.00005, power 0.75, after the first two pools",
        false => "none",
    };
    for (name, value) in [
        ("layers and parameters after", recipe.file.to_string()),
        ("training images", train.to_string()),
        ("test images", test.to_string()),
        ("convolutions", format!("{:?} maps, filters of {KERNEL} × {KERNEL}, padding 2", recipe.maps)),
        ("deviations of their first weights", format!("{:?}", recipe.deviations)),
        ("pools", "3 × 3 at every second pixel: maximum, then rectified; average; average".to_string()),
        ("response normalisation", normalization.to_string()),
        ("dense layers", dense.join("; ")),
        ("weight decay of convolutions (L2)", CONVOLUTION_DECAY.to_string()),
        ("learning rates of weights and biases", format!("{WEIGHT_RATE} and {BIAS_RATE}")),
        ("divided by 10 after epochs", numbers(&recipe.drops.iter().map(u64::to_string).collect::<Vec<_>>())),
        ("momentum", MOMENTUM.to_string()),
        ("minibatch", BATCH.to_string()),
        ("epochs", recipe.epochs.to_string()),
    ] {
        report.setting(name, value);
    }
}

/// Images on a device, 0 to 255 less the mean image, with their classes.
fn centred(device: &Device, images: &Images, mean: &Array1<f32>) -> Result<Dataset, RunError> {
    let mut inputs = images.pixels().mapv(f32::from);
    inputs -= mean;
    Dataset::labelled(device, inputs.view(), &classes_of(images), CLASSES).while_doing("uploading the images")
}

/// The first of these digits in the middle of images of CIFAR's size, each in a colour of its own before a background of
/// another.
fn coloured(digits: &Images, count: usize, key: Key) -> Result<Images, nn_data::DataError> {
    let rows: Vec<usize> = (0..count.min(digits.len())).collect();
    let digits = digits.rows(&rows)?;
    let (height, width) = (digits.height(), digits.width());
    let margin = [(SIDE - height) / 2, (SIDE - width) / 2];
    let mut pixels = Array2::<u8>::zeros((digits.len(), SIDE * SIDE * CHANNELS));
    for (case, (mut image, digit)) in pixels.axis_iter_mut(Axis(0)).zip(digits.pixels().rows()).enumerate() {
        let draw = |channel: usize| key.fold_in(case as u64).uniform(channel as u64);
        for (place, value) in image.iter_mut().enumerate() {
            let (pixel, channel) = (place / CHANNELS, place % CHANNELS);
            let row = (pixel / SIDE).checked_sub(margin[0]).filter(|row| *row < height);
            let column = (pixel % SIDE).checked_sub(margin[1]).filter(|column| *column < width);
            let ink = row.zip(column).map_or(0, |(row, column)| digit[row * width + column]);
            // Dark backgrounds and light digits.
            let (background, colour) = (100.0 * draw(channel), 155.0 + 100.0 * draw(CHANNELS + channel));
            *value = (background + (colour - background) * f32::from(ink) / 255.0).round() as u8;
        }
    }
    let labels = digits.labels().map(<[u8]>::to_vec);
    Images::new(pixels, [SIDE, SIDE, CHANNELS], labels, CLASSES, "coloured digits")
}

fn published(run: &mut Run, recipe: &Recipe, error: f64) -> Result<(), RunError> {
    let of = |file: &str| (recipe.coloured_digits.is_none() && recipe.file == file).then_some(error);
    for (file, value, epochs) in [("layers-80sec", 26.0, ""), ("layers-18pct", 18.0, ", 140 epochs")] {
        let metric = format!("test error of CIFAR-10, {file} (%)");
        let source = format!("cuda-convnet, head of the file{epochs}");
        run.report.published(metric, value, source, true, of(file))?;
    }
    let metric = "test error of CIFAR-10, layers-18pct in other hands (%)";
    let source = "Caffe, cifar10_full with normalisation within maps, 82.0 % right";
    run.report.published(metric, 18.0, source, true, of("layers-18pct"))?;
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
    let layout = TileLayout::new(KERNEL, KERNEL, 16).zoom(8);
    let picture = image_grid::colour_filters(weights.view(), TileAxis::Columns, layout)?;
    run.report.picture("filters", "Filters of the first convolution: edges and colours.", &picture)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::parameters::count;

    #[test]
    fn networks_have_the_parameters_of_their_files() {
        let network = |profile| Recipe::of(profile).network(&Device::cpu(), Key::new(1)).unwrap();
        assert_eq!(count(&network("26pct")), 145_578);
        assert_eq!(count(&network("18pct")), 89_578);
        let names: Vec<_> = network("18pct").layers().iter().map(|(name, _)| name.clone()).collect();
        let expected = ["conv1", "pool1", "rnorm1", "conv2", "pool2", "rnorm2", "conv3", "pool3", "fc10"];
        assert_eq!(names, expected);
    }

    #[test]
    fn every_layer_with_weights_has_rules() {
        for profile in ["quick", "default", "26pct", "18pct"] {
            Recipe::of(profile).learner(&Device::cpu(), 391, Key::new(1)).unwrap();
        }
    }

    /// The files of cuda-convnet, as nn-conv reads them, and the networks that are written down here: the same layers, and
    /// from the same first weights the same bits after two updates, rates, momenta and decays being the same.
    #[test]
    fn networks_are_those_of_the_files() {
        use nn_conv::convnet::Convnet;
        use nn_core::{Cases, Learner};

        let (device, key) = (Device::cpu(), Key::new(1));
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../nn-conv/examples/convnet");
        for profile in ["26pct", "18pct"] {
            let recipe = Recipe::of(profile);
            let parameters = recipe.file.replace("layers-", "layer-params-");
            let file = |name: &str| folder.join(format!("{name}.cfg"));
            let convnet = Convnet::read(&file(recipe.file), &file(&parameters)).unwrap();
            let mut ours = recipe.learner(&device, 391, key).unwrap();
            let network = convnet.network(&device, [SIDE, SIDE, CHANNELS], key).unwrap();
            let describe = |network: &Network| -> Vec<String> {
                network.layers().iter().map(|(name, layer)| format!("{name}: {layer:?}")).collect()
            };
            assert_eq!(describe(&network), describe(&ours.network));
            let sgd = convnet.optimizer(&network, &[]).unwrap();
            let mut theirs = SupervisedLearner::new(network, sgd);
            let values = |learner: &SupervisedLearner<Sgd>| {
                let mut all = Vec::new();
                learner.visit(&mut |name, tensor| all.push((name.to_string(), tensor.to_array().unwrap())));
                all
            };
            let mut first = values(&ours).into_iter();
            theirs.visit_mut(&mut |_, tensor| {
                if let Some((_, values)) = first.next() {
                    tensor.view_mut().write(values.view());
                }
            });
            let pixel =
                |(case, value): (usize, usize)| 100.0 * key.normal((case * 3072 + value) as u64) as f32;
            let images = device.tensor(&Array2::from_shape_fn((3, SIDE * SIDE * CHANNELS), pixel));
            let class = |(case, class): (usize, usize)| f32::from(u8::from(case == class));
            let cases = Cases::new(images, device.tensor(&Array2::from_shape_fn((3, CLASSES), class)));
            for update in 0..2 {
                ours.update(&cases, update, key);
                theirs.update(&cases, update, key);
            }
            assert_eq!(values(&theirs), values(&ours), "{profile}");
        }
    }

    #[test]
    fn coloured_digits_are_light_on_dark() {
        let mut pixels = Array2::zeros((2, 28 * 28));
        pixels[[1, 0]] = 255;
        let digits = Images::new(pixels, [28, 28, 1], Some(vec![3, 4]), 10, "test").unwrap();
        let images = coloured(&digits, 2, Key::new(1)).unwrap();
        assert_eq!((images.len(), images.labels()), (2, Some(&[3, 4][..])));
        // The first pixel of a digit is two rows and columns from the corner.
        let value = |case: usize, row: usize, column: usize, channel: usize| {
            images.pixels()[[case, (row * SIDE + column) * CHANNELS + channel]]
        };
        for channel in 0..CHANNELS {
            assert!(value(1, 2, 2, channel) >= 155 && value(1, 0, 0, channel) <= 100);
            assert_eq!(value(0, 2, 2, channel), value(0, 31, 31, channel));
        }
    }
}
