//! Features of one layer under one protocol: codes of whitened patches, summed over quadrants, and linear machines on them.

mod centroids;
mod extraction;
mod filters;
mod patches;
mod report;
mod results;

use std::collections::BTreeMap;

use ndarray::Array2;
use nn_core::{Device, Key};
use nn_data::{Images, Whitening, WhiteningKind};

use crate::cifar_files;
use crate::digits::{DigitSet, Digits};
use crate::experiment::{Experiment, ProfileInfo};
use crate::l2_svm::L2Svm;
use crate::run::{Backend, Run};
use crate::run_error::{RunError, WhileDoing};
use extraction::Extraction;
use filters::{Filters, Learning};
use results::{Found, Results};

/// The experiment.
#[derive(Debug)]
pub struct SingleLayer;

// Purposes of the keys of a run.
const PATCHES: u64 = 1;
const CENTROIDS: u64 = 2;

/// Pixels on a side of a patch.
const SIDE: usize = 6;
/// Added to the variance of a patch whose values are grey values from 0 to 255.
const OFFSET: f64 = 10.0;
/// C of the linear machines.
const COST: f64 = 100.0;

/// Where filters come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    KMeans,
    /// Whitened patches as they were drawn.
    Patches,
    /// Normal numbers, on average as long as whitened patches.
    Noise,
    /// The atoms of a dictionary of sparse codes, each with both signs.
    Atoms,
    /// The encoder of a sparse autoencoder.
    Autoencoder,
    /// The weights of a sparse restricted Boltzmann machine.
    Rbm,
}

impl Source {
    /// The stem of metrics, and the name.
    fn names(self) -> [&'static str; 2] {
        match self {
            Source::KMeans => ["k_means", "k-means"],
            Source::Patches => ["random_patches", "random patches"],
            Source::Noise => ["random_filters", "random filters"],
            Source::Atoms => ["sparse_coding", "sparse coding"],
            Source::Autoencoder => ["sparse_autoencoder", "sparse autoencoder"],
            Source::Rbm => ["sparse_rbm", "sparse RBM"],
        }
    }
}

/// What is made of a whitened patch and the filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// How much nearer a centroid is than the mean.
    Triangle,
    /// 1 for the nearest, 0 for others.
    Hard,
    /// max(0, w·x + b): with b = −λ the first step of a sparse code.
    Threshold,
    /// σ(w·x + b), the mean of a hidden unit.
    Logistic,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Code::Triangle => "triangle",
            Code::Hard => "hard",
            Code::Threshold => "threshold",
            Code::Logistic => "logistic",
        }
    }
}

/// What linear machines learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Codes {
        source: Source,
        code: Code,
        count: usize,
        /// Whether features are those of an image and of its mirror image, on average.
        mirrored: bool,
    },
    Pixels,
}

impl Method {
    /// The stem of its metrics and its name in the results.
    fn metric(self) -> String {
        let Method::Codes { source, code, count, mirrored } = self else { return "pixels".to_string() };
        let mirrored = if mirrored { "_mirrored" } else { "" };
        format!("{}_{}{mirrored}_{count}", source.names()[0], code.name())
    }

    fn name(self) -> String {
        let Method::Codes { source, code, count, mirrored } = self else { return "pixels".to_string() };
        let mirrored = if mirrored { ", with mirror images" } else { "" };
        format!("{count} {}, {}{mirrored}", source.names()[1], code.name())
    }
}

const fn codes(source: Source, code: Code, count: usize) -> Method {
    Method::Codes { source, code, count, mirrored: false }
}

const fn mirrored(source: Source, code: Code, count: usize) -> Method {
    Method::Codes { source, code, count, mirrored: true }
}

