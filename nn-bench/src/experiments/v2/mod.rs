//! A sparse deep belief network of photographs, whose two layers are likened to the areas V1 and V2 of the visual cortex.

mod images;
mod orientations;
mod report;

use ndarray::{Array2, ArrayView2, Axis};
use nn_core::{
    Binarize, Cases, Dataset, Device, Key, Penalty, Schedule, Sgd, Tensor, checkpoint, init, latent,
};
use nn_rbm::estimator::ContrastiveDivergence;
use nn_rbm::units::{Bernoulli, Gaussian, Units};
use nn_rbm::{Rbm, RbmLearner, Sparsity};
use nn_sparse::GaborFit;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::experiment::{Experiment, ProfileInfo};
use crate::natural_images::NaturalSet;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;

/// The experiment.
#[derive(Debug)]
pub struct V2;

// Purposes of the keys of a run.
const PATCHES: u64 = 1;
const WEIGHTS: u64 = 2;
const TRAINING: u64 = 3;
const CONTROLS: u64 = 4;

/// Pixels on a side of a patch.
const SIDE: usize = 14;

/// A filter is like a Gabor function whose fit explains more than this share of it.
const GABOR_LIKE: f64 = 0.8;

/// Deviation of the first weights, which learning has to outgrow.
const FIRST_WEIGHTS: f64 = 0.005;

const BATCH: usize = 100;
const MOMENTUM: f32 = 0.9;

/// Cases that are measured.
const MEASURED: usize = 1000;

/// One machine and how it learns.
#[derive(Clone, Copy)]
struct Layer {
    hidden: usize,
    epochs: u64,
    /// At first; it falls to a tenth.
    rate: f32,
    decay: f32,
    /// First biases of hidden units.
    bias: f32,
    /// Target and cost.
    sparsity: [f32; 2],
}

/// What a profile sets.
struct Recipe {
    images: NaturalSet,
    patches: usize,
    layers: [Layer; 2],
    /// Filters of noise and patches that Gabor functions are fitted to, of each kind.
    controls: usize,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            images: NaturalSet::Embedded,
            patches: 60_000,
            layers: [
                Layer { hidden: 400, epochs: 50, rate: 0.1, decay: 0.05, bias: -3.0, sparsity: [0.02, 10.0] },
                Layer { hidden: 200, epochs: 20, rate: 0.3, decay: 1e-3, bias: -3.0, sparsity: [0.05, 5.0] },
            ],
            controls: 200,
        };
        let [first, second] = default.layers;
        match profile {
            "quick" => Recipe {
                images: NaturalSet::DeadLeaves,
                patches: 3000,
                layers: [
                    Layer { hidden: 40, epochs: 10, ..first },
                    Layer { hidden: 20, epochs: 5, ..second },
                ],
                controls: 20,
            },
            "full" => Recipe {
                images: NaturalSet::Folder,
                patches: 100_000,
                layers: [Layer { epochs: 60, decay: 0.03, ..first }, Layer { epochs: 60, ..second }],
                ..default
            },
            _ => default,
        }
    }

    /// A learner of a machine on these visible units.
    fn learner(
        &self,
        device: &Device,
        visible: Box<dyn Units>,
        layer: usize,
        key: Key,
    ) -> Result<RbmLearner<Sgd>, RunError> {
        let (doing, settings) = ("setting up a machine", self.layers[layer]);
        let mut hidden = Bernoulli::new(device, settings.hidden);
        hidden.biases.assign(settings.bias);
        let key = key.fold_in(WEIGHTS).fold_in(layer as u64);
        let weights = init::normal(device, visible.len(), settings.hidden, FIRST_WEIGHTS, key);
        let rbm = Rbm { weights, ..Rbm::new(device, visible, Box::new(hidden), key).while_doing(doing)? };
        let updates = settings.epochs * (self.patches / BATCH) as u64;
        let rate = Schedule::Linear { from: settings.rate, to: settings.rate / 10.0, updates };
        let sgd = Sgd::new(&rbm, rate, MOMENTUM, Penalty::l2(settings.decay)).while_doing(doing)?;
        let [target, cost] = settings.sparsity;
        let sparsity = Sparsity::new(&rbm, target, cost, 0.9).while_doing(doing)?;
        let mut learner = RbmLearner::new(rbm, ContrastiveDivergence::new(1).while_doing(doing)?, sgd);
        learner.sparsity = Some(sparsity.on_biases());
        Ok(learner)
    }

    fn first(&self, device: &Device, key: Key) -> Result<RbmLearner<Sgd>, RunError> {
        let visible = Gaussian::new(device, SIDE * SIDE, 1.0).while_doing("setting up a machine")?;
        self.learner(device, Box::new(visible), 0, key)
    }

    fn train(
        &self,
        run: &Run,
        mut learner: RbmLearner<Sgd>,
        data: &Dataset,
        layer: usize,
        key: Key,
    ) -> Result<Rbm, RunError> {
        let (stage, epochs) = (format!("layer{}", layer + 1), self.layers[layer].epochs);
        let key = key.fold_in(TRAINING).fold_in(layer as u64);
        let every = epochs.div_ceil(10);
        let training =
            Training { stage: &stage, epochs, batch: BATCH, key, measure_every: every, save_every: every };
        training.run(run, &mut learner, data, data.first(MEASURED.min(data.len())))?;
        let header = checkpoint::Header::new(format!("v2 {stage} model"), 0, key);
        checkpoint::save(&run.out().file(&format!("model-{stage}.safetensors")), &header, &learner.rbm)
            .while_doing("saving the model")?;
        Ok(learner.rbm)
    }
}

