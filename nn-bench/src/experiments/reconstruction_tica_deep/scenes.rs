//! Images in which an object may lie on natural clutter.

use ndarray::{Array2, Array3, ArrayView1, Axis, Slice};
use nn_core::Key;
use nn_data::augment::{Affine, AffineRanges};
use nn_data::image_folder::Photograph;
use nn_data::{Images, PatchDraw, contrast};

use crate::run_error::{RunError, WhileDoing};

/// How a scene is put together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Composition {
    /// Pixels on a side.
    pub(super) side: usize,
    /// How an object is moved.
    pub(super) moves: AffineRanges,
    /// Standard deviation of the clutter.
    pub(super) clutter: f32,
    /// By how much an object is lighter, or as often darker, than the mean of its ground.
    pub(super) amplitude: f32,
    /// The highest contrast of a scene over the lowest; its logarithm is uniform.
    pub(super) contrasts: f32,
}

/// Shares of the scenes that show an object of the class, an object of another class, and clutter alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    pub(super) class: f32,
    pub(super) other: f32,
}

/// What scenes are made of; those for training and for testing share nothing.
#[derive(Debug)]
pub(super) struct Sources {
    /// Light objects on a ground of 0.
    pub(super) objects: Images,
    /// Grey.
    pub(super) photographs: Vec<Array3<f32>>,
}

/// Scenes without labels for learning, with labels for testing.
#[derive(Debug)]
pub(super) struct Scenes {
    /// Scenes × pixels.
    pub(super) images: Array2<f32>,
    /// Whether each shows an object of the class.
    pub(super) of_class: Vec<bool>,
}

// What is drawn with the key of a scene.
const CONTENT: u64 = 0;
const OBJECT: u64 = 1;
const SIGN: u64 = 2;
const CONTRAST: u64 = 3;
const MOVES: u64 = 4;
/// Purpose of a key beyond those of the scenes.
const CLUTTER: u64 = u64::MAX;
/// Clutter of a smaller deviation than this is drawn again: there is nothing in it.
const FLAT: f64 = 0.02;

/// The photographs' left or right halves, so that no clutter of the test was seen before.
pub(super) fn halves(photographs: &[Photograph], right: bool) -> Vec<Array3<f32>> {
    let half = |photograph: &Photograph| {
        let (middle, width) = (photograph.pixels.dim().1 / 2, photograph.pixels.dim().1);
        let columns = if right { middle..width } else { 0..middle };
        photograph.pixels.slice_axis(Axis(1), Slice::from(columns)).to_owned()
    };
    photographs.iter().map(half).collect()
}

impl Composition {
    /// So many scenes.
    ///
    /// # Errors
    /// If there is no object of the class or of another one, or a photograph is smaller than a scene.
    pub(super) fn draw(
        &self,
        sources: &Sources,
        class: u8,
        shares: Shares,
        count: usize,
        key: Key,
    ) -> Result<Scenes, RunError> {
        let doing = "composing scenes";
        let labels = sources.objects.labels().unwrap_or_default();
        let rows = |of_class: bool| -> Vec<usize> {
            (0..labels.len()).filter(|&row| (labels[row] == class) == of_class).collect()
        };
        let (class_rows, other_rows) = (rows(true), rows(false));
        let clutter = self.clutter(sources, count, key.fold_in(CLUTTER))?;
        let mut images = Array2::zeros((count, self.side * self.side));
        let mut of_class = Vec::with_capacity(count);
        for (number, (mut image, ground)) in images.rows_mut().into_iter().zip(clutter.rows()).enumerate() {
            let key = key.fold_in(number as u64);
            let content = key.uniform(CONTENT);
            let rows = if content < shares.class {
                Some(&class_rows)
            } else {
                (content < shares.class + shares.other).then_some(&other_rows)
            };
            of_class.push(content < shares.class);
            let object = match rows {
                None => None,
                Some(rows) => {
                    let row = (key.uniform(OBJECT) * rows.len() as f32) as usize;
                    let moved = self.moves.draw(&mut key.fold_in(MOVES).generator()).while_doing(doing)?;
                    Some(self.object(&sources.objects, rows[row.min(rows.len() - 1)], &moved))
                }
            };
            let sign = if key.uniform(SIGN) < 0.5 { -1.0 } else { 1.0 };
            let scene = self.compose(ground, object.as_ref(), sign);
            let contrast = self.contrasts.powf(key.uniform(CONTRAST) - 0.5);
            image.assign(&(scene * contrast));
        }
        Ok(Scenes { images, of_class })
    }

    /// Patches of the photographs, of mean 0 and this composition's deviation.
    pub(super) fn clutter(&self, sources: &Sources, count: usize, key: Key) -> Result<Array2<f32>, RunError> {
        let draw = PatchDraw { size: [self.side; 2], count, border: 0, least_deviation: FLAT };
        let patches = draw.draw(&sources.photographs, &mut key.generator());
        let mut patches = patches.while_doing("drawing clutter")?;
        contrast::remove_mean(patches.view_mut());
        for mut patch in patches.rows_mut() {
            let deviation = (patch.dot(&patch) / patch.len() as f32).sqrt();
            patch *= self.clutter / deviation.max(f32::MIN_POSITIVE);
        }
        Ok(patches)
    }