/// What a profile sets.
struct Recipe {
    /// CIFAR-10, or embedded digits: so many training images of each class that are labelled, and of test images.
    digits: Option<[usize; 2]>,
    patches: usize,
    /// Added to the variances along the directions of the patches by whitening.
    epsilon: f64,
    k_means_steps: u64,
    /// Passes of autoencoders and Boltzmann machines through the patches.
    epochs: u64,
    methods: Vec<Method>,
    svm_steps: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let of = |most: usize, width: usize| {
            let mut methods = vec![codes(Source::KMeans, Code::Triangle, most), Method::Pixels];
            let others = [
                codes(Source::KMeans, Code::Triangle, width),
                codes(Source::Noise, Code::Triangle, width),
                codes(Source::Patches, Code::Triangle, width),
                codes(Source::KMeans, Code::Hard, width),
                codes(Source::Atoms, Code::Threshold, width),
                codes(Source::Autoencoder, Code::Logistic, width),
                codes(Source::Rbm, Code::Logistic, width),
            ];
            methods.extend(others.into_iter().filter(|method| !methods.contains(method)).collect::<Vec<_>>());
            methods
        };
        match profile {
            "quick" => Recipe {
                digits: Some([30, 20]),
                patches: 5000,
                epsilon: 0.1,
                k_means_steps: 10,
                epochs: 4,
                methods: of(32, 32),
                svm_steps: 50,
            },
            "full" => {
                let mut methods = of(1600, 400);
                // Mirrored digits are no digits.
                methods.insert(1, mirrored(Source::KMeans, Code::Triangle, 1600));
                methods.insert(4, mirrored(Source::KMeans, Code::Triangle, 400));
                Recipe {
                    digits: None,
                    patches: 400_000,
                    epsilon: 1.0,
                    k_means_steps: 50,
                    epochs: 10,
                    methods,
                    svm_steps: 600,
                }
            }
            _ => Recipe {
                digits: Some([100, 100]),
                patches: 100_000,
                epsilon: 0.1,
                k_means_steps: 50,
                epochs: 10,
                methods: of(400, 100),
                svm_steps: 300,
            },
        }
    }

    /// Training and test images with labels, and the images from which patches are drawn, if those are others.
    fn images(&self, run: &mut Run) -> Result<(Images, Images, Option<Images>), RunError> {
        let Some([train, test]) = self.digits else {
            let (train, test) = cifar_files::load(run)?;
            return Ok((train, test, None));
        };
        let doing = "choosing labelled digits";
        let digits = Digits::load(run, DigitSet::Embedded)?;
        let labelled = digits.train.first_of_each_class(train).while_doing(doing)?;
        let test = digits.test.rows(&(0..digits.test.len().min(10 * test)).collect::<Vec<_>>());
        Ok((labelled, test.while_doing(doing)?, Some(digits.train)))
    }
}

/// What all methods share.
struct Prepared {
    device: Device,
    train: Images,
    test: Images,
    whitening: Whitening,
    /// Whitened, patches × values.
    patches: Array2<f32>,
    /// Centroids of k-means that were learned before, by their number.
    learned: BTreeMap<usize, Filters>,
}

impl Prepared {
    fn new(run: &mut Run, recipe: &Recipe, key: Key) -> Result<Prepared, RunError> {
        let device = match run.backend {
            Backend::Cpu | Backend::Auto => Device::cpu(),
            Backend::Reference => Device::reference(),
            _ => return Err(run.backend_unsupported()),
        };
        let (train, test, others) = recipe.images(run)?;
        let _timer = run.phase("whitening patches");
        let patches = patches::random(others.as_ref().unwrap_or(&train), recipe.patches, key);
        let doing = "whitening patches";
        let whitening =
            Whitening::of(patches.view(), WhiteningKind::Zca, recipe.epsilon, None).while_doing(doing)?;
        let patches = whitening.apply(patches.view());
        Ok(Prepared { device, train, test, whitening, patches, learned: BTreeMap::new() })
    }

    /// Learns from the features of a method and tests.
    fn found(&mut self, run: &Run, recipe: &Recipe, method: Method, key: Key) -> Result<Found, RunError> {
        let (mut train, mut test) = match method {
            Method::Pixels => {
                (extraction::pixels(&self.device, &self.train), extraction::pixels(&self.device, &self.test))
            }
            Method::Codes { source, code, count, mirrored } => {
                let filters = self.filters(run, recipe, source, count, key)?;
                let mut extraction = Extraction::new(&self.device, &self.whitening, &filters, code)?;
                extraction.mirrored = mirrored;
                let train = extraction.features(run, &self.train, "training")?;
                (train, extraction.features(run, &self.test, "test")?)
            }
        };
        extraction::standardize(&mut train, &mut test);
        let [labels, test_labels] =
            [&self.train, &self.test].map(|images| images.labels().unwrap_or_default());
        let svm = L2Svm { cost: COST, steps: recipe.svm_steps };
        let machines = svm.learn(run, &train, labels, self.train.classes())?;
        Ok(Found {
            features: train.columns() - 1,
            train_error: machines.error_percent(&train, labels).while_doing("testing")?,
            test_error: machines.error_percent(&test, test_labels).while_doing("testing")?,
            objective: machines.objective,
            steps: machines.steps,
        })
    }

