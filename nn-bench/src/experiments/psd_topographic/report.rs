//! What a run says of its settings, and what it found.

use nn_core::Key;
use nn_sparse::topography::Smoothness;

use super::learning::PREDICTOR;
use super::measures::{Analysed, KNOWN, PROPERTIES};
use super::{BATCH, EPSILON, KAPPA, Recipe, TOLERANCES, single};
use crate::gabor_likeness::GaborLikeness;
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::RunError;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    run.report.reproduces(
        "Kavukcuoglu, Ranzato, Fergus and LeCun, “Learning invariant features through topographic filter maps” (2009), after \
         Kavukcuoglu, Ranzato and LeCun, “Fast inference in sparse coding algorithms with applications to object recognition” \
         (2008): a dictionary of natural patches and a function g ⊙ tanh(W·x + b) that predicts codes are learned together. If \
         the penalty is shared by overlapping windows on a torus, atoms become a map on which neighbours are alike but for \
         phase, so that a window answers whatever the phase. Claimed are pictures of maps, and that prediction is more than a \
         hundred times as fast as exact codes at no loss in recognition; the figures against shuffles are ours.",
    );
    let [height, width] = recipe.grid;
    let (side, stride, deviation) = recipe.window;
    run.report.setting(
        "map",
        format!(
            "torus of {height} × {width} atoms; windows of {side} × {side}, {stride} apart, weights a Gaussian of deviation \
             {deviation}"
        ),
    );
    let [training, held_out] = recipe.cases;
    run.report.setting(
        "patches",
        format!(
            "{training} of {0} × {0} pixels, spectrum evened out, pixels of deviation {1}; {held_out} held out",
            recipe.side,
            super::DEVIATION
        ),
    );
    run.report.setting("λ with windows, without", format!("{}, {}", recipe.lambdas[0], recipe.lambdas[1]));
    run.report.setting("κ, ε", format!("{KAPPA}, {EPSILON}"));
    run.report.setting("learning", format!("{} epochs of minibatches of {BATCH}", recipe.epochs));
    run.report.setting(
        "rates of atoms with windows, without; of the predictor",
        format!("{}, {}; {PREDICTOR}; falling to a tenth", recipe.rates[0], recipe.rates[1]),
    );
    run.report.setting("relative gap of codes, learning and measured", format!("{TOLERANCES:?}"));
}

pub(super) fn report(run: &mut Run, recipe: &Recipe, models: &[Analysed], key: Key) -> Result<(), RunError> {
    for model in models {
        metrics(run, model)?;
        pictures(run, recipe, model)?;
    }
    smoothness_table(run, models)?;
    figures_table(run, models)?;
    let timer = run.phase("fitting Gabor functions to noise");
    let of_model = |model: &Analysed| {
        let mut explained: Vec<f64> = model.fits.iter().map(|fit| fit.explained).collect();
        explained.sort_by(|a, b| b.total_cmp(a));
        GaborLikeness { name: format!("{} atoms", model.name), explained }
    };
    let learned: Vec<GaborLikeness> = models.iter().map(of_model).collect();
    let noise = GaborLikeness::controls(recipe.units(), recipe.side, key);
    drop(timer);
    for (noise, name) in noise.iter().zip(["white_noise", "smooth_noise"]) {
        run.report.metric(format!("{name}_gabor_share"), noise.share())?;
    }
    GaborLikeness::compare(run, &learned.iter().chain(&noise).collect::<Vec<_>>())?;
    curves(run, models)?;
    if let Some(topographic) = models.first() {
        let [exact, predicted] = topographic.codes.seconds;
        run.report.published(
            "times as fast as exact codes, prediction (topographic)",
            100.0,
            "“more than 100 times” (Kavukcuoglu, Ranzato and LeCun 2008, arXiv 1010.3467; another solver and machine)",
            true,
            Some(exact / predicted),
        )?;
    }
    run.report.note(format!(
        "Only atoms that a Gabor function explains with R² above {KNOWN} have a known orientation, frequency and phase. Atoms \
         of the plain model stand in no order: neighbours and windows over them are the control."
    ));
    run.report.note(
        "λ of both models cannot be compared, as a share counts in several windows; what patches leave unexplained can. Times \
         are of one thread, codes to the tolerance stated.",
    );
    Ok(())
}

fn metrics(run: &mut Run, model: &Analysed) -> Result<(), RunError> {
    let prefix = model.name;
    for ((name, ..), found) in PROPERTIES.iter().zip(&model.smoothness) {
        if let Some(found) = found {
            run.report.metric(format!("{prefix}_{name}_z"), found.z)?;
        }
    }
    let codes = &model.codes;
    for (name, value) in [
        ("energy", codes.energy),
        ("gabor_share", model.share_above(0.8)),
        ("prediction_error", codes.prediction_error),
        ("left_by_exact_codes", codes.left[0]),
        ("left_by_predicted_codes", codes.left[1]),
        ("energy_correlation_neighbours", model.energies.neighbors),
        ("energy_correlation_all", model.energies.all),
        ("window_modulation", model.modulation),
        ("unconverged", codes.unconverged as f64),
    ] {
        run.report.metric(format!("{prefix}_{name}"), value)?;
    }
    Ok(())
}

