//! A convolutional gated machine finds out by how much images move.

mod decoding;
mod pairs;

use ndarray::{Array2, Axis, Slice};
use nn_core::{Device, Key, Penalty, Schedule, Sgd, Tensor, checkpoint};
use nn_rbm::{
    GatedRbm,
    convolutional::{Geometry, MapSparsity},
    gated::GatedLearner,
};

use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::linear_classifier::LinearClassifier;
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::standardization::Standardization;
use crate::training::Training;
use crate::trial::Trial;
use pairs::{Pairs, SHIFTS};

/// The experiment.
#[derive(Debug)]
pub struct GatedShift;

/// Purposes of keys.
const PAIRS: u64 = 1;
const WEIGHTS: u64 = 2;
const TRAINING: u64 = 3;
const LABELLED: u64 = 4;
const TEST: u64 = 5;
const RANDOM: u64 = 6;
const CLASSIFIER: u64 = 7;
const ANALOGIES: u64 = 8;

/// Standard deviation of the first weights.
const DEVIATION: f64 = 0.05;

/// What a profile sets.
struct Recipe {
    geometry: Geometry,
    /// Pairs to learn from, pairs whose shift the classifier is told, pairs to test.
    pairs: [usize; 3],
    epochs: u64,
    batch: usize,
    rate: f32,
    momentum: f32,
    decay: f32,
    /// A target for the share of the units of a map that are on, and its cost.
    sparsity: [f32; 2],
    classifier: LinearClassifier,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe {
            geometry: Geometry { height: 12, width: 12, channels: 1, filter: 5, maps: 20, block: 2 },
            pairs: [18_000, 1_800, 3_600],
            epochs: 10,
            batch: 90,
            rate: 0.3,
            momentum: 0.9,
            decay: 1e-4,
            sparsity: [0.03, 1.0],
            classifier: LinearClassifier { epochs: 100, batch: 20, rate: 1.0, decays: &[0.0, 1e-4, 1e-3] },
        };
        match profile {
            "quick" => Recipe {
                geometry: Geometry { height: 8, width: 8, filter: 3, maps: 12, ..default.geometry },
                pairs: [3_600, 900, 900],
                epochs: 6,
                ..default
            },
            _ => default,
        }
    }

    fn learner(&self, device: &Device, key: Key) -> Result<GatedLearner<Sgd>, RunError> {
        let doing = "setting up the machine";
        let mut rbm =
            GatedRbm::new(device, self.geometry, DEVIATION, key.fold_in(WEIGHTS)).while_doing(doing)?;
        // Without input units are on as often as they are to be.
        let [target, cost] = self.sparsity;
        let off = 1.0 - self.geometry.block_size() as f32 * target;
        rbm.hidden.biases.assign(f64::from((target / off).ln()));
        let updates = self.epochs * (self.pairs[0] / self.batch) as u64;
        let rate = Schedule::Linear { from: self.rate, to: 0.0, updates };
        let sgd = Sgd::new(&rbm, rate, self.momentum, Penalty::l2(self.decay)).while_doing(doing)?;
        let mut learner = GatedLearner::new(rbm, 1, sgd).while_doing(doing)?;
        learner.sparsity = Some(MapSparsity::new(target, cost).while_doing(doing)?);
        Ok(learner)
    }

    fn draw(&self, set: usize, key: Key) -> Pairs {
        Pairs::draw(self.geometry.height, self.pairs[set], key.fold_in([PAIRS, LABELLED, TEST][set]))
    }
}

