//! Distortions of images: from where each pixel is taken.

use ndarray::{Array2, Array3, ArrayView3, ArrayViewMut3, Zip};

/// For each pixel of the result, by how many pixels its source lies further down and to the right.
///
/// The displacements of two distortions can be [added](Self::plus); for small ones that is nearly the same as
/// one after the other, and the image is interpolated once only.
#[derive(Clone, Debug, PartialEq)]
pub struct Displacement {
    down: Array2<f32>,
    right: Array2<f32>,
}

impl Displacement {
    /// From the two fields, each height × width, in pixels.
    ///
    /// # Panics
    ///
    /// If the fields differ in size.
    #[track_caller]
    pub fn new(down: Array2<f32>, right: Array2<f32>) -> Self {
        assert_eq!(down.dim(), right.dim(), "the two fields of a displacement differ in size");
        Self { down, right }
    }

    /// Both fields: down and right, each height × width.
    pub fn fields(&self) -> [&Array2<f32>; 2] {
        [&self.down, &self.right]
    }

    /// The sum of two displacements.
    ///
    /// # Panics
    ///
    /// If they differ in size.
    #[track_caller]
    pub fn plus(&self, other: &Self) -> Self {
        assert_eq!(self.down.dim(), other.down.dim(), "displacements of different sizes were added");
        Self { down: &self.down + &other.down, right: &self.right + &other.right }
    }

    /// The distorted image: height × width × channels, each value interpolated linearly between the four
    /// pixels around its source; beyond the edge, all pixels are `outside`.
    ///
    /// # Panics
    ///
    /// If height and width are not those of the displacement.
    #[track_caller]
    pub fn apply(&self, image: ArrayView3<'_, f32>, outside: f32) -> Array3<f32> {
        let mut out = Array3::zeros(image.dim());
        self.apply_into(image, outside, out.view_mut());
        out
    }

    /// As [`apply`](Self::apply), into an image that is there already.
    ///
    /// # Panics
    ///
    /// If the images and the displacement differ in size.
    #[track_caller]
    pub fn apply_into(&self, image: ArrayView3<'_, f32>, outside: f32, mut out: ArrayViewMut3<'_, f32>) {
        let (height, width, _) = image.dim();
        assert_eq!((height, width), self.down.dim(), "an image and its displacement differ in size");
        assert_eq!(image.dim(), out.dim(), "an image and the place for its copy differ in size");
        let inside = |at: f32, count: usize| (at >= 0.0 && at < count as f32).then_some(at as usize);
        Zip::indexed(out.lanes_mut(ndarray::Axis(2))).and(&self.down).and(&self.right).for_each(
            |(row, column), mut pixel, &down, &right| {
                let (y, x) = (row as f32 + down, column as f32 + right);
                let (above, before) = (y.floor(), x.floor());
                let (low, late) = (y - above, x - before);
                let rows = [inside(above, height), inside(above + 1.0, height)];
                let columns = [inside(before, width), inside(before + 1.0, width)];
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let at = |row: Option<usize>, column: Option<usize>| match (row, column) {
                        (Some(row), Some(column)) => image[(row, column, channel)],
                        _ => outside,
                    };
                    let [upper, lower] = rows.map(|row| {
                        let (first, second) = (at(row, columns[0]), at(row, columns[1]));
                        first + late * (second - first)
                    });
                    *value = upper + low * (lower - upper);
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Array3<f32> {
        Array3::from_shape_fn((3, 4, 2), |(y, x, c)| ((y * 7 + x * 3 + c * 50) % 23) as f32)
    }

    fn constant(down: f32, right: f32) -> Displacement {
        Displacement::new(Array2::from_elem((3, 4), down), Array2::from_elem((3, 4), right))
    }

    #[test]
    fn no_displacement_changes_nothing() {
        assert_eq!(constant(0.0, 0.0).apply(image().view(), -9.0), image());
        assert_eq!(constant(1.5, -1.0).plus(&constant(-1.5, 1.0)).apply(image().view(), -9.0), image());
    }

    #[test]
    fn a_shift_by_whole_pixels_moves_them() {
        let moved = constant(1.0, -2.0).apply(image().view(), -9.0);
        for ((row, column, channel), &value) in moved.indexed_iter() {
            let expected =
                if row < 2 && column >= 2 { image()[(row + 1, column - 2, channel)] } else { -9.0 };
            assert_eq!(value, expected, "{row} {column}");
        }
        assert!(
            constant(1e30, f32::NEG_INFINITY)
                .apply(image().view(), 4.0)
                .iter()
                .all(|v| *v == 4.0 || v.is_nan())
        );
    }

    #[test]
    fn between_pixels_values_are_interpolated() {
        let image = ndarray::array![[[0.0], [10.0]], [[20.0], [50.0]]];
        let quarter = Displacement::new(Array2::from_elem((2, 2), 0.5), Array2::from_elem((2, 2), 0.25));
        let out = quarter.apply(image.view(), 100.0);
        // Upper row: 0 + 2.5; lower row: 20 + 7.5; half way between them.
        assert_eq!(out[(0, 0, 0)], 15.0);
        // Right of the edge everything is 100: 10 + 22.5, 50 + 12.5.
        assert_eq!(out[(0, 1, 0)], 47.5);
        assert_eq!(out[(1, 1, 0)], 0.5 * 62.5 + 0.5 * 100.0);
    }
}
