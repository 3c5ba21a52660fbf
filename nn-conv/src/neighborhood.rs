//! Sums over the neighbours of every value of an image, as response and contrast normalisation need them.

use crate::geometry::{reshaped, rows_of};
use nn_core::{ACC, Device, Expr, Over, Reduction, Tensor, View, Window};

/// The `size` values (of neighbouring maps), or size × size values (of one map), that start size/2 (rounded down) before
/// each value, clipped at the edges.
///
/// Tensors are on the grid of the neighbourhood: a row for each pixel across maps, for each case within a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighborhood {
    /// Starts size/2 before the image; for an even size it has one position too many on each axis.
    window: Window,
    /// Rows of the grid for each case.
    pub(crate) rows: usize,
    even: bool,
}

impl Neighborhood {
    /// Neighbouring maps of the same pixel.
    pub(crate) fn across_maps(pixels: usize, maps: usize, size: usize) -> Neighborhood {
        let window = Window { kernel: [1, size], padding: [0, size / 2], ..Window::new(1, maps, 1, 1) };
        Neighborhood { window, rows: pixels, even: size.is_multiple_of(2) }
    }

    /// Neighbouring pixels of the same map.
    pub(crate) fn within_map(height: usize, width: usize, maps: usize, size: usize) -> Neighborhood {
        let window = Window::new(height, width, maps, size).padding(size / 2);
        Neighborhood { window, rows: 1, even: size.is_multiple_of(2) }
    }

    /// The grid for so many cases.
    pub(crate) fn grid(&self, cases: usize) -> [usize; 2] {
        [cases * self.rows, self.window.image_len()]
    }

    /// A tensor on the grid.
    pub(crate) fn zeros(&self, device: &Device, cases: usize) -> Tensor {
        let [rows, columns] = self.grid(cases);
        device.zeros(rows, columns)
    }

    /// Values of cases on the grid.
    pub(crate) fn view<'a>(&self, values: View<'a>) -> View<'a> {
        rows_of(values, self.rows)
    }

    /// Runs `work` with a tensor of cases as one on the grid.
    pub(crate) fn reshaped(&self, values: &mut Tensor, work: impl FnOnce(&mut Tensor)) {
        let rows = values.rows() * self.rows;
        reshaped(values, rows, self.window.image_len(), work);
    }

    /// What [`sum`](Neighborhood::sum) needs for itself, so that a step allocates nothing.
    pub(crate) fn scratch(&self, device: &Device, cases: usize) -> Vec<Tensor> {
        if !self.even {
            return Vec::new();
        }
        let (rows, [down, across], channels) =
            (cases * self.rows, self.window.positions(), self.window.channels);
        let all = device.zeros(rows, down * across * channels);
        vec![all, device.zeros(rows, self.window.height * across * channels)]
    }

    /// out\[i\] = then(`ACC` = Σ formula\[j\] over the neighbours j of i), or over those values j whose neighbour i is.
    pub(crate) fn sum(
        &self,
        out: &mut Tensor,
        scratch: &mut [Tensor],
        formula: Expr<'_>,
        mirrored: bool,
        then: Expr<'_>,
    ) {
        let (grid, window) = ([out.rows(), out.columns()], &self.window);
        let over = Over::Windows(*window);
        let [all, lines] = scratch else { return out.reduce(grid, over, Reduction::Sum, formula, then) };
        // Without the first, or without the last position on each axis along which there is one too many.
        all.reduce(grid, over, Reduction::Sum, formula, ACC);
        let [down, across] = window.positions();
        let (row, column) = (down - window.height, across - window.width);
        let (row, column) = if mirrored { (row, column) } else { (0, 0) };
        let line = across * window.channels;
        lines.assign(all.column_range(row * line..(row + window.height) * line));
        let (rows, length) = (grid[0] * window.height, window.width * window.channels);
        let kept = rows_of(lines.view(), window.height);
        let kept = kept.column_range(column * window.channels..column * window.channels + length);
        reshaped(out, rows, length, |out| out.assign(kept));
        out.assign(then.with_acc(&nn_core::OLD));
    }
}

/// The mean over the neighbours from their sum: 1 / how many lie inside the image, 1 × the columns of the grid.
pub(crate) fn shares(neighborhood: &Neighborhood, device: &Device) -> Tensor {
    let mut counts = neighborhood.zeros(device, 1);
    let mut scratch = neighborhood.scratch(device, 1);
    neighborhood.sum(&mut counts, &mut scratch, 1.0.into(), false, 1.0 / ACC);
    counts
}
