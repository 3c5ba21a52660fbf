//! The minimum of a smooth function of many numbers.

mod line_search;
#[cfg(test)]
mod tests;

use nn_core::{Device, Error, Parameters, Tensor};

use line_search::{Along, search};

/// L-BFGS (Nocedal, "Updating quasi-Newton matrices with limited storage", 1980; Nocedal and Wright, "Numerical Optimization",
/// algorithm 7.5) with a line search that fulfils the strong conditions of Wolfe,
///
/// f(x + αd) ≤ f(x) + c₁·α·dᵀg, |dᵀg(x + αd)| ≤ c₂·|dᵀg|, c₁ = 10⁻⁴, c₂ = 0.9.
///
/// Numbers and history lie on the host in double precision, whatever device the function is computed on. The history of m
/// steps is 2·m·n numbers; a step allocates nothing and costs about 4·m·n operations beside the evaluations, of which most
/// steps need one.
///
/// ```
/// use nn_sparse::{Descent, Lbfgs};
/// let mut bowl = |x: &[f64], gradient: &mut [f64]| {
///     gradient.copy_from_slice(&[2.0 * (x[0] - 3.0), 20.0 * x[1]]);
///     Ok((x[0] - 3.0).powi(2) + 10.0 * x[1].powi(2))
/// };
/// let mut lbfgs = Lbfgs::new(vec![0.0, 1.0], 5)?;
/// while lbfgs.step(&mut bowl)? == Descent::Moved {}
/// assert!((lbfgs.point()[0] - 3.0).abs() < 1e-4 && lbfgs.value() < 1e-8);
/// # Ok::<(), nn_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lbfgs {
    /// ‖g‖_∞ at which it has converged, times max(1, |f|).
    pub tolerance: f64,
    point: Vec<f64>,
    gradient: Vec<f64>,
    value: f64,
    /// Whether value and gradient are those of the point.
    evaluated: bool,
    /// x₊ − x and g₊ − g of the last steps, in a ring.
    steps: Vec<f64>,
    changes: Vec<f64>,
    /// How many there are, and where the next one goes.
    kept: usize,
    next: usize,
    direction: Vec<f64>,
    trial: Along,
    /// Of each step of the history, from the first to the second loop.
    shares: Vec<f64>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descent {
    /// A better point.
    Moved,
    /// The gradient is as good as 0.
    Converged,
    /// No better point in any direction that was tried: the function is no more precise.
    Stalled,
}

/// The bound on ‖g‖_∞ / max(1, |f|), if nothing else is said.
const TOLERANCE: f64 = 1e-5;

impl Lbfgs {
    /// From this point, with a history of so many steps; 5 to 20 are usual.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for no numbers or no history.
    pub fn new(point: Vec<f64>, history: usize) -> Result<Self, Error> {
        if point.is_empty() {
            return Err(Error::setting("numbers to be found", 0, "there must be at least one"));
        }
        if history == 0 {
            return Err(Error::setting("steps of the history", 0, "there must be at least one"));
        }
        let numbers = point.len();
        Ok(Self {
            tolerance: TOLERANCE,
            gradient: vec![0.0; numbers],
            value: f64::NAN,
            evaluated: false,
            steps: vec![0.0; history * numbers],
            changes: vec![0.0; history * numbers],
            kept: 0,
            next: 0,
            direction: vec![0.0; numbers],
            trial: Along { point: vec![0.0; numbers], gradient: vec![0.0; numbers] },
            shares: vec![0.0; history],
            point,
        })
    }

    /// The best point so far.
    pub fn point(&self) -> &[f64] {
        &self.point
    }

    /// The value there; NaN before the first step.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// ‖g‖_∞ there.
    pub fn largest_slope(&self) -> f64 {
        self.gradient.iter().fold(0.0, |largest, slope| slope.abs().max(largest))
    }

    /// One step. The function stores its gradient and returns its value.
    ///
    /// # Errors
    ///
    /// Those of the function; [`Error::NonFinite`] if it is no number at the first point.
    pub fn step<F>(&mut self, function: &mut F) -> Result<Descent, Error>
    where
        F: FnMut(&[f64], &mut [f64]) -> Result<f64, Error>,
    {
        if !self.evaluated {
            self.value = function(&self.point, &mut self.gradient)?;
            self.evaluated = true;
        }
        if !(self.value.is_finite() && self.largest_slope().is_finite()) {
            let tensor = "the objective or its gradient".to_string();
            return Err(Error::NonFinite { step: 0, tensor, count: 1, largest: f64::NAN });
        }
        if self.largest_slope() <= self.tolerance * self.value.abs().max(1.0) {
            return Ok(Descent::Converged);
        }
        loop {
            self.find_direction();
            let slope = dot(&self.direction, &self.gradient);
            // Without a history, the first step is one of length 1 at most.
            let first =
                if self.kept == 0 { 1.0 / dot(&self.gradient, &self.gradient).sqrt().max(1.0) } else { 1.0 };
            let start = (&self.point[..], &self.direction[..], self.value, slope);
            let found = if slope < 0.0 { search(start, first, &mut self.trial, function)? } else { None };
            if let Some(value) = found {
                self.accept(value);
                return Ok(Descent::Moved);
            }
            if self.kept == 0 {
                return Ok(Descent::Stalled);
            }
            // The history may mislead: straight down is still to be tried.
            self.kept = 0;
        }
    }

