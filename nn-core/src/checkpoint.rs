//! Tensors in files: safetensors, written whole or not at all.
//!
//! A file holds every tensor under its name (see [`Parameters`]) as rows × columns, row after row, F32 or, from a
//! double-precision device, F64. Its metadata holds `format`, `version`, `kind` (what the file belongs to), `step`,
//! `key` and a CRC-32 of the tensors, and whatever the writer adds. Reading back gives equal bits.

use crate::{Error, Key, Parameters, Tensor};
use ndarray::{Array2, ArrayView2};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{collections::HashMap, io::Write, path::Path};

const FORMAT: &str = "nn-checkpoint";
const VERSION: &str = "1";

/// What a file says of itself beside its tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the file belongs to, such as the name and profile of an experiment. Loading asks for the same.
    pub kind: String,
    /// Updates done.
    pub step: u64,
    /// The key of the run.
    pub key: Key,
    /// Anything else, such as settings.
    pub extra: HashMap<String, String>,
}

impl Header {
    /// A header without extra entries.
    pub fn new(kind: impl Into<String>, step: u64, key: Key) -> Header {
        Header { kind: kind.into(), step, key, extra: HashMap::new() }
    }
}

/// Writes all tensors to `path`: first to a temporary file beside it, which then takes its name.
///
/// # Errors
/// If the device failed or the file cannot be written; an older file of that name is then still whole.
pub fn save(path: &Path, header: &Header, parameters: &dyn Parameters) -> Result<(), Error> {
    let mut tensors = Vec::new();
    parameters.visit(&mut |name, tensor| tensors.push((name.to_string(), tensor)));
    let mut encoded = Vec::new();
    for (name, tensor) in tensors {
        let (dtype, bytes) = encode(tensor)?;
        encoded.push((name, dtype, vec![tensor.rows(), tensor.columns()], bytes));
    }
    write_encoded(path, header, encoded)
}

/// The same of matrices in double precision that the host holds.
///
/// # Errors
/// If the file cannot be written; an older file of that name is then still whole.
pub fn save_matrices(
    path: &Path,
    header: &Header,
    matrices: &[(&str, ArrayView2<'_, f64>)],
) -> Result<(), Error> {
    let encode = |(name, matrix): &(&str, ArrayView2<'_, f64>)| {
        let bytes = matrix.iter().flat_map(|value| value.to_le_bytes()).collect();
        (name.to_string(), Dtype::F64, matrix.shape().to_vec(), bytes)
    };
    write_encoded(path, header, matrices.iter().map(encode).collect())
}

/// A tensor as it stands in a file: name, precision, shape, bytes.
type Encoded = (String, Dtype, Vec<usize>, Vec<u8>);

fn write_encoded(path: &Path, header: &Header, mut encoded: Vec<Encoded>) -> Result<(), Error> {
    encoded.sort_by(|a, b| a.0.cmp(&b.0));
    let mut metadata = header.extra.clone();
    metadata.insert("format".into(), FORMAT.into());
    metadata.insert("version".into(), VERSION.into());
    metadata.insert("kind".into(), header.kind.clone());
    metadata.insert("step".into(), header.step.to_string());
    metadata.insert("key".into(), header.key.to_string());
    metadata.insert(
        "crc32".into(),
        format!("{:08x}", checksum(encoded.iter().map(|e| (e.0.as_str(), e.3.as_slice())))),
    );
    let views = encoded.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).expect("as many bytes as the shape needs");
        (name.as_str(), view)
    });
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|error| Error::checkpoint(path, format!("cannot be encoded: {error}")))?;
    write_atomically(path, &with_sorted_header(file))
}

/// The same file with the entries of its header in alphabetical order: equal contents then are equal bytes, which the
/// hash map of the metadata does not give.
fn with_sorted_header(file: Vec<u8>) -> Vec<u8> {
    let Some((length, rest)) = file.split_first_chunk::<8>() else { return file };
    let length = u64::from_le_bytes(*length) as usize;
    let Some((header, tensors)) = rest.split_at_checked(length) else { return file };
    let Ok(entries) = serde_json::from_slice::<serde_json::Value>(header) else { return file };
    let mut header = entries.to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes(), header.as_slice(), tensors].concat()
}

/// Writes a file whole or not at all.
///
/// # Errors
/// If the folder does not exist or is not writable, or the disk is full.
pub fn write_atomically(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let failed = |error| Error::file("writing", path, error);
    write_parts_atomically(path, |out| out.write_all(contents).map_err(failed))
}

