//! Labels inside the machine: one model of digits and their classes, which draws and classifies.

use ndarray::{Array2, Axis, concatenate};
use nn_core::{Binarize, Dataset, Device, Key, Penalty, Schedule, Sgd, checkpoint};
use nn_data::Images;
use nn_rbm::estimator::Persistent;
use nn_rbm::labels;
use nn_rbm::units::{Bernoulli, Joined, Softmax};
use nn_rbm::{Activity, Completion, Rbm, RbmLearner};

use crate::digits::{DigitSet, Digits};
use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, TileLayout};
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct RbmDigitsClassify;

const SIDE: usize = 28;
const PIXELS: usize = SIDE * SIDE;
const CLASSES: usize = 10;
const BATCH: usize = 100;

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    hidden: usize,
    epochs: u64,
    rate: f32,
    decay: f32,
    measure_every: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        match profile {
            "quick" => Recipe {
                digits: DigitSet::Embedded,
                hidden: 100,
                epochs: 20,
                rate: 0.1,
                decay: 5e-4,
                measure_every: 2,
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                hidden: 1000,
                epochs: 60,
                rate: 0.05,
                decay: 1e-4,
                measure_every: 5,
            },
            _ => Recipe {
                digits: DigitSet::Embedded,
                hidden: 500,
                epochs: 200,
                rate: 0.05,
                decay: 1e-3,
                measure_every: 10,
            },
        }
    }
}

impl Experiment for RbmDigitsClassify {
    fn name(&self) -> &'static str {
        "rbm-digits-classify"
    }

    fn title(&self) -> &'static str {
        "A restricted Boltzmann machine with labels classifies digits by free energy"
    }

    fn summary(&self) -> &'static str {
        "pixels and a softmax label seen by the same hidden units: classification by free energy, digits drawn for each label"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "100 hidden units, 20 epochs of 4,000 digits",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "500 hidden units, 200 epochs of 4,000 digits",
                duration: "seconds",
            },
            ProfileInfo {
                name: "full",
                what: "1,000 hidden units, 60 epochs of MNIST",
                duration: "about 2 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        describe(run, &recipe);
        let digits = Digits::load(run, recipe.digits)?;
        let joined = join(&digits.train)?;
        let upload = |device: &Device| {
            Dataset::new(device, joined.view(), Binarize::EachTime).while_doing("uploading the digits")
        };
        let device = run.device(|device| {
            let data = upload(device)?;
            Ok(Trial::new(recipe.learner(device, &digits, data.len(), key)?, &data, BATCH))
        })?;
        let data = upload(&device)?;

        let mut learner = recipe.learner(&device, &digits, data.len(), key)?;
        let training = Training {
            stage: "rbm",
            epochs: recipe.epochs,
            batch: BATCH,
            key: key.fold_in(3),
            measure_every: recipe.measure_every,
            save_every: recipe.measure_every,
        };
        let watched: Vec<usize> = (0..1000.min(data.len())).collect();
        let figures = training.run(run, &mut learner, &data, data.cases(&watched, key.fold_in(4)))?;
        let curve = figures.curve("reconstruction error");
        let axes = Axes { log_x: false };
        run.report.curve_on(
            axes,
            "Reconstruction error",
            "epoch",
            "mean squared error",
            &[("train", curve)],
        )?;

        let rbm = &learner.rbm;
        let (test_error, found) = error(rbm, &digits.test)?;
        let (train_error, _) = error(rbm, &digits.train)?;
        run.report.metric("test_error_percent", 100.0 * test_error)?;
        run.report.metric("train_error_percent", 100.0 * train_error)?;
        let ours = (run.profile == "full").then_some(100.0 * test_error);
        let source = "Larochelle and Bengio, Classification using discriminative RBMs, 2008: generative training, 6,000 hidden units";
        run.report.published("test error of MNIST, RBM with labels (%)", 3.39, source, false, ours)?;
        confusion(run, &found, digits.test.labels().unwrap_or_default())?;
        let with_labels = device.tensor(&join(&digits.test)?);
        let activity = Activity::of(rbm, &with_labels).while_doing("looking at the hidden units")?;
        activity.warnings().into_iter().for_each(|warning| run.report.note(warning));
        drawn_by_label(run, rbm, key.fold_in(5))?;
        let header = checkpoint::Header::new("rbm-digits-classify model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, rbm).while_doing("saving the model")
    }
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "A restricted Boltzmann machine that sees a digit and its label side by side is a model of both. The label \
         with the least free energy is the most probable one, exactly and at the price of ten evaluations that share \
         their largest product; a clamped label lets the machine draw digits of that class (Hinton, Osindero and Teh, \
         2006, use the same layer at the top of a deep belief network).",
    );
    for (name, value) in [
        ("hidden units", recipe.hidden.to_string()),
        ("epochs", recipe.epochs.to_string()),
        ("learning rate, falling linearly to 0", recipe.rate.to_string()),
        ("weight decay (L2)", recipe.decay.to_string()),
        ("estimator", "PCD-1, 100 chains".to_string()),
    ] {
        report.setting(name, value);
    }
}

