//! What a run says of its settings, the cells that it learned, and what white noise found.

use ndarray::{Array2, Axis, Slice};

use super::Recipe;
use super::cells::Cells;
use super::comparison::{Compared, values};
use super::mapping::Map;
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::RunError;

/// Cells side by side in a picture.
const ACROSS: usize = 20;
/// Variances of spikes that are drawn.
const VARIANCES: usize = 20;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    run.report.reproduces(
        "Hubel and Wiesel's simple and complex cells of the primary visual cortex, as they are modelled since Adelson and \
         Bergen, “Spatiotemporal energy models for the perception of motion” (1985): a simple cell is a linear filter like a \
         Gabor function, rectified; a complex cell the energy of two of them in quadrature, which answers whatever the phase. \
         Bell and Sejnowski (1997) and Hyvärinen and Hoyer, “Emergence of phase- and shift-invariant features by decomposition \
         of natural images into independent feature subspaces” (2000), found such cells as independent components and \
         subspaces of natural patches. Here learned cells are asked with gratings, as experimenters ask cells, and their \
         answers are compared with those that the Gabor functions which fit their filters give. Filters of noise with Gabor \
         functions of their own are the control.",
    );
    run.report.reproduces(
        "The second half maps cells by white noise: the mean stimulus before a spike finds the filter of a simple cell and \
         nothing of a complex one, of which the variances of stimuli before spikes find the filters (Schwartz, Pillow, Rust \
         and Simoncelli, “Spike-triggered neural characterization”, 2006). Cells planted as Gabor functions say whether that \
         works; then the learned ones are mapped.",
    );
    run.report.setting(
        "patches",
        format!("{} of {side} × {side} pixels, spectrum evened out", recipe.patches, side = recipe.side),
    );
    run.report.setting("whitening", format!("means removed, {} principal components", recipe.units));
    run.report.setting(
        "cells",
        format!(
            "{} simple (FastICA), {} complex (subspaces of {})",
            recipe.units,
            recipe.units / recipe.pool,
            recipe.pool
        ),
    );
    run.report.setting("steps at most", format!("{} and {}", recipe.steps[0], recipe.steps[1]));
    run.report.setting("white noise", format!("{} stimuli, a spike to every second", recipe.stimuli));
}

/// Pictures of the cells, and how they were learned.
pub(super) fn cells(
    run: &mut Run,
    recipe: &Recipe,
    cells: &Cells,
    simple: &Compared,
    complex: &Compared,
) -> Result<(), RunError> {
    let (side, pool) = (recipe.side, recipe.pool);
    // Rows of filters, each above the Gabor functions that fit them.
    let mut order: Vec<usize> = (0..simple.pairs.len()).collect();
    order.sort_by(|&a, &b| simple.pairs[b].fit.explained.total_cmp(&simple.pairs[a].fit.explained));
    let mut tiles = Vec::new();
    for units in order.chunks(ACROSS) {
        let padded = |of: &dyn Fn(usize) -> Vec<f64>| -> Vec<Vec<f64>> {
            let blank = (units.len()..ACROSS).map(|_| vec![0.0; side * side]);
            units.iter().map(|&unit| of(unit)).chain(blank).collect()
        };
        tiles.extend(padded(&|unit| cells.simple.row(unit).to_vec()));
        tiles.extend(padded(&|unit| values(&simple.pairs[unit].fit, side)));
    }
    picture(
        run,
        "simple",
        "Receptive fields of the simple cells, those that a Gabor function fits best first: a row of filters above a row of \
         the functions that fit them, and so on.",
        tiles,
        [side, ACROSS],
    )?;
    let mut order: Vec<usize> = (0..complex.pairs.len()).collect();
    let modulation = |cell: usize| complex.pairs[cell].measured.modulation;
    order.sort_by(|&a, &b| modulation(a).total_cmp(&modulation(b)));
    let of_cell = |&cell: &usize| (cell * pool..(cell + 1) * pool).map(|row| cells.pooled.row(row).to_vec());
    picture(
        run,
        "complex",
        format!(
            "Receptive fields of the complex cells: the {pool} filters of each side by side, the cells that phase matters to \
             least first."
        ),
        order.iter().flat_map(of_cell).collect(),
        [side, 5 * pool],
    )?;
    for (course, what) in cells.courses.iter().zip(["FastICA", "subspace ICA"]) {
        let end = if course.converged { "converged" } else { "had not converged yet" };
        run.report.note(format!("{what} {end} after {} steps.", course.figures.len()));
    }
    Ok(())
}

