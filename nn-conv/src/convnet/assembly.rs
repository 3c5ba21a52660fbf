//! Layers from their descriptions, once the size of the images is known.

use super::description::{Description, Kind, Learned};
use super::ini::Section;
use crate::{
    ContrastNormalization, Convolution, Filters, Groups, Local, Pooling, ResponseNormalization, pool_window,
};
use nn_core::{
    Activation, Device, Error, Key, Layer, Parameters, Window,
    init::Initialization,
    layer::{Dense, Dropout, Elementwise, Softmax},
    network::NamedLayer,
    parameters::is_weights,
};

/// Most weights of a layer: 8 GiB of them.
const MOST_WEIGHTS: usize = 1 << 31;

/// What comes out of a layer.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Height, width, channels.
    Image([usize; 3]),
    Values(usize),
}

impl Shape {
    fn len(self) -> usize {
        match self {
            Shape::Image(sides) => sides.iter().product(),
            Shape::Values(count) => count,
        }
    }

    /// As an image of so many channels; values without a shape are a square one.
    fn image(self, section: &Section, channels: usize) -> Result<[usize; 3], Error> {
        match self {
            Shape::Image(image) if image[2] == channels => Ok(image),
            Shape::Image([height, width, found]) => {
                let allowed = format!("what comes in are images of {height} × {width} × {found}");
                Err(section.refuse("channels", &allowed))
            }
            Shape::Values(count) => {
                let side = (count / channels).isqrt();
                let image = [side, side, channels];
                if image.iter().product::<usize>() == count {
                    return Ok(image);
                }
                let allowed =
                    format!("the {count} values that come in are no square image of so many channels");
                Err(section.refuse("channels", &allowed))
            }
        }
    }
}

/// The layers of a network, each with a key of its own.
///
/// # Errors
/// [`Error::Setting`] for what does not fit.
pub(super) fn layers(
    described: &[Description],
    device: &Device,
    image: [usize; 3],
    key: Key,
) -> Result<Vec<NamedLayer>, Error> {
    let (mut layers, mut shape) = (Vec::new(), Shape::Image(image));
    for (index, description) in described.iter().enumerate() {
        let mut layer = description.layer(device, &mut shape, key.fold_in(index as u64))?;
        if let Some(Learned { biases, .. }) = description.learned {
            layer.visit_mut(&mut |name, tensor| {
                if !is_weights(name) {
                    tensor.assign(biases);
                }
            });
        }
        let section = &description.section;
        layers.push((section.name.clone(), layer));
        if let Some((name, f)) = description.function_after() {
            let after = Elementwise::new(shape.len(), f).map_err(|error| section.place(error))?;
            layers.push((format!("{}_{name}", section.name), Box::new(after)));
        }
        if let Kind::Dense { outputs, dropout } = description.kind
            && dropout > 0.0
        {
            let dropout = Dropout::new(outputs, dropout).map_err(|error| section.place(error))?;
            layers.push((format!("{}_dropout", section.name), Box::new(dropout)));
        }
    }
    Ok(layers)
}

impl Description {
    /// The function of each output that no store of the layer takes in, and what it is called.
    fn function_after(&self) -> Option<(&'static str, Activation)> {
        match self.kind {
            Kind::Response(..) | Kind::Contrast(_) if self.neuron != Activation::Identity => {
                Some(("neuron", self.neuron))
            }
            // (x ∘ m) / (1 − p) while learning, and afterwards (1 − p)·x / (1 − p).
            Kind::Dropout(p, true) if p > 0.0 => {
                Some(("scale", Activation::Linear { slope: 1.0 / (1.0 - p), offset: 0.0 }))
            }
            _ => None,
        }
    }

