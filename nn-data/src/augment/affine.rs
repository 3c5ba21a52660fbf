//! Rotation, scaling, shearing and translation.

use ndarray::Array2;
use rand_core::RngCore;

use crate::DataError;
use crate::augment::Displacement;
use crate::uniform::fraction;

/// An affine map about the centre of an image. Scaling comes first, then shearing, rotation and translation.
///
/// With x to the right and y down from the centre, in pixels: (x, y) becomes
/// R(rotation) · (s_x x + shear · s_y y, s_y y) + translation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Angle in radians; positive turns clockwise as seen.
    pub rotation: f32,
    /// Factors along y and x, not 0; above 1 enlarges.
    pub scale: [f32; 2],
    /// By how many pixels a row moves to the right for each pixel further down.
    pub shear: f32,
    /// Pixels down and to the right.
    pub translation: [f32; 2],
}

impl Affine {
    /// The map that changes nothing.
    pub const NONE: Self = Self { rotation: 0.0, scale: [1.0; 2], shear: 0.0, translation: [0.0; 2] };

    /// From where each pixel of an image of height × width is taken.
    ///
    /// # Panics
    ///
    /// If a factor of scaling is 0 or something is not finite: no pixel has a source then.
    #[track_caller]
    pub fn displacement(&self, height: usize, width: usize) -> Displacement {
        let Self { rotation, scale: [scale_y, scale_x], shear, translation: [down, right] } = *self;
        let all = [rotation, scale_y, scale_x, shear, down, right];
        let valid = all.iter().all(|value| value.is_finite()) && scale_y != 0.0 && scale_x != 0.0;
        assert!(valid, "{self:?} cannot be inverted");
        let (sin, cos) = rotation.sin_cos();
        let centre = |count: usize| (count as f32 - 1.0) / 2.0;
        let source = |row: usize, column: usize| {
            let (y, x) = (row as f32 - centre(height), column as f32 - centre(width));
            let (moved_y, moved_x) = (y - down, x - right);
            let (turned_y, turned_x) = (cos * moved_y - sin * moved_x, cos * moved_x + sin * moved_y);
            [turned_y / scale_y - y, (turned_x - shear * turned_y) / scale_x - x]
        };
        let field =
            |axis: usize| Array2::from_shape_fn((height, width), |(row, column)| source(row, column)[axis]);
        Displacement::new(field(0), field(1))
    }
}

/// How far random affine maps go; each quantity is uniform in its range.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AffineRanges {
    /// Largest angle to either side, in radians.
    pub rotation: f32,
    /// Largest relative change of each side, from 0 to below 1: 0.15 gives factors from 0.85 to 1.15.
    pub scale: f32,
    /// Largest shear to either side.
    pub shear: f32,
    /// Longest way along each axis, in pixels.
    pub translation: f32,
}

impl AffineRanges {
    /// Draws a map: rotation, factors along y and x, shear, translation along y and x, in this order.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for a range that is negative, not finite, or for scaling not below 1.
    pub fn draw<R: RngCore + ?Sized>(&self, generator: &mut R) -> Result<Affine, DataError> {
        let ranges = [self.rotation, self.scale, self.shear, self.translation];
        if !ranges.iter().all(|range| range.is_finite() && *range >= 0.0) || self.scale >= 1.0 {
            return Err(DataError::Setting {
                name: "the range of affine distortions",
                value: format!("{self:?}"),
                allowed: "give numbers of at least 0, and less than 1 for the scale".into(),
            });
        }
        let mut within = |range: f32| range * (2.0 * fraction(generator) - 1.0) as f32;
        Ok(Affine {
            rotation: within(self.rotation),
            scale: [1.0 + within(self.scale), 1.0 + within(self.scale)],
            shear: within(self.shear),
            translation: [within(self.translation), within(self.translation)],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    fn applied(affine: Affine, image: &Array3<f32>) -> Array3<f32> {
        let (height, width, _) = image.dim();
        affine.displacement(height, width).apply(image.view(), 0.0)
    }

    fn grey<const H: usize, const W: usize>(values: [[f32; W]; H]) -> Array3<f32> {
        Array3::from_shape_fn((H, W, 1), |(y, x, _)| values[y][x])
    }

    #[test]
    fn no_map_changes_nothing_and_translation_moves() {
        let image = grey([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(applied(Affine::NONE, &image), image);
        let moved = applied(Affine { translation: [1.0, -1.0], ..Affine::NONE }, &image);
        assert_eq!(moved, grey([[0.0, 0.0, 0.0], [2.0, 3.0, 0.0]]));
    }

    #[test]
    fn a_quarter_turn_is_clockwise() {
        let image = grey([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]);
        let turned = applied(Affine { rotation: std::f32::consts::FRAC_PI_2, ..Affine::NONE }, &image);
        let expected = grey([[7.0, 4.0, 1.0], [8.0, 5.0, 2.0], [9.0, 6.0, 3.0]]);
        assert!((&turned - &expected).iter().all(|difference| difference.abs() < 1e-4), "{turned:?}");
    }

    #[test]
    fn scaling_and_shearing_have_their_centre_in_the_middle() {
        // Twice as wide: the outer columns come from half a pixel beside the centre.
        let image = grey([[0.0, 10.0, 20.0]]);
        assert_eq!(applied(Affine { scale: [1.0, 2.0], ..Affine::NONE }, &image), grey([[5.0, 10.0, 15.0]]));
        // The row above the centre goes to the left, that below to the right.
        let bar = grey([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]);
        let slanted = applied(Affine { shear: 1.0, ..Affine::NONE }, &bar);
        assert_eq!(slanted, grey([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]));
    }

    #[test]
    fn the_inverse_undoes_scale_shear_and_rotation_together() {
        let affine = Affine { rotation: 0.3, scale: [1.2, 0.8], shear: 0.4, translation: [1.0, 2.0] };
        let field = affine.displacement(9, 11);
        let [down, right] = field.fields();
        let (row, column) = (2, 7);
        let (y, x) = (row as f32 + down[(row, column)] - 4.0, column as f32 + right[(row, column)] - 5.0);
        // Forward again, by the formula of the documentation.
        let (inner_x, inner_y) = (0.8 * x + 0.4 * 1.2 * y, 1.2 * y);
        let (sin, cos) = 0.3f32.sin_cos();
        let back =
            array![sin * inner_x + cos * inner_y + 1.0 + 4.0, cos * inner_x - sin * inner_y + 2.0 + 5.0];
        assert!((back - array![row as f32, column as f32]).iter().all(|value| value.abs() < 1e-5));
    }

    #[test]
    fn draws_stay_in_their_ranges() {
        let ranges = AffineRanges { rotation: 0.2, scale: 0.15, shear: 0.1, translation: 2.0 };
        let mut generator = Pcg64::seed_from_u64(1);
        for _ in 0..1000 {
            let drawn = ranges.draw(&mut generator).unwrap();
            assert!(drawn.rotation.abs() <= 0.2 && drawn.shear.abs() <= 0.1);
            assert!(drawn.scale.iter().all(|factor| (0.85..=1.15).contains(factor)));
            assert!(drawn.translation.iter().all(|pixels| pixels.abs() <= 2.0));
        }
        assert_eq!(AffineRanges::default().draw(&mut generator).unwrap(), Affine::NONE);
        let wrong = AffineRanges { scale: 1.0, ..ranges };
        assert!(matches!(wrong.draw(&mut generator), Err(DataError::Setting { .. })));
    }
}
