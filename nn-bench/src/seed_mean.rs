//! A mean over seeds and how sure it is.

use std::fmt;

use crate::report::short_number;

/// A mean over runs that differ in their seed alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeedMean {
    /// The mean.
    pub mean: f64,
    /// Its standard error, √(variance / runs); 0 of one run.
    pub standard_error: f64,
}

impl SeedMean {
    /// Of at least one value. The variance is that of a sample, Σ (value − mean)² / (runs − 1).
    pub fn of(values: &[f64]) -> SeedMean {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let variance = squares / (count - 1.0).max(1.0);
        SeedMean { mean, standard_error: (variance / count).sqrt() }
    }

    /// A point of a curve and, drawn by going up and down from it, its error bar.
    pub fn with_bar(self, x: f64) -> [(f64, f64); 4] {
        let SeedMean { mean, standard_error } = self;
        [(x, mean), (x, mean + standard_error), (x, mean - standard_error), (x, mean)]
    }
}

impl fmt::Display for SeedMean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ± {}", short_number(self.mean), short_number(self.standard_error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_standard_errors_by_hand() {
        assert_eq!(SeedMean::of(&[1.0, 3.0]), SeedMean { mean: 2.0, standard_error: 1.0 });
        assert_eq!(SeedMean::of(&[2.0]), SeedMean { mean: 2.0, standard_error: 0.0 });
        assert_eq!(SeedMean::of(&[1.0, 3.0]).to_string(), "2 ± 1");
        let bar = SeedMean::of(&[1.0, 3.0]).with_bar(5.0);
        assert_eq!(bar, [(5.0, 2.0), (5.0, 3.0), (5.0, 1.0), (5.0, 2.0)]);
    }
}
