//! Random first weights against pretrained ones, over amounts of labelled data.

use std::collections::BTreeMap;

use ndarray::Axis;
use nn_core::init::Initialization;
use nn_core::{
    Activation, Autoencoder, AutoencoderLearner, AutoencoderSettings, Binarize, Corruption, Dataset,
    DenseLatentModel, Device, Key, Loss, Network, Penalty, Schedule, Sgd, Stack, SupervisedLearner,
};
use nn_rbm::estimator::ContrastiveDivergence;
use nn_rbm::units::Bernoulli;
use nn_rbm::{Rbm, RbmLearner};

use crate::digits::{self, CLASSES, DigitSet, Digits, SIDE};
use crate::experiment::{Experiment, ProfileInfo};
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::seed_mean::SeedMean;
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct Pretraining;

const PIXELS: usize = SIDE * SIDE;
/// Cases of a minibatch of pretraining, and of fine-tuning at most.
const BATCH: usize = 100;
const MASKED: f32 = 0.3;

/// Where the first weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Start {
    Random,
    Autoencoder,
    Denoising,
    Rbm,
}

impl Start {
    const ALL: [Start; 4] = [Start::Random, Start::Autoencoder, Start::Denoising, Start::Rbm];

    fn metric(self) -> &'static str {
        ["random", "autoencoder", "denoising", "rbm"][self as usize]
    }

    fn name(self) -> &'static str {
        ["random", "autoencoders", "denoising autoencoders", "RBMs"][self as usize]
    }
}

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    hidden: &'static [usize],
    /// Amounts of labelled digits, of which the largest is all.
    labelled: &'static [usize],
    seeds: u64,
    pretraining_epochs: u64,
    /// The same of RBMs, whose weights grow without end by CD-1; large ones leave little to fine-tuning.
    rbm_epochs: u64,
    /// Updates of fine-tuning, whatever the amount of labelled digits.
    updates: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => Recipe {
                digits: DigitSet::Embedded,
                hidden: &[50, 50],
                labelled: &[100, 1000],
                seeds: 2,
                pretraining_epochs: 5,
                rbm_epochs: 5,
                updates: 300,
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                hidden: &[500, 500, 500],
                labelled: &[100, 1000, 10_000, 60_000],
                seeds: 3,
                pretraining_epochs: 15,
                rbm_epochs: 3,
                updates: 6000,
            },
            _ => Recipe {
                digits: DigitSet::Embedded,
                hidden: &[200, 200, 200],
                labelled: &[100, 300, 1000, 4000],
                seeds: 3,
                pretraining_epochs: 30,
                rbm_epochs: 30,
                updates: 1500,
            },
        }
    }
}

impl Experiment for Pretraining {
    fn name(&self) -> &'static str {
        "pretraining"
    }

    fn title(&self) -> &'static str {
        "Unsupervised pretraining where labels are few"
    }

    fn summary(&self) -> &'static str {
        "deep networks from random weights, autoencoders, denoising autoencoders and RBMs: test error and overfitting over amounts of labelled digits"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "784-50-50-10, 100 and 1,000 labels, 2 seeds",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "784-200-200-200-10, 100 to 4,000 labels, 3 seeds",
                duration: "about 4 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "784-500-500-500-10, 100 to 60,000 labels of MNIST, 3 seeds",
                duration: "about 1 hour on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        describe(run, &recipe);
        let digits = Digits::load(run, recipe.digits)?;
        let device = run.device(|device| {
            let data = digits::labelled(device, &digits.train)?;
            let network = recipe.random(device, key)?;
            Ok(Trial::new(fine_tuning(network, 1)?, &data, BATCH))
        })?;
        let train = digits::labelled(&device, &digits.train)?;
        let test = digits::labelled(&device, &digits.test)?;
        let pixel_means = digits.train.to_f32().mean_axis(Axis(0)).unwrap_or_default();

        let mut found: BTreeMap<(Start, usize), Vec<Outcome>> = BTreeMap::new();
        for seed in 0..recipe.seeds {
            let key = key.fold_in(seed);
            for start in Start::ALL {
                let key_of_start = key.fold_in(start as u64 + 1);
                let stage = format!("seed{}-{}", seed + 1, start.metric());
                let pretrainer = Pretrainer {
                    recipe: &recipe,
                    device: &device,
                    pixel_means: &pixel_means,
                    stage: &stage,
                    key: key_of_start.fold_in(0),
                };
                let stack = pretrainer.stack(run, start, &train)?;
                for &labels in recipe.labelled {
                    let network = match &stack {
                        None => recipe.random(&device, key_of_start.fold_in(1))?,
                        Some(stack) => stack
                            .classifier(CLASSES, Initialization::default(), key_of_start.fold_in(1))
                            .while_doing("putting the classifier together")?,
                    };
                    // The same labelled digits for every start.
                    let order = train.order(key.fold_in(0));
                    let chosen = train.cases(&order[..labels.min(order.len())], key);
                    let some = Dataset::on_device(chosen, Binarize::Never).while_doing("choosing digits")?;
                    let stage = format!("{stage}-{labels}");
                    let outcome = fine_tune(run, &recipe, network, &some, &test, &stage, key.fold_in(9))?;
                    found.entry((start, labels)).or_default().push(outcome);
                }
            }
        }
        report(run, &recipe, &found)
    }
}

