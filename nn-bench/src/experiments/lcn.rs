//! What local contrast normalisation does to natural images.

mod statistics;

use ndarray::{Array2, Array3, Axis, Slice};
use nn_core::Key;
use nn_data::DataError;
use nn_data::local_contrast::{self, ContrastFloor};

use crate::experiment::{Experiment, ProfileInfo};
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::natural_images::NaturalSet;
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use statistics::{DISTANCES, Statistics};

/// The experiment.
#[derive(Debug)]
pub struct Lcn;

// Purpose of the key of a run.
const IMAGES: u64 = 1;

/// What a profile sets.
struct Recipe {
    set: NaturalSet,
    /// Images that are shown.
    shown: usize,
    /// Pixels on a side of the surround.
    surround: usize,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let default = Recipe { set: NaturalSet::Embedded, shown: 2, surround: 9 };
        match profile {
            "quick" => Recipe { set: NaturalSet::DeadLeaves, ..default },
            "natural" => Recipe { set: NaturalSet::Folder, ..default },
            _ => default,
        }
    }
}

/// What is compared: its name in metrics and in words.
const STEPS: [(&str, &str); 3] =
    [("pixels", "pixels"), ("centred", "less the local mean"), ("normalized", "normalised")];

impl Experiment for Lcn {
    fn name(&self) -> &'static str {
        "lcn"
    }

    fn title(&self) -> &'static str {
        "Local contrast normalisation, before and after"
    }

    fn summary(&self) -> &'static str {
        "natural images before and after the local mean is subtracted and the local deviation divided by: how contrast varies from place to place, kurtosis, how neighbours and their squares go together"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo { name: "quick", what: "four images of dead leaves", duration: "seconds" },
            ProfileInfo {
                name: "default",
                what: "the two photographs that are part of the program",
                duration: "seconds",
            },
            ProfileInfo {
                name: "natural",
                what: "the photographs in `natural` within the folder of data",
                duration: "under 1 minute",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        describe(run, &recipe);
        let images = recipe.set.load(run, Key::new(run.seed).fold_in(IMAGES))?;
        let progress = run.progress("images", images.len() as u64);
        let mut sums: [Option<Statistics>; 3] = [None, None, None];
        for (number, image) in images.iter().enumerate() {
            if run.interrupted() {
                return Err(run.stop_without_saving());
            }
            let doing = format!("normalising {}", image.name);
            let (width, furthest) = (image.pixels.dim().1, DISTANCES[DISTANCES.len() - 1]);
            if width <= furthest {
                let problem = format!(
                    "it is {width} pixels wide, but pixels {furthest} apart are compared; leave it out"
                );
                return Err(problem).while_doing(doing);
            }
            let steps = steps(&image.pixels, recipe.surround).while_doing(doing)?;
            for (sum, step) in sums.iter_mut().zip(&steps) {
                let found = Statistics::of(step.view(), recipe.surround);
                *sum = Some(match sum.take() {
                    Some(sum) => sum.plus(&found),
                    None => found,
                });
            }
            if number < recipe.shown {
                pictures(run, number, &steps)?;
            }
            progress.advance(1);
        }
        let means = sums.map(|sum| sum.map(|sum| sum.over(images.len())));
        if let [Some(pixels), Some(centred), Some(normalized)] = means {
            report(run, [pixels, centred, normalized])?;
        }
        Ok(())
    }
}

/// The image, the image less its local mean, and that over its local deviation.
fn steps(pixels: &Array3<f32>, surround: usize) -> Result<[Array2<f32>; 3], DataError> {
    let grey = |image: Array3<f32>| image.index_axis_move(Axis(2), 0);
    // A floor above every deviation divides by one number everywhere, and is taken back.
    let floor = 1e3;
    let centred = local_contrast::normalize(pixels.view(), surround, ContrastFloor::Constant(floor))?;
    let normalized = local_contrast::normalize(pixels.view(), surround, ContrastFloor::MeanDeviation)?;
    Ok([grey(pixels.clone()), grey(centred) * floor, grey(normalized)])
}

fn describe(run: &mut Run, recipe: &Recipe) {
    run.report.reproduces(
        "Jarrett, Kavukcuoglu, Ranzato and LeCun (What is the best multi-stage architecture for object recognition?, 2009) \
         subtract from each value the weighted mean around it and divide by the weighted deviation around it, or by the mean \
         deviation of the image where that is larger. In natural images contrast varies from place to place: squares of \
         neighbours go together even where neighbours themselves do not, and values have heavy tails. Lyu and Simoncelli \
         (Nonlinear image representation using divisive normalization, 2008) and others found that division by local contrast \
         takes away much of both. No figures were published for these images.",
    );
    run.report.setting(
        "surround",
        format!("{0} × {0}, Gaussian of deviation {1}", recipe.surround, recipe.surround as f64 / 4.0),
    );
    run.report.setting("floor", "mean deviation of the image");
}

