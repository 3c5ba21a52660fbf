//! The objects of scenes, and which of them are the class.

use nn_data::Images;

use crate::digits::{DigitSet, Digits};
use crate::located_images;
use crate::run::Run;
use crate::run_error::RunError;

/// Where objects come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectSet {
    /// The digits that are part of the program.
    Digits,
    /// The clothes of Fashion-MNIST, from the folder of the data files or the cache.
    Clothes,
}

impl ObjectSet {
    /// The label of the class.
    pub(super) fn class(self) -> u8 {
        match self {
            ObjectSet::Digits => 0,
            ObjectSet::Clothes => 1,
        }
    }

    /// What an object of the class is called, and what the others are.
    pub(super) fn words(self) -> [&'static str; 2] {
        match self {
            ObjectSet::Digits => ["digit 0", "the other digits"],
            ObjectSet::Clothes => ["a pair of trousers", "the other nine kinds of clothes and bags"],
        }
    }

    /// Training and test images with labels.
    ///
    /// # Errors
    /// If files are absent or damaged.
    pub(super) fn load(self, run: &mut Run) -> Result<[Images; 2], RunError> {
        match self {
            ObjectSet::Digits => {
                Digits::load(run, DigitSet::Embedded).map(|Digits { train, test }| [train, test])
            }
            ObjectSet::Clothes => located_images::load(run, nn_data::Dataset::FashionMnist),
        }
    }
}
