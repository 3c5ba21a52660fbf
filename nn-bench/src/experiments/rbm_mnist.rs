//! A restricted Boltzmann machine of 500 hidden units as a density model of handwritten digits.

use ndarray::{Array2, Axis, Slice};
use nn_core::{Device, Key, Parameters, Penalty, Schedule, Sgd, Tensor, checkpoint};
use nn_rbm::ais::Betas;
use nn_rbm::estimator::Persistent;
use nn_rbm::pseudo_likelihood::stochastic_pseudo_log_likelihood;
use nn_rbm::units::Bernoulli;
use nn_rbm::{Activity, Completion, Rbm, RbmLearner};

use crate::digits::{DigitSet, Digits};
use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::likelihood::Measurement;
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct RbmMnist;

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    hidden: usize,
    epochs: u64,
    batch: usize,
    chains: usize,
    sweeps: u32,
    rate: Schedule,
    momentum: f32,
    decay: f32,
    betas: Betas,
    measure_every: u64,
    /// Gibbs sweeps from the persistent chains to the states where reverse AIS starts, and to the samples shown.
    settle: u64,
}

const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;
/// Purposes of keys.
const WEIGHTS: u64 = 1;
const CHAINS: u64 = 2;
const TRAINING: u64 = 3;
const AIS: u64 = 4;
const PICTURES: u64 = 5;
const MEASURES: u64 = 6;

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let falling = |from: f32, epochs: u64, per_epoch: u64| Schedule::Linear {
            from,
            to: 0.0,
            updates: epochs * per_epoch,
        };
        match profile {
            // So few draws that hardly one of them falls on the other side of its threshold where a device rounds
            // otherwise: every backend finds the same metrics.
            "quick" => Recipe {
                digits: DigitSet::Embedded,
                hidden: 16,
                epochs: 4,
                batch: 100,
                chains: 100,
                sweeps: 1,
                rate: falling(0.1, 4, 40),
                momentum: 0.0,
                decay: 5e-4,
                betas: Betas::shrunk(500),
                measure_every: 1,
                settle: 10,
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                hidden: 500,
                epochs: 300,
                batch: 100,
                chains: 100,
                sweeps: 5,
                rate: falling(0.05, 300, 600),
                momentum: 0.0,
                decay: 1e-4,
                betas: Betas::published(),
                measure_every: 5,
                settle: 1000,
            },
            _ => Recipe {
                digits: DigitSet::Embedded,
                hidden: 500,
                epochs: 200,
                batch: 100,
                chains: 100,
                sweeps: 5,
                rate: falling(0.05, 200, 40),
                momentum: 0.0,
                decay: 1e-3,
                betas: Betas::shrunk(4),
                measure_every: 10,
                settle: 500,
            },
        }
    }
}

impl Experiment for RbmMnist {
    fn name(&self) -> &'static str {
        "rbm-mnist"
    }

    fn title(&self) -> &'static str {
        "A restricted Boltzmann machine learns handwritten digits"
    }

    fn summary(&self) -> &'static str {
        "784-500 binary machine by persistent contrastive divergence: filters, samples, occluded halves filled in, log-probability bounded from both sides by annealed importance sampling"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "16 hidden units, 4 epochs of 4,000 digits: the same metrics on every backend",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "500 hidden units, 200 epochs of 4,000 digits",
                duration: "under 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "500 hidden units, all of MNIST, the published AIS schedule",
                duration: "about 15 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        let digits = Digits::load(run, recipe.digits)?;
        describe(run, &recipe);
        let means = digits.train.to_f32().mean_axis(Axis(0)).unwrap_or_default();
        let device = run.device(|device| {
            let learner = recipe.learner(device, &Bernoulli::with_means(device, means.view()), key)?;
            Ok(Trial::new(learner, &digits.training_set(device)?, recipe.batch))
        })?;
        let data = digits.training_set(&device)?;
        let base = Bernoulli::with_means(&device, means.view());

        let mut learner = recipe.learner(&device, &base, key)?;
        let training = Training {
            stage: "rbm",
            epochs: recipe.epochs,
            batch: recipe.batch,
            key: key.fold_in(TRAINING),
            measure_every: recipe.measure_every,
            save_every: recipe.measure_every,
        };
        let watched: Vec<usize> = (0..1000.min(data.len())).collect();
        let watch = data.cases(&watched, key.fold_in(MEASURES));
        let figures = training.run(run, &mut learner, &data, watch)?;
        let axes = Axes { log_x: false };
        for name in ["reconstruction error", "pseudo-log-likelihood per unit", "mean hidden activity"] {
            run.report.curve_on(axes, name, "epoch", name, &[("training digits", figures.curve(name))])?;
        }

        let rbm = &learner.rbm;
        let test = digits.binary_test_set(&device)?;
        let train = data.binarized(key.fold_in(MEASURES).fold_in(1));
        let fantasies = fantasies(&learner, recipe.settle, key.fold_in(PICTURES));
        let measurement = Measurement {
            prefix: "",
            base: &base,
            betas: recipe.betas.clone(),
            chains: 100,
            fantasies: &fantasies,
            test: &test,
            train: &train,
            key: key.fold_in(AIS),
            checkpoint: training.checkpoint(run),
        };
        let likelihood = measurement.run(run, rbm)?;
        published(run, likelihood.test_forward)?;
        let pseudo = stochastic_pseudo_log_likelihood(rbm, &test, key.fold_in(MEASURES).fold_in(2))
            .while_doing("estimating the pseudo-likelihood")?;
        run.report.metric("test_pseudo_log_likelihood_per_pixel", pseudo / PIXELS as f64)?;
        let activity = Activity::of(rbm, &test).while_doing("looking at the hidden units")?;
        run.report.metric("mean_hidden_activity", activity.mean)?;
        activity.warnings().into_iter().for_each(|warning| run.report.note(warning));
        let gap = free_energy_gap(rbm, &train, &test)?;
        run.report.metric("free_energy_gap_test_minus_train", gap)?;
        pictures(run, rbm, &digits, &fantasies, key.fold_in(PICTURES))?;
        save_model(run, rbm, &test)
    }
}

