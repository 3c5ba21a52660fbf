//! Everything that can go wrong with data, each as one line that names the file or array, the fault and the
//! remedy.

use std::io;
use std::path::{Path, PathBuf};

/// A fault in data, in a file of data, or in a request for data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file that was asked for by its path does not exist.
    #[error("{path}: there is no such file; check the path, or put the file there")]
    Absent {
        /// The file.
        path: PathBuf,
    },

    /// An official file of a data set is in none of the folders where it is looked for.
    #[error(
        "{path}: {dataset} is not complete without this file ({note}); download {address}, check that its \
         unpacked SHA-256 is {sha256}, and put it into {}",
        folder_of(.path)
    )]
    DatasetAbsent {
        /// Name of the data set.
        dataset: &'static str,
        /// Where the file was expected.
        path: PathBuf,
        /// Why it was not obtained in another way.
        note: &'static str,
        /// Official address of the packed file.
        address: String,
        /// SHA-256 of the unpacked content, in hexadecimal.
        sha256: &'static str,
    },

    /// The operating system refused an operation on a file.
    #[error("{path}: cannot {action} ({reason}); check the path, its permissions and the free space")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried: "read", "write" and so on.
        action: &'static str,
        /// The system's answer.
        reason: io::Error,
    },

    /// A gzip file ends before its content does.
    #[error(
        "{path}: the gzip data is cut off after {unpacked} unpacked bytes; the copy or download is \
         incomplete, obtain the file again"
    )]
    TruncatedGzip {
        /// The file.
        path: PathBuf,
        /// Bytes that could still be unpacked.
        unpacked: u64,
    },

    /// A gzip file whose content contradicts itself (bad code, wrong CRC, foreign bytes behind its end).
    #[error("{path}: the gzip data is damaged ({reason}); obtain the file again")]
    DamagedGzip {
        /// The file.
        path: PathBuf,
        /// What the decoder found.
        reason: io::Error,
    },

    /// The first four bytes are not those of the kind of IDX file that was asked for.
    #[error(
        "{path}: the magic number is 0x{found:08x}, which is {found_kind}, but {wanted_kind} begin with \
         0x{wanted:08x}; give the right file"
    )]
    WrongMagic {
        /// The file.
        path: PathBuf,
        /// The number found, read as big-endian.
        found: u32,
        /// What that number stands for.
        found_kind: &'static str,
        /// The number wanted.
        wanted: u32,
        /// What was wanted.
        wanted_kind: &'static str,
    },

    /// An IDX file is shorter than its header, or than its header says.
    #[error(
        "{path}: {found} bytes of {part}, but the format and the header's counts ask for {wanted}; the file \
         is cut off or its header is damaged, obtain it again"
    )]
    TooShort {
        /// The file.
        path: PathBuf,
        /// "header", "labels" or "pixels".
        part: &'static str,
        /// Unpacked bytes found.
        found: u128,
        /// Unpacked bytes wanted.
        wanted: u128,
    },

    /// An IDX file goes on after the data that its header announces.
    #[error(
        "{path}: {extra} bytes follow the {wanted} bytes of {part} that the header announces; the header or \
         the file is damaged, obtain it again"
    )]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// "labels" or "pixels".
        part: &'static str,
        /// Unpacked bytes that the header announces after itself.
        wanted: u128,
        /// Unpacked bytes beyond them.
        extra: u128,
    },

    /// Images without pixels.
    #[error(
        "{origin}: images of {height} by {width} pixels with {channels} channels hold nothing; every one of \
         the three has to be at least 1"
    )]
    EmptyImage {
        /// The file or array.
        origin: String,
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
        /// Values a pixel.
        channels: usize,
    },

    /// An array does not have the width that the size of its images asks for.
    #[error("{origin}: rows of {found} values, but {wanted_by} ask for {wanted}; reshape the array")]
    RowLength {
        /// The file or array.
        origin: String,
        /// Values a row.
        found: usize,
        /// What sets the wanted length.
        wanted_by: String,
        /// Wanted values a row.
        wanted: usize,
    },

    /// More items than a 32-bit count in an IDX header can express.
    #[error("{path}: {count} {what} do not fit the 32-bit counts of an IDX header; write several files")]
    TooManyForIdx {
        /// The file that was to be written.
        path: PathBuf,
        /// Of what there are too many.
        what: &'static str,
        /// How many.
        count: usize,
    },

    /// Labels and images differ in number.
    #[error("{origin}: {labels} labels for {images} images; pair each image file with its own label file")]
    LabelCount {
        /// The files or arrays.
        origin: String,
        /// Number of labels.
        labels: usize,
        /// Number of images.
        images: usize,
    },

    /// A label that is not smaller than the number of classes.
    #[error(
        "{origin}: label {index} is {label}, but with {classes} classes labels go from 0 to {}; correct the \
         label or the number of classes",
        .classes.saturating_sub(1)
    )]
    LabelRange {
        /// The file or array.
        origin: String,
        /// Position of the first such label, from 0.
        index: usize,
        /// The label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },

    /// A number of classes that labels of one byte cannot express.
    #[error("{origin}: {classes} classes cannot be labelled with one byte; give 1 to 256")]
    ClassCount {
        /// The file or array.
        origin: String,
        /// Number of classes.
        classes: usize,
    },

    /// Labels were needed, but the images have none.
    #[error("{action} needs labels, and these images have none; load them with their label file")]
    Unlabelled {
        /// What needs them.
        action: &'static str,
    },

    /// Too few examples of a class.
    #[error("class {class} has {found} examples, but {wanted} were asked for; ask for fewer or load more")]
    TooFewOfClass {
        /// The class.
        class: usize,
        /// Examples there are.
        found: usize,
        /// Examples asked for.
        wanted: usize,
    },

    /// A row that does not exist was selected.
    #[error(
        "row {row} was selected, but there are {rows} rows, 0 to {}; correct the index",
        .rows.saturating_sub(1)
    )]
    RowRange {
        /// The row asked for.
        row: usize,
        /// Number of rows.
        rows: usize,
    },

    /// A value that is to be a probability or an intensity lies outside [0, 1] or is not a number.
    #[error(
        "{origin}: the value in row {row}, column {column} is {value}, outside [0, 1]; scale the data, for \
         example with Images::to_f32"
    )]
    OutsideUnitInterval {
        /// The array.
        origin: String,
        /// Row of the first such value in row-major order, from 0.
        row: usize,
        /// Its column, from 0.
        column: usize,
        /// The value.
        value: f32,
    },

    /// A setting outside the range in which it has a meaning.
    #[error("{name} is {value}; {allowed}")]
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// The value given.
        value: String,
        /// Which values are allowed, as a clause.
        allowed: String,
    },

    /// The check sum of a file is not the official one.
    #[error(
        "{path}: the SHA-256 of the unpacked content is {found}, not the official {wanted}; delete the file \
         and obtain it again"
    )]
    SumMismatch {
        /// The file.
        path: PathBuf,
        /// The sum found.
        found: String,
        /// The official sum.
        wanted: String,
    },

    /// The files of another data set with the same file names.
    #[error("{path}: these are the files of {found}, not of {wanted}; give the folder that holds {wanted}")]
    OtherDataset {
        /// The file by which it was recognised.
        path: PathBuf,
        /// The data set found.
        found: &'static str,
        /// The data set wanted.
        wanted: &'static str,
    },

    /// A file whose content is not what its format asks for.
    #[error("{origin}: {place}: {fault}; {remedy}")]
    Malformed {
        /// The file; inside an archive, the archive and the name there.
        origin: String,
        /// Where in it: a byte, an entry, a record.
        place: String,
        /// What is wrong there.
        fault: String,
        /// What to do.
        remedy: &'static str,
    },

    /// A data set is in none of the forms in which it could be read.
    #[error("{folder}: {dataset} is not here; looked for {looked_for}; give the folder that holds it")]
    NotFound {
        /// The folder that was searched.
        folder: PathBuf,
        /// What was looked for.
        dataset: &'static str,
        /// Names that were tried.
        looked_for: String,
    },

    /// Images that were to form one set differ in size.
    #[error(
        "{first} has {} by {} pixels, {second} has {} by {}; give a size to which all are brought, or \
         images of one size",
        .first_size[0], .first_size[1], .second_size[0], .second_size[1]
    )]
    MixedSizes {
        /// The first image.
        first: String,
        /// Its height and width.
        first_size: [usize; 2],
        /// The first image of another size.
        second: String,
        /// Its height and width.
        second_size: [usize; 2],
    },

    /// What was asked for needs a part of this crate that was not compiled.
    #[error("{path}: nn-data was compiled without its feature '{feature}'; compile with it to read this")]
    NeedsFeature {
        /// The file or folder.
        path: PathBuf,
        /// The feature.
        feature: &'static str,
    },

    /// A download failed.
    #[error(
        "{path}: cannot download {address} ({reason}); run again to resume, or obtain the file in another \
         way, check that its unpacked SHA-256 is {sha256}, and put it into {}",
        folder_of(.path)
    )]
    Download {
        /// Where the file was to be put.
        path: PathBuf,
        /// The address.
        address: String,
        /// What went wrong.
        reason: String,
        /// SHA-256 of the unpacked content, in hexadecimal.
        sha256: &'static str,
    },

    /// Another process is downloading into the same folder.
    #[error("{folder}: another process is downloading into this folder; wait for it, or give another folder")]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
}