fn pictures(run: &mut Run, recipe: &Recipe, model: &Analysed) -> Result<(), RunError> {
    let layout = TileLayout::new(recipe.side, recipe.side, recipe.grid[1]).zoom(3);
    let order = if model.name == "topographic" {
        "each where it is on the map, whose left edge goes on at the right one and the upper at the lower"
    } else {
        "in no order"
    };
    for (what, stem, rows) in [("Atoms", "atoms", &model.atoms), ("Filters W", "filters", &model.filters)] {
        let picture =
            image_grid::filters(single(rows.view()).view(), TileAxis::Rows, layout, Scaling::PerTile)?;
        let caption = format!("{what} of the {} model, {order}.", model.name);
        run.report.picture(&format!("{}-{stem}", model.name), caption, &picture)?;
    }
    Ok(())
}

fn smoothness_table(run: &mut Run, models: &[Analysed]) -> Result<(), RunError> {
    let row = |model: &Analysed, label: &str, found: &Option<Smoothness>| {
        let mut cells = vec![model.name.to_string(), label.to_string()];
        match found {
            Some(Smoothness { neighbors, shuffled, deviation, z }) => cells.extend([
                format!("{neighbors:.3}"),
                format!("{shuffled:.3} ± {deviation:.3}"),
                format!("{z:.1}"),
            ]),
            None => cells.extend(["–".to_string(), "–".to_string(), "too few atoms known".to_string()]),
        }
        cells
    };
    let rows = models.iter().flat_map(|model| {
        PROPERTIES.iter().zip(&model.smoothness).map(|((_, label, _), found)| row(model, label, found))
    });
    let headers = ["model", "difference in", "neighbours", "shuffled", "z"];
    let rows = rows.collect();
    run.report.table("How much neighbours differ, against atoms in any order", &headers, rows)?;
    Ok(())
}

fn figures_table(run: &mut Run, models: &[Analysed]) -> Result<(), RunError> {
    let row = |name: &str, of: &dyn Fn(&Analysed) -> String| {
        std::iter::once(name.to_string()).chain(models.iter().map(of)).collect::<Vec<String>>()
    };
    let number = |value: f64| format!("{value:.3}");
    let microseconds = |seconds: f64| short_number(1e6 * seconds);
    let rows = vec![
        row("mean energy of held-out patches", &|model| number(model.codes.energy)),
        row("prediction error, ‖z − F‖² over ‖z‖²", &|model| {
            number(model.codes.prediction_error)
        }),
        row("left of patches by exact codes", &|model| number(model.codes.left[0])),
        row("left of patches by predicted codes", &|model| number(model.codes.left[1])),
        row("exact codes (µs a patch)", &|model| microseconds(model.codes.seconds[0])),
        row("predicted codes (µs a patch)", &|model| microseconds(model.codes.seconds[1])),
        row("times as fast", &|model| short_number(model.codes.seconds[0] / model.codes.seconds[1])),
        row("largest relative gap", &|model| format!("{:.1e}", model.codes.worst_gap)),
        row("kurtosis of shares, median", &|model| number(model.kurtosis)),
        row("correlation of energies, neighbours", &|model| number(model.energies.neighbors)),
        row("correlation of energies, all pairs", &|model| number(model.energies.all)),
        row("modulation of windows over phases, median", &|model| number(model.modulation)),
        row("atoms with a Gabor function of R² above 0.7", &|model| number(model.share_above(KNOWN))),
    ];
    let headers: Vec<&str> = std::iter::once("").chain(models.iter().map(|model| model.name)).collect();
    run.report.table("Codes, predictions, windows", &headers, rows)?;
    Ok(())
}

fn curves(run: &mut Run, models: &[Analysed]) -> Result<(), RunError> {
    let series = |of: fn(&super::learning::Point) -> f64| -> Vec<(&str, Vec<(f64, f64)>)> {
        models
            .iter()
            .map(|model| {
                (model.name, model.curve.iter().map(|point| (point.update as f64, of(point))).collect())
            })
            .collect()
    };
    let title = "Mean energy of held-out patches while learning";
    run.report.curve(title, "update", "energy", &series(|point| point.held_out))?;
    let title = "How far predictions are from exact codes while learning";
    run.report.curve(title, "update", "‖z − F‖² over ‖z‖²", &series(|point| point.prediction))?;
    Ok(())
}
