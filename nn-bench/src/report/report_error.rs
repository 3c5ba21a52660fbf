//! What a report refuses and what keeps it from being written.

use std::io;
use std::path::PathBuf;

use crate::output_folder::OutputFolderError;
use crate::picture::PictureError;

/// What a report refuses, or why it could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A number that is no number, or infinite.
    #[error(
        "{what} is {value}, which a report does not take; find out what diverged: a smaller learning rate \
             often helps"
    )]
    NotFinite {
        /// Which number: `metric 'test error'`.
        what: String,
        /// Its value.
        value: f64,
    },
    /// A picture's file name would be one of another kind.
    #[error("picture '{stem}': name it with letters, digits, '-' and '_' only")]
    PictureName {
        /// The name given.
        stem: String,
    },
    /// A row of a table is longer or shorter than the header.
    #[error("table '{title}': row {row} has {found} cells and the header {wanted}; give every row the same")]
    TableRow {
        /// The table's title.
        title: String,
        /// Which row, from 0.
        row: usize,
        /// Its cells.
        found: usize,
        /// The header's cells.
        wanted: usize,
    },
    /// A data file could not be read for its checksum.
    #[error("cannot read the data file {}: {reason}; see that it is there and readable", file.display())]
    DataFile {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// A file of the report could not be written.
    #[error(transparent)]
    OutputFolder(#[from] OutputFolderError),
    /// A picture could not be encoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The page could not be put together. This is a mistake in the program.
    #[error("cannot put the report together: {0}; please report this as a mistake in nn-bench")]
    Page(String),
}
