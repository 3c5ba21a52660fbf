//! The Cholesky factor of the Gram matrix of some atoms, which grows and shrinks with them.

use crate::problem::dot;

/// L with L·Lᵀ = G_AA + ρ, lower triangular, row after row without the zeros.
#[derive(Clone, Debug, Default)]
pub(crate) struct Factor {
    rows: Vec<f64>,
    size: usize,
}

/// What of an atom's length, as a share of its square, has to be new against those before it.
const INDEPENDENT: f64 = 1e-11;

fn begin(row: usize) -> usize {
    row * (row + 1) / 2
}

impl Factor {
    /// Keeps the first atoms only.
    pub fn truncate(&mut self, size: usize) {
        self.size = size.min(self.size);
        self.rows.truncate(begin(self.size));
    }

    /// Adds an atom by its products with those before and its own curvature; whether it is independent of them. If not,
    /// nothing is added.
    pub fn push(&mut self, products: impl Iterator<Item = f64>, curvature: f64) -> bool {
        let from = self.rows.len();
        self.rows.extend(products);
        debug_assert_eq!(self.rows.len() - from, self.size);
        let (before, row) = self.rows.split_at_mut(from);
        for at in 0..self.size {
            let above = &before[begin(at)..begin(at + 1)];
            row[at] = (row[at] - dot(&above[..at], &row[..at])) / above[at];
        }
        let new = curvature - dot(row, row);
        if new <= INDEPENDENT * curvature || curvature <= 0.0 {
            self.rows.truncate(from);
            return false;
        }
        self.rows.push(new.sqrt());
        self.size += 1;
        true
    }

    /// Solves (G_AA + ρ)·y = b, where `values` holds b and then y. Costs 2 · atoms².
    pub fn solve(&self, values: &mut [f64]) {
        for at in 0..self.size {
            let row = &self.rows[begin(at)..begin(at + 1)];
            values[at] = (values[at] - dot(&row[..at], &values[..at])) / row[at];
        }
        for at in (0..self.size).rev() {
            let row = &self.rows[begin(at)..begin(at + 1)];
            values[at] /= row[at];
            let value = values[at];
            values[..at].iter_mut().zip(row).for_each(|(out, factor)| *out -= value * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_by_hand_and_dependent_atoms() {
        let mut factor = Factor::default();
        assert!(factor.push([].into_iter(), 4.0));
        assert!(factor.push([2.0].into_iter(), 5.0));
        // The first atom again.
        assert!(!factor.push([4.0, 2.0].into_iter(), 4.0));
        assert!(!factor.push([0.0, 0.0].into_iter(), 0.0));
        assert!(factor.push([2.0, 1.0].into_iter(), 10.0));
        // (4 2 2; 2 5 1; 2 1 10) · (1, −1, 2) = (6, −1, 21)
        let mut values = [6.0, -1.0, 21.0];
        factor.solve(&mut values);
        assert!(values.iter().zip([1.0, -1.0, 2.0]).all(|(found, wanted)| (found - wanted).abs() < 1e-12));
        factor.truncate(1);
        let mut values = [6.0];
        factor.solve(&mut values);
        assert_eq!(values, [1.5]);
    }
}
