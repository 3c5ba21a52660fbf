//! Whole files: what they build, how it learns, and what is refused.

use super::*;
use ndarray::Array2;
use nn_core::{
    ACC, Pass, Tensor, check_gradient, network::Workspace, optimizer::Optimizer, parameters::count,
};

const KEY: Key = Key::from_words([1, 2]);

fn example(name: &str) -> Convnet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/convnet");
    let file = |kind: &str| folder.join(format!("{kind}-{name}.cfg"));
    Convnet::read(&file("layers"), &file("layer-params")).unwrap()
}

/// Layers with the parts that the published files have not: groups, biases of their own, contrast normalisation, neurons
/// as layers, dropout, `minDiv`, a first value of biases.
const LAYERS: &str = "\
[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=1\n\
[conv1]\ntype=conv\ninputs=data\nchannels=2\nfilters=4\nfilterSize=3\npadding=1\nstride=1\ngroups=2\ninitW=0.5\ninitB=0.25\nneuron=tanh[1.5,0.5]\n\
[norm1]\ntype=cmrnorm\ninputs=conv1\nchannels=4\nsize=3\n\
[square]\ntype=neuron\ninputs=norm1\nneuron=square\n\
[conv2]\ntype=conv\ninputs=square\nchannels=4\nfilters=3\nfilterSize=2\nstride=2\nsharedBiases=0\ninitW=0.5\n\
[contrast]\ntype=cnorm\ninputs=conv2\nchannels=3\nsize=3\nneuron=softrelu\n\
[pool1]\ntype=pool\npool=avg\ninputs=contrast\nchannels=3\nsizeX=2\nstride=1\n\
[local3]\ntype=local\ninputs=pool1\nchannels=3\nfilters=2\nfilterSize=2\ninitW=0.5\nneuron=logistic\n\
[drop]\ntype=dropout2\ninputs=local3\n\
[fc4]\ntype=fc\ninputs=drop\noutputs=3\ninitW=0.5\n\
[probs]\ntype=softmax\ninputs=fc4\n\
[logprob]\ntype=cost.logreg\ninputs=labels,probs\n";

const PARAMETERS: &str = "\
[conv1]\nepsW=0.1\nepsB=0.2\nmomW=0.5\nmomB=0.25\nwc=0.01\n\
[norm1]\nscale=0.5\npow=0.75\nminDiv=2\n\
[conv2]\nepsW=0.1\nepsB=0.2\nmomW=0.5\nmomB=0.25\nwc=0.01\n\
[contrast]\nscale=0.5\npow=0.75\n\
[local3]\nepsW=0\nepsB=0.2\nmomW=0.5\nmomB=0.25\nwc=0.01\n\
[drop]\nkeep=0.75\n\
[fc4]\nepsW=dexp[base=0.1;tgtFactor=10;numSteps=2]\nepsB=0\nmomW=0.5\nmomB=0.25\nwc=0.01\n\
[logprob]\ncoeff=2\n";

fn parse(layers: &str, parameters: &str) -> Result<Convnet, Error> {
    Convnet::parse(["l.cfg", layers], ["p.cfg", parameters])
}

/// What is said of files in which `from` stands as `to`.
fn fault(from: &str, to: &str) -> String {
    assert!(LAYERS.contains(from) || PARAMETERS.contains(from), "{from}");
    let made = parse(&LAYERS.replace(from, to), &PARAMETERS.replace(from, to));
    let made = made.and_then(|convnet| convnet.network(&Device::reference(), [6, 6, 2], KEY));
    made.unwrap_err().to_string()
}

/// The table of section 2 of each file's documentation: parameters of the five published networks that are here.
#[test]
fn published_networks_have_their_parameters() {
    for (name, side, parameters, layers) in [
        ("80sec", 32, 145_578, 8),
        ("18pct", 32, 89_578, 9),
        ("conv-local-13pct", 24, 1_116_490, 7),
        ("conv-local-11pct", 24, 2_112_970, 9),
    ] {
        let convnet = example(name);
        assert_eq!((convnet.channels(), convnet.cost()), (Some(3), "logprob"), "{name}");
        let network = convnet.network(&Device::cpu(), [side, side, 3], KEY).unwrap();
        let found = (count(&network), network.layers().len(), network.outputs());
        assert_eq!(found, (parameters, layers, 10), "{name}");
        let optimizer = convnet.optimizer(&network, &[]).unwrap();
        assert_eq!(count(&optimizer), parameters, "{name}");
    }
}