impl Experiment for GatedShift {
    fn name(&self) -> &'static str {
        "gated-shift"
    }

    fn title(&self) -> &'static str {
        "A gated machine finds out how images move"
    }

    fn summary(&self) -> &'static str {
        "a convolutional gated machine learns pairs of images of random dots without being told their shift: the shift read from its pooled maps, beside pixels and random weights; what its maps respond to; shifts carried over to other images"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "12 maps of 3×3 pixels, 3,600 pairs of 8×8 pixels, 6 epochs",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "20 maps of 5×5 pixels, 18,000 pairs of 12×12 pixels, 10 epochs",
                duration: "about 1 minute on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let (recipe, key) = (Recipe::of(&run.profile), Key::new(run.seed));
        describe(run, &recipe);
        let [unlabelled, labelled, test] = [0, 1, 2].map(|set| recipe.draw(set, key));
        let doing = "setting up pairs";
        let device = run.device(|device| {
            let data = unlabelled.given(device).while_doing(doing)?;
            Ok(Trial::new(recipe.learner(device, key)?, &data, recipe.batch))
        })?;
        let data = unlabelled.given(&device).while_doing(doing)?;
        let mut learner = recipe.learner(&device, key)?;
        let training = Training {
            stage: "machine",
            epochs: recipe.epochs,
            batch: recipe.batch,
            key: key.fold_in(TRAINING),
            measure_every: 1,
            save_every: 1,
        };
        let watch = test.given(&device).while_doing(doing)?.first(500);
        let figures = training.run(run, &mut learner, &data, watch)?;
        for name in ["reconstruction error", "mean pooled activity"] {
            let axes = Axes { log_x: false };
            run.report.curve_on(axes, name, "epoch", name, &[("test pairs", figures.curve(name))])?;
        }

        let rbm = &learner.rbm;
        decode(run, &recipe, rbm, [&labelled, &test], key)?;
        pictures(run, rbm, &test, key.fold_in(ANALOGIES))?;
        let header = checkpoint::Header::new("gated-shift model", 0, Key::new(run.seed));
        checkpoint::save(&run.out().file("model.safetensors"), &header, rbm).while_doing("saving the model")
    }
}

fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Taylor, Fergus, LeCun and Bregler (2010) let a convolutional gated machine learn pairs of neighbouring frames of \
         films. Its hidden units multiply a patch of one frame by a patch of the next, so they come to stand for what \
         happens between the two and not for what is seen; on pairs of images whose shifts are known, the maps must tell \
         the shift.",
    );
    report.reproduces(
        "Here pairs are images of random dots, one shifted by −1, 0 or 1 pixels each way, with new dots at the edge. The \
         machine is not told the shift. A softmax on the mean activity of each map is, for fewer pairs, and classifies \
         others. The paper shows such maps but gives no figure for this task, so none stands beside ours; chance is 1 in 9.",
    );
    report.reproduces(
        "A product of the two images shows their shift to a softmax even if it is weighed at random, so many labels and maps \
         make random weights look good; only in a machine that has learned does each map stand for a shift of its own, and \
         can the hidden units of one pair shift another image.",
    );
    let Geometry { height, width, filter, maps, block, .. } = recipe.geometry;
    for (name, value) in [
        ("pixels", format!("{height}×{width}")),
        ("patches", format!("{filter}×{filter}")),
        ("maps", maps.to_string()),
        ("blocks", format!("{block}×{block}")),
        ("pairs to learn from, labelled, to test", format!("{:?}", recipe.pairs)),
        ("epochs", recipe.epochs.to_string()),
        ("batch", recipe.batch.to_string()),
        ("learning rate", format!("{}, falling to 0", recipe.rate)),
        ("momentum", recipe.momentum.to_string()),
        ("weight decay (L2)", recipe.decay.to_string()),
        ("share of hidden units on, target and cost", format!("{:?}", recipe.sparsity)),
        ("first weights, standard deviation", DEVIATION.to_string()),
    ] {
        report.setting(name, value);
    }
}

/// Weights drawn so that their mean square is that of the learned ones; biases are those of the learned machine.
fn random_machine(recipe: &Recipe, learned: &GatedRbm, key: Key) -> Result<GatedRbm, RunError> {
    let doing = "drawing random weights";
    let square = learned.weights.to_array_f64().while_doing(doing)?.mapv(|w| w * w).mean().unwrap_or(0.0);
    let mut random =
        GatedRbm::new(learned.device(), recipe.geometry, square.sqrt(), key).while_doing(doing)?;
    random.hidden.biases.assign(&learned.hidden.biases);
    Ok(random)
}

