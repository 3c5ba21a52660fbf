//! Pictures of machines: samples side by side, chains, filters.

use ndarray::{Array2, Axis, Slice};
use nn_core::Key;

use super::PIXELS;
use super::machine::Found;
use crate::digits::SIDE;
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Samples of a machine across, and down.
const ACROSS: usize = 10;
/// Gibbs sweeps between two columns of a picture of chains.
const APART: u64 = 100;
/// What stands between the samples of two machines.
const BETWEEN: f32 = 0.25;

/// Samples of the machines, from left to right, those with fewer layers first.
pub(super) fn samples(run: &mut Run, found: &[Found]) -> Result<(), RunError> {
    let mut sorted: Vec<&Found> = found.iter().collect();
    sorted.sort_by_key(|machine| machine.dbm.depth());
    let mut means = Vec::new();
    for machine in &sorted {
        means.push(machine.chains.mean_visible(&machine.dbm).to_array().while_doing("drawing samples")?);
    }
    let columns = sorted.len() * (ACROSS + 1) - 1;
    let mut tiles = Array2::from_elem((ACROSS * columns, PIXELS), BETWEEN);
    for (tile, mut pixels) in tiles.rows_mut().into_iter().enumerate() {
        let (row, column) = (tile / columns, tile % columns);
        let (machine, place) = (column / (ACROSS + 1), column % (ACROSS + 1));
        if place < ACROSS {
            pixels.assign(&means[machine].row(row * ACROSS + place));
        }
    }
    let names: Vec<&str> = sorted.iter().map(|machine| machine.layers.as_str()).collect();
    let caption = format!(
        "Samples of p(v), one from each of 100 chains, as probabilities of the pixels; from left to right: {}.",
        names.join(", ")
    );
    let layout = TileLayout::new(SIDE, SIDE, columns);
    run.report.picture("samples", caption, &image_grid::samples(tiles.view(), layout)?)?;
    Ok(())
}

/// Ten chains of a machine as they move, and its first filters. Moves the chains on.
pub(super) fn chains_and_filters(run: &mut Run, machine: &mut Found, key: Key) -> Result<(), RunError> {
    let doing = "drawing pictures";
    let Found { layers, dbm, chains, .. } = machine;
    let (rows, columns) = (10, 20);
    let mut film = Array2::<f32>::zeros((rows * columns, PIXELS));
    for column in 0..columns {
        let means = chains.mean_visible(dbm).to_array().while_doing(doing)?;
        for row in 0..rows {
            film.row_mut(row * columns + column).assign(&means.row(row));
        }
        chains.gibbs(dbm, APART, key.fold_in(column as u64));
    }
    let layout = TileLayout::new(SIDE, SIDE, columns);
    let caption =
        format!("Ten chains of {layers} from left to right, {APART} Gibbs sweeps from column to column.");
    run.report.picture("chains", caption, &image_grid::samples(film.view(), layout)?)?;

    let weights = dbm.weights()[0].to_array().while_doing(doing)?;
    let shown = weights.slice_axis(Axis(1), Slice::from(..weights.ncols().min(100)));
    let filters = image_grid::filters(shown, TileAxis::Columns, layout, Scaling::PerTile)?;
    let caption = format!("Weights of units of the first hidden layer of {layers}.");
    run.report.picture("filters", caption, &filters)?;
    Ok(())
}
