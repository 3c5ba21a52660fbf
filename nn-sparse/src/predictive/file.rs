//! What was learned in a file, so that learning goes on where it stopped.

use std::path::Path;

use ndarray::Axis;
use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{Error, Key};

use super::{PredictiveDecomposition, Predictor};

impl PredictiveDecomposition {
    /// Writes `atoms`, `weights`, `biases` and `gains` in double precision. The step of the file is the number of updates;
    /// `kind` and `key` say of which run it is. The file is written whole or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, kind: &str, key: Key) -> Result<(), Error> {
        let Predictor { weights, biases, gains } = &self.predictor;
        let matrices = [
            ("atoms", self.atoms.view()),
            ("weights", weights.view()),
            ("biases", biases.view().insert_axis(Axis(0))),
            ("gains", gains.view().insert_axis(Axis(0))),
        ];
        checkpoint::save_matrices(path, &Header::new(kind, self.updates, key), &matrices)
    }

    /// Goes on from a file that [`save`](Self::save) wrote: further updates give the bits that they would have given there.
    /// The model has to be of the same sizes, and of the same settings, which are no part of the file.
    ///
    /// # Errors
    ///
    /// If the file is of other sizes or holds something else; nothing was changed then.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (count, values) = self.atoms.dim();
        let row = |name| Ok::<_, Error>(checkpoint.matrix(name, [1, count])?.index_axis_move(Axis(0), 0));
        let atoms = checkpoint.matrix("atoms", [count, values])?;
        let weights = checkpoint.matrix("weights", [count, values])?;
        let predictor = Predictor { weights, biases: row("biases")?, gains: row("gains")? };
        if !(predictor.is_finite() && atoms.iter().all(|value| value.is_finite())) {
            return Err(Error::Data("the file holds atoms or a predictor that are not finite".to_string()));
        }
        (self.atoms, self.predictor, self.updates) = (atoms, predictor, checkpoint.header().step);
        Ok(())
    }
}
