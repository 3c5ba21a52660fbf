//! What the experiment says of itself and of what it found.

use ndarray::{Array2, ArrayView2, Axis, Slice, concatenate};
use nn_core::Key;
use nn_sparse::{GaborFit, gabor::noise_filter};

use super::images::{CUTOFF, OFFSET};
use super::orientations::{self, APART, LEAST_SHARE, MOST};
use super::{BATCH, GABOR_LIKE, Layer, MOMENTUM, Recipe, SIDE, fit};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::RunError;

/// Deviation in pixels of the Gaussian that makes noise smooth.
const SMOOTHING: f64 = 1.5;

/// Units of the second layer that are shown with the filters they are made of, and so many of these.
const TAKEN_APART: usize = 60;
const PARTS: usize = 5;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Lee, Ekanadham and Ng (2008) trained two restricted Boltzmann machines with sparse hidden units, of 400 and 200 \
         units, one after the other on whitened patches of 14×14 pixels of natural images. Filters of the first layer are \
         localised, oriented edges, as of cells in V1; units of the second combine edges into contours, corners and \
         junctions, as cells in V2 seem to do.",
    );
    report.reproduces(
        "Here Gabor functions are fitted to the filters, and beside them to noise, to smooth noise and to the patches \
         themselves. Visible units keep the variance 1 of the data, where the publication lowers it during training. \
         Schedules are ours.",
    );
    for (number, layer) in recipe.layers.iter().enumerate() {
        let Layer { hidden, epochs, rate, decay, bias, sparsity: [target, cost] } = layer;
        let value = format!(
            "{hidden} units; CD-1, {epochs} epochs, rate {rate} falling to a tenth, weight decay {decay}, first biases \
             {bias}, sparsity {target} with cost {cost} on biases alone"
        );
        report.setting(format!("layer {}", number + 1), value);
    }
    report.setting("patches", format!("{} of {SIDE}×{SIDE} pixels", recipe.patches));
    report.setting("whitening", format!("f·exp(−(f/{CUTOFF})⁴) of log intensities, f in cycles a pixel"));
    report
        .setting("contrast", format!("patches divided by √(variance + {OFFSET}), images having variance 1"));
    report.setting("minibatch, momentum", format!("{BATCH}, {MOMENTUM}"));
}

/// Fits Gabor functions to the filters (units × pixels) and to controls.
pub(super) fn filters(
    run: &mut Run,
    recipe: &Recipe,
    filters: ArrayView2<'_, f64>,
    patches: ArrayView2<'_, f32>,
    key: Key,
) -> Result<Vec<GaborFit>, RunError> {
    let timer = run.phase("fitting Gabor functions");
    let noise = |smoothing: f64, key: Key| {
        let mut rows = Array2::zeros((recipe.controls, SIDE * SIDE));
        for (number, mut row) in rows.rows_mut().into_iter().enumerate() {
            let filter = noise_filter([SIDE, SIDE], smoothing, key.fold_in(number as u64));
            row.iter_mut().zip(&filter).for_each(|(out, value)| *out = *value);
        }
        rows
    };
    let shown = recipe.controls.min(patches.nrows());
    let fits = fit(filters);
    let kinds = [
        ("first_layer", "filters of the first layer", fits.clone()),
        ("white_noise", "white noise", fit(noise(0.0, key.fold_in(0)).view())),
        ("smooth_noise", "noise smoothed over 1.5 pixels", fit(noise(SMOOTHING, key.fold_in(1)).view())),
        ("patches", "patches", fit(patches.slice_axis(Axis(0), Slice::from(..shown)).mapv(f64::from).view())),
    ];
    drop(timer);
    let (mut rows, mut curves) = (Vec::new(), Vec::new());
    for (metric, name, fits) in &kinds {
        let mut explained: Vec<f64> = fits.iter().map(|fit| fit.explained).collect();
        explained.sort_by(f64::total_cmp);
        let count = explained.len();
        let like = explained.iter().filter(|explained| **explained > GABOR_LIKE).count();
        let (percent, median) = (100.0 * like as f64 / count as f64, explained[count / 2]);
        run.report.metric(format!("{metric}_gabor_like_percent"), percent)?;
        run.report.metric(format!("{metric}_median_explained"), median)?;
        let cells = [count.to_string(), short_number(percent), short_number(median)];
        rows.push(std::iter::once((*name).to_string()).chain(cells).collect());
        let share = |(rank, value): (usize, &f64)| (100.0 * (rank as f64 + 0.5) / count as f64, *value);
        curves.push((*name, explained.iter().enumerate().map(share).collect::<Vec<_>>()));
    }
    let like = format!("% with R² above {GABOR_LIKE}");
    run.report.table("Gabor functions fitted to", &["", "fitted", &like, "median R²"], rows)?;
    run.report.curve("How well Gabor functions fit", "% of the filters, by rising R²", "R²", &curves)?;
    let picture = image_grid::filters(
        filters.mapv(|weight| weight as f32).view(),
        TileAxis::Rows,
        TileLayout::new(SIDE, SIDE, 25),
        Scaling::PerTile,
    )?;
    let caption = "Filters of the first layer, each with its own scale.";
    run.report.picture("layer1-filters", caption, &picture)?;
    Ok(fits)
}

