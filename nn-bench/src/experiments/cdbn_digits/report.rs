//! What the experiment says of itself and of what it found.

use super::classification::{BORDER, FEATURES, Found, SMALL, WINDOWS};
use super::{HIDDEN_BIAS, Layer, Recipe, VISIBLE_BIAS};
use crate::linear_classifier::Classified;
use crate::report::{Axes, short_number};
use crate::run::Run;
use crate::run_error::RunError;

/// Errors of the publication by number of labels, in percent: two layers and a support vector machine.
const PUBLISHED: [(usize, f64); 4] = [(1000, 2.62), (2000, 2.13), (3000, 1.91), (5000, 1.59)];

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Lee, Grosse, Ranganath and Ng (2009) trained two convolutional restricted Boltzmann machines with \
         probabilistic max-pooling on digits without labels, and a support vector machine on the activations of both \
         layers with few labels.",
    );
    report.reproduces(
        "Here the classifier is a softmax with weight decay, chosen on a fifth of the labelled digits, on the \
         probabilities of the pooling units: their means over windows, all maps at a position divided by their common \
         length, standardised layer by layer. The number and size of filters and the \
         schedule of learning are ours: the publication gives them in part only.",
    );
    for (number, layer) in recipe.layers.iter().enumerate() {
        let Layer { filter, maps, epochs, rate, sparsity: [target, cost] } = layer;
        let value = format!(
            "{maps} filters of {filter}×{filter}, blocks of 2×2; CD-1, {epochs} epochs, rate {rate} falling to a \
             tenth, sparsity {target} with cost {cost}"
        );
        report.setting(format!("layer {}", number + 1), value);
    }
    report.setting("digits without labels", recipe.unlabelled);
    report.setting("first biases", format!("hidden {HIDDEN_BIAS}, visible {VISIBLE_BIAS}"));
    report.setting("minibatch", recipe.batch);
    report.setting("tested digits", recipe.tests);
    let classifier = &recipe.classifier;
    for (layer, windows) in WINDOWS.iter().enumerate() {
        let sizes: Vec<String> =
            windows.iter().map(|[side, step]| format!("{side}×{side} with step {step}")).collect();
        report.setting(format!("windows over layer {}", layer + 1), sizes.join(", "));
    }
    report.setting("blank pixels around a digit to classify", BORDER);
    report.setting("length at a position", format!("√(sum of squares over the maps + {SMALL})"));
    report.setting("decays to choose from", format!("{:?}", classifier.decays));
    report.setting("epochs of the classifier", classifier.epochs);
}

pub(super) fn report(run: &mut Run, recipe: &Recipe, found: &Found) -> Result<(), RunError> {
    let report = &mut run.report;
    let (mut rows, mut curves) = (Vec::new(), vec![Vec::new(); FEATURES.len()]);
    for (labels, errors) in found {
        for (((metric, _), error), curve) in FEATURES.iter().zip(errors).zip(&mut curves) {
            report.metric(format!("{metric}_{labels}_labels_test_error_percent"), error.test_error)?;
            curve.push((*labels as f64, error.test_error));
        }
        let cell = |error: &Classified| format!("{} (decay {})", short_number(error.test_error), error.decay);
        rows.push(std::iter::once(labels.to_string()).chain(errors.iter().map(cell)).collect());
    }
    let headers: Vec<&str> =
        std::iter::once("labels").chain(FEATURES.iter().map(|(_, name)| *name)).collect();
    report.table("Test error in %", &headers, rows)?;
    let curves: Vec<_> = FEATURES.iter().map(|(_, name)| *name).zip(curves).collect();
    let axes = Axes { log_x: true };
    report.curve_on(axes, "Test error of a linear classifier", "labels", "% of the test digits", &curves)?;
    let full = recipe.digits == crate::digits::DigitSet::Full;
    for (labels, value) in PUBLISHED {
        let ours =
            found.iter().find(|(count, _)| *count == labels && full).map(|(_, errors)| errors[3].test_error);
        let metric = format!("test error with {labels} labels, both layers (%)");
        report.published(metric, value, "Lee, Grosse, Ranganath and Ng, 2009, table 2", false, ours)?;
    }
    Ok(())
}
