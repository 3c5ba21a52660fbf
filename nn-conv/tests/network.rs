//! Layers of this crate in networks.

use ndarray::Array2;
use nn_conv::{
    Convolution, Filters, Local, LocalContrastNormalization, Neighbors, Normalization, Pool, Pooling,
    ResponseNormalization,
};
use nn_core::{
    ACC, Activation, Device, Error, Key, Loss, Network, Pass, Tensor, Window, check_gradient,
    init::Initialization,
    layer::Dense,
    network::{Workspace, named},
};

const DRAW: Initialization = Initialization::Normal { deviation: 0.5 };

/// The order of layers-conv-local-11pct of cuda-convnet on images of 6 × 6 × 2, with local contrast normalisation before.
fn network(device: &Device) -> Result<Network, Error> {
    let convolution = Convolution::new(
        device,
        Filters::new(Window::new(6, 6, 2, 3).padding(1), 3),
        Activation::Identity,
        DRAW,
        Key::new(1),
    )?;
    let pool =
        Pooling::new(Window::new(6, 6, 3, 3).stride(2).ceil(), Pool::Max, Activation::RectifiedLinear)?;
    let response =
        ResponseNormalization::new([3, 3, 3], Neighbors::AcrossMaps, Normalization::new(3, 0.5, 0.75))?;
    let local = Local::new(
        device,
        Filters::new(Window::new(3, 3, 3, 3).padding(1), 2),
        Activation::Tanh,
        DRAW,
        Key::new(2),
    )?;
    let average =
        Pooling::new(Window::new(3, 3, 2, 2).stride(2).ceil(), Pool::Average, Activation::Identity)?;
    let layers = vec![
        named("contrast", LocalContrastNormalization::new([6, 6, 2], 3, 1.0)?),
        named("conv1", convolution),
        named("pool1", pool),
        named("rnorm1", response),
        named("local2", local),
        named("pool2", average),
        named("fc10", Dense::new(device, 8, 3, Activation::Identity, DRAW, Key::new(3))?),
    ];
    Network::new(layers, Loss::CrossEntropy)
}

fn inputs(device: &Device) -> (Tensor, Tensor) {
    let key = Key::new(4);
    let images = Array2::from_shape_fn((4, 72), |(i, j)| key.normal((i * 72 + j) as u64));
    let classes = Array2::from_shape_fn((4, 3), |(i, j)| f64::from(u8::from(i % 3 == j)));
    (device.tensor_f64(&images), device.tensor_f64(&classes))
}

fn gradients(network: &Network, images: &Tensor, classes: &Tensor) -> Vec<Tensor> {
    let mut workspace = Workspace::new();
    network.forward(images.view(), &mut workspace, Pass::Training(Key::new(5)));
    let sums = network.backward(images.view(), classes.view(), &mut workspace);
    let stored = sums.iter().map(|sum| {
        let [rows, columns] = sum.shape();
        let mut gradient = images.device().zeros(rows, columns);
        sum.store(gradient.view_mut(), ACC);
        gradient
    });
    stored.collect()
}

#[test]
fn the_gradient_of_a_whole_network() {
    let device = Device::reference();
    let (images, classes) = inputs(&device);
    let mut network = network(&device).unwrap();
    let gradients = gradients(&network, &images, &classes);
    let loss = |network: &Network| Ok(network.evaluate(images.view(), classes.view())?.loss);
    let worst = check_gradient(&mut network, &gradients, loss).unwrap();
    assert!(worst.relative < 1e-6, "{worst:?}");
}

#[test]
fn single_precision_agrees() {
    let of = |device: Device| {
        let (images, classes) = inputs(&device);
        gradients(&network(&device).unwrap(), &images, &classes)
    };
    for (found, expected) in of(Device::cpu()).iter().zip(&of(Device::reference())) {
        let difference = found.to_array_f64().unwrap() - expected.to_array_f64().unwrap();
        assert!(difference.iter().all(|difference| difference.abs() < 1e-4), "{difference}");
    }
}
