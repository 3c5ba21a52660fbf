//! The counter generator Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers:
//! As Easy as 1, 2, 3, SC 2011): a key and a counter give two words, so that any element of any draw is
//! computed on its own.

/// Rotation distances, one per round, repeating.
pub(crate) const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];
/// Parity constant of the key schedule.
pub(crate) const PARITY: u32 = 0x1bd1_1bda;

/// The two words of counter `ctr` under `key`.
pub(crate) fn threefry2x32(key: [u32; 2], ctr: [u32; 2]) -> [u32; 2] {
    let [a, b] = lanes(key, [ctr[0]], [ctr[1]]);
    [a[0], b[0]]
}

/// The first and second words of `N` counters, given by their first and second words.
#[inline(always)]
pub(crate) fn lanes<const N: usize>(key: [u32; 2], mut a: [u32; N], mut b: [u32; N]) -> [[u32; N]; 2] {
    let schedule = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
    for lane in 0..N {
        a[lane] = a[lane].wrapping_add(schedule[0]);
        b[lane] = b[lane].wrapping_add(schedule[1]);
    }
    for group in 0..5 {
        for round in 0..4 {
            let rotation = ROTATIONS[group % 2 * 4 + round];
            for lane in 0..N {
                a[lane] = a[lane].wrapping_add(b[lane]);
                b[lane] = b[lane].rotate_left(rotation) ^ a[lane];
            }
        }
        let (first, second) = (schedule[(group + 1) % 3], schedule[(group + 2) % 3]);
        for lane in 0..N {
            a[lane] = a[lane].wrapping_add(first);
            b[lane] = b[lane].wrapping_add(second).wrapping_add(group as u32 + 1);
        }
    }
    [a, b]
}

#[cfg(test)]
mod tests {
    use super::threefry2x32;

    #[test]
    fn published_answers() {
        assert_eq!(threefry2x32([0, 0], [0, 0]), [0x6b20_0159, 0x99ba_4efe]);
        assert_eq!(threefry2x32([u32::MAX; 2], [u32::MAX; 2]), [0x1cb9_96fc, 0xbb00_2be7]);
        assert_eq!(
            threefry2x32([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3]),
            [0xc492_3a9c, 0x483d_f7a0]
        );
    }
}
