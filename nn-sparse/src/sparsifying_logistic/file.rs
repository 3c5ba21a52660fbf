//! What was learned in a file, so that learning goes on where it stopped.

use std::path::Path;

use ndarray::Axis;
use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{Error, Key};

use super::SparsifyingLogisticLearner;

impl SparsifyingLogisticLearner {
    /// Writes `atoms`, `encoder` and `log_averages` (1 × atoms, log ζ) in double precision. The step of the file is the number
    /// of samples; `kind` and `key` say of which run it is. The file is written whole or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, kind: &str, key: Key) -> Result<(), Error> {
        let averages = self.log_averages.view().insert_axis(Axis(0));
        let matrices =
            [("atoms", self.atoms.view()), ("encoder", self.encoder.view()), ("log_averages", averages)];
        checkpoint::save_matrices(path, &Header::new(kind, self.samples, key), &matrices)
    }

    /// Goes on from a file that [`save`](Self::save) wrote: further samples give the bits that they would have given there. The
    /// settings are no part of the file.
    ///
    /// # Errors
    ///
    /// If the file is of other sizes or holds something else; nothing was changed then.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (count, values) = self.atoms.dim();
        let (atoms, encoder) =
            (checkpoint.matrix("atoms", [count, values])?, checkpoint.matrix("encoder", [count, values])?);
        let averages = checkpoint.matrix("log_averages", [1, count])?;
        (self.atoms, self.encoder) = (atoms, encoder);
        (self.log_averages, self.samples) = (averages.row(0).to_owned(), checkpoint.header().step);
        Ok(())
    }
}