    /// How much of each pixel an object covers, from 0 to 1, the object moved about the middle of the scene.
    pub(super) fn object(&self, objects: &Images, row: usize, moved: &Affine) -> Array3<f32> {
        let (height, width) = (objects.height(), objects.width());
        let pixels = objects.pixels();
        let margins = [height, width].map(|size| self.side.saturating_sub(size) / 2);
        let at = |(y, x, _): (usize, usize, usize)| {
            let place = [y.checked_sub(margins[0]), x.checked_sub(margins[1])];
            match place {
                [Some(y), Some(x)] if y < height && x < width => {
                    f32::from(pixels[[row, y * width + x]]) / 255.0
                }
                _ => 0.0,
            }
        };
        let middle = Array3::from_shape_fn((self.side, self.side, 1), at);
        moved.displacement(self.side, self.side).apply(middle.view(), 0.0)
    }

    /// The object, lighter (sign 1) or darker (−1), over its ground, less the mean of all.
    pub(super) fn compose(
        &self,
        ground: ArrayView1<'_, f32>,
        object: Option<&Array3<f32>>,
        sign: f32,
    ) -> ndarray::Array1<f32> {
        let mut scene = ground.to_owned();
        if let Some(object) = object {
            for (pixel, cover) in scene.iter_mut().zip(object) {
                *pixel = *pixel * (1.0 - cover) + sign * self.amplitude * cover;
            }
        }
        let mean = scene.mean().unwrap_or_default();
        scene - mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSITION: Composition = Composition {
        side: 8,
        moves: AffineRanges { rotation: 0.0, scale: 0.0, shear: 0.0, translation: 1.0 },
        clutter: 0.5,
        amplitude: 3.0,
        contrasts: 4.0,
    };

    /// Full objects of 4 × 4 pixels of two classes, on noise.
    fn sources() -> Sources {
        let objects =
            Images::new(Array2::from_elem((6, 16), 255u8), [4, 4, 1], Some(vec![0, 1, 0, 1, 2, 2]), 3, "x");
        let key = Key::new(3);
        let noise = Array3::from_shape_fn((20, 30, 1), |(y, x, _)| key.uniform((y * 30 + x) as u64));
        Sources { objects: objects.unwrap(), photographs: vec![noise] }
    }

    #[test]
    fn scenes_have_their_shares_and_their_contrasts() {
        let shares = Shares { class: 0.3, other: 0.2 };
        let scenes = COMPOSITION.draw(&sources(), 1, shares, 2000, Key::new(1)).unwrap();
        let count = scenes.of_class.iter().filter(|is| **is).count() as f64;
        // Four standard deviations of 2000 draws of 0.3.
        assert!((count - 600.0).abs() < 82.0, "{count}");
        let deviation = |image: ArrayView1<'_, f32>| (image.dot(&image) / image.len() as f32).sqrt();
        let (mut least, mut most, mut with) = (f32::MAX, 0.0f32, 0.0);
        for (image, of_class) in scenes.images.rows().into_iter().zip(&scenes.of_class) {
            assert!(image.mean().unwrap().abs() < 1e-5);
            if *of_class {
                with += f64::from(deviation(image));
            } else {
                (least, most) = (least.min(deviation(image)), most.max(deviation(image)));
            }
        }
        // Clutter alone has 0.5 times ½ to 2; an object on a quarter of the pixels stands out.
        assert!(least > 0.249 && least < 0.27, "{least}");
        assert!(most > 1.5 && with / count > 1.0, "{most} {}", with / count);
    }

    #[test]
    fn an_object_covers_its_place_and_moves() {
        let sources = sources();
        let still = COMPOSITION.object(&sources.objects, 0, &Affine::NONE);
        let covered = |y: usize, x: usize| (2..6).contains(&y) && (2..6).contains(&x);
        assert!(still.indexed_iter().all(|((y, x, _), cover)| *cover == f32::from(u8::from(covered(y, x)))));
        let moved = Affine { translation: [1.0, -2.0], ..Affine::NONE };
        let moved = COMPOSITION.object(&sources.objects, 0, &moved);
        assert!(moved[[3, 0, 0]] == 1.0 && moved[[6, 3, 0]] == 1.0 && moved[[2, 2, 0]] == 0.0);
        let ground = ndarray::Array1::zeros(64);
        let scene = COMPOSITION.compose(ground.view(), Some(&still), -1.0);
        assert!((scene[0] - 0.75).abs() < 1e-6 && (scene[3 * 8 + 3] + 2.25).abs() < 1e-6);
    }

    #[test]
    fn halves_have_nothing_in_common() {
        let pixels = Array3::from_shape_fn((2, 5, 1), |(_, x, _)| x as f32);
        let photographs = [Photograph { name: "x".to_string(), pixels }];
        let [left, right] = [false, true].map(|right| halves(&photographs, right));
        assert_eq!((left[0].dim(), right[0].dim()), ((2, 2, 1), (2, 3, 1)));
        assert_eq!((left[0][[0, 1, 0]], right[0][[0, 0, 0]]), (1.0, 2.0));
    }
}
