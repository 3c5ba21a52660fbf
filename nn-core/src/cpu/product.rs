//! Sums of matrix products with a fused finish, on several cores.
//!
//! The m × n sums are cut into blocks; workers take blocks from a counter until none is left, and finish each
//! block while it is still in their second-level cache. Within a block, for each term and each stretch of
//! [`DEPTH`] steps of `k`, packed panels of B meet the rows of A in the dense kernel ([`super::microkernel`])
//! or, where A is mostly zeros, in the sparse one ([`super::sparse`]).
//!
//! Every sum is one chain of fused multiply-adds, term after term, in ascending `k`, whatever the blocks, the
//! kernel and the number of threads. So the bits of a product do not depend on them.
//!
//! B is packed once for all where several blocks share columns, and otherwise by the block that needs it. Callers
//! that multiply by the same B again pack it themselves, once.

use std::cell::Cell;

use super::microkernel::{self, LeftTile, PANEL, Runs, Simd, TILE_ROWS};
pub(crate) use super::pack::{Operand, Strided};
use super::pack::{Scratch, pack_a, pack_b, packed_a_len, packed_b_len};
use super::sparse::{self, Lists, Right};
use super::team::share;

/// Steps of `k` per stretch, about: a panel of B is then 24 KiB of a first-level cache of 32 KiB.
const DEPTH: usize = 384;
/// Steps of `k` per stretch, about, where a sparse term packs B for itself: its lists then stay in 1 MiB.
const LISTED: usize = 1024;
/// Most rows of a block: its packed A is then 180 KiB of a second-level cache of 512 KiB.
const MAX_ROWS: usize = 120;
/// Most columns of a block: its sums are then at most 240 KiB.
const MAX_COLS: usize = 512;
/// Fewest rows and columns of a block that is cut only to occupy more threads.
const MIN_ROWS: usize = 48;
const MIN_COLS: usize = 64;
/// Blocks per thread that even out unequal speeds, and the multiply-adds that make a block worth a hand-over.
const BLOCKS_PER_THREAD: usize = 4;
const COLUMN_BLOCKS_PER_THREAD: usize = 2;
const BLOCK_WORK: usize = 1 << 20;
/// Products below this many multiply-adds stay on the calling thread: waking another costs as much.
const SERIAL_WORK: usize = 50_000;
/// Floats of B below which packing stays on the calling thread.
const SERIAL_PACK: usize = 1 << 16;
/// Most floats of B that are packed once for all; beyond, each block packs its own stretch after stretch.
const MAX_SHARED: usize = 1 << 24;
/// Panels of B that one hand-over packs.
const PACK_PANELS: usize = 8;
/// Panels of B per block from which packing A pays although its rows are contiguous.
const PACK_A_PANELS: usize = 8;

/// `scale` times A·B, A of m × `k`, B of `k` × n.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Term<'a> {
    pub a: Operand<'a>,
    pub b: Operand<'a>,
    /// The panels of B as [`pack`] lays them out, where they are there already.
    pub packed: Option<&'a [f32]>,
    pub k: usize,
    pub scale: f32,
}

/// A finished rectangle of sums: row r of the block, which is row `row0 + r` of the product, holds columns
/// `col0..col0 + cols` at `acc[r * stride..][..cols]`.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub row0: usize,
    pub rows: usize,
    pub col0: usize,
    pub cols: usize,
    pub acc: &'a mut [f32],
    pub stride: usize,
}

/// Computes the m × n sums of all terms and calls `finish` once for each of disjoint blocks that cover them,
/// from several threads of the current pool. Without terms, or with `k` of 0, the sums are 0.
///
/// # Panics
/// Where an operand is smaller than its term says.
pub(crate) fn product(m: usize, n: usize, terms: &[Term], finish: &(dyn Fn(Block) + Sync)) {
    run(m, n, terms, Sink::Finish(finish));
}

/// Stores the m × n sums of all terms: element (i, j) at `out[i * row_stride + j]`.
///
/// # Panics
/// Where an operand is smaller than its term says, `row_stride < n`, or `out` is too small.
pub(crate) fn product_into(m: usize, n: usize, terms: &[Term], out: &mut [f32], row_stride: usize) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(row_stride >= n && out.len() >= (m - 1) * row_stride + n, "output too small for {m} × {n} sums");
    run(m, n, terms, Sink::Store(Shared::new(out), row_stride));
}

