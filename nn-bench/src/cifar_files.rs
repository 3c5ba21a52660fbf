//! The photographs of CIFAR-10 that experiments learn from.

use nn_data::Images;
use nn_data::cifar::{Cifar, Form};

use crate::convnet::batches::OF_IMAGE_FILES;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Training and test images of CIFAR-10 from the folder of the data files; their check sums go into the report.
///
/// # Errors
/// If no folder was named, or files are absent, damaged, or do not belong together.
pub fn load(run: &mut Run) -> Result<(Images, Images), RunError> {
    let doing = "loading images";
    let files = Cifar::Ten.find(run.data_folder()?).while_doing(doing)?;
    if files.form == Form::ImageTree {
        run.report.note(OF_IMAGE_FILES);
    }
    let mut read = files.train.clone();
    read.push(files.test.clone());
    read.dedup();
    for file in read.iter().filter(|file| file.is_file()) {
        run.report.data_file(file)?;
    }
    let timer = run.phase("reading the images");
    let images = files.load().while_doing(doing)?;
    drop(timer);
    Ok(images)
}
