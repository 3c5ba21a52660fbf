//! Codes whose penalty is shared by neighbours on a map.

use nn_core::Error;

use crate::Neighborhood;
use crate::certificate::{Certificate, Status};
use crate::ica::topographic::check_epsilon;
use crate::problem::{Problem, add_scaled, dot};

/// The pools of a map, and ε: the penalty λ Σ_i √(ε + Σ_j H_ij z_j²) in the place of λ‖z‖₁.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Windows {
    epsilon: f64,
    /// Where each pool begins in the two lists, and at the end their length.
    begins: Vec<usize>,
    units: Vec<usize>,
    /// H_ij.
    weights: Vec<f64>,
    /// Σ_i H_ij of each unit.
    totals: Vec<f64>,
}

impl Windows {
    pub fn new(neighborhood: &Neighborhood, atoms: usize, epsilon: f64) -> Result<Self, Error> {
        check_epsilon(epsilon)?;
        let (matrix, units) = (neighborhood.matrix(), neighborhood.units());
        if units != atoms {
            return Err(Error::Data(format!("a map of {units} units for {atoms} atoms; give one for each")));
        }
        let totals = matrix.sum_axis(ndarray::Axis(0)).to_vec();
        if let Some(alone) = totals.iter().position(|total| *total == 0.0) {
            return Err(Error::setting(
                "unit in no window",
                alone,
                "each needs one, or nothing bounds its share",
            ));
        }
        let mut windows = Self { epsilon, begins: vec![0], units: Vec::new(), weights: Vec::new(), totals };
        for pool in matrix.rows() {
            for (unit, &weight) in pool.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                windows.units.push(unit);
                windows.weights.push(weight);
            }
            windows.begins.push(windows.units.len());
        }
        Ok(windows)
    }

    fn pools(&self) -> usize {
        self.begins.len() - 1
    }

    /// The units of a pool with their weights.
    fn pool(&self, pool: usize) -> impl Iterator<Item = (usize, f64)> {
        let part = self.begins[pool]..self.begins[pool + 1];
        self.units[part.clone()].iter().copied().zip(self.weights[part].iter().copied())
    }

    /// The code of a problem from this one, to a relative gap of the tolerance or so many steps, and how good it is.
    pub fn solve(
        &self,
        problem: &Problem<'_>,
        start: Vec<f64>,
        tolerance: f64,
        steps: usize,
    ) -> (Vec<f64>, Certificate) {
        let mut search = Search::new(self, problem, start);
        for _ in 0..steps {
            if search.certificate().reaches(tolerance) {
                // What the steps have added up is computed anew: no rounding is left in what is certified.
                search.look();
                if search.certificate().reaches(tolerance) {
                    break;
                }
            }
            if !search.step() {
                break;
            }
        }
        search.look();
        let certificate = search.certificate();
        let status = if certificate.reaches(tolerance) { Status::Converged } else { Status::Unconverged };
        (search.code, Certificate { status, ..certificate })
    }
}

/// The minimum of E(z) = ½‖x‖² − c·z + ½zᵀGz + λ Σ_i √(ε + s_i), s_i = Σ_j H_ij z_j², by majorisation.
///
/// As √ is concave, √(ε + s) ≤ r + (s − s⁰)/2r with r = √(ε + s⁰): at any z⁰ a ridge problem lies above E, touches it there
/// and has its slope,
///
/// ½‖x‖² − c·z + ½zᵀ(G + diag v)z + constant, v_j = λ Σ_i H_ij/r_i.
///
/// What lowers the ridge problem lowers E. A step is one of the method of conjugate gradients on it, with the diagonal
/// G_jj + v_j as preconditioner, and then the ridge problem is that of the new point. Along the direction of a step the
/// majorisation is repeated, which costs pools only. The directions are those of Polak and Ribière, and straight down where
/// these would lead up. A step costs a product with G.
pub(super) struct Search<'a> {
    windows: &'a Windows,
    problem: &'a Problem<'a>,
    /// z.
    pub code: Vec<f64>,
    /// q = c − G·z.
    residual: Vec<f64>,
    /// s.
    sums: Vec<f64>,
    /// v.
    ridge: Vec<f64>,
    /// ∂E/∂z = v ⊙ z − q, and over the preconditioner.
    slope: Vec<f64>,
    scaled: Vec<f64>,
    /// p, G·p.
    direction: Vec<f64>,
    moved: Vec<f64>,
    /// Along p: s_i(t) = s_i + 2t·m_i + t²·n_i.
    mixed: Vec<f64>,
    squares: Vec<f64>,
    /// slope·scaled of the step before; 0 before the first.
    decrease: f64,
}

/// Majorisations along a direction.
const ALONG: usize = 4;

impl<'a> Search<'a> {
    pub fn new(windows: &'a Windows, problem: &'a Problem<'a>, start: Vec<f64>) -> Self {
        let (atoms, pools) = (problem.atoms(), windows.pools());
        let unit = || vec![0.0; atoms];
        let pool = || vec![0.0; pools];
        let mut search = Self {
            windows,
            problem,
            code: start,
            residual: unit(),
            sums: pool(),
            ridge: unit(),
            slope: unit(),
            scaled: unit(),
            direction: unit(),
            moved: unit(),
            mixed: pool(),
            squares: pool(),
            decrease: 0.0,
        };
        search.look();
        search
    }

    /// Everything anew from the code.
    fn look(&mut self) {
        let Self { problem, code, residual, .. } = self;
        residual.copy_from_slice(problem.products);
        for (atom, share) in code.iter().enumerate().filter(|(_, share)| **share != 0.0) {
            add_scaled(residual, -share, problem.gram_row(atom));
        }
        self.majorize();
    }

