//! How gradients vanish in deep networks of logistic units, and how the top layers hide it.

use nn_core::init::Initialization;
use nn_core::network::Workspace;
use nn_core::{
    ACC, Activation, Cases, Dataset, Device, Error, Key, Learner, Loss, Network, Parameters, Pass, Penalty,
    Sgd, SgdRule, SupervisedLearner,
};

use crate::digits::{self, CLASSES, DigitSet, Digits, SIDE};
use crate::experiment::{Experiment, ProfileInfo};
use crate::report::{Axes, short_number};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct DepthDifficulty;

const PIXELS: usize = SIDE * SIDE;
const BATCH: usize = 100;
/// Hidden layers of the deepest network.
const DEEPEST: usize = 6;
const MOMENTUM: f32 = 0.9;

/// The norm of ∂L/∂W of each layer, from the lowest to the output.
const GRADIENTS: [&str; DEEPEST + 1] = [
    "gradient of layer 1",
    "gradient of layer 2",
    "gradient of layer 3",
    "gradient of layer 4",
    "gradient of layer 5",
    "gradient of layer 6",
    "gradient of layer 7",
];

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    /// Units of each hidden layer.
    hidden: usize,
    epochs: u64,
    rate: f32,
    measure_every: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => {
                Recipe { digits: DigitSet::Embedded, hidden: 50, epochs: 10, rate: 0.1, measure_every: 1 }
            }
            "full" => Recipe { digits: DigitSet::Full, hidden: 500, epochs: 30, rate: 0.1, measure_every: 1 },
            _ => Recipe { digits: DigitSet::Embedded, hidden: 100, epochs: 100, rate: 0.1, measure_every: 4 },
        }
    }

    fn learner(
        &self,
        device: &Device,
        depth: usize,
        trained: Trained,
        key: Key,
    ) -> Result<WithGradients, RunError> {
        let doing = "setting up the network";
        let mut sizes = vec![self.hidden; depth + 2];
        (sizes[0], sizes[depth + 1]) = (PIXELS, CLASSES);
        let (units, first) = (Activation::Logistic, Initialization::default());
        let network = Network::perceptron(device, &sizes, units, first, Loss::CrossEntropy, key);
        let network = network.while_doing(doing)?;
        let mut sgd = Sgd::new(&network, self.rate, MOMENTUM, Penalty::default()).while_doing(doing)?;
        if trained == Trained::Top {
            for layer in 1..depth {
                let frozen = SgdRule::new(0.0, 0.0, Penalty::default());
                sgd = sgd.with_rule(&format!("hidden{layer}"), frozen).while_doing(doing)?;
            }
        }
        Ok(WithGradients(SupervisedLearner::new(network, sgd)))
    }
}

/// Which layers learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trained {
    All,
    /// The topmost hidden layer and the output; the layers below keep their random weights.
    Top,
}

/// A learner that also measures how large the gradient of each layer is.
#[derive(Debug)]
struct WithGradients(SupervisedLearner<Sgd>);

impl WithGradients {
    /// ‖∂L/∂W‖ of each layer on these cases, from the lowest on.
    fn gradients(&self, cases: &Cases) -> Result<Vec<f64>, Error> {
        let (network, mut workspace) = (&self.0.network, Workspace::new());
        let inputs = cases.inputs.view();
        network.forward(inputs, &mut workspace, Pass::Testing);
        let gradients = network.backward(inputs, cases.targets_or_inputs().view(), &mut workspace);
        let (mut norms, mut at) = (Vec::new(), 0);
        let mut failure = None;
        network.visit(&mut |name, parameter| {
            if name.ends_with("weights") {
                let mut slope = parameter.device().zeros(parameter.rows(), parameter.columns());
                gradients[at].store(slope.view_mut(), ACC);
                match slope.to_array_f64() {
                    Ok(slope) => norms.push(slope.iter().map(|value| value * value).sum::<f64>().sqrt()),
                    Err(error) => failure = Some(error),
                }
            }
            at += 1;
        });
        failure.map_or(Ok(norms), Err)
    }
}

impl Learner for WithGradients {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        self.0.update(batch, update, key);
    }
    fn model(&self) -> &dyn Parameters {
        self.0.model()
    }
    fn measure(&self, cases: &Cases, key: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let mut figures = self.0.measure(cases, key)?;
        figures.extend(GRADIENTS.into_iter().zip(self.gradients(cases)?));
        Ok(figures)
    }
    fn check(&self, data: &Dataset) -> Result<(), Error> {
        self.0.check(data)
    }
}

impl Parameters for WithGradients {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a nn_core::Tensor)) {
        self.0.visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut nn_core::Tensor)) {
        self.0.visit_mut(see);
    }
}

