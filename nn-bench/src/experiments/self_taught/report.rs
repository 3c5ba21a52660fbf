//! What a run says of its settings, and what it found.

use ndarray::{Array2, Axis, concatenate};
use nn_core::Autoencoder;
use nn_data::Images;

use super::classification::Accuracies;
use super::filters::{Bank, Filtering};
use super::{CLASSES, KINDS, Recipe};
use crate::digits::{DigitSet, SIDE};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Figures;

/// Hidden units in a picture.
const SHOWN: usize = 100;
/// Places of [`KINDS`].
const PIXELS: usize = 0;
const RANDOM_FILTERS: usize = 1;
const RICA: usize = 2;
const RANDOM_UNITS: usize = 3;
const AUTOENCODER: usize = 4;
/// What is learned, and what it has to be better than.
const GAINS: [(usize, usize); 4] =
    [(RICA, PIXELS), (RICA, RANDOM_FILTERS), (AUTOENCODER, PIXELS), (AUTOENCODER, RANDOM_UNITS)];

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Raina, Battle, Lee, Packer and Ng (Self-taught learning: transfer learning from unlabeled data, 2007) learn \
         features from cases without labels that are of none of the classes to be told apart, and find that they help \
         where labels are few. Here digits 5 to 9 have no labels, and a softmax tells digits 0 to 4 apart, as in the \
         exercises of Ng and others.",
    );
    report.reproduces(
        "Two kinds of features are learned: filters of reconstruction ICA (Le and others, 2011), convolved with digits, \
         rectified and pooled; and codes of whole digits by an autoencoder with a target for the mean activity of its \
         units. Beside them stand pixels, and for each kind random features of the same shape and with the same \
         preprocessing: random filters, too, are of white patches, and white is what the digits without labels say it is.",
    );
    let (filtering, encoder, classifier) = (recipe.filtering, recipe.encoder, recipe.classifier);
    for (name, value) in [
        ("patches", format!("{} of {1} × {1} pixels, ZCA, length 1", filtering.patches, filtering.side)),
        ("ε of whitening", filtering.epsilon.to_string()),
        ("filters", filtering.maps.to_string()),
        ("pools", format!("means of absolute values over {0} × {0} pixels", filtering.pool)),
        ("weight of the sparsity λ of reconstruction ICA", filtering.sparsity.to_string()),
        ("ε under its roots", filtering.smoothing.to_string()),
        ("steps of L-BFGS at most", filtering.steps.to_string()),
        ("hidden units of the autoencoder", format!("{}, logistic", encoder.hidden)),
        ("target activity ρ", encoder.target.to_string()),
        ("weight of the divergence β", encoder.weight.to_string()),
        ("weight decay of the autoencoder (L2)", encoder.decay.to_string()),
        ("epochs of the autoencoder", encoder.epochs.to_string()),
        ("minibatch of the autoencoder", encoder.batch.to_string()),
        ("rate of Adam, falling linearly to 0", encoder.rate.to_string()),
        ("updates of the softmax", format!("{} and {} epochs at least", recipe.updates, classifier.epochs)),
        ("rate of the softmax, falling linearly to 0", classifier.rate.to_string()),
        ("weight decay of the softmax, chosen on a fifth of the labels", format!("{:?}", classifier.decays)),
        ("seeds (labelled digits, random features)", recipe.seeds.to_string()),
    ] {
        report.setting(name, value);
    }
}

pub(super) fn describe_digits(run: &mut Run, unlabelled: &Images, train: &Images, test: &Images) {
    for (name, images) in [
        ("digits 5 to 9 without labels", unlabelled),
        ("digits 0 to 4 that can have labels", train),
        ("test digits 0 to 4", test),
    ] {
        run.report.setting(name, images.len());
    }
}