/// Errors of a fine-tuned network, in percent.
struct Outcome {
    train: f64,
    test: f64,
}

impl Recipe {
    fn random(&self, device: &Device, key: Key) -> Result<Network, RunError> {
        let sizes = [&[PIXELS], self.hidden, &[CLASSES]].concat();
        // Glorot's distribution for logistic units: the best that is known of random ones.
        let first = Initialization::GlorotUniform { gain: 4.0 };
        Network::perceptron(device, &sizes, Activation::Logistic, first, Loss::CrossEntropy, key)
            .while_doing("setting up the network")
    }
}

/// What the layers of one network are pretrained with.
struct Pretrainer<'a> {
    recipe: &'a Recipe,
    device: &'a Device,
    pixel_means: &'a ndarray::Array1<f32>,
    stage: &'a str,
    key: Key,
}

type Model = Box<dyn DenseLatentModel>;

impl Pretrainer<'_> {
    /// The layers, trained one after the other on all digits without their labels; none where weights are random.
    fn stack(&self, run: &Run, start: Start, digits: &Dataset) -> Result<Option<Stack<Model>>, RunError> {
        if start == Start::Random {
            return Ok(None);
        }
        // RBMs of binary units see digits, and codes, as probabilities; autoencoders as values.
        let inputs = if start == Start::Rbm { Binarize::EachTime } else { Binarize::Never };
        let unlabelled = Dataset::on_device(digits.inputs().duplicate().into(), inputs);
        let unlabelled = unlabelled.while_doing("setting digits aside")?;
        let depth = self.recipe.hidden.len();
        Stack::pretrain(&unlabelled, depth, inputs, |layer, data| match start {
            Start::Rbm => self.rbm(run, layer, data),
            Start::Denoising => {
                self.autoencoder(run, layer, data, Corruption::Masking { probability: MASKED })
            }
            _ => self.autoencoder(run, layer, data, Corruption::None),
        })
        .map(Some)
    }

    fn rbm(&self, run: &Run, layer: usize, data: &Dataset) -> Result<Model, RunError> {
        let (doing, units) = ("setting up an RBM", self.recipe.hidden[layer]);
        let visible = match layer {
            0 => Bernoulli::with_means(self.device, self.pixel_means.view()),
            _ => Bernoulli::new(self.device, data.columns()),
        };
        let hidden = Box::new(Bernoulli::new(self.device, units));
        let rbm = Rbm::new(self.device, Box::new(visible), hidden, self.key.fold_in(layer as u64));
        let rbm = rbm.while_doing(doing)?;
        let sgd = Sgd::new(&rbm, 0.05, 0.5, Penalty::l2(2e-4)).while_doing(doing)?;
        let estimator = ContrastiveDivergence::new(1).while_doing(doing)?;
        let mut learner = RbmLearner::new(rbm, estimator, sgd);
        self.train(run, layer, data, &mut learner, self.recipe.rbm_epochs)?;
        Ok(Box::new(learner.rbm))
    }

    fn autoencoder(
        &self,
        run: &Run,
        layer: usize,
        data: &Dataset,
        corruption: Corruption,
    ) -> Result<Model, RunError> {
        let (doing, codes) = ("setting up an autoencoder", self.recipe.hidden[layer]);
        let settings = AutoencoderSettings { corruption, ..AutoencoderSettings::default() };
        let key = self.key.fold_in(layer as u64);
        let autoencoder = Autoencoder::new(self.device, data.columns(), codes, settings, key);
        let autoencoder = autoencoder.while_doing(doing)?;
        let sgd = Sgd::new(&autoencoder, 0.1, 0.0, Penalty::default()).while_doing(doing)?;
        let mut learner = AutoencoderLearner::new(autoencoder, sgd);
        self.train(run, layer, data, &mut learner, self.recipe.pretraining_epochs)?;
        Ok(Box::new(learner.autoencoder))
    }

    fn train(
        &self,
        run: &Run,
        layer: usize,
        data: &Dataset,
        learner: &mut dyn nn_core::Learner,
        epochs: u64,
    ) -> Result<(), RunError> {
        let training = Training {
            stage: &format!("{}-layer{}", self.stage, layer + 1),
            epochs,
            batch: BATCH,
            key: self.key.fold_in(100 + layer as u64),
            measure_every: 1,
            save_every: epochs,
        };
        let watched: Vec<usize> = (0..1000.min(data.len())).collect();
        training.run(run, learner, data, data.cases(&watched, self.key))?;
        Ok(())
    }
}

