//! What a run says of its settings, and what it found.

use std::collections::BTreeMap;

use super::{Cell, KINDS, Recipe, STAGES, filters_word};
use crate::features::Outcome;
use crate::grey_images::GreySet;
use crate::report::{Bar, Group};
use crate::run::Run;
use crate::run_error::RunError;
use crate::seed_mean::SeedMean;

/// A figure of Caltech-101.
struct Published {
    cell: Cell,
    /// Percent right.
    right: f64,
    source: &'static str,
    verified: bool,
}

const fn table(stages: usize, trained: bool, kind: usize, right: f64, verified: bool) -> Published {
    let source = match verified {
        true => "Jarrett and others, 2009, table of results, as a tutorial prints it",
        false => "Jarrett and others, 2009, table of results",
    };
    Published { cell: (stages, trained, kind), right, source, verified }
}

const PUBLISHED: [Published; 18] = [
    Published {
        cell: (2, false, 0),
        right: 63.0,
        source: "Jarrett and others, 2009, abstract: nearly 63 %",
        verified: true,
    },
    Published {
        cell: (1, false, 0),
        right: 53.0,
        source: "Saxe and others, 2011, quoting Jarrett and others",
        verified: true,
    },
    table(2, false, 0, 62.9, true),
    table(2, true, 0, 64.7, true),
    table(2, false, 3, 19.6, true),
    table(2, true, 3, 31.0, true),
    table(1, false, 0, 53.3, true),
    table(1, true, 0, 54.8, true),
    table(2, false, 1, 33.7, false),
    table(2, false, 2, 37.6, false),
    table(2, false, 4, 8.8, false),
    table(2, true, 1, 59.5, false),
    table(2, true, 2, 60.0, false),
    table(2, true, 4, 29.7, false),
    table(1, false, 1, 31.7, false),
    table(1, false, 2, 32.1, false),
    table(1, false, 3, 15.3, false),
    table(1, false, 4, 12.1, false),
];

pub(super) fn describe(run: &mut Run, recipe: &Recipe, classes: usize) {
    let report = &mut run.report;
    report.reproduces(
        "Jarrett, Kavukcuoglu, Ranzato and LeCun (What is the best multi-stage architecture for object recognition?, \
         2009) found that with few labels what follows the filters matters more than the filters. A stage is a bank of \
         filters with tanh and a gain, then perhaps the absolute value (Rabs), perhaps local contrast normalisation (N), \
         then a pool of averages (PA) or maxima (PM). With Rabs-N-PA random filters come close to trained ones; averages \
         of what is not rectified cancel, and little is left of random filters.",
    );
    report.reproduces(
        "Random filters stay as they were drawn: a softmax learns from their features, which are computed once. Trained \
         ones start from the same filters and learn with the softmax by backpropagation, for as many updates. Features \
         are standardised by fixed numbers, their means and one common length for the training images, so that one rate \
         suits all; the paper has no such step. Its training without labels (predictive sparse decomposition) is not \
         part of this experiment.",
    );
    if recipe.set == GreySet::Digits {
        report.reproduces(
            "Digits are easy: even a softmax on pixels reads most of them, and so on averages of responses that keep \
             their sign. Few labels a class make differences visible; a collapse as on photographs is not to be expected.",
        );
    }
    let [first, second] = recipe.stages;
    let sizes = |of: &dyn Fn(&super::Stage) -> String| format!("{}; {}", of(&first), of(&second));
    for (name, value) in [
        ("classes", classes.to_string()),
        ("labelled images of each class", recipe.amounts.of_each_class.to_string()),
        ("seeds (labelled images, filters, order)", recipe.seeds.to_string()),
        (
            "images",
            format!(
                "grey, local contrast normalisation over {0} × {0}, then {1} pixels cut off at each edge",
                recipe.preparation.surround, recipe.preparation.margin
            ),
        ),
        ("filters", sizes(&|stage| format!("{} maps, {1} × {1}", stage.maps, stage.filter))),
        ("maps below that a filter sees", format!("all; 1 / {} of them", second.groups)),
        ("surround of the normalisation", sizes(&|stage| format!("{0} × {0}", stage.surround))),
        ("pools", sizes(&|stage| format!("{0} × {0} at every {1} pixels", stage.pool, stage.step))),
        ("random weights", "normal, variance 1 / weights of a filter".to_string()),
    ] {
        report.setting(name, value);
    }
    recipe.learning.describe(report);
}