    /// The layer for inputs of a shape, which becomes that of its outputs.
    fn layer(&self, device: &Device, shape: &mut Shape, key: Key) -> Result<Box<dyn Layer>, Error> {
        let (section, f) = (&self.section, self.neuron);
        let place = |error| section.place(error);
        let draw =
            Initialization::Normal { deviation: self.learned.map_or(0.0, |learned| learned.deviation) };
        let image = self.channels.map(|channels| shape.image(section, channels)).transpose()?;
        let image = image.unwrap_or([1, 1, shape.len()]);
        match self.kind {
            Kind::Filters { untied, groups, own_biases, .. } => {
                let filters = self.filters(image)?;
                let [height, width] = filters.window.positions();
                *shape = Shape::Image([height, width, filters.maps]);
                let made: Result<Box<dyn Layer>, Error> = match (groups, untied) {
                    (1, false) => {
                        Convolution::new(device, filters, f, draw, key).map(|layer| -> Box<dyn Layer> {
                            Box::new(if own_biases { layer.with_position_biases() } else { layer })
                        })
                    }
                    (1, true) => Local::new(device, filters, f, draw, key).map(boxed),
                    (_, false) => Groups::convolution(device, filters, groups, f, draw, key).map(boxed),
                    (_, true) => Groups::local(device, filters, groups, f, draw, key).map(boxed),
                };
                made.map_err(place)
            }
            Kind::Dense { outputs, .. } => {
                let inputs = shape.len();
                check_weights(section, &[inputs, outputs])?;
                *shape = Shape::Values(outputs);
                Dense::new(device, inputs, outputs, f, draw, key).map(boxed).map_err(place)
            }
            Kind::Pool { pool, size, start, stride, outputs } => {
                check_window(section, "sizeX", size, image, 0)?;
                let window = pool_window(image, size, start, stride).map_err(place)?;
                let [height, width] = window.positions();
                if outputs > 0 && [height, width] != [outputs; 2] {
                    let allowed = format!("there are {height} × {width} windows; leave it out, or give 0");
                    return Err(section.refuse("outputsX", &allowed));
                }
                *shape = Shape::Image([height, width, image[2]]);
                Pooling::new(window, pool, f).map(boxed).map_err(place)
            }
            Kind::Response(neighbors, normalization) => {
                ResponseNormalization::new(image, neighbors, normalization).map(boxed).map_err(place)
            }
            Kind::Contrast(normalization) => {
                ContrastNormalization::new(image, normalization).map(boxed).map_err(place)
            }
            Kind::Softmax => Softmax::new(1, shape.len()).map(boxed).map_err(place),
            Kind::Neuron => Elementwise::new(shape.len(), f).map(boxed).map_err(place),
            Kind::Dropout(p, _) => Dropout::new(shape.len(), p).map(boxed).map_err(place),
        }
    }

    fn filters(&self, image: [usize; 3]) -> Result<Filters, Error> {
        let Kind::Filters { untied, maps, size, padding, stride, groups, .. } = self.kind else {
            unreachable!("asked for by layers with filters")
        };
        check_window(&self.section, "filterSize", size, image, padding)?;
        let [height, width, channels] = image;
        let mut window = Window::new(height, width, channels, size).padding(padding).stride(stride);
        if stride > 1 {
            window = window.ceil();
        }
        let sets = if untied { window.count() } else { 1 };
        check_weights(&self.section, &[sets, size, size, channels, maps / groups])?;
        Ok(Filters::new(window, maps))
    }
}

fn boxed(layer: impl Layer + 'static) -> Box<dyn Layer> {
    Box::new(layer)
}

fn check_window(
    section: &Section,
    name: &str,
    size: usize,
    image: [usize; 3],
    padding: usize,
) -> Result<(), Error> {
    let [height, width, _] = image;
    if size <= height.min(width) + 2 * padding {
        return Ok(());
    }
    let padded = if padding > 0 { format!(" with {padding} pixels around it") } else { String::new() };
    Err(section.refuse(name, &format!("its images are {height} × {width}{padded}; it is at most their side")))
}

fn check_weights(section: &Section, sizes: &[usize]) -> Result<(), Error> {
    let weights = sizes.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    if weights.is_some_and(|weights| weights <= MOST_WEIGHTS) {
        return Ok(());
    }
    let given = sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ");
    Err(section.wrong("number of weights", given, &format!("a layer here has at most {MOST_WEIGHTS}")))
}