/// The same of contents that are written part by part.
pub(crate) fn write_parts_atomically(
    path: &Path,
    write: impl FnOnce(&mut std::fs::File) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |error| Error::file("writing", path, error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut temporary = temporary_in(folder).map_err(failed)?;
    write(temporary.as_file_mut())?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A temporary file that has, once it is renamed, the permissions of any new file.
fn temporary_in(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// A checkpoint that was read and found whole.
#[derive(Debug)]
pub struct Checkpoint {
    path: std::path::PathBuf,
    bytes: Vec<u8>,
    header: Header,
}

impl Checkpoint {
    /// Reads and verifies a file of this kind.
    ///
    /// # Errors
    /// If the file is absent, truncated, altered, of another version or of another kind.
    pub fn open(path: &Path, kind: &str) -> Result<Checkpoint, Error> {
        let bytes = std::fs::read(path).map_err(|error| Error::file("reading", path, error))?;
        let corrupt =
            |what: &str| Error::checkpoint(path, format!("corrupt ({what}); delete it and start afresh"));
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| corrupt(&error.to_string()))?;
        let entries = metadata.metadata().clone().unwrap_or_default();
        let entry = |name: &str| entries.get(name).map(String::as_str).unwrap_or_default();
        if entry("format") != FORMAT {
            return Err(Error::checkpoint(
                path,
                "not a checkpoint of this library (its metadata has no format entry)",
            ));
        }
        if entry("version") != VERSION {
            let found = entry("version");
            let problem = format!(
                "version {found}, but this program reads version {VERSION}; use the program that wrote it"
            );
            return Err(Error::checkpoint(path, problem));
        }
        if entry("kind") != kind {
            let problem = format!("belongs to `{}`, not to `{kind}`; choose another folder", entry("kind"));
            return Err(Error::checkpoint(path, problem));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| corrupt(&error.to_string()))?;
        let mut all = tensors.tensors();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        let sum = checksum(all.iter().map(|(name, view)| (name.as_str(), view.data())));
        if entry("crc32") != format!("{sum:08x}") {
            return Err(corrupt("its check sum does not fit its contents"));
        }
        let step = entry("step").parse().map_err(|_| corrupt("no step"))?;
        let key = entry("key").parse().map_err(|()| corrupt("no key"))?;
        let header = Header { kind: kind.into(), step, key, extra: entries.into_iter().collect() };
        Ok(Checkpoint { path: path.into(), bytes, header })
    }

    /// What the file says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Copies the tensors of the file into parameters of the same names and shapes.
    ///
    /// # Errors
    /// If a tensor is missing or of another shape or precision; nothing was changed then.
    pub fn load_into(&self, parameters: &mut dyn Parameters) -> Result<(), Error> {
        let problem = |problem: String| Error::checkpoint(&self.path, problem);
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|error| problem(error.to_string()))?;
        let mut found = Ok(());
        parameters.visit(&mut |name, tensor| {
            if found.is_ok() {
                found = fits(&tensors, name, tensor).map_err(problem);
            }
        });
        found?;
        parameters.visit_mut(&mut |name, tensor| {
            if let Ok(view) = tensors.tensor(name) {
                decode(&view, tensor);
            }
        });
        Ok(())
    }

    /// A matrix of this shape that [`save_matrices`] wrote: the same bits.
    ///
    /// # Errors
    /// If it is missing or of another shape or precision.
    pub fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Array2<f64>, Error> {
        let problem = |problem: String| Error::checkpoint(&self.path, problem);
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|error| problem(error.to_string()))?;
        let view = fitting(&tensors, name, shape).map_err(problem)?;
        if view.dtype() != Dtype::F64 {
            return Err(problem(format!("{name} is {:?}, but F64 is needed", view.dtype())));
        }
        Ok(double_precision(&view, shape))
    }
}

/// The tensor of this name, if it has this shape.
fn fitting<'a>(tensors: &SafeTensors<'a>, name: &str, wanted: [usize; 2]) -> Result<TensorView<'a>, String> {
    let view = tensors
        .tensor(name)
        .map_err(|_| format!("has no tensor {name}; it was written with other settings"))?;
    if view.shape() != wanted {
        return Err(format!(
            "{name} is {:?}, but the model needs {wanted:?}; use the settings it was written with",
            view.shape()
        ));
    }
    Ok(view)
}

fn double_precision(view: &TensorView<'_>, shape: [usize; 2]) -> Array2<f64> {
    let values = view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("eight bytes")));
    Array2::from_shape_vec(shape, values.collect()).expect("the shape was checked")
}

fn fits(tensors: &SafeTensors<'_>, name: &str, tensor: &Tensor) -> Result<(), String> {
    let (view, dtype) = (fitting(tensors, name, [tensor.rows(), tensor.columns()])?, dtype(tensor));
    if view.dtype() != dtype {
        return Err(format!(
            "{name} is {:?}, but backend {} needs {dtype:?}",
            view.dtype(),
            tensor.device().name()
        ));
    }
    Ok(())
}

fn dtype(tensor: &Tensor) -> Dtype {
    if tensor.device().backend().double_precision() { Dtype::F64 } else { Dtype::F32 }
}

fn encode(tensor: &Tensor) -> Result<(Dtype, Vec<u8>), Error> {
    let dtype = dtype(tensor);
    let bytes = match dtype {
        Dtype::F64 => tensor.to_array_f64()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
        _ => tensor.to_array()?.iter().flat_map(|v| v.to_le_bytes()).collect(),
    };
    Ok((dtype, bytes))
}

