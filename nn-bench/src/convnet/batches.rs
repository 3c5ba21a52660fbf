//! The batches of a data folder: numbered files of images with labels, and the mean image that is subtracted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{Array1, Array2, Axis};
use nn_core::{Binarize, Dataset, Device, Error, Loss};
use nn_data::augment::{RandomCrops, mean_image};
use nn_data::cifar::{Cifar, Form};
use nn_data::convnet_batches::ConvnetBatches;
use nn_data::{DataError, Images};

use super::options::{BatchRange, ConvnetOptions};
use crate::augmentation::at_random_places;
use crate::digits::classes_of;
use crate::run_error::{RunError, WhileDoing};

/// Images of a batch of CIFAR-10, for forms of it whose training set is one file.
const CIFAR_BATCH: usize = 10_000;
/// Channels that are tried where the layer file does not say how many there are.
const USUAL_CHANNELS: [usize; 2] = [3, 1];

/// What a report says of CIFAR-10 as a tree of image files.
pub const OF_IMAGE_FILES: &str = "The images were read from a copy as one image file each. If these are JPEG files their \
                                  pixels are altered, and the error is not that of the official files.";

/// A data folder.
#[derive(Debug)]
pub struct Batches {
    source: Source,
    /// Whether they were read from image files.
    pub of_image_files: bool,
    image: [usize; 3],
    mean: Option<Array1<f32>>,
    /// Pixels on each side of an image that its parts lack, if parts are seen.
    border: Option<usize>,
}

#[derive(Debug)]
enum Source {
    Convnet(ConvnetBatches),
    /// Training and test images, and their files.
    Cifar(Box<[Images; 2]>, Vec<PathBuf>),
}

/// Which batches are for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// To learn from, ascending.
    pub train: Vec<u32>,
    /// To be tested on, ascending.
    pub test: Vec<u32>,
}

/// A batch on a device.
#[derive(Debug)]
pub struct Batch {
    /// Its number.
    pub number: u32,
    /// Images or their centres less the mean image, and one-hot labels where the loss is about these; minibatches hold parts
    /// at random places, if parts are seen.
    pub data: Dataset,
    /// The images whose parts are seen.
    pub parts: Option<Arc<RandomCrops>>,
}

impl Batches {
    /// Opens a folder as cuda-convnet has it, or any form of CIFAR-10.
    ///
    /// # Errors
    /// If there is neither, a file is damaged, or images are no squares of so many channels.
    pub fn open(folder: &Path, channels: Option<usize>) -> Result<Batches, DataError> {
        // The official Python files of CIFAR-10 have a batches.meta, too.
        if !folder.join("batches.meta").is_file() || folder.join("test_batch").is_file() {
            let files = Cifar::Ten.find(folder)?;
            let (train, test) = files.load()?;
            let image = [train.height(), train.width(), train.channels()];
            let mean = Some(mean_image(train.pixels())?);
            let of_image_files = files.form == Form::ImageTree;
            let mut paths = files.train;
            paths.push(files.test);
            paths.dedup();
            let source = Source::Cifar(Box::new([train, test]), paths);
            return Ok(Batches { source, of_image_files, image, mean, border: None });
        }
        let open = |channels: usize| ConvnetBatches::open(folder, channels);
        let source = match channels {
            Some(channels) => open(channels)?,
            None => open(USUAL_CHANNELS[0]).or_else(|_| open(USUAL_CHANNELS[1]))?,
        };
        let (image, mean) = ([source.side(), source.side(), source.channels()], source.mean().cloned());
        Ok(Batches { source: Source::Convnet(source), of_image_files: false, image, mean, border: None })
    }

    /// The same folder, of whose images a network sees parts that are so many pixels smaller on each side.
    ///
    /// # Errors
    /// [`Error::Setting`] if nothing would be left.
    pub fn in_parts(mut self, border: usize) -> Result<Batches, Error> {
        let [height, width, _] = self.image;
        if height.min(width) <= 2 * border {
            let allowed = format!("nothing would be left of images of {height}×{width}");
            return Err(Error::setting("--crop-border", border, &allowed));
        }
        self.border = Some(border);
        Ok(self)
    }

