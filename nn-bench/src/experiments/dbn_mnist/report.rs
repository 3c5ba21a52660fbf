//! What the experiment says of itself and of what it found.

use super::{BATCH, Bound, CLASSES, GREEDY_RATE, PIXELS, Recipe};
use crate::report::{Axes, short_number};
use crate::run::Run;
use crate::run_error::RunError;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Hinton, Osindero and Teh (2006) trained a deep belief network of digits layer by layer, with labels beside the \
         visible units of the topmost machine, and fine-tuned all layers as a generative model by the up-down \
         algorithm. Hinton and Salakhutdinov (2006) made a network of the same layers and fine-tuned it by \
         backpropagation. Here both start at the same greedily trained layers.",
    );
    report.reproduces(
        "Log-probabilities are lower bounds in nats, a mean over test digits whose pixels were drawn once, labels \
         summed out. log Z of the top is estimated by annealed importance sampling from both sides: with the forward \
         estimate the bound errs high, with the reverse one low if its chains are fair samples of the top. Differences \
         from the papers: persistent chains in greedy training, minibatches of 100, fewer epochs.",
    );
    report.reproduces(
        "That each layer raises the bound is provable only where a machine begins as the one below it upside down, which \
         takes layers of fitting sizes: the tower does so. In the network of the papers the second and third machine \
         begin with weights that know nothing, and the bound falls before it rises.",
    );
    let sizes: Vec<String> = recipe.hidden.iter().map(usize::to_string).collect();
    for (name, value) in [
        ("layers", format!("{PIXELS}-{}, {CLASSES} labels at the top", sizes.join("-"))),
        ("epochs of greedy training, layer by layer", format!("{:?}", recipe.greedy_epochs)),
        ("greedy training", format!("PCD-1, {BATCH} chains, rate {GREEDY_RATE} falling to 0, momentum 0.5")),
        ("weight decay of greedy training (L2)", recipe.decay.to_string()),
        ("epochs of the up-down algorithm", recipe.up_down_epochs.to_string()),
        (
            "up-down algorithm",
            format!("CD-3, 6, 10 in its thirds, rate {} falling to 0", recipe.up_down_rate),
        ),
        ("epochs of backpropagation", recipe.backprop_epochs.to_string()),
        ("backpropagation", "pixels drawn each time, rate 0.1 falling to 0, momentum 0.9".to_string()),
        ("tower of machines begun upside down", recipe.tower.described()),
        ("AIS temperatures", recipe.betas.count().to_string()),
    ] {
        report.setting(name, value);
    }
}

/// Of an error over epochs.
type Curve = Vec<(f64, f64)>;

pub(super) fn report(
    run: &mut Run,
    errors: &[(&str, f64)],
    bounds: &[Bound],
    up_down: Curve,
    backprop: Curve,
) -> Result<(), RunError> {
    let report = &mut run.report;
    for ((_, error), name) in errors.iter().zip(["greedy", "up_down", "backprop"]) {
        report.metric(format!("{name}_test_error_percent"), *error)?;
    }
    let (axes, curves) = (Axes { log_x: false }, [("up-down", up_down), ("backpropagation", backprop)]);
    report.curve_on(axes, "Test error of fine-tuning", "epoch", "% of the test digits", &curves)?;
    let rows = errors.iter().map(|(name, error)| vec![name.to_string(), short_number(*error)]).collect();
    report.table("Test error in %", &["after", "error"], rows)?;
    let row =
        |bound: &Bound| vec![bound.name.clone(), short_number(bound.forward), short_number(bound.reverse)];
    let headers = ["network", "with forward AIS", "with reverse AIS"];
    report.table("Lower bound on log p of the test digits", &headers, bounds.iter().map(row).collect())?;
    let full = run.profile == "full";
    let ours = |at: usize| Some(errors[at].1).filter(|_| full);
    let [up_down, greedy] = [ours(1), ours(0)];
    let (teh, science) = ("Hinton, Osindero and Teh, 2006", "Hinton and Salakhutdinov, 2006");
    let report = &mut run.report;
    report.published("test error after the up-down algorithm (%)", 1.25, teh, false, up_down)?;
    report.published("test error after greedy training (%)", 2.49, teh, false, greedy)?;
    report.published("test error after backpropagation (%)", 1.2, science, true, ours(2))?;
    let bound = "lower bound of a 784-500-2000 network without labels (nats)";
    report.published(bound, -85.97, "Salakhutdinov and Murray, 2008", false, None)?;
    Ok(())
}
