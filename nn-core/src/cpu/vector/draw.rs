//! Random draws over slices of `f32`: element i of a draw depends on its key and on i alone.
//!
//! Counters are computed side by side, 32 at a time, into a buffer of the first-level cache, and their words
//! turned into numbers from there; both loops are vector instructions on AVX2.

use super::{NATIVE, ROOT_HALF, ROUND, Simd, log_sum, polynomial, simd};
use crate::threefry;

/// Counters per buffer.
const PIECE: usize = 256;
/// Counters computed side by side: four vectors of 8, whose chains of rounds overlap.
const LANES: usize = 32;
/// The spacing of uniform values, 2⁻²⁴.
const UNIT: f32 = 1.0 / 16_777_216.0;
/// Set in the second word of the counters of normal draws, clear in those of uniform ones.
const NORMAL: u32 = 0x8000_0000;

/// Fills `to[q]` with element `first + q` of the uniform draw of `key` on [0, 1), multiples of 2⁻²⁴.
///
/// Element i is word `i & 1` of the block with counter `i >> 1`, whose top bit is clear.
pub(crate) fn uniform(to: &mut [f32], key: [u32; 2], first: u64) {
    let simd = simd();
    // An odd start takes the second word of its block alone.
    let head = ((first & 1) as usize).min(to.len());
    let (odd, even) = to.split_at_mut(head);
    let (mut a, mut b) = ([0; PIECE], [0; PIECE]);
    if let Some(value) = odd.first_mut() {
        words(simd, key, first >> 1, 0, 1, &mut a, &mut b);
        *value = upper(b[0]) * UNIT;
    }
    let mut block = (first + head as u64) >> 1;
    for piece in even.chunks_mut(2 * PIECE) {
        words(simd, key, block, 0, piece.len().div_ceil(2), &mut a, &mut b);
        dispatch(simd, Draw::Uniform, piece, &a, &b);
        block += PIECE as u64;
    }
}

/// Fills `to[q]` with element `first + q` of the standard normal draw of `key`, by the formula of Box and
/// Muller.
///
/// Element i uses both words of the block with counter i, whose top bit is set.
pub(crate) fn normal(to: &mut [f32], key: [u32; 2], first: u64) {
    let simd = simd();
    let (mut a, mut b) = ([0; PIECE], [0; PIECE]);
    let mut counter = first;
    for piece in to.chunks_mut(PIECE) {
        words(simd, key, counter, NORMAL, piece.len(), &mut a, &mut b);
        dispatch(simd, Draw::Normal, piece, &a, &b);
        counter += PIECE as u64;
    }
}

/// The first and second words of at least `count` consecutive counters from `counter`, whose top bit is
/// `flag`.
fn words(
    simd: Simd,
    key: [u32; 2],
    counter: u64,
    flag: u32,
    count: usize,
    a: &mut [u32; PIECE],
    b: &mut [u32; PIECE],
) {
    let groups = a.as_chunks_mut::<LANES>().0.iter_mut().zip(b.as_chunks_mut::<LANES>().0);
    for (g, (a, b)) in groups.take(count.div_ceil(LANES)).enumerate() {
        let counter = counter.wrapping_add((g * LANES) as u64);
        let (low, high) = (counter as u32, (counter >> 32) as u32);
        #[cfg(target_arch = "x86_64")]
        if simd.has_avx2() && low <= u32::MAX - LANES as u32 {
            // SAFETY: the CPU has AVX2.
            unsafe { x86::words(key, low, (high & !NORMAL) | flag, a, b) };
            continue;
        }
        let _ = simd;
        for lane in 0..LANES {
            a[lane] = low.wrapping_add(lane as u32);
            b[lane] = (high.wrapping_add(u32::from(a[lane] < low)) & !NORMAL) | flag;
        }
        [*a, *b] = threefry::lanes(key, *a, *b);
    }
}

/// The kinds of draws.
#[derive(Clone, Copy)]
enum Draw {
    Uniform,
    Normal,
}

