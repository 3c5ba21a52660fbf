//! A convolutional deep belief network of digits: what a linear classifier makes of its features where labels are few.

mod classification;
mod report;

use nn_core::{
    Binarize, Cases, Dataset, Device, Key, Parameters, Penalty, Schedule, Sgd, Tensor, checkpoint,
};
use nn_rbm::convolutional::{ConvolutionalLearner, Geometry, MapSparsity};
use nn_rbm::{ConvolutionalDbn, ConvolutionalRbm};

use crate::digits::{DigitSet, Digits, SIDE};
use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::linear_classifier::LinearClassifier;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;
use report::{describe, report};

/// The experiment.
#[derive(Debug)]
pub struct CdbnDigits;

// Purposes of the keys of a run.
const FILTERS: u64 = 1;
const TRAINING: u64 = 2;
const CLASSIFIER: u64 = 3;

/// Cases that pass through the layers together.
const AT_ONCE: usize = 500;

/// First biases of hidden and of visible units.
const HIDDEN_BIAS: f32 = -3.0;
const VISIBLE_BIAS: f32 = -2.0;

/// One machine and how it learns.
#[derive(Clone, Copy)]
struct Layer {
    filter: usize,
    maps: usize,
    epochs: u64,
    rate: f32,
    sparsity: [f32; 2],
}

/// What a profile sets.
struct Recipe {
    digits: DigitSet,
    /// Training digits that filters learn from, without labels.
    unlabelled: usize,
    layers: [Layer; 2],
    batch: usize,
    /// Labelled digits, the same number of each class.
    labels: &'static [usize],
    tests: usize,
    classifier: LinearClassifier,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let decays = &[1e-3, 1e-4, 3e-5, 1e-5, 3e-6];
        let default = Recipe {
            digits: DigitSet::Embedded,
            unlabelled: 4000,
            layers: [
                Layer { filter: 9, maps: 64, epochs: 8, rate: 1.0, sparsity: [0.01, 0.5] },
                Layer { filter: 5, maps: 80, epochs: 6, rate: 1.0, sparsity: [0.02, 0.5] },
            ],
            batch: 20,
            labels: &[100, 500, 1000, 2000],
            tests: 1000,
            classifier: LinearClassifier { epochs: 60, batch: 20, rate: 4.0, decays },
        };
        let [first, second] = default.layers;
        match profile {
            "quick" => Recipe {
                unlabelled: 400,
                layers: [Layer { maps: 12, epochs: 3, ..first }, Layer { maps: 12, epochs: 2, ..second }],
                labels: &[100, 200],
                tests: 300,
                classifier: LinearClassifier { epochs: 40, decays: &[1e-3, 1e-4], ..default.classifier },
                ..default
            },
            "full" => Recipe {
                digits: DigitSet::Full,
                unlabelled: 20_000,
                layers: [Layer { epochs: 15, ..first }, Layer { epochs: 2, ..second }],
                labels: &[100, 1000, 2000, 3000, 5000],
                tests: 10_000,
                ..default
            },
            _ => default,
        }
    }

    /// A learner of a machine of this layer, for so many cases.
    fn learner(
        &self,
        device: &Device,
        geometry: Geometry,
        layer: usize,
        cases: usize,
        key: Key,
    ) -> Result<ConvolutionalLearner<Sgd>, RunError> {
        let (doing, settings) = ("setting up a machine", self.layers[layer]);
        let key = key.fold_in(FILTERS).fold_in(layer as u64);
        let mut rbm = ConvolutionalRbm::bernoulli(device, geometry, key).while_doing(doing)?;
        // From biases of 0 all units are on too often at first, and sparsity turns filters off before they learn.
        rbm.hidden.biases.assign(HIDDEN_BIAS);
        rbm.visible.visit_mut(&mut |_, biases| biases.assign(VISIBLE_BIAS));
        let updates = settings.epochs * (cases / self.batch) as u64;
        let rate = Schedule::Linear { from: settings.rate, to: settings.rate / 10.0, updates };
        let sgd = Sgd::new(&rbm, rate, 0.5, Penalty::l2(1e-5)).while_doing(doing)?;
        let mut learner = ConvolutionalLearner::new(rbm, 1, sgd).while_doing(doing)?;
        let [target, cost] = settings.sparsity;
        learner.sparsity = Some(MapSparsity::new(target, cost).while_doing(doing)?);
        Ok(learner)
    }

    fn geometry(&self, layer: usize, [height, width]: [usize; 2], channels: usize) -> Geometry {
        let Layer { filter, maps, .. } = self.layers[layer];
        Geometry { height, width, channels, filter, maps, block: 2 }
    }
}

