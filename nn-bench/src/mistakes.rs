//! What a classifier gets wrong, as a report shows it.

use ndarray::ArrayView2;
use nn_core::classification::{ConfusionMatrix, most_wrong};
use nn_data::Images;

use crate::digits::classes_of;
use crate::image_grid::{self, TileLayout};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Images of the most confident mistakes in a picture.
const SHOWN: usize = 40;

/// Adds the confusion matrix of these predictions (images × classes) to the report, and a picture of the mistakes that
/// the classifier was most certain of. Says how large a share of the images is classified wrongly.
///
/// # Errors
/// If predictions and images do not belong together.
pub fn show(run: &mut Run, predictions: ArrayView2<'_, f32>, images: &Images) -> Result<f64, RunError> {
    let names: Vec<String> = (0..predictions.ncols()).map(|class| class.to_string()).collect();
    show_by_name(run, predictions, images, &names)
}

/// The same with these names of the classes.
///
/// # Errors
/// If predictions and images do not belong together.
///
/// # Panics
/// If there are not as many names as classes.
#[track_caller]
pub fn show_by_name(
    run: &mut Run,
    predictions: ArrayView2<'_, f32>,
    images: &Images,
    names: &[impl AsRef<str>],
) -> Result<f64, RunError> {
    assert_eq!(names.len(), predictions.ncols(), "one name for each class");
    let name = |class: usize| names[class].as_ref();
    let (doing, labels) = ("looking at mistakes", classes_of(images));
    let confusion = ConfusionMatrix::new(predictions, &labels).while_doing(doing)?;
    let mut headers = vec!["class".to_string()];
    headers.extend((0..confusion.classes()).map(|class| format!("as {}", name(class))));
    headers.push("error in %".to_string());
    let rates = confusion.class_error_rates();
    let row = |class: usize| {
        let mut cells = vec![name(class).to_string()];
        cells.extend(confusion.counts.row(class).iter().map(|count| short_number(*count)));
        cells.push(rates[class].map_or("–".to_string(), |rate| short_number(100.0 * rate)));
        cells
    };
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let rows = (0..confusion.classes()).map(row).collect();
    run.report.table("Test images of each class and what they were taken for", &headers, rows)?;
    let mistakes = most_wrong(predictions, &labels, SHOWN).while_doing(doing)?;
    if !mistakes.is_empty() {
        let rows: Vec<usize> = mistakes.iter().map(|mistake| mistake.case).collect();
        let pixels = images.rows(&rows).while_doing(doing)?.to_f32();
        let layout = TileLayout::new(images.height(), images.width(), 10);
        let words: Vec<String> = mistakes
            .iter()
            .map(|mistake| format!("{} as {}", name(mistake.label), name(mistake.predicted)))
            .collect();
        let caption = format!("The most confident mistakes, row by row: {}.", words.join(", "));
        match images.channels() {
            3 => run.report.picture("most-wrong", caption, &image_grid::colours(pixels.view(), layout)?)?,
            _ => run.report.picture("most-wrong", caption, &image_grid::samples(pixels.view(), layout)?)?,
        }
    }
    Ok(confusion.error_rate().unwrap_or_default())
}
