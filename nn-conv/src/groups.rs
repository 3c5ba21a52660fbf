//! Layers side by side, each with channels of its own.

use crate::{
    Convolution, Filters, Local, Tiled,
    activate::{activate, kept},
    geometry::{reshaped, rows_of},
};
use nn_core::{
    ACC, Activation, Device, Error, Expr, Key, Layer, Parameters, Pass, Sum, Tensor, View, ViewMut, Window,
    init::Initialization,
    parameters::{visit_mut_under, visit_under},
    x,
};

/// The channels of the images in equal groups, each seen by a layer of its own, and the maps of these layers in groups of
/// the same order: `groups` of cuda-convnet.
///
/// Parameters are those of the layers, under the number of the group: `0.weights`, `0.biases`, `1.weights`, ... Beside
/// each other, the weights of a convolution's groups are the one matrix of cuda-convnet.
///
/// A product cannot skip channels, so every pass copies the images and maps of each group once.
#[derive(Debug)]
pub struct Groups {
    /// f
    pub activation: Activation,
    /// Without activation.
    layers: Vec<Box<dyn Layer>>,
    /// Pixels and channels of a whole image, positions and maps of a whole output.
    input: [usize; 2],
    output: [usize; 2],
}

impl Groups {
    /// Convolutions: `filters` are those of the whole layer.
    ///
    /// # Errors
    /// As [`Convolution::new`], and where channels or maps are no multiple of `groups`.
    pub fn convolution(
        device: &Device,
        filters: Filters,
        groups: usize,
        activation: Activation,
        initialization: Initialization,
        key: Key,
    ) -> Result<Groups, Error> {
        Groups::new(filters, groups, activation, key, |filters, key| {
            let layer = Convolution::new(device, filters, Activation::Identity, initialization, key)?;
            Ok(Box::new(layer))
        })
    }

    /// Untied layers: `filters` are those of the whole layer.
    ///
    /// # Errors
    /// As [`Local::new`], and where channels or maps are no multiple of `groups`.
    pub fn local(
        device: &Device,
        filters: Filters,
        groups: usize,
        activation: Activation,
        initialization: Initialization,
        key: Key,
    ) -> Result<Groups, Error> {
        Groups::new(filters, groups, activation, key, |filters, key| {
            Ok(Box::new(Local::new(device, filters, Activation::Identity, initialization, key)?))
        })
    }

    /// Tiled layers: `filters` are those of the whole layer.
    ///
    /// # Errors
    /// As [`Tiled::new`], and where channels or maps are no multiple of `groups`.
    pub fn tiled(
        device: &Device,
        filters: Filters,
        tile: usize,
        groups: usize,
        activation: Activation,
        initialization: Initialization,
        key: Key,
    ) -> Result<Groups, Error> {
        Groups::new(filters, groups, activation, key, |filters, key| {
            Ok(Box::new(Tiled::new(device, filters, tile, Activation::Identity, initialization, key)?))
        })
    }

    fn new(
        filters: Filters,
        groups: usize,
        activation: Activation,
        key: Key,
        layer: impl Fn(Filters, Key) -> Result<Box<dyn Layer>, Error>,
    ) -> Result<Groups, Error> {
        filters.check("groups")?;
        activation.check()?;
        let window = filters.window;
        for (name, count) in [("channels", window.channels), ("maps", filters.maps)] {
            if groups == 0 || !count.is_multiple_of(groups) {
                let allowed = format!("{count} {name} are cut into a number of groups that divides them");
                return Err(Error::setting("groups", groups, &allowed));
            }
        }
        let part = Window { channels: window.channels / groups, ..window };
        let part = Filters { window: part, maps: filters.maps / groups };
        let layers = (0..groups as u64).map(|group| layer(part, key.fold_in(group)));
        Ok(Groups {
            activation,
            layers: layers.collect::<Result<_, _>>()?,
            input: [window.height * window.width, window.channels],
            output: [window.count(), filters.maps],
        })
    }

