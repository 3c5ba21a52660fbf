//! Passes through an autoencoder, and what they leave behind.

use super::{Autoencoder, SparsityPenalty};
use crate::{
    ACC, Corruption, Error, OLD, Over, Pass, Reduction, Sum, Tensor, View, ViewMut, latent::LatentModel,
    layer::Layer, x,
};

/// What passes through an autoencoder, for a number of cases.
#[derive(Debug)]
pub struct Workspace {
    corrupted: Option<Tensor>,
    pub(super) codes: Tensor,
    /// Of the encoder: the gradient of its biases first.
    saved: Vec<Tensor>,
    /// What the loss is given: g, or the logits of a logistic reconstruction.
    pub(super) outputs: Tensor,
    output_delta: Tensor,
    code_delta: Tensor,
    decoder_biases: Tensor,
    /// What sparsity adds to the gradient of each code, where it is the same for all cases.
    pull: Tensor,
    losses: Tensor,
    penalties: Tensor,
}

impl Workspace {
    /// For so many cases.
    pub fn new(autoencoder: &Autoencoder, cases: usize) -> Workspace {
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
            pull: device.zeros(1, codes),
            losses: device.zeros(cases, 1),
            penalties: device.zeros(1, codes),
        }
    }

    /// How many cases it is for.
    pub fn cases(&self) -> usize {
        self.codes.rows()
    }

    /// Ω of the codes. Waits for the device.
    pub(super) fn sparsity(&mut self, autoencoder: &Autoencoder) -> Result<f64, Error> {
        autoencoder.settings.sparsity.of_codes(self.codes.view(), self.penalties.view_mut());
        Ok(self.penalties.to_array_f64()?.sum())
    }

    /// The mean of all codes. Waits for the device.
    pub(super) fn activity(&mut self) -> Result<f64, Error> {
        let grid = [self.codes.rows(), self.codes.columns()];
        self.losses.reduce(grid, Over::Columns, Reduction::Sum, &self.codes, ACC * (1.0 / grid[1] as f64));
        Ok(self.losses.to_array_f64()?.mean().unwrap_or(f64::NAN))
    }
}

impl Autoencoder {
    /// Encodes and decodes, corrupted in training.
    pub fn forward(&self, inputs: View<'_>, workspace: &mut Workspace, pass: Pass) {
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

    /// out (1 × 1) = the objective of the cases of [`forward`](Autoencoder::forward): their mean loss and Ω of their codes,
    /// without weight decay. Waits for nothing.
    pub fn objective(&self, inputs: View<'_>, workspace: &mut Workspace, mut out: ViewMut<'_>) {
        let Workspace { codes, outputs, losses, penalties, .. } = workspace;
        self.settings.loss.of_cases(outputs.view(), inputs, &[], losses.view_mut());
        let (cases, mean) = (losses.rows(), ACC * (1.0 / losses.rows() as f64));
        out.reborrow().reduce([cases, 1], Over::Rows, Reduction::Sum, &*losses, mean);
        if self.settings.sparsity != SparsityPenalty::None {
            self.settings.sparsity.of_codes(codes.view(), penalties.view_mut());
            out.reduce([1, penalties.columns()], Over::Columns, Reduction::Sum, &*penalties, OLD + ACC);
        }
    }

    /// After [`forward`](Autoencoder::forward) in training: the gradients of the [`objective`](Autoencoder::objective), in
    /// the order of the parameters.
    pub fn backward<'a>(&self, inputs: View<'a>, workspace: &'a mut Workspace) -> Vec<Sum<'a>> {
        let Workspace {
            corrupted,
            codes,
            saved,
            outputs,
            output_delta,
            code_delta,
            decoder_biases,
            pull,
            ..
        } = workspace;
        let sparsity = self.settings.sparsity;
        let gradient = self.settings.loss.gradient(outputs.view(), inputs, &[]);
        output_delta.assign(self.settings.reconstruction.slope(gradient, &*outputs, None));
        sparsity.prepare(codes, pull);
        let slope =
            self.encoder.slope(sparsity.add_gradient(ACC, codes.view(), pull, codes.rows()), codes, saved);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Activation, Device, Key, Loss, autoencoder::AutoencoderSettings, check_gradient, conformance::noise,
        init::Initialization,
    };

    const START: Initialization = Initialization::Normal { deviation: 0.5 };

    /// The largest relative difference between the gradients and central differences, with a fixed key for the noise.
    fn worst(settings: AutoencoderSettings) -> f64 {
        let device = Device::reference();
        let inputs = noise(&device, 6, 5, 1);
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
            let (mut workspace, mut objective) = (Workspace::new(model, 6), device.zeros(1, 1));
            model.forward(inputs.view(), &mut workspace, pass);
            model.objective(inputs.view(), &mut workspace, objective.view_mut());
            Ok(objective.to_array_f64()?[[0, 0]])
        };
        check_gradient(&mut model, &gradients, value).unwrap().relative
    }

