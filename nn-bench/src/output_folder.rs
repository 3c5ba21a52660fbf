//! The folder of one run: every file in it is either the old one or the new one, never a half.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why the folder cannot be used or a file in it not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputFolderError {
    /// The folder does not exist and cannot be made, or cannot be written to.
    #[error("cannot write to the output folder {}: {reason}; choose another --out", folder.display())]
    NotWritable {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// Another process runs an experiment into the same folder.
    #[error("another run is writing to {}; wait for it or choose another --out", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The disk or the quota is full.
    #[error("disk full: {bytes} bytes needed for {}; free space or choose another --out", file.display())]
    DiskFull {
        /// The file that did not fit.
        file: PathBuf,
        /// Its size.
        bytes: usize,
    },
    /// A file could not be written for another reason.
    #[error("cannot write {}: {reason}; see that the folder still exists or choose another --out", file.display())]
    NotWritten {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
}

/// A folder that was found writable and belongs to this process until dropped.
#[derive(Debug)]
pub struct OutputFolder {
    path: PathBuf,
    /// Holds the lock; the operating system releases it however the process ends.
    _lock: File,
}

impl OutputFolder {
    /// Makes the folder if it is not there, locks it and checks that a file can be created in it.
    ///
    /// # Errors
    ///
    /// [`OutputFolderError::NotWritable`], or [`OutputFolderError::Busy`] if another process has it.
    pub fn open(path: &Path) -> Result<Self, OutputFolderError> {
        let not_writable = |reason| OutputFolderError::NotWritable { folder: path.to_path_buf(), reason };
        fs::create_dir_all(path).map_err(not_writable)?;
        part_file(path).map_err(not_writable)?;
        let lock = File::create(path.join(".lock")).map_err(not_writable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OutputFolderError::Busy { folder: path.to_path_buf() });
            }
            // A file system without locks is no reason not to run.
            Err(TryLockError::Error(_)) => {}
        }
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the file `name` in the folder, whether or not it exists.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the file `name`: under a temporary name, to the disk, and then renamed into place.
    ///
    /// # Errors
    ///
    /// [`OutputFolderError::DiskFull`] or [`OutputFolderError::NotWritten`]; the file that was there
    /// before, if any, is then still there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, OutputFolderError> {
        let file = self.file(name);
        let attempt = || -> io::Result<()> {
            let mut part = part_file(&self.path)?;
            part.write_all(bytes)?;
            part.as_file().sync_all()?;
            part.persist(&file).map_err(|error| error.error)?;
            // The rename itself reaches the disk with the folder. Not every system can sync a folder.
            if let Ok(folder) = File::open(&self.path) {
                let _ = folder.sync_all();
            }
            Ok(())
        };
        attempt().map_err(|error| not_written(&file, bytes.len(), error))?;
        Ok(file)
    }
}

fn part_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".part-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any other new file: for whom the umask allows, not for the owner only.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

fn not_written(file: &Path, bytes: usize, reason: io::Error) -> OutputFolderError {
    let file = file.to_path_buf();
    match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            OutputFolderError::DiskFull { file, bytes }
        }
        _ => OutputFolderError::NotWritten { file, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_replace_and_leave_nothing_else() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(&temporary.path().join("a/b")).unwrap();
        folder.write("x.txt", b"old").unwrap();
        let path = folder.write("x.txt", b"new").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"new");
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".lock", "x.txt"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_refused_with_its_path() {
        let temporary = tempfile::tempdir().unwrap();
        let plain_file = temporary.path().join("occupied");
        fs::write(&plain_file, b"").unwrap();
        let message = OutputFolder::open(&plain_file.join("out")).unwrap_err().to_string();
        assert!(message.contains("occupied") && message.contains("--out"), "{message}");
    }

    #[test]
    fn a_second_run_in_the_same_folder_is_refused_until_the_first_ends() {
        let temporary = tempfile::tempdir().unwrap();
        let first = OutputFolder::open(temporary.path()).unwrap();
        let second = OutputFolder::open(temporary.path());
        assert!(matches!(second, Err(OutputFolderError::Busy { .. })));
        drop(first);
        OutputFolder::open(temporary.path()).unwrap();
    }

    #[test]
    fn a_full_disk_is_named_with_the_bytes_and_the_file() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let message = not_written(Path::new("runs/a/report.html"), 4096, full).to_string();
        assert_eq!(
            message,
            "disk full: 4096 bytes needed for runs/a/report.html; free space or choose another --out"
        );
    }

    #[test]
    fn a_vanished_folder_is_an_error_value() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(&temporary.path().join("gone")).unwrap();
        fs::remove_dir_all(folder.path()).unwrap();
        let message = folder.write("x", b"").unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains("gone"), "{message}");
    }
}
