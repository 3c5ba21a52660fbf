//! How many filters are like the receptive fields of simple cells, beside filters of noise.

use ndarray::{Array2, ArrayView2};
use nn_core::Key;
use nn_sparse::GaborFit;
use nn_sparse::gabor::noise_filter;
use rayon::prelude::*;

use crate::report::short_number;
use crate::run::Run;
use crate::run_error::RunError;

/// What a share is counted above: noise that is smooth reaches 0.5 with ease, and 0.8 hardly.
const ENOUGH: f64 = 0.8;
/// Deviation of the Gaussian that makes noise smooth, in pixels.
const SMOOTHING: f64 = 1.0;

/// R² of Gabor functions fitted to filters.
#[derive(Clone, Debug)]
pub struct GaborLikeness {
    /// What the filters are.
    pub name: String,
    /// Of each filter, falling.
    pub explained: Vec<f64>,
}

impl GaborLikeness {
    /// Of filters of side × side pixels, a row each.
    ///
    /// # Panics
    /// If rows have another length or the side is below 3.
    pub fn of(name: impl Into<String>, filters: ArrayView2<'_, f32>, side: usize) -> Self {
        let fit = |row: usize| {
            let values = filters.row(row).iter().map(|&value| f64::from(value)).collect();
            let filter = Array2::from_shape_vec((side, side), values);
            GaborFit::of(filter.expect("a filter of side × side pixels").view()).explained
        };
        let mut explained: Vec<f64> = (0..filters.nrows()).into_par_iter().map(fit).collect();
        explained.sort_by(|a, b| b.total_cmp(a));
        Self { name: name.into(), explained }
    }

    /// Of so many filters of white noise and of smooth noise: what the others have to exceed.
    pub fn controls(count: usize, side: usize, key: Key) -> [Self; 2] {
        [("white noise", 0.0, 0), ("smooth noise", SMOOTHING, 1)].map(|(name, smoothing, purpose)| {
            let mut filters = Array2::zeros((count, side * side));
            for (number, mut row) in filters.rows_mut().into_iter().enumerate() {
                let key = key.fold_in(purpose).fold_in(number as u64);
                let noise = noise_filter([side; 2], smoothing, key);
                row.iter_mut().zip(&noise).for_each(|(value, noise)| *value = *noise as f32);
            }
            Self::of(name, filters.view(), side)
        })
    }

    /// The share of filters above 0.8.
    pub fn share(&self) -> f64 {
        let enough = self.explained.iter().filter(|&&explained| explained > ENOUGH).count();
        enough as f64 / self.explained.len().max(1) as f64
    }

    /// The one in the middle; of an even number the lower one.
    pub fn median(&self) -> f64 {
        self.explained.get(self.explained.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The share of filters above R², over R².
    fn curve(&self) -> Vec<(f64, f64)> {
        let above = |bound: f64| self.explained.iter().filter(|&&explained| explained > bound).count();
        let share = |step: u32| {
            let bound = f64::from(step) / 50.0;
            (bound, above(bound) as f64 / self.explained.len().max(1) as f64)
        };
        (0..=50).map(share).collect()
    }

    /// A table and a chart of several.
    ///
    /// # Errors
    /// If the chart cannot be drawn.
    pub fn compare(run: &mut Run, all: &[&Self]) -> Result<(), RunError> {
        let row = |one: &&Self| {
            let share = format!("{} %", short_number(100.0 * one.share()));
            vec![one.name.clone(), one.explained.len().to_string(), short_number(one.median()), share]
        };
        let headers = ["filters", "how many", "median R²", "R² above 0.8"];
        run.report.table("Gabor functions fitted to filters", &headers, all.iter().map(row).collect())?;
        let curves: Vec<_> = all.iter().map(|one| (one.name.as_str(), one.curve())).collect();
        run.report.curve("Filters that a Gabor function explains better than R²", "R²", "share", &curves)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Gabor function itself, and a filter without any shape.
    #[test]
    fn shares_by_hand() {
        let wave = |at: usize| {
            let (y, x) = ((at / 9) as f32 - 4.0, (at % 9) as f32 - 4.0);
            (-(x * x + y * y) / 8.0).exp() * (1.3 * x + 0.4 * y).sin()
        };
        let filters = Array2::from_shape_fn((2, 81), |(row, at)| if row == 0 { 0.3 } else { wave(at) });
        let found = GaborLikeness::of("both", filters.view(), 9);
        assert!(found.explained[0] > 0.999 && found.explained[1] == 0.0, "{found:?}");
        assert_eq!((found.share(), found.median()), (0.5, 0.0));
        assert_eq!(found.curve()[10], (0.2, 0.5));
    }

    #[test]
    fn noise_is_not_like_it() {
        let [white, smooth] = GaborLikeness::controls(12, 9, Key::new(1));
        assert!(white.median() < smooth.median() && white.share() == 0.0, "{white:?} {smooth:?}");
    }
}
