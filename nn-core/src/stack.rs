//! Models stacked on each other's codes: greedy layerwise pretraining, and the networks that it is for.

use crate::{
    Activation, Binarize, Dataset, Error, Key, Loss, Network, Parameters, Tensor, View, ViewMut,
    init::Initialization,
    latent::{DenseLatentModel, LatentModel, codes, encoded},
    layer::Dense,
    network::named,
    parameters::{visit_mut_under, visit_under},
};

/// Latent models, each of the codes of the one below it (Hinton, Osindero and Teh, 2006; Bengio and others, 2007).
///
/// As [`Parameters`] it shows those of the models as `1.…`, `2.…`. It is a latent model itself.
#[derive(Debug)]
pub struct Stack<M> {
    models: Vec<M>,
}

impl<M: LatentModel> Stack<M> {
    /// A stack of models that are there already, from the data on.
    ///
    /// # Errors
    /// [`Error::Setting`] without models, or for one whose inputs are not the codes of the model below it.
    pub fn new(models: Vec<M>) -> Result<Stack<M>, Error> {
        if models.is_empty() {
            return Err(Error::setting("models of a stack", 0, "it needs at least one"));
        }
        for (index, pair) in models.windows(2).enumerate() {
            let (below, above) = (pair[0].codes(), pair[1].inputs());
            if below != above {
                let allowed = format!("the codes of model {} have {below} values", index + 1);
                return Err(Error::setting(&format!("inputs of model {}", index + 2), above, &allowed));
            }
        }
        Ok(Stack { models })
    }

    /// Greedy layerwise pretraining: `train` makes and trains each of `depth` models, given its number from 0 and its data,
    /// which are the codes of the models below. Each data set is encoded once, on the device.
    ///
    /// `codes` says how codes become the inputs of the models above: as they are, or as probabilities of binary units.
    ///
    /// # Errors
    /// Those of `train`, and [`Error::Setting`] as for [`Stack::new`].
    pub fn pretrain<E: From<Error>>(
        data: &Dataset,
        depth: usize,
        codes: Binarize,
        mut train: impl FnMut(usize, &Dataset) -> Result<M, E>,
    ) -> Result<Stack<M>, E> {
        let mut models: Vec<M> = Vec::new();
        let mut above: Option<Dataset> = None;
        for index in 0..depth {
            if let Some(model) = models.last() {
                let mut next = encoded(model, above.as_ref().unwrap_or(data));
                next.binarize = codes;
                above = Some(next);
            }
            models.push(train(index, above.as_ref().unwrap_or(data))?);
        }
        Ok(Stack::new(models)?)
    }

    /// The models, from the data on.
    pub fn models(&self) -> &[M] {
        &self.models
    }

    /// What the first `depth` models make of these cases.
    fn up(&self, inputs: View<'_>, depth: usize) -> Option<Tensor> {
        let mut below: Option<Tensor> = None;
        for model in &self.models[..depth] {
            below = Some(codes(model, below.as_ref().map_or(inputs, Tensor::view)));
        }
        below
    }
}

impl<M: DenseLatentModel> Stack<M> {
    /// The layers that encode, from the data on, with copies of the parameters.
    ///
    /// # Errors
    /// As [`DenseLatentModel::encoder_layer`].
    pub fn encoders(&self) -> Result<Vec<Dense>, Error> {
        self.models.iter().map(DenseLatentModel::encoder_layer).collect()
    }

    /// The layers that decode, from the code on, with copies of the parameters.
    ///
    /// # Errors
    /// As [`DenseLatentModel::decoder_layer`].
    pub fn decoders(&self) -> Result<Vec<Dense>, Error> {
        self.models.iter().rev().map(DenseLatentModel::decoder_layer).collect()
    }

