//! Pictures and curves of what was seen, what was learned and what the unit answers to.

use ndarray::{Array2, Axis, Slice};
use nn_core::Tensor;

use super::Recipe;
use super::invariance::{Change, Curve};
use super::scenes::Scenes;
use super::selectivity::Selectivity;
use super::stack::Stack;
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::network_weights;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Scenes of a picture.
const SHOWN: usize = 32;
/// Positions of the first stage whose filters are shown.
const POSITIONS: usize = 12;
/// Bars of a histogram.
const BINS: usize = 30;

/// Pictures of scenes with and without the class.
pub(super) fn scenes(
    run: &mut Run,
    recipe: &Recipe,
    training: &Scenes,
    tests: &Scenes,
) -> Result<(), RunError> {
    let side = recipe.composition.side;
    for (stem, caption, scenes, wanted) in [
        ("training-scenes", "Scenes that the stages learned from, without labels.", training, None),
        ("test-class", "Test scenes with an object of the class.", tests, Some(true)),
        ("test-distractors", "Test scenes without one.", tests, Some(false)),
    ] {
        let rows =
            (0..scenes.of_class.len()).filter(|&row| wanted.is_none_or(|is| scenes.of_class[row] == is));
        let rows: Vec<usize> = rows.take(SHOWN).collect();
        if !rows.is_empty() {
            let chosen = scenes.images.select(Axis(0), &rows);
            let layout = TileLayout::new(side, side, SHOWN / 2);
            let picture = image_grid::filters(chosen.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
            run.report.picture(stem, caption, &picture)?;
        }
    }
    Ok(())
}

/// How the unit responds: a histogram, and the scenes that it likes best.
pub(super) fn responses(
    run: &mut Run,
    tests: &Scenes,
    found: &Selectivity,
    responses: &Array2<f32>,
    side: usize,
) -> Result<(), RunError> {
    let unit = responses.column(found.unit);
    let half = unit.len() / 2;
    let judged: Vec<usize> = (half..unit.len()).collect();
    let range = |start: f32, of: fn(f32, f32) -> f32| judged.iter().map(|&row| unit[row]).fold(start, of);
    let (least, most) = (range(f32::INFINITY, f32::min), range(f32::NEG_INFINITY, f32::max));
    let width = ((most - least) / BINS as f32).max(f32::MIN_POSITIVE);
    let histogram = |wanted: bool| -> Vec<(f64, f64)> {
        let mut counts = [0.0; BINS];
        let of = judged.iter().filter(|&&row| tests.of_class[row] == wanted);
        of.for_each(|&row| counts[(((unit[row] - least) / width) as usize).min(BINS - 1)] += 1.0);
        let all = counts.iter().sum::<f64>().max(1.0);
        let at = |bin: usize| f64::from(least + (bin as f32 + 0.5) * width);
        counts.iter().enumerate().map(|(bin, count)| (at(bin), 100.0 * count / all)).collect()
    };
    let threshold = f64::from(found.threshold);
    let highest = [true, false]
        .iter()
        .flat_map(|&is| histogram(is))
        .fold(0.0f64, |highest, (_, share)| highest.max(share));
    run.report.curve(
        "Responses of the unit",
        "response",
        "% of the scenes",
        &[
            ("with an object of the class", histogram(true)),
            ("without", histogram(false)),
            ("threshold", vec![(threshold, 0.0), (threshold, highest)]),
        ],
    )?;
    let mut order = judged;
    order.sort_by(|&a, &b| unit[b].total_cmp(&unit[a]));
    order.truncate(SHOWN);
    let of_class = order.iter().filter(|&&row| tests.of_class[row]).count();
    let layout = TileLayout::new(side, side, SHOWN / 2).zoom(3);
    let best = tests.images.select(Axis(0), &order);
    let picture = image_grid::filters(best.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = format!(
        "The {} scenes of the judging half that the unit responds to most; {of_class} show an object of the class.",
        order.len()
    );
    run.report.picture("best-scenes", caption, &picture)?;
    Ok(())
}

/// Filters of the first stage, and how each stage learned.
pub(super) fn stages(run: &mut Run, recipe: &Recipe, stacks: [&Stack; 2]) -> Result<(), RunError> {
    let [deep, plain] = stacks;
    let first = &recipe.stacking.stages[0];
    if let Some(weights) = network_weights::find(&deep.network, "filters1.weights")? {
        let pixels = first.field * first.field;
        let positions = weights.nrows() / pixels;
        // A row of the picture for each map, positions from one corner of the image to the other.
        let shown = POSITIONS.min(positions);
        let mut tiles = Array2::zeros((shown * first.maps, pixels));
        for (number, mut tile) in tiles.rows_mut().into_iter().enumerate() {
            let (map, at) = (number / shown, number % shown);
            let position = at * (positions - 1) / (shown - 1).max(1);
            let rows = Slice::from(position * pixels..(position + 1) * pixels);
            tile.assign(&weights.column(map).slice_axis(Axis(0), rows));
        }
        let layout = TileLayout::new(first.field, first.field, shown).zoom(3);
        let picture = image_grid::filters(tiles.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
        let caption = format!(
            "Filters of the first stage: the {} maps at {shown} of {positions} positions.",
            first.maps
        );
        run.report.picture("first-stage-filters", caption, &picture)?;
    }
    for (number, _) in recipe.stacking.stages.iter().enumerate() {
        let curve = |stack: &Stack| stack.figures[number].curve("objective");
        run.report.curve(
            &format!("The objective of stage {}", number + 1),
            "epoch",
            "mean ‖W₂a − x‖² + λ Σ √(ε + Σ a²)",
            &[("deep stack", curve(deep)), ("without normalisation", curve(plain))],
        )?;
        for figure in ["reconstruction", "sparsity"] {
            if let Some(last) = deep.figures[number].last(figure) {
                run.report.metric(format!("stage{}_{figure}", number + 1), last)?;
            }
        }
    }
    Ok(())
}

/// What the unit likes best of all images of length 1.
pub(super) fn best_input(run: &mut Run, found: &Tensor, side: usize) -> Result<(), RunError> {
    let images = found.to_array().while_doing("looking for the best input")?;
    let layout = TileLayout::new(side, side, images.nrows()).zoom(4);
    let picture = image_grid::filters(images.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption =
        "Images of norm at most 1 that the unit responds to most, by gradient ascent from random starts.";
    run.report.picture("best-inputs", caption, &picture)?;
    Ok(())
}

/// Responses to objects that are changed.
pub(super) fn invariance(run: &mut Run, curves: &[Curve], ground: f64) -> Result<(), RunError> {
    for Curve { change, points } in curves {
        let (title, label) = match change {
            Change::Shift => ("Indifference to place", "pixels to the right"),
            Change::Scale => ("Indifference to size", "size, as a share of its own"),
            Change::Rotation => ("Indifference to rotation", "degrees clockwise"),
        };
        let ends = [points.first(), points.last()].into_iter().flatten();
        let flat: Vec<(f64, f64)> = ends.map(|(amount, _)| (*amount, ground)).collect();
        run.report.curve(
            title,
            label,
            "mean response",
            &[("objects of the class", points.clone()), ("their ground alone", flat)],
        )?;
    }
    Ok(())
}
