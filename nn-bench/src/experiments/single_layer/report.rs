//! What a run says of its settings, and what it found.

use ndarray::{Axis, Slice};
use nn_core::Key;

use super::filters::{LAMBDA, TARGET};
use super::results::Results;
use super::{COST, Code, Method, OFFSET, Prepared, Recipe, SIDE, Source, codes};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::{Bar, Group};
use crate::run::Run;
use crate::run_error::RunError;

/// Centroids that are shown.
const SHOWN: usize = 200;

/// Percent right of CIFAR-10 by Coates, Lee and Ng, 2011, with 1,600 features; the method of the full profile that is
/// like it, if there is one.
const PUBLISHED: [(&str, f64, Option<Method>); 4] = [
    ("k-means, triangle code", 77.9, Some(codes(Source::KMeans, Code::Triangle, 1600))),
    ("k-means, hard code", 68.6, None),
    ("sparse autoencoder", 73.4, None),
    ("sparse restricted Boltzmann machine", 72.4, None),
];

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Coates, Lee and Ng (An analysis of single-layer networks in unsupervised feature learning, 2011) compared ways to \
         learn one layer of features without labels, with all else equal: whitened patches of 6×6 pixels at every position, \
         sums over four quadrants, linear machines with squared hinge losses. k-means with a code that is 0 for about half \
         of the centroids was better than autoencoders and restricted Boltzmann machines.",
    );
    report.reproduces(
        "Here centroids by k-means stand beside atoms of sparse coding, of which a feature is what the product with a patch \
         exceeds λ by, beside the hidden units of a sparse autoencoder and of a sparse Boltzmann machine, and, as controls, \
         beside patches as they were drawn, noise, and pixels without any layer. The constant C of the linear machines is the \
         same for all and is not tuned.",
    );
    if recipe.digits.is_some() {
        report.reproduces(
            "Digits are easier than photographs: most are read right whatever the features are, and few labels make \
             differences visible. Patches come from all training digits, without their labels.",
        );
    } else {
        report.reproduces(
            "Differences from the paper: these images went through JPEG, which left next to nothing in half of the \
             directions of the patches, so that ε of whitening is larger; it was chosen with 12,000 training images, by the \
             error on 5,000 others. With mirror images the features of an image are the means of its own and of its \
             mirror image's, which the paper does not have.",
        );
    }
    report.setting("patches", format!("{} of {SIDE}×{SIDE} pixels", recipe.patches));
    report.setting("contrast", format!("less the mean, divided by √(variance + {OFFSET})"));
    report.setting("whitening", format!("ZCA, ε = {}", recipe.epsilon));
    report.setting("steps of k-means, at most", recipe.k_means_steps);
    report.setting("λ of sparse coding", LAMBDA);
    report.setting("activity of hidden units that is aimed at", TARGET);
    report.setting("epochs of the autoencoder and of the Boltzmann machine", recipe.epochs);
    report.setting("pooling", "sums over four quadrants of all positions");
    report.setting("features", "less the mean, divided by √(variance + 0.01)");
    report.setting(
        "linear machines",
        format!(
            "one a class, ½‖W‖² + {COST} · mean squared hinge, at most {} steps of L-BFGS",
            recipe.svm_steps
        ),
    );
}

pub(super) fn images(run: &mut Run, prepared: &Prepared) {
    run.report.setting("labelled training images", prepared.train.len());
    run.report.setting("test images", prepared.test.len());
}

pub(super) fn report(
    run: &mut Run,
    recipe: &Recipe,
    prepared: &mut Prepared,
    results: &Results,
    key: Key,
) -> Result<(), RunError> {
    let (mut rows, mut groups) = (Vec::new(), Vec::new());
    let count = prepared.test.len() as f64;
    for method in &recipe.methods {
        let Some(found) = results.of(&method.metric()) else { continue };
        run.report.metric(format!("{}_test_error_percent", method.metric()), found.test_error)?;
        run.report.metric(format!("{}_training_error_percent", method.metric()), found.train_error)?;
        let error = (found.test_error * (100.0 - found.test_error) / count).sqrt();
        rows.push(vec![
            method.name(),
            found.features.to_string(),
            format!("{:.2} ± {error:.2}", found.test_error),
            format!("{:.2}", found.train_error),
            found.steps.to_string(),
        ]);
        groups
            .push(Group { name: method.name(), values: vec![Some(Bar { value: found.test_error, error })] });
    }
    let headers = ["features", "number", "test error (%)", "training error (%)", "steps of L-BFGS"];
    run.report.table("Errors; ± is the standard error that so many test images leave", &headers, rows)?;
    run.report.bars("Test error", "% of the test images", &["test error".to_string()], &groups)?;
    for (name, right, method) in PUBLISHED {
        let ours = method.filter(|_| recipe.digits.is_none()).and_then(|method| results.of(&method.metric()));
        let metric = format!("right on CIFAR-10, 1,600 features, {name} (%)");
        let source = "Coates, Lee and Ng, 2011, table of results";
        run.report.published(metric, right, source, false, ours.map(|found| 100.0 - found.test_error))?;
    }
    pictures(run, recipe, prepared, key)
}

/// The first filters of the first method.
fn pictures(run: &mut Run, recipe: &Recipe, prepared: &mut Prepared, key: Key) -> Result<(), RunError> {
    let Some(&Method::Codes { source, count, .. }) = recipe.methods.first() else { return Ok(()) };
    let centroids = prepared.filters(run, recipe, source, count, key)?.directions;
    let shown = SHOWN.min(centroids.nrows());
    let centroids = centroids.slice_axis(Axis(0), Slice::from(..shown)).mapv(|value| value as f32);
    let layout = TileLayout::new(SIDE, SIDE, 20).zoom(5);
    let caption = "Centroids by k-means of whitened patches; grey is 0.";
    if prepared.train.channels() == 3 {
        let picture = image_grid::colour_filters(centroids.view(), TileAxis::Rows, layout)?;
        run.report.picture("centroids", caption, &picture)?;
    } else {
        let picture = image_grid::filters(centroids.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
        run.report.picture("centroids", caption, &picture)?;
    }
    Ok(())
}