    /// Height, width and channels of what a network sees.
    pub fn image(&self) -> [usize; 3] {
        let [height, width, channels] = self.image;
        let less = 2 * self.border.unwrap_or(0);
        [height - less, width - less, channels]
    }

    /// The numbers of the batches, ascending.
    pub fn numbers(&self) -> Vec<u32> {
        match &self.source {
            Source::Convnet(source) => source.numbers(),
            Source::Cifar(images, _) => (1..=images[0].len().div_ceil(CIFAR_BATCH) as u32 + 1).collect(),
        }
    }

    /// The batches that options ask for.
    ///
    /// # Errors
    /// [`Error::Setting`] for a range with a batch that is not there, or without any.
    pub fn ranges(&self, options: &ConvnetOptions) -> Result<Ranges, Error> {
        let numbers = self.numbers();
        let there = numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let given = |name: &str, range: BatchRange| {
            let chosen: Vec<u32> = numbers.iter().copied().filter(|number| range.contains(*number)).collect();
            let wanted = u64::from(range.last) - u64::from(range.first) + 1;
            let refuse =
                || Error::setting(name, range, &format!("the data folder holds the batches {there}"));
            if chosen.len() as u64 == wanted { Ok(chosen) } else { Err(refuse()) }
        };
        let (last, before) = numbers.split_last().map_or((0, &[][..]), |(last, before)| (*last, before));
        let train = match options.train_range {
            Some(range) => given("--train-range", range)?,
            None if before.is_empty() && !options.test_only => {
                let allowed = "there is one batch only, which is for testing; give both ranges";
                return Err(Error::setting("--train-range", "missing", allowed));
            }
            None => before.to_vec(),
        };
        let test = options.test_range.map_or(Ok(vec![last]), |range| given("--test-range", range))?;
        Ok(Ranges { train, test })
    }

    /// The files of these batches.
    pub fn files(&self, numbers: &[u32]) -> Result<Vec<PathBuf>, DataError> {
        match &self.source {
            Source::Convnet(source) => {
                let files = numbers.iter().map(|number| source.files(*number));
                Ok(files.collect::<Result<Vec<_>, _>>()?.concat())
            }
            Source::Cifar(_, files) => Ok(files.iter().filter(|file| file.is_file()).cloned().collect()),
        }
    }

    /// Images as they stand in the file, and classes.
    fn read(&self, number: u32) -> Result<(Array2<f32>, Vec<usize>), DataError> {
        if let Source::Convnet(source) = &self.source {
            let batch = source.read(number)?;
            return Ok((batch.values, batch.labels.into_iter().map(|label| label as usize).collect()));
        }
        let images = self.images(number)?;
        Ok((images.pixels().mapv(f32::from), classes_of(&images)))
    }

    /// The same as images, if pixels are bytes.
    fn images(&self, number: u32) -> Result<Images, DataError> {
        let images = match &self.source {
            Source::Convnet(source) => return source.images(&[number]),
            Source::Cifar(images, _) => images,
        };
        let first = (number as usize - 1) * CIFAR_BATCH;
        let [train, test] = &**images;
        if first >= train.len() {
            return Ok(test.clone());
        }
        let rows: Vec<usize> = (first..train.len().min(first + CIFAR_BATCH)).collect();
        train.rows(&rows)
    }

    /// The images of a batch whose parts are seen, and the classes.
    fn parts(&self, number: u32, size: [usize; 2]) -> Result<(RandomCrops, Vec<usize>), DataError> {
        let images = self.images(number)?;
        let labels = classes_of(&images);
        let parts = RandomCrops::new(images, size, true)?;
        Ok((
            match &self.mean {
                Some(mean) => parts.less(mean.view()),
                None => parts,
            },
            labels,
        ))
    }

