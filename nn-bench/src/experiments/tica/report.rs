//! What a run says of its settings, and what it found.

use std::f64::consts::PI;

use nn_sparse::topography::Smoothness;
use nn_sparse::{Answer, Cell};

use super::Recipe;
use super::learning::Course;
use super::map::{Analysed, KNOWN, Map, PROPERTIES, median};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::RunError;

/// Units whose answers are drawn.
const DRAWN: usize = 3;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    run.report.reproduces(
        "Hyvärinen, Hoyer and Inki, “Topographic independent component analysis” (2001), and chapter 11 of Hyvärinen, \
         Hurri and Hoyer, “Natural Image Statistics” (2009): if independent components of natural patches are arranged \
         so that neighbours are active together, orientation and frequency change smoothly along the map while phases \
         do not, and a pool of neighbours answers to a grating whatever its phase, as complex cells of the visual \
         cortex do. Claimed are pictures and tuning curves; the figures against shuffles are ours.",
    );
    let [height, width] = recipe.grid;
    let pool = 2 * recipe.radius + 1;
    run.report.setting("map", format!("torus of {height} × {width} units, pools of {pool} × {pool}"));
    run.report
        .setting("patches", format!("{} of {side} × {side} pixels", recipe.patches, side = recipe.side));
    run.report.setting("whitening", format!("means removed, {} principal components", recipe.units()));
    run.report.setting("steps", recipe.steps);
}

pub(super) fn report(
    run: &mut Run,
    map: &Map<'_>,
    maps: &[Analysed; 2],
    [topographic, plain]: [&Course; 2],
    [white, smooth]: [f64; 2],
) -> Result<(), RunError> {
    for analysed in maps {
        metrics(run, analysed)?;
        picture(run, map.recipe, analysed)?;
    }
    run.report.metric("objective", topographic.figures.last().copied().unwrap_or(f64::NAN))?;
    run.report.metric("noise_gabor_share_white", white)?;
    run.report.metric("noise_gabor_share_smooth", smooth)?;
    smoothness_table(run, maps)?;
    figures_table(run, maps)?;
    let over_steps = |course: &Course| -> Vec<(f64, f64)> {
        course.figures.iter().enumerate().map(|(step, figure)| (step as f64 + 1.0, *figure)).collect()
    };
    run.report.curve(
        "The objective of the map",
        "step",
        "mean Σ √(ε + H y²)",
        &[("TICA", over_steps(topographic))],
    )?;
    answers(run, &maps[0])?;
    let end = |course: &Course| if course.converged { "converged" } else { "did not converge" };
    run.report.note(format!(
        "TICA {} in {} steps, FastICA in {} ({}).",
        end(topographic),
        topographic.figures.len(),
        plain.figures.len(),
        end(plain)
    ));
    run.report.note(format!(
        "Only units that a Gabor function explains with R² above {KNOWN} have a known orientation, frequency and phase. Of \
         white noise {} % do so, of smooth noise {} %.",
        short_number(100.0 * white),
        short_number(100.0 * smooth)
    ));
    run.report.note(
        "F1/F0 of a pool of squares is 0 whatever it pools, since a drifting grating and its negative give one answer. What \
         shows invariance is the modulation over phases, of which a single squared filter has 1. FastICA's units stand in no \
         order: pools of the same form over them are the control.",
    );
    Ok(())
}

fn metrics(run: &mut Run, analysed: &Analysed) -> Result<(), RunError> {
    let prefix = analysed.name.to_lowercase();
    for ((name, ..), found) in PROPERTIES.iter().zip(&analysed.smoothness) {
        if let Some(found) = found {
            run.report.metric(format!("{prefix}_{name}_z"), found.z)?;
        }
    }
    if let Some(Some(orientation)) = analysed.smoothness.first() {
        run.report.metric(format!("{prefix}_orientation_difference"), orientation.neighbors)?;
    }
    let mut figure = |name: &str, value: f64| run.report.metric(format!("{prefix}_{name}"), value);
    figure("energy_correlation_neighbours", analysed.energies.neighbors)?;
    figure("energy_correlation_all", analysed.energies.all)?;
    figure("gabor_share", analysed.share_above(KNOWN))?;
    figure("kurtosis_median", median(analysed.kurtosis.to_vec()))?;
    figure("simple_f1_f0", analysed.median_answer(Cell::Simple, |answer| answer.f1_f0))?;
    figure("squared_modulation", analysed.median_answer(Cell::Squared, |answer| answer.modulation))?;
    figure("pool_modulation", analysed.median_answer(Cell::Pool, |answer| answer.modulation))?;
    Ok(())
}

