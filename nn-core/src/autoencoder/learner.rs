//! Training an autoencoder.

use super::Autoencoder;
use crate::{
    ACC, Cases, Corruption, Dataset, Error, Key, Learner, Optimizer, Over, Parameters, Pass, Reduction, Sum,
    Tensor, View,
    latent::{LatentModel, reconstruction_error},
    layer::Layer,
    parameters::{visit_mut_under, visit_under},
    x,
};

/// An autoencoder that learns to reconstruct the inputs of cases; targets are not looked at.
///
/// An update is four products (encode, decode, δ of the codes, and the gradient of the weights: one of both layers if they
/// are tied, else one for each). It reads nothing, and allocates only where the number of cases changes.
#[derive(Debug)]
pub struct AutoencoderLearner<O> {
    /// The model.
    pub autoencoder: Autoencoder,
    /// What is done with the gradient.
    pub optimizer: O,
    workspace: Option<Workspace>,
}

/// What passes through an autoencoder, for a number of cases.
#[derive(Debug)]
struct Workspace {
    corrupted: Option<Tensor>,
    codes: Tensor,
    /// Of the encoder: the gradient of its biases first.
    saved: Vec<Tensor>,
    /// What the loss is given: g, or the logits of a logistic reconstruction.
    outputs: Tensor,
    output_delta: Tensor,
    code_delta: Tensor,
    decoder_biases: Tensor,
}

impl Workspace {
    fn new(autoencoder: &Autoencoder, cases: usize) -> Workspace {
        let device = autoencoder.encoder.weights.device();
        let (inputs, codes) = (LatentModel::inputs(autoencoder), autoencoder.codes());
        let corrupts = autoencoder.settings.corruption != Corruption::None;
        Workspace {
            corrupted: corrupts.then(|| device.zeros(cases, inputs)),
            codes: device.zeros(cases, codes),
            saved: autoencoder.encoder.saved(device, cases),
            outputs: device.zeros(cases, inputs),
            output_delta: device.zeros(cases, inputs),
            code_delta: device.zeros(cases, codes),
            decoder_biases: device.zeros(1, inputs),
        }
    }
}

impl Autoencoder {
    /// Encodes and decodes, corrupted in training.
    fn forward(&self, inputs: View<'_>, workspace: &mut Workspace, pass: Pass) {
        let Workspace { corrupted, codes, saved, outputs, .. } = workspace;
        let fed = match (corrupted, pass) {
            (Some(corrupted), Pass::Training(key)) => {
                corrupted.assign(self.settings.corruption.apply(x(inputs), key));
                corrupted.view()
            }
            _ => inputs,
        };
        self.encoder.forward(fed, codes, saved, pass);
        let reconstruction = self.settings.reconstruction.apply(ACC + &self.decoder_biases);
        outputs.product(codes.dot(self.decoder()), reconstruction);
    }

    /// After [`Autoencoder::forward`] in training: the gradients of the mean loss, in the order of the parameters.
    fn backward<'a>(&self, inputs: View<'a>, workspace: &'a mut Workspace) -> Vec<Sum<'a>> {
        let Workspace { corrupted, codes, saved, outputs, output_delta, code_delta, decoder_biases } =
            workspace;
        let gradient = self.settings.loss.gradient(outputs.view(), inputs, &[]);
        output_delta.assign(self.settings.reconstruction.slope(gradient, outputs, None));
        let slope = self.encoder.slope(ACC, codes, saved);
        code_delta.product(output_delta.dot(self.decoder().t()), slope);
        let encoder_biases = &mut saved[0];
        for (delta, biases) in [(&*code_delta, &mut *encoder_biases), (&*output_delta, &mut *decoder_biases)]
        {
            biases.reduce([delta.rows(), delta.columns()], Over::Rows, Reduction::Sum, delta, ACC);
        }
        let fed = corrupted.as_ref().map_or(inputs, Tensor::view);
        let encoder_weights = fed.t().dot(&*code_delta);
        let (encoder_biases, decoder_biases) = (Sum::from(&*encoder_biases), Sum::from(&*decoder_biases));
        if self.settings.tied {
            let weights = encoder_weights + output_delta.t().dot(&*codes);
            vec![weights.into(), encoder_biases, decoder_biases]
        } else {
            let decoder_weights = codes.t().dot(&*output_delta);
            vec![encoder_weights.into(), encoder_biases, decoder_weights.into(), decoder_biases]
        }
    }
}

