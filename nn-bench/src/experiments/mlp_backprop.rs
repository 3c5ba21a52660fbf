//! Batch, minibatch and online gradient descent on the same network, with and without momentum.

use nn_core::init::Initialization;
use nn_core::{Activation, Device, Key, Loss, Network, Penalty, Sgd, SupervisedLearner};

use crate::digits::{self, CLASSES, DigitSet, Digits, SIDE};
use crate::experiment::{Experiment, ProfileInfo};
use crate::report::{Axes, short_number};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct MlpBackprop;

const PIXELS: usize = SIDE * SIDE;

/// A way of going down. A batch of 0 stands for all cases.
struct Descent {
    metric: &'static str,
    name: &'static str,
    batch: usize,
    rate: f32,
    momentum: f32,
}

/// With momentum μ a gradient moves the weights by rate / (1 − μ) in all: where that sum is bearable, the rate is that of
/// the same batch without momentum, so that momentum shows as speed; online, where it is not, the rate is divided.
const DESCENTS: [Descent; 6] = [
    Descent { metric: "batch", name: "batch", batch: 0, rate: 0.5, momentum: 0.0 },
    Descent { metric: "batch_momentum", name: "batch, momentum 0.9", batch: 0, rate: 0.5, momentum: 0.9 },
    Descent { metric: "minibatch", name: "minibatches of 100", batch: 100, rate: 0.1, momentum: 0.0 },
    Descent {
        metric: "minibatch_momentum",
        name: "minibatches of 100, momentum 0.9",
        batch: 100,
        rate: 0.1,
        momentum: 0.9,
    },
    Descent { metric: "online", name: "online", batch: 1, rate: 0.01, momentum: 0.0 },
    Descent { metric: "online_momentum", name: "online, momentum 0.9", batch: 1, rate: 0.001, momentum: 0.9 },
];

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    /// The first so many training digits.
    cases: usize,
    hidden: usize,
    epochs: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => Recipe { digits: DigitSet::Embedded, cases: 1000, hidden: 50, epochs: 5 },
            "full" => Recipe { digits: DigitSet::Full, cases: 60_000, hidden: 500, epochs: 20 },
            _ => Recipe { digits: DigitSet::Embedded, cases: 4000, hidden: 200, epochs: 30 },
        }
    }

    fn batch(&self, descent: &Descent, cases: usize) -> usize {
        if descent.batch == 0 { cases } else { descent.batch }
    }

    fn learner(
        &self,
        device: &Device,
        descent: &Descent,
        key: Key,
    ) -> Result<SupervisedLearner<Sgd>, RunError> {
        let (doing, sizes) = ("setting up the network", [PIXELS, self.hidden, CLASSES]);
        let (units, first) = (Activation::Tanh, Initialization::default());
        let network = Network::perceptron(device, &sizes, units, first, Loss::CrossEntropy, key);
        let network = network.while_doing(doing)?;
        let sgd = Sgd::new(&network, descent.rate, descent.momentum, Penalty::default());
        Ok(SupervisedLearner::new(network, sgd.while_doing(doing)?))
    }
}

