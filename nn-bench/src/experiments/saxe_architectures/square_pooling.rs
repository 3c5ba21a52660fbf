//! A convolution, the squares of its responses, and the roots of their sums over pools.

use ndarray::{Array2, Axis, concatenate};
use nn_conv::{Ascent, Convolution, Filters, Pool, Pooling, optimal_sinusoid};
use nn_core::init::Initialization;
use nn_core::network::{NamedLayer, named};
use nn_core::{Activation, Device, Error, Key, Loss, Network, Parameters, Tensor, Window};

/// The size of filters and pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Architecture {
    /// Pixels on a side of a filter.
    pub(super) filter: usize,
    pub(super) maps: usize,
    /// Pixels on a side of a pool.
    pub(super) pool: usize,
    /// Pixels between two pools.
    pub(super) stride: usize,
}

impl Architecture {
    pub(super) const fn new(filter: usize, maps: usize, pool: usize, stride: usize) -> Architecture {
        Architecture { filter, maps, pool, stride }
    }

    /// The layers on grey images of `side` × `side`, with random filters: weights are normal with variance 1 / their
    /// number.
    pub(super) fn layers(self, device: &Device, side: usize, key: Key) -> Result<Vec<NamedLayer>, Error> {
        let filters = Filters::new(Window::new(side, side, 1, self.filter), self.maps);
        let draw = Initialization::Normal { deviation: 1.0 / self.filter as f64 };
        let convolution = Convolution::new(device, filters, Activation::Identity, draw, key)?;
        let responses = side + 1 - self.filter;
        let window = Window::new(responses, responses, self.maps, self.pool).stride(self.stride);
        let pooling = Pooling::new(window, Pool::Norm(2.0), Activation::Identity)?;
        Ok(vec![named("filters", convolution), named("pool", pooling)])
    }

    /// Pixels on a side of what one pool sees.
    pub(super) fn seen(self) -> usize {
        self.filter + self.pool - 1
    }

    /// One pool of each map of a network of these [`layers`](Self::layers), on images of just what it sees.
    pub(super) fn units(self, network: &Network) -> Result<Network, Error> {
        let mut parameters: Vec<Tensor> = Vec::new();
        network.visit(&mut |name, tensor| {
            if name.starts_with("filters.") {
                parameters.push(tensor.duplicate());
            }
        });
        let Ok([weights, biases]) = <[Tensor; 2]>::try_from(parameters) else {
            return Err(Error::setting("layer `filters`", "absent", "the network begins with it"));
        };
        let (window, maps) = (Window::new(self.seen(), self.seen(), 1, self.filter), weights.columns());
        let convolution = Convolution::with_parameters(window, weights, biases, Activation::Identity)?;
        let window = Window::new(self.pool, self.pool, maps, self.pool);
        let pooling = Pooling::new(window, Pool::Norm(2.0), Activation::Identity)?;
        Network::new(vec![named("filters", convolution), named("pool", pooling)], Loss::SquaredError)
    }

    /// The images of norm 1 that the first `count` of [`units`](Self::units) respond to most, one a row.
    pub(super) fn optimal_inputs(
        self,
        device: &Device,
        units: &Network,
        count: usize,
        key: Key,
    ) -> Result<Tensor, Error> {
        Ascent::default().optimal_inputs(device, units, &(0..count.min(self.maps)).collect::<Vec<_>>(), key)
    }

    /// The sinusoids at the maxima of the spectra of the first `count` filters, one a row.
    pub(super) fn sinusoids(
        self,
        filters: &Array2<f64>,
        count: usize,
    ) -> Result<Array2<f64>, ndarray::ShapeError> {
        let window = Window::new(self.seen(), self.seen(), 1, self.filter);
        let images: Vec<_> = filters
            .columns()
            .into_iter()
            .take(count)
            .map(|filter| optimal_sinusoid(filter, &window).image.insert_axis(Axis(0)))
            .collect();
        concatenate(Axis(0), &images.iter().map(|image| image.view()).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Architecture = Architecture::new(3, 4, 5, 2);

    /// 12 − 2 = 10 pixels and 3 pools on an axis; one pool sees 3 + 5 − 1 pixels.
    #[test]
    fn sizes_by_hand() {
        let layers = SMALL.layers(&Device::cpu(), 12, Key::new(1)).unwrap();
        let outputs: Vec<_> = layers.iter().map(|(_, layer)| layer.outputs()).collect();
        assert_eq!(outputs, [10 * 10 * 4, 3 * 3 * 4]);
        let network = Network::new(layers, Loss::SquaredError).unwrap();
        let units = SMALL.units(&network).unwrap();
        assert_eq!((SMALL.seen(), units.inputs(), units.outputs()), (7, 49, 4));
    }

    /// No image of norm 1 does better than the sinusoid does where patches go around the edges, and the ascent does at
    /// least as well as the sinusoid where they do not.
    #[test]
    fn the_ascent_is_no_worse_than_the_sinusoid() {
        let device = Device::reference();
        let layers = SMALL.layers(&device, 12, Key::new(2)).unwrap();
        let units = SMALL.units(&Network::new(layers, Loss::SquaredError).unwrap()).unwrap();
        let mut filters = None;
        units.visit(&mut |name, tensor| {
            if name == "filters.weights" {
                filters = Some(tensor.to_array_f64().unwrap());
            }
        });
        let found = SMALL.optimal_inputs(&device, &units, 3, Key::new(3)).unwrap();
        let sinusoids = SMALL.sinusoids(&filters.unwrap(), 3).unwrap();
        assert_eq!((found.rows(), sinusoids.nrows()), (3, 3));
        let responses = |images: &Tensor| units.predict(images.view()).to_array().unwrap().diag().to_owned();
        let (found, sinusoids) = (responses(&found), responses(&device.tensor_f64(&sinusoids)));
        for (found, sinusoid) in found.iter().zip(&sinusoids) {
            assert!(found > sinusoid && *sinusoid > 0.5 * found, "{sinusoid} and {found}");
        }
    }
}