impl Recipe {
    fn learner(&self, device: &Device, base: &Bernoulli, key: Key) -> Result<RbmLearner<Sgd>, RunError> {
        let doing = "setting up the machine";
        let visible = Bernoulli { biases: base.biases.duplicate() };
        let hidden = Bernoulli::new(device, self.hidden);
        let rbm =
            Rbm::new(device, Box::new(visible), Box::new(hidden), key.fold_in(WEIGHTS)).while_doing(doing)?;
        let sgd =
            Sgd::new(&rbm, self.rate.clone(), self.momentum, Penalty::l2(self.decay)).while_doing(doing)?;
        let chains =
            Persistent::new(&rbm, self.chains, self.sweeps, key.fold_in(CHAINS)).while_doing(doing)?;
        Ok(RbmLearner::new(rbm, chains, sgd))
    }
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Salakhutdinov and Murray (2008) trained restricted Boltzmann machines of 500 hidden units on binarised \
         MNIST digits and, for the first time, measured how good such a model is: annealed importance sampling \
         estimates its partition function, and with it the log-probability of test digits. Tieleman (2008) trained \
         the same model with persistent chains, as is done here.",
    );
    report.reproduces(
        "Pixels are drawn anew from their grey values whenever a digit is used in training; test pixels are drawn \
         once. Log-probabilities are in nats, a mean over the test set. The forward estimate of log Z bounds the \
         log-probability from above and the reverse one from below; where they agree both can be trusted.",
    );
    for (name, value) in [
        ("hidden units", recipe.hidden.to_string()),
        ("epochs", recipe.epochs.to_string()),
        ("batch", recipe.batch.to_string()),
        ("persistent chains", recipe.chains.to_string()),
        ("sweeps per update", recipe.sweeps.to_string()),
        ("learning rate", format!("{:?}", recipe.rate)),
        ("momentum", recipe.momentum.to_string()),
        ("weight decay (L2)", recipe.decay.to_string()),
        ("AIS temperatures", recipe.betas.count().to_string()),
        ("AIS chains each way", "100".to_string()),
    ] {
        report.setting(name, value);
    }
}

fn published(run: &mut Run, ours: f64) -> Result<(), RunError> {
    let metric = "test log-probability of MNIST, 500 hidden units (nats)";
    // Only a machine of the same size on the same digits is put beside the published figure.
    let ours = (run.profile == "full").then_some(ours);
    let paper = "Salakhutdinov and Murray, On the quantitative analysis of deep belief networks, 2008";
    run.report.published(metric, -86.34, format!("{paper}: CD-25"), true, ours)?;
    run.report.published(metric, -105.50, format!("{paper}: CD-3"), false, None)?;
    run.report.published(metric, -125.53, format!("{paper}: CD-1"), false, None)?;
    Ok(())
}

/// Visible states some Gibbs sweeps after the persistent chains, chains × pixels.
fn fantasies(learner: &RbmLearner<Sgd>, sweeps: u64, key: Key) -> Tensor {
    let mut chains = None;
    learner.estimator.visit(&mut |_, tensor| chains = Some(tensor));
    let rbm = &learner.rbm;
    let start = match chains {
        Some(hidden) => rbm.sample_visible(hidden, key.fold_in(0)),
        None => rbm.device().zeros(100, PIXELS),
    };
    let mut fantasies = start;
    rbm.gibbs(&mut fantasies, sweeps, key.fold_in(1));
    fantasies
}

fn free_energy_gap(rbm: &Rbm, train: &Tensor, test: &Tensor) -> Result<f64, RunError> {
    let doing = "comparing free energies";
    let of = |cases: &Tensor| rbm.mean_free_energy(cases).while_doing(doing);
    Ok(of(test)? - of(train)?)
}