    /// Takes the mean of these batches as the mean image, unless the folder has one.
    ///
    /// # Errors
    /// If a batch cannot be read.
    pub fn find_mean(&mut self, numbers: &[u32]) -> Result<(), DataError> {
        if self.mean.is_some() {
            return Ok(());
        }
        let values: usize = self.image.iter().product();
        let (mut sum, mut cases) = (Array1::<f64>::zeros(values), 0);
        for number in numbers {
            let (values, labels) = self.read(*number)?;
            sum += &values.mapv(f64::from).sum_axis(Axis(0));
            cases += labels.len();
        }
        if cases == 0 {
            let allowed = "batches.meta has no data_mean, so give --train-range".to_string();
            return Err(DataError::Setting {
                name: "the number of images to average",
                value: "0".into(),
                allowed,
            });
        }
        self.mean = Some(sum.mapv(|sum| (sum / cases as f64) as f32));
        Ok(())
    }

    /// Reads batches and copies them to a device: for a loss about classes, with labels of as many as there are outputs.
    ///
    /// # Errors
    /// If a batch cannot be read, is empty, or has a label that is no output; if parts are seen, also for pixels that are no
    /// bytes and a loss that is not about classes.
    pub fn load(
        &self,
        device: &Device,
        numbers: &[u32],
        loss: Loss,
        outputs: usize,
    ) -> Result<Vec<Batch>, RunError> {
        let load = |number: &u32| {
            let doing = || format!("reading batch {number}");
            let network = format!("{}, for a network of {outputs} outputs", doing());
            let labelled = |inputs: Array2<f32>, labels: &[usize]| {
                Dataset::labelled(device, inputs.view(), labels, outputs).while_doing(&network)
            };
            if self.border.is_some() {
                let [height, width, _] = self.image();
                let (parts, labels) = self.parts(*number, [height, width]).while_doing(doing())?;
                let parts = Arc::new(parts);
                let data = at_random_places(labelled(parts.view(parts.centre()), &labels)?, &parts)?;
                return Ok(Batch { number: *number, data, parts: Some(parts) });
            }
            let (mut inputs, labels) = self.read(*number).while_doing(doing())?;
            if let Some(mean) = &self.mean {
                inputs -= mean;
            }
            let data = match loss {
                Loss::CrossEntropy => labelled(inputs, &labels)?,
                _ => Dataset::new(device, inputs.view(), Binarize::Never).while_doing(&network)?,
            };
            Ok(Batch { number: *number, data, parts: None })
        };
        if let Some(border) = self.border
            && loss != Loss::CrossEntropy
        {
            let refused =
                Error::setting("--crop-border", border, "it is for networks that tell classes apart");
            return Err(refused).while_doing("reading the batches");
        }
        numbers.iter().map(load).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A record of CIFAR-10: a label, and planes of one value.
    fn record(label: u8, value: u8) -> Vec<u8> {
        [vec![label], vec![value; 3072]].concat()
    }

    #[test]
    fn any_form_of_cifar_10_is_training_batches_and_a_test_batch() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
        for number in 1..=5 {
            put(&format!("data_batch_{number}.bin"), record(number, 10 * number));
        }
        put("test_batch.bin", record(9, 40));
        // Ten thousand images are a batch: five are one, and the next is for testing.
        let batches = Batches::open(folder.path(), Some(3)).unwrap();
        assert_eq!((batches.numbers(), batches.image()), (vec![1, 2], [32, 32, 3]));
        assert_eq!(batches.read(1).unwrap().1, [1, 2, 3, 4, 5]);
        assert_eq!(batches.files(&[1]).unwrap().len(), 6);
        let load = |number, outputs| batches.load(&Device::cpu(), &[number], Loss::CrossEntropy, outputs);
        let test = load(2, 10).unwrap();
        // 40 less the mean of 10 to 50.
        assert_eq!(test[0].data.inputs().to_array().unwrap()[[0, 3071]], 10.0);
        assert_eq!(test[0].data.targets().unwrap().to_array().unwrap()[[0, 9]], 1.0);
        let refused = load(2, 9).unwrap_err().to_string();
        assert!(refused.contains("batch 2, for a network of 9 outputs: label 9 of case 0"), "{refused}");
        let images = batches.load(&Device::cpu(), &[1], Loss::SquaredError, 3072).unwrap();
        assert!(images[0].data.targets().is_none());
    }
}
