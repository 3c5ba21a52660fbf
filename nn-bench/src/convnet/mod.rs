//! `nn-bench convnet`: a network from files of cuda-convnet, trained and tested as that program does.

pub mod batches;
pub mod course;
pub mod magnitudes;
pub mod options;
mod report;
pub mod training;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nn_conv::convnet::Convnet;
use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{Device, Error, Key, Network, Sgd, SupervisedLearner};

use crate::command_line::ExperimentOptions;
use crate::devices::Devices;
use crate::environment::Environment;
use crate::execution::{data_folder, execute};
use crate::experiment::{Experiment, ProfileInfo};
use crate::report::WrittenReport;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::trial::Trial;
use batches::{Batch, Batches, Ranges};
use course::{Course, MINIBATCH};
use options::ConvnetOptions;
use training::{CHECKPOINT, Training, checkpoint_kind, evaluate, figures};

/// The name in run files, checkpoints and reports.
const NAME: &str = "convnet";
/// The only size of such a run: what its files and options say.
const FILES: ProfileInfo = ProfileInfo {
    name: "files",
    what: "what the layer and parameter files say",
    duration: "as long as told",
};
/// The model, when training is over.
const MODEL: &str = "model.safetensors";
const MODEL_KIND: &str = "convnet model";
/// Purposes of keys.
const WEIGHTS: u64 = 1;
const TRAINING: u64 = 2;

/// Trains as the options say and writes a report. A device that is lost is opened again, as for every experiment.
///
/// # Errors
///
/// Whatever is wrong with options, files, data or folders; [`RunError::Interrupted`] after Ctrl-C.
pub fn train(
    options: &ConvnetOptions,
    environment: &Environment,
    interrupted: Arc<AtomicBool>,
) -> Result<WrittenReport, RunError> {
    let experiments: [Box<dyn Experiment>; 1] = [Box::new(FromFiles { options: options.clone() })];
    execute(&experiments, &options.as_experiment(), environment, interrupted)
}

/// Tests what was learned into the output folder: the last checkpoint, or a model without one. Returns figures by name.
///
/// # Errors
///
/// Whatever is wrong with files, data or folders, and a folder without either.
pub fn test(
    options: &ConvnetOptions,
    environment: &Environment,
) -> Result<Vec<(&'static str, f64)>, RunError> {
    let experiment = options.as_experiment();
    let Some(data) = data_folder(&experiment, environment.data())? else {
        return Err(RunError::DataFolderNeeded { experiment: NAME.to_string() });
    };
    let setup = Setup::of(options, &data)?;
    let saved = [
        (CHECKPOINT, checkpoint_kind(options.backend.name(), options.seed)),
        (MODEL, MODEL_KIND.to_string()),
    ];
    let saved = saved.map(|(file, kind)| (options.out().join(file), kind));
    let Some((path, kind)) = saved.into_iter().find(|(path, _)| path.is_file()) else {
        return Err(RunError::NothingToResume { folder: options.out() });
    };
    let devices = Devices::new(environment.clone());
    let device = devices.open(options.backend, |device| setup.trial(device, Key::new(options.seed)))?.device;
    let mut network = setup.network(&device, Key::new(options.seed))?;
    let saved = Checkpoint::open(&path, &kind).while_doing("testing")?;
    saved.load_into(&mut network).while_doing("testing")?;
    let batches = setup.batches(&device, &setup.ranges.test, &network)?;
    Ok(figures(network.loss, evaluate(&network, &batches, options.multiview_test).while_doing("testing")?))
}

/// The experiment that files and options describe.
#[derive(Debug)]
struct FromFiles {
    options: ConvnetOptions,
}

/// A network and the data that it is for.
#[derive(Debug)]
struct Setup {
    convnet: Convnet,
    data: Batches,
    ranges: Ranges,
}