/// What white noise and spikes found.
pub(super) fn maps(run: &mut Run, recipe: &Recipe, maps: &[Map]) -> Result<(), RunError> {
    let side = recipe.side;
    for (map, metric) in maps.iter().zip(["mapped_simple", "mapped_complex"]) {
        run.report.metric(format!("{metric}_average_cosine"), map.average_cosine)?;
        run.report.metric(format!("{metric}_average_against_chance"), map.against_chance)?;
        run.report.metric(format!("{metric}_directions_above"), map.above.nrows() as f64)?;
        run.report.metric(format!("{metric}_directions_below"), map.below as f64)?;
    }
    if let Some(complex) = maps.get(1) {
        run.report.metric("mapped_complex_overlap", complex.overlap)?;
    }
    let row = |map: &Map| {
        let [high, low] = map.chance;
        let edges = |values: &[f64]| values.iter().map(|v| format!("{v:.2}")).collect::<Vec<_>>().join(" ");
        let largest = &map.variances[..map.variances.len().min(map.made_of.nrows() + 1)];
        vec![
            map.name.clone(),
            map.spikes.to_string(),
            format!("{:.3}", map.average_cosine),
            format!("{:.1}", map.against_chance),
            format!("{} and {}", map.above.nrows(), map.below),
            format!(
                "{} … {}",
                edges(largest),
                edges(&map.variances[map.variances.len().saturating_sub(1)..])
            ),
            format!("{low:.2} to {high:.2}"),
            if map.above.is_empty() { "–".to_string() } else { format!("{:.3}", map.overlap) },
        ]
    };
    run.report.table(
        "Cells mapped by white noise",
        &[
            "cell",
            "spikes",
            "|cosine| of the mean before a spike and the filter",
            "length of the mean over chance",
            "directions above and below chance",
            "largest variances … the least",
            "variances by chance",
            "share of the filters in the directions above",
        ],
        maps.iter().map(row).collect(),
    )?;
    if let Some(simple) = maps.first() {
        let fit = simple.fit(side);
        run.report.note(format!(
            "The Gabor function that fits the mean before spikes of the planted simple cell explains {} % of it; its wave runs \
             at {:.1}° with {:.3} cycles a pixel, where {:.1}° and {:.3} were planted.",
            short_number(100.0 * fit.explained),
            fit.orientation.to_degrees(),
            fit.frequency,
            super::mapping::PLANTED.orientation.to_degrees(),
            super::mapping::PLANTED.frequency
        ));
        run.report.metric("mapped_simple_gabor_explained", fit.explained)?;
    }
    let spectrum = |map: &Map| -> Vec<(f64, f64)> {
        map.variances.iter().take(VARIANCES).enumerate().map(|(at, v)| (at as f64 + 1.0, *v)).collect()
    };
    let series: Vec<(&str, Vec<(f64, f64)>)> =
        maps.iter().map(|map| (map.name.as_str(), spectrum(map))).collect();
    run.report.curve(
        "Largest variances of stimuli before spikes",
        "principal direction",
        "variance, that of all stimuli being 1",
        &series,
    )?;
    let across = 1 + 2 * recipe.pool;
    let mut tiles = Vec::new();
    for map in maps {
        let rows = |filters: &Array2<f64>| -> Vec<Vec<f64>> {
            let shown = filters.slice_axis(Axis(0), Slice::from(..filters.nrows().min(recipe.pool)));
            let mut rows: Vec<Vec<f64>> = shown.rows().into_iter().map(|row| row.to_vec()).collect();
            rows.resize(recipe.pool, vec![0.0; side * side]);
            rows
        };
        tiles.extend(rows(&map.made_of));
        tiles.push(map.average.to_vec());
        tiles.extend(rows(&map.above));
    }
    picture(
        run,
        "maps",
        format!(
            "Cells mapped by white noise, one a row, in the order of the table: the filters a cell is made of ({pool} at most), \
             the mean stimulus before a spike, the directions of variances above chance. Each with its own scale, so that the \
             mean of a complex cell, which is chance, shows as noise.",
            pool = recipe.pool
        ),
        tiles,
        [side, across],
    )
}

fn picture(
    run: &mut Run,
    stem: &str,
    caption: impl Into<String>,
    tiles: Vec<Vec<f64>>,
    [side, columns]: [usize; 2],
) -> Result<(), RunError> {
    let tiles = Array2::from_shape_fn((tiles.len(), side * side), |(tile, at)| tiles[tile][at] as f32);
    let layout = TileLayout::new(side, side, columns).zoom(3);
    let picture = image_grid::filters(tiles.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    run.report.picture(stem, caption, &picture)?;
    Ok(())
}
