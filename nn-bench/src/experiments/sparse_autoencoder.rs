//! Autoencoders of natural patches, with and without a penalty that keeps codes near zero.

mod report;

use ndarray::{Array2, Axis, Slice};
use nn_core::autoencoder::SparsityPenalty;
use nn_core::init::Initialization;
use nn_core::{
    Activation, Adam, Autoencoder, AutoencoderLearner, AutoencoderSettings, Binarize, Dataset, Device, Key,
    Loss, Penalty, Schedule, checkpoint,
};

use crate::experiment::{Experiment, ProfileInfo};
use crate::gabor_likeness::GaborLikeness;
use crate::natural_images::{NaturalSet, PatchRecipe};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::{Figures, Training};
use crate::trial::Trial;
use report::{describe, report};

/// The experiment.
#[derive(Debug)]
pub struct SparseAutoencoder;

// Purposes of the keys of a run.
const IMAGES: u64 = 1;
const PATCHES: u64 = 2;
const WEIGHTS: u64 = 3;
const TRAINING: u64 = 4;
const NOISE: u64 = 5;

/// What a profile sets.
struct Recipe {
    set: NaturalSet,
    /// Patches, an eleventh of which is held out.
    patches: PatchRecipe,
    hidden: usize,
    /// ρ and β.
    target: f64,
    weight: f64,
    /// Weight decay.
    decay: f32,
    epochs: u64,
    batch: usize,
    rate: f32,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            set: NaturalSet::Embedded,
            patches: PatchRecipe { side: 10, count: 22_000, cutoff: 0.3, limit: 3.0, deviation: 0.5 },
            hidden: 64,
            target: 0.02,
            weight: 5.0,
            decay: 5e-3,
            epochs: 100,
            batch: 500,
            rate: 0.02,
        };
        match profile {
            "quick" => Recipe {
                set: NaturalSet::DeadLeaves,
                patches: PatchRecipe { side: 8, count: 2_200, ..default.patches },
                hidden: 25,
                epochs: 40,
                batch: 200,
                ..default
            },
            "natural" => Recipe {
                set: NaturalSet::Folder,
                patches: PatchRecipe { count: 55_000, ..default.patches },
                hidden: 100,
                ..default
            },
            _ => default,
        }
    }

    fn learner(
        &self,
        device: &Device,
        sparsity: SparsityPenalty,
        cases: usize,
        key: Key,
    ) -> Result<AutoencoderLearner<Adam>, RunError> {
        let doing = "setting up an autoencoder";
        let settings = AutoencoderSettings {
            tied: false,
            activation: Activation::Logistic,
            loss: Loss::SquaredError,
            sparsity,
            initialization: Initialization::GlorotUniform { gain: 0.05 },
            ..AutoencoderSettings::default()
        };
        let pixels = self.patches.side * self.patches.side;
        let key = key.fold_in(WEIGHTS);
        let model = Autoencoder::new(device, pixels, self.hidden, settings, key).while_doing(doing)?;
        let updates = self.epochs * (cases / self.batch) as u64;
        let rate = Schedule::Linear { from: self.rate, to: 0.0, updates };
        let adam = Adam::new(&model, rate, Penalty::l2(self.decay)).while_doing(doing)?;
        Ok(AutoencoderLearner::new(model, adam))
    }

    fn divergence(&self) -> SparsityPenalty {
        SparsityPenalty::Divergence { target: self.target, weight: self.weight }
    }
}

/// An autoencoder that has learned.
struct Learned {
    /// With a penalty or without.
    sparse: bool,
    model: Autoencoder,
    figures: Figures,
    likeness: GaborLikeness,
}

impl Experiment for SparseAutoencoder {
    fn name(&self) -> &'static str {
        "sparse-autoencoder"
    }

    fn title(&self) -> &'static str {
        "Sparsity makes an autoencoder see edges"
    }

    fn summary(&self) -> &'static str {
        "autoencoders of natural patches with and without a penalty on the activity of hidden units: edges with it, filters like noise without it, Gabor functions fitted to both and to noise"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "25 hidden units, 2,000 patches of 8 × 8 pixels of dead leaves",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "64 hidden units, 20,000 patches of 10 × 10 pixels of two photographs",
                duration: "under 1 minute on 2 cores",
            },
            ProfileInfo {
                name: "natural",
                what: "100 hidden units, 50,000 patches of the photographs in `natural` within the folder of data",
                duration: "minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        describe(run, &recipe);
        let images = recipe.set.load(run, key.fold_in(IMAGES))?;
        let patches = recipe.patches.draw(&images, key.fold_in(PATCHES)).while_doing("drawing patches")?;
        let [train, test] = parts(&patches);
        let upload = |device: &Device, patches: &Array2<f32>| {
            Dataset::new(device, patches.view(), Binarize::Never).while_doing("uploading the patches")
        };
        let device = run.device(|device| {
            let data = upload(device, &train)?;
            let learner = recipe.learner(device, recipe.divergence(), data.len(), key)?;
            Ok(Trial::new(learner, &data, recipe.batch))
        })?;
        let (data, test) = (upload(&device, &train)?, upload(&device, &test)?);
        let mut learned = Vec::new();
        for sparse in [true, false] {
            let sparsity = if sparse { recipe.divergence() } else { SparsityPenalty::None };
            let mut learner = recipe.learner(&device, sparsity, data.len(), key)?;
            let training = Training {
                stage: if sparse { "sparse" } else { "plain" },
                epochs: recipe.epochs,
                batch: recipe.batch,
                key: key.fold_in(TRAINING),
                measure_every: 1,
                save_every: 10,
            };
            let figures = training.run(run, &mut learner, &data, test.inputs().duplicate().into())?;
            let (model, doing) = (learner.autoencoder, "fitting Gabor functions");
            let filters = model.encoder.weights.to_array().while_doing(doing)?;
            let timer = run.phase(doing);
            let name = if sparse { "with sparsity" } else { "without" };
            let likeness = GaborLikeness::of(name, filters.t(), recipe.patches.side);
            drop(timer);
            let file = run.out().file(&format!("{}.safetensors", training.stage));
            let header = checkpoint::Header::new("sparse-autoencoder model", 0, key);
            checkpoint::save(&file, &header, &model).while_doing("saving the model")?;
            learned.push(Learned { sparse, model, figures, likeness });
        }
        report(run, &recipe, &test, &learned, key.fold_in(NOISE))
    }
}

/// All but the last eleventh to learn from, and that to measure on.
fn parts(patches: &Array2<f32>) -> [Array2<f32>; 2] {
    let held_out = patches.nrows() / 11;
    let kept = patches.nrows() - held_out;
    let part = |slice: Slice| patches.slice_axis(Axis(0), slice).to_owned();
    [part(Slice::from(..kept)), part(Slice::from(kept..))]
}
