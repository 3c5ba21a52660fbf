//! The shifter ensemble: a bit string, a copy that is shifted by one place or not, and which shift it was.
//!
//! Hinton and Sejnowski, "Learning and relearning in Boltzmann machines", in "Parallel Distributed
//! Processing", volume 1, 1986, chapter 7. No pair of bits of the two strings tells the shift, so that hidden
//! units are needed to find it. The standard form has 8 bits, shifts left, none and right with wraparound,
//! and three bits that label the shift: 19 bits, 768 patterns.

use ndarray::{Array2, ArrayViewMut1};
use rand_core::RngCore;

use crate::DataError;
use crate::uniform::{below, with_probability};

/// Largest number of bits whose patterns are listed: 196,608 patterns.
pub const LARGEST_LISTED_BITS: usize = 16;

/// Largest number of bits with which patterns are drawn.
pub const LARGEST_DRAWN_BITS: usize = 64;

/// The shift of the second string; its value is the number of the label bit that stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Place i of the copy shows place i + 1 of the string.
    Left = 0,
    /// The copy is equal to the string.
    None = 1,
    /// Place i of the copy shows place i − 1 of the string.
    Right = 2,
}

impl Shift {
    /// All shifts in the order of their label bits.
    pub const ALL: [Self; 3] = [Self::Left, Self::None, Self::Right];
}

/// What comes in at the end of a shifted string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// The bit that left at the other end.
    #[default]
    Wraparound,
    /// A bit that is off.
    Zero,
}

/// The options of the ensemble; [`Shifter::default`] is the standard form.
///
/// A pattern is the string, then the copy, then, with `labelled`, the three label bits of which the one of
/// the shift is on. The shift is uniform among the three.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shifter {
    /// Bits of the string, at least 2.
    pub bits: usize,
    /// Probability, in [0, 1], that a bit of the string is on; the bits are independent. 0.5 makes all
    /// patterns equally likely.
    pub on_probability: f64,
    /// What comes in at the end of a shifted string.
    pub edge: Edge,
    /// Whether the three label bits are part of a pattern.
    pub labelled: bool,
}

impl Default for Shifter {
    fn default() -> Self {
        Self { bits: 8, on_probability: 0.5, edge: Edge::Wraparound, labelled: true }
    }
}

impl Shifter {
    /// Bits of a pattern: 2 · bits, and 3 more with labels.
    pub fn width(&self) -> usize {
        2 * self.bits + if self.labelled { 3 } else { 0 }
    }

    /// All pairs of a shift and a string, with at most [`LARGEST_LISTED_BITS`] bits: (3 · 2^bits) ×
    /// [`width`](Self::width), each 0 or 1.
    ///
    /// Number s · 2^bits + k has the shift of label bit s and the string whose place i is bit i of k. Without
    /// labels, patterns that several shifts lead to (all off, for example) occur once for each of these.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for options out of range.
    pub fn patterns(&self) -> Result<Array2<f32>, DataError> {
        self.check(LARGEST_LISTED_BITS)?;
        let mut patterns = Array2::zeros((3 << self.bits, self.width()));
        for (index, pattern) in patterns.rows_mut().into_iter().enumerate() {
            self.fill(pattern, Shift::ALL[index >> self.bits], index as u64);
        }
        Ok(patterns)
    }

    /// The probability of each row of [`patterns`](Self::patterns); they sum to 1 up to rounding.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for options out of range.
    pub fn probabilities(&self) -> Result<Vec<f64>, DataError> {
        self.check(LARGEST_LISTED_BITS)?;
        let of_string = |string: usize| {
            let on = (string & ((1 << self.bits) - 1)).count_ones() as i32;
            self.on_probability.powi(on) * (1.0 - self.on_probability).powi(self.bits as i32 - on) / 3.0
        };
        Ok((0..3 << self.bits).map(of_string).collect())
    }

    /// Independent patterns, with at most [`LARGEST_DRAWN_BITS`] bits, and their shifts: `count` ×
    /// [`width`](Self::width).
    ///
    /// For each pattern first the shift is drawn, then the bits in their order, one 32-bit draw each.
    ///
    /// # Errors
    ///
    /// [`DataError::Setting`] for options out of range.
    pub fn draw<R: RngCore + ?Sized>(
        &self,
        count: usize,
        generator: &mut R,
    ) -> Result<(Array2<f32>, Vec<Shift>), DataError> {
        self.check(LARGEST_DRAWN_BITS)?;
        let mut patterns = Array2::zeros((count, self.width()));
        let mut shifts = Vec::with_capacity(count);
        for pattern in patterns.rows_mut() {
            let shift = Shift::ALL[below(generator, 3) as usize];
            let string = (0..self.bits).fold(0, |string, bit| {
                string | u64::from(with_probability(generator, self.on_probability)) << bit
            });
            self.fill(pattern, shift, string);
            shifts.push(shift);
        }
        Ok((patterns, shifts))
    }

