//! Convolutional machines on each other's pooling units.

use super::{ConvolutionalBoltzmann, ConvolutionalRbm, Geometry};
use nn_core::{Error, Key, OLD, Parameters, Tensor, parameters::visit_mut_under, parameters::visit_under};
use std::ops::Range;

/// A stack of [`ConvolutionalRbm`]s, the pooling units of each being the visible ones of the next.
///
/// They are trained one after the other, each on the pooling units of those below
/// ([`features`](ConvolutionalDbn::features)). Together they are one undirected model whose energy is the sum of theirs
/// (Lee et al., 2009, section 3.4): given the layers beside it a block of layer l is one draw with logits I + T, where T is
/// what layer l + 1 sends to its pooling unit, that unit's bias among it. Given all even layers the odd ones are
/// independent of each other, and the other way round.
///
/// States are one tensor for each layer, the visible one first, then hidden units, cases × units.
///
/// Parameters: `layer1.…`, `layer2.…` as those of the machines.
#[derive(Debug)]
pub struct ConvolutionalDbn {
    layers: Vec<ConvolutionalRbm>,
}

impl ConvolutionalDbn {
    /// One machine.
    pub fn new(bottom: ConvolutionalRbm) -> ConvolutionalDbn {
        ConvolutionalDbn { layers: vec![bottom] }
    }

    /// The sizes of a machine on top, whose images are the pooling units.
    pub fn next_geometry(&self, filter: usize, maps: usize, block: usize) -> Geometry {
        let top = self.top().geometry();
        let [height, width] = top.blocks();
        Geometry { height, width, channels: top.maps, filter, maps, block }
    }

    /// Puts a machine on top.
    ///
    /// # Errors
    /// If its images are not of the size of the pooling units, or its visible units are not binary.
    pub fn push(&mut self, rbm: ConvolutionalRbm) -> Result<(), Error> {
        let (own, top) = (rbm.geometry(), self.top().geometry());
        let [height, width] = top.blocks();
        if [own.height, own.width, own.channels] != [height, width, top.maps] {
            let given = format!("{}×{}×{}", own.height, own.width, own.channels);
            let allowed = format!("the pooling units below are {height}×{width}×{}", top.maps);
            return Err(Error::setting("images of the next machine", given, &allowed));
        }
        if !rbm.visible.binary() {
            let kind = rbm.visible.kind();
            return Err(Error::setting(
                "visible units of the next machine",
                kind,
                "pooling units are binary",
            ));
        }
        self.layers.push(rbm);
        Ok(())
    }

    /// Copies of the machines for images of another size: all positions share their parameters.
    ///
    /// # Errors
    /// If the filters and blocks of a layer do not fit, see [`Geometry::check`].
    pub fn of_size(&self, mut height: usize, mut width: usize) -> Result<ConvolutionalDbn, Error> {
        let mut layers = Vec::new();
        for rbm in &self.layers {
            let rbm = rbm.of_size(height, width)?;
            [height, width] = rbm.geometry().blocks();
            layers.push(rbm);
        }
        Ok(ConvolutionalDbn { layers })
    }

    /// The machines from the bottom.
    pub fn layers(&self) -> &[ConvolutionalRbm] {
        &self.layers
    }

    fn top(&self) -> &ConvolutionalRbm {
        &self.layers[self.layers.len() - 1]
    }

    /// The probabilities of the pooling units of each layer from below alone, each layer given those of the one before.
    pub fn features(&self, visible: &Tensor) -> Vec<Tensor> {
        let mut features: Vec<Tensor> = Vec::new();
        for rbm in &self.layers {
            let below = features.last().unwrap_or(visible);
            features.push(rbm.pool(&rbm.mean_hidden(below)));
        }
        features
    }

    /// States of all layers for these images, hidden ones drawn from below alone.
    pub fn states(&self, visible: Tensor, key: Key) -> Vec<Tensor> {
        let mut states = vec![visible];
        for (layer, rbm) in self.layers.iter().enumerate() {
            let mut hidden = rbm.device().zeros(states[0].rows(), rbm.geometry().hidden_len());
            let (at, key) = (rbm.distribution(), key.fold_in(layer as u64));
            match layer.checked_sub(1) {
                None => at.sample_hidden(&states[0], None, key, &mut hidden),
                Some(below) => {
                    at.sample_hidden(&self.layers[below].pool(&states[layer]), None, key, &mut hidden)
                }
            }
            states.push(hidden);
        }
        states
    }

    /// Gibbs sweeps over these layers: the even ones, then the odd ones. They leave the distribution of these layers, given
    /// those below, as it is; layers above take no part.
    pub fn sweep(&self, among: Range<usize>, states: &mut [Tensor], sweeps: u64, key: Key) {
        let at = self.distributions();
        for sweep in 0..sweeps {
            let key = key.fold_in(sweep);
            for rest in [0, 1] {
                self.sample_half(&at, rest, &among, states, key);
            }
        }
    }

