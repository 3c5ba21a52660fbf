//! The Shape Boltzmann machine on silhouettes of horses.

mod imputing;
mod report;
mod shapes;

use ndarray::Axis;
use nn_core::init::Initialization::Normal;
use nn_core::{Binarize, Dataset, Device, Key, Parameters, Penalty, Schedule, Sgd, checkpoint};
use nn_rbm::dbm::{Chains, DbmLearner};
use nn_rbm::estimator::Persistent;
use nn_rbm::shape::{self, Imputation, Patches, PretrainingLearner};
use nn_rbm::units::Bernoulli;
use nn_rbm::{Dbm, Rbm, RbmLearner};

use crate::experiment::{Experiment, ProfileInfo};
use crate::factor_analysis::FactorAnalysis;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;
use imputing::{GRID, Outcome, of_model, of_values};
use shapes::{ShapeSet, Shapes};

/// The experiment.
#[derive(Debug)]
pub struct ShapeBmHorses;

// Purposes of the keys of a run.
const WEIGHTS: u64 = 1;
const CHAINS: u64 = 2;
const TRAINING: u64 = 3;
const IMPUTING: u64 = 4;
const SAMPLES: u64 = 5;
const FACTORS: u64 = 6;

const BATCH: usize = 32;
/// Chains of the model phase.
const MODEL_CHAINS: usize = 32;
/// Rounds of expectation and maximisation.
const ROUNDS: usize = 100;

/// What a profile sets.
struct Recipe {
    set: ShapeSet,
    overlap: usize,
    /// Units at each patch, and above them.
    hidden: [usize; 2],
    /// Of the first layer, of the second, of both together.
    epochs: [u64; 3],
    /// Of the restricted machine beside it.
    rbm_epochs: u64,
    /// Rate of pretraining and of training together, falling linearly to 0.
    rates: [f32; 2],
    decay: f32,
    factors: usize,
    imputation: Imputation,
    /// Gibbs sweeps of the chains of training before their states are shown.
    settle: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            set: ShapeSet::WhatIsThere,
            overlap: 4,
            hidden: [500, 100],
            epochs: [60, 60, 150],
            rbm_epochs: 300,
            rates: [0.05, 0.01],
            decay: 1e-3,
            factors: 10,
            imputation: Imputation { chains: 10, burn_in: 200, samples: 100 },
            settle: 1000,
        };
        match profile {
            "quick" => Recipe {
                set: ShapeSet::Digits,
                hidden: [40, 20],
                epochs: [30, 15, 15],
                rbm_epochs: 40,
                imputation: Imputation { chains: 2, burn_in: 20, samples: 10 },
                settle: 100,
                ..default
            },
            "full" => Recipe {
                set: ShapeSet::Horses,
                imputation: Imputation { chains: 20, burn_in: 500, samples: 500 },
                ..default
            },
            _ => default,
        }
    }

    fn sgd(&self, model: &dyn Parameters, rate: f32, epochs: u64, data: &Dataset) -> Result<Sgd, RunError> {
        let updates = epochs * (data.len() / BATCH) as u64;
        let rate = Schedule::Linear { from: rate, to: 0.0, updates };
        Sgd::new(model, rate, 0.5, Penalty::l2(self.decay)).while_doing("setting up training")
    }
}

impl Experiment for ShapeBmHorses {
    fn name(&self) -> &'static str {
        "shape-bm-horses"
    }

    fn title(&self) -> &'static str {
        "A Shape Boltzmann machine draws and completes horses"
    }

    fn summary(&self) -> &'static str {
        "two layers of overlapping patches with shared weights learn silhouettes: samples and how near they are to training shapes, and regions filled in, against a mean shape, factor analysis and a restricted machine"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "4 × 40 and 20 units, silhouettes of the digit two",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "4 × 500 and 100 units, 60, 60 and 150 epochs of 314 horses, or of boots or digits if there are none",
                duration: "about 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "the same on horses, with ten times the Gibbs samples for each region that is filled in",
                duration: "minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        report::describe(run, &recipe);
        let shapes = Shapes::load(run, recipe.set)?;
        let upload = |device: &Device| {
            Dataset::new(device, shapes.train.view(), Binarize::Never).while_doing("uploading the shapes")
        };
        let key = Key::new(run.seed);
        let device = run.device(|device| {
            let data = upload(device)?;
            Ok(Trial::new(lower(&recipe, &shapes, &data, key)?, &data, BATCH))
        })?;
        let data = upload(&device)?;
        let learner = train(run, &recipe, &shapes, &data, key)?;
        let rbm = train_rbm(run, &recipe, &shapes, &data, &learner.dbm, key)?;
        let outcomes = impute(run, &recipe, &shapes, &learner.dbm, &rbm, key)?;
        report::imputation(run, &shapes, &outcomes)?;
        report::samples(run, &recipe, &shapes, learner, key.fold_in(SAMPLES))
    }
}

fn visible(device: &Device, shapes: &Shapes) -> Box<Bernoulli> {
    let means = shapes.train.mean_axis(Axis(0)).unwrap_or_default();
    Box::new(Bernoulli::with_means(device, means.view()))
}