fn picture(run: &mut Run, recipe: &Recipe, analysed: &Analysed) -> Result<(), RunError> {
    let layout = TileLayout::new(recipe.side, recipe.side, recipe.grid[1]).zoom(3);
    let picture = image_grid::filters(analysed.features.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let (stem, caption) = match analysed.name {
        "TICA" => (
            "map",
            "The map: the patches that the units stand for, each where its unit is. The left edge goes on at the right one, the \
             upper at the lower.",
        ),
        _ => ("plain", "The same of FastICA, which has no map: units in the order in which they came out."),
    };
    run.report.picture(stem, caption, &picture)?;
    Ok(())
}

fn smoothness_table(run: &mut Run, maps: &[Analysed; 2]) -> Result<(), RunError> {
    let row = |analysed: &Analysed, label: &str, found: &Option<Smoothness>| {
        let mut cells = vec![analysed.name.to_string(), label.to_string()];
        match found {
            Some(Smoothness { neighbors, shuffled, deviation, z }) => cells.extend([
                format!("{neighbors:.3}"),
                format!("{shuffled:.3} ± {deviation:.3}"),
                format!("{z:.1}"),
            ]),
            None => cells.extend(["–".to_string(), "–".to_string(), "too few units known".to_string()]),
        }
        cells
    };
    let rows = maps.iter().flat_map(|analysed| {
        PROPERTIES.iter().zip(&analysed.smoothness).map(|((_, label, _), found)| row(analysed, label, found))
    });
    let headers = ["model", "difference in", "neighbours", "shuffled", "z"];
    let rows = rows.collect();
    run.report.table("How much neighbours differ, against units in any order", &headers, rows)?;
    Ok(())
}

fn figures_table(run: &mut Run, maps: &[Analysed; 2]) -> Result<(), RunError> {
    let row = |name: &str, of: &dyn Fn(&Analysed) -> f64| {
        let mut cells = vec![name.to_string()];
        cells.extend(maps.iter().map(|analysed| format!("{:.3}", of(analysed))));
        cells
    };
    let rows = vec![
        row("correlation of energies, neighbours", &|a| a.energies.neighbors),
        row("correlation of energies, all pairs", &|a| a.energies.all),
        row("share with a Gabor function of R² above 0.7", &|a| a.share_above(KNOWN)),
        row("share with a Gabor function of R² above 0.8", &|a| a.share_above(0.8)),
        row("kurtosis, least", &|a| a.kurtosis.iter().copied().fold(f64::INFINITY, f64::min)),
        row("kurtosis, median", &|a| median(a.kurtosis.to_vec())),
        row("F1/F0 of simple units, median", &|a| a.median_answer(Cell::Simple, |answer| answer.f1_f0)),
        row("modulation over phases of one squared unit, median", &|a| {
            a.median_answer(Cell::Squared, |answer| answer.modulation)
        }),
        row("modulation over phases of a pool, median", &|a| {
            a.median_answer(Cell::Pool, |answer| answer.modulation)
        }),
    ];
    run.report.table("Units and pools", &["", "TICA", "FastICA"], rows)?;
    Ok(())
}

/// Answers of the best-fitted unit, of the unit fitted second best, and so on, and of the pools around them.
fn answers(run: &mut Run, analysed: &Analysed) -> Result<(), RunError> {
    let mut order: Vec<usize> = (0..analysed.fits.len()).collect();
    order.sort_by(|&a, &b| analysed.fits[b].explained.total_cmp(&analysed.fits[a].explained));
    let chosen: Vec<usize> = order.into_iter().take(DRAWN).collect();
    let asked = |cell: fn(usize) -> Cell| -> Vec<Answer> {
        chosen.iter().map(|&unit| analysed.tuning.answer(cell(unit))).collect()
    };
    let relative = |values: &[f64]| -> Vec<f64> {
        let largest = values.iter().copied().fold(0.0, f64::max);
        values.iter().map(|value| if largest > 0.0 { value / largest } else { 0.0 }).collect()
    };
    let mut phases = Vec::new();
    for (kind, answers) in [("unit", asked(Cell::Squared)), ("pool", asked(Cell::Pool))] {
        for (unit, answer) in chosen.iter().zip(&answers) {
            let values = relative(&answer.over_phases);
            let step = 360.0 / values.len() as f64;
            let points =
                values.into_iter().enumerate().map(|(at, value)| (at as f64 * step, value)).collect();
            phases.push((format!("{kind} {}", unit + 1), points));
        }
    }
    let phases: Vec<(&str, Vec<(f64, f64)>)> =
        phases.iter().map(|(name, points): &(String, Vec<_>)| (name.as_str(), points.clone())).collect();
    let title = "Answers to the best grating as it drifts by: single squared units and pools around them";
    run.report.curve(title, "phase (degrees)", "share of the largest answer", &phases)?;
    let directions = analysed.tuning.orientations();
    let curves: Vec<(String, Vec<(f64, f64)>)> = chosen
        .iter()
        .zip(asked(Cell::Pool))
        .map(|(unit, answer)| {
            let values = relative(&answer.over_orientations);
            let degrees = directions.iter().map(|direction| direction * 180.0 / PI);
            (format!("pool {}", unit + 1), degrees.zip(values).collect())
        })
        .collect();
    let curves: Vec<(&str, Vec<(f64, f64)>)> =
        curves.iter().map(|(name, points)| (name.as_str(), points.clone())).collect();
    let title = "Answers of pools to gratings of all orientations";
    run.report.curve(title, "orientation (degrees)", "share of the largest answer", &curves)?;
    Ok(())
}