impl<O: Optimizer> AutoencoderLearner<O> {
    /// A learner.
    pub fn new(autoencoder: Autoencoder, optimizer: O) -> Self {
        AutoencoderLearner { autoencoder, optimizer, workspace: None }
    }
}

impl<O: Optimizer> Learner for AutoencoderLearner<O> {
    fn update(&mut self, batch: &Cases, update: u64, key: Key) {
        let AutoencoderLearner { autoencoder, optimizer, workspace } = self;
        if workspace.as_ref().is_none_or(|workspace| workspace.codes.rows() != batch.len()) {
            *workspace = None;
        }
        let workspace = workspace.get_or_insert_with(|| Workspace::new(autoencoder, batch.len()));
        autoencoder.forward(batch.inputs.view(), workspace, Pass::Training(key));
        let gradients = autoencoder.backward(batch.inputs.view(), workspace);
        optimizer.update(autoencoder, &gradients, update);
    }

    fn model(&self) -> &dyn Parameters {
        &self.autoencoder
    }

    /// `loss`, the mean over the cases without noise, and `reconstruction error`, the mean squared difference of a value.
    fn measure(&self, cases: &Cases, _: Key) -> Result<Vec<(&'static str, f64)>, Error> {
        let (autoencoder, inputs) = (&self.autoencoder, cases.inputs.view());
        let mut workspace = Workspace::new(autoencoder, cases.len());
        autoencoder.forward(inputs, &mut workspace, Pass::Testing);
        let loss = autoencoder.settings.loss.mean(workspace.outputs.view(), inputs)?;
        Ok(vec![("loss", loss), ("reconstruction error", reconstruction_error(autoencoder, inputs)?)])
    }

    fn check(&self, data: &Dataset) -> Result<(), Error> {
        let inputs = LatentModel::inputs(&self.autoencoder);
        if data.columns() == inputs {
            return Ok(());
        }
        let problem = format!("cases of {} values for an autoencoder of {inputs} inputs", data.columns());
        Err(Error::Data(problem))
    }
}

impl<O: Optimizer> Parameters for AutoencoderLearner<O> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.autoencoder.visit(see);
        visit_under("optimizer", &self.optimizer, see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.autoencoder.visit_mut(see);
        visit_mut_under("optimizer", &mut self.optimizer, see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Activation, Device, Loss, autoencoder::AutoencoderSettings, check_gradient, conformance::noise,
        init::Initialization,
    };

    /// Every kind, with a fixed key for the noise, against central differences.
    #[test]
    fn gradients_are_those_of_the_loss() {
        let device = Device::reference();
        let inputs = noise(&device, 6, 5, 1);
        let noises = [
            Corruption::None,
            Corruption::Masking { probability: 0.3 },
            Corruption::SaltAndPepper { probability: 0.3 },
            Corruption::Gaussian { deviation: 0.2 },
        ];
        let losses = [
            (Loss::BinaryCrossEntropy, Activation::Identity),
            (Loss::SquaredError, Activation::Identity),
            (Loss::SquaredError, Activation::Logistic),
        ];
        for (loss, reconstruction) in losses {
            for (tied, activation) in
                [(true, Activation::Logistic), (false, Activation::Tanh), (true, Activation::Square)]
            {
                for corruption in noises {
                    let initialization = Initialization::Normal { deviation: 0.5 };
                    let settings = AutoencoderSettings {
                        tied,
                        activation,
                        reconstruction,
                        loss,
                        corruption,
                        initialization,
                    };
                    let mut model = Autoencoder::new(&device, 5, 4, settings, Key::new(2)).unwrap();
                    let pass = Pass::Training(Key::new(3));
                    let mut workspace = Workspace::new(&model, 6);
                    model.forward(inputs.view(), &mut workspace, pass);
                    let gradients: Vec<Tensor> = (model.backward(inputs.view(), &mut workspace).iter())
                        .map(|sum| {
                            let mut out = device.zeros(sum.shape()[0], sum.shape()[1]);
                            sum.store(out.view_mut(), ACC);
                            out
                        })
                        .collect();
                    let value = |model: &Autoencoder| {
                        let mut workspace = Workspace::new(model, 6);
                        model.forward(inputs.view(), &mut workspace, pass);
                        loss.mean(workspace.outputs.view(), inputs.view())
                    };
                    let worst = check_gradient(&mut model, &gradients, value).unwrap();
                    assert!(worst.relative < 1e-6, "{settings:?}: {worst:?}");
                }
            }
        }
    }
}
