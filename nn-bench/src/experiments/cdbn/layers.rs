//! The two machines: how they are set up, and how they are put together.

use ndarray::{Array2, ArrayView2, Axis, Slice};
use nn_core::{Device, Key, OLD, Parameters, Penalty, Schedule, Sgd, Tensor};
use nn_rbm::convolutional::{ConvolutionalLearner, Geometry, MapSparsity};
use nn_rbm::{ConvolutionalDbn, ConvolutionalRbm};

use super::{CROP, Recipe, SIDE};
use crate::run_error::{RunError, WhileDoing};

/// Momentum of everything.
pub(super) const MOMENTUM: f32 = 0.5;

/// Side of the blocks of both layers.
const BLOCK: usize = 2;

// Purposes of the keys of machines.
const FILTERS: u64 = 0;
const CHAINS: u64 = 1;

/// One machine and how it learns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer {
    pub(super) filter: usize,
    pub(super) maps: usize,
    pub(super) epochs: u64,
    pub(super) batch: usize,
    /// At first; it falls to a tenth.
    pub(super) rate: f32,
    pub(super) decay: f32,
    /// First biases of hidden units.
    pub(super) bias: f32,
    /// Target and cost.
    pub(super) sparsity: [f32; 2],
    /// Persistent chains.
    pub(super) chains: usize,
}

impl Layer {
    /// A learner of this machine, for so many cases.
    fn learner(
        &self,
        mut rbm: ConvolutionalRbm,
        cases: usize,
        key: Key,
    ) -> Result<ConvolutionalLearner<Sgd>, RunError> {
        let doing = "setting up a machine";
        rbm.hidden.biases.assign(self.bias);
        let rate = Schedule::Linear { from: self.rate, to: self.rate / 10.0, updates: self.updates(cases) };
        let sgd = Sgd::new(&rbm, rate, MOMENTUM, Penalty::l2(self.decay)).while_doing(doing)?;
        let learner = ConvolutionalLearner::new(rbm, 1, sgd).while_doing(doing)?;
        let mut learner = learner.persistent(self.chains, key.fold_in(CHAINS)).while_doing(doing)?;
        let [target, cost] = self.sparsity;
        learner.sparsity = Some(MapSparsity::new(target, cost).while_doing(doing)?);
        Ok(learner)
    }

    fn updates(&self, cases: usize) -> u64 {
        self.epochs * (cases / self.batch) as u64
    }
}

impl Recipe {
    /// A learner of the first layer on so many crops. σ of the pixels falls until the middle of training.
    pub(super) fn first(
        &self,
        device: &Device,
        cases: usize,
        key: Key,
    ) -> Result<ConvolutionalLearner<Sgd>, RunError> {
        let [from, to] = self.deviations;
        let rbm = ConvolutionalRbm::gaussian(device, self.geometry(CROP), from, key.fold_in(FILTERS));
        let layer = &self.layers[0];
        let mut learner = layer.learner(rbm.while_doing("setting up a machine")?, cases, key)?;
        learner.deviation = Some(Schedule::Linear { from, to, updates: layer.updates(cases) / 2 });
        Ok(learner)
    }

    /// Of the first layer on images of this side.
    fn geometry(&self, side: usize) -> Geometry {
        let Layer { filter, maps, .. } = self.layers[0];
        Geometry { height: side, width: side, channels: 1, filter, maps, block: BLOCK }
    }

    /// A stack of the first layer alone, on images of the size of objects, with what it learned from crops.
    pub(super) fn stack(&self, first: &ConvolutionalRbm) -> Result<ConvolutionalDbn, RunError> {
        let none = Key::new(0); // the filters drawn by it are replaced
        let mut rbm =
            ConvolutionalRbm::gaussian(first.device(), self.geometry(SIDE), self.deviations[1], none)
                .while_doing("setting up the stack")?;
        copy(first, &mut rbm);
        Ok(ConvolutionalDbn::new(rbm))
    }

    /// A learner of the second layer on the probabilities of pooling units, cases × units. Its visible biases start at the log
    /// odds of how often those of each map are on.
    pub(super) fn second(
        &self,
        dbn: &ConvolutionalDbn,
        units: ArrayView2<'_, f32>,
        key: Key,
    ) -> Result<ConvolutionalLearner<Sgd>, RunError> {
        let Layer { filter, maps, .. } = self.layers[1];
        let (geometry, device) = (dbn.next_geometry(filter, maps, BLOCK), dbn.layers()[0].device());
        let mut rbm = ConvolutionalRbm::bernoulli(device, geometry, key.fold_in(FILTERS))
            .while_doing("setting up a machine")?;
        let biases = log_odds(units, geometry.channels);
        rbm.visible.visit_mut(&mut |_, tensor| tensor.write(biases.view()));
        self.layers[1].learner(rbm, units.nrows(), key)
    }
}

