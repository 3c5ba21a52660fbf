//! The Cholesky factor of the Gram matrix of some atoms, which grows and shrinks with them.

use crate::problem::{dot, four_dots};

/// L with L·Lᵀ = G_AA + ρ, lower triangular, column after column in the order of the atoms, so that all passes run along
/// memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Factor {
    columns: Vec<f64>,
    /// Room of a column.
    room: usize,
    size: usize,
    /// The reciprocals of the diagonal.
    reciprocals: Vec<f64>,
    /// The row that is being added, or the column that goes.
    passing: Vec<f64>,
}

/// What of an atom's length, as a share of its square, has to be new against those before it.
const INDEPENDENT: f64 = 1e-11;
/// Columns that are solved at once.
const BLOCK: usize = 4;

impl Factor {
    /// Keeps the first atoms only.
    pub fn truncate(&mut self, size: usize) {
        self.size = size.min(self.size);
        self.reciprocals.truncate(self.size);
    }

    /// Adds an atom by its products with those before and its own curvature; whether it is independent of them. If not,
    /// nothing is added. Costs atoms².
    pub fn push(&mut self, products: impl Iterator<Item = f64>, curvature: f64) -> bool {
        self.make_room();
        let mut row = std::mem::take(&mut self.passing);
        row.clear();
        row.extend(products);
        debug_assert_eq!(row.len(), self.size);
        self.solve_lower(&mut row);
        let new = curvature - dot(&row, &row);
        let independent = new > INDEPENDENT * curvature && curvature > 0.0;
        if independent {
            let (at, room) = (self.size, self.room);
            row.iter().enumerate().for_each(|(column, &value)| self.columns[column * room + at] = value);
            let diagonal = new.sqrt();
            self.columns[at * room + at] = diagonal;
            self.reciprocals.push(1.0 / diagonal);
            self.size += 1;
        }
        self.passing = row;
        independent
    }

    /// Takes an atom out: what stood below it in its column, v, goes into the rows after it, L₂·L₂ᵀ + v·vᵀ, column by
    /// column by rotations. Costs the square of the number of atoms after it.
    pub fn remove(&mut self, gone: usize) {
        let (size, room) = (self.size, self.room);
        let mut passing = std::mem::take(&mut self.passing);
        passing.clear();
        passing.extend_from_slice(&self.columns[gone * room + gone + 1..gone * room + size]);
        for column in 0..gone {
            self.columns.copy_within(column * room + gone + 1..column * room + size, column * room + gone);
        }
        for column in gone + 1..size {
            let rest = &mut passing[column - gone - 1..];
            // The column moves one to the left and one up.
            let (before, after) = self.columns.split_at_mut(column * room);
            let from = &after[column..size];
            let to = &mut before[(column - 1) * room + column - 1..][..size - column];
            // Squares of entries are at most a diagonal entry of G + ρ, so none is too large.
            let diagonal = (from[0] * from[0] + rest[0] * rest[0]).sqrt();
            let (cosine, sine) = (from[0] / diagonal, rest[0] / diagonal);
            to[0] = diagonal;
            self.reciprocals[column - 1] = 1.0 / diagonal;
            for ((to, from), value) in to[1..].iter_mut().zip(&from[1..]).zip(&mut rest[1..]) {
                let turned = cosine * from + sine * *value;
                *value = cosine * *value - sine * from;
                *to = turned;
            }
        }
        self.passing = passing;
        self.truncate(size - 1);
    }

    /// Solves (G_AA + ρ)·y = b, where `values` holds b and then y. Costs 2 · atoms².
    pub fn solve(&self, values: &mut [f64]) {
        self.solve_lower(values);
        self.solve_upper(values);
    }

