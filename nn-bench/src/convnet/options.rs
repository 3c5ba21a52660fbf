//! The options of `nn-bench convnet`, named as those of cuda-convnet where they are the same.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use crate::command_line::ExperimentOptions;
use crate::execution::quoted;
use crate::run::Backend;

/// Examples for the help.
pub const EXAMPLES: &str = "\
Examples:
  nn-bench convnet --layers layers-80sec.cfg --params layer-params-80sec.cfg --data cifar-10-py-colmajor --epochs 8
  (divide epsW and epsB in layer-params-80sec.cfg by 10)
  nn-bench convnet --layers layers-80sec.cfg --params layer-params-80sec.cfg --data cifar-10-py-colmajor --epochs 10 \\
      --resume
  nn-bench convnet --layers layers-80sec.cfg --params layer-params-80sec.cfg --data cifar-10-py-colmajor --test-only

The folder of the data has batches.meta and data_batch_1, data_batch_2 and so on, as cuda-convnet reads them; of any other
form of CIFAR-10, batches 1 to 5 are the training files, and 6 is the test file. Files, options, and what differs from
cuda-convnet: docs/convnet-files.md.

Ctrl-C saves and stops, and the last line says how to go on; a second Ctrl-C stops at once.
Exit codes: 0 done; 2 something is wrong, the message says what to do; 130 interrupted.";

/// Which files, which batches, how long.
#[derive(Debug, Clone, Args)]
pub struct ConvnetOptions {
    /// The layer file
    #[arg(long, value_name = "FILE")]
    pub layers: PathBuf,

    /// The parameter file; read anew with --resume, so that rates can be changed
    #[arg(long, value_name = "FILE")]
    pub params: PathBuf,

    /// The folder of the batches [default: the environment variable NN_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Batches to train on: A-B, or one [default: all but the last]
    #[arg(long, value_name = "A-B")]
    pub train_range: Option<BatchRange>,

    /// Batches to test on, all of them at each test [default: the last]
    #[arg(long, value_name = "A-B")]
    pub test_range: Option<BatchRange>,

    /// Train until so many epochs are done, those before --resume counted
    #[arg(long, value_name = "N", required_unless_present = "test_only")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub epochs: Option<u64>,

    /// Batches between two tests, each of which also saves [default: those of an epoch]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub test_freq: Option<u64>,

    /// Learn from parts of images that are this many pixels smaller on each side, at random places, half of them mirrored,
    /// and test on the centre
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..))]
    pub crop_border: Option<u16>,

    /// Test on ten parts of each image, the corners and the centre and these mirrored, and average what the network says
    #[arg(long, requires = "crop_border")]
    pub multiview_test: bool,

    /// Where to write [default: runs/convnet-LAYERS-BACKEND, LAYERS being the name of the layer file]
    #[arg(long, visible_alias = "save-path", value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Go on where an interrupted or finished run stopped
    #[arg(long)]
    pub resume: bool,

    /// Only test what was learned into --out
    #[arg(long, conflicts_with = "resume")]
    pub test_only: bool,

    /// What to compute with; all but cpu and reference need a program built with --features gpu
    #[arg(long, value_enum, default_value = "cpu")]
    pub backend: Backend,

    /// Where all random numbers begin; the same seed gives the same run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

impl ConvnetOptions {
    /// The folder to write to.
    pub fn out(&self) -> PathBuf {
        let stem = self.layers.file_stem().unwrap_or_default().to_string_lossy();
        let name = format!("convnet-{stem}-{}", self.backend.name());
        self.out.clone().unwrap_or_else(|| Path::new("runs").join(name))
    }

    /// What these options are to the runner of experiments.
    pub(super) fn as_experiment(&self) -> ExperimentOptions {
        ExperimentOptions {
            name: Some(super::NAME.to_string()),
            list: false,
            names: false,
            profile: super::FILES.name.to_string(),
            backend: self.backend,
            data: self.data.clone(),
            seed: self.seed,
            out: Some(self.out()),
            resume: self.resume,
        }
    }

    /// The command that does the same again.
    pub fn command(&self) -> String {
        let mut words = vec!["cargo xtask convnet".to_string()];
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.map(|value| match value.is_empty() {
                true => format!("--{name}"),
                false => format!("--{name} {}", quoted(&value)),
            }));
        };
        let path = |path: &Path| Some(path.to_string_lossy().into_owned());
        option("layers", path(&self.layers));
        option("params", path(&self.params));
        option("data", self.data.as_deref().and_then(path));
        option("train-range", self.train_range.map(|range| range.to_string()));
        option("test-range", self.test_range.map(|range| range.to_string()));
        option("epochs", self.epochs.map(|epochs| epochs.to_string()));
        option("test-freq", self.test_freq.map(|every| every.to_string()));
        option("crop-border", self.crop_border.map(|border| border.to_string()));
        option("multiview-test", self.multiview_test.then(String::new));
        option("backend", Some(self.backend.name().to_string()));
        option("seed", Some(self.seed.to_string()));
        option("out", self.out.as_deref().and_then(path));
        words.join(" ")
    }
}

/// Numbers of batches, the last one included: `1-4`, or `5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchRange {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl BatchRange {
    /// Whether it holds a batch.
    pub fn contains(self, number: u32) -> bool {
        (self.first..=self.last).contains(&number)
    }
}

impl FromStr for BatchRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = first.parse().ok().zip(last.parse().ok());
        let range = range.map(|(first, last)| Self { first, last }).filter(|range| range.first <= range.last);
        range.ok_or_else(|| {
            "give numbers of batches as in 1-4, the smaller one first, or one number".to_string()
        })
    }
}

impl fmt::Display for BatchRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_they_are_written() {
        for text in ["1-4", "5", "0-0"] {
            let range: BatchRange = text.parse().unwrap();
            assert_eq!(range.to_string(), text.replace("0-0", "0"));
        }
        assert!("1-4".parse::<BatchRange>().unwrap().contains(4));
        for text in ["", "4-1", "1-", "a", "1-2-3", "1,2"] {
            assert!(text.parse::<BatchRange>().is_err(), "{text}");
        }
    }
}