/// One below the other: the image, without local means, normalised. The same part of each, at most 256 pixels wide.
fn pictures(run: &mut Run, number: usize, steps: &[Array2<f32>; 3]) -> Result<(), RunError> {
    let (height, width) = steps[0].dim();
    let size = [height.min(256), width.min(256)];
    for (step, (stem, words)) in steps.iter().zip(STEPS) {
        let begin = [(height - size[0]) / 2, (width - size[1]) / 2];
        let part = step.slice_each_axis(|axis| {
            let side = axis.axis.index();
            Slice::from(begin[side]..begin[side] + size[side])
        });
        let row = part.as_standard_layout().into_owned().into_shape_with_order((1, size[0] * size[1]));
        let row = row.while_doing("drawing an image")?;
        let layout = TileLayout::new(size[0], size[1], 1).zoom(1);
        let picture = match stem {
            "pixels" => image_grid::samples(row.view(), layout)?,
            // Three deviations to either side, beyond which there is little.
            _ => {
                let limit = 3.0 * row.mapv(|value| value * value).mean().unwrap_or(1.0).sqrt();
                let clipped = row.mapv(|value| value.clamp(-limit, limit));
                image_grid::filters(clipped.view(), TileAxis::Rows, layout, Scaling::Shared)?
            }
        };
        let caption = format!("Image {}, {words}.", number + 1);
        run.report.picture(&format!("image{}-{stem}", number + 1), caption, &picture)?;
    }
    Ok(())
}

fn report(run: &mut Run, found: [Statistics; 3]) -> Result<(), RunError> {
    let mut rows = Vec::new();
    for (statistics, (stem, words)) in found.iter().zip(STEPS) {
        for (name, value) in [
            ("contrast_variation", statistics.contrast_variation),
            ("kurtosis", statistics.kurtosis),
            ("neighbour_correlation", statistics.correlations[0]),
            ("square_correlation", statistics.square_correlations[0]),
        ] {
            run.report.metric(format!("{stem}_{name}"), value)?;
        }
        rows.push(vec![
            words.to_string(),
            short_number(statistics.contrast_variation),
            short_number(statistics.kurtosis),
            short_number(statistics.correlations[0]),
            short_number(statistics.square_correlations[0]),
        ]);
    }
    let headers = ["image", "variation of local contrast", "kurtosis", "neighbours", "their squares"];
    run.report.table("Means over images", &headers, rows)?;
    let curve = |values: &[f64; DISTANCES.len()]| -> Vec<(f64, f64)> {
        DISTANCES.iter().zip(values).map(|(&distance, &value)| (distance as f64, value)).collect()
    };
    let series = |of: &dyn Fn(&Statistics) -> Vec<(f64, f64)>| -> Vec<(&str, Vec<(f64, f64)>)> {
        found.iter().zip(STEPS).map(|(statistics, (_, words))| (words, of(statistics))).collect()
    };
    let values = series(&|statistics| curve(&statistics.correlations));
    run.report.curve("Pixels some way apart", "pixels", "correlation", &values)?;
    let squares = series(&|statistics| curve(&statistics.square_correlations));
    run.report.curve("Squares of pixels some way apart", "pixels", "correlation", &squares)?;
    run.report.note(
        "Variation of local contrast is the variance of the local deviation over its squared mean: 0 where contrast is the \
         same everywhere. Kurtosis is that beyond the normal distribution. Correlations are between pixels of the same row; \
         squares are of pixels less the mean of the image.",
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The step between is the numerator of the last one: they differ by the positive factor of the local deviation.
    #[test]
    fn steps_belong_together() {
        let pixels = Array3::from_shape_fn((20, 24, 1), |(y, x, _)| ((y * 7 + x * x) % 11) as f32 / 11.0);
        let [plain, centred, normalized] = steps(&pixels, 5).unwrap();
        assert_eq!(plain.dim(), (20, 24));
        let same_sign =
            centred.iter().zip(&normalized).filter(|(a, b)| *a * *b > 0.0 || a.abs() < 1e-4).count();
        assert_eq!(same_sign, 480);
        assert!(centred.mean().unwrap().abs() < 0.05 && centred.iter().any(|value| value.abs() > 0.2));
    }
}
