//! Features of one layer under one protocol: codes of whitened patches, summed over quadrants, and linear machines on them.

mod centroids;
mod extraction;
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
/// Added to the variances along the directions of the patches by whitening.
const EPSILON: f64 = 0.1;
/// C of the linear machines.
const COST: f64 = 100.0;

/// Where centroids come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    KMeans,
    /// Whitened patches as they were drawn.
    Patches,
    /// Normal numbers, on average as long as whitened patches.
    Noise,
}

/// What is made of the distances of a patch to centroids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    /// How much nearer a centroid is than the mean.
    Triangle,
    /// 1 for the nearest, 0 for others.
    Hard,
}

/// What linear machines learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Codes { source: Source, code: Code, centroids: usize },
    Pixels,
}

impl Method {
    /// The stem of its metrics and its name in the results.
    fn metric(self) -> String {
        let Method::Codes { source, code, centroids } = self else { return "pixels".to_string() };
        let source = match source {
            Source::KMeans => "k_means",
            Source::Patches => "random_patches",
            Source::Noise => "random_filters",
        };
        let code = if code == Code::Triangle { "triangle" } else { "hard" };
        format!("{source}_{code}_{centroids}")
    }

    fn name(self) -> String {
        let Method::Codes { source, code, centroids } = self else { return "pixels".to_string() };
        let source = match source {
            Source::KMeans => "k-means",
            Source::Patches => "random patches",
            Source::Noise => "random filters",
        };
        let code = if code == Code::Triangle { "triangle" } else { "hard" };
        format!("{centroids} {source}, {code}")
    }
}

const fn codes(source: Source, code: Code, centroids: usize) -> Method {
    Method::Codes { source, code, centroids }
}

/// What a profile sets.
struct Recipe {
    /// CIFAR-10, or embedded digits: so many training images of each class that are labelled, and of test images.
    digits: Option<[usize; 2]>,
    patches: usize,
    k_means_steps: u64,
    methods: Vec<Method>,
    svm_steps: u64,
}

impl Recipe {
    fn of(profile: &str) -> Recipe {
        let five = |most: usize, width: usize| {
            let mut methods = vec![codes(Source::KMeans, Code::Triangle, most), Method::Pixels];
            let others = [
                codes(Source::KMeans, Code::Triangle, width),
                codes(Source::Noise, Code::Triangle, width),
                codes(Source::Patches, Code::Triangle, width),
                codes(Source::KMeans, Code::Hard, width),
            ];
            methods.extend(others.into_iter().filter(|method| !methods.contains(method)).collect::<Vec<_>>());
            methods
        };
        match profile {
            "quick" => Recipe {
                digits: Some([30, 20]),
                patches: 5000,
                k_means_steps: 10,
                methods: five(32, 32),
                svm_steps: 50,
            },
            "full" => Recipe {
                digits: None,
                patches: 400_000,
                k_means_steps: 50,
                methods: five(1600, 400),
                svm_steps: 300,
            },
            _ => Recipe {
                digits: Some([100, 100]),
                patches: 100_000,
                k_means_steps: 50,
                methods: five(400, 100),
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
    learned: BTreeMap<usize, Array2<f64>>,
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
            Whitening::of(patches.view(), WhiteningKind::Zca, EPSILON, None).while_doing(doing)?;
        let patches = whitening.apply(patches.view());
        Ok(Prepared { device, train, test, whitening, patches, learned: BTreeMap::new() })
    }

    /// Learns from the features of a method and tests.
    fn found(&mut self, run: &Run, recipe: &Recipe, method: Method, key: Key) -> Result<Found, RunError> {
        let (mut train, mut test) = match method {
            Method::Pixels => {
                (extraction::pixels(&self.device, &self.train), extraction::pixels(&self.device, &self.test))
            }
            Method::Codes { source, code, centroids } => {
                let centroids = self.centroids(run, recipe, source, centroids, key)?;
                let extraction = Extraction::new(&self.device, &self.whitening, &centroids, code)?;
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

    fn centroids(
        &mut self,
        run: &Run,
        recipe: &Recipe,
        source: Source,
        count: usize,
        key: Key,
    ) -> Result<Array2<f64>, RunError> {
        let key = key.fold_in(count as u64);
        match source {
            Source::KMeans => {
                if let Some(learned) = self.learned.get(&count) {
                    return Ok(learned.clone());
                }
                let (device, patches, steps) = (&self.device, self.patches.view(), recipe.k_means_steps);
                let learned = centroids::k_means(run, device, patches, count, steps, key)?;
                self.learned.insert(count, learned.clone());
                Ok(learned)
            }
            Source::Patches => centroids::patches(self.patches.view(), count, key),
            Source::Noise => Ok(centroids::noise(self.patches.view(), count, key)),
        }
    }
}

impl Experiment for SingleLayer {
    fn name(&self) -> &'static str {
        "single-layer"
    }

    fn title(&self) -> &'static str {
        "One layer of features: k-means against random filters and pixels"
    }

    fn summary(&self) -> &'static str {
        "centroids of whitened patches, codes of all patches of an image summed over quadrants, and linear machines on them: k-means against random patches, random filters, another code and pixels"
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
                duration: "about 20 minutes on 2 cores",
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
