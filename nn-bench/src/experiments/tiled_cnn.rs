//! Filters shared by every k-th position: between a convolution and an untied layer.

mod energies;
mod features;
mod pretraining;
mod report;

use nn_core::{Cases, Dataset, Device, Key};

use crate::experiment::{Experiment, ProfileInfo};
use crate::features::{FeatureLearning, Outcome};
use crate::grey_images::{Amounts, GreyImages, GreySet, Preparation};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Figures;
use crate::trial::Trial;
use energies::neighbor_correlation;
use features::{Architecture, WhitePatches};
use pretraining::Pretraining;

/// The experiment.
#[derive(Debug)]
pub struct TiledCnn;

// Purposes of keys.
const IMAGES: u64 = 1;
const UNLABELLED: u64 = 2;
const PATCHES: u64 = 3;
const FILTERS: u64 = 4;
const PRETRAINING: u64 = 5;
const TRAINING: u64 = 6;

/// As for the random filters of Jarrett and others.
const PREPARATION: Preparation = Preparation { surround: 9, margin: 0 };

/// Stands for a tile as large as the output.
const UNTIED: usize = usize::MAX;

/// What became of the filters: words of metrics and of the page. Places of [`Tile::outcomes`].
const REGIMES: [(&str, &str); 4] = [
    ("random", "random filters"),
    ("pretrained", "pretrained filters"),
    ("random_tuned", "random filters, fine-tuned"),
    ("pretrained_tuned", "pretrained filters, fine-tuned"),
];

/// What a profile sets.
struct Recipe {
    set: GreySet,
    amounts: Amounts,
    /// Images without labels for pretraining.
    unlabelled: usize,
    architecture: Architecture,
    /// Tile sizes, rising; the first is 1 and the last [`UNTIED`].
    tiles: &'static [usize],
    /// The place of the tile size whose filters are shown.
    shown: usize,
    pretraining: Pretraining,
    seeds: u64,
    learning: FeatureLearning,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            set: GreySet::Digits,
            amounts: Amounts { of_each_class: 20, tests: usize::MAX },
            unlabelled: 4000,
            architecture: Architecture { filter: 7, white: 20, maps: 12, pool: 3, step: 2 },
            tiles: &[1, 2, 4, 8, UNTIED],
            shown: 2,
            pretraining: Pretraining { epochs: 10, batch: 100, rate: 0.4 },
            seeds: 4,
            learning: FeatureLearning::default(),
        };
        let learning = default.learning;
        match profile {
            "quick" => Recipe {
                amounts: Amounts { of_each_class: 10, tests: 300 },
                unlabelled: 100,
                architecture: Architecture { white: 12, maps: 3, ..default.architecture },
                tiles: &[1, 2, UNTIED],
                shown: 1,
                pretraining: Pretraining { epochs: 5, batch: 25, ..default.pretraining },
                seeds: 2,
                learning: FeatureLearning { epochs: 12, ..learning },
                ..default
            },
            "full" => Recipe {
                set: GreySet::Cifar10,
                amounts: Amounts { of_each_class: 200, tests: 5000 },
                unlabelled: 2000,
                architecture: Architecture { filter: 8, white: 32, maps: 8, pool: 3, step: 2 },
                learning: FeatureLearning { epochs: 20, batch: 50, ..learning },
                ..default
            },
            _ => default,
        }
    }

    /// A tile size as a number: that of an untied layer is the longest side of its output.
    fn tile(&self, number: usize, side: usize) -> usize {
        self.tiles[number].min(self.architecture.positions(side))
    }
}

/// The tile size of this number in the names of metrics.
fn metric_word(tile: usize) -> String {
    match tile {
        1 => "convolution".to_string(),
        UNTIED => "untied".to_string(),
        tile => format!("tile{tile}"),
    }
}

/// What was found with one tile size, seed by seed.
#[derive(Default)]
struct Tile {
    /// Of each of [`REGIMES`].
    outcomes: [Vec<Outcome>; REGIMES.len()],
    /// Correlations of the energies of neighbours, of random and of pretrained filters.
    correlations: [Vec<f64>; 2],
    /// The course of pretraining of the first seed.
    course: Figures,
}