    /// The ridge problem at the code, and the slope there.
    fn majorize(&mut self) {
        let (windows, lambda) = (self.windows, self.problem.lambda);
        self.ridge.fill(0.0);
        for pool in 0..windows.pools() {
            let sum: f64 = windows.pool(pool).map(|(unit, weight)| weight * self.code[unit].powi(2)).sum();
            let share = lambda / (windows.epsilon + sum).sqrt();
            self.sums[pool] = sum;
            windows.pool(pool).for_each(|(unit, weight)| self.ridge[unit] += weight * share);
        }
        for unit in 0..self.code.len() {
            self.slope[unit] = self.ridge[unit] * self.code[unit] - self.residual[unit];
        }
    }

    /// One step; whether there was one to take.
    pub fn step(&mut self) -> bool {
        let (windows, problem, lambda) = (self.windows, self.problem, self.problem.lambda);
        let (mut decrease, mut kept) = (0.0, 0.0);
        for unit in 0..self.code.len() {
            let slope = self.slope[unit];
            let scaled = slope / (problem.curvature(unit) + self.ridge[unit]);
            // Of the last slope only its preconditioned form is left: it takes the place of (g − g⁻)·y in β.
            kept += slope * self.scaled[unit];
            decrease += slope * scaled;
            self.scaled[unit] = scaled;
        }
        if decrease <= 0.0 {
            return false;
        }
        let momentum = if self.decrease > 0.0 { ((decrease - kept) / self.decrease).max(0.0) } else { 0.0 };
        self.decrease = decrease;
        for (direction, scaled) in self.direction.iter_mut().zip(&self.scaled) {
            *direction = momentum * *direction - scaled;
        }
        if dot(&self.direction, &self.slope) >= 0.0 {
            self.direction.iter_mut().zip(&self.scaled).for_each(|(direction, scaled)| *direction = -scaled);
        }
        for unit in 0..self.code.len() {
            self.moved[unit] = dot(problem.gram_row(unit), &self.direction);
        }
        for pool in 0..windows.pools() {
            let (mut mixed, mut squares) = (0.0, 0.0);
            for (unit, weight) in windows.pool(pool) {
                let along = weight * self.direction[unit];
                mixed += along * self.code[unit];
                squares += along * self.direction[unit];
            }
            (self.mixed[pool], self.squares[pool]) = (mixed, squares);
        }
        let (pull, curvature) = (dot(&self.residual, &self.direction), dot(&self.moved, &self.direction));
        let mut length = 0.0;
        for _ in 0..ALONG {
            let (mut up, mut bend) = (0.0, 0.0);
            for pool in 0..windows.pools() {
                let (mixed, squares) = (self.mixed[pool], self.squares[pool]);
                let sum = self.sums[pool] + length * (2.0 * mixed + length * squares);
                let share = lambda / (windows.epsilon + sum.max(0.0)).sqrt();
                up += share * mixed;
                bend += share * squares;
            }
            length = (pull - up) / (curvature + bend);
        }
        if !(length.is_finite() && length != 0.0) {
            return false;
        }
        add_scaled(&mut self.code, length, &self.direction);
        add_scaled(&mut self.residual, -length, &self.moved);
        self.majorize();
        true
    }

    /// What is known of the code.
    ///
    /// With r the residual and q its products, any u and w_i with Σ_i √H_ij w_ij = d_j·u and ‖w_i‖ ≤ λ give a lower bound of E:
    /// x·u − ½‖u‖² + √ε Σ_i √(λ² − ‖w_i‖²). Taken are u = r and w_ij = √H_ij (λz_j/r_i + (q_j − v_j z_j)/Σ_i H_ij), which at the
    /// minimum is the first term alone, both times the same factor of at most 1.
    pub fn certificate(&self) -> Certificate {
        let (windows, problem, lambda) = (self.windows, self.problem, self.problem.lambda);
        let along = dot(&self.code, problem.products);
        let residual = (problem.square - along - dot(&self.code, &self.residual)).max(0.0);
        let (mut roots, mut largest) = (0.0, 0.0f64);
        let mut lengths = Vec::with_capacity(windows.pools());
        for pool in 0..windows.pools() {
            let root = (windows.epsilon + self.sums[pool]).sqrt();
            let part = |(unit, weight): (usize, f64)| {
                let value = lambda * self.code[unit] / root - self.slope[unit] / windows.totals[unit];
                weight * value * value
            };
            let square: f64 = windows.pool(pool).map(part).sum();
            roots += root;
            largest = largest.max(square);
            lengths.push(square);
        }
        let scale = if largest > lambda * lambda { lambda / largest.sqrt() } else { 1.0 };
        let left = |square: &f64| (lambda * lambda - scale * scale * square).max(0.0).sqrt();
        let below = scale * (problem.square - along) - 0.5 * scale * scale * residual
            + windows.epsilon.sqrt() * lengths.iter().map(left).sum::<f64>();
        let objective = 0.5 * residual + lambda * roots;
        let gap = (objective - below).max(0.0);
        let relative_gap = if problem.square > 0.0 { gap / (0.5 * problem.square) } else { 0.0 };
        let violation = self.slope.iter().fold(0.0f64, |worst, slope| slope.abs().max(worst)) / lambda;
        Certificate { objective, gap, relative_gap, violation, status: Status::Converged }
    }
}

#[cfg(test)]
mod tests;