fn fine_tuning(network: Network, updates: u64) -> Result<SupervisedLearner<Sgd>, RunError> {
    let rate = Schedule::Linear { from: 0.1, to: 0.0, updates };
    let sgd = Sgd::new(&network, rate, 0.9, Penalty::default()).while_doing("setting up fine-tuning")?;
    Ok(SupervisedLearner::new(network, sgd))
}

fn fine_tune(
    run: &Run,
    recipe: &Recipe,
    network: Network,
    train: &Dataset,
    test: &Dataset,
    stage: &str,
    key: Key,
) -> Result<Outcome, RunError> {
    let batch = BATCH.min(train.len());
    let epochs = recipe.updates.div_ceil((train.len() / batch) as u64);
    let mut learner = fine_tuning(network, recipe.updates)?;
    let training = Training { stage, epochs, batch, key, measure_every: epochs, save_every: epochs };
    training.run_with(run, &mut learner, train, &mut [])?;
    let error = |data: &Dataset| {
        let all = data.all();
        let found = learner.network.evaluate(all.inputs.view(), all.targets_or_inputs().view());
        Ok::<f64, RunError>(100.0 * found.while_doing("testing")?.error)
    };
    Ok(Outcome { train: error(train)?, test: error(test)? })
}

fn report(
    run: &mut Run,
    recipe: &Recipe,
    found: &BTreeMap<(Start, usize), Vec<Outcome>>,
) -> Result<(), RunError> {
    let (mut errors, mut gaps) = (Vec::new(), Vec::new());
    let (mut error_rows, mut gap_rows) = (Vec::new(), Vec::new());
    for start in Start::ALL {
        let (mut error_curve, mut gap_curve) = (Vec::new(), Vec::new());
        let (mut error_row, mut gap_row) = (vec![start.name().to_string()], vec![start.name().to_string()]);
        for &labels in recipe.labelled {
            let outcomes = found.get(&(start, labels)).map(Vec::as_slice).unwrap_or_default();
            let of = |value: &dyn Fn(&Outcome) -> f64| {
                SeedMean::of(&outcomes.iter().map(value).collect::<Vec<_>>())
            };
            let (test, gap) = (of(&|found| found.test), of(&|found| found.test - found.train));
            let name = format!("{}_{labels}", start.metric());
            run.report.metric(format!("{name}_test_error_percent"), test.mean)?;
            run.report.metric(format!("{name}_test_error_percent_standard_error"), test.standard_error)?;
            run.report.metric(format!("{name}_gap_percent"), gap.mean)?;
            error_curve.extend(test.with_bar(labels as f64));
            gap_curve.extend(gap.with_bar(labels as f64));
            error_row.push(test.to_string());
            gap_row.push(gap.to_string());
        }
        errors.push((start.name(), error_curve));
        gaps.push((start.name(), gap_curve));
        error_rows.push(error_row);
        gap_rows.push(gap_row);
    }
    let (axes, x) = (Axes { log_x: true }, "labelled digits");
    run.report.curve_on(axes, "Test error", x, "% of the test digits", &errors)?;
    run.report.curve_on(axes, "Test error above training error", x, "points of %", &gaps)?;
    let mut headers = vec!["first weights".to_string()];
    headers.extend(recipe.labelled.iter().map(|labels| format!("{labels} labels")));
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let seeds = recipe.seeds;
    run.report.table(
        format!("Test error in %, mean of {seeds} seeds ± its standard error"),
        &headers,
        error_rows,
    )?;
    run.report.table(
        format!("Test error above training error in points of %, mean of {seeds} seeds ± its standard error"),
        &headers,
        gap_rows,
    )?;
    let all = recipe.labelled.last().copied().unwrap_or_default();
    let ours = |start: Start| {
        let outcomes = found.get(&(start, all)).filter(|_| recipe.digits == DigitSet::Full)?;
        Some(SeedMean::of(&outcomes.iter().map(|found| found.test).collect::<Vec<_>>()).mean)
    };
    for (what, value, source, start) in [
        (
            "three denoising autoencoders of 1,000 units",
            1.30,
            "the Theano deep learning tutorials, SdA",
            Start::Denoising,
        ),
        ("three RBMs of 1,000 units", 1.34, "the Theano deep learning tutorials, DBN", Start::Rbm),
        ("one hidden layer of 500 units", 1.65, "the Theano deep learning tutorials, MLP", Start::Random),
    ] {
        let metric = format!("test error of MNIST, {what} (%)");
        run.report.published(metric, value, source, true, ours(start))?;
    }
    run.report.note(
        "Error bars are standard errors over seeds; a seed sets the first weights, the order of the cases and which \
         digits are labelled, the same for all kinds of first weights.",
    );
    Ok(())
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Layers that were first trained, one after the other, to model all digits without labels start a classifier from \
         weights that generalise better, most of all where labels are few (Hinton, Osindero and Teh, 2006; Bengio and \
         others, 2007; Erhan and others, Why does unsupervised pre-training help deep learning?, 2010). Networks of one \
         shape are fine-tuned by equally many updates from random weights, autoencoders, denoising autoencoders (Vincent \
         and others, 2008) and restricted Boltzmann machines.",
    );
    let sizes: Vec<String> = recipe.hidden.iter().map(usize::to_string).collect();
    for (name, value) in [
        ("network", format!("{PIXELS}-{}-{CLASSES}, logistic units, softmax above", sizes.join("-"))),
        ("random first weights", "uniform, Glorot and Bengio, gain 4".to_string()),
        ("epochs of pretraining a layer, all digits", recipe.pretraining_epochs.to_string()),
        ("the same of RBMs", recipe.rbm_epochs.to_string()),
        ("autoencoders", "tied weights, binary cross-entropy, rate 0.1".to_string()),
        ("noise of denoising autoencoders", format!("{MASKED} of the values become 0")),
        ("RBMs", "CD-1, rate 0.05, momentum 0.5, decay 0.0002".to_string()),
        ("updates of fine-tuning", recipe.updates.to_string()),
        ("rate of fine-tuning", "0.1, falling linearly to 0; momentum 0.9".to_string()),
        ("minibatch", BATCH.to_string()),
        ("seeds", recipe.seeds.to_string()),
    ] {
        report.setting(name, value);
    }
}
