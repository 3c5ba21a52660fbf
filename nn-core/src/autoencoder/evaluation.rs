//! The objective of an autoencoder over many cases and its gradient, a block of cases at a time.

use super::{Autoencoder, SparsityPenalty};
use crate::{
    ACC, Corruption, Error, Expr, OLD, Over, Reduction, Tensor, View, ViewMut, latent::LatentModel, x,
};

/// Cases that are worked on at once: what lies between two products then stays in the caches of a processor.
const BLOCK: usize = 512;

/// The objective of an autoencoder over so many cases and its gradient, for methods that look at all cases at once
/// (L-BFGS); [`AutoencoderLearner`](super::AutoencoderLearner) is for minibatches.
///
/// Cases go by twice, in blocks. First come codes, reconstructions, losses, δ of the outputs o and what follows of it, and
/// the sums over the cases that Ω is made of; then, as the slope of Ω may need these sums, δ of the codes and what follows
/// of that:
///
/// h = f(x·W + b), o = g(h·V + c), δᵒ = ∂L/∂o ⊙ g′, ∂/∂V = hᵀ·δᵒ, ∂/∂c = Σ δᵒ; δʰ = (δᵒ·Vᵀ + ∂Ω/∂h) ⊙ f′,
/// ∂/∂W = xᵀ·δʰ, ∂/∂b = Σ δʰ.
///
/// Codes and δᵒ are kept for all cases, the rest for a block. An evaluation is five products and allocates nothing.
#[derive(Debug)]
pub struct Evaluation {
    /// h, cases × codes.
    codes: Tensor,
    /// x·W + b, cases × codes, where f′ needs it.
    code_inputs: Option<Tensor>,
    /// δᵒ, cases × inputs.
    output_delta: Tensor,
    /// o, of a block.
    outputs: Tensor,
    /// δʰ, of a block.
    code_delta: Tensor,
    losses: Tensor,
    /// What Ω is made of, 1 × codes.
    sums: Tensor,
    penalties: Tensor,
    /// What Ω adds to the gradient of each code, where it is the same for all cases.
    pull: Tensor,
}

impl Evaluation {
    /// For so many cases.
    ///
    /// # Errors
    /// [`Error::Setting`] for an autoencoder that corrupts its inputs: noise differs from one evaluation to the next.
    pub fn new(autoencoder: &Autoencoder, cases: usize) -> Result<Evaluation, Error> {
        let corruption = autoencoder.settings.corruption;
        if corruption != Corruption::None {
            let allowed = "an objective over all cases has no noise; train with minibatches";
            return Err(Error::setting("corruption", format!("{corruption:?}"), allowed));
        }
        let device = autoencoder.encoder.weights.device();
        let (inputs, codes, block) =
            (LatentModel::inputs(autoencoder), autoencoder.codes(), BLOCK.min(cases));
        let needs_input = autoencoder.encoder.activation.slope_needs_input();
        Ok(Evaluation {
            codes: device.zeros(cases, codes),
            code_inputs: needs_input.then(|| device.zeros(cases, codes)),
            output_delta: device.zeros(cases, inputs),
            outputs: device.zeros(block, inputs),
            code_delta: device.zeros(block, codes),
            losses: device.zeros(cases, 1),
            sums: device.zeros(1, codes),
            penalties: device.zeros(1, codes),
            pull: device.zeros(1, codes),
        })
    }

    /// value (1 × 1) = the mean loss of these cases and Ω of their codes, without weight decay; gradients, in the order of
    /// the parameters. Waits for nothing.
    ///
    /// # Panics
    /// If there are more or fewer cases than it was made for, or gradients of other shapes than the parameters.
    #[track_caller]
    pub fn evaluate(
        &mut self,
        autoencoder: &Autoencoder,
        inputs: View<'_>,
        mut value: ViewMut<'_>,
        gradients: &mut [Tensor],
    ) {
        let cases = self.codes.rows();
        assert!(inputs.rows() == cases, "{inputs:?} for an evaluation of {cases} cases");
        let tied = autoencoder.settings.tied;
        match gradients {
            [weights, _, biases] if tied => self.outputs_to_deltas(autoencoder, inputs, weights, biases),
            [_, _, weights, biases] if !tied => self.outputs_to_deltas(autoencoder, inputs, weights, biases),
            _ => panic!("{} gradients are not those of the parameters", gradients.len()),
        }
        self.penalize(autoencoder);
        if let [weights, biases, ..] = gradients {
            self.codes_to_gradients(autoencoder, inputs, weights, biases);
        }
        let mean = ACC * (1.0 / cases as f64);
        value.reborrow().reduce([cases, 1], Over::Rows, Reduction::Sum, &self.losses, mean);
        if autoencoder.settings.sparsity != SparsityPenalty::None {
            let codes = self.penalties.columns();
            value.reduce([1, codes], Over::Columns, Reduction::Sum, &self.penalties, OLD + ACC);
        }
    }

