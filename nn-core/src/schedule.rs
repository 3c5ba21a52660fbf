//! Numbers that change during training: learning rates, momenta.

use crate::Error;
use serde::{Deserialize, Serialize};

/// A number as a function of the update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Schedule {
    /// The same at every update.
    Constant(f32),
    /// The value of the last entry whose update was reached: `[(0, 0.5), (3000, 0.9)]`.
    Steps(Vec<(u64, f32)>),
    /// From one value to another in equal steps over this many updates, then constant.
    Linear {
        /// The value at update 0.
        from: f32,
        /// The value from update `updates` on.
        to: f32,
        /// Length of the way.
        updates: u64,
    },
    /// initial · factor^(update / every), falling smoothly.
    Exponential {
        /// The value at update 0.
        initial: f32,
        /// What remains after `every` updates.
        factor: f32,
        /// Updates for one factor.
        every: u64,
    },
}

impl From<f32> for Schedule {
    fn from(value: f32) -> Self {
        Schedule::Constant(value)
    }
}

impl Schedule {
    /// The value at this update.
    pub fn at(&self, update: u64) -> f32 {
        match self {
            Schedule::Constant(value) => *value,
            Schedule::Steps(entries) => {
                entries.iter().take_while(|(from, _)| *from <= update).last().map_or(0.0, |(_, value)| *value)
            }
            Schedule::Linear { from, to, updates } => {
                from + (to - from) * (update.min(*updates) as f32 / (*updates).max(1) as f32)
            }
            Schedule::Exponential { initial, factor, every } => {
                initial * factor.powf(update as f32 / (*every).max(1) as f32)
            }
        }
    }

    /// Refuses a schedule that is not finite or leaves `allowed` at one of its corners.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the setting.
    pub fn check(&self, name: &str, allowed: std::ops::RangeInclusive<f32>) -> Result<(), Error> {
        let corners = match self {
            Schedule::Constant(value) => vec![*value],
            Schedule::Steps(entries) => {
                let rises = entries.windows(2).all(|pair| pair[0].0 < pair[1].0);
                if entries.first().is_none_or(|(from, _)| *from != 0) || !rises {
                    let rule = "its updates must start at 0 and rise";
                    return Err(Error::setting(name, format!("{entries:?}"), rule));
                }
                entries.iter().map(|(_, value)| *value).collect()
            }
            Schedule::Linear { from, to, .. } => vec![*from, *to],
            Schedule::Exponential { initial, factor, .. } => vec![*initial, initial * factor],
        };
        match corners.iter().find(|value| !allowed.contains(value)) {
            None => Ok(()),
            Some(value) => {
                let rule = format!("it must lie between {} and {}", allowed.start(), allowed.end());
                Err(Error::setting(name, value, &rule))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_at_and_between_the_corners() {
        let steps = Schedule::Steps(vec![(0, 0.5), (10, 0.9)]);
        assert_eq!([steps.at(0), steps.at(9), steps.at(10), steps.at(99)], [0.5, 0.5, 0.9, 0.9]);
        let linear = Schedule::Linear { from: 1.0, to: 0.0, updates: 4 };
        assert_eq!([linear.at(0), linear.at(1), linear.at(4), linear.at(9)], [1.0, 0.75, 0.0, 0.0]);
        let falling = Schedule::Exponential { initial: 8.0, factor: 0.5, every: 2 };
        assert!((falling.at(4) - 2.0).abs() < 1e-6);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let error = Schedule::Constant(f32::NAN).check("rate", 0.0..=1.0).unwrap_err();
        assert!(error.to_string().starts_with("rate is NaN"));
        assert!(Schedule::Steps(vec![]).check("momentum", 0.0..=1.0).is_err());
        assert!(Schedule::Steps(vec![(0, 0.1), (0, 0.2)]).check("momentum", 0.0..=1.0).is_err());
    }
}
