//! Gradient descent with momentum.

use super::{Companions, Optimizer};
use crate::{
    ACC, Error, OLD, Parameters, Penalty, Schedule, Sum, Tensor,
    expr::x,
    parameters::{is_under, is_weights},
};
use serde::{Deserialize, Serialize};

/// How parameters are changed: rate, momentum and penalty of [`Sgd`] for some of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdRule {
    /// ε; a constant 0 freezes the parameters, and their gradient is not computed.
    pub rate: Schedule,
    /// μ in [0, 1).
    pub momentum: Schedule,
    /// Decay and max-norm, of weights only.
    pub penalty: Penalty,
}

impl SgdRule {
    /// A rule.
    pub fn new(rate: impl Into<Schedule>, momentum: impl Into<Schedule>, penalty: Penalty) -> SgdRule {
        SgdRule { rate: rate.into(), momentum: momentum.into(), penalty }
    }

    fn check(&self) -> Result<(), Error> {
        self.rate.check("learning rate", 0.0..=f32::MAX)?;
        self.momentum.check("momentum", 0.0..=0.999_999)?;
        self.penalty.check()
    }
}

/// u ← μ·u − ε·(∂loss/∂w + ∂penalty/∂w), w ← w + u.
///
/// The penalty acts on parameters named `weights`. With decay λ₂ this is the rule of cuda-convnet,
/// u ← momW·u − epsW·(∂loss/∂w + wc·w). The velocity u is updated in the store of the product that computes the gradient:
/// one pass over the weights for both phases of contrastive divergence, momentum and decay.
#[derive(Debug)]
pub struct Sgd {
    /// The rule of all parameters that have no other one.
    pub rule: SgdRule,
    rules: Vec<(String, SgdRule)>,
    velocity: Companions,
    /// Memory of max-norm, one for each parameter; no part of the state.
    factors: Vec<Option<Tensor>>,
}

impl Sgd {
    /// Gradient descent for these parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] for a negative rate, a momentum outside [0, 1) or a negative penalty.
    pub fn new(
        parameters: &dyn Parameters,
        rate: impl Into<Schedule>,
        momentum: impl Into<Schedule>,
        penalty: Penalty,
    ) -> Result<Sgd, Error> {
        let rule = SgdRule::new(rate, momentum, penalty);
        rule.check()?;
        let velocity = Companions::of(parameters, "velocity");
        let factors = velocity.tensors.iter().map(|_| None).collect();
        Ok(Sgd { rule, rules: Vec::new(), velocity, factors })
    }

    /// Another rule for the parameters under a name: `conv1` for `conv1.weights` and `conv1.biases`, or one of these. Of
    /// several rules for a parameter the one with the longest name holds.
    ///
    /// # Errors
    /// [`Error::Setting`] for a name that no parameter has, or a rule as [`Sgd::new`] refuses it.
    pub fn with_rule(mut self, name: &str, rule: SgdRule) -> Result<Sgd, Error> {
        rule.check()?;
        let names: Vec<&str> = self.velocity.tensors.iter().map(|(name, _)| name.as_str()).collect();
        if !names.iter().any(|parameter| is_under(name, parameter)) {
            let allowed = format!("the parameters are {}", names.join(", "));
            return Err(Error::setting("parameter of a rule", format!("`{name}`"), &allowed));
        }
        self.rules.retain(|(other, _)| other != name);
        self.rules.push((name.to_string(), rule));
        // Longest first, so that the first that fits holds.
        self.rules.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Ok(self)
    }
}

impl Optimizer for Sgd {
    fn update(&mut self, parameters: &mut dyn Parameters, gradients: &[Sum<'_>], update: u64) {
        assert_eq!(gradients.len(), self.velocity.tensors.len(), "one gradient for each parameter");
        let Sgd { rule, rules, velocity, factors } = self;
        let mut pairs = velocity.tensors.iter_mut().zip(factors).zip(gradients);
        parameters.visit_mut(&mut |name, tensor| {
            let Some((((_, velocity), factor), gradient)) = pairs.next() else { return };
            let other = rules.iter().find(|(prefix, _)| is_under(prefix, name));
            let SgdRule { rate, momentum, penalty } = other.map_or(&*rule, |(_, rule)| rule);
            if *rate == Schedule::Constant(0.0) {
                return;
            }
            let (rate, momentum) = (rate.at(update), momentum.at(update));
            let weights = is_weights(name);
            {
                let slope = if weights { penalty.add_gradient(ACC, tensor) } else { ACC };
                gradient.store(velocity.view_mut(), OLD * momentum - slope * rate);
            }
            tensor.assign(OLD + x(&*velocity));
            if weights {
                penalty.bound(tensor, factor);
            }
        });
    }
}

impl Parameters for Sgd {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        self.velocity.visit(see);
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        self.velocity.visit_mut(see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use ndarray::arr2;

    struct One(Tensor);
    impl Parameters for One {
        fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
            see("weights", &self.0);
        }
        fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
            see("weights", &mut self.0);
        }
    }

