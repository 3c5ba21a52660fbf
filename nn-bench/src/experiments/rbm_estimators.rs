//! What the length of the chains does: CD-1, CD-3, CD-25 and PCD on the same number of updates.

use std::sync::atomic::AtomicBool;

use ndarray::Axis;
use nn_core::{Binarize, Dataset, Device, Fit, Key, Penalty, Schedule, Sgd, Tensor};
use nn_rbm::ais::Betas;
use nn_rbm::estimator::{ContrastiveDivergence, GradientEstimator, Persistent};
use nn_rbm::exact::{Propagation, exact_statistics};
use nn_rbm::units::Bernoulli;
use nn_rbm::{Rbm, RbmLearner};

use crate::digits::{DigitSet, Digits};
use crate::experiment::{Experiment, ProfileInfo};
use crate::likelihood::Measurement;
use crate::report::{Axes, short_number};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct RbmEstimators;

/// Name in metrics, name for readers, sweeps an update, whether chains persist, published log-probability.
type Method = (&'static str, &'static str, u32, bool, Option<(f64, bool)>);

const METHODS: [Method; 4] = [
    ("cd1", "CD-1", 1, false, Some((-125.53, false))),
    ("cd3", "CD-3", 3, false, Some((-105.50, false))),
    ("cd25", "CD-25", 25, false, Some((-86.34, true))),
    ("pcd1", "PCD-1", 1, true, None),
];

/// Cases of a minibatch, and persistent chains.
const BATCH: usize = 100;

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    hidden: usize,
    epochs: u64,
    decay: f32,
    betas: Betas,
    measure_every: u64,
    /// Hidden units of the machine that is enumerated.
    small_hidden: usize,
    /// Updates of that machine, and how often the exact curves are looked at.
    small_updates: u64,
    looks: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => Recipe {
                digits: DigitSet::Embedded,
                hidden: 50,
                epochs: 3,
                decay: 5e-4,
                betas: Betas::shrunk(50),
                measure_every: 1,
                small_hidden: 10,
                small_updates: 2_000,
                looks: 8,
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                hidden: 500,
                epochs: 50,
                decay: 1e-4,
                betas: Betas::published(),
                measure_every: 5,
                small_hidden: 20,
                small_updates: 20_000,
                looks: 6,
            },
            _ => Recipe {
                digits: DigitSet::Embedded,
                hidden: 200,
                epochs: 100,
                decay: 1e-3,
                betas: Betas::shrunk(10),
                measure_every: 10,
                small_hidden: 20,
                small_updates: 10_000,
                looks: 4,
            },
        }
    }
}

impl Experiment for RbmEstimators {
    fn name(&self) -> &'static str {
        "rbm-estimators"
    }

    fn title(&self) -> &'static str {
        "How long must the chains be? CD-1, CD-3, CD-25 and persistent chains"
    }

    fn summary(&self) -> &'static str {
        "the same machine trained by four estimators on the same number of updates, log-probabilities by AIS; and exact curves of a machine small enough to enumerate"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "50 hidden units, 3 epochs of 4,000 digits; exact curves of 10 hidden units",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "200 hidden units, 100 epochs of 4,000 digits; exact curves of 20 hidden units",
                duration: "about 3 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "500 hidden units, 50 epochs of MNIST each, the published AIS schedule",
                duration: "about 15 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        describe(run, &recipe);
        let (digits, key) = (Digits::load(run, recipe.digits)?, Key::new(run.seed));
        let means = digits.train.to_f32().mean_axis(Axis(0)).unwrap_or_default();
        // The estimator that takes most of the time decides for all of them.
        let device = run.device(|device| {
            let base = Bernoulli::with_means(device, means.view());
            let data = digits.training_set(device)?;
            Ok(Trial::new(recipe.learner(&base, &METHODS[2], data.len(), key)?, &data, BATCH))
        })?;
        exact_curves(run, &recipe, &device)?;
        digits_table(run, &recipe, &digits, &Bernoulli::with_means(&device, means.view()))
    }
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Contrastive divergence stops its chains after k sweeps, so that its gradient is biased. Salakhutdinov and \
         Murray (2008) measured what that costs: the log-probability of test digits under machines of 500 hidden \
         units rises from CD-1 over CD-3 to CD-25. Here all estimators get the same number of updates from the same \
         first weights; the learning rate falls linearly to zero.",
    );
    report.reproduces(
        "On a machine whose states can all be enumerated the same is seen exactly: the log-likelihood, the divergence \
         KL(data ‖ model) that learning should lower, and KL(p_k ‖ model), by which the objective of CD-k, \
         KL(data ‖ model) − KL(p_k ‖ model), differs from it, p_k being the distribution of chains k sweeps after the \
         data. The longer the chains the smaller the difference: that is why truncated chains work.",
    );
    for (name, value) in [
        ("hidden units", recipe.hidden.to_string()),
        ("epochs of each estimator", recipe.epochs.to_string()),
        ("weight decay (L2)", recipe.decay.to_string()),
        ("AIS temperatures", recipe.betas.count().to_string()),
        ("hidden units of the enumerated machine", recipe.small_hidden.to_string()),
        ("updates of the enumerated machine", recipe.small_updates.to_string()),
    ] {
        report.setting(name, value);
    }
}

