//! Codes by the lasso.

use ndarray::{ArrayView2, Axis, Slice};
use nn_core::{Error, in_parallel};

use crate::certificate::{Certificate, Status};
use crate::inference::{Request, Solver, Workspace};
use crate::problem::Problem;
use crate::{Codes, Dictionary};

/// The lasso: of a sample x and a dictionary of atoms d_k, the code
///
/// α = argmin ½‖x − Σ α_k d_k‖² + λ‖α‖₁ + ½ρ‖α‖²
///
/// with λ > 0 and ρ ≥ 0, the ridge of the elastic net, and α ≥ 0 if asked for. Some papers leave out the ½ before the
/// square: their λ is twice this one. It is λ whether or not atoms have length 1.
///
/// Every code comes with a [`Certificate`]. What a solver leaves above the tolerance is repaired by others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lasso {
    lambda: f64,
    ridge: f64,
    positive: bool,
    solver: Solver,
    tolerance: f64,
    iterations: usize,
}

/// Samples that a thread takes at once: at least the first number, at most the second, and few samples in about 16 parts, so
/// that no thread waits long for another. Their products with the atoms are one matrix product.
const CHUNK: [usize; 2] = [8, 64];

/// Codes of samples, and for each how good it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// The codes.
    pub codes: Codes,
    /// In the order of the samples.
    pub certificates: Vec<Certificate>,
}

impl Encoding {
    /// Mean objective of the samples; 0 of none.
    pub fn mean_objective(&self) -> f64 {
        self.certificates.iter().map(|one| one.objective).sum::<f64>() / self.certificates.len().max(1) as f64
    }

    /// The largest relative gap; 0 of no samples.
    pub fn worst_gap(&self) -> f64 {
        self.certificates.iter().fold(0.0, |worst, one| worst.max(one.relative_gap))
    }

    /// How many samples ended so.
    pub fn count(&self, status: Status) -> usize {
        self.certificates.iter().filter(|one| one.status == status).count()
    }
}

impl Lasso {
    /// With this λ, no ridge, codes of both signs, by the working set, to a relative gap of 10⁻⁶.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless λ is positive and finite.
    pub fn new(lambda: f64) -> Result<Self, Error> {
        if !(lambda > 0.0 && lambda.is_finite()) {
            return Err(Error::setting(
                "λ",
                lambda,
                "it has to be positive; least squares are another problem",
            ));
        }
        let (solver, tolerance, iterations) = (Solver::default(), 1e-6, 10_000);
        Ok(Self { lambda, ridge: 0.0, positive: false, solver, tolerance, iterations })
    }

    /// With this ρ.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and not negative.
    pub fn with_ridge(self, ridge: f64) -> Result<Self, Error> {
        if !(ridge >= 0.0 && ridge.is_finite()) {
            return Err(Error::setting("the ridge", ridge, "it has to be 0 or positive"));
        }
        Ok(Self { ridge, ..self })
    }

    /// With shares that are not negative.
    pub fn positive(self) -> Self {
        Self { positive: true, ..self }
    }

    /// By this solver.
    pub fn with_solver(self, solver: Solver) -> Self {
        Self { solver, ..self }
    }

    /// To this relative gap. Below 10⁻¹³ it is rounding that decides.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is in (0, 1).
    pub fn with_tolerance(self, tolerance: f64) -> Result<Self, Error> {
        if !(tolerance > 0.0 && tolerance < 1.0) {
            return Err(Error::setting("the tolerance", tolerance, "it has to be between 0 and 1"));
        }
        Ok(Self { tolerance, ..self })
    }

    /// λ.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Codes of samples, samples × values, from codes of 0. The same for any number of threads. Costs atoms · values a sample
    /// and what the solver costs.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] for a sample of values that are not finite. A gap above the tolerance is no error: see
    /// [`Certificate::status`].
    ///
    /// # Panics
    ///
    /// If the samples have another number of values than the atoms.
    #[track_caller]
    pub fn encode(&self, dictionary: &Dictionary, samples: ArrayView2<'_, f64>) -> Result<Encoding, Error> {
        check_samples(dictionary, samples)?;
        Ok(self.encode_by(dictionary, samples, |_, _| {}))
    }

