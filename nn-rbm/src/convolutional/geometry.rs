//! Sizes of a convolutional machine, and its filters as blocks see them.

use nn_core::{ACC, Error, Over, Reduction, Tensor, Window, x};

/// Images, filters and blocks of a convolutional machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Geometry {
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
    /// Side of the square filters, w.
    pub filter: usize,
    /// Number of filters, each with a map of hidden units of its own, K.
    pub maps: usize,
    /// Side of the square blocks that hidden maps are cut into, C.
    pub block: usize,
}

impl Geometry {
    /// Refuses sizes that do not fit each other.
    ///
    /// # Errors
    /// If one is zero, filters are larger than images, or blocks do not fill the hidden maps; then the error says to
    /// what size images may be cropped.
    pub fn check(&self) -> Result<(), Error> {
        let positive = [self.height, self.width, self.channels, self.filter, self.maps, self.block];
        if positive.contains(&0) {
            return Err(Error::setting(
                "convolutional machine",
                format!("{self:?}"),
                "all sizes are positive",
            ));
        }
        let largest = |side: usize| (side + 1).checked_sub(self.filter).map(|map| map - map % self.block);
        let (Some(down), Some(across)) = (largest(self.height), largest(self.width)) else {
            let allowed = format!("images of {}×{} hold no larger ones", self.height, self.width);
            return Err(Error::setting("side of the filters", self.filter, &allowed));
        };
        let fits = [down + self.filter - 1, across + self.filter - 1];
        if down == 0 || across == 0 || fits != [self.height, self.width] {
            let rule = match down == 0 || across == 0 {
                true => format!("blocks of {0}×{0} are larger than the hidden maps", self.block),
                false => format!(
                    "hidden maps must be cut into blocks of {0}×{0}: crop images to {1}×{2}",
                    self.block, fits[0], fits[1]
                ),
            };
            return Err(Error::setting("image size", format!("{}×{}", self.height, self.width), &rule));
        }
        Ok(())
    }

    /// Values of an image: height · width · channels.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Pixels of an image.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Blocks of a map down and across: (side − w + 1) / C.
    pub fn blocks(&self) -> [usize; 2] {
        [self.height, self.width].map(|side| (side + 1 - self.filter) / self.block)
    }

    /// Blocks of a map.
    pub fn block_count(&self) -> usize {
        let [down, across] = self.blocks();
        down * across
    }

    /// Units of a block, C².
    pub fn block_size(&self) -> usize {
        self.block * self.block
    }

    /// Hidden units of a map, and positions of a filter.
    pub fn map_len(&self) -> usize {
        self.block_count() * self.block_size()
    }

    /// Hidden units of all maps.
    pub fn hidden_len(&self) -> usize {
        self.map_len() * self.maps
    }

    /// Pooling units of all maps: an image of [`blocks`](Geometry::blocks) pixels with a channel for each map.
    pub fn pooled_len(&self) -> usize {
        self.block_count() * self.maps
    }

    /// For each hidden unit the number of its pooling unit.
    pub(super) fn pooling_units(&self) -> Vec<usize> {
        let (unit_len, block_len) = (self.maps, self.maps * self.block_size());
        (0..self.hidden_len()).map(|unit| unit / block_len * self.maps + unit % unit_len).collect()
    }

    /// The position of unit `unit` of a block within it, down and across.
    fn shift(&self, unit: usize) -> [usize; 2] {
        [unit / self.block, unit % self.block]
    }

    /// Side of the part of an image that a block sees.
    fn field(&self) -> usize {
        self.filter + self.block - 1
    }

    /// The window of blocks over images: what a block sees, w + C − 1 pixels each way, with step C.
    pub(crate) fn window(&self) -> Window {
        Window::new(self.height, self.width, self.channels, self.field()).stride(self.block)
    }

    /// For each value of what a block sees and each of its units, the row of the filters that multiplies it, or one past
    /// the last.
    pub(super) fn expansion(&self) -> Vec<usize> {
        let (field, filter, channels) = (self.field(), self.filter, self.channels);
        let mut rows = Vec::with_capacity(field * field * channels * self.block_size());
        for (pixel, channel) in (0..field * field).flat_map(|pixel| (0..channels).map(move |c| (pixel, c))) {
            for unit in 0..self.block_size() {
                let [down, across] = self.shift(unit);
                let tap = (pixel / field).checked_sub(down).zip((pixel % field).checked_sub(across));
                let tap = tap.filter(|(y, x)| *y < filter && *x < filter);
                rows.push(tap.map_or(filter * filter, |(y, x)| y * filter + x) * channels + channel);
            }
        }
        let past = filter * filter * channels;
        rows.into_iter().map(|row| row.min(past)).collect()
    }

