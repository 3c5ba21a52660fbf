//! A convolutional deep belief network: photographs below, objects of one class above.

mod filling;
mod images;
mod layers;
mod report;
mod specificity;

use ndarray::{Array2, ArrayView2, Axis, Slice};
use nn_core::{Binarize, Cases, Dataset, Device, Key, Sgd, checkpoint};
use nn_rbm::convolutional::ConvolutionalLearner;
use nn_rbm::{ConvolutionalDbn, ConvolutionalRbm};

use crate::experiment::{Experiment, ProfileInfo};
use crate::natural_images::NaturalSet;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};
use crate::training::Training;
use crate::trial::Trial;
use filling::Filling;
use images::{ObjectSet, Objects};
use layers::{Layer, relative_to};

/// The experiment.
#[derive(Debug)]
pub struct Cdbn;

// Purposes of the keys of a run.
const CROPS: u64 = 1;
const MACHINES: u64 = 2;
const TRAINING: u64 = 3;
const CONTROLS: u64 = 4;
const SHUFFLING: u64 = 5;
const FILLING: u64 = 6;

/// Pixels on a side of a crop of a photograph, and of an object.
const CROP: usize = 31;
const SIDE: usize = 45;

/// Images that pass through the layers together.
const AT_ONCE: usize = 100;

/// Crops from which it is known how often pooling units are on in photographs.
const MEASURED: usize = 500;

/// What a profile sets.
struct Recipe {
    photographs: NaturalSet,
    crops: usize,
    objects: ObjectSet,
    /// Of the class to learn from, and held out.
    counts: [usize; 2],
    /// σ of the pixels at first and from the middle of training on.
    deviations: [f32; 2],
    layers: [Layer; 2],
    filling: Filling,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let first = Layer {
            filter: 10,
            maps: 24,
            epochs: 30,
            batch: 10,
            rate: 0.03,
            decay: 0.05,
            bias: -0.7,
            sparsity: [0.006, 5.0],
            chains: 20,
        };
        let second = Layer {
            filter: 9,
            maps: 40,
            epochs: 40,
            batch: 10,
            rate: 0.5,
            decay: 1e-4,
            bias: -3.0,
            sparsity: [0.01, 1.0],
            chains: 20,
        };
        let default = Recipe {
            photographs: NaturalSet::Embedded,
            crops: 2000,
            objects: ObjectSet::WhatIsThere,
            counts: [1000, 100],
            deviations: [0.6, 0.4],
            layers: [first, second],
            filling: Filling { chains: 4, burn_in: 30, sweeps: 20 },
        };
        match profile {
            "quick" => Recipe {
                photographs: NaturalSet::DeadLeaves,
                objects: ObjectSet::Digits,
                crops: 200,
                counts: [40, 10],
                layers: [Layer { maps: 8, epochs: 3, ..first }, Layer { maps: 6, epochs: 3, ..second }],
                filling: Filling { chains: 2, burn_in: 5, sweeps: 5 },
                ..default
            },
            "full" => Recipe {
                photographs: NaturalSet::Folder,
                objects: ObjectSet::Clothes,
                crops: 4000,
                counts: [1000, 200],
                ..default
            },
            _ => default,
        }
    }

    fn train(
        &self,
        run: &Run,
        mut learner: ConvolutionalLearner<Sgd>,
        data: &Dataset,
        layer: usize,
        key: Key,
    ) -> Result<ConvolutionalRbm, RunError> {
        let Layer { epochs, batch, .. } = self.layers[layer];
        let stage = format!("layer{}", layer + 1);
        let key = key.fold_in(TRAINING).fold_in(layer as u64);
        let training = Training { stage: &stage, epochs, batch, key, measure_every: 1, save_every: 1 };
        training.run(run, &mut learner, data, data.first(AT_ONCE))?;
        Ok(learner.rbm)
    }
}

