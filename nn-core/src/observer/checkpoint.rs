//! Saves the learner now and then, and when training is interrupted.

use crate::{
    Error,
    checkpoint::{self, Header},
    fit::{Flow, Observer, Record, Seen},
};
use std::{collections::HashMap, path::PathBuf};

/// Writes everything that a resumed run needs.
#[derive(Debug)]
pub struct SaveCheckpoint {
    /// Updates between two checkpoints.
    pub every: u64,
    /// Where; replaced whole each time.
    pub path: PathBuf,
    /// What the file belongs to.
    pub kind: String,
    /// Further entries for its header.
    pub extra: HashMap<String, String>,
}

impl SaveCheckpoint {
    fn save(&self, seen: &Seen<'_>) -> Result<(), Error> {
        let header = Header { extra: self.extra.clone(), ..Header::new(&self.kind, seen.update, seen.key) };
        checkpoint::save(&self.path, &header, seen.learner)
    }
}

impl Observer for SaveCheckpoint {
    fn every(&self) -> u64 {
        self.every
    }
    fn see(&mut self, seen: &Seen<'_>, _: &mut Record) -> Result<Flow, Error> {
        self.save(seen)?;
        Ok(Flow::Continue)
    }
    fn end(&mut self, seen: &Seen<'_>) -> Result<(), Error> {
        self.save(seen)
    }
}