    /// First pass: codes, losses, δᵒ and the gradients of the decoder; of tied weights, its share.
    fn outputs_to_deltas(
        &mut self,
        autoencoder: &Autoencoder,
        inputs: View<'_>,
        weights: &mut Tensor,
        biases: &mut Tensor,
    ) {
        let Evaluation { codes, code_inputs, output_delta, outputs, losses, sums, .. } = self;
        let (encoder, settings) = (&autoencoder.encoder, &autoencoder.settings);
        let (cases, share) = (codes.rows(), 1.0 / codes.rows() as f64);
        for first in (0..cases).step_by(BLOCK) {
            let rows = first..cases.min(first + BLOCK);
            let (block, inputs) = (rows.len(), inputs.row_range(rows.clone()));
            let to = codes.row_range_mut(rows.clone());
            match code_inputs {
                Some(all) => {
                    let a = ACC + &encoder.biases;
                    all.row_range_mut(rows.clone()).product(inputs.dot(&encoder.weights), a);
                    to.assign(encoder.activation.apply(x(all.row_range(rows.clone()))));
                }
                None => encoder.apply(inputs, to),
            }
            let codes = codes.row_range(rows.clone());
            let add = |sum: Expr<'static>| if first == 0 { sum } else { OLD + sum };
            if settings.sparsity != SparsityPenalty::None {
                let (grid, term) = ([block, codes.columns()], settings.sparsity.term(codes));
                sums.reduce(grid, Over::Rows, Reduction::Sum, term, add(ACC));
            }
            let reconstruction = settings.reconstruction.apply(ACC + &autoencoder.decoder_biases);
            outputs.row_range_mut(0..block).product(codes.dot(autoencoder.decoder()), reconstruction);
            let outputs = outputs.row_range(0..block);
            settings.loss.of_cases(outputs, inputs, &[], losses.row_range_mut(rows.clone()));
            let gradient = settings.loss.difference(outputs, inputs, &[]) * share;
            let slope = settings.reconstruction.slope(gradient, outputs, None);
            output_delta.row_range_mut(rows.clone()).assign(slope);
            let delta = output_delta.row_range(rows);
            biases.reduce([block, delta.columns()], Over::Rows, Reduction::Sum, delta, add(ACC));
            let of_weights = if settings.tied { delta.t().dot(codes) } else { codes.t().dot(delta) };
            weights.product(of_weights, add(ACC));
        }
    }

    /// Ω, and its slope where that is the same for all cases.
    fn penalize(&mut self, autoencoder: &Autoencoder) {
        let (sparsity, cases) = (autoencoder.settings.sparsity, self.codes.rows());
        let sums = x(&self.sums);
        self.penalties.assign(sparsity.of_sum(cases).with_acc(&sums));
        if let Some(pull) = sparsity.pull_of_sum(cases) {
            self.pull.assign(pull.with_acc(&sums));
        }
    }

