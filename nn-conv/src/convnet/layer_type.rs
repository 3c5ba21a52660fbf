//! The types of layers that can be read, each with the names of its parameters.

use super::ini::Section;
use nn_core::Error;

/// A type of layer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LayerType {
    pub(super) name: &'static str,
    /// What a section of the layer file may have beside [`COMMON`].
    in_layers: &'static [&'static str],
    /// What a section of the parameter file may have.
    in_parameters: &'static [&'static str],
}

/// What every section of a layer file may have; `gpu` means nothing here.
const COMMON: &[&str] = &["type", "inputs", "gpu"];
/// `partialSum` and `sumWidth` are about the speed of cuda-convnet, and mean nothing here.
const FILTERS: &[&str] = &[
    "neuron",
    "channels",
    "filters",
    "filterSize",
    "padding",
    "stride",
    "groups",
    "randSparse",
    "filterChannels",
    "initW",
    "initB",
    "sharedBiases",
    "partialSum",
    "sumWidth",
];
/// The last three are of cuda-convnet2, and may only say that they are not used.
const WEIGHTS: &[&str] = &["epsW", "epsB", "momW", "momB", "wc", "wball", "updatePeriod", "superEps"];
const WEIGHTS_AND_DROPOUT: &[&str] =
    &["epsW", "epsB", "momW", "momB", "wc", "wball", "updatePeriod", "superEps", "dropout"];
const NORMALIZATION: &[&str] = &["neuron", "channels", "size"];
const STRENGTH: &[&str] = &["scale", "pow", "minDiv"];
const DROPOUT: &[&str] = &["enable", "keep"];

const TYPES: [LayerType; 15] = [
    LayerType { name: "data", in_layers: &["dataIdx"], in_parameters: &[] },
    LayerType { name: "conv", in_layers: FILTERS, in_parameters: WEIGHTS },
    LayerType { name: "local", in_layers: FILTERS, in_parameters: WEIGHTS },
    LayerType {
        name: "fc",
        in_layers: &["neuron", "outputs", "initW", "initB", "dropout"],
        in_parameters: WEIGHTS_AND_DROPOUT,
    },
    LayerType {
        name: "pool",
        in_layers: &["neuron", "pool", "channels", "sizeX", "start", "stride", "outputsX"],
        in_parameters: &[],
    },
    LayerType { name: "rnorm", in_layers: NORMALIZATION, in_parameters: STRENGTH },
    LayerType {
        name: "cmrnorm",
        in_layers: &["neuron", "channels", "size", "blocked"],
        in_parameters: STRENGTH,
    },
    LayerType { name: "cnorm", in_layers: NORMALIZATION, in_parameters: STRENGTH },
    LayerType { name: "softmax", in_layers: &[], in_parameters: &[] },
    LayerType { name: "neuron", in_layers: &["neuron"], in_parameters: &[] },
    LayerType { name: "dropout", in_layers: DROPOUT, in_parameters: DROPOUT },
    LayerType { name: "dropout2", in_layers: DROPOUT, in_parameters: DROPOUT },
    LayerType { name: "eltsum", in_layers: &["coeffs"], in_parameters: &[] },
    // `topk` asks for a figure beside those that are measured here.
    LayerType { name: "cost.logreg", in_layers: &["topk"], in_parameters: &["coeff", "topk"] },
    LayerType { name: "cost.sum2", in_layers: &[], in_parameters: &["coeff"] },
];

impl LayerType {
    /// The type that a section of a layer file names; its parameters are all known.
    pub(super) fn of(section: &Section) -> Result<&'static LayerType, Error> {
        let name = section.needed("type", "every layer")?;
        let Some(found) = TYPES.iter().find(|known| known.name == name) else {
            let names: Vec<&str> = TYPES.iter().map(|known| known.name).collect();
            return Err(section.refuse("type", &format!("the types of layers are {}", names.join(", "))));
        };
        section.has_only(&[COMMON, found.in_layers], &found.whose())?;
        Ok(found)
    }

    /// `a layer of type conv`.
    pub(super) fn whose(&self) -> String {
        format!("a layer of type {}", self.name)
    }

    /// Refuses what a section of the parameter file has and this type has not.
    pub(super) fn check_parameters(&self, section: &Section) -> Result<(), Error> {
        section.has_only(&[self.in_parameters], &format!("in this file, {}", self.whose()))
    }

    pub(super) fn is_cost(&self) -> bool {
        self.name.starts_with("cost.")
    }
}
