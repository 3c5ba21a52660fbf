//! Pairs of images of random dots, the second one shifted.

use ndarray::{Array2, ArrayViewMut1};
use nn_core::{Binarize, Dataset, Device, Error, Key};

/// Shifts down and across that there are: −1, 0 and 1 each way.
pub(super) const SHIFTS: usize = 9;

/// Share of the pixels that are a dot.
const DENSITY: f64 = 0.2;

/// The shift of this number, down and to the right.
pub(super) fn shift(number: usize) -> [isize; 2] {
    [number as isize / 3 - 1, number as isize % 3 - 1]
}

/// Pairs, standardised: dots have (1 − p)/√(p(1 − p)), all else −p/√(p(1 − p)) with p the density, which makes a mean of 0
/// and a variance of 1.
#[derive(Debug)]
pub(super) struct Pairs {
    /// Images x, cases × pixels.
    pub first: Array2<f32>,
    /// Images y: y = x moved, and new dots where nothing moved in.
    pub second: Array2<f32>,
    /// The number of the shift of each.
    pub shifts: Vec<usize>,
}

impl Pairs {
    /// So many pairs, shifts in turn.
    pub(super) fn draw(side: usize, count: usize, key: Key) -> Pairs {
        let shifts: Vec<usize> = (0..count).map(|case| case % SHIFTS).collect();
        let mut first = Array2::zeros((count, side * side));
        let mut second = Array2::zeros((count, side * side));
        for (case, &number) in shifts.iter().enumerate() {
            let field = field(side + 2, key.fold_in(case as u64));
            cut(&field, side, [0, 0], first.row_mut(case));
            cut(&field, side, shift(number), second.row_mut(case));
        }
        Pairs { first, second, shifts }
    }

    /// x as inputs, y as targets: what the machine learns from, which does not see the shifts.
    pub(super) fn given(&self, device: &Device) -> Result<Dataset, Error> {
        let first = Dataset::new(device, self.first.view(), Binarize::Never)?;
        first.with_targets(self.second.view())
    }
}

/// An image y for every shift of one field, and x, the field itself: shifts + 1 × pixels, x last.
pub(super) fn all_shifts(side: usize, key: Key) -> Array2<f32> {
    let field = field(side + 2, key);
    let mut out = Array2::zeros((SHIFTS + 1, side * side));
    for number in 0..SHIFTS {
        cut(&field, side, shift(number), out.row_mut(number));
    }
    cut(&field, side, [0, 0], out.row_mut(SHIFTS));
    out
}

fn field(side: usize, key: Key) -> Array2<f32> {
    let deviation = (DENSITY * (1.0 - DENSITY)).sqrt();
    Array2::from_shape_fn((side, side), |(row, column)| {
        let dot = f64::from(key.uniform((row * side + column) as u64)) < DENSITY;
        ((f64::from(u8::from(dot)) - DENSITY) / deviation) as f32
    })
}

/// What lies under a window whose content has moved by this shift: the window itself moves the other way.
fn cut(field: &Array2<f32>, side: usize, [down, right]: [isize; 2], mut out: ArrayViewMut1<'_, f32>) {
    for (pixel, value) in out.iter_mut().enumerate() {
        let from = |at: usize, by: isize| (at as isize + 1 - by) as usize;
        *value = field[[from(pixel / side, down), from(pixel % side, right)]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_image_is_the_first_one_moved() {
        let pairs = Pairs::draw(6, 900, Key::new(1));
        for (case, &number) in pairs.shifts.iter().enumerate() {
            let [down, right] = shift(number);
            for (row, column) in (1..5).flat_map(|row| (1..5).map(move |column| (row, column))) {
                let to = (row as isize + down) as usize * 6 + (column as isize + right) as usize;
                assert_eq!(pairs.first[[case, row * 6 + column]], pairs.second[[case, to]]);
            }
        }
        let mean = pairs.second.mean().unwrap_or(f32::NAN);
        let square = pairs.second.mapv(|value| value * value).mean().unwrap_or(f32::NAN);
        assert!(mean.abs() < 0.05 && (square - 1.0).abs() < 0.1, "{mean} {square}");
        assert_eq!((shift(0), shift(4), shift(8)), ([-1, -1], [0, 0], [1, 1]));
    }
}
