//! The hidden layers of a deep machine given a case: log p(v) itself instead of its bound.

use super::Dbm;
use crate::{
    Connection, EnergyModel, Path,
    ais::{Ais, Betas},
};
use nn_core::{ACC, Error, Key, OLD, Tensor, View};

impl Dbm {
    /// The machine p(h₁, h₂, … | v) of one case (1 × visible): its visible units are those of h₁, with biases b₁ + S(v)·W₁.
    ///
    /// With its partition function Z(v), log p(v) = log Z(v) − E(v) − log Z.
    ///
    /// # Errors
    /// Of a machine of one hidden layer without a label, whose hidden units are then independent: its
    /// [`lower_bound`](Dbm::lower_bound) is log p(v), and of one whose first hidden layer shares weights.
    pub fn given_visible(&self, case: View<'_>) -> Result<Dbm, Error> {
        if self.connections[0].matrix().is_none() {
            let rule = "the first hidden layer of the machine that is left would need a bias for each unit";
            return Err(Error::setting("visible units to clamp", "joined by shared weights", rule));
        }
        if self.connections.len() < 2 {
            let rule = "two are needed; with one the lower bound is log p(v) itself";
            return Err(Error::setting("layers above the visible units", self.connections.len(), rule));
        }
        let mut layers: Vec<_> = self.layers[1..].iter().map(|units| units.duplicate()).collect();
        self.layered().with_input(1, Some(&alone(case)), None, |input| {
            layers[0].visit_mut(&mut |_, biases| input.store(biases.view_mut(), OLD + ACC));
        });
        let mut connections: Vec<Box<dyn Connection>> = Vec::new();
        for joint in &self.connections[1..] {
            connections.push(Box::new(joint.weights().duplicate()));
        }
        Ok(Dbm { layers, connections, labelled: self.labelled })
    }

    /// log p(v) of one case (1 × visible) in nats, given log Z: by annealed importance sampling of the other layers with v
    /// clamped, from so many chains. Errs low, as the forward estimate of log Z(v) does; with a forward estimate of log Z
    /// that errs low, too, both errors are of opposite sign. Waits for the device.
    ///
    /// # Errors
    /// As [`Dbm::given_visible`] and [`Ais::forward`].
    pub fn log_probability(
        &self,
        case: View<'_>,
        log_partition: f64,
        betas: Betas,
        chains: usize,
        key: Key,
    ) -> Result<f64, Error> {
        let given = self.given_visible(case)?;
        let estimate = Ais::new(Path::from_model(&given), betas).forward(&given, chains, key)?;
        let mut energy = self.device().zeros(1, 1);
        self.layers[0].energy(case, 1.0, 0.0, energy.view_mut());
        Ok(estimate.log_partition - energy.to_array_f64()?[[0, 0]] - log_partition)
    }
}

fn alone(case: View<'_>) -> Tensor {
    let mut copy = case.source().device().zeros(1, case.columns());
    copy.assign(case);
    copy
}
