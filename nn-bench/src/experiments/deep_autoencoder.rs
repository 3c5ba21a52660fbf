//! A deep autoencoder of digits: pretrained layer by layer, unrolled, fine-tuned, and held against principal components.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use nn_core::latent::reconstructions;
use nn_core::{
    Activation, Adam, Autoencoder, AutoencoderLearner, AutoencoderSettings, Binarize, Dataset, Device, Key,
    Loss, Network, Penalty, Schedule, Sgd, Stack, SupervisedLearner, checkpoint,
};

use crate::digits::{DigitSet, Digits, SIDE};
use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, TileLayout};
use crate::principal_components::PrincipalComponents;
use crate::report::{Axes, short_number};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct DeepAutoencoder;

const PIXELS: usize = SIDE * SIDE;
const BATCH: usize = 100;
/// Digits in the picture of reconstructions.
const SHOWN: usize = 20;

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    /// Codes of each layer, the last one's in the middle of the network.
    codes: &'static [usize],
    pretraining_epochs: u64,
    epochs: u64,
    measure_every: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => Recipe {
                digits: DigitSet::Embedded,
                codes: &[100, 10],
                pretraining_epochs: 10,
                epochs: 40,
                measure_every: 5,
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                codes: &[1000, 500, 250, 30],
                pretraining_epochs: 10,
                epochs: 40,
                measure_every: 2,
            },
            _ => Recipe {
                digits: DigitSet::Embedded,
                codes: &[400, 200, 100, 30],
                pretraining_epochs: 30,
                epochs: 100,
                measure_every: 5,
            },
        }
    }

    fn code(&self) -> usize {
        self.codes.last().copied().unwrap_or(PIXELS)
    }

    /// Autoencoders on top of each other. The topmost one has real-valued codes, as the middle of the network will.
    fn pretrain(
        &self,
        run: &Run,
        device: &Device,
        data: &Dataset,
        key: Key,
    ) -> Result<Stack<Autoencoder>, RunError> {
        Stack::pretrain(data, self.codes.len(), Binarize::Never, |layer, data| {
            let (doing, key) = ("setting up an autoencoder", key.fold_in(layer as u64));
            let top = layer + 1 == self.codes.len();
            let activation = if top { Activation::Identity } else { Activation::Logistic };
            let settings = AutoencoderSettings { activation, ..AutoencoderSettings::default() };
            let autoencoder = Autoencoder::new(device, data.columns(), self.codes[layer], settings, key);
            let autoencoder = autoencoder.while_doing(doing)?;
            let rate = if top { 0.01 } else { 0.1 };
            let sgd = Sgd::new(&autoencoder, rate, 0.5, Penalty::default()).while_doing(doing)?;
            let mut learner = AutoencoderLearner::new(autoencoder, sgd);
            let training = Training {
                stage: &format!("layer{}", layer + 1),
                epochs: self.pretraining_epochs,
                batch: BATCH,
                key: key.fold_in(1),
                measure_every: self.measure_every,
                save_every: self.measure_every,
            };
            let watched: Vec<usize> = (0..1000.min(data.len())).collect();
            training.run(run, &mut learner, data, data.cases(&watched, key))?;
            Ok(learner.autoencoder)
        })
    }

    /// Fine-tuning of the unrolled network.
    fn fine_tuning(&self, network: Network, cases: usize) -> Result<SupervisedLearner<Adam>, RunError> {
        let updates = self.epochs * (cases / BATCH) as u64;
        let rate = Schedule::Linear { from: 1e-3, to: 0.0, updates };
        let adam = Adam::new(&network, rate, Penalty::default()).while_doing("setting up fine-tuning")?;
        Ok(SupervisedLearner::new(network, adam))
    }
}

