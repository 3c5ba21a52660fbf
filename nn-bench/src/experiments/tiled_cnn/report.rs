//! What a run says of its settings, and what it found.

use ndarray::{Axis, concatenate};
use nn_conv::Tiled;

use super::features::{Architecture, WhitePatches};
use super::{PREPARATION, REGIMES, Recipe, Tile, UNTIED, metric_word};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::seed_mean::SeedMean;

/// Maps whose tiles are shown side by side.
const SHOWN: usize = 3;

/// Percent right, by Le and others, 2010.
const PUBLISHED: [(&str, f64); 5] = [
    ("right on NORB, tiled, pretrained and fine-tuned (%)", 96.1),
    ("right on NORB, tiled, pretrained (%)", 94.5),
    ("right on CIFAR-10, two tiled layers, tiles of 4, pretrained and fine-tuned (%)", 73.1),
    ("right on CIFAR-10, tiled, tiles of 8, pretrained (%)", 72.5),
    ("right on CIFAR-10, topographic ICA of whole images (%)", 56.1),
];

pub(super) fn describe(run: &mut Run, recipe: &Recipe, classes: usize, side: usize) {
    let report = &mut run.report;
    report.reproduces(
        "Le, Ngiam, Chen, Chia, Koh and Ng (Tiled convolutional neural networks, 2010) let units share their filters only \
         with those k positions away. Neighbours then have filters of their own, and a square pool over them can become \
         indifferent to more than a shift, if the filters are learned for it: without labels, by topographic ICA over the \
         whole map. With k = 1 this is a convolution, whose pools can be indifferent to shifts alone; untied, there are \
         filters for each position and few cases to learn each from. The paper found tiles in between to do best.",
    );
    report.reproduces(
        "Here a network has one layer of tiles, pools of 3 × 3 squares and a softmax. The first filters are random and \
         orthonormal where they look at the same white patch. They stay, or are pretrained on images without labels, or \
         both learn with the softmax by backpropagation. The paper had two layers, colour, all labels, a support vector \
         machine on features that are not fine-tuned, and steps on all cases whose length is searched for; here steps are \
         on minibatches and orthonormality is that of filters of white patches, so that responses of one patch are \
         uncorrelated.",
    );
    let Architecture { filter, white, maps, pool, step } = recipe.architecture;
    let positions = recipe.architecture.positions(side);
    let pretraining = recipe.pretraining;
    let tiles: Vec<String> = recipe.tiles.iter().map(|&tile| words(tile)).collect();
    for (name, value) in [
        ("classes", classes.to_string()),
        ("labelled images of each class", recipe.amounts.of_each_class.to_string()),
        ("images without labels", recipe.unlabelled.to_string()),
        ("seeds (images with and without labels, filters, order)", recipe.seeds.to_string()),
        ("images", format!("grey, local contrast normalisation over {0} × {0}", PREPARATION.surround)),
        ("filters", format!("{maps} maps, {filter} × {filter}, at {positions} × {positions} positions")),
        ("tile sizes", tiles.join(", ")),
        ("principal components of a patch that filters see", white.to_string()),
        ("pools", format!("{pool} × {pool} at every {step} units, at every unit in pretraining")),
        ("epochs of pretraining", pretraining.epochs.to_string()),
        ("minibatch of pretraining", pretraining.batch.to_string()),
        ("rate of pretraining, falling linearly to 0", pretraining.rate.to_string()),
    ] {
        report.setting(name, value);
    }
    recipe.learning.describe(report);
}

/// A tile size in the words of the page.
fn words(tile: usize) -> String {
    match tile {
        1 => "1 (convolution)".to_string(),
        UNTIED => "untied".to_string(),
        tile => tile.to_string(),
    }
}

