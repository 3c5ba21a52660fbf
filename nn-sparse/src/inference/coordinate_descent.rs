//! The lasso by coordinate descent on the Gram matrix.

use super::{Workspace, shrunk};
use crate::certificate::Certificate;
use crate::problem::{Problem, add_scaled};

/// Sweeps between two looks at the gap.
const SWEEPS: usize = 5;

impl Workspace {
    /// Sweeps over all atoms of α_k ← S(q_k + G_kk α_k, λ) / (G_kk + ρ), where S takes λ from a magnitude. Costs atoms for each
    /// share that changes. An atom of length 0 stays unused.
    pub(super) fn coordinate_descent(
        &mut self,
        problem: &Problem<'_>,
        tolerance: f64,
        sweeps: usize,
    ) -> Certificate {
        let mut code = std::mem::take(&mut self.dense[0]);
        self.spread(problem.atoms(), &mut code);
        if problem.positive {
            code.iter_mut().for_each(|share| *share = share.max(0.0));
        }
        for sweep in 0..sweeps {
            if sweep.is_multiple_of(SWEEPS) {
                // Also puts right what rounding has added up.
                self.take_code_of(&code);
                if self.certificate(problem).reaches(tolerance) {
                    break;
                }
            }
            for atom in 0..problem.atoms() {
                let row = problem.gram_row(atom);
                let (old, length) = (code[atom], row[atom]);
                if length <= 0.0 {
                    code[atom] = 0.0;
                    continue;
                }
                let new = shrunk(problem, self.residual[atom] + length * old, problem.lambda)
                    / (length + problem.ridge);
                if new != old {
                    add_scaled(&mut self.residual, old - new, row);
                    code[atom] = new;
                }
            }
        }
        self.take_code_of(&code);
        self.dense[0] = code;
        self.certificate(problem)
    }
}