    /// Second pass: δʰ and the gradients of the encoder, which are added to those of the decoder where weights are tied.
    fn codes_to_gradients(
        &mut self,
        autoencoder: &Autoencoder,
        inputs: View<'_>,
        weights: &mut Tensor,
        biases: &mut Tensor,
    ) {
        let Evaluation { codes, code_inputs, output_delta, code_delta, pull, .. } = self;
        let (encoder, settings) = (&autoencoder.encoder, &autoencoder.settings);
        let cases = codes.rows();
        for first in (0..cases).step_by(BLOCK) {
            let rows = first..cases.min(first + BLOCK);
            let (block, inputs) = (rows.len(), inputs.row_range(rows.clone()));
            let (codes, delta) = (codes.row_range(rows.clone()), output_delta.row_range(rows.clone()));
            let code_inputs = code_inputs.as_ref().map(|all| all.row_range(rows.clone()));
            let gradient = settings.sparsity.add_gradient(ACC, codes, pull, cases);
            let slope = encoder.activation.slope(gradient, codes, code_inputs);
            code_delta.row_range_mut(0..block).product(delta.dot(autoencoder.decoder().t()), slope);
            let delta = code_delta.row_range(0..block);
            let add = |sum: Expr<'static>, empty: bool| if empty { sum } else { OLD + sum };
            let grid = [block, delta.columns()];
            biases.reduce(grid, Over::Rows, Reduction::Sum, delta, add(ACC, first == 0));
            weights.product(inputs.t().dot(delta), add(ACC, first == 0 && !settings.tied));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Activation, Device, Key, Loss, Parameters, Pass,
        autoencoder::{AutoencoderSettings, Workspace},
        conformance::noise,
        init::Initialization,
    };

    /// Value and gradients, which are checked by central differences, of all cases in one piece.
    #[test]
    fn blocks_add_up_to_the_whole() {
        let (device, cases) = (Device::reference(), BLOCK + 3);
        let inputs = noise(&device, cases, 5, 1);
        let divergence = SparsityPenalty::Divergence { target: 0.05, weight: 3.0 };
        let smooth = SparsityPenalty::SmoothAbsolute { weight: 0.7, smoothing: 0.01 };
        for (sparsity, activation, loss) in [
            (SparsityPenalty::None, Activation::Tanh, Loss::BinaryCrossEntropy),
            (divergence, Activation::Logistic, Loss::SquaredError),
            (SparsityPenalty::Absolute { weight: 0.7 }, Activation::Square, Loss::SquaredError),
            (smooth, Activation::Identity, Loss::BinaryCrossEntropy),
        ] {
            for tied in [true, false] {
                let reconstruction = match loss {
                    Loss::SquaredError => Activation::Logistic,
                    _ => Activation::Identity,
                };
                let initialization = Initialization::Normal { deviation: 0.5 };
                let settings = AutoencoderSettings {
                    tied,
                    activation,
                    reconstruction,
                    loss,
                    sparsity,
                    initialization,
                    ..AutoencoderSettings::default()
                };
                let model = Autoencoder::new(&device, 5, 4, settings, Key::new(2)).unwrap();
                let (mut workspace, mut wanted) = (Workspace::new(&model, cases), device.zeros(1, 1));
                model.forward(inputs.view(), &mut workspace, Pass::Testing);
                model.objective(inputs.view(), &mut workspace, wanted.view_mut());
                let sums = model.backward(inputs.view(), &mut workspace);
                let mut gradients = Vec::new();
                model.visit(&mut |_, tensor| gradients.push(device.zeros(tensor.rows(), tensor.columns())));
                let mut value = device.zeros(1, 1);
                let mut evaluation = Evaluation::new(&model, cases).unwrap();
                // Twice, as nothing may be left from the time before.
                for _ in 0..2 {
                    evaluation.evaluate(&model, inputs.view(), value.view_mut(), &mut gradients);
                }
                let off = |found: &Tensor, wanted: &Tensor| {
                    let difference = found.to_array_f64().unwrap() - wanted.to_array_f64().unwrap();
                    difference.iter().fold(0.0f64, |worst, off| worst.max(off.abs()))
                };
                assert!(off(&value, &wanted) < 1e-12, "{settings:?}");
                for (found, sum) in gradients.iter().zip(&sums) {
                    let mut wanted = device.zeros(found.rows(), found.columns());
                    sum.store(wanted.view_mut(), ACC);
                    assert!(off(found, &wanted) < 1e-12, "{settings:?}");
                }
            }
        }
    }

    #[test]
    fn noise_is_refused() {
        let settings = AutoencoderSettings {
            corruption: Corruption::Masking { probability: 0.3 },
            ..AutoencoderSettings::default()
        };
        let model = Autoencoder::new(&Device::cpu(), 5, 4, settings, Key::new(2)).unwrap();
        let message = Evaluation::new(&model, 3).unwrap_err().to_string();
        assert!(message.contains("no noise"), "{message}");
    }
}
