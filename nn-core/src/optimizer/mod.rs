//! From gradients to updates.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::{Sgd, SgdRule};

use crate::{Parameters, Sum, Tensor};

/// Changes parameters by their gradients. Its own tensors (moments) are [`Parameters`], so that a checkpoint holds
/// them and a run resumes exactly.
pub trait Optimizer: Parameters + Send {
    /// One update of every parameter, `gradients` being in the order in which `parameters` shows its tensors.
    ///
    /// # Panics
    /// If there are not as many gradients as tensors.
    fn update(&mut self, parameters: &mut dyn Parameters, gradients: &[Sum<'_>], update: u64);
}

/// Tensors that go with the tensors of a model, such as velocities: same names, same shapes, zero at first.
#[derive(Debug, Default)]
struct Companions {
    suffix: &'static str,
    tensors: Vec<(String, Tensor)>,
}

impl Companions {
    fn of(parameters: &dyn Parameters, suffix: &'static str) -> Companions {
        let mut tensors = Vec::new();
        parameters.visit(&mut |name, tensor| {
            tensors.push((name.to_string(), tensor.device().zeros(tensor.rows(), tensor.columns())));
        });
        Companions { suffix, tensors }
    }
}

impl Parameters for Companions {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (name, tensor) in &self.tensors {
            see(&format!("{name}.{}", self.suffix), tensor);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (name, tensor) in &mut self.tensors {
            see(&format!("{name}.{}", self.suffix), tensor);
        }
    }
}
