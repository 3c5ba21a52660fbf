//! Named tensors: all that optimisers, penalties, checkpoints and gradient checks know of a model.

use crate::{Error, Over, Reduction, Tensor, expr, x};

/// Anything with named tensors, in a fixed order.
///
/// Names are words of the papers joined by dots: `weights`, `visible.biases`, `estimator.chains`. A tensor whose
/// name ends in `weights` is what weight decay and max-norm act on.
pub trait Parameters {
    /// Shows every tensor.
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor));
    /// Shows every tensor, to be changed, in the same order.
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor));
}

impl<P: Parameters + ?Sized> Parameters for Box<P> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        (**self).visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        (**self).visit_mut(see);
    }
}

/// Shows the tensors of a part under a name of its own: `prefix.name`.
pub fn visit_under<'a>(prefix: &str, part: &'a dyn Parameters, see: &mut dyn FnMut(&str, &'a Tensor)) {
    part.visit(&mut |name, tensor| see(&format!("{prefix}.{name}"), tensor));
}

/// As [`visit_under`], to be changed.
pub fn visit_mut_under(prefix: &str, part: &mut dyn Parameters, see: &mut dyn FnMut(&str, &mut Tensor)) {
    part.visit_mut(&mut |name, tensor| see(&format!("{prefix}.{name}"), tensor));
}

/// Whether weight decay and max-norm act on a parameter of this name.
pub fn is_weights(name: &str) -> bool {
    name.rsplit('.').next() == Some("weights")
}

/// Whether a parameter of this name is `prefix` itself or a part of it: `conv1.weights` under `conv1`.
pub fn is_under(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Number of values in all tensors.
pub fn count(parameters: &dyn Parameters) -> usize {
    let mut count = 0;
    parameters.visit(&mut |_, tensor| count += tensor.len());
    count
}

/// Largest magnitude among the values of a tensor; NaN if one is NaN. Waits for the device.
///
/// # Errors
/// If the device failed.
pub fn largest(tensor: &Tensor) -> Result<f64, Error> {
    let device = tensor.device();
    let grid = [tensor.rows(), tensor.columns()];
    let (mut row, mut largest) = (device.zeros(1, grid[1]), device.zeros(1, 1));
    row.reduce(grid, Over::Rows, Reduction::Max, x(tensor).abs(), expr::ACC);
    largest.reduce([1, grid[1]], Over::Columns, Reduction::Max, &row, expr::ACC);
    Ok(largest.to_array_f64()?[[0, 0]])
}

/// Refuses parameters with values that are not finite.
///
/// # Errors
/// [`Error::NonFinite`] naming the first such tensor, or a device failure.
pub fn check_finite(parameters: &dyn Parameters, step: u64) -> Result<(), Error> {
    let mut tensors = Vec::new();
    parameters.visit(&mut |name, tensor| tensors.push((name.to_string(), tensor)));
    for (name, tensor) in tensors {
        if tensor.is_empty() || largest(tensor)?.is_finite() {
            continue;
        }
        let values = tensor.to_array_f64()?;
        let finite = values.iter().filter(|value| value.is_finite());
        let (good, largest) = finite.fold((0, 0f64), |(n, max), value| (n + 1, max.max(value.abs())));
        return Err(Error::NonFinite { step, tensor: name, count: values.len() - good, largest });
    }
    Ok(())
}