    /// The same from these codes, such as those of a dictionary that was a little different. [`Solver::Lars`] does not use
    /// them.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    ///
    /// # Panics
    ///
    /// As [`encode`](Self::encode), and if there is not one code for each sample or they are of a dictionary of another size.
    #[track_caller]
    pub fn encode_from(
        &self,
        dictionary: &Dictionary,
        samples: ArrayView2<'_, f64>,
        codes: &Codes,
    ) -> Result<Encoding, Error> {
        assert_eq!(codes.len(), samples.nrows(), "codes to begin with and samples differ in number");
        assert_eq!(
            codes.atoms(),
            dictionary.len(),
            "codes to begin with are of a dictionary of another size"
        );
        check_samples(dictionary, samples)?;
        Ok(self.encode_by(dictionary, samples, |workspace, sample| {
            for (atom, share) in codes.of(sample) {
                workspace.indices.push(atom);
                workspace.shares.push(share);
            }
        }))
    }

    /// `begin` puts the code to begin with into an empty workspace.
    fn encode_by(
        &self,
        dictionary: &Dictionary,
        samples: ArrayView2<'_, f64>,
        begin: impl Fn(&mut Workspace, usize) + Sync,
    ) -> Encoding {
        let eigenvalue = if self.solver == Solver::Fista { dictionary.largest_eigenvalue() } else { 0.0 };
        let request = Request {
            solver: self.solver,
            tolerance: self.tolerance,
            iterations: self.iterations,
            largest_eigenvalue: eigenvalue + self.ridge,
        };
        let parts = in_chunks(dictionary, samples, |workspace, chunk| {
            let (mut codes, mut certificates) = (Codes::new(dictionary.len()), Vec::with_capacity(CHUNK[1]));
            let first = chunk.first;
            for (at, (products, square)) in chunk.enumerate() {
                let problem = Problem {
                    gram: dictionary.gram_rows(),
                    products,
                    square,
                    lambda: self.lambda,
                    ridge: self.ridge,
                    positive: self.positive,
                };
                workspace.indices.clear();
                workspace.shares.clear();
                begin(workspace, first + at);
                certificates.push(workspace.solve(&problem, &request));
                codes.push(&workspace.indices, &workspace.shares);
            }
            (codes, certificates)
        });
        let mut all = Encoding { codes: Codes::new(dictionary.len()), certificates: Vec::new() };
        for (codes, certificates) in parts {
            all.codes.append(&codes);
            all.certificates.extend(certificates);
        }
        all
    }
}

/// Some samples in a row: for each its products with the atoms, and its own square.
pub(crate) struct Chunk<'a> {
    /// Number of the first.
    pub first: usize,
    products: std::slice::ChunksExact<'a, f64>,
    squares: std::slice::Iter<'a, f64>,
}

impl<'a> Iterator for Chunk<'a> {
    type Item = (&'a [f64], f64);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.products.next()?, *self.squares.next()?))
    }
}

/// Does `work` on samples, some at once, and returns what it made of each part in order. A workspace may have been used for
/// other samples.
pub(crate) fn in_chunks<T: Send>(
    dictionary: &Dictionary,
    samples: ArrayView2<'_, f64>,
    work: impl Fn(&mut Workspace, Chunk<'_>) -> T + Sync,
) -> Vec<T> {
    let count = samples.nrows().div_ceil(16).clamp(CHUNK[0], CHUNK[1]);
    let of_chunk = |workspace: &mut Workspace, number: usize| {
        let range = number * count..samples.nrows().min((number + 1) * count);
        let first = range.start;
        let samples = samples.slice_axis(Axis(0), Slice::from(range));
        let samples = samples.as_standard_layout();
        let products = samples.dot(&dictionary.atoms().t()).as_standard_layout().into_owned();
        let squares: Vec<f64> = samples.rows().into_iter().map(|x| x.dot(&x)).collect();
        let products =
            products.as_slice().expect("it was put into standard layout").chunks_exact(dictionary.len());
        work(workspace, Chunk { first, products, squares: squares.iter() })
    };
    in_parallel(samples.nrows().div_ceil(count), Workspace::default, of_chunk)
}

#[track_caller]
pub(crate) fn check_samples(dictionary: &Dictionary, samples: ArrayView2<'_, f64>) -> Result<(), Error> {
    assert_eq!(samples.ncols(), dictionary.values(), "samples and atoms differ in values");
    match samples.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((sample, value), found)) => {
            Err(Error::Data(format!("value {value} of sample {sample} is {found}; give finite numbers")))
        }
    }
}

#[cfg(test)]
mod tests;