    /// The layer of a group; it has no activation.
    pub fn layer(&self, group: usize) -> &dyn Layer {
        &*self.layers[group]
    }

    /// The saved tensors of each group, and those of the whole.
    fn split<'a>(
        &self,
        saved: &'a mut [Tensor],
    ) -> (std::slice::ChunksExactMut<'a, Tensor>, &'a mut [Tensor]) {
        let kept = usize::from(self.activation.slope_needs_input());
        let (parts, whole) = saved.split_at_mut(saved.len() - 1 - kept);
        let length = parts.len() / self.layers.len();
        (parts.chunks_exact_mut(length), whole)
    }
}

/// Copies the channels of one of the groups of images out of them.
fn take(part: &mut Tensor, whole: View<'_>, [pixels, channels]: [usize; 2], group: usize, groups: usize) {
    let width = channels / groups;
    let from = rows_of(whole, pixels).column_range(group * width..(group + 1) * width);
    reshaped(part, from.rows(), width, |part| part.assign(from));
}

/// Copies the channels of one of the groups into images, through f.
fn put(
    whole: &mut Tensor,
    part: &Tensor,
    [pixels, channels]: [usize; 2],
    group: usize,
    groups: usize,
    f: Activation,
) {
    let width = channels / groups;
    let from = rows_of(part.view(), pixels);
    reshaped(whole, from.rows(), channels, |whole| {
        whole.column_range_mut(group * width..(group + 1) * width).assign(f.apply(x(from)));
    });
}