fn pictures(run: &mut Run, rbm: &Rbm, digits: &Digits, fantasies: &Tensor, key: Key) -> Result<(), RunError> {
    let doing = "drawing pictures";
    let weights = rbm.weights.to_array().while_doing(doing)?;
    let shown = weights.slice_axis(Axis(1), Slice::from(..weights.ncols().min(100)));
    let layout = |columns| TileLayout::new(SIDE, SIDE, columns);
    let filters = image_grid::filters(shown, TileAxis::Columns, layout(20), Scaling::PerTile)?;
    run.report.picture("filters", "Weights of the first hidden units: pen strokes.", &filters)?;

    let means =
        rbm.mean_visible(&rbm.sample_hidden(fantasies, key.fold_in(2))).to_array().while_doing(doing)?;
    let samples = image_grid::samples(means.view(), layout(20))?;
    run.report.picture(
        "samples",
        "Samples of p(v), one from each of 100 chains: probabilities of the pixels.",
        &samples,
    )?;

    let (rows, columns, apart) = (10, 20, 50);
    let start: Vec<usize> = (0..rows).collect();
    let mut chains = rbm.device().zeros(rows, PIXELS);
    chains.view_mut().gather(fantasies, &start);
    let mut film = Array2::<f32>::zeros((rows * columns, PIXELS));
    for column in 0..columns {
        let frame = key.fold_in(3).fold_in(column as u64);
        let means =
            rbm.mean_visible(&rbm.sample_hidden(&chains, frame.fold_in(0))).to_array().while_doing(doing)?;
        for (row, mean) in means.rows().into_iter().enumerate() {
            film.row_mut(row * columns + column).assign(&mean);
        }
        rbm.gibbs(&mut chains, apart, frame.fold_in(1));
    }
    let caption = format!("Ten chains from left to right, {apart} Gibbs sweeps from column to column.");
    run.report.picture("chains", caption, &image_grid::samples(film.view(), layout(columns))?)?;
    completions(run, rbm, digits, key.fold_in(4))
}

/// Test digits, their upper half, and what the machine makes of the lower one.
fn completions(run: &mut Run, rbm: &Rbm, digits: &Digits, key: Key) -> Result<(), RunError> {
    let doing = "filling in occluded halves";
    let shown = 20.min(digits.test.len());
    let originals = digits
        .test
        .to_f32()
        .slice_axis(Axis(0), Slice::from(..shown))
        .mapv(|grey| f32::from(u8::from(grey > 0.5)));
    let known = Array2::from_shape_fn((1, PIXELS), |(_, pixel)| f32::from(u8::from(pixel < PIXELS / 2)));
    let mut completion = Completion::new(rbm, originals.view(), known.view()).while_doing(doing)?;
    completion.gibbs(rbm, 500, key.fold_in(0));
    let completed = completion.means(rbm, key.fold_in(1)).to_array().while_doing(doing)?;
    let occluded = &originals * &known + 0.5 * (1.0 - &known);
    let rows = [originals.view(), occluded.view(), completed.view()];
    let picture = image_grid::comparison(&rows, TileLayout::new(SIDE, SIDE, shown))?;
    let caption =
        "Test digits; what the machine was shown; the lower half filled in by clamped Gibbs sampling.";
    run.report.picture("completions", caption, &picture)?;
    let error = (&completed - &originals).mapv(|difference| f64::from(difference).powi(2));
    let hidden = error.slice_axis(Axis(1), Slice::from(PIXELS / 2..)).mean().unwrap_or(f64::NAN);
    run.report.metric("completion_mean_squared_error", hidden)?;
    Ok(())
}

/// The model with ten test digits and their free energies beside it, so that other programs can check themselves.
fn save_model(run: &mut Run, rbm: &Rbm, test: &Tensor) -> Result<(), RunError> {
    let doing = "saving the model";
    let first: Vec<usize> = (0..10.min(test.rows())).collect();
    let mut probe = rbm.device().zeros(first.len(), test.columns());
    probe.view_mut().gather(test, &first);
    let energies = rbm.free_energy(&probe).to_array_f64().while_doing(doing)?;
    for (case, energy) in energies.iter().enumerate() {
        run.report.metric(format!("free_energy_of_probe_{case}"), *energy)?;
    }
    let header = checkpoint::Header::new("rbm-mnist model", 0, Key::new(run.seed));
    let model = ModelWithProbe { rbm, probe: &probe };
    checkpoint::save(&run.out().file("model.safetensors"), &header, &model).while_doing(doing)
}

struct ModelWithProbe<'m> {
    rbm: &'m Rbm,
    probe: &'m Tensor,
}

impl Parameters for ModelWithProbe<'_> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.rbm.visit(see);
        see("probe.visible", self.probe);
    }
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}
