//! A map of features on which neighbours are active together.

pub(super) mod learning;
mod map;
mod report;

use ndarray::Array2;
use nn_core::checkpoint::{self, Header};
use nn_core::{Binarize, Dataset, Device, Key, Parameters, Penalty, Sgd, Tensor};
use nn_data::{PatchDraw, Whitening, WhiteningKind, contrast};
use nn_sparse::{Edge, FastIca, Neighborhood, ObjectiveLearner, OrthonormalDescent, TopographicIca};

use crate::experiment::{Experiment, ProfileInfo};
use crate::natural_images::NaturalSet;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use learning::{Course, Stage};
use map::{Analysed, Map};

/// The experiment.
#[derive(Debug)]
pub struct Tica;

// Purposes of keys.
const IMAGES: u64 = 1;
const PATCHES: u64 = 2;
const TOPOGRAPHIC: u64 = 3;
const PLAIN: u64 = 4;
const SHUFFLES: u64 = 5;
const NOISE: u64 = 6;

/// Below this change of its filters FastICA has converged.
const CONVERGED: f64 = 1e-4;

/// What a profile sets.
struct Recipe {
    set: NaturalSet,
    /// Pixels on a side of a patch.
    side: usize,
    patches: usize,
    /// Height and width of the map.
    grid: [usize; 2],
    radius: usize,
    steps: u64,
    /// Steps of FastICA at most.
    plain_steps: u64,
    shuffles: usize,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            set: NaturalSet::Embedded,
            side: 16,
            patches: 30_000,
            grid: [10, 10],
            radius: 2,
            steps: 300,
            plain_steps: 200,
            shuffles: 500,
        };
        match profile {
            "quick" => Recipe {
                set: NaturalSet::DeadLeaves,
                side: 8,
                patches: 4_000,
                grid: [5, 6],
                radius: 1,
                steps: 40,
                plain_steps: 40,
                shuffles: 200,
            },
            "full" => Recipe {
                set: NaturalSet::Folder,
                patches: 50_000,
                grid: [16, 16],
                side: 24,
                steps: 600,
                ..default
            },
            _ => default,
        }
    }

    fn units(&self) -> usize {
        self.grid[0] * self.grid[1]
    }
}

impl Experiment for Tica {
    fn name(&self) -> &'static str {
        "tica"
    }

    fn title(&self) -> &'static str {
        "Topographic ICA arranges features on a map and finds complex cells"
    }

    fn summary(&self) -> &'static str {
        "a torus of independent components of natural patches whose neighbours are active together: orientations change smoothly along it and phases do not, so that pools of neighbours answer whatever the phase; against FastICA, which has no map"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "5 × 6 units on 4,000 patches of 8 × 8 pixels of dead leaves",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "10 × 10 units on 30,000 patches of 16 × 16 pixels of two photographs",
                duration: "about 2 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "16 × 16 units on 50,000 patches of 24 × 24 pixels of the photographs in `natural` within the folder of data",
                duration: "an hour on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        report::describe(run, &recipe);
        let images = recipe.set.load(run, key.fold_in(IMAGES))?;
        let images: Vec<_> = images.into_iter().map(|image| image.pixels).collect();

        let (timer, doing) = (run.phase("whitening"), "whitening patches");
        let size = [recipe.side; 2];
        let draw = PatchDraw { size, count: recipe.patches, border: 0, least_deviation: 0.0 };
        let mut patches = draw.draw(&images, &mut key.fold_in(PATCHES).generator()).while_doing(doing)?;
        contrast::remove_mean(patches.view_mut());
        let kept = Some(recipe.units());
        let whitening = Whitening::of(patches.view(), WhiteningKind::Pca, 0.0, kept).while_doing(doing)?;
        let white = whitening.apply(patches.view());
        drop(timer);

        let neighborhood =
            Neighborhood::grid(recipe.grid, recipe.radius, Edge::Torus).while_doing("making the map")?;
        let device = run.device(|device| trial(device, &neighborhood, &white))?;
        let inputs = device.tensor(&white);
        let topographic = learn_map(run, &recipe, &neighborhood, &inputs, key.fold_in(TOPOGRAPHIC))?;
        let plain = learn_plain(run, &recipe, &inputs, key.fold_in(PLAIN))?;

        let timer = run.phase("fitting Gabor functions");
        let map =
            Map { recipe: &recipe, neighborhood: &neighborhood, whitening: &whitening, inputs: &inputs };
        let shuffles = key.fold_in(SHUFFLES);
        let found = [
            map.analyse("TICA", &topographic.weights, shuffles.fold_in(0)),
            map.analyse("FastICA", &plain.weights, shuffles.fold_in(1)),
        ];
        let [topographic_map, plain_map] = found;
        let maps: [Analysed; 2] = [topographic_map?, plain_map?];
        let controls = map::noise_controls(&recipe, key.fold_in(NOISE));
        drop(timer);
        report::report(run, &map, &maps, [&topographic.course, &plain.course], controls)
    }
}

