//! Gradients against central differences, in double precision on the oracle.

use crate::{Error, Parameters, Tensor};

/// The worst disagreement that [`check_gradient`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    /// |analytic − numeric| / max(1, |analytic|, |numeric|)
    pub relative: f64,
    /// Name of the tensor, row and column.
    pub place: String,
    /// The gradient under test.
    pub analytic: f64,
    /// (f(w + h) − f(w − h)) / 2h
    pub numeric: f64,
}

/// Compares `gradients`, in the order in which `model` shows its tensors, with central differences of `value`.
///
/// Every element is moved by h = 10⁻⁵ · max(1, |w|). Use a model on [`Device::reference`](crate::Device::reference)
/// and few parameters: `value` is called twice for each.
///
/// # Errors
/// If `value` fails.
pub fn check_gradient<M: Parameters>(
    model: &mut M,
    gradients: &[Tensor],
    mut value: impl FnMut(&M) -> Result<f64, Error>,
) -> Result<Disagreement, Error> {
    let mut shapes = Vec::new();
    model.visit(&mut |name, tensor| shapes.push((name.to_string(), tensor.rows(), tensor.columns())));
    let mut worst = Disagreement { relative: 0.0, place: String::new(), analytic: 0.0, numeric: 0.0 };
    for (index, (name, rows, columns)) in shapes.iter().enumerate() {
        let gradient = gradients[index].to_array_f64()?;
        for row in 0..*rows {
            for column in 0..*columns {
                let original = element(model, index, [row, column], None)?;
                let step = 1e-5 * original.abs().max(1.0);
                let mut at = |offset: f64| {
                    element(model, index, [row, column], Some(original + offset))?;
                    value(model)
                };
                let numeric = (at(step)? - at(-step)?) / (2.0 * step);
                element(model, index, [row, column], Some(original))?;
                let analytic = gradient[[row, column]];
                let relative = (analytic - numeric).abs() / analytic.abs().max(numeric.abs()).max(1.0);
                if relative > worst.relative || relative.is_nan() {
                    worst = Disagreement {
                        relative,
                        place: format!("{name}[{row}, {column}]"),
                        analytic,
                        numeric,
                    };
                }
            }
        }
    }
    Ok(worst)
}

/// Reads one element, and sets it if a value is given.
fn element(
    model: &mut dyn Parameters,
    index: usize,
    [row, column]: [usize; 2],
    set: Option<f64>,
) -> Result<f64, Error> {
    let (mut at, mut found) = (0, Ok(f64::NAN));
    model.visit_mut(&mut |_, tensor| {
        if at == index {
            let part = tensor.row_range(row..row + 1).column_range(column..column + 1);
            found = part.to_array_f64().map(|values| values[[0, 0]]);
            if let Some(value) = set {
                let values = ndarray::arr2(&[[value]]);
                tensor.row_range_mut(row..row + 1).column_range(column..column + 1).write_f64(values.view());
            }
        }
        at += 1;
    });
    found
}
