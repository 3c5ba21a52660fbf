//! A stack of stages, learned one after the other without labels.

use nn_conv::{Local, LocalContrastNormalization, Pool, Pooling};
use nn_core::network::{NamedLayer, named};
use nn_core::{
    ACC, Activation, Adam, Binarize, Dataset, Device, Error, Key, Loss, Network, OLD, Over, Parameters,
    Penalty, Reduction, Schedule, Tensor, x,
};
use nn_sparse::{LocalStage, LocalStageLearner, LocalStageSettings};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::{Figures, Training};

/// A stage: filters of fields, square roots of sums of squares over pools, local contrast normalisation; and how it learns.
#[derive(Clone, Copy, Debug)]
pub(super) struct StageShape {
    /// Values on a side of a field, and from one field to the next.
    pub(super) field: usize,
    pub(super) stride: usize,
    pub(super) maps: usize,
    /// Positions on a side of a pool, and from one pool to the next.
    pub(super) pool: usize,
    pub(super) pool_stride: usize,
    /// Positions on a side of the surround of the normalisation; none at the top, where there is a single position.
    pub(super) surround: Option<usize>,
    /// λ, for inputs with a mean square of 1.
    pub(super) sparsity_weight: f64,
    pub(super) epochs: u64,
    /// Rate of Adam at first; it falls linearly to 0.
    pub(super) rate: f32,
}

/// The stages, and what their learning has in common.
#[derive(Clone, Debug)]
pub(super) struct Stacking {
    pub(super) stages: Vec<StageShape>,
    /// ε, for inputs with a mean square of 1.
    pub(super) epsilon: f64,
    pub(super) batch: usize,
}

/// Which of the stacks that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Begins the names of checkpoints and tables.
    pub(super) name: &'static str,
    /// Whether filters are learned, or stay as they were drawn.
    pub(super) trained: bool,
    /// Whether there is local contrast normalisation.
    pub(super) normalised: bool,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Stack {
    /// All stages.
    pub(super) network: Network,
    /// How many layers the first stage has.
    pub(super) layers_of_first: usize,
    /// Figures of learning, stage by stage; none of random filters.
    pub(super) figures: Vec<Figures>,
}

/// Cases that are measured during training.
const WATCHED: usize = 200;

impl Stacking {
    /// Height, width and maps that each stage leaves of square images.
    ///
    /// # Errors
    /// If a stage does not fit what the one before leaves.
    pub(super) fn shapes(&self, side: usize) -> Result<Vec<[usize; 3]>, Error> {
        let mut image = [side, side, 1];
        let of = |shape: &StageShape| {
            let pools = self.settings(image, shape).pools()?;
            let [down, across] = pools.positions();
            image = [down, across, shape.maps];
            Ok(image)
        };
        self.stages.iter().map(of).collect()
    }

    fn settings(&self, image: [usize; 3], shape: &StageShape) -> LocalStageSettings {
        let StageShape { field, stride, maps, pool, pool_stride, sparsity_weight, .. } = *shape;
        let epsilon = self.epsilon;
        LocalStageSettings { image, field, stride, maps, pool, pool_stride, sparsity_weight, epsilon }
    }

    /// The learner of a stage for so many cases.
    ///
    /// # Errors
    /// For a setting that is refused.
    pub(super) fn learner(
        &self,
        device: &Device,
        image: [usize; 3],
        stage: usize,
        cases: usize,
        key: Key,
    ) -> Result<LocalStageLearner<Adam>, Error> {
        let shape = &self.stages[stage];
        let settings = self.settings(image, shape);
        let updates = shape.epochs * (cases / self.batch.min(cases)) as u64;
        let rate = Schedule::Linear { from: shape.rate, to: 0.0, updates };
        let model = LocalStage::new(device, settings, key)?;
        LocalStageLearner::new(model, |model| Adam::new(model, rate, Penalty::default()))
    }

    /// A stack for these images (cases × side²), stage by stage: each learns from what the ones below make of the images, brought
    /// to a mean square of 1. From its checkpoints on if the run is resumed, which carry the number of the `repetition`.
    ///
    /// # Errors
    /// As [`Training::run`].
    pub(super) fn build(
        &self,
        run: &Run,
        kind: Kind,
        repetition: u64,
        images: &Tensor,
        side: usize,
        key: Key,
    ) -> Result<Stack, RunError> {
        let (device, doing) = (images.device().clone(), "building a stack");
        let (mut image, mut values) = ([side, side, 1], images.duplicate());
        let (mut layers, mut layers_of_first, mut figures) = (Vec::new(), 0, Vec::new());
        for (number, shape) in self.stages.iter().enumerate() {
            let scale = inverse_root_mean_square(&values).while_doing(doing)?;
            values.assign(OLD * scale);
            let key = key.fold_in(number as u64);
            let data = Dataset::on_device(values.duplicate().into(), Binarize::Never)?;
            let mut learner = self.learner(&device, image, number, data.len(), key).while_doing(doing)?;
            if kind.trained {
                let mut watch = device.zeros(WATCHED.min(data.len()), values.columns());
                watch.assign(values.row_range(0..watch.rows()));
                let stage = format!("{}{}-stage{}", kind.name, repetition + 1, number + 1);
                let (epochs, batch) = (shape.epochs, self.batch.min(data.len()));
                let save_every = epochs.div_ceil(4);
                let training = Training { stage: &stage, epochs, batch, key, measure_every: 1, save_every };
                figures.push(training.run(run, &mut learner, &data, watch.into())?);
            }
            let surround = shape.surround.filter(|_| kind.normalised);
            let (stage, left) = stage_layers(&learner.stage, surround, number).while_doing(doing)?;
            let mut stage = Network::new(stage, Loss::SquaredError)?;
            values = stage.activity(values.view(), stage.layers().len());
            // In the stack the filters see values as they are: W₁ᵀ(s·x) = (s·W₁)ᵀx.
            stage.visit_mut(&mut |name, tensor| {
                if name.ends_with(".weights") {
                    tensor.assign(OLD * scale);
                }
            });
            image = left;
            layers.extend(stage.into_layers());
            if number == 0 {
                layers_of_first = layers.len();
            }
        }
        let network = Network::new(layers, Loss::SquaredError)?;
        Ok(Stack { network, layers_of_first, figures })
    }
}

