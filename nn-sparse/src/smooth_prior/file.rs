//! What was learned in a file, so that learning goes on where it stopped.

use std::path::Path;

use ndarray::Axis;
use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{Error, Key};

use super::SmoothPriorLearner;
use crate::Dictionary;

impl SmoothPriorLearner {
    /// Writes the atoms and the variances in double precision: `atoms` and `variances` (1 × atoms). The step of the file is the
    /// number of updates; `kind` and `key` say of which run it is. The file is written whole or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, kind: &str, key: Key) -> Result<(), Error> {
        let variances = self.variances.view().insert_axis(Axis(0));
        let matrices = [("atoms", self.dictionary.atoms()), ("variances", variances)];
        checkpoint::save_matrices(path, &Header::new(kind, self.updates, key), &matrices)
    }

    /// Goes on from a file that [`save`](Self::save) wrote: further updates give the bits that they would have given there. The
    /// settings are no part of the file.
    ///
    /// # Errors
    ///
    /// If the file is of other sizes or holds something else; nothing was changed then.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (atoms, values) = (self.dictionary.len(), self.dictionary.values());
        let dictionary = Dictionary::new(checkpoint.matrix("atoms", [atoms, values])?)?;
        let variances = checkpoint.matrix("variances", [1, atoms])?.row(0).to_owned();
        (self.dictionary, self.variances, self.updates) = (dictionary, variances, checkpoint.header().step);
        Ok(())
    }
}
