//! The lasso by following its path.

use super::Workspace;
use crate::certificate::Certificate;
use crate::problem::{Problem, add_scaled};

/// 1 − a below this share of the curvature: the pulls of two atoms never meet.
const PARALLEL: f64 = 1e-12;

impl Workspace {
    /// From λ_max, where the code is 0, down to λ. Between two events the shares move along (G_AA + ρ)⁻¹·sign, and the pulls of
    /// the active atoms fall together. Events: another atom's pull reaches theirs, and it joins; a share becomes 0, and
    /// its atom leaves. An atom that depends on the active ones is left out for good. The code to begin with is not used.
    /// Costs atoms for each active one, per event.
    pub(super) fn lars(&mut self, problem: &Problem<'_>, events: usize) -> Certificate {
        let atoms = problem.atoms();
        self.set.clear(atoms);
        let [mut slopes, mut barred, _] = std::mem::take(&mut self.dense);
        barred.clear();
        barred.resize(atoms, 0.0);
        self.residual.copy_from_slice(problem.products);
        let mut level =
            self.residual.iter().fold(0.0f64, |level, &q| level.max(problem.excess(q) + problem.lambda));
        let mut joining = self.residual.iter().position(|&q| problem.excess(q) + problem.lambda == level);
        let mut left = None;
        for _ in 0..events {
            if level <= problem.lambda {
                break;
            }
            if let Some(atom) = joining.take()
                && !self.set.add(problem, atom, self.residual[atom].signum(), 0.0)
            {
                barred[atom] = 1.0;
            }
            if self.set.indices.is_empty() {
                break;
            }
            let set = &mut self.set;
            let direction = set.solve(|set, at| set.signs[at]).to_vec();
            slopes.clear();
            slopes.resize(atoms, 0.0);
            for (&atom, &speed) in set.indices.iter().zip(&direction) {
                add_scaled(&mut slopes, speed, problem.gram_row(atom));
            }
            let mut step = level - problem.lambda;
            for atom in 0..atoms {
                if set.holds(atom) || barred[atom] != 0.0 || left == Some(atom) {
                    continue;
                }
                let (q, slope) = (self.residual[atom], slopes[atom]);
                let meets = |distance: f64, closing: f64| {
                    if closing > PARALLEL { (distance / closing).max(0.0) } else { f64::INFINITY }
                };
                let above = meets(level - q, 1.0 - slope);
                let below = if problem.positive { f64::INFINITY } else { meets(level + q, 1.0 + slope) };
                if above.min(below) < step {
                    step = above.min(below);
                    joining = Some(atom);
                }
            }
            left = None;
            let mut leaving = None;
            for (at, (&share, &speed)) in set.shares.iter().zip(&direction).enumerate() {
                let crossing = -share / speed;
                if share * speed < 0.0 && crossing < step {
                    step = crossing;
                    leaving = Some(at);
                    joining = None;
                }
            }
            level -= step;
            set.shares.iter_mut().zip(&direction).for_each(|(share, speed)| *share += step * speed);
            add_scaled(&mut self.residual, -step, &slopes);
            if let Some(at) = leaving {
                left = Some(set.indices[at]);
                set.signs[at] = 0.0;
                set.drop_where(|set, at| set.signs[at] == 0.0);
            }
        }
        self.dense = [slopes, barred, Vec::new()];
        self.take_code_of_set();
        self.certificate(problem)
    }
}