impl Experiment for CdbnDigits {
    fn name(&self) -> &'static str {
        "cdbn-digits"
    }

    fn title(&self) -> &'static str {
        "Features of a convolutional deep belief network where labels are few"
    }

    fn summary(&self) -> &'static str {
        "two convolutional machines with probabilistic max-pooling learn from digits without labels; a linear classifier on their pooling units, from 100 labels on, against the pixels"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "12 and 12 filters, 400 digits, 100 and 200 labels",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "64 and 80 filters, 4,000 digits, 100 to 2,000 labels",
                duration: "minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "64 and 80 filters, 20,000 digits of MNIST, 100 to 5,000 labels",
                duration: "about 10 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        describe(run, &recipe);
        let digits = Digits::load(run, recipe.digits)?;
        let shown: Vec<usize> = (0..recipe.unlabelled.min(digits.train.len())).collect();
        let unlabelled = digits.train.rows(&shown).while_doing("choosing digits")?.to_f32();
        let data = |device: &Device| {
            Dataset::new(device, unlabelled.view(), Binarize::Never).while_doing("uploading the digits")
        };
        let bottom = recipe.geometry(0, [SIDE, SIDE], 1);
        let device = run.device(|device| {
            let data = data(device)?;
            Ok(Trial::new(recipe.learner(device, bottom, 0, data.len(), key)?, &data, recipe.batch))
        })?;
        let first = recipe.train(run, &data(&device)?, bottom, 0, key)?;
        filters(run, &first)?;
        let mut dbn = ConvolutionalDbn::new(first);
        let Layer { filter, maps, .. } = recipe.layers[1];
        let pooled = Cases::from(features(&dbn, data(&device)?.inputs()).swap_remove(0));
        let pooled = Dataset::on_device(pooled, Binarize::EachTime).while_doing("computing features")?;
        let second = recipe.train(run, &pooled, dbn.next_geometry(filter, maps, 2), 1, key)?;
        dbn.push(second).while_doing("putting a machine on top")?;
        pictures(run, &dbn)?;

        let found = recipe.classify(run, &dbn, &digits, &device, key.fold_in(CLASSIFIER))?;
        report(run, &recipe, &found)?;
        let header = checkpoint::Header::new("cdbn-digits model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, &dbn).while_doing("saving the model")
    }
}

impl Recipe {
    fn train(
        &self,
        run: &Run,
        data: &Dataset,
        geometry: Geometry,
        layer: usize,
        key: Key,
    ) -> Result<ConvolutionalRbm, RunError> {
        let mut learner = self.learner(data.device(), geometry, layer, data.len(), key)?;
        let (stage, epochs) = (format!("layer{}", layer + 1), self.layers[layer].epochs);
        let key = key.fold_in(TRAINING).fold_in(layer as u64);
        let training =
            Training { stage: &stage, epochs, batch: self.batch, key, measure_every: 1, save_every: 1 };
        training.run(run, &mut learner, data, data.first(AT_ONCE.min(data.len())))?;
        Ok(learner.rbm)
    }
}

/// The pooling units of every layer for these images, some at a time.
fn features(dbn: &ConvolutionalDbn, images: &Tensor) -> Vec<Tensor> {
    let lengths = dbn.layers().iter().map(|rbm| rbm.geometry().pooled_len());
    let mut all: Vec<Tensor> = lengths.map(|len| images.device().zeros(images.rows(), len)).collect();
    for start in (0..images.rows()).step_by(AT_ONCE) {
        let rows = start..images.rows().min(start + AT_ONCE);
        let mut some = images.device().zeros(rows.len(), images.columns());
        some.assign(images.row_range(rows.clone()));
        for (all, own) in all.iter_mut().zip(dbn.features(&some)) {
            all.row_range_mut(rows.clone()).assign(&own);
        }
    }
    all
}

fn filters(run: &mut Run, rbm: &ConvolutionalRbm) -> Result<(), RunError> {
    let weights = rbm.weights.to_array().while_doing("drawing filters")?;
    let side = rbm.geometry().filter;
    let layout = TileLayout::new(side, side, 10).zoom(4);
    let picture = image_grid::filters(weights.view(), TileAxis::Columns, layout, Scaling::PerTile)?;
    let caption = format!("Filters of the first layer, {side}×{side} pixels, each with its own scale.");
    run.report.picture("layer1-filters", caption, &picture)?;
    Ok(())
}

fn pictures(run: &mut Run, dbn: &ConvolutionalDbn) -> Result<(), RunError> {
    let images = dbn.pictures().to_array().while_doing("drawing filters")?;
    let layout = TileLayout::new(SIDE, SIDE, 10).zoom(2);
    let picture = image_grid::filters(images.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = "Features of the second layer: weighted sums of filters of the first, each pooling unit spread \
                   over its block.";
    run.report.picture("layer2-features", caption, &picture)?;
    Ok(())
}