    fn filters(
        &mut self,
        run: &Run,
        recipe: &Recipe,
        source: Source,
        count: usize,
        key: Key,
    ) -> Result<Filters, RunError> {
        let (key, device, patches) = (key.fold_in(count as u64), &self.device, self.patches.view());
        let learning = Learning { run, device, patches, epochs: recipe.epochs };
        match source {
            Source::KMeans => {
                if let Some(learned) = self.learned.get(&count) {
                    return Ok(learned.clone());
                }
                let learned = centroids::k_means(run, device, patches, count, recipe.k_means_steps, key)?;
                self.learned.insert(count, learned.clone().into());
                Ok(learned.into())
            }
            Source::Patches => Ok(centroids::patches(patches, count, key)?.into()),
            Source::Noise => Ok(centroids::noise(patches, count, key).into()),
            Source::Atoms => learning.dictionary(count, key),
            Source::Autoencoder => learning.autoencoder(count, key),
            Source::Rbm => learning.rbm(count, key),
        }
    }
}

impl Experiment for SingleLayer {
    fn name(&self) -> &'static str {
        "single-layer"
    }

    fn title(&self) -> &'static str {
        "One layer of features: k-means, sparse coding, an autoencoder, a Boltzmann machine"
    }

    fn summary(&self) -> &'static str {
        "filters of whitened patches, codes of all patches of an image summed over quadrants, and linear machines on them: k-means, sparse coding, a sparse autoencoder and a sparse Boltzmann machine against random patches, random filters and pixels"
    }

    fn profiles(&self) -> &'static [ProfileInfo] {
        &[
            ProfileInfo { name: "quick", what: "32 centroids, 300 labelled digits", duration: "seconds" },
            ProfileInfo {
                name: "default",
                what: "400 and 100 centroids, 1,000 labelled digits",
                duration: "less than a minute",
            },
            ProfileInfo {
                name: "full",
                what: "1,600 and 400 centroids, CIFAR-10",
                duration: "about 40 minutes on 2 cores",
            },
        ]
    }

    fn run(&self, run: &mut Run) -> Result<(), RunError> {
        let (recipe, key) = (Recipe::of(&run.profile), Key::new(run.seed));
        report::describe(run, &recipe);
        let mut prepared = Prepared::new(run, &recipe, key.fold_in(PATCHES))?;
        report::images(run, &prepared);
        let mut results = Results::open(run);
        for &method in &recipe.methods {
            if results.of(&method.metric()).is_some() {
                continue;
            }
            let found = match prepared.found(run, &recipe, method, key.fold_in(CENTROIDS)) {
                // What was found before stays.
                Err(RunError::Interrupted { saved: None }) => {
                    return Err(run.stop_after_saving(results.save(run)?));
                }
                found => found?,
            };
            crate::progress::say(&format!("{}: test error {:.2} %", method.name(), found.test_error));
            results.add(method.metric(), found);
            results.save(run)?;
        }
        report::report(run, &recipe, &mut prepared, &results, key.fold_in(CENTROIDS))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::run::RunIdentity;
    use std::path::Path;
    use std::sync::Arc;

    /// A run of the quick profile.
    pub fn run(out: &Path) -> Run {
        let identity = RunIdentity {
            experiment: "single-layer".to_string(),
            profile: "quick".to_string(),
            backend: "cpu".to_string(),
            seed: 1,
        };
        Run::start(&identity, Backend::Cpu, None, out, false, Arc::default(), Arc::default()).unwrap()
    }

    #[test]
    fn profiles_begin_with_k_means_and_name_each_method_once() {
        for profile in SingleLayer.profiles() {
            let methods = Recipe::of(profile.name).methods;
            assert!(matches!(methods[0], Method::Codes { source: Source::KMeans, code: Code::Triangle, .. }));
            let names: std::collections::HashSet<_> = methods.iter().map(|method| method.metric()).collect();
            assert_eq!(names.len(), methods.len());
            assert!(methods.contains(&Method::Pixels));
        }
    }
}
