//! What the layers learn from and are tested on: crops of photographs, and objects prepared as these.

use ndarray::{Array2, Array3, Axis};
use nn_core::Key;
use nn_data::augment::{Affine, Crop};
use nn_data::{Images, contrast, frequency_filter};

use super::{CROP, SIDE};
use crate::digits::{DigitSet, Digits};
use crate::located_images;
use crate::natural_images::{NaturalSet, PatchRecipe};
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// f₀ of the whitening filter, in cycles a pixel, of photographs and objects alike.
pub(super) const CUTOFF: f64 = 0.35;

/// Where values are cut off, in standard deviations.
pub(super) const LIMIT: f32 = 4.0;

/// Added to the variance of a crop, that of photographs being 1, before crops are brought to one contrast.
pub(super) const OFFSET: f64 = 0.1;

/// By how much objects are enlarged.
pub(super) const ENLARGED: f32 = 1.5;

/// Pixels on a side of the black ground that an object lies on while it is whitened.
const GROUND: usize = 64;

/// Where objects come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectSet {
    /// One of the digits that are part of the program.
    Digits,
    /// One kind of clothes of Fashion-MNIST where the folder of the data files or the cache has it, otherwise digits.
    WhatIsThere,
    /// One kind of clothes of Fashion-MNIST.
    Clothes,
}

/// Images of several classes, of which one is looked at.
struct Classes {
    class: u8,
    /// What one object of the class is called.
    name: &'static str,
    train: Images,
    test: Images,
}

impl Classes {
    fn load(run: &mut Run, set: ObjectSet) -> Result<Classes, RunError> {
        let clothes = nn_data::Dataset::FashionMnist;
        let there = set == ObjectSet::WhatIsThere && located_images::are_there(run, clothes);
        if there || set == ObjectSet::Clothes {
            let [train, test] = located_images::load(run, clothes)?;
            return Ok(Classes { class: 9, name: "ankle boot of Fashion-MNIST", train, test });
        }
        let Digits { train, test } = Digits::load(run, DigitSet::Embedded)?;
        Ok(Classes { class: 8, name: "digit eight", train, test })
    }
}

/// Objects of one class, and others, images × pixels, prepared.
#[derive(Debug)]
pub(super) struct Objects {
    /// What one of the class is called.
    pub(super) name: &'static str,
    /// Of the class, to learn from.
    pub(super) train: Array2<f32>,
    /// Of the class, held out.
    pub(super) test: Array2<f32>,
    /// As many test images of other classes, these in turn.
    pub(super) others: Array2<f32>,
}

impl Objects {
    /// Loads at most so many objects to learn from and to test; check sums of the files go into the report.
    ///
    /// # Errors
    /// If files are absent or damaged.
    pub(super) fn load(run: &mut Run, set: ObjectSet, counts: [usize; 2]) -> Result<Objects, RunError> {
        let Classes { class, name, train, test } = Classes::load(run, set)?;
        let learned: Vec<usize> = of_class(&train, class).take(counts[0]).collect();
        let held_out: Vec<usize> = of_class(&test, class).take(counts[1]).collect();
        let others = in_turn(&test, class, held_out.len());
        run.report.setting("objects of the second layer", format!("each a {name}"));
        run.report.setting("objects to learn from, held out, of other classes", {
            format!("{}, {}, {}", learned.len(), held_out.len(), others.len())
        });
        let prepare =
            |images: &Images, rows: &[usize]| prepared(images, rows).while_doing("preparing objects");
        Ok(Objects {
            name,
            train: prepare(&train, &learned)?,
            test: prepare(&test, &held_out)?,
            others: prepare(&test, &others)?,
        })
    }
}

fn of_class(images: &Images, class: u8) -> impl Iterator<Item = usize> {
    let labels = images.labels().unwrap_or_default().iter().enumerate();
    labels.filter(move |(_, label)| **label == class).map(|(row, _)| row)
}

/// The first image of each other class, then the second of each, and so on.
fn in_turn(images: &Images, class: u8, count: usize) -> Vec<usize> {
    let of_each: Vec<Vec<usize>> = (0..images.classes() as u8)
        .filter(|other| *other != class)
        .map(|other| of_class(images, other).collect())
        .collect();
    let rounds = of_each.iter().map(Vec::len).max().unwrap_or(0);
    let turns = (0..rounds).flat_map(|round| of_each.iter().filter_map(move |rows| rows.get(round).copied()));
    turns.take(count).collect()
}

