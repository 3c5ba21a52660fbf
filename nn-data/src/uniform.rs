//! Exact elementary draws from a generator: bounded integers, fractions, permutations and coin tosses.
//!
//! All of them are functions of the generator's output alone, the same on every platform, so that whoever can
//! restore the generator can repeat the draw.

use rand_core::RngCore;

/// An integer from 0 to `bound - 1`, each exactly equally likely given uniform 64-bit output.
///
/// The product of `bound` and a 64-bit draw, divided by 2⁶⁴; draws whose product falls into the incomplete
/// part are rejected (Lemire, "Fast random integer generation in an interval", 2019). Takes one 64-bit draw,
/// and another one with probability below `bound` / 2⁶⁴.
///
/// # Panics
///
/// If `bound` is 0: there is no such integer.
pub fn below<R: RngCore + ?Sized>(generator: &mut R, bound: u64) -> u64 {
    assert!(bound > 0, "a draw below 0 was asked for");
    let mut product = u128::from(generator.next_u64()) * u128::from(bound);
    if (product as u64) < bound {
        // 2^64 mod bound: how many low halves belong to the incomplete part.
        let surplus = bound.wrapping_neg() % bound;
        while (product as u64) < surplus {
            product = u128::from(generator.next_u64()) * u128::from(bound);
        }
    }
    (product >> 64) as u64
}

/// The integers 0 to `count - 1` in an order of which all `count`! are equally likely (Fisher and Yates).
///
/// Goes from the last place to the second and swaps into each the content of a place drawn from those up to
/// it.
pub fn permutation<R: RngCore + ?Sized>(count: usize, generator: &mut R) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, below(generator, last as u64 + 1) as usize);
    }
    order
}

/// A number in [0, 1), a multiple of 2⁻⁵³, all equally likely; one 64-bit draw.
pub fn fraction<R: RngCore + ?Sized>(generator: &mut R) -> f64 {
    (generator.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0
}

/// True with the given probability, which is rounded up to a multiple of 2⁻³²; one 32-bit draw.
///
/// A probability of 0 (or less, or NaN) never gives true, one of 1 (or more) always.
pub fn with_probability<R: RngCore + ?Sized>(generator: &mut R, probability: f64) -> bool {
    f64::from(generator.next_u32()) < probability * 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;

    /// Gives the listed numbers in turn.
    struct Listed(Vec<u64>);

    impl RngCore for Listed {
        fn next_u32(&mut self) -> u32 {
            self.next_u64() as u32
        }
        fn next_u64(&mut self) -> u64 {
            self.0.remove(0)
        }
        fn fill_bytes(&mut self, _: &mut [u8]) {
            unreachable!("no draw here asks for bytes")
        }
    }

    #[test]
    fn draws_of_the_incomplete_part_are_rejected() {
        // 2^64 = 1 mod 3: exactly one of the 2^64 draws is surplus, that of product 0.
        assert_eq!(below(&mut Listed(vec![0, 1]), 3), 0);
        assert_eq!(below(&mut Listed(vec![u64::MAX]), 3), 2);
        // A power of two has no surplus.
        assert_eq!(below(&mut Listed(vec![0]), 4), 0);
        assert_eq!(below(&mut Listed(vec![7]), 1), 0);
        // With 2^63 + 1 the half below 2^63 - 1 is surplus.
        let mut listed = Listed(vec![0, u64::MAX]);
        assert_eq!(below(&mut listed, (1 << 63) + 1), 1 << 63);
    }

    #[test]
    fn all_permutations_are_equally_frequent() {
        let mut generator = Pcg64::seed_from_u64(1);
        let mut counts = std::collections::BTreeMap::new();
        let draws = 24_000;
        for _ in 0..draws {
            *counts.entry(permutation(4, &mut generator)).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        let expected = f64::from(draws) / 24.0;
        let chi_square: f64 = counts.values().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        // 23 degrees of freedom: 49.7 is exceeded with probability 0.001.
        assert!(chi_square < 49.7, "{chi_square}");
    }

    #[test]
    fn places_are_swapped_from_the_last_to_the_second() {
        // Draws 0 of 4, 2 of 3 and 0 of 2. Whoever changes this order breaks the resumption of older runs.
        let order = permutation(4, &mut Listed(vec![0, u64::MAX, 0]));
        assert_eq!(order, [1, 3, 2, 0]);
    }

    #[test]
    fn a_permutation_holds_every_number_once() {
        let mut generator = Pcg64::seed_from_u64(2);
        for count in [0, 1, 2, 1000] {
            let mut order = permutation(count, &mut generator);
            order.sort_unstable();
            assert_eq!(order, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn fractions_reach_from_zero_to_just_below_one() {
        let mut extremes = Listed(vec![0, u64::MAX, 1 << 63]);
        assert_eq!(fraction(&mut extremes), 0.0);
        assert_eq!(fraction(&mut extremes), 1.0 - f64::EPSILON / 2.0);
        assert_eq!(fraction(&mut extremes), 0.5);
    }

    #[test]
    fn probabilities_of_zero_and_one_are_certain() {
        let mut extremes = Listed(vec![0, u64::from(u32::MAX), 0, 1 << 31, (1 << 31) - 1]);
        assert!(!with_probability(&mut extremes, 0.0));
        assert!(with_probability(&mut extremes, 1.0));
        assert!(!with_probability(&mut extremes, f64::NAN));
        assert!(!with_probability(&mut extremes, 0.5));
        assert!(with_probability(&mut extremes, 0.5));
    }
}