    /// Two updates by hand: momentum multiplies the step, not the step times the rate again.
    #[test]
    fn two_updates_by_hand() {
        let device = Device::reference();
        let mut model = One(device.tensor_f64(&arr2(&[[1.0]])));
        let mut sgd = Sgd::new(&model, 0.5, 0.5, Penalty::l2(0.25)).unwrap();
        let gradient = device.full(1, 1, 2.0);
        // u₁ = −0.5·(2 + 0.25·1) = −1.125, w₁ = −0.125; u₂ = 0.5·u₁ − 0.5·(2 + 0.25·w₁) = −1.546875
        sgd.update(&mut model, &[Sum::from(&gradient)], 0);
        assert_eq!(model.0.to_array_f64().unwrap()[[0, 0]], -0.125);
        sgd.update(&mut model, &[Sum::from(&gradient)], 1);
        assert_eq!(model.0.to_array_f64().unwrap()[[0, 0]], -0.125 - 1.546875);
    }

    struct Two(Tensor, Tensor);
    impl Parameters for Two {
        fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
            see("fc10.weights", &self.0);
            see("fc10.biases", &self.1);
        }
        fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
            see("fc10.weights", &mut self.0);
            see("fc10.biases", &mut self.1);
        }
    }

    /// Layer, its biases, and the rest: the longest name holds. A rate of 0 freezes.
    #[test]
    fn rules_hold_for_the_parameters_they_name() {
        let device = Device::reference();
        let updated = |rules: &[(&str, f32)]| {
            let mut model = Two(device.full(1, 1, 1.0), device.full(1, 1, 1.0));
            let mut sgd = Sgd::new(&model, 0.5, 0.0, Penalty::default()).unwrap();
            for (name, rate) in rules {
                sgd = sgd.with_rule(name, SgdRule::new(*rate, 0.0, Penalty::l2(1.0))).unwrap();
            }
            let gradient = device.full(1, 1, 1.0);
            sgd.update(&mut model, &[Sum::from(&gradient), Sum::from(&gradient)], 0);
            [&model.0, &model.1].map(|tensor| tensor.to_array_f64().unwrap()[[0, 0]])
        };
        assert_eq!(updated(&[]), [0.5, 0.5]);
        // Decay acts on the weights alone: 1 − 0.25·(1 + 1), 1 − 0.25·1.
        assert_eq!(updated(&[("fc10", 0.25)]), [0.5, 0.75]);
        assert_eq!(updated(&[("fc10.biases", 0.125), ("fc10", 0.25)]), [0.5, 0.875]);
        assert_eq!(updated(&[("fc10.weights", 0.0)]), [1.0, 0.5]);
    }

    #[test]
    fn a_rule_without_a_parameter_is_refused() {
        let device = Device::cpu();
        let model = Two(device.zeros(1, 1), device.zeros(1, 1));
        let sgd = Sgd::new(&model, 0.5, 0.0, Penalty::default()).unwrap();
        let error = sgd.with_rule("fc1", SgdRule::new(0.1, 0.0, Penalty::default())).unwrap_err();
        let wanted = "parameter of a rule is `fc1`, but the parameters are fc10.weights, fc10.biases";
        assert_eq!(error.to_string(), wanted);
    }

    #[test]
    fn a_pending_product_and_its_values_give_the_same_update() {
        let device = Device::reference();
        let left = device.tensor(&arr2(&[[1.0f32, 2.0], [3.0, -1.0]]));
        let right = device.tensor(&arr2(&[[0.5f32], [0.25]]));
        let update = |pending: bool| {
            let mut model = One(device.full(2, 1, 1.0));
            let mut sgd = Sgd::new(&model, 0.1, 0.9, Penalty::l2(0.1)).unwrap();
            let product = Sum::from(left.t().dot(&right));
            let mut values = device.zeros(2, 1);
            product.store(values.view_mut(), ACC);
            let gradient = if pending { product } else { Sum::from(&values) };
            sgd.update(&mut model, &[gradient], 0);
            model.0.to_array_f64().unwrap()
        };
        assert_eq!(update(true), update(false));
    }
}