fn decode(view: &TensorView<'_>, tensor: &mut Tensor) {
    let shape = [tensor.rows(), tensor.columns()];
    if view.dtype() == Dtype::F64 {
        tensor.view_mut().write_f64(double_precision(view, shape).view());
    } else {
        let values =
            view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")));
        let values = Array2::from_shape_vec(shape, values.collect()).expect("the shape was checked");
        tensor.write(values.view());
    }
}

fn checksum<'a>(tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for (name, bytes) in tensors {
        hasher.update(name.as_bytes());
        hasher.update(bytes);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    struct Pair(Tensor, Tensor);
    impl Parameters for Pair {
        fn visit<'a>(&'a self, see: &mut dyn FnMut(&str, &'a Tensor)) {
            see("weights", &self.0);
            see("hidden.biases", &self.1);
        }
        fn visit_mut(&mut self, see: &mut dyn FnMut(&str, &mut Tensor)) {
            see("weights", &mut self.0);
            see("hidden.biases", &mut self.1);
        }
    }

    fn pair(device: &Device, seed: u64) -> Pair {
        Pair(crate::conformance::noise(device, 3, 4, seed), crate::conformance::noise(device, 1, 4, seed + 1))
    }

    #[test]
    fn a_round_trip_gives_equal_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        for device in [Device::cpu(), Device::reference()] {
            let (saved, mut loaded) = (pair(&device, 1), pair(&device, 5));
            let header = Header::new("test", 42, Key::new(7).fold_in(3));
            save(&path, &header, &saved).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            save(&path, &header, &saved).unwrap();
            assert_eq!(bytes, std::fs::read(&path).unwrap(), "equal contents, equal bytes");
            let checkpoint = Checkpoint::open(&path, "test").unwrap();
            assert_eq!((checkpoint.header().step, checkpoint.header().key), (42, header.key));
            checkpoint.load_into(&mut loaded).unwrap();
            assert_eq!(saved.0.to_array_f64().unwrap(), loaded.0.to_array_f64().unwrap());
            assert_eq!(saved.1.to_array_f64().unwrap(), loaded.1.to_array_f64().unwrap());
        }
    }

    #[test]
    fn matrices_of_the_host_keep_their_bits_and_are_asked_for_by_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("matrices.safetensors");
        let matrix = Array2::from_shape_fn((2, 3), |(i, j)| 1.0 / (1.0 + i as f64 + 10.0 * j as f64));
        let transposed = matrix.t();
        let header = Header::new("test", 3, Key::new(7));
        save_matrices(&path, &header, &[("b", transposed), ("a", matrix.view())]).unwrap();
        let checkpoint = Checkpoint::open(&path, "test").unwrap();
        assert_eq!(checkpoint.matrix("a", [2, 3]).unwrap(), matrix);
        assert_eq!(checkpoint.matrix("b", [3, 2]).unwrap(), transposed);
        let refuse = |name: &str, shape: [usize; 2]| checkpoint.matrix(name, shape).unwrap_err().to_string();
        assert!(refuse("a", [3, 2]).contains("a is [2, 3], but the model needs [3, 2]"));
        assert!(refuse("c", [3, 2]).contains("no tensor c"));
        save(&path, &header, &pair(&Device::cpu(), 1)).unwrap();
        let single = Checkpoint::open(&path, "test").unwrap().matrix("weights", [3, 4]).unwrap_err();
        assert!(single.to_string().contains("weights is F32, but F64 is needed"), "{single}");
    }

    #[test]
    fn damage_and_mistaken_identity_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let device = Device::cpu();
        save(&path, &Header::new("rbm", 1, Key::new(1)), &pair(&device, 1)).unwrap();
        let refuse = |kind: &str, words: &str| {
            let message = Checkpoint::open(&path, kind).unwrap_err().to_string();
            assert!(message.contains(words) && !message.contains('\n'), "{message}");
        };
        refuse("dbn", "belongs to `rbm`");
        let whole = std::fs::read(&path).unwrap();
        let mut altered = whole.clone();
        *altered.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &altered).unwrap();
        refuse("rbm", "check sum");
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        refuse("rbm", "corrupt");
        std::fs::write(&path, b"no such format").unwrap();
        refuse("rbm", "corrupt");
        let newer = String::from_utf8_lossy(&whole).find("\"version\":\"1\"").unwrap();
        let mut other = whole.clone();
        other[newer + 11] = b'9';
        std::fs::write(&path, &other).unwrap();
        refuse("rbm", "version 9");
    }

    #[test]
    fn another_shape_is_refused_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let device = Device::cpu();
        save(&path, &Header::new("rbm", 1, Key::new(1)), &pair(&device, 1)).unwrap();
        let mut other = Pair(device.zeros(3, 4), device.zeros(1, 5));
        let error = Checkpoint::open(&path, "rbm").unwrap().load_into(&mut other).unwrap_err();
        assert!(error.to_string().contains("hidden.biases is [1, 4], but the model needs [1, 5]"), "{error}");
        assert_eq!(other.0.to_array().unwrap().sum(), 0.0);
    }

    #[test]
    fn a_folder_that_is_absent_is_named() {
        let error = write_atomically(Path::new("/no/such/folder/file"), b"x").unwrap_err();
        assert!(error.to_string().starts_with("writing /no/such/folder/file"), "{error}");
    }
}
