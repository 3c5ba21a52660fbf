//! Boltzmann machines of digits with one and with two hidden layers and equally many weights, and that of the paper.

mod machine;
mod pictures;
mod recipe;

use ndarray::Axis;
use nn_core::{Device, Key, checkpoint};
use nn_rbm::units::Bernoulli;

use crate::digits::{Digits, SIDE};
use crate::experiment::{Experiment, ProfileInfo};
use crate::report::{Axes, short_number};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use machine::{Found, Stage};
use recipe::{Plan, Recipe, SPARSITY_COST, TARGETS};

const PIXELS: usize = SIDE * SIDE;
const BATCH: usize = 100;

// Purposes of the keys of a run; each machine has one of its own.
const MACHINES: u64 = 1;
const BOUNDS: u64 = 2;
const PICTURES: u64 = 3;

/// Two experiments in one: both train both machines, the same for the same seed, and each looks closer at its own.
#[derive(Debug)]
pub struct DbmMnist {
    /// Layers of units of its own machine, the visible one included: 2 or 3.
    pub layers: usize,
}

impl Experiment for DbmMnist {
    fn name(&self) -> &'static str {
        if self.layers == 2 { "dbm-mnist-2layer" } else { "dbm-mnist-3layer" }
    }

    fn title(&self) -> &'static str {
        if self.layers == 2 {
            "A Boltzmann machine of digits with one hidden layer, beside one with two"
        } else {
            "A deep Boltzmann machine of digits with two hidden layers, beside one with one"
        }
    }

    fn summary(&self) -> &'static str {
        if self.layers == 2 {
            "784-200, a restricted machine trained as deep ones are, beside 784-180-90 with as many weights: samples, log-probability with log Z from both sides; a closer look at the first"
        } else {
            "784-180-90, pretrained and trained by mean field and persistent chains, beside 784-200 with as many weights: samples, lower bound on log p(v) with log Z from both sides and how tight it is; a closer look at the first"
        }
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        const PROFILES: &[ProfileInfo] = &[
            ProfileInfo { name: "quick", what: "6 epochs of 4,000 digits", duration: "seconds" },
            ProfileInfo {
                name: "default",
                what: "200 epochs of 4,000 digits",
                duration: "about 3 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "100 epochs of MNIST, the published AIS schedule",
                duration: "about 30 minutes on 2 cores",
            },
            ProfileInfo {
                name: "paper",
                what: "784-500-1000 alone, not pretrained, 100 epochs of MNIST",
                duration: "about 1 hour on 2 cores",
            },
        ];
        if self.layers == 2 { &PROFILES[..3] } else { PROFILES }
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        describe(run, &recipe);
        let digits = Digits::load(run, recipe.digits)?;
        let means = digits.train.to_f32().mean_axis(Axis(0)).unwrap_or_default();
        let own = |plan: &&Plan| plan.hidden.len() + 1 == self.layers;
        let device = run.device(|device: &Device| {
            let (base, data) = (Bernoulli::with_means(device, means.view()), digits.training_set(device)?);
            let plan = recipe.machines.iter().find(own).unwrap_or(&recipe.machines[0]);
            let dbm = machine::drawn(&base, plan.hidden, key)?;
            Ok(Trial::new(recipe.joint(dbm, plan, 1, key)?, &data, BATCH))
        })?;
        let train = digits.training_set(&device)?;
        let stage = Stage {
            recipe: &recipe,
            binary_train: machine::binary_training_set(&train, key.fold_in(BOUNDS)),
            train,
            binary_test: digits.binary_test_set(&device)?,
            base: Bernoulli::with_means(&device, means.view()),
            key: key.fold_in(MACHINES),
        };
        let mut found = Vec::new();
        for plan in recipe.machines {
            found.push(stage.machine(run, plan)?);
        }
        pictures::samples(run, &found)?;
        report(run, &found)?;
        let Some(own) = found.iter_mut().find(|machine| machine.dbm.depth() + 1 == self.layers) else {
            return Ok(());
        };
        pictures::chains_and_filters(run, own, key.fold_in(PICTURES))?;
        let header = checkpoint::Header::new(format!("{} model", self.name()), 0, key);
        let file = run.out().file("model.safetensors");
        checkpoint::save(&file, &header, &own.dbm).while_doing("saving the model")
    }
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Salakhutdinov and Hinton (2009) trained deep Boltzmann machines of digits: machines of two layers one on the other \
         whose inputs count twice, then all layers together, with mean field for what the data are like and persistent \
         chains for what the model is like. Here machines with one and with two hidden layers have nearly the same number of \
         weights, 784·200 = 156,800 and 784·180 + 180·90 = 157,320, so that what differs is their depth. Names count layers \
         of units, the visible one included.",
    );
    report.reproduces(
        "Log-probabilities are in nats, a mean over digits whose pixels were drawn once; those of the machine with two \
         hidden layers are lower bounds. log Z is estimated by annealed importance sampling from both sides: with the \
         forward estimate log-probabilities err high, with the reverse one low if its chains are fair samples. How tight \
         the bound is, is estimated with the visible units clamped. Differences from the paper: the rate of joint training \
         falls in a straight line, model statistics are states of even layers and means of odd ones. The machine of one \
         hidden layer is trained by the same program without pretraining, from a larger rate on and for as many epochs more \
         as one pretraining of the other has.",
    );
    if recipe.machines.iter().any(Plan::centred) {
        report.reproduces(
            "Joint training of 784-500-1000 starts from random weights, and its gradient is centred (Montavon and Müller \
             2012). From machines that were pretrained as in the paper the chains ended in few modes, and the estimates of \
             log Z from both sides came out 34 nats apart.",
        );
    }
    let machines: Vec<String> = recipe.machines.iter().map(|plan| machine::layers(plan.hidden)).collect();
    let starts: Vec<&str> = recipe.machines.iter().map(Plan::start).collect();
    let rates: Vec<String> = recipe.machines.iter().map(|plan| plan.rate.to_string()).collect();
    for (name, value) in [
        ("machines", machines.join(", ")),
        ("joint training starts from", starts.join(", ")),
        ("epochs of joint training", recipe.joint_epochs.to_string()),
        ("joint training", "10 sweeps of mean field, 100 chains, 5 Gibbs sweeps an update".to_string()),
        ("rates of joint training, falling to 0", rates.join(", ")),
        ("momentum of joint training", recipe.momentum.to_string()),
        ("weight decay of joint training (L2)", recipe.decay.to_string()),
        ("sparsity", format!("targets {TARGETS:?}, cost {SPARSITY_COST}")),
        ("AIS temperatures", recipe.betas.count().to_string()),
        ("Gibbs sweeps before samples and reverse AIS", recipe.settle.to_string()),
    ] {
        report.setting(name, value);
    }
    if recipe.machines.iter().any(|plan| plan.pretrained) {
        let sweeps = "CD-1 at the bottom, CD-k at the top, k = 1 and one more every 20 epochs";
        report.setting("epochs of pretraining, each machine", recipe.pretraining_epochs.to_string());
        report.setting("pretraining", sweeps);
        report.setting("rate and momentum of pretraining", "0.05/k; 0.5, after 5 epochs 0.9");
        report.setting("weight decay of pretraining (L2)", "0.001");
    }
}