pub(super) fn report(run: &mut Run, recipe: &Recipe, accuracies: &Accuracies) -> Result<(), RunError> {
    let labels: Vec<(String, String)> = recipe.labels.iter().map(|&labels| words(labels)).collect();
    let (mut curves, mut rows) = (Vec::new(), Vec::new());
    for (kind, (metric, name)) in KINDS.into_iter().enumerate() {
        let (mut curve, mut row) = (Vec::new(), vec![name.to_string()]);
        for (number, (label_metric, _)) in labels.iter().enumerate() {
            let right = accuracies.of(number, kind);
            let metric = format!("{metric}_{label_metric}_accuracy_percent");
            run.report.metric(&metric, right.mean)?;
            run.report.metric(format!("{metric}_standard_error"), right.standard_error)?;
            curve.extend(right.with_bar(accuracies.labelled[number] as f64));
            row.push(right.to_string());
        }
        curves.push((name, curve));
        rows.push(row);
    }
    let (x, y) = ("labelled digits of the five classes together", "% of the test digits");
    run.report.curve_on(Axes { log_x: true }, "Right, and its standard error", x, y, &curves)?;
    let mut headers = vec!["features"];
    headers.extend(labels.iter().map(|(_, words)| words.as_str()));
    let seeds = recipe.seeds;
    let title = format!("Right in %, mean of {seeds} seeds ± its standard error");
    run.report.table(title, &headers, rows)?;

    let mut rows = Vec::new();
    for (kind, over) in GAINS {
        let ((metric, name), (over_metric, over_name)) = (KINDS[kind], KINDS[over]);
        let mut row = vec![format!("{name} − {over_name}")];
        for (number, (label_metric, _)) in labels.iter().enumerate() {
            let gain = accuracies.gain(number, kind, over);
            let metric = format!("{metric}_minus_{over_metric}_{label_metric}_points");
            run.report.metric(&metric, gain.mean)?;
            run.report.metric(format!("{metric}_standard_error"), gain.standard_error)?;
            row.push(gain.to_string());
        }
        rows.push(row);
    }
    let title = format!("Differences in points of %, of the same labelled digits, mean of {seeds} seeds");
    run.report.table(title, &headers, rows)?;

    let all = recipe.labels.iter().position(|&labels| labels == usize::MAX);
    let all = all.filter(|_| recipe.digits == DigitSet::Full);
    for (kind, value, source) in [
        (
            AUTOENCODER,
            98.3,
            "solution of the exercise on self-taught learning of the UFLDL tutorial, 200 units",
        ),
        (
            RICA,
            99.0,
            "exercise on self-taught learning of the newer UFLDL tutorial, 32 filters of 9 × 9: about",
        ),
        (RANDOM_FILTERS, 97.5, "the same exercise: about"),
    ] {
        let ours = all.map(|number| accuracies.of(number, kind).mean);
        let metric = format!("digits 0 to 4 of MNIST, all labels, {} (% right)", KINDS[kind].1);
        run.report.published(metric, value, source, true, ours)?;
    }
    run.report.note(
        "Published figures are of all of MNIST: only the profile `full` has figures of ours to set beside them. The \
         tutorials test on half of the training digits 0 to 4, or on the test digits; here it is the test digits.",
    );
    run.report.note(
        "With all labels the seeds differ in random features and in the order of cases alone, and a standard error does \
         not hold what other training digits would change. Pictures and learned features are of one start; over seeds \
         labelled digits and random features are drawn anew.",
    );
    Ok(())
}

/// Of a number of labels: in the names of metrics, and over columns.
fn words(labels: usize) -> (String, String) {
    match labels {
        usize::MAX => ("all".to_string(), "all labels".to_string()),
        labels => (format!("{labels}_per_class"), format!("{labels} × {CLASSES} labels")),
    }
}

pub(super) fn pictures(
    run: &mut Run,
    filtering: Filtering,
    [learned, random]: [&Bank; 2],
    autoencoder: &Autoencoder,
) -> Result<(), RunError> {
    let both = [&learned.filters, &random.filters].map(|filters| filters.mapv(|value| value as f32));
    let tiles: Array2<f32> =
        concatenate(Axis(0), &[both[0].view(), both[1].view()]).while_doing("drawing the filters")?;
    let layout = TileLayout::new(filtering.side, filtering.side, 16).zoom(5);
    let picture = image_grid::filters(tiles.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = "Filters of white patches: of reconstruction ICA above, below them random ones.";
    run.report.picture("filters", caption, &picture)?;

    let weights = autoencoder.encoder.weights.to_array().while_doing("drawing hidden units")?;
    let shown = weights.ncols().min(SHOWN);
    let layout = TileLayout::new(SIDE, SIDE, 20).zoom(2);
    let some = weights.slice_axis(Axis(1), ndarray::Slice::from(..shown));
    let picture = image_grid::filters(some, TileAxis::Columns, layout, Scaling::PerTile)?;
    let caption =
        format!("What {shown} hidden units of the autoencoder look for, learned from digits 5 to 9.");
    run.report.picture("hidden-units", caption, &picture)?;
    Ok(())
}

pub(super) fn course(run: &mut Run, bank: &Bank, figures: &Figures) -> Result<(), RunError> {
    let objective: Vec<(f64, f64)> =
        bank.course.iter().enumerate().map(|(step, value)| (step as f64 + 1.0, *value)).collect();
    run.report.curve("Reconstruction ICA", "step", "objective", &[("filters", objective)])?;
    let loss = figures.curve("loss");
    run.report.curve("Sparse autoencoder", "epoch", "loss", &[("500 digits that it learns from", loss)])?;
    Ok(())
}