    /// A classifier to be fine-tuned: the encoders as `hidden1`, `hidden2`, …, and a new layer `output` under a softmax.
    ///
    /// # Errors
    /// As [`Stack::encoders`] and [`Dense::new`].
    pub fn classifier(
        &self,
        classes: usize,
        initialization: Initialization,
        key: Key,
    ) -> Result<Network, Error> {
        let mut layers = Vec::new();
        let encoders = self.encoders()?;
        let output = match encoders.last() {
            Some(top) => {
                let (device, codes) = (top.weights.device(), top.weights.columns());
                Some(Dense::new(device, codes, classes, Activation::Identity, initialization, key)?)
            }
            None => None,
        };
        for (index, encoder) in encoders.into_iter().enumerate() {
            layers.push(named(&format!("hidden{}", index + 1), encoder));
        }
        layers.extend(output.map(|output| named("output", output)));
        Network::new(layers, Loss::CrossEntropy)
    }

    /// A deep autoencoder to be fine-tuned (Hinton and Salakhutdinov, 2006): the encoders as `encoder1`, `encoder2`, …, then
    /// the decoders down to `decoder1`. The copies are free of each other: weights that were tied no longer are.
    ///
    /// `code` is the activation of the code in the middle, where it is not to be that of the topmost model: the identity
    /// for real-valued codes. The loss is the squared error, or the binary cross-entropy where the lowest model decodes by
    /// the logistic function, which the loss then holds.
    ///
    /// # Errors
    /// As [`Stack::encoders`], and [`Error::Setting`] for a loss that does not go with the lowest model.
    pub fn unrolled(&self, code: Option<Activation>, loss: Loss) -> Result<Network, Error> {
        let (mut encoders, mut decoders) = (self.encoders()?, self.decoders()?);
        if let (Some(code), Some(top)) = (code, encoders.last_mut()) {
            code.check()?;
            top.activation = code;
        }
        if let Some(outermost) = decoders.last_mut() {
            match (loss, outermost.activation) {
                (Loss::SquaredError, _) => {}
                (Loss::BinaryCrossEntropy, Activation::Logistic) => {
                    outermost.activation = Activation::Identity
                }
                _ => {
                    let allowed = "an autoencoder has the squared error, or the binary cross-entropy where its \
                                   lowest model decodes by the logistic function";
                    return Err(Error::setting("loss", format!("{loss:?}"), allowed));
                }
            }
        }
        let depth = self.models.len();
        let up = encoders.into_iter().enumerate();
        let down = decoders.into_iter().enumerate();
        let mut layers: Vec<_> = up.map(|(at, dense)| named(&format!("encoder{}", at + 1), dense)).collect();
        layers.extend(down.map(|(at, dense)| named(&format!("decoder{}", depth - at), dense)));
        Network::new(layers, loss)
    }
}

impl<M: LatentModel> Parameters for Stack<M> {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (index, model) in self.models.iter().enumerate() {
            visit_under(&(index + 1).to_string(), model, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (index, model) in self.models.iter_mut().enumerate() {
            visit_mut_under(&(index + 1).to_string(), model, see);
        }
    }
}

impl<M: LatentModel> LatentModel for Stack<M> {
    fn inputs(&self) -> usize {
        self.models.first().map_or(0, LatentModel::inputs)
    }
    fn codes(&self) -> usize {
        self.models.last().map_or(0, LatentModel::codes)
    }
    fn encode(&self, inputs: View<'_>, out: ViewMut<'_>) {
        let below = self.up(inputs, self.models.len() - 1);
        self.models[self.models.len() - 1].encode(below.as_ref().map_or(inputs, Tensor::view), out);
    }
    fn decode(&self, codes: View<'_>, out: ViewMut<'_>) {
        let mut above: Option<Tensor> = None;
        for model in self.models[1..].iter().rev() {
            let from = above.as_ref().map_or(codes, Tensor::view);
            let mut below = codes.source().device().zeros(codes.rows(), model.inputs());
            model.decode(from, below.view_mut());
            above = Some(below);
        }
        self.models[0].decode(above.as_ref().map_or(codes, Tensor::view), out);
    }
}

#[cfg(test)]
mod tests;
