//! What the report of such a run says.

use std::fs;

use nn_core::network::Evaluation;
use nn_core::parameters::count;
use nn_core::{Loss, Network, Parameters, Sgd, SupervisedLearner};

use super::batches::OF_IMAGE_FILES;
use super::magnitudes::magnitudes;
use super::options::ConvnetOptions;
use super::training::{TABLES, figures};
use super::{MINIBATCH, Setup};
use crate::report::Axes;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Figures;

/// Files, layers, settings.
pub(super) fn describe(
    run: &mut Run,
    options: &ConvnetOptions,
    setup: &Setup,
    network: &Network,
) -> Result<(), RunError> {
    let report = &mut run.report;
    report.reproduces(
        "A network as a layer file and a parameter file of cuda-convnet describe it, trained as that program does: pixels \
         less the mean image, not scaled; batches in the order of their numbers, minibatches in the order of each file, the \
         last of which is smaller where something is left. A training figure is the mean over a batch of what the network \
         gave before each update.",
    );
    if setup.data.of_image_files {
        report.note(OF_IMAGE_FILES);
    }
    for file in [&options.layers, &options.params] {
        report.data_file(file)?;
    }
    let mut files = setup.data.files(&setup.ranges.train).while_doing("describing the data")?;
    files.extend(setup.data.files(&setup.ranges.test).while_doing("describing the data")?);
    files.dedup();
    for file in &files {
        report.data_file(file)?;
    }
    let numbers = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let [height, width, channels] = setup.data.image();
    for (name, value) in [
        ("layer file", options.layers.display().to_string()),
        ("parameter file", options.params.display().to_string()),
        (
            if options.crop_border.is_some() { "parts of images" } else { "images" },
            format!("{height} × {width} × {channels}"),
        ),
        ("tested on", if options.multiview_test { "ten views" } else { "one view" }.to_string()),
        ("training batches", numbers(&setup.ranges.train)),
        ("test batches", numbers(&setup.ranges.test)),
        ("minibatch", MINIBATCH.to_string()),
        ("epochs", options.epochs.unwrap_or_default().to_string()),
    ] {
        report.setting(name, value);
    }
    let row = |(name, layer): &nn_core::network::NamedLayer| {
        let parameters = count(&**layer as &dyn Parameters);
        vec![name.clone(), layer.outputs().to_string(), parameters.to_string()]
    };
    report.table(
        "Layers",
        &["layer", "outputs", "parameters"],
        network.layers().iter().map(row).collect(),
    )?;
    Ok(())
}

/// Curves, and figures at the end.
pub(super) fn found(
    run: &mut Run,
    learner: &SupervisedLearner<Sgd>,
    tested: Evaluation,
) -> Result<(), RunError> {
    let classes = learner.network.loss == Loss::CrossEntropy;
    for (name, value) in figures(learner.network.loss, tested) {
        match name {
            "error" => run.report.metric("test_error_percent", 100.0 * value)?,
            _ => run.report.metric(format!("test_{name}"), value)?,
        }
    }
    let [train, test] = TABLES.map(|table| {
        let text = fs::read_to_string(run.out().file(table)).unwrap_or_default();
        Figures::read(&text, 1)
    });
    let over_epochs = |figures: &Figures, name: &str, scale: f64| -> Vec<(f64, f64)> {
        let pairs = figures.curve("epochs").into_iter().zip(figures.curve(name));
        pairs.map(|((_, epochs), (_, value))| (epochs, scale * value)).collect()
    };
    let mut curve = |title: &str, unit: &str, name: &str, scale: f64| {
        let series = [("train", over_epochs(&train, name, scale)), ("test", over_epochs(&test, name, scale))];
        run.report.curve_on(Axes { log_x: false }, title, "epoch", unit, &series)
    };
    curve("Cost", if classes { "nats" } else { "squared distance" }, "cost", 1.0)?;
    if classes {
        curve("Error", "% of the images", "error", 100.0)?;
    }
    let rows = magnitudes(learner)
        .while_doing("reporting")?
        .into_iter()
        .map(|found| vec![found.name, format!("{:.3e}", found.value), format!("{:.3e}", found.increment)]);
    let headers = ["parameter", "mean magnitude", "of the last increment"];
    run.report.table("Parameters at the end", &headers, rows.collect())?;
    Ok(())
}
