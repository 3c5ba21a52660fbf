//! Response normalisation: each value is divided by the activity around it.

use crate::{geometry::check_number, neighborhood::Neighborhood, power::power};
use nn_core::{ACC, Device, Error, Expr, Layer, Parameters, Pass, Sum, Tensor, View, ViewMut, x};

/// Which values are the neighbours of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbors {
    /// The same pixel of maps f − size/2 … f − size/2 + size − 1: `cmrnorm` of cuda-convnet.
    AcrossMaps,
    /// The size × size pixels of the same map that start size/2 above and left: `rnorm` of cuda-convnet.
    WithinMap,
}

/// Strength and extent of a normalisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalization {
    /// Neighbours on a side; size/2 is rounded down.
    pub size: usize,
    /// Before it is divided by the number of neighbours: size across maps, size² within a map.
    pub scale: f64,
    /// The exponent.
    pub power: f64,
    /// What the sum is added to: 1 in cuda-convnet, `minDiv` in cuda-convnet2.
    pub offset: f64,
}

impl Normalization {
    /// With an offset of 1, as in cuda-convnet.
    pub fn new(size: usize, scale: f64, power: f64) -> Normalization {
        Normalization { size, scale, power, offset: 1.0 }
    }

    /// Refuses what has no value everywhere.
    pub(crate) fn check(&self, layer: &str, largest: usize) -> Result<(), Error> {
        if self.size == 0 || self.size > largest {
            let allowed = format!("it is from 1 to {largest}");
            return Err(Error::setting(&format!("{layer}: size"), self.size, &allowed));
        }
        check_number(layer, "scale", self.scale, "it is finite and at least 0", self.scale >= 0.0)?;
        check_number(layer, "power", self.power, "it is finite", true)?;
        check_number(layer, "offset", self.offset, "it is finite and above 0", self.offset > 0.0)
    }
}

/// Refuses images without pixels or maps.
pub(crate) fn check_image(layer: &str, [height, width, maps]: [usize; 3]) -> Result<(), Error> {
    crate::geometry::check_window(layer, &nn_core::Window::new(height, width, maps, 1))
}

/// y = u / d^power, d = offset + (scale / n) · Σ v² over the n neighbours v of u, those beyond the edges left out but
/// counted in n.
///
/// Inputs and outputs are cases × (height · width · maps). No parameters. Two kernels forward, two backward; d is kept:
/// ∂L/∂u = δ · d^−power − 2 · (scale / n) · power · u · Σ δ · u · d^(−power − 1) over those values whose neighbour u is.
///
/// Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012,
/// section 3.3; formulas of cuda-convnet, whose optional blocks of maps are not here.
#[derive(Debug)]
pub struct ResponseNormalization {
    normalization: Normalization,
    neighborhood: Neighborhood,
    /// scale / n
    scale: f64,
}

impl ResponseNormalization {
    /// For images of height × width × maps.
    ///
    /// # Errors
    /// [`Error::Setting`] for an empty image, a size of 0 or above the maps or the larger side of the image, a negative
    /// scale, an offset that is not positive, or a number that is not finite.
    pub fn new(
        image: [usize; 3],
        neighbors: Neighbors,
        normalization: Normalization,
    ) -> Result<ResponseNormalization, Error> {
        let layer = "response normalisation";
        check_image(layer, image)?;
        let ([height, width, maps], size) = (image, normalization.size);
        let (largest, neighborhood, count) = match neighbors {
            Neighbors::AcrossMaps => (maps, Neighborhood::across_maps(height * width, maps, size), size),
            Neighbors::WithinMap => {
                let count = size.saturating_mul(size);
                (height.min(width), Neighborhood::within_map(height, width, maps, size), count)
            }
        };
        normalization.check(layer, largest)?;
        Ok(ResponseNormalization { normalization, neighborhood, scale: normalization.scale / count as f64 })
    }
}

