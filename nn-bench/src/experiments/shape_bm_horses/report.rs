//! What a run says of its settings, and what it found.

use ndarray::{Array2, ArrayView2, Axis};
use nn_core::{Key, Sgd};
use nn_rbm::dbm::DbmLearner;
use nn_rbm::shape::{self, Nearest, nearest};

use super::imputing::{GRID, Outcome};
use super::shapes::Shapes;
use super::{BATCH, MODEL_CHAINS, ROUNDS, Recipe};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Imputation scores of the paper, horses.
const PUBLISHED: [(&str, f64); 4] =
    [("shape_bm", -28.90), ("rbm", -47.00), ("factor_analysis", -40.82), ("mean", -50.72)];

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Eslami, Heess and Winn (The Shape Boltzmann Machine, 2012) trained a deep Boltzmann machine of binary images whose \
         first hidden layer sees four overlapping patches by the same weights: few parameters, so that some hundred shapes \
         suffice. Its samples look like the shapes it learned from without being copies, and regions that are hidden get a \
         higher probability than by a restricted machine, factor analysis or the mean shape.",
    );
    report.reproduces(
        "Pixels have a bias each, and units at the same place of all patches share theirs. The imputation score is the \
         mean of log p(region | rest of the shape) over the test shapes and a grid of regions, here three by three of a \
         ninth of the image; the paper's grid, division of the shapes and scaling were not at hand, so that its scores \
         stand beside ours but do not compare digit by digit. p(region | rest) is the mean over states of clamped Gibbs \
         chains of the product over pixels given the hidden units. Factor analysis and the mean shape give real values: \
         they are taken as probabilities of independent pixels, cut off at the margin from 0 and 1 that suits the training \
         shapes best. The restricted machine has as many parameters as the shape machine.",
    );
    let [first, second, both] = recipe.epochs;
    let imputation = recipe.imputation;
    for (name, value) in [
        ("overlap of patches (pixels)", recipe.overlap.to_string()),
        ("hidden units", format!("4 × {} and {}", recipe.hidden[0], recipe.hidden[1])),
        ("epochs of the first layer, the second, both", format!("{first}, {second}, {both}")),
        ("epochs of the restricted machine", recipe.rbm_epochs.to_string()),
        (
            "rates of single layers and of both, falling linearly to 0",
            format!("{} and {}", recipe.rates[0], recipe.rates[1]),
        ),
        ("momentum", "0.5".to_string()),
        ("weight decay (L2)", recipe.decay.to_string()),
        ("minibatch", BATCH.to_string()),
        ("chains of the model", MODEL_CHAINS.to_string()),
        ("factors", recipe.factors.to_string()),
        ("rounds of factor analysis", ROUNDS.to_string()),
        (
            "chains, sweeps before, states of each for imputation",
            format!("{}, {}, {}", imputation.chains, imputation.burn_in, imputation.samples),
        ),
        ("regions", format!("{} × {}", GRID[0], GRID[1])),
    ] {
        report.setting(name, value);
    }
}

pub(super) fn imputation(run: &mut Run, shapes: &Shapes, outcomes: &[Outcome]) -> Result<(), RunError> {
    let doing = "showing completions";
    let masks = shape::regions(shapes.side, shapes.side, GRID).while_doing(doing)?;
    let mut rows = Vec::new();
    for outcome in outcomes {
        let (score, lead) = (outcome.score(), outcomes[0].above(outcome));
        let wrong = 100.0 * outcome.wrong(shapes.test.view(), &masks);
        run.report.metric(format!("{}_imputation_score", outcome.metric), score.mean)?;
        run.report
            .metric(format!("{}_imputation_score_standard_error", outcome.metric), score.standard_error)?;
        run.report.metric(format!("{}_wrong_pixels_percent", outcome.metric), wrong)?;
        let ahead = if outcome.metric == outcomes[0].metric { "–".to_string() } else { lead.to_string() };
        rows.push(vec![outcome.name.to_string(), score.to_string(), ahead, short_number(wrong)]);
    }
    let headers =
        ["model", "imputation score (nats)", "shape machine is better by", "hidden pixels wrong (%)"];
    run.report.table("Hidden regions of the test shapes", &headers, rows)?;
    for (metric, value) in PUBLISHED {
        let own = outcomes.iter().find(|outcome| outcome.metric == metric);
        let ours = own.filter(|_| shapes.horses).map(|outcome| outcome.score().mean);
        let name = own.map_or(metric, |outcome| outcome.name);
        let source = "Eslami, Heess and Winn, 2012, table of scores; another grid and division of the shapes";
        run.report.published(
            format!("imputation score of horses, {name} (nats)"),
            value,
            source,
            false,
            ours,
        )?;
    }
    // The region in the middle of the lower edge, and that in the upper left corner.
    for (stem, region, where_) in [
        ("completions-below", 7, "in the middle of the lower edge"),
        ("completions-corner", 0, "in the corner"),
    ] {
        let mask = masks.row(region).insert_axis(Axis(0));
        let occluded = &shapes.test * &mask + 0.5 * (1.0 - &mask);
        let mut strips = vec![shapes.test.view(), occluded.view()];
        strips.extend(outcomes.iter().map(|outcome| outcome.completed[region].view()));
        let layout = TileLayout::new(shapes.side, shapes.side, shapes.test.nrows());
        let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.name).collect();
        let caption = format!(
            "Test shapes; without the region {where_}; its pixels as filled in by: {}.",
            names.join(", ")
        );
        run.report.picture(stem, caption, &image_grid::comparison(&strips, layout)?)?;
    }
    Ok(())
}