    /// The machines' conditionals.
    pub(super) fn distributions(&self) -> Vec<ConvolutionalBoltzmann<'_>> {
        self.layers.iter().map(ConvolutionalRbm::distribution).collect()
    }

    /// Draws those of the layers whose number leaves this rest when divided by two.
    pub(super) fn sample_half(
        &self,
        at: &[ConvolutionalBoltzmann<'_>],
        rest: usize,
        among: &Range<usize>,
        states: &mut [Tensor],
        key: Key,
    ) {
        for layer in among.clone().filter(|layer| layer % 2 == rest) {
            let key = key.fold_in(layer as u64);
            if layer == 0 {
                let (visible, hidden) = states.split_at_mut(1);
                at[0].sample_visible(&hidden[0], key, &mut visible[0]);
            } else {
                self.given_neighbors(at, layer, among.end, states, |at, below, above, own| {
                    at.sample_hidden(below, above, key, own);
                });
            }
        }
    }

    /// Mean-field inference given the images: means of all hidden layers start from below and are then fitted to each other,
    /// odd layers and even layers in turn. Each step is exact for its layer, so the bound on log p(v) never falls.
    pub fn mean_field(&self, visible: Tensor, sweeps: u64) -> Vec<Tensor> {
        let at = self.distributions();
        let mut means = vec![visible];
        for rbm in &self.layers {
            means.push(rbm.device().zeros(means[0].rows(), rbm.geometry().hidden_len()));
            // The top of the layers so far has nothing above it.
            let layer = means.len() - 1;
            self.given_neighbors(&at, layer, layer + 1, &mut means, |at, below, above, own| {
                at.mean_hidden(below, above, own);
            });
        }
        for _ in 0..sweeps {
            for rest in [1, 0] {
                for layer in (1..means.len()).filter(|layer| layer % 2 == rest) {
                    let end = means.len();
                    self.given_neighbors(&at, layer, end, &mut means, |at, below, above, own| {
                        at.mean_hidden(below, above, own);
                    });
                }
            }
        }
        means
    }

    /// Calls `work` with what a hidden layer sees below, the input of its pooling units from above (from a layer before
    /// `end`), and its own states.
    fn given_neighbors(
        &self,
        at: &[ConvolutionalBoltzmann<'_>],
        layer: usize,
        end: usize,
        states: &mut [Tensor],
        work: impl FnOnce(&ConvolutionalBoltzmann<'_>, &Tensor, Option<&Tensor>, &mut Tensor),
    ) {
        let (below, rest) = states.split_at_mut(layer);
        let (own, above) = rest.split_at_mut(1);
        let pooled = layer.checked_sub(2).map(|machine| self.layers[machine].pool(&below[layer - 1]));
        let from_above = (layer + 1 < end).then(|| self.input_from_above(at, layer, &above[0]));
        work(&at[layer - 1], pooled.as_ref().unwrap_or(&below[0]), from_above.as_ref(), &mut own[0]);
    }

    /// T of the pooling units of this layer: the input from the layer above and their biases.
    fn input_from_above(&self, at: &[ConvolutionalBoltzmann<'_>], layer: usize, above: &Tensor) -> Tensor {
        let rbm = &self.layers[layer];
        let mut out = rbm.device().zeros(above.rows(), rbm.geometry().image_len());
        at[layer].visible_input(above, &mut out);
        rbm.visible.visit(&mut |_, biases| {
            out.view_mut().split_rows(rbm.geometry().pixels()).assign(OLD + biases);
        });
        out
    }

    /// E[v | states of the first hidden layer].
    pub fn mean_visible(&self, states: &[Tensor]) -> Tensor {
        self.layers[0].mean_visible(&states[1])
    }

    /// What each map of the top stands for, maps × image: the filters of one unit in the middle, as weighted sums of
    /// filters below, each pooling unit spread evenly over its block.
    pub fn pictures(&self) -> Tensor {
        let geometry = self.top().geometry();
        let ([down, across], size, maps) = (geometry.blocks(), geometry.block_size(), geometry.maps);
        let middle = ((down / 2 * across + across / 2) * size + size / 2) * maps;
        let on = |(map, unit)| if unit == middle + map { 1.0 } else { 0.0 };
        let one_hot = ndarray::Array2::from_shape_fn((maps, geometry.hidden_len()), on);
        let mut hidden = self.top().device().tensor(&one_hot);
        for (layer, rbm) in self.layers.iter().enumerate().rev() {
            let mut image = rbm.device().zeros(maps, rbm.geometry().image_len());
            rbm.distribution().visible_input(&hidden, &mut image);
            let Some(below) = layer.checked_sub(1) else { return image };
            let geometry = self.layers[below].geometry();
            hidden = rbm.device().zeros(maps, geometry.hidden_len());
            let (blocks, share) = (geometry.block_count(), 1.0 / geometry.block_size() as f32);
            hidden.view_mut().split_rows(blocks).assign(image.view().split_rows(blocks).repeated() * share);
        }
        hidden
    }
}

impl Parameters for ConvolutionalDbn {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (number, rbm) in self.layers.iter().enumerate() {
            visit_under(&format!("layer{}", number + 1), rbm, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (number, rbm) in self.layers.iter_mut().enumerate() {
            visit_mut_under(&format!("layer{}", number + 1), rbm, see);
        }
    }
}