impl Parameters for ResponseNormalization {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

/// Saved: d; the sum of the backward pass; what sums over an even number of neighbours need.
impl Layer for ResponseNormalization {
    fn inputs(&self) -> usize {
        let [rows, columns] = self.neighborhood.grid(1);
        rows * columns
    }
    fn outputs(&self) -> usize {
        self.inputs()
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let mut saved = vec![self.neighborhood.zeros(device, cases), device.zeros(cases, self.inputs())];
        saved.extend(self.neighborhood.scratch(device, cases));
        saved
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        let u = self.neighborhood.view(inputs);
        let [d, _, scratch @ ..] = saved else { unreachable!("as `saved` makes them") };
        let then = self.normalization.offset + ACC * self.scale;
        self.neighborhood.sum(d, scratch, x(u).square(), false, then);
        let y = x(u) * power(x(&*d), -self.normalization.power);
        self.neighborhood.reshaped(outputs, |outputs| outputs.assign(y));
    }
    fn backward(
        &self,
        inputs: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let (u, g) = (self.neighborhood.view(inputs), self.neighborhood.view(delta.view()));
        let [d, gradient, scratch @ ..] = saved else { unreachable!("as `saved` makes them") };
        let (d, exponent) = (x(&*d), self.normalization.power);
        let pull = x(g) * x(u) * power(d.clone(), -exponent - 1.0);
        let own = x(g) * power(d, -exponent);
        let total = own - x(u) * ACC * (2.0 * self.scale * exponent);
        self.neighborhood.reshaped(gradient, |out| self.neighborhood.sum(out, scratch, pull, true, total));
        input_gradient.assign(then.with_acc(&x(&*gradient)));
    }
    fn gradients<'a>(&self, _: View<'a>, _: &'a Tensor, _: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_tests::{check_layer, forward, numbers};
    use ndarray::Array2;

    const IMAGE: [usize; 3] = [5, 4, 6];

    fn all() -> Vec<(Neighbors, Normalization)> {
        let mut all = Vec::new();
        for size in 1..=4 {
            for neighbors in [Neighbors::AcrossMaps, Neighbors::WithinMap] {
                all.push((neighbors, Normalization { size, scale: 1.5, power: 0.75, offset: 1.0 }));
            }
        }
        all.push((Neighbors::AcrossMaps, Normalization { size: 6, scale: 0.7, power: 0.5, offset: 2.0 }));
        all.push((Neighbors::AcrossMaps, Normalization { size: 5, scale: 0.7, power: 1.0, offset: 2.0 }));
        all
    }

    #[test]
    fn gradients_and_devices_agree() {
        for (neighbors, normalization) in all() {
            let new = |_: &Device| {
                Ok(Box::new(ResponseNormalization::new(IMAGE, neighbors, normalization)?) as Box<_>)
            };
            let name = format!("{neighbors:?} {normalization:?}");
            check_layer(&name, new, &numbers(2, 120, 5), Pass::Testing);
        }
    }

    /// The formulas as they are written, one value after the other.
    #[test]
    fn outputs_are_those_of_plain_loops() {
        let [height, width, maps] = IMAGE;
        let inputs = numbers(2, 120, 5);
        for (neighbors, normalization) in all() {
            let Normalization { size, scale, power, offset } = normalization;
            let within = neighbors == Neighbors::WithinMap;
            let near = |at: usize, end: usize| {
                let start = at as isize - (size / 2) as isize;
                (start..start + size as isize)
                    .filter(move |j| (0..end as isize).contains(j))
                    .map(|j| j as usize)
            };
            let expected = Array2::from_shape_fn((2, 120), |(case, at)| {
                let (y, x, map) = (at / (width * maps), at / maps % width, at % maps);
                let value = |y: usize, x: usize, map: usize| inputs[[case, (y * width + x) * maps + map]];
                let (sum, count) = if within {
                    let pixels = near(y, height).flat_map(|y| near(x, width).map(move |x| (y, x)));
                    (pixels.map(|(y, x)| value(y, x, map).powi(2)).sum::<f64>(), size * size)
                } else {
                    (near(map, maps).map(|map| value(y, x, map).powi(2)).sum::<f64>(), size)
                };
                inputs[[case, at]] / (offset + scale / count as f64 * sum).powf(power)
            });
            let layer = ResponseNormalization::new(IMAGE, neighbors, normalization).unwrap();
            let found = forward(&layer, &inputs, Pass::Testing);
            let off = (&found - &expected).iter().fold(0f64, |off, value| off.max(value.abs()));
            assert!(off < 1e-12, "{neighbors:?} {normalization:?}: {off}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let message = |neighbors, normalization| {
            ResponseNormalization::new(IMAGE, neighbors, normalization).unwrap_err().to_string()
        };
        let new = Normalization::new;
        assert_eq!(
            message(Neighbors::AcrossMaps, new(7, 1.0, 0.75)),
            "response normalisation: size is 7, but it is from 1 to 6"
        );
        assert!(message(Neighbors::WithinMap, new(5, 1.0, 0.75)).ends_with("from 1 to 4"));
        assert!(message(Neighbors::WithinMap, new(0, 1.0, 0.75)).contains("size is 0"));
        assert!(message(Neighbors::WithinMap, new(3, -1.0, 0.75)).contains("scale is -1"));
        let offset = Normalization { offset: 0.0, ..new(3, 1.0, 0.75) };
        assert!(message(Neighbors::WithinMap, offset).contains("offset is 0"));
    }
}
