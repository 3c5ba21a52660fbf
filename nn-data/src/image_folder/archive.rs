//! Images in a tar archive. Nothing is unpacked to the disk.

use std::io::{self, Read};
use std::path::{Component, Path};

use tar::{Archive, Entry};

use super::decode::LONGEST_FILE;
use super::{Found, is_hidden, is_image, misplaced};
use crate::DataError;
use crate::unpack::Unpacked;

/// Shows every class and every image of an archive, in its order.
pub(super) fn visit(path: &Path, part: &str, found: &mut Found<'_>) -> Result<(), DataError> {
    let mut archive = Archive::new(Unpacked::open(path)?);
    match entries(&mut archive, path, part, found) {
        Ok(()) => {
            // Reading on to the end verifies the check sum of the gzip stream.
            archive.into_inner().drain(|_| ())?;
            Ok(())
        }
        Err(Fault::Data(error)) => Err(error),
        Err(Fault::Stream(reason)) => match archive.into_inner().fault(reason) {
            DataError::Io { reason, .. } => {
                let fault = format!("no tar archive, or a damaged one ({reason})");
                Err(DataError::malformed(path, "the archive", fault, "obtain it again"))
            }
            other => Err(other),
        },
    }
}

/// A fault of the archive, or of what is in it.
enum Fault {
    Stream(io::Error),
    Data(DataError),
}

impl From<io::Error> for Fault {
    fn from(reason: io::Error) -> Self {
        Self::Stream(reason)
    }
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

fn entries(
    archive: &mut Archive<Unpacked<'_>>,
    path: &Path,
    part: &str,
    found: &mut Found<'_>,
) -> Result<(), Fault> {
    let mut bytes = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        let Some(names) = names(&entry, path, part)? else { continue };
        match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => {}
            [class] if kind.is_dir() => found.class(class),
            [.., name] if names.len() != 2 && (kind.is_dir() || is_image(name)) => {
                return Err(misplaced(path, &names.join("/")).into());
            }
            [class, name] if is_image(name) => {
                if !kind.is_file() {
                    return Err(misplaced(path, &names.join("/")).into());
                }
                if entry.size() >= LONGEST_FILE as u64 {
                    let fault = format!("an image of {} bytes", entry.size());
                    let place = format!("'{}'", names.join("/"));
                    return Err(DataError::malformed(path, place, fault, "replace or remove it").into());
                }
                bytes.clear();
                if (entry.read_to_end(&mut bytes)? as u64) < entry.size() {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                found.image(class, name, &bytes, &format!("{}, {class}/{name}", path.display()))?;
            }
            _ if names.len() == 2 && kind.is_dir() => {
                return Err(misplaced(path, &names.join("/")).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The names that lead from `part` to the entry; nothing for what is hidden or lies outside.
fn names<R: Read>(entry: &Entry<'_, R>, path: &Path, part: &str) -> Result<Option<Vec<String>>, Fault> {
    let own = entry.path()?;
    let mut names = Vec::new();
    for component in own.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => match name.to_str() {
                Some(name) => names.push(name.to_string()),
                None => return Err(misplaced(path, &own.to_string_lossy()).into()),
            },
            _ => return Err(misplaced(path, &own.to_string_lossy()).into()),
        }
    }
    let outer: Vec<&str> = part.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    let inside = names.len() >= outer.len() && names.iter().zip(&outer).all(|(name, outer)| name == outer);
    if !inside || names.iter().any(|name| is_hidden(name)) {
        return Ok(None);
    }
    Ok(Some(names.split_off(outer.len())))
}
