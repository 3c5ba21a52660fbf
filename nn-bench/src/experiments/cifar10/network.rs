//! The network of a recipe and the rules by which it learns.

use nn_conv::{Convolution, Filters, Local, Neighbors, Normalization, Pooling, ResponseNormalization};
use nn_core::init::Initialization;
use nn_core::layer::Dense;
use nn_core::network::named;
use nn_core::{
    Activation, Device, Error, Key, Loss, Network, Penalty, Schedule, Sgd, SgdRule, SupervisedLearner, Window,
};

use super::recipe::{Kind, Recipe, Rectified, Weights};
use super::{BIAS_RATE, CHANNELS, KERNEL, MOMENTUM, WEIGHT_RATE};

impl Recipe {
    /// The layers, with first weights.
    pub fn network(&self, device: &Device, key: Key) -> Result<Network, Error> {
        let (linear, rectified) = (Activation::Identity, Activation::RectifiedLinear);
        let after = |weights: &Weights| if weights.rectified { rectified } else { linear };
        let start = |weights: &Weights| Initialization::Normal { deviation: weights.deviation };
        // Side and maps of what comes in, layers with filters and dense layers so far.
        let (mut side, mut maps, mut filtered, mut dense) = (self.side(), CHANNELS, 0, 10);
        let mut layers = Vec::new();
        for (name, kind) in &self.layers {
            let layer = match kind {
                Kind::Convolution(weights) => {
                    let window = Window::new(side, side, maps, KERNEL).padding(2);
                    let filters = Filters::new(window, weights.units);
                    let key = key.fold_in(filtered);
                    named(name, Convolution::new(device, filters, after(weights), start(weights), key)?)
                }
                Kind::Local(weights) => {
                    let filters = Filters::new(Window::new(side, side, maps, 3).padding(1), weights.units);
                    let key = key.fold_in(filtered);
                    named(name, Local::new(device, filters, after(weights), start(weights), key)?)
                }
                Kind::Dense(weights) => {
                    let (inputs, key) = (side * side * maps, key.fold_in(dense));
                    named(
                        name,
                        Dense::new(device, inputs, weights.units, after(weights), start(weights), key)?,
                    )
                }
                Kind::Pool(pool, then) => {
                    let window = Window::new(side, side, maps, 3).stride(2).ceil();
                    let then = if *then == Rectified::Yes { rectified } else { linear };
                    named(name, Pooling::new(window, *pool, then)?)
                }
                Kind::WithinMaps => {
                    let normalization = Normalization::new(3, 5e-5, 0.75);
                    let image = [side, side, maps];
                    named(name, ResponseNormalization::new(image, Neighbors::WithinMap, normalization)?)
                }
                Kind::AcrossMaps => {
                    let normalization = Normalization::new(9, 0.001, 0.75);
                    let image = [side, side, maps];
                    named(name, ResponseNormalization::new(image, Neighbors::AcrossMaps, normalization)?)
                }
            };
            match kind {
                Kind::Convolution(weights) | Kind::Local(weights) => {
                    (maps, filtered) = (weights.units, filtered + 1)
                }
                Kind::Dense(weights) => (side, maps, dense) = (1, weights.units, dense + 1),
                Kind::Pool(..) => side = side.div_ceil(2),
                Kind::WithinMaps | Kind::AcrossMaps => {}
            }
            layers.push(layer);
        }
        Network::new(layers, Loss::CrossEntropy)
    }

    /// A learner before the first stage, whose rules it does not have yet.
    pub fn learner(&self, device: &Device, key: Key) -> Result<SupervisedLearner<Sgd>, Error> {
        let network = self.network(device, key)?;
        let sgd = Sgd::new(&network, WEIGHT_RATE, MOMENTUM, Penalty::default())?;
        Ok(SupervisedLearner::new(network, sgd))
    }

