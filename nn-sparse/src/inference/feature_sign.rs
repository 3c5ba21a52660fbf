//! The lasso by feature-sign search.

use super::{NOTICEABLE, Workspace};
use crate::certificate::Certificate;
use crate::problem::Problem;

impl Workspace {
    /// Rounds of: activate the atom with the strongest pull; then, until all signs are as assumed, move to the point of least
    /// objective among the best shares of the assumed signs and the zero crossings on the way there. The paper's objective
    /// has no ½ before the square. Where codes are positive, the first crossing is where the way ends. Costs atoms for each
    /// active one, per round.
    pub(super) fn feature_sign(
        &mut self,
        problem: &Problem<'_>,
        tolerance: f64,
        rounds: usize,
    ) -> Certificate {
        self.begin_with_code(problem);
        self.search_signs(problem);
        let mut certificate = self.certificate_of_set(problem);
        for _ in 0..rounds {
            if certificate.reaches(tolerance) {
                break;
            }
            let set = &mut self.set;
            let mut strongest = (NOTICEABLE * problem.lambda, None);
            for (atom, &pull) in self.residual.iter().enumerate() {
                let excess = problem.excess(pull);
                if excess > strongest.0 && !set.holds(atom) {
                    strongest = (excess, Some(atom));
                }
            }
            let Some(atom) = strongest.1 else { break };
            let sign = self.residual[atom].signum();
            if !set.add(problem, atom, sign, 0.0) && !set.exchange(problem, atom, sign) {
                break;
            }
            self.search_signs(problem);
            certificate = self.certificate_of_set(problem);
        }
        self.take_code_of_set();
        certificate
    }

    /// The best shares of the active atoms, whatever signs they then have.
    fn search_signs(&mut self, problem: &Problem<'_>) {
        // Each pass lowers the objective; more than this many are rounding.
        for _ in 0..10 * (self.set.indices.len() + 1) {
            let set = &mut self.set;
            let right = |atom: usize, sign: f64| problem.products[atom] - problem.lambda * sign;
            let target = set.solve(|set, at| right(set.indices[at], set.signs[at])).to_vec();
            if target.iter().zip(&set.signs).all(|(target, sign)| target * sign > 0.0) {
                set.shares.copy_from_slice(&target);
                return;
            }
            self.crossings.clear();
            for (&share, &target) in set.shares.iter().zip(&target) {
                if share * target < 0.0 || (share != 0.0 && target == 0.0) {
                    self.crossings.push(share / (share - target));
                }
            }
            self.crossings.sort_unstable_by(f64::total_cmp);
            if problem.positive {
                self.crossings.truncate(1);
            }
            if !problem.positive || self.crossings.is_empty() {
                self.crossings.push(1.0);
            }
            // Along the way the smooth part is ½t²·δHδ − t·δg, where H·target = c − λ·sign.
            let (mut curvature, mut slope) = (0.0, 0.0);
            for at in 0..target.len() {
                let row = problem.gram_row(set.indices[at]);
                let moved: f64 =
                    (0..target.len()).map(|of| row[set.indices[of]] * (target[of] - set.shares[of])).sum();
                let delta = target[at] - set.shares[at];
                let moved = moved + problem.ridge * delta;
                curvature += delta * moved;
                slope += delta * (moved + problem.lambda * set.signs[at]);
            }
            let objective = |t: f64| {
                let magnitudes: f64 = set
                    .shares
                    .iter()
                    .zip(&target)
                    .map(|(share, target)| (share + t * (target - share)).abs())
                    .sum();
                0.5 * t * t * curvature - t * slope + problem.lambda * magnitudes
            };
            let mut best = (objective(0.0), 0.0);
            for &t in &self.crossings {
                let found = objective(t);
                if found < best.0 {
                    best = (found, t);
                }
            }
            let t = best.1;
            for at in 0..target.len() {
                let share = set.shares[at];
                let moved = share + t * (target[at] - share);
                // A share that crosses zero just here is 0, whatever rounding says.
                let crosses = share * target[at] <= 0.0 && share != 0.0 && share / (share - target[at]) == t;
                set.shares[at] = if crosses { 0.0 } else { moved };
                set.signs[at] = if set.shares[at] == 0.0 { 0.0 } else { set.shares[at].signum() };
            }
            set.drop_where(|set, at| set.signs[at] == 0.0);
            if t == 0.0 {
                return;
            }
        }
    }
}