impl Recipe {
    fn learner(
        &self,
        device: &Device,
        digits: &Digits,
        cases: usize,
        key: Key,
    ) -> Result<RbmLearner<Sgd>, RunError> {
        let doing = "setting up the machine";
        let means = digits.train.to_f32().mean_axis(Axis(0)).unwrap_or_default();
        let pixels = Bernoulli::with_means(device, means.view());
        let label = Softmax::new(device, 1, CLASSES).while_doing(doing)?;
        let visible = Joined::new(vec![("pixels", Box::new(pixels)), ("label", Box::new(label))]);
        let hidden = Bernoulli::new(device, self.hidden);
        let rbm = Rbm::new(device, Box::new(visible), Box::new(hidden), key.fold_in(1)).while_doing(doing)?;
        let updates = self.epochs * (cases / BATCH) as u64;
        let rate = Schedule::Linear { from: self.rate, to: 0.0, updates };
        let sgd = Sgd::new(&rbm, rate, 0.0, Penalty::l2(self.decay)).while_doing(doing)?;
        let chains = Persistent::new(&rbm, 100, 1, key.fold_in(2)).while_doing(doing)?;
        Ok(RbmLearner::new(rbm, chains, sgd))
    }
}

fn join(images: &Images) -> Result<Array2<f32>, RunError> {
    let labels = images.labels().unwrap_or_default();
    labels::join(images.to_f32().view(), labels, CLASSES).while_doing("joining digits and labels")
}

/// Share of wrong labels, and the labels found.
fn error(rbm: &Rbm, images: &Images) -> Result<(f64, Vec<u8>), RunError> {
    let doing = "classifying";
    let given = images.labels().unwrap_or_default();
    let values = images.to_f32();
    let mut found = Vec::with_capacity(images.len());
    // A thousand at a time: the inputs of the hidden units are kept twice.
    for chunk in values.axis_chunks_iter(Axis(0), 1000) {
        let cases = rbm.device().tensor(chunk);
        found.extend(labels::classify(rbm, &cases, CLASSES).while_doing(doing)?);
    }
    let wrong = found.iter().zip(given).filter(|(found, given)| found != given).count();
    Ok((wrong as f64 / given.len().max(1) as f64, found))
}

fn confusion(run: &mut Run, found: &[u8], given: &[u8]) -> Result<(), RunError> {
    let mut counts = vec![[0u32; CLASSES]; CLASSES];
    given.iter().zip(found).for_each(|(given, found)| counts[usize::from(*given)][usize::from(*found)] += 1);
    let headers: Vec<String> =
        std::iter::once("digit".to_string()).chain((0..CLASSES).map(|class| format!("as {class}"))).collect();
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let row = |class: usize| {
        std::iter::once(class.to_string()).chain(counts[class].iter().map(u32::to_string)).collect()
    };
    run.report.table(
        "Test digits and the labels they were given",
        &headers,
        (0..CLASSES).map(row).collect(),
    )?;
    Ok(())
}

/// For each label ten digits, by Gibbs sampling with the label clamped.
fn drawn_by_label(run: &mut Run, rbm: &Rbm, key: Key) -> Result<(), RunError> {
    let doing = "drawing digits by label";
    let each = 10;
    let labels: Vec<u8> = (0..CLASSES * each).map(|case| (case / each) as u8).collect();
    let cases =
        labels::join(Array2::zeros((labels.len(), PIXELS)).view(), &labels, CLASSES).while_doing(doing)?;
    let known =
        concatenate(Axis(1), &[Array2::<f32>::zeros((1, PIXELS)).view(), Array2::ones((1, CLASSES)).view()])
            .while_doing(doing)?;
    let mut completion = Completion::new(rbm, cases.view(), known.view()).while_doing(doing)?;
    completion.gibbs(rbm, 1000, key.fold_in(0));
    let means = completion.means(rbm, key.fold_in(1)).to_array().while_doing(doing)?;
    let pixels = means.slice_axis(Axis(1), ndarray::Slice::from(..PIXELS)).to_owned();
    let picture = image_grid::samples(pixels.view(), TileLayout::new(SIDE, SIDE, each))?;
    let caption =
        "A row for each label from 0 to 9: digits that the machine draws when its label is clamped.";
    run.report.picture("drawn-by-label", caption, &picture)?;
    Ok(())
}
