//! The lasso by accelerated proximal gradient.

use super::{Request, Workspace, shrunk};
use crate::certificate::Certificate;
use crate::problem::Problem;

/// Iterations between two looks at the gap.
const ITERATIONS: usize = 10;

impl Workspace {
    /// α⁺ = S(y + pull(y)/L, λ/L); t⁺ = (1 + √(1 + 4t²))/2; y = α⁺ + (t − 1)/t⁺ · (α⁺ − α), with t = 1 and y = α⁺ again where
    /// ⟨y − α⁺, α⁺ − α⟩ > 0. L is a bound for the largest eigenvalue of G + ρ. Costs atoms² an iteration.
    pub(super) fn fista(&mut self, problem: &Problem<'_>, request: &Request) -> Certificate {
        let [mut code, mut ahead, mut next] = std::mem::take(&mut self.dense);
        self.spread(problem.atoms(), &mut code);
        ahead.clone_from(&code);
        next.clone_from(&code);
        let step = if request.largest_eigenvalue > 0.0 { request.largest_eigenvalue.recip() } else { 0.0 };
        let mut inertia = 1.0f64;
        for iteration in 0..request.iterations {
            if iteration.is_multiple_of(ITERATIONS) {
                self.take_code_of(&code);
                if self.certificate(problem).reaches(request.tolerance) {
                    break;
                }
            }
            self.take_code_of(&ahead);
            problem.residual_products(&self.indices, &self.shares, &mut self.residual);
            let mut uphill = 0.0;
            for atom in 0..problem.atoms() {
                let pull = self.residual[atom] - problem.ridge * ahead[atom];
                next[atom] = shrunk(problem, ahead[atom] + step * pull, step * problem.lambda);
                uphill += (ahead[atom] - next[atom]) * (next[atom] - code[atom]);
            }
            let following =
                if uphill > 0.0 { 1.0 } else { 0.5 * (1.0 + (1.0 + 4.0 * inertia * inertia).sqrt()) };
            let momentum = if uphill > 0.0 { 0.0 } else { (inertia - 1.0) / following };
            for atom in 0..problem.atoms() {
                ahead[atom] = next[atom] + momentum * (next[atom] - code[atom]);
            }
            inertia = following;
            std::mem::swap(&mut code, &mut next);
        }
        self.take_code_of(&code);
        self.dense = [code, ahead, next];
        self.certificate(problem)
    }
}
