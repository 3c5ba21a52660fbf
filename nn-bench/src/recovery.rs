//! Going on after a device was lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::data_checksum::DataChecksum;

/// After so many losses a run is left to the user.
const MOST: u32 = 3;

/// What became of a run that lost its device, perhaps several times.
#[derive(Debug)]
pub struct Recovery {
    folder: PathBuf,
    losses: u32,
    checkpoints: BTreeMap<String, String>,
}

impl Recovery {
    /// Nothing was lost yet in the run of this folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), losses: 0, checkpoints: BTreeMap::new() }
    }

    /// Counts a loss. Whether to go on: the first time in any case, later only if what is saved has changed since the
    /// loss before, so that a device that fails at the same place each time is not opened for ever.
    pub fn go_on_after_loss(&mut self) -> bool {
        let saved = checkpoints(&self.folder);
        let advanced = self.losses == 0 || saved != self.checkpoints;
        self.losses += 1;
        self.checkpoints = saved;
        advanced && self.losses <= MOST
    }

    /// How often the device was lost.
    pub fn losses(&self) -> u32 {
        self.losses
    }
}

/// The checkpoints in a folder, each with its check sum: one that is written again unchanged is no progress.
fn checkpoints(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let saved = files.filter(|file| file.file_name().to_string_lossy().starts_with("checkpoint-"));
    let sums = saved.filter_map(|file| DataChecksum::of_file(&file.path()).ok());
    sums.map(|sum| (sum.file, sum.sha256)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_while_it_advances_and_three_times_at_most() {
        let temporary = tempfile::tempdir().unwrap();
        let save = |text: &str| fs::write(temporary.path().join("checkpoint-rbm.safetensors"), text).unwrap();
        let mut stuck = Recovery::new(temporary.path());
        assert!(stuck.go_on_after_loss(), "the first time nothing need be saved");
        assert!(!stuck.go_on_after_loss(), "nothing was saved since");

        let mut advancing = Recovery::new(temporary.path());
        for step in ["1", "2", "3"] {
            save(step);
            assert!(advancing.go_on_after_loss());
        }
        save("4");
        assert!(!advancing.go_on_after_loss() && advancing.losses() == 4);
    }

    #[test]
    fn a_checkpoint_that_is_written_again_is_no_progress() {
        let temporary = tempfile::tempdir().unwrap();
        let save = |text: &str| fs::write(temporary.path().join("checkpoint-rbm.safetensors"), text).unwrap();
        let mut recovery = Recovery::new(temporary.path());
        save("same");
        assert!(recovery.go_on_after_loss());
        save("same");
        assert!(!recovery.go_on_after_loss());
    }
}