    /// d = −H·g by two loops over the history, from the last step to the first and back.
    fn find_direction(&mut self) {
        let (numbers, history) = (self.point.len(), self.shares.len());
        let Self { direction, steps, changes, shares, .. } = self;
        direction.iter_mut().zip(&self.gradient).for_each(|(to, slope)| *to = -slope);
        let pair = |back: usize| {
            let at = (self.next + history - 1 - back) % history;
            (at, &steps[at * numbers..(at + 1) * numbers], &changes[at * numbers..(at + 1) * numbers])
        };
        for back in 0..self.kept {
            let (at, step, change) = pair(back);
            shares[at] = dot(step, direction) / dot(step, change);
            add(direction, -shares[at], change);
        }
        if self.kept > 0 {
            let (_, step, change) = pair(0);
            let scale = dot(step, change) / dot(change, change);
            direction.iter_mut().for_each(|value| *value *= scale);
        }
        for back in (0..self.kept).rev() {
            let (at, step, change) = pair(back);
            let share = shares[at] - dot(change, direction) / dot(step, change);
            add(direction, share, step);
        }
    }

    /// Goes to the point that was tried last.
    fn accept(&mut self, value: f64) {
        let (numbers, history) = (self.point.len(), self.shares.len());
        let room = self.next * numbers..(self.next + 1) * numbers;
        let (step, change) = (&mut self.steps[room.clone()], &mut self.changes[room]);
        for at in 0..numbers {
            step[at] = self.trial.point[at] - self.point[at];
            change[at] = self.trial.gradient[at] - self.gradient[at];
        }
        // What curves the wrong way, which only rounding brings about, would make the matrix indefinite.
        if dot(step, change) > f64::EPSILON * dot(change, change) {
            self.next = (self.next + 1) % history;
            self.kept = (self.kept + 1).min(history);
        }
        std::mem::swap(&mut self.point, &mut self.trial.point);
        std::mem::swap(&mut self.gradient, &mut self.trial.gradient);
        self.value = value;
    }

    /// All that a resumed run needs, for a checkpoint, on a device, which has to be of double precision to keep every bit.
    pub fn snapshot(&self, device: &Device) -> LbfgsSnapshot {
        let (numbers, history) = (self.point.len(), self.shares.len());
        let tensor = |rows: usize, values: &[f64]| {
            let columns = values.len() / rows;
            let values = ndarray::ArrayView2::from_shape((rows, columns), values);
            device.tensor_f64(values.expect("as many values as rows and columns say"))
        };
        debug_assert_eq!(self.steps.len(), history * numbers);
        let place = [self.value, f64::from(u8::from(self.evaluated)), self.kept as f64, self.next as f64];
        LbfgsSnapshot {
            tensors: [
                ("weights", tensor(1, &self.point)),
                ("gradient", tensor(1, &self.gradient)),
                ("steps", tensor(history, &self.steps)),
                ("changes", tensor(history, &self.changes)),
                ("place", tensor(1, &place)),
            ],
        }
    }

    /// Goes on from a snapshot of a run with as many numbers and as long a history.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the snapshot is of another size.
    pub fn restore(&mut self, snapshot: &LbfgsSnapshot) -> Result<(), Error> {
        let [point, gradient, steps, changes, place] =
            snapshot.tensors.each_ref().map(|(_, tensor)| tensor.to_array_f64());
        let to = [&mut self.point, &mut self.gradient, &mut self.steps, &mut self.changes];
        for (to, from) in to.into_iter().zip([point?, gradient?, steps?, changes?]) {
            if to.len() != from.len() {
                let (found, wanted) = (from.len(), to.len());
                return Err(Error::Data(format!("a snapshot with {found} values in the place of {wanted}")));
            }
            to.iter_mut().zip(&from).for_each(|(to, from)| *to = *from);
        }
        let place = place?;
        (self.value, self.evaluated) = (place[[0, 0]], place[[0, 1]] == 1.0);
        (self.kept, self.next) = (place[[0, 2]] as usize, place[[0, 3]] as usize);
        Ok(())
    }
}

/// The state of [`Lbfgs`] as tensors.
#[derive(Debug)]
pub struct LbfgsSnapshot {
    tensors: [(&'static str, Tensor); 5],
}

impl Parameters for LbfgsSnapshot {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.tensors.iter().for_each(|(name, tensor)| see(name, tensor));
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.tensors.iter_mut().for_each(|(name, tensor)| see(name, tensor));
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// to += factor · from
fn add(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
}