/// The shift of test pairs, from pooled maps, those of random weights, and pixels.
fn decode(
    run: &mut Run,
    recipe: &Recipe,
    rbm: &GatedRbm,
    pairs: [&Pairs; 2],
    key: Key,
) -> Result<(), RunError> {
    let (device, doing) = (rbm.device().clone(), "reading the shift from hidden units");
    let random = random_machine(recipe, rbm, key.fold_in(RANDOM))?;
    let control = decoding::analogies(&random, pairs[1], key.fold_in(ANALOGIES)).while_doing(doing)?;
    run.report.metric("analogy_right_percent_random_weights", control.right)?;
    let mut rows = Vec::new();
    let features = |rbm: &GatedRbm, pairs: &Pairs| decoding::pooled(rbm, &pairs.given(&device)?);
    let of_pixels = |pairs: &Pairs| Ok(decoding::pixels(&device, pairs));
    type Features<'a> = &'a dyn Fn(&Pairs) -> Result<Tensor, nn_core::Error>;
    let kinds: [(&str, &str, Features<'_>); 3] = [
        ("pooled maps of the machine", "machine", &|pairs| features(rbm, pairs)),
        ("the same maps with random weights", "random_weights", &|pairs| features(&random, pairs)),
        ("pixels of both images", "pixels", &of_pixels),
    ];
    for (name, metric, features) in kinds {
        let [train, test] = pairs.map(features);
        let (train, test) = (train.while_doing(doing)?, test.while_doing(doing)?);
        let alone = match metric {
            "pixels" => "–".to_string(),
            _ => {
                let alone = decoding::strongest_map([&train, &test], pairs).while_doing(doing)?;
                run.report.metric(format!("strongest_map_right_percent_{metric}"), alone)?;
                format!("{alone:.1}")
            }
        };
        let standardization = Standardization::of(&train).while_doing(doing)?;
        let [train, test] = [(&train, pairs[0]), (&test, pairs[1])]
            .map(|(features, pairs)| decoding::labelled(&standardization.apply(features), pairs));
        let (train, test) = (train.while_doing(doing)?, test.while_doing(doing)?);
        let found = recipe.classifier.test(run, &train, &test, key.fold_in(CLASSIFIER))?;
        run.report.metric(format!("shift_right_percent_{metric}"), 100.0 - found.test_error)?;
        rows.push(vec![
            name.to_string(),
            format!("{:.1}", 100.0 - found.test_error),
            found.decay.to_string(),
            alone,
        ]);
    }
    run.report.table(
        format!("Shifts of test pairs told rightly, of {SHIFTS}"),
        &["features", "by a softmax, %", "decay chosen", "by the strongest map alone, %"],
        rows,
    )?;
    Ok(())
}

fn pictures(run: &mut Run, rbm: &GatedRbm, test: &Pairs, key: Key) -> Result<(), RunError> {
    let (doing, Geometry { filter, height, width, .. }) = ("drawing what was learned", *rbm.geometry());
    let displacements = decoding::displacements(rbm).while_doing(doing)?;
    let preferred = decoding::shifts_preferred(&displacements, filter);
    run.report.metric("shifts_that_a_map_prefers", preferred as f64)?;
    let layout = TileLayout::new(2 * filter - 1, 2 * filter - 1, 10).zoom(6);
    let picture = image_grid::filters(displacements.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = "For each map, how its weights depend on the way from a pixel of x to a pixel of y (no way at the \
                   centre): the shifts it responds to are white.";
    run.report.picture("ways", caption, &picture)?;

    let found = decoding::analogies(rbm, test, key).while_doing(doing)?;
    run.report.metric("analogy_right_percent", found.right)?;
    run.report.metric("analogy_correlation", found.correlation)?;
    let shown = (2 * SHIFTS).min(test.shifts.len());
    let first = |images: &Array2<f32>| {
        let mut images = images.slice_axis(Axis(0), Slice::from(..shown)).to_owned();
        for mut image in images.rows_mut() {
            let least = image.iter().copied().fold(f32::INFINITY, f32::min);
            let most = image.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            image.mapv_inplace(|value| (value - least) / (most - least).max(f32::MIN_POSITIVE));
        }
        images
    };
    let images = found.images.each_ref().map(first);
    let strips = images.each_ref().map(|images| images.view());
    let picture = image_grid::comparison(&strips, TileLayout::new(height, width, SHIFTS))?;
    let caption = "Analogies. From above: x; y, shifted; another image x′; what the hidden units of the first two make of \
                   it, E[y′ | z, x′]; x′ as it would be shifted so.";
    run.report.picture("analogies", caption, &picture)?;
    Ok(())
}