impl Parameters for Groups {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (group, layer) in self.layers.iter().enumerate() {
            visit_under(&group.to_string(), &**layer, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (group, layer) in self.layers.iter_mut().enumerate() {
            visit_mut_under(&group.to_string(), &mut **layer, see);
        }
    }
}

/// Saved, for each group: its images, maps, δ, gradient by images, and what its layer saves; then the gradient by whole
/// images, and a where the slope needs it.
impl Layer for Groups {
    fn inputs(&self) -> usize {
        self.input[0] * self.input[1]
    }
    fn outputs(&self) -> usize {
        self.output[0] * self.output[1]
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let mut saved = Vec::new();
        for layer in &self.layers {
            let (inputs, outputs) = (layer.inputs(), layer.outputs());
            saved.extend([inputs, outputs, outputs, inputs].map(|columns| device.zeros(cases, columns)));
            saved.extend(layer.saved(device, cases));
        }
        saved.push(device.zeros(cases, self.inputs()));
        saved.extend(kept(self.activation, device, cases, self.outputs()));
        saved
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], pass: Pass) {
        let groups = self.layers.len();
        let (parts, whole) = self.split(saved);
        activate(self.activation, outputs, whole.get_mut(1), |out, f| {
            for ((group, layer), part) in self.layers.iter().enumerate().zip(parts) {
                let (own, inner) = part.split_at_mut(4);
                take(&mut own[0], inputs, self.input, group, groups);
                let (images, maps) = own.split_at_mut(1);
                layer.forward(images[0].view(), &mut maps[0], inner, pass);
                put(out, &maps[0], self.output, group, groups, f);
            }
        });
    }
    fn slope<'a>(&self, gradient: Expr<'a>, outputs: &'a Tensor, saved: &'a [Tensor]) -> Expr<'a> {
        self.activation.slope(gradient, outputs, saved.last())
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let groups = self.layers.len();
        let (parts, whole) = self.split(saved);
        for ((group, layer), part) in self.layers.iter().enumerate().zip(parts) {
            let (own, inner) = part.split_at_mut(4);
            let [images, _, part_delta, gradient] = own else { unreachable!("as `saved` makes them") };
            take(part_delta, delta.view(), self.output, group, groups);
            layer.backward(images.view(), part_delta, inner, gradient.view_mut(), ACC);
            put(&mut whole[0], gradient, self.input, group, groups, Activation::Identity);
        }
        input_gradient.assign(then.with_acc(&x(&whole[0])));
    }
    fn gradients<'a>(&self, _: View<'a>, delta: &'a Tensor, saved: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        let groups = self.layers.len();
        let (parts, _) = self.split(saved);
        let mut gradients = Vec::new();
        for ((group, layer), part) in self.layers.iter().enumerate().zip(parts) {
            let (own, inner) = part.split_at_mut(4);
            let [images, _, part_delta, _] = own else { unreachable!("as `saved` makes them") };
            take(part_delta, delta.view(), self.output, group, groups);
            gradients.extend(layer.gradients(images.view(), part_delta, inner));
        }
        gradients
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_tests::{check_layer, forward, numbers};

    const DRAW: Initialization = Initialization::Normal { deviation: 0.5 };

    #[test]
    fn gradients_and_devices_agree() {
        let filters = Filters::new(Window::new(4, 4, 4, 3).padding(1), 6);
        let inputs = numbers(2, filters.window.image_len(), 5);
        for activation in [Activation::Tanh, Activation::Square] {
            let new = |device: &Device| {
                Ok(Box::new(Groups::convolution(device, filters, 2, activation, DRAW, Key::new(1))?)
                    as Box<_>)
            };
            check_layer("convolutions", new, &inputs, Pass::Testing);
        }
        let new = |device: &Device| {
            Ok(Box::new(Groups::local(device, filters, 2, Activation::Tanh, DRAW, Key::new(1))?) as Box<_>)
        };
        check_layer("untied", new, &inputs, Pass::Testing);
        let new = |device: &Device| {
            Ok(Box::new(Groups::tiled(device, filters, 2, 2, Activation::Tanh, DRAW, Key::new(1))?) as Box<_>)
        };
        check_layer("tiled", new, &inputs, Pass::Testing);
    }

    /// A convolution whose weights between channels and maps of different groups are zero.
    #[test]
    fn groups_are_a_convolution_with_zeros() {
        let device = Device::reference();
        let (window, maps) = (Window::new(4, 3, 4, 3), 6);
        let groups =
            Groups::convolution(&device, Filters::new(window, maps), 2, Activation::Tanh, DRAW, Key::new(1));
        let groups = groups.unwrap();
        let mut all = ndarray::Array2::<f64>::zeros((window.patch_len(), maps));
        for group in 0..2 {
            groups.layer(group).visit(&mut |name, tensor| {
                if name == "weights" {
                    for ((row, map), weight) in tensor.to_array_f64().unwrap().indexed_iter() {
                        let (tap, channel) = (row / 2, row % 2);
                        all[[tap * 4 + group * 2 + channel, group * 3 + map]] = *weight;
                    }
                }
            });
        }
        let (weights, biases) = (device.tensor_f64(&all), device.zeros(1, maps));
        let whole = Convolution::with_parameters(window, weights, biases, Activation::Tanh).unwrap();
        let inputs = numbers(2, window.image_len(), 5);
        let (one, other) =
            (forward(&groups, &inputs, Pass::Testing), forward(&whole, &inputs, Pass::Testing));
        assert!((one - other).iter().all(|difference| difference.abs() < 1e-12));
        let mut names = Vec::new();
        groups.visit(&mut |name, _| names.push(name.to_string()));
        assert_eq!(names, ["0.weights", "0.biases", "1.weights", "1.biases"]);
    }

    #[test]
    fn groups_that_do_not_divide_are_refused() {
        let message = |groups, maps| {
            let filters = Filters::new(Window::new(4, 4, 4, 3), maps);
            let layer =
                Groups::convolution(&Device::cpu(), filters, groups, Activation::Tanh, DRAW, Key::new(1));
            layer.unwrap_err().to_string()
        };
        assert_eq!(
            message(3, 6),
            "groups is 3, but 4 channels are cut into a number of groups that divides them"
        );
        assert_eq!(
            message(4, 6),
            "groups is 4, but 6 maps are cut into a number of groups that divides them"
        );
        assert!(message(0, 6).starts_with("groups is 0"));
    }
}
