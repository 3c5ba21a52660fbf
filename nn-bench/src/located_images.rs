//! Labelled images of a data set that a user downloads.

use nn_data::Images;

use crate::digits::cache_folder;
use crate::run::Run;
use crate::run_error::{RunError, WhileDoing};

/// Training and test images of a data set, from the folder of the data files or the cache. Their check sums go into the report.
///
/// # Errors
/// If files are absent, damaged, or do not belong together.
pub fn load(run: &mut Run, set: nn_data::Dataset) -> Result<[Images; 2], RunError> {
    let doing = "loading images";
    let files = nn_data::locate(set, run.data.as_deref(), &cache_folder()).while_doing(doing)?;
    for file in [&files.train_images, &files.train_labels, &files.test_images, &files.test_labels] {
        run.report.data_file(file)?;
    }
    let (train, test) = files.load().while_doing(doing)?;
    Ok([train, test])
}

/// Whether the files of a data set lie in the folder of the data files or the cache.
pub fn are_there(run: &Run, set: nn_data::Dataset) -> bool {
    nn_data::locate(set, run.data.as_deref(), &cache_folder()).is_ok()
}