    /// For each row of the filters and each unit of a block, where it stands in the expanded filters.
    pub(super) fn contraction(&self) -> Vec<usize> {
        let (field, filter, channels, size) = (self.field(), self.filter, self.channels, self.block_size());
        let row = |tap: usize, channel: usize, unit: usize| {
            let [down, across] = self.shift(unit);
            let pixel = (tap / filter + down) * field + tap % filter + across;
            (pixel * channels + channel) * size + unit
        };
        let taps = (0..filter * filter).flat_map(|tap| (0..channels).map(move |channel| (tap, channel)));
        taps.flat_map(|(tap, channel)| (0..size).map(move |unit| row(tap, channel, unit))).collect()
    }
}

/// How filters become the weights between what a block sees and the units of a block, and the way back of gradients.
///
/// The units of a block see shifted parts of one field of w + C − 1 pixels each way. So one product with filters that are
/// shifted and bordered by zeros, field × (C² · K), gives the inputs of all units of a block beside each other, and no
/// unit needs to be moved for the sums over blocks. It costs ((w + C − 1)/w)² times the multiplications.
#[derive(Clone, Debug)]
pub(crate) struct Expansion {
    geometry: Geometry,
    expansion: Vec<usize>,
    contraction: Vec<usize>,
}

impl Expansion {
    pub(crate) fn new(geometry: Geometry) -> Expansion {
        Expansion { geometry, expansion: geometry.expansion(), contraction: geometry.contraction() }
    }

    /// Weights between a field and its block, field · channels × (C² · K), of these filters, w² · channels × K.
    pub(crate) fn expand(&self, filters: &Tensor) -> Tensor {
        let (device, rows, maps) = (filters.device(), filters.rows(), filters.columns());
        let mut bordered = device.zeros(rows + 1, maps);
        bordered.row_range_mut(0..rows).assign(filters);
        let mut expanded = device.zeros(self.expansion.len(), maps);
        expanded.view_mut().gather(&bordered, &self.expansion);
        let size = self.geometry.block_size();
        expanded.reshape(self.expansion.len() / size, size * maps)
    }

    /// The sum over the units of a block of what each says of the filters: the adjoint of [`Expansion::expand`].
    pub(super) fn contract(&self, expanded: Tensor, out: &mut Tensor) {
        let (device, size, maps) = (out.device().clone(), self.geometry.block_size(), out.columns());
        let expanded = expanded.reshape(self.expansion.len(), maps);
        let mut parts = device.zeros(self.contraction.len(), maps);
        parts.view_mut().gather(&expanded, &self.contraction);
        let parts = parts.reshape(out.rows(), size * maps);
        let window = Window { kernel: [1, size], ..Window::new(1, size, maps, 1) };
        out.reduce([out.rows(), size * maps], Over::Windows(window), Reduction::Sum, x(&parts), ACC);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nn_core::{Device, Expr, Key};

    #[test]
    fn sizes_that_do_not_fit_are_refused_with_a_crop_that_does() {
        let digits = Geometry { height: 28, width: 28, channels: 1, filter: 12, maps: 40, block: 2 };
        assert_eq!(
            digits.check().unwrap_err().to_string(),
            "image size is 28×28, but hidden maps must be cut into blocks of 2×2: crop images to 27×27"
        );
        let cropped = Geometry { height: 27, width: 27, ..digits };
        cropped.check().unwrap();
        assert_eq!((cropped.blocks(), cropped.hidden_len(), cropped.pooled_len()), ([8, 8], 10240, 2560));
        let message = |geometry: Geometry| geometry.check().unwrap_err().to_string();
        assert!(message(Geometry { filter: 40, ..digits }).contains("side of the filters is 40"));
        assert!(message(Geometry { filter: 28, ..digits }).contains("larger than the hidden maps"));
        assert!(message(Geometry { maps: 0, ..digits }).contains("all sizes are positive"));
    }

    /// ⟨expand(W), G⟩ = ⟨W, contract(G)⟩, exactly.
    #[test]
    fn contraction_is_the_adjoint_of_expansion() {
        let device = Device::reference();
        for (channels, filter, block) in [(1, 3, 2), (2, 2, 3), (3, 3, 1)] {
            let geometry = Geometry { height: 12, width: 12, channels, filter, maps: 3, block };
            let expansion = Expansion::new(geometry);
            let draw = |rows: usize, columns: usize, seed: u64| {
                let mut out = device.zeros(rows, columns);
                out.assign(Expr::Normal(Key::new(seed)));
                out
            };
            let filters = draw(filter * filter * channels, 3, 1);
            let expanded = expansion.expand(&filters);
            let gradient = draw(expanded.rows(), expanded.columns(), 2);
            let dot = |a: &Tensor, b: &Tensor| (a.to_array_f64().unwrap() * b.to_array_f64().unwrap()).sum();
            let wide = dot(&expanded, &gradient);
            let mut contracted = device.zeros(filters.rows(), 3);
            expansion.contract(gradient, &mut contracted);
            assert!((wide - dot(&filters, &contracted)).abs() < 1e-12 * wide.abs().max(1.0));
            // Every weight stands there once for each unit of a block.
            let sum = |tensor: &Tensor| tensor.to_array_f64().unwrap().sum();
            assert!((sum(&expanded) - (block * block) as f64 * sum(&filters)).abs() < 1e-10);
        }
    }
}