impl Setup {
    fn of(options: &ConvnetOptions, folder: &Path) -> Result<Setup, RunError> {
        let convnet = Convnet::read(&options.layers, &options.params).while_doing("reading the network")?;
        let doing = format!("opening the batches in {}", folder.display());
        let mut data = Batches::open(folder, convnet.channels()).while_doing(doing)?;
        let ranges = data.ranges(options).while_doing("choosing batches")?;
        data.find_mean(&ranges.train).while_doing("averaging the images")?;
        if let Some(border) = options.crop_border {
            data = data.in_parts(border.into()).while_doing("choosing parts of images")?;
        }
        Ok(Setup { convnet, data, ranges })
    }

    fn network(&self, device: &Device, key: Key) -> Result<Network, RunError> {
        let network = self.convnet.network(device, self.data.image(), key.fold_in(WEIGHTS));
        network.while_doing("making the network")
    }

    fn learner(&self, device: &Device, key: Key) -> Result<SupervisedLearner<Sgd>, RunError> {
        let network = self.network(device, key)?;
        let optimizer = self.convnet.optimizer(&network, &[]).while_doing("making the network")?;
        Ok(SupervisedLearner::new(network, optimizer))
    }

    fn batches(&self, device: &Device, numbers: &[u32], network: &Network) -> Result<Vec<Batch>, RunError> {
        self.data.load(device, numbers, network.loss, network.outputs())
    }

    /// The learner and its first minibatch.
    fn trial(&self, device: &Device, key: Key) -> Result<Trial, RunError> {
        let learner = self.learner(device, key)?;
        let first = self.ranges.train.first().or(self.ranges.test.first());
        let batches = self.batches(device, first.map_or(&[], std::slice::from_ref), &learner.network)?;
        let batch = batches.first().ok_or_else(|| Error::Data("there is no batch".to_string()));
        Ok(Trial::new(learner, &batch.while_doing("timing an update")?.data, MINIBATCH))
    }
}

impl Experiment for FromFiles {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        "A network from files of cuda-convnet"
    }

    fn summary(&self) -> &'static str {
        "Trains and tests what a layer file and a parameter file describe."
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[FILES]
    }

    fn command(&self, _: &ExperimentOptions) -> String {
        self.options.command()
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let (options, key) = (&self.options, Key::new(run.seed));
        let setup = Setup::of(options, run.data_folder()?)?;
        let device = run.device(|device| setup.trial(device, key))?;
        let network = setup.network(&device, key)?;
        report::describe(run, options, &setup, &network)?;
        let timer = run.phase("reading the batches");
        let train = setup.batches(&device, &setup.ranges.train, &network)?;
        let test = setup.batches(&device, &setup.ranges.test, &network)?;
        drop(timer);

        let batches = train.iter().map(|batch| (batch.number, batch.data.len())).collect();
        let course = Course { batches, epochs: options.epochs.unwrap_or_default() };
        let saved = training::checkpoint(run)?;
        let place = saved.as_ref().map_or(Ok(course.start()), |saved| {
            course.place(&saved.header().extra, saved.header().step).while_doing("resuming")
        })?;
        let optimizer = setup.convnet.optimizer(&network, &course.progress(place));
        let mut learner = SupervisedLearner::new(network, optimizer.while_doing("making the network")?);
        if let Some(saved) = saved {
            saved.load_into(&mut learner).while_doing("resuming")?;
        }
        let training = Training {
            run,
            cost: setup.convnet.cost(),
            course: &course,
            train: &train,
            test: &test,
            ten_views: options.multiview_test,
            test_every: options.test_freq.unwrap_or(train.len() as u64),
            key: key.fold_in(TRAINING),
        };
        let timer = run.phase("training");
        training.run(&mut learner, place)?;
        drop(timer);
        let tested = evaluate(&learner.network, &test, options.multiview_test).while_doing("testing")?;
        report::found(run, &learner, tested)?;
        let header = Header::new(MODEL_KIND, 0, key);
        checkpoint::save(&run.out().file(MODEL), &header, &learner.network).while_doing("saving the model")
    }
}