fn cases(device: &Device, rows: usize) -> (Tensor, Tensor) {
    let images = Array2::from_shape_fn((rows, 72), |(i, j)| KEY.normal((i * 72 + j) as u64));
    let classes = Array2::from_shape_fn((rows, 3), |(i, j)| f64::from(u8::from(i % 3 == j)));
    (device.tensor_f64(&images), device.tensor_f64(&classes))
}

fn gradients(network: &Network, images: &Tensor, targets: &Tensor, pass: Pass) -> Vec<Tensor> {
    let mut workspace = Workspace::new();
    network.forward(images.view(), &mut workspace, pass);
    let sums = network.backward(images.view(), targets.view(), &mut workspace);
    let stored = sums.iter().map(|sum| {
        let mut values = images.device().zeros(sum.shape()[0], sum.shape()[1]);
        sum.store(values.view_mut(), ACC);
        values
    });
    stored.collect()
}

#[test]
fn a_network_with_everything_has_the_right_gradient() {
    let device = Device::reference();
    let convnet = parse(LAYERS, PARAMETERS).unwrap();
    let mut network = convnet.network(&device, [6, 6, 2], KEY).unwrap();
    let names: Vec<&str> = network.layers().iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "conv1",
        "norm1",
        "square",
        "conv2",
        "contrast",
        "contrast_neuron",
        "pool1",
        "local3",
        "drop",
        "fc4",
    ];
    assert_eq!(names, expected);
    let (images, targets) = cases(&device, 4);
    let found = gradients(&network, &images, &targets, Pass::Testing);
    let loss = |network: &Network| Ok(network.evaluate(images.view(), targets.view())?.loss);
    let worst = check_gradient(&mut network, &found, loss).unwrap();
    assert!(worst.relative < 1e-6, "{worst:?}");
}

#[test]
fn first_values_and_shapes_are_those_of_the_file() {
    let network = parse(LAYERS, PARAMETERS).unwrap().network(&Device::reference(), [6, 6, 2], KEY).unwrap();
    let mut shapes = Vec::new();
    network.visit(&mut |name, tensor| {
        let values = tensor.to_array_f64().unwrap();
        let biases = if name.starts_with("conv1") { 0.25 } else { 0.0 };
        assert!(is_weights(name) || values.iter().all(|value| *value == biases), "{name}");
        shapes.push((name.to_string(), [tensor.rows(), tensor.columns()]));
    });
    let expected = [
        ("conv1.0.weights", [9, 2]),
        ("conv1.0.biases", [1, 2]),
        ("conv1.1.weights", [9, 2]),
        ("conv1.1.biases", [1, 2]),
        ("conv2.weights", [16, 3]),
        ("conv2.biases", [1, 27]),
        ("local3.weights", [12, 2]),
        ("local3.biases", [1, 2]),
        ("fc4.weights", [2, 3]),
        ("fc4.biases", [1, 3]),
    ];
    assert_eq!(shapes, expected.map(|(name, shape)| (name.to_string(), shape)));
    // 0.5, as initW says: 4.2 standard errors of 32 draws.
    let mut squares = (0.0, 0.0);
    network.visit(&mut |name, tensor| {
        if name == "conv2.weights" {
            let values = tensor.to_array_f64().unwrap();
            squares = (values.mapv(|value| value * value).sum(), values.len() as f64);
        }
    });
    let deviation = (squares.0 / squares.1).sqrt();
    assert!((deviation - 0.5).abs() < 4.2 * 0.5 / (2.0 * squares.1).sqrt(), "{deviation}");
}