impl Experiment for V2 {
    fn name(&self) -> &'static str {
        "v2"
    }

    fn title(&self) -> &'static str {
        "Two sparse layers of photographs: edges, and what edges make"
    }

    fn summary(&self) -> &'static str {
        "two machines with sparse hidden units learn whitened patches: Gabor functions fitted to the filters of the first, against noise; which orientations units of the second combine"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "40 and 20 units, 3,000 patches of dead leaves",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "400 and 200 units, 60,000 patches of the photographs that are part of the program",
                duration: "about 2 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "400 and 200 units, 60 epochs of 100,000 patches of the photographs in the folder of the data files",
                duration: "about 7 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        report::describe(run, &recipe);
        let patches = images::patches(run, recipe.images, recipe.patches, key.fold_in(PATCHES))?;
        let upload = |device: &Device| {
            Dataset::new(device, patches.view(), Binarize::Never).while_doing("uploading patches")
        };
        let device =
            run.device(|device| Ok(Trial::new(recipe.first(device, key)?, &upload(device)?, BATCH)))?;
        let data = upload(&device)?;
        let first = recipe.train(run, recipe.first(&device, key)?, &data, 0, key)?;
        let filters = of_units(&first.weights)?;
        let fits = report::filters(run, &recipe, filters.view(), patches.view(), key.fold_in(CONTROLS))?;

        let codes = Cases::from(latent::codes(&first, data.inputs().view()));
        let codes = Dataset::on_device(codes, Binarize::EachTime).while_doing("computing codes")?;
        let shares = codes.inputs().to_array().while_doing("computing codes")?;
        let shares = shares.mean_axis(Axis(0)).unwrap_or_default();
        let visible = Box::new(Bernoulli::with_means(&device, shares.view()));
        let second = recipe.train(run, recipe.learner(&device, visible, 1, key)?, &codes, 1, key)?;
        let weights = second.weights.to_array_f64().while_doing("reading weights")?;
        report::second_layer(run, weights.view(), filters.view(), &fits, key.fold_in(CONTROLS))
    }
}

/// Weights with a unit a row.
fn of_units(weights: &Tensor) -> Result<Array2<f64>, RunError> {
    Ok(weights
        .to_array_f64()
        .while_doing("reading weights")?
        .reversed_axes()
        .as_standard_layout()
        .into_owned())
}

/// A Gabor function for each row, which holds the pixels of a filter.
fn fit(filters: ArrayView2<'_, f64>) -> Vec<GaborFit> {
    let fit = |row: usize| {
        GaborFit::of(
            ArrayView2::from_shape((SIDE, SIDE), filters.row(row).as_slice().unwrap_or_default())
                .expect("a row of the standard layout holds the pixels of a patch"),
        )
    };
    (0..filters.nrows()).into_par_iter().map(fit).collect()
}