impl Experiment for TiledCnn {
    fn name(&self) -> &'static str {
        "tiled-cnn"
    }

    fn title(&self) -> &'static str {
        "Tiles: filters between a convolution and an untied layer"
    }

    fn summary(&self) -> &'static str {
        "filters shared by every k-th position, square pools over neighbours, a softmax where labels are few: test error over the tile size k from a convolution to an untied layer, with random filters, with filters pretrained by topographic ICA on images without labels, and with both fine-tuned"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "3 maps, 3 tile sizes, 10 labelled digits a class, 2 seeds",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "12 maps, 5 tile sizes, 20 labelled digits a class, 4 seeds",
                duration: "about 4 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "8 maps, 5 tile sizes, 200 labelled grey images a class of CIFAR-10, 4 seeds",
                duration: "about 10 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let images = GreyImages::load(run, recipe.set)?;
        let (key, side) = (Key::new(run.seed), images.side(PREPARATION));
        report::describe(run, &recipe, images.classes(), side);
        let (architecture, learning) = (recipe.architecture, recipe.learning);
        let task =
            |device: &Device, key: Key| images.task(device, recipe.amounts, PREPARATION, key.fold_in(IMAGES));
        let device = run.device(|device| {
            let data = task(device, key)?.train;
            let filters = architecture.tiled(device, side, recipe.tile(recipe.shown, side), key);
            let layers = architecture.layers(filters.while_doing("setting up the filters")?);
            let network = learning.network(layers.while_doing("setting up the pools")?, &data)?;
            let learner = learning.learner(network, data.len()).while_doing("setting up training")?;
            Ok(Trial::new(learner, &data, learning.batch))
        })?;

        let mut found: Vec<Tile> = recipe.tiles.iter().map(|_| Tile::default()).collect();
        for seed in 0..recipe.seeds {
            let key = key.fold_in(seed);
            let task = task(&device, key)?;
            let pixels =
                images.unlabelled(&device, recipe.unlabelled, PREPARATION, key.fold_in(UNLABELLED))?;
            let timer = run.phase("whitening");
            let patches = WhitePatches::of(&pixels, side, architecture, key.fold_in(PATCHES))?;
            let white = patches.images(&device, &pixels, learning.at_once)?;
            let white = Dataset::on_device(Cases::from(white), nn_core::Binarize::Never);
            let white = white.while_doing("whitening images")?;
            drop(timer);
            for (number, tile) in found.iter_mut().enumerate() {
                let word = metric_word(recipe.tiles[number]);
                let stage = |part: &str| format!("seed{}-{word}-{part}", seed + 1);
                let size = recipe.tile(number, side);
                let layer = || architecture.white_tiled(&device, side, size, key.fold_in(FILTERS));
                let random = recipe.pretraining.start(layer()?, architecture)?;
                let (pretrained, course) = recipe.pretraining.learn(
                    run,
                    &stage("pretraining"),
                    layer()?,
                    architecture,
                    &white,
                    key.fold_in(PRETRAINING),
                )?;
                for (place, layer) in [&random, &pretrained].into_iter().enumerate() {
                    let layers = || -> Result<_, RunError> {
                        let filters = patches.on_pixels(layer)?;
                        architecture.layers(filters).while_doing("setting up the pools")
                    };
                    let (word, tuned) = (REGIMES[place].0, REGIMES[place + 2].0);
                    let key = key.fold_in(TRAINING);
                    let fixed = learning.random(run, &stage(word), layers()?, &task, key)?;
                    let (tuned, _) = learning.trained(run, &stage(tuned), layers()?, &task, key)?;
                    tile.outcomes[place].push(fixed);
                    tile.outcomes[place + 2].push(tuned);
                    tile.correlations[place].push(neighbor_correlation(layer, &white)?);
                }
                if seed == 0 {
                    tile.course = course;
                    if number == recipe.shown {
                        report::filters(run, &patches, architecture, [&random, &pretrained])?;
                    }
                }
            }
        }
        report::report(run, &recipe, side, &found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_fits_its_images() {
        for (profile, side) in [("quick", 28), ("default", 28), ("full", 32)] {
            let recipe = Recipe::of(profile);
            assert!(recipe.tiles.first() == Some(&1) && recipe.tiles.last() == Some(&UNTIED));
            assert!(recipe.tiles.is_sorted() && recipe.shown + 1 < recipe.tiles.len() && recipe.shown > 0);
            for number in 0..recipe.tiles.len() {
                let (device, architecture) = (Device::cpu(), recipe.architecture);
                let tile = recipe.tile(number, side);
                let layer = architecture.white_tiled(&device, side, tile, Key::new(1)).unwrap();
                assert_eq!(layer.sets(), tile * tile, "{profile}");
                assert!(recipe.pretraining.start(layer, architecture).is_ok(), "{profile}: {tile}");
            }
        }
    }
}
