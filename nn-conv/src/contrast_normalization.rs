//! Contrast normalisation of cuda-convnet: each value is divided by the variation around it.

use crate::{
    Normalization,
    neighborhood::{Neighborhood, shares},
    power::power,
    response_normalization::check_image,
};
use nn_core::{ACC, Device, Error, Expr, Layer, Parameters, Pass, Sum, Tensor, View, ViewMut, x};

/// y = u / d^power, d = offset + (scale / size²) · Σ c² over the size × size neighbours of u in its map, where c = v − mean
/// of the neighbours of v: `cnorm` of cuda-convnet.
///
/// The numerator stays u: the mean is taken off in the denominator only. Means are over the neighbours inside the image,
/// and neighbourhoods start size/2 (rounded down) above and left.
///
/// Inputs and outputs are cases × (height · width · maps). No parameters. Three kernels forward, five backward.
///
/// Departure: the gradient here is exact. That of cuda-convnet takes the means as constants:
/// with r = −2 · (scale / size²) · power · c · Σ δ · u · d^(−power − 1) over those values whose neighbour c is, it has
/// ∂L/∂u = δ · d^−power + r, from which here the sum of r / (number of neighbours) over those values whose neighbour u is,
/// is subtracted.
#[derive(Debug)]
pub struct ContrastNormalization {
    normalization: Normalization,
    neighborhood: Neighborhood,
    /// scale / size²
    scale: f64,
}

impl ContrastNormalization {
    /// For images of height × width × maps.
    ///
    /// # Errors
    /// [`Error::Setting`] for an empty image, a size of 0 or above a side of the image, a negative scale, an offset that
    /// is not positive, or a number that is not finite.
    pub fn new(image: [usize; 3], normalization: Normalization) -> Result<ContrastNormalization, Error> {
        let layer = "contrast normalisation";
        check_image(layer, image)?;
        let [height, width, maps] = image;
        normalization.check(layer, height.min(width))?;
        let neighborhood = Neighborhood::within_map(height, width, maps, normalization.size);
        let scale = normalization.scale / (normalization.size * normalization.size) as f64;
        Ok(ContrastNormalization { normalization, neighborhood, scale })
    }
}

impl Parameters for ContrastNormalization {
    fn visit<'a>(&'a self, _: &mut dyn FnMut(&str, &'a Tensor)) {}
    fn visit_mut(&mut self, _: &mut dyn FnMut(&str, &mut Tensor)) {}
}

/// Saved: c; d; r; the mean of r; 1 / number of neighbours; what sums over an even number of neighbours need.
impl Layer for ContrastNormalization {
    fn inputs(&self) -> usize {
        self.neighborhood.grid(1)[1]
    }
    fn outputs(&self) -> usize {
        self.inputs()
    }
    fn saved(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        let mut saved: Vec<Tensor> = (0..4).map(|_| self.neighborhood.zeros(device, cases)).collect();
        saved.push(shares(&self.neighborhood, device));
        saved.extend(self.neighborhood.scratch(device, cases));
        saved
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, saved: &mut [Tensor], _: Pass) {
        let [c, d, _, _, shares, scratch @ ..] = saved else { unreachable!("as `saved` makes them") };
        self.neighborhood.sum(c, scratch, x(inputs), false, x(inputs) - ACC * x(&*shares));
        let then = self.normalization.offset + ACC * self.scale;
        self.neighborhood.sum(d, scratch, x(&*c).square(), false, then);
        outputs.assign(x(inputs) * power(x(&*d), -self.normalization.power));
    }
    fn backward(
        &self,
        inputs: View<'_>,
        delta: &Tensor,
        saved: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        let [c, d, r, mean, shares, scratch @ ..] = saved else { unreachable!("as `saved` makes them") };
        let (d, exponent) = (x(&*d), self.normalization.power);
        let pull = x(delta) * x(inputs) * power(d.clone(), -exponent - 1.0);
        let turned = ACC * x(&*c) * (-2.0 * self.scale * exponent);
        self.neighborhood.sum(r, scratch, pull, true, turned);
        self.neighborhood.sum(mean, scratch, x(&*r) * x(&*shares), true, ACC);
        let total = x(delta) * power(d, -exponent) + x(&*r) - x(&*mean);
        input_gradient.assign(then.with_acc(&total));
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

    const IMAGE: [usize; 3] = [5, 4, 2];

    fn normalization(size: usize) -> Normalization {
        Normalization { size, scale: 3.0, power: 0.75, offset: 1.0 }
    }

    #[test]
    fn gradients_and_devices_agree() {
        for size in 1..=4 {
            let new =
                |_: &Device| Ok(Box::new(ContrastNormalization::new(IMAGE, normalization(size))?) as Box<_>);
            check_layer(&format!("size {size}"), new, &numbers(2, 40, 5), Pass::Testing);
        }
    }

    /// The formulas as they are written, one value after the other.
    #[test]
    fn outputs_are_those_of_plain_loops() {
        let ([height, width, maps], inputs) = (IMAGE, numbers(2, 40, 5));
        for size in 1..=4 {
            let near = |at: usize, end: usize| {
                let start = at as isize - (size / 2) as isize;
                (start..start + size as isize)
                    .filter(move |j| (0..end as isize).contains(j))
                    .map(|j| j as usize)
            };
            let around = |at: usize| {
                let (y, x, map) = (at / (width * maps), at / maps % width, at % maps);
                let columns: Vec<usize> = near(x, width).collect();
                near(y, height)
                    .flat_map(|y| {
                        columns.iter().map(move |x| (y * width + x) * maps + map).collect::<Vec<_>>()
                    })
                    .collect::<Vec<usize>>()
            };
            let centred = Array2::from_shape_fn((2, 40), |(case, at)| {
                let near = around(at);
                inputs[[case, at]] - near.iter().map(|j| inputs[[case, *j]]).sum::<f64>() / near.len() as f64
            });
            let expected = Array2::from_shape_fn((2, 40), |(case, at)| {
                let sum: f64 = around(at).iter().map(|j| centred[[case, *j]].powi(2)).sum();
                inputs[[case, at]] / (1.0 + 3.0 / (size * size) as f64 * sum).powf(0.75)
            });
            let layer = ContrastNormalization::new(IMAGE, normalization(size)).unwrap();
            let found = forward(&layer, &inputs, Pass::Testing);
            assert!((found - expected).iter().all(|difference| difference.abs() < 1e-12), "size {size}");
        }
    }

    #[test]
    fn a_size_above_the_image_is_refused() {
        let message = ContrastNormalization::new(IMAGE, normalization(5)).unwrap_err().to_string();
        assert_eq!(message, "contrast normalisation: size is 5, but it is from 1 to 4");
    }
}
