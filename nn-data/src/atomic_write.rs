//! Writing of whole files: a reader sees the old file or the complete new one, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::DataError;

/// Writes a file under a temporary name in the same folder, brings it to the disk and renames it to `path`.
///
/// On an error the temporary file is removed and `path` is as it was.
pub(crate) fn write_atomically(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), DataError> {
    let temporary = temporary_name(path);
    let outcome = (|| {
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        let mut writer = BufWriter::with_capacity(1 << 16, file);
        content(&mut writer)?;
        writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, path)
    })();
    outcome.map_err(|reason| {
        // The fault that led here is the one to report, not that of the cleaning.
        let _ = fs::remove_file(&temporary);
        DataError::from_io(path, "write", reason)
    })
}

/// A name beside `path` that no other writer, of this process or another, uses.
fn temporary_name(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}-{}.new", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, |writer| writer.write_all(b"old")).unwrap();
        let outcome = write_atomically(&path, |writer| {
            writer.write_all(b"half of the new")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(outcome.unwrap_err().to_string().contains("the disk is full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        write_atomically(&path, |writer| writer.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_absent_folder_is_an_error_that_names_the_file() {
        let error = write_atomically(Path::new("no/such/folder/file"), |_| Ok(())).unwrap_err();
        assert!(error.to_string().starts_with("no/such/folder/file: cannot write"), "{error}");
    }
}