impl Experiment for DepthDifficulty {
    fn name(&self) -> &'static str {
        "depth-difficulty"
    }

    fn title(&self) -> &'static str {
        "The gradient vanishes on its way down through layers of logistic units"
    }

    fn summary(&self) -> &'static str {
        "one to six layers of logistic units from random weights: errors, the gradient of each layer, and what the two top layers do alone"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "layers of 50 units, 10 epochs of 4,000 digits",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "layers of 100 units, 100 epochs of 4,000 digits",
                duration: "about 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "layers of 500 units, 30 epochs of MNIST",
                duration: "about 30 minutes on 2 cores",
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
            Ok(Trial::new(recipe.learner(device, 3, Trained::All, key)?, &data, BATCH))
        })?;
        let (train, test) =
            (digits::labelled(&device, &digits.train)?, digits::labelled(&device, &digits.test)?);
        let watched: Vec<usize> = (0..train.len().min(test.len())).collect();
        let everything: Vec<usize> = (0..test.len()).collect();

        let names: Vec<String> = (1..=DEEPEST).map(|depth| format!("hidden layers: {depth}")).collect();
        let (mut losses, mut errors, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut rows, mut gradient_rows, mut deepest) = (Vec::new(), Vec::new(), Vec::new());
        for (depth, name) in (1..=DEEPEST).zip(&names) {
            let key = key.fold_in(depth as u64);
            let mut cells = vec![depth.to_string()];
            // Without layers below, the top ones are all there are.
            let kinds: &[Trained] = if depth == 1 { &[Trained::All] } else { &[Trained::All, Trained::Top] };
            for &trained in kinds {
                let mut learner = recipe.learner(&device, depth, trained, key.fold_in(0))?;
                let watch = || train.cases(&watched, key);
                let start = learner.gradients(&watch()).while_doing("looking at gradients")?;
                let metric = match trained {
                    Trained::All => format!("depth{depth}"),
                    Trained::Top => format!("depth{depth}_top"),
                };
                let training = Training {
                    stage: &metric,
                    epochs: recipe.epochs,
                    batch: BATCH,
                    key: key.fold_in(1),
                    measure_every: recipe.measure_every,
                    save_every: recipe.measure_every,
                };
                let mut on_train = training.measure(&train, "train ", watch());
                let mut on_test = training.measure(&train, "test ", test.cases(&everything, key));
                let figures =
                    training.run_with(run, &mut learner, &train, &mut [&mut on_train, &mut on_test])?;
                let last = |name: &str| figures.last(name).unwrap_or(f64::NAN);
                for set in ["train", "test"] {
                    let error = 100.0 * last(&format!("{set} error"));
                    run.report.metric(format!("{metric}_{set}_error_percent"), error)?;
                    cells.push(short_number(error));
                }
                if trained == Trained::Top {
                    continue;
                }
                run.report
                    .metric(format!("{metric}_gradient_bottom_to_top"), start[0] / start[start.len() - 1])?;
                losses.push((name.as_str(), figures.curve("train loss")));
                errors.push((name.as_str(), figures.percent("test error")));
                let of_layer = |(layer, norm): (usize, &f64)| ((layer + 1) as f64, norm.log10());
                starts.push((name.as_str(), start.iter().enumerate().map(of_layer).collect()));
                let mut row = vec![depth.to_string()];
                row.extend((0..=DEEPEST).map(|layer| match start.get(layer) {
                    Some(norm) => short_number(*norm),
                    None => String::new(),
                }));
                gradient_rows.push(row);
                if depth == DEEPEST {
                    deepest = GRADIENTS.map(|name| (name, figures.curve(&format!("train {name}")))).to_vec();
                }
            }
            cells.resize(5, "–".to_string());
            rows.push(cells);
        }
        let axes = Axes { log_x: false };
        run.report.curve_on(
            axes,
            "Gradient at the start",
            "layer, from the lowest (1) to the output",
            "log₁₀ ‖∂L/∂W‖",
            &starts,
        )?;
        let logarithm = |curve: &[(f64, f64)]| curve.iter().map(|(x, y)| (*x, y.log10())).collect();
        let deepest: Vec<(&str, Vec<(f64, f64)>)> =
            deepest.iter().map(|(name, curve)| (*name, logarithm(curve))).collect();
        let title = format!("Gradient during training, {DEEPEST} hidden layers");
        run.report.curve_on(axes, &title, "epoch", "log₁₀ ‖∂L/∂W‖", &deepest)?;
        run.report.curve_on(axes, "Training loss, all layers trained", "epoch", "nats", &losses)?;
        run.report.curve_on(
            axes,
            "Test error, all layers trained",
            "epoch",
            "% of the test digits",
            &errors,
        )?;
        let headers = [
            "hidden layers",
            "training error in %",
            "test error in %",
            "training error, top two layers alone, in %",
            "test error, top two layers alone, in %",
        ];
        run.report.table("After training", &headers, rows)?;
        let headers =
            ["hidden layers", "layer 1", "layer 2", "layer 3", "layer 4", "layer 5", "layer 6", "layer 7"];
        run.report.table("‖∂L/∂W‖ at the start", &headers, gradient_rows)?;
        Ok(())
    }
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "The slope of a logistic unit is at most ¼, so a gradient shrinks in every layer that it passes on its way down. \
         A deep network from random weights therefore trains its top layers first. The training error can still fall to \
         nothing, which hides that the lower layers have hardly learned: the test error is no better, or worse, than that \
         of a shallow network, and with yet more layers nothing is learned at all (Bengio, Lamblin, Popovici and \
         Larochelle, 2007; Glorot and Bengio, 2010). How far the top layers suffice is shown by networks of which only \
         the topmost hidden layer and the output learn, the layers below keeping their random weights. No published \
         figure is on these data and networks; what is reproduced is the picture.",
    );
    for (name, value) in [
        ("units", "logistic, softmax above".to_string()),
        ("units of a hidden layer", recipe.hidden.to_string()),
        ("first weights", "uniform, Glorot and Bengio; biases 0".to_string()),
        ("learning rate", recipe.rate.to_string()),
        ("momentum", MOMENTUM.to_string()),
        ("minibatch", BATCH.to_string()),
        ("epochs", recipe.epochs.to_string()),
    ] {
        report.setting(name, value);
    }
}
