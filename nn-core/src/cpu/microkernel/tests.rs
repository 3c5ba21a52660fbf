use super::*;

impl Simd {
    /// All that this CPU has.
    pub(crate) fn available() -> Vec<Simd> {
        let all = [
            Simd::Portable,
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2,
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512,
        ];
        let best = all.iter().position(|it| *it == simd()).expect("all instructions are listed");
        all[..=best].to_vec()
    }
}

fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0).collect()
}

/// Two runs of each chain, from zero or from what stands there, one multiply-add after the other.
#[test]
fn every_sum_is_one_chain_of_multiply_adds() {
    let runs = Runs { count: 2, depth: 5, left_stride: 40, panel_stride: 7 * PANEL };
    let panel_distance = runs.count * runs.panel_stride + 3;
    let (row_stride, group_stride) = (90, 600);
    let (left, panels) = (values(4 * group_stride, 1), values(3 * panel_distance, 2));
    for simd in Simd::available() {
        for rows in 1..=4 * TILE_ROWS {
            for cols in [1_usize, 8, 9, 16, 17, 24, 32, 33, 48] {
                for carry in [false, true] {
                    let stride = cols.next_multiple_of(PANEL) + 5;
                    let before = values(rows * stride, 3);
                    let mut sums = before.clone();
                    let tile = LeftTile { start: left.as_ptr(), row_stride, col_stride: 3, group_stride };
                    // SAFETY: the last element of the last group, and of the last panel, lies within its vector, and
                    // sums have whole panels.
                    unsafe {
                        let (panels, sums) = (panels.as_ptr(), sums.as_mut_ptr());
                        tiles(simd, rows, cols, runs, tile, panels, panel_distance, sums, stride, carry);
                    }
                    for (row, column) in (0..rows).flat_map(|row| (0..cols).map(move |column| (row, column)))
                    {
                        let mut sum = if carry { before[row * stride + column] } else { 0.0 };
                        for (run, k) in (0..runs.count).flat_map(|run| (0..runs.depth).map(move |k| (run, k)))
                        {
                            let a = row / TILE_ROWS * group_stride + row % TILE_ROWS * row_stride;
                            let b = column / PANEL * panel_distance + column % PANEL;
                            let a = left[a + run * runs.left_stride + k * 3];
                            let b = panels[b + run * runs.panel_stride + k * PANEL];
                            sum = if simd.has_avx2() { a.mul_add(b, sum) } else { multiply_add(a, b, sum) };
                        }
                        let found = sums[row * stride + column];
                        assert_eq!(
                            found.to_bits(),
                            sum.to_bits(),
                            "{simd:?}, {rows} × {cols}: {row}, {column}"
                        );
                    }
                }
            }
        }
    }
}
