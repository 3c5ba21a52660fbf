//! Reductions over the windows of an image.

use super::{
    microkernel::{Simd, simd},
    reduction::larger,
};
use crate::{Reduction, Window};
use std::{cell::Cell, ops::Range};

thread_local! {
    // Taken while in use and put back afterwards.
    static BORDERED: Cell<Vec<f32>> = Cell::default();
}

/// Joins all windows of one image, each channel for itself.
pub(super) fn over_windows(reduction: Reduction, window: &Window, image: &[f32], joined: &mut [f32]) {
    match simd() {
        // SAFETY: the processor has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 | Simd::Avx512 => unsafe { over_windows_avx2(reduction, window, image, joined) },
        Simd::Portable => over_windows_portable(reduction, window, image, joined),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn over_windows_avx2(reduction: Reduction, window: &Window, image: &[f32], joined: &mut [f32]) {
    over_windows_portable(reduction, window, image, joined);
}

#[inline(always)]
fn over_windows_portable(reduction: Reduction, window: &Window, image: &[f32], joined: &mut [f32]) {
    match reduction {
        Reduction::Sum => each_window::<Sum>(window, image, joined),
        Reduction::Max => each_window::<Max>(window, image, joined),
        Reduction::ArgMax => each_window::<ArgMax>(window, image, joined),
    }
}

/// How the taps of neighbouring windows are joined, `W` windows or channels side by side.
trait Join {
    /// What no value changes.
    const START: f32;
    fn step<const W: usize>(best: &mut [f32; W], place: &mut [f32; W], values: &[f32; W], tap: f32);
    fn result<'a, const W: usize>(best: &'a [f32; W], place: &'a [f32; W]) -> &'a [f32; W] {
        let _ = place;
        best
    }
}

struct Sum;
impl Join for Sum {
    const START: f32 = 0.0;
    #[inline(always)]
    fn step<const W: usize>(best: &mut [f32; W], _: &mut [f32; W], values: &[f32; W], _: f32) {
        best.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
}

struct Max;
impl Join for Max {
    const START: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn step<const W: usize>(best: &mut [f32; W], _: &mut [f32; W], values: &[f32; W], _: f32) {
        best.iter_mut().zip(values).for_each(|(max, value)| *max = larger(*max, *value));
    }
}

struct ArgMax;
impl Join for ArgMax {
    const START: f32 = f32::NEG_INFINITY;
    #[inline(always)]
    fn step<const W: usize>(best: &mut [f32; W], place: &mut [f32; W], values: &[f32; W], tap: f32) {
        for at in 0..W {
            let better = values[at] > best[at];
            place[at] = if better { tap } else { place[at] };
            best[at] = if better { values[at] } else { best[at] };
        }
    }
    #[inline(always)]
    fn result<'a, const W: usize>(_: &'a [f32; W], place: &'a [f32; W]) -> &'a [f32; W] {
        place
    }
}

#[inline(always)]
fn each_window<J: Join>(window: &Window, image: &[f32], joined: &mut [f32]) {
    let Window { width, channels, kernel, stride, padding, .. } = *window;
    let [_, across] = window.positions();
    if stride[1] == 1 {
        // The windows of a row lie side by side as their taps do: they are joined together, where no tap is outside.
        let bordered = Bordered::new(window, image, J::START);
        let pitch = bordered.width * channels;
        for (row, joined) in joined.chunks_exact_mut(across * channels).enumerate() {
            let taps =
                Taps { start: row * stride[0] * pitch, rows: 0..kernel[0], columns: 0..kernel[1], pitch };
            taps.join::<J>(bordered.values(image), window, joined);
        }
        return bordered.end();
    }
    for (position, joined) in joined.chunks_exact_mut(channels).enumerate() {
        let (top, left) = (position / across * stride[0], position % across * stride[1]);
        let (rows, columns) =
            (window.taps_inside(0, position / across), window.taps_inside(1, position % across));
        // Taps before the image are left out, so that none is before its start.
        let start = (top * width + left).wrapping_sub(padding[0] * width + padding[1]).wrapping_mul(channels);
        Taps { start, rows, columns, pitch: width * channels }.join::<J>(image, window, joined);
    }
}

/// The taps of windows side by side: tap (ky, kx) of the first value is `start + ky · pitch + kx · channels`, in wrapping
/// arithmetic.
struct Taps {
    start: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    pitch: usize,
}

impl Taps {
    /// Joins as many values as there are, the widest groups first; the last group may do some again.
    #[inline(always)]
    fn join<J: Join>(&self, image: &[f32], window: &Window, joined: &mut [f32]) {
        let (mut at, len) = (0, joined.len());
        while at + 16 <= len {
            self.group::<J, 16>(image, window, at, joined);
            at += 16;
        }
        while at + 8 <= len {
            self.group::<J, 8>(image, window, at, joined);
            at += 8;
        }
        if at < len && len >= 8 {
            return self.group::<J, 8>(image, window, len - 8, joined);
        }
        (at..len).for_each(|at| self.group::<J, 1>(image, window, at, joined));
    }

    #[inline(always)]
    fn group<J: Join, const W: usize>(&self, image: &[f32], window: &Window, at: usize, joined: &mut [f32]) {
        let (mut best, mut place) = ([J::START; W], [0f32; W]);
        for ky in self.rows.clone() {
            let line = self.start.wrapping_add(ky * self.pitch).wrapping_add(at);
            for kx in self.columns.clone() {
                let from = line.wrapping_add(kx * window.channels);
                let values: &[f32; W] = image[from..from + W].try_into().expect("a slice of this length");
                J::step(&mut best, &mut place, values, (ky * window.kernel[1] + kx) as f32);
            }
        }
        joined[at..at + W].copy_from_slice(J::result(&best, &place));
    }
}

/// An image with as much of a border as windows reach into.
struct Bordered {
    copy: Option<Vec<f32>>,
    width: usize,
}

impl Bordered {
    #[inline(always)]
    fn new(window: &Window, image: &[f32], border: f32) -> Bordered {
        let Window { height, width, channels, kernel, stride, padding, .. } = *window;
        let [down, across] = window.positions();
        let (tall, wide) = ((down - 1) * stride[0] + kernel[0], (across - 1) * stride[1] + kernel[1]);
        if padding == [0, 0] && tall <= height && wide <= width {
            return Bordered { copy: None, width };
        }
        let mut copy = BORDERED.take();
        copy.clear();
        copy.resize(tall * wide * channels, border);
        let columns = width.min(wide.saturating_sub(padding[1]));
        for y in 0..height.min(tall.saturating_sub(padding[0])) {
            let to = ((y + padding[0]) * wide + padding[1]) * channels;
            copy[to..][..columns * channels]
                .copy_from_slice(&image[y * width * channels..][..columns * channels]);
        }
        Bordered { copy: Some(copy), width: wide }
    }

    fn values<'a>(&'a self, image: &'a [f32]) -> &'a [f32] {
        self.copy.as_deref().unwrap_or(image)
    }

    fn end(self) {
        if let Some(copy) = self.copy {
            BORDERED.set(copy);
        }
    }
}