/// A picture of what the filters of tiles stand for: random ones above pretrained ones.
pub(super) fn filters(
    run: &mut Run,
    patches: &WhitePatches,
    architecture: Architecture,
    [random, pretrained]: [&Tiled; 2],
) -> Result<(), RunError> {
    let (maps, tile) = (architecture.maps.min(SHOWN), random.tile());
    let (random, pretrained) = (patches.stand_for(random, maps)?, patches.stand_for(pretrained, maps)?);
    let both = concatenate(Axis(0), &[random.view(), pretrained.view()]).while_doing("drawing filters")?;
    let layout = TileLayout::new(architecture.filter, architecture.filter, tile * maps).zoom(5);
    let picture = image_grid::filters(both.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = format!(
        "Patches that filters stand for, of {maps} maps side by side, each a tile of {tile} × {tile} neighbours: random \
         ones in the {tile} rows above, what pretraining made of them in the {tile} rows below. Units that share a pool see \
         patches a pixel or two apart."
    );
    run.report.picture("filters", caption, &picture)?;
    Ok(())
}

pub(super) fn report(run: &mut Run, recipe: &Recipe, side: usize, found: &[Tile]) -> Result<(), RunError> {
    errors(run, recipe, side, found)?;
    differences(run, recipe, found)?;
    pretraining(run, recipe, found)?;
    for (metric, right) in PUBLISHED {
        run.report.published(metric, right, "Le and others, 2010", false, None)?;
    }
    run.report.note(
        "Published figures are of colour images with all their labels and of larger networks: what compares is the order of \
         tile sizes, not the numbers.",
    );
    Ok(())
}

/// The test error over the tile size.
fn errors(run: &mut Run, recipe: &Recipe, side: usize, found: &[Tile]) -> Result<(), RunError> {
    let mut curves: Vec<(&str, Vec<(f64, f64)>)> = REGIMES.map(|(_, name)| (name, Vec::new())).into();
    let mut rows = Vec::new();
    for (number, tile) in found.iter().enumerate() {
        let size = recipe.tile(number, side);
        let filters = size * size * recipe.architecture.maps;
        let mut row = vec![words(recipe.tiles[number]), filters.to_string()];
        for (regime, outcomes) in tile.outcomes.iter().enumerate() {
            let of = |value: fn(&crate::features::Outcome) -> f64| {
                SeedMean::of(&outcomes.iter().map(value).collect::<Vec<_>>())
            };
            let (test, train) = (of(|outcome| outcome.test), of(|outcome| outcome.train));
            let metric = format!("{}_{}", REGIMES[regime].0, metric_word(recipe.tiles[number]));
            run.report.metric(format!("{metric}_error_percent"), test.mean)?;
            run.report.metric(format!("{metric}_error_percent_standard_error"), test.standard_error)?;
            run.report.metric(format!("{metric}_train_error_percent"), train.mean)?;
            curves[regime].1.extend(test.with_bar(size as f64));
            row.push(test.to_string());
        }
        rows.push(row);
    }
    let (x, y) = ("tile size (1 is a convolution, the last untied)", "% of the test images");
    let title = "Test error over the tile size, and its standard error";
    run.report.curve_on(Axes { log_x: true }, title, x, y, &curves)?;
    let mut headers = vec!["tile size", "filters"];
    headers.extend(REGIMES.map(|(_, name)| name));
    let title = format!("Test error in %, mean of {} seeds ± its standard error", recipe.seeds);
    run.report.table(title, &headers, rows)?;
    Ok(())
}

/// How much lower than that of both ends the mean error of the tile sizes in between is, seed by seed.
fn differences(run: &mut Run, recipe: &Recipe, found: &[Tile]) -> Result<(), RunError> {
    let ends = [0, found.len() - 1];
    let mut rows = Vec::new();
    for (regime, (metric, name)) in REGIMES.into_iter().enumerate() {
        let error = |number: usize, seed: usize| found[number].outcomes[regime][seed].test;
        let mut row = vec![name.to_string()];
        for (end, word) in ends.into_iter().zip(["convolution", "untied"]) {
            let between = ends[0] + 1..ends[1];
            let gains: Vec<f64> = (0..found[0].outcomes[regime].len())
                .map(|seed| {
                    let sum: f64 = between.clone().map(|number| error(number, seed)).sum();
                    error(end, seed) - sum / between.len() as f64
                })
                .collect();
            let gain = SeedMean::of(&gains);
            let metric = format!("{metric}_{word}_minus_between_points");
            run.report.metric(&metric, gain.mean)?;
            run.report.metric(format!("{metric}_standard_error"), gain.standard_error)?;
            row.push(gain.to_string());
        }
        rows.push(row);
    }
    let title = format!(
        "How much better tiles in between are than both ends: differences of errors in points of %, of the same images and \
         first draws, mean of {} seeds",
        recipe.seeds
    );
    run.report.table(title, &["filters", "convolution − between", "untied − between"], rows)?;
    run.report.note(
        "The error between the ends is the mean over all tile sizes there. The best of them is chosen on test images: it \
         would look better than it is.",
    );
    Ok(())
}

/// What pretraining did: the objective, and how far neighbours are active together.
fn pretraining(run: &mut Run, recipe: &Recipe, found: &[Tile]) -> Result<(), RunError> {
    let names: Vec<String> = recipe.tiles.iter().map(|&tile| words(tile)).collect();
    let curves: Vec<(&str, Vec<(f64, f64)>)> =
        names.iter().zip(found).map(|(name, tile)| (name.as_str(), tile.course.curve("objective"))).collect();
    run.report.curve("Pretraining of the first seed", "epochs", "objective, a mean over images", &curves)?;
    let mut rows = Vec::new();
    for (number, tile) in found.iter().enumerate() {
        let mut row = vec![names[number].clone()];
        for (word, correlations) in ["random", "pretrained"].into_iter().zip(&tile.correlations) {
            let mean = SeedMean::of(correlations);
            let tile = metric_word(recipe.tiles[number]);
            run.report.metric(format!("{word}_{tile}_energy_correlation"), mean.mean)?;
            row.push(mean.to_string());
        }
        if let Some(deviation) = tile.course.last("deviation") {
            row.push(format!("{deviation:.1e}"));
        }
        rows.push(row);
    }
    let headers = ["tile size", "random filters", "pretrained filters", "max |WᵀW − 1| after pretraining"];
    let title = "Correlation of the energies of units of one map whose positions touch";
    run.report.table(title, &headers, rows)?;
    Ok(())
}