/// A learner of the lower layers.
fn lower(
    recipe: &Recipe,
    shapes: &Shapes,
    data: &Dataset,
    key: Key,
) -> Result<PretrainingLearner<Sgd>, RunError> {
    let (doing, device) = ("setting up the first layer", data.inputs().device());
    let patches = Patches::new(shapes.side, shapes.side, recipe.overlap);
    let (visible, start) = (visible(device, shapes), Normal { deviation: 0.01 });
    let key = key.fold_in(WEIGHTS).fold_in(0);
    let bottom = shape::bottom(device, visible, patches, recipe.hidden[0], start, key).while_doing(doing)?;
    let sgd = recipe.sgd(&bottom, recipe.rates[0], recipe.epochs[0], data)?;
    PretrainingLearner::bottom(bottom, 1, sgd).while_doing(doing)
}

fn training(stage: &str, epochs: u64, key: Key) -> Training<'_> {
    let every = epochs.div_ceil(10);
    Training { stage, epochs, batch: BATCH, key, measure_every: every, save_every: every }
}

/// Layer by layer, then both layers together.
fn train(
    run: &Run,
    recipe: &Recipe,
    shapes: &Shapes,
    data: &Dataset,
    key: Key,
) -> Result<DbmLearner<Sgd>, RunError> {
    let [first, second, both] = recipe.epochs;
    let of = |stage: u64| key.fold_in(TRAINING).fold_in(stage);
    let mut below = lower(recipe, shapes, data, key)?;
    training("layer1", first, of(0)).run(run, &mut below, data, data.inputs().duplicate().into())?;
    let (doing, start) = ("setting up the second layer", Normal { deviation: 0.01 });
    let top = shape::top(&below.machine, recipe.hidden[1], start, key.fold_in(WEIGHTS).fold_in(1));
    let top = top.while_doing(doing)?;
    let sgd = recipe.sgd(&top, recipe.rates[0], second, data)?;
    let mut above = PretrainingLearner::top(below.machine, top, 1, sgd).while_doing(doing)?;
    training("layer2", second, of(1)).run(run, &mut above, data, data.inputs().duplicate().into())?;
    let doing = "putting the layers together";
    let dbm = above.compose().while_doing(doing)?;
    let chains = Chains::new(&dbm, MODEL_CHAINS, key.fold_in(CHAINS)).while_doing(doing)?;
    let sgd = recipe.sgd(&dbm, recipe.rates[1], both, data)?;
    let mut learner = DbmLearner::new(dbm, chains, sgd);
    training("both", both, of(2)).run(run, &mut learner, data, data.inputs().duplicate().into())?;
    let header = checkpoint::Header::new("shape-bm-horses model", 0, key);
    checkpoint::save(&run.out().file("model.safetensors"), &header, &learner.dbm)
        .while_doing("saving the model")?;
    Ok(learner)
}

/// A restricted machine with as many parameters, by persistent chains.
fn train_rbm(
    run: &mut Run,
    recipe: &Recipe,
    shapes: &Shapes,
    data: &Dataset,
    dbm: &Dbm,
    key: Key,
) -> Result<Rbm, RunError> {
    let (doing, device) = ("setting up the restricted machine", data.inputs().device());
    let pixels = shapes.side * shapes.side;
    let parameters = nn_core::parameters::count(dbm);
    let hidden = (parameters - pixels) / (pixels + 1);
    run.report.setting("parameters", parameters);
    run.report.setting("hidden units of the restricted machine", hidden);
    let units = Box::new(Bernoulli::new(device, hidden));
    let key = key.fold_in(TRAINING).fold_in(3);
    let rbm = Rbm::new(device, visible(device, shapes), units, key.fold_in(0)).while_doing(doing)?;
    let sgd = recipe.sgd(&rbm, recipe.rates[0], recipe.rbm_epochs, data)?;
    let chains = Persistent::new(&rbm, MODEL_CHAINS, 1, key.fold_in(1)).while_doing(doing)?;
    let mut learner = RbmLearner::new(rbm, chains, sgd);
    training("rbm", recipe.rbm_epochs, key.fold_in(2)).run(
        run,
        &mut learner,
        data,
        data.inputs().duplicate().into(),
    )?;
    Ok(learner.rbm)
}

/// Every model on every region of the test shapes, the shape machine first.
fn impute(
    run: &Run,
    recipe: &Recipe,
    shapes: &Shapes,
    dbm: &Dbm,
    rbm: &Rbm,
    key: Key,
) -> Result<Vec<Outcome>, RunError> {
    let timer = run.phase("filling in regions");
    let masks = shape::regions(shapes.side, shapes.side, GRID).while_doing("choosing regions")?;
    let (train, test) = (shapes.train.view(), shapes.test.view());
    let key = |purpose: u64| key.fold_in(IMPUTING).fold_in(purpose);
    let settings = recipe.imputation;
    let shape = of_model("Shape Boltzmann machine", "shape_bm", dbm, test, &masks, settings, key(0))?;
    let rbm = of_model("restricted machine", "rbm", rbm, test, &masks, settings, key(1))?;
    let factors = FactorAnalysis::fit(train, recipe.factors, ROUNDS, key(FACTORS));
    let by_factors =
        |cases: ndarray::ArrayView2<'_, f32>, region: usize| factors.complete(cases, masks.row(region));
    let factors = of_values("factor analysis", "factor_analysis", by_factors, train, test, &masks);
    let mean = shapes.train.mean_axis(Axis(0)).unwrap_or_default().mapv(f64::from);
    let by_mean = |cases: ndarray::ArrayView2<'_, f32>, _: usize| {
        ndarray::Array2::from_shape_fn(cases.raw_dim(), |(_, pixel)| mean[pixel])
    };
    let mean = of_values("mean shape", "mean", by_mean, train, test, &masks);
    drop(timer);
    Ok(vec![shape, rbm, factors, mean])
}
