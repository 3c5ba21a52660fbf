//! A factor for each map.

use crate::geometry::rows_of;
use nn_core::{
    ACC, Device, Error, Expr, Layer, Over, Parameters, Pass, Reduction, Sum, Tensor, View, ViewMut, x,
};

/// y\[p, m\] = g\[m\] · x\[p, m\] at each position p, for each map m.
///
/// Behind a convolution of tanh units it makes the filter bank g · tanh(Σ patch · W) of multi-stage networks; the
/// convolution may also have biases.
///
/// Inputs and outputs are cases × (positions · maps). Parameters: `gains`, 1 × maps, 1 at first; no penalty acts on them.
/// Forward and backward are one pass each, the gradient of the gains two sums.
///
/// Source: Jarrett, Kavukcuoglu, Ranzato and LeCun, "What is the best multi-stage architecture for object recognition?",
/// 2009, section 2.1.
#[derive(Debug)]
pub struct Gain {
    /// g, 1 × maps.
    pub gains: Tensor,
    positions: usize,
}

impl Gain {
    /// Factors of 1 for images of so many positions and maps.
    ///
    /// # Errors
    /// [`Error::Setting`] without positions or maps.
    pub fn new(device: &Device, positions: usize, maps: usize) -> Result<Gain, Error> {
        for (name, count) in [("positions", positions), ("maps", maps)] {
            if count == 0 {
                return Err(Error::setting(&format!("gain: {name}"), count, "there is at least one"));
            }
        }
        Ok(Gain { gains: device.full(1, maps, 1.0), positions })
    }
}

impl Parameters for Gain {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("gains", &self.gains);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("gains", &mut self.gains);
    }
}

/// Saved: δ · x summed over cases; over positions, too.
impl Layer for Gain {
    fn inputs(&self) -> usize {
        self.positions * self.gains.columns()
    }
    fn outputs(&self) -> usize {
        self.inputs()
    }
    fn saved(&self, device: &Device, _: usize) -> Vec<Tensor> {
        vec![device.zeros(1, self.outputs()), device.zeros(1, self.gains.columns())]
    }
    fn forward(&self, inputs: View<'_>, outputs: &mut Tensor, _: &mut [Tensor], _: Pass) {
        outputs.assign(x(inputs) * self.gains.view().repeated());
    }
    fn backward(
        &self,
        _: View<'_>,
        delta: &Tensor,
        _: &mut [Tensor],
        input_gradient: ViewMut<'_>,
        then: Expr<'_>,
    ) {
        input_gradient.assign(then.with_acc(&(x(delta) * self.gains.view().repeated())));
    }
    fn gradients<'a>(&self, inputs: View<'a>, delta: &'a Tensor, saved: &'a mut [Tensor]) -> Vec<Sum<'a>> {
        let [by_position, by_map] = saved else { unreachable!("as `saved` makes them") };
        let (grid, positions) = ([delta.rows(), delta.columns()], self.positions);
        by_position.reduce(grid, Over::Rows, Reduction::Sum, x(inputs) * delta, ACC);
        let summands = rows_of(by_position.view(), positions);
        by_map.reduce([positions, self.gains.columns()], Over::Rows, Reduction::Sum, summands, ACC);
        vec![Sum::from(&*by_map)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer_tests::{check_layer, forward, numbers};
    use ndarray::arr2;

    #[test]
    fn gradients_and_devices_agree() {
        for (positions, maps) in [(6, 3), (1, 4), (5, 1)] {
            let new = |device: &Device| Ok(Box::new(Gain::new(device, positions, maps)?) as Box<_>);
            let inputs = numbers(3, positions * maps, 5);
            check_layer(&format!("{positions} positions, {maps} maps"), new, &inputs, Pass::Testing);
        }
    }

    #[test]
    fn a_factor_for_each_map_by_hand() {
        let mut gain = Gain::new(&Device::reference(), 2, 2).unwrap();
        let image = arr2(&[[1.0, 2.0, 3.0, 4.0]]);
        assert_eq!(forward(&gain, &image, Pass::Testing), image);
        gain.gains.write(arr2(&[[10.0, -1.0]]).view());
        assert_eq!(forward(&gain, &image, Pass::Testing), arr2(&[[10.0, -2.0, 30.0, -4.0]]));
    }

    #[test]
    fn nothing_has_no_gain() {
        let message = |positions, maps| Gain::new(&Device::cpu(), positions, maps).unwrap_err().to_string();
        assert_eq!(message(0, 2), "gain: positions is 0, but there is at least one");
        assert_eq!(message(2, 0), "gain: maps is 0, but there is at least one");
    }
}
