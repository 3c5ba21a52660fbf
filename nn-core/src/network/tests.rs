use super::{prediction::CHUNK, *};
use crate::{
    ACC, Expr, Pass, Sum, check_gradient,
    conformance::noise,
    layer::{Dropout, Elementwise},
};

const EVERY: [Activation; 6] = [
    Activation::Logistic,
    Activation::Tanh,
    Activation::RectifiedLinear,
    Activation::Softplus,
    Activation::Absolute,
    Activation::Square,
];

/// Three dense layers, dropout and a layer that is only an activation between them.
fn network(device: &Device, activation: Activation, loss: Loss) -> Network {
    let dense = |inputs, outputs, activation, seed| Dense {
        weights: noise(device, inputs, outputs, seed),
        biases: noise(device, 1, outputs, seed + 1),
        activation,
    };
    let layers = vec![
        named("input", Dropout::new(5, 0.2).unwrap()),
        named("hidden1", dense(5, 4, activation, 10)),
        named("dropout", Dropout::new(4, 0.3).unwrap()),
        named("hidden2", dense(4, 3, Activation::Identity, 20)),
        named("activation", Elementwise::new(3, activation).unwrap()),
        named("output", dense(3, 4, Activation::Identity, 30)),
    ];
    Network::new(layers, loss).unwrap()
}

fn targets(device: &Device) -> Tensor {
    let mut targets = device.zeros(7, 4);
    targets.assign(Expr::Position(4).equal(1.0) * 0.75 + Expr::Position(4).equal(3.0) * 0.25);
    targets
}

/// Keeps gradients, as an optimiser would use them.
fn carried_out(device: &Device, gradients: &[Sum<'_>]) -> Vec<Tensor> {
    let store = |sum: &Sum<'_>| {
        let [rows, columns] = sum.shape();
        let mut out = device.zeros(rows, columns);
        sum.store(out.view_mut(), ACC);
        out
    };
    gradients.iter().map(store).collect()
}

/// Every activation under every loss, through dropout with a fixed key and without, against central differences.
#[test]
fn gradients_are_those_of_the_loss() {
    let device = Device::reference();
    let (inputs, targets) = (noise(&device, 7, 5, 1), targets(&device));
    for loss in [Loss::CrossEntropy, Loss::BinaryCrossEntropy, Loss::SquaredError] {
        for activation in EVERY {
            for pass in [Pass::Training(Key::new(3)), Pass::Testing] {
                let mut network = network(&device, activation, loss);
                let mut workspace = Workspace::new();
                network.forward(inputs.view(), &mut workspace, pass);
                let gradients =
                    carried_out(&device, &network.backward(inputs.view(), targets.view(), &mut workspace));
                let value = |network: &Network| {
                    let mut workspace = Workspace::new();
                    network.forward(inputs.view(), &mut workspace, pass);
                    loss.mean(workspace.outputs()[5].view(), targets.view())
                };
                let worst = check_gradient(&mut network, &gradients, value).unwrap();
                assert!(worst.relative < 1e-6, "{loss:?} {activation:?} {pass:?}: {worst:?}");
            }
        }
    }
}

struct Inputs(Tensor);
impl Parameters for Inputs {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("inputs", &self.0);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("inputs", &mut self.0);
    }
}

/// The gradient of one output with respect to the inputs.
#[test]
fn input_gradients_are_those_of_the_outputs() {
    let device = Device::reference();
    let network = network(&device, Activation::Tanh, Loss::SquaredError);
    let mut inputs = Inputs(noise(&device, 3, 5, 1));
    let (mut workspace, mut gradient) = (Workspace::new(), device.zeros(3, 5));
    network.forward(inputs.0.view(), &mut workspace, Pass::Testing);
    let second = Expr::Position(4).equal(1.0);
    network.input_gradient(inputs.0.view(), second, &mut workspace, gradient.view_mut());
    let value = |inputs: &Inputs| Ok(network.predict(inputs.0.view()).to_array_f64()?.column(1).sum());
    let worst = check_gradient(&mut inputs, &[gradient], value).unwrap();
    assert!(worst.relative < 1e-6, "{worst:?}");
}