/// inc ← mom·inc + eps·(−coeff·gradient) − wc·eps·w over two updates, from the gradients of each.
#[test]
fn updates_are_those_of_cuda_convnet() {
    let device = Device::reference();
    let convnet = parse(LAYERS, PARAMETERS).unwrap();
    let mut network = convnet.network(&device, [6, 6, 2], KEY).unwrap();
    // Update 0 is at the beginning, update 1 at the end of training: epsW of fc4 falls to a tenth.
    let mut optimizer = convnet.optimizer(&network, &[(0, 0.0), (1, 1.0)]).unwrap();
    let (images, targets) = cases(&device, 5);
    let values = |network: &Network| {
        let mut all = Vec::new();
        network.visit(&mut |name, tensor| all.push((name.to_string(), tensor.to_array_f64().unwrap())));
        all
    };
    let mut expected = values(&network);
    let mut increments: Vec<Array2<f64>> = expected.iter().map(|(_, w)| Array2::zeros(w.dim())).collect();
    for update in 0..2 {
        let pass = Pass::Training(KEY.fold_in(update));
        let found = gradients(&network, &images, &targets, pass);
        for (((name, w), inc), gradient) in expected.iter_mut().zip(&mut increments).zip(&found) {
            let (eps, mom, wc) = match (name.split('.').next().unwrap(), is_weights(name)) {
                ("fc4", true) => ([0.1, 0.01][update as usize], 0.5, 0.01),
                ("local3", true) | ("fc4", false) => (0.0, 0.5, 0.0),
                (_, true) => (0.1, 0.5, 0.01),
                (_, false) => (0.2, 0.25, 0.0),
            };
            *inc = &*inc * mom - gradient.to_array_f64().unwrap() * (2.0 * eps) - &*w * (wc * eps);
            *w += &*inc;
        }
        let mut workspace = Workspace::new();
        network.forward(images.view(), &mut workspace, pass);
        let sums = network.backward(images.view(), targets.view(), &mut workspace);
        optimizer.update(&mut network, &sums, update);
    }
    for ((name, found), (_, expected)) in values(&network).iter().zip(&expected) {
        // Rates are single precision.
        let off = (found - expected).iter().fold(0.0f64, |off, value| off.max(value.abs()));
        assert!(off < 1e-7, "{name}: {off}");
    }
}

/// Kept with probability ¾. `dropout2`, and `dropout` of a fully connected layer: a quarter is left out while learning, and
/// all is multiplied by ¾ afterwards; `dropout`: what is kept is divided by ¾ while learning.
#[test]
fn dropout_of_three_kinds() {
    // The mean while learning and a value afterwards of layers whose names begin so, for inputs of 1.
    let draw = |layers: &str, parameters: &str, name: &str| {
        let device = Device::reference();
        let network = parse(layers, parameters).unwrap().network(&device, [6, 6, 2], KEY).unwrap();
        let run = |pass| {
            let mut values = device.zeros(0, 0);
            for (_, layer) in network.layers().iter().filter(|(other, _)| other.starts_with(name)) {
                let inputs = if values.is_empty() { device.full(2000, layer.inputs(), 1.0) } else { values };
                let (mut outputs, mut saved) =
                    (device.zeros(2000, layer.outputs()), layer.saved(&device, 2000));
                layer.forward(inputs.view(), &mut outputs, &mut saved, pass);
                values = outputs;
            }
            values.to_array_f64().unwrap()
        };
        (run(Pass::Training(KEY)).mean().unwrap(), run(Pass::Testing)[[0, 0]])
    };
    // Four standard errors of the share that is kept of 4,000 values.
    let bound = 4.0 * (0.75f64 * 0.25 / 4000.0).sqrt();
    let (kept, tested) = draw(LAYERS, PARAMETERS, "drop");
    assert!((kept - 0.75).abs() < bound && tested == 0.75, "{kept}, {tested}");
    let (kept, tested) = draw(&LAYERS.replace("dropout2", "dropout"), PARAMETERS, "drop");
    assert!((kept - 1.0).abs() < bound / 0.75 && (tested - 1.0).abs() < 1e-7, "{kept}, {tested}");
    let parameters = PARAMETERS.replace("[fc4]\n", "[fc4]\ndropout=0.25\n");
    let (kept, tested) = draw(LAYERS, &parameters, "fc4_dropout");
    assert!((kept - 0.75).abs() < bound && tested == 0.75, "{kept}, {tested}");
    let parameters = PARAMETERS.replace("keep=0.75", "enable=0");
    assert_eq!(draw(&LAYERS.replace("dropout2", "dropout"), &parameters, "drop"), (1.0, 1.0));
}