/// Evaluations of the objective with gradient, which most of a step consists of.
fn trial(device: &Device, neighborhood: &Neighborhood, white: &Array2<f32>) -> Result<Trial, RunError> {
    let doing = "setting up the map";
    let data = Dataset::new(device, white.view(), Binarize::Never).while_doing(doing)?;
    let objective = TopographicIca::new(device, neighborhood, white.ncols(), TopographicIca::EPSILON);
    let objective = objective.while_doing(doing)?;
    let start = OrthonormalDescent::new(&objective, Key::new(0)).while_doing(doing)?.weights().duplicate();
    let sgd = |parameters: &dyn Parameters| Sgd::new(parameters, 0.1, 0.0, Penalty::default());
    let learner = ObjectiveLearner::new(objective, start, sgd).while_doing(doing)?;
    Ok(Trial::new(learner, &data, white.nrows()))
}

/// Filters that were learned, units × whitened values.
struct Learned {
    weights: Tensor,
    course: Course,
}

fn learn_map(
    run: &mut Run,
    recipe: &Recipe,
    neighborhood: &Neighborhood,
    inputs: &Tensor,
    key: Key,
) -> Result<Learned, RunError> {
    let doing = "learning the map";
    let (device, values) = (inputs.device(), inputs.columns());
    let objective = TopographicIca::new(device, neighborhood, values, TopographicIca::EPSILON);
    let mut objective = objective.while_doing(doing)?;
    let mut descent = OrthonormalDescent::new(&objective, key).while_doing(doing)?;
    // The literature stops where ‖G‖ is below 10⁻⁴ a unit.
    let enough = CONVERGED * recipe.units() as f64;
    let stage = Stage { name: "map", steps: recipe.steps, save_every: 25, key };
    let course = stage.run(run, &mut descent, |descent| {
        let step = descent.step(&mut objective, inputs)?;
        Ok((step.value, step.stalled || step.gradient < enough))
    })?;
    save(run, "map", &descent, key)?;
    Ok(Learned { weights: descent.weights().duplicate(), course })
}

fn learn_plain(run: &mut Run, recipe: &Recipe, inputs: &Tensor, key: Key) -> Result<Learned, RunError> {
    let (device, values) = (inputs.device(), inputs.columns());
    let mut plain = FastIca::new(device, recipe.units(), values, key).while_doing("setting up FastICA")?;
    let stage = Stage { name: "plain", steps: recipe.plain_steps, save_every: 50, key };
    let course = stage.run(run, &mut plain, |plain| {
        let change = plain.step(inputs)?;
        Ok((change, change < CONVERGED))
    })?;
    save(run, "plain", &plain, key)?;
    Ok(Learned { weights: plain.weights().duplicate(), course })
}

fn save(run: &Run, name: &str, learned: &dyn Parameters, key: Key) -> Result<(), RunError> {
    let file = run.out().file(&format!("{name}.safetensors"));
    checkpoint::save(&file, &Header::new("tica model", 0, key), learned).while_doing("saving the filters")
}
