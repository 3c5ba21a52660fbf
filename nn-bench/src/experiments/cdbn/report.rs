//! What the experiment says of itself and of what it found.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use nn_core::Key;
use nn_rbm::convolutional::Geometry;
use nn_rbm::{ConvolutionalDbn, ConvolutionalRbm};

use super::filling::{Expected, Filling, HALVES, Way};
use super::images::{CUTOFF, ENLARGED, LIMIT, OFFSET, Objects};
use super::layers::{Layer, MOMENTUM};
use super::specificity::Specificity;
use super::{CROP, Recipe, SIDE, pooled};
use crate::gabor_likeness::GaborLikeness;
use crate::image_grid::{self, Scaling, TileAxis, TileLayout};
use crate::report::short_number;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::seed_mean::SeedMean;

/// Areas under precision-recall curves of the publication, means over features, of faces among faces, motorbikes and cars.
const PUBLISHED: [(&str, f64); 2] = [("first layer", 0.39), ("second layer", 0.86)];

/// Filters of noise that Gabor functions are fitted to, of each kind.
const NOISE: usize = 48;
/// Places of the held-out objects over which the picture of what a feature answers to is a mean.
const STRONGEST: usize = 16;
/// Objects in the picture of filled-in halves, for each half.
const SHOWN: usize = 12;

pub(super) fn describe(run: &mut Run, recipe: &Recipe) {
    let report = &mut run.report;
    report.reproduces(
        "Lee, Grosse, Ranganath and Ng (Convolutional deep belief networks for scalable unsupervised learning of hierarchical \
         representations, 2009, and in the Communications of the ACM, 2011) trained a first layer with probabilistic max-pooling on photographs and a second one on \
         objects of one class: faces, cars, elephants, chairs. The first layer becomes edges, the second parts of the objects, \
         which tell the class from others better than edges do, by areas under precision-recall curves of single features. Where \
         half of a face was hidden, inference over the whole stack (block Gibbs sampling, input from above and below) filled \
         it in, and a single pass from below did not.",
    );
    report.reproduces(format!(
        "Objects here are of another kind and smaller: enlarged {ENLARGED} times, laid on black ground, whitened as the \
         photographs, {SIDE} pixels wide. Both layers learn by persistent chains, the publication by contrastive divergence: a \
         machine that has only ever seen what is near its data fills unknown pixels with what is far from it. A feature answers \
         with the largest of its pooling units."
    ));
    report.reproduces(
        "Filled in from below alone: unknown pixels are 0, the mean; both hidden layers are drawn, each given the one below it. \
         By the whole stack: unknown pixels and all hidden units are drawn in turn, each given its neighbours below and above. \
         In both cases the second layer is then read in the same way, in the mean over as many draws: what it expects of \
         pooling units, and the image of these. In the stack the first layer says already that pooling units are on as often as \
         in photographs. Visible biases of the second machine, which say how often they are on in objects, therefore count there \
         relative to that; the publication has one bias for a unit.",
    );
    for (number, layer) in recipe.layers.iter().enumerate() {
        let Layer { filter, maps, epochs, batch, rate, decay, bias, sparsity: [target, cost], chains } =
            layer;
        let value = format!(
            "{maps} filters of {filter}×{filter}, blocks of 2×2; PCD-1 with {chains} chains, {epochs} epochs, minibatches of {batch}, rate {rate} \
             falling to a tenth, weight decay {decay}, first hidden biases {bias}, sparsity {target} with cost {cost}"
        );
        report.setting(format!("layer {}", number + 1), value);
    }
    let [from, to] = recipe.deviations;
    report.setting("standard deviation of pixels given the first layer", format!("{from} falling to {to}"));
    report.setting("momentum", MOMENTUM);
    report.setting("crops of photographs", format!("{} of {CROP}×{CROP} pixels", recipe.crops));
    report.setting(
        "whitening",
        format!("f·exp(−(f/{CUTOFF})⁴), f in cycles a pixel; variance 1, cut off at ±{LIMIT}"),
    );
    report
        .setting("contrast", format!("crops divided by √(variance + {OFFSET}); objects of variance 1 each"));
    let Filling { chains, burn_in, sweeps } = recipe.filling;
    let value = format!("{chains}, {burn_in}, {sweeps}");
    report.setting("chains, sweeps before, sweeps that count, where halves are filled in", value);
}

