//! Which kernel suits which sizes.

use crate::adapters::{AdapterReport, Kind};
use crate::kernels::product::Rung;
use crate::operands::ProductShape;
use nn_core::Reduction;

/// Workgroups that keep a device busy.
const ENOUGH: usize = 128;

/// Vendors whose chips hold few registers for each thread: tiles of 128 × 128 would spill.
const FEW_REGISTERS: [u32; 4] = [0x8086, 0x5143, 0x13b5, 0x1010];

/// The kernel of a product, the wanted one if any, and in how many parts it runs along its inner axis.
pub(crate) fn plan(shape: &ProductShape, adapter: &AdapterReport, wanted: Option<Rung>) -> (Rung, usize) {
    /// Inner steps that a part has at least.
    const PART: usize = 256;
    let software = adapter.kind == Kind::Software;
    let tiles = |rung: Rung| {
        let [down, across] = rung.tile();
        shape.rows.div_ceil(down) * shape.columns.div_ceil(across) * shape.blocks
    };
    let rung = wanted.unwrap_or_else(|| {
        if software {
            software_rung(shape)
        } else if shape.rows * shape.columns < 1024 && shape.inner < PART {
            Rung::Direct
        } else if shape.columns <= 48 && tiles(Rung::Tall) >= ENOUGH {
            Rung::Tall
        } else if tiles(Rung::Large) >= ENOUGH && !FEW_REGISTERS.contains(&adapter.vendor_id) {
            Rung::Large
        } else if tiles(Rung::Medium) >= ENOUGH / 2 {
            Rung::Medium
        } else {
            Rung::Small
        }
    });
    let whole = shape.blocks > 1 || software && wanted.is_none();
    let parts = if whole { 1 } else { (ENOUGH / tiles(rung)).min(shape.inner_most / PART).max(1) };
    (rung, parts)
}

/// On a processor it is loads that cost: the largest tile that is mostly filled.
fn software_rung(shape: &ProductShape) -> Rung {
    let filled = |edge: usize, size: usize| size as f64 / size.next_multiple_of(edge) as f64;
    let gain = |rung: Rung, reuse: f64| {
        let [down, across] = rung.tile();
        reuse * filled(down, shape.rows) * filled(across, shape.columns)
    };
    let rungs = [(Rung::Direct, 1.0), (Rung::Small, 1.4), (Rung::Tall, 1.8), (Rung::Large, 2.7)];
    let best = rungs.into_iter().max_by(|a, b| gain(a.0, a.1).total_cmp(&gain(b.0, b.1)));
    best.map_or(Rung::Direct, |(rung, _)| rung)
}

/// In how many chunks `len` values are joined to one of `outs` results before the chunks are joined.
pub(crate) fn chunks(outs: usize, len: usize, reduction: Reduction) -> usize {
    /// Values of a chunk at least.
    const CHUNK: usize = 1024;
    match reduction {
        // The position of a maximum cannot be told from the maxima of the chunks.
        Reduction::ArgMax => 1,
        Reduction::Sum | Reduction::Max => (ENOUGH / outs).min(len / CHUNK).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_reductions_of_few_results_are_cut() {
        assert_eq!(chunks(1, 1_000_000, Reduction::Sum), 128);
        assert_eq!(chunks(1, 1000, Reduction::Sum), 1);
        assert_eq!(chunks(1000, 1_000_000, Reduction::Sum), 1);
        assert_eq!(chunks(1, 1_000_000, Reduction::ArgMax), 1);
    }
}
