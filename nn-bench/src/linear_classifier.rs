//! A softmax on features, its weight decay chosen on cases that were held out.

use nn_core::init::Initialization;
use nn_core::layer::Dense;
use nn_core::network::named;
use nn_core::{
    Activation, Binarize, Cases, Dataset, Error, Fit, Key, Loss, Network, Penalty, Schedule, Sgd,
    SupervisedLearner, Tensor,
};

use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// How a softmax on features of a mean squared length near 1 learns.
#[derive(Clone, Copy, Debug)]
pub struct LinearClassifier {
    /// Passes through the labelled cases.
    pub epochs: u64,
    /// Cases of a minibatch.
    pub batch: usize,
    /// Rate at first; it falls linearly to 0.
    pub rate: f32,
    /// Decays (L2) to choose from.
    pub decays: &'static [f32],
}

/// What was chosen, and the share of the test cases that is classified wrongly, in percent.
#[derive(Clone, Copy, Debug)]
pub struct Classified {
    /// The chosen decay.
    pub decay: f32,
    /// In percent.
    pub test_error: f64,
}

const MOMENTUM: f32 = 0.9;

impl LinearClassifier {
    /// Learns from all but every fifth case with each decay, takes the one that is best on the others (of equals the
    /// largest), and learns with it from all.
    ///
    /// # Errors
    /// If there are fewer than five cases, training turns non-finite, the device failed, or the run is interrupted.
    pub fn test(&self, run: &Run, train: &Dataset, test: &Dataset, key: Key) -> Result<Classified, RunError> {
        let (held_out, kept): (Vec<usize>, Vec<usize>) = (0..train.len()).partition(|case| case % 5 == 4);
        let part = |cases: &[usize]| Dataset::on_device(train.cases(cases, key), Binarize::Never);
        let (kept, held_out) = (part(&kept)?, part(&held_out)?);
        let (mut decay, mut least) = (0.0, f64::INFINITY);
        for &tried in self.decays {
            let error = self.error(run, &kept, &held_out, tried, key)?;
            if error < least || error == least && tried > decay {
                (decay, least) = (tried, error);
            }
        }
        Ok(Classified { decay, test_error: 100.0 * self.error(run, train, test, decay, key)? })
    }

    fn error(
        &self,
        run: &Run,
        train: &Dataset,
        test: &Dataset,
        decay: f32,
        key: Key,
    ) -> Result<f64, RunError> {
        let doing = "learning a softmax on features";
        let batch = self.batch.min(train.len());
        let mut learner = self.learner(train, batch, decay).while_doing(doing)?;
        let fit = Fit::new(self.epochs, batch, key);
        let ending = fit.run(&mut learner, train, &mut [], &run.interruption_flag()).while_doing(doing)?;
        if let nn_core::Ending::Interrupted(_) = ending {
            return Err(run.stop_without_saving());
        }
        let Cases { inputs, .. } = test.all();
        let found = learner.network.evaluate(inputs.view(), test.all().targets_or_inputs().view());
        Ok(found.while_doing(doing)?.error)
    }

    fn learner(&self, train: &Dataset, batch: usize, decay: f32) -> Result<SupervisedLearner<Sgd>, Error> {
        let classes = train.targets().map_or(0, Tensor::columns);
        let (device, zeros) = (train.device(), Initialization::Zeros);
        let dense = Dense::new(device, train.columns(), classes, Activation::Identity, zeros, Key::new(0))?;
        let network = Network::new(vec![named("output", dense)], Loss::CrossEntropy)?;
        let updates = self.epochs * (train.len() / batch) as u64;
        let rate = Schedule::Linear { from: self.rate, to: 0.0, updates };
        let sgd = Sgd::new(&network, rate, MOMENTUM, Penalty::l2(decay))?;
        Ok(SupervisedLearner::new(network, sgd))
    }
}