/// Filters of the first layer, and how many are like Gabor functions.
pub(super) fn edges(run: &mut Run, rbm: &ConvolutionalRbm, key: Key) -> Result<(), RunError> {
    let timer = run.phase("fitting Gabor functions");
    let weights = rbm.weights.to_array().while_doing("drawing filters")?;
    let side = rbm.geometry().filter;
    let layout = TileLayout::new(side, side, 12).zoom(5);
    let picture = image_grid::filters(weights.view(), TileAxis::Columns, layout, Scaling::PerTile)?;
    run.report.picture(
        "layer1-filters",
        format!("Filters of the first layer, {side}×{side} pixels, each with its own scale."),
        &picture,
    )?;
    let filters = weights.t().as_standard_layout().into_owned();
    let found = GaborLikeness::of("first layer", filters.view(), side);
    let [white, smooth] = GaborLikeness::controls(NOISE, side, key);
    drop(timer);
    for (metric, of) in [("layer1", &found), ("white_noise", &white), ("smooth_noise", &smooth)] {
        run.report.metric(format!("{metric}_gabor_share_percent"), 100.0 * of.share())?;
        run.report.metric(format!("{metric}_gabor_median"), of.median())?;
    }
    GaborLikeness::compare(run, &[&found, &white, &smooth])
}

/// What the features of the second layer are made of, and what they answer to.
pub(super) fn parts(run: &mut Run, dbn: &ConvolutionalDbn, objects: &Objects) -> Result<(), RunError> {
    let doing = "drawing features";
    let [bottom, top] = [dbn.layers()[0].geometry(), dbn.layers()[1].geometry()];
    let images = dbn.pictures().to_array().while_doing(doing)?;
    let [down, across] = top.blocks();
    // The unit that is drawn, in the middle of the maps; where the pixels begin that it depends on; how many these are.
    let unit = top.block_size() / 2;
    let row = (down / 2) * top.block + unit / top.block;
    let column = (across / 2) * top.block + unit % top.block;
    let field = (top.filter - 1) * bottom.block + bottom.filter + bottom.block - 1;
    let made_of =
        cut(images.view(), SIDE, &vec![[row * bottom.block, column * bottom.block]; top.maps], field);
    let layout = TileLayout::new(field, field, 10).zoom(2);
    let picture = image_grid::filters(made_of.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = format!(
        "Features of the second layer, {field}×{field} pixels: sums of filters of the first by their weights, each pooling \
         unit spread over its block."
    );
    run.report.picture("layer2-features", caption, &picture)?;

    let units = pooled(dbn, objects.test.view())?.swap_remove(1);
    let field = field + (top.block - 1) * bottom.block;
    let answered = answered(objects.test.view(), units.view(), [bottom, top], field);
    let layout = TileLayout::new(field, field, 10).zoom(2);
    let picture = image_grid::filters(answered.view(), TileAxis::Rows, layout, Scaling::PerTile)?;
    let caption = format!(
        "What these features answer to: means of the {STRONGEST} places of held-out objects, one an object at most, where \
         their pooling units are on with the largest probabilities, {field}×{field} pixels, whitened."
    );
    run.report.picture("layer2-answers", caption, &picture)?;
    let layout = TileLayout::new(SIDE, SIDE, SHOWN);
    let shown = first(&objects.test, 2 * SHOWN);
    let picture = image_grid::filters(shown, TileAxis::Rows, layout, Scaling::PerTile)?;
    run.report.picture(
        "objects",
        format!("Held-out objects, each a {}, as the layers see them.", objects.name),
        &picture,
    )?;
    Ok(())
}

fn first(images: &Array2<f32>, count: usize) -> ArrayView2<'_, f32> {
    images.slice_axis(Axis(0), Slice::from(..images.nrows().min(count)))
}

