//! How far a code is from the best one, known without knowing that.

use crate::problem::Problem;

/// How the code of a sample was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// By the solver that was asked for.
    Converged,
    /// That one did not reach the tolerance; another one did, from where it had stopped.
    Repaired,
    /// None reached it. The gap says how much is missing.
    Unconverged,
}

/// What is known of a code α of x, computed in double precision from the code that is returned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificate {
    /// ½‖x − Σ α_k d_k‖² + λ‖α‖₁ + ½ρ‖α‖².
    pub objective: f64,
    /// The objective minus that of a feasible point of the dual problem, the scaled residual: at least as much as the
    /// objective lies above the smallest there is. Digits beyond 10⁻¹⁵ · ‖x‖² are rounding.
    pub gap: f64,
    /// The gap over ½‖x‖², the objective of the code 0; 0 for a sample that is 0.
    pub relative_gap: f64,
    /// By how much the conditions of the best code are violated, at worst, as a share of λ: |pull − λ·sign(α_k)| where
    /// α_k ≠ 0, |pull| − λ elsewhere (pull − λ for positive codes), with pull = d_k·(x − Σ α d) − ρ·α_k.
    pub violation: f64,
    /// How it was found.
    pub status: Status,
}

impl Certificate {
    /// Of a code with the products q of its residual.
    ///
    /// With r the residual, r̃² = ‖r‖² + ρ‖α‖², s = min(1, λ / max pull) the objective of the dual is s·r·x − ½s²r̃².
    pub(crate) fn of(
        problem: &Problem<'_>,
        indices: &[usize],
        shares: &[f64],
        residual_products: &[f64],
    ) -> Self {
        let (lambda, ridge) = (problem.lambda, problem.ridge);
        let pull_of_zero = |pull: f64| if problem.positive { pull.max(0.0) } else { pull.abs() };
        // Without a ridge the pull on every share is q; with one, those that are not 0 are seen to below.
        let mut largest = if ridge == 0.0 {
            largest_of(residual_products, pull_of_zero)
        } else {
            let others = residual_products.iter().enumerate().filter(|(atom, _)| !indices.contains(atom));
            others.fold(0.0f64, |largest, (_, &pull)| largest.max(pull_of_zero(pull)))
        };
        let mut violation = (largest - lambda).max(0.0);
        let (mut along, mut left, mut squares, mut sum) = (0.0, 0.0, 0.0, 0.0);
        for (&atom, &share) in indices.iter().zip(shares) {
            let pull = residual_products[atom] - ridge * share;
            along += share * problem.products[atom];
            left += share * residual_products[atom];
            squares += share * share;
            sum += share.abs();
            largest = largest.max(pull_of_zero(pull));
            if share != 0.0 {
                violation = violation.max((pull - lambda * share.signum()).abs());
            }
        }
        let residual = (problem.square - along - left).max(0.0) + ridge * squares;
        let with_sample = problem.square - along;
        let objective = 0.5 * residual + lambda * sum;
        let scale = if largest > lambda { lambda / largest } else { 1.0 };
        let gap = (objective - (scale * with_sample - 0.5 * scale * scale * residual)).max(0.0);
        let relative_gap = if problem.square > 0.0 { gap / (0.5 * problem.square) } else { 0.0 };
        Self { objective, gap, relative_gap, violation: violation / lambda, status: Status::Converged }
    }

    /// Whether the gap is at most so large; a gap that is not a number is not.
    pub(crate) fn reaches(&self, tolerance: f64) -> bool {
        self.relative_gap <= tolerance
    }
}

/// The largest image of the values, at least 0, in four lanes.
fn largest_of(values: &[f64], image: impl Fn(f64) -> f64) -> f64 {
    let larger = |a: f64, b: f64| if b > a { b } else { a };
    let mut lanes = [0.0; 4];
    let fours = values.chunks_exact(4);
    let rest = fours.remainder().iter().fold(0.0, |largest, &value| larger(largest, image(value)));
    for four in fours {
        for lane in 0..4 {
            lanes[lane] = larger(lanes[lane], image(four[lane]));
        }
    }
    lanes.into_iter().fold(rest, larger)
}