    fn fill(&self, mut pattern: ArrayViewMut1<'_, f32>, shift: Shift, string: u64) {
        let bits = self.bits;
        let bit = |place: usize| (string >> place & 1) as f32;
        for place in 0..bits {
            pattern[place] = bit(place);
            let source = match shift {
                Shift::Left if place + 1 < bits => Some(place + 1),
                Shift::None => Some(place),
                Shift::Right if place > 0 => Some(place - 1),
                Shift::Left => (self.edge == Edge::Wraparound).then_some(0),
                Shift::Right => (self.edge == Edge::Wraparound).then_some(bits - 1),
            };
            pattern[bits + place] = source.map_or(0.0, bit);
        }
        if self.labelled {
            pattern[2 * bits + shift as usize] = 1.0;
        }
    }

    fn check(&self, largest: usize) -> Result<(), DataError> {
        let refused = |name, value, allowed| Err(DataError::Setting { name, value, allowed });
        if !(2..=largest).contains(&self.bits) {
            return refused("the number of bits", self.bits.to_string(), format!("give 2 to {largest}"));
        }
        if !(0.0..=1.0).contains(&self.on_probability) {
            let value = self.on_probability.to_string();
            return refused("the probability of a bit to be on", value, "give 0 to 1".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;
    use rand_pcg::Pcg64;
    use std::collections::BTreeSet;

    fn bits(pattern: ndarray::ArrayView1<'_, f32>) -> String {
        pattern.iter().map(|&value| if value == 1.0 { '1' } else { '0' }).collect()
    }

    #[test]
    fn patterns_are_as_written_by_hand() {
        let standard = Shifter { bits: 4, ..Shifter::default() };
        let zero = Shifter { edge: Edge::Zero, ..standard };
        let unlabelled = Shifter { labelled: false, ..standard };
        // The string 1101: bits 0, 1 and 3 of number 11.
        let of = |shifter: Shifter, shift: usize| bits(shifter.patterns().unwrap().row(shift * 16 + 11));
        assert_eq!(of(standard, 0), "1101_1011_100".replace('_', ""));
        assert_eq!(of(standard, 1), "1101_1101_010".replace('_', ""));
        assert_eq!(of(standard, 2), "1101_1110_001".replace('_', ""));
        assert_eq!(of(zero, 0), "1101_1010_100".replace('_', ""));
        assert_eq!(of(zero, 2), "1101_0110_001".replace('_', ""));
        assert_eq!(of(unlabelled, 2), "1101_1110".replace('_', ""));
    }

    #[test]
    fn the_standard_form_has_768_patterns_of_19_bits() {
        let list = Shifter::default().patterns().unwrap();
        assert_eq!(list.dim(), (768, 19));
        assert_eq!(list.rows().into_iter().map(bits).collect::<BTreeSet<_>>().len(), 768);
        assert!(Shifter::default().probabilities().unwrap().iter().all(|&p| (p - 1.0 / 768.0).abs() < 1e-15));
    }

    #[test]
    fn frequencies_of_draws_follow_the_probabilities() {
        for on_probability in [0.5, 0.3] {
            let shifter = Shifter { bits: 3, on_probability, ..Shifter::default() };
            let list: Vec<String> = shifter.patterns().unwrap().rows().into_iter().map(bits).collect();
            let probabilities = shifter.probabilities().unwrap();
            assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let count = 48_000;
            let (drawn, shifts) = shifter.draw(count, &mut Pcg64::seed_from_u64(11)).unwrap();
            let mut counts = vec![0.0; list.len()];
            for (pattern, shift) in drawn.rows().into_iter().zip(shifts) {
                let index = list.iter().position(|listed| *listed == bits(pattern)).unwrap();
                assert_eq!(index / 8, shift as usize);
                counts[index] += 1.0;
            }
            let expected = probabilities.into_iter().map(|probability| probability * count as f64);
            let chi_square: f64 = expected.zip(counts).map(|(e, found)| (found - e).powi(2) / e).sum();
            // 23 degrees of freedom: 49.7 is exceeded with probability 0.001.
            assert!(chi_square < 49.7, "{chi_square}");
        }
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let mut generator = Pcg64::seed_from_u64(12);
        for bits in [0, 1, 65] {
            let shifter = Shifter { bits, ..Shifter::default() };
            assert!(shifter.patterns().is_err() && shifter.draw(1, &mut generator).is_err());
        }
        for on_probability in [-0.1, 1.1, f64::NAN] {
            let shifter = Shifter { on_probability, ..Shifter::default() };
            assert!(shifter.probabilities().is_err() && shifter.draw(1, &mut generator).is_err());
        }
        let widest = Shifter { bits: 64, ..Shifter::default() };
        assert_eq!(widest.draw(2, &mut generator).unwrap().0.dim(), (2, 131));
        assert!(widest.patterns().unwrap_err().to_string().contains("give 2 to 16"));
    }
}
