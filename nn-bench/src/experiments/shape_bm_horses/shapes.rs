//! The binary images that shape models learn from.

use ndarray::Array2;
use nn_data::{Images, weizmann_horses};

use crate::digits::{DigitSet, Digits};
use crate::located_images;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Which shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShapeSet {
    /// Silhouettes of one of the digits that are part of the program.
    Digits,
    /// Horses where the folder of the data files has them, else ankle boots of Fashion-MNIST from there or from the cache,
    /// else digits.
    WhatIsThere,
    /// Horses.
    Horses,
}

/// Images of zeros and ones, images × pixels.
#[derive(Debug)]
pub(super) struct Shapes {
    pub(super) train: Array2<f32>,
    pub(super) test: Array2<f32>,
    /// Pixels on a side.
    pub(super) side: usize,
    /// Whether they are the horses.
    pub(super) horses: bool,
}

/// As many as there are horses.
const TRAIN: usize = 314;
const TEST: usize = 14;

/// What is a silhouette of grey images: half of full brightness of the horses and digits, a quarter of the clothes.
const HALF: u8 = 128;
const QUARTER: u8 = 64;

const TWO: u8 = 2;
const ANKLE_BOOT: u8 = 9;

impl Shapes {
    /// Loads the shapes and puts the check sums of their files into the report.
    ///
    /// # Errors
    /// If files are absent or damaged.
    pub(super) fn load(run: &mut Run, set: ShapeSet) -> Result<Shapes, RunError> {
        let doing = "loading shapes";
        let there = match &run.data {
            Some(root) => !weizmann_horses::files(root).while_doing(doing)?.is_empty(),
            None => false,
        };
        let clothes = nn_data::Dataset::FashionMnist;
        let (name, shapes) = match set {
            ShapeSet::Horses => ("Weizmann horses", Shapes::horses(run)?),
            ShapeSet::WhatIsThere if there => ("Weizmann horses", Shapes::horses(run)?),
            ShapeSet::WhatIsThere if located_images::are_there(run, clothes) => {
                let [train, test] = located_images::load(run, clothes)?;
                ("ankle boots of Fashion-MNIST", Shapes::of_class([&train, &test], ANKLE_BOOT, QUARTER)?)
            }
            _ => {
                let Digits { train, test } = Digits::load(run, DigitSet::Embedded)?;
                ("twos", Shapes::of_class([&train, &test], TWO, HALF)?)
            }
        };
        run.report.setting("shapes", name);
        run.report.setting("training shapes", shapes.train.nrows());
        run.report.setting("test shapes", shapes.test.nrows());
        Ok(shapes)
    }

    fn horses(run: &mut Run) -> Result<Shapes, RunError> {
        let (doing, root) = ("loading the horses", run.data_folder()?.to_path_buf());
        let (train, test) = weizmann_horses::load(&root).while_doing(doing)?;
        for file in weizmann_horses::files(&root).while_doing(doing)? {
            run.report.data_file(&file)?;
        }
        let side = train.height();
        let [train, test] = [train, test].map(|images| silhouettes(&images, HALF));
        Ok(Shapes { train, test, side, horses: true })
    }

    fn of_class(images: [&Images; 2], class: u8, threshold: u8) -> Result<Shapes, RunError> {
        let side = images[0].height();
        let part = |images: &Images, count: usize| {
            let labels = images.labels().unwrap_or_default().iter().enumerate();
            let of_class = labels.filter(|(_, label)| **label == class).map(|(row, _)| row);
            let rows: Vec<usize> = of_class.take(count).collect();
            let chosen = images.rows(&rows).while_doing("choosing shapes")?;
            Ok::<_, RunError>(silhouettes(&chosen, threshold))
        };
        let (train, test) = (part(images[0], TRAIN)?, part(images[1], TEST)?);
        Ok(Shapes { train, test, side, horses: false })
    }
}

/// 1 where the grey value is at least this.
fn silhouettes(images: &Images, threshold: u8) -> Array2<f32> {
    images.pixels().mapv(|grey| f32::from(u8::from(grey >= threshold)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silhouettes_of_one_class() {
        let pixels = ndarray::arr2(&[[200u8, 64, 63, 0], [255; 4], [0, 0, 0, 64]]);
        let images = Images::new(pixels, [2, 2, 1], Some(vec![9, 2, 9]), 10, "x").unwrap();
        let shapes = Shapes::of_class([&images, &images], ANKLE_BOOT, QUARTER).unwrap();
        assert_eq!(shapes.train, ndarray::arr2(&[[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]));
        assert_eq!((shapes.train == shapes.test, shapes.side), (true, 2));
    }
}