fn stages_words(stages: usize) -> &'static str {
    if stages == 1 { "one stage" } else { "two stages" }
}

pub(super) fn report(
    run: &mut Run,
    recipe: &Recipe,
    found: &BTreeMap<Cell, Vec<Outcome>>,
) -> Result<(), RunError> {
    let of = |cell: Cell, value: fn(&Outcome) -> f64| {
        SeedMean::of(&found.get(&cell).into_iter().flatten().map(value).collect::<Vec<_>>())
    };
    let columns = [(1, false), (1, true), (2, false), (2, true)];
    let (mut rows, mut groups) = (Vec::new(), Vec::new());
    for (number, kind) in KINDS.iter().enumerate() {
        let mut row = vec![kind.name.to_string()];
        let mut values = Vec::new();
        for (stages, trained) in columns {
            let test = of((stages, trained, number), |outcome| outcome.test);
            let name = format!("{}_{}_{}", filters_word(trained), STAGES[stages - 1], kind.metric);
            run.report.metric(format!("{name}_error_percent"), test.mean)?;
            run.report.metric(format!("{name}_error_percent_standard_error"), test.standard_error)?;
            row.push(test.to_string());
            values.push(Some(Bar { value: test.mean, error: test.standard_error }));
        }
        for stages in [1, 2] {
            // Of the same labelled images and first filters, seed by seed.
            let both = [false, true].map(|trained| found.get(&(stages, trained, number)));
            let pairs = both[0].into_iter().flatten().zip(both[1].into_iter().flatten());
            let gaps: Vec<f64> = pairs.map(|(random, trained)| random.test - trained.test).collect();
            let gap = SeedMean::of(&gaps);
            let name = format!("{}_{}_random_minus_trained_points", STAGES[stages - 1], kind.metric);
            run.report.metric(name, gap.mean)?;
            row.push(gap.to_string());
        }
        rows.push(row);
        groups.push(Group { name: kind.name.to_string(), values });
    }
    let series = columns
        .map(|(stages, trained)| format!("{} filters, {}", filters_word(trained), stages_words(stages)));
    run.report.bars("Test error and its standard error", "% of the test images", &series, &groups)?;
    let headers = [
        "after the filters",
        "one stage, random",
        "one stage, trained",
        "two stages, random",
        "two stages, trained",
        "one stage, random − trained",
        "two stages, random − trained",
    ];
    let title = format!(
        "Test error in %, mean of {} seeds ± its standard error; differences are of the same seed",
        recipe.seeds
    );
    run.report.table(title, &headers, rows)?;
    let learned: Vec<Vec<String>> = KINDS
        .iter()
        .enumerate()
        .map(|(number, kind)| {
            let of = |(stages, trained)| of((stages, trained, number), |outcome| outcome.train).to_string();
            std::iter::once(kind.name.to_string()).chain(columns.map(of)).collect()
        })
        .collect();
    let title = "Training error in %: where it is far from 0 the softmax has no features to go by";
    run.report.table(title, &headers[..5], learned)?;
    for Published { cell, right, source, verified } in PUBLISHED {
        let ours = of(cell, |outcome| 100.0 - outcome.test).mean;
        let ours = matches!(recipe.set, GreySet::Folder { .. }).then_some(ours);
        let (stages, trained, number) = cell;
        let (stages, word, kind) = (stages_words(stages), filters_word(trained), KINDS[number].name);
        let metric = format!("right on Caltech-101, {stages} of {word} filters, {kind} (%)");
        run.report.published(metric, right, source, verified, ours)?;
    }
    run.report.note(
        "Published figures are of 30 training images of each of 102 classes of Caltech-101. On other images, and with \
         other sizes, the order is to be compared, not the numbers.",
    );
    Ok(())
}
