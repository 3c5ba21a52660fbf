//! The lasso on a working set of atoms.

use super::{NOTICEABLE, Workspace};
use crate::certificate::Certificate;
use crate::problem::Problem;

/// Atoms that are added in a round, at least.
const ADDED: usize = 6;

impl Workspace {
    /// Rounds of: products of all atoms with the residual; stop at the tolerance; add the atoms with the strongest pull, half
    /// as many as there are; the best shares of these signs. Each round lowers the objective. Costs atoms for each active
    /// one, per round, and the cube of the active ones.
    pub(super) fn working_set(
        &mut self,
        problem: &Problem<'_>,
        tolerance: f64,
        rounds: usize,
    ) -> Certificate {
        self.begin_with_code(problem);
        if !self.set.indices.is_empty() {
            self.set.descend(problem);
        }
        let mut certificate = self.certificate_of_set(problem);
        for _ in 0..rounds {
            if certificate.reaches(tolerance) {
                break;
            }
            let set = &mut self.set;
            self.candidates.clear();
            let least = NOTICEABLE * problem.lambda;
            for (atom, &pull) in self.residual.iter().enumerate() {
                let excess = problem.excess(pull);
                if excess > least && !set.holds(atom) {
                    self.candidates.push((excess, atom));
                }
            }
            if self.candidates.is_empty() {
                break;
            }
            let strongest_first =
                |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            let count = ADDED.max(set.indices.len() / 2);
            if self.candidates.len() > count {
                self.candidates.select_nth_unstable_by(count, strongest_first);
                self.candidates.truncate(count);
            }
            self.candidates.sort_unstable_by(strongest_first);
            let before = set.indices.len();
            for &(_, atom) in &self.candidates {
                set.add(problem, atom, self.residual[atom].signum(), 0.0);
            }
            if set.indices.len() == before {
                // All depend on those that are there.
                let swapped =
                    |&(_, atom): &(f64, usize)| set.exchange(problem, atom, self.residual[atom].signum());
                if !self.candidates.iter().any(swapped) {
                    break;
                }
            }
            set.descend(problem);
            certificate = self.certificate_of_set(problem);
        }
        self.take_code_of_set();
        certificate
    }
}
