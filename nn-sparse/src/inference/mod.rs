//! Codes of one sample, one solver a file.

mod coordinate_descent;
mod feature_sign;
mod fista;
mod lars;
pub mod matching_pursuit;
mod working_set;

use crate::active_set::ActiveSet;
use crate::certificate::{Certificate, Status};
use crate::problem::Problem;

/// How the lasso is solved. All of them find the same objective; where atoms depend on each other, codes may differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Solver {
    /// Exact solutions on a few atoms, to which those with the strongest pull are added until there is none: the fastest.
    #[default]
    WorkingSet,
    /// One share after another to its best value (Friedman and others, "Pathwise coordinate optimization", 2007).
    CoordinateDescent,
    /// Proximal gradient with momentum (Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm", 2009), which
    /// begins anew where momentum points uphill.
    Fista,
    /// The exact path of codes from λ_max down to λ (Efron and others, "Least angle regression", 2004).
    Lars,
    /// One atom after the other with the sign of its pull, and a search along the way to the best shares of these signs
    /// (Lee and others, "Efficient sparse coding algorithms", 2007).
    FeatureSign,
}

/// What a thread needs to code one sample after another without asking for memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    pub set: ActiveSet,
    /// The code that was found: atoms and shares.
    pub indices: Vec<usize>,
    pub shares: Vec<f64>,
    /// q, a value for each atom.
    pub residual: Vec<f64>,
    /// Codes in full, where a solver moves all shares.
    dense: [Vec<f64>; 3],
    /// Atoms that could be added.
    candidates: Vec<(f64, usize)>,
    /// Zero crossings on the way to a target.
    crossings: Vec<f64>,
}

/// What is asked of a solver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub solver: Solver,
    /// Of the relative gap.
    pub tolerance: f64,
    pub iterations: usize,
    /// A bound for the largest eigenvalue of G + ρ, for FISTA.
    pub largest_eigenvalue: f64,
}

impl Workspace {
    /// Finds the code of a problem from that in `indices` and `shares`, and says how good it is. What the solver leaves
    /// open is repaired by the working set, and in the last resort by coordinate descent.
    pub fn solve(&mut self, problem: &Problem<'_>, request: &Request) -> Certificate {
        let (tolerance, iterations) = (request.tolerance, request.iterations);
        self.residual.resize(problem.atoms(), 0.0);
        let certificate = match request.solver {
            Solver::WorkingSet => self.working_set(problem, tolerance, iterations),
            Solver::CoordinateDescent => self.coordinate_descent(problem, tolerance, iterations),
            Solver::Fista => self.fista(problem, request),
            Solver::Lars => self.lars(problem, iterations),
            Solver::FeatureSign => self.feature_sign(problem, tolerance, iterations),
        };
        if certificate.reaches(tolerance) {
            return certificate;
        }
        let mut certificate = self.working_set(problem, tolerance, REPAIR_ROUNDS);
        if !certificate.reaches(tolerance) {
            certificate = self.coordinate_descent(problem, tolerance, REPAIR_SWEEPS);
        }
        let status = if certificate.reaches(tolerance) { Status::Repaired } else { Status::Unconverged };
        Certificate { status, ..certificate }
    }

    /// Of the code that is in `indices` and `shares`.
    fn certificate(&mut self, problem: &Problem<'_>) -> Certificate {
        problem.residual_products(&self.indices, &self.shares, &mut self.residual);
        Certificate::of(problem, &self.indices, &self.shares, &self.residual)
    }

    /// Of the code of the set.
    fn certificate_of_set(&mut self, problem: &Problem<'_>) -> Certificate {
        let set = &self.set;
        problem.residual_products(&set.indices, &set.shares, &mut self.residual);
        Certificate::of(problem, &set.indices, &set.shares, &self.residual)
    }

    /// Fills the set with the code from which a solver begins. Shares that cannot be are left out.
    fn begin_with_code(&mut self, problem: &Problem<'_>) {
        self.set.clear(problem.atoms());
        for (&atom, &share) in self.indices.iter().zip(&self.shares) {
            if share != 0.0 && !(problem.positive && share < 0.0) && !self.set.holds(atom) {
                self.set.add(problem, atom, share.signum(), share);
            }
        }
    }

    fn take_code_of_set(&mut self) {
        self.indices.clone_from(&self.set.indices);
        self.shares.clone_from(&self.set.shares);
    }

    /// Writes the code into a full one.
    fn spread(&self, atoms: usize, out: &mut Vec<f64>) {
        out.clear();
        out.resize(atoms, 0.0);
        for (&atom, &share) in self.indices.iter().zip(&self.shares) {
            out[atom] = share;
        }
    }

    fn take_code_of(&mut self, dense: &[f64]) {
        self.indices.clear();
        self.shares.clear();
        for (atom, &share) in dense.iter().enumerate() {
            if share != 0.0 {
                self.indices.push(atom);
                self.shares.push(share);
            }
        }
    }
}

/// Rounds and sweeps of the repair.
const REPAIR_ROUNDS: usize = 1000;
const REPAIR_SWEEPS: usize = 20_000;

/// By how much a pull has to exceed λ, as a share of λ, for an atom to be added: less is rounding.
const NOTICEABLE: f64 = 1e-11;

/// The number nearest to 0 whose distance to `value` is at most `by`; without its negative part where codes are positive.
fn shrunk(problem: &Problem<'_>, value: f64, by: f64) -> f64 {
    if value > by {
        value - by
    } else if value < -by && !problem.positive {
        value + by
    } else {
        0.0
    }
}
