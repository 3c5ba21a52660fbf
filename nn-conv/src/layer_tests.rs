//! The check that every layer passes: gradients against central differences, and one device against another.

use ndarray::Array2;
use nn_core::{ACC, Device, Error, Key, Layer, Parameters, Pass, Tensor, check_gradient, x};

/// A layer and its inputs, both of which are moved by the check.
struct Under {
    layer: Box<dyn Layer>,
    inputs: Tensor,
}

impl Parameters for Under {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("inputs", &self.inputs);
        self.layer.visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("inputs", &mut self.inputs);
        self.layer.visit_mut(see);
    }
}

/// Numbers in [−1, 1), no two of them close to each other.
pub(crate) fn numbers(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let (key, count) = (Key::new(seed), rows * columns);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| key.uniform(a as u64).total_cmp(&key.uniform(b as u64)));
    let spread = |i: usize| (2.0 * order[i] as f64 + 1.0) / count as f64 - 1.0;
    Array2::from_shape_fn((rows, columns), |(i, j)| spread(i * columns + j))
}

/// L = Σ c ∘ y for fixed c, which are returned as ∂L/∂y.
fn coefficients(layer: &dyn Layer, cases: usize) -> Array2<f64> {
    numbers(cases, layer.outputs(), 77)
}

fn outputs(layer: &dyn Layer, inputs: &Tensor, pass: Pass) -> (Tensor, Vec<Tensor>) {
    let (device, cases) = (inputs.device(), inputs.rows());
    let (mut y, mut saved) = (device.zeros(cases, layer.outputs()), layer.saved(device, cases));
    layer.forward(inputs.view(), &mut y, &mut saved, pass);
    (y, saved)
}

/// Outputs, then the gradients by inputs and by each parameter, stored through a formula that uses what was there.
fn everything(layer: &dyn Layer, inputs: &Tensor, pass: Pass) -> Vec<Tensor> {
    let device = inputs.device();
    let (y, mut saved) = outputs(layer, inputs, pass);
    let c = device.tensor_f64(&coefficients(layer, inputs.rows()));
    let mut delta = device.zeros(y.rows(), y.columns());
    delta.assign(layer.slope(x(&c), &y, &saved));
    // The formula of the layer before: half the gradient, twice, beside something else.
    let mut by_inputs = device.full(inputs.rows(), inputs.columns(), 2.0);
    layer.backward(
        inputs.view(),
        &delta,
        &mut saved,
        by_inputs.view_mut(),
        ACC * 0.5 + nn_core::OLD + x(inputs),
    );
    by_inputs.assign((nn_core::OLD - 2.0 - x(inputs)) * 2.0);
    let mut all = vec![y.duplicate(), by_inputs];
    for sum in layer.gradients(inputs.view(), &delta, &mut saved) {
        let [rows, columns] = sum.shape();
        let mut gradient = device.zeros(rows, columns);
        sum.store(gradient.view_mut(), ACC);
        all.push(gradient);
    }
    all
}

/// Panics unless the gradients of the layer by inputs and parameters are those of its outputs, to 10⁻⁶ in double
/// precision, and single precision on the processor gives the same to `tolerance`.
pub(crate) fn check_layer(
    name: &str,
    new: impl Fn(&Device) -> Result<Box<dyn Layer>, Error>,
    inputs: &Array2<f64>,
    pass: Pass,
) {
    let under = |device: Device| {
        let mut layer = new(&device).unwrap();
        let mut seed = 1;
        // Biases too, so that nothing is zero by chance.
        layer.visit_mut(&mut |_, tensor| {
            seed += 1;
            let values = numbers(tensor.rows(), tensor.columns(), seed) * 0.7;
            tensor.view_mut().write_f64(values.view());
        });
        Under { layer, inputs: device.tensor_f64(inputs) }
    };
    let mut oracle = under(Device::reference());
    let all = |under: &Under| everything(&*under.layer, &under.inputs, pass);
    let expected = all(&oracle);
    let c = coefficients(&*oracle.layer, inputs.nrows());
    let value =
        |under: &Under| Ok((outputs(&*under.layer, &under.inputs, pass).0.to_array_f64()? * &c).sum());
    let worst = check_gradient(&mut oracle, &expected[1..], value).unwrap();
    assert!(worst.relative < 1e-6, "{name}: {worst:?}");
    let found = all(&under(Device::cpu()));
    assert_eq!(found.len(), expected.len(), "{name}");
    for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let (found, expected) = (found.to_array_f64().unwrap(), expected.to_array_f64().unwrap());
        let largest = expected.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
        let off = (&found - &expected).iter().fold(0.0f64, |off, value| off.max(value.abs()));
        assert!(off < 2e-5 * largest, "{name}: tensor {at} is off by {off} of {largest}");
    }
}

/// Outputs, then the gradients by inputs and by each parameter, on the oracle, with the parameters as they are.
pub(crate) fn everything_of(layer: &dyn Layer, inputs: &Array2<f64>) -> Vec<Array2<f64>> {
    let all = everything(layer, &Device::reference().tensor_f64(inputs), Pass::Testing);
    all.iter().map(|tensor| tensor.to_array_f64().unwrap()).collect()
}

/// The outputs of a layer for these inputs, on the oracle.
pub(crate) fn forward(layer: &dyn Layer, inputs: &Array2<f64>, pass: Pass) -> Array2<f64> {
    outputs(layer, &Device::reference().tensor_f64(inputs), pass).0.to_array_f64().unwrap()
}
