//! Values on their way to the host.

use super::Gpu;
use crate::memory::Memory;
use crate::stream::Download;
use ndarray::Array2;
use nn_core::{Backend, Error, Expr, View};

impl Gpu {
    /// Starts to read a part of a tensor of this device, as it is now; what is asked of the device meanwhile comes after.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub fn start_reading(&self, source: View<'_>) -> Result<Reading<'_>, Error> {
        self.failure.check(&self.name)?;
        let shape = (source.rows(), source.columns());
        if source.is_empty() {
            return Ok(Reading { gpu: self, shape, download: None });
        }
        if source.rows() > 1 && source.row_stride() != source.columns() {
            // A part with gaps: a tensor of its own has none.
            let mut whole = self.temporary(shape.0, shape.1);
            self.assign(whole.view_mut(), &Expr::from(source));
            return self.start_reading(whole.view()).map(|reading| Reading { shape, ..reading });
        }
        let memory: &Memory = source.tensor().storage();
        self.define(memory);
        let download = self.recorder().stream.download(memory, source.offset(), source.len());
        Ok(Reading { gpu: self, shape, download })
    }
}

/// Values on their way to the host.
#[derive(Debug)]
pub struct Reading<'a> {
    gpu: &'a Gpu,
    shape: (usize, usize),
    download: Option<Download>,
}

impl Reading<'_> {
    /// Waits until the values are there.
    ///
    /// # Errors
    /// Whatever went wrong on the device.
    pub fn wait(self) -> Result<Array2<f32>, Error> {
        let shape = self.shape;
        let mut all = Vec::with_capacity(shape.0 * shape.1);
        self.finish(|values| all.extend_from_slice(values))?;
        Array2::from_shape_vec(shape, all).map_err(|error| Error::Data(error.to_string()))
    }

    pub(super) fn finish(self, see: impl FnMut(&[f32])) -> Result<(), Error> {
        if let Some(download) = self.download {
            self.gpu.recorder().stream.collect(download, see);
        }
        self.gpu.failure.check(&self.gpu.name)
    }
}
