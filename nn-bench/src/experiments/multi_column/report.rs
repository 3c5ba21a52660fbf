//! What a run says of its settings, and what it found.

use ndarray::{Array2, Axis, concatenate};
use nn_conv::Committee;
use nn_core::{Dataset, Tensor};
use nn_data::Images;
use nn_data::cifar::CLASS_NAMES;

use super::verdicts::Verdicts;
use super::{BATCH, Recipe, SHOWN};
use crate::digits::{CLASSES, DigitSet, classes_of};
use crate::image_grid::{self, TileLayout};
use crate::mistakes;
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

pub(super) fn report(
    run: &mut Run,
    recipe: &Recipe,
    committee: &Committee,
    inputs: &[Dataset],
    test: &Images,
) -> Result<(), RunError> {
    let doing = "testing";
    let read = |predictions: Tensor| predictions.to_array().while_doing(doing);
    let of_all = inputs.iter().map(|data| data.inputs().view()).collect::<Vec<_>>();
    let together = read(committee.predict(&of_all))?;
    let apart = committee.columns().iter().zip(&of_all).map(|(column, inputs)| read(column.predict(*inputs)));
    let apart = apart.collect::<Result<Vec<_>, _>>()?;
    let (columns, all) = (apart.len(), (0..apart.len()).collect::<Vec<_>>());
    let verdicts = Verdicts { predictions: &apart, labels: &classes_of(test) };
    let errors =
        all.iter().map(|column| verdicts.error_percent(&[*column])).collect::<Result<Vec<_>, _>>()?;
    for (column, error) in errors.iter().enumerate() {
        run.report.metric(format!("column_{}_error_percent", column + 1), *error)?;
    }
    let mean = errors.iter().sum::<f64>() / columns as f64;
    let squares = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>();
    run.report.metric("columns_mean_error_percent", mean)?;
    run.report.metric("columns_error_deviation", (squares / (columns - 1).max(1) as f64).sqrt())?;
    run.report.metric("best_column_error_percent", errors.iter().copied().fold(f64::INFINITY, f64::min))?;
    let error = verdicts.error_percent(&all)?;
    run.report.metric("committee_error_percent", error)?;
    run.report.metric("committee_gain_points", mean - error)?;
    let sizes = (1..=columns).map(|size| Ok((size as f64, verdicts.mean_error_of(size)?)));
    let curve = sizes.collect::<Result<Vec<_>, RunError>>()?;
    let title = "Error of committees, mean over all choices of their columns";
    run.report.curve(title, "columns", "% of the test images", &[("", curve)])?;
    tables(run, recipe, &verdicts, &errors, error)?;
    published(run, recipe, mean, error)?;
    match recipe.digits {
        Some(_) => mistakes::show(run, together.view(), test)?,
        None => mistakes::show_by_name(run, together.view(), test, &CLASS_NAMES)?,
    };
    Ok(())
}

/// Who errs where.
fn tables(
    run: &mut Run,
    recipe: &Recipe,
    verdicts: &Verdicts<'_>,
    errors: &[f64],
    error: f64,
) -> Result<(), RunError> {
    let all: Vec<usize> = (0..errors.len()).collect();
    let name = |class: usize| match recipe.digits {
        Some(_) => class.to_string(),
        None => CLASS_NAMES[class].to_string(),
    };
    let mut headers = vec!["images".to_string(), "error in %".to_string()];
    headers.extend((0..CLASSES).map(name));
    let row = |words: String, error: f64, members: &[usize]| {
        let by_class = verdicts.errors_by_class(members)?;
        let cells = [vec![words, short_number(error)], by_class.into_iter().map(short_number).collect()];
        Ok::<_, RunError>(cells.concat())
    };
    let mut rows = Vec::new();
    for (column, (preparation, error)) in recipe.columns.iter().zip(errors).enumerate() {
        rows.push(row(preparation.name(), *error, &[column])?);
    }
    rows.push(row("committee".to_string(), error, &all)?);
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    run.report.table("Errors of each column, and on the test images of each class", &headers, rows)?;
    let counts = verdicts.by_wrong_columns().into_iter().enumerate();
    let rows =
        counts.map(|(wrong, (images, of_these))| [wrong, images, of_these].map(|n| n.to_string()).to_vec());
    let headers = ["columns that err", "test images", "on which the committee errs"];
    run.report.table("Where columns err together", &headers, rows.collect())?;
    Ok(())
}

