//! A deep machine as a feed-forward network that is given its own posterior.

use super::Dbm;
use crate::latent::{activation, weights_of_states};
use nn_core::{
    Activation, Binarize, Cases, Dataset, Error, Key, Loss, Network, Tensor, View, init::Initialization,
    layer::Dense, network::named,
};

impl Dbm {
    /// Values of a case of [`Dbm::with_posterior`]: visible units and those of the second hidden layer, if there is one.
    pub fn classifier_inputs(&self) -> usize {
        self.layers[0].len() + self.fed_back().map_or(0, Tensor::columns)
    }

    /// W₂, through which the posterior is fed back into the first hidden layer.
    fn fed_back(&self) -> Option<&Tensor> {
        (self.depth() > 1).then(|| self.connections[1].weights())
    }

    /// v and beside it the means of h₂ after so many mean-field sweeps, labels inferred; without a second hidden layer v
    /// alone. Waits for nothing.
    pub fn posterior_beside(&self, inputs: View<'_>, sweeps: u64) -> Tensor {
        let (visible, columns) = (inputs.columns(), self.classifier_inputs());
        let mut out = self.device().zeros(inputs.rows(), columns);
        out.column_range_mut(0..visible).assign(inputs);
        if columns > visible {
            out.column_range_mut(visible..columns).assign(&self.mean_field(inputs, sweeps).means()[2]);
        }
        out
    }

    /// The cases of a data set with their posterior beside them, and the same targets: what [`Dbm::classifier`] learns from.
    /// Computed once; pixels are not drawn. Waits for nothing.
    ///
    /// # Errors
    /// Does not fail for a data set that was made.
    pub fn with_posterior(&self, data: &Dataset, sweeps: u64) -> Result<Dataset, Error> {
        let inputs = self.posterior_beside(data.inputs().view(), sweeps);
        let targets = data.targets().map(Tensor::duplicate);
        Dataset::on_device(Cases { inputs, targets }, Binarize::Never)
    }

    /// A network to be fine-tuned (Salakhutdinov and Hinton, 2009): `hidden1` sees v and the posterior means of h₂ through
    /// W₁ and W₂ᵀ, `hidden2`, … see the layer below, and a new layer `output` is under a softmax. The label of the machine
    /// is left out.
    ///
    /// Where mean field has converged and there are two hidden layers and no label, they compute the posterior means.
    ///
    /// # Errors
    /// For impossible first values of the new layer, or if weights or biases are shared.
    pub fn classifier(
        &self,
        classes: usize,
        initialization: Initialization,
        key: Key,
    ) -> Result<Network, Error> {
        let mut layers = Vec::new();
        for layer in 1..=self.depth() {
            let (function, biases) = activation(&*self.layers[layer])?;
            let Some(matrix) = self.connections[layer - 1].matrix() else {
                let rule = "only layers joined by a matrix make dense layers of a network";
                return Err(Error::setting(&format!("weights of hidden layer {layer}"), "shared", rule));
            };
            let mut weights = weights_of_states(&*self.layers[layer - 1], matrix);
            if let (1, Some(from_above)) = (layer, self.fed_back()) {
                let from_below = weights;
                let (rows, below) = (self.classifier_inputs(), from_below.rows());
                weights = self.device().zeros(rows, from_below.columns());
                weights.row_range_mut(0..below).assign(&from_below);
                weights.row_range_mut(below..rows).assign(&from_above.transposed()?);
            }
            layers.push(named(&format!("hidden{layer}"), Dense::with_parameters(weights, biases, function)?));
        }
        let top = self.layers[self.depth()].len();
        let output = Dense::new(self.device(), top, classes, Activation::Identity, initialization, key)?;
        layers.push(named("output", output));
        Network::new(layers, Loss::CrossEntropy)
    }
}