/// The second layer for inference by the whole stack. That pooling units are on as often as in photographs is what the filters
/// and hidden biases of the first layer say already. So here the visible biases of the second are relative to that: by how
/// much the log odds of each map are larger for objects than for these pooling units of photographs, cases × units.
pub(super) fn relative_to(
    photographs: ArrayView2<'_, f32>,
    second: &ConvolutionalRbm,
) -> Result<ConvolutionalRbm, RunError> {
    let none = Key::new(0); // the filters drawn by it are replaced
    let mut rbm = ConvolutionalRbm::bernoulli(second.device(), *second.geometry(), none)
        .while_doing("setting up the stack")?;
    copy(second, &mut rbm);
    let known = second.device().tensor(&log_odds(photographs, second.geometry().channels));
    rbm.visible.visit_mut(&mut |_, biases| biases.assign(OLD - &known));
    Ok(rbm)
}

/// Gives one machine the parameters of another, whose images may have another size.
fn copy(from: &ConvolutionalRbm, to: &mut ConvolutionalRbm) {
    let mut parameters: Vec<&Tensor> = Vec::new();
    from.visit(&mut |_, tensor| parameters.push(tensor));
    let mut parameters = parameters.into_iter();
    to.visit_mut(&mut |_, tensor| {
        if let Some(own) = parameters.next() {
            tensor.assign(own);
        }
    });
}

/// The log odds of the mean of each map, 1 × maps, of cases × (blocks · maps).
fn log_odds(units: ArrayView2<'_, f32>, maps: usize) -> Array2<f32> {
    Array2::from_shape_fn((1, maps), |(_, map)| {
        let of_map = units.slice_axis(Axis(1), Slice::new(map as isize, None, maps as isize));
        let share = of_map.mean().unwrap_or_default().clamp(1e-3, 1.0 - 1e-3);
        (share / (1.0 - share)).ln()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the first layer learned on crops is found again where a crop lies in a larger image.
    #[test]
    fn the_first_layer_sees_in_objects_what_it_saw_in_crops() {
        let (device, recipe) = (Device::reference(), Recipe::of("quick"));
        let mut first = recipe.first(&device, 100, Key::new(1)).unwrap().rbm;
        first.set_deviation(recipe.deviations[1]);
        first.hidden.biases.assign(0.1);
        let pixel = |y: usize, x: usize| ((3 * y + 5 * x) as f32).sin();
        let image = |side: usize| {
            device.tensor(&Array2::from_shape_fn((1, side * side), |(_, p)| pixel(p / side, p % side)))
        };
        let small = first.pool(&first.mean_hidden(&image(CROP))).to_array_f64().unwrap();
        let dbn = recipe.stack(&first).unwrap();
        let large = dbn.features(&image(SIDE)).swap_remove(0).to_array_f64().unwrap();
        let [across, wide] = [&first, &dbn.layers()[0]].map(|rbm| rbm.geometry().blocks()[1]);
        let maps = recipe.layers[0].maps;
        for (unit, value) in small.iter().enumerate() {
            let (block, map) = (unit / maps, unit % maps);
            let same = (block / across * wide + block % across) * maps + map;
            assert!((value - large[[0, same]]).abs() < 1e-12, "unit {unit}");
        }
    }

    #[test]
    fn log_odds_and_biases_relative_to_them_by_hand() {
        let units = ndarray::arr2(&[[0.5f32, 0.0, 0.75, 0.0], [1.0, 0.0, 0.75, 0.0]]);
        let found = log_odds(units.view(), 2);
        assert!((found[[0, 0]] - 3f32.ln()).abs() < 1e-6 && found[[0, 1]] < -6.0, "{found:?}");
        let geometry = Geometry { height: 2, width: 2, channels: 2, filter: 1, maps: 1, block: 1 };
        let mut second = ConvolutionalRbm::bernoulli(&Device::reference(), geometry, Key::new(1)).unwrap();
        second.visible.visit_mut(&mut |_, biases| biases.assign(-2.0));
        let relative = relative_to(units.view(), &second).unwrap();
        assert_eq!(relative.weights.to_array_f64().unwrap(), second.weights.to_array_f64().unwrap());
        relative.visible.visit(&mut |_, biases| {
            let biases = biases.to_array_f64().unwrap();
            assert!((biases[[0, 0]] + 2.0 + 3f64.ln()).abs() < 1e-6 && biases[[0, 1]] > 4.0, "{biases}");
        });
    }
}