/// Enlarged, in the middle of a black ground, whitened as photographs are, the middle cut out, and of mean 0 and variance 1
/// each.
fn prepared(images: &Images, rows: &[usize]) -> Result<Array2<f32>, nn_data::DataError> {
    let (height, width) = (images.height(), images.width());
    let enlarge = Affine { scale: [ENLARGED; 2], ..Affine::NONE }.displacement(GROUND, GROUND);
    let [top, left] = [height, width].map(|side| (GROUND - side) / 2);
    let mut out = Array2::zeros((rows.len(), SIDE * SIDE));
    for (row, mut out) in rows.iter().zip(out.rows_mut()) {
        let pixels = images.pixels().row(*row).to_owned();
        let ground = Array3::from_shape_fn((GROUND, GROUND, 1), |(y, x, _)| {
            let place =
                y.checked_sub(top).zip(x.checked_sub(left)).filter(|(y, x)| *y < height && *x < width);
            place.map_or(0.0, |(y, x)| f32::from(pixels[y * width + x]) / 255.0)
        });
        let mut image = enlarge.apply(ground.view(), 0.0);
        frequency_filter::whiten(image.view_mut(), CUTOFF)?;
        let middle = Crop::centre([GROUND; 2], [SIDE; 2]).apply(image.view());
        let mean = middle.mean().unwrap_or_default();
        let mut middle = [middle - mean];
        frequency_filter::scale_to_variance(&mut middle, 1.0);
        out.assign(&middle[0].index_axis(Axis(2), 0).flatten().mapv(|value| value.clamp(-LIMIT, LIMIT)));
    }
    Ok(out)
}

/// Crops of photographs, whitened, of variance 1 in all.
pub(super) fn crops(run: &mut Run, set: NaturalSet, count: usize, key: Key) -> Result<Array2<f32>, RunError> {
    let photographs = set.load(run, key.fold_in(0))?;
    let recipe = PatchRecipe { side: CROP, count, cutoff: CUTOFF, limit: LIMIT, deviation: 1.0 };
    let mut crops = recipe.draw(&photographs, key.fold_in(1)).while_doing("cutting photographs")?;
    contrast::normalize_variance(crops.view_mut(), OFFSET);
    Ok(crops)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        let pixels = Array2::from_shape_fn((6, 28 * 28), |(row, pixel)| {
            let (y, x) = (pixel / 28, pixel % 28);
            if (4 + row..24).contains(&y) && (10..18).contains(&x) { 200 } else { 0 }
        });
        Images::new(pixels, [28, 28, 1], Some(vec![0, 1, 2, 1, 0, 2]), 3, "bars").unwrap()
    }

    #[test]
    fn other_classes_take_turns() {
        let images = images();
        assert_eq!(of_class(&images, 1).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(in_turn(&images, 1, 3), [0, 2, 4]);
        assert_eq!(in_turn(&images, 1, 9), [0, 2, 4, 5]);
    }

    /// A bar keeps its place in the middle, is as bright as photographs on average, and its sides, where brightness changes,
    /// are what is left of it.
    #[test]
    fn objects_are_prepared_as_photographs() {
        let prepared = prepared(&images(), &[0, 3]).unwrap();
        assert_eq!(prepared.dim(), (2, SIDE * SIDE));
        let row = prepared.row(0);
        let mean_square = row.iter().map(|value| value * value).sum::<f32>() / row.len() as f32;
        assert!((0.5..=1.001).contains(&mean_square), "{mean_square}");
        let at = |x: usize| row[(SIDE / 2) * SIDE + x];
        // The bar is 12 pixels wide, its middle between the 23rd and the 24th pixel of 45.
        let (outside, edge, inside) = (at(15), at(17), at(22));
        assert!(edge > 1.0 && outside < -0.3 && inside.abs() < 0.6 * edge, "{outside} {edge} {inside}");
        assert!((at(17) - at(28)).abs() < 0.01 && (at(15) - at(30)).abs() < 0.01, "it is symmetrical");
    }
}
