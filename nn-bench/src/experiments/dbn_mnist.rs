//! A deep belief network of digits and their labels: greedy training, the up-down algorithm, backpropagation.

mod report;
mod tower;

use ndarray::Axis;
use nn_core::init::Initialization;
use nn_core::loss::error_rate;
use nn_core::{
    Binarize, Dataset, Device, Key, OLD, Penalty, Schedule, Sgd, SupervisedLearner, Tensor, checkpoint,
};
use nn_rbm::ais::{Ais, Betas};
use nn_rbm::dbn::{Dbn, GreedyLearner, UpDownLearner};
use nn_rbm::estimator::{ContrastiveDivergence, Persistent};
use nn_rbm::units::Bernoulli;
use nn_rbm::{Path, Rbm};

use crate::digits::{self, CLASSES, DigitSet, Digits, SIDE};
use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, TileLayout};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;
use report::{describe, report};
use tower::Tower;

/// The experiment.
#[derive(Debug)]
pub struct DbnMnist;

const PIXELS: usize = SIDE * SIDE;
/// Cases of a minibatch, and chains beside it.
const BATCH: usize = 100;
/// Rate of greedy training at its beginning.
const GREEDY_RATE: f32 = 0.1;

// Purposes of the keys of a run.
const WEIGHTS: u64 = 1;
const CHAINS: u64 = 2;
const TRAINING: u64 = 3;
const BOUNDS: u64 = 4;
const PICTURES: u64 = 5;
const OUTPUT: u64 = 6;
const TOWER: u64 = 7;

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    /// Hidden layers from the data on.
    hidden: [usize; 3],
    /// Of each machine: those above begin with weights that know nothing, and have more to learn.
    greedy_epochs: [u64; 3],
    /// Weight decay of greedy training.
    decay: f32,
    up_down_epochs: u64,
    /// At the start; it falls to 0.
    up_down_rate: f32,
    backprop_epochs: u64,
    tower: Tower,
    betas: Betas,
    /// Gibbs sweeps of the top before a digit is drawn, and before reverse chains start.
    settle: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => Recipe {
                digits: DigitSet::Embedded,
                hidden: [100, 100, 200],
                greedy_epochs: [20, 20, 20],
                decay: 1e-3,
                up_down_epochs: 12,
                up_down_rate: 0.05,
                backprop_epochs: 20,
                tower: Tower { hidden: 50, epochs: [20, 10, 10], rates: [0.1, 0.05, 0.02] },
                betas: Betas::shrunk(20),
                settle: 100,
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                hidden: [500, 500, 2000],
                greedy_epochs: [30, 100, 200],
                decay: 2e-4,
                up_down_epochs: 20,
                up_down_rate: 0.05,
                backprop_epochs: 60,
                tower: Tower { hidden: 200, epochs: [30, 40, 40], rates: [0.1, 0.05, 0.02] },
                betas: Betas::published(),
                settle: 1000,
            },
            _ => Recipe {
                digits: DigitSet::Embedded,
                hidden: [300, 300, 600],
                greedy_epochs: [60, 60, 60],
                decay: 1e-3,
                up_down_epochs: 60,
                up_down_rate: 0.05,
                backprop_epochs: 30,
                tower: Tower { hidden: 100, epochs: [60, 40, 40], rates: [0.1, 0.05, 0.02] },
                betas: Betas::shrunk(5),
                settle: 1000,
            },
        }
    }
}

