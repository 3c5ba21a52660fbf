//! What was learned in a file, so that learning goes on where it stopped.

use std::path::Path;

use nn_core::checkpoint::{self, Checkpoint, Header};
use nn_core::{Error, Key};

use super::DictionaryLearner;
use crate::Dictionary;

/// The entry of the header that says how many atoms were replaced.
const REPLACED: &str = "replaced";

impl DictionaryLearner {
    /// Writes the atoms and both moving means in double precision: `atoms`, `squares` and `products`. The step of the file
    /// is the number of updates; `kind` and `key` say of which run it is. The file is written whole or not at all.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, kind: &str, key: Key) -> Result<(), Error> {
        let mut header = Header::new(kind, self.updates, key);
        header.extra.insert(REPLACED.to_string(), self.replaced.to_string());
        let atoms = ("atoms", self.dictionary.atoms());
        let means = [("squares", self.squares.view()), ("products", self.products.view())];
        checkpoint::save_matrices(path, &header, &[atoms, means[0], means[1]])
    }

    /// Goes on from a file that [`save`](Self::save) wrote: further updates give the bits that they would have given there.
    /// The learner has to be of the same sizes, and of the same λ, which is no part of the file.
    ///
    /// # Errors
    ///
    /// If the file is of other sizes or holds something else; nothing was changed then.
    pub fn load(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let (atoms, values) = (self.dictionary.len(), self.dictionary.values());
        let dictionary = Dictionary::new(checkpoint.matrix("atoms", [atoms, values])?)?;
        let squares = checkpoint.matrix("squares", [atoms, atoms])?;
        let products = checkpoint.matrix("products", [atoms, values])?;
        let replaced = checkpoint.header().extra.get(REPLACED).and_then(|count| count.parse().ok());
        let no_count =
            || Error::Data("the file of a dictionary does not say how many atoms were replaced".into());
        self.replaced = replaced.ok_or_else(no_count)?;
        self.updates = checkpoint.header().step;
        (self.dictionary, self.squares, self.products) = (dictionary, squares, products);
        Ok(())
    }
}