/// Square parts of images of this width, one of each, from these rows and columns on.
fn cut(images: ArrayView2<'_, f32>, width: usize, from: &[[usize; 2]], side: usize) -> Array2<f32> {
    let pixel = |(image, pixel): (usize, usize)| {
        let [row, column] = from[image];
        images[[image, (row + pixel / side) * width + column + pixel % side]]
    };
    Array2::from_shape_fn((from.len(), side * side), pixel)
}

/// For each feature the mean of the places where it answers most.
fn answered(
    images: ArrayView2<'_, f32>,
    units: ArrayView2<'_, f32>,
    [bottom, top]: [&Geometry; 2],
    field: usize,
) -> Array2<f32> {
    let across = top.blocks()[1];
    let step = top.block * bottom.block;
    let mut out = Array2::zeros((top.maps, field * field));
    for (map, mut mean) in out.rows_mut().into_iter().enumerate() {
        let strongest = |image: usize| {
            let blocks = (0..top.block_count()).map(|block| (units[[image, block * top.maps + map]], block));
            blocks.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default()
        };
        let mut places: Vec<(f32, usize, usize)> = (0..images.nrows())
            .map(|image| {
                let (value, block) = strongest(image);
                (value, image, block)
            })
            .collect();
        places.sort_by(|a, b| b.0.total_cmp(&a.0));
        places.truncate(STRONGEST);
        for (_, image, block) in &places {
            let from = [block / across * step, block % across * step];
            let part = cut(images.row(*image).insert_axis(Axis(0)), bottom.width, &[from], field);
            mean.scaled_add(1.0 / places.len() as f32, &part.row(0));
        }
    }
    out
}

pub(super) fn specificity(run: &mut Run, objects: &Objects, found: &[Specificity]) -> Result<(), RunError> {
    let mut rows = Vec::new();
    for of in found {
        run.report.metric(format!("{}_average_precision_mean", of.metric), of.mean())?;
        run.report.metric(format!("{}_average_precision_median", of.metric), of.median())?;
        run.report.metric(format!("{}_average_precision_best", of.metric), of.best())?;
        rows.push(vec![
            of.name.to_string(),
            of.areas.len().to_string(),
            short_number(of.mean()),
            short_number(of.median()),
            short_number(of.best()),
        ]);
    }
    let title = format!(
        "Areas under precision-recall curves of single features, {} against as many objects of other classes (chance: 0.5)",
        objects.name
    );
    run.report.table(title, &["features", "how many", "mean", "median", "best"], rows)?;
    for (of, (layer, value)) in found.iter().zip(PUBLISHED) {
        let metric = format!("mean area of single features, {layer} (there faces among three classes)");
        let source = "Lee, Grosse, Ranganath and Ng, Communications of the ACM, 2011, figure 5";
        run.report.published(metric, value, source, true, Some(of.mean()))?;
    }
    let curves: Vec<_> = found.iter().map(|of| (of.name, of.curve())).collect();
    run.report.curve("Features whose area is above a bound", "area", "share of the features", &curves)?;
    Ok(())
}

