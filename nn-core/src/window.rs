//! Geometry of windows that slide over images.
//!
//! Images lie in the rows of a tensor, one case a row, channel last: pixel (y, x) of channel c is column
//! `(y·width + x)·channels + c`. With this layout a product over patches writes its maps exactly where the
//! next layer reads them: (cases·positions) × maps is the same memory as cases × (positions·maps).

use std::ops::Range;

/// How one axis of a window rounds its number of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Only windows that lie inside the padded image: ⌊(size + 2·padding − kernel) / stride⌋ + 1.
    Floor,
    /// Also the last window that hangs over the edge: ⌈(size + 2·padding − kernel) / stride⌉ + 1.
    Ceil,
}

/// A window of `kernel` pixels that moves over images of height × width × channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Number of channels (maps) of the image, channel last.
    pub channels: usize,
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Step between neighbouring windows, down and to the right.
    pub stride: [usize; 2],
    /// Rows above (and below) and columns left (and right) of the image that windows may reach into.
    pub padding: [usize; 2],
    /// Whether the last window may hang over the edge.
    pub rounding: Rounding,
}

impl Window {
    /// A square window of side `kernel` with stride 1 and no padding.
    pub fn new(height: usize, width: usize, channels: usize, kernel: usize) -> Self {
        let (kernel, stride, padding) = ([kernel; 2], [1; 2], [0; 2]);
        Window { height, width, channels, kernel, stride, padding, rounding: Rounding::Floor }
    }

    /// The same window with this step in both directions.
    pub fn stride(self, stride: usize) -> Self {
        Window { stride: [stride; 2], ..self }
    }

    /// The same window with this padding on all four sides.
    pub fn padding(self, padding: usize) -> Self {
        Window { padding: [padding; 2], ..self }
    }

    /// The same window, its last position allowed to hang over the edge.
    pub fn ceil(self) -> Self {
        Window { rounding: Rounding::Ceil, ..self }
    }

    /// Number of windows down and across.
    ///
    /// # Panics
    /// If the kernel is larger than the padded image, or a stride or kernel side is zero.
    #[track_caller]
    pub fn positions(&self) -> [usize; 2] {
        let along = |axis: usize, size: usize| {
            let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
            let padded = size + 2 * self.padding[axis];
            assert!(kernel > 0 && stride > 0, "kernel and stride must be positive: {self:?}");
            assert!(kernel <= padded, "the window is larger than its padded image: {self:?}");
            match self.rounding {
                Rounding::Floor => (padded - kernel) / stride + 1,
                Rounding::Ceil => (padded - kernel).div_ceil(stride) + 1,
            }
        };
        [along(0, self.height), along(1, self.width)]
    }

    /// Number of windows in one image.
    #[track_caller]
    pub fn count(&self) -> usize {
        let [down, across] = self.positions();
        down * across
    }

    /// Values of one image: height · width · channels.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Values of one patch: kernel height · kernel width · channels.
    pub fn patch_len(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.channels
    }

    /// The taps of the window at a position that lie inside the image, along one axis: 0 down, 1 across.
    #[inline]
    pub(crate) fn taps_inside(&self, axis: usize, position: usize) -> Range<usize> {
        let (start, kernel, padding) = (position * self.stride[axis], self.kernel[axis], self.padding[axis]);
        let end = ([self.height, self.width][axis] + padding).saturating_sub(start).min(kernel);
        padding.saturating_sub(start).min(end)..end
    }

    /// The positions of the window at which a tap lies inside the image, along one axis.
    #[inline]
    pub(crate) fn positions_inside(&self, axis: usize, tap: usize) -> Range<usize> {
        let (stride, padding) = (self.stride[axis], self.padding[axis]);
        let size = [self.height, self.width][axis];
        let end = (size + padding).saturating_sub(tap).div_ceil(stride).min(self.positions()[axis]);
        padding.saturating_sub(tap).div_ceil(stride).min(end)..end
    }

    /// The pixel under tap (ky, kx) of the window at position (py, px), or `None` outside the image.
    pub fn pixel(&self, position: [usize; 2], tap: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize, size: usize| {
            let at = (position[axis] * self.stride[axis] + tap[axis]).checked_sub(self.padding[axis])?;
            (at < size).then_some(at)
        };
        Some([along(0, self.height)?, along(1, self.width)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_follow_the_stated_formulas() {
        assert_eq!(Window::new(28, 28, 1, 5).positions(), [24, 24]);
        assert_eq!(Window::new(32, 32, 3, 5).padding(2).positions(), [32, 32]);
        // The pooling of cuda-convnet: 32 → 16 by windows of 3 with step 2, the last one clipped.
        assert_eq!(Window::new(32, 32, 8, 3).stride(2).ceil().positions(), [16, 16]);
        assert_eq!(Window::new(32, 32, 8, 3).stride(2).positions(), [15, 15]);
    }

    #[test]
    fn what_lies_inside_is_what_has_a_pixel() {
        for window in [
            Window::new(5, 4, 1, 3).padding(2),
            Window::new(6, 7, 1, 4).stride(3).padding(1).ceil(),
            Window::new(3, 3, 1, 1).stride(2).padding(3),
            Window { kernel: [2, 5], padding: [0, 3], ..Window::new(4, 2, 1, 1) },
        ] {
            let [down, across] = window.positions();
            let [high, wide] = window.kernel;
            for y in 0..down {
                let rows: Vec<_> = (0..high)
                    .filter(|&ky| {
                        (0..across).any(|x| (0..wide).any(|kx| window.pixel([y, x], [ky, kx]).is_some()))
                    })
                    .collect();
                assert_eq!(window.taps_inside(0, y).collect::<Vec<_>>(), rows, "{window:?} row {y}");
            }
            for kx in 0..wide {
                let seen: Vec<_> = (0..across)
                    .filter(|&x| {
                        (0..down).any(|y| (0..high).any(|ky| window.pixel([y, x], [ky, kx]).is_some()))
                    })
                    .collect();
                assert_eq!(window.positions_inside(1, kx).collect::<Vec<_>>(), seen, "{window:?} tap {kx}");
            }
        }
    }

    #[test]
    fn taps_outside_the_image_are_none() {
        let window = Window::new(4, 4, 1, 3).padding(1);
        assert_eq!(window.pixel([0, 0], [0, 0]), None);
        assert_eq!(window.pixel([0, 0], [1, 1]), Some([0, 0]));
        assert_eq!(window.pixel([3, 3], [2, 2]), None);
    }
}
