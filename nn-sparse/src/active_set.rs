//! The atoms that a code uses, and the best shares of these.

use crate::factor::Factor;
use crate::problem::Problem;

/// Atoms with their signs and shares, and the factor of their Gram matrix. A share is 0 or of the sign of its atom.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveSet {
    pub indices: Vec<usize>,
    pub signs: Vec<f64>,
    pub shares: Vec<f64>,
    factor: Factor,
    /// What `solve` found.
    target: Vec<f64>,
    /// For each atom of the dictionary, whether it is among these.
    present: Vec<bool>,
}

impl ActiveSet {
    /// No atoms, of a dictionary of so many.
    pub fn clear(&mut self, atoms: usize) {
        self.present.clear();
        self.present.resize(atoms, false);
        self.indices.clear();
        self.signs.clear();
        self.shares.clear();
        self.factor.truncate(0);
    }

    pub fn holds(&self, atom: usize) -> bool {
        self.present[atom]
    }

    /// Adds an atom with a share; whether it is independent of those there are. If not, nothing is added.
    pub fn add(&mut self, problem: &Problem<'_>, atom: usize, sign: f64, share: f64) -> bool {
        let row = problem.gram_row(atom);
        let added = self.factor.push(self.indices.iter().map(|&other| row[other]), problem.curvature(atom));
        if added {
            self.present[atom] = true;
            self.indices.push(atom);
            self.signs.push(sign);
            self.shares.push(share);
        }
        added
    }

    /// Drops the atoms at the places of which this is true.
    pub fn drop_where(&mut self, dropped: impl Fn(&Self, usize) -> bool) {
        for at in (0..self.indices.len()).rev() {
            if dropped(self, at) {
                self.factor.remove(at);
                self.present[self.indices[at]] = false;
                self.indices.remove(at);
                self.signs.remove(at);
                self.shares.remove(at);
            }
        }
    }

    /// (G_AA + ρ)⁻¹·b with b given for each place.
    pub fn solve(&mut self, right: impl Fn(&Self, usize) -> f64) -> &[f64] {
        let mut target = std::mem::take(&mut self.target);
        target.clear();
        target.extend((0..self.indices.len()).map(|at| right(self, at)));
        self.factor.solve(&mut target);
        self.target = target;
        &self.target
    }

    /// Moves the shares to the best ones of these signs; atoms whose share would change its sign go on the way.
    ///
    /// First all that would change their signs go at once, again and again, which seldom takes more than a few rounds. If
    /// that does not lower the objective, the shares go straight towards the best ones without regard to signs, to where the
    /// first becomes 0; that atom is dropped, and so on: the steps of Lawson and Hanson's method for least squares with
    /// bounds ("Solving Least Squares Problems", 1974). The objective never rises, if the shares were the best of the atoms
    /// whose share is not 0.
    pub fn descend(&mut self, problem: &Problem<'_>) {
        let right =
            |set: &Self, at: usize| problem.products[set.indices[at]] - problem.lambda * set.signs[at];
        self.solve(right);
        if self.target_has_signs() {
            self.shares.copy_from_slice(&self.target);
            return;
        }
        // At the best shares of some atoms and signs, the objective is ½‖x‖² − ½ Σ α_i (c_i − λ s_i).
        let lowered_by = |set: &Self, shares: &[f64]| -> f64 {
            shares.iter().enumerate().map(|(at, share)| share * right(set, at)).sum()
        };
        let before = lowered_by(self, &self.shares);
        let (indices, signs, shares) = (self.indices.clone(), self.signs.clone(), self.shares.clone());
        while !self.target_has_signs() {
            let target = std::mem::take(&mut self.target);
            self.drop_where(|set, at| set.signs[at] * target[at] <= 0.0);
            self.target = target;
            self.solve(right);
        }
        if lowered_by(self, &self.target) > before {
            self.shares.copy_from_slice(&self.target);
            return;
        }
        self.clear(problem.atoms());
        for (at, &atom) in indices.iter().enumerate() {
            self.add(problem, atom, signs[at], shares[at]);
        }
        self.descend_step_by_step(problem);
    }

    /// Whether all of the target have the signs of their atoms.
    fn target_has_signs(&self) -> bool {
        self.target.iter().zip(&self.signs).all(|(target, sign)| target * sign > 0.0)
    }

    fn descend_step_by_step(&mut self, problem: &Problem<'_>) {
        loop {
            self.solve(|set, at| problem.products[set.indices[at]] - problem.lambda * set.signs[at]);
            let mut step = f64::INFINITY;
            for (at, &target) in self.target.iter().enumerate() {
                if self.signs[at] * target <= 0.0 {
                    step = step.min(crossing(self.shares[at], target));
                }
            }
            if step > 1.0 {
                self.shares.copy_from_slice(&self.target);
                return;
            }
            for at in 0..self.indices.len() {
                let (share, target) = (self.shares[at], self.target[at]);
                let at_zero = self.signs[at] * target <= 0.0 && crossing(share, target) <= step;
                self.shares[at] = share + step * (target - share);
                // What is to be dropped is marked by a sign of 0.
                if at_zero {
                    self.signs[at] = 0.0;
                }
            }
            self.drop_where(|set, at| set.signs[at] == 0.0);
        }
    }

    /// Brings in an atom that is a sum of those there are, Σ β_i d_i, in exchange for one of them: along the direction that
    /// leaves the residual as it is, and lowers the sum of the magnitudes, until a share is 0. Whether there is such one.
    pub fn exchange(&mut self, problem: &Problem<'_>, atom: usize, sign: f64) -> bool {
        let row = problem.gram_row(atom);
        self.solve(|set, at| row[set.indices[at]]);
        let mut leaving: Option<(usize, f64)> = None;
        for (at, &beta) in self.target.iter().enumerate() {
            if self.signs[at] * sign * beta > 0.0 {
                let step = self.shares[at].abs() / beta.abs();
                if leaving.is_none_or(|(_, least)| step < least) {
                    leaving = Some((at, step));
                }
            }
        }
        let Some((leaving, step)) = leaving else { return false };
        for at in 0..self.shares.len() {
            self.shares[at] -= sign * step * self.target[at];
        }
        self.signs[leaving] = 0.0;
        self.drop_where(|set, at| set.signs[at] == 0.0);
        self.add(problem, atom, sign, sign * step)
    }
}

/// How far towards the target a share, which does not have its sign, is 0.
fn crossing(share: f64, target: f64) -> f64 {
    if share == 0.0 { 0.0 } else { share / (share - target) }
}
