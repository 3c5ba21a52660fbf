//! Reductions over rows: one value for each column. Rows are cut into parts whatever the number of threads, and the parts
//! are joined in order. Sums are accumulated in double precision.

use super::{
    PARALLEL,
    elementwise::{Target, with_registers},
    formula::{Program, STRIP, Strip},
    microkernel::{Simd, simd},
    reduction::larger,
    team::share,
};
use crate::Reduction;
use std::ops::Range;
use std::sync::Mutex;

/// Columns reduced together: a few cache lines of each row.
const COLUMNS: usize = 128;
/// Rows of a part.
const ROWS: usize = 2048;

/// What is reduced: a formula on a grid, and the same on the grid as one long row where that is possible.
pub(super) struct Rows<'a> {
    pub program: &'a Program<'a>,
    pub flat: Option<&'a Program<'a>>,
    pub grid: [usize; 2],
    pub reduction: Reduction,
}

/// What is known of some columns after some rows.
struct Joined {
    sums: Vec<f64>,
    best: Vec<f32>,
    position: Vec<f32>,
}

impl Rows<'_> {
    /// out[0, j] = then(joined column j)
    pub(super) fn reduce(&self, target: &Target, then: &Program<'_>) {
        let [rows, columns] = self.grid;
        let (strips, parts) = (columns.div_ceil(COLUMNS), rows.div_ceil(ROWS).max(1));
        // As even as whole cache lines allow: each thread may have but one.
        let wide = columns.div_ceil(strips.max(1)).next_multiple_of(16);
        let of = |strip: usize| columns.min(strip * wide)..columns.min((strip + 1) * wide);
        let joined: Vec<Mutex<Option<Joined>>> = (0..strips * parts).map(|_| Mutex::new(None)).collect();
        let work = |at: usize| {
            let part = at % parts * ROWS..rows.min((at % parts + 1) * ROWS);
            let found = self.part(part, of(at / parts));
            *joined[at].lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(found);
        };
        if rows * columns < PARALLEL {
            (0..strips * parts).for_each(work);
        } else {
            share(strips * parts, rayon::current_num_threads(), &|numbers| numbers.for_each(&work));
        }
        let mut joined = joined.into_iter().filter_map(|part| part.into_inner().ok().flatten());
        for strip in 0..strips {
            let Some(mut all) = joined.next() else { return };
            (1..parts).filter_map(|_| joined.next()).for_each(|part| all.join(self.reduction, &part));
            let values = all.values(self.reduction);
            // SAFETY: strips of columns are disjoint and lie inside the output, which the caller has borrowed.
            unsafe { target.apply(then, 0..1, of(strip), &values, wide) };
        }
    }

    /// Joins these rows of these columns.
    fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Joined {
        let width = columns.len();
        let mut joined = Joined {
            sums: vec![0f64; width],
            best: vec![f32::NEG_INFINITY; width],
            position: vec![0f32; width],
        };
        let mut values = [0f32; STRIP];
        // Rows that one strip of the formula covers.
        let together = if self.flat.is_some() { (STRIP / width.max(1)).max(1) } else { 1 };
        with_registers(|registers| {
            for first in rows.clone().step_by(together) {
                let count = together.min(rows.end - first);
                if let (1, Some(row)) = (together, self.program.row_of_input(first, self.grid[1])) {
                    // What is there already need not be copied.
                    joined.add(self.reduction, &row[columns.clone()], first);
                    continue;
                }
                let values = &mut values[..count * width];
                let (program, strip) = match self.flat {
                    Some(flat) => {
                        let columns = self.grid[0] * self.grid[1];
                        (flat, Strip { row: 0, column: first * width, columns, acc: &[] })
                    }
                    None => {
                        let (column, columns) = (columns.start, self.grid[1]);
                        (self.program, Strip { row: first, column, columns, acc: &[] })
                    }
                };
                program.run(strip, registers, values);
                joined.add(self.reduction, values, first);
            }
        });
        joined
    }
}

impl Joined {
    /// Joins rows of values, the first of which is row `first`.
    fn add(&mut self, reduction: Reduction, values: &[f32], first: usize) {
        match simd() {
            // SAFETY: the processor has AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 | Simd::Avx512 => unsafe { self.add_avx2(reduction, values, first) },
            Simd::Portable => self.add_portable(reduction, values, first),
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn add_avx2(&mut self, reduction: Reduction, values: &[f32], first: usize) {
        self.add_portable(reduction, values, first);
    }

    #[inline(always)]
    fn add_portable(&mut self, reduction: Reduction, values: &[f32], first: usize) {
        let Joined { sums, best, position } = self;
        for (row, values) in values.chunks_exact(sums.len()).enumerate() {
            match reduction {
                Reduction::Sum => sums.iter_mut().zip(values).for_each(|(sum, v)| *sum += f64::from(*v)),
                Reduction::Max => best.iter_mut().zip(values).for_each(|(max, v)| *max = larger(*max, *v)),
                Reduction::ArgMax => {
                    for ((max, at), v) in best.iter_mut().zip(&mut *position).zip(values) {
                        if *v > *max {
                            (*max, *at) = (*v, (first + row) as f32);
                        }
                    }
                }
            }
        }
    }

    /// Joins what is known of later rows.
    fn join(&mut self, reduction: Reduction, later: &Joined) {
        match reduction {
            Reduction::Sum => self.sums.iter_mut().zip(&later.sums).for_each(|(sum, more)| *sum += more),
            Reduction::Max => self.best.iter_mut().zip(&later.best).for_each(|(a, b)| *a = larger(*a, *b)),
            Reduction::ArgMax => {
                let ours = self.best.iter_mut().zip(&mut self.position);
                for ((max, at), (best, position)) in ours.zip(later.best.iter().zip(&later.position)) {
                    if best > max {
                        (*max, *at) = (*best, *position);
                    }
                }
            }
        }
    }

    fn values(self, reduction: Reduction) -> Vec<f32> {
        match reduction {
            Reduction::Sum => self.sums.iter().map(|sum| *sum as f32).collect(),
            Reduction::Max => self.best,
            Reduction::ArgMax => self.position,
        }
    }
}
