//! Right sides of products, packed once and kept with their memory until it is written again.
//!
//! The weights of a model meet many left sides between two updates: sweeps of mean field, steps of Gibbs sampling,
//! temperatures of annealed importance sampling. With a hundred rows on the left, packing is some 5 % of a product.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::pack::{Scratch, Strided, packed_b_len};
use super::product;

/// Fewer values are packed faster than looked up.
const LEAST: usize = 1 << 12;
/// More values are not kept twice: 64 MiB.
const MOST: usize = 1 << 24;
/// Right sides of one memory that are kept: a matrix and its transpose, and those of another part.
const KEPT: usize = 4;

/// A right side of a product: `k` × `n` values of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RightSide {
    offset: usize,
    strides: [usize; 2],
    k: usize,
    n: usize,
}

/// A right side that was met since the memory was written.
#[derive(Debug)]
struct Packing {
    of: RightSide,
    /// Whether products met it since then.
    met: bool,
    /// Its panels, which are current if `packed`.
    panels: Arc<Scratch>,
    packed: bool,
}

/// What is packed of a memory.
#[derive(Debug, Default)]
pub(super) struct Packings(Mutex<Vec<Packing>>);

impl Packings {
    /// The memory is about to be written.
    pub(super) fn forget(&mut self) {
        for packing in self.0.get_mut().unwrap_or_else(PoisonError::into_inner) {
            (packing.met, packing.packed) = (false, false);
        }
    }

    /// The panels of all `n` columns, from the second product on: a right side that is met once is not worth keeping.
    pub(super) fn panels(&self, matrix: &Strided, k: usize, n: usize) -> Option<Arc<Scratch>> {
        if !(LEAST..=MOST).contains(&(k * n)) {
            return None;
        }
        let of = RightSide { offset: matrix.offset, strides: [matrix.row_stride, matrix.col_stride], k, n };
        let panels = {
            let mut all = self.all();
            let Some(known) = all.iter_mut().find(|packing| packing.of == of) else {
                all.truncate(KEPT - 1);
                all.insert(0, Packing { of, met: true, panels: Arc::default(), packed: false });
                return None;
            };
            if known.packed {
                return Some(known.panels.clone());
            }
            if !std::mem::replace(&mut known.met, true) {
                return None;
            }
            std::mem::take(&mut known.panels)
        };
        // Not under the lock: a product that is packed for may be inside of a loop that others wait for. The room of what was
        // packed before is used again.
        let mut room = Arc::into_inner(panels).unwrap_or_default();
        product::pack(matrix, k, n, room.floats(packed_b_len(k, n)));
        let panels = Arc::new(room);
        if let Some(known) = self.all().iter_mut().find(|packing| packing.of == of) {
            (known.panels, known.packed) = (panels.clone(), true);
        }
        Some(panels)
    }

    fn all(&self) -> MutexGuard<'_, Vec<Packing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crate::{ACC, Device, Tensor, conformance::noise};

    /// What products of `left` with `right`, and with its transpose, come to one after the other.
    fn products(device: &Device, left: &Tensor, right: &Tensor, times: usize) -> Vec<Vec<f32>> {
        let mut found = Vec::new();
        for _ in 0..times {
            for operand in [right.view().into(), right.t()] {
                let mut out = device.zeros(left.rows(), right.columns());
                out.product(left.dot(operand), ACC);
                found.push(out.to_array().unwrap().into_raw_vec_and_offset().0);
            }
        }
        found
    }

    #[test]
    fn what_is_kept_gives_the_same_bits() {
        let device = Device::cpu();
        // One block of rows, and several, with a density for either kernel.
        for (rows, size) in [(7, 65), (100, 400), (300, 130)] {
            let (left, right) = (noise(&device, rows, size, 1), noise(&device, size, size, 2));
            let mut few = device.zeros(rows, size);
            few.assign(crate::x(&left) * crate::x(&left).less(-0.8));
            for left in [&left, &few] {
                let found = products(&device, left, &right, 4);
                assert!((2..8).all(|at| found[at] == found[at % 2]), "{rows} × {size}");
            }
        }
    }

    #[test]
    fn what_is_written_is_seen() {
        let device = Device::cpu();
        let (left, mut right) = (noise(&device, 100, 130, 1), noise(&device, 130, 130, 2));
        let before = products(&device, &left, &right, 3);
        right.row_range_mut(5..6).assign(crate::x(&noise(&device, 1, 130, 3)));
        let after = products(&device, &left, &right, 3);
        let fresh = products(&device, &left, &right.duplicate(), 1);
        assert!((0..6).all(|at| after[at] == fresh[at % 2] && after[at] != before[at]));
    }

    #[test]
    fn more_parts_than_are_kept() {
        let device = Device::cpu();
        let (left, right) = (noise(&device, 20, 70, 1), noise(&device, 70, 700, 2));
        let part = |part: usize| {
            let mut out = device.zeros(20, 70);
            out.product(left.dot(right.column_range(part * 70..(part + 1) * 70)), ACC);
            out.to_array().unwrap()
        };
        let first: Vec<_> = (0..10).map(part).collect();
        for _ in 0..3 {
            assert!((0..10).all(|at| part(at) == first[at]));
        }
    }

    #[test]
    fn from_several_threads_at_once() {
        let device = Device::cpu();
        let (left, right) = (noise(&device, 100, 200, 1), noise(&device, 200, 200, 2));
        let wanted = products(&device, &left, &right.duplicate(), 1);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let found = products(&device, &left, &right, 20);
                    assert!((0..40).all(|at| found[at] == wanted[at % 2]));
                });
            }
        });
    }
}