impl Experiment for DbnMnist {
    fn name(&self) -> &'static str {
        "dbn-mnist"
    }

    fn title(&self) -> &'static str {
        "A deep belief network that draws and classifies digits"
    }

    fn summary(&self) -> &'static str {
        "greedy training with labels at the top: the bound on log p(v) layer by layer, digits drawn for each label, and fine-tuning by the up-down algorithm against backpropagation"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "784-100-100-200 and labels, 20 and 12 epochs of 4,000 digits",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "784-300-300-600 and labels, 60 and 60 epochs of 4,000 digits",
                duration: "about 5 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "784-500-500-2000 and labels, 30, 100 and 200 epochs of MNIST, then 20 of all layers",
                duration: "about 1 hour and a half on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        describe(run, &recipe);
        let digits = Digits::load(run, recipe.digits)?;
        let means = digits.train.to_f32().mean_axis(Axis(0)).unwrap_or_default();
        let machine = |device: &Device, hidden: usize| {
            let visible = Box::new(Bernoulli::with_means(device, means.view()));
            let hidden = Box::new(Bernoulli::new(device, hidden));
            let rbm = Rbm::new(device, visible, hidden, key.fold_in(WEIGHTS)).while_doing("setting up")?;
            Ok::<Dbn, RunError>(Dbn::new(rbm))
        };
        let bottom = |device: &Device| machine(device, recipe.hidden[0]);
        let drawn = |device: &Device| {
            let mut data = digits::labelled(device, &digits.train)?;
            data.binarize = Binarize::EachTime;
            Ok::<Dataset, RunError>(data)
        };
        let device = run.device(|device| {
            let data = drawn(device)?;
            Ok(Trial::new(recipe.greedy(bottom(device)?, data.len(), key)?, &data, BATCH))
        })?;
        let stage = Stage {
            recipe: &recipe,
            train: drawn(&device)?,
            test: digits::labelled(&device, &digits.test)?,
            binary_test: digits.binary_test_set(&device)?,
            key,
        };

        let first = machine(&device, recipe.tower.hidden)?;
        stage.tower(run, first, key.fold_in(TOWER))?;
        let mut dbn = bottom(&device)?;
        let mut bounds = Vec::new();
        for layer in 0..recipe.hidden.len() {
            if let Some(below) = layer.checked_sub(1) {
                let classes = (layer + 1 == recipe.hidden.len()).then_some(CLASSES);
                let key = key.fold_in(WEIGHTS).fold_in(below as u64);
                dbn = dbn.add(recipe.hidden[layer], classes, key).while_doing("adding a layer")?;
            }
            dbn = stage.greedy(run, dbn, layer)?;
            bounds.push(stage.bound(run, &dbn, &format!("layer{}", layer + 1))?);
        }
        let mut errors = vec![("greedy training", stage.label_error(&dbn)?)];
        stage.drawn_by_label(run, &dbn, "greedy", "after greedy training")?;
        let network = dbn.stack().while_doing("making a network")?;
        let (dbn, curve) = stage.up_down(run, dbn)?;
        bounds.push(stage.bound(run, &dbn, "up_down")?);
        errors.push(("up-down algorithm", stage.label_error(&dbn)?));
        stage.drawn_by_label(run, &dbn, "up-down", "after fine-tuning by the up-down algorithm")?;
        let network = network.classifier(CLASSES, Initialization::default(), key.fold_in(OUTPUT));
        let network = network.while_doing("making a network")?;
        let (error, supervised) = stage.backprop(run, network)?;
        errors.push(("backpropagation", error));
        report(run, &errors, &bounds, curve, supervised)?;
        let header = checkpoint::Header::new("dbn-mnist model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, &dbn).while_doing("saving the model")
    }
}

impl Recipe {
    /// A learner of the top of a network, its rate falling to 0 from this one on.
    fn learner(&self, dbn: Dbn, rate: f32, updates: u64, key: Key) -> Result<GreedyLearner<Sgd>, RunError> {
        let doing = "setting up a machine";
        let rate = Schedule::Linear { from: rate, to: 0.0, updates };
        let sgd = Sgd::new(&dbn.top, rate, 0.5, Penalty::l2(self.decay)).while_doing(doing)?;
        let key = key.fold_in(CHAINS).fold_in(dbn.lower.len() as u64);
        let chains = Persistent::new(&dbn.top, BATCH, 1, key).while_doing(doing)?;
        Ok(GreedyLearner::new(dbn, chains, sgd))
    }

