//! Models with a code behind the data.

use crate::{Dataset, Error, Over, Parameters, Reduction, Tensor, View, ViewMut, expr::ACC, layer::Dense, x};

/// A model that infers a code from data and makes data of a code.
pub trait LatentModel: Parameters + std::fmt::Debug {
    /// Values of a case.
    fn inputs(&self) -> usize;

    /// Values of a code.
    fn codes(&self) -> usize;

    /// codes (cases × code length) = the code of each of the inputs (cases × inputs): of a random code, its mean. Waits for
    /// nothing.
    fn encode(&self, inputs: View<'_>, codes: ViewMut<'_>);

    /// inputs = what each code stands for, in the mean. Waits for nothing.
    fn decode(&self, codes: View<'_>, inputs: ViewMut<'_>);
}

/// A latent model that infers and generates by one dense layer each, from which networks can be made.
pub trait DenseLatentModel: LatentModel {
    /// The layer that encodes, with a copy of the parameters. May wait for the device.
    ///
    /// # Errors
    /// If the device failed, or the model has units that no layer has.
    fn encoder_layer(&self) -> Result<Dense, Error>;

    /// The layer that decodes, with a copy of the parameters. May wait for the device.
    ///
    /// # Errors
    /// If the device failed, or the model has units that no layer has.
    fn decoder_layer(&self) -> Result<Dense, Error>;
}

impl<M: LatentModel + ?Sized> LatentModel for Box<M> {
    fn inputs(&self) -> usize {
        (**self).inputs()
    }
    fn codes(&self) -> usize {
        (**self).codes()
    }
    fn encode(&self, inputs: View<'_>, codes: ViewMut<'_>) {
        (**self).encode(inputs, codes);
    }
    fn decode(&self, codes: View<'_>, inputs: ViewMut<'_>) {
        (**self).decode(codes, inputs);
    }
}

impl<M: DenseLatentModel + ?Sized> DenseLatentModel for Box<M> {
    fn encoder_layer(&self) -> Result<Dense, Error> {
        (**self).encoder_layer()
    }
    fn decoder_layer(&self) -> Result<Dense, Error> {
        (**self).decoder_layer()
    }
}

/// The codes of these cases, cases × code length. Waits for nothing.
pub fn codes(model: &(impl LatentModel + ?Sized), inputs: View<'_>) -> Tensor {
    let mut codes = inputs.source().device().zeros(inputs.rows(), model.codes());
    model.encode(inputs, codes.view_mut());
    codes
}

/// What these cases become by way of their codes, cases × inputs. Waits for nothing.
pub fn reconstructions(model: &(impl LatentModel + ?Sized), inputs: View<'_>) -> Tensor {
    let codes = codes(model, inputs);
    let mut reconstructions = inputs.source().device().zeros(inputs.rows(), model.inputs());
    model.decode(codes.view(), reconstructions.view_mut());
    reconstructions
}

/// Mean squared difference between a value and its reconstruction. Waits for the device.
///
/// # Errors
/// If the device failed.
pub fn reconstruction_error(model: &(impl LatentModel + ?Sized), inputs: View<'_>) -> Result<f64, Error> {
    let reconstructions = reconstructions(model, inputs);
    let grid = [inputs.rows(), inputs.columns()];
    let mut errors = inputs.source().device().zeros(grid[0], 1);
    let squared = (x(inputs) - &reconstructions).square();
    errors.reduce(grid, Over::Columns, Reduction::Sum, squared, ACC * (1.0 / grid[1] as f32));
    Ok(errors.to_array_f64()?.mean().unwrap_or(f64::NAN))
}

/// The codes of a data set as a data set of its own, with the same targets: computed once, on the device.
pub fn encoded(model: &(impl LatentModel + ?Sized), data: &Dataset) -> Dataset {
    data.replaced(codes(model, data.inputs().view()))
}
