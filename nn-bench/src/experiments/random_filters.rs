//! Random filters against trained ones, over what follows them in a stage.

mod report;
mod stages;

use std::collections::BTreeMap;

use ndarray::{Axis, concatenate};
use nn_core::network::NamedLayer;
use nn_core::{Device, Key, Loss, Network};

use crate::experiment::{Experiment, ProfileInfo};
use crate::features::{FeatureLearning, Outcome};
use crate::grey_images::{Amounts, GreyImages, GreySet, Preparation};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::network_weights;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use report::{describe, report};
use stages::{KINDS, Kind, Stage};

/// The experiment.
#[derive(Debug)]
pub struct RandomFilters;

/// Purposes of keys.
const IMAGES: u64 = 1;
const FILTERS: u64 = 2;
const TRAINING: u64 = 3;

/// What a profile sets.
struct Recipe {
    set: GreySet,
    preparation: Preparation,
    amounts: Amounts,
    stages: [Stage; 2],
    seeds: u64,
    learning: FeatureLearning,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            set: GreySet::Digits,
            preparation: Preparation { surround: 9, margin: 0 },
            amounts: Amounts { of_each_class: 20, tests: usize::MAX },
            stages: [
                Stage { filter: 5, maps: 16, groups: 1, surround: 5, pool: 4, step: 2 },
                Stage { filter: 4, maps: 32, groups: 2, surround: 5, pool: 4, step: 2 },
            ],
            seeds: 4,
            learning: FeatureLearning::default(),
        };
        let learning = default.learning;
        let [first, second] = default.stages;
        match profile {
            "quick" => Recipe {
                amounts: Amounts { of_each_class: 10, tests: 300 },
                stages: [Stage { maps: 6, ..first }, Stage { maps: 12, ..second }],
                seeds: 2,
                learning: FeatureLearning { epochs: 12, ..learning },
                ..default
            },
            "full" => Recipe {
                set: GreySet::Cifar10,
                amounts: Amounts { of_each_class: 30, tests: 5000 },
                stages: [
                    Stage { filter: 7, maps: 32, surround: 7, pool: 6, ..first },
                    Stage { maps: 64, ..second },
                ],
                seeds: 4,
                learning: FeatureLearning { filter_rate: 0.002, ..learning },
                ..default
            },
            "caltech101" => Recipe {
                set: GreySet::Folder { side: 151 },
                preparation: Preparation { surround: 9, margin: 4 },
                amounts: Amounts { of_each_class: 30, tests: usize::MAX },
                stages: [
                    Stage { filter: 9, maps: 64, groups: 1, surround: 9, pool: 10, step: 5 },
                    Stage { filter: 9, maps: 256, groups: 4, surround: 9, pool: 6, step: 4 },
                ],
                seeds: 1,
                learning: FeatureLearning { epochs: 30, filter_rate: 0.002, at_once: 20, ..learning },
            },
            _ => default,
        }
    }

    /// Layers of so many stages.
    fn layers(
        &self,
        device: &Device,
        side: usize,
        stages: usize,
        kind: Kind,
        key: Key,
    ) -> Result<Vec<NamedLayer>, RunError> {
        stages::layers(device, side, &self.stages[..stages], kind, key.fold_in(FILTERS))
            .while_doing("setting up the stages")
    }
}

/// A number of stages, whether filters are trained, and the number of what follows them.
type Cell = (usize, bool, usize);

/// Their words in the names of metrics.
const STAGES: [&str; 2] = ["one_stage", "two_stages"];

fn filters_word(trained: bool) -> &'static str {
    if trained { "trained" } else { "random" }
}

impl Experiment for RandomFilters {
    fn name(&self) -> &'static str {
        "random-filters"
    }

    fn title(&self) -> &'static str {
        "Random filters do well if what follows them is right"
    }

    fn summary(&self) -> &'static str {
        "random and trained filters in one and two stages, with and without rectification and contrast normalisation, average and maximum pooling: a softmax on their features, where labels are few"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "6 and 12 maps, 10 labelled digits a class, 2 seeds",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "16 and 32 maps, 20 labelled digits a class, 4 seeds",
                duration: "about 2 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "32 and 64 maps, 30 labelled grey images a class of CIFAR-10, 4 seeds",
                duration: "about 15 minutes on 2 cores",
            },
            ProfileInfo {
                name: "caltech101",
                what: "64 and 256 maps, 30 labelled images a class of Caltech-101 or of any folder with a folder a class",
                duration: "days on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let images = GreyImages::load(run, recipe.set)?;
        describe(run, &recipe, images.classes());
        let (key, side, learning) = (Key::new(run.seed), images.side(recipe.preparation), recipe.learning);
        let task = |device: &Device, key: Key| {
            images.task(device, recipe.amounts, recipe.preparation, key.fold_in(IMAGES))
        };
        let device = run.device(|device| {
            let (data, layers) = (task(device, key)?.train, recipe.layers(device, side, 2, KINDS[0], key)?);
            let learner = learning.learner(learning.network(layers, &data)?, data.len());
            Ok(Trial::new(learner.while_doing("setting up training")?, &data, learning.batch))
        })?;

        let mut found: BTreeMap<Cell, Vec<Outcome>> = BTreeMap::new();
        for seed in 0..recipe.seeds {
            let key = key.fold_in(seed);
            let (task, key_of_training) = (task(&device, key)?, key.fold_in(TRAINING));
            let cells =
                [1, 2].into_iter().flat_map(|stages| (0..KINDS.len()).map(move |kind| (stages, kind)));
            for (stages, kind) in cells {
                let layers = || recipe.layers(&device, side, stages, KINDS[kind], key);
                let stage = |trained: bool| {
                    let (word, metric) = (filters_word(trained), KINDS[kind].metric);
                    format!("seed{}-{word}-{}-{metric}", seed + 1, STAGES[stages - 1])
                };
                let random = learning.random(run, &stage(false), layers()?, &task, key_of_training)?;
                let (trained, network) =
                    learning.trained(run, &stage(true), layers()?, &task, key_of_training)?;
                found.entry((stages, false, kind)).or_default().push(random);
                found.entry((stages, true, kind)).or_default().push(trained);
                if (seed, stages, kind) == (0, 2, 0) {
                    let random = Network::new(layers()?, Loss::SquaredError)?;
                    filters(run, [&random, &network], recipe.stages[0].filter)?;
                }
            }
        }
        report(run, &recipe, &found)
    }
}

/// A picture of the filters of the first stage: random ones, and below each what training made of it.
fn filters(run: &mut Run, networks: [&Network; 2], side: usize) -> Result<(), RunError> {
    let [random, trained] = networks.map(|network| network_weights::find(network, "filters1.0.weights"));
    let (Some(random), Some(trained)) = (random?, trained?) else { return Ok(()) };
    let both = concatenate(Axis(1), &[random.view(), trained.view()]).while_doing("drawing the filters")?;
    let layout = TileLayout::new(side, side, random.ncols()).zoom(6);
    let picture = image_grid::filters(both.view(), TileAxis::Columns, layout, Scaling::PerTile)?;
    let caption = "Filters of the first of two stages with Rabs-N-PA: as they were drawn, and below each what training \
                   made of it.";
    run.report.picture("filters", caption, &picture)?;
    Ok(())
}