    /// The same in the network of the papers, of so many cases.
    fn greedy(&self, dbn: Dbn, cases: usize, key: Key) -> Result<GreedyLearner<Sgd>, RunError> {
        let updates = self.greedy_epochs[dbn.lower.len()] * (cases / BATCH) as u64;
        self.learner(dbn, GREEDY_RATE, updates, key)
    }
}

/// What every stage of the run works with.
struct Stage<'a> {
    recipe: &'a Recipe,
    /// Pixels drawn each time, and labels.
    train: Dataset,
    /// Grey values and labels.
    test: Dataset,
    /// Pixels drawn once.
    binary_test: Tensor,
    key: Key,
}

/// A lower bound on the log-probability of the test digits with log Z of the top from either side.
struct Bound {
    name: String,
    forward: f64,
    reverse: f64,
}

impl Stage<'_> {
    fn training<'a>(&self, stage: &'a str, epochs: u64, number: u64) -> Training<'a> {
        let key = self.key.fold_in(TRAINING).fold_in(number);
        let every = epochs.div_ceil(10);
        Training { stage, epochs, batch: BATCH, key, measure_every: every, save_every: every }
    }

    fn updates(&self, epochs: u64) -> u64 {
        epochs * (self.train.len() / BATCH) as u64
    }

    fn greedy(&self, run: &Run, dbn: Dbn, layer: usize) -> Result<Dbn, RunError> {
        let number = layer as u64;
        let mut learner = self.recipe.greedy(dbn, self.train.len(), self.key)?;
        let stage = format!("layer{}", layer + 1);
        let watched: Vec<usize> = (0..1000.min(self.train.len())).collect();
        let watch = self.train.cases(&watched, self.key.fold_in(BOUNDS));
        self.training(&stage, self.recipe.greedy_epochs[layer], number).run(
            run,
            &mut learner,
            &self.train,
            watch,
        )?;
        Ok(learner.into_dbn())
    }

    fn up_down(&self, run: &Run, dbn: Dbn) -> Result<(Dbn, Vec<(f64, f64)>), RunError> {
        let (doing, epochs) = ("setting up the up-down algorithm", self.recipe.up_down_epochs);
        let third = self.updates(epochs).div_ceil(3);
        let sweeps = vec![(0, 3), (third, 6), (2 * third, 10)];
        let estimator = ContrastiveDivergence::with_schedule(sweeps).while_doing(doing)?;
        let rate =
            Schedule::Linear { from: self.recipe.up_down_rate, to: 0.0, updates: self.updates(epochs) };
        let sgd = Sgd::new(&dbn, rate, 0.0, Penalty::default()).while_doing(doing)?;
        let mut learner = UpDownLearner::new(dbn, estimator, sgd);
        let every: Vec<usize> = (0..self.test.len()).collect();
        let watch = self.test.cases(&every, self.key);
        let figures = self.training("up-down", epochs, 10).run(run, &mut learner, &self.train, watch)?;
        Ok((learner.dbn, figures.percent("label error")))
    }

    fn backprop(&self, run: &Run, network: nn_core::Network) -> Result<(f64, Vec<(f64, f64)>), RunError> {
        let epochs = self.recipe.backprop_epochs;
        let rate = Schedule::Linear { from: 0.1, to: 0.0, updates: self.updates(epochs) };
        let sgd = Sgd::new(&network, rate, 0.9, Penalty::default()).while_doing("setting up fine-tuning")?;
        let mut learner = SupervisedLearner::new(network, sgd);
        let every: Vec<usize> = (0..self.test.len()).collect();
        let watch = self.test.cases(&every, self.key);
        // Pixels that are drawn each time keep the network from learning cases by heart.
        let figures = self.training("backprop", epochs, 11).run(run, &mut learner, &self.train, watch)?;
        let all = self.test.all();
        let found = learner.network.evaluate(all.inputs.view(), all.targets_or_inputs().view());
        Ok((100.0 * found.while_doing("testing")?.error, figures.percent("error")))
    }

    /// Share of the test digits whose label of least free energy is wrong, in percent.
    fn label_error(&self, dbn: &Dbn) -> Result<f64, RunError> {
        let doing = "classifying";
        let all = self.test.all();
        let mut outputs = dbn.class_energies(all.inputs.view()).while_doing(doing)?;
        outputs.assign(-OLD);
        Ok(100.0 * error_rate(outputs.view(), all.targets_or_inputs().view()).while_doing(doing)?)
    }

    /// States of the visible units of the top: recognised training digits and their labels, and Gibbs sweeps from there.
    fn fantasies(&self, dbn: &Dbn, key: Key) -> Tensor {
        let chosen: Vec<usize> = (0..100.min(self.train.len())).collect();
        let cases = self.train.cases(&chosen, key.fold_in(0));
        let units = dbn.sample_recognition(cases.inputs.view(), key.fold_in(1));
        let mut states = dbn.top.device().zeros(cases.len(), dbn.top.visible.len());
        states.column_range_mut(0..units.columns()).assign(&units);
        if let (Some(classes), Some(labels)) = (dbn.classes(), &cases.targets) {
            states.column_range_mut(units.columns()..units.columns() + classes).assign(labels);
        }
        dbn.top.gibbs(&mut states, self.recipe.settle, key.fold_in(2));
        states
    }

    fn bound(&self, run: &mut Run, dbn: &Dbn, name: &str) -> Result<Bound, RunError> {
        let doing = format!("bounding the log-probability, {name}");
        let (timer, flag) = (run.phase(&doing), run.interruption_flag());
        let key = self.key.fold_in(BOUNDS).fold_in(dbn.lower.len() as u64);
        let ais = Ais::new(Path::from_model(&dbn.top), self.recipe.betas.clone());
        let ais = Ais { interrupted: Some(&flag), ..ais };
        let fantasies = self.fantasies(dbn, key.fold_in(0));
        let estimates = ais
            .forward(&dbn.top, 100, key.fold_in(1))
            .and_then(|forward| Ok((forward, ais.reverse(&dbn.top, &fantasies, key.fold_in(2))?)));
        let (forward, reverse) = match estimates {
            Err(nn_core::Error::Interrupted { .. }) => return Err(run.stop_without_saving()),
            estimates => estimates.while_doing(doing.as_str())?,
        };
        let bound =
            dbn.lower_bound(&self.binary_test, 0.0, 10, key.fold_in(3)).while_doing(doing.as_str())?;
        drop(timer);
        let found = Bound {
            name: name.to_string(),
            forward: bound.log_probability - forward.log_partition,
            reverse: bound.log_probability - reverse.log_partition,
        };
        run.report.metric(format!("{name}_test_bound_forward_ais"), found.forward)?;
        run.report.metric(format!("{name}_test_bound_reverse_ais"), found.reverse)?;
        run.report.metric(format!("{name}_log_partition_standard_error"), forward.standard_error)?;
        Ok(found)
    }

    /// For each label ten digits, by Gibbs sampling of the top with the label clamped and one pass down.
    fn drawn_by_label(&self, run: &mut Run, dbn: &Dbn, name: &str, when: &str) -> Result<(), RunError> {
        let (doing, each, key) = ("drawing digits by label", 10, self.key.fold_in(PICTURES));
        let labels: Vec<u8> = (0..CLASSES * each).map(|case| (case / each) as u8).collect();
        let mut chains = dbn.given_labels(&labels, key.fold_in(0)).while_doing(doing)?;
        chains.gibbs(&dbn.top, self.recipe.settle, key.fold_in(1));
        let means = dbn.generate(chains.chains(), key.fold_in(2)).to_array().while_doing(doing)?;
        let picture = image_grid::samples(means.view(), TileLayout::new(SIDE, SIDE, each))?;
        let caption = format!("A row for each label from 0 to 9: digits that the network draws {when}.");
        run.report.picture(&format!("drawn-by-label-{name}"), caption, &picture)?;
        Ok(())
    }
}