fn report(run: &mut Run, found: &[Found]) -> Result<(), RunError> {
    let row = |machine: &Found| {
        let [test, train] = [machine.test, machine.train].map(|both| both.map(short_number));
        let clamped =
            machine.clamped.map_or(["–".to_string(), "–".to_string()], |pair| pair.map(short_number));
        let cells = [
            vec![machine.layers.clone(), machine.weights.to_string()],
            test.into(),
            train.into(),
            clamped.into(),
        ];
        cells.concat()
    };
    let headers = [
        "machine",
        "weights",
        "test, forward AIS",
        "test, reverse AIS",
        "training, forward AIS",
        "training, reverse AIS",
        "first test digits, clamped AIS",
        "their bound",
    ];
    let rows = found.iter().map(row).collect();
    run.report.table(
        "Log-probability of digits: with two hidden layers lower bounds (nats)",
        &headers,
        rows,
    )?;
    let curves: Vec<_> =
        found.iter().map(|machine| (machine.layers.as_str(), machine.curve.clone())).collect();
    let (axes, name) = (Axes { log_x: false }, "reconstruction error");
    run.report.curve_on(axes, "Joint training", "epoch", name, &curves)?;
    published(run, found)
}

fn published(run: &mut Run, found: &[Found]) -> Result<(), RunError> {
    let paper = "Salakhutdinov and Hinton, Deep Boltzmann machines, 2009";
    let ours = (run.profile == "paper").then(|| found.first().map(|machine| machine.test[0])).flatten();
    let report = &mut run.report;
    report.published("test bound of a 784-500-1000 machine (nats)", -84.62, paper, true, ours)?;
    report.published("test bound of a 784-500-500-1000 machine (nats)", -85.18, paper, false, None)?;
    let quantitative =
        "Salakhutdinov and Murray, On the quantitative analysis of deep belief networks, 2008: CD-25";
    report.published("test log-probability of a 784-500 machine (nats)", -86.34, quantitative, true, None)?;
    Ok(())
}