/// Outputs and gradients in single precision on the CPU are those of the oracle.
#[test]
fn the_processor_agrees_with_the_oracle() {
    let run = |device: &Device, activation, loss| {
        let (inputs, targets) = (noise(device, 7, 5, 1), targets(device));
        let (network, mut workspace) = (network(device, activation, loss), Workspace::new());
        network.forward(inputs.view(), &mut workspace, Pass::Training(Key::new(3)));
        let mut all = carried_out(device, &network.backward(inputs.view(), targets.view(), &mut workspace));
        all.push(network.predict(inputs.view()));
        all.into_iter().map(|tensor| tensor.to_array_f64().unwrap()).collect::<Vec<_>>()
    };
    for loss in [Loss::CrossEntropy, Loss::BinaryCrossEntropy, Loss::SquaredError] {
        for activation in EVERY {
            let (ours, oracle) =
                (run(&Device::cpu(), activation, loss), run(&Device::reference(), activation, loss));
            for (ours, oracle) in ours.iter().zip(&oracle) {
                let fits = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-4 * (1.0 + b.abs());
                assert!(ours.iter().zip(oracle).all(fits), "{loss:?} {activation:?}: {ours} {oracle}");
            }
        }
    }
}

/// A network that is only used leaves factors to the layers after dropout, and the activities of every layer as they are.
#[test]
fn activities_are_those_of_the_pass_forward() {
    let device = Device::reference();
    let inputs = noise(&device, 7, 5, 1);
    for activation in EVERY {
        let (network, mut workspace) = (network(&device, activation, Loss::SquaredError), Workspace::new());
        network.forward(inputs.view(), &mut workspace, Pass::Testing);
        for (depth, outputs) in (1..).zip(workspace.outputs()) {
            let difference = network.activity(inputs.view(), depth).to_array_f64().unwrap()
                - outputs.to_array_f64().unwrap();
            assert!(difference.iter().all(|d| d.abs() < 1e-6), "{activation:?} {depth}: {difference}");
        }
    }
}

/// A workspace that served another number of cases leaves nothing behind, and predictions do not depend on the chunks.
#[test]
fn the_number_of_cases_may_change() {
    let device = Device::cpu();
    let inputs = noise(&device, 2 * CHUNK + 1, 5, 1);
    let network = network(&device, Activation::Logistic, Loss::CrossEntropy);
    let all = network.predict(inputs.view()).to_array().unwrap();
    let mut workspace = Workspace::new();
    for rows in [0..CHUNK, 2 * CHUNK..2 * CHUNK + 1, 3..9] {
        let part = network.predict(inputs.row_range(rows.clone())).to_array().unwrap();
        assert_eq!(part, all.slice(ndarray::s![rows.clone(), ..]));
        network.forward(inputs.row_range(rows.clone()), &mut workspace, Pass::Testing);
        assert_eq!(workspace.outputs()[5].rows(), rows.len());
    }
    assert!(all.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-5));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let device = Device::cpu();
    let dense = |inputs, outputs| {
        let initialization = Initialization::Zeros;
        Dense::new(&device, inputs, outputs, Activation::Tanh, initialization, Key::new(1)).unwrap()
    };
    let message = |layers| Network::new(layers, Loss::CrossEntropy).unwrap_err().to_string();
    assert_eq!(message(Vec::new()), "layers of a network is 0, but it needs at least one");
    let unfit = vec![named("fc64", dense(5, 4)), named("fc10", dense(6, 3))];
    assert_eq!(message(unfit), "inputs of layer fc10 is 6, but layer fc64 before it has 4 outputs");
    let twice = vec![named("fc", dense(5, 4)), named("fc", dense(4, 3))];
    let rule = "name of layer 2 is `fc`, but it must be a word without dots that no other layer has";
    assert_eq!(message(twice), rule);
}

#[test]
fn a_network_grows_at_its_top() {
    let device = Device::cpu();
    let start = Initialization::default();
    let network =
        Network::perceptron(&device, &[6, 5, 3], Activation::Tanh, start, Loss::CrossEntropy, Key::new(1));
    let layers = vec![
        named("hidden2", Dense::new(&device, 5, 4, Activation::Tanh, start, Key::new(2)).unwrap()),
        named("output", Dense::new(&device, 4, 3, Activation::Identity, start, Key::new(3)).unwrap()),
    ];
    let grown = network.unwrap().with_new_top(layers).unwrap();
    let names: Vec<&str> = grown.layers().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["hidden1", "hidden2", "output"]);
    assert_eq!((grown.inputs(), grown.outputs()), (6, 3));
}
