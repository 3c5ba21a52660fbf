//! The atoms that are best for given codes.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use nn_core::in_parallel;

use crate::factor::Factor;

/// Added to the diagonal of A, as a share of its mean, and to that of the Hessian: atoms that codes use only together are else
/// not determined.
const RIDGE: f64 = 1e-6;
/// Steps of Newton at most.
const STEPS: usize = 100;
/// Within this all ‖d_k‖² are 1, or at most 1 where μ_k = 0.
const TOLERANCE: f64 = 1e-10;
/// Multipliers below this share of the mean of A_kk may be taken for 0.
const NEAR: f64 = 0.1;
/// The share of the promised gain that a step has to bring.
const SUFFICIENT: f64 = 1e-4;
/// Halvings of a step at most.
const HALVINGS: usize = 40;

/// argmin over D with rows of length at most 1 of ½ tr(Dᵀ·A·D) − tr(Bᵀ·D), A = mean of α·αᵀ, atoms × atoms, and B = mean of
/// α·xᵀ, atoms × values. Atoms that are not used (A_kk = 0) stay as in `before`.
///
/// With a multiplier μ_k ≥ 0 of each length the minimum over D is D = (A + diag μ)⁻¹·B, and the dual problem is to maximise
///
/// g(μ) = −½ tr(Bᵀ·(A + diag μ)⁻¹·B) − ½ Σ μ_k, ∂g/∂μ_k = ½(‖d_k‖² − 1),
///
/// with the Hessian −(D·Dᵀ) ⊙ (A + diag μ)⁻¹: steps of Newton over the μ_k that are not near 0 and falling, each halved until g
/// rises as promised; those go to 0 (Bertsekas, "Projected Newton methods for optimization problems with simple constraints",
/// 1982).
pub(super) fn best_atoms(
    squares: &Array2<f64>,
    products: &Array2<f64>,
    before: ArrayView2<'_, f64>,
) -> Array2<f64> {
    let mut atoms = before.to_owned();
    let used: Vec<usize> = (0..squares.nrows()).filter(|&atom| squares[(atom, atom)] > 0.0).collect();
    if used.is_empty() {
        return atoms;
    }
    let squares = squares.select(Axis(0), &used).select(Axis(1), &used);
    let mean = squares.diag().mean().unwrap_or(0.0);
    let dual = Dual { mean, squares, products: products.select(Axis(0), &used) };
    // Where all shares are alike, d_k is about b_k/(A_kk + μ_k): a start from which all are too short or right.
    let lengths = dual.products.rows().into_iter().map(|row| row.dot(&row).sqrt());
    let start: Array1<f64> = lengths.collect();
    let Some(best) = dual.maximize(start) else { return atoms };
    for (&atom, row) in used.iter().zip(best.rows()) {
        // The last digits of the tolerance.
        atoms.row_mut(atom).assign(&(&row / row.dot(&row).sqrt().max(1.0)));
    }
    atoms
}

/// A, B and the mean of A_kk.
struct Dual {
    squares: Array2<f64>,
    products: Array2<f64>,
    mean: f64,
}

/// What is known at some μ.
struct Point {
    multipliers: Array1<f64>,
    /// (A + diag μ)⁻¹
    inverse: Array2<f64>,
    /// D
    atoms: Array2<f64>,
    value: f64,
    /// ∂g/∂μ
    gradient: Array1<f64>,
}

impl Dual {
    fn maximize(&self, start: Array1<f64>) -> Option<Array2<f64>> {
        let mut at = self.point(start)?;
        for _ in 0..STEPS {
            let left = at.left(self.mean);
            if left <= TOLERANCE * self.mean {
                break;
            }
            let near = left.min(NEAR * self.mean);
            let Some(direction) = at.direction(near) else { break };
            let Some(next) = self.along(&at, &direction) else { break };
            at = next;
        }
        Some(at.atoms)
    }

    /// The first point along a direction, cut off at 0, where g is larger by enough.
    fn along(&self, from: &Point, direction: &Array1<f64>) -> Option<Point> {
        (0..HALVINGS).find_map(|halving| {
            let step = 0.5f64.powi(halving as i32);
            let multipliers = (&from.multipliers + &(direction * step)).mapv(|value| value.max(0.0));
            let promised = from.gradient.dot(&(&multipliers - &from.multipliers));
            let next = self.point(multipliers)?;
            (promised > 0.0 && next.value >= from.value + SUFFICIENT * promised).then_some(next)
        })
    }

    /// `None` if A + diag μ is not positive definite.
    fn point(&self, multipliers: Array1<f64>) -> Option<Point> {
        let mut matrix = self.squares.clone();
        matrix
            .diag_mut()
            .zip_mut_with(&multipliers, |value, multiplier| *value += multiplier + RIDGE * self.mean);
        let inverse = inverse(&matrix)?;
        let atoms = inverse.dot(&self.products);
        let value = -0.5 * (&atoms * &self.products).sum() - 0.5 * multipliers.sum();
        let gradient = atoms.rows().into_iter().map(|atom| 0.5 * (atom.dot(&atom) - 1.0)).collect();
        Some(Point { multipliers, inverse, atoms, value, gradient })
    }
}

impl Point {
    /// By how much a multiplier would still move along the gradient, at most: 0 where g is largest.
    fn left(&self, scale: f64) -> f64 {
        let pairs = self.multipliers.iter().zip(&self.gradient);
        pairs.fold(0.0, |worst, (value, slope)| {
            worst.max((value - (value + 2.0 * scale * slope).max(0.0)).abs())
        })
    }

    /// To 0 for multipliers that are at most `near` and falling, the step of Newton over the others.
    fn direction(&self, near: f64) -> Option<Array1<f64>> {
        let falls = |atom: usize| self.multipliers[atom] <= near && self.gradient[atom] < 0.0;
        let free: Vec<usize> = (0..self.multipliers.len()).filter(|&atom| !falls(atom)).collect();
        let atoms = self.atoms.select(Axis(0), &free);
        let inverse = self.inverse.select(Axis(0), &free).select(Axis(1), &free);
        let mut curvatures = atoms.dot(&atoms.t()) * inverse;
        curvatures.diag_mut().mapv_inplace(|value| value * (1.0 + RIDGE));
        let factor = factor(&curvatures)?;
        let mut step: Vec<f64> = free.iter().map(|&atom| self.gradient[atom]).collect();
        factor.solve(&mut step);
        let mut direction = -self.multipliers.clone();
        free.iter().zip(step).for_each(|(&atom, step)| direction[atom] = step);
        Some(direction)
    }
}

/// The factor of a symmetric matrix, if that is positive definite.
fn factor(matrix: &Array2<f64>) -> Option<Factor> {
    let mut factor = Factor::default();
    let independent =
        |(at, row): (usize, ArrayView1<'_, f64>)| factor.push(row.iter().take(at).copied(), matrix[(at, at)]);
    matrix.rows().into_iter().enumerate().all(independent).then_some(factor)
}

/// A row for each solution of the system with a column of the identity.
fn inverse(matrix: &Array2<f64>) -> Option<Array2<f64>> {
    let (count, factor) = (matrix.nrows(), factor(matrix)?);
    let solution = |_: &mut (), at: usize| {
        let mut values = vec![0.0; count];
        values[at] = 1.0;
        factor.solve(&mut values);
        values
    };
    let rows: Vec<Vec<f64>> = in_parallel(count, || (), solution);
    Some(Array2::from_shape_fn((count, count), |(row, column)| rows[row][column]))
}