fn estimator(rbm: &Rbm, method: &Method, key: Key) -> Result<Box<dyn GradientEstimator>, RunError> {
    let (_, name, sweeps, persistent, _) = *method;
    let doing = format!("setting up {name}");
    Ok(if persistent {
        Box::new(Persistent::new(rbm, BATCH, sweeps, key).while_doing(doing)?)
    } else {
        Box::new(ContrastiveDivergence::new(sweeps).while_doing(doing)?)
    })
}

impl Recipe {
    /// A machine for digits with the estimator of a method.
    fn learner(
        &self,
        base: &Bernoulli,
        method: &Method,
        cases: usize,
        key: Key,
    ) -> Result<RbmLearner<Sgd>, RunError> {
        let (device, doing) = (base.biases.device(), format!("setting up {}", method.1));
        let visible = Bernoulli { biases: base.biases.duplicate() };
        let hidden = Bernoulli::new(device, self.hidden);
        let rbm = Rbm::new(device, Box::new(visible), Box::new(hidden), key.fold_in(1))
            .while_doing(doing.as_str())?;
        let updates = self.epochs * (cases / BATCH) as u64;
        let rate = Schedule::Linear { from: 0.05, to: 0.0, updates };
        let sgd = Sgd::new(&rbm, rate, 0.0, Penalty::l2(self.decay)).while_doing(doing.as_str())?;
        let estimator = estimator(&rbm, method, key.fold_in(2))?;
        Ok(RbmLearner::with_estimator(rbm, estimator, sgd))
    }
}

/// The table of log-probabilities on digits.
fn digits_table(run: &mut Run, recipe: &Recipe, digits: &Digits, base: &Bernoulli) -> Result<(), RunError> {
    let (device, key) = (base.biases.device(), Key::new(run.seed));
    let data = digits.training_set(device)?;
    let (test, train) = (digits.binary_test_set(device)?, data.binarized(key.fold_in(9)));
    let watched: Vec<usize> = (0..1000.min(data.len())).collect();
    let (mut rows, mut curves) = (Vec::new(), Vec::new());
    for method in &METHODS {
        let (metric, name, _, _, published) = *method;
        let mut learner = recipe.learner(base, method, data.len(), key)?;
        let training = Training {
            stage: metric,
            epochs: recipe.epochs,
            batch: BATCH,
            key: key.fold_in(3),
            measure_every: recipe.measure_every,
            save_every: recipe.measure_every,
        };
        let watch = data.cases(&watched, key.fold_in(4));
        let figures = training.run(run, &mut learner, &data, watch)?;
        curves.push((name, figures.curve("reconstruction error")));

        // Fair samples for the reverse bound: long chains from training digits.
        let mut fantasies = data.cases(&watched[..100], key.fold_in(5)).inputs;
        learner.rbm.gibbs(&mut fantasies, 1000, key.fold_in(6));
        let measurement = Measurement {
            prefix: &format!("{metric}_"),
            base,
            betas: recipe.betas.clone(),
            chains: 100,
            fantasies: &fantasies,
            test: &test,
            train: &train,
            key: key.fold_in(7),
            checkpoint: training.checkpoint(run),
        };
        let found = measurement.run(run, &learner.rbm)?;
        let ours = (run.profile == "full").then_some(found.test_forward);
        if let Some((value, verified)) = published {
            let source = format!("Salakhutdinov and Murray (2008), {name}");
            let metric = format!("{name}: test log-probability of MNIST, 500 hidden units (nats)");
            run.report.published(metric, value, source, verified, ours)?;
        }
        rows.push(vec![
            name.to_string(),
            short_number(found.train_forward),
            short_number(found.test_forward),
            short_number(found.test_reverse),
            short_number(found.forward.log_partition),
            short_number(figures.last("reconstruction error").unwrap_or(f64::NAN)),
        ]);
    }
    let headers = [
        "estimator",
        "train (forward AIS)",
        "test (forward)",
        "test (reverse)",
        "log Z (forward)",
        "reconstruction error",
    ];
    run.report.table("Log-probabilities in nats", &headers, rows)?;
    run.report.note(
        "The reconstruction error does not order the models: a machine whose chains do not move reconstructs best.",
    );
    let series: Vec<(&str, Vec<(f64, f64)>)> = curves;
    run.report.curve("Reconstruction error", "epoch", "mean squared error", &series)?;
    Ok(())
}

