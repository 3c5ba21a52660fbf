//! The restricted Boltzmann machine.

use crate::{
    Boltzmann, EnergyModel, Layered,
    units::{Bernoulli, Units},
};
use nn_core::{Device, Error, Key, Parameters, Tensor, init};

/// Two layers of units with weights between them and none inside.
///
/// Energy E(v, h) = E(v) + E(h) − S(v)·W·hᵀ; for Bernoulli units −v·a − h·b − v·W·hᵀ. Free energy
/// F(v) = E(v) − Σⱼ Kⱼ((S(v)·W)ⱼ), probability p(v) = e^(−F(v)) / Z (Smolensky 1986, Hinton 2002).
///
/// Parameters: `weights` (visible × hidden), `visible.…` and `hidden.…` as the units name them (`biases` for Bernoulli).
#[derive(Debug)]
pub struct Rbm {
    /// The visible layer.
    pub visible: Box<dyn Units>,
    /// The hidden layer.
    pub hidden: Box<dyn Units>,
    /// W, visible × hidden.
    pub weights: Tensor,
}

impl Rbm {
    /// A machine of these layers, its weights normal with mean 0 and standard deviation 0.01 (Hinton, 2010).
    ///
    /// # Errors
    /// If a layer is empty, or the hidden units are of a family whose statistic is not its state (units with a
    /// variance of their own stand on the visible side).
    pub fn new(
        device: &Device,
        visible: Box<dyn Units>,
        hidden: Box<dyn Units>,
        key: Key,
    ) -> Result<Rbm, Error> {
        for (name, units) in [("visible", &visible), ("hidden", &hidden)] {
            if units.is_empty() {
                return Err(Error::setting(&format!("{name} units"), 0, "a layer needs at least one"));
            }
        }
        if !hidden.plain_statistic() {
            let rule =
                "hidden units are Bernoulli, softmax or rectified; put real-valued units on the visible side";
            return Err(Error::setting("hidden units", hidden.kind(), rule));
        }
        let weights = init::normal(device, visible.len(), hidden.len(), 0.01, key);
        Ok(Rbm { visible, hidden, weights })
    }

    /// A machine of binary units with biases of zero.
    ///
    /// # Errors
    /// If a layer is empty.
    pub fn bernoulli(device: &Device, visible: usize, hidden: usize, key: Key) -> Result<Rbm, Error> {
        let units = |count| Box::new(Bernoulli::new(device, count));
        Rbm::new(device, units(visible), units(hidden), key)
    }

    /// Where the machine lives.
    pub fn device(&self) -> &Device {
        self.weights.device()
    }

    /// Its distribution: conditionals, sweeps, free energies.
    pub fn distribution(&self) -> Boltzmann<'_> {
        Boltzmann { visible: &*self.visible, hidden: &*self.hidden, weights: &self.weights, scale: 1.0 }
    }

    /// E[h | v], cases × hidden.
    pub fn mean_hidden(&self, visible: &Tensor) -> Tensor {
        let mut out = self.device().zeros(visible.rows(), self.hidden.len());
        self.distribution().mean_hidden(visible, &mut out);
        out
    }

    /// E[v | h], cases × visible.
    pub fn mean_visible(&self, hidden: &Tensor) -> Tensor {
        let mut out = self.device().zeros(hidden.rows(), self.visible.len());
        self.distribution().mean_visible(hidden, &mut out);
        out
    }

    /// A draw from p(h | v), cases × hidden.
    pub fn sample_hidden(&self, visible: &Tensor, key: Key) -> Tensor {
        let mut out = self.device().zeros(visible.rows(), self.hidden.len());
        self.distribution().sample_hidden(visible, key, &mut out);
        out
    }

    /// A draw from p(v | h), cases × visible.
    pub fn sample_visible(&self, hidden: &Tensor, key: Key) -> Tensor {
        let mut out = self.device().zeros(hidden.rows(), self.visible.len());
        self.distribution().sample_visible(hidden, key, &mut out);
        out
    }

    /// F(v) of each case, cases × 1.
    pub fn free_energy(&self, visible: &Tensor) -> Tensor {
        let mut out = self.device().zeros(visible.rows(), 1);
        self.distribution().free_energy(visible, &mut out);
        out
    }

    /// The mean of F(v) over cases, in double precision. Waits for the device.
    ///
    /// # Errors
    /// If the device failed.
    pub fn mean_free_energy(&self, visible: &Tensor) -> Result<f64, Error> {
        Ok(self.free_energy(visible).to_array_f64()?.mean().unwrap_or(f64::NAN))
    }

    /// Moves chains (cases × visible) by this many Gibbs sweeps.
    pub fn gibbs(&self, chains: &mut Tensor, sweeps: u64, key: Key) {
        let mut hidden = self.device().zeros(chains.rows(), self.hidden.len());
        for sweep in 0..sweeps {
            self.distribution().sweep(chains, &mut hidden, key.fold_in(sweep));
        }
    }
}

impl EnergyModel for Rbm {
    fn layered(&self) -> Layered<'_> {
        Layered { layers: vec![&*self.visible, &*self.hidden], connections: vec![&self.weights], scale: 1.0 }
    }
}

impl Parameters for Rbm {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        see("weights", &self.weights);
        self.visible.visit(&mut |name, tensor| see(&format!("visible.{name}"), tensor));
        self.hidden.visit(&mut |name, tensor| see(&format!("hidden.{name}"), tensor));
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        see("weights", &mut self.weights);
        self.visible.visit_mut(&mut |name, tensor| see(&format!("visible.{name}"), tensor));
        self.hidden.visit_mut(&mut |name, tensor| see(&format!("hidden.{name}"), tensor));
    }
}