    #[test]
    fn gradients_are_those_of_the_loss() {
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
        let codes = [(true, Activation::Logistic), (false, Activation::Tanh), (true, Activation::Square)];
        for (loss, reconstruction) in losses {
            for (tied, activation) in codes {
                for corruption in noises {
                    let sparsity = SparsityPenalty::None;
                    let initialization = START;
                    let settings = AutoencoderSettings {
                        tied,
                        activation,
                        reconstruction,
                        loss,
                        corruption,
                        sparsity,
                        initialization,
                    };
                    let worst = worst(settings);
                    assert!(worst < 1e-6, "{settings:?}: {worst}");
                }
            }
        }
    }

    #[test]
    fn gradients_are_those_of_the_penalties() {
        let penalties = [
            (SparsityPenalty::Divergence { target: 0.05, weight: 3.0 }, Activation::Logistic),
            (SparsityPenalty::Absolute { weight: 0.7 }, Activation::Tanh),
            (SparsityPenalty::Absolute { weight: 0.7 }, Activation::Square),
            (SparsityPenalty::SmoothAbsolute { weight: 0.7, smoothing: 0.01 }, Activation::Identity),
            (SparsityPenalty::SmoothAbsolute { weight: 0.7, smoothing: 0.01 }, Activation::Logistic),
        ];
        for (sparsity, activation) in penalties {
            for tied in [true, false] {
                let settings = AutoencoderSettings {
                    tied,
                    activation,
                    loss: Loss::SquaredError,
                    sparsity,
                    initialization: START,
                    ..AutoencoderSettings::default()
                };
                let worst = worst(settings);
                assert!(worst < 1e-6, "{settings:?}: {worst}");
            }
        }
    }

    /// The objective in `f64` from the definitions: ½ mean ‖o − x‖² + β Σ KL(ρ ‖ ρ̂).
    #[test]
    fn the_objective_by_its_definition() {
        let device = Device::reference();
        let (target, weight) = (0.05, 3.0);
        let settings = AutoencoderSettings {
            tied: false,
            loss: Loss::SquaredError,
            sparsity: SparsityPenalty::Divergence { target, weight },
            initialization: START,
            ..AutoencoderSettings::default()
        };
        let model = Autoencoder::new(&device, 5, 4, settings, Key::new(2)).unwrap();
        let inputs = noise(&device, 6, 5, 1);
        let (mut workspace, mut objective) = (Workspace::new(&model, 6), device.zeros(1, 1));
        model.forward(inputs.view(), &mut workspace, Pass::Testing);
        model.objective(inputs.view(), &mut workspace, objective.view_mut());
        let [cases, weights, decoder] =
            [&inputs, &model.encoder.weights, model.decoder_weights.as_ref().unwrap()]
                .map(|tensor| tensor.to_array_f64().unwrap());
        let codes = cases.dot(&weights).mapv(|a| 1.0 / (1.0 + (-a).exp()));
        let loss = 0.5 * (codes.dot(&decoder) - &cases).mapv(|e| e * e).sum() / 6.0;
        let divergence: f64 = (codes.mean_axis(ndarray::Axis(0)).unwrap().iter())
            .map(|mean| target * (target / mean).ln() + (1.0 - target) * ((1.0 - target) / (1.0 - mean)).ln())
            .sum();
        let found = objective.to_array_f64().unwrap()[[0, 0]];
        assert!((found - loss - weight * divergence).abs() < 1e-12, "{found}");
        assert!((workspace.sparsity(&model).unwrap() - weight * divergence).abs() < 1e-12);
        assert!((workspace.activity().unwrap() - codes.mean().unwrap()).abs() < 1e-12);
    }
}
