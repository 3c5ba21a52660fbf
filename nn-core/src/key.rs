//! Counter-based randomness: every draw is a pure function of a key and an index.
//!
//! The generator is Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
//! easy as 1, 2, 3", 2011): additions, rotations and exclusive-ors of 32-bit words, so that a shader computes
//! the same bits as the processor. There is no state to share or to lose: batch splits, thread counts and
//! devices move no stream, and a run resumes from a key and a step.

use crate::threefry::threefry2x32;
use rand_core::RngCore;

/// The name of an independent stream of random numbers.
///
/// A key is never used up: drawing twice with the same key gives the same numbers. Make new keys with
/// [`Key::fold_in`], one for each purpose and step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(crate) [u32; 2]);

/// Separates the keys that are derived from the numbers that are drawn.
const DERIVE: u32 = 0x6b65_7973;
/// Marks the counters of normal draws; those of uniform draws have this bit clear.
const NORMAL: u32 = 0x8000_0000;
const UNIT: f64 = 1.0 / 16_777_216.0;

impl Key {
    /// The key of a seed.
    pub fn new(seed: u64) -> Key {
        Key([(seed >> 32) as u32, seed as u32])
    }

    /// A key of its own for each `n`: a step, a layer, a purpose.
    pub fn fold_in(self, n: u64) -> Key {
        let [k0, k1] = self.0;
        Key(threefry2x32([k0 ^ DERIVE, k1], [n as u32, (n >> 32) as u32]))
    }

    /// The key of these words; with [`Key::words`] for storing keys.
    pub const fn from_words(words: [u32; 2]) -> Key {
        Key(words)
    }

    /// The two words of the key, for backends that compute the draws themselves.
    pub fn words(self) -> [u32; 2] {
        self.0
    }

    /// Element `i` of the uniform draw, in [0, 1), a multiple of 2⁻²⁴.
    pub fn uniform(self, i: u64) -> f32 {
        let block = i >> 1;
        let counter = [block as u32, (block >> 32) as u32 & !NORMAL];
        let word = threefry2x32(self.0, counter)[(i & 1) as usize];
        (word >> 8) as f32 * UNIT as f32
    }

    /// Element `i` of the standard normal draw, by the method of Box and Muller in double precision.
    pub fn normal(self, i: u64) -> f64 {
        let [w0, w1] = threefry2x32(self.0, [i as u32, (i >> 32) as u32 | NORMAL]);
        let (u0, u1) = (((w0 >> 8) + 1) as f64 * UNIT, (w1 >> 8) as f64 * UNIT);
        (-2.0 * u0.ln()).sqrt() * (std::f64::consts::TAU * u1).cos()
    }

    /// A generator for `rand` and `ndarray-rand` distributions; equal keys give equal sequences.
    pub fn generator(self) -> KeyGenerator {
        KeyGenerator { key: self.fold_in(u64::from(DERIVE)), counter: 0, spare: None }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}{:08x}", self.0[0], self.0[1])
    }
}

impl std::str::FromStr for Key {
    type Err = ();
    fn from_str(text: &str) -> Result<Key, ()> {
        u64::from_str_radix(text, 16).map(Key::new).map_err(|_| ())
    }
}

/// The sequence of words of a [`Key`], as a `rand_core` generator.
#[derive(Clone, Debug)]
pub struct KeyGenerator {
    key: Key,
    counter: u64,
    spare: Option<u32>,
}

impl RngCore for KeyGenerator {
    fn next_u32(&mut self) -> u32 {
        if let Some(word) = self.spare.take() {
            return word;
        }
        let [first, second] = threefry2x32(self.key.0, [self.counter as u32, (self.counter >> 32) as u32]);
        self.counter += 1;
        self.spare = Some(second);
        first
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) | u64::from(self.next_u32()) << 32
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        rand_core::impls::fill_bytes_via_next(self, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_draws_are_flat_and_bounded() {
        let key = Key::new(3);
        let mut counts = [0u32; 16];
        for i in 0..160_000 {
            let u = key.uniform(i);
            assert!((0.0..1.0).contains(&u));
            counts[(u * 16.0) as usize] += 1;
        }
        // Chi-square with 15 degrees of freedom: 37.7 is exceeded with probability 0.001.
        let chi: f64 = counts.iter().map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 37.7, "chi-square {chi}");
    }

    #[test]
    fn normal_draws_have_unit_moments() {
        let key = Key::new(4);
        let n = 200_000;
        let draws: Vec<f64> = (0..n).map(|i| key.normal(i)).collect();
        let moment = |p: i32| draws.iter().map(|z| z.powi(p)).sum::<f64>() / n as f64;
        assert!(moment(1).abs() < 4.0 / (n as f64).sqrt());
        assert!((moment(2) - 1.0).abs() < 4.0 * (2.0 / n as f64).sqrt());
        assert!((moment(4) - 3.0).abs() < 4.0 * (96.0 / n as f64).sqrt());
    }

    #[test]
    fn derived_keys_differ_from_each_other_and_from_the_draws() {
        let key = Key::new(7);
        let mut seen = std::collections::HashSet::new();
        assert!((0..1000).all(|n| seen.insert(key.fold_in(n))));
        assert!(seen.insert(key));
    }

    #[test]
    fn a_generator_feeds_foreign_distributions() {
        use ndarray_rand::{RandomExt, rand_distr::Normal};
        let draw = |seed| {
            ndarray::Array2::<f32>::random_using(
                (50, 40),
                Normal::new(0.0, 0.01).unwrap(),
                &mut Key::new(seed).generator(),
            )
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).mean().unwrap().abs() < 0.001);
    }
}
