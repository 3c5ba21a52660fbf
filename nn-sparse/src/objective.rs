//! What L-BFGS and gradient descent minimise.

use ndarray::ArrayView2;
use nn_core::{Device, Error, Tensor, ValuesMut};

/// A function of a matrix of parameters W and of cases, and its gradient.
///
/// Both are means over the cases, so that a minibatch and all data give values of one size. They are computed by the verbs of
/// the device that the tensors lie on, in its precision; on [`Device::reference`] in double precision.
pub trait Objective: std::fmt::Debug {
    /// Rows and columns of W.
    fn shape(&self) -> [usize; 2];

    /// Where it computes.
    fn device(&self) -> &Device;

    /// Asks the device for the value, and for the gradient ∂f/∂W (rows × columns of W) where one is wanted. Waits for nothing
    /// until the value is [read](Value::read).
    ///
    /// # Panics
    ///
    /// If weights, gradient or inputs (cases × columns of W) are of other shapes.
    fn evaluate(&mut self, weights: &Tensor, inputs: &Tensor, gradient: Option<&mut Tensor>) -> Value<'_>;

    /// Says that evaluations from now on are on these cases, so that what depends on cases alone is computed here and once;
    /// none: on cases that may change, as at first.
    fn fix(&mut self, _inputs: Option<&Tensor>) {}
}

/// A value that still lies on the device, as parts that add up to it.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    parts: Vec<&'a Tensor>,
}

impl<'a> Value<'a> {
    /// The sum of all elements of these tensors.
    pub fn sum_of(parts: Vec<&'a Tensor>) -> Value<'a> {
        Value { parts }
    }

    /// The value, added up in double precision. Waits for the device.
    ///
    /// # Errors
    ///
    /// If the device failed.
    pub fn read(&self) -> Result<f64, Error> {
        self.parts.iter().map(|part| Ok(part.to_array_f64()?.sum())).sum()
    }
}

/// An objective on fixed cases as a function of numbers of the host, which [`Lbfgs`](crate::Lbfgs) minimises.
#[derive(Debug)]
pub struct HostFunction<'a> {
    objective: &'a mut dyn Objective,
    inputs: &'a Tensor,
    weights: Tensor,
    gradient: Tensor,
}

impl<'a> HostFunction<'a> {
    /// Of this objective, on these cases.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if there are no cases, or cases of another number of values than W has columns.
    pub fn new(objective: &'a mut dyn Objective, inputs: &'a Tensor) -> Result<Self, Error> {
        let [rows, columns] = objective.shape();
        check_inputs(inputs, columns)?;
        objective.fix(Some(inputs));
        let (weights, gradient) =
            (objective.device().zeros(rows, columns), objective.device().zeros(rows, columns));
        Ok(HostFunction { objective, inputs, weights, gradient })
    }

    /// The value at W, row after row, and the gradient there.
    ///
    /// # Errors
    ///
    /// If the device failed.
    ///
    /// # Panics
    ///
    /// If there are more or fewer numbers than W has.
    pub fn evaluate(&mut self, weights: &[f64], gradient: &mut [f64]) -> Result<f64, Error> {
        let shape = (self.weights.rows(), self.weights.columns());
        assert!(
            weights.len() == self.weights.len() && gradient.len() == weights.len(),
            "numbers of {shape:?}"
        );
        let values = ArrayView2::from_shape(shape, weights).expect("as many values as the shape has");
        self.weights.view_mut().write_f64(values);
        let value = self.objective.evaluate(&self.weights, self.inputs, Some(&mut self.gradient)).read()?;
        let backend = self.gradient.device().backend();
        backend.read(self.gradient.view(), ValuesMut::F64(gradient))?;
        Ok(value)
    }
}

impl Drop for HostFunction<'_> {
    fn drop(&mut self) {
        self.objective.fix(None);
    }
}

/// Refuses cases that are none, or not of so many values.
pub(crate) fn check_inputs(inputs: &Tensor, values: usize) -> Result<(), Error> {
    if inputs.rows() == 0 {
        return Err(Error::Data("no cases; give at least one".to_string()));
    }
    if inputs.columns() != values {
        let found = inputs.columns();
        return Err(Error::Data(format!("cases of {found} values; the model takes cases of {values}")));
    }
    Ok(())
}