/// A pointer that several workers write through, each to elements of its own.
#[derive(Clone, Copy)]
pub(super) struct Shared(*mut f32);

// SAFETY: workers share it only to reach disjoint elements; see each use.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn new(values: &mut [f32]) -> Shared {
        Shared(values.as_mut_ptr())
    }

    pub(super) fn at(self, index: usize) -> *mut f32 {
        self.0.wrapping_add(index)
    }
}

/// What becomes of the sums.
#[derive(Clone, Copy)]
enum Sink<'a> {
    Finish(&'a (dyn Fn(Block) + Sync)),
    /// Rows at this distance from this start; valid for all m × n elements while the product runs.
    Store(Shared, usize),
}

/// What one worker reuses from call to call.
#[derive(Default)]
struct Workspace {
    sums: Scratch,
    packed_a: Scratch,
    packed_b: Scratch,
    lists: Lists,
}

thread_local! {
    // Taken while in use and put back afterwards: a nested product finds an empty one and works all the same.
    static WORKSPACE: Cell<Workspace> = Cell::default();
    static SHARED_B: Cell<Scratch> = Cell::default();
}

/// How the sums are cut into blocks: `down` × `across` of them, of whole tiles, as even as possible.
#[derive(Clone, Copy)]
struct Grid {
    down: usize,
    across: usize,
}

impl Grid {
    /// Blocks of at most about [`MAX_ROWS`] × [`MAX_COLS`], and enough of them for `threads` threads.
    fn new(m: usize, n: usize, work: usize, sparse: bool, threads: usize) -> Grid {
        let mut down = m.div_ceil(MAX_ROWS);
        let mut across = n.div_ceil(MAX_COLS);
        if threads > 1 {
            let wanted = (work / BLOCK_WORK).clamp(threads, threads * BLOCKS_PER_THREAD);
            // Rows first: blocks beside each other both pack the same rows of A.
            if down * across < wanted && down > 1 {
                down = wanted.div_ceil(across).min(m.div_ceil(MIN_ROWS)).max(down);
            }
            // Blocks beside each other pack the same rows of A, or list them, which costs still more.
            let wanted = if sparse { threads } else { wanted.min(threads * COLUMN_BLOCKS_PER_THREAD) };
            let most = n.div_ceil(MIN_COLS);
            if down * across < wanted {
                across = wanted.div_ceil(down).min(most).max(across);
            }
            if down * across < wanted {
                down = wanted.div_ceil(across).min(m.div_ceil(MIN_ROWS)).max(down);
            }
            // As many blocks for each thread.
            if let Some(even) =
                (across..=most.max(across)).find(|across| (down * across).is_multiple_of(threads))
                && down * across < threads * BLOCKS_PER_THREAD
            {
                across = even;
            }
        }
        Grid { down, across }
    }

    fn blocks(&self) -> usize {
        self.down * self.across
    }
}

/// Start and length of part `index` of `parts` of `length` elements, cut at multiples of `unit`.
fn part(length: usize, unit: usize, index: usize, parts: usize) -> (usize, usize) {
    let units = length.div_ceil(unit);
    let start = units * index / parts * unit;
    (start, (units * (index + 1) / parts * unit).min(length) - start)
}

/// One product, as all its workers see it.
struct Plan<'a> {
    simd: Simd,
    m: usize,
    n: usize,
    terms: &'a [Term<'a>],
    /// Bit t says that term t takes the sparse kernel.
    sparse: u64,
    grid: Grid,
    /// The whole of B of each term, or nothing where each block packs its own.
    packed: Vec<Option<&'a [f32]>>,
    sink: Sink<'a>,
}

fn run(m: usize, n: usize, terms: &[Term], sink: Sink) {
    for term in terms {
        term.a.check(m, term.k);
        term.b.check(term.k, n);
    }
    if m == 0 || n == 0 {
        return;
    }
    let simd = microkernel::simd();
    let mut sparse = 0;
    for (t, term) in terms.iter().enumerate().take(64) {
        sparse |= u64::from(sparse::worthwhile(simd, &term.a, m, term.k, n)) << t;
    }
    run_with(simd, m, n, terms, sparse, sink);
}