/// The folder to put a file into.
fn folder_of(path: &Path) -> std::path::Display<'_> {
    path.parent().unwrap_or(path).display()
}

impl DataError {
    /// A fault in the content of a file.
    pub(crate) fn malformed(
        path: &Path,
        place: impl Into<String>,
        fault: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        let origin = path.display().to_string();
        Self::Malformed { origin, place: place.into(), fault: fault.into(), remedy }
    }

    /// A fault of the operating system, with the special case of a file that does not exist.
    pub(crate) fn from_io(path: &Path, action: &'static str, reason: io::Error) -> Self {
        if action == "read" && reason.kind() == io::ErrorKind::NotFound {
            Self::Absent { path: path.into() }
        } else {
            Self::Io { path: path.into(), action, reason }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_one_line_that_names_file_fault_and_remedy() {
        let error = DataError::LabelRange { origin: "labels.gz".into(), index: 7, label: 12, classes: 10 };
        assert_eq!(
            error.to_string(),
            "labels.gz: label 7 is 12, but with 10 classes labels go from 0 to 9; correct the label or the \
             number of classes"
        );
        let error = DataError::TruncatedGzip { path: "a.gz".into(), unpacked: 5 };
        assert!(size_of::<DataError>() <= 104, "errors are returned by value everywhere");
        assert!(!error.to_string().contains('\n') && !error.to_string().contains("  "), "{error}");
    }
}