/// An autoencoder: coeff · Σ (y − t)² is 2·coeff times the loss.
#[test]
fn a_distance_to_the_images_is_a_cost() {
    let layers = "[data]\ntype=data\ndataIdx=0\n[code]\ntype=fc\ninputs=data\noutputs=2\n\
                  [out]\ntype=fc\ninputs=code\noutputs=4\n[diff]\ntype=eltsum\ninputs=data,out\ncoeffs=1,-1\n\
                  [sqdiff]\ntype=cost.sum2\ninputs=diff\n";
    let rule = "epsW=0.1\nepsB=0.1\nmomW=0\nmomB=0\nwc=0\n";
    let parameters = format!("[code]\n{rule}[out]\n{rule}[sqdiff]\ncoeff=0.5\n");
    let convnet = parse(layers, &parameters).unwrap();
    assert_eq!((convnet.loss, convnet.channels(), convnet.cost()), (Loss::SquaredError, None, "sqdiff"));
    assert_eq!(convnet.coefficient, 1.0);
    let image = |values| convnet.network(&Device::reference(), [1, values, 1], KEY);
    assert_eq!(image(4).unwrap().outputs(), 4);
    let other = image(5).unwrap_err().to_string();
    assert_eq!(
        other,
        "l.cfg, line 18: [sqdiff] inputs is of 4 values, but what is compared with images has their 5 values"
    );
    let same = parse(&layers.replace("1,-1", "1,1"), &parameters).unwrap_err().to_string();
    assert!(same.contains("[diff] is not a difference, but below a cost.sum2"), "{same}");
    let direct = layers
        .replace("inputs=diff", "inputs=out")
        .replace("[diff]\ntype=eltsum\ninputs=data,out\ncoeffs=1,-1\n", "");
    let direct = parse(&direct, &parameters).unwrap_err().to_string();
    assert!(direct.contains("[sqdiff] inputs is `out`, but it is an eltsum"), "{direct}");
}