pub(super) fn filling(
    run: &mut Run,
    dbn: &ConvolutionalDbn,
    ways: &[Way],
    truth: &Expected,
) -> Result<(), RunError> {
    let geometry = dbn.layers()[0].geometry();
    let off: Vec<_> = ways.iter().map(|way| way.off(geometry, truth)).collect();
    let mut rows = Vec::new();
    for (way, own) in ways.iter().zip(&off) {
        let [pooled, pixels, correlation] =
            [&own.pooled, &own.pixels, &own.correlation].map(|of| SeedMean::of(of));
        for (what, of) in [
            ("pooled_squared_error", pooled),
            ("pixel_squared_error", pixels),
            ("pixel_correlation", correlation),
        ] {
            run.report.metric(format!("{}_{what}", way.metric), of.mean)?;
            run.report.metric(format!("{}_{what}_standard_error", way.metric), of.standard_error)?;
        }
        rows.push(vec![
            way.name.to_string(),
            pooled.to_string(),
            pixels.to_string(),
            correlation.to_string(),
        ]);
    }
    let headers = [
        "filled in by",
        "squared error of pooling units",
        "squared error of pixels",
        "correlation of pixels",
    ];
    run.report.table("What is not seen: means over held-out objects and both halves", &headers, rows)?;
    let (pooled, correlation) = (off[0].pooled_below(&off[1]), off[0].correlation_above(&off[1]));
    for (what, of) in [("pooled_squared_error_reduction", pooled), ("pixel_correlation_gain", correlation)] {
        run.report.metric(format!("hierarchical_{what}"), of.mean)?;
        run.report.metric(format!("hierarchical_{what}_standard_error"), of.standard_error)?;
    }
    run.report.table(
        "The whole stack against inference from below alone, both read from the second layer: differences object by object",
        &["what", "difference", "in standard errors"],
        [("squared error of pooling units, lower by", pooled), ("correlation of pixels, higher by", correlation)]
            .map(|(what, of)| vec![what.to_string(), of.to_string(), short_number(of.mean / of.standard_error)])
            .to_vec(),
    )?;
    for (number, half) in HALVES.iter().enumerate() {
        let side = format!("{half:?}").to_lowercase();
        let known = half.known(geometry.height, geometry.width);
        let occluded = &truth.pixels * &known;
        let strips = [&occluded]
            .into_iter()
            .chain([1, 0, 2, 3].map(|way: usize| &ways[way].expected[number].pixels))
            .chain([&truth.pixels]);
        let strips: Vec<Array2<f32>> = strips.map(|strip| shades(first(strip, SHOWN))).collect();
        let strips: Vec<ArrayView2<'_, f32>> = strips.iter().map(|strip| strip.view()).collect();
        let picture = image_grid::comparison(&strips, TileLayout::new(SIDE, SIDE, SHOWN))?;
        let caption = format!(
            "Held-out objects without their {side} half; the second layer from below alone; the second layer after sweeps \
             over the whole stack; the first layer after these; the first layer alone; the whole objects. Each image has its \
             own scale, 0 is middle grey."
        );
        run.report.picture(&format!("filled-{side}"), caption, &picture)?;
    }
    Ok(())
}

/// Each image between 0 and 1 by its own largest magnitude, 0 in the middle.
fn shades(images: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut out = images.to_owned();
    for mut image in out.rows_mut() {
        let largest = image.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let scale = if largest > 0.0 { 0.5 / largest } else { 0.0 };
        image.mapv_inplace(|value| 0.5 + scale * value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_cut_and_shaded_by_hand() {
        let images = Array2::from_shape_fn((2, 12), |(image, pixel)| (100 * image + pixel) as f32);
        let parts = cut(images.view(), 4, &[[0, 1], [1, 2]], 2);
        assert_eq!(parts, ndarray::arr2(&[[1.0, 2.0, 5.0, 6.0], [106.0, 107.0, 110.0, 111.0]]));
        let shaded = shades(ndarray::arr2(&[[-2.0, 0.0, 1.0], [0.0; 3]]).view());
        assert_eq!(shaded, ndarray::arr2(&[[0.0, 0.5, 0.75], [0.5; 3]]));
    }

    /// One image with one spot, which one map answers to and the other does not.
    #[test]
    fn answers_are_found_where_they_were_given() {
        let bottom = Geometry { height: 9, width: 9, channels: 1, filter: 2, maps: 1, block: 2 };
        let top = Geometry { height: 4, width: 4, channels: 1, filter: 1, maps: 2, block: 2 };
        let field = 5; // two pooling units, each of 3 pixels, 2 apart
        let image = Array2::from_shape_fn((1, 81), |(_, pixel)| if pixel == 5 * 9 + 6 { 1.0 } else { 0.0 });
        // Blocks of the second layer begin at pixels 0 and 4 both ways; map 0 answers in the last one.
        let units = ndarray::arr2(&[[0.1f32, 0.8, 0.2, 0.1, 0.3, 0.1, 0.9, 0.1]]);
        let found = answered(image.view(), units.view(), [&bottom, &top], field);
        let on: Vec<usize> = (0..25).filter(|pixel| found[[0, *pixel]] > 0.5).collect();
        assert_eq!(on, [5 + 2], "row 5 − 4, column 6 − 4");
        assert!(found.row(1).iter().all(|value| *value == 0.0));
    }
}
