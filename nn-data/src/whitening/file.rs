//! A basis in a file, so that what was learned in it is used in it.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use ndarray::{Array1, Array2};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{Whitening, WhiteningKind};
use crate::DataError;
use crate::atomic_write::write_atomically;
use crate::unpack::read_whole;

/// Says what the file is.
const FORMAT: &str = "nn-data whitening 1";
/// Bytes of a file, at most.
const LONGEST_FILE: usize = 1 << 32;
const REMEDY: &str = "give a file that Whitening::save wrote, or make the basis anew";

impl WhiteningKind {
    fn word(self) -> &'static str {
        match self {
            Self::Pca => "pca",
            Self::Zca => "zca",
        }
    }
}

impl Whitening {
    /// Writes the basis as safetensors: `mean`, `variances`, `directions` and `epsilon` in double precision, the kind in the
    /// metadata. The file is written whole or not at all.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        let bytes = |values: &mut dyn Iterator<Item = &f64>| -> Vec<u8> {
            values.flat_map(|value| value.to_le_bytes()).collect()
        };
        let (components, values) = self.directions.dim();
        let tensors = [
            ("mean", vec![values], bytes(&mut self.mean.iter())),
            ("variances", vec![components], bytes(&mut self.variances.iter())),
            ("directions", vec![components, values], bytes(&mut self.directions.iter())),
            ("epsilon", vec![1], self.epsilon.to_le_bytes().to_vec()),
        ];
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F64, shape.clone(), bytes);
            (*name, view.expect("eight bytes for each value"))
        });
        let metadata = [("format", FORMAT), ("kind", self.kind.word())];
        let metadata = HashMap::from(metadata.map(|(name, value)| (name.to_string(), value.to_string())));
        let file = safetensors::serialize(views, Some(metadata)).expect("names and sizes are valid");
        write_atomically(path, |writer| writer.write_all(&file))
    }

    /// Reads what [`save`](Self::save) wrote: the same bits.
    ///
    /// # Errors
    ///
    /// [`DataError::Absent`] or [`DataError::Io`]; [`DataError::Malformed`] for a file of another kind and for one that is
    /// damaged.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let malformed = |place: &str, fault: String| DataError::malformed(path, place, fault, REMEDY);
        let file = read_whole(path, LONGEST_FILE)?;
        let damaged = |error: safetensors::SafeTensorError| malformed("the file", error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(&file).map_err(damaged)?;
        let entries = metadata.metadata().clone().unwrap_or_default();
        let entry = |name: &str| entries.get(name).map(String::as_str).unwrap_or_default();
        if entry("format") != FORMAT {
            return Err(malformed(
                "its metadata",
                format!("the format is '{}', not '{FORMAT}'", entry("format")),
            ));
        }
        let kinds = [WhiteningKind::Pca, WhiteningKind::Zca];
        let Some(kind) = kinds.into_iter().find(|kind| kind.word() == entry("kind")) else {
            return Err(malformed(
                "its metadata",
                format!("the kind is '{}', not pca or zca", entry("kind")),
            ));
        };
        let tensors = SafeTensors::deserialize(&file).map_err(damaged)?;
        let tensor = |name: &str| -> Result<(Vec<usize>, Vec<f64>), DataError> {
            let view = tensors.tensor(name).map_err(damaged)?;
            if view.dtype() != Dtype::F64 {
                return Err(malformed(name, format!("{:?} instead of double precision", view.dtype())));
            }
            let value = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            let values: Vec<f64> = view.data().chunks_exact(8).map(value).collect();
            match values.iter().find(|value| !value.is_finite()) {
                Some(value) => Err(malformed(name, format!("the value {value}"))),
                None => Ok((view.shape().to_vec(), values)),
            }
        };
        let ((_, mean), (_, variances), (_, epsilon)) =
            (tensor("mean")?, tensor("variances")?, tensor("epsilon")?);
        let (shape, directions) = tensor("directions")?;
        if shape != [variances.len(), mean.len()] || epsilon.len() != 1 {
            let fault =
                format!("the shape {shape:?} for {} variances and {} values", variances.len(), mean.len());
            return Err(malformed("directions", fault));
        }
        if epsilon[0] < 0.0 || variances.iter().any(|&variance| variance <= 0.0) {
            return Err(malformed("variances", "a variance that is not positive".into()));
        }
        let directions = Array2::from_shape_vec((variances.len(), mean.len()), directions);
        let directions = directions.map_err(|error| malformed("directions", error.to_string()))?;
        let (mean, variances) = (Array1::from(mean), Array1::from(variances));
        Ok(Self { kind, epsilon: epsilon[0], mean, variances, directions })
    }
}