#[test]
fn graphs_that_are_no_chains_are_refused() {
    for (from, to, message) in [
        (
            "type=dropout2",
            "type=dropuot",
            "l.cfg, line 59: [drop] type is `dropuot`, but the types of layers are data, conv, local",
        ),
        (
            "inputs=conv2",
            "inputs=conv9",
            "[contrast] inputs is `conv9`, but conv9 is no layer; the layers are data, labels, conv1",
        ),
        (
            "inputs=data\n",
            "inputs=data,norm1\n",
            "[conv1] inputs is `data,norm1`, but networks here are chains",
        ),
        (
            "inputs=data\n",
            "inputs=square\n",
            "[conv1] inputs is `square`, but this is a cycle: conv1, norm1, square, conv1",
        ),
        ("inputs=square", "inputs=conv1", "[square] is unused, but the output of every layer"),
        ("inputs=local3", "inputs=pool1", "[local3] is unused, but the output of every layer"),
        (
            "inputs=local3\n",
            "inputs=sum\n[sum]\ntype=eltsum\ninputs=local3,pool1\n",
            "[pool1] is the input of local3, sum, but networks here are chains",
        ),
        (
            "[probs]",
            "[spare]\ntype=neuron\nneuron=relu\ninputs=fc4\n[probs]",
            "[spare] is unused, but the output of every layer",
        ),
        (
            "[probs]",
            "[more]\ntype=data\ndataIdx=0\n[probs]",
            "[more] dataIdx is `0`, but data is a layer of images (dataIdx=0), too",
        ),
        (
            "[probs]",
            "[more]\ntype=data\ndataIdx=2\n[probs]",
            "[more] dataIdx is `2`, but it must be a whole number from 0 to 1",
        ),
        (
            "type=data\ndataIdx=0",
            "type=neuron\nneuron=relu\ninputs=labels",
            "l.cfg: layer of images is missing, but",
        ),
        (
            "[logprob]\ntype=cost.logreg\ninputs=labels,probs\n",
            "",
            "l.cfg: cost is missing, but a network here has one",
        ),
        (
            "[probs]",
            "[more]\ntype=cost.logreg\ninputs=labels,probs\n[probs]",
            "l.cfg: cost is more, logprob, but a network here has one",
        ),
        (
            "inputs=labels,probs",
            "inputs=probs,labels",
            "[logprob] inputs is `probs,labels`, but the first is a layer with type=data and dataIdx=1",
        ),
        (
            "inputs=labels,probs",
            "inputs=probs",
            "[logprob] inputs is `probs`, but a layer of type cost.logreg has two",
        ),
        ("type=softmax", "type=neuron\nneuron=relu", "but the second is a layer of type softmax"),
        (
            "[fc4]\ntype=fc\ninputs=drop\n",
            "[fc4]\ntype=fc\n",
            "[fc4] inputs is missing, but a layer of type fc needs one",
        ),
        ("[norm1]", "[conv1]", "line 19 is [conv1], but line 7 has a section of this name"),
        ("[norm1]\ntype", "[a.b]\ntype", "[a.b] is a name with a dot, but"),
    ] {
        let said = fault(from, to);
        assert!(said.contains(message), "{to}: {said}");
    }
}

