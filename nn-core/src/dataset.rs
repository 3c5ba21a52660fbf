//! Cases on a device, gathered into shuffled minibatches there.

use crate::{Device, Error, Expr, Key, Tensor, expr::x};
use ndarray::ArrayView2;
use rand_core::RngCore;

/// How real-valued inputs in [0, 1] become what a model sees, batch by batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Binarize {
    /// They stay as they are.
    #[default]
    Never,
    /// Each value is the probability of a one, drawn anew whenever its case is used.
    EachTime,
}

/// Inputs, one case a row, uploaded once.
#[derive(Debug)]
pub struct Dataset {
    inputs: Tensor,
    /// How the cases become minibatches.
    pub binarize: Binarize,
}

impl Dataset {
    /// Copies the cases to the device.
    ///
    /// # Errors
    /// [`Error::Data`] without cases or with a value that is not finite, naming its row and column.
    pub fn new(device: &Device, inputs: ArrayView2<'_, f32>, binarize: Binarize) -> Result<Dataset, Error> {
        if inputs.is_empty() {
            return Err(Error::Data(format!(
                "{:?} is no data set: it needs at least one case",
                inputs.dim()
            )));
        }
        if let Some(((row, column), value)) = inputs.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let remedy = "remove the case or mend the value";
            return Err(Error::Data(format!("value {value} in case {row}, column {column}; {remedy}")));
        }
        Ok(Dataset { inputs: device.tensor(inputs), binarize })
    }

    /// Number of cases.
    pub fn len(&self) -> usize {
        self.inputs.rows()
    }
    /// Whether there are none; never so for a data set that was made.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }
    /// Values of a case.
    pub fn columns(&self) -> usize {
        self.inputs.columns()
    }
    /// All cases as they were given.
    pub fn inputs(&self) -> &Tensor {
        &self.inputs
    }
    /// The device of the cases.
    pub fn device(&self) -> &Device {
        self.inputs.device()
    }

    /// The order of the cases in an epoch: a uniformly random permutation, a function of the key alone.
    pub fn order(&self, key: Key) -> Vec<usize> {
        let mut generator = key.generator();
        let mut order: Vec<usize> = (0..self.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, below(&mut generator, last as u64 + 1) as usize);
        }
        order
    }

    /// Fills `batch` with the cases of these numbers, drawn with `key` if they are to be binarised.
    pub fn fill(&self, batch: &mut Tensor, cases: &[usize], key: Key) {
        batch.view_mut().gather(&self.inputs, cases);
        if self.binarize == Binarize::EachTime {
            let binary = Expr::Uniform(key).less(crate::OLD);
            batch.assign(binary);
        }
    }

    /// The cases of these numbers in a tensor of their own.
    pub fn cases(&self, cases: &[usize], key: Key) -> Tensor {
        let mut batch = self.device().zeros(cases.len(), self.columns());
        self.fill(&mut batch, cases, key);
        batch
    }

    /// All cases with pixels drawn once: a fixed binarisation.
    pub fn binarized(&self, key: Key) -> Tensor {
        let mut all = self.device().zeros(self.len(), self.columns());
        all.assign(Expr::Uniform(key).less(x(&self.inputs)));
        all
    }
}

/// Uniform in 0..bound, without the bias of a plain remainder.
fn below(generator: &mut impl RngCore, bound: u64) -> u64 {
    loop {
        let word = generator.next_u64();
        // The last, incomplete run of `bound` values is refused.
        if word < u64::MAX - u64::MAX % bound {
            return word % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};

    #[test]
    fn an_order_is_a_permutation_and_depends_on_the_key_alone() {
        let data = Dataset::new(&Device::cpu(), Array2::zeros((50, 1)).view(), Binarize::Never).unwrap();
        let (first, again, other) =
            (data.order(Key::new(1)), data.order(Key::new(1)), data.order(Key::new(2)));
        assert_eq!(first, again);
        assert_ne!(first, other);
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn nan_is_refused_with_its_place() {
        let error =
            Dataset::new(&Device::cpu(), arr2(&[[0.0, f32::NAN]]).view(), Binarize::Never).unwrap_err();
        assert!(error.to_string().contains("case 0, column 1"), "{error}");
    }

    #[test]
    fn binarised_cases_have_the_mean_of_their_probability() {
        let inputs = Array2::from_elem((200, 100), 0.3f32);
        let data = Dataset::new(&Device::cpu(), inputs.view(), Binarize::EachTime).unwrap();
        let all: Vec<usize> = (0..200).collect();
        let batch = data.cases(&all, Key::new(5)).to_array().unwrap();
        assert!(batch.iter().all(|v| *v == 0.0 || *v == 1.0));
        let deviation = (0.3f64 * 0.7 / 20_000.0).sqrt();
        let mean = f64::from(batch.mean().unwrap());
        assert!((mean - 0.3).abs() < 4.0 * deviation, "{mean}");
    }
}
