//! Answers of cells to gratings beside their predictions: figures, tables, curves.

use super::comparison::{Compared, Pair};
use crate::report::{Group, short_number};
use crate::run::Run;
use crate::run_error::RunError;

/// A prediction whose answers go with those of the cell so well is called good.
const GOOD: f64 = 0.9;
/// R² of a Gabor function that is called a good one.
const FITTED: f64 = 0.8;
/// Cells whose curves are drawn: those with so much of the others' correlations below their own.
const DRAWN: [(f64, &str); 3] = [(0.9, "well"), (0.5, "middling"), (0.1, "badly")];

/// All that was found of simple and of complex cells, the learned ones first.
pub(super) fn report(run: &mut Run, simple: &[Compared; 3], complex: &[Compared; 3]) -> Result<(), RunError> {
    for cells in simple.iter().chain(complex) {
        metrics(run, cells)?;
    }
    if let Some(found) = simple[0].median(|pair| Some(pair.measured.f1_f0)) {
        run.report.metric("simple_f1_f0_median", found)?;
    }
    table(run, "Simple cells against the answers of Gabor functions", simple)?;
    table(run, "Complex cells against the energies of pairs in quadrature", complex)?;
    curves(run, &simple[0], "simple")?;
    curves(run, &complex[0], "complex")?;
    histograms(run, simple, complex)?;
    let half_width = simple[0].median(|pair| simple[0].half_widths(pair)[0]);
    let octaves = simple[0].median(|pair| simple[0].octaves(pair)[0]);
    run.report.published(
        "half width of orientation tuning, median (degrees)",
        20.0,
        "De Valois, Yund and Hepler 1982, cells of the macaque: about 40 degrees from half height to half height",
        false,
        half_width,
    )?;
    run.report.published(
        "width of frequency tuning, median (octaves)",
        1.4,
        "De Valois, Albrecht and Thorell 1982, cells of the macaque",
        false,
        octaves,
    )?;
    run.report.note(
        "F1/F0 of any linear filter that is rectified is π/2, and that of any pool of squares 0, since a grating and its negative \
         give one answer: the criterion of 1 tells the models apart, not whether they are good. What shows invariance is the \
         modulation over phases, which is 1 of a single squared filter and 0 of a pair in quadrature.",
    );
    run.report.note(
        "The prediction of another cell is the control of what all cells share. Noise has a Gabor function of its own, too, \
         and where that fits badly the answers are predicted badly.",
    );
    Ok(())
}

fn metrics(run: &mut Run, cells: &Compared) -> Result<(), RunError> {
    let mut figure = |name: &str, value: Option<f64>| match value {
        Some(value) => run.report.metric(format!("{}_{name}", cells.metric), value),
        None => Ok(()),
    };
    figure("gabor_share", Some(cells.share(|pair| pair.fit.explained > FITTED)))?;
    figure("prediction_median", cells.median(|pair| Some(pair.correlation)))?;
    figure("prediction_good_share", Some(cells.share(|pair| pair.correlation > GOOD)))?;
    figure("prediction_of_another_median", cells.median(|pair| Some(pair.of_another)))?;
    figure("turned_degrees_median", cells.median(|pair| Some(pair.turned())))?;
    figure("half_width_degrees_median", cells.median(|pair| cells.half_widths(pair)[0]))?;
    figure("octaves_median", cells.median(|pair| cells.octaves(pair)[0]))?;
    figure("modulation_median", cells.median(|pair| Some(pair.measured.modulation)))?;
    Ok(())
}

fn table(run: &mut Run, title: &str, kinds: &[Compared; 3]) -> Result<(), RunError> {
    // Sums over phases that should be 0 are so but for rounding.
    let rounded = |value: f64| if value.abs() < 1e-9 { 0.0 } else { value };
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_string(), |v| short_number(rounded(v)));
    let share = |value: f64| format!("{:.0} %", 100.0 * value);
    let row = |name: &str, of: &dyn Fn(&Compared) -> String| {
        std::iter::once(name.to_string()).chain(kinds.iter().map(of)).collect::<Vec<String>>()
    };
    let both = |of: &dyn Fn(usize) -> Option<f64>| format!("{} / {}", shown(of(0)), shown(of(1)));
    let rows = vec![
        row("cells", &|cells| cells.pairs.len().to_string()),
        row("R² of the Gabor function above 0.8", &|cells| {
            share(cells.share(|pair| pair.fit.explained > FITTED))
        }),
        row("correlation of answers and prediction, median", &|cells| {
            shown(cells.median(|pair| Some(pair.correlation)))
        }),
        row("above 0.9", &|cells| share(cells.share(|pair| pair.correlation > GOOD))),
        row("the same with the prediction of another cell, median", &|cells| {
            shown(cells.median(|pair| Some(pair.of_another)))
        }),
        row("best orientation off the predicted one, median (degrees)", &|cells| {
            shown(cells.median(|pair| Some(pair.turned())))
        }),
        row("best frequency off the predicted one, median (octaves)", &|cells| {
            shown(cells.median(Pair::shifted))
        }),
        row("half width over orientations, found / predicted, median (degrees)", &|cells| {
            both(&|side| cells.median(|pair| cells.half_widths(pair)[side]))
        }),
        row("width over frequencies, found / predicted, median (octaves)", &|cells| {
            both(&|side| cells.median(|pair| cells.octaves(pair)[side]))
        }),
        row("F1/F0, found / predicted, median", &|cells| {
            let of = |pair: &Pair| [pair.measured.f1_f0, pair.predicted.f1_f0];
            both(&|side| cells.median(|pair| Some(of(pair)[side])))
        }),
        row("modulation over phases, found / predicted, median", &|cells| {
            let of = |pair: &Pair| [pair.measured.modulation, pair.predicted.modulation];
            both(&|side| cells.median(|pair| Some(of(pair)[side])))
        }),
    ];
    let headers: Vec<&str> = std::iter::once("").chain(kinds.iter().map(|cells| cells.name)).collect();
    run.report.table(title, &headers, rows)?;
    Ok(())
}