/// Exact curves of a small machine on bars and stripes of 3×3 pixels.
fn exact_curves(run: &mut Run, recipe: &Recipe, device: &Device) -> Result<(), RunError> {
    let doing = "training the machine that is enumerated";
    let key = Key::new(run.seed).fold_in(100);
    let patterns = nn_data::synthetic::bars_and_stripes::patterns(3).while_doing(doing)?;
    let data = Dataset::new(device, patterns.view(), Binarize::Never).while_doing(doing)?;
    let timer = run.phase("exact curves");
    let total = METHODS.len() as u64 * recipe.looks;
    let bar = run.progress("exact curves", total);
    let (mut likelihoods, mut divergences, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for method in &METHODS {
        let (metric, name, sweeps, _, _) = *method;
        let rbm = Rbm::bernoulli(device, 9, recipe.small_hidden, key.fold_in(1)).while_doing(doing)?;
        let rate = Schedule::Linear { from: 0.05, to: 0.0, updates: recipe.small_updates };
        let sgd = Sgd::new(&rbm, rate, 0.0, Penalty::default()).while_doing(doing)?;
        let estimator = estimator(&rbm, method, key.fold_in(2))?;
        let mut learner = RbmLearner::with_estimator(rbm, estimator, sgd);
        let mut curve = [Vec::new(), Vec::new(), Vec::new()];
        for look in 0..=recipe.looks {
            let upto = recipe.small_updates * look / recipe.looks;
            let from = if look == 0 { 0 } else { recipe.small_updates * (look - 1) / recipe.looks };
            let fit = Fit { from, ..Fit::new(upto, patterns.nrows(), key.fold_in(3)) };
            fit.run(&mut learner, &data, &mut [], &AtomicBool::new(false)).while_doing(doing)?;
            let exact = look_exactly(&learner.rbm, data.inputs(), sweeps).while_doing("enumerating")?;
            for (curve, value) in curve.iter_mut().zip(exact) {
                curve.push((upto as f64, value));
            }
            bar.advance(u64::from(look > 0));
            if run.interrupted() {
                return Err(run.stop_without_saving());
            }
        }
        let last = |at: usize| curve[at].last().map_or(f64::NAN, |point| point.1);
        run.report.metric(format!("exact_{metric}_log_likelihood"), last(0))?;
        run.report.metric(format!("exact_{metric}_kl_data_model"), last(1))?;
        run.report.metric(format!("exact_{metric}_kl_chains_model"), last(2))?;
        let [likelihood, divergence, gap] = curve;
        likelihoods.push((name, likelihood));
        divergences.push((name, divergence));
        gaps.push((name, gap));
    }
    drop((bar, timer));
    let axes = Axes { log_x: false };
    let report = &mut run.report;
    report.curve_on(axes, "Exact log-likelihood", "update", "mean log p(v) (nats)", &likelihoods)?;
    report.curve_on(axes, "Exact KL(data ‖ model)", "update", "nats", &divergences)?;
    report.curve_on(axes, "What CD-k leaves out: exact KL(p_k ‖ model)", "update", "nats", &gaps)?;
    Ok(())
}

/// Mean log-likelihood, KL(data ‖ model), KL(p_k ‖ model).
fn look_exactly(rbm: &Rbm, data: &Tensor, sweeps: u32) -> Result<[f64; 3], nn_core::Error> {
    let exact = exact_statistics(rbm, data)?;
    let mut chains = Propagation::from_data(rbm, data)?;
    for _ in 0..sweeps {
        chains.sweep(rbm)?;
    }
    Ok([exact.log_likelihood, exact.divergence, chains.divergence_from_model(rbm)?])
}