/// [`run`] with given instructions and kernels: bit t of `sparse` says that term t takes the sparse one.
fn run_with(simd: Simd, m: usize, n: usize, terms: &[Term], sparse: u64, sink: Sink) {
    let depth: usize = terms.iter().map(|term| term.k).sum();
    let work = m * n * depth;
    let threads = if work < SERIAL_WORK { 1 } else { rayon::current_num_threads() };
    let grid = Grid::new(m, n, work, sparse != 0, threads);
    let packed: Vec<Option<&[f32]>> = terms.iter().map(|term| term.packed).collect();
    let mut plan = Plan { simd, m, n, terms, sparse, grid, packed, sink };
    let missing = || terms.iter().filter(|term| term.packed.is_none());
    let length = missing().map(|term| packed_b_len(term.k, n)).sum();
    if grid.down == 1 || length == 0 || length > MAX_SHARED {
        plan.blocks(threads);
    } else {
        let mut shared = SHARED_B.take();
        let mut room = shared.floats(length);
        for (term, packed) in terms.iter().zip(&mut plan.packed).filter(|(term, _)| term.packed.is_none()) {
            let (own, rest) = std::mem::take(&mut room).split_at_mut(packed_b_len(term.k, n));
            pack_with(simd, &term.b, term.k, n, own);
            *packed = Some(&*own);
            room = rest;
        }
        plan.blocks(threads);
        SHARED_B.set(shared);
    }
}

/// Lays out the `k` × `n` values of B as blocks read them: stretch after stretch of `k`, each panel after panel.
pub(crate) fn pack(b: &Strided, k: usize, n: usize, out: &mut [f32]) {
    pack_with(microkernel::simd(), &b.into(), k, n, out);
}

fn pack_with(simd: Simd, b: &Operand, k: usize, n: usize, out: &mut [f32]) {
    b.check(k, n);
    assert!(out.len() >= packed_b_len(k, n), "room for the packed B");
    let threads = if packed_b_len(k, n) < SERIAL_PACK { 1 } else { rayon::current_num_threads() };
    let (step, groups) = (even(k, DEPTH), n.div_ceil(PANEL * PACK_PANELS));
    let out = Shared::new(out);
    share(k.div_ceil(step) * groups, threads, &|numbers| {
        for number in numbers {
            let (k0, col0) = (number / groups * step, number % groups * PACK_PANELS * PANEL);
            let (depth, cols) = (step.min(k - k0), (PACK_PANELS * PANEL).min(n - col0));
            let start = packed_b_len(k0, n) + packed_b_len(depth, col0);
            // SAFETY: the panels of different stretches and groups are disjoint and lie within `out`, which has
            // room for the packed B and is borrowed for this whole call.
            let out = unsafe { std::slice::from_raw_parts_mut(out.at(start), packed_b_len(depth, cols)) };
            pack_b(simd, b, k0, depth, col0, cols, out);
        }
    });
}

