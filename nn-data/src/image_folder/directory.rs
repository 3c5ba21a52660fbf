//! Images in a directory.

use std::fs;
use std::path::Path;

use super::{Found, is_hidden, is_image, misplaced};
use crate::DataError;
use crate::unpack::read_whole;

/// Shows every class and every image below `root`, both in the order of their names.
pub(super) fn visit(root: &Path, found: &mut Found<'_>) -> Result<(), DataError> {
    for (class, is_folder) in entries(root)? {
        if !is_folder {
            if is_image(&class) {
                return Err(misplaced(root, &class));
            }
            continue;
        }
        found.class(&class);
        let folder = root.join(&class);
        for (name, is_folder) in entries(&folder)? {
            if is_folder {
                return Err(misplaced(&folder, &name));
            }
            if is_image(&name) {
                let path = folder.join(&name);
                let bytes = read_whole(&path, super::decode::LONGEST_FILE)?;
                found.image(&class, &name, &bytes, &path.display().to_string())?;
            }
        }
    }
    Ok(())
}

/// Names in a folder that are not hidden, sorted, and whether each is a folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(String, bool)>, DataError> {
    let failed = |reason| DataError::from_io(folder, "read", reason);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().into_string().map_err(|name| {
            let place = format!("'{}'", name.to_string_lossy());
            DataError::malformed(folder, place, "a name that is not UTF-8", "rename it")
        })?;
        if !is_hidden(&name) {
            entries.push((name, entry.path().is_dir()));
        }
    }
    entries.sort_unstable();
    Ok(entries)
}
