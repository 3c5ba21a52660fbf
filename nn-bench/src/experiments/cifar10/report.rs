//! What the report of a run says.

use nn_core::Network;

use super::recipe::{Kind, Recipe, Rectified, Weights};
use super::{BATCH, BIAS_RATE, KERNEL, MOMENTUM, WEIGHT_RATE};
use crate::image_grid::{self, TileAxis, TileLayout};
use crate::network_weights;
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::RunError;
use crate::training::Figures;

/// What is repeated, how it differs, and all settings.
pub(super) fn describe(run: &mut Run, recipe: &Recipe, [train, test]: [usize; 2]) -> Result<(), RunError> {
    let report = &mut run.report;
    report.reproduces(
        "Alex Krizhevsky's cuda-convnet came with layer and parameter files for CIFAR-10, and each file with the error \
         that it leads to. The networks here have the layers, first weights, rates, momenta and weight decays of these \
         files. What goes in are pixels from 0 to 255 less the mean image of the training set, not scaled: with other \
         scales the first weights and rates mean something else.",
    );
    report.reproduces(
        "Minibatches come in the order of the files, without shuffling, and what is left at the end of an epoch is a last, \
         smaller one. cuda-convnet has such a smaller one at the end of each file of 10,000 images; here the training \
         files count as one. Weight decay acts on weights, not on biases. Nothing was chosen by the test set, whose error \
         is that after the last epoch.",
    );
    if recipe.crop.is_some() {
        report.reproduces(
            "Each time an image is used, a part of it is cut out at a random place and mirrored in half of the cases. What \
             is subtracted is the centre of the mean image, wherever the part lies. Training is on the first four fifths of \
             the images and then on all of them, on which the rates fall. Curves are measured on the centre of each image, \
             and the network is tested on that and on ten views: the corners, the centre, and these mirrored, whose \
             predictions are averaged. The published errors are those on several views.",
        );
    }
    if recipe.coloured_digits.is_some() {
        report.reproduces(
            "This profile shows that all of it works, without files of data: handwritten digits, each in a random colour \
             on a background of another, and a smaller network with larger first weights.",
        );
    }
    let joined = |values: &[String]| values.join(", ");
    let stages = recipe.stages.iter().map(|stage| format!("{} of 5 until {}", stage.files, stage.until));
    let parts = recipe.crop.map_or("whole images".to_string(), |side| {
        format!("{side} × {side} pixels at random places, half of them mirrored")
    });
    for (name, value) in [
        ("layers and parameters after", recipe.file.to_string()),
        ("training images", train.to_string()),
        ("test images", test.to_string()),
        ("what the network sees", parts),
        ("learning rates of weights and biases", format!("{WEIGHT_RATE} and {BIAS_RATE}")),
        ("divided by 10 after epochs", joined(&recipe.drops.iter().map(u64::to_string).collect::<Vec<_>>())),
        ("momentum", MOMENTUM.to_string()),
        ("minibatch", BATCH.to_string()),
        ("parts of the training images, until epoch", joined(&stages.collect::<Vec<_>>())),
        ("epochs", recipe.epochs().to_string()),
    ] {
        report.setting(name, value);
    }
    let row = |(name, kind): &(&str, Kind)| -> Vec<String> {
        let with = |what: &str, weights: &Weights| {
            let then = if weights.rectified { ", rectified" } else { "" };
            [
                format!("{} {what}{then}", weights.units),
                weights.deviation.to_string(),
                weights.decay.to_string(),
            ]
        };
        let without = |what: String| [what, "–".to_string(), "–".to_string()];
        let cells = match kind {
            Kind::Convolution(weights) => with("filters of 5 × 5", weights),
            Kind::Local(weights) => with("filters of 3 × 3 at each place", weights),
            Kind::Dense(weights) => with("units", weights),
            Kind::Pool(pool, then) => {
                let then = if *then == Rectified::Yes { ", rectified" } else { "" };
                without(format!("{pool:?} of 3 × 3 at every second pixel{then}"))
            }
            Kind::WithinMaps => {
                without("response normalisation within a map, 3 × 3, scale 0.00005, power 0.75".to_string())
            }
            Kind::AcrossMaps => {
                without("response normalisation across 9 maps, scale 0.001, power 0.75".to_string())
            }
        };
        std::iter::once(name.to_string()).chain(cells).collect()
    };
    let headers = ["layer", "what it does", "deviation of its first weights", "weight decay (L2)"];
    report.table("Layers", &headers, recipe.layers.iter().map(row).collect())?;
    Ok(())
}

