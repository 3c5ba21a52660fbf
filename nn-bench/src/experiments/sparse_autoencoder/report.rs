//! What a run says of its settings, and what it found.

use nn_core::latent::{codes, reconstruction_error};
use nn_core::{Dataset, Key};

use super::{Learned, Recipe};
use crate::gabor_likeness::GaborLikeness;
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// A code above this counts as on.
const ON: f32 = 0.1;
/// Filters of noise that are fitted.
const CONTROLS: usize = 100;
/// Patches in the picture of the data.
const SHOWN: usize = 64;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "An autoencoder of natural images that may use all hidden units for every patch learns filters that look like noise: \
         any basis of the same space reconstructs equally well. A penalty on the mean activity of each unit (Ng, Sparse \
         autoencoder, CS294A lecture notes, 2011) makes most units silent for most patches, and their filters become edges \
         at different places and orientations. The notes show this by a picture and give no figure for it.",
    );
    report.reproduces(
        "The notes have 25 hidden units, patches of 8 × 8 pixels, β = 3, ρ = 0.01, a decay of 10⁻⁴ and logistic \
         reconstructions of patches scaled into [0.1, 0.9], by L-BFGS over 10,000 patches. Here reconstructions are linear, \
         training is by Adam on minibatches, and the mean activity is that over the minibatch.",
    );
    let patches = recipe.patches;
    for (name, value) in [
        ("patches", format!("{} of {1} × {1} pixels", patches.count, patches.side)),
        ("whitening of images", format!("f · exp(−(f/f₀)⁴), f₀ = {} cycles a pixel", patches.cutoff)),
        ("values cut off at", format!("{} standard deviations", patches.limit)),
        ("standard deviation of values", patches.deviation.to_string()),
        ("hidden units", format!("{}, logistic; reconstructions linear", recipe.hidden)),
        ("target activity ρ", recipe.target.to_string()),
        ("weight of the divergence β", recipe.weight.to_string()),
        ("weight decay (L2)", recipe.decay.to_string()),
        ("epochs", recipe.epochs.to_string()),
        ("minibatch", recipe.batch.to_string()),
        ("rate of Adam, falling linearly to 0", recipe.rate.to_string()),
    ] {
        report.setting(name, value);
    }
}

pub(super) fn report(
    run: &mut Run,
    recipe: &Recipe,
    test: &Dataset,
    learned: &[Learned],
    key: Key,
) -> Result<(), RunError> {
    let doing = "looking at what was learned";
    let side = recipe.patches.side;
    let layout = TileLayout::new(side, side, 8).zoom(5);
    let shown = test.first(SHOWN.min(test.len())).inputs.to_array().while_doing(doing)?;
    let picture = image_grid::filters(shown.view(), TileAxis::Rows, layout, Scaling::Shared)?;
    run.report.picture("patches", "Patches that were held out, as the autoencoders see them.", &picture)?;
    let inputs = test.inputs().to_array_f64().while_doing(doing)?;
    let power = inputs.mapv(|value| value * value).mean().unwrap_or(f64::NAN);
    let mut rows = Vec::new();
    for Learned { sparse, model, figures, likeness } in learned {
        let (stem, words) = if *sparse { ("sparse", "with") } else { ("plain", "without") };
        let filters = model.encoder.weights.to_array().while_doing(doing)?;
        let picture = image_grid::filters(filters.view(), TileAxis::Columns, layout, Scaling::PerTile)?;
        let caption = format!("What hidden units look for, {words} sparsity, each with its own scale.");
        run.report.picture(&format!("{stem}-filters"), caption, &picture)?;
        let codes = codes(model, test.inputs().view()).to_array().while_doing(doing)?;
        let on = codes.iter().filter(|&&code| code > ON).count() as f64 / codes.len().max(1) as f64;
        let activity = f64::from(codes.mean().unwrap_or(f32::NAN));
        let error = reconstruction_error(model, test.inputs().view()).while_doing(doing)?;
        let explained = 1.0 - error / power;
        for (name, value) in [
            ("activity", activity),
            ("share_on", on),
            ("reconstruction_error", error),
            ("gabor_median", likeness.median()),
            ("gabor_share", likeness.share()),
        ] {
            run.report.metric(format!("{stem}_{name}"), value)?;
        }
        if *sparse {
            let source = "the target ρ of this run";
            run.report.published(
                "mean activity of hidden units",
                recipe.target,
                source,
                true,
                Some(activity),
            )?;
        }
        rows.push(vec![
            format!("{words} sparsity"),
            short_number(activity),
            format!("{} %", short_number(100.0 * on)),
            format!("{} %", short_number(100.0 * explained)),
            figures.last("loss").map_or("–".to_string(), short_number),
        ]);
    }
    let headers = ["autoencoder", "mean activity", "units above 0.1", "variance explained", "loss"];
    run.report.table("Patches that were held out", &headers, rows)?;
    let curve = |one: &Learned| one.figures.curve("loss");
    let curves: Vec<_> = learned.iter().map(|one| (one.likeness.name.as_str(), curve(one))).collect();
    run.report.curve("Loss on patches that were held out", "epoch", "½ ‖o − x‖²", &curves)?;
    let timer = run.phase("fitting Gabor functions");
    let controls = GaborLikeness::controls(CONTROLS, side, key);
    drop(timer);
    for control in &controls {
        run.report.metric(format!("{}_gabor_share", control.name.replace(' ', "_")), control.share())?;
    }
    let all: Vec<&GaborLikeness> = learned.iter().map(|one| &one.likeness).chain(&controls).collect();
    GaborLikeness::compare(run, &all)?;
    run.report.note(
        "Smooth noise is fitted well by accident: a median R² says nothing without that of the controls beside it, and what \
         counts is the share above 0.8.",
    );
    Ok(())
}