impl Experiment for Cdbn {
    fn name(&self) -> &'static str {
        "cdbn"
    }

    fn title(&self) -> &'static str {
        "A convolutional deep belief network: edges of photographs, parts of objects"
    }

    fn summary(&self) -> &'static str {
        "a first layer learns edges from photographs, a second one parts of objects of one class: how well single features tell the class from others, and hidden halves of objects filled in by the whole stack and from below alone"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo {
                name: "quick",
                what: "8 and 6 filters, dead leaves, 40 digits",
                duration: "seconds",
            },
            ProfileInfo {
                name: "default",
                what: "24 and 40 filters, the photographs that are part of the program, 1,000 ankle boots of Fashion-MNIST, or digits eight if there are none",
                duration: "about 3 minutes on 2 cores",
            },
            ProfileInfo {
                name: "full",
                what: "24 and 40 filters, the photographs in the folder of the data files, 1,000 ankle boots of Fashion-MNIST",
                duration: "about 5 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let recipe = Recipe::of(&run.profile);
        let key = Key::new(run.seed);
        report::describe(run, &recipe);
        let crops = images::crops(run, recipe.photographs, recipe.crops, key.fold_in(CROPS))?;
        let objects = Objects::load(run, recipe.objects, recipe.counts)?;
        let upload = |device: &Device| {
            Dataset::new(device, crops.view(), Binarize::Never).while_doing("uploading the crops")
        };
        let of_layer = |layer: u64| key.fold_in(MACHINES).fold_in(layer);
        let device = run.device(|device| {
            let data = upload(device)?;
            let learner = recipe.first(device, data.len(), of_layer(0))?;
            Ok(Trial::new(learner, &data, recipe.layers[0].batch))
        })?;
        let data = upload(&device)?;
        let first = recipe.first(&device, data.len(), of_layer(0))?;
        let first = recipe.train(run, first, &data, 0, key)?;
        report::edges(run, &first, key.fold_in(CONTROLS))?;
        let of_photographs = first.pool(&first.mean_hidden(&data.first(MEASURED).inputs));
        let of_photographs = of_photographs.to_array().while_doing("computing pooling units")?;

        let mut dbn = recipe.stack(&first)?;
        let units = pooled(&dbn, objects.train.view())?.swap_remove(0);
        let second = recipe.second(&dbn, units.view(), of_layer(1))?;
        let data = Cases::from(device.tensor(&units));
        let data = Dataset::on_device(data, Binarize::EachTime).while_doing("computing pooling units")?;
        let second = recipe.train(run, second, &data, 1, key)?;
        let (mut joint, doing) = (recipe.stack(&first)?, "putting a machine on top");
        joint.push(relative_to(of_photographs.view(), &second)?).while_doing(doing)?;
        dbn.push(second).while_doing(doing)?;
        let header = checkpoint::Header::new("cdbn model", 0, key);
        checkpoint::save(&run.out().file("model.safetensors"), &header, &dbn)
            .while_doing("saving the model")?;

        report::parts(run, &dbn, &objects)?;
        let found = specificity::compare(&mut dbn, &objects, key.fold_in(SHUFFLING))?;
        report::specificity(run, &objects, &found)?;
        let (ways, truth) = recipe.filling.fill_in(run, [&dbn, &joint], &objects, key.fold_in(FILLING))?;
        report::filling(run, &dbn, &ways, &truth)
    }
}

/// The probabilities of the pooling units of every layer for these images, from below alone, some images at a time.
fn pooled(dbn: &ConvolutionalDbn, images: ArrayView2<'_, f32>) -> Result<Vec<Array2<f32>>, RunError> {
    let lengths = dbn.layers().iter().map(|rbm| rbm.geometry().pooled_len());
    let mut all: Vec<Array2<f32>> = lengths.map(|len| Array2::zeros((images.nrows(), len))).collect();
    for start in (0..images.nrows()).step_by(AT_ONCE) {
        let rows = Slice::from(start..images.nrows().min(start + AT_ONCE));
        let some = dbn.layers()[0].device().tensor(images.slice_axis(Axis(0), rows));
        for (all, own) in all.iter_mut().zip(dbn.features(&some)) {
            let own = own.to_array().while_doing("computing pooling units")?;
            all.slice_axis_mut(Axis(0), rows).assign(&own);
        }
    }
    Ok(all)
}