/// Loss and error over epochs. Each stage with the epochs before it.
pub(super) fn curves(run: &mut Run, stages: &[(u64, Figures)]) -> Result<(), RunError> {
    let axes = Axes { log_x: false };
    let curve = |name: &str, scale: f64| -> Vec<(f64, f64)> {
        let of_stage = |(first, figures): &(u64, Figures)| {
            let first = *first as f64;
            figures.curve(name).into_iter().map(move |(epoch, value)| (first + epoch, scale * value))
        };
        stages.iter().flat_map(of_stage).collect()
    };
    let losses = ["train", "test"].map(|set| (set, curve(&format!("{set} loss"), 1.0)));
    run.report.curve_on(axes, "Loss", "epoch", "nats", &losses)?;
    let errors = ["train", "test"].map(|set| (set, curve(&format!("{set} error"), 100.0)));
    run.report.curve_on(axes, "Error", "epoch", "% of the images", &errors)?;
    Ok(())
}

/// Errors on the test images in percent.
pub(super) struct Errors {
    /// On the whole image, or on the centre.
    pub one_view: f64,
    /// On ten views, where parts are seen.
    pub ten_views: Option<f64>,
}

/// The published errors, beside ours where they are of the same network.
pub(super) fn published(run: &mut Run, recipe: &Recipe, errors: &Errors) -> Result<(), RunError> {
    let ours = |file: &str| recipe.coloured_digits.is_none() && recipe.file == file;
    let one_view = |file: &str| ours(file).then_some(errors.one_view);
    let ten_views = |file: &str| errors.ten_views.filter(|_| ours(file));
    for (file, value, epochs) in [("layers-80sec", 26.0, ""), ("layers-18pct", 18.0, ", 140 epochs")] {
        let metric = format!("test error of CIFAR-10, {file} (%)");
        let source = format!("cuda-convnet, head of the file{epochs}");
        run.report.published(metric, value, source, true, one_view(file))?;
    }
    let metric = "test error of CIFAR-10, layers-18pct in other hands (%)";
    let source = "Caffe, cifar10_full with normalisation within maps, 82.0 % right";
    run.report.published(metric, 18.0, source, true, one_view("layers-18pct"))?;
    for (file, value, epochs) in
        [("layers-conv-local-13pct", 13.0, "160 epochs"), ("layers-conv-local-11pct", 11.0, "520 epochs")]
    {
        let metric = format!("test error of CIFAR-10, {file}, several views (%)");
        let source = format!("cuda-convnet, head of the file, {epochs}");
        run.report.published(metric, value, source, true, ten_views(file))?;
    }
    let metric = "test error of CIFAR-10, layers-conv-local-11pct in other hands, one view (%)";
    let source = "readme of a fork of cuda-convnet, about";
    run.report.published(metric, 15.0, source, true, one_view("layers-conv-local-11pct"))?;
    Ok(())
}

/// A picture of the filters of the first convolution.
pub(super) fn filters(run: &mut Run, network: &Network) -> Result<(), RunError> {
    let Some(weights) = network_weights::find(network, "conv1.weights")? else { return Ok(()) };
    let layout = TileLayout::new(KERNEL, KERNEL, 16).zoom(8);
    let picture = image_grid::colour_filters(weights.view(), TileAxis::Columns, layout)?;
    run.report.picture("filters", "Filters of the first convolution: edges and colours.", &picture)?;
    Ok(())
}
