use super::*;
use crate::{
    Autoencoder, AutoencoderLearner, AutoencoderSettings, Corruption, Device, Fit, Learner, Penalty, Sgd,
    SupervisedLearner, conformance::noise, latent::reconstructions,
};
use ndarray::Array2;
use std::sync::atomic::AtomicBool;

/// Eight one-hot cases in two classes.
fn data(device: &Device) -> Dataset {
    Dataset::labelled(device, Array2::eye(8).view(), &[0, 1, 0, 1, 1, 0, 1, 0], 2).unwrap()
}

fn pretrained(device: &Device, epochs: u64) -> Stack<Autoencoder> {
    let key = Key::new(1);
    let train = |layer: usize, data: &Dataset| -> Result<Autoencoder, Error> {
        assert_eq!(data.columns(), [8, 6][layer]);
        assert!(data.targets().is_some_and(|targets| targets.rows() == 8));
        let corruption = Corruption::Masking { probability: 0.1 };
        let settings = AutoencoderSettings { corruption, ..AutoencoderSettings::default() };
        let key = key.fold_in(layer as u64);
        let autoencoder = Autoencoder::new(device, data.columns(), [6, 4][layer], settings, key)?;
        let sgd = Sgd::new(&autoencoder, 0.5, 0.9, Penalty::default())?;
        let mut learner = AutoencoderLearner::new(autoencoder, sgd);
        Fit::new(epochs, 8, key).run(&mut learner, data, &mut [], &AtomicBool::new(false))?;
        Ok(learner.autoencoder)
    };
    Stack::pretrain(&data(device), 2, Binarize::Never, train).unwrap()
}

/// The unrolled network reconstructs as the stack does, before it is fine-tuned; the middle layer gives the codes, and
/// other codes where another activation is asked for.
#[test]
fn an_unrolled_network_is_the_stack() {
    let device = Device::reference();
    let (stack, inputs) = (pretrained(&device, 20), noise(&device, 5, 8, 1));
    let network = stack.unrolled(None, Loss::BinaryCrossEntropy).unwrap();
    let names: Vec<&str> = network.layers().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["encoder1", "encoder2", "decoder2", "decoder1"]);
    let near = |a: Tensor, b: Tensor| {
        (a.to_array_f64().unwrap() - b.to_array_f64().unwrap())
            .iter()
            .all(|difference| difference.abs() < 1e-12)
    };
    assert!(near(network.predict(inputs.view()), reconstructions(&stack, inputs.view())));
    assert!(near(network.activity(inputs.view(), 2), codes(&stack, inputs.view())));
    let squared = stack.unrolled(None, Loss::SquaredError).unwrap();
    assert!(near(squared.predict(inputs.view()), reconstructions(&stack, inputs.view())));
    let linear = stack.unrolled(Some(Activation::Identity), Loss::SquaredError).unwrap();
    let mut logistic = linear.activity(inputs.view(), 2);
    logistic.assign(crate::OLD.logistic());
    assert!(near(logistic, codes(&stack, inputs.view())));
    let error = stack.unrolled(None, Loss::CrossEntropy).unwrap_err().to_string();
    assert!(error.starts_with("loss is CrossEntropy, but an autoencoder has"), "{error}");
}

/// Fine-tuning a pretrained classifier, and a pretrained deep autoencoder.
#[test]
fn pretrained_networks_are_fine_tuned() {
    let device = Device::cpu();
    let (stack, data) = (pretrained(&device, 100), data(&device));
    let classifier = stack.classifier(2, Initialization::Normal { deviation: 0.1 }, Key::new(3)).unwrap();
    let top = classifier.activity(data.inputs().view(), 2).to_array().unwrap();
    assert_eq!(top, codes(&stack, data.inputs().view()).to_array().unwrap());
    let measured = |network: Network, data: &Dataset| {
        let sgd = Sgd::new(&network, 0.1, 0.9, Penalty::default()).unwrap();
        let mut learner = SupervisedLearner::new(network, sgd);
        let before = learner.measure(data.all(), Key::new(4)).unwrap();
        Fit::new(400, 8, Key::new(4)).run(&mut learner, data, &mut [], &AtomicBool::new(false)).unwrap();
        (before, learner.measure(data.all(), Key::new(4)).unwrap())
    };
    let (_, after) = measured(classifier, &data);
    assert_eq!(after[1], ("error", 0.0));
    let unlabelled = Dataset::new(&device, Array2::eye(8).view(), Binarize::Never).unwrap();
    let deep = stack.unrolled(None, Loss::BinaryCrossEntropy).unwrap();
    let (before, after) = measured(deep, &unlabelled);
    assert!(after[0].1 < 0.8 * before[0].1, "{before:?} {after:?}");
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let device = Device::cpu();
    let model = |inputs, codes| {
        Autoencoder::new(&device, inputs, codes, AutoencoderSettings::default(), Key::new(1)).unwrap()
    };
    let error = Stack::new(vec![model(4, 3), model(2, 2)]).unwrap_err().to_string();
    assert_eq!(error, "inputs of model 2 is 2, but the codes of model 1 have 3 values");
    assert!(Stack::<Autoencoder>::new(Vec::new()).is_err());
    // Models of several kinds, behind boxes.
    let mixed: Vec<Box<dyn LatentModel>> =
        vec![Box::new(model(4, 3)), Box::new(Stack::new(vec![model(3, 2)]).unwrap())];
    assert_eq!(Stack::new(mixed).unwrap().codes(), 2);
}