    /// The learner with the rules of the stage that begins after `first` epochs: rates and decays of each layer. Updates
    /// are counted from the beginning of the stage, `per_epoch` an epoch. Velocities stay.
    pub fn in_stage(
        &self,
        learner: SupervisedLearner<Sgd>,
        first: u64,
        per_epoch: u64,
    ) -> Result<SupervisedLearner<Sgd>, Error> {
        let SupervisedLearner { network, optimizer: mut sgd, .. } = learner;
        let rule = |rate: f32, decay: f32| {
            let before = self.drops.iter().filter(|drop| **drop <= first).count();
            let divided = |drops: usize| rate / 10f32.powi(drops as i32);
            let later = self.drops.iter().enumerate().skip(before);
            let later = later.map(|(index, drop)| ((drop - first) * per_epoch, divided(index + 1)));
            let steps = std::iter::once((0, divided(before))).chain(later).collect();
            SgdRule::new(Schedule::Steps(steps), MOMENTUM, Penalty::l2(decay))
        };
        for (name, kind) in &self.layers {
            if let Kind::Convolution(weights) | Kind::Local(weights) | Kind::Dense(weights) = kind {
                sgd = sgd
                    .with_rule(&format!("{name}.weights"), rule(WEIGHT_RATE, weights.decay))?
                    .with_rule(&format!("{name}.biases"), rule(BIAS_RATE, 0.0))?;
            }
        }
        Ok(SupervisedLearner::new(network, sgd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use nn_core::parameters::count;
    use nn_core::{Cases, Learner, Parameters};

    #[test]
    fn networks_have_the_parameters_of_their_files() {
        let network = |profile| Recipe::of(profile).network(&Device::cpu(), Key::new(1)).unwrap();
        assert_eq!(count(&network("26pct")), 145_578);
        assert_eq!(count(&network("18pct")), 89_578);
        assert_eq!(count(&network("13pct")), 1_116_490);
        assert_eq!(count(&network("11pct")), 2_112_970);
        let names = |profile| -> Vec<String> {
            network(profile).layers().iter().map(|(name, _)| name.clone()).collect()
        };
        let shared = ["conv1", "pool1", "rnorm1", "conv2", "pool2", "rnorm2", "conv3", "pool3", "fc10"];
        assert_eq!(names("18pct"), shared);
        let untied = ["conv1", "pool1", "conv2", "pool2", "local3", "local4", "fc10"];
        assert_eq!(names("13pct"), untied);
        let normalized = ["conv1", "pool1", "rnorm1", "conv2", "rnorm2", "pool2", "local3", "local4", "fc10"];
        assert_eq!(names("11pct"), normalized);
        assert_eq!(names("quick"), normalized);
    }

    /// How far one update moves the biases of the last layer, from velocities of zero: rate times gradient.
    fn step(profile: &str, first: u64, update: u64) -> f32 {
        let (recipe, device) = (Recipe::of(profile), Device::cpu());
        let learner = recipe.learner(&device, Key::new(1)).unwrap();
        let mut learner = recipe.in_stage(learner, first, 10).unwrap();
        let inputs = device.zeros(1, learner.network.inputs());
        let targets = Array2::from_shape_fn((1, 10), |(_, class)| f32::from(u8::from(class == 3)));
        learner.update(&Cases::new(inputs, device.tensor(&targets)), update, Key::new(1));
        let mut moved = 0.0;
        learner.network.visit(&mut |name, tensor| {
            if name == "fc10.biases" {
                moved = tensor.to_array().unwrap()[[0, 3]];
            }
        });
        moved
    }

    /// 0.002 times 0.9, one probability less ten equal ones, divided by 10 at the epochs of the schedules.
    #[test]
    fn rates_fall_when_the_schedules_say_so_in_every_stage() {
        for (profile, first, epoch, divisor) in [
            ("26pct", 0, 7, 1.0),
            ("26pct", 0, 8, 10.0),
            ("18pct", 0, 130, 100.0),
            ("13pct", 0, 99, 1.0),
            ("13pct", 100, 39, 1.0),
            ("13pct", 100, 40, 10.0),
            ("13pct", 100, 50, 100.0),
            ("11pct", 350, 149, 1.0),
            ("11pct", 350, 150, 10.0),
            ("11pct", 350, 160, 100.0),
        ] {
            let moved = step(profile, first, epoch * 10);
            assert!((moved * divisor / 0.0018 - 1.0).abs() < 1e-4, "{profile}, {first} + {epoch}: {moved}");
        }
    }

    /// The files of cuda-convnet, as nn-conv reads them, and the networks that are written down here: the same layers, and
    /// from the same first weights the same bits after two updates, rates, momenta and decays being the same.
    #[test]
    fn networks_are_those_of_the_files() {
        use nn_conv::convnet::Convnet;
        use nn_core::{Cases, Learner};

        let (device, key) = (Device::cpu(), Key::new(1));
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../nn-conv/examples/convnet");
        for profile in ["26pct", "18pct", "13pct", "11pct"] {
            let recipe = Recipe::of(profile);
            let side = recipe.side();
            let parameters = recipe.file.replace("layers-", "layer-params-");
            let file = |name: &str| folder.join(format!("{name}.cfg"));
            let convnet = Convnet::read(&file(recipe.file), &file(&parameters)).unwrap();
            let ours = recipe.learner(&device, key).unwrap();
            let mut ours = recipe.in_stage(ours, 0, 391).unwrap();
            let network = convnet.network(&device, [side, side, CHANNELS], key).unwrap();
            let describe = |network: &Network| -> Vec<String> {
                network.layers().iter().map(|(name, layer)| format!("{name}: {layer:?}")).collect()
            };
            assert_eq!(describe(&network), describe(&ours.network));
            let sgd = convnet.optimizer(&network, &[]).unwrap();
            let mut theirs = SupervisedLearner::new(network, sgd);
            let values = |learner: &SupervisedLearner<Sgd>| {
                let mut all = Vec::new();
                learner.visit(&mut |name, tensor| all.push((name.to_string(), tensor.to_array().unwrap())));
                all
            };
            let mut first = values(&ours).into_iter();
            theirs.visit_mut(&mut |_, tensor| {
                if let Some((_, values)) = first.next() {
                    tensor.view_mut().write(values.view());
                }
            });
            let pixel =
                |(case, value): (usize, usize)| 100.0 * key.normal((case * 3072 + value) as u64) as f32;
            let images = device.tensor(&Array2::from_shape_fn((3, side * side * CHANNELS), pixel));
            let class = |(case, class): (usize, usize)| f32::from(u8::from(case == class));
            let cases = Cases::new(images, device.tensor(&Array2::from_shape_fn((3, 10), class)));
            for update in 0..2 {
                ours.update(&cases, update, key);
                theirs.update(&cases, update, key);
            }
            assert_eq!(values(&theirs), values(&ours), "{profile}");
        }
    }
}