/// Answers of a cell that is predicted well, of one in the middle, of one that is predicted badly, with their predictions.
fn curves(run: &mut Run, cells: &Compared, what: &str) -> Result<(), RunError> {
    let mut order: Vec<usize> = (0..cells.pairs.len()).collect();
    order.sort_by(|&a, &b| cells.pairs[a].correlation.total_cmp(&cells.pairs[b].correlation));
    let chosen = DRAWN.map(|(share, how)| {
        let rank = (share * (order.len() - 1) as f64).round() as usize;
        (&cells.pairs[order[rank]], how)
    });
    type Curve = Vec<(f64, f64)>;
    let relative = |at: &[f64], answers: &[f64]| -> Curve {
        let largest = answers.iter().copied().fold(0.0, f64::max);
        let share = |answer: f64| if largest > 0.0 { answer / largest } else { 0.0 };
        at.iter().zip(answers).map(|(at, answer)| (*at, share(*answer))).collect()
    };
    let degrees: Vec<f64> = cells.orientations.iter().map(|angle| angle.to_degrees()).collect();
    let octaves: Vec<f64> = cells.frequencies.iter().map(|frequency| frequency.log2()).collect();
    let phases = |answer: &nn_sparse::Answer| -> Vec<f64> {
        let count = answer.over_phases.len();
        (0..count).map(|at| 360.0 * at as f64 / count as f64).collect()
    };
    type Of<'a> = &'a dyn Fn(&nn_sparse::Answer) -> Curve;
    let mut draw = |over: &str, axis: &str, of: Of<'_>| {
        let series: Vec<(String, Curve)> = chosen
            .iter()
            .flat_map(|(pair, how)| {
                let found = (format!("cell predicted {how}"), of(&pair.measured));
                [found, (format!("its prediction ({how})"), of(&pair.predicted))]
            })
            .collect();
        let series: Vec<(&str, Curve)> =
            series.iter().map(|(name, curve)| (name.as_str(), curve.clone())).collect();
        let title = format!("Answers of {what} cells over {over}");
        run.report.curve(&title, axis, "share of the largest answer", &series)
    };
    draw("orientations, at the best frequency", "orientation (degrees)", &|answer| {
        relative(&degrees, &answer.over_orientations)
    })?;
    draw("frequencies, at the best orientation", "log₂ of cycles a pixel", &|answer| {
        relative(&octaves, &answer.over_frequencies)
    })?;
    draw("phases of the best grating", "phase (degrees)", &|answer| {
        relative(&phases(answer), &answer.over_phases)
    })?;
    Ok(())
}

fn histograms(run: &mut Run, simple: &[Compared; 3], complex: &[Compared; 3]) -> Result<(), RunError> {
    type Figures<'a> = (&'a str, Vec<f64>);
    let mut draw = |title: &str, width: f64, bins: usize, decimals: usize, kinds: &[Figures<'_>]| {
        let groups: Vec<Group> = (0..bins)
            .map(|bin| {
                let (low, high) = (bin as f64 * width, (bin + 1) as f64 * width);
                let share = |values: &[f64]| {
                    let inside =
                        |value: &&f64| (**value >= low || bin == 0) && (**value < high || bin + 1 == bins);
                    100.0 * values.iter().filter(inside).count() as f64 / values.len().max(1) as f64
                };
                let values = kinds.iter().map(|(_, values)| Some(share(values).into())).collect();
                Group { name: format!("{low:.decimals$} to {high:.decimals$}"), values }
            })
            .collect();
        let series: Vec<String> = kinds.iter().map(|(name, _)| (*name).to_string()).collect();
        run.report.bars(title, "% of the cells", &series, &groups)
    };
    let half_widths = |cells: &Compared| -> Vec<f64> {
        cells.pairs.iter().filter_map(|pair| cells.half_widths(pair)[0]).collect()
    };
    let kinds = [
        ("simple, FastICA", half_widths(&simple[0])),
        ("complex, subspaces", half_widths(&complex[0])),
        ("filters of smooth noise", half_widths(&simple[2])),
    ];
    draw("Half widths of tuning to orientation (degrees)", 10.0, 6, 0, &kinds)?;
    let modulations =
        |cells: &Compared| -> Vec<f64> { cells.pairs.iter().map(|pair| pair.measured.modulation).collect() };
    let kinds = [
        ("complex, subspaces", modulations(&complex[0])),
        ("FastICA in any groups", modulations(&complex[1])),
        ("groups of smooth noise", modulations(&complex[2])),
    ];
    draw("Modulation of complex cells over phases", 0.1, 10, 1, &kinds)?;
    Ok(())
}
