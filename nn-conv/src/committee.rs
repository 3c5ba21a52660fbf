//! Averages of the outputs of several networks, or of one network on several views.

use nn_core::{Error, Network, OLD, Parameters, Tensor, View, parameters, x};

/// A multi-column network: columns that were trained apart, each on inputs prepared in its own way, and the mean of their
/// predictions (Ciresan, Meier and Schmidhuber, "Multi-column deep neural networks for image classification", 2012).
///
/// Parameters: those of each column under its number, such as `0.conv1.weights`.
#[derive(Debug)]
pub struct Committee {
    columns: Vec<Network>,
}

impl Committee {
    /// A committee of these networks.
    ///
    /// # Errors
    /// [`Error::Setting`] without columns, or if they have different numbers of outputs.
    pub fn new(columns: Vec<Network>) -> Result<Committee, Error> {
        let Some(outputs) = columns.first().map(Network::outputs) else {
            return Err(Error::setting("columns of a committee", 0, "it needs at least one"));
        };
        if let Some((at, other)) = columns.iter().enumerate().find(|(_, c)| c.outputs() != outputs) {
            let allowed = format!("column 0 has {outputs}");
            return Err(Error::setting(&format!("outputs of column {at}"), other.outputs(), &allowed));
        }
        Ok(Committee { columns })
    }

    /// The columns.
    pub fn columns(&self) -> &[Network] {
        &self.columns
    }

    /// The mean of what the columns predict, cases × outputs, each from its own inputs. Waits for nothing.
    ///
    /// # Panics
    /// If there is not one input for each column, inputs do not fit, or they have different numbers of cases.
    #[track_caller]
    pub fn predict(&self, inputs: &[View<'_>]) -> Tensor {
        assert!(
            inputs.len() == self.columns.len(),
            "{} inputs for {} columns",
            inputs.len(),
            self.columns.len()
        );
        mean(self.columns.iter().zip(inputs).map(|(column, inputs)| column.predict(*inputs)))
    }
}

/// The mean of at least one tensor.
#[track_caller]
pub(crate) fn mean(predictions: impl Iterator<Item = Tensor>) -> Tensor {
    let predictions: Vec<Tensor> = predictions.collect();
    let mut out = predictions[0].device().zeros(predictions[0].rows(), predictions[0].columns());
    average(&mut out, &predictions.iter().map(Tensor::view).collect::<Vec<_>>());
    out
}

impl Parameters for Committee {
    fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
        for (at, column) in self.columns.iter().enumerate() {
            parameters::visit_under(&at.to_string(), column, see);
        }
    }
    fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
        for (at, column) in self.columns.iter_mut().enumerate() {
            parameters::visit_mut_under(&at.to_string(), column, see);
        }
    }
}

/// out = the mean of the members' outputs, each cases × outputs.
///
/// Of class probabilities this is what a [`Committee`] says, and what multi-view testing says, where the members are one
/// network on several [`Views`](crate::Views) of a case.
///
/// # Panics
/// Without members, or if their shapes differ from that of `out`.
#[track_caller]
pub fn average(out: &mut Tensor, members: &[View<'_>]) {
    assert!(!members.is_empty(), "an average of nothing");
    for member in members {
        let [given, wanted] = [[member.rows(), member.columns()], [out.rows(), out.columns()]];
        assert!(given == wanted, "outputs of {given:?} in an average of {wanted:?}");
    }
    out.assign(members[0]);
    for member in &members[1..] {
        out.assign(OLD + x(*member));
    }
    out.assign(OLD * (1.0 / members.len() as f64));
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use nn_core::{Activation, Device, Key, Loss, init::Initialization};

    fn column(device: &Device, inputs: usize, outputs: usize, seed: u64) -> Network {
        let (draw, loss) = (Initialization::Normal { deviation: 1.0 }, Loss::CrossEntropy);
        Network::perceptron(device, &[inputs, 4, outputs], Activation::Tanh, draw, loss, Key::new(seed))
            .unwrap()
    }

    #[test]
    fn columns_with_inputs_of_their_own_vote_with_probabilities() {
        let device = Device::reference();
        let committee = Committee::new(vec![column(&device, 3, 2, 1), column(&device, 5, 2, 2)]).unwrap();
        let inputs = [device.full(2, 3, 0.5), device.full(2, 5, -0.5)];
        let found = committee.predict(&inputs.each_ref().map(Tensor::view)).to_array_f64().unwrap();
        let of = |at: usize| committee.columns()[at].predict(inputs[at].view()).to_array_f64().unwrap();
        assert!((&found - (of(0) + of(1)) / 2.0).iter().all(|difference| difference.abs() < 1e-12));
        assert!((found.sum() - 2.0).abs() < 1e-12);
        let mut names = Vec::new();
        committee.visit(&mut |name, _| names.push(name.to_string()));
        assert_eq!(names[4], "1.hidden1.weights");
    }

    #[test]
    fn committees_that_cannot_agree_are_refused() {
        let device = Device::cpu();
        let message = |columns| Committee::new(columns).unwrap_err().to_string();
        assert_eq!(message(vec![]), "columns of a committee is 0, but it needs at least one");
        let columns = vec![column(&device, 3, 2, 1), column(&device, 3, 4, 1)];
        assert_eq!(message(columns), "outputs of column 1 is 4, but column 0 has 2");
    }

    #[test]
    fn the_mean_of_three_members() {
        let device = Device::reference();
        let members = [[[0.25, 0.75]], [[0.5, 0.5]], [[0.75, 0.25]]].map(|p| device.tensor_f64(&arr2(&p)));
        let mut out = device.zeros(1, 2);
        average(&mut out, &members.each_ref().map(Tensor::view));
        assert_eq!(out.to_array_f64().unwrap(), arr2(&[[0.5, 0.5]]));
    }

    #[test]
    #[should_panic(expected = "outputs of [1, 3] in an average of [1, 2]")]
    fn members_of_another_shape_are_refused() {
        let device = Device::reference();
        average(&mut device.zeros(1, 2), &[device.zeros(1, 3).view()]);
    }
}