impl Experiment for MlpBackprop {
    fn name(&self) -> &'static str {
        "mlp-backprop"
    }

    fn title(&self) -> &'static str {
        "Batch against online against minibatch gradient descent"
    }

    fn summary(&self) -> &'static str {
        "the same perceptron trained on equally many cases in batches of all, of a hundred and of one, with and without momentum"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo { name: "quick", what: "784-50-10, 5 epochs of 1,000 digits", duration: "seconds" },
            ProfileInfo {
                name: "default",
                what: "784-200-10, 30 epochs of 4,000 digits",
                duration: "about 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "784-500-10, 20 epochs of MNIST",
                duration: "about 30 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        describe(run, &recipe);
        let mut digits = Digits::load(run, recipe.digits)?;
        let first: Vec<usize> = (0..recipe.cases.min(digits.train.len())).collect();
        digits.train = digits.train.rows(&first).while_doing("choosing digits")?;
        run.report.setting("training digits", digits.train.len());
        let device = run.device(|device| {
            let data = digits::labelled(device, &digits.train)?;
            Ok(Trial::new(recipe.learner(device, &DESCENTS[2], key)?, &data, DESCENTS[2].batch))
        })?;
        let (train, test) =
            (digits::labelled(&device, &digits.train)?, digits::labelled(&device, &digits.test)?);
        let watched: Vec<usize> = (0..train.len().min(test.len())).collect();
        let everything: Vec<usize> = (0..test.len()).collect();

        let (mut by_epoch, mut by_update, mut errors, mut rows) = (vec![], vec![], vec![], vec![]);
        for descent in &DESCENTS {
            // All begin with the same weights and see the cases in the same orders.
            let mut learner = recipe.learner(&device, descent, key.fold_in(0))?;
            let batch = recipe.batch(descent, train.len());
            let training = Training {
                stage: descent.metric,
                epochs: recipe.epochs,
                batch,
                key: key.fold_in(1),
                measure_every: 1,
                save_every: 5,
            };
            let mut on_train = training.measure(&train, "train ", train.cases(&watched, key));
            let mut on_test = training.measure(&train, "test ", test.cases(&everything, key));
            let figures = training.run_with(run, &mut learner, &train, &mut [&mut on_train, &mut on_test])?;
            let updates = (train.len() / batch) as f64;
            let loss = figures.curve("train loss");
            by_update
                .push((descent.name, loss.iter().map(|(epoch, loss)| (epoch * updates, *loss)).collect()));
            by_epoch.push((descent.name, loss));
            errors.push((descent.name, figures.percent("test error")));
            let last = |name| figures.last(name).unwrap_or(f64::NAN);
            run.report.metric(format!("{}_train_loss", descent.metric), last("train loss"))?;
            let [trained, tested] = ["train error", "test error"].map(|name| 100.0 * last(name));
            run.report.metric(format!("{}_train_error_percent", descent.metric), trained)?;
            run.report.metric(format!("{}_test_error_percent", descent.metric), tested)?;
            rows.push(vec![
                descent.name.to_string(),
                descent.rate.to_string(),
                (recipe.epochs * (train.len() / batch) as u64).to_string(),
                short_number(last("train loss")),
                short_number(trained),
                short_number(tested),
            ]);
        }
        let (plain, log) = (Axes { log_x: false }, Axes { log_x: true });
        run.report.curve_on(plain, "Training loss over cases seen", "epoch", "nats", &by_epoch)?;
        run.report.curve_on(log, "Training loss over updates", "update", "nats", &by_update)?;
        run.report.curve_on(plain, "Test error", "epoch", "% of the test digits", &errors)?;
        let headers = [
            "gradient descent",
            "learning rate",
            "updates",
            "training loss (nats)",
            "training error in %",
            "test error in %",
        ];
        run.report.table("After equally many cases", &headers, rows)?;
        run.report.note(
            "How long each took is among the durations: an online update uses the processor far less well than one of a \
             hundred cases, whose products share what they read.",
        );
        Ok(())
    }
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Batch gradient descent follows the true gradient and moves once for all cases; online gradient descent moves \
         after each case along a noisy one; minibatches lie between. On redundant data such as digits the noisy \
         directions are nearly as good, and there are thousands of them for the price of one (LeCun, Bottou, Orr and \
         Müller, Efficient BackProp, 1998). Momentum adds up what successive gradients have in common, which helps most \
         where they are not noisy. No figure is published for this comparison; what is reproduced is the order.",
    );
    report.setting("network", format!("{PIXELS}-{}-{CLASSES}", recipe.hidden));
    report.setting("units", "tanh, softmax above");
    report.setting("first weights", "uniform, Glorot and Bengio");
    report.setting("epochs", recipe.epochs);
}