/// 1 / √(mean of the squares of all values); 1 where all are 0. Waits for the device.
fn inverse_root_mean_square(values: &Tensor) -> Result<f64, Error> {
    let grid = [values.rows(), values.columns()];
    let mut columns = values.device().zeros(1, grid[1]);
    let mean = ACC * (1.0 / grid[0] as f64);
    columns.reduce(grid, Over::Rows, Reduction::Sum, x(values).square(), mean);
    let square = columns.to_array_f64()?.mean().unwrap_or_default();
    Ok(if square > 0.0 { square.sqrt().recip() } else { 1.0 })
}

/// The layers of a stage, and the height, width and maps that they leave.
fn stage_layers(
    stage: &LocalStage,
    surround: Option<usize>,
    number: usize,
) -> Result<(Vec<NamedLayer>, [usize; 3]), Error> {
    let (fields, pools) = (*stage.fields(), *stage.pools());
    let name = |word: &str| format!("{word}{}", number + 1);
    let encoder = stage.encoder().duplicate();
    let biases = encoder.device().zeros(1, pools.image_len());
    let mut layers = vec![
        named(&name("filters"), Local::with_parameters(fields, encoder, biases, Activation::Identity)?),
        named(&name("pools"), Pooling::new(pools, Pool::Norm(2.0), Activation::Identity)?),
    ];
    let [down, across] = pools.positions();
    let image = [down, across, pools.channels];
    if let Some(size) = surround {
        // As for the images of the other experiments, a fifth of the surround.
        let normalization = LocalContrastNormalization::new(image, size, size as f64 / 5.0)?;
        layers.push(named(&name("normalization"), normalization));
    }
    Ok((layers, image))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn values_are_brought_to_a_mean_square_of_one() {
        let device = Device::reference();
        let values = device.tensor_f64(&ndarray::arr2(&[[1.0, -5.0, 3.0], [0.0, 1.0, 0.0]]));
        // 36 / 6.
        assert!((inverse_root_mean_square(&values).unwrap() - 6f64.sqrt().recip()).abs() < 1e-12);
        assert_eq!(inverse_root_mean_square(&device.zeros(2, 2)).unwrap(), 1.0);
    }

    /// The pools of the layers are those of the stage: √ of sums of squares of products, one by one.
    #[test]
    fn layers_respond_as_the_stage_does() {
        let device = Device::reference();
        let settings = LocalStageSettings {
            image: [5, 4, 1],
            field: 2,
            stride: 1,
            maps: 3,
            pool: 2,
            pool_stride: 1,
            sparsity_weight: 0.1,
            epsilon: 0.01,
        };
        let stage = LocalStage::new(&device, settings, Key::new(1)).unwrap();
        let (layers, left) = stage_layers(&stage, None, 0).unwrap();
        assert_eq!((left, layers.len()), ([3, 2, 3], 2));
        assert_eq!(stage_layers(&stage, Some(1), 0).unwrap().0.len(), 3);
        let network = Network::new(layers, Loss::SquaredError).unwrap();
        let image = Array2::from_shape_fn((1, 20), |(_, pixel)| Key::new(2).normal(pixel as u64));
        let found = network.activity(device.tensor_f64(&image).view(), 2).to_array_f64().unwrap();
        let weights = stage.encoder().to_array_f64().unwrap();
        for (at, response) in found.iter().enumerate() {
            let (y, x, map) = (at / 6, at / 3 % 2, at % 3);
            let unit = |y: usize, x: usize| -> f64 {
                let row = |tap: usize| (y * 3 + x) * 4 + tap;
                (0..4).map(|tap| image[(0, (y + tap / 2) * 4 + x + tap % 2)] * weights[(row(tap), map)]).sum()
            };
            let energy: f64 = (0..4).map(|of| unit(y + of / 2, x + of % 2).powi(2)).sum();
            assert!((response - energy.sqrt()).abs() < 1e-12, "{at}");
        }
    }
}