/// What units of the second layer (weights first × second) make of the filters of the first.
pub(super) fn second_layer(
    run: &mut Run,
    weights: ArrayView2<'_, f64>,
    filters: ArrayView2<'_, f64>,
    fits: &[GaborFit],
    key: Key,
) -> Result<(), RunError> {
    let [found, random] = orientations::shares(weights, fits, key.fold_in(2)).map(|share| 100.0 * share);
    let parts: usize = weights.columns().into_iter().map(|unit| orientations::strongest(unit).len()).sum();
    let report = &mut run.report;
    report.metric("second_layer_several_orientations_percent", found)?;
    report.metric("random_several_orientations_percent", random)?;
    report.metric("second_layer_mean_strong_filters", parts as f64 / weights.ncols() as f64)?;
    report.note(format!(
        "{} % of the second-layer units combine several orientations: among the filters they are excited by most (at most \
         {MOST}, of at least {LEAST_SHARE} of the largest weight) two that a Gabor function fits with R² above {GABOR_LIKE} \
         are at least {APART}° apart. Of as many filters drawn at random that holds for {} %: units prefer filters of like \
         orientation the more, the further they stay below.",
        short_number(found),
        short_number(random)
    ));
    let pictures = orientations::pictures(weights, filters);
    let tiles = |rows: ArrayView2<'_, f64>, columns: usize| {
        let layout = TileLayout::new(SIDE, SIDE, columns);
        let rows = rows.mapv(|value| value as f32);
        image_grid::filters(rows.view(), TileAxis::Rows, layout, Scaling::PerTile)
    };
    let caption =
        "Units of the second layer: sums of the filters they are excited by most, times their weights.";
    report.picture("layer2-features", caption, &tiles(pictures.view(), 20)?)?;
    let mut apart = Array2::zeros((0, SIDE * SIDE));
    for unit in 0..weights.ncols().min(TAKEN_APART) {
        let mut strip = Array2::zeros((1 + PARTS, SIDE * SIDE));
        strip.row_mut(0).assign(&pictures.row(unit));
        for (part, filter) in
            orientations::strongest(weights.column(unit)).into_iter().take(PARTS).enumerate()
        {
            strip.row_mut(1 + part).assign(&filters.row(filter));
        }
        apart = concatenate![Axis(0), apart, strip];
    }
    let caption = format!(
        "Units of the second layer, each followed by the {PARTS} filters of largest weight; grey where it has fewer."
    );
    report.picture("layer2-parts", caption, &tiles(apart.view(), 4 * (1 + PARTS))?)?;
    Ok(())
}