    /// Solves L·y = b, [`BLOCK`] columns at once: what follows a block is read and written once for all its columns.
    fn solve_lower(&self, values: &mut [f64]) {
        let whole = self.size - self.size % BLOCK;
        for first in (0..whole).step_by(BLOCK) {
            let [a, b, c, d] = self.block(first);
            let inverse = &self.reciprocals[first..first + BLOCK];
            let (head, rest) = values[first..self.size].split_at_mut(BLOCK);
            let y0 = head[0] * inverse[0];
            let y1 = (head[1] - y0 * a[1]) * inverse[1];
            let y2 = (head[2] - y0 * a[2] - y1 * b[2]) * inverse[2];
            let y3 = (head[3] - y0 * a[3] - y1 * b[3] - y2 * c[3]) * inverse[3];
            head.copy_from_slice(&[y0, y1, y2, y3]);
            let columns = a[BLOCK..].iter().zip(&b[BLOCK..]).zip(c[BLOCK..].iter().zip(&d[BLOCK..]));
            for (out, ((a, b), (c, d))) in rest.iter_mut().zip(columns) {
                *out -= (y0 * a + y1 * b) + (y2 * c + y3 * d);
            }
        }
        for at in whole..self.size {
            let value = values[at] * self.reciprocals[at];
            values[at] = value;
            let column = &self.columns[at * self.room..][at + 1..self.size];
            values[at + 1..].iter_mut().zip(column).for_each(|(out, factor)| *out -= value * factor);
        }
    }

    /// Solves Lᵀ·y = b, in the same blocks from the last: their columns meet what follows them at once.
    fn solve_upper(&self, values: &mut [f64]) {
        let whole = self.size - self.size % BLOCK;
        for at in (whole..self.size).rev() {
            let column = &self.columns[at * self.room..][at + 1..self.size];
            values[at] = (values[at] - dot(column, &values[at + 1..])) * self.reciprocals[at];
        }
        for first in (0..whole).step_by(BLOCK).rev() {
            let [a, b, c, d] = self.block(first);
            let inverse = &self.reciprocals[first..first + BLOCK];
            let (head, rest) = values[first..self.size].split_at_mut(BLOCK);
            let [s0, s1, s2, s3] = four_dots([&a[BLOCK..], &b[BLOCK..], &c[BLOCK..], &d[BLOCK..]], rest);
            let y3 = (head[3] - s3) * inverse[3];
            let y2 = (head[2] - s2 - y3 * c[3]) * inverse[2];
            let y1 = (head[1] - s1 - y3 * b[3] - y2 * b[2]) * inverse[1];
            let y0 = (head[0] - s0 - y3 * a[3] - y2 * a[2] - y1 * a[1]) * inverse[0];
            head.copy_from_slice(&[y0, y1, y2, y3]);
        }
    }

    /// The columns of a block from the row of its first on.
    fn block(&self, first: usize) -> [&[f64]; BLOCK] {
        [0, 1, 2, 3].map(|at| &self.columns[(first + at) * self.room..][first..self.size])
    }

    /// For one more atom.
    fn make_room(&mut self) {
        if self.size < self.room {
            return;
        }
        // No power of two: entries of a row would compete for few lines of the cache.
        let room = (2 * self.room).max(16) + BLOCK;
        let mut columns = vec![0.0; room * room];
        for at in 0..self.size {
            columns[at * room..][..self.size].copy_from_slice(&self.columns[at * self.room..][..self.size]);
        }
        (self.columns, self.room) = (columns, room);
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

    #[test]
    fn what_is_taken_out_leaves_the_factor_of_the_rest() {
        let size = 40;
        let vectors: Vec<Vec<f64>> = (0..size)
            .map(|at| {
                (0..50).map(|value| ((at * 50 + value) as f64 * 0.7).sin() + f64::from(at == value)).collect()
            })
            .collect();
        let product = |a: usize, b: usize| dot(&vectors[a], &vectors[b]);
        let mut factor = Factor::default();
        let push = |factor: &mut Factor, kept: &[usize], atom: usize| {
            assert!(factor.push(kept.iter().map(|&other| product(atom, other)), product(atom, atom)));
        };
        let mut kept: Vec<usize> = Vec::new();
        for atom in 0..size {
            push(&mut factor, &kept, atom);
            kept.push(atom);
        }
        for gone in [39, 0, 17, 5, 30] {
            let at = kept.iter().position(|&atom| atom == gone).unwrap();
            factor.remove(at);
            kept.remove(at);
            let wanted: Vec<f64> = (0..kept.len()).map(|at| (at as f64 * 1.3).cos()).collect();
            let mut values: Vec<f64> = kept
                .iter()
                .map(|&a| kept.iter().zip(&wanted).map(|(&b, y)| product(a, b) * y).sum())
                .collect();
            factor.solve(&mut values);
            assert!(
                values.iter().zip(&wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-9),
                "{gone}"
            );
        }
        push(&mut factor, &kept, 0);
    }
}