fn published(run: &mut Run, recipe: &Recipe, mean: f64, committee: f64) -> Result<(), RunError> {
    let single = "Ciresan and others, 2011, abstract: one convolutional network";
    let columns = "Ciresan, Meier and Schmidhuber, 2012";
    let mnist = |ours: f64| (recipe.digits == Some(DigitSet::Full)).then_some(ours);
    let cifar = |ours: f64| recipe.digits.is_none().then_some(ours);
    run.report.published("test error of MNIST, one column (%)", 0.35, single, true, mnist(mean))?;
    run.report.published("test error of MNIST, 35 columns (%)", 0.23, columns, true, mnist(committee))?;
    run.report.published("test error of CIFAR-10, one column (%)", 19.51, single, true, cifar(mean))?;
    run.report.published("test error of CIFAR-10, 8 columns (%)", 11.2, columns, true, cifar(committee))?;
    Ok(())
}

/// The same images as each column sees them.
pub(super) fn preparations(
    run: &mut Run,
    recipe: &Recipe,
    inputs: &[Dataset],
    channels: usize,
) -> Result<(), RunError> {
    let doing = "drawing prepared images";
    let mut rows = Vec::new();
    for data in inputs {
        let some = data.inputs().row_range(0..SHOWN.min(data.len())).to_array().while_doing(doing)?;
        rows.push(some);
    }
    let mut all: Array2<f32> =
        concatenate(Axis(0), &rows.iter().map(|row| row.view()).collect::<Vec<_>>()).while_doing(doing)?;
    // Each from its darkest to its brightest value.
    for mut image in all.rows_mut() {
        let (low, high) =
            image.iter().fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
        image.mapv_inplace(|value| (value - low) / (high - low).max(f32::MIN_POSITIVE));
    }
    let layout = TileLayout::new(recipe.side, recipe.side, SHOWN);
    let names: Vec<String> = recipe.columns.iter().map(|preparation| preparation.name()).collect();
    let caption = format!("Test images as the columns see them, a row each: {}.", names.join(", "));
    match channels {
        3 => run.report.picture("prepared", caption, &image_grid::colours(all.view(), layout)?)?,
        _ => run.report.picture("prepared", caption, &image_grid::samples(all.view(), layout)?)?,
    }
    Ok(())
}

pub(super) fn describe(run: &mut Run, recipe: &Recipe, [train, test]: [usize; 2]) {
    let report = &mut run.report;
    report.reproduces(
        "Ciresan, Meier and Schmidhuber (Multi-column deep neural networks for image classification, 2012) trained several \
         networks, each on images that were prepared in another way, and averaged what they say. The columns err in \
         different places, and the committee errs less than the best of them.",
    );
    report.reproduces(
        "Digits are stretched or pressed to the same number of columns, another one for each network. Here a profile has \
         one network for each preparation, where the paper had five; units are rectified; and distorted copies of the \
         training images are drawn once, where the paper distorted anew in every epoch. Nothing was chosen by the test \
         set, whose errors are those after the last epoch.",
    );
    let list = |values: [usize; 2]| format!("{0} × {0}, {1} × {1}", values[0], values[1]);
    let names: Vec<String> = recipe.columns.iter().map(|preparation| preparation.name()).collect();
    for (name, value) in [
        ("training images", train.to_string()),
        ("test images", test.to_string()),
        ("columns", names.join(", ")),
        ("image of a column", format!("{0} × {0}", recipe.side)),
        ("maps", format!("{} and {}", recipe.maps[0], recipe.maps[1])),
        ("filters", list(recipe.filters)),
        ("pools, maxima", list(recipe.pools)),
        ("hidden units, rectified", recipe.hidden.to_string()),
        ("distorted copies of each image", recipe.copies.to_string()),
        ("their distortions", format!("{:?}", recipe.ranges)),
        ("epochs", recipe.epochs.to_string()),
        ("minibatch", BATCH.to_string()),
        ("learning rate, falling linearly to 0", recipe.rate.to_string()),
        ("momentum", "0.9".to_string()),
        ("weight decay (L2)", "0.0005".to_string()),
    ] {
        report.setting(name, value);
    }
}