impl Plan<'_> {
    /// Computes and finishes all blocks.
    fn blocks(&self, threads: usize) {
        share(self.grid.blocks(), threads, &|numbers| {
            let mut workspace = WORKSPACE.take();
            for number in numbers {
                self.block(number, &mut workspace);
            }
            WORKSPACE.set(workspace);
        });
    }

    /// Computes and finishes one block.
    fn block(&self, number: usize, workspace: &mut Workspace) {
        let Workspace { sums, packed_a, packed_b, lists } = workspace;
        let (row0, rows) = part(self.m, TILE_ROWS, number / self.grid.across, self.grid.down);
        let (col0, cols) = part(self.n, PANEL, number % self.grid.across, self.grid.across);
        let wide = cols.next_multiple_of(PANEL);
        // A pointer, since the rows of blocks beside each other interleave: slices of them would overlap.
        let (acc, stride) = match self.sink {
            Sink::Store(out, stride) if wide == cols => (out.at(row0 * stride + col0), stride),
            _ => {
                // An odd number of lines per row spreads long rows over all sets of the caches; short ones lie close.
                let stride = if wide < 512 { wide } else { ((wide / PANEL) | 1) * PANEL };
                (sums.floats(rows * stride).as_mut_ptr(), stride)
            }
        };
        let mut started = false;
        for (t, term) in self.terms.iter().enumerate() {
            let sparse = t < 64 && self.sparse >> t & 1 == 1;
            // A sparse term that packs B for itself is cut by its lists only.
            let step =
                if sparse && self.packed[t].is_none() { even(term.k, LISTED) } else { even(term.k, DEPTH) };
            for k0 in (0..term.k).step_by(step) {
                let depth = step.min(term.k - k0);
                let shared = self.packed[t]
                    .map(|all| &all[packed_b_len(k0, self.n) + packed_b_len(depth, col0)..][..depth * wide]);
                if sparse {
                    if !started {
                        // SAFETY: this block's own rows of sums, as chosen above.
                        unsafe { clear(acc, rows, wide, stride) };
                    }
                    let mut right = match shared {
                        Some(packed) => Right::Packed(packed),
                        None => Right::Unpacked(&term.b, col0, packed_b),
                    };
                    // SAFETY: this block's own rows of sums, as chosen above, of `wide` floats each.
                    unsafe {
                        sparse::block(
                            self.simd, &term.a, term.scale, row0, rows, k0, depth, &mut right, cols, acc,
                            stride, lists,
                        );
                    }
                } else {
                    let packed = match shared {
                        Some(packed) => packed,
                        None => {
                            let own = packed_b.floats(depth * wide);
                            pack_b(self.simd, &term.b, k0, depth, col0, cols, own);
                            own
                        }
                    };
                    // SAFETY: as above; the operands were checked.
                    unsafe {
                        dense(
                            self.simd, term, row0, rows, k0, depth, packed, cols, acc, stride, started,
                            packed_a,
                        );
                    }
                }
                started = true;
            }
        }
        if !started {
            // SAFETY: as above.
            unsafe { clear(acc, rows, wide, stride) };
        }
        match self.sink {
            Sink::Finish(finish) => {
                let acc = sums.floats(rows * stride);
                finish(Block { row0, rows, col0, cols, acc, stride });
            }
            Sink::Store(out, out_stride) if wide != cols => {
                for r in 0..rows {
                    let to = out.at((row0 + r) * out_stride + col0);
                    // SAFETY: row r of this block's sums in scratch, and of its own rectangle of the output.
                    unsafe { std::ptr::copy_nonoverlapping(acc.add(r * stride), to, cols) };
                }
            }
            Sink::Store(..) => {}
        }
    }
}

/// The length of equal stretches of about `length` steps, at most half as much again, that cut `k` steps.
fn even(k: usize, length: usize) -> usize {
    k.div_ceil(((k + length / 2) / length).max(1)).next_multiple_of(8).max(8)
}

/// Sets the sums of a block to zero.
///
/// # Safety
/// `acc` is writable for `rows` rows of `cols` floats, `stride` apart.
unsafe fn clear(acc: *mut f32, rows: usize, cols: usize, stride: usize) {
    for r in 0..rows {
        // SAFETY: passed on from the caller; zero bytes are the number 0.
        unsafe { acc.add(r * stride).write_bytes(0, cols) };
    }
}

/// Adds one stretch of a term to a block by the dense kernel; `carry` says that sums are there already.
///
/// # Safety
/// `acc` is readable and writable for `rows` rows, `stride` apart, of a whole number of panels that hold
/// `cols` columns; A holds `row0 + rows` rows and `k0 + depth` columns.
unsafe fn dense(
    simd: Simd,
    term: &Term,
    row0: usize,
    rows: usize,
    k0: usize,
    depth: usize,
    packed: &[f32],
    cols: usize,
    acc: *mut f32,
    stride: usize,
    carry: bool,
    packed_a: &mut Scratch,
) {
    let panels = cols.div_ceil(PANEL);
    let Operand::Strided(matrix) = term.a;
    let in_place = term.scale == 1.0 && matrix.col_stride == 1 && panels < PACK_A_PANELS;
    let left = if in_place {
        LeftTile::strided(matrix.data[matrix.index(row0, k0)..].as_ptr(), matrix.row_stride, 1)
    } else {
        let copy = packed_a.floats(packed_a_len(rows, depth));
        pack_a(simd, &term.a, term.scale, row0, rows, k0, depth, copy);
        let (start, group_stride) = (copy.as_ptr(), TILE_ROWS * depth);
        LeftTile { start, row_stride: 1, col_stride: TILE_ROWS, group_stride }
    };
    assert!(packed.len() >= panels * depth * PANEL);
    // SAFETY: A holds these rows and columns (or the copy was made for them), each panel holds `depth` rows, and the
    // caller vouches for all panels of all rows of `acc`.
    unsafe {
        microkernel::tiles(
            simd,
            rows,
            cols,
            Runs::one(depth),
            left,
            packed.as_ptr(),
            depth * PANEL,
            acc,
            stride,
            carry,
        )
    };
}

#[cfg(test)]
mod tests;
