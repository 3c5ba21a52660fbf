//! The data that both sides work on, as files for the peers.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use nn_core::Tensor;

use super::bench_error::BenchError;

/// Matrices in a folder: single precision, little-endian, row after row.
///
/// Without a folder nothing is kept: there are no peers.
#[derive(Debug)]
pub struct Matrices {
    folder: Option<PathBuf>,
    written: Vec<(String, [usize; 2], PathBuf)>,
}

impl Matrices {
    /// In this folder, if there is one.
    pub fn new(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(Path::to_path_buf), written: Vec::new() }
    }

    /// Writes a matrix for the peers.
    ///
    /// # Errors
    ///
    /// If the device fails or the file cannot be written.
    pub fn hand_over(&mut self, name: &str, tensor: &Tensor) -> Result<(), BenchError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let path = folder.join(format!("{}.f32", name.replace('/', "-")));
        let values = tensor.to_array()?;
        let write = || -> io::Result<()> {
            let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
            for value in &values {
                file.write_all(&value.to_le_bytes())?;
            }
            file.flush()
        };
        write().map_err(BenchError::file("writing", &path))?;
        self.written.push((name.to_string(), [tensor.rows(), tensor.columns()], path));
        Ok(())
    }

    /// The arguments by which a script learns of them: `--matrix NAME ROWS COLUMNS PATH`, and so on.
    pub fn arguments(&self) -> Vec<String> {
        let describe = |(name, [rows, columns], path): &(String, [usize; 2], PathBuf)| {
            let path = path.to_string_lossy().into_owned();
            ["--matrix".to_string(), name.clone(), rows.to_string(), columns.to_string(), path]
        };
        self.written.iter().flat_map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use nn_core::Device;

    #[test]
    fn a_file_holds_the_rows_one_after_the_other() {
        let temporary = tempfile::tempdir().unwrap();
        let mut matrices = Matrices::new(Some(temporary.path()));
        let tensor = Device::cpu().tensor(&arr2(&[[1.0f32, 2.0, 3.0], [4.0, 5.0, -6.5]]));
        matrices.hand_over("a/left", &tensor).unwrap();
        let arguments = matrices.arguments();
        assert_eq!(arguments[..4], ["--matrix", "a/left", "2", "3"]);
        let bytes = std::fs::read(&arguments[4]).unwrap();
        assert_eq!((bytes.len(), &bytes[20..]), (24, &(-6.5f32).to_le_bytes()[..]));
    }

    #[test]
    fn without_peers_nothing_is_written() {
        let mut matrices = Matrices::new(None);
        matrices.hand_over("a", &Device::cpu().zeros(1, 1)).unwrap();
        assert!(matrices.arguments().is_empty());
    }
}
