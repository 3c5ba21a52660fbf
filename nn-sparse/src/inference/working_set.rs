//! The lasso on a working set of atoms.

use super::{NOTICEABLE, Workspace};
use crate::certificate::Certificate;
use crate::problem::Problem;

/// Atoms that are added in a round, at least. Of more, more have to be dropped again; with fewer, there are more rounds.
const ADDED: usize = 16;
/// Atoms there are for each that is added, where that is more.
const PRESENT: usize = 4;

impl Workspace {
    /// Rounds of: products of all atoms with the residual; stop at the tolerance; add the atoms with the strongest pull, a
    /// quarter as many as there are; the best shares of these signs. Each round lowers the objective. Costs atoms for each
    /// active one, per round, and the cube of the active ones.
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
            let least = NOTICEABLE * problem.lambda;
            // Each is written and stays if it is one: no branch, which would be hard to foresee.
            self.candidates.resize(problem.atoms(), (0.0, 0));
            let mut found = 0;
            for (atom, &pull) in self.residual.iter().enumerate() {
                let excess = problem.excess(pull);
                self.candidates[found] = (excess, atom);
                found += usize::from((excess > least) & !set.holds(atom));
            }
            self.candidates.truncate(found);
            if self.candidates.is_empty() {
                break;
            }
            let strongest_first =
                |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            let count = ADDED.max(set.indices.len() / PRESENT);
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