impl Experiment for DeepAutoencoder {
    fn name(&self) -> &'static str {
        "deep-autoencoder"
    }

    fn title(&self) -> &'static str {
        "A deep autoencoder keeps more of a digit in thirty numbers than principal components do"
    }

    fn summary(&self) -> &'static str {
        "autoencoders pretrained on top of each other, unrolled to 784-1000-500-250-30 and back, fine-tuned; reconstructions beside PCA's"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo { name: "quick", what: "784-100-10, 40 epochs of 4,000 digits", duration: "seconds" },
            ProfileInfo {
                name: "default",
                what: "784-400-200-100-30, 100 epochs of 4,000 digits",
                duration: "about 2 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "784-1000-500-250-30, 40 epochs of MNIST",
                duration: "about 20 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        describe(run, &recipe);
        let digits = Digits::load(run, recipe.digits)?;
        let (train_pixels, test_pixels) = (digits.train.to_f32(), digits.test.to_f32());
        let upload = |device: &Device, pixels: ArrayView2<'_, f32>| {
            Dataset::new(device, pixels, Binarize::Never).while_doing("uploading the digits")
        };
        let device = run.device(|device| {
            let data = upload(device, train_pixels.view())?;
            let learner = recipe.fine_tuning(recipe.untrained(device, key)?, data.len())?;
            Ok(Trial::new(learner, &data, BATCH))
        })?;
        let (train, test) = (upload(&device, train_pixels.view())?, upload(&device, test_pixels.view())?);

        let timer = run.phase("principal components");
        let components = PrincipalComponents::of(train_pixels.view(), recipe.code(), key.fold_in(0));
        let by_components = |pixels: &Array2<f32>| components.reconstruct(pixels.view());
        let (train_components, test_components) = (by_components(&train_pixels), by_components(&test_pixels));
        drop(timer);

        let stack = recipe.pretrain(run, &device, &train, key.fold_in(1))?;
        let doing = "reconstructing digits";
        let by_stack = reconstructions(&stack, test.inputs().view()).to_array().while_doing(doing)?;
        let network = stack.unrolled(Some(Activation::Identity), Loss::BinaryCrossEntropy);
        let mut learner = recipe.fine_tuning(network.while_doing("unrolling the stack")?, train.len())?;
        let training = Training {
            stage: "fine-tuning",
            epochs: recipe.epochs,
            batch: BATCH,
            key: key.fold_in(2),
            measure_every: recipe.measure_every,
            save_every: recipe.measure_every,
        };
        let watched: Vec<usize> = (0..train.len().min(test.len())).collect();
        let everything: Vec<usize> = (0..test.len()).collect();
        let mut on_train = training.measure(&train, "train ", train.cases(&watched, key));
        let mut on_test = training.measure(&train, "test ", test.cases(&everything, key));
        let figures = training.run_with(run, &mut learner, &train, &mut [&mut on_train, &mut on_test])?;
        let curves = ["train", "test"].map(|set| (set, figures.curve(&format!("{set} loss"))));
        let axes = Axes { log_x: false };
        run.report.curve_on(
            axes,
            "Loss in fine-tuning",
            "epoch",
            "cross-entropy of a digit (nats)",
            &curves,
        )?;

        let network = &learner.network;
        let by_network = |data: &Dataset| network.predict(data.inputs().view()).to_array().while_doing(doing);
        let (train_network, test_network) = (by_network(&train)?, by_network(&test)?);
        let mut rows = Vec::new();
        for (name, metric, on_train, on_test) in [
            ("principal components", "pca", Some(&train_components), &test_components),
            ("pretrained stack", "stack", None, &by_stack),
            ("fine-tuned autoencoder", "autoencoder", Some(&train_network), &test_network),
        ] {
            let train_error = on_train.map(|found| squared_error(&train_pixels, found));
            let test_error = squared_error(&test_pixels, on_test);
            run.report.metric(format!("{metric}_test_squared_error"), test_error)?;
            if let Some(error) = train_error {
                run.report.metric(format!("{metric}_train_squared_error"), error)?;
            }
            rows.push(vec![
                name.to_string(),
                train_error.map_or("–".to_string(), short_number),
                short_number(test_error),
                short_number(test_error / PIXELS as f64),
            ]);
        }
        let headers = [
            format!("{} numbers a digit by", recipe.code()),
            "squared error of a training digit".to_string(),
            "squared error of a test digit".to_string(),
            "of a pixel of a test digit".to_string(),
        ];
        run.report.table("Reconstruction", &headers.each_ref().map(String::as_str), rows)?;
        let source =
            "Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks, 2006";
        let full = |found| (recipe.digits == DigitSet::Full).then(|| squared_error(&test_pixels, found));
        for (what, value, found) in
            [("deep autoencoder", 3.00, &test_network), ("principal components", 13.87, &test_components)]
        {
            let metric = format!("squared error of a test digit of MNIST, 30 numbers, {what}");
            run.report.published(metric, value, source, false, full(found))?;
        }

        let first = |images: &Array2<f32>| {
            images.slice_axis(Axis(0), Slice::from(..SHOWN.min(images.nrows()))).to_owned()
        };
        let strips = [&test_pixels, &test_network, &by_stack, &test_components].map(first);
        let layout = TileLayout::new(SIDE, SIDE, 10);
        let picture = image_grid::comparison(&strips.each_ref().map(|strip| strip.view()), layout)?;
        let caption = "Test digits; below them what the fine-tuned autoencoder, the pretrained stack and principal \
                       components make of them.";
        run.report.picture("reconstructions", caption, &picture)?;
        let header = checkpoint::Header::new("deep-autoencoder model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, network)
            .while_doing("saving the model")
    }
}

impl Recipe {
    /// The network with random weights, to be timed.
    fn untrained(&self, device: &Device, key: Key) -> Result<Network, RunError> {
        let up = [&[PIXELS], self.codes].concat();
        let down = up.iter().rev().skip(1);
        let sizes: Vec<usize> = up.iter().chain(down).copied().collect();
        let (units, first) = (Activation::Logistic, Default::default());
        Network::perceptron(device, &sizes, units, first, Loss::BinaryCrossEntropy, key)
            .while_doing("setting up the network")
    }
}

/// Squared error summed over the pixels, the mean over digits.
fn squared_error(digits: &Array2<f32>, found: &Array2<f32>) -> f64 {
    let sum: f64 = digits.iter().zip(found).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    sum / digits.nrows().max(1) as f64
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "An autoencoder with many layers finds a curved surface in the space of digits on which thirty numbers say where \
         a digit lies; principal components, which are the best linear code, have a flat one. From random weights such a \
         network was hard to train, so its layers were first trained one after the other, then unrolled and fine-tuned as \
         a whole (Hinton and Salakhutdinov, 2006).",
    );
    report.reproduces(
        "Departures: layers are pretrained as autoencoders, not as RBMs, and fine-tuning is by Adam, not by conjugate \
         gradients. As there, the loss is the cross-entropy of pixels as probabilities, and the squared error is compared.",
    );
    let codes: Vec<String> = recipe.codes.iter().map(usize::to_string).collect();
    for (name, value) in [
        ("network", format!("{PIXELS}-{} and back", codes.join("-"))),
        ("units", "logistic; the code linear".to_string()),
        (
            "pretraining",
            "tied weights, binary cross-entropy, rate 0.1 (topmost 0.01), momentum 0.5".to_string(),
        ),
        ("epochs of pretraining a layer", recipe.pretraining_epochs.to_string()),
        ("fine-tuning", "Adam, rate 0.001, falling linearly to 0".to_string()),
        ("epochs of fine-tuning", recipe.epochs.to_string()),
        ("minibatch", BATCH.to_string()),
    ] {
        report.setting(name, value);
    }
}
