//! The objective of a sparse autoencoder of patches, and its gradient.

use ndarray::Array2;
use nn_core::autoencoder::{Evaluation, SparsityPenalty};
use nn_core::init::Initialization;
use nn_core::{
    ACC, Activation, Autoencoder, AutoencoderSettings, Device, Error, Key, Loss, OLD, Over, Parameters,
    Penalty, Reduction, Tensor, x,
};
use nn_data::image_folder;
use nn_data::{PatchDraw, Whitening, WhiteningKind, contrast};

use super::super::amount::Amount;
use super::super::bench_error::BenchError;
use super::super::matrices::Matrices;
use super::super::workload::{Subject, Workload, product_flop, wait_for};

// The script of the peers has the same numbers.
/// Cases of the workload.
pub(super) const PATCHES: usize = 10_000;
const SIDE: usize = 12;
const HIDDEN: usize = 256;
const SPARSITY: SparsityPenalty = SparsityPenalty::Divergence { target: 0.05, weight: 3.0 };
/// λ of ½λ Σw², of both layers.
const DECAY: f32 = 2e-3;
/// What is added to the variances in whitening, as a share of their mean.
const EPSILON: f64 = 0.01;

/// One objective and gradient over so many patches.
///
/// # Errors
///
/// If the device fails or a matrix for the peers cannot be written.
pub(super) fn workload(
    device: &Device,
    patches: usize,
    matrices: &mut Matrices,
) -> Result<Workload, BenchError> {
    let key = Key::new(7);
    let inputs = device.tensor(&whitened(patches, key.fold_in(0))?);
    let settings = AutoencoderSettings {
        tied: false,
        activation: Activation::Logistic,
        loss: Loss::SquaredError,
        sparsity: SPARSITY,
        initialization: Initialization::Normal { deviation: 0.1 },
        ..AutoencoderSettings::default()
    };
    let model = Autoencoder::new(device, SIDE * SIDE, HIDDEN, settings, key.fold_in(1))?;
    matrices.hand_over("sparse-ae/inputs", &inputs)?;
    let (mut handed, mut gradients) = (Ok(()), Vec::new());
    model.visit(&mut |name, tensor| {
        if handed.is_ok() {
            handed = matrices.hand_over(&format!("sparse-ae/{name}"), tensor);
        }
        gradients.push(device.zeros(tensor.rows(), tensor.columns()));
    });
    handed?;
    // Encode, decode, δ of the codes, and the gradients of two matrices.
    let flop = 5.0 * product_flop(patches, SIDE * SIDE, HIDDEN);
    let ours = Box::new(Objective {
        evaluation: Evaluation::new(&model, patches)?,
        model,
        inputs,
        gradients,
        objective: device.zeros(1, 1),
        squares: device.zeros(1, HIDDEN.max(SIDE * SIDE)),
    });
    Ok(Workload {
        name: "sparse-ae".to_string(),
        work: format!("objective and gradient of a sparse autoencoder 144–256–144, {patches} patches"),
        amount: Amount::Flop(flop),
        yardstick: false,
        figure: "objective",
        peers: &["torch"],
        ours,
    })
}

/// Patches of the photographs that are part of the program, without their means, whitened, of variance 1.
fn whitened(count: usize, key: Key) -> Result<Array2<f32>, Error> {
    let draw = || {
        let images: Vec<_> = image_folder::embedded()?.into_iter().map(|image| image.pixels).collect();
        let draw = PatchDraw { size: [SIDE; 2], count, border: 0, least_deviation: 0.0 };
        let mut patches = draw.draw(&images, &mut key.generator())?;
        contrast::remove_mean(patches.view_mut());
        let power = patches.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / patches.len() as f64;
        let whitening = Whitening::of(patches.view(), WhiteningKind::Zca, EPSILON * power, None)?;
        let white = whitening.apply(patches.view());
        let deviation = white.std(0.0);
        Ok(white / deviation)
    };
    draw().map_err(|error: nn_data::DataError| Error::Data(error.to_string()))
}

/// An autoencoder that is looked at again and again, and not changed.
struct Objective {
    model: Autoencoder,
    evaluation: Evaluation,
    inputs: Tensor,
    gradients: Vec<Tensor>,
    objective: Tensor,
    /// Sums of squares of columns.
    squares: Tensor,
}

impl Subject for Objective {
    fn unit(&mut self) -> Result<(), Error> {
        let Objective { model, evaluation, inputs, gradients, objective, squares } = self;
        evaluation.evaluate(model, inputs.view(), objective.view_mut(), gradients);
        let penalty = Penalty::l2(DECAY);
        let mut gradients = gradients.iter_mut();
        model.visit(&mut |name, tensor| {
            let Some(gradient) = gradients.next() else { return };
            if !name.ends_with("weights") {
                return;
            }
            gradient.assign(penalty.add_gradient(OLD, tensor));
            let (rows, columns) = (tensor.rows(), tensor.columns());
            let mut of_columns = squares.column_range_mut(0..columns);
            of_columns.reborrow().reduce(
                [rows, columns],
                Over::Rows,
                Reduction::Sum,
                x(tensor).square(),
                ACC,
            );
            let decay = OLD + ACC * (0.5 * DECAY);
            objective.reduce([1, columns], Over::Columns, Reduction::Sum, of_columns.as_view(), decay);
        });
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Error> {
        wait_for(&self.objective)?;
        self.gradients.iter().try_for_each(wait_for)
    }

    fn figure(&mut self) -> Result<f64, Error> {
        self.unit()?;
        Ok(self.objective.to_array_f64()?[[0, 0]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The objective from the definition, from what the peers are given.
    #[test]
    fn the_work_is_done() {
        let temporary = tempfile::tempdir().unwrap();
        let mut matrices = Matrices::new(Some(temporary.path()));
        let mut workload = workload(&Device::cpu(), 300, &mut matrices).unwrap();
        workload.ours.unit().unwrap();
        workload.ours.wait().unwrap();
        let found = workload.ours.figure().unwrap();
        let handed: Vec<Vec<String>> = matrices.arguments().chunks(5).map(<[String]>::to_vec).collect();
        let read = |name: &str| {
            let one = handed.iter().find(|words| words[1] == format!("sparse-ae/{name}")).unwrap();
            let bytes = std::fs::read(&one[4]).unwrap();
            let values = bytes.chunks_exact(4).map(|part| f32::from_le_bytes(part.try_into().unwrap()));
            let shape = (one[2].parse().unwrap(), one[3].parse().unwrap());
            Array2::from_shape_vec(shape, values.map(f64::from).collect()).unwrap()
        };
        let [inputs, encoder, decoder] = ["inputs", "encoder.weights", "decoder.weights"].map(read);
        assert!((inputs.mapv(|value| value * value).mean().unwrap() - 1.0).abs() < 1e-3);
        let codes = inputs.dot(&encoder).mapv(|a| 1.0 / (1.0 + (-a).exp()));
        let loss = 0.5 * (codes.dot(&decoder) - &inputs).mapv(|e| e * e).sum() / 300.0;
        let means = codes.mean_axis(ndarray::Axis(0)).unwrap();
        let divergence = means.mapv(|r| 0.05 * (0.05 / r).ln() + 0.95 * (0.95 / (1.0 - r)).ln()).sum();
        let squares: f64 = [&encoder, &decoder].iter().map(|weights| weights.mapv(|w| w * w).sum()).sum();
        let wanted = loss + 3.0 * divergence + 1e-3 * squares;
        assert!((found / wanted - 1.0).abs() < 1e-4, "{found}, not {wanted}");
        assert_eq!(handed.len(), 5);
    }
}