/// Turns words into numbers.
fn dispatch(simd: Simd, draw: Draw, to: &mut [f32], a: &[u32; PIECE], b: &[u32; PIECE]) {
    #[inline(always)]
    fn body<const FUSED: bool>(draw: Draw, to: &mut [f32], a: &[u32; PIECE], b: &[u32; PIECE]) {
        match draw {
            Draw::Uniform => {
                let (pairs, last) = to.as_chunks_mut::<2>();
                for ((pair, &a), &b) in pairs.iter_mut().zip(a).zip(b) {
                    *pair = [upper(a) * UNIT, upper(b) * UNIT];
                }
                if let Some(value) = last.first_mut() {
                    *value = upper(a[pairs.len()]) * UNIT;
                }
            }
            Draw::Normal => {
                for ((value, &a), &b) in to.iter_mut().zip(a).zip(b) {
                    *value = normal_of::<FUSED>((upper(a) + 1.0) * UNIT, upper(b) * UNIT);
                }
            }
        }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn avx2(draw: Draw, to: &mut [f32], a: &[u32; PIECE], b: &[u32; PIECE]) {
        body::<true>(draw, to, a, b);
    }
    match simd {
        // SAFETY: the CPU has AVX2 and FMA.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 | Simd::Avx512 => unsafe { avx2(draw, to, a, b) },
        Simd::Portable => body::<NATIVE>(draw, to, a, b),
    }
}

/// The upper 24 bits of a word, as a number below 2²⁴.
#[inline(always)]
fn upper(word: u32) -> f32 {
    // Through a signed integer, for which there is a vector instruction.
    (word >> 8) as i32 as f32
}

/// √(−2 ln u) · cos(2π v) for u in (0, 1], v in [0, 1).
#[inline(always)]
fn normal_of<const FUSED: bool>(u: f32, v: f32) -> f32 {
    // u is a normal number, which spares the special cases of the logarithm.
    let bits = u.to_bits() as i32;
    let e = bits.wrapping_sub(ROOT_HALF) >> 23;
    let log = log_sum::<FUSED>(f32::from_bits(bits.wrapping_sub(e << 23) as u32) - 1.0, e as f32);
    (-2.0 * log).max(0.0).sqrt() * cos_turns::<FUSED>(v)
}

/// cos(2π v) for v in [0, 1].
#[inline(always)]
fn cos_turns<const FUSED: bool>(v: f32) -> f32 {
    // Quarter turns to the nearest whole number n, and the rest r in quarter turns, exact.
    let shifted = 4.0 * v + ROUND;
    let n = shifted.to_bits();
    let r = 4.0 * v - (shifted - ROUND);
    let z = r * r;
    let sin = r * polynomial::<FUSED, 4>(z, [1.570_796_4, -0.645_963_5, 0.079_680_22, -0.004_602_145_4]);
    let cos = polynomial::<FUSED, 5>(z, [1.0, -1.233_700_5, 0.253_669_2, -0.020_860_068, 9.036_255e-4]);
    let size = if n & 1 == 1 { sin } else { cos };
    // Negative in the quarters around n = 1 and 2.
    if (n.wrapping_add(1)) & 2 == 2 { -size } else { size }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::LANES;
    use crate::threefry::{PARITY, ROTATIONS};
    use std::arch::x86_64::{
        __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_or_si256, _mm256_set1_epi32, _mm256_setr_epi32,
        _mm256_setzero_si256, _mm256_sll_epi32, _mm256_srl_epi32, _mm256_storeu_si256, _mm256_xor_si256,
    };

    const VECTORS: usize = LANES / 8;
    type Words = [__m256i; VECTORS];

    /// The words of the counters whose first words are `LANES` numbers from `low` and whose second is `high`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn words(
        key: [u32; 2],
        low: u32,
        high: u32,
        to_a: &mut [u32; LANES],
        to_b: &mut [u32; LANES],
    ) {
        let mut a = [_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); VECTORS];
        let mut b = [_mm256_set1_epi32(high as i32); VECTORS];
        for v in 0..VECTORS {
            a[v] = _mm256_add_epi32(a[v], _mm256_set1_epi32(low.wrapping_add(8 * v as u32) as i32));
        }
        let keys = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
        add(&mut a, keys[0]);
        add(&mut b, keys[1]);
        four::<0>(&mut a, &mut b);
        add(&mut a, keys[1]);
        add(&mut b, keys[2].wrapping_add(1));
        four::<1>(&mut a, &mut b);
        add(&mut a, keys[2]);
        add(&mut b, keys[0].wrapping_add(2));
        four::<0>(&mut a, &mut b);
        add(&mut a, keys[0]);
        add(&mut b, keys[1].wrapping_add(3));
        four::<1>(&mut a, &mut b);
        add(&mut a, keys[1]);
        add(&mut b, keys[2].wrapping_add(4));
        four::<0>(&mut a, &mut b);
        add(&mut a, keys[2]);
        add(&mut b, keys[0].wrapping_add(5));
        for v in 0..VECTORS {
            // SAFETY: vector v is words 8·v to 8·v + 7 of arrays of 8·VECTORS.
            unsafe {
                _mm256_storeu_si256(to_a.as_mut_ptr().add(8 * v).cast(), a[v]);
                _mm256_storeu_si256(to_b.as_mut_ptr().add(8 * v).cast(), b[v]);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn add(words: &mut Words, summand: u32) {
        for word in words {
            *word = _mm256_add_epi32(*word, _mm256_set1_epi32(summand as i32));
        }
    }

    /// Four rounds with the first (`HALF` 0) or last four rotations.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn four<const HALF: usize>(a: &mut Words, b: &mut Words) {
        round(a, b, ROTATIONS[4 * HALF]);
        round(a, b, ROTATIONS[4 * HALF + 1]);
        round(a, b, ROTATIONS[4 * HALF + 2]);
        round(a, b, ROTATIONS[4 * HALF + 3]);
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn round(a: &mut Words, b: &mut Words, rotation: u32) {
        // Inlined with a constant rotation, these are shifts by an immediate.
        let (left, right) = (_mm_cvtsi32_si128(rotation as i32), _mm_cvtsi32_si128(32 - rotation as i32));
        let mut rotated = [_mm256_setzero_si256(); VECTORS];
        for v in 0..VECTORS {
            a[v] = _mm256_add_epi32(a[v], b[v]);
            rotated[v] = _mm256_or_si256(_mm256_sll_epi32(b[v], left), _mm256_srl_epi32(b[v], right));
            b[v] = _mm256_xor_si256(rotated[v], a[v]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{normal, uniform};

    fn plain_uniform(key: [u32; 2], i: u64) -> f32 {
        let block = i >> 1;
        let words = crate::threefry::threefry2x32(key, [block as u32, (block >> 32) as u32 & 0x7fff_ffff]);
        (words[(i & 1) as usize] >> 8) as f32 * 2.0_f32.powi(-24)
    }

    fn plain_normal(key: [u32; 2], i: u64) -> f64 {
        let [a, b] = crate::threefry::threefry2x32(key, [i as u32, (i >> 32) as u32 | 0x8000_0000]);
        let (u, v) = (f64::from((a >> 8) + 1) / 16_777_216.0, f64::from(b >> 8) / 16_777_216.0);
        (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
    }

    #[test]
    fn draws_equal_their_definition() {
        let key = [0x1234_5678, 0x9abc_def0];
        for first in [0, 1, 2, 7, 1000, (1 << 33) - 5, (1 << 32) - 5, u64::from(u32::MAX) << 20] {
            for length in [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 101] {
                let mut values = vec![0.0; length];
                uniform(&mut values, key, first);
                for (q, &value) in values.iter().enumerate() {
                    assert_eq!(value.to_bits(), plain_uniform(key, first + q as u64).to_bits());
                }
                normal(&mut values, key, first);
                for (q, &value) in values.iter().enumerate() {
                    let exact = plain_normal(key, first + q as u64);
                    assert!((f64::from(value) - exact).abs() < 3e-6, "{value} {exact}");
                }
            }
        }
    }

    #[test]
    fn draws_have_their_moments() {
        let count = 1 << 20;
        let mut values = vec![0.0; count];
        let moment =
            |values: &[f32], p: i32| values.iter().map(|&x| f64::from(x).powi(p)).sum::<f64>() / count as f64;
        uniform(&mut values, [1, 2], 0);
        assert!(values.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((moment(&values, 1) - 0.5).abs() < 2e-3 && (moment(&values, 2) - 1.0 / 3.0).abs() < 2e-3);
        normal(&mut values, [1, 2], 0);
        assert!(moment(&values, 1).abs() < 5e-3 && (moment(&values, 2) - 1.0).abs() < 7e-3);
        assert!(moment(&values, 3).abs() < 2e-2 && (moment(&values, 4) - 3.0).abs() < 5e-2);
    }
}