#[test]
fn values_that_do_not_fit_are_refused_with_file_section_and_parameter() {
    for (from, to, message) in [
        (
            "filterSize=3",
            "filterSize=9",
            "l.cfg, line 12: [conv1] filterSize is `9`, but its images are 6 × 6 with 1 pixels around it",
        ),
        ("sizeX=2", "sizeX=4", "[pool1] sizeX is `4`, but its images are 3 × 3; it is at most their side"),
        ("channels=2", "channels=3", "[conv1] channels is `3`, but what comes in are images of 6 × 6 × 2"),
        (
            "filters=4",
            "",
            "[conv1] filters is missing, but it is needed: it must be a whole number from 1 to 65536",
        ),
        ("filters=4", "filters=four", "[conv1] filters is `four`, but it must be a whole number"),
        ("filters=4", "filters=4,4", "[conv1] filters is `4,4`, but it has a value for each input"),
        ("filters=4", "filters=5", "[conv1] groups is 2, but 5 maps are cut into"),
        ("filters=4", "filtres=4", "[conv1] filtres is unknown, but a layer of type conv has: type, inputs"),
        ("filters=4\n", "filters=4\nrandSparse=1\n", "[conv1] randSparse is `1`, but filters here see all"),
        (
            "filters=4\n",
            "filters=4\nfilterChannels=2\n",
            "[conv1] filterChannels is `2`, but filters here see 2 channels / 2 groups",
        ),
        (
            "filters=4\n",
            "filters=4\nsharedBiases=0\n",
            "[conv1] sharedBiases is `0`, but filters in groups here",
        ),
        (
            "[local3]\ntype=local\n",
            "[local3]\ntype=local\nsharedBiases=1\n",
            "[local3] sharedBiases is `1`, but untied",
        ),
        ("size=3\n[square]", "size=3\nblocked=1\n[square]", "[norm1] blocked is `1`, but neighbouring maps"),
        (
            "size=3\n[square]",
            "size=5\n[square]",
            "[norm1] response normalisation: size is 5, but it is from 1 to 4",
        ),
        ("pool=avg", "pool=l2", "[pool1] pool is `l2`, but the pools are max and avg"),
        (
            "sizeX=2\nstride=1",
            "sizeX=2\nstride=3",
            "[pool1] stride is `3`, but it must be a whole number from 1 to 2",
        ),
        ("sizeX=2\nstride=1", "sizeX=2\nstride=1\nstart=1", "[pool1] start is `1`"),
        (
            "sizeX=2\nstride=1",
            "sizeX=2\nstride=1\noutputsX=4",
            "[pool1] outputsX is `4`, but there are 2 × 2 windows",
        ),
        ("neuron=logistic", "neuron=maxout", "[local3] neuron is `maxout`, but the neurons are ident, relu"),
        (
            "type=neuron\ninputs=norm1\nneuron=square",
            "type=neuron\ninputs=norm1",
            "[square] neuron is missing",
        ),
        ("outputs=3", "outputs=0", "[fc4] outputs is `0`, but it must be a whole number from 1 to 65536"),
        ("outputs=3", "outputs=3\ninitB=1,2", "[fc4] initB is `1,2`, but it has a value"),
    ] {
        let said = fault(from, to);
        assert!(said.contains(message), "{to}: {said}");
    }
    for (from, to, message) in [
        (
            "[norm1]\nscale=0.5\n",
            "[other]\nx=1\n",
            "p.cfg: [norm1] is missing, but a layer of type cmrnorm needs it",
        ),
        ("[conv2]\n", "[conv9]\n", "p.cfg: [conv2] is missing, but a layer of type conv needs it"),
        ("[logprob]\ncoeff=2\n", "", "p.cfg: [logprob] is missing, but a cost needs it, with coeff"),
        ("coeff=2", "coeff=0", "[logprob] coeff is `0`, but it must be a number above 0"),
        (
            "[conv1]\nepsW=0.1\n",
            "[conv1]\n",
            "p.cfg, line 1: [conv1] epsW is missing, but a layer of type conv needs it",
        ),
        (
            "[conv1]\nepsW=0.1\n",
            "[conv1]\nepsW=0.1,0.1\n",
            "[conv1] epsW is `0.1,0.1`, but it has a value for each input",
        ),
        (
            "[conv1]\nepsW=0.1\n",
            "[conv1]\nepsW=fast\n",
            "p.cfg, line 2: [conv1] epsW is `fast`, but a rate is",
        ),
        (
            "[conv1]\nepsW=0.1\nepsB=0.2\nmomW=0.5\n",
            "[conv1]\nepsW=0.1\nepsB=0.2\nmomW=1\n",
            "[conv1] momW is `1`, but",
        ),
        ("[conv1]\n", "[conv1]\nwball=0.5\n", "[conv1] wball is `0.5`, but it is not here; it must be 0"),
        ("minDiv=2", "minDiv=0", "[norm1] minDiv is `0`, but it must be a number above 0"),
        (
            "minDiv=2",
            "mindvi=2",
            "[norm1] mindvi is unknown, but in this file, a layer of type cmrnorm has: scale",
        ),
        ("keep=0.75", "keep=0", "[drop] keep is `0`, but it must be a number above 0, and at most 1"),
    ] {
        let said = parse(LAYERS, &PARAMETERS.replace(from, to)).unwrap_err().to_string();
        assert!(said.contains(message), "{to}: {said}");
    }
    let absent =
        Convnet::read(Path::new("no/layers.cfg"), Path::new("no/params.cfg")).unwrap_err().to_string();
    assert!(absent.starts_with("reading no/layers.cfg: "), "{absent}");
}

/// Numbers that would fill any memory are refused before any is asked for.
#[test]
fn layers_without_end_are_refused() {
    let wide = LAYERS.replace(
        "outputs=3\ninitW=0.5\n",
        "outputs=65536\ninitW=0.5\n[fc5]\ntype=fc\ninputs=fc4\noutputs=65536\n",
    );
    let parameters = format!("{PARAMETERS}[fc5]\nepsW=0\nepsB=0\nmomW=0\nmomB=0\n");
    let convnet =
        parse(&wide.replace("type=softmax\ninputs=fc4", "type=softmax\ninputs=fc5"), &parameters).unwrap();
    let said = convnet.network(&Device::reference(), [6, 6, 2], KEY).unwrap_err().to_string();
    assert!(said.contains("[fc5] number of weights is 65536 × 65536, but"), "{said}");
}