/// What the chains of training draw after more sweeps, and what of the training shapes is nearest.
pub(super) fn samples(
    run: &mut Run,
    recipe: &Recipe,
    shapes: &Shapes,
    mut learner: DbmLearner<Sgd>,
    key: Key,
) -> Result<(), RunError> {
    let (doing, side) = ("drawing samples", shapes.side);
    let timer = run.phase(doing);
    learner.chains.gibbs(&learner.dbm, recipe.settle, key);
    let means = learner.chains.mean_visible(&learner.dbm).to_array().while_doing(doing)?;
    let states = learner.chains.states()[0].to_array().while_doing(doing)?;
    drop(timer);
    let likeliest = means.mapv(|mean| f32::from(u8::from(mean > 0.5)));
    let near = nearest(likeliest.view(), shapes.train.view());
    let rows: Vec<usize> = near.iter().map(|near| near.shape).collect();
    let neighbours = shapes.train.select(Axis(0), &rows);
    let picture = image_grid::comparison(
        &[means.view(), states.view(), neighbours.view()],
        TileLayout::new(side, side, 16),
    )?;
    let caption = "What the machine draws: probabilities of pixels, pixels, and of each sample the training shape that is \
                   nearest to its more probable pixels.";
    run.report.picture("samples", caption, &picture)?;
    let shown: Vec<usize> = (0..32.min(shapes.train.nrows())).collect();
    let picture =
        image_grid::samples(shapes.train.select(Axis(0), &shown).view(), TileLayout::new(side, side, 16))?;
    run.report.picture("training-shapes", "The first training shapes.", &picture)?;

    let of_test = nearest(shapes.test.view(), shapes.train.view());
    for (metric, distances) in [("samples", mean(&near)), ("test_shapes", mean(&of_test))] {
        run.report.metric(format!("{metric}_distance_to_training_shapes"), distances)?;
    }
    let different = rows.iter().collect::<std::collections::HashSet<_>>().len();
    run.report.metric("different_nearest_training_shapes", different as f64)?;
    run.report.metric("samples_pairwise_distance", apart(likeliest.view()))?;
    run.report.metric("training_shapes_pairwise_distance", apart(shapes.train.view()))?;
    run.report.table(
        "Pixels that differ from the nearest training shape, and from each other, on average",
        &["shapes", "from the nearest training shape", "from each other"],
        vec![
            vec!["samples".to_string(), short_number(mean(&near)), short_number(apart(likeliest.view()))],
            vec![
                "test shapes".to_string(),
                short_number(mean(&of_test)),
                short_number(apart(shapes.test.view())),
            ],
        ],
    )?;
    let weights = learner.dbm.weights()[0].to_array().while_doing("drawing the weights")?;
    let patch = (side + recipe.overlap) / 2;
    let shown = weights.select(Axis(1), &(0..weights.ncols().min(80)).collect::<Vec<_>>());
    let layout = TileLayout::new(patch, patch, 20);
    let picture = image_grid::filters(shown.view(), TileAxis::Columns, layout, Scaling::PerTile)?;
    run.report.picture("weights", "Weights of units of the first layer, shared by all patches.", &picture)?;
    Ok(())
}

fn mean(near: &[Nearest]) -> f64 {
    near.iter().map(|near| near.distance as f64).sum::<f64>() / near.len().max(1) as f64
}

/// Pixels in which two of these differ, on average over pairs.
fn apart(shapes: ArrayView2<'_, f32>) -> f64 {
    let count = shapes.nrows() as f64;
    let on: Array2<f64> = shapes.mapv(f64::from);
    let differing = |sum: f64| 2.0 * sum * (count - sum);
    on.sum_axis(Axis(0)).iter().map(|sum| differing(*sum)).sum::<f64>() / (count * (count - 1.0)).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn pairs_differ_by_hand() {
        let shapes = arr2(&[[1.0f32, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]);
        assert!((apart(shapes.view()) - 4.0 / 3.0).abs() < 1e-12);
    }
}
